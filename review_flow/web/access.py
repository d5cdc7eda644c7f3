"""Who may call what. A handler says it in its signature (`person: Signed`), or that everybody may (`@public`).

`create_app` refuses a route that says neither, so a forgotten declaration is found at the start and not by a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, FastAPI, Form, Path, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BeforeValidator
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from models import Person, WebSession
from review_flow.db import hold, transaction
from review_flow.errors import NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules import codes
from review_flow.rules.words import RoleKind
from review_flow.steps import door, people, second_factor
from review_flow.web import cookies, pace

Function = TypeVar("Function", bound=Callable[..., Any])
_WHO: set[Callable[..., Any]] = set()
_PUBLIC: set[Callable[..., Any]] = set()


SESSION_COOKIE = "rf_session"


class NotSignedIn(Refusal):
    """Answered with the way to the door."""

    status, text = 401, _("请先登录。")


class MustChange(Refusal):
    """A password that somebody else knows opens nothing else; answered with the page that changes it."""

    status, text = 403, _("请先把初始密码改成自己的密码。")


class FactorWanted(Refusal):
    """The operator demands a second factor of this role; answered with the page that sets it up."""

    status, text = 403, _("您的角色须开启第二步验证，请先设置好再继续。")


class ProofWanted(Refusal):
    """What hurts most if a stranger does it asks who is there; answered with the page that asks for the password."""

    status, text = 403, _("请再输一次密码，确认是您本人。")


async def _filled(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=500)


Filled = Annotated[FormData, Depends(_filled)]
"""A form whose fields the scheme names. It stands before `session`: a slow line keeps no transaction open."""


class UndeclaredError(RuntimeError):
    """A route that doesn't say who may call it: a fault of the program, found when it starts."""


def who(dependency: Function) -> Function:
    """Declare a dependency as one that says who may call: it refuses everybody else."""
    _WHO.add(dependency)
    return dependency


def public(handler: Function) -> Function:
    """Declare that everybody may call this handler, signed in or not."""
    _PUBLIC.add(handler)
    return handler


def require_declared(app: FastAPI) -> None:
    """Raise UndeclaredError for a route that says neither who may call it nor that everybody may."""
    for route in app.routes:
        if not isinstance(route, APIRoute) or (route.endpoint not in _PUBLIC and not _declared(route.dependant)):
            raise UndeclaredError(str(route))


def _declared(dependant: Dependant) -> bool:
    return any(one.call in _WHO or _declared(one) for one in dependant.dependencies)


def opened(request: Request) -> Iterator[Session]:
    """Give the request's one transaction; it is committed before the answer goes out, or the answer is a fault."""
    with transaction(request.app.state.engine) as session:
        if request.method == "GET":
            hold(session)  # a page asks for its round, its teacher and its work in many places
        yield session


Db = Annotated[Session, Depends(opened, scope="function")]
Called = Annotated[str, Form(min_length=1, max_length=100)]
"""Who is meant, by name or number, as `steps.people.only_one` finds them."""
MARK = r"^[0-9]{1,3}(\.[0-9]{1,2})?$"
Mark = Annotated[str, BeforeValidator(codes.number), Form(pattern=MARK)]
"""Points as somebody types them, on whatever keyboard; `render.MARK_TYPED` is what browsers let through to it."""
Key = Annotated[int, Path(ge=1, lt=2**63)]
"""The id of a row, as both databases can hold it; anything else in its place leads nowhere."""


@who
def entered(request: Request, session: Db) -> Person:
    """Let in whoever is signed in, even with a password that must be changed first."""
    token = cookies.read(request, SESSION_COOKIE)
    found = door.session_of(session, token=token) if token else None
    if found is None:
        raise NotSignedIn
    pace.require_person(request, found[1].id)
    request.state.web_session, _person, request.state.must_change = found
    # For the head of every page and the log; a refusal is drawn when the transaction is over.
    request.state.name, request.state.person_id = found[1].name, found[1].id
    head = people.head(session, person=found[1])
    request.state.roles, request.state.seated, request.state.unread = head.roles, head.seated, head.unread
    request.state.to_review, request.state.review_due_at = head.to_review, head.review_due_at
    request.state.factor_wanted = lacks_factor(request, session, found[1], roles=head.roles, seated=head.seated)
    return found[1]


def lacks_factor(
    request: Request, session: Session, person: Person, *, roles: Iterable[RoleKind], seated: bool
) -> bool:
    """Whether the operator demands a second factor of who holds these roles or a seat, and the person has none."""
    kinds = {*(one.value for one in roles), *(["panel"] if seated else [])}
    demanded = kinds & set(request.app.state.settings.second_factor)
    return bool(demanded) and not door.has_second_factor(session, person_id=person.id)


Entered = Annotated[Person, Depends(entered)]


async def _here(request: Request, _person: Entered) -> WebSession:
    found: WebSession = request.state.web_session
    return found


Here = Annotated[WebSession, Depends(_here)]


@who
async def settled(request: Request, person: Entered) -> Person:
    """Let in whoever is signed in with a password of their own, even without the second factor demanded of them."""
    return _with_own_password(request, person)


def _with_own_password(request: Request, person: Person) -> Person:
    if request.state.must_change:
        raise MustChange
    return person


Settled = Annotated[Person, Depends(settled)]


@who
def proven(session: Db, person: Settled, here: Here) -> Person:
    """Let in like `settled`, whoever was proven to be there in the last minutes."""
    if not second_factor.is_fresh(session, here=here):
        raise ProofWanted
    return person


Proven = Annotated[Person, Depends(proven)]


@who
async def signed_in(request: Request, person: Settled) -> Person:
    """Let in whoever is signed in with all that is asked of them."""
    return _with_all_asked(request, person)


def _with_all_asked(request: Request, person: Person) -> Person:
    _with_own_password(request, person)
    if request.state.factor_wanted:
        raise FactorWanted
    return person


Signed = Annotated[Person, Depends(signed_in)]


@who
def passing(request: Request) -> Person:
    """Let in like `signed_in`, in a transaction that is over before the handler begins: it holds nobody up for long."""
    with transaction(request.app.state.engine) as session:
        return _with_all_asked(request, entered(request, session))


Passing = Annotated[Person, Depends(passing)]


@who
def administrator(request: Request, person: Signed) -> Person:
    """Let in the administrators of the person's own school."""
    people.require_held(request.state.roles, kinds=[RoleKind.SCHOOL_ADMIN])
    return person


Admin = Annotated[Person, Depends(administrator)]


@who
def passing_administrator(request: Request) -> Person:
    """Let in like `administrator`, in a transaction that is over before the handler begins."""
    with transaction(request.app.state.engine) as session:
        return administrator(request, _with_all_asked(request, entered(request, session)))


PassingAdmin = Annotated[Person, Depends(passing_administrator)]


@who
async def county_administrator(request: Request, person: Signed) -> Person:
    """Let in whoever administers an organization above schools; which schools they see, the steps decide."""
    if RoleKind.COUNTY_ADMIN not in request.state.roles:
        raise NotAllowed(why=say(_("这需要上级（县级）管理员")))
    return person


CountyAdmin = Annotated[Person, Depends(county_administrator)]


class NotConfirmed(Refusal):
    """What can't be undone wants a tick beside its button."""

    status, text = 422, _("这一步不能撤回，请先勾选确认。")


async def ticked(yes: Annotated[Literal["yes"], Form()]) -> None:
    """Want the tick that says "I know"; without it the answer is NotConfirmed."""


Confirmed = Annotated[None, Depends(ticked)]
"""What can't be undone: `_sure: Confirmed`."""
