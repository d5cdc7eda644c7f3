"""逐级推送: a level decides, and what it chose goes on to the next; no more than the scheme's share or number (T24)."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Nomination, NominationMove
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.marks import shown
from review_flow.rules.words import NominationState, RoleKind, WorkConsent
from review_flow.steps.nominations import INSIDE, RISING, SCHOOL, NotRising, NotYourJudgement, tallies, tally, voices
from review_flow.steps.people import conflicting_with, has_role, require_admin
from review_flow.steps.programme import leads, require_above
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work_consents import consents_of, record, require_consent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from models import Person, Round, Workshop
    from review_flow.rules.programme import PipelineStep


class TooManyGoOn(Refusal):
    """No more go on than the scheme's share or number."""

    status, text = 409, _("这一级最多推送{most}项。")


class Tied(Refusal):
    """Equal votes or marks at the last place: the machine draws no lot."""

    status, text = 409, _("末位票数或得分相同（{titles}），请补投或补评后再推送。")


def at_step(session: Session, *, round_: Round, step: PipelineStep, workshop: Workshop | None) -> list[Nomination]:
    """Return the works that wait at a level, of one workshop where the level is inside it."""
    asked = select(Nomination).where(
        Nomination.round_id == round_.id, Nomination.step == step.id, Nomination.state == NominationState.RISING
    )
    if workshop is not None:
        asked = asked.where(Nomination.workshop_id == workshop.id)
    return list(session.scalars(asked.order_by(Nomination.id)))


def room(step: PipelineStep, candidates: int) -> int:
    """Return how many of the candidates may go on: the share of them rounded down, and at most so many (X-51)."""
    shared = candidates if step.share is None else math.floor(Fraction(step.share) * candidates)
    return min(shared, candidates if step.most is None else step.most)


def advance_level(
    session: Session,
    *,
    actor: Person,
    round_: Round,
    step: PipelineStep,
    workshop: Workshop | None = None,
    named: Sequence[Nomination] = (),
    basis: str = "",
) -> list[Nomination]:
    """Decide a level: who is named, or has most votes or marks, goes on to the next; the others are left behind.

    The leader decides in the workshop, the administrator in the school, the county above. Where no organization stands
    above the school, its administrator writes down what was decided elsewhere, by name and with the letter as `basis`.
    Nobody names own work, nor that of their household: another who decides does.
    Raises NotAllowed, BadInput, NotRising, NotYourJudgement, WrongPhase, ConsentMissing, TooManyGoOn, Tied. Returns who
    went on.
    """
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, *RISING)
    elsewhere = _require_decider(session, actor=actor, round_=round_, step=step, workshop=workshop)
    waiting = at_step(session, round_=round_, step=step, workshop=workshop if step.level == INSIDE else None)
    if not waiting:
        raise BadInput(field=step.name_zh, problem=say(_("这一级没有待评选的作品。")))
    if elsewhere and not basis.strip():
        raise BadInput(field=say(_("依据")), problem=say(_("请写明上级的文件或通知。")))
    most = room(step, len(waiting))
    by_name = step.decide == "named" or elsewhere
    chosen = _named(session, actor, named, waiting, most) if by_name else _best(session, waiting, step, most)
    required = {WorkConsent.AUTHOR, WorkConsent(step.consent)}
    for one in chosen:
        for about in sorted(required, key=lambda consent: consent.value):
            require_consent(session, nomination=one, about=about)
    for one in waiting:
        _move(session, actor=actor, round_=round_, nomination=one, step=step, passed=one in chosen, basis=basis)
    return chosen


def _require_decider(
    session: Session, *, actor: Person, round_: Round, step: PipelineStep, workshop: Workshop | None
) -> bool:
    """Raise NotAllowed unless the actor decides at this level; return whether they write down what others decided."""
    if step.level == INSIDE:
        if workshop is None or workshop.organization_id != round_.organization_id:
            raise BadInput(field=say(_("工作坊")), problem=say(_("请指明工作坊")))
        if not leads(session, actor=actor, workshop_id=workshop.id):
            require_admin(session, actor=actor, organization_id=round_.organization_id)
        return False
    if step.level == SCHOOL:
        require_admin(session, actor=actor, organization_id=round_.organization_id)
        return False
    if _above(session, actor=actor, round_=round_):
        return False
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    return True


def _above(session: Session, *, actor: Person, round_: Round) -> bool:
    try:
        require_above(session, actor=actor, organization_id=round_.organization_id)
    except NotAllowed:
        return False
    return True


def known_of(
    session: Session, *, actor: Person, round_: Round, nominations: Sequence[Nomination]
) -> tuple[dict[int, Fraction], dict[int, list[WorkConsent]]]:
    """Return what the actor may know of works, by nomination's id: its votes or mean mark, and what its author agrees to.

    Running votes and marks are for who decides the level a work waits at, or administers the school, and need not keep
    away from its author: whoever judges does so without them. Consents are also the author's and their leader's.
    """
    levels = {one.id: one.level for one in round_scheme(session, round_=round_).pipeline}
    admin = has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN])
    above = _above(session, actor=actor, round_=round_)
    led = actor.workshop_id if leads(session, actor=actor, workshop_id=actor.workshop_id) else None
    away = conflicting_with(session, person_id=actor.id)

    def decides(one: Nomination) -> bool:
        level = levels.get(one.step or "")
        return admin or (one.workshop_id == led if level == INSIDE else above and level != SCHOOL)

    points = tallies(session, nominations=[one for one in nominations if one.author_id not in away and decides(one)])
    told = [one for one in nominations if admin or above or one.workshop_id == led or one.author_id == actor.id]
    given = consents_of(session, nominations=told)
    return points, {one.id: [about for about in WorkConsent if (one.id, about) in given] for one in told}


def _named(
    session: Session, actor: Person, named: Sequence[Nomination], waiting: Sequence[Nomination], most: int
) -> list[Nomination]:
    for one in named:
        if one not in waiting:
            raise NotRising(title=one.title)
    if len(named) > most:
        raise TooManyGoOn(most=most)
    if not conflicting_with(session, person_id=actor.id).isdisjoint(one.author_id for one in named):
        raise NotYourJudgement
    return list(named)


def _best(session: Session, waiting: Sequence[Nomination], step: PipelineStep, most: int) -> list[Nomination]:
    """Return those with most; who has no vote or mark stays, and a tie at the last place is not broken by us."""
    points: dict[Fraction, list[Nomination]] = defaultdict(list)
    for one in waiting:
        if voices(session, nomination=one, step=step):
            points[tally(session, nomination=one, step=step)].append(one)
    chosen: list[Nomination] = []
    for _number, equal in sorted(points.items(), reverse=True):
        if len(chosen) + len(equal) > most:
            if len(chosen) < most:
                raise Tied(titles=listed(one.title for one in equal))
            break
        chosen += equal
    return chosen


def _move(
    session: Session,
    *,
    actor: Person,
    round_: Round,
    nomination: Nomination,
    step: PipelineStep,
    passed: bool,
    basis: str,
) -> None:
    ids = [one.id for one in round_scheme(session, round_=round_).pipeline]
    after = ids[ids.index(step.id) + 1 :]
    points = shown(tally(session, nomination=nomination, step=step))
    session.add(
        NominationMove(
            nomination_id=nomination.id,
            step=step.id,
            passed=passed,
            basis=basis.strip() or f"{step.decide} {points}",
            by_id=actor.id,
            at=now(),
        )
    )
    nomination.step = after[0] if passed and after else None
    if not passed:
        nomination.state = NominationState.LEFT
    elif not after:
        nomination.state = NominationState.CHOSEN
    record(session, actor=actor, nomination=nomination, deed="nomination.advance", step=step.id, passed=passed)
