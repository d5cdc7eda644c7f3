"""What is due: rows that a flow claims by conditional update and a lease, does, and records.

The lease is the only lock. Whoever finishes must still hold it, in the same transaction as the effect, so a killed
worker's item comes back when its lease runs out and nothing is ever done twice.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from models import DueWork
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from review_flow.rules.words import WorkKind

MOST_ATTEMPTS = 5
FIRST_PAUSE = timedelta(seconds=10)
LATE_AFTER = timedelta(minutes=5)
ENDED_ITS_WORKERS = _("连续{count}次没有做完：执行它的进程中断，或租约到期。")


_ADD = {
    "sqlite": sqlite.insert(DueWork).on_conflict_do_nothing().returning(DueWork.id),
    "postgresql": postgresql.insert(DueWork).on_conflict_do_nothing().returning(DueWork.id),
}


class LeaseLost(Refusal):
    """Somebody else took the item over after the lease ran out; the caller's effects must roll back."""

    status, text = 409, _("这项工作的租约已到期并由他人接手，本次结果作废。")


def enqueue(
    session: Session, *, kind: WorkKind, subject_id: int, due_at: datetime | None = None, priority: int = 0
) -> None:
    """Leave a row that says what is due; one waiting row per kind and subject, moved forward when due sooner.

    A row that somebody is working on right now is left to them and a second run is booked by its `finish`:
    what changed since they began must not be missed.
    """
    at = due_at or now()
    while (waiting := _waiting(session, kind=kind, subject_id=subject_id)) is None:
        row = {"kind": kind, "subject_id": subject_id, "due_at": at, "priority": priority}
        if session.scalars(_ADD[session.get_bind().dialect.name], row).first() is not None:
            return  # else somebody else's row came between: look again, it may be due later than ours
    if waiting.lease_token is not None:
        waiting.again_at = min(at, waiting.again_at or at)
    elif at < waiting.due_at or waiting.parked_at is not None:
        waiting.due_at = min(at, waiting.due_at)
        waiting.parked_at = waiting.parked_reason = None
        waiting.attempts = 0


def enqueue_all(session: Session, *, kind: WorkKind, subject_ids: Collection[int]) -> None:
    """Do what `enqueue` does, now, for many subjects in three statements.

    A row that somebody else adds in between ends the transaction on PostgreSQL; whoever asks takes the school's turn.
    """
    moment = now()
    waiting = (DueWork.kind == kind, DueWork.done_at.is_(None), DueWork.subject_id.in_(subject_ids))
    held = DueWork.lease_token.is_not(None)
    later = or_(DueWork.due_at > moment, DueWork.parked_at.is_not(None))
    quietly = {"synchronize_session": False}
    session.flush()
    session.execute(update(DueWork).where(*waiting, held).values(again_at=moment).execution_options(**quietly))
    session.execute(
        update(DueWork)
        .where(*waiting, ~held, later)
        .values(due_at=moment, parked_at=None, parked_reason=None, attempts=0)
        .execution_options(**quietly)
    )
    known = set(session.scalars(select(DueWork.subject_id).where(*waiting)))
    new = [{"kind": kind, "subject_id": one, "due_at": moment} for one in subject_ids if one not in known]
    if new:
        session.execute(insert(DueWork), new)


_WAITING = (
    select(DueWork)
    .where(DueWork.kind == bindparam("kind"), DueWork.subject_id == bindparam("subject"), DueWork.done_at.is_(None))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def _waiting(session: Session, *, kind: WorkKind, subject_id: int) -> DueWork | None:
    return session.scalars(_WAITING, {"kind": kind, "subject": subject_id}).first()


def claim(session: Session, *, kinds: Sequence[WorkKind], worker: str, lease: timedelta) -> DueWork | None:
    """Take the most urgent due item of these kinds, or None. The caller commits before it works.

    An item whose lease ran out time after time ends its workers before they can say so: it is parked, too.
    """
    while (item := _take(session, kinds=kinds, worker=worker, lease=lease)) is not None:
        if item.attempts <= MOST_ATTEMPTS:
            return item
        _release(item)
        item.attempts = MOST_ATTEMPTS
        item.parked_at, item.parked_reason = now(), say(ENDED_ITS_WORKERS, count=MOST_ATTEMPTS)
        session.flush()
    return None


def _take(session: Session, *, kinds: Sequence[WorkKind], worker: str, lease: timedelta) -> DueWork | None:
    """One conditional update: rows that others are claiming are skipped on PostgreSQL; SQLite's immediate transactions follow each other."""
    moment = now()
    free = or_(DueWork.lease_until.is_(None), DueWork.lease_until < moment)
    candidate = (
        select(DueWork.id)
        .where(
            DueWork.kind.in_(kinds),
            DueWork.done_at.is_(None),
            DueWork.parked_at.is_(None),
            DueWork.due_at <= moment,
            free,
        )
        .order_by(DueWork.priority.desc(), DueWork.due_at, DueWork.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = session.execute(
        update(DueWork)
        .where(DueWork.id == candidate)
        .values(
            lease_token=secrets.token_hex(16),
            lease_until=moment + lease,
            leased_by=worker,
            attempts=DueWork.attempts + 1,
        )
        .returning(DueWork.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    return session.get(DueWork, taken, populate_existing=True) if taken is not None else None


def renew(session: Session, *, work_id: int, token: str, lease: timedelta) -> bool:
    """Prolong a lease that is still ours; False when it is not."""
    return (
        session.execute(
            update(DueWork)
            .where(DueWork.id == work_id, DueWork.lease_token == token)
            .values(lease_until=now() + lease)
            .returning(DueWork.id)
            .execution_options(synchronize_session=False)
        ).scalar()
        is not None
    )


def finish(session: Session, *, work_id: int, token: str, again_at: datetime | None = None) -> None:
    """Record that the item is done, in the same transaction as its effect; or book it for another time.

    Raises LeaseLost when the lease is no longer ours.
    """
    item = _held(session, work_id=work_id, token=token)
    following = min((moment for moment in (again_at, item.again_at) if moment), default=None)
    _release(item)
    item.attempts, item.again_at = 0, None
    if following is None:
        item.done_at = now()
    else:
        item.due_at = following


def fail(session: Session, *, work_id: int, token: str, reason: str) -> None:
    """Give an item back after a failure: later and later, then parked with its reason for a human.

    Raises LeaseLost when the lease is no longer ours.
    """
    item = _held(session, work_id=work_id, token=token)
    _release(item)
    if item.attempts >= MOST_ATTEMPTS:
        item.parked_at, item.parked_reason = now(), reason
    else:
        item.due_at = now() + FIRST_PAUSE * 3 ** (item.attempts - 1)


def give_back(session: Session, *, work_id: int, token: str) -> None:
    """Return an unfinished item at once (a clean stop), without counting the attempt."""
    item = _held(session, work_id=work_id, token=token)
    _release(item)
    item.attempts -= 1


def resume(session: Session, *, work_id: int) -> None:
    """Let a parked item be tried again, after a human mended what stood in its way."""
    item = session.get_one(DueWork, work_id)
    item.parked_at = item.parked_reason = None
    item.attempts, item.due_at = 0, now()


def due_kinds(session: Session) -> dict[WorkKind, int]:
    """Return how many items of each kind could be claimed now."""
    moment = now()
    rows = session.execute(
        select(DueWork.kind, func.count())
        .where(
            DueWork.done_at.is_(None),
            DueWork.parked_at.is_(None),
            DueWork.due_at <= moment,
            or_(DueWork.lease_until.is_(None), DueWork.lease_until < moment),
        )
        .group_by(DueWork.kind)
    )
    return {kind: count for kind, count in rows}  # noqa: C416 - rows are Rows, not pairs


def is_behind(session: Session) -> bool:
    """Whether something has been due for minutes and nobody took it: no worker runs, or its Prefect is not there yet."""
    late = select(DueWork.id).where(
        DueWork.done_at.is_(None),
        DueWork.parked_at.is_(None),
        DueWork.due_at < now() - LATE_AFTER,
        or_(DueWork.lease_until.is_(None), DueWork.lease_until < now() - LATE_AFTER),
    )
    return session.scalars(late.limit(1)).first() is not None


def _held(session: Session, *, work_id: int, token: str) -> DueWork:
    item = session.scalars(
        select(DueWork)
        .where(DueWork.id == work_id, DueWork.lease_token == token)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if item is None:
        raise LeaseLost
    return item


def _release(item: DueWork) -> None:
    item.lease_token = item.lease_until = item.leased_by = None
