"""A record read field by field: every complaint carries the field's path and a Chinese sentence."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from review_flow.i18n import _, listed, say

FULL_MARK = Decimal(100)
MOST_DECIMALS = 30
MOST = 10**9  # of anything that is counted or measured: beyond it lies a slip of the pen
YEARS = (1900, 2200)


class RecordInvalid(ValueError):  # noqa: N818 - an answer about data, as Refusal is
    """A field of a record cannot be taken; `field` is its path, `problem` a Chinese sentence."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(say(_("{field}：{problem}"), field=field, problem=problem))
        self.field, self.problem = field, problem


class Reader:
    """A mapping read field by field; every complaint carries the field's path."""

    def __init__(self, data: Mapping[str, object], path: str) -> None:
        self.data, self.path = data, path

    def at(self, key: str) -> str:
        """Return the path of a field below this one."""
        return f"{self.path}.{key}" if self.path else key

    def truth(self, key: str) -> bool | None:
        """Return true, false, or None when the field is absent."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, bool):
            raise RecordInvalid(self.at(key), say(_("应为 true 或 false。")))
        return value

    def text(self, key: str) -> str | None:
        """Return a string, or None when the field is absent."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, str):
            raise RecordInvalid(self.at(key), say(_("应为文字。")))
        return value

    def day(self, key: str) -> date | None:
        """Return a day written as 2022-03-01, or None when the field is absent."""
        text = self.text(key)
        try:
            day = None if text is None else date.fromisoformat(text)
        except ValueError:
            raise RecordInvalid(self.at(key), say(_("日期应写成 2022-03-01 的样子。"))) from None
        if day is not None:
            within(self.at(key), day.year, *YEARS)
        return day

    def moment(self, key: str) -> datetime | None:
        """Return a moment with its offset from UTC, or None when the field is absent."""
        text = self.text(key)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise RecordInvalid(self.at(key), say(_("时间应写成 2026-04-01T23:59:00+08:00 的样子。")))
        within(self.at(key), moment.year, *YEARS)
        return moment

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        """Return one of the allowed strings."""
        return one_of(self.at(key), self.data.get(key), allowed)

    def count(self, key: str, *, most: int = MOST) -> int | None:
        """Return a whole number from 0 to `most`, or None when the field is absent."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise RecordInvalid(self.at(key), say(_("应为不小于0的整数。")))
        within(self.at(key), value, 0, most)
        return value

    def parts(self, key: str) -> "list[Reader]":
        """Return the mappings of a list; an absent list is empty."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise RecordInvalid(self.at(key), say(_("应为列表，每一项是一个对象。")))
        return [Reader(item, f"{self.at(key)}[{index}]") for index, item in enumerate(value)]

    def part(self, key: str) -> "Reader | None":
        """Return a mapping, or None when the field is absent."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise RecordInvalid(self.at(key), say(_("应为一个对象。")))
        return None if value is None else Reader(value, self.at(key))

    def marks(self, key: str) -> tuple[Decimal, ...]:
        """Return marks of 0–100 with at most two decimals; one alone may stand without a list."""
        value = self.data.get(key)
        if value is None:
            return ()
        items = value if isinstance(value, list) else [value]
        names = [f"{self.at(key)}[{index}]" for index in range(len(items))]
        return tuple(mark(name, item) for name, item in zip(names, items, strict=True))

    def mark(self, key: str) -> Decimal | None:
        """Return one mark, or None when the field is absent."""
        value = self.data.get(key)
        return None if value is None else mark(self.at(key), value)


def within(field: str, value: int, low: int, high: int) -> None:
    """Complain where a whole number lies outside its limits."""
    if not low <= value <= high:
        raise RecordInvalid(field, say(_("应在{low}到{high}之间。"), low=low, high=high))


def one_of(field: str, value: object, allowed: Sequence[str]) -> str:
    """Return one of the allowed strings."""
    if isinstance(value, str) and value in allowed:
        return value
    if not allowed:
        raise RecordInvalid(field, say(_("方案里没有这样的项目。")))
    raise RecordInvalid(field, say(_("应为以下之一：{allowed}。"), allowed=listed(allowed)))


def number(
    field: str, value: object, *, low: Decimal = Decimal(0), high: Decimal | None = None, decimals: int = 2
) -> Decimal:
    """Return a decimal within its limits with at most so many decimals, from a string or a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RecordInvalid(field, say(_('数字请写成文字（如 "79.50"），以免失去精度。')))
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        raise RecordInvalid(field, say(_("“{value}”不是数字。"), value=value)) from None
    if not parsed.is_finite():
        raise RecordInvalid(field, say(_("“{value}”不是数字。"), value=value))
    if parsed < low or (high is not None and parsed > high):
        between = say(_("应在{low}到{high}之间。"), low=low, high=high)
        raise RecordInvalid(field, say(_("不能小于{low}。"), low=low) if high is None else between)
    if abs(parsed) > MOST:
        raise RecordInvalid(field, say(_("数太大，不能超过{most}。"), most=MOST))
    digits = f"{parsed:f}".partition(".")[2] if parsed.adjusted() > -MOST_DECIMALS else "1" * MOST_DECIMALS
    if len(digits.rstrip("0")) > decimals:
        raise RecordInvalid(field, say(_("最多{most}位小数。"), most=decimals))
    return parsed


def mark(field: str, value: object) -> Decimal:
    """Return a mark of 0–100 with at most two decimals."""
    return number(field, value, high=FULL_MARK)
