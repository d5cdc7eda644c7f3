"""Does what is due without Prefect: the same claims, handlers and ends as a drain, in the test's own thread."""

from __future__ import annotations

import importlib
from datetime import timedelta

from flows.drain import Done, Item
from review_flow.db import transaction
from review_flow.rules.words import WorkKind
from review_flow.steps import work


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
