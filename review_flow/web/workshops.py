"""A workshop's result: its leader reads, signs and appeals; the panel confirms and hears (000-C/D/E)."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session, defer
from starlette.responses import HTMLResponse, RedirectResponse

from models import Appeal, GroupResult, Person, Role, Round, Workshop
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.words import RoleKind
from review_flow.steps import appeal_answers, appeals, owners, results
from review_flow.steps.owners import Graded
from review_flow.steps.people import conflicting_with
from review_flow.steps.rounds import round_scheme
from review_flow.web import mine
from review_flow.web.access import Db, Key, Signed
from review_flow.web.render import go, page, pages_of

router = APIRouter()
PAGE = 50


def has_result(session: Session, person: Person, round_id: int) -> bool:
    """Whether the person leads a workshop that has a result."""
    try:
        mine.led_result(session, person, round_id)
    except NotFound:
        return False
    return True


WAITS = GroupResult.state == ResultState.COMPOSED


def _seen(session: Session, person: Person) -> ColumnElement[bool]:
    """Return the condition for results of workshops that the person doesn't step aside from."""
    led_by_close = select(Person.workshop_id).join(Role, Role.person_id == Person.id)
    led_by_close = led_by_close.where(
        Role.kind == RoleKind.WORKSHOP_LEADER, Person.id.in_(conflicting_with(session, person_id=person.id))
    )
    aside = {person.workshop_id, *session.scalars(led_by_close)} - {None}
    return GroupResult.workshop_id.not_in(aside)


def _counts(session: Session, round_: Round, seen: ColumnElement[bool]) -> tuple[int, int, int]:
    """Return how many workshops of a round have a result, of how many one sees it, how many of these wait for a grade."""
    standing = and_(GroupResult.round_id == round_.id, GroupResult.current)
    counted = select(func.count(), func.count().filter(seen), func.count().filter(seen, WAITS)).where(standing)
    everyone, count, waiting = session.execute(counted).one()
    return everyone, count, waiting


def count_to_confirm(session: Session, person: Person, round_: Round) -> int:
    """Return how many workshops wait for a grade that this person may confirm as a member."""
    return _counts(session, round_, _seen(session, person))[2]


def graded(session: Session, person: Person, round_: Round, number: int) -> dict[str, Any]:
    """Return the workshops of a round as a page of grades lists them, those to confirm first."""
    seen, scheme = _seen(session, person), round_scheme(session, round_=round_)
    everyone, count, waiting = _counts(session, round_, seen)
    rows = session.execute(
        select(GroupResult, Workshop.name)
        .join(Workshop, Workshop.id == GroupResult.workshop_id)
        .where(GroupResult.round_id == round_.id, GroupResult.current, seen)
        .order_by(case((WAITS, 0), else_=1), Workshop.id)
        .options(defer(GroupResult.record))
        .limit(PAGE)
        .offset((number - 1) * PAGE)
    )
    return {
        "rows": [
            {
                "result": one,
                "who": name,
                "score": None,
                "address": f"/panel/workshops/{one.id}",
                "flags": results.notable(one, scheme),
            }
            for one, name in rows
        ],
        "waiting": waiting,
        "aside": everyone - count,
        "missing": max(0, len(owners.judged_workshops(session, round_=round_)) - everyone),
        "number": number,
        "pages": pages_of(count, PAGE),
    }


@router.get("/panel/workshops/{key}")
def confirm_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show a workshop's result line by line, to confirm its grade or lower it."""
    found, round_ = mine.workshop_result(session, person, key)
    return page(
        request,
        "panel/result.html",
        result=found,
        round=round_,
        score=None,
        address=f"/panel/workshops/{key}/confirm",
        **to_confirm(session, found),
    )


def to_confirm(session: Session, found: Graded) -> dict[str, Any]:
    """Return what a member of the panel reads of a result: whose, how it came about, and what may be done now."""
    return {
        "who": owners.name_of(session, result=found),
        "outcome": json.loads(found.outcome),
        "flags": results.notable(found, round_scheme(session, round_=owners.round_of(session, result=found))),
        "why": results.unready(session, result=found),
        "lower": results.lower_of(session, result=found),
    }


@router.post("/panel/workshops/{key}/confirm")
def confirm(
    session: Db,
    person: Signed,
    key: Key,
    lower_to: Annotated[str, Form(max_length=2000)] = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> RedirectResponse:
    """Confirm a workshop's grade, or lower it with a reason."""
    found, round_ = mine.workshop_result(session, person, key)
    results.confirm(session, actor=person, result=found, lower_to=lower_to or None, reason=reason or None)
    return go(f"/panel/rounds/{round_.id}/grades")


def appeal_page(request: Request, session: Session, appeal: Appeal, result: GroupResult) -> HTMLResponse:
    """Show an appeal against a workshop's result, and what was counted, to count again."""
    label = _("{name}的复核数（原为{count}）")
    return page(
        request,
        "panel/appeal.html",
        appeal=appeal,
        result=result,
        score=None,
        outcome=json.loads(result.outcome),
        works=[],
        marks={},
        fields={one: say(label, name=name, count=count) for one, name, count in counted(session, result)},
        needed=round_scheme(session, round_=session.get_one(Round, result.round_id)).result.appeal.reviewers_min,
    )


def counted(session: Session, result: GroupResult) -> list[tuple[str, str, Any]]:
    """Return what a workshop's result counted that its hearers may count again: what of, its name, the count."""
    scheme = round_scheme(session, round_=session.get_one(Round, result.round_id))
    names = {quota.of: quota.name_zh for quota in scheme.quotas}
    return [(of, names[of], count) for of, count in json.loads(result.record)["quota"].items() if of in names]


@router.get("/rounds/{key}/workshop")
def result_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show a leader the workshop's result with every line that made it, and what can be done about it."""
    found = mine.led_result(session, person, key)
    return page(
        request,
        "teacher/workshop.html",
        round=session.get_one(Round, key),
        who=owners.name_of(session, result=found),
        result=found,
        outcome=json.loads(found.outcome),
        answer=appeal_answers.answer_to(session, result=found),
    )


@router.post("/rounds/{key}/workshop/sign")
def sign(
    session: Db, person: Signed, key: Key, comment: Annotated[str, Form(max_length=2000)] = ""
) -> RedirectResponse:
    """Sign the workshop's result."""
    found = mine.led_result(session, person, key)
    results.sign(session, actor=person, result=found, comment=comment.strip() or None)
    return go(f"/rounds/{key}/workshop")


@router.post("/rounds/{key}/workshop/appeal")
def file_appeal(
    session: Db, person: Signed, key: Key, reason: Annotated[str, Form(max_length=5000)] = ""
) -> RedirectResponse:
    """File an appeal against the workshop's result."""
    appeals.file(session, actor=person, result=mine.led_result(session, person, key), reason=reason)
    return go(f"/rounds/{key}/workshop")
