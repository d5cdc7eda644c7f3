"""Does what is due without Prefect: the same claims, handlers and ends as a drain, in the test's own thread."""

from __future__ import annotations

import importlib
from contextlib import nullcontext
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from flows import run_errand
from flows.drain import Done, Item
from models import Errand
from review_flow.db import transaction
from review_flow.rules.words import WorkKind
from review_flow.steps import errands, work


def do_due(*kinds: WorkKind) -> int:
    """Do everything that is due of these kinds (all by default); return how many items were done."""
    done = 0
    while True:
        with transaction() as session:
            claimed = work.claim(session, kinds=kinds or tuple(WorkKind), worker="test", lease=timedelta(minutes=5))
            if claimed is None:
                return done
            assert claimed.lease_token is not None
            item = Item(id=claimed.id, kind=claimed.kind, subject_id=claimed.subject_id, token=claimed.lease_token)
        record = importlib.import_module(f"flows.{item.kind.value}").handle(item)
        with transaction() as session:
            ended = record(session) or Done()
            work.finish(session, work_id=item.id, token=item.token, again_at=ended.again_at)
        done += 1


def do_errands(session: Session) -> None:
    """Do what was asked for in the background, in the test's own session."""
    for one in session.scalars(select(Errand).where(Errand.done_at.is_(None)).order_by(Errand.id)).all():
        errands.finish(session, errand=one, answer=run_errand.answer_of(one.id, begin=lambda: nullcontext(session)))
    session.flush()
