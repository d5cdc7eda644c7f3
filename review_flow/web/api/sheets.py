"""Sheets in: a roster as rows, any sheet as its file; looked through, taken or left, and the last one undone."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from models import Organization, Person, SheetImport
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _, say
from review_flow.outside import spreadsheets
from review_flow.rules.words import JobState, RoleKind, SheetKind
from review_flow.steps import imports, imports_undo
from review_flow.steps.imports_tables import ROSTER, TABLES
from review_flow.steps.people import ROLE_NAMES
from review_flow.steps.rounds import WrongPhase
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Administrator, PassingAdministrator
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.routes import Bounded, gives, reads, router, writes
from review_flow.web.api.shapes import Code, Day, In, Line, Out, Page, RowId
from review_flow.web.render import XLSX, download
from review_flow.web.sheets import problem_sheet

FIRST_ROW = 2  # of a sheet, below its header
Cell = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
MOST_ROWS = 2000
Look = Annotated[bool, Query(description="Whether its rows are only looked through, until `take` or `leave`.")]
STARTING = [spreadsheets.SheetUnreadable, WrongPhase, BadInput, NotFound]


class AsLongAsASheet(Bounded):
    """A route that takes a sheet: as long as a sheet may be, and only from those who may bring one."""

    most_bytes, ahead = spreadsheets.MOST_BYTES, False


routes = router("sheets")
files = router("sheets", of=AsLongAsASheet)


class RosterRow(In):
    """One person, as in a row of the roster's sheet; what is absent or blank stays as it is."""

    number: Annotated[Cell, Field(min_length=1)]
    name: Annotated[Cell, Field(min_length=1)]
    subject: Cell = ""
    stage: Cell = ""
    workshop: Cell = ""
    roles: Annotated[list[Annotated[RoleKind, Field(strict=False)]], Field(max_length=10, default_factory=list)]
    contact: Cell = ""
    retires_on: Day | None = None
    exempt: Cell = ""
    household: Cell = ""


class RosterIn(In):
    """The people to add or change; with a round, its teachers take part. All rows are taken, or none."""

    rows: Annotated[list[RosterRow], Field(min_length=1, max_length=MOST_ROWS)]
    round_id: RowId | None = None


class RowProblem(Out):
    """What is wrong with a row, counted from 0; null: with all of it."""

    row: int | None
    problem: str


class ImportLine(Out):
    """An import; `round_id` null: the school's own roster."""

    id: int
    kind: str
    round_id: int | None
    file_name: str
    state: str
    rows: int | None
    brought_at: datetime
    finished_at: datetime | None


class ImportOut(ImportLine):
    """An import: done by the worker after it was asked for; `refused` with every problem of every row.

    `counts`: after a look, how many rows are new, changed, the same. `not_undoable`: of one that is done, why it can't
    be undone now, in a sentence.
    """

    problems: list[RowProblem]
    counts: dict[str, int]
    not_undoable: str | None


class Difference(Out):
    """What a row would change: the column's name, and its words before and after."""

    name: str
    was: str | None
    now: str | None


class Hint(Out):
    """A word that is not usual in its column; `near`: the usual one that is meant, where that can be told."""

    name: str
    word: str
    near: str


class RowSeen(Out):
    """A row that was looked through, counted from 0: its cells as taken, and whether it is new, changed or the same."""

    row: int
    cells: list[str]
    what: str
    told: list[Difference]
    hints: list[Hint] = Field(default_factory=list)


def _line(one: SheetImport) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind.value,
        "round_id": one.round_id,
        "file_name": one.file_name,
        "state": one.state.value,
        "rows": one.rows,
        "brought_at": one.brought_at,
        "finished_at": one.finished_at,
    }


def _import(session: Session, one: SheetImport) -> ImportOut:
    problems = [(int(number), text) for number, texts in (one.problems or {}).items() for text in texts]
    return ImportOut(
        **_line(one),
        problems=[
            RowProblem(row=number - FIRST_ROW if number >= FIRST_ROW else None, problem=text)
            for number, text in sorted(problems)
        ],
        counts=(one.preview or {}).get("counts", {}),
        not_undoable=imports_undo.why_not(session, sheet_import=one) if one.state is JobState.DONE else None,
    )


def _sheet_import(session: Session, person: Person, key: int) -> SheetImport:
    return mine.of_school(session, person, SheetImport, key, _("导入"))


@writes(routes, "POST", "/roster", status=202, refuses=[WrongPhase, BadInput, NotFound])
def import_roster(request: Request, session: Db, person: Administrator, body: RosterIn) -> ImportOut:
    """Bring people in, by the rules of the roster's sheet; the worker does it, ask for the import to see how it went."""
    round_ = None if body.round_id is None else seen.school_round(session, person, body.round_id)
    made = imports.start(
        session,
        actor=person,
        organization=session.get_one(Organization, person.organization_id),
        round_=round_,
        kind=SheetKind.ROSTER,
        file_name="api.csv",
        data=_sheet(body.rows),
        storage=request.app.state.storage,
    )
    return _import(session, made)


def _sheet(rows: Sequence[RosterRow]) -> bytes:
    """Return the rows as the sheet that an administrator would have brought."""
    text = io.StringIO(newline="")
    sheet = csv.writer(text)
    sheet.writerow([column.name_zh for column in ROSTER.columns])
    for one in rows:
        said = one.model_dump(mode="json")
        said["roles"] = "、".join(ROLE_NAMES[kind] for kind in one.roles)
        sheet.writerow([said[column.key] or "" for column in ROSTER.columns])
    return text.getvalue().encode()


@gives(routes, "/sheet-templates/{kind}", kinds=[XLSX])
def get_template(person: Administrator, kind: SheetKind) -> Response:  # noqa: ARG001 - the guard is its point
    """Give an empty sheet to fill, with how to fill it."""
    return download(imports.template(kind), name=f"{say(TABLES[kind].title_zh)}.xlsx", kind=XLSX)


async def _bytes(request: Request, _person: PassingAdministrator) -> bytes:
    """Read the body, once it is known who sends it, and before the handler's transaction begins."""
    return await request.body()


@writes(files, "POST", "/imports", status=202, refuses=STARTING, takes="application/octet-stream")
def import_sheet(
    request: Request,
    data: Annotated[bytes, Depends(_bytes)],
    session: Db,
    person: PassingAdministrator,
    kind: Annotated[SheetKind, Query(description="Which sheet it is.")],
    round_id: Annotated[RowId | None, Query(description="Whose round; only a roster may do without.")] = None,
    file_name: Annotated[Line, Query(description="What the file is called.")] = "api",
    provider: Annotated[Code | None, Query(description="The platform whose export it is.")] = None,
    look: Look = True,  # noqa: FBT002 - a word of the address
) -> ImportOut:
    """Bring a sheet: the request's body is its file (xlsx, xls, ods or csv, at most 10 MB); the worker reads it."""
    school = session.get_one(Organization, person.organization_id)
    named = None if provider is None else imports.provider_named(session, organization=school, name=provider, kind=kind)
    made = imports.start(
        session,
        actor=person,
        organization=school,
        round_=None if round_id is None else seen.school_round(session, person, round_id),
        kind=kind,
        file_name=file_name,
        data=data,
        storage=request.app.state.storage,
        provider=named,
        look=look,
    )
    return _import(session, made)


@reads(routes, "/imports")
def list_imports(session: Db, person: Administrator, part: Asked) -> Page[ImportLine]:
    """List what was brought to the school, the newest first."""
    return listed_part(
        session,
        select(SheetImport).where(SheetImport.organization_id == person.organization_id),
        key=SheetImport.id,
        part=part,
        shown=lambda rows: [ImportLine(**_line(one)) for (one,) in rows],
        newest_first=True,
    )


@reads(routes, "/imports/{key}")
def get_import(session: Db, person: Administrator, key: Key) -> ImportOut:
    """Tell how an import went."""
    return _import(session, _sheet_import(session, person, key))


@reads(routes, "/imports/{key}/rows")
def list_import_rows(session: Db, person: Administrator, key: Key, part: Asked) -> Page[RowSeen]:
    """List what each row would do, as the look saw it."""
    found = numbered_part((_sheet_import(session, person, key).preview or {}).get("rows", []), part=part)
    return Page(items=[_row(one) for one in found.items], next=found.next)


def _row(seen_: dict[str, Any]) -> RowSeen:
    told = [{name: None if said is None else str(said) for name, said in one.items()} for one in seen_["told"]]
    return RowSeen.model_validate({**seen_, "row": seen_["row"] - FIRST_ROW, "told": told})


@gives(routes, "/imports/{key}/problem-sheet", kinds=[XLSX])
def get_problem_sheet(request: Request, session: Db, person: Administrator, key: Key) -> Response:
    """Give a refused sheet back with what is wrong beside each row."""
    return problem_sheet(request, _sheet_import(session, person, key))


@writes(routes, "POST", "/imports/{key}/take", status=202, refuses=[imports.NothingToTake])
def take_import(session: Db, person: Administrator, key: Key) -> ImportOut:
    """Have a sheet taken that was looked through."""
    found = _sheet_import(session, person, key)
    imports.take(session, actor=person, sheet_import=found)
    return _import(session, found)


@writes(routes, "POST", "/imports/{key}/leave", refuses=[imports.NothingToTake])
def leave_import(session: Db, person: Administrator, key: Key) -> ImportOut:
    """Leave a sheet that was looked through."""
    found = _sheet_import(session, person, key)
    imports.leave(session, actor=person, sheet_import=found)
    return _import(session, found)


@writes(routes, "POST", "/imports/{key}/undo", refuses=[imports_undo.NotTakenBack, WrongPhase])
def undo_import(session: Db, person: Administrator, key: Key) -> ImportOut:
    """Undo the school's last import, whole, as long as nothing rests on it."""
    found = _sheet_import(session, person, key)
    imports_undo.take_back(session, actor=person, sheet_import=found)
    return _import(session, found)
