"""The web application: put together here, with nothing in it that is not declared to be somebody's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from review_flow.db import engine_for, transaction
from review_flow.errors import BadInput, NotFound, Refusal
from review_flow.i18n import LANGUAGES, _, listed, say
from review_flow.migrate import is_current
from review_flow.outside.storage import storage_at
from review_flow.steps import work
from review_flow.web import (
    approving,
    certificates,
    charts,
    cookies,
    county,
    door,
    errands,
    files,
    finish,
    identity,
    messages,
    office,
    own_scheme,
    panel,
    panel_decide,
    privacy,
    programme,
    progress,
    reviewing,
    rounds,
    school,
    second_factor,
    sheets,
    teacher,
    tokens,
    upload,
    verify,
    voices,
    watch,
    webhooks,
    works,
    workshops,
)
from review_flow.web.access import (
    FactorWanted,
    MustChange,
    NotConfirmed,
    NotSignedIn,
    ProofWanted,
    public,
    require_declared,
)
from review_flow.web.api import document
from review_flow.web.assets import Assets
from review_flow.web.envelope import LANGUAGE_COOKIE, Envelope
from review_flow.web.pace import GUESSES, GUESSES_IN_S, Pace
from review_flow.web.problems import BodyUnreadable, is_api, misread
from review_flow.web.render import address_of, is_htmx, refusal_page, signed_out

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from review_flow.outside.storage import Storage
    from review_flow.settings import Settings

YEAR_S = 31_536_000
MOST_CONNECTIONS = 2000
SUSPICIOUS = {403, 404, 410, 413, 429}
"""What somebody gets who tries doors; a form filled in wrongly is nobody's business."""
WAYS: dict[type[Refusal], str] = {
    NotSignedIn: "/enter",
    MustChange: "/me/password",
    FactorWanted: "/me/second-factor",
    ProofWanted: "/me/proof",
}
"""Where somebody is led who lacks what a page asks for."""
router = APIRouter()


class Wrong(Refusal):
    """A request that no page of ours sends."""

    text = _("这个请求不能这样发送。")

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status  # type: ignore[misc]  # of the one answer, not of all


class Static(StaticFiles):
    """Files whose URL changes with their content, so that browsers keep them."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """Let a file that is asked for by its content's name be kept for a year."""
        answer = super().file_response(*args, **options)
        answer.headers["cache-control"] = f"public, max-age={YEAR_S}, immutable"
        return answer


UNPACKED = ("/files/", "/uploads", "/school/exports/", "/api/v1/uploads", "/api/v1/exports/")


class Gzip(GZipMiddleware):
    """Packs pages, styles and scripts; never evidence and exports, which are packed already and read by ranges."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leave files and uploads alone."""
        plain = scope["type"] != "http" or scope["path"].startswith(UNPACKED)
        await (self.app if plain else super().__call__)(scope, receive, send)


@router.get("/healthz")
@public
def alive() -> PlainTextResponse:
    """Say that the process answers."""
    return PlainTextResponse("ok")


@router.get("/readyz")
@public
def ready(request: Request) -> JSONResponse:
    """Say whether people may come: the database answers and is of this version.

    And whether the work that they leave is done in time; where it is not they still come, and it waits in its queue.
    """
    engine, working = request.app.state.engine, False
    try:
        current = is_current(engine)
        if current:
            with transaction(engine) as session:
                working = not work.is_behind(session)
    except SQLAlchemyError:
        current = False
    return JSONResponse({"ready": current, "working": working}, 200 if current else 503)


@router.post("/language/{code}")
@public
def choose_language(request: Request, code: str) -> RedirectResponse:
    """Keep the reader's language in a cookie, and go back to the page."""
    if code not in LANGUAGES:
        raise NotFound(what=say(_("语言")), key=code)
    here = f"{request.url.scheme}://{request.headers.get('host')}/"
    back = request.headers.get("referer", here)
    answer = RedirectResponse(back if back.startswith(here) else "/", 303)
    cookies.keep(request, answer, LANGUAGE_COOKIE, code, seconds=YEAR_S)
    return answer


@asynccontextmanager
async def enough_threads(_app: FastAPI) -> AsyncIterator[None]:
    """Let each connection that may be open have a thread.

    A handler begins on another thread than its transaction. With fewer threads than requests all of them could wait
    for the database's one connection, and whoever holds it for a thread.
    """
    to_thread.current_default_thread_limiter().total_tokens = MOST_CONNECTIONS
    yield


def create_app(settings: Settings, *, engine: Engine | None = None, storage: Storage | None = None) -> FastAPI:
    """Return the application over a migrated database.

    Raises AssetsMissing where a style or script is not there, and Undeclared for a route that doesn't say who may
    call it.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=enough_threads)
    app.state.assets = Assets()
    app.state.settings = settings
    app.state.engine = engine or engine_for(settings.database)
    app.state.pace_of_people = Pace(settings.person_requests)
    app.state.pace_of_addresses = Pace(settings.address_requests)
    app.state.pace_of_guesses = Pace(GUESSES, GUESSES_IN_S)
    app.state.storage = storage or storage_at(settings.storage)
    parts = (
        door,
        second_factor,
        identity,
        tokens,
        privacy,
        messages,
        teacher,
        works,
        programme,
        reviewing,
        panel,
        panel_decide,
        workshops,
        approving,
        voices,
        school,
        own_scheme,
        rounds,
        sheets,
        progress,
        finish,
        certificates,
        office,
        charts,
        webhooks,
        county,
        errands,
        upload,
        files,
        verify,
    )
    for part in (router, *(one.router for one in parts), *document.ROUTERS):
        app.router.routes.extend(part.routes)  # as they are: an included router hides them until it is asked
    require_declared(app)
    app.mount("/static", Static(directory=app.state.assets.folder), name="static")
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _no_page)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_middleware(Gzip, minimum_size=1000)
    app.add_middleware(Envelope)
    return app


def _refused(request: Request, refusal: Exception) -> Response:
    """Answer a "no": who is not signed in is led to the door, everybody else reads why."""
    assert isinstance(refusal, Refusal)
    way = WAYS.get(type(refusal))
    if refusal.status in SUSPICIOUS and way is None:
        watch.note(request, "refused", code=refusal.code)
    if way is None or request.url.path.startswith(("/uploads", "/api/")):
        return refusal_page(request, refusal)
    if isinstance(refusal, NotSignedIn) and is_htmx(request) and request.method != "GET":
        return signed_out(request, refusal)
    back = address_of(request)
    if isinstance(refusal, NotSignedIn | ProofWanted) and request.method == "GET" and back != "/":
        way = f"{way}?{urlencode({'next': back})}"
    if is_htmx(request):
        return Response(status_code=204, headers={"HX-Redirect": way})
    return RedirectResponse(way, 303)


def _no_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal: Refusal = NotFound(what=say(_("网页")), key=request.url.path)
    if error.status_code != refusal.status:
        unread = is_api(request.url.path) and error.status_code == HTTPStatus.BAD_REQUEST
        refusal = BodyUnreadable() if unread else Wrong(error.status_code)
    answer = refusal_page(request, refusal)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["allow"] = _allowed(request)
    return answer


def _allowed(request: Request) -> str:
    """Return the methods of an address: each has a route of its own, and a route knows no other's."""
    routes = [one for one in request.app.routes if isinstance(one, APIRoute) and one.path_regex.match(request.url.path)]
    return ", ".join(sorted({method for one in routes for method in one.methods or ()}))


def _misread(request: Request, error: Exception) -> Response:
    """Name the fields that are missing or can't be read; an address that can't be read leads nowhere."""
    assert isinstance(error, RequestValidationError)
    if is_api(request.url.path):
        return misread(request, error)
    places = [one["loc"] for one in error.errors()]
    if any(place[0] == "path" for place in places):
        return refusal_page(request, NotFound(what=say(_("网页")), key=request.url.path))
    if any(place[-1] == "yes" for place in places):
        return refusal_page(request, NotConfirmed())
    names = listed(dict.fromkeys(str(place[-1]) for place in places))
    return refusal_page(request, BadInput(field=names, problem=say(_("没有填写，或填写得不对。"))))
