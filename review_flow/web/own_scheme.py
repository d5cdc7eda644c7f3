"""A school's own scheme as a document: looked at line by line, beside what it derives from, kept, and handed out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response

from review_flow import schemes as scheme_files
from review_flow.db import transaction
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _, say
from review_flow.schemes.check import check
from review_flow.schemes.differences import departures
from review_flow.schemes.document import MOST_CHARACTERS, written
from review_flow.schemes.telling import told
from review_flow.steps import schemes
from review_flow.web.access import Admin, PassingAdmin
from review_flow.web.render import download, go, page
from review_flow.web.school import Version, today

router = APIRouter()
YAML = "application/yaml"
MOST_BYTES = 4 * MOST_CHARACTERS
SOURCE = "scheme.yaml"
TEXT = _("方案")


async def _sent(request: Request) -> AsyncIterator[FormData]:
    """Read a form with one file, no larger than a scheme may be: what is sent says its length, or is not read."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > 2 * MOST_BYTES:
        raise BadInput(field=say(TEXT), problem=say(_("方案太长（超过{most}字）。"), most=MOST_CHARACTERS))
    async with request.form(max_files=1, max_fields=5, max_part_size=MOST_BYTES) as form:
        yield form


Sent = Annotated[FormData, Depends(_sent)]
Text = Annotated[str, Form(min_length=1, max_length=2 * MOST_CHARACTERS)]


@router.get("/school/own-scheme")
def form(request: Request, person: Admin) -> HTMLResponse:  # noqa: ARG001 - the guard is its point
    """Ask for a scheme document."""
    return page(request, "school/own_scheme.html", text="", most=MOST_CHARACTERS)


@router.post("/school/own-scheme")
def look(request: Request, person: PassingAdmin, sent: Sent) -> HTMLResponse:  # noqa: ARG001 - the guard is its point
    """Show every finding by its line, and what differs from the scheme it derives from; nothing is kept."""
    text = _text(sent)
    return page(request, "school/own_scheme.html", text=text, most=MOST_CHARACTERS, **looked_at(text))


def _text(sent: FormData) -> str:
    """Return the text of the file, else what was written into the field."""
    file = sent.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        return str(sent.get("text", ""))
    try:
        return file.file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(field=file.filename, problem=say(_("不是 UTF-8 文字，请另存为 UTF-8 再上传。"))) from None


def looked_at(text: str) -> dict[str, Any]:
    """Return what is found in a scheme text: `mistakes`, each with its line, and how many are `wrong`.

    Where it can be kept also `scheme`, `origin` (the name of what it derives from, or None), `differences` by section.
    """
    found, lines = check(text, source=SOURCE), text.splitlines()
    rows = [(one, lines[one.line - 1].strip() if one.line <= len(lines) else "") for one in found]
    wrong = sum(one.level == "error" for one in found)
    if wrong:
        return {"mistakes": rows, "wrong": wrong, "scheme": None}
    scheme = scheme_files.parse(text, source=SOURCE)
    origin, differing = departures(scheme) or (None, [])
    return {
        "mistakes": rows,
        "wrong": 0,
        "scheme": scheme,
        "origin": origin,
        "differences": told(differing),
        "today": today(),
    }


@router.post("/school/own-scheme/keep")
def keep(
    request: Request,
    person: PassingAdmin,
    text: Text,
    effective_from: Annotated[date, Form()],
    reason: Annotated[str, Form(max_length=1000)] = "",
) -> RedirectResponse:
    """Take the document into the school as a draft."""
    scheme = scheme_files.parse(text, source=SOURCE)  # a second or two: not while the database waits
    with transaction(request.app.state.engine) as session:
        made = schemes.adopt(
            session,
            actor=person,
            organization_id=person.organization_id,
            scheme=scheme,
            effective_from=effective_from,
            reason=reason.strip() or None,
        )
        return go(f"/school/schemes/{made.id}")


@router.get("/school/schemes/{key}/yaml")
def of_version(version: Version) -> Response:
    """Give a version of the school's as a document that is the same scheme again, to the digest."""
    scheme = schemes.scheme_of(version)
    return download(written(scheme.document).encode(), name=f"{scheme.id}.yaml", kind=YAML)


@router.get("/school/library/{name}/yaml")
def of_library(person: Admin, name: str) -> Response:  # noqa: ARG001 - the guard is its point
    """Give the document of a scheme that comes with the program, as it was written."""
    return download(in_library(name).file.read_bytes(), name=f"{name}.yaml", kind=YAML)


def in_library(name: str) -> scheme_files.Listed:
    """Return a scheme that comes with the program by its id, or raise NotFound."""
    for one in scheme_files.available():
        if one.id == name:
            return one
    raise NotFound(what=say(_("考核方案")), key=name)
