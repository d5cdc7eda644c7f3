"""The closed language of gates, prerequisites and `when`: names, numbers, comparison, and/or/not. Nothing else.

    abilities.passed >= 3 and abilities.dimensions >= 3
    grade in [优秀, 合格]

`parse` knows every name and its kind, so a typing error is found when a scheme is checked, and `evaluate` cannot
fail. A fact nobody recorded is None, and what depends on it is None too (three-valued logic): "not judged" is
neither passed nor failed.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from review_flow.i18n import _, say

Kind = Literal["number", "truth", "text"]
Value = Decimal | bool | str | None
Facts = Mapping[str, Value]

VOCABULARY: dict[str, tuple[Kind, str]] = {
    "ack.scheme": ("truth", "已阅知方案"),
    "self_test.done": ("truth", "已完成校本自测"),
    "hours.met": ("truth", "学时达标"),
    "peer.given": ("number", "已完成互评"),
    "peer.required": ("number", "应完成互评"),
    "evidence.valid": ("truth", "证据有效"),
    "abilities.chosen": ("number", "已选微能力"),
    "abilities.passed": ("number", "合格微能力"),
    "abilities.excellent": ("number", "优秀微能力"),
    "abilities.dimensions": ("number", "合格微能力覆盖维度"),
    "abilities.needed": ("number", "应合格微能力"),
    "abilities.dimensions_needed": ("number", "应覆盖维度"),
    "gates.passed": ("truth", "门槛全部通过"),
    "years_to_retirement": ("number", "距退休年数"),
    "exempt": ("truth", "可免训"),
    "themes.done": ("number", "完成主题"),
    "quotas.met": ("truth", "指标达到"),
    "tasks.met": ("truth", "任务按时完成"),
    "tier": ("text", "层级"),
    "score": ("number", "得分"),
    "grade": ("text", "等次"),
}
FAMILIES: dict[str, tuple[Kind, str]] = {
    r"hours\.([a-z]\w*)": ("number", "学时"),
    r"hours\.([a-z]\w*)\.met": ("truth", "学时达标"),
    r"minutes\.([a-z]\w*)": ("number", "学习分钟"),
    r"slots\.([a-z]\w*)": ("number", "提交份数"),
    r"component\.([a-z]\w*)\.done": ("truth", "考核项完成"),
    r"component\.([a-z]\w*)\.points": ("number", "考核项得分"),
    r"quota\.([a-z]\w*)\.met": ("truth", "指标达到"),
    r"role\.([a-z]\w*)": ("truth", "角色"),
    r"attendance\.([a-z]\w*)": ("number", "出席次数"),
    r"test\.([a-z]\w*)": ("text", "测评结果"),
    r"cert\.([a-z]\w*)": ("truth", "证书"),
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
ORDERINGS = {">=", "<=", ">", "<"}
TOKEN = re.compile(r"\s*(>=|<=|==|!=|[<>()\[\],]|\d+(?:\.\d+)?|\"[^\"]*\"|[^\W\d][\w.]*|\S)")


class ExpressionError(ValueError):
    """The text is not an expression of the vocabulary; the message is a Chinese sentence."""


@dataclass(frozen=True)
class Name:
    """A fact, looked up when evaluated."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Constant:
    """A number, truth or word written in the expression."""

    value: Decimal | bool | str
    kind: Kind


@dataclass(frozen=True)
class Comparison:
    """`left op right`; both sides are of the same kind."""

    left: Name | Constant
    op: str
    right: Name | Constant


@dataclass(frozen=True)
class Among:
    """`left in [a, b]`."""

    left: Name | Constant
    among: tuple[Constant, ...]


@dataclass(frozen=True)
class Negation:
    """`not part`."""

    part: "Expression"


@dataclass(frozen=True)
class Joined:
    """`a and b and …` or `a or b or …`."""

    op: Literal["and", "or"]
    parts: tuple["Expression", ...]


Expression = Name | Constant | Comparison | Among | Negation | Joined


@lru_cache(maxsize=4096)
def parse(text: str) -> Expression:
    """Return the tree of an expression; ExpressionError says in Chinese what is wrong."""
    return _Parser(text).whole()


@lru_cache(maxsize=4096)
def names(expression: Expression) -> tuple[str, ...]:
    """Return the facts an expression asks for, in reading order, each once."""
    return tuple(dict.fromkeys(_names(expression)))


def evaluate(expression: Expression, facts: Facts) -> bool | None:
    """Return the truth of an expression; None when it hangs on a fact that is not recorded."""
    match expression:
        case Joined(op, parts):
            return _join(op, [evaluate(part, facts) for part in parts])
        case Negation(part):
            inner = evaluate(part, facts)
            return None if inner is None else not inner
        case Comparison(left, op, right):
            first, second = _value(left, facts), _value(right, facts)
            return None if first is None or second is None else COMPARISONS[op](first, second)
        case Among(left, among):
            first = _value(left, facts)
            return None if first is None else first in {constant.value for constant in among}
        case _:
            value = _value(expression, facts)
            return None if value is None else bool(value)


@lru_cache(maxsize=4096)
def kind_of(name: str) -> tuple[Kind, str] | None:
    """Return the kind and Chinese label of a name, or None when the vocabulary does not hold it."""
    if name in VOCABULARY:
        return VOCABULARY[name]
    return next((known for shape, known in FAMILIES.items() if re.fullmatch(shape, name)), None)


def _value(operand: Name | Constant, facts: Facts) -> Value:
    return operand.value if isinstance(operand, Constant) else facts.get(operand.name)


def _join(op: str, truths: list[bool | None]) -> bool | None:
    decisive = op == "or"
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _names(expression: Expression) -> Iterator[str]:
    match expression:
        case Name(name):
            yield name
        case Comparison(left, _op, right):
            yield from _names(left)
            yield from _names(right)
        case Among(left, _among):
            yield from _names(left)
        case Negation(part):
            yield from _names(part)
        case Joined(_op, parts):
            for part in parts:
                yield from _names(part)
        case _:  # a constant asks for nothing
            return


class _Parser:
    """Recursive descent over a dozen tokens: or < and < not < comparison."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = TOKEN.findall(text)

    def whole(self) -> Expression:
        tree = self._any()
        if self.tokens:
            raise self._error(self.tokens[0])
        return tree

    def _any(self) -> Expression:
        return self._joined("or", lambda: self._joined("and", self._not))

    def _joined(self, op: Literal["and", "or"], part: Callable[[], Expression]) -> Expression:
        parts = [part()]
        while self._take(op):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(op, tuple(parts))

    def _not(self) -> Expression:
        if self._take("not"):
            return Negation(self._not())
        if self._take("("):
            inner = self._any()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._operand()
        if self.tokens and self.tokens[0] in COMPARISONS:
            op = self.tokens.pop(0)
            right = self._operand()
            if left.kind != right.kind or (op in ORDERINGS and left.kind != "number"):
                raise self._error(op)
            return Comparison(left, op, right)
        if self._take("in"):
            return Among(left, self._list(left.kind))
        if left.kind != "truth":
            raise self._error(self.tokens[0] if self.tokens else None)
        return left

    def _list(self, kind: Kind) -> tuple[Constant, ...]:
        self._expect("[")
        among = [self._constant(kind)]
        while self._take(","):
            among.append(self._constant(kind))
        self._expect("]")
        return tuple(among)

    def _constant(self, kind: Kind) -> Constant:
        operand = self._operand()
        if isinstance(operand, Name) or operand.kind != kind:
            raise self._error("]")
        return operand

    def _operand(self) -> Name | Constant:
        word = self.tokens.pop(0) if self.tokens else None
        if word is None:
            raise self._error(None)
        if word in {"true", "false"}:
            return Constant(word == "true", "truth")
        if word[0].isdecimal():
            return Constant(Decimal(word), "number")
        if len(word) > 1 and word.startswith('"'):
            return Constant(word.strip('"'), "text")
        if not word.isascii() and word.isalpha():
            return Constant(word, "text")
        known = kind_of(word)
        if known is None:
            raise self._error(word)
        return Name(word, known[0])

    def _take(self, word: str) -> bool:
        if self.tokens and self.tokens[0] == word:
            self.tokens.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._error(self.tokens[0] if self.tokens else None)

    def _error(self, word: str | None) -> ExpressionError:
        if word is None:
            return ExpressionError(say(_("表达式“{text}”没有写完。"), text=self.text))
        return ExpressionError(say(_("表达式“{text}”中的“{word}”不能这样用。"), text=self.text, word=word))
