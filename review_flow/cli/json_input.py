"""JSON that people hand in, read strictly: its numbers exact, and one sentence for whatever is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from review_flow.errors import BadInput
from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_DIGITS = 1000  # of a whole number; Python itself refuses 4300
Value = TypeVar("Value")


def parse(content: bytes, *, decimal: Callable[[str], Any]) -> Any:
    """Return what the JSON says, numbers with a point through `decimal`. Raises BadInput: where, and what is wrong.

    Refused as well, where Python is lenient: a name written twice, NaN, numbers without end, half a character.
    """
    try:
        found = json.loads(
            content.decode("utf-8-sig"),
            parse_int=_whole,
            parse_float=lambda digits: _decimal(digits, decimal),
            parse_constant=_no_number,
            object_pairs_hook=_once,
        )
    except UnicodeDecodeError:
        raise BadInput(field=say(_("文件")), problem=say(_("不是 UTF-8 文字。"))) from None
    except json.JSONDecodeError as error:
        raise BadInput(field=say(_("第{line}行"), line=error.lineno), problem=say(_("不是正确的 JSON。"))) from None
    except RecursionError:
        raise BadInput(field=say(_("文件")), problem=say(_("括号嵌套得太深。"))) from None
    _whole_characters(found)
    return found


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise BadInput(field=f"{digits[:12]}…", problem=say(_("数太长，最多{most}位。"), most=MOST_DIGITS))
    return int(digits)


def _decimal(digits: str, decimal: Callable[[str], Value]) -> Value:
    try:
        return decimal(digits)
    except ArithmeticError:
        raise BadInput(field=digits[:40], problem=say(_("不是能算的数。"))) from None


def _no_number(name: str) -> Any:
    raise BadInput(field=name, problem=say(_("不是数。")))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadInput(field=_printable(name), problem=say(_("在同一个对象里写了两次。")))
        found[name] = value
    return found


def _whole_characters(found: Any) -> None:
    """Refuse a lone half of a surrogate pair: it could be neither printed nor kept."""
    left = [found]
    while left:
        match left.pop():
            case str() as text if text != _printable(text):
                raise BadInput(field=_printable(text), problem=say(_("含有半个字符，不是文字。")))
            case dict() as some:
                left += [*some, *some.values()]
            case list() as some:
                left += some


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
