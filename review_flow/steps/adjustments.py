"""扣分/加分: told to the teacher, contested, decided; what they cost is the scheme's (001-A-35..37, T16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Adjustment, Enrolment, PanelSeat, Person, Result, Round
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.words import AdjustmentKind, AdjustmentState, SeatKind, WorkKind
from review_flow.steps import audit
from review_flow.steps.messages import tell
from review_flow.steps.people import require_seat
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


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
    banded = session.scalars(
        select(Result.id).where(
            Result.enrolment_id == enrolment.id, Result.current, Result.state != ResultState.COMPOSED
        )
    ).first()
    if banded is not None:
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
