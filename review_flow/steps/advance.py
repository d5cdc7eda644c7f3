"""The clock of a round: what falls due at a moment is done, once, by itself (T7-T22).

`advance` may run at any time and any number of times: each thing it does is guarded by the state it finds.
It returns when it wants to be called next.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import (
    Appeal,
    Assignment,
    PanelMark,
    Person,
    Round,
    Submission,
)
from review_flow.clock import SCHOOL_ZONE, days_after, now
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import ResultState, RoundPhase, SubmissionState, move
from review_flow.rules.quotas import judges_groups
from review_flow.rules.words import UNDONE, AppealState, WorkKind
from review_flow.steps import audit
from review_flow.steps.boards import remind_tasks
from review_flow.steps.certificates import ask_for_certificates
from review_flow.steps.deadlines import (
    ask_people_instead,
    ask_validity,
    end_corrections,
    end_grace,
    end_peer_review,
    first_time,
    grace_ends_at,
    in_state,
    open_overdue,
    pursue_panel,
)
from review_flow.steps.enrolments import failed_abilities
from review_flow.steps.hearers import pursue_appeals
from review_flow.steps.messages import tell, tell_admins
from review_flow.steps.owners import appeals_in, standing_results, standing_states
from review_flow.steps.people import require_admin
from review_flow.steps.results import ENDED, notices_over_at, results_of, stale
from review_flow.steps.reviews import count_participants, lapse, participants
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.submissions import submit
from review_flow.steps.taking_back import take_back
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme

LONGEST_PAUSE = timedelta(hours=1)
INVITED = "invited"


class NotToClose(Refusal):
    """A result may still change: it is not signed, or an appeal is open."""

    status, text = 409, _("还不能归档：还有{count}份结果未生效。签名和申诉都结束以后再归档。")


def invite(session: Session, *, round_: Round) -> None:
    """Tell everybody, once, that the round is open; where workshops are judged, the board is their leaders'."""
    if judges_groups(round_scheme(session, round_=round_)):
        return
    for enrolment in participants(session, round_=round_):
        if first_time(session, round_=round_, key=f"{INVITED}:{enrolment.id}"):
            tell(
                session,
                person_id=enrolment.person_id,
                round_id=round_.id,
                kind="round.opened",
                sentence=_("“{name}”已开始。请先阅读方案，完成自测，再选择微能力。"),
                name=round_.name,
            )


def advance(session: Session, *, round_: Round) -> datetime | None:
    """Do whatever is due in the round now; return when to look again, None once the round is closed."""
    take_turn(session, organization_id=round_.organization_id)
    if round_.phase in {RoundPhase.OPEN, RoundPhase.SCORING}:
        _remind(session, round_=round_)
        remind_tasks(session, round_=round_)
        lapse(session, round_=round_)
        end_corrections(session, round_=round_)
        ask_people_instead(session, round_=round_)
        ask_validity(session, round_=round_)
        open_overdue(session, round_=round_)
        end_peer_review(session, round_=round_)
        pursue_panel(session, round_=round_)
    if round_.phase is RoundPhase.OPEN:
        end_grace(session, round_=round_)
        _hard_close(session, round_=round_)
    if round_.phase is RoundPhase.SCORING:
        _end_sealed(session, round_=round_)
        _ask_for_results(session, round_=round_)
    if round_.phase is RoundPhase.PUBLICITY:
        _end_publicity(session, round_=round_)
    if round_.phase is RoundPhase.SIGNING:
        _end_signing(session, round_=round_)
        ask_for_certificates(session, round_=round_)
    pursue_appeals(session, round_=round_)
    _late_appeals(session, round_=round_)
    session.flush()
    if round_.phase in {RoundPhase.SETUP, RoundPhase.CLOSED}:
        return None
    # New leases and deadlines appear between two ticks; a tick an hour finds them without every step telling.
    known = (moment for moment in _moments(session, round_=round_) if moment > now())
    return min((*known, now() + LONGEST_PAUSE))


def _reminders(task: Assignment, scheme: Scheme) -> list[datetime]:
    """Return the moments before a task's lease ends at which its reviewer is still to be reminded (T12)."""
    known = max(task.assigned_at, task.reminded_at or task.assigned_at)
    moments = (task.lease_until - timedelta(hours=hours) for hours in scheme.review.peer.remind_hours)
    return [moment for moment in moments if moment > known]


def _remind(session: Session, *, round_: Round) -> None:
    """Say gently, as often as the scheme wants, that a task's lease ends."""
    scheme = round_scheme(session, round_=round_)
    for assignment in session.scalars(
        select(Assignment).where(
            Assignment.round_id == round_.id, Assignment.state.in_(UNDONE), Assignment.lease_until >= now()
        )
    ):
        if not any(moment <= now() for moment in _reminders(assignment, scheme)):
            continue
        assignment.reminded_at = now()
        tell(
            session,
            person_id=assignment.reviewer_id,
            round_id=round_.id,
            kind="review.reminder",
            sentence=_("您有一份互评任务将在{moment}到期，到期后会转给其他老师。"),
            moment=f"{assignment.lease_until.astimezone(SCHOOL_ZONE):%m-%d %H:%M}",
        )


def _hard_close(session: Session, *, round_: Round) -> None:
    """End handing in on its day, or earlier, when everybody's works are judged.

    While the window is open an invalid or failed work may still be replaced (T11, X-12), so it keeps the round open.
    """
    if now() <= round_.hard_close_at and not _everybody_is_through(session, round_=round_):
        return
    for submission in in_state(session, round_=round_, state=SubmissionState.DRAFT):
        _close_work(session, round_=round_, submission=submission)
    _end_sealed(session, round_=round_)
    round_.phase = move(round_.phase, RoundPhase.SCORING)
    audit.record(session, organization_id=round_.organization_id, actor=None, deed="round.score", about=round_)


def _everybody_is_through(session: Session, *, round_: Round) -> bool:
    """Whether everybody chose, every work is marked, and none failed that could be replaced."""
    unjudged = (
        select(func.count())
        .select_from(Submission)
        .where(
            Submission.round_id == round_.id,
            Submission.state.not_in([SubmissionState.GRADED, SubmissionState.REPLACED]),
        )
    )
    if session.scalar(unjudged):
        return False
    chose = set(session.scalars(select(Submission.enrolment_id).where(Submission.round_id == round_.id)))
    everybody = participants(session, round_=round_)
    return all(one.id in chose for one in everybody) and not any(
        failed_abilities(session, enrolment=one) for one in everybody
    )


def _end_sealed(session: Session, *, round_: Round) -> None:
    """Do the last click for authors whose duty is done; whoever still owes something has not submitted (T9).

    A work that came back sealed from its correction after the hand-in goes the same way.
    """
    for submission in in_state(session, round_=round_, state=SubmissionState.SEALED):
        try:
            submit(session, actor=None, submission=submission)
        except Refusal:
            _close_work(session, round_=round_, submission=submission)


def _close_work(session: Session, *, round_: Round, submission: Submission) -> None:
    submission.state = move(submission.state, SubmissionState.CLOSED)
    take_back(session, submission=submission)
    audit.record(session, organization_id=round_.organization_id, actor=None, deed="submission.close", about=submission)


def _ask_for_results(session: Session, *, round_: Round) -> None:
    """Ask for the finalising flow once all works have ended and every notice is over, and when facts have changed.

    Where workshops are judged nobody's own result is composed.
    """
    if judges_groups(round_scheme(session, round_=round_)):
        return
    if any(moment > now() for moment in notices_over_at(session, round_=round_)):
        return
    unfinished = (
        select(func.count())
        .select_from(Submission)
        .where(Submission.round_id == round_.id, Submission.state.not_in(ENDED))
    )
    if session.scalar(unfinished):
        return
    composed = results_of(session, round_=round_)
    missing = len(composed) < count_participants(session, round_=round_)
    if missing or any(stale(session, result=one) for one in composed):
        enqueue(session, kind=WorkKind.FINALISE_ROUND, subject_id=round_.id)


def _end_publicity(session: Session, *, round_: Round) -> None:
    if round_.publicity_ends_at is None or now() <= round_.publicity_ends_at:
        return
    calendar = round_scheme(session, round_=round_).calendar
    round_.phase = move(round_.phase, RoundPhase.SIGNING)
    round_.sign_due_at = days_after(now(), calendar.sign.days, working=calendar.sign.working_days)
    round_.appeal_due_at = days_after(now(), calendar.appeal_window.days, working=calendar.appeal_window.working_days)
    for result in standing_results(session, round_=round_):
        if result.state is ResultState.PUBLISHED:
            result.state = move(result.state, ResultState.TO_SIGN)
    audit.record(session, organization_id=round_.organization_id, actor=None, deed="round.sign", about=round_)


def _end_signing(session: Session, *, round_: Round) -> None:
    """After the days to sign an unsigned result is as valid (001-A-10, N28); after those to appeal it is final."""
    for result in standing_results(session, round_=round_):
        if result.state is ResultState.TO_SIGN and round_.sign_due_at is not None and now() > round_.sign_due_at:
            result.state = move(result.state, ResultState.UNSIGNED_EFFECTIVE)
            audit.record(
                session, organization_id=round_.organization_id, actor=None, deed="result.unsigned", about=result
            )
        ended = round_.appeal_due_at is not None and now() > round_.appeal_due_at
        if ended and result.state in {ResultState.SIGNED, ResultState.UNSIGNED_EFFECTIVE}:
            result.state = move(result.state, ResultState.FINAL)
            audit.record(session, organization_id=round_.organization_id, actor=None, deed="result.final", about=result)


def _late_appeals(session: Session, *, round_: Round) -> None:
    """Tell the administrator, once, of an appeal that is not decided in its days: perhaps hearers are lacking."""
    waiting = appeals_in(round_).where(Appeal.state == AppealState.FILED, Appeal.due_at < now())
    for appeal in list(session.scalars(waiting)):
        if first_time(session, round_=round_, key=f"appeal-late:{appeal.id}"):
            sentence = say(_("有一份申诉逾期未作决定，请督促或增补申诉复核人。"))
            tell_admins(session, round_=round_, kind="appeal.late", sentence=sentence)


def close(session: Session, *, actor: Person, round_: Round) -> None:
    """Close a round whose results are all final, and have its faces purged (T23, design rule 4).

    Raises WrongPhase before the time to sign, NotToClose while a result is not final.
    """
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SIGNING)
    standing = standing_states(session, round_=round_)
    pending = standing.total() - standing[ResultState.FINAL]
    if pending:
        raise NotToClose(count=pending)
    round_.phase = move(round_.phase, RoundPhase.CLOSED)
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="round.close", about=round_)
    if round_scheme(session, round_=round_).certificates:
        enqueue(session, kind=WorkKind.ISSUE_CERTIFICATES, subject_id=round_.id)  # what is due, the flow finds out
    enqueue(session, kind=WorkKind.PURGE_FACES, subject_id=round_.id)
    enqueue(session, kind=WorkKind.PURGE_EVIDENCE, subject_id=round_.id)


def _moments(session: Session, *, round_: Round) -> Iterator[datetime]:
    """Yield every known moment at which the clock may have something to do."""
    fixed = (round_.submit_due_at, grace_ends_at(session, round_=round_), round_.hard_close_at)
    later = (round_.publicity_ends_at, round_.sign_due_at, round_.appeal_due_at)
    for moment in (*fixed, *(one for one in later if one is not None)):
        yield moment + timedelta(seconds=1)
    if round_.phase in {RoundPhase.OPEN, RoundPhase.SCORING}:
        yield from (moment + timedelta(seconds=1) for moment in notices_over_at(session, round_=round_))
        scheme = round_scheme(session, round_=round_)
        held = select(Assignment).where(Assignment.round_id == round_.id, Assignment.state.in_(UNDONE))
        for task in session.scalars(held):
            yield from _reminders(task, scheme)
            yield task.lease_until + timedelta(seconds=1)
        dues = select(Submission.peer_due_at, Submission.correction_due_at).where(
            Submission.round_id == round_.id,
            Submission.state.in_([SubmissionState.IN_PEER_REVIEW, SubmissionState.CORRECTING]),
        )
        for pair in session.execute(dues):
            yield from (moment + timedelta(seconds=1) for moment in pair if moment is not None)
        marks = (
            select(PanelMark.due_at)
            .join(Submission, Submission.id == PanelMark.submission_id)
            .where(Submission.round_id == round_.id, PanelMark.mark.is_(None), PanelMark.released_at.is_(None))
        )
        yield from (moment + timedelta(seconds=1) for moment in session.scalars(marks))
