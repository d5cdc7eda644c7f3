"""Where Prefect's API is: the operator's server, or an embedded one that is started and watched here."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import structlog

from flows.environment import prefect_environment, server_environment
from flows.server_child import GRACE_S, SOMEBODY_ELSE_SERVES
from review_flow.i18n import _, say
from review_flow.settings import PREFIX

if TYPE_CHECKING:
    from types import TracebackType

    from review_flow.settings import Settings

log = structlog.get_logger()

HEALTH_TIMEOUT_S = 2.0
NOT_THE_SERVERS = (PREFIX, "PREFECT_API_URL")
"""Variables that the embedded server is not given: keys and passwords among ours, which its code has no use for."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
SILENT_FOR_S = 120.0  # a child that runs but answers nothing for this long is hung; a slow start takes 20 s


@dataclass(frozen=True, slots=True)
class ServerNote:
    """What the embedded server wrote down about itself in <home>/prefect/server.json."""

    pid: int
    port: int
    url: str


def read_note(settings: Settings) -> ServerNote | None:
    """Return the note of the home's embedded server, which may be long dead; None when there never was one."""
    try:
        return ServerNote(**json.loads((settings.home / "prefect" / "server.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def answers(url: str, *, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
    """Whether a Prefect API answers at this URL."""
    try:
        # No proxy: the operator's http_proxy is not for the loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url.rstrip('/')}/health", timeout=timeout_s) as reply:
            return bool(reply.read().strip() == b"true")
    except (OSError, ValueError):
        return False


def reachable(settings: Settings) -> str | None:
    """Return the URL of this installation's Prefect API when it answers now; starts nothing (for `doctor`)."""
    if settings.prefect_api_url:
        return settings.prefect_api_url if answers(settings.prefect_api_url) else None
    note = read_note(settings)  # of a server long dead, whose port another home's may have by now: that lets us not in
    return note.url if note and lets_in(note.url, settings.prefect_auth()) else None


def lets_in(url: str, proof: str | None, *, timeout_s: float = HEALTH_TIMEOUT_S) -> bool:
    """Whether the API at this URL takes what we show it; one that asks for nothing takes everything."""
    request = urllib.request.Request(f"{url.rstrip('/')}/admin/version")  # noqa: S310 - the operator's own address
    if proof is not None:
        request.add_header("authorization", f"Basic {base64.b64encode(proof.encode()).decode()}")
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=timeout_s) as reply:
            return bool(reply.status == HTTPStatus.OK)
    except (OSError, ValueError):
        return False


class PrefectServer:
    """The Prefect API of one installation, as a context manager.

    With `settings.prefect_api_url` set it only asks whether that server answers. Otherwise several processes of
    one home share one embedded server: whoever finds none starts it, and it ends with the process that did.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._child: subprocess.Popen[bytes] | None = None
        self._pause_s = FIRST_PAUSE_S
        self._not_before = 0.0
        self._silent_since = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def url(self) -> str | None:
        """Return the API's URL when it answers now; else None, having seen to it that a server is on its way."""
        found = reachable(self._settings)
        if found:
            self._pause_s, self._silent_since = FIRST_PAUSE_S, 0.0
        elif not self._settings.prefect_api_url:
            self._see_to_it()
        return found

    def proof(self) -> str:
        """Return what opens that API."""
        return self._settings.prefect_auth()

    @property
    def started(self) -> bool:
        """Whether the server that serves this home is our child."""
        return self._child is not None and self._child.poll() is None

    def close(self) -> None:
        """Stop the server if we started it: closing its pipe asks it to, a signal ends one that doesn't."""
        child, self._child = self._child, None
        if child is None:
            return
        _close_pipe(child)
        try:
            child.wait(GRACE_S + 2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _see_to_it(self) -> None:
        moment = time.monotonic()
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                self._silent_since = self._silent_since or moment
                if moment - self._silent_since > SILENT_FOR_S:
                    self._child.kill()
                return
            _close_pipe(self._child)
            self._child = None
            self._mourn(code, moment)
        if moment >= self._not_before:
            self._child, self._silent_since = self._start(), moment

    def _mourn(self, code: int, moment: float) -> None:
        """Wait longer after every death in a row; where another process serves the home, just look again."""
        self._not_before = moment + self._pause_s
        if code != SOMEBODY_ELSE_SERVES:
            log.warning(
                say(_("内置 Prefect 服务退出（代码 {code}），{pause} 秒后重启。"), code=code, pause=self._pause_s)
            )
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(NOT_THE_SERVERS)},
            **prefect_environment(self._settings),
            **server_environment(self._settings),
            f"{PREFIX}HOME": str(self._settings.home.absolute()),
        }
        with (self._settings.folder("prefect") / "server.log").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "flows.server_child"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C in a terminal is for us; we stop the server after the work
            )


def _close_pipe(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    with contextlib.suppress(OSError):
        child.stdin.close()
