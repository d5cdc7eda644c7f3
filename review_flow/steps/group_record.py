"""One group's facts, gathered from the database into the record that `grade` takes for groups (docs/record.md)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, or_, select

from models import (
    ClassMember,
    Enrolment,
    Fact,
    Gathering,
    GroupFact,
    Hours,
    Nomination,
    Person,
    Result,
    Round,
    Workshop,
)
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.rules.lifecycle import EnrolmentState
from review_flow.rules.words import FactKind, GroupFactKind, GroupLevel, NominationKind, NominationState
from review_flow.steps.groups import COMPUTED, COUNTED, GATHERED, group_facts, quotas_at
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

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
    return group_records_of(session, groups=[group])[0]


def group_records_of(session: Session, *, groups: Sequence[Group]) -> list[Record]:
    """Return what `group_record_of` does for each: one group, or workshops of one round in no more questions."""
    return [_record(known, group) for known in [Known(session, groups)] for group in groups]


def _record(known: Known, group: Group) -> Record:
    scheme = round_scheme(known.session, round_=group.round)
    told: dict[GroupFactKind, list[GroupFact]] = defaultdict(list)
    for fact in known.facts(group):
        told[fact.kind].append(fact)
    record: Record = {
        "group": {"level": group.level.value, "name": group.name},
        "school_year": school_year(group.round),
        "as_of": now().isoformat(),
        "quota": _counts(known, group, scheme, told[GroupFactKind.COUNT]),
        "reasons": {fact.about: str(fact.details["reason"]) for fact in told[GroupFactKind.REASON]},
        "coverage": [_coverage(known, group, fact) for fact in told[GroupFactKind.COVERAGE]],
        "tasks": _tasks(told[GroupFactKind.TASK]),
    }
    if group.level is GroupLevel.SCHOOL:
        record["targets"] = _targets(known.session, group.round, scheme, told[GroupFactKind.TARGET])
    return record


def _counts(known: Known, group: Group, scheme: Scheme, told: Sequence[GroupFact]) -> Record:
    """Return how many there are of everything a quota of this level counts; a base nobody told of stays unknown."""
    quotas = quotas_at(scheme, group.level)
    found: Record = {}
    for quota in quotas:
        facts = [fact for fact in told if fact.about == quota.of]
        if quota.each_needs:
            found[quota.of] = _each(known, group, quota.of, quota.each_needs, facts)
        else:
            found[quota.of] = known.count(group, quota.of) if quota.of in COUNTED else _sum(facts)
    for base in (quota.share_of for quota in quotas if quota.share_of and quota.share_of not in found):
        facts = [fact for fact in told if fact.about == base]
        if base in COUNTED:
            found[base] = known.count(group, base)
        elif facts:
            found[base] = _sum(facts)
    return found


def _sum(facts: Sequence[GroupFact]) -> int:
    return sum(1 if fact.number is None else int(fact.number) for fact in facts)


def _each(
    known: Known, group: Group, about: str, needs: Sequence[str], facts: Sequence[GroupFact]
) -> list[dict[str, bool]]:
    """Return each thing with what it has to show: those told of, and the workshop's own meetings already held."""
    proofs = {fact.key: fact.details for fact in facts}
    keys = dict.fromkeys([*(f"{GATHERED}{one}" for one in known.held(group, about)), *proofs])
    return [{need: bool(proofs.get(key, {}).get(need)) for need in needs} for key in keys]


def _coverage(known: Known, group: Group, fact: GroupFact) -> Record:
    """Return how many of a theme's tasks the members took, each counted once (003-22)."""
    chosen = known.taken(group, fact.about)
    options = int(fact.number or 0)
    return {"theme": fact.about, "options": options, "chosen": min(options, len(chosen))}


class Known:
    """What the database knows of one group, or of workshops of one round: a question is asked once, for all of them."""

    def __init__(self, session: Session, groups: Sequence[Group]) -> None:
        self.session, self._groups = session, groups
        self._ids = [one.workshop.id for one in groups if one.workshop is not None]
        self._found: dict[object, dict[int | None, list[Any]]] = {}

    def facts(self, group: Group) -> list[GroupFact]:
        """Return what was told of the group and stands, in the order it was told."""
        if not self._ids:
            return group_facts(self.session, group=group)
        asked = select(GroupFact.workshop_id, GroupFact).where(
            GroupFact.struck_at.is_(None), GroupFact.round_id == group.round.id, GroupFact.level == group.level
        )
        return self._of(group, "facts", asked.order_by(GroupFact.id), GroupFact.workshop_id)

    def count(self, group: Group, name: str) -> int:
        """Return one of the counts the database knows."""
        asked, by = self._counted(group, name)
        if by is None or not self._ids:
            return self.session.scalar(asked.with_only_columns(func.count(), maintain_column_froms=True)) or 0
        grouped = asked.with_only_columns(by, func.count(), maintain_column_froms=True).group_by(by)
        return next(iter(self._of(group, name, grouped, by)), 0)

    def _counted(self, group: Group, name: str) -> tuple[Select[Any], Any]:
        """Return what is counted, and by which column it belongs to a workshop; None: it belongs to none."""
        put_forward = select(Nomination.id).where(
            Nomination.round_id == group.round.id, Nomination.state != NominationState.WITHDRAWN
        )  # and not taken back; how far it rose doesn't matter
        work = Nomination.kind == NominationKind.WORK
        of_class = ClassMember.class_id == (group.class_.id if group.class_ else None)
        asked: dict[str, tuple[Select[Any], Any]] = {
            "members": (_members(group.round), Person.workshop_id),
            "teachers": (_members(group.round), Person.workshop_id),
            "class_members": (select(ClassMember.id).where(of_class, ClassMember.left_at.is_(None)), None),
            "school_workshops": (
                select(Workshop.id).where(Workshop.organization_id == group.round.organization_id), None,
            ),
            "excellent_work": (put_forward.where(work), Nomination.workshop_id),
            "excellent_video": (put_forward.where(work, Nomination.video.is_(True)), Nomination.workshop_id),
            "recommended_learner": (
                put_forward.where(Nomination.kind == NominationKind.LEARNER), Nomination.workshop_id,
            ),
        }  # fmt: skip
        return asked[name]

    def held(self, group: Group, activity: str) -> list[int]:
        """Return the workshop's own meetings of a kind that were held, in order; of a class or school, those that are no workshop's."""
        asked = select(Gathering.workshop_id, Gathering.id).where(
            Gathering.round_id == group.round.id, Gathering.activity == activity, Gathering.held_at <= now()
        )
        return self._of(group, ("held", activity), asked.order_by(Gathering.id), Gathering.workshop_id)

    def taken(self, group: Group, theme: str) -> set[str]:
        """Return which of a theme's tasks the members took."""
        asked = (
            select(Person.workshop_id, Fact.details)
            .join(Enrolment, Enrolment.id == Fact.enrolment_id)
            .join(Person, Person.id == Enrolment.person_id)
            .where(Enrolment.round_id == group.round.id, Enrolment.state != EnrolmentState.EXEMPT)
            .where(Fact.kind == FactKind.THEME, Fact.about == theme, Fact.struck_at.is_(None))
        )
        told = (
            self._of(group, ("taken", theme), asked, Person.workshop_id)
            if self._ids
            else [details for _workshop, details in self.session.execute(asked)]
        )
        return {str(one["task"]) for one in told if "task" in one}

    def _of(self, group: Group, question: object, asked: Select[Any], by: Any) -> list[Any]:
        """Ask for rows of (workshop, value) of all groups, unless they are known, and return the group's."""
        if question not in self._found:
            found: dict[int | None, list[Any]] = defaultdict(list)
            for key, value in self.session.execute(asked.where(by.in_(self._ids) if self._ids else by.is_(None))):
                found[key].append(value)
            self._found[question] = found
        return self._found[question].get(group.workshop.id if group.workshop else None, [])


def _members(round_: Round) -> Select[tuple[int]]:
    """Return the enrolments of a round that are not exempt, with whose they are."""
    return (
        select(Enrolment.id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.round_id == round_.id, Enrolment.state != EnrolmentState.EXEMPT)
    )


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
