"""The drain: one flow run claims due work of one kind until nothing is left, each item a task of the warm process.

The database's queue holds the truth: it leases, retries later and parks. Prefect shows what was done.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prefect import task
from prefect.cache_policies import NO_CACHE
from sqlalchemy.orm import Session

from flows.showing import RunTags, Shown, show
from review_flow.db import settings, transaction
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.rules.words import WorkKind
from review_flow.steps import work

log = structlog.get_logger()

LOOK_AGAIN_S = 0.2
WORKER = f"{socket.gethostname()}:{os.getpid()}"

stopping = threading.Event()
"""Set to stop this process's drains: what is begun is finished, nothing more is claimed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One claimed piece of due work: do `kind` to `subject_id`; ours as long as `token` holds the lease."""

    id: int
    kind: WorkKind
    subject_id: int
    token: str


@dataclass(frozen=True, slots=True)
class Done:
    """What follows an item: when it is due again (a clock's next tick), and what Prefect shows of it."""

    again_at: datetime | None = None
    shown: Sequence[Shown] = ()


Record = Callable[[Session], Done | None]
Handle = Callable[[Item], Record]
Tags = Callable[[Session, Item], Sequence[str]]


@dataclass(slots=True)
class Tally:
    """How many items a drain did, and how many failed and went back to the queue."""

    done: int = 0
    failed: int = 0


class ItemFailed(Exception):  # noqa: N818 - it is an answer, not a fault
    """Tells Prefect that an item failed, by ids alone: the reason may name people and stays in our database."""


def drain(
    kind: WorkKind,
    handle: Handle,
    *,
    tags_of: Tags = lambda _session, _item: (),
    width: int = 1,
    patience: float = 0,
    lease: timedelta | None = None,
) -> Tally:
    """Do what is due of a kind until nothing is left for `patience` seconds. Call it inside a flow.

    `handle(item)` does the long part outside of any transaction and returns `record(session)`, which writes
    the effect. That and the end of the item are one transaction: nothing is lost or done twice, whenever the
    process dies. A failing item goes back to the queue, which tries it later and parks it in the end; the others
    go on. `width` items are done at a time, each in a thread; long computing belongs into child processes.
    Raises what the database raises when it is away, and nothing else.
    """
    term = lease or timedelta(seconds=settings().lease_seconds)
    tally, labels = Tally(), RunTags()
    perform = _perform.with_options(name=kind.value)

    def lane() -> None:
        idle_since = time.monotonic()
        while not stopping.is_set():
            claimed = _claim(kind, tags_of, term)
            if claimed is None:
                if time.monotonic() - idle_since >= patience or stopping.wait(LOOK_AGAIN_S):
                    return
                continue
            item, found = claimed
            with _kept(item, term):
                state = perform(item, handle, return_state=True)
            tally.done += state.is_completed()
            tally.failed += not state.is_completed()
            labels.add(found)
            idle_since = time.monotonic()

    try:
        _side_by_side(lane, width)
    finally:
        labels.send()
    return tally


def give_back_all() -> None:
    """Return the leases of every item this process is at; what it still does to them will not count."""
    with _held_lock:
        items = list(_held)
    for item in items:
        _give_back(item)


def _claim(kind: WorkKind, tags_of: Tags, lease: timedelta) -> tuple[Item, Sequence[str]] | None:
    with transaction() as session:
        taken = work.claim(session, kinds=[kind], worker=WORKER, lease=lease)
        if taken is None:
            return None
        assert taken.lease_token is not None
        item = Item(id=taken.id, kind=kind, subject_id=taken.subject_id, token=taken.lease_token)
        return item, tags_of(session, item)


@task(task_run_name="{item.kind.value} {item.subject_id}", cache_policy=NO_CACHE)
def _perform(item: Item, handle: Handle) -> None:
    """Do one item and record it, or put it off with its reason."""
    try:
        record = handle(item)
        with transaction() as session:
            done = record(session) or Done()
            work.finish(session, work_id=item.id, token=item.token, again_at=done.again_at)
    except Exception as error:  # noqa: BLE001 - whatever an item does, the others go on
        _put_off(item, error)
        raise ItemFailed(f"{item.kind.value} {item.subject_id}: {type(error).__name__}") from None
    show(done.shown)


def _put_off(item: Item, error: Exception) -> None:
    if isinstance(error, work.LeaseLost):
        log.warning(str(error), kind=item.kind.value, subject=item.subject_id)
        return
    reason = str(error) if isinstance(error, Refusal) else f"{type(error).__name__}: {error}"
    log.warning(say(_("一项工作没有做成，稍后再试。")), kind=item.kind.value, subject=item.subject_id, exc_info=error)
    try:
        with suppress(work.LeaseLost), transaction() as session:
            work.fail(session, work_id=item.id, token=item.token, reason=reason)
    except Exception as away:
        log.warning(say(_("数据库不可用，租约到期后这项工作会重新开始。")), kind=item.kind.value, exc_info=away)


def _give_back(item: Item) -> None:
    with suppress(work.LeaseLost), transaction() as session:
        work.give_back(session, work_id=item.id, token=item.token)


_held: set[Item] = set()
_held_lock = threading.Lock()


@contextmanager
def _kept(item: Item, lease: timedelta) -> Iterator[None]:
    """Renew the item's lease from a thread of its own for as long as the block runs; give it back when that raises."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(lease.total_seconds() / 3):
            try:
                with transaction() as session:
                    if not work.renew(session, work_id=item.id, token=item.token, lease=lease):
                        return
            except Exception as error:
                log.warning(say(_("续租失败，稍后再试。")), kind=item.kind.value, exc_info=error)

    keeper = threading.Thread(target=renew, daemon=True)
    keeper.start()
    with _held_lock:
        _held.add(item)
    try:
        yield
    except BaseException:  # Prefect broke down before the item, or the process is being ended around us
        _give_back(item)
        raise
    finally:
        over.set()
        keeper.join()
        with _held_lock:
            _held.discard(item)


def _side_by_side(lane: Callable[[], None], width: int) -> None:
    """Run a lane `width` times at once, each under the flow's context; raise the first error when all ended."""
    if width == 1:
        lane()
        return
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            lane()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that called us
            errors.append(error)

    # Daemons: a thread at a long item must not hold up the end of the process after its lease was given back.
    lanes = [threading.Thread(target=copy_context().run, args=(guarded,), daemon=True) for _lane in range(width)]
    for thread in lanes:
        thread.start()
    for thread in lanes:
        thread.join()
    if errors:
        raise errors[0]
