"""What the operator's page tells to type works."""

from __future__ import annotations

import configparser
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
import typer

from review_flow.cli import serving
from review_flow.cli.supervise import GRACE_S
from review_flow.outside.messages import AppriseMessenger
from review_flow.settings import Settings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def block(language: str, word: str) -> str:
    (found,) = [
        one
        for one in re.findall(r"^```.*?^```$", PAGE, re.DOTALL | re.MULTILINE)
        if one.startswith(f"```{language}\n") and word in one
    ]
    return found.removeprefix(f"```{language}\n").removesuffix("```")


def test_every_setting_stands_in_the_table():
    named = re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    assert sorted(re.findall(r"`([A-Z_]+)`", " ".join(named))) == sorted(name.upper() for name in Settings.model_fields)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_the_addresses_of_messages_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    file = tmp_path / "messages.json"
    file.write_text(block("json", "mailtos"), encoding="utf-8")
    monkeypatch.setenv("REVIEW_FLOW_MESSAGE_URLS_FILE", str(file))
    urls = Settings(home=tmp_path / "home").message_urls
    assert len(urls) == 4
    AppriseMessenger(urls)
    AppriseMessenger(
        ("wechat://CORPID:SECRET@1000002/@{phone}", "mailto://smtp.school.cn:25/?from=a@school.cn&to={email}")
    )


def test_the_unit_starts_what_is_there_and_waits_for_its_end():
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # systemd's names are told apart by case
    unit.read_string(block("ini", "[Unit]"))
    program, *words = unit["Service"]["ExecStart"].split()
    assert program == "/opt/review-flow/.venv/bin/review-flow"
    assert words[0] == "serve"
    given = typer.main.get_command(serving.app).make_context("serve", words[1:])
    assert given.params["host"] == "0.0.0.0"
    assert int(unit["Service"]["TimeoutStopSec"]) > GRACE_S
    assert unit["Service"]["KillMode"] == "mixed"  # the parts are ended by the one that would start them again


@pytest.mark.skipif(not shutil.which("sqlite3"), reason="no sqlite3 on this machine (Debian: apt-get install sqlite3)")
def test_a_backup_taken_while_something_runs_is_restored_as_the_page_says(tmp_path: Path):
    home = tmp_path / "var" / "review-flow"
    (tmp_path / "srv").mkdir()
    chosen = Settings(home=home)
    for name in ("encryption.key", "certificate.key"):
        chosen.secret(name)
    (chosen.storage / "film").write_bytes(b"film")
    (chosen.folder("tls") / "authority.crt").write_bytes(b"authority")
    kept = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert len(kept) == 4
    running = sqlite3.connect(home / "review-flow.db")
    running.executescript("PRAGMA journal_mode = wal; CREATE TABLE mark (points); INSERT INTO mark VALUES (95);")

    def typed(lines: str) -> None:
        for line in lines.splitlines():
            words = line.removeprefix("# ").replace("/var/lib/", f"{home.parent}/").replace("/srv/", f"{tmp_path}/srv/")
            words = words.replace("-o review-flow -g review-flow ", "").replace("/etc/review-flow ", "")
            if not words.startswith(("systemctl", "chown", "review-flow")):  # no service, no such account here
                subprocess.run(words, shell=True, check=True, cwd=tmp_path, timeout=60)

    typed(block("console", ".backup"))
    running.close()
    typed(block("console", "review-flow.broken"))
    assert {path: path.read_bytes() for path in kept} == kept
    restored = sqlite3.connect(home / "review-flow.db")
    assert restored.execute("SELECT points FROM mark").fetchall() == [(95,)]
    restored.close()
