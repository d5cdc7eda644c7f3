"""One cell of a sheet: what kind of value its column holds, and how what a person typed is read as one.

Excel keeps 15 digits of a number and drops the rest, so a longer one that was typed as a number is refused, never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from review_flow.i18n import _, listed, say
from review_flow.rules.codes import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_CHARACTERS = 500
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


def told(value: Value) -> str:
    """Return a value as a person reads it."""
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


ODD = {
    Odd.MERGED: _("在合并的单元格里，请取消合并，每格都填上。"),
    Odd.ERROR: _("是出错的公式，请改成应有的值。"),
}
LOST = _("是数字格式，末位已丢失：请把该列设为文本后重新填写")
FAILED = {"#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"}


class CellRefusedError(ValueError):
    """A cell that can't be taken; says why in Chinese, to follow 第3行“工号”."""


def bare(cell: Cell) -> Cell:
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


def value_of(column: Column, cell: Cell) -> Value:
    """Return what a cell that is not blank holds; raises CellRefusedError."""
    return _READERS[column.kind](column, cell)


_READERS: Mapping[Kind, Callable[[Column, Cell], Value]] = {
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
