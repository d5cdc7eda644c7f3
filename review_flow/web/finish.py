"""The end of a round: publicity, files, closing; long work is asked for, and followed on a page of its own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models import Organization, Person, Round, RoundExport
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.words import ExportKind, JobState
from review_flow.steps import advance, exports, jobs, results
from review_flow.steps.jobs import AT_NAMES, JobAt
from review_flow.steps.rounds import round_scheme
from review_flow.web import mine
from review_flow.web.access import Admin, Confirmed, Db, Key
from review_flow.web.files import served
from review_flow.web.render import go, page
from review_flow.web.school import SchoolRound

router = APIRouter()
SUFFIX = {ExportKind.RESULTS: "xlsx", ExportKind.ARCHIVE: "zip", ExportKind.CERTIFICATES: "pdf"}
TONES = {JobAt.DONE: "good", JobAt.PARKED: "no"}


def _jobs(session: Session, person: Person, round_: Round) -> dict[str, Any]:
    found = jobs.of_round(session, actor=person, round_=round_)
    under_way = any(one.at in {JobAt.WAITING, JobAt.RUNNING} for one in found)
    return {"round": round_, "jobs": found, "at_names": AT_NAMES, "tones": TONES, "under_way": under_way}


@router.get("/school/rounds/{key}/finish")
def finish_page(request: Request, session: Db, person: Admin, round_: SchoolRound) -> HTMLResponse:
    """Show what is left to do, and what is under way."""
    certifies = bool(round_scheme(session, round_=round_).certificates)
    kinds = [
        (kind.value, jobs.EXPORT_NAMES[kind]) for kind in ExportKind if certifies or kind is not ExportKind.CERTIFICATES
    ]
    return page(request, "school/finish.html", kinds=kinds, certifies=certifies, **_jobs(session, person, round_))


@router.get("/school/rounds/{key}/jobs")
def jobs_part(request: Request, session: Db, person: Admin, round_: SchoolRound) -> HTMLResponse:
    """Show what is under way, asked for again until it is done."""
    return page(request, "school/jobs.html", **_jobs(session, person, round_))


@router.post("/school/rounds/{key}/publish")
def publish(session: Db, person: Admin, round_: SchoolRound, _sure: Confirmed) -> RedirectResponse:
    """Publish names and grades."""
    results.publish(session, actor=person, round_=round_)
    return go(f"/school/rounds/{round_.id}/publicity")


@router.get("/school/rounds/{key}/publicity")
def publicity(request: Request, session: Db, round_: SchoolRound) -> HTMLResponse:
    """Show what is published, to be printed."""
    return page(
        request,
        "school/publicity.html",
        round=round_,
        school=session.get_one(Organization, round_.organization_id),
        found=results.published_list(session, round_=round_),
    )


@router.post("/school/rounds/{key}/exports")
def export(session: Db, person: Admin, round_: SchoolRound, kind: Annotated[ExportKind, Form()]) -> RedirectResponse:
    """Ask for a file of the round."""
    exports.start(session, actor=person, round_=round_, kind=kind)
    return go(f"/school/rounds/{round_.id}/finish#jobs")


@router.get("/school/exports/{key}/file")
def export_file(request: Request, session: Db, person: Admin, key: Key) -> Response:
    """Give a file that was made."""
    return made(request, session, mine.of_school(session, person, RoundExport, key, _("导出")))


def made(request: Request, session: Session, found: RoundExport) -> Response:
    """Return the file of an export, for a page or a program; not found before it is made."""
    if found.state is not JobState.DONE or found.storage_key is None:
        raise NotFound(what=say(_("做好的导出")), key=found.id)
    name = f"{session.get_one(Round, found.round_id).name}-{say(jobs.EXPORT_NAMES[found.kind])}.{SUFFIX[found.kind]}"
    return served(request, request.app.state.storage.open(found.storage_key), name)


@router.post("/school/rounds/{key}/close")
def close(session: Db, person: Admin, round_: SchoolRound, _sure: Confirmed) -> RedirectResponse:
    """Close the round; what follows is done in the background."""
    advance.close(session, actor=person, round_=round_)
    return go(f"/school/rounds/{round_.id}/finish#jobs")
