"""Sheets in: template, upload, a look at what each row would do, a word, and a step back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.datastructures import FormData, UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models import Organization, Person, Provider, Round, SheetImport
from review_flow.db import transaction
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _, say
from review_flow.outside.spreadsheets import MOST_BYTES
from review_flow.outside.storage import read
from review_flow.rules.words import JobState, SheetKind
from review_flow.steps import imports, imports_undo
from review_flow.steps.imports_tables import TABLES
from review_flow.web import mine
from review_flow.web.access import Admin, Confirmed, Db, Key, PassingAdmin
from review_flow.web.render import XLSX, Paged, download, go, page, pages_of
from review_flow.web.school import SchoolRound, round_of

router = APIRouter()
FIELDS_BYTES = 100_000  # for the form around the file
PAGE = 50
AT_WORK = {JobState.LOOKING, JobState.WAITING}
WHAT = {"new": (_("新增"), "good"), "changed": (_("变更"), "warn"), "same": (_("不变"), "plain")}


async def _sent(request: Request) -> AsyncIterator[FormData]:
    """Read a form with one file, no larger than a sheet may be: what is sent says its length, or is not read."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > MOST_BYTES + FIELDS_BYTES:
        raise BadInput(field=say(_("文件")), problem=say(_("超过{limit}兆字节。"), limit=MOST_BYTES >> 20))
    async with request.form(max_files=1, max_fields=10) as form:
        yield form


Sent = Annotated[FormData, Depends(_sent)]


@router.get("/school/sheets")
def of_school(request: Request, session: Db, person: Admin, page_: Paged = 1) -> HTMLResponse:
    """Bring the school's roster, and see what was brought before."""
    return _list(request, session, person, None, page_)


@router.get("/school/rounds/{key}/sheets")
def of_round(request: Request, session: Db, person: Admin, round_: SchoolRound, page_: Paged = 1) -> HTMLResponse:
    """Bring sheets to a round, and see what was brought before."""
    return _list(request, session, person, round_, page_)


def _list(request: Request, session: Session, person: Person, round_: Round | None, number: int) -> HTMLResponse:
    mine = [SheetImport.organization_id == person.organization_id]
    mine += [SheetImport.round_id == round_.id] if round_ else []
    newest = select(SheetImport).where(*mine).order_by(SheetImport.id.desc())
    return page(
        request,
        "school/sheets.html",
        round=round_,
        base=f"/school/rounds/{round_.id}" if round_ else "/school",
        kinds=[(kind, TABLES[kind].title_zh) for kind in (SheetKind if round_ else [SheetKind.ROSTER])],
        providers=session.scalars(
            select(Provider).where(Provider.organization_id == person.organization_id).order_by(Provider.name)
        ).all(),
        found=[_told(one) for one in session.scalars(newest.offset((number - 1) * PAGE).limit(PAGE))],
        number=number,
        pages=pages_of(session.scalar(select(func.count()).select_from(SheetImport).where(*mine)) or 0, PAGE),
    )


def _told(one: SheetImport) -> dict[str, Any]:
    return {"sheet": one, "title": TABLES[one.kind].title_zh, "state": imports.STATES[one.state]}


@router.get("/school/templates/{kind}")
def template(person: Admin, kind: SheetKind) -> Response:  # noqa: ARG001 - the guard is its point
    """Give an empty sheet to fill, with how to fill it."""
    return download(imports.template(kind), name=f"{say(TABLES[kind].title_zh)}.xlsx", kind=XLSX)


@router.post("/school/sheets")
def bring(request: Request, person: PassingAdmin, sent: Sent) -> RedirectResponse:
    """Keep the school's roster, to be looked through."""
    return _bring(request, person, None, sent)


@router.post("/school/rounds/{key}/sheets")
def bring_to_round(request: Request, person: PassingAdmin, key: Key, sent: Sent) -> RedirectResponse:
    """Keep a sheet for a round, to be looked through."""
    return _bring(request, person, key, sent)


def _bring(request: Request, person: Person, key: int | None, sent: FormData) -> RedirectResponse:
    """The file is here before the transaction begins: a slow line holds nobody up."""
    file, kind = sent.get("file"), str(sent.get("kind", ""))
    with transaction(request.app.state.engine) as session:
        round_ = None if key is None else round_of(session, person, key)
        if not isinstance(file, UploadFile) or not file.filename:
            raise BadInput(field=say(_("文件")), problem=say(_("请选择一个文件。")))
        if kind not in {one.value for one in SheetKind}:
            raise BadInput(field=say(_("种类")), problem=say(_("请选择是哪一种表。")))
        school, provider = session.get_one(Organization, person.organization_id), str(sent.get("provider", ""))
        named = (
            imports.provider_named(session, organization=school, name=provider, kind=SheetKind(kind))
            if provider
            else None
        )
        brought = imports.start(
            session,
            actor=person,
            organization=school,
            round_=round_,
            kind=SheetKind(kind),
            file_name=file.filename,
            data=file.file.read(),
            storage=request.app.state.storage,
            provider=named,
            look=True,
        )
        return go(f"/school/imports/{brought.id}")


def sheet_of(session: Db, person: Admin, key: Key) -> SheetImport:
    """Return an import of the administrator's own school."""
    return mine.of_school(session, person, SheetImport, key, _("导入"))


Sheet = Annotated[SheetImport, Depends(sheet_of)]


@router.get("/school/imports/{key}")
def import_page(
    request: Request,
    session: Db,
    sheet: Sheet,
    page_: Paged = 1,
    only: Annotated[str, Query(max_length=10)] = "",
) -> HTMLResponse:
    """Show where an import stands; what it would do, or what is wrong, or whether it can be undone."""
    return page(request, "school/import.html", **_import(session, sheet, page_, only))


@router.get("/school/imports/{key}/part")
def import_part(request: Request, session: Db, sheet: Sheet) -> HTMLResponse:
    """Show the same without the page around it, asked for again while the import is under way."""
    return page(request, "school/import_part.html", **_import(session, sheet, 1, ""))


def _import(session: Session, sheet: SheetImport, number: int, only: str) -> dict[str, Any]:
    seen = sheet.preview or {"header": [], "rows": [], "counts": {}}
    rows = [one for one in seen["rows"] if only in ("", one["what"])]
    problems = [(int(row), said) for row, said in sorted((sheet.problems or {}).items(), key=lambda one: int(one[0]))]
    shown = slice((number - 1) * PAGE, number * PAGE)
    return {
        **_told(sheet),
        "at_work": sheet.state in AT_WORK,
        "why_not": imports_undo.why_not(session, sheet_import=sheet) if sheet.state is JobState.DONE else None,
        "base": f"/school/rounds/{sheet.round_id}" if sheet.round_id else "/school",
        "header": seen["header"],
        "counts": seen["counts"],
        "rows": rows[shown],
        "problems": problems[shown],
        "what": WHAT,
        "only": only,
        "number": number,
        "pages": pages_of(len(problems) if problems else len(rows), PAGE),
    }


@router.get("/school/imports/{key}/problems.xlsx")
def problems(request: Request, sheet: Sheet) -> Response:
    """Give the sheet back with what is wrong beside each row."""
    return problem_sheet(request, sheet)


def problem_sheet(request: Request, sheet: SheetImport) -> Response:
    """Return a refused sheet with what is wrong beside each row, for a page or a program."""
    if sheet.problems_key is None:
        raise NotFound(what=say(_("问题表")), key=sheet.id)
    name = say(_("{name}-问题.xlsx"), name=PurePath(sheet.file_name).stem)
    return download(read(request.app.state.storage, sheet.problems_key), name=name, kind=XLSX)


@router.post("/school/imports/{key}/take")
def take(session: Db, person: Admin, sheet: Sheet) -> RedirectResponse:
    """Take the sheet that was looked through."""
    imports.take(session, actor=person, sheet_import=sheet)
    return go(f"/school/imports/{sheet.id}")


@router.post("/school/imports/{key}/leave")
def leave(session: Db, person: Admin, sheet: Sheet) -> RedirectResponse:
    """Leave the sheet that was looked through."""
    imports.leave(session, actor=person, sheet_import=sheet)
    return go(f"/school/imports/{sheet.id}")


@router.post("/school/imports/{key}/undo")
def undo(session: Db, person: Admin, sheet: Sheet, _sure: Confirmed) -> RedirectResponse:
    """Undo the last import."""
    imports_undo.take_back(session, actor=person, sheet_import=sheet)
    return go(f"/school/imports/{sheet.id}")
