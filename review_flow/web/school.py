"""The administrator's desk: what the school has, its schemes, and the values it has to confirm."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models import Organization, Person, Role, Round, SchemeVersion
from review_flow import schemes as scheme_files
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import RoundPhase, SchemeState
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import RoleKind
from review_flow.schemes import purpose as scheme_purposes
from review_flow.schemes.plan import plan_of
from review_flow.schemes.telling import clauses_of, worded
from review_flow.steps import schemes
from review_flow.web import mine, plans
from review_flow.web.access import Admin, Confirmed, Db, Key
from review_flow.web.render import download, go, page

router = APIRouter()
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
Ids = Annotated[list[str], Form(max_length=200)]


def round_of(session: Db, person: Admin, key: Key) -> Round:
    """Return a round of the administrator's own school; another's is not there."""
    return mine.of_school(session, person, Round, key, _("考核轮次"))


SchoolRound = Annotated[Round, Depends(round_of)]


def version_of(session: Db, person: Admin, key: Key) -> SchemeVersion:
    """Return a scheme version of the administrator's own school."""
    return mine.of_school(session, person, SchemeVersion, key, _("考核方案"))


Version = Annotated[SchemeVersion, Depends(version_of)]


def today() -> date:
    """Return the day it is at the school."""
    return now().astimezone(SCHOOL_ZONE).date()


def versions_of(session: Session, person: Person, *states: SchemeState) -> list[dict[str, Any]]:
    """Return the school's scheme versions with their titles, the newest first."""
    found = session.scalars(
        select(SchemeVersion)
        .where(SchemeVersion.organization_id == person.organization_id, SchemeVersion.state.in_(states or SchemeState))
        .order_by(SchemeVersion.id.desc())
    )
    return [{"version": one, "title": schemes.scheme_of(one).title_zh} for one in found]


_ROUNDS = select(Round).where(Round.organization_id == bindparam("school")).order_by(Round.id.desc())
_TEACHERS = (
    select(func.count())
    .select_from(Role)
    .join(Person, Person.id == Role.person_id)
    .where(
        Role.organization_id == bindparam("school"),
        Role.kind == RoleKind.TEACHER,
        Person.organization_id == bindparam("school"),
        Person.active,
    )
)


@router.get("/school")
def home(request: Request, session: Db, person: Admin) -> HTMLResponse:
    """Show the school's rounds and schemes; until the first round opens, what is to be done in which order."""
    rounds = session.scalars(_ROUNDS, {"school": person.organization_id}).all()
    found = versions_of(session, person)
    return page(
        request,
        "school/home.html",
        school=session.get_one(Organization, person.organization_id),
        rounds=rounds,
        schemes=found,
        published=any(one["version"].state is SchemeState.PUBLISHED for one in found),
        teachers=session.scalar(_TEACHERS, {"school": person.organization_id}) or 0,
        begun=any(one.phase is not RoundPhase.SETUP for one in rounds),
    )


@router.get("/school/schemes")
def library(request: Request, person: Admin) -> HTMLResponse:  # noqa: ARG001 - the guard is its point
    """List the schemes that come with the program, to choose one."""
    return page(request, "school/schemes.html", groups=scheme_purposes.library(), today=today())


@router.post("/school/schemes")
def adopt(
    session: Db,
    person: Admin,
    scheme: Annotated[str, Form(max_length=100)],
    effective_from: Annotated[date, Form()],
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> RedirectResponse:
    """Take a scheme into the school as a draft."""
    made = schemes.adopt(
        session,
        actor=person,
        organization_id=person.organization_id,
        scheme=_built_in(scheme),
        effective_from=effective_from,
        reason=reason.strip() or None,
    )
    return go(f"/school/schemes/{made.id}")


def _built_in(name: str) -> Scheme:
    """Return a scheme of the program's own; a name is never a path."""
    if name not in {one.id for one in scheme_files.available()}:
        raise NotFound(what=say(_("考核方案")), key=name)
    return scheme_files.load(name)


@router.get("/school/library/{name}")
def preview(request: Request, person: Admin, name: str) -> HTMLResponse:  # noqa: ARG001 - the guard is its point
    """Show the plan of a scheme that is not adopted yet."""
    return _plan(request, _built_in(name), back="/school/schemes")


@router.get("/school/schemes/{key}")
def scheme_page(request: Request, session: Db, version: Version) -> HTMLResponse:
    """Show what the school has to confirm, each value with where it comes from."""
    scheme = schemes.scheme_of(version)
    ids = {one["by"] for one in version.confirmed.values()}
    names = dict(session.execute(select(Person.id, Person.name).where(Person.id.in_(ids))).tuples().all())
    rows = [
        {**row, "clauses": clauses_of(scheme, scheme.in_force(row["unknown"]))} for row in open_values(version, scheme)
    ]
    left = sum(row["confirmed"] is None for row in rows)
    return page(request, "school/scheme.html", version=version, scheme=scheme, rows=rows, left=left, names=names)


def open_values(version: SchemeVersion, scheme: Scheme) -> list[dict[str, Any]]:
    """Return what the school has to confirm: the values in force with where they come from, and who confirmed them."""
    return [
        {
            "unknown": one,
            "values": [
                {"path": path, "value": worded(value), "origin": scheme.source(path).rule}
                for path, value in scheme.in_force(one).items()
            ],
            "confirmed": version.confirmed.get(one.id),
        }
        for one in scheme.unconfirmed()
    ]


@router.post("/school/schemes/{key}/confirm")
def confirm(session: Db, person: Admin, version: Version, unknowns: Ids = []) -> RedirectResponse:  # noqa: B006 - FastAPI copies it
    """Tick values of 本校待确认."""
    for one in unknowns:
        schemes.confirm(session, actor=person, version=version, unknown_id=one)
    return go(f"/school/schemes/{version.id}")


@router.post("/school/schemes/{key}/publish")
def publish(session: Db, person: Admin, version: Version, _sure: Confirmed) -> RedirectResponse:
    """Publish a scheme: it is never edited again."""
    schemes.publish(session, actor=person, version=version)
    return go(f"/school/schemes/{version.id}")


@router.get("/school/schemes/{key}/plan")
def plan(request: Request, version: Version) -> HTMLResponse:
    """Show the printed plan."""
    back = f"/school/schemes/{version.id}"
    return _plan(request, schemes.scheme_of(version), back=back, key=version.id, confirmed=_confirmed(version))


def _confirmed(version: SchemeVersion) -> bool:
    """Whether the school has confirmed all that the source leaves open: else nothing is published."""
    return version.state is not SchemeState.DRAFT


def _plan(
    request: Request, scheme: Scheme, *, back: str, key: int | None = None, confirmed: bool = False
) -> HTMLResponse:
    return page(request, "school/plan.html", back=back, key=key, **plans.shown(scheme, confirmed=confirmed))


@router.get("/school/schemes/{key}/plan.docx")
def plan_docx(version: Version) -> Response:
    """Give the printed plan as docx."""
    from review_flow.outside.print_docx import docx

    scheme = schemes.scheme_of(version)
    return download(docx(plan_of(scheme, confirmed=_confirmed(version))), name=f"{scheme.title_zh}.docx", kind=DOCX)
