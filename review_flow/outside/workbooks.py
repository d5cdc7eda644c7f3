"""Workbooks written: templates, problem sheets, and whatever else leaves the house as xlsx.

Text is written as text whatever it begins with, so no cell of ours ever runs as a formula; the same content gives
the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import xlsxwriter

from review_flow.i18n import _, say
from review_flow.outside.cells import NO, YES, Cell, Column, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from review_flow.outside.spreadsheets import Problems, Sheet, Table

PROBLEM = _("问题")
ROWS_OFFERED = 1000
MOST_CHARACTERS = 32_000
LIST_CHARACTERS = 255
FORMS: Mapping[Kind, str] = {
    Kind.TEXT: _("文字"),
    Kind.NAME: _("文字"),
    Kind.CODE: _("文字（请勿用数字格式）"),
    Kind.DATE: _("日期，如 2022-03-01"),
    Kind.DECIMAL: _("数字，最多两位小数"),
    Kind.INTEGER: _("整数"),
    Kind.CHOICE: _("从下拉列表中选一项"),
    Kind.CHOICES: _("可填多项，用“、”隔开"),
    Kind.YES_NO: _("是或否"),
}
NUMBER_FORMATS: Mapping[Kind, str] = {Kind.DATE: "yyyy-mm-dd", Kind.DECIMAL: "0.00", Kind.INTEGER: "0"}
TEXT, BOLD, RED, DAY, MARK = (
    {"num_format": "@", "text_wrap": True},
    {"bold": True, "bg_color": "#DDEBF7", "border": 1},
    {"font_color": "#C00000", "num_format": "@", "text_wrap": True},
    {"num_format": "yyyy-mm-dd"},
    {"num_format": "0.00"},
)


@dataclass(frozen=True)
class Page:
    """A sheet to write: Decimals are shown with two places, dates as dates, text as text, None is blank."""

    title: str
    header: Sequence[str]
    rows: Iterable[Sequence[Cell | Decimal | None]]
    reddened: int | None = None
    """A column to show in red: the problems."""


def write(pages: Iterable[Page]) -> bytes:
    """Return an xlsx of these pages."""

    def build(book: Any) -> None:
        for page in pages:
            _write(book, page)

    return _built(build)


def template(table: Table) -> bytes:
    """Return an empty sheet to fill: columns formatted, words to choose from, and a second sheet 填写说明."""

    def build(book: Any) -> None:
        sheet = book.add_worksheet(table.title_zh)
        for place, column in enumerate(table.columns):
            _offer(book, sheet, place, column)
        sheet.freeze_panes(1, 0)
        _write(book, _guide(table))

    return _built(build)


def problem_sheet(sheet: Sheet, problems: Problems, *, title: str) -> bytes:
    """Return the user's own rows with a last column 问题; what concerns the whole file stands in the first row."""
    kept = [place for place, name in enumerate(sheet.header) if name != say(PROBLEM)]

    def rows() -> Iterable[list[Cell | Decimal | None]]:
        if 0 in problems.rows:
            yield [*(None for _place in kept), "\n".join(problems.rows[0])]
        for row in sheet.rows:
            cells = [row.cells[place] if place < len(row.cells) else None for place in kept]
            yield [*cells, "\n".join(problems.rows.get(row.number, []))]

    header = [*(sheet.header[place] for place in kept), say(PROBLEM)]
    return write([Page(title, header, rows(), reddened=len(kept))])


def _built(build: Callable[[Any], object]) -> bytes:
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        book.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})  # or else each run makes other bytes
        build(book)
    return buffer.getvalue()


def _write(book: Any, page: Page) -> None:
    sheet = book.add_worksheet(page.title)
    formats = {
        name: book.add_format(form) for name, form in (("text", TEXT), ("red", RED), ("day", DAY), ("mark", MARK))
    }
    sheet.write_row(0, 0, page.header, book.add_format(BOLD))
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, max(len(page.header) - 1, 0), 16)
    for number, cells in enumerate(page.rows, start=1):
        for place, cell in enumerate(cells):
            _cell(sheet, number, place, cell, formats, red=place == page.reddened)


def _cell(
    sheet: Any, row: int, place: int, cell: Cell | Decimal | None, formats: Mapping[str, Any], *, red: bool
) -> None:
    match cell:
        case None | "":
            return
        case bool():
            sheet.write_string(row, place, say(YES if cell else NO), formats["text"])
        case str():
            sheet.write_string(row, place, cell[:MOST_CHARACTERS], formats["red" if red else "text"])
        case date():
            sheet.write_datetime(row, place, cell, formats["day"])
        case Decimal():
            sheet.write_number(row, place, cell, formats["mark"])
        case _:
            sheet.write_number(row, place, cell)


def _offer(book: Any, sheet: Any, place: int, column: Column) -> None:
    cells = book.add_format({"num_format": NUMBER_FORMATS.get(column.kind, "@")})
    sheet.set_column(place, place, 16, cells)
    sheet.write_string(0, place, f"{column.name_zh}*" if column.required else column.name_zh, book.add_format(BOLD))
    words = [say(YES), say(NO)] if column.kind is Kind.YES_NO else list(column.choices)
    if column.kind in (Kind.CHOICE, Kind.YES_NO) and len(",".join(words)) <= LIST_CHARACTERS:
        sheet.data_validation(1, place, ROWS_OFFERED, place, {"validate": "list", "source": words})


def _guide(table: Table) -> Page:
    header = [say(_("列")), say(_("必填")), say(_("形式")), say(_("说明")), say(_("示例"))]
    rows: list[list[Cell | Decimal | None]] = [
        [column.name_zh, column.required, _form(column), column.note, column.example] for column in table.columns
    ]
    rows += [[note] for note in table.notes]
    return Page(say(_("填写说明")), header, rows)


def _form(column: Column) -> str:
    form = say(FORMS[column.kind])
    return f"{form}：{'、'.join(column.choices)}" if column.choices else form
