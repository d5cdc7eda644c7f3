"""A workshop's result: composed by the administrator, read, signed and appealed against by its leader."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import GroupResult, Workshop
from review_flow.errors import BadInput
from review_flow.i18n import _
from review_flow.rules.words import RoleKind
from review_flow.steps import appeals, group_results, groups, owners, results
from review_flow.steps.appeal_answers import Answer, answer_to
from review_flow.steps.people import has_role
from review_flow.steps.programme import leads
from review_flow.steps.rounds import WrongPhase
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Administrator, Reader, Teacher
from review_flow.web.api.gatherings import WorkshopOut
from review_flow.web.api.pages import Asked, listed_part
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import In, Out, Page, RowId, Word
from review_flow.web.api.teaching import AppealOut, LedgerLine, ReasonIn, SignIn, shown_appeal

routes = router("workshops")


class ComposeIn(In):
    """Which workshop is to be graded."""

    workshop_id: RowId


class WorkshopLine(Out):
    """A workshop's standing result in a line."""

    id: int
    workshop: WorkshopOut
    version: int
    state: Word
    proposed_grade: str
    grade: str | None


class WorkshopResultOut(Out):
    """A workshop's result with every line that made it, to its leader."""

    id: int
    name: str
    version: int
    state: Word
    grade: str | None
    composed_at: datetime
    ledger: list[LedgerLine]
    outcome: dict[str, Any]
    appeal: AppealOut | None


@reads(routes, "/workshops")
def list_workshops(session: Db, person: Reader, part: Asked) -> Page[WorkshopOut]:
    """List the workshops that are one's to look after: to an administrator all of the school, to a leader their own."""
    school = person.organization_id
    found = select(Workshop).where(Workshop.organization_id == school)
    if not has_role(session, person_id=person.id, organization_id=school, kinds=[RoleKind.SCHOOL_ADMIN]):
        own = person.workshop_id if leads(session, actor=person, workshop_id=person.workshop_id) else None
        found = found.where(Workshop.id == own)
    return listed_part(
        session,
        found,
        key=Workshop.id,
        part=part,
        shown=lambda rows: [WorkshopOut(id=one.id, name=one.name) for (one,) in rows],
    )


@reads(routes, "/rounds/{key}/workshop-results")
def list_workshop_results(session: Db, person: Administrator, key: Key, part: Asked) -> Page[WorkshopLine]:
    """List the standing results of a round that judges workshops."""
    round_ = seen.school_round(session, person, key)
    found = select(GroupResult).where(GroupResult.round_id == round_.id, GroupResult.current)
    return listed_part(
        session,
        found,
        key=GroupResult.id,
        part=part,
        shown=lambda rows: workshop_lines(session, [one for (one,) in rows]),
    )


def workshop_lines(session: Session, found: Sequence[GroupResult]) -> list[WorkshopLine]:
    """Return workshops' results as they are told in a list."""
    asked = select(Workshop).where(Workshop.id.in_([one.workshop_id for one in found]))
    named = {one.id: WorkshopOut(id=one.id, name=one.name) for one in session.scalars(asked)}
    return [
        WorkshopLine(
            id=one.id,
            workshop=named[one.workshop_id],
            version=one.version,
            state=Word.of(one.state),
            proposed_grade=one.proposed_grade,
            grade=one.grade,
        )
        for one in found
        if one.workshop_id is not None
    ]


@writes(routes, "POST", "/rounds/{key}/workshop-results", refuses=[group_results.GroupNotGraded, WrongPhase])
def compose_workshop_result(session: Db, person: Administrator, key: Key, body: ComposeIn) -> WorkshopLine:
    """Grade a workshop by what is told of it; the same facts give the version that stands."""
    round_ = seen.school_round(session, person, key)
    workshop = mine.of_school(session, person, Workshop, body.workshop_id, _("工作坊"))
    group = groups.workshop_group(round_=round_, workshop=workshop)
    return workshop_lines(session, [group_results.compose_group(session, actor=person, group=group)])[0]


@reads(routes, "/rounds/{key}/workshop-result")
def get_workshop_result(session: Db, person: Reader, key: Key) -> WorkshopResultOut:
    """Tell the leader the result of the workshop; not found before it is published."""
    return _result(session, mine.led_result(session, person, key))


def _result(session: Session, found: GroupResult) -> WorkshopResultOut:
    answer = answer_to(session, result=found)
    outcome = json.loads(found.outcome)
    return WorkshopResultOut(
        id=found.id,
        name=owners.name_of(session, result=found),
        version=found.version,
        state=Word.of(found.state),
        grade=found.grade,
        composed_at=found.composed_at,
        ledger=outcome["ledger"],
        outcome=outcome,
        appeal=shown_appeal(answer) if answer else None,
    )


@writes(routes, "POST", "/rounds/{key}/workshop-result/sign", refuses=[results.NotToSign, results.NotYourResult])
def sign_workshop_result(session: Db, person: Teacher, key: Key, body: SignIn) -> WorkshopResultOut:
    """Sign the result of the workshop that one leads; the right to appeal stays."""
    found = mine.led_result(session, person, key)
    results.sign(session, actor=person, result=found, comment=(body.comment or "").strip() or None)
    return _result(session, found)


@writes(
    routes,
    "POST",
    "/rounds/{key}/workshop-result/appeal",
    status=201,
    refuses=[appeals.NoAppeal, BadInput, WrongPhase],
)
def file_workshop_appeal(session: Db, person: Teacher, key: Key, body: ReasonIn) -> AppealOut:
    """Appeal against the result of the workshop that one leads."""
    found = mine.led_result(session, person, key)
    filed = appeals.file(session, actor=person, result=found, reason=body.reason)
    return shown_appeal(Answer(filed, [], None))
