"""The long-lived worker: whenever something is due, a drain of its kind runs in this warm process.

Our database is asked four times a second; Prefect is told what runs, and is never the queue. See
docs/decisions/0001-how-flows-run.md for what was measured.
"""

from __future__ import annotations

import importlib
import importlib.util
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import structlog

from flows import drain as drains
from flows.server import PrefectServer
from review_flow.db import transaction
from review_flow.i18n import _, say
from review_flow.rules.words import WorkKind
from review_flow.steps import work as queue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from review_flow.settings import Settings

log = structlog.get_logger()

POLL_S = 0.25
PATIENCE_S = 2.0  # a drain stays this long for more of its kind: bursts share a run, and wake faster
GRACE_S = 20.0  # given to items at a clean stop, before their leases go back
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
LOOK_FOR_SERVER_S = 5.0


class Drain(Protocol):
    """A flow that drains one kind of work."""

    def __call__(self, *, patience: float) -> object:
        """Do what is due until nothing is left for `patience` seconds."""


def known_drains() -> dict[WorkKind, Drain]:
    """Return the flow of every kind: the function `check_evidence` of the module `flows.check_evidence`, and so on."""
    kinds = [kind for kind in WorkKind if importlib.util.find_spec(f"flows.{kind.value}")]
    return {kind: getattr(importlib.import_module(f"flows.{kind.value}"), kind.value) for kind in kinds}


class Lane:
    """Runs the drain of one kind, one at a time, each in a thread; pauses after a failure, longer each time."""

    def __init__(self, kind: WorkKind, flow: Drain) -> None:
        self.kind, self._flow = kind, flow
        self._thread: threading.Thread | None = None
        self._pause_s, self._not_before = FIRST_PAUSE_S, 0.0

    @property
    def busy(self) -> bool:
        """Whether a drain is running."""
        return self._thread is not None and self._thread.is_alive()

    def wake(self, url: str, proof: str, patience: float) -> None:
        """Start a drain unless one is running or the last failure is too near."""
        if not self.busy and time.monotonic() >= self._not_before:
            # A daemon: a hung item must not keep the process from ending.
            self._thread = threading.Thread(
                target=self._run, args=(url, proof, patience), name=self.kind.value, daemon=True
            )
            self._thread.start()

    def join(self, until: float) -> None:
        """Wait for the running drain until a moment of the monotonic clock."""
        if self._thread is not None:
            self._thread.join(max(0.0, until - time.monotonic()))

    def _run(self, url: str, proof: str, patience: float) -> None:
        from prefect.settings import (
            PREFECT_API_AUTH_STRING,
            PREFECT_API_URL,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
            temporary_settings,
        )

        # Prefect's heartbeat thread holds each run up for a second at its end, and our leases do its work.
        chosen = {PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: proof, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
        try:
            with temporary_settings(chosen):
                self._flow(patience=patience)
        except Exception as error:  # noqa: BLE001 - Prefect or the database is away: the work waits, we go on
            self._not_before = time.monotonic() + self._pause_s
            log.warning(
                say(_("流程中断，{pause} 秒后再试；未完成的工作仍在队列里。"), pause=self._pause_s),
                kind=self.kind.value,
                error=f"{type(error).__name__}: {error}",
            )
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        else:
            self._pause_s = FIRST_PAUSE_S


class Watch:
    """Says once when something goes away, and once when it is back."""

    def __init__(self, gone: str, back: str) -> None:
        self._gone, self._back = gone, back
        self._away_since: float | None = None

    def saw(self, *, there: bool, error: str | None = None) -> None:
        """Take note of a look."""
        if there and self._away_since is not None:
            log.info(say(self._back, seconds=round(time.monotonic() - self._away_since)))
            self._away_since = None
        elif not there and self._away_since is None:
            log.warning(say(self._gone), error=error)
            self._away_since = time.monotonic()


def work(
    settings: Settings,
    *,
    until_idle: bool = False,
    stop: threading.Event | None = None,
    flows: Mapping[WorkKind, Drain] | None = None,
) -> None:
    """Do what is due until told to stop, or until nothing is due with `until_idle`.

    The database must be migrated. Starts an embedded Prefect server unless `settings.prefect_api_url` is set.
    SIGTERM and SIGINT stop cleanly when called from the main thread: items at work are finished, or their leases
    given back after 20 seconds. One worker per process; any number of processes and machines share a database.
    """
    stop = stop or threading.Event()
    lanes = {kind: Lane(kind, flow) for kind, flow in (known_drains() if flows is None else flows).items()}
    drains.stopping.clear()
    with _signals(stop), PrefectServer(settings) as server:
        try:
            _watch(server, lanes, stop, until_idle=until_idle)
        finally:
            _settle(lanes)


def _watch(server: PrefectServer, lanes: Mapping[WorkKind, Lane], stop: threading.Event, *, until_idle: bool) -> None:
    prefect = Watch(
        _("Prefect 服务还没有响应，到期的工作先等着，数据不受影响。"),
        _("Prefect 服务已就绪（等了 {seconds} 秒），继续工作。"),
    )
    database = Watch(_("数据库不可用，稍后再试。"), _("数据库已恢复（中断了 {seconds} 秒），继续工作。"))
    looked = 0.0
    while not stop.is_set():
        busy = any(lane.busy for lane in lanes.values())  # before the look: a drain leaves nothing due unseen
        try:
            due = _due(lanes)
        except Exception as error:  # noqa: BLE001 - the database is away: nothing can be done, nothing is lost
            database.saw(there=False, error=type(error).__name__)
            stop.wait(FIRST_PAUSE_S)
            continue
        database.saw(there=True)
        if until_idle and not due and not busy:
            return
        ready = [kind for kind in due if not lanes[kind].busy]
        if ready or time.monotonic() - looked > LOOK_FOR_SERVER_S:
            url = server.url()
            looked = time.monotonic()
            prefect.saw(there=url is not None)
            if url is not None:
                for kind in ready:
                    lanes[kind].wake(url, server.proof(), 0 if until_idle else PATIENCE_S)
        stop.wait(POLL_S)


def _due(lanes: Mapping[WorkKind, Lane]) -> list[WorkKind]:
    """Return the kinds of ours of which something could be claimed now."""
    with transaction() as session:
        return [kind for kind in queue.due_kinds(session) if kind in lanes]


def _settle(lanes: Mapping[WorkKind, Lane]) -> None:
    """Let items at work finish for a while; what is left then goes back to the queue at once."""
    drains.stopping.set()
    until = time.monotonic() + GRACE_S
    for lane in lanes.values():
        lane.join(until)
    if any(lane.busy for lane in lanes.values()):
        log.warning(say(_("有工作没能及时做完，已退回队列。")))
        drains.give_back_all()


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into a stop, where signals can be had; restore what was there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_received: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
