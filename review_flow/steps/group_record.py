"""One group's facts, gathered from the database into the record that `grade` takes for groups (docs/record.md)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, or_, select

from models import ClassMember, Enrolment, Fact, Gathering, Hours, Nomination, Person, Result, Round, Workshop
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.rules.lifecycle import EnrolmentState
from review_flow.rules.words import FactKind, GroupFactKind, GroupLevel, NominationKind, NominationState
from review_flow.steps.groups import COMPUTED, COUNTED, GATHERED, group_facts, quotas_at
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from models import GroupFact
    from review_flow.rules.scheme import Scheme
    from review_flow.steps.groups import Group

Record = dict[str, Any]
FIRST_MONTH = 8
"""A school year begins in its August at the earliest: a round that opens before belongs to the year begun before."""


def school_year(round_: Round) -> int:
    """Return the calendar year in which the round's school year began (X-50)."""
    opens = round_.opens_at.astimezone(SCHOOL_ZONE)
    return opens.year if opens.month >= FIRST_MONTH else opens.year - 1


def group_record_of(session: Session, *, group: Group) -> Record:
    """Return the group's record as of now: counts, reasons, coverage, tasks, and a school's targets."""
    scheme = round_scheme(session, round_=group.round)
    told: dict[GroupFactKind, list[GroupFact]] = defaultdict(list)
    for fact in group_facts(session, group=group):
        told[fact.kind].append(fact)
    record: Record = {
        "group": {"level": group.level.value, "name": group.name},
        "school_year": school_year(group.round),
        "as_of": now().isoformat(),
        "quota": _counts(session, group, scheme, told[GroupFactKind.COUNT]),
        "reasons": {fact.about: str(fact.details["reason"]) for fact in told[GroupFactKind.REASON]},
        "coverage": [_coverage(session, group, fact) for fact in told[GroupFactKind.COVERAGE]],
        "tasks": _tasks(told[GroupFactKind.TASK]),
    }
    if group.level is GroupLevel.SCHOOL:
        record["targets"] = _targets(session, group.round, scheme, told[GroupFactKind.TARGET])
    return record


def _counts(session: Session, group: Group, scheme: Scheme, told: Sequence[GroupFact]) -> Record:
    """Return how many there are of everything a quota of this level counts; a base nobody told of stays unknown."""
    quotas = quotas_at(scheme, group.level)
    found: Record = {}
    for quota in quotas:
        facts = [fact for fact in told if fact.about == quota.of]
        if quota.each_needs:
            found[quota.of] = _each(session, group, quota.of, quota.each_needs, facts)
        else:
            found[quota.of] = _known(session, group, quota.of) if quota.of in COUNTED else _sum(facts)
    for base in (quota.share_of for quota in quotas if quota.share_of and quota.share_of not in found):
        facts = [fact for fact in told if fact.about == base]
        if base in COUNTED:
            found[base] = _known(session, group, base)
        elif facts:
            found[base] = _sum(facts)
    return found


def _sum(facts: Sequence[GroupFact]) -> int:
    return sum(1 if fact.number is None else int(fact.number) for fact in facts)


def _each(
    session: Session, group: Group, about: str, needs: Sequence[str], facts: Sequence[GroupFact]
) -> list[dict[str, bool]]:
    """Return each thing with what it has to show: those told of, and the workshop's own meetings already held."""
    proofs = {fact.key: fact.details for fact in facts}
    held = session.scalars(
        select(Gathering.id)
        .where(
            Gathering.round_id == group.round.id,
            Gathering.activity == about,
            Gathering.workshop_id == (group.workshop.id if group.workshop else None),
            Gathering.held_at <= now(),
        )
        .order_by(Gathering.id)
    )
    keys = dict.fromkeys([*(f"{GATHERED}{one}" for one in held), *proofs])
    return [{need: bool(proofs.get(key, {}).get(need)) for need in needs} for key in keys]


def members(group: Group) -> Select[tuple[int]]:
    """Return the ids of the enrolments that are the group's: in the round, and not exempt."""
    found = (
        select(Enrolment.id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.round_id == group.round.id, Enrolment.state != EnrolmentState.EXEMPT)
    )
    return found if group.workshop is None else found.where(Person.workshop_id == group.workshop.id)


def _known(session: Session, group: Group, name: str) -> int:
    """Return one of the counts the database knows."""
    asked: dict[str, Select[Any]] = {
        "members": select(func.count()).select_from(members(group).subquery()),
        "teachers": select(func.count()).select_from(members(group).subquery()),
        "class_members": select(func.count())
        .select_from(ClassMember)
        .where(ClassMember.class_id == (group.class_.id if group.class_ else None), ClassMember.left_at.is_(None)),
        "school_workshops": select(func.count())
        .select_from(Workshop)
        .where(Workshop.organization_id == group.round.organization_id),
        "excellent_work": nominated(group, Nomination.kind == NominationKind.WORK),
        "excellent_video": nominated(group, Nomination.kind == NominationKind.WORK, Nomination.video.is_(True)),
        "recommended_learner": nominated(group, Nomination.kind == NominationKind.LEARNER),
    }
    return int(session.scalar(asked[name]) or 0)


def nominated(group: Group, *wanted: ColumnElement[bool]) -> Select[tuple[int]]:
    """Return the count of what the group put forward and did not take back; how far it rose doesn't matter (X-52)."""
    found = (
        select(func.count())
        .select_from(Nomination)
        .where(Nomination.round_id == group.round.id, Nomination.state != NominationState.WITHDRAWN, *wanted)
    )
    return found if group.workshop is None else found.where(Nomination.workshop_id == group.workshop.id)


def _coverage(session: Session, group: Group, fact: GroupFact) -> Record:
    """Return how many of a theme's tasks the members took, each counted once (003-22)."""
    taken = session.scalars(
        select(Fact).where(
            Fact.enrolment_id.in_(members(group)),
            Fact.kind == FactKind.THEME,
            Fact.about == fact.about,
            Fact.struck_at.is_(None),
        )
    )
    options = int(fact.number or 0)
    chosen = {str(one.details["task"]) for one in taken if "task" in one.details}
    return {"theme": fact.about, "options": options, "chosen": min(options, len(chosen))}


def _tasks(told: Sequence[GroupFact]) -> dict[str, str]:
    """Return when each task was done; told of twice, the first time counts."""
    found: dict[str, str] = {}
    for fact in sorted(told, key=_when):
        found.setdefault(fact.about, _when(fact))
    return found


def _when(fact: GroupFact) -> str:
    assert fact.happened_at is not None  # the database holds it for a task
    return fact.happened_at.isoformat()


def _targets(session: Session, round_: Round, scheme: Scheme, told: Sequence[GroupFact]) -> Record:
    known = {one.id for one in scheme.targets}
    found: Record = {name: SHARES[name](session, round_, scheme) for name in sorted(known & COMPUTED)}
    for fact in told:
        have = {} if fact.number is None else {"have": str(fact.number)}
        found[fact.about] = {**have, **fact.details}
    return found


def _taking_part(round_: Round) -> Select[tuple[int]]:
    """Return the enrolments that count for rates: who may stay away and does is in neither part (X-54)."""
    return select(Enrolment.id).where(Enrolment.round_id == round_.id, Enrolment.state != EnrolmentState.EXEMPT)


def _share(session: Session, round_: Round, *done: ColumnElement[bool]) -> Record:
    everybody = _taking_part(round_)
    of, have = (
        session.scalar(select(func.count()).select_from(one.subquery())) for one in (everybody, everybody.where(*done))
    )
    return {"have": str(have), "of": str(of)}


def _appraised(session: Session, round_: Round, _scheme: Scheme) -> Record:
    """Who has a standing result (001-B-06)."""
    return _share(session, round_, exists().where(Result.enrolment_id == Enrolment.id, Result.current))


def _trained(session: Session, round_: Round, scheme: Scheme) -> Record:
    """Who has the hours of every ledger that asks for some, confirmed where that is wanted (001-B-06, 003-04)."""
    wanted: list[ColumnElement[bool]] = []
    for ledger in scheme.hours.ledgers:
        counts = [] if ledger.confirmed_by is None else [Hours.confirmed_at.is_not(None)]
        total = (
            select(func.coalesce(func.sum(Hours.hours), 0))
            .where(Hours.enrolment_id == Enrolment.id, Hours.ledger == ledger.id, Hours.struck_at.is_(None), *counts)
            .scalar_subquery()
        )
        wanted.append(total >= (ledger.min or Decimal(0)))
    return _share(session, round_, *wanted)


def _participating(session: Session, round_: Round, _scheme: Scheme) -> Record:
    """Who began: read the plan, has hours, or something told of them (004-12)."""
    began = or_(
        Enrolment.acknowledged_at.is_not(None),
        exists().where(Hours.enrolment_id == Enrolment.id, Hours.struck_at.is_(None)),
        exists().where(Fact.enrolment_id == Enrolment.id, Fact.struck_at.is_(None)),
    )
    return _share(session, round_, began)


SHARES: dict[str, Callable[[Session, Round, Scheme], Record]] = {
    "appraisal_all": _appraised,
    "training_all": _trained,
    "trained": _trained,
    "participation": _participating,
}
