"""Issue the certificates that effective results grant, each in a transaction of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Done, Item, Record, drain
from flows.showing import Table
from models import Enrolment, Round
from review_flow.db import settings, transaction
from review_flow.rules.words import WorkKind
from review_flow.steps import certificates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session


def handle(item: Item) -> Record:
    """Issue what is due in a round, each in a transaction of its own: a cut costs one at most."""
    with transaction() as session:
        due = certificates.due_certificates(session, round_=session.get_one(Round, item.subject_id))
        wanted = [(one.enrolment_id, one.kind) for one in due]
    key = settings().number_key()
    rows = [_issue(enrolment_id, kind, key) for enrolment_id, kind in wanted]

    def record(_session: Session) -> Done:
        return Done(shown=[Table(f"certificates-{item.subject_id}", rows)] if rows else [])

    return record


def _issue(enrolment_id: int, kind: str, key: bytes) -> dict[str, object]:
    with transaction() as session:
        enrolment = session.get_one(Enrolment, enrolment_id)
        made = certificates.issue(session, actor=None, enrolment=enrolment, kind=kind, key=key)
        return {"enrolment": enrolment_id, "kind": kind, "version": made.version}


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the tag of the round."""
    return (f"round:{item.subject_id}",)


@flow(name="issue_certificates", flow_run_name="issue_certificates")
def issue_certificates(patience: float = 0) -> dict[str, int]:
    """Issue the certificates that effective results grant. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.ISSUE_CERTIFICATES, handle, tags_of=tags_of, patience=patience))
