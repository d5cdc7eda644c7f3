"""How the values of a scheme are said in the printed plan: numbers, shares, stretches of time, conditions, rows."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from review_flow.rules.expressions import (
    Among,
    Comparison,
    Constant,
    Expression,
    ExpressionError,
    Joined,
    Name,
    Negation,
    parse,
)
from review_flow.rules.facts import label_of
from review_flow.rules.marks import shown
from review_flow.rules.paths import key_of
from review_flow.rules.scheme import Scheme
from review_flow.schemes.names import WORDS, field_name, item_name, shown_value

SIGNS = {
    ">=": "不少于", "<=": "不超过", ">": "多于", "<": "少于", "==": "为", "!=": "不为",
}  # fmt: skip


def sign(op: str) -> str:
    """Return a comparison in words."""
    return SIGNS.get(op, op)


def said(value: object) -> str:
    """Return a value as the plan prints it."""
    return shown_value(value)


def word(value: object) -> str:
    """Return what a word of the language is called, or the word."""
    return WORDS.get(str(value), str(value))


def percent(value: object) -> str:
    """Return a share (0.20) in per cent (20%)."""
    return f"{shown(Decimal(str(value)) * 100)}%"


def listed(values: object) -> str:
    """Return a list of words as one enumeration."""
    return "、".join(map(word, values)) if isinstance(values, list | tuple) else word(values)


def duration(value: object) -> str:
    """Return a stretch of the calendar: 5个工作日, 48小时, at most how often."""
    if not isinstance(value, Mapping):
        return said(value)
    days, hours, times = value.get("days"), value.get("hours"), value.get("times")
    unit = "个工作日" if value.get("working_days") else "日"
    parts = [f"{days}{unit}" if days is not None else "", f"{hours}小时" if hours is not None else ""]
    return "".join(parts) + (f"（以{times}次为限）" if times is not None else "")


def condition(scheme: Scheme, text: object) -> str:
    """Return an expression in Chinese; one that does not parse is printed as it stands."""
    try:
        return _said(scheme, parse(str(text)))
    except ExpressionError:
        return str(text)


def fact_name(scheme: Scheme, name: str) -> str:
    """Return what a fact of the expressions is called; a series of activities by its own word."""
    family, _dot, rest = name.partition(".")
    if family == "attendance" and all(one.id != rest for one in scheme.activities):
        return f"{word(rest)}出席次数"
    return label_of(scheme, name)


def _said(scheme: Scheme, tree: Expression) -> str:
    match tree:
        case Joined(op, parts):
            return ("，且" if op == "and" else "，或者").join(_said(scheme, part) for part in parts)
        case Negation(part):
            return f"并非（{_said(scheme, part)}）"
        case Comparison(left, op, right):
            return f"{_said(scheme, left)}{SIGNS[op]}{_said(scheme, right)}"
        case Among(left, among):
            return f"{_said(scheme, left)}为{'或'.join(str(one.value) for one in among)}"
        case Name(name):
            return fact_name(scheme, name)
        case Constant(value):
            return "任何情形" if value is True else "无" if value is False else str(value)


def rows(node: object, fields: str, names: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yield (name, value) for every value below a node; `fields` is its path without item ids."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key not in {"id", "name_zh"}:
                below = f"{fields}.{key}"
                yield from rows(value, below, (*names, field_name(below)))
    elif isinstance(node, list) and any(isinstance(item, Mapping) for item in node):
        for index, item in enumerate(node):
            yield from rows(item, fields, (*names, item_name(item, key_of(item, index))))
    elif node not in (None, [], {}):
        yield "：".join(names), said(node)
