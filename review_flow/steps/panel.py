"""考核组评分: asks the members, takes their marks, finds substitutes, calls the arbiter (001-A-25, T13, T14)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, or_, select

from models import Assignment, Enrolment, PanelMark, PanelSeat, Person, Round, Submission
from review_flow.clock import days_after, now, shown
from review_flow.errors import NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import RoundPhase, SubmissionState, move
from review_flow.rules.marks import panel_needs_arbiter
from review_flow.rules.rubric import FormInvalid, Marks, evaluate
from review_flow.rules.words import LIVE, SeatKind, WorkKind
from review_flow.steps import audit
from review_flow.steps.drafts import keep_draft, require_latest
from review_flow.steps.enrolments import failed_abilities
from review_flow.steps.evidence import slots_filled
from review_flow.steps.judges import short_of
from review_flow.steps.messages import tell
from review_flow.steps.people import conflicting_with, require_admin
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.taking_back import take_back
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from review_flow.rules.sections import Duration
    from review_flow.steps.drafts import Over


class NotAsked(Refusal):
    """Only those who were asked mark a work; own work is never asked."""

    status, text = 403, _("这项成果没有请您评分。")


class MarkRefused(Refusal):
    """The form has mistakes; names each field."""

    status, text = 422, _("评分表还不完整：{problems}")


class AlreadyMarked(Refusal):
    """A mark is given once; a wrong one is taken up by arbitration or appeal."""

    status, text = 409, _("您已对这项成果评分。")


class NobodyLeft(Refusal):
    """There is no substitute without a conflict."""

    status, text = 409, _("没有可以接替的{seat}：请先增补席位。")


def ask_panel(session: Session, *, submission: Submission) -> None:
    """Ask the members, as many as the scheme wants; who must step aside is replaced from the reserve (X-47)."""
    submission.state = move(submission.state, SubmissionState.IN_PANEL)
    _fill(session, submission=submission)


def to_pursue(session: Session, *, round_: Round) -> list[Submission]:
    """Return the works before the panel for which `pursue` has something to do: a place is empty, or all have marked."""
    short, _count = short_of(session, round_=round_, scheme=round_scheme(session, round_=round_))
    works = select(Submission).where(Submission.id.in_([one.submission_id for one in short]))
    return list(session.scalars(works.order_by(Submission.id)))


def pursue(session: Session, *, submission: Submission) -> None:
    """Fill the seats that were empty when a work came to the panel, and settle what can be settled by now.

    Raises NobodyLeft where a place stays empty: fewer judges than the scheme wants decide nothing (T13, T14).
    """
    if _fill(session, submission=submission):
        raise NobodyLeft(seat=say(_("考核组成员")))
    if _settle(session, submission=submission):
        raise NobodyLeft(seat=say(_("仲裁人")))


def _fill(session: Session, *, submission: Submission) -> int:
    """Ask members until the scheme's number is at it; return how many are still missing."""
    round_ = session.get_one(Round, submission.round_id)
    scheme = round_scheme(session, round_=round_)
    wanted = scheme.review.panel.size - len(standing_marks(session, submission=submission))
    asked = free_seats(session, submission=submission, kinds=(SeatKind.MEMBER, SeatKind.RESERVE))[: max(wanted, 0)]
    for person_id in asked:
        _ask(session, submission=submission, person_id=person_id, seat=SeatKind.MEMBER, span=scheme.calendar.panel)
    if asked:
        audit.record(
            session,
            organization_id=round_.organization_id,
            actor=None,
            deed="panel.ask",
            about=submission,
            asked=asked,
        )
    return wanted - len(asked)


def free_seats(session: Session, *, submission: Submission, kinds: tuple[SeatKind, ...]) -> list[int]:
    """Return who may judge this work and was not asked yet: by seat in the given order, then the least asked.

    Who reviewed it as a colleague has said what they think: nobody's opinion counts twice.
    """
    asked = (
        select(func.count())
        .select_from(PanelMark)
        .join(Submission, Submission.id == PanelMark.submission_id)
        .where(PanelMark.marker_id == PanelSeat.person_id, Submission.round_id == PanelSeat.round_id)
        .correlate(PanelSeat)
        .scalar_subquery()
    )
    seats = session.execute(
        select(PanelSeat.person_id, PanelSeat.kind, asked)
        .join(Person, Person.id == PanelSeat.person_id)
        .where(
            Person.active,
            PanelSeat.round_id == submission.round_id,
            PanelSeat.kind.in_(kinds),
            PanelSeat.person_id.not_in(conflicting_with(session, person_id=submission.author_id)),
            PanelSeat.person_id.not_in(select(PanelMark.marker_id).where(PanelMark.submission_id == submission.id)),
            PanelSeat.person_id.not_in(
                select(Assignment.reviewer_id).where(
                    Assignment.submission_id == submission.id, Assignment.state.in_(LIVE)
                )
            ),
        )
        .order_by(PanelSeat.id)
    )
    ordered = sorted(seats, key=lambda seat: (kinds.index(seat[1]), seat[2]))
    return list(dict.fromkeys(person_id for person_id, _kind, _asked in ordered))


def _ask(session: Session, *, submission: Submission, person_id: int, seat: SeatKind, span: Duration) -> None:
    session.add(
        PanelMark(
            submission_id=submission.id,
            author_id=submission.author_id,
            marker_id=person_id,
            seat=seat,
            asked_at=now(),
            due_at=days_after(now(), span.days, working=span.working_days),
        )
    )
    session.flush()
    tell(
        session,
        person_id=person_id,
        round_id=submission.round_id,
        kind="panel.asked",
        sentence=_("有一份“{ability}”成果请您评分。"),
        ability=submission.ability,
    )


_STANDING = (
    select(PanelMark)
    .where(PanelMark.submission_id == bindparam("submission"), PanelMark.released_at.is_(None))
    .order_by(PanelMark.id)
)


def standing_marks(session: Session, *, submission: Submission) -> list[PanelMark]:
    """Return who was asked and not released, marked or not."""
    return list(session.scalars(_STANDING, {"submission": submission.id}))


def asked_of(session: Session, *, person: Person, round_: Round) -> list[Submission]:
    """Return the works that wait for this person's mark: those whose peers differ first, then the earliest due."""
    return list(session.scalars(_asked(Submission), {"person": person.id, "round": round_.id}))


def most_urgent(
    session: Session, *, person: Person, round_: Round, most: int
) -> tuple[list[tuple[Submission, PanelMark]], int]:
    """Return the first `most` of `asked_of`, each with the mark that is asked for, and how many there are."""
    rows = session.execute(_first_asked(), {"person": person.id, "round": round_.id, "most": most}).tuples().all()
    return [(work, mark_) for work, mark_, _count in rows], rows[0][2] if rows else 0


@cache
def _first_asked() -> Select[tuple[Submission, PanelMark, int]]:
    """Select of the first works with their marks: found by narrow rows, and only they are read whole."""
    first = _asked(PanelMark.id, func.count().over().label("count")).limit(bindparam("most")).subquery()
    return (
        select(Submission, PanelMark, first.c.count)
        .join(PanelMark, PanelMark.submission_id == Submission.id)
        .join(first, first.c.id == PanelMark.id)
        .order_by(*_urgency())
    )


def _asked(*what: Any) -> Select[Any]:
    return (
        select(*what)
        .select_from(Submission)
        .join(PanelMark, PanelMark.submission_id == Submission.id)
        .where(
            Submission.round_id == bindparam("round"),
            PanelMark.marker_id == bindparam("person"),
            PanelMark.mark.is_(None),
            PanelMark.released_at.is_(None),
        )
        .order_by(*_urgency())
    )


def _urgency() -> list[ColumnElement[Any]]:
    """Return the order of a board: where people differ first, then by what is due."""
    differs = or_(Submission.disagreement.is_not(None), PanelMark.seat == SeatKind.ARBITER)
    return [~differs, PanelMark.due_at.asc(), Submission.id.asc()]


def save_draft(
    session: Session, *, actor: Person, submission: Submission, draft: dict[str, Any], over: Over | None = None
) -> PanelMark:
    """Keep a half-filled form of somebody who was asked; `over`: which draft it was filled in over.

    Raises NotAsked, NotAllowed, AlreadyMarked, DraftElsewhere.
    """
    _round, own = _to_mark(session, actor=actor, submission=submission)
    keep_draft(own, draft=draft, over=over)
    return own


def _to_mark(session: Session, *, actor: Person, submission: Submission) -> tuple[Round, PanelMark]:
    """Take the school's turn, and return the round and the mark that the actor was asked for and has not given."""
    round_ = session.get_one(Round, submission.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    own = next((one for one in standing_marks(session, submission=submission) if one.marker_id == actor.id), None)
    if own is None:
        raise NotAsked
    if actor.id in conflicting_with(session, person_id=submission.author_id):
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    if own.mark is not None:
        raise AlreadyMarked
    return round_, own


_ROUNDS = (
    select(Round)
    .where(
        Round.id.in_(select(PanelSeat.round_id).where(PanelSeat.person_id == bindparam("person"))),
        Round.phase != RoundPhase.SETUP,
    )
    .order_by(Round.id.desc())
)


def rounds_of(session: Session, *, person: Person) -> list[Round]:
    """Return the rounds on whose panel the person sits, the newest first; none that nobody has opened yet."""
    return list(session.scalars(_ROUNDS, {"person": person.id})) if person.active else []


def mark(
    session: Session, *, actor: Person, submission: Submission, form: Mapping[str, Any], over: Over | None = None
) -> PanelMark:
    """Record one member's, or the arbiter's, marks. The last one settles the work or calls the arbiter.

    Raises NotAsked, NotAllowed where a conflict was declared meanwhile, AlreadyMarked, MarkRefused naming each field,
    DraftElsewhere where another device has kept a later draft than the one (`over`) this was filled in over.
    """
    round_, own = _to_mark(session, actor=actor, submission=submission)
    require_latest(own, over=over)
    given = _evaluated(session, round_=round_, submission=submission, form=form)
    scheme = round_scheme(session, round_=round_)
    own.form, own.mark, own.ability_level = dict(form), given.mark, given.ability_level
    own.scheme_digest, own.marked_at, own.draft = scheme.digest, now(), None
    session.flush()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="panel.mark", about=own, mark=given.mark
    )
    _settle(session, submission=submission)
    return own


def _evaluated(session: Session, *, round_: Round, submission: Submission, form: Mapping[str, Any]) -> Marks:
    scheme = round_scheme(session, round_=round_)
    try:
        given = evaluate(scheme, form, slots_filled(session, scheme=scheme, submission=submission))
    except FormInvalid as wrong:
        raise MarkRefused.of_fields((one.field, one.text) for one in wrong.problems) from wrong
    if given.mark is None:
        raise MarkRefused(problems=say(_("请至少给一个考核项打分。")))
    return given


def _settle(session: Session, *, submission: Submission) -> bool:
    """Grade a work whose marks are all in, or call the arbiter; return whether an arbiter is wanted and none free."""
    standing = standing_marks(session, submission=submission)
    round_ = session.get_one(Round, submission.round_id)
    scheme = round_scheme(session, round_=round_)
    if any(one.mark is None for one in standing) or len(standing) < scheme.review.panel.size:
        return False
    if submission.state is SubmissionState.IN_PANEL:
        marks = [one.mark for one in standing if one.mark is not None]
        levels = [one.ability_level for one in standing if one.ability_level is not None]
        if scheme.review.panel.on_spread == "arbiter" and panel_needs_arbiter(scheme, marks, levels):
            judges = free_seats(session, submission=submission, kinds=(SeatKind.ARBITER, SeatKind.RESERVE))
            if not judges:
                return True
            submission.state = move(submission.state, SubmissionState.IN_ARBITRATION)
            _ask(
                session,
                submission=submission,
                person_id=judges[0],
                seat=SeatKind.ARBITER,
                span=scheme.calendar.arbitration,
            )
            audit.record(
                session, organization_id=round_.organization_id, actor=None, deed="panel.arbitrate", about=submission
            )
            return False
    submission.state = move(submission.state, SubmissionState.GRADED)
    take_back(session, submission=submission)
    audit.record(session, organization_id=round_.organization_id, actor=None, deed="submission.grade", about=submission)
    enqueue(session, kind=WorkKind.ADVANCE_ROUND, subject_id=round_.id)
    _offer_replacement(session, round_=round_, submission=submission)
    return False


def _offer_replacement(session: Session, *, round_: Round, submission: Submission) -> None:
    """Tell the author of a work that did not pass that another may take its place, while the window is open (X-12)."""
    if now() > round_.hard_close_at:
        return
    session.flush()
    enrolment = session.get_one(Enrolment, submission.enrolment_id)
    if submission.ability in failed_abilities(session, enrolment=enrolment):
        tell(
            session,
            person_id=submission.author_id,
            round_id=round_.id,
            kind="submission.failed",
            sentence=_("您的“{ability}”未达到合格要求。{until}前可改选其他微能力，原成绩不再计入。"),
            ability=submission.ability,
            until=shown(round_.hard_close_at),
        )


def substitute(session: Session, *, actor: Person | None, submission: Submission, missing: Person) -> None:
    """Let somebody from the reserve take the place of one who can't mark (T13): by the administrator, or the clock.

    Raises NotAllowed where the administrator would choose a judge of own work, NotAsked where that person was not
    asked or has marked, NobodyLeft where nobody is free.
    """
    round_ = session.get_one(Round, submission.round_id)
    take_turn(session, organization_id=round_.organization_id)
    if actor is not None:
        require_admin(session, actor=actor, organization_id=round_.organization_id)
        if actor.id in conflicting_with(session, person_id=submission.author_id):
            raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    own = next((one for one in standing_marks(session, submission=submission) if one.marker_id == missing.id), None)
    if own is None or own.mark is not None:
        raise NotAsked
    arbiter = own.seat is SeatKind.ARBITER
    kinds = (SeatKind.ARBITER, SeatKind.RESERVE) if arbiter else (SeatKind.RESERVE, SeatKind.MEMBER)
    others = free_seats(session, submission=submission, kinds=kinds)
    if not others:
        raise NobodyLeft(seat=say(_("仲裁人") if arbiter else _("考核组成员")))
    own.released_at = now()
    span = round_scheme(session, round_=round_).calendar
    _ask(
        session,
        submission=submission,
        person_id=others[0],
        seat=own.seat,
        span=span.arbitration if arbiter else span.panel,
    )
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="panel.substitute", about=own, by=others[0]
    )
