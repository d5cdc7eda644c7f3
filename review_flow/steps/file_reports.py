"""报告文件问题: a reviewer says that a file is broken or suspicious, gets another work at once, and a human looks.

It costs the reviewer nothing, and decides nothing about the work: a machine never fails a teacher, nor does a report.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, bindparam, func, select

from models import Assignment, Evidence, FileReport, Finding, PanelSeat, Person, Round, Submission
from review_flow.clock import now
from review_flow.db import counted, first_of
from review_flow.errors import BadInput, NotAllowed, NotFound, Refusal
from review_flow.i18n import _, say
from review_flow.rules.verdict import Level
from review_flow.rules.words import UNDONE, AssignmentState, EvidenceState, ReportReason, SeatKind, Verdict, WorkKind
from review_flow.steps import audit
from review_flow.steps.claims import CapReached, NothingToReview, claim
from review_flow.steps.messages import tell
from review_flow.steps.people import conflicting_with, conflicts, require_seat
from review_flow.steps.reviews import STATES, NotYours, ReviewOver
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

REASONS = {
    ReportReason.BROKEN: _("打不开或放不完"),
    ReportReason.WRONG_FILE: _("文件与要求的不是一回事"),
    ReportReason.NOT_OWN: _("可能不是本人的作品"),
    ReportReason.PRIVACY: _("泄露了学生或他人的隐私"),
    ReportReason.OTHER: _("其他问题"),
}
LOOKERS = (SeatKind.MEMBER, SeatKind.RESERVE)


class ReportClosed(Refusal):
    """Somebody has looked at it and said what it is."""

    status, text = 409, _("这份报告已经有人处理过了。")


def report(
    session: Session, *, actor: Person, assignment: Assignment, evidence: Evidence, reason: ReportReason, note: str
) -> Assignment | None:
    """Report a file of the work one reviews; the task ends and another work takes its place where there is one.

    Raises NotYours, ReviewOver, NotFound for a file that is not of this work, BadInput without a word of what is wrong.
    """
    round_ = session.get_one(Round, assignment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    if assignment.reviewer_id != actor.id:
        raise NotYours
    if assignment.state not in UNDONE:
        raise ReviewOver(state=say(STATES[assignment.state]))
    if evidence.submission_id != assignment.submission_id:
        raise NotFound(what=say(_("文件")), key=evidence.id)
    if not note.strip():
        raise BadInput(field=say(_("说明")), problem=say(_("请写一句看到了什么，好让人去查看。")))
    made = FileReport(
        assignment_id=assignment.id,
        evidence_id=evidence.id,
        reporter_id=actor.id,
        reason=reason,
        note=note.strip(),
        reported_at=now(),
    )
    session.add(made)
    assignment.state, assignment.ended_at = AssignmentState.DECLINED, now()
    assignment.declined_reason = say(REASONS[reason])
    session.flush()
    enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="file.report",
        about=made,
        reason=reason.value,
    )
    _call_lookers(session, round_=round_, author_id=assignment.author_id)
    try:
        return claim(session, actor=actor, round_=round_)
    except (NothingToReview, CapReached, NotAllowed, NotFound):  # nothing is left, or a judge who is enrolled nowhere
        return None


def _call_lookers(session: Session, *, round_: Round, author_id: int | None) -> None:
    away = conflicting_with(session, person_id=author_id or 0)
    seats = select(PanelSeat.person_id).where(PanelSeat.round_id == round_.id, PanelSeat.kind == SeatKind.MEMBER)
    for person_id in session.scalars(seats.where(PanelSeat.person_id.not_in(away)).order_by(PanelSeat.id)).all():
        tell(
            session,
            person_id=person_id,
            round_id=round_.id,
            kind="file.reported",
            sentence=_("有评审人报告一个文件有问题，请考核组查看。"),
        )


def open_reports(session: Session, *, person: Person, round_: Round) -> list[FileReport]:
    """Return the reports of a round that nobody has looked at, oldest first, but those the person keeps away from."""
    return list(session.scalars(_open(), {"person": person.id, "round": round_.id}))


def first_reports(session: Session, *, person: Person, round_: Round, most: int) -> tuple[list[FileReport], int]:
    """Return the first `most` of `open_reports`, and how many there are."""
    return first_of(session, _first(), {"person": person.id, "round": round_.id, "most": most})


def may_close(session: Session, *, person: Person, round_: Round, report: FileReport) -> bool:
    """Whether a report is one of `open_reports`."""
    asked = _open().where(FileReport.id == report.id)
    return session.scalars(asked, {"person": person.id, "round": round_.id}).first() is not None


@cache
def _first() -> Select[tuple[FileReport, int]]:
    return counted(_open())


@cache
def _open() -> Select[tuple[FileReport]]:
    """Select of the reports of a `round` that nobody has looked at, but those a `person` keeps away from."""
    person = bindparam("person", type_=BigInteger)
    return (
        select(FileReport)
        .join(Assignment, Assignment.id == FileReport.assignment_id)
        .where(
            Assignment.round_id == bindparam("round"),
            FileReport.closed_at.is_(None),
            Assignment.author_id != person,
            Assignment.author_id.not_in(conflicts(person)),
        )
        .order_by(FileReport.id)
    )


def close(session: Session, *, actor: Person, report: FileReport, doubtful: bool, finding: str) -> None:
    """Say what the file is. A doubt that stands sends a file not yet judged to the people who judge validity.

    By the panel, never about own or conflicting work. Raises NotAllowed, ReportClosed, BadInput without a word.
    """
    evidence = session.get_one(Evidence, report.evidence_id)
    submission = session.get_one(Submission, evidence.submission_id)
    round_ = session.get_one(Round, submission.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_seat(session, actor=actor, round_=round_, kinds=LOOKERS)
    if actor.id in conflicting_with(session, person_id=submission.author_id):
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    if report.closed_at is not None:
        raise ReportClosed
    if not finding.strip():
        raise BadInput(field=say(_("查看结果")), problem=say(_("请写明看到了什么。")))
    report.closed_by_id, report.closed_at, report.finding = actor.id, now(), finding.strip()
    if doubtful and evidence.verdict is Verdict.VALID and evidence.state is not EvidenceState.SUPERSEDED:
        _doubt(
            session, evidence=evidence, text=say(_("有人报告这个文件：{reason}"), reason=say(REASONS[report.reason]))
        )
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="file.close",
        about=report,
        doubtful=doubtful,
    )


def _doubt(session: Session, *, evidence: Evidence, text: str) -> None:
    """Let people judge a file that its check had passed."""
    last = session.scalar(select(func.max(Finding.position)).where(Finding.evidence_id == evidence.id))
    position = 0 if last is None else last + 1
    session.add(
        Finding(evidence_id=evidence.id, position=position, code="reported", level=Level.HUMAN.value, text=text)
    )
    evidence.verdict = Verdict.HUMAN
    session.flush()
