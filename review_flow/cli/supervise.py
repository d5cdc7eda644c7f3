"""Several processes as one: what dies is started again, later each time; all end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import structlog

from review_flow.i18n import _, say
from review_flow.lifeline import GRACE_S, HELD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = structlog.get_logger()
POLL_S = 0.2
FIRST_PAUSE_S, LONGEST_PAUSE_S, WELL_AFTER_S = 1.0, 60.0, 60.0
LONGEST_WAIT_S = 30.0


class Child:
    """One part: started, watched, started again after a pause that doubles until it runs for a minute.

    `after`: what its first start waits for, half a minute at most: the machine is another part's until then.
    """

    def __init__(self, name: str, arguments: Sequence[str], *, after: Callable[[], bool] | None = None) -> None:
        self.name, self._arguments = name, [sys.executable, *arguments]
        self._after, self._asked_first = after, time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._pause_s, self._began, self._not_before = FIRST_PAUSE_S, 0.0, 0.0

    @property
    def pid(self) -> int | None:
        """Return the process's id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def watch(self) -> None:
        """Start what is not running, when it may."""
        moment = time.monotonic()
        if self._process is not None and (code := self._process.poll()) is not None:
            self._pause_s = FIRST_PAUSE_S if moment - self._began > WELL_AFTER_S else self._pause_s
            log.warning(
                say(_("{name}退出（代码 {code}），{pause} 秒后重启。"), name=self.name, code=code, pause=self._pause_s)
            )
            self._let_go()
            self._process, self._not_before = None, moment + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        if self._after is not None and (self._after() or moment - self._asked_first > LONGEST_WAIT_S):
            self._after = None
        if self._process is None and self._after is None and moment >= self._not_before:
            # A session of its own: Ctrl-C in a terminal is for the supervisor, which stops its parts in order. The
            # pipe is never written to: it closes with the supervisor, and no part outlives one that was killed.
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                self._arguments, stdin=subprocess.PIPE, env={**os.environ, HELD: "1"}, start_new_session=True
            )
            self._began = moment

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is not None:
            self._process.terminate()

    def end(self, until: float) -> None:
        """Wait until a moment of the monotonic clock, then kill."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()


def supervise(children: Sequence[Child], *, stop: threading.Event | None = None) -> None:
    """Keep the children running until `stop`, SIGTERM or SIGINT; then end them all, within half a minute."""
    stop = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_received: stop.set())
    try:
        while not stop.is_set():
            for child in children:
                child.watch()
            stop.wait(POLL_S)
    finally:
        for child in children:
            child.ask_to_stop()
        until = time.monotonic() + GRACE_S
        for child in children:
            child.end(until)
