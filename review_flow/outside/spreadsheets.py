"""Sheets: a table declared once gives the template, the reading of a filled one, and the sheet of its problems.

A cell that can't be taken (`cells.py`) is refused with its row and column named, never guessed. Whatever a person typed
is written back as text: `=…` stays the words it was.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_flow.errors import Refusal
from review_flow.i18n import _, listed, say
from review_flow.outside.cells import Cell, CellRefusedError, Column, Odd, Value, bare, told, value_of
from review_flow.rules.codes import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 20_000
SECONDS_TO_READ = 60
HEADER_WITHIN = 20


class SheetUnreadable(Refusal):
    """A file that is no sheet we can read; the sentence says what to do."""

    status, text = 422, _("这个文件读不出来：{why}")


@dataclass(frozen=True)
class Table:
    """One kind of sheet."""

    title_zh: str
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    only_these: bool = False
    """Another column is refused: it could name people who are not to be known."""


@dataclass(frozen=True)
class Row:
    """A row as read: its number in the sheet, the values by column key (None: blank), the cells as they stood."""

    number: int
    values: Mapping[str, Value]
    cells: tuple[Cell, ...]

    def text(self, key: str) -> str:
        """Return a text, code or choice; "" where the cell is blank."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    def day(self, key: str) -> date | None:
        """Return a date, or None where the cell is blank."""
        value = self.values.get(key)
        return value if isinstance(value, date) else None

    def decimal(self, key: str) -> Decimal:
        """Return a number; 0 where the cell is blank."""
        value = self.values.get(key)
        return value if isinstance(value, Decimal) else Decimal(0)

    def words(self, key: str) -> tuple[str, ...]:
        """Return the chosen words; empty where the cell is blank."""
        value = self.values.get(key)
        return value if isinstance(value, tuple) else ()


@dataclass
class Problems:
    """What is wrong, row by row; row 0 is the file as a whole."""

    rows: dict[int, list[str]] = field(default_factory=dict)

    def add(self, number: int, problem: str) -> None:
        """Note a sentence about a row."""
        self.rows.setdefault(number, []).append(problem)

    def at(self, row: Row, column: Column, problem: str) -> None:
        """Note what is wrong with one cell, named by row and column: 第3行“工号”不能为空."""
        self.add(
            row.number, say(_("第{row}行“{column}”{problem}"), row=row.number, column=column.name_zh, problem=problem)
        )

    def __bool__(self) -> bool:
        return bool(self.rows)


@dataclass(frozen=True)
class Sheet:
    """A filled sheet: the header as the user wrote it, and the rows that hold anything."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    places: Mapping[str, int] = field(default_factory=dict)
    """Where each column stands, by its key."""

    def taken(self, row: Row) -> list[str]:
        """Return a row's cells as they are taken: a column of ours by what was read in it, another as it stood."""
        cells = [str(cell) for cell in row.cells]
        for key, place in self.places.items():
            if place < len(cells) and row.values.get(key) is not None:
                cells[place] = told(row.values[key])
        return cells


def as_named_by(table: Table, *, columns: Mapping[str, str], constants: Mapping[str, str]) -> Table:
    """Return the table as a platform's export names its columns, with what the export doesn't say (by column key)."""
    return replace(
        table,
        columns=tuple(
            replace(one, name_zh=columns.get(one.key, one.name_zh), constant=constants.get(one.key))
            for one in table.columns
        ),
    )


def read(table: Table, data: bytes, *, problems: Problems) -> Sheet:
    """Read xlsx, xls, ods or csv (UTF-8 or GB18030) by the names in its header; cells that can't be taken are noted.

    Raises SheetUnreadable where no row can be read at all.
    """
    if len(data) > MOST_BYTES:
        raise SheetUnreadable(why=say(_("文件超过{limit}兆字节，请拆成几个文件分别导入。"), limit=MOST_BYTES >> 20))
    header, places, body = _header(table, _sheets(data))
    body = [(number, cells) for number, cells in body if _holds(cells, places.values())]
    if len(body) > MOST_ROWS:
        raise SheetUnreadable(why=say(_("超过{limit}行，请拆成几个文件分别导入。"), limit=MOST_ROWS))
    if not body:
        raise SheetUnreadable(why=say(_("表头下面没有数据。")))
    rows = tuple(_row(table, places, number, cells, problems) for number, cells in body)
    return Sheet(header=header, rows=rows, places=places)


Page = tuple[str, list[tuple[int, list[Cell]]]]
"""A sheet's name, and its rows: their number, their cells."""


def _sheets(data: bytes) -> list[Page]:
    if data[:2] == b"PK" or data[:4] == b"\xd0\xcf\x11\xe0":
        return _binary(data)
    if b"\0" in data:
        raise SheetUnreadable(why=say(_("不是 Excel（xlsx、xls）、ODS 或 CSV 文件。")))
    return [("", _comma_separated(data))]


def _binary(data: bytes) -> list[Page]:
    command = [sys.executable, "-I", str(Path(__file__).with_name("sheet_child.py"))]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS_TO_READ, check=True)  # noqa: S603 - our own module, no shell
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        why = say(_("文件太大或已损坏。请把数据复制到新下载的模板里再导入。"))
        raise SheetUnreadable(why=why) from error
    answer = json.loads(done.stdout)
    if "refused" in answer:
        sentence = {
            "password": _("文件设有密码，请去掉密码后再导入。"),
            "unreadable": _("文件已损坏，或不是 Excel、ODS 文件。请另存为 xlsx 后再导入。"),
        }[answer["refused"]]
        raise SheetUnreadable(why=say(sentence))
    return [
        (name, [(number, [_plain(cell) for cell in row]) for number, row in rows]) for name, rows in answer["sheets"]
    ]


def _plain(cell: Any) -> Cell:
    if not isinstance(cell, dict):
        plain: Cell = cell
        return plain
    return Odd(cell["x"]) if "x" in cell else date.fromisoformat(cell["d"])


def _comma_separated(data: bytes) -> list[tuple[int, list[Cell]]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except csv.Error as error:
            raise SheetUnreadable(why=say(_("不是完整的 CSV 文件。请另存为 xlsx 后再导入。"))) from error
        return [(number, list(row)) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]
    raise SheetUnreadable(why=say(_("文字编码既不是 UTF-8 也不是 GB18030。请另存为 xlsx 后再导入。")))


def _header(
    table: Table, sheets: Sequence[Page]
) -> tuple[tuple[str, ...], dict[str, int], list[tuple[int, list[Cell]]]]:
    """Return the header's cells, column key → place, and the rows below: of the sheet that names most columns."""
    best: tuple[int, int, int] = (0, 0, 0)
    for page, (_name, rows) in enumerate(sheets):
        for place, (_number, cells) in enumerate(rows[:HEADER_WITHIN]):
            score = len(_places(table, cells))
            if score > best[0]:
                best = (score, page, place)
    score, page, place = best
    if score == 0:
        names = listed(column.name_zh for column in table.columns if column.required)
        raise SheetUnreadable(why=say(_("没有找到表头。表头一行应有：{names}。"), names=names))
    body = sheets[page][1]
    _number, cells = body[place]
    places = _places(table, cells)
    missing = [
        column.name_zh
        for column in table.columns
        if column.required and column.constant is None and column.key not in places
    ]
    if missing:
        raise SheetUnreadable(why=say(_("表头缺少这些列：{names}。"), names=listed(missing)))
    _refuse_doubles(table, cells)
    _refuse_strangers(table, cells)
    _refuse_twins(table, sheets, cells)
    return tuple(str(cell) for cell in cells), places, list(body[place + 1 :])


def _refuse_twins(table: Table, sheets: Sequence[Page], cells: Sequence[Cell]) -> None:
    """Refuse a file in which another sheet has the same header and rows below it: half of it would be left out."""
    ours = _places(table, cells).keys()
    twins = {
        name: None
        for name, rows in sheets
        for place, (_number, header) in enumerate(rows[:HEADER_WITHIN])
        if _places(table, header).keys() == ours and rows[place + 1 :]
    }
    if len(twins) > 1:
        why = _("有几张工作表都像要导入的表：{names}。请合成一张，或分别导入。")
        raise SheetUnreadable(why=say(why, names=listed(twins)))


def _holds(cells: Sequence[Cell], places: Iterable[int]) -> bool:
    """Whether a row says anything in a column of ours: a filled-in 序号 alone makes no row."""
    return any(place < len(cells) and bare(cells[place]) not in ("", Odd.MERGED) for place in places)


def _places(table: Table, cells: Iterable[Cell]) -> dict[str, int]:
    names = [_heading(cell) for cell in cells]
    wanted = {column.key: _heading(column.name_zh) for column in table.columns}
    return {key: names.index(name) for key, name in wanted.items() if name in names}


def _refuse_doubles(table: Table, cells: Iterable[Cell]) -> None:
    names = [_heading(cell) for cell in cells]
    doubled = [column.name_zh for column in table.columns if names.count(_heading(column.name_zh)) > 1]
    if doubled:
        raise SheetUnreadable(why=say(_("表头中有重复的列：{names}。"), names=listed(doubled)))


def _refuse_strangers(table: Table, cells: Iterable[Cell]) -> None:
    known = {_heading(column.name_zh) for column in table.columns}
    strange = [str(cell) for cell in cells if _heading(cell) and _heading(cell) not in known]
    if table.only_these and strange:
        raise SheetUnreadable(why=say(_("请删去这些列：{names}。这张表不能有其他列。"), names=listed(strange)))


def _heading(cell: Cell) -> str:
    """Bring a heading to its bare name: width, spaces, a star and a note in brackets don't count."""
    return re.sub(r"\(.*\)$", "", plain(str(cell))).strip("*:")


def _row(table: Table, places: Mapping[str, int], number: int, cells: list[Cell], problems: Problems) -> Row:
    values: dict[str, Value] = {}
    row = Row(number, values, tuple("" if isinstance(cell, Odd) else cell for cell in cells))
    for column in table.columns:
        place = places.get(column.key, len(cells))
        cell = bare(cells[place]) if place < len(cells) else ""
        if cell == "" and column.constant is not None:
            cell = column.constant
        values[column.key] = None
        if cell == "":
            if column.required:
                problems.at(row, column, say(_("不能为空。")))
            continue
        try:
            values[column.key] = value_of(column, cell)
        except CellRefusedError as refused:
            problems.at(row, column, str(refused))
    return row
