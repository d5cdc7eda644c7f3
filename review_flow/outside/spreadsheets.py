"""Sheets: a table declared once gives the template, the reading of a filled one, and the sheet of its problems.

Excel keeps 15 digits of a number and drops the rest, so a longer one that was typed as a number is refused with its
cell named, never guessed. Whatever a person typed is written back as text: `=…` stays the words it was.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_flow.errors import Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.codes import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 20_000
MOST_CHARACTERS = 500
SECONDS_TO_READ = 60
HEADER_WITHIN = 20
EXACT_DIGITS = 15
YES, NO = _("是"), _("否")
HAN = "[\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"


class Odd(Enum):
    """A cell that has no value of its own; as a heading it is blank."""

    MERGED = "merged"
    ERROR = "error"

    def __str__(self) -> str:
        return ""


Cell = str | int | float | bool | date | Odd
Value = str | Decimal | date | bool | int | tuple[str, ...] | None


class SheetUnreadable(Refusal):
    """A file that is no sheet we can read; the sentence says what to do."""

    status, text = 422, _("这个文件读不出来：{why}")


class Kind(Enum):
    """What a column holds. A code is a number that is a name: 工号, an event's id; a name is a person's."""

    TEXT = "text"
    NAME = "name"
    CODE = "code"
    DATE = "date"
    DECIMAL = "decimal"
    INTEGER = "integer"
    CHOICE = "choice"
    CHOICES = "choices"
    YES_NO = "yes_no"


@dataclass(frozen=True)
class Column:
    """One column: `key` for programs, `name_zh` in the header; `choices` are the allowed words; `example` a cell."""

    key: str
    name_zh: str
    kind: Kind = Kind.TEXT
    required: bool = False
    choices: tuple[str, ...] = ()
    note: str = ""
    example: str = ""
    usual: tuple[str, ...] = ()
    """The usual words of a text: another one is taken as well, with a hint."""
    constant: str | None = None
    """What every row has here, where the sheet need not have the column."""


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
                cells[place] = _told(row.values[key])
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


def _told(value: Value) -> str:
    if isinstance(value, bool):
        return say(YES if value else NO)
    return "、".join(value) if isinstance(value, tuple) else str(value)


def unusual(column: Column, word: str) -> str | None:
    """Return the usual word that is meant, "" where that can't be told; None where the word is, or holds, a usual one."""
    if not word or not column.usual or any(one in word for one in column.usual):
        return None
    alike = {one: len(set(one) & set(word)) for one in column.usual}
    best = [one for one, score in alike.items() if score and score == max(alike.values())]
    return best[0] if len(best) == 1 else ""


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
    return any(place < len(cells) and _bare(cells[place]) not in ("", Odd.MERGED) for place in places)


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
        cell = _bare(cells[place]) if place < len(cells) else ""
        if cell == "" and column.constant is not None:
            cell = column.constant
        values[column.key] = None
        if cell == "":
            if column.required:
                problems.at(row, column, say(_("不能为空。")))
            continue
        try:
            values[column.key] = READERS[column.kind](column, cell)
        except CellRefusedError as refused:
            problems.at(row, column, str(refused))
    return row


ODD = {
    Odd.MERGED: _("在合并的单元格里，请取消合并，每格都填上。"),
    Odd.ERROR: _("是出错的公式，请改成应有的值。"),
}


LOST = _("是数字格式，末位已丢失：请把该列设为文本后重新填写")
FAILED = {"#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"}


class CellRefusedError(ValueError):
    """A cell that can't be taken; says why in Chinese, to follow 第3行“工号”."""


def _bare(cell: Cell) -> Cell:
    """Take the space around a text away, the invisible kinds too."""
    return re.sub(r"^[\s\ufeff\u200b]+|[\s\ufeff\u200b]+$", "", cell) if isinstance(cell, str) else cell


def _digits(number: float) -> str:
    """Write a number as Excel shows it; refuse one whose last digits Excel has dropped."""
    if isinstance(number, float) and not number.is_integer():
        return f"{number:.{EXACT_DIGITS}g}"
    if abs(number) >= 10**EXACT_DIGITS:
        raise CellRefusedError(say(LOST))
    return str(int(number))


def _text(_column: Column, cell: Cell) -> str:
    if isinstance(cell, str) and cell.upper() in FAILED:  # as a CSV has it
        cell = Odd.ERROR
    if isinstance(cell, Odd):
        raise CellRefusedError(say(ODD[cell]))
    if isinstance(cell, bool):
        return say(YES if cell else NO)
    text = cell if isinstance(cell, str) else cell.isoformat() if isinstance(cell, date) else _digits(cell)
    if len(text) > MOST_CHARACTERS:
        raise CellRefusedError(say(_("超过{limit}个字。"), limit=MOST_CHARACTERS))
    if any(unicodedata.category(character) == "Cc" and character not in "\n\r\t" for character in text):
        raise CellRefusedError(say(_("含有不可见的控制字符，请重新填写。")))
    return text


def _code(column: Column, cell: Cell) -> str:
    code = plain(_text(column, cell))
    if column.kind is Kind.CODE and re.fullmatch(r"\d\.\d+E\+\d+", code, re.ASCII | re.IGNORECASE):
        raise CellRefusedError(say(LOST))  # what a long number becomes in a CSV
    return code


def _name(column: Column, cell: Cell) -> str:
    """Read a person's name as it is said: no space between Chinese characters, one between words."""
    name = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", _text(column, cell))).strip()
    return re.sub(f"(?<={HAN}) (?={HAN})", "", name)


def _date(column: Column, cell: Cell) -> date:
    if isinstance(cell, date):
        return cell
    text = _code(column, cell)
    found = re.fullmatch(r"(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))", text)
    if found:
        year, month, day = (int(part) for part in found.groups() if part)
        try:
            return date(year, month, day)
        except ValueError as error:
            raise CellRefusedError(say(_("没有“{text}”这一天。"), text=text)) from error
    raise CellRefusedError(say(_("“{text}”不是日期，应写成 2022-03-01 的样子。"), text=text))


def _decimal(column: Column, cell: Cell) -> Decimal:
    text = _code(column, cell)
    if not re.fullmatch(r"[+-]?[0-9]{1,9}(\.[0-9]+)?", text):
        raise CellRefusedError(say(_("“{text}”不是数字。"), text=text))
    number = Decimal(text)
    if number != round(number, 2):
        raise CellRefusedError(say(_("最多两位小数。")))
    return number


def _integer(column: Column, cell: Cell) -> int:
    number = _decimal(column, cell)
    if number != number.to_integral_value():
        raise CellRefusedError(say(_("应为整数。")))
    return int(number)


def _choice(column: Column, cell: Cell) -> str:
    word = _code(column, cell)
    if word not in column.choices:
        raise CellRefusedError(say(_("里没有“{word}”，可填：{choices}。"), word=word, choices=listed(column.choices)))
    return word


def _choices(column: Column, cell: Cell) -> tuple[str, ...]:
    words = [part for part in re.split(r"[、,，;；/\s]+", _text(column, cell)) if part]
    return tuple(dict.fromkeys(_choice(column, word) for word in words))


def _yes_no(column: Column, cell: Cell) -> bool:
    words = {say(YES): True, say(NO): False}
    word = _text(column, cell)
    if word not in words:
        raise CellRefusedError(say(_("应填“是”或“否”。")))
    return words[word]


READERS: Mapping[Kind, Callable[[Column, Cell], Value]] = {
    Kind.TEXT: _text,
    Kind.NAME: _name,
    Kind.CODE: _code,
    Kind.DATE: _date,
    Kind.DECIMAL: _decimal,
    Kind.INTEGER: _integer,
    Kind.CHOICE: _choice,
    Kind.CHOICES: _choices,
    Kind.YES_NO: _yes_no,
}
