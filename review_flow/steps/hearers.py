"""Whether an appeal has hearers enough: who had no part in the result, and one more where they differ (T21, X-44)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, func, select, union

from models import (
    Appeal,
    AppealVote,
    Assignment,
    Enrolment,
    GroupResult,
    Message,
    PanelMark,
    PanelSeat,
    Person,
    Result,
    Role,
    Submission,
    ValidityVote,
    Workshop,
)
from review_flow.clock import shown
from review_flow.i18n import _, say
from review_flow.rules.words import AppealState, AssignmentState, RoleKind, SeatKind
from review_flow.steps.deadlines import first_time
from review_flow.steps.messages import tell, tell_admins
from review_flow.steps.owners import appeals_of
from review_flow.steps.people import conflicts_of
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from sqlalchemy import CompoundSelect, Select
    from sqlalchemy.orm import Session

    from models import Round
    from review_flow.rules.scheme import Scheme

FILED = "appeal.filed"
CALLED = _("有一份申诉待复核，请在{due}前提出意见；参与过评分或有关联的请回避。")
ROUND, IDS = bindparam("round", type_=BigInteger), bindparam("ids", expanding=True, type_=BigInteger)


def too_few_hearers(session: Session, *, round_: Round, scheme: Scheme) -> list[str]:
    """Return, in Chinese, that appeals may go undecided: two who differ and no third, or hearers who mark as well."""
    rules = scheme.result.appeal
    if not rules.allowed:
        return []
    rows = session.execute(_panel(), {"round": round_.id}).tuples().all()
    hearers = {person_id for person_id, kind in rows if kind is SeatKind.APPEAL}
    marking = (
        {person_id for person_id, kind in rows if kind is not SeatKind.APPEAL} if rules.outside_first_panel else set()
    )
    least, left, aside = rules.reviewers_min + 1, len(hearers - marking), len(hearers & marking)
    if left >= least:
        return []
    sentence = (
        _(
            "申诉复核人中有{aside}人兼任考核组成员或仲裁人，评过分的不能复核，其余只有{left}人；"
            "{enough}人意见一致才能决定，意见不一时还要一人，请再增加{lack}名不评分的申诉复核人"
        )
        if aside
        else _("申诉复核人只有{left}人；{enough}人意见一致才能决定，意见不一时还要一人，请再增加{lack}名申诉复核人")
    )
    return [say(sentence, aside=aside, left=left, enough=rules.reviewers_min, lack=least - left)]


@cache
def _panel() -> Select[tuple[int, SeatKind]]:
    return (
        select(PanelSeat.person_id, PanelSeat.kind)
        .join(Person, Person.id == PanelSeat.person_id)
        .where(PanelSeat.round_id == ROUND, PanelSeat.kind != SeatKind.RESERVE, Person.active)
    )


@dataclass(frozen=True, slots=True)
class Undecided:
    """An appeal without a decision: whose, what was said so far, who may still hear it, how many more it lacks."""

    id: int
    name: str
    filed_at: datetime
    due_at: datetime
    upheld: int
    dismissed: int
    free: tuple[int, ...]
    missing: int

    @property
    def text(self) -> str:
        """What is missing and what to do, in Chinese; without a shortage, that it waits."""
        if not self.missing:
            return say(_("申诉{id}没有复核"), id=self.id)
        sentence = (
            _("申诉{id}：{count}位复核人意见不一，还缺{missing}名申诉复核人，请增加席位")
            if self.upheld and self.dismissed
            else _("申诉{id}缺{missing}名申诉复核人，请增加席位")
        )
        return say(sentence, id=self.id, count=self.upheld + self.dismissed, missing=self.missing)


def undecided(session: Session, *, round_: Round) -> list[Undecided]:
    """Return the appeals of a round that are not decided, those that lack hearers first; in a handful of questions."""
    rows = session.execute(_filed(), {"round": round_.id}).all()
    if not rows:
        return []
    rules = round_scheme(session, round_=round_).result.appeal
    asked = {"round": round_.id, "ids": [row.id for row in rows]}
    votes: defaultdict[int, dict[int, bool]] = defaultdict(dict)
    for appeal_id, voter_id, uphold in session.execute(_votes(), asked):
        votes[appeal_id][voter_id] = uphold
    away = _away(session, round_=round_, rows=rows, outside=rules.outside_first_panel)
    seats = session.execute(_seats(), asked).tuples().all()
    found = []
    for row in rows:
        said = votes[row.id]
        free = tuple(
            one
            for one, workshop_id in seats
            if one not in said
            and one not in away[row.id]
            and (row.workshop_id is None or workshop_id != row.workshop_id)
        )
        upheld = sum(said.values())
        dismissed = len(said) - upheld
        lacks = max(0, rules.reviewers_min - max(upheld, dismissed) - len(free))
        found.append(Undecided(row.id, row.name, row.filed_at, row.due_at, upheld, dismissed, free, lacks))
    return sorted(found, key=lambda one: (not one.missing, one.due_at, one.id))


def _away(session: Session, *, round_: Round, rows: Any, outside: bool) -> dict[int, set[int]]:
    """Return who may not hear each appeal, votes apart: whose it is, who stands in conflict, who had a part in it."""
    judges: defaultdict[int, set[int]] = defaultdict(set)
    enrolments = [row.enrolment_id for row in rows if row.enrolment_id is not None]
    if outside and enrolments:
        for enrolment_id, person_id in session.execute(_judges(), {"ids": enrolments}):
            judges[enrolment_id].add(person_id)
    leaders: defaultdict[int, set[int]] = defaultdict(set)
    workshops = [row.workshop_id for row in rows if row.workshop_id is not None]
    if workshops:
        for workshop_id, person_id in session.execute(_leaders(), {"ids": workshops}):
            leaders[workshop_id].add(person_id)
    close: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in conflicts_of(session, organization_id=round_.organization_id):
        close[one].add(other)
    away = {}
    for row in rows:
        whose = {row.person_id} if row.workshop_id is None else leaders[row.workshop_id]
        parts = judges[row.enrolment_id] | ({row.confirmed_by_id, row.composed_by_id} if outside else set())
        away[row.id] = whose.union(parts, *(close[one] for one in whose))
    return away


@cache
def _filed() -> Select[Any]:
    return (
        appeals_of(ROUND)
        .outerjoin(Person, Person.id == Enrolment.person_id)
        .outerjoin(Workshop, Workshop.id == GroupResult.workshop_id)
        .where(Appeal.state == AppealState.FILED)
        .with_only_columns(
            Appeal.id,
            Appeal.filed_at,
            Appeal.due_at,
            Result.enrolment_id,
            Enrolment.person_id,
            func.coalesce(Person.name, Workshop.name).label("name"),
            GroupResult.workshop_id,
            GroupResult.confirmed_by_id,
            GroupResult.composed_by_id,
            maintain_column_froms=True,
        )
    )


@cache
def _votes() -> Select[tuple[int, int, bool]]:
    return select(AppealVote.appeal_id, AppealVote.voter_id, AppealVote.uphold).where(AppealVote.appeal_id.in_(IDS))


@cache
def _seats() -> Select[tuple[int, int | None]]:
    return (
        select(PanelSeat.person_id, Person.workshop_id)
        .join(Person, Person.id == PanelSeat.person_id)
        .where(PanelSeat.round_id == ROUND, PanelSeat.kind == SeatKind.APPEAL, Person.active)
        .order_by(PanelSeat.id)
    )


@cache
def _judges() -> CompoundSelect[tuple[int, int | None]]:
    """Select of who had a part in the results of the enrolments `ids`: as panel, peer, on validity, as confirmer."""
    whose = Submission.enrolment_id
    marked = select(whose, PanelMark.marker_id).join(PanelMark, PanelMark.submission_id == Submission.id)
    reviewed = select(whose, Assignment.reviewer_id).join(Assignment, Assignment.submission_id == Submission.id)
    voted = select(whose, ValidityVote.voter_id).join(ValidityVote, ValidityVote.submission_id == Submission.id)
    return union(
        marked.where(whose.in_(IDS), PanelMark.mark.is_not(None)),
        reviewed.where(whose.in_(IDS), Assignment.state == AssignmentState.DONE),
        voted.where(whose.in_(IDS)),
        select(Result.enrolment_id, Result.confirmed_by_id).where(Result.enrolment_id.in_(IDS)),
    )


@cache
def _leaders() -> Select[Any]:
    return (
        select(Person.workshop_id, Person.id)
        .join(Role, Role.person_id == Person.id)
        .where(Person.workshop_id.in_(IDS), Role.kind == RoleKind.WORKSHOP_LEADER, Person.active)
    )


def pursue_appeals(session: Session, *, round_: Round) -> None:
    """Tell the administrator, once, of an appeal that lacks hearers; call who was seated since it was filed."""
    waiting = undecided(session, round_=round_)
    told = select(Message.person_id, func.max(Message.created_at))
    told = told.where(Message.round_id == round_.id, Message.kind == FILED).group_by(Message.person_id)
    last = dict(session.execute(told).tuples().all()) if waiting else {}
    for one in waiting:
        for person_id in one.free:
            if person_id not in last or last[person_id] < one.filed_at:
                call(session, person_id=person_id, round_=round_, due_at=one.due_at)
        if one.missing and first_time(session, round_=round_, key=f"appeal-short:{one.id}"):
            tell_admins(session, round_=round_, kind="panel.short", sentence=one.text + say(_("。")))


def call(session: Session, *, person_id: int, round_: Round, due_at: datetime) -> None:
    """Ask somebody to hear an appeal."""
    tell(session, person_id=person_id, round_id=round_.id, kind=FILED, sentence=CALLED, due=shown(due_at))


@dataclass(frozen=True, slots=True)
class Heard:
    """An appeal of which somebody has said what they find, and that waits for others."""

    reason: str
    due_at: datetime
    count: int
    differ: bool

    @property
    def text(self) -> str:
        """What it waits for, in Chinese."""
        if self.differ:
            return say(_("您已提交意见；{count}位复核人意见不一，等下一位复核人"), count=self.count)
        return say(_("您已提交意见，等其他复核人"))


def heard_by(session: Session, *, person: Person, round_: Round) -> list[Heard]:
    """Return the undecided appeals of a round of which a hearer has said what they find."""
    rows = session.execute(_heard(), {"round": round_.id, "person": person.id})
    return [Heard(reason, due_at, count, 0 < upheld < count) for reason, due_at, count, upheld in rows]


@cache
def _heard() -> Select[tuple[str, datetime, int, int]]:
    """Select of what `heard_by` tells: the votes of those appeals counted, and of them the ones that uphold."""
    own = select(AppealVote.appeal_id).where(AppealVote.voter_id == bindparam("person", type_=BigInteger))
    return (
        appeals_of(ROUND)
        .join(AppealVote, AppealVote.appeal_id == Appeal.id)
        .where(Appeal.state == AppealState.FILED, Appeal.id.in_(own))
        .group_by(Appeal.id)
        .with_only_columns(
            Appeal.reason,
            Appeal.due_at,
            func.count(),
            func.count().filter(AppealVote.uphold),
            maintain_column_froms=True,
        )
    )
