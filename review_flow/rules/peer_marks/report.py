"""Any table of marks, read from plain data and answered as plain data (`review-flow marks aggregate`)."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from review_flow.i18n import _, say
from review_flow.rules.marks import Number, rounded
from review_flow.rules.peer_marks.aggregate import Peers, aggregated, agreed, uncertainty
from review_flow.rules.peer_marks.agreement import alpha
from review_flow.rules.peer_marks.reliability import Weighing, weigh
from review_flow.rules.peer_marks.table import Mark, Sample, by_work, spread_of
from review_flow.rules.peer_rules import ReliabilityRules
from review_flow.rules.reader import Reader, RecordInvalid, number, one_of

METHODS = ("mean", "trimmed", "median", "weighted", "reliability", "agreed")
MOST_DECIMALS = 6
ANYTHING = Decimal("Infinity")


@dataclass(frozen=True)
class Table:
    """A table of marks with all that may be asked of it. None: the input does not say."""

    scale: tuple[Decimal, Decimal]
    marks: tuple[Mark, ...]
    samples: tuple[Sample, ...]
    weights: Mapping[str, Decimal]
    bands: tuple[Decimal, ...]
    spread_max: Decimal | None
    decimals: int

    def place(self, mark: Number) -> int:
        """Return how many bands' lower ends a mark reaches; the mark as given, not as it would be rounded."""
        return bisect_right(self.bands, Fraction(mark))


def read_table(data: Mapping[str, object]) -> Table:
    """Return the table of an input (docs/marks.md); RecordInvalid names the entry that cannot be taken."""
    root = Reader(data, "")
    low, high = _scale(root)
    marks = _marks(root, low, high)
    if not marks:
        raise RecordInvalid("marks", say(_("至少要有一个评分。")))
    return Table(
        scale=(low, high),
        marks=marks,
        samples=_samples(root, low, high),
        weights=_weights(root, {one.reviewer for one in marks}),
        bands=tuple(sorted(_decimal(f"bands[{place}]", one) for place, one in enumerate(_list(root, "bands")))),
        spread_max=None
        if data.get("spread_max") is None
        else _decimal("spread_max", data["spread_max"], low=Decimal(0)),
        decimals=_decimals(root),
    )


def report(table: Table, method: str, rules: ReliabilityRules) -> dict[str, object]:
    """Return marks with their uncertainty and flags, reviewers with bias, precision and weight, and the agreement.

    With `reliability`, `used` says what the leave-one-out of these very marks allowed. With `agreed`, a work whose
    marks differ has the mark None. RecordInvalid names weights that are asked for and missing.
    """
    one_of("method", method, METHODS)
    weighing = weigh(table.marks, table.samples, rules)
    used = weighing.method if method == "reliability" else method
    works = by_work(table.marks)
    variance, freedom = spread_of(works)
    if used == "reliability":
        variance = float(weighing.variance)
    answer: dict[str, object] = {
        "method": method,
        "used": used,
        "results": [
            _result(table, used, work, _peers(table, used, work, marks, weighing), (variance, freedom))
            for work, marks in works.items()
        ],
        "reviewers": _reviewers(table, used, weighing) if freedom or table.samples else [],
        "agreement": {"alpha": _text(alpha(table.marks))},
    }
    if method == "reliability":
        errors = {"reliability": _text(weighing.error), "median": _text(weighing.median_error)}
        answer["leave_one_out"] = {**errors, "marks": weighing.compared}
    return answer


def _result(table: Table, method: str, work: str, peers: Peers, scatter: tuple[float, int]) -> dict[str, object]:
    most_apart = table.scale[1] - table.scale[0] if table.spread_max is None else table.spread_max
    if method == "agreed":
        mark = agreed(peers.marks, most_apart=most_apart, place=table.place)
    else:
        mark = aggregated(method, peers)
    variance, freedom = scatter
    doubt = None if mark is None else uncertainty(method, peers, variance=variance, freedom=freedom)
    flags = {
        "alone": len(peers.marks) == 1,
        "spread": max(peers.marks) - min(peers.marks) > most_apart,
        "band": len({table.place(one) for one in peers.marks}) > 1,
    }
    return {
        "submission": work,
        "mark": None if mark is None else str(rounded(mark, scale=table.decimals)),
        "uncertainty": None if doubt is None else str(rounded(Decimal(doubt))),
        "n": len(peers.marks),
        "flags": [name for name, holds in flags.items() if holds],
    }


def _peers(table: Table, method: str, work: str, marks: list[Mark], weighing: Weighing) -> Peers:
    numbers = tuple(one.mark for one in marks)
    if method == "weighted":
        weights = tuple(_weight_of(table, one.reviewer) for one in marks)
        if not any(weights):
            raise RecordInvalid("weights", say(_("成果“{work}”的评分权重之和为0。"), work=work))
        return Peers(numbers, weights=weights)
    if method == "reliability":
        trusts = [weighing.trust[work, one.reviewer] for one in marks]
        return Peers(numbers, tuple(one.bias for one in trusts), tuple(one.weight for one in trusts))
    return Peers(numbers)


def _weight_of(table: Table, reviewer: str) -> Decimal:
    if reviewer not in table.weights:
        raise RecordInvalid("weights", say(_("没有写评阅人“{reviewer}”的权重。"), reviewer=reviewer))
    return table.weights[reviewer]


def _reviewers(table: Table, method: str, weighing: Weighing) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, one in weighing.reviewers.items():
        given = table.weights.get(name, Decimal(0)) if method == "weighted" else Decimal(1)
        weight = one.weight if method == "reliability" else given
        rows.append({
            "reviewer": name, "bias": str(one.bias), "bias_low": str(one.low), "bias_high": str(one.high),
            "precision": str(one.precision), "weight": str(weight), "n": one.marks,
        })  # fmt: skip
    return rows


def _text(number: Decimal | None) -> str | None:
    return None if number is None else str(number)


def _list(root: Reader, key: str) -> Sequence[object]:
    value = root.data.get(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise RecordInvalid(key, say(_("应为列表。")))
    return value


def _scale(root: Reader) -> tuple[Decimal, Decimal]:
    ends = _list(root, "scale") or ("0", "100")
    if len(ends) != 2:  # noqa: PLR2004 - a scale has two ends
        raise RecordInvalid("scale", say(_("应为最低分和最高分两个数。")))
    low, high = (_decimal(f"scale[{place}]", one) for place, one in enumerate(ends))
    if low >= high:
        raise RecordInvalid("scale", say(_("下限应小于上限。")))
    return low, high


def _decimals(root: Reader) -> int:
    found = root.count("decimals")
    if found is None:
        return 2
    if found > MOST_DECIMALS:
        raise RecordInvalid("decimals", say(_("最多{most}位小数。"), most=MOST_DECIMALS))
    return found


def _marks(root: Reader, low: Decimal, high: Decimal) -> tuple[Mark, ...]:
    """Read a list of entries, or a map of works to their marks alone, whose reviewers stay unknown."""
    value = root.data.get("marks")
    found = []
    if isinstance(value, Mapping):
        for work, numbers in value.items():
            given = numbers if isinstance(numbers, list) else [numbers]
            if not given:
                raise RecordInvalid(f"marks.{work}", say(_("至少要有一个评分。")))
            for place, one in enumerate(given):
                field = f"marks.{work}[{place}]"
                found.append(Mark(str(work), f"{work}#{place + 1}", _decimal(field, one, low=low, high=high)))
        return tuple(found)
    for part in root.parts("marks"):
        mark = _decimal(part.at("mark"), part.data.get("mark"), low=low, high=high)
        found.append(Mark(_name(part, "submission"), _name(part, "reviewer"), mark))
    _once([(one.work, one.reviewer) for one in found], "marks")
    return tuple(found)


def _samples(root: Reader, low: Decimal, high: Decimal) -> tuple[Sample, ...]:
    found = []
    for part in root.parts("calibration"):
        mark, true = (_decimal(part.at(key), part.data.get(key), low=low, high=high) for key in ("mark", "true"))
        found.append(Sample(_name(part, "sample"), _name(part, "reviewer"), mark, true))
    _once([(one.sample, one.reviewer) for one in found], "calibration")
    return tuple(found)


def _once(pairs: Sequence[tuple[str, str]], field: str) -> None:
    seen: set[tuple[str, str]] = set()
    for place, (what, reviewer) in enumerate(pairs):
        if (what, reviewer) in seen:
            text = say(_("评阅人“{reviewer}”对“{what}”评了两次。"), reviewer=reviewer, what=what)
            raise RecordInvalid(f"{field}[{place}]", text)
        seen.add((what, reviewer))


def _weights(root: Reader, reviewers: set[str]) -> Mapping[str, Decimal]:
    part = root.part("weights")
    found = {
        str(key): _decimal(f"weights.{key}", one, low=Decimal(0)) for key, one in (part.data if part else {}).items()
    }
    for name in found:
        if name not in reviewers:
            raise RecordInvalid(f"weights.{name}", say(_("没有这位评阅人的评分。")))
    return found


def _name(part: Reader, key: str) -> str:
    value = part.data.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise RecordInvalid(part.at(key), say(_("应为文字。")))
    return str(value)


def _decimal(field: str, value: object, *, low: Decimal = -ANYTHING, high: Decimal | None = None) -> Decimal:
    return number(field, value, low=low, high=high, decimals=MOST_DECIMALS)
