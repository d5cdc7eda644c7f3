"""The days of each work: to correct it, to judge it valid, to review it, to mark it, to do one's duty (T9-T14).

The round's clock calls these at any time and any number of times; the state they find guards what they do.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import (
    DueWork,
    Evidence,
    Notice,
    PanelMark,
    Person,
    Round,
    Submission,
)
from review_flow.clock import days_after, now
from review_flow.i18n import _, say
from review_flow.rules.duty import remaining
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import (
    EvidenceState,
    SeatKind,
    Verdict,
    WorkKind,
)
from review_flow.steps import audit
from review_flow.steps.adjustments import note_late
from review_flow.steps.approvals import OPEN_TO_LINKS, ends_at, lacks_link, links_before_peers
from review_flow.steps.duty import duty
from review_flow.steps.evidence import SCANNED, standing_evidence
from review_flow.steps.messages import tell, tell_admins
from review_flow.steps.panel import NobodyLeft, free_seats, pursue, substitute, to_pursue
from review_flow.steps.reviews import close_short, forward, received
from review_flow.steps.rounds import round_scheme
from review_flow.steps.submissions import record_check
from review_flow.steps.validity import invalidate
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy.orm import Session


def first_time(session: Session, *, round_: Round, key: str) -> bool:
    """Note a moment that is acted on once; False where it was noted before."""
    seen = session.scalars(select(Notice.id).where(Notice.round_id == round_.id, Notice.key == key)).first()
    if seen is None:
        session.add(Notice(round_id=round_.id, key=key, at=now()))
        session.flush()
    return seen is None


def in_state(session: Session, *, round_: Round, state: SubmissionState) -> list[Submission]:
    """Return the round's works in a state, oldest first."""
    return list(
        session.scalars(
            select(Submission)
            .where(Submission.round_id == round_.id, Submission.state == state)
            .order_by(Submission.id)
        )
    )


def end_corrections(session: Session, *, round_: Round) -> None:
    """What was not corrected in its days is invalid (T11)."""
    for submission in in_state(session, round_=round_, state=SubmissionState.CORRECTING):
        if submission.correction_due_at is not None and submission.correction_due_at < now():
            invalidate(session, submission=submission, reasons=say(_("逾期未补正")))


def open_overdue(session: Session, *, round_: Round) -> None:
    """Open to colleagues what nobody approved in its days, and tell the administrator, once for each work (001-C-07)."""
    scheme = round_scheme(session, round_=round_)
    if not links_before_peers(scheme):
        return
    sealed = [one for state in OPEN_TO_LINKS for one in in_state(session, round_=round_, state=state)]
    for submission in sealed:
        ends = ends_at(scheme, submission)
        if ends is None or ends >= now() or not lacks_link(session, scheme=scheme, submission=submission):
            continue
        if first_time(session, round_=round_, key=f"approval:{submission.id}:{submission.statement_at}"):
            sentence = say(
                _("“{ability}”（成果{id}）逾期未审核，已开始互评。"), ability=submission.ability, id=submission.id
            )
            tell_admins(session, round_=round_, kind="approval.late", sentence=sentence)
            enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)


def ask_people_instead(session: Session, *, round_: Round) -> None:
    """Let people look at files whose check was given up; the queue keeps the reason for the operator (design rule 3).

    One that no scanner looked into stays closed where there is a scanner, until the operator resumes its check.
    """
    given_up = (
        select(Evidence)
        .join(Submission, Submission.id == Evidence.submission_id)
        .join(DueWork, (DueWork.subject_id == Evidence.id) & (DueWork.kind == WorkKind.CHECK_EVIDENCE))
        .where(Submission.round_id == round_.id, Evidence.state == EvidenceState.WAITING)
        .where(DueWork.parked_at.is_not(None), DueWork.done_at.is_(None))
        .order_by(Evidence.id)
    )
    for evidence in list(session.scalars(given_up)):
        finding = {"code": "not_checked", "level": "human", "text": say(_("自动检查多次没有完成，请人工查看。"))}
        report: dict[str, Any] = {"verdict": Verdict.HUMAN.value, "present": None, "findings": [finding], "media": {}}
        report[SCANNED] = bool((evidence.report or {}).get(SCANNED))
        record_check(session, evidence=evidence, report=report, sheet_key=None)


def ask_validity(session: Session, *, round_: Round) -> None:
    """Ask the panel to look at what no check could pass, and tell the administrator after its days (T10)."""
    span = round_scheme(session, round_=round_).calendar.validity
    for submission in in_state(session, round_=round_, state=SubmissionState.SUBMITTED):
        key = f"{submission.id}:{submission.corrections}"
        files = standing_evidence(session, submission=submission)
        if any(one.state is EvidenceState.WAITING for one in files):
            continue
        if first_time(session, round_=round_, key=f"validity:{key}"):
            for person_id in free_seats(session, submission=submission, kinds=(SeatKind.MEMBER,)):
                tell(
                    session,
                    person_id=person_id,
                    round_id=round_.id,
                    kind="validity.asked",
                    sentence=_("有一份“{ability}”成果待认定有效性。"),
                    ability=submission.ability,
                )
        since = max(one for one in (submission.statement_at, submission.submitted_at) if one is not None)
        late = now() > days_after(since, span.days, working=span.working_days)
        if late and first_time(session, round_=round_, key=f"validity-late:{key}"):
            sentence = say(_("有一份“{ability}”成果逾期未认定有效性，请督促考核组。"), ability=submission.ability)
            tell_admins(session, round_=round_, kind="validity.late", sentence=sentence)


def end_peer_review(session: Session, *, round_: Round) -> None:
    """Close the peer phase of each work on its day: enough reviews, else extended once, else without them (T12)."""
    scheme = round_scheme(session, round_=round_)
    for submission in in_state(session, round_=round_, state=SubmissionState.IN_PEER_REVIEW):
        if submission.peer_due_at is None or submission.peer_due_at >= now():
            continue
        if received(session, submission=submission) >= scheme.review.peer.receive_min:
            forward(session, submission=submission, at_deadline=True)
        elif submission.peer_extended_at is None:
            span = scheme.calendar.peer_extension
            submission.peer_extended_at = now()
            submission.peer_due_at = days_after(now(), span.days, working=span.working_days)
            enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)
            audit.record(
                session, organization_id=round_.organization_id, actor=None, deed="peer.extend", about=submission
            )
        else:
            close_short(session, submission=submission)
            audit.record(
                session, organization_id=round_.organization_id, actor=None, deed="peer.missing", about=submission
            )


def pursue_panel(session: Session, *, round_: Round) -> None:
    """Let the reserve step in for a member whose days are over, and fill places that nobody could take before.

    With nobody left the administrator is told, once for each work and seat; a new seat is used at the next look.
    """
    late = session.execute(
        select(PanelMark, Submission)
        .join(Submission, Submission.id == PanelMark.submission_id)
        .where(
            Submission.round_id == round_.id,
            PanelMark.mark.is_(None),
            PanelMark.released_at.is_(None),
            PanelMark.due_at < now(),
        )
        .order_by(PanelMark.id)
    )
    for mark, submission in list(late):
        with _telling(session, round_=round_, key=f"panel-late:{mark.id}"):
            substitute(session, actor=None, submission=submission, missing=session.get_one(Person, mark.marker_id))
    for submission in to_pursue(session, round_=round_):
        with _telling(session, round_=round_, key=f"panel-short:{submission.id}"):
            pursue(session, submission=submission)


@contextmanager
def _telling(session: Session, *, round_: Round, key: str) -> Iterator[None]:
    try:
        yield
    except NobodyLeft as nobody:
        if first_time(session, round_=round_, key=key):
            tell_admins(session, round_=round_, kind="panel.short", sentence=str(nobody))


def end_grace(session: Session, *, round_: Round) -> None:
    """After the grace days an unfinished duty costs as a late hand-in, once, and the school is told (T9, N15)."""
    if now() <= grace_ends_at(session, round_=round_):
        return
    for submission in in_state(session, round_=round_, state=SubmissionState.SEALED):
        owed, done = duty(session, submission=submission)
        if (
            not remaining(owed, given=done)
            or submission.sealed_at is None
            or submission.sealed_at > round_.submit_due_at
        ):
            continue
        if first_time(session, round_=round_, key=f"duty:{submission.enrolment_id}"):
            _note_duty(session, round_=round_, submission=submission)


def grace_ends_at(session: Session, *, round_: Round) -> datetime:
    """Return the last second in which an open duty costs nothing."""
    span = round_scheme(session, round_=round_).calendar.grace
    return days_after(round_.submit_due_at, span.days, working=span.working_days)


def _note_duty(session: Session, *, round_: Round, submission: Submission) -> None:
    note_late(
        session,
        enrolment_id=submission.enrolment_id,
        key="duty",
        proof=say(_("系统记录：截止并宽限后仍未完成应承担的互评")),
    )
    tell(
        session,
        person_id=submission.author_id,
        round_id=round_.id,
        kind="duty.overdue",
        sentence=_("您应承担的互评在宽限期后仍未完成，按方案记迟交一次；完成后成果即可提交。"),
    )
    author = session.get_one(Person, submission.author_id)
    tell_admins(
        session,
        round_=round_,
        kind="duty.overdue",
        sentence=say(_("{name}老师的互评任务逾期未完成。"), name=author.name),
    )
