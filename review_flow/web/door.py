"""The door: sign in and out, one-time links, one's own password and sessions; links for others by the administrator."""

from __future__ import annotations

import secrets
from collections.abc import Container
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models import Person
from review_flow.clock import shown
from review_flow.db import transaction
from review_flow.i18n import _, say
from review_flow.outside.breaches import breaches_in
from review_flow.outside.workbooks import Page, write
from review_flow.rules.door import device_cookie
from review_flow.rules.words import RoleKind
from review_flow.steps import door, first_links, identities, people, second_factor
from review_flow.web import cookies, mine, watch
from review_flow.web.access import SESSION_COOKIE, Admin, Confirmed, Db, Entered, Here, Key, Proven, Signed, public
from review_flow.web.render import XLSX, Paged, download, go, here, only_here, page, pages_of

router = APIRouter()
Text = Annotated[str, Form(max_length=200)]
PAGE = 50
DEVICE_COOKIE, DEVICE_KEY, YEAR_S = "rf_device_", "device.key", 31_536_000
CODE_PAGE = "/enter/code"
LINK_COOKIE, LINK_FORM, LINK_FORM_S = "rf_link", "/link/password", 1800


def _breached(request: Request) -> Container[str]:
    return breaches_in(request.app.state.settings.breached_passwords)


@router.get("/enter")
@public
def door_page(request: Request, session: Db, next: str = "/") -> HTMLResponse:  # noqa: A002 - the address's own word
    """Show the door; with a choice of schools only where there are several."""
    others = request.app.state.settings.identity_providers
    return page(request, "door/enter.html", schools=door.schools(session), next=next, others=others)


@router.post("/enter")
@public
def enter(
    request: Request,
    number: Text,
    password: Text,
    school: Annotated[int | None, Form()] = None,
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the form's own word
) -> Response:
    """Sign in. The password is compared outside of any transaction: it takes long on purpose."""
    engine, key = request.app.state.engine, request.app.state.settings.secret(DEVICE_KEY)
    devices = cookies.named(request, DEVICE_COOKIE)
    with transaction(engine) as session:
        address = request.client.host if request.client else ""
        one = door.knock(session, school_id=school, number=number, address=address, devices=devices, key=key)
    right = door.matches(one, password=password)
    renewed = door.renewed(one, password=password) if right else None
    brought, agent = cookies.read(request, SESSION_COOKIE), request.headers.get("user-agent", "")
    with transaction(engine) as session:
        token = door.enter(session, one=one, right=right, user_agent=agent, instead_of=brought, renewed=renewed)
        wanted = next if is_inside(next) else "/"
        way = way_on(session, token or "", wanted)
    if token is None or one.person_id is None:
        watch.note(request, "sign-in-failed", account=watch.mark(request, one.account), way="password")
        raise door.WrongPassword
    answer = go(way)
    remember(request, answer, token)
    if way != wanted:
        watch.note(request, "password-right", person=one.person_id)
        return answer
    watch.note(request, "signed-in", person=one.person_id, way="password")
    keep_device(request, answer, one.label, person_id=one.person_id, known=one.device)
    return answer


def way_on(session: Session, token: str, to: str) -> str:
    """Return where somebody goes who has come so far: to the page, or to the second step before it."""
    half = second_factor.halfway(session, token=token) is not None
    return f"{CODE_PAGE}?{urlencode({'next': to})}" if half else to


def keep_device(request: Request, answer: Response, label: str, *, person_id: int, known: str | None) -> None:
    """Let the browser be known the next time, by whose own mistakes alone it is measured then."""
    key = request.app.state.settings.secret(DEVICE_KEY)
    cookie = device_cookie(key, person_id=person_id, nonce=known or secrets.token_hex(8))
    cookies.keep(request, answer, DEVICE_COOKIE + label, cookie, seconds=YEAR_S, same_site="strict")


def is_inside(path: str) -> bool:
    r"""Whether a path leads to a page of ours: browsers read // and /\ as another site's address."""
    return path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable()


def remember(request: Request, answer: Response, token: str) -> None:
    """Let the browser keep the session's token, out of scripts' reach."""
    cookies.keep(request, answer, SESSION_COOKIE, token, seconds=int(door.LONGEST_SESSION.total_seconds()))


@router.post("/leave")
def leave(request: Request, session: Db, person: Entered, here: Here) -> RedirectResponse:
    """Sign out; a browser that heeds it drops what it kept of the pages and films seen."""
    door.revoke(session, actor=person, session_id=here.id)
    watch.note(request, "signed-out")
    answer = go("/enter")
    answer.headers["clear-site-data"] = '"cache", "storage"'
    cookies.forget(request, answer, SESSION_COOKIE)
    return answer


@router.get("/link")
@public
def link_page(request: Request) -> HTMLResponse:
    """Take a one-time link: its code stands behind the #, and the page's script sends it in a body."""
    return page(request, "door/link.html")


@router.post("/link")
@public
def open_link(request: Request, session: Db, code: Annotated[str, Form(max_length=400)]) -> RedirectResponse:
    """Take a link's code, or the whole link; the browser keeps it for as long as the form may take. Uses nothing up."""
    token = code.rpartition("#")[2].strip()
    door.link_of(session, token=token)
    answer = go(LINK_FORM)
    cookies.keep(request, answer, LINK_COOKIE, token, seconds=LINK_FORM_S, same_site="strict")
    return answer


@router.get(LINK_FORM)
@public
def link_form(request: Request, session: Db) -> Response:
    """Show what the opened link is for; leads back to where it is opened for whoever has none at hand (any more)."""
    token = cookies.read(request, LINK_COOKIE)
    if not token:
        return go("/link")
    link = door.link_of(session, token=token)
    person = session.get(Person, link.person_id) if link.person_id is not None else None
    return page(request, "door/link_form.html", whose=person, to=LINK_FORM)


@router.post(LINK_FORM)
@public
def use_link(
    request: Request,
    session: Db,
    password: Text,
    school: Annotated[str | None, Form(min_length=1, max_length=200)] = None,
    number: Annotated[str | None, Form(min_length=1, max_length=200)] = None,
    name: Annotated[str | None, Form(min_length=1, max_length=200)] = None,
) -> RedirectResponse:
    """Set the password, or found the school, and come in."""
    token = cookies.read(request, LINK_COOKIE)
    if not token:
        return go("/link")
    if school is not None and number is not None and name is not None:
        founded = {"school": school, "number": number, "name": name}
        person = door.found_by_link(session, token=token, **founded, password=password, breached=_breached(request))
    else:
        person = door.use_link(session, token=token, password=password, breached=_breached(request))
    watch.note(request, "link-used", person=person.id)
    brought, agent = cookies.read(request, SESSION_COOKIE), request.headers.get("user-agent", "")
    begun = door.begin(session, person=person, user_agent=agent, instead_of=brought)
    answer = go(way_on(session, begun, "/"))
    remember(request, answer, begun)
    cookies.forget(request, answer, LINK_COOKIE)
    return answer


@router.get("/me")
def me(request: Request, session: Db, person: Signed, here: Here) -> HTMLResponse:
    """Show who one is here, and where one is signed in."""
    is_admin = people.has_role(
        session, person_id=person.id, organization_id=person.organization_id, kinds=[RoleKind.SCHOOL_ADMIN]
    )
    sessions = door.sessions_of(session, person=person)
    bound = identities.bindings_of(session, person=person)
    return page(
        request,
        "door/me.html",
        person=person,
        sessions=sessions,
        here=here.id,
        is_admin=is_admin,
        factor=door.has_second_factor(session, person_id=person.id),
        others=[(one, bound.get(one.id)) for one in request.app.state.settings.identity_providers],
    )


@router.post("/me/sessions/{key}/revoke")
def revoke(request: Request, session: Db, person: Proven, key: Key) -> RedirectResponse:
    """End one of one's sessions."""
    door.revoke(session, actor=person, session_id=key)
    watch.note(request, "session-ended")
    return go("/me")


@router.get("/me/password")
def password_page(request: Request, person: Entered) -> HTMLResponse:  # noqa: ARG001 - the guard is its point
    """Show the form for another password."""
    return page(request, "door/password.html", must=request.state.must_change)


@router.post("/me/password")
def change_password(request: Request, session: Db, person: Entered, old: Text, new: Text) -> RedirectResponse:
    """Change one's password; every session ends, and this browser gets a new one."""
    agent = request.headers.get("user-agent", "")
    stolen = _breached(request)
    token = door.change_password(session, actor=person, old=old, new=new, user_agent=agent, breached=stolen)
    watch.note(request, "password-changed")
    answer = go("/me")
    remember(request, answer, token)
    return answer


@router.get("/school/people")
def people_page(
    request: Request, session: Db, person: Admin, word: Annotated[str, Query(max_length=100)] = "", page_: Paged = 1
) -> HTMLResponse:
    """List the school's people, to give one of them a link."""
    wanted = [Person.organization_id == person.organization_id, Person.active]
    if word.strip():
        wanted.append(or_(Person.name.contains(word.strip(), autoescape=True), people.numbered(word)))
    found = select(Person).where(*wanted).order_by(Person.number).offset((page_ - 1) * PAGE).limit(PAGE)
    pages = pages_of(session.scalar(select(func.count()).where(*wanted)) or 0, PAGE)
    people_ = session.scalars(found).all()
    without, linked = first_links.count_without(session, actor=person)
    return page(
        request,
        "door/people.html",
        people=people_,
        having=second_factor.having(session, people=people_),
        without=without,
        linked=linked,
        only_here=only_here(request),
        word=word,
        number=page_,
        pages=pages,
    )


@router.post("/school/people/links")
def make_links(
    request: Request,
    session: Db,
    person: Admin,
    _sure: Confirmed,
    again: Annotated[Literal["true"] | None, Form()] = None,
) -> Response:
    """Give a sheet of links, once: one for each of the school's people who can't sign in yet; again: void the old ones."""
    made = first_links.make_links(session, actor=person, again=again is not None)
    watch.note(request, "links-made", about=person.organization_id)
    at = here(request)
    rows = [(one.number, one.name, door.address_of(one.token, at=at), shown(one.expires_at)) for one in made]
    header = [say(_("工号")), say(_("姓名")), say(_("链接")), say(_("有效期至"))]
    title = say(_("一次性链接"))
    return download(write([Page(title, header, rows)]), name=f"{title}.xlsx", kind=XLSX)


@router.post("/school/people/{key}/link")
def make_link(request: Request, session: Db, person: Admin, key: Key) -> HTMLResponse:
    """Show a one-time link, once: only its digest is kept."""
    whose = mine.colleague(session, person, key)
    token = door.make_link(session, actor=person, person=whose)
    watch.note(request, "link-made", about=whose.id)
    link = door.address_of(token, at=here(request))
    return page(request, "door/made.html", whose=whose, link=link, only_here=only_here(request))


@router.post("/school/people/{key}/sign-out")
def send_out(request: Request, session: Db, person: Admin, key: Key) -> RedirectResponse:
    """End every session of a person of one's school."""
    whose = mine.colleague(session, person, key)
    door.send_out(session, actor=person, person=whose)
    watch.note(request, "sent-out", about=whose.id)
    return go("/school/people")
