"""The web in processes of its own: over TLS, behind a proxy, several at once."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from review_flow.cli import app, serving
from review_flow.outside import authority
from review_flow.settings import Settings
from review_flow.settings_lines import is_here
from review_flow.web.line import PlainBeyondHere
from tests.conftest import Templates


@pytest.fixture
def pair(tmp_path: Path) -> authority.Pair:
    """A certificate for this machine, as `review-flow tls make` makes it."""
    return authority.make(Settings(home=tmp_path / "certified"), names=["school.lan"])


@pytest.mark.slow
def test_several_processes_serve_over_tls_behind_a_proxy_that_is_trusted(
    tmp_path: Path, templates: Templates, pair: authority.Pair
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    asked = ["--host", "0.0.0.0", "--port", str(port), "--workers", "2"]
    asked += ["--tls-cert", str(pair.server), "--tls-key", str(pair.server_key)]
    serving = subprocess.Popen(
        [sys.executable, "-m", "review_flow.web", *asked, "--proxy", "127.0.0.1"],
        env={
            **os.environ,
            "REVIEW_FLOW_HOME": str(tmp_path / "home"),
            "REVIEW_FLOW_DATABASE_URL": f"sqlite:///{templates.sqlite()}",
        },
    )
    try:
        with httpx.Client(
            verify=ssl.create_default_context(cafile=pair.authority), base_url=f"https://localhost:{port}"
        ) as client:
            until = time.monotonic() + 90
            while True:
                try:
                    ready = client.get("/readyz")
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < until
                    time.sleep(0.1)
            assert ready.json() == {"ready": True, "working": True}
            assert ready.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
            told = {"x-forwarded-proto": "http", "origin": "http://localhost"}
            assert "strict-transport-security" not in client.get("/readyz", headers=told).headers
    finally:
        serving.terminate()
        assert serving.wait(30) == 0


def test_a_certificate_that_cannot_be_used_is_said_before_anything_starts(
    tmp_path: Path, pair: authority.Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "home"))
    cert, key = pair.server, pair.server_key
    for given in (["--tls-cert", str(cert)], ["--tls-cert", str(key), "--tls-key", str(cert)]):
        done = CliRunner().invoke(app, ["serve", *given])
        assert (done.exit_code, "TLS 证书或私钥不能用" in done.output) == (1, True)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["secrets", "secrets/link.key"])
def test_keys_that_others_may_read_are_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    given = Settings(home=tmp_path / "home")
    given.secret("link.key")
    assert given.open_to_others() == []
    (given.home / name).chmod(0o755)
    monkeypatch.setattr(serving, "settings", lambda: given)
    done = CliRunner().invoke(app, ["serve"])
    assert (done.exit_code, f"chmod go-rwx {given.home / name}" in done.output) == (1, True)
    assert not (given.home / "review-flow.db").exists()


# Apprise's e-mail plug-in imports imghdr, which the standard library drops in 3.13.
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
def test_a_message_address_that_is_none_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Settings(home=tmp_path / "home", message_urls=("nonsense://TOKEN",))
    monkeypatch.setattr(serving, "settings", lambda: given)
    done = CliRunner().invoke(app, ["serve", "--port", "8999"])
    assert (done.exit_code, done.output) == (1, "消息设置第1项不是可用的通知地址（nonsense）。\n")
    assert not (given.home / "review-flow.db").exists()


OPEN = "0.0.0.0"


def test_plain_http_leaves_this_machine_only_when_somebody_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["serve", "--host", OPEN])
    ways = [
        "review-flow tls make --name",
        "--tls-cert 和 --tls-key",
        "--proxy",
        "--plain-http",
        "REVIEW_FLOW_PLAIN_HTTP=true",
    ]
    assert (done.exit_code, [one for one in ways if one not in done.output]) == (1, [])
    alone = [sys.executable, "-m", "review_flow.web", "--host", OPEN]
    refused = subprocess.run(alone, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, "--plain-http" in refused.stderr) == (2, True)
    assert not (tmp_path / "home").exists()


def test_each_choice_is_a_line_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(home=tmp_path / "home")
    monkeypatch.setattr(serving, "settings", lambda: given)

    def spoken(host: str, *, proxies: Sequence[str] = (), plain: bool = False) -> tuple[list[str], str]:
        return serving.spoken(host, cert=None, key=None, proxies=list(proxies), plain=plain)

    assert spoken("127.0.0.1") == ([], "http://127.0.0.1")
    assert spoken(OPEN, plain=True) == (["--plain-http"], "http://127.0.0.1")
    assert spoken(OPEN, proxies=["10.0.0.9"]) == (["--proxy", "10.0.0.9"], "http://127.0.0.1")
    with pytest.raises(PlainBeyondHere):
        spoken("10.0.0.5")
    made = authority.make(given, names=["school.lan", "10.0.0.5"])
    files = ["--tls-cert", str(made.server), "--tls-key", str(made.server_key)]
    assert spoken(OPEN) == (files, "https://school.lan")
    assert spoken("127.0.0.1") == (files, "https://127.0.0.1")
    assert spoken(OPEN, plain=True) == (["--plain-http"], "http://127.0.0.1")
    authority.make(given, names=["localhost"])
    assert spoken(OPEN) == (files, "https://127.0.0.1")


def test_what_stays_on_this_machine() -> None:
    hosts = ["127.0.0.1", "127.8.8.8", "::1", "localhost", "0.0.0.0", "::", "10.0.0.5", "school.lan", ""]
    assert [one for one in hosts if is_here(one)] == hosts[:4]
