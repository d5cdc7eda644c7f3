from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows.environment import prefect_environment, server_environment
from flows.server import PrefectServer, answers, lets_in, reachable, read_note
from review_flow.settings import Settings
from tests.flows.conftest import ROOT, until

ELSEWHERE, PROOF = "https://prefect.school/api", "school:0123456789abcdef"
PARENT = """
import sys
from pathlib import Path
from flows.server import PrefectServer
from review_flow.settings import Settings
server = PrefectServer(Settings(home=Path(sys.argv[1])))
server.url()
sys.stdin.read()
"""


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_prefect_lives_in_the_home_and_phones_nobody(tmp_path: Path) -> None:
    assert prefect_environment(Settings(home=tmp_path)) == {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_CLOUD_ENABLE_ORCHESTRATION_TELEMETRY": "false",
        "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_PROFILES_PATH": str(tmp_path / "prefect" / "profiles.toml"),
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }
    assert list(tmp_path.iterdir()) == []


def test_the_operators_server_is_the_one_that_is_used(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, prefect_api_url=ELSEWHERE, prefect_auth_string=PROOF)

    assert prefect_environment(settings)["PREFECT_API_URL"] == ELSEWHERE


def test_prefect_knows_every_variable_we_set(tmp_path: Path) -> None:
    from prefect.settings.models.root import Settings as PrefectSettings
    from prefect.settings.models.root import _get_settings_accessors

    known = set(_get_settings_accessors(PrefectSettings)) | {"DO_NOT_TRACK"}
    settings = Settings(home=tmp_path, prefect_api_url=ELSEWHERE, prefect_auth_string=PROOF)

    assert {*prefect_environment(settings), *server_environment(settings)} - known == set()


def test_the_operators_server_is_opened_with_what_the_operator_set(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, prefect_api_url=ELSEWHERE, prefect_auth_string=PROOF)

    assert prefect_environment(settings)["PREFECT_API_AUTH_STRING"] == PROOF
    assert settings.prefect_auth() == PROOF


def test_a_home_makes_what_opens_its_own_server_once_and_for_itself_alone(tmp_path: Path) -> None:
    proof = Settings(home=tmp_path).prefect_auth()
    kept = tmp_path / "secrets" / "prefect.auth"

    environment = server_environment(Settings(home=tmp_path))

    assert re.fullmatch("review-flow:[0-9a-f]{64}", proof)
    assert (environment["PREFECT_SERVER_API_AUTH_STRING"], kept.read_text(), kept.stat().st_mode & 0o777) == (
        proof,
        proof,
        0o600,
    )


def test_where_nothing_answers_there_is_no_server(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, prefect_api_url="http://127.0.0.1:9/api", prefect_auth_string=PROOF)

    with PrefectServer(settings) as server:
        assert server.url() is None
        assert server.started is False
    assert (reachable(settings), lets_in("http://127.0.0.1:9/api", None)) == (None, False)
    assert list(tmp_path.iterdir()) == []


class Foreign(BaseHTTPRequestHandler):
    """Prefect's API of another home: healthy, and closed to us."""

    def do_GET(self) -> None:
        healthy = self.path.endswith("/health")
        self.send_response(200 if healthy else 401)
        self.end_headers()
        self.wfile.write(b"true" if healthy else b"")

    def log_message(self, *_words: object) -> None:
        """Leave the terminal alone."""


def test_another_home_s_server_on_the_port_of_ours_is_not_taken_for_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as foreign:
        threading.Thread(target=foreign.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{foreign.server_port}/api"
        note = {"pid": 1, "port": foreign.server_port, "url": url}
        (settings.folder("prefect") / "server.json").write_text(json.dumps(note))
        assert (answers(url), reachable(settings)) == (True, None)
        foreign.shutdown()


@pytest.mark.slow
@pytest.mark.crash
def test_the_embedded_server_comes_back_where_it_was_and_goes_with_us(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEW_FLOW_ENCRYPTION_KEY", "5e" * 32)
    settings = Settings(home=used_home)
    with PrefectServer(settings) as server, PrefectServer(settings) as second:
        url = until(server.url)
        note = read_note(settings)
        assert note is not None
        given = {one.partition("=")[0] for one in Path(f"/proc/{note.pid}/environ").read_text().split("\0")}
        assert [one for one in sorted(given) if one.startswith("REVIEW_FLOW_")] == ["REVIEW_FLOW_HOME"]
        assert (note.url, reachable(settings), second.url(), second.started) == (url, url, url, False)
        with urllib.request.urlopen(f"{url}/health") as reply:
            assert "connect-src 'self'" in reply.headers["content-security-policy"]
        assert [lets_in(url, shown) for shown in (None, PROOF, server.proof())] == [False, False, True]
        foreign = urllib.request.Request(f"{url}/health", headers={"origin": "http://evil.example"})
        with urllib.request.urlopen(foreign) as reply:
            assert reply.headers["access-control-allow-origin"] is None

        os.kill(note.pid, signal.SIGKILL)
        until(lambda: not runs(note.pid))
        assert server.url() is None
        assert until(server.url) == url

        reborn = read_note(settings)
        assert reborn is not None
        assert reborn.pid != note.pid
    assert not runs(reborn.pid)
    assert not answers(url)


@pytest.mark.slow
@pytest.mark.crash
def test_the_embedded_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "REVIEW_FLOW_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT, env=environment, stdin=subprocess.PIPE
    ) as parent:
        note = until(lambda: read_note(Settings(home=tmp_path)))
        assert runs(note.pid)
        parent.kill()

    until(lambda: not runs(note.pid), within=15)
