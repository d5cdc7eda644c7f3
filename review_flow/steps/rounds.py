"""考核轮次: set up, opened, closed; its panel and its people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import Enrolment, PanelSeat, Person, Round, SchemeVersion
from review_flow.clock import first_second_of, last_second_of, now
from review_flow.errors import BadInput, NotFound, Refusal
from review_flow.i18n import _, clauses, say
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SchemeState, move
from review_flow.rules.selection import school_list_problems
from review_flow.rules.words import SeatKind, WorkKind
from review_flow.steps import audit
from review_flow.steps.people import require_admin
from review_flow.steps.schemes import scheme_of
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

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
    """Return the scheme a round runs, at the version it froze."""
    return scheme_of(session.get_one(SchemeVersion, round_.scheme_version_id))


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
    if version.state is not SchemeState.PUBLISHED:
        raise UnpublishedScheme(version=version.version)
    if not opens_on <= submit_due_on <= hard_close_on:
        raise BadInput(field=say(_("日程")), problem=say(_("开放日不能晚于提交截止日，截止日不能晚于最终截止日。")))
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


def seat(session: Session, *, actor: Person, round_: Round, person: Person, kind: SeatKind) -> PanelSeat:
    """Give a person a place on the panel (001-A-25, 001-A-43). Seats may still be added while the round runs."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
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
    return place


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
