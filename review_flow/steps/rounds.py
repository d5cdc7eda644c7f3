"""考核轮次: set up, opened, closed; its panel and its people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import Enrolment, PanelSeat, Person, Role, Round, SchemeVersion
from review_flow.clock import first_second_of, last_second_of, now, shown
from review_flow.errors import BadInput, NotFound, Refusal
from review_flow.i18n import _, clauses, say
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SchemeState, move
from review_flow.rules.selection import school_list_problems
from review_flow.rules.words import RoleKind, SeatKind, WorkKind
from review_flow.steps import audit
from review_flow.steps.judges import too_few
from review_flow.steps.messages import tell_many
from review_flow.steps.people import require_admin
from review_flow.steps.schemes import built_of, scheme_of
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme


class NotReady(Refusal):
    """A round that lacks something can't open; says all that is missing."""

    status, text = 409, _("还不能开放本轮考核：{problems}")


class WrongPhase(Refusal):
    """The deed belongs to another phase of the round."""

    status, text = 409, _("本轮考核正处于“{phase}”阶段，不能这样做。")


class UnpublishedScheme(Refusal):
    """Only a published scheme can be run."""

    status, text = 409, _("方案第{version}版尚未发布，不能用于考核轮次。")


class OnlyLater(Refusal):
    """Once a round is open people count on its days: they may be put off, never brought forward."""

    status, text = 409, _("本轮考核已开放，截止时间只能延后，不能早于原定的{due}和最终截止的{close}。")


def require_phase(round_: Round, *phases: RoundPhase) -> None:
    """Raise WrongPhase unless the round is in one of these phases."""
    if round_.phase not in phases:
        raise WrongPhase(phase=say(round_.phase.label))


def round_by_name(session: Session, *, organization_id: int, name: str) -> Round:
    """Return the round with this name, or raise NotFound."""
    round_ = session.scalars(select(Round).where(Round.organization_id == organization_id, Round.name == name)).first()
    if round_ is None:
        raise NotFound(what=say(_("考核轮次")), key=name)
    return round_


def round_scheme(session: Session, *, round_: Round) -> Scheme:
    """Return the scheme a round runs, at the version it froze; what this process has built is not read again."""
    built = built_of(round_.scheme_digest)
    return built or scheme_of(session.get_one(SchemeVersion, round_.scheme_version_id))


def create(
    session: Session,
    *,
    actor: Person,
    version: SchemeVersion,
    name: str,
    abilities: Sequence[str],
    opens_on: date,
    submit_due_on: date,
    hard_close_on: date,
) -> Round:
    """Set up a round of a published scheme; the days count to their last second in the school's zone (X-49)."""
    require_admin(session, actor=actor, organization_id=version.organization_id)
    take_turn(session, organization_id=version.organization_id)
    if version.state is not SchemeState.PUBLISHED:
        raise UnpublishedScheme(version=version.version)
    _require_in_order(opens_on, submit_due_on, hard_close_on)
    if not name.strip():
        raise BadInput(field=say(_("轮次名称")), problem=say(_("请写明名称。")))
    taken = select(Round.id).where(Round.organization_id == version.organization_id, Round.name == name)
    if session.scalars(taken).first() is not None:
        raise BadInput(field=say(_("轮次名称")), problem=say(_("已有名为“{name}”的考核轮次。"), name=name))
    round_ = Round(
        organization_id=version.organization_id,
        scheme_version_id=version.id,
        name=name,
        phase=RoundPhase.SETUP,
        abilities=list(abilities),
        opens_at=first_second_of(opens_on),
        submit_due_at=last_second_of(submit_due_on),
        hard_close_at=last_second_of(hard_close_on),
    )
    session.add(round_)
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="round.create",
        about=round_,
        scheme=version.digest,
    )
    return round_


def _require_in_order(opens_on: date, submit_due_on: date, hard_close_on: date) -> None:
    if not opens_on <= submit_due_on <= hard_close_on:
        raise BadInput(field=say(_("日程")), problem=say(_("开放日不能晚于提交截止日，截止日不能晚于最终截止日。")))


def set_up(
    session: Session,
    *,
    actor: Person,
    round_: Round,
    abilities: Sequence[str],
    opens_on: date,
    submit_due_on: date,
    hard_close_on: date,
) -> None:
    """Change days and abilities of a round that is not open yet. Raises WrongPhase, BadInput."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SETUP)
    _require_in_order(opens_on, submit_due_on, hard_close_on)
    round_.abilities = list(abilities)
    round_.opens_at = first_second_of(opens_on)
    round_.submit_due_at, round_.hard_close_at = last_second_of(submit_due_on), last_second_of(hard_close_on)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="round.set_up",
        about=round_,
        abilities=round_.abilities,
        days=[opens_on, submit_due_on, hard_close_on],
    )


def put_off(
    session: Session, *, actor: Person, round_: Round, submit_due_on: date, hard_close_on: date, reason: str
) -> None:
    """Give everybody more time in an open round, with a reason that they read. Raises OnlyLater, WrongPhase, BadInput.

    What the clock did at the old deadline stands; a late hand-in it noted is contested like any other.
    """
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN)
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明理由。")))
    due, close = last_second_of(submit_due_on), last_second_of(hard_close_on)
    if due < round_.submit_due_at or close < round_.hard_close_at or (due, close) == _ends(round_):
        raise OnlyLater(due=shown(round_.submit_due_at), close=shown(round_.hard_close_at))
    _require_in_order(submit_due_on, submit_due_on, hard_close_on)
    was = [one.isoformat() for one in _ends(round_)]
    round_.submit_due_at, round_.hard_close_at = due, close
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="round.put_off",
        about=round_,
        was=was,
        reason=reason,
    )
    sentence = _("“{name}”延期：{due}前提交，最终截止{close}。理由：{reason}")
    in_round = select(Enrolment.person_id).where(
        Enrolment.round_id == round_.id, Enrolment.state != EnrolmentState.EXEMPT
    )
    tell_many(
        session,
        people=session.scalars(in_round).all(),
        round_id=round_.id,
        kind="round.put_off",
        sentence=sentence,
        name=round_.name,
        due=shown(due),
        close=shown(close),
        reason=reason.strip(),
    )
    enqueue(session, kind=WorkKind.ADVANCE_ROUND, subject_id=round_.id)


def _ends(round_: Round) -> tuple[datetime, datetime]:
    return round_.submit_due_at, round_.hard_close_at


def seat(session: Session, *, actor: Person, round_: Round, person: Person, kind: SeatKind) -> PanelSeat:
    """Give a person a place on the panel (001-A-25, 001-A-43). Seats may still be added while the round runs."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(
        round_, RoundPhase.SETUP, RoundPhase.OPEN, RoundPhase.SCORING, RoundPhase.PUBLICITY, RoundPhase.SIGNING
    )
    standing = session.scalars(
        select(PanelSeat).where(
            PanelSeat.round_id == round_.id, PanelSeat.person_id == person.id, PanelSeat.kind == kind
        )
    ).first()
    if standing is not None:
        return standing
    place = PanelSeat(round_id=round_.id, person_id=person.id, kind=kind)
    session.add(place)
    session.flush()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="panel.seat", about=place, kind=kind.value
    )
    if round_.phase is not RoundPhase.SETUP:  # works or appeals may have waited for somebody like them
        enqueue(session, kind=WorkKind.ADVANCE_ROUND, subject_id=round_.id)
    return place


def unseat(session: Session, *, actor: Person, place: PanelSeat) -> None:
    """Take a place on the panel away, as long as the round is not open: later its holder may have judged already."""
    round_ = session.get_one(Round, place.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SETUP)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="panel.unseat",
        about=place,
        person=place.person_id,
        kind=place.kind.value,
    )
    session.delete(place)


def obstacles(session: Session, *, round_: Round) -> list[str]:
    """Return, in Chinese, everything that stands in the way of opening the round."""
    scheme = round_scheme(session, round_=round_)
    found = [problem.text.rstrip("。.") for problem in school_list_problems(scheme, scheme.catalogue, round_.abilities)]
    counts: dict[SeatKind, int] = dict(
        session.execute(
            select(PanelSeat.kind, func.count()).where(PanelSeat.round_id == round_.id).group_by(PanelSeat.kind)
        )
        .tuples()
        .all()
    )
    wanted = {
        SeatKind.MEMBER: scheme.review.panel.size,
        SeatKind.ARBITER: 1 if scheme.review.panel.on_spread == "arbiter" else 0,
        SeatKind.APPEAL: scheme.result.appeal.reviewers_min if scheme.result.appeal.allowed else 0,
    }
    for kind, least in wanted.items():
        if counts.get(kind, 0) < least:
            sentence = _("{seat}至少{least}人，现有{have}人")
            found.append(say(sentence, seat=say(SEATS[kind]), least=least, have=counts.get(kind, 0)))
    if counts.get(SeatKind.MEMBER, 0) >= wanted[SeatKind.MEMBER]:
        found += too_few(session, round_=round_, scheme=scheme)
    if now() > round_.submit_due_at:
        found.append(say(_("提交截止时间已过，请先改定日程")))
    teachers = session.scalar(
        select(func.count())
        .select_from(Enrolment)
        .where(Enrolment.round_id == round_.id, Enrolment.state != EnrolmentState.EXEMPT)
    )
    if not teachers:
        found.append(say(_("还没有参评教师，请先导入名单")))
    return found


SEATS = {SeatKind.MEMBER: _("考核组成员"), SeatKind.ARBITER: _("仲裁人"), SeatKind.APPEAL: _("申诉复核人")}


def open_round(session: Session, *, actor: Person, round_: Round) -> None:
    """Open the round: its scheme version is frozen by digest, its people are told, its clock starts (T1).

    Raises NotReady naming every obstacle.
    """
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SETUP)
    found = obstacles(session, round_=round_)
    if found:
        raise NotReady(problems=clauses(found))
    round_.scheme_digest = session.get_one(SchemeVersion, round_.scheme_version_id).digest
    round_.phase = move(round_.phase, RoundPhase.OPEN)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="round.open",
        about=round_,
        digest=round_.scheme_digest,
    )
    enqueue(session, kind=WorkKind.OPEN_ROUND, subject_id=round_.id)
    enqueue(session, kind=WorkKind.ADVANCE_ROUND, subject_id=round_.id, due_at=max(now(), round_.opens_at))


def enrol(session: Session, *, actor: Person, round_: Round, person: Person) -> Enrolment:
    """Put a teacher into a round; once in, the same row is returned."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SETUP, RoundPhase.OPEN)
    if person.organization_id != round_.organization_id:
        raise BadInput(field=say(_("参评教师")), problem=say(_("{name}不是本校教师。"), name=person.name))
    standing = session.scalars(
        select(Enrolment).where(Enrolment.round_id == round_.id, Enrolment.person_id == person.id)
    ).first()
    if standing is not None:
        return standing
    enrolment = Enrolment(round_id=round_.id, person_id=person.id, state=EnrolmentState.REGISTERED)
    session.add(enrolment)
    session.flush()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="enrolment.register", about=enrolment
    )
    if round_.phase is RoundPhase.OPEN:  # those who come later are told as well
        enqueue(session, kind=WorkKind.OPEN_ROUND, subject_id=round_.id)
    return enrolment


def enrol_all(session: Session, *, actor: Person, round_: Round) -> int:
    """Put every active teacher of the school into the round; return how many were new."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SETUP, RoundPhase.OPEN)
    new = session.scalars(
        select(Person.id)
        .join(Role, Role.person_id == Person.id)
        .where(Role.organization_id == round_.organization_id, Role.kind == RoleKind.TEACHER, Person.active)
        .where(Person.organization_id == round_.organization_id)
        .where(Person.id.not_in(select(Enrolment.person_id).where(Enrolment.round_id == round_.id)))
        .order_by(Person.number)
    ).all()
    session.add_all(Enrolment(round_id=round_.id, person_id=one, state=EnrolmentState.REGISTERED) for one in new)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="enrolment.register_all",
        about=round_,
        people=list(new),
    )
    if new and round_.phase is RoundPhase.OPEN:
        enqueue(session, kind=WorkKind.OPEN_ROUND, subject_id=round_.id)
    return len(new)
