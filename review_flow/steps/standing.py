"""Where a round stands: how many of what are in which state, who is waited for, and why. Reads, changes nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, func, select

from models import (
    Adjustment,
    Appeal,
    Assignment,
    Enrolment,
    Evidence,
    Fact,
    GroupResult,
    PanelMark,
    Person,
    Result,
    Round,
    Submission,
)
from review_flow.clock import now
from review_flow.db import counted, first_of
from review_flow.i18n import _, clauses, listed, say
from review_flow.rules.duty import remaining
from review_flow.rules.grading import gates_at, grade
from review_flow.rules.lifecycle import EnrolmentState, ResultState, RoundPhase, State, SubmissionState
from review_flow.rules.quotas import judges_groups
from review_flow.rules.scheme import DELIVERABLES
from review_flow.rules.voices import SELF
from review_flow.rules.words import UNDONE, AdjustmentState, EvidenceState, FactKind, SeatKind
from review_flow.steps.appeals import why_not_hear
from review_flow.steps.approvals import ends_at, links_before_peers, waiting
from review_flow.steps.duty import duty
from review_flow.steps.evidence import missing
from review_flow.steps.facts import record_of
from review_flow.steps.hearers import undecided
from review_flow.steps.judges import short_of
from review_flow.steps.owners import owners, standing_results, steps_aside
from review_flow.steps.panel import asked_of
from review_flow.steps.people import SEAT_NAMES, conflicts, has_seat
from review_flow.steps.programme import banded
from review_flow.steps.results import to_be_graded
from review_flow.steps.reviews import participants
from review_flow.steps.rounds import obstacles, round_scheme
from review_flow.steps.validity import to_judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import BindParameter, Select
    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that has not happened yet: who it waits for (a person, or a group by its name), why, until when."""

    who: str
    why: str
    person: Person | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Agenda:
    """What a person may do on a round's panel now."""

    marks: list[Submission]
    validity: list[Submission]
    adjustments: list[Adjustment]
    results: list[Result]
    appeals: list[Appeal]
    workshops: list[GroupResult] = field(default_factory=list)


def counts(session: Session, *, round_: Round) -> dict[str, dict[State, int]]:
    """Return how many enrolments, submissions and standing results are in each state, in the order of the states."""
    of_round = select(Enrolment.id).where(Enrolment.round_id == round_.id)
    found: dict[str, dict[State, int]] = {}
    asked: tuple[tuple[str, type[State], Any, Any], ...] = (
        ("enrolments", EnrolmentState, Enrolment.state, Enrolment.round_id == round_.id),
        ("submissions", SubmissionState, Submission.state, Submission.round_id == round_.id),
        ("results", ResultState, Result.state, Result.enrolment_id.in_(of_round) & Result.current),
    )
    for name, states, state, where in asked:
        rows = dict(session.execute(select(state, func.count()).where(where).group_by(state)).tuples().all())
        found[name] = {one: rows[one] for one in states if one in rows}
    return found


def waits(session: Session, *, round_: Round) -> list[Wait]:
    """Return everything the round waits for, the teachers' part first; before it opens, what stands in its way."""
    if round_.phase is RoundPhase.SETUP:
        return [Wait(say(_("校级管理员")), why) for why in obstacles(session, round_=round_)]
    return [
        *_teachers(session, round_=round_),
        *_reviewers(session, round_=round_),
        *_markers(session, round_=round_),
        *_judges(session, round_=round_),
        *_approvals(session, round_=round_),
        *_contested(session, round_=round_),
        *_results(session, round_=round_),
    ]


def waits_for(session: Session, *, person: Person, round_: Round) -> list[Wait]:
    """Return what the round waits for from one person."""
    return [one for one in waits(session, round_=round_) if one.person is not None and one.person.id == person.id]


EARLY = {
    EnrolmentState.REGISTERED: _("还没有阅读方案"),
    EnrolmentState.INFORMED: _("还没有完成自测"),
    EnrolmentState.SELF_TESTED: _("还没有选择微能力"),
}


def _teachers(session: Session, *, round_: Round) -> Iterator[Wait]:
    scheme = round_scheme(session, round_=round_)
    works: dict[int, list[Submission]] = defaultdict(list)
    for work in session.scalars(select(Submission).where(Submission.round_id == round_.id).order_by(Submission.id)):
        works[work.enrolment_id].append(work)
    files: dict[int, list[Evidence]] = defaultdict(list)
    for file in session.scalars(
        select(Evidence)
        .join(Submission, Submission.id == Evidence.submission_id)
        .where(Submission.round_id == round_.id, Evidence.state != EvidenceState.SUPERSEDED)
        .order_by(Evidence.id)
    ):
        files[file.submission_id].append(file)
    silent = _without_self_mark(session, scheme, round_)
    for enrolment in participants(session, round_=round_):
        person = session.get_one(Person, enrolment.person_id)
        if enrolment.id in silent:
            yield Wait(person.name, say(_("还没有自评")), person)
        if round_.phase is RoundPhase.OPEN and _is_early(scheme, enrolment):
            yield Wait(person.name, say(EARLY[enrolment.state]), person, _due_at(round_))
        if round_.phase is RoundPhase.OPEN and scheme.components:
            yield from _programme(session, scheme, round_, enrolment, person)
        for work in works[enrolment.id]:
            yield from _work(session, scheme, round_, enrolment, person, work, files[work.id])


def _due_at(round_: Round) -> datetime:
    """Return the day that is next for who hands in, as their own page says it: due, and once that is over the close."""
    return round_.submit_due_at if now() <= round_.submit_due_at else round_.hard_close_at


def _without_self_mark(session: Session, scheme: Scheme, round_: Round) -> set[int]:
    """Return the enrolments whose own mark counts and is not given yet (002-1-07)."""
    if not scheme.compose.sources.get(SELF) or round_.phase not in {RoundPhase.OPEN, RoundPhase.SCORING}:
        return set()
    gave = select(Fact.enrolment_id).where(Fact.kind == FactKind.VOICE, Fact.about == SELF, Fact.struck_at.is_(None))
    asked = select(Enrolment.id).where(Enrolment.round_id == round_.id, Enrolment.id.not_in(gave))
    return set(session.scalars(asked)) - banded(session, round_=round_)


def _is_early(scheme: Scheme, enrolment: Enrolment) -> bool:
    """Whether the plan is not read, the self-test not done, or abilities not chosen where the scheme wants some."""
    chooses = scheme.teacher_selection(enrolment.tier).min > 0
    return enrolment.state in EARLY and (chooses or enrolment.state is not EnrolmentState.SELF_TESTED)


def _programme(session: Session, scheme: Scheme, round_: Round, enrolment: Enrolment, person: Person) -> Iterator[Wait]:
    """Say which parts of the programme are not done yet, in one line."""
    if not any(leaf.scoring is None or leaf.scoring.type != "checklist" for leaf in scheme.leaves() if leaf.scored):
        return
    outcome = grade(scheme, record_of(session, enrolment=enrolment, weighed=False))
    left = [
        node for root in outcome.components for node in (root.parts or (root,)) if node.asked and node.done is not True
    ]
    if left:
        names = listed(node.name_zh for node in left)
        yield Wait(person.name, say(_("尚未完成：{names}"), names=names), person, _due_at(round_))


def _work(
    session: Session,
    scheme: Scheme,
    round_: Round,
    enrolment: Enrolment,
    person: Person,
    work: Submission,
    files: list[Evidence],
) -> Iterator[Wait]:
    """Say what one work waits for; names and ids, so that somebody can see to it."""
    what = say(_("{ability}（成果{id}）"), ability=work.ability, id=work.id)
    match work.state:
        case SubmissionState.DRAFT if work.ability == DELIVERABLES:
            return  # counted file by file: what lacks is said of the programme
        case SubmissionState.DRAFT:
            problems = missing(scheme, submission=work, evidence=files)
            why = say(_("还不能封存：{problems}"), problems=clauses(problems)) if problems else say(_("还没有封存"))
            yield Wait(person.name, f"{what}{why}", person, _due_at(round_))
        case SubmissionState.CORRECTING:
            yield Wait(person.name, say(_("{what}待补正"), what=what), person, work.correction_due_at)
        case SubmissionState.SEALED:
            why = _before_submitting(session, scheme, enrolment, work)
            yield Wait(person.name, f"{what}{why}", person, _due_at(round_))
        case SubmissionState.SUBMITTED if any(file.state is EvidenceState.WAITING for file in files):
            yield Wait(say(_("后台流程")), say(_("{what}的证据等待自动检查"), what=what))
        case SubmissionState.SUBMITTED:
            yield Wait(say(SEAT_NAMES[SeatKind.MEMBER]), say(_("{what}等待有效性认定"), what=what))


def _before_submitting(session: Session, scheme: Scheme, enrolment: Enrolment, work: Submission) -> str:
    owed, done = duty(session, submission=work)
    left = remaining(owed, given=done)
    if left:
        return say(_("已封存，还差{left}次互评才能提交"), left=left)
    gates = gates_at(scheme, record_of(session, enrolment=enrolment, weighed=False), when="submit")
    closed = [gate.text for gate in gates if gate.passed is False]
    if closed:
        return say(_("已封存，还不能提交：{problems}"), problems=clauses(closed))
    return say(_("已封存，可以提交了"))


def _reviewers(session: Session, *, round_: Round) -> Iterator[Wait]:
    rows = session.execute(
        select(Person, func.count(), func.min(Assignment.lease_until))
        .join(Assignment, Assignment.reviewer_id == Person.id)
        .where(Assignment.round_id == round_.id, Assignment.state.in_(UNDONE))
        .group_by(*Person.__table__.columns)
        .order_by(Person.number)
    )
    for person, count, until in rows:
        yield Wait(person.name, say(_("{count}份互评没有完成"), count=count), person, until)


def _markers(session: Session, *, round_: Round) -> Iterator[Wait]:
    rows = session.execute(
        select(Person, func.count(), func.min(PanelMark.due_at))
        .join(PanelMark, PanelMark.marker_id == Person.id)
        .join(Submission, Submission.id == PanelMark.submission_id)
        .where(Submission.round_id == round_.id, PanelMark.mark.is_(None), PanelMark.released_at.is_(None))
        .group_by(*Person.__table__.columns)
        .order_by(Person.number)
    )
    for person, count, until in rows:
        yield Wait(person.name, say(_("{count}份成果没有评分"), count=count), person, until)


def _judges(session: Session, *, round_: Round) -> Iterator[Wait]:
    short, _count = short_of(session, round_=round_, scheme=round_scheme(session, round_=round_))
    for one in short:
        yield Wait(say(_("校级管理员")), one.text)


def _approvals(session: Session, *, round_: Round) -> Iterator[Wait]:
    scheme = round_scheme(session, round_=round_)
    links = links_before_peers(scheme)
    works = waiting(session, round_=round_, scheme=scheme) if links else []
    if works:
        until = min(filter(None, (ends_at(scheme, one) for one in works)), default=None)
        why = say(_("{count}份成果没有{links}，还不能互评"), count=len(works), links=listed(links))
        yield Wait(say(_("校级管理员")), why, until=until)


def _contested(session: Session, *, round_: Round) -> Iterator[Wait]:
    for one in session.scalars(_contested_in(round_.id)):
        yield Wait(say(SEAT_NAMES[SeatKind.MEMBER]), say(_("扣分记录{id}的异议没有处理"), id=one.id))


def _contested_in(round_id: int | BindParameter[int]) -> Select[tuple[Adjustment]]:
    return (
        select(Adjustment)
        .join(Enrolment, Enrolment.id == Adjustment.enrolment_id)
        .where(Enrolment.round_id == round_id, Adjustment.state == AdjustmentState.CONTESTED)
        .order_by(Adjustment.id)
    )


def _results(session: Session, *, round_: Round) -> Iterator[Wait]:
    standing = standing_results(session, round_=round_)
    composed = sum(one.state is ResultState.COMPOSED for one in standing)
    if composed:
        yield Wait(say(SEAT_NAMES[SeatKind.MEMBER]), say(_("{count}份结果没有定等"), count=composed))
    elif standing and round_.phase is RoundPhase.SCORING and len(standing) == to_be_graded(session, round_=round_):
        yield Wait(say(_("校级管理员")), say(_("结果已全部定等，可以公示")))
    for one in standing:
        for person_id in owners(session, result=one) if one.state is ResultState.TO_SIGN else ():
            person = session.get_one(Person, person_id)
            yield Wait(person.name, say(_("还没有签收结果")), person, round_.sign_due_at)
    for appeal in undecided(session, round_=round_):
        who = _("校级管理员") if appeal.missing else SEAT_NAMES[SeatKind.APPEAL]
        yield Wait(say(who), appeal.text, until=appeal.due_at)


def agenda(session: Session, *, person: Person, round_: Round) -> Agenda:
    """Return what waits for this person on the round's panel; empty lists for somebody without a seat."""
    member = has_seat(session, person_id=person.id, round_id=round_.id, kinds=[SeatKind.MEMBER])
    asked = {"person": person.id, "round": round_.id}
    return Agenda(
        marks=asked_of(session, person=person, round_=round_),
        validity=to_judge(session, person=person, round_=round_),
        adjustments=to_decide(session, person=person, round_=round_),
        results=list(session.scalars(_confirmable(Result).order_by(Enrolment.id), asked)) if member else [],
        appeals=to_hear(session, person=person, round_=round_),
        workshops=workshops_to_confirm(session, person=person, round_=round_) if member else [],
    )


def workshops_to_confirm(session: Session, *, person: Person, round_: Round) -> list[GroupResult]:
    """Return the workshops' results without a confirmed grade, but those the person steps aside from."""
    if not judges_groups(round_scheme(session, round_=round_)):
        return []
    composed = select(GroupResult).where(
        GroupResult.round_id == round_.id, GroupResult.current, GroupResult.state == ResultState.COMPOSED
    )
    aside = steps_aside(session, person=person).workshops
    found = session.scalars(composed.order_by(GroupResult.id))
    return [one for one in found if one.workshop_id not in aside]


def to_decide(session: Session, *, person: Person, round_: Round) -> list[Adjustment]:
    """Return the contested records for a member to decide: neither about them nor recorded by them."""
    if not has_seat(session, person_id=person.id, round_id=round_.id, kinds=[SeatKind.MEMBER]):
        return []
    return list(session.scalars(_to_decide(), {"person": person.id, "round": round_.id}))


def first_to_decide(session: Session, *, person: Person, round_: Round, most: int) -> tuple[list[Adjustment], int]:
    """Return the first `most` of `to_decide`, and how many there are."""
    if not has_seat(session, person_id=person.id, round_id=round_.id, kinds=[SeatKind.MEMBER]):
        return [], 0
    return first_of(session, _first_to_decide(), {"person": person.id, "round": round_.id, "most": most})


def may_decide(session: Session, *, person: Person, round_: Round, adjustment: Adjustment) -> bool:
    """Whether a record is one of `to_decide`."""
    seated = has_seat(session, person_id=person.id, round_id=round_.id, kinds=[SeatKind.MEMBER])
    asked = _to_decide().where(Adjustment.id == adjustment.id)
    return seated and session.scalars(asked, {"person": person.id, "round": round_.id}).first() is not None


@cache
def _first_to_decide() -> Select[tuple[Adjustment, int]]:
    return counted(_to_decide())


@cache
def _to_decide() -> Select[tuple[Adjustment]]:
    """Select of the contested records of a `round` that are neither about a `person` nor recorded by them."""
    person = bindparam("person", type_=BigInteger)
    others = Enrolment.person_id != person, func.coalesce(Adjustment.recorded_by_id, 0) != person
    return _contested_in(bindparam("round", type_=BigInteger)).where(*others)


def count_to_confirm(session: Session, *, person: Person, round_: Round) -> int:
    """Return how many results wait for a grade that this person may confirm as a member."""
    return session.scalar(_to_confirm(), {"person": person.id, "round": round_.id}) or 0


@cache
def _to_confirm() -> Select[tuple[int]]:
    return _confirmable(func.count(Result.id))


def _confirmable(what: Any) -> Select[Any]:
    """Select of a `round`'s results without a confirmed grade, but those of whom a `person` has to keep away from."""
    person = bindparam("person", type_=BigInteger)
    return (
        select(what)
        .select_from(Result)
        .join(Enrolment, Enrolment.id == Result.enrolment_id)
        .where(
            Enrolment.round_id == bindparam("round"),
            Result.current,
            Result.state == ResultState.COMPOSED,
            Enrolment.person_id != person,
            Enrolment.person_id.not_in(conflicts(person)),
        )
    )


def to_hear(session: Session, *, person: Person, round_: Round) -> list[Appeal]:
    """Return the appeals that wait for a hearer who had no part in the result."""
    return first_to_hear(session, person=person, round_=round_)[0]


def first_to_hear(
    session: Session, *, person: Person, round_: Round, most: int | None = None
) -> tuple[list[Appeal], int]:
    """Return the first `most` of `to_hear`, and how many there are."""
    ids = _to_hear(session, person, round_)
    found = session.scalars(select(Appeal).where(Appeal.id.in_(ids[:most])).order_by(Appeal.id)) if ids else ()
    return list(found), len(ids)


def may_hear(session: Session, *, person: Person, round_: Round, appeal: Appeal) -> bool:
    """Whether an appeal is one of `to_hear`."""
    return bool(_to_hear(session, person, round_, appeal))


def _to_hear(session: Session, person: Person, round_: Round, appeal: Appeal | None = None) -> list[int]:
    if not has_seat(session, person_id=person.id, round_id=round_.id, kinds=[SeatKind.APPEAL]):
        return []
    why = why_not_hear(session, actor=person, round_=round_, appeal=appeal)
    return [key for key, why_not in why.items() if why_not is None]
