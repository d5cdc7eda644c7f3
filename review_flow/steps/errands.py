"""受托事项: what takes too long for a request is asked for, done in the background, and its answer kept with its time.

A page asks here where its errand stands, so it may be closed and opened again. What can be refused is refused at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from models import DueWork, Enrolment, Errand, GroupResult, Person, Result, Round
from review_flow.clock import now
from review_flow.errors import NotFound, Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.quotas import judges_groups
from review_flow.rules.words import ErrandKind, RoleKind, SeatKind, WorkKind
from review_flow.steps import audit
from review_flow.steps.people import has_role, require_admin, require_seat
from review_flow.steps.results import confirm_ready
from review_flow.steps.rounds import round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from review_flow.steps.audit import Reading
    from review_flow.steps.feedback import Agreement
    from review_flow.steps.owners import Graded


class NothingToConfirm(Refusal):
    """There is no proposed grade in the round."""

    status, text = 409, _("现在没有待定的等级。")


@dataclass(frozen=True, slots=True)
class Known:
    """What a page knows of an errand: the one under way, why it stopped if it did, the last answer and its time."""

    under_way: Errand | None
    stopped: str | None
    answer: dict[str, Any] | None
    done_at: datetime | None


def ask_agreement(session: Session, *, actor: Person, round_: Round) -> Errand:
    """Ask how a round's reviewers agree, for the school's administrators; NotAllowed for others."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    return _ask(session, actor, ErrandKind.AGREEMENT, round_.organization_id, round_)


def ask_dry_run(session: Session, *, actor: Person, round_: Round) -> Errand:
    """Ask what a round would lack and what nobody could fulfil, for the school's administrators; NotAllowed for others."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    return _ask(session, actor, ErrandKind.DRY_RUN, round_.organization_id, round_)


def ask_chain(session: Session, *, actor: Person) -> Errand:
    """Ask whether the chain of the actor's school is whole, for its administrators; NotAllowed for others."""
    require_admin(session, actor=actor, organization_id=actor.organization_id)
    return _ask(session, actor, ErrandKind.CHAIN, actor.organization_id)


def ask_confirm(session: Session, *, actor: Person, round_: Round) -> Errand:
    """Have every grade confirmed that the actor may, as a member of the panel. Raises NothingToConfirm, NotAllowed."""
    require_seat(session, actor=actor, round_=round_, kinds=[SeatKind.MEMBER])
    take_turn(session, organization_id=round_.organization_id)
    if not _to_confirm(session, round_):
        raise NothingToConfirm
    return _ask(session, actor, ErrandKind.CONFIRM_GRADES, round_.organization_id, round_)


def _ask(
    session: Session, actor: Person, kind: ErrandKind, organization_id: int, round_: Round | None = None
) -> Errand:
    """Return the same errand where it is under way already; for a deed it is the actor's own."""
    take_turn(session, organization_id=organization_id)
    round_id = None if round_ is None else round_.id
    of_kind = select(Errand).where(
        Errand.organization_id == organization_id, Errand.kind == kind, Errand.round_id == round_id
    )
    if kind is ErrandKind.CONFIRM_GRADES:
        of_kind = of_kind.where(Errand.asked_by_id == actor.id)
    standing = session.scalars(of_kind.where(Errand.done_at.is_(None))).first()
    if standing is not None:
        return standing
    errand = Errand(
        organization_id=organization_id,
        round_id=round_id,
        kind=kind,
        asked_by_id=actor.id,
        asked_at=now(),
        answer={},
    )
    session.add(errand)
    session.flush()
    audit.record(
        session, organization_id=organization_id, actor=actor, deed="errand.ask", about=errand, kind=kind.value
    )
    enqueue(session, kind=WorkKind.RUN_ERRAND, subject_id=errand.id)
    return errand


def known(
    session: Session,
    *,
    kind: ErrandKind,
    organization_id: int,
    round_: Round | None = None,
    asked_by: Person | None = None,
) -> Known:
    """Return what is known of an errand of a school or round; of one person's alone where `asked_by` says so."""
    mine = [Errand.organization_id == organization_id, Errand.kind == kind]
    mine += [Errand.round_id == (None if round_ is None else round_.id)]
    mine += [] if asked_by is None else [Errand.asked_by_id == asked_by.id]
    newest = select(Errand).where(*mine).order_by(Errand.id.desc()).limit(1)
    last = session.scalars(newest.where(Errand.done_at.is_not(None))).first()
    under_way = session.scalars(newest.where(Errand.done_at.is_(None))).first()
    return following(session, errand=under_way, last=last)


def following(session: Session, *, errand: Errand | None, last: Errand | None = None) -> Known:
    """Return what is known of an errand that is under way, and of the last one that is done."""
    parked = None
    if errand is not None:
        asked = select(DueWork.parked_reason).where(
            DueWork.kind == WorkKind.RUN_ERRAND, DueWork.subject_id == errand.id, DueWork.parked_at.is_not(None)
        )
        parked = session.scalars(asked).first()
    return Known(errand, parked, last.answer if last else None, last.done_at if last else None)


def of_person(session: Session, *, person: Person, key: int) -> Errand:
    """Return an errand that somebody asked for, or that is their school's as its administrator; raises NotFound."""
    found = session.get(Errand, key)
    if found is not None:
        admin = found.kind is not ErrandKind.CONFIRM_GRADES and has_role(
            session, person_id=person.id, organization_id=found.organization_id, kinds=[RoleKind.SCHOOL_ADMIN]
        )
        if admin or found.asked_by_id == person.id:
            return found
    raise NotFound(what=say(_("后台事项")), key=key)


def agreed(found: Agreement) -> dict[str, Any]:
    """Return the answer of how reviewers agree: alpha, and for each reviewer id, bias, its interval, marks."""
    rows = [[person.id, str(one.bias), str(one.low), str(one.high), one.marks] for person, one in found.reviewers]
    return {"alpha": None if found.alpha is None else str(found.alpha), "reviewers": rows}


def chained(read: Reading) -> dict[str, Any]:
    """Return the answer of how a chain was read: how many events, and the numbers of those that don't fit."""
    return {"count": read.count, "wrong": list(read.wrong)}


def to_confirm(session: Session, *, errand: Errand) -> list[tuple[type[Graded], int]]:
    """Return the results that are to be confirmed, each to be given to `confirm_one` in a transaction of its own."""
    return _to_confirm(session, session.get_one(Round, errand.round_id))


def _to_confirm(session: Session, round_: Round) -> list[tuple[type[Graded], int]]:
    if judges_groups(round_scheme(session, round_=round_)):
        of_groups = select(GroupResult.id).where(
            GroupResult.round_id == round_.id, GroupResult.current, GroupResult.state == ResultState.COMPOSED
        )
        return [(GroupResult, key) for key in session.scalars(of_groups.order_by(GroupResult.id))]
    of_people = (
        select(Result.id)
        .join(Enrolment, Enrolment.id == Result.enrolment_id)
        .where(Enrolment.round_id == round_.id, Result.current, Result.state == ResultState.COMPOSED)
    )
    return [(Result, key) for key in session.scalars(of_people.order_by(Result.id))]


def confirm_one(session: Session, *, errand: Errand, of: type[Graded], key: int) -> bool:
    """Confirm one result for whoever asked for it; False where something stands in the way, or it is done already."""
    actor = session.get_one(Person, errand.asked_by_id)
    result = session.get_one(GroupResult, key) if of is GroupResult else session.get_one(Result, key)
    return confirm_ready(session, actor=actor, result=result)


def finish(session: Session, *, errand: Errand, answer: dict[str, Any]) -> None:
    """Keep the answer, and none of those before it; what is done stays as it is."""
    if errand.done_at is not None:
        return
    errand.answer, errand.done_at = answer, now()
    same = [Errand.organization_id == errand.organization_id, Errand.kind == errand.kind]
    same += [Errand.round_id == errand.round_id]
    same += [Errand.asked_by_id == errand.asked_by_id] if errand.kind is ErrandKind.CONFIRM_GRADES else []
    session.execute(delete(Errand).where(*same, Errand.id < errand.id, Errand.done_at.is_not(None)))


def forget(session: Session, *, round_: Round) -> None:
    """Drop the answers about a round, once its files go."""
    session.execute(delete(Errand).where(Errand.round_id == round_.id, Errand.done_at.is_not(None)))
