"""Workshops, classes and the school as groups: what they owe, and what is told of them by who looks after them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import Field
from sqlalchemy.orm import Session

from models import GroupFact, Person, Round, TrainingClass, Workshop
from review_flow.clock import now
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _, say
from review_flow.rules.words import GroupFactKind, GroupLevel
from review_flow.steps import boards, groups
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api.access import Reader, Teacher
from review_flow.web.api.pages import Asked, numbered_part
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Code, Exact, In, Moment, Out, Page, Prose, ToldOut, Whole
from review_flow.web.api.teaching import ReasonIn

routes = router("groups")
Id = Annotated[int | None, Query(ge=1, lt=2**63)]


class DutyOut(Out):
    """Something that a role has to do all the year."""

    id: str
    role: str
    text: str


class QuotaOut(Out):
    """A number that is asked for, and how many there are; `met` null: nobody told. Numbers are decimal strings."""

    id: str
    text: str
    needed: str | None
    have: str | None
    met: bool | None
    short: str
    excused: bool
    warning: str | None


class TaskDueOut(Out):
    """A dated task: `done`, `late` (done late), `due` (overdue) or `open`; `holiday`: its day is one, it is not moved."""

    id: str
    text: str
    phase: str
    owner: str | None
    due: str | None
    day: str | None
    holiday: str | None
    done_at: str | None
    state: str


class BoardOut(Out):
    """What a workshop owes and has; to its leader `grade` and `result` are null before it is published."""

    name: str
    school_year: int
    as_of: str
    members: int | None
    duties: list[DutyOut]
    quotas: list[QuotaOut]
    tasks: list[TaskDueOut]
    grade: str | None
    result: str | None


class SubjectOut(Out):
    """Something that may be told of a group: `kind` and `about` of what is sent."""

    kind: str
    about: str
    name: str


class GroupFactOut(Out):
    """Something that was told of a group, and stands; `sha256`: of the file that proves it."""

    id: int
    kind: str
    about: str
    key: str
    number: str | None
    happened_at: datetime | None
    details: dict[str, Any]
    sha256: str | None
    source: str
    recorded_at: datetime


class GroupFactIn(In):
    """One thing done, handed in or counted: what it is (`…/subjects`), its own key, and who says so by what.

    `number`: how many, or a target's numerator; `of`, `value`: its denominator, or it itself; `has`: what a meeting has
    to show; `reason`: why a limit was passed; `happened_at`: when a task was done, else it is now.
    """

    kind: Annotated[GroupFactKind, Field(strict=False)]
    about: Code
    key: Code = "1"
    source: Prose
    number: Whole | None = None
    of: Exact | None = None
    value: Exact | None = None
    has: Annotated[list[Code], Field(max_length=20, default_factory=list)]
    reason: Prose | None = None
    happened_at: Moment | None = None


@dataclass(frozen=True, slots=True)
class Of:
    """Which group is meant: a workshop (one's own where none is named), a class, or the school."""

    level: GroupLevel
    workshop_id: int | None
    class_id: int | None


def _of(
    level: Annotated[Literal["workshop", "class", "school"], Query()] = "workshop",
    workshop_id: Annotated[Id, Query(description="One's own, where none is named.")] = None,
    class_id: Id = None,
) -> Of:
    return Of(GroupLevel(level), workshop_id, class_id)


Named = Annotated[Of, Depends(_of)]


def _group(session: Session, person: Person, key: int, of: Of) -> groups.Group:
    """Return a group of a round for which the person tells; to everybody else it is not there."""
    round_ = mine.of_school(session, person, Round, key, _("考核轮次"))
    found = groups.Group(round_, of.level)
    if of.level is GroupLevel.WORKSHOP:
        named = of.workshop_id or person.workshop_id or 0
        workshop = mine.of_school(session, person, Workshop, named, _("工作坊"))
        found = groups.workshop_group(round_=round_, workshop=workshop)
    elif of.level is GroupLevel.CLASS:
        class_ = session.get(TrainingClass, of.class_id or 0)
        if class_ is None or class_.round_id != round_.id:
            raise NotFound(what=say(_("班")), key=of.class_id or "")
        found = groups.Group(round_, of.level, class_=class_)
    if not groups.may_tell(session, actor=person, group=found):
        raise NotFound(what=say(_("考核轮次")), key=key)
    return found


@reads(routes, "/rounds/{key}/board")
def get_board(
    session: Db,
    person: Reader,
    key: Key,
    workshop_id: Annotated[Id, Query(description="One's own, where none is named.")] = None,
) -> BoardOut:
    """Tell whoever looks after a workshop what it owes and has: duties, numbers, dated tasks, its grade."""
    group = _group(session, person, key, Of(GroupLevel.WORKSHOP, workshop_id, None))
    assert group.workshop is not None
    return BoardOut(**boards.workshop_board(session, actor=person, round_=group.round, workshop=group.workshop))


@reads(routes, "/rounds/{key}/group-facts/subjects")
def list_group_subjects(session: Db, person: Reader, key: Key, of: Named, part: Asked) -> Page[SubjectOut]:
    """List what may be told of a group; what the database counts itself is not among it."""
    group = _group(session, person, key, of)
    scheme = round_scheme(session, round_=group.round)
    found = [
        SubjectOut(kind=kind.value, about=about, name=name)
        for kind in GroupFactKind
        for about, name in groups.group_subjects(scheme, kind, group.level).items()
    ]
    return numbered_part(found, part=part)


@reads(routes, "/rounds/{key}/group-facts")
def list_group_facts(session: Db, person: Reader, key: Key, of: Named, part: Asked) -> Page[GroupFactOut]:
    """List what was told of a group and stands."""
    found = groups.group_facts(session, group=_group(session, person, key, of))
    return numbered_part([_fact(one) for one in found], part=part)


def _fact(one: GroupFact) -> GroupFactOut:
    return GroupFactOut(
        id=one.id,
        kind=one.kind.value,
        about=one.about,
        key=one.key,
        number=None if one.number is None else str(one.number),
        happened_at=one.happened_at,
        details=one.details,
        sha256=one.sha256,
        source=one.source,
        recorded_at=one.recorded_at,
    )


@writes(routes, "POST", "/rounds/{key}/group-facts", refuses=[groups.GroupFactRefused, BadInput, WrongPhase])
def tell_group_fact(session: Db, person: Teacher, key: Key, of: Named, body: GroupFactIn) -> ToldOut:
    """Tell something of a group: as its leader or class's administrator, or the school's; by its key it counts once."""
    group = _group(session, person, key, of)
    done = now() if body.kind is GroupFactKind.TASK else None
    telling = groups.GroupTelling(
        kind=body.kind,
        about=body.about,
        key=body.key,
        source=body.source,
        number=None if body.number is None else Decimal(body.number),
        happened_at=body.happened_at or done,
        details=groups.details_of(has=body.has, of=body.of, value=body.value, reason=body.reason),
    )
    return ToldOut(outcome=groups.tell_group(session, actor=person, group=group, telling=telling))


@writes(routes, "POST", "/group-facts/{key}/strike", status=204, refuses=[groups.GroupFactStruck, BadInput, WrongPhase])
def strike_group_fact(session: Db, person: Teacher, key: Key, body: ReasonIn) -> None:
    """Take back what was told of a group, with a reason."""
    fact = mine.of_school(session, person, GroupFact, key, _("登记"))
    if not groups.may_tell(session, actor=person, group=groups.group_of(session, fact=fact)):
        raise NotFound(what=say(_("登记")), key=key)
    groups.strike_group_fact(session, actor=person, fact=fact, reason=body.reason)
