"""The clock of a round: what falls due at a moment is done, once, by itself (T7-T22).

`advance` may run at any time and any number of times: each thing it does is guarded by the state it finds.
It returns when it wants to be called next.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import (
    Adjustment,
    Assignment,
    Enrolment,
    Notice,
    PanelMark,
    Person,
    Role,
    Round,
    Submission,
)
from review_flow.clock import SCHOOL_ZONE, days_after, now
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.rules.duty import remaining
from review_flow.rules.lifecycle import ResultState, RoundPhase, SubmissionState, move
from review_flow.rules.words import (
    AdjustmentKind,
    AdjustmentState,
    RoleKind,
    WorkKind,
)
from review_flow.steps import audit
from review_flow.steps.duty import duty
from review_flow.steps.messages import tell
from review_flow.steps.panel import NobodyLeft, substitute
from review_flow.steps.results import ENDED, notice_over_at, results_of
from review_flow.steps.reviews import UNDONE, close_short, forward, lapse, participants, received
from review_flow.steps.rounds import round_scheme
from review_flow.steps.submissions import submit
from review_flow.steps.validity import invalidate
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

REMIND_BEFORE = timedelta(hours=12)
LONGEST_PAUSE = timedelta(hours=1)
INVITED = "invited"


def invite(session: Session, *, round_: Round) -> None:
    """Tell everybody, once, that the round is open."""
    for enrolment in participants(session, round_=round_):
        if _first_time(session, round_=round_, key=f"{INVITED}:{enrolment.id}"):
            tell(
                session,
                person_id=enrolment.person_id,
                round_id=round_.id,
                kind="round.opened",
                sentence=_("“{name}”已开始。请先阅读方案，完成自测，再选择微能力。"),
                name=round_.name,
            )


def _first_time(session: Session, *, round_: Round, key: str) -> bool:
    """Note a moment that is acted on once; False where it was noted before."""
    seen = session.scalars(select(Notice.id).where(Notice.round_id == round_.id, Notice.key == key)).first()
    if seen is None:
        session.add(Notice(round_id=round_.id, key=key, at=now()))
        session.flush()
    return seen is None


def advance(session: Session, *, round_: Round) -> datetime | None:
    """Do whatever is due in the round now; return when to look again, None once the round is closed."""
    if round_.phase in {RoundPhase.OPEN, RoundPhase.SCORING}:
        _remind(session, round_=round_)
        lapse(session, round_=round_)
        _corrections(session, round_=round_)
        _peer_deadlines(session, round_=round_)
        _panel_deadlines(session, round_=round_)
    if round_.phase is RoundPhase.OPEN:
        _grace(session, round_=round_)
        _hard_close(session, round_=round_)
    if round_.phase is RoundPhase.SCORING:
        _ask_for_results(session, round_=round_)
    if round_.phase is RoundPhase.PUBLICITY:
        _end_publicity(session, round_=round_)
    if round_.phase is RoundPhase.SIGNING:
        _end_signing(session, round_=round_)
    session.flush()
    if round_.phase in {RoundPhase.SETUP, RoundPhase.CLOSED}:
        return None
    # New leases and deadlines appear between two ticks; a tick an hour finds them without every step telling.
    known = (moment for moment in _moments(session, round_=round_) if moment > now())
    return min((*known, now() + LONGEST_PAUSE))


def _remind(session: Session, *, round_: Round) -> None:
    """Say once, half a day before, that a task's lease ends."""
    for assignment in session.scalars(
        select(Assignment).where(
            Assignment.round_id == round_.id,
            Assignment.state.in_(UNDONE),
            Assignment.reminded_at.is_(None),
            Assignment.lease_until <= now() + REMIND_BEFORE,
        )
    ):
        assignment.reminded_at = now()
        tell(
            session,
            person_id=assignment.reviewer_id,
            round_id=round_.id,
            kind="review.reminder",
            sentence=_("您有一份互评任务将在{moment}到期，到期后会转给其他老师。"),
            moment=f"{assignment.lease_until.astimezone(SCHOOL_ZONE):%m-%d %H:%M}",
        )


def _in_state(session: Session, *, round_: Round, state: SubmissionState) -> list[Submission]:
    return list(
        session.scalars(
            select(Submission)
            .where(Submission.round_id == round_.id, Submission.state == state)
            .order_by(Submission.id)
        )
    )


def _corrections(session: Session, *, round_: Round) -> None:
    for submission in _in_state(session, round_=round_, state=SubmissionState.CORRECTING):
        if submission.correction_due_at is not None and submission.correction_due_at < now():
            invalidate(session, submission=submission, reasons=say(_("逾期未补正")))


def _peer_deadlines(session: Session, *, round_: Round) -> None:
    """Close the peer phase of each work on its day: enough reviews, else extended once, else without them (T12)."""
    scheme = round_scheme(session, round_=round_)
    for submission in _in_state(session, round_=round_, state=SubmissionState.IN_PEER_REVIEW):
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


def _panel_deadlines(session: Session, *, round_: Round) -> None:
    """Let the reserve step in for a member whose days are over; with nobody left, the administrator is told once."""
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
        try:
            substitute(session, actor=None, submission=submission, missing=session.get_one(Person, mark.marker_id))
        except NobodyLeft as nobody:
            if _first_time(session, round_=round_, key=f"panel-late:{mark.id}"):
                tell_admins(session, round_=round_, kind="panel.late", sentence=str(nobody))


def tell_admins(session: Session, *, round_: Round, kind: str, sentence: str) -> None:
    """Leave a message for every administrator of the round's school."""
    for person_id in session.scalars(
        select(Role.person_id).where(Role.organization_id == round_.organization_id, Role.kind == RoleKind.SCHOOL_ADMIN)
    ):
        tell(session, person_id=person_id, round_id=round_.id, kind=kind, sentence=sentence)


def _grace(session: Session, *, round_: Round) -> None:
    """After the grace days an unfinished duty costs as a late hand-in, once, and the school is told (T9, N15)."""
    if now() <= grace_ends_at(session, round_=round_):
        return
    for submission in _in_state(session, round_=round_, state=SubmissionState.SEALED):
        owed, done = duty(session, submission=submission)
        if (
            not remaining(owed, given=done)
            or submission.sealed_at is None
            or submission.sealed_at > round_.submit_due_at
        ):
            continue
        if _first_time(session, round_=round_, key=f"duty:{submission.enrolment_id}"):
            _note_duty(session, round_=round_, submission=submission)


def grace_ends_at(session: Session, *, round_: Round) -> datetime:
    """Return the last second in which an open duty costs nothing."""
    span = round_scheme(session, round_=round_).calendar.grace
    return days_after(round_.submit_due_at, span.days, working=span.working_days)


def _note_duty(session: Session, *, round_: Round, submission: Submission) -> None:
    moment = now()
    session.add(
        Adjustment(
            enrolment_id=submission.enrolment_id,
            kind=AdjustmentKind.LATE_MATERIAL,
            happened_on=moment.astimezone(SCHOOL_ZONE).date(),
            proof=say(_("系统记录：截止并宽限后仍未完成应承担的互评")),
            key="duty",
            state=AdjustmentState.NOTIFIED,
            recorded_at=moment,
            notified_at=moment,
        )
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


def _hard_close(session: Session, *, round_: Round) -> None:
    """End handing in: who did everything but the last click is submitted, the rest is 未提交; or earlier, when all is in."""
    everything = session.scalar(
        select(func.count())
        .select_from(Enrolment)
        .where(
            Enrolment.round_id == round_.id,
            Enrolment.id.in_([one.id for one in participants(session, round_=round_)]),
            Enrolment.id.not_in(select(Submission.enrolment_id).where(Submission.round_id == round_.id)),
        )
    )
    unfinished = (
        select(func.count())
        .select_from(Submission)
        .where(Submission.round_id == round_.id, Submission.state.not_in(ENDED))
    )
    if now() <= round_.hard_close_at and (everything or session.scalar(unfinished)):
        return
    for submission in _in_state(session, round_=round_, state=SubmissionState.SEALED):
        _submit_for(session, submission=submission)
    for state in (SubmissionState.DRAFT, SubmissionState.SEALED):
        for submission in _in_state(session, round_=round_, state=state):
            submission.state = move(submission.state, SubmissionState.CLOSED)
            audit.record(
                session, organization_id=round_.organization_id, actor=None, deed="submission.close", about=submission
            )
    round_.phase = move(round_.phase, RoundPhase.SCORING)
    audit.record(session, organization_id=round_.organization_id, actor=None, deed="round.score", about=round_)


def _submit_for(session: Session, *, submission: Submission) -> None:
    """Do the last click for an author whose duty is done; whoever still owes something is not."""
    try:
        submit(session, actor=session.get_one(Person, submission.author_id), submission=submission)
    except Refusal:
        return


def _ask_for_results(session: Session, *, round_: Round) -> None:
    """Ask for the finalising flow once all works have ended and every notice is over."""
    if any(_moment > now() for _moment in _notices(session, round_=round_)):
        return
    unfinished = (
        select(func.count())
        .select_from(Submission)
        .where(Submission.round_id == round_.id, Submission.state.not_in(ENDED))
    )
    composed = len(results_of(session, round_=round_))
    if not session.scalar(unfinished) and composed < len(participants(session, round_=round_)):
        enqueue(session, kind=WorkKind.FINALISE_ROUND, subject_id=round_.id)


def _notices(session: Session, *, round_: Round) -> Iterator[datetime]:
    for enrolment in participants(session, round_=round_):
        moment = notice_over_at(session, enrolment=enrolment)
        if moment is not None:
            yield moment


def _end_publicity(session: Session, *, round_: Round) -> None:
    if round_.publicity_ends_at is None or now() <= round_.publicity_ends_at:
        return
    calendar = round_scheme(session, round_=round_).calendar
    round_.phase = move(round_.phase, RoundPhase.SIGNING)
    round_.sign_due_at = days_after(now(), calendar.sign.days, working=calendar.sign.working_days)
    round_.appeal_due_at = days_after(now(), calendar.appeal_window.days, working=calendar.appeal_window.working_days)
    for result in results_of(session, round_=round_):
        if result.state is ResultState.PUBLISHED:
            result.state = move(result.state, ResultState.TO_SIGN)
    audit.record(session, organization_id=round_.organization_id, actor=None, deed="round.sign", about=round_)


def _end_signing(session: Session, *, round_: Round) -> None:
    """After the days to sign an unsigned result is as valid (001-A-10, N28); after those to appeal it is final."""
    for result in results_of(session, round_=round_):
        if result.state is ResultState.TO_SIGN and round_.sign_due_at is not None and now() > round_.sign_due_at:
            result.state = move(result.state, ResultState.UNSIGNED_EFFECTIVE)
            audit.record(
                session, organization_id=round_.organization_id, actor=None, deed="result.unsigned", about=result
            )
        ended = round_.appeal_due_at is not None and now() > round_.appeal_due_at
        if ended and result.state in {ResultState.SIGNED, ResultState.UNSIGNED_EFFECTIVE}:
            result.state = move(result.state, ResultState.FINAL)


def close(session: Session, *, actor: Person, round_: Round) -> None:
    """Close a round whose results are all final, and have its faces purged (T23, design rule 4)."""
    from review_flow.steps.people import require_admin
    from review_flow.steps.results import NotComposed

    require_admin(session, actor=actor, organization_id=round_.organization_id)
    pending = [one for one in results_of(session, round_=round_) if one.state is not ResultState.FINAL]
    if pending:
        raise NotComposed(why=say(_("还有{count}份结果未生效"), count=len(pending)))
    round_.phase = move(round_.phase, RoundPhase.CLOSED)
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="round.close", about=round_)
    enqueue(session, kind=WorkKind.PURGE_FACES, subject_id=round_.id)


def _moments(session: Session, *, round_: Round) -> Iterator[datetime]:
    """Yield every known moment at which the clock may have something to do."""
    fixed = (round_.submit_due_at, grace_ends_at(session, round_=round_), round_.hard_close_at)
    later = (round_.publicity_ends_at, round_.sign_due_at, round_.appeal_due_at)
    for moment in (*fixed, *(one for one in later if one is not None)):
        yield moment + timedelta(seconds=1)
    if round_.phase in {RoundPhase.OPEN, RoundPhase.SCORING}:
        yield from (moment + timedelta(seconds=1) for moment in _notices(session, round_=round_))
        leases = select(Assignment.lease_until, Assignment.reminded_at).where(
            Assignment.round_id == round_.id, Assignment.state.in_(UNDONE)
        )
        for lease_until, reminded_at in session.execute(leases):
            yield lease_until + timedelta(seconds=1) if reminded_at else lease_until - REMIND_BEFORE
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
