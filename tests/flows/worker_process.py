"""A worker as an operator starts it, with a flow whose items are slow, fail or hang as the test wishes."""

from __future__ import annotations

import os
import time
from datetime import timedelta

from prefect import flow
from sqlalchemy import text

import flows.worker
from flows.drain import Done, Item, Record, Tally, drain
from flows.showing import Markdown
from review_flow.db import settings
from review_flow.rules.words import WorkKind

SECONDS = float(os.environ.get("SECONDS", "0"))
BROKEN = int(os.environ.get("BROKEN", "-1"))
LEASE = timedelta(seconds=float(os.environ.get("LEASE", "60")))


def handle(item: Item) -> Record:
    time.sleep(SECONDS)
    if item.subject_id == BROKEN:
        raise ValueError("张三的照片打不开")

    def record(session):
        session.execute(
            text("INSERT INTO effect (subject_id, pid) VALUES (:subject, :pid)"),
            {"subject": item.subject_id, "pid": os.getpid()},
        )
        return Done(shown=[Markdown(f"verdict-{item.subject_id}", f"证据 {item.subject_id}：有效")])

    return record


@flow(name="check_evidence", flow_run_name="check_evidence")
def check_evidence(patience: float = 0) -> Tally:
    return drain(
        WorkKind.CHECK_EVIDENCE,
        handle,
        tags_of=lambda _session, item: [f"evidence:{item.subject_id}"],
        width=int(os.environ.get("WIDTH", "1")),
        patience=patience,
        lease=LEASE,
    )


if __name__ == "__main__":
    flows.worker.GRACE_S = float(os.environ.get("GRACE", "20"))
    flows.worker.work(settings(), until_idle="IDLE" in os.environ, flows={WorkKind.CHECK_EVIDENCE: check_evidence})
