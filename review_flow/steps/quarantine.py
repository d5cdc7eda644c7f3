"""查毒: a file in which the virus scanner found something is refused like a broken one, and deleted.

Nobody opens a file before it was looked at (`steps/evidence.py` why_closed).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models import Evidence, Round, Submission
from review_flow.clock import now
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level
from review_flow.steps import audit, copies, retention
from review_flow.steps.evidence import MALWARE, SCANNED
from review_flow.steps.submissions import record_check
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def infected(malware: str) -> Finding:
    """Return what is told of a file with something harmful in it."""
    text = say(_("文件里查出病毒（{name}），已删除。请先给您的设备查毒，再交一份干净的文件。"), name=malware)
    return Finding("infected", Level.REJECT, text)


def seen_in_part() -> Finding:
    """Return what is told of a file of which the scanner saw only a part."""
    return Finding("scanned_in_part", Level.INFO, say(_("文件较大，查毒没有看完全部内容。")))


def note_clean(session: Session, *, evidence: Evidence) -> None:
    """Keep that the scanner found nothing, should the check that follows never come to its end; no deed of anybody's."""
    submission = session.get_one(Submission, evidence.submission_id)
    take_turn(session, organization_id=session.get_one(Round, submission.round_id).organization_id)
    evidence.report = {**(evidence.report or {}), SCANNED: True}


def remove_infected(session: Session, *, evidence: Evidence, malware: str, report: dict[str, Any]) -> list[str]:
    """Refuse a file for what the scanner found in it; return the keys of what was made of it and nothing names any more.

    Its author is told, a sealed work comes back for correction; where that was done before, nothing is. The caller
    deletes those keys before it commits, and the file itself (`left_over`) after: without it nobody could look again.
    """
    round_ = session.get_one(Round, session.get_one(Submission, evidence.submission_id).round_id)
    take_turn(session, organization_id=round_.organization_id)
    if evidence.removed_at is not None:  # another worker was as quick
        return []
    made = [key for key in (evidence.sheet_key, evidence.playable_key, evidence.poster_key) if key]
    record_check(session, evidence=evidence, report=report, sheet_key=None)
    evidence.playable_key = evidence.poster_key = None
    evidence.report, evidence.removed_at = {**(evidence.report or {}), MALWARE: malware}, now()
    copies.forget(session, evidence=evidence)
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=None,
        deed="evidence.infected",
        about=evidence,
        malware=malware,
        sha256=evidence.sha256,
    )
    return retention.unused(session, keys=made)


def left_over(session: Session, *, evidence: Evidence) -> list[str]:
    """Return the storage key of a file that was refused as infected, unless another file names it; else nothing."""
    infected = evidence.removed_at is not None and MALWARE in (evidence.report or {})
    return retention.unused(session, keys=[evidence.storage_key]) if infected else []
