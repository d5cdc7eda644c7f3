"""Look at uploaded files in limited children: the teacher, the limits of the slot, duplicates."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import flow

from flows.drain import Done, Item, Record, drain
from flows.installation import sandbox, storage
from flows.showing import Markdown
from models import Evidence, Submission
from review_flow.db import settings, transaction
from review_flow.evidence.faces import from_bytes
from review_flow.evidence.limits import Broken
from review_flow.evidence.presence import Search
from review_flow.i18n import _, say
from review_flow.outside.storage import keep
from review_flow.rules.verdict import PICTURED, Finding, Level
from review_flow.rules.words import Verdict, WorkKind
from review_flow.steps import copies, evidence, faces, retention, submissions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from review_flow.evidence.check import Report
    from review_flow.evidence.copies import Print


def handle(item: Item) -> Record:
    """Look at one file in a limited child; the report, and what follows from it, are recorded."""
    encoder = sandbox().recogniser()  # before the transaction: a cold child takes seconds
    with transaction() as session:
        wanted = evidence.wanted(session, evidence=session.get_one(Evidence, item.subject_id))
        if wanted is None:
            return _nothing
        row = session.get_one(Evidence, item.subject_id)
        known = faces.known_for(session, evidence=row, encoder=encoder, keys=settings().face_keys)
    with storage().path(wanted.storage_key) as path:
        report = sandbox().check(
            path,
            references=[from_bytes(one) for one in known.author],
            colleagues=[[from_bytes(one) for one in those] for those in known.colleagues],
            slot=wanted.slot,
            known_hashes=wanted.known_hashes,
            name=wanted.file_name,
            sha256=wanted.sha256,
            search=Search(confidence=wanted.confidence),
            sheet=True,
        )
        prints = _prints(path, report)
    if isinstance(prints, Finding):
        report, prints = report.with_findings([prints]), []
    with transaction() as session:
        near = copies.near(session, evidence=session.get_one(Evidence, item.subject_id), prints=prints)
    compared = copies.compare(prints, near)
    pictured = report.sheet and report.media.get("kind") in PICTURED
    sheet_key = keep(storage(), report.sheet).key if pictured and report.sheet else None

    def record(session: Session) -> Done:
        row = session.get_one(Evidence, item.subject_id)
        before = row.sheet_key
        told = report.with_findings(copies.record(session, evidence=row, prints=prints, compared=compared))
        if not submissions.record_check(
            session, evidence=row, report=told.as_json(), sheet_key=sheet_key, faces_read=known.read
        ):
            _tidy(session, sheet_key)
            return Done()
        session.flush()
        _tidy(session, before)
        evidence.book_copy(session, evidence=row)
        return Done(shown=[_verdict(item, told, sheet_key)])

    return record


def _prints(path: Path, report: Report) -> list[Print] | Finding:
    """Return the file's fingerprints, or why there are none; a file that is refused needs none."""
    if report.verdict is Verdict.REJECTED:
        return []
    try:
        return sandbox().fingerprint(path)
    except Broken:
        return Finding("not_compared", Level.HUMAN, say(_("没能与其他成果作雷同比对，请人工留意。")))


def _tidy(session: Session, key: str | None) -> None:
    """Delete a contact sheet that nothing names: of a check whose outcome was dropped, or of the one before."""
    for unused in retention.unused(session, keys=[key] if key else []):
        storage().delete(unused)


def _nothing(_session: Session) -> None:
    """Record nothing: there was nothing left to do."""


def _verdict(item: Item, report: Report, sheet_key: str | None) -> Markdown:
    """Show verdict, presence, finding codes, cost, and where the contact sheet lies: no name, no face."""
    codes = ", ".join(finding.code for finding in report.findings) or "-"
    cost = ", ".join(f"{name} {value}" for name, value in report.cost.items())
    sheet = f" · [contact sheet]({(settings().storage / sheet_key).as_uri()})" if sheet_key else ""
    text = f"**{report.verdict}** · present: {report.present} · findings: {codes} · {cost}{sheet}"
    return Markdown(f"verdict-{item.subject_id}", text)


def tags_of(session: Session, item: Item) -> Sequence[str]:
    """Return the tags by which an operator follows the file: its evidence, submission and round."""
    submission = session.get_one(Submission, session.get_one(Evidence, item.subject_id).submission_id)
    return (f"evidence:{item.subject_id}", f"submission:{submission.id}", f"round:{submission.round_id}")


@flow(name="check_evidence", flow_run_name="check_evidence")
def check_evidence(patience: float = 0) -> dict[str, int]:
    """Look at uploaded files in limited children: the teacher, the limits of the slot, duplicates. Drains what is due; stays `patience` seconds for more."""
    return asdict(
        drain(WorkKind.CHECK_EVIDENCE, handle, tags_of=tags_of, width=settings().evidence_workers, patience=patience)
    )
