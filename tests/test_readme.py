"""Every command of the READMEs is run, as it is written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from review_flow.settings import Settings

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh-CN.md")


def commands(name: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def run(command: str, *, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("REVIEW_FLOW_", "PREFECT_", "COV_", "MAKE", "MFLAGS", "ARGS"))
    }
    return subprocess.run(
        command,
        shell=True,
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_both_readmes_say_the_same_commands():
    first, second = map(commands, READMES)
    assert first == second
    assert first[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("name", READMES)
def test_every_page_is_linked_in_the_readers_language_where_there_is_one(name):
    linked = {
        link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    }
    assert [link for link in sorted(linked) if not (ROOT / link).exists()] == []
    english = {page for page in (ROOT / "docs").glob("*.md") if not page.name.endswith(".zh-CN.md")}
    twins = {page: page.with_name(f"{page.stem}.zh-CN.md") for page in english}
    wanted = {twins[one] if "zh-CN" in name and twins[one].exists() else one for one in english}
    assert {ROOT / link for link in linked if re.fullmatch(r"docs/[^/]+\.md", link)} == wanted
    assert "CHANGELOG.md" in linked


def test_make_test_starts_the_suite():
    done = run("make test", ARGS="--collect-only -q -n0 tests/test_readme.py")
    assert done.returncode == 0, done.stderr
    assert "test_make_test_starts_the_suite" in done.stdout


def test_ci_calls_the_readmes_test_command():
    assert re.search(
        r"^[A-Z_=1 ]*make test( ARGS=.*)?$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_the_commands_of_use_work_on_a_new_home(tmp_path):
    shown = [command for command in commands("README.md") if not command.startswith("make ")]
    assert len(shown) == 10
    for command in shown:
        words = command
        for written in ("roster.xlsx", "plan.docx"):  # the checkout stays clean
            words = words.replace(written, str(tmp_path / written))
        done = run(words, REVIEW_FLOW_HOME=str(tmp_path / "home"))
        # doctor says truthfully that no worker runs here; everything else must end well
        assert done.returncode == 0 or "doctor" in command, done.stdout + done.stderr
    for written in ("roster.xlsx", "plan.docx"):
        assert (tmp_path / written).read_bytes()[:2] == b"PK"


@pytest.mark.slow
def test_make_serve_starts_worker_and_prefect_and_stops_cleanly(tmp_path):
    home = tmp_path / "home"
    clean = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("REVIEW_FLOW_", "PREFECT_", "COV_", "MAKE", "MFLAGS", "ARGS"))
    }
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen(
            ["make", "serve"],
            cwd=ROOT,
            env={**clean, "REVIEW_FLOW_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        from flows.server import reachable

        until = time.monotonic() + 120
        while reachable(Settings(home=home)) is None:
            assert serving.poll() is None, (tmp_path / "log").read_text(encoding="utf-8")
            assert time.monotonic() < until
            time.sleep(0.5)
    finally:
        os.killpg(serving.pid, signal.SIGINT)
        serving.wait(60)
    assert reachable(Settings(home=home)) is None


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_make_demo_plays_a_whole_round(tmp_path):
    done = run("make demo", ARGS=f"--json --keep {tmp_path / 'demo'}")
    assert done.returncode == 0, done.stderr
    story = json.loads(done.stdout)
    facts = story["facts"]
    assert facts["broken_invariants"] == []
    assert facts["archive_problems"] == []
    assert facts["rejected_files"] == ["broken-upload.mp4"]
    assert facts["corrected"] == "A5"
    assert facts["lapsed_tasks"] > 0
    assert facts["asked_one_more"] > 0
    results = {one["number"]: one for one in story["results"]}
    assert len(results) == 23
    assert {one["grade"] for one in results.values()} == {"优秀", "合格", "不合格"}
    assert results["T014"]["score"] == "63.60"
    assert results["T014"]["version"] == 2
    assert results["T013"]["signed"] is False
    assert results["T020"]["grade"] == "不合格"
    assert story["ledger"]["grade"] == results["T011"]["grade"]
    for what in ("results", "archive", "contact_sheet"):
        assert Path(story["files"][what]).stat().st_size > 1000
