"""Look at uploaded files in limited children: the teacher, the limits of the slot, duplicates."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from prefect import flow

from flows.drain import Done, Item, Record, drain
from flows.installation import sandbox, scanner, storage
from flows.showing import Markdown
from models import Evidence, Submission
from review_flow.clock import now
from review_flow.db import settings, transaction
from review_flow.evidence.check import broken_off
from review_flow.evidence.faces import from_bytes
from review_flow.evidence.limits import Broken
from review_flow.evidence.presence import Search
from review_flow.i18n import _, say
from review_flow.outside.scanner import ScannerAway
from review_flow.outside.storage import keep
from review_flow.rules.verdict import PICTURED, Finding, Level
from review_flow.rules.words import Verdict, WorkKind
from review_flow.steps import copies, evidence, faces, quarantine, retention, submissions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy.orm import Session

    from review_flow.evidence.check import Report
    from review_flow.evidence.copies import Print

log = structlog.get_logger()
SCANNER_PAUSE = timedelta(minutes=1)


def handle(item: Item) -> Record:
    """Have the scanner look into one file, then a limited child; the report, and what follows from it, are recorded."""
    with transaction() as session:
        wanted = evidence.wanted(session, evidence=session.get_one(Evidence, item.subject_id))
    if wanted is None:
        _clear(item)
        return _nothing
    try:
        with storage().open(wanted.storage_key) as file:
            look = scanner().look(file)
    except ScannerAway as away:
        return _later(item, away)
    if look.malware is not None:
        return _removed(item, look.malware)
    if settings().scanner is not None:
        with transaction() as session:
            quarantine.note_clean(session, evidence=session.get_one(Evidence, item.subject_id))
    return _checked(item, wanted, [] if look.whole else [quarantine.seen_in_part()])


def _later(item: Item, away: ScannerAway) -> Record:
    """Leave a file for later, as often as it takes: what the scanner has not seen is neither passed nor refused."""
    log.warning(str(away), kind=item.kind.value, subject=item.subject_id)
    return lambda _session: Done(again_at=now() + SCANNER_PAUSE)


def _removed(item: Item, malware: str) -> Record:
    """Refuse and delete a file in which something was found: no library of ours ever opened it.

    What was made of it goes first, the file itself once its refusal is kept: killed at any point, the next look either
    finds the same again or has only the file left to delete.
    """
    finding = quarantine.infected(malware)
    with transaction() as session:
        row = session.get_one(Evidence, item.subject_id)
        report = broken_off(finding, wall_s=0, size=row.size_bytes)
        for key in quarantine.remove_infected(session, evidence=row, malware=malware, report=report.as_json()):
            storage().delete(key)
    _clear(item)
    return lambda _session: Done(shown=[_verdict(item, report, None)])


def _clear(item: Item) -> None:
    """Delete the file of evidence that was refused as infected, where nothing else names it."""
    with transaction() as session:
        keys = quarantine.left_over(session, evidence=session.get_one(Evidence, item.subject_id))
    for key in keys:
        storage().delete(key)


def _checked(item: Item, wanted: evidence.Wanted, told_before: list[Finding]) -> Record:
    encoder = sandbox().recogniser()  # before the transaction: a cold child takes seconds
    with transaction() as session:
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
        report = report.with_findings(told_before)
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
