"""What each kind of due work is: the long part outside of any transaction, then the effect as one.

A handler takes an Item and returns a function that writes the effect into a session. It decides nothing: that is
the steps' part. Everything here may run twice or be cut off anywhere; only what was recorded together with the
end of its lease counts.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from flows.drain import Done, Item, Record
from flows.showing import Link, Markdown, Shown, Table
from models import Enrolment, Evidence, Message, Result, Round, RoundExport, SheetImport, Submission
from review_flow.db import settings, transaction
from review_flow.evidence.faces import from_bytes
from review_flow.evidence.sandbox import Sandbox
from review_flow.outside.messages import messenger_for
from review_flow.outside.storage import Storage, keep, storage_at
from review_flow.rules.words import WorkKind
from review_flow.steps import (
    advance,
    allocation,
    evidence,
    exports,
    faces,
    imports,
    messages,
    results,
    reviews,
    submissions,
)
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.orm import Session

    from review_flow.evidence.check import Report


@functools.cache
def storage() -> Storage:
    """Return this installation's storage."""
    return storage_at(settings().storage)


@functools.cache
def sandbox() -> Sandbox:
    """Return this process's pool of warm checking children."""
    return Sandbox(workers=settings().evidence_workers)


def check_evidence(item: Item) -> Record:
    """Look at one file in a limited child; the report, and what follows from it, are recorded."""
    with transaction() as session:
        wanted = evidence.wanted(session, evidence=session.get_one(Evidence, item.subject_id))
        if wanted is None:
            return _nothing
        known = faces.references_of(session, person_id=wanted.author_id, key=settings().face_key())
    with storage().path(wanted.storage_key) as path:
        report = sandbox().check(
            path,
            references=[from_bytes(one) for one in known],
            slot=wanted.slot,
            known_hashes=wanted.known_hashes,
            name=wanted.file_name,
            sheet=True,
        )
    sheet_key = keep(storage(), report.sheet).key if report.sheet else None

    def record(session: Session) -> Done:
        row = session.get_one(Evidence, item.subject_id)
        submissions.record_check(session, evidence=row, report=report.as_json(), sheet_key=sheet_key)
        return Done(shown=_verdict(item, report, sheet_key))

    return record


def _nothing(_session: Session) -> None:
    """Record nothing: there was nothing left to do."""


def _verdict(item: Item, report: Report, sheet_key: str | None) -> Sequence[Shown]:
    """Show verdict, presence, finding codes and cost: no name, no face."""
    codes = ", ".join(finding.code for finding in report.findings) or "-"
    cost = ", ".join(f"{name} {value}" for name, value in report.cost.items())
    text = f"**{report.verdict}** · present: {report.present} · findings: {codes} · {cost}"
    shown: list[Shown] = [Markdown(f"verdict-{item.subject_id}", text)]
    if sheet_key:
        url = (settings().storage / sheet_key).as_uri()
        shown.append(Link(f"contact-sheet-{item.subject_id}", url, "contact sheet"))
    return shown


def allocate_reviews(item: Item) -> Record:
    """Give every work that waits for reviewers its reviewers."""

    def record(session: Session) -> Done:
        found = allocation.allocate_reviews(session, round_=session.get_one(Round, item.subject_id))
        rows: list[dict[str, int | None]] = [{"reviewer": reviewer, "submission": work} for reviewer, work in found.pairs]
        rows += [{"reviewer": None, "submission": work, "unmet": short} for work, short in found.unmet.items()]
        return Done(shown=[Table(f"allocation-{item.subject_id}", rows)] if rows else [])

    return record


def open_round(item: Item) -> Record:
    """Invite everybody of a round that was opened."""

    def record(session: Session) -> None:
        advance.invite(session, round_=session.get_one(Round, item.subject_id))

    return record


def advance_round(item: Item) -> Record:
    """Turn the round's clock; it says itself when it is due again."""

    def record(session: Session) -> Done:
        return Done(again_at=advance.advance(session, round_=session.get_one(Round, item.subject_id)))

    return record


def finalise_round(item: Item) -> Record:
    """Compose the result of everybody who can have one, each in a transaction of its own: a cut costs one at most."""
    with transaction() as session:
        round_ = session.get_one(Round, item.subject_id)
        ids = [enrolment.id for enrolment in reviews.participants(session, round_=round_)]
    rows = [row for enrolment_id in ids if (row := _compose(enrolment_id))]

    def record(session: Session) -> Done:
        enqueue(session, kind=WorkKind.ADVANCE_ROUND, subject_id=item.subject_id)
        return Done(shown=[Table(f"ledger-summary-{item.subject_id}", rows)] if rows else [])

    return record


def _compose(enrolment_id: int) -> dict[str, object] | None:
    with transaction() as session:
        enrolment = session.get_one(Enrolment, enrolment_id)
        if results.open_ends(session, enrolment=enrolment):
            return None
        result: Result = results.compose(session, enrolment=enrolment)
        return {
            "enrolment": enrolment_id,
            "version": result.version,
            "score": str(result.score),
            "grade": result.proposed_grade,
        }


def deliver_messages(item: Item) -> Record:
    """Deliver one message. Recorded after it went out: cut off between the two, it may be delivered twice."""

    def record(session: Session) -> None:
        messages.deliver(session, message_id=item.subject_id, messenger=messenger_for(settings()))

    return record


def import_sheet(item: Item) -> Record:
    """Bring a sheet in, whole or not at all."""

    def record(session: Session) -> None:
        imports.run(session, sheet_import=session.get_one(SheetImport, item.subject_id), storage=storage())

    return record


def export_round(item: Item) -> Record:
    """Make a file of a round."""

    def record(session: Session) -> None:
        exports.run(session, export=session.get_one(RoundExport, item.subject_id), storage=storage())

    return record


def purge_faces(item: Item) -> Record:
    """Destroy the reference encodings that a closed round no longer needs."""

    def record(session: Session) -> None:
        faces.purge_round(session, round_=session.get_one(Round, item.subject_id))

    return record


HANDLERS: dict[WorkKind, Callable[[Item], Record]] = {
    WorkKind.OPEN_ROUND: open_round,
    WorkKind.CHECK_EVIDENCE: check_evidence,
    WorkKind.ALLOCATE_REVIEWS: allocate_reviews,
    WorkKind.ADVANCE_ROUND: advance_round,
    WorkKind.FINALISE_ROUND: finalise_round,
    WorkKind.DELIVER_MESSAGES: deliver_messages,
    WorkKind.IMPORT_SHEET: import_sheet,
    WorkKind.EXPORT_ROUND: export_round,
    WorkKind.PURGE_FACES: purge_faces,
}


def tags_of(session: Session, item: Item) -> Sequence[str]:
    """Return the tags by which an operator follows a thing through Prefect: its round, submission, evidence."""
    if item.kind is WorkKind.CHECK_EVIDENCE:
        submission = session.get_one(Submission, session.get_one(Evidence, item.subject_id).submission_id)
        return (f"evidence:{item.subject_id}", f"submission:{submission.id}", f"round:{submission.round_id}")
    if item.kind is WorkKind.DELIVER_MESSAGES:
        round_id = session.get_one(Message, item.subject_id).round_id
        return (f"round:{round_id}",) if round_id else ()
    if item.kind is WorkKind.IMPORT_SHEET:
        return (f"import:{item.subject_id}",)
    if item.kind is WorkKind.EXPORT_ROUND:
        return (f"round:{session.get_one(RoundExport, item.subject_id).round_id}",)
    return (f"round:{item.subject_id}",)
