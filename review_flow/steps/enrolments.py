"""参评: read the plan, self-test, choose abilities; exempt or opt in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, or_, select

from models import Enrolment, Hours, Person, Round, Submission
from review_flow.clock import now, shown
from review_flow.errors import BadInput, NotAllowed, NotFound, Refusal
from review_flow.i18n import _, say
from review_flow.rules.codes import plain
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SubmissionState, move
from review_flow.rules.scheme import DELIVERABLES
from review_flow.rules.selection import selection_problems
from review_flow.rules.words import WorkKind
from review_flow.steps import audit
from review_flow.steps.facts import CHOSEN, record_of
from review_flow.steps.people import numbered, only_one, require_admin
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from sqlalchemy.orm import Session


MOST_AT_ONCE = 1000  # a cap beyond it is a slip of the keyboard


class NotYet(Refusal):
    """An earlier step of the teacher's way is missing (T3-T5)."""

    status, text = 409, _("请先完成前一步：您现在的状态是“{state}”。")


class NotBegun(Refusal):
    """A round may be opened ahead of its first day; its teachers begin on that day."""

    status, text = 409, _("本轮考核从{moment}开始。")


class Selection(Refusal):
    """The chosen abilities don't fit the scheme; says what is missing (001-A-19, N20-N22)."""

    status, text = 422, _("微能力选择不符合要求：{problems}")


class NotExemptible(Refusal):
    """Nobody is exempt without a reason, or once their work is in."""

    status, text = 409, _("不能设为免训：{why}")


class NothingAsked(Refusal):
    """The scheme asks for abilities' evidence alone."""

    status, text = 409, _("本方案除微能力证据外不要求其他材料。")


class CannotReplace(Refusal):
    """Only an ability that failed, or is not sealed yet, can be replaced, while the window is open (T11, X-12)."""

    status, text = 409, _("“{ability}”现在不能改选：{why}")


_ENROLMENT = select(Enrolment).where(
    Enrolment.round_id == bindparam("round"), Enrolment.person_id == bindparam("person")
)


def enrolment_of(session: Session, *, round_: Round, person: Person) -> Enrolment:
    """Return a person's enrolment in the round, or raise NotFound."""
    enrolment = session.scalars(_ENROLMENT, {"round": round_.id, "person": person.id}).first()
    if enrolment is None:
        raise NotFound(what=say(_("参评教师")), key=person.number)
    return enrolment


_CALLED = (
    select(Enrolment, Person)
    .join(Person, Person.id == Enrolment.person_id)
    .where(
        Enrolment.round_id == bindparam("round"),
        or_(numbered(bindparam("number")), Person.name == bindparam("name")),
    )
    .order_by(Person.number)
)


def enrolment_called(session: Session, *, round_id: int, word: str) -> Enrolment:
    """Return who is in the round with this number, else the only one of this name. Raises NotFound, BadInput."""
    asked = {"round": round_id, "number": plain(word), "name": word.strip()}
    found = session.execute(_CALLED, asked).tuples().all()
    chosen = only_one([person for _enrolment, person in found], word=word, what=_("参评教师"))
    return next(enrolment for enrolment, person in found if person is chosen)


def _own(session: Session, *, actor: Person, enrolment: Enrolment) -> Round:
    if enrolment.person_id != actor.id:
        raise NotAllowed(why=say(_("这是另一位教师的参评")))
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN)
    if now() < round_.opens_at:
        raise NotBegun(moment=shown(round_.opens_at))
    return round_


def acknowledge(session: Session, *, actor: Person, enrolment: Enrolment) -> None:
    """The teacher has read how the plan works (001-A-09, T3)."""
    round_ = _own(session, actor=actor, enrolment=enrolment)
    if enrolment.state is not EnrolmentState.REGISTERED:
        return
    enrolment.state = move(enrolment.state, EnrolmentState.INFORMED)
    enrolment.acknowledged_at = now()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="enrolment.acknowledge", about=enrolment
    )


def deliver_in_person(session: Session, *, actor: Person, enrolment: Enrolment) -> None:
    """The administrator handed the plan over where the teacher didn't open it (T3); it goes on all the same."""
    round_ = session.get_one(Round, enrolment.round_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN)
    if enrolment.state is not EnrolmentState.REGISTERED:
        return
    enrolment.state = move(enrolment.state, EnrolmentState.INFORMED)
    enrolment.acknowledged_at, enrolment.delivered_in_person_by_id = now(), actor.id
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="enrolment.deliver", about=enrolment
    )


def self_test(session: Session, *, actor: Person, enrolment: Enrolment) -> None:
    """The teacher has done the self-test (001-A-21, T4). Its answers stay with the platform that asked them."""
    round_ = _own(session, actor=actor, enrolment=enrolment)
    if enrolment.state is EnrolmentState.REGISTERED:
        raise NotYet(state=say(enrolment.state.label))
    if enrolment.state is not EnrolmentState.INFORMED:
        return
    enrolment.state = move(enrolment.state, EnrolmentState.SELF_TESTED)
    enrolment.self_tested_at = now()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="enrolment.self_test", about=enrolment
    )


def choose(session: Session, *, actor: Person, enrolment: Enrolment, abilities: Sequence[str]) -> list[Submission]:
    """Choose the abilities; unsealed ones may be chosen anew as long as the window is open (T5).

    Raises Selection naming the missing dimensions or count, and what is outside the school's list.
    """
    round_ = _own(session, actor=actor, enrolment=enrolment)
    if enrolment.state not in {EnrolmentState.SELF_TESTED, EnrolmentState.SELECTED}:
        raise NotYet(state=say(enrolment.state.label))
    scheme = round_scheme(session, round_=round_)
    standing = {s.ability: s for s in submissions_of(session, enrolment=enrolment)}
    problems = selection_problems(scheme, scheme.catalogue, round_.abilities, abilities, tier=enrolment.tier)
    if problems:
        raise Selection(problems="".join(problem.text for problem in problems))
    for ability, submission in standing.items():
        if ability in abilities:
            continue
        if submission.state is not SubmissionState.DRAFT:
            raise CannotReplace(ability=ability, why=say(submission.state.label))
        submission.state = move(submission.state, SubmissionState.REPLACED)
    made = [standing[a] if a in standing else _draft(session, enrolment=enrolment, ability=a) for a in abilities]
    enrolment.state = move(enrolment.state, EnrolmentState.SELECTED)
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="enrolment.choose",
        about=enrolment,
        abilities=list(abilities),
    )
    return made


def replace(session: Session, *, actor: Person, enrolment: Enrolment, old: str, new: str) -> Submission:
    """Take another ability in the place of an invalid or failed one, while the hand-in window is open (T11, X-12, N19)."""
    round_ = _own(session, actor=actor, enrolment=enrolment)
    standing = {s.ability: s for s in submissions_of(session, enrolment=enrolment)}
    if old not in standing:
        raise NotFound(what=say(_("微能力")), key=old)
    if old not in failed_abilities(session, enrolment=enrolment):
        raise CannotReplace(ability=old, why=say(standing[old].state.label))
    if now() > round_.hard_close_at:
        raise CannotReplace(ability=old, why=say(_("提交期已结束")))
    scheme = round_scheme(session, round_=round_)
    wanted = [a for a in standing if a != old] + [new]
    problems = selection_problems(scheme, scheme.catalogue, round_.abilities, wanted, tier=enrolment.tier)
    if problems:
        raise Selection(problems="".join(problem.text for problem in problems))
    made = _draft(session, enrolment=enrolment, ability=new)
    standing[old].state = move(standing[old].state, SubmissionState.REPLACED)
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="enrolment.replace",
        about=enrolment,
        old=old,
        new=new,
    )
    return made


def failed_abilities(session: Session, *, enrolment: Enrolment) -> set[str]:
    """Return the abilities that have ended and did not pass: found invalid, or marked below the level to pass (X-12)."""
    ended = {
        one.ability
        for one in submissions_of(session, enrolment=enrolment)
        if one.state in {SubmissionState.INVALID, SubmissionState.GRADED}
    }
    if not ended:
        return ended
    scheme = round_scheme(session, round_=session.get_one(Round, enrolment.round_id))
    outcome = grade(scheme, record_of(session, enrolment=enrolment))
    return {one.code for one in outcome.abilities if one.code in ended and one.passed is False}


def deliverables_of(session: Session, *, actor: Person, enrolment: Enrolment) -> Submission:
    """Return the work that gathers what the scheme asks for besides abilities; it stays open until the hard close.

    Raises NotAllowed for another teacher's, NothingAsked where the scheme asks for nothing.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    if enrolment.person_id != actor.id:
        raise NotAllowed(why=say(_("这是另一位教师的参评")))
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN)
    if not round_scheme(session, round_=round_).deliverables:
        raise NothingAsked
    standing = session.scalars(_WORK, {"enrolment": enrolment.id, "ability": DELIVERABLES}).first()
    if standing is None:
        standing = _draft(session, enrolment=enrolment, ability=DELIVERABLES)
        session.flush()
    return standing


_WORK = select(Submission).where(
    Submission.enrolment_id == bindparam("enrolment"), Submission.ability == bindparam("ability")
)


def _draft(session: Session, *, enrolment: Enrolment, ability: str) -> Submission:
    """A draft for the ability; one that was dropped before is taken up again."""
    dropped = session.scalars(_WORK, {"enrolment": enrolment.id, "ability": ability}).first()
    if dropped is not None:
        if dropped.sealed_at is not None:
            raise CannotReplace(ability=ability, why=say(dropped.state.label))
        dropped.state = move(dropped.state, SubmissionState.DRAFT)
        return dropped
    made = Submission(
        enrolment_id=enrolment.id,
        round_id=enrolment.round_id,
        author_id=enrolment.person_id,
        ability=ability,
        state=SubmissionState.DRAFT,
    )
    session.add(made)
    return made


def submissions_of(session: Session, *, enrolment: Enrolment) -> list[Submission]:
    """Return the enrolment's submissions that were not replaced, in the order they were chosen."""
    return list(session.scalars(CHOSEN, {"enrolment": enrolment.id}))


def exempt(session: Session, *, actor: Person, enrolment: Enrolment, reason: str) -> None:
    """Leave a teacher out, with a reason, as long as nothing of theirs is sealed (T2)."""
    round_ = session.get_one(Round, enrolment.round_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SETUP, RoundPhase.OPEN)
    if not reason.strip():
        raise BadInput(field=say(_("免训原因")), problem=say(_("请写明原因。")))
    sealed = session.scalar(
        select(func.count())
        .select_from(Submission)
        .where(Submission.enrolment_id == enrolment.id, Submission.sealed_at.is_not(None))
    )
    if sealed:
        raise NotExemptible(why=say(_("已有封存的成果")))
    if enrolment.state is EnrolmentState.EXEMPT:
        return
    for draft in submissions_of(session, enrolment=enrolment):
        draft.state = move(draft.state, SubmissionState.REPLACED)
    enrolment.exempt_reason = reason
    enrolment.state = move(enrolment.state, EnrolmentState.EXEMPT)
    enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)  # what they had to review moves on
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="enrolment.exempt",
        about=enrolment,
        reason=reason,
    )


def opt_in(session: Session, *, actor: Person, enrolment: Enrolment) -> None:
    """An exempt teacher takes part after all and is assessed like everybody (X-54)."""
    round_ = _own(session, actor=actor, enrolment=enrolment)
    if enrolment.state is not EnrolmentState.EXEMPT:
        return
    enrolment.state = move(enrolment.state, EnrolmentState.REGISTERED)
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="enrolment.opt_in", about=enrolment)


def volunteer(session: Session, *, actor: Person, enrolment: Enrolment, willing: bool) -> None:
    """Offer, or no longer offer, to take reviews that others did not get done; nobody has to."""
    round_ = _own(session, actor=actor, enrolment=enrolment)
    enrolment.volunteer = willing
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="enrolment.volunteer",
        about=enrolment,
        willing=willing,
    )


def leave_reviewing(session: Session, *, actor: Person, enrolment: Enrolment) -> None:
    """A teacher who has left gets no new reviews; what they have not begun goes to others, the rest when its lease ends."""
    round_ = session.get_one(Round, enrolment.round_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    enrolment.reviewing = False
    enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="enrolment.leave", about=enrolment)


def set_review_cap(session: Session, *, actor: Person, enrolment: Enrolment, cap: int | None) -> None:
    """Let a teacher hold at most so many reviews of others' works at once; None: as many as come, 0: none (X-41).

    What they hold already stays with them. Raises NotAllowed, WrongPhase, BadInput.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SETUP, RoundPhase.OPEN, RoundPhase.SCORING)
    if cap is not None and not 0 <= cap <= MOST_AT_ONCE:
        raise BadInput(field=say(_("互评上限")), problem=say(_("应是0到{most}的整数。"), most=MOST_AT_ONCE))
    enrolment.review_cap = cap
    enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="enrolment.cap", about=enrolment, cap=cap
    )


def hours_of(session: Session, *, enrolment: Enrolment) -> dict[str, Decimal]:
    """Return hours per ledger, as recorded and not superseded."""
    rows = session.execute(
        select(Hours.ledger, func.sum(Hours.hours))
        .where(Hours.enrolment_id == enrolment.id, Hours.struck_at.is_(None))
        .group_by(Hours.ledger)
    )
    return {ledger: hours for ledger, hours in rows}  # noqa: C416 - rows are Rows, not pairs
