"""扣分/加分: told to the teacher, contested, decided; what they cost is the scheme's (001-A-35..37, T16)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Adjustment, Enrolment, PanelSeat, Person, Round
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase
from review_flow.rules.marks import shown
from review_flow.rules.outcome import LedgerLine, Outcome
from review_flow.rules.words import AdjustmentKind, AdjustmentState, SeatKind, WorkKind
from review_flow.steps import audit
from review_flow.steps.facts import event_of, record_of
from review_flow.steps.messages import tell
from review_flow.steps.people import conflicting_with, has_seat, require_admin, require_seat
from review_flow.steps.programme import banded
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme

NAMES = {
    AdjustmentKind.LATE_MATERIAL: _("迟交"),
    AdjustmentKind.LATE_ARRIVAL: _("迟到"),
    AdjustmentKind.ABSENCE: _("旷到"),
    AdjustmentKind.AWARD: _("加分"),
}
STATES = {
    AdjustmentState.NOTIFIED: _("已告知"),
    AdjustmentState.CONTESTED: _("有异议"),
    AdjustmentState.CONFIRMED: _("维持"),
    AdjustmentState.STRUCK: _("已撤销"),
}


class NotPriced(Refusal):
    """The scheme neither deducts nor adds anything for such a fact."""

    status, text = 422, _("本方案没有给“{kind}”定分，登记不了。")


class TooLateToRecord(Refusal):
    """A fact that could no longer be contested is not recorded (T16)."""

    status, text = 409, _("这位教师的等级已经确定，不能再登记扣分或加分。")


class TooLateToContest(Refusal):
    """Contesting ends when the band is confirmed; from then on an appeal is the way (X-14)."""

    status, text = 409, _("等级已经确定，不能再对扣分提出异议；可在申诉期内申诉。")


class AlreadyDecided(Refusal):
    """A decision stands; a new fact is a new record."""

    status, text = 409, _("这条记录已有决定，不能重复处理。")


def note_late(session: Session, *, enrolment_id: int, key: str, proof: str) -> None:
    """Record, and not twice for a `key`, that the clock saw something come late (001-A-35); the caller tells whom it costs."""
    moment = now()
    session.add(
        Adjustment(
            enrolment_id=enrolment_id,
            kind=AdjustmentKind.LATE_MATERIAL,
            happened_on=moment.astimezone(SCHOOL_ZONE).date(),
            proof=proof,
            key=key,
            state=AdjustmentState.NOTIFIED,
            recorded_at=moment,
            notified_at=moment,
        )
    )


@dataclass(frozen=True, slots=True)
class Told:
    """One fact on its way in; `key` makes it the same fact when told again, `points` are for an award alone."""

    kind: AdjustmentKind
    on: date
    proof: str
    key: str
    approved_leave: bool = False
    points: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a fact would change: both outcomes of the facts as they are now, and the ledger's lines that are new."""

    before: Outcome
    after: Outcome
    lines: list[LedgerLine]


def kinds_of(scheme: Scheme) -> list[AdjustmentKind]:
    """Return the kinds a scheme has a price for."""
    priced = {one.id for one in scheme.adjust.deductions} | ({"award"} if scheme.adjust.bonuses else set())
    return [kind for kind in AdjustmentKind if kind.value in priced]


def effect(session: Session, *, actor: Person, enrolment: Enrolment, told: Told) -> Effect:
    """Return what recording this fact would change; nothing is kept. Raises as `add`."""
    round_ = _require_recordable(session, actor=actor, enrolment=enrolment, told=told)
    scheme = round_scheme(session, round_=round_)
    record = record_of(session, enrolment=enrolment)
    row = row_of(enrolment, actor=actor, told=told)
    more = {**record, "awards": [*record["awards"], str(told.points)]}
    if told.kind is not AdjustmentKind.AWARD:
        more = {**record, "events": [*record["events"], event_of(row)]}
    before, after = grade(scheme, record), grade(scheme, more)
    known = {line.text for line in before.ledger}
    return Effect(before, after, [line for line in after.ledger if line.text not in known])


def add(session: Session, *, actor: Person, enrolment: Enrolment, told: Told) -> Adjustment:
    """Record a deduction or award with its proof and tell the teacher; the same key again is the same fact.

    By a member of the panel or an administrator, never about oneself or somebody to keep away from. Raises NotAllowed,
    WrongPhase, NotPriced, BadInput, TooLateToRecord.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    _require_recordable(session, actor=actor, enrolment=enrolment, told=told)
    same = select(Adjustment).where(
        Adjustment.enrolment_id == enrolment.id, Adjustment.kind == told.kind, Adjustment.key == told.key
    )
    if (known := session.scalars(same).first()) is not None:
        return known
    row = row_of(enrolment, actor=actor, told=told)
    session.add(row)
    session.flush()
    enqueue(session, kind=WorkKind.FINALISE_ROUND, subject_id=round_.id)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="adjustment.add",
        about=row,
        kind=told.kind.value,
    )
    notify(session, enrolment=enrolment, told=told)
    return row


def notify(session: Session, *, enrolment: Enrolment, told: Told) -> None:
    """Tell the teacher, and nobody else, what was recorded about them."""
    tell(
        session,
        person_id=enrolment.person_id,
        round_id=enrolment.round_id,
        kind="adjustment.notified",
        sentence=_("为您登记了：{day} {what}（证明：{proof}）。如有异议，请在定等之前提出申辩。"),
        day=told.on,
        what=_what(told),
        proof=told.proof.strip(),
    )


def _what(told: Told) -> str:
    if told.points is not None:
        return say(_("加分{points}分"), points=shown(told.points))
    leave = told.approved_leave and told.kind is AdjustmentKind.ABSENCE
    return say(_("请假")) if leave else say(NAMES[told.kind])


def row_of(enrolment: Enrolment, *, actor: Person, told: Told) -> Adjustment:
    """Return a fact as it is kept: told to the teacher now, by the actor."""
    return Adjustment(
        enrolment_id=enrolment.id,
        kind=told.kind,
        happened_on=told.on,
        proof=told.proof.strip(),
        key=told.key,
        approved_leave=told.approved_leave,
        points=told.points,
        state=AdjustmentState.NOTIFIED,
        recorded_by_id=actor.id,
        recorded_at=now(),
        notified_at=now(),
    )


def _require_recordable(session: Session, *, actor: Person, enrolment: Enrolment, told: Told) -> Round:
    round_ = session.get_one(Round, enrolment.round_id)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    if not has_seat(session, person_id=actor.id, round_id=round_.id, kinds=[SeatKind.MEMBER]):
        require_admin(session, actor=actor, organization_id=round_.organization_id)
    if actor.id in conflicting_with(session, person_id=enrolment.person_id):
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    if told.kind not in kinds_of(round_scheme(session, round_=round_)):
        raise NotPriced(kind=say(NAMES[told.kind]))
    if enrolment.state is EnrolmentState.EXEMPT:
        raise NotAllowed(why=say(_("免训教师不登记扣分和加分")))
    if told.on > now().astimezone(SCHOOL_ZONE).date():
        raise BadInput(field=say(_("日期")), problem=say(_("{day}还没有到。"), day=told.on))
    if not told.proof.strip():
        raise BadInput(field=say(_("证明")), problem=say(_("请写明有什么证明、在哪里。")))
    award = told.points is not None and told.points > 0
    if award != (told.kind is AdjustmentKind.AWARD) or (told.points is not None and not award):
        raise BadInput(field=say(_("分数")), problem=say(_("加分须填大于0的分数；扣分按方案，不填。")))
    if banded(session, round_=round_, enrolment_id=enrolment.id):
        raise TooLateToRecord
    return round_


def contest(session: Session, *, actor: Person, adjustment: Adjustment, reason: str) -> None:
    """Say why a recorded fact is wrong: it doesn't count until somebody decided (T16)."""
    enrolment = session.get_one(Enrolment, adjustment.enrolment_id)
    if enrolment.person_id != actor.id:
        raise NotAllowed(why=say(_("这是另一位教师的记录")))
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明异议的理由。")))
    if adjustment.state is not AdjustmentState.NOTIFIED:
        raise AlreadyDecided
    if banded(session, round_=round_, enrolment_id=enrolment.id):
        raise TooLateToContest
    adjustment.state, adjustment.contest_reason = AdjustmentState.CONTESTED, reason
    enqueue(session, kind=WorkKind.FINALISE_ROUND, subject_id=round_.id)
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="adjustment.contest", about=adjustment
    )
    for member in session.scalars(
        select(PanelSeat.person_id)
        .where(PanelSeat.round_id == round_.id, PanelSeat.kind == SeatKind.MEMBER)
        .where(PanelSeat.person_id.not_in([actor.id, adjustment.recorded_by_id or actor.id]))
        .order_by(PanelSeat.id)
    ):
        tell(
            session,
            person_id=member,
            round_id=round_.id,
            kind="adjustment.contested",
            sentence=_("有一条扣分记录被提出异议，决定之前该教师的等级不能确定，请考核组处理：{reason}"),
            reason=reason,
        )


def decide(session: Session, *, actor: Person, adjustment: Adjustment, stands: bool, reason: str) -> None:
    """Let a contested fact stand, or strike it, with a reason: by a member of the panel who didn't record it."""
    enrolment = session.get_one(Enrolment, adjustment.enrolment_id)
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_seat(session, actor=actor, round_=round_, kinds=[SeatKind.MEMBER])
    if actor.id in {enrolment.person_id, adjustment.recorded_by_id}:
        raise NotAllowed(why=say(_("应回避本人或自己登记的记录")))
    if adjustment.state is not AdjustmentState.CONTESTED:
        raise AlreadyDecided
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明决定的理由。")))
    adjustment.state = AdjustmentState.CONFIRMED if stands else AdjustmentState.STRUCK
    adjustment.decided_by_id, adjustment.decision_reason = actor.id, reason
    enqueue(session, kind=WorkKind.FINALISE_ROUND, subject_id=round_.id)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="adjustment.decide",
        about=adjustment,
        stands=stands,
    )
    tell(
        session,
        person_id=enrolment.person_id,
        round_id=round_.id,
        kind="adjustment.decided",
        sentence=_("您对扣分记录的异议已处理：维持。{reason}")
        if stands
        else _("您对扣分记录的异议已处理：撤销该记录。{reason}"),
        reason=reason,
    )
