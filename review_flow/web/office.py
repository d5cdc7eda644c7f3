"""The school's office: roles, the audit trail, the board of the workshops."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from sqlalchemy import func, or_, select
from starlette.responses import HTMLResponse, RedirectResponse

from models import Person, Role, Workshop
from review_flow.rules.deeds import GROUPS, PRIVATE, THINGS
from review_flow.rules.words import ErrandKind, RoleKind
from review_flow.steps import boards, errands, people, trail
from review_flow.steps.trail import Asked
from review_flow.web import mine
from review_flow.web.access import Admin, Confirmed, Db, Key
from review_flow.web.render import Paged, go, page, pages_of
from review_flow.web.school import SchoolRound

router = APIRouter()
PAGE = 50
Word = Annotated[str, Query(max_length=100)]
Blank = Annotated[str, Query(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]


@router.get("/school/roles")
def roles(request: Request, session: Db, person: Admin, word: Word = "", page_: Paged = 1) -> HTMLResponse:
    """List the school's people with what they may do."""
    mine: list[Any] = [Person.organization_id == person.organization_id, Person.active]
    if word.strip():
        mine.append(or_(Person.name.contains(word.strip(), autoescape=True), people.numbered(word)))
    found = session.execute(
        select(Person, Workshop.name)
        .outerjoin(Workshop, Workshop.id == Person.workshop_id)
        .where(*mine)
        .order_by(Person.number)
        .offset((page_ - 1) * PAGE)
        .limit(PAGE)
    ).all()
    held: dict[int, list[RoleKind]] = {}
    ids = [one.id for one, _shop in found]
    of_these = select(Role).where(Role.organization_id == person.organization_id, Role.person_id.in_(ids))
    for role in session.scalars(of_these.order_by(Role.id)):
        held.setdefault(role.person_id, []).append(role.kind)
    return page(
        request,
        "school/roles.html",
        found=found,
        held=held,
        names=people.ROLE_NAMES,
        kinds=people.OF_A_SCHOOL,
        word=word,
        number=page_,
        pages=pages_of(session.scalar(select(func.count()).where(*mine)) or 0, PAGE),
    )


@router.post("/school/people/{key}/roles")
def grant(session: Db, person: Admin, key: Key, kind: Annotated[RoleKind, Form()]) -> RedirectResponse:
    """Give a role."""
    people.grant(session, actor=person, person=mine.colleague(session, person, key), kind=kind)
    return go("/school/roles")


@router.post("/school/people/{key}/roles/withdraw")
def withdraw(
    session: Db, person: Admin, key: Key, _sure: Confirmed, kind: Annotated[RoleKind, Form()]
) -> RedirectResponse:
    """Take a role away."""
    people.withdraw(session, actor=person, person=mine.colleague(session, person, key), kind=kind)
    return go("/school/roles")


@router.get("/school/audit")
def audit(
    request: Request,
    session: Db,
    person: Admin,
    who: Word = "",
    deed: Word = "",
    thing: Word = "",
    key: Annotated[str, Query(pattern=r"^\d{0,18}$")] = "",
    since: Blank = "",
    until: Blank = "",
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> HTMLResponse:
    """Search the school's audit trail."""
    asked = Asked(
        who=who.strip(),
        deed=deed.strip(),
        thing=thing.strip(),
        key=int(key) if key else None,
        since=_day(since),
        until=_day(until),
    )
    found, following = trail.search(session, actor=person, asked=asked, before=before)
    words = {"who": who, "deed": deed, "thing": thing, "key": key, "since": since, "until": until}
    query = urlencode({name: value for name, value in words.items() if value})
    return page(
        request,
        "school/audit.html",
        found=found,
        following=following,
        words=words,
        query=query,
        first=before is None,
        groups=GROUPS,
        things=THINGS,
        private=PRIVATE,
        errand=errands.known(session, kind=ErrandKind.CHAIN, organization_id=person.organization_id),
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


@router.post("/school/audit/chain")
def chain(session: Db, person: Admin) -> RedirectResponse:
    """Have the whole chain read."""
    errands.ask_chain(session, actor=person)
    return go("/school/audit")


@router.get("/school/rounds/{key}/board")
def board(request: Request, session: Db, person: Admin, round_: SchoolRound, page_: Paged = 1) -> HTMLResponse:
    """Show the school's board, its workshops beside each other, and its indicators."""
    at = boards.school_board(session, actor=person, round_=round_, most=PAGE, skip=(page_ - 1) * PAGE)
    return page(
        request,
        "school/board.html",
        round=round_,
        at=at,
        indicators=boards.indicators(session, actor=person, round_=round_),
        states=boards.STATES,
        number=page_,
        pages=pages_of(at["count"], PAGE),
    )
