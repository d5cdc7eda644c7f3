"""When peers differ so much that one more of them should look before the panel does."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import sqrt
from statistics import NormalDist

from review_flow.i18n import _
from review_flow.rules.marks import Number, aggregate
from review_flow.rules.peer_rules import DisagreementRules

REASONS = {
    "spread": _("互评分相差超过方案的限度"),
    "band": _("互评分落在不同等次"),
    "straddle": _("再有一份互评就可能改变教师的等次"),
}


def disagreements(
    rules: DisagreementRules, marks: Sequence[Number], *, place: Callable[[Number], int] | None, chance: float
) -> tuple[str, ...]:
    """Return why the marks of a work ask for one more marker: spread, band, straddle; empty: they don't.

    `place` gives the place of a mark's band (None: the scheme has no bands of numbers); `chance` is what `straddle`
    found. A single mark differs from nobody, but may still be too little to decide a band.
    """
    places = [place(one) for one in marks] if place else [0]
    found = {
        "spread": Fraction(max(marks)) - Fraction(min(marks)) > Fraction(rules.spread_max),
        "band": max(places) - min(places) > rules.grade_spread_max,
        "straddle": chance > float(rules.straddle_probability),
    }
    return tuple(name for name, holds in found.items() if holds)


def straddle(
    method: str,
    marks: Sequence[Number],
    *,
    number: Number,
    share: Number,
    place: Callable[[Number], int],
    variance: float,
    scale: tuple[Decimal, Decimal],
) -> float:
    """Return the probability (0–1) that one more honest mark of a work moves its teacher into another band.

    `number` is the teacher's number as it stands, of which the aggregate of these marks makes up `share` (peers'
    weight over the number of abilities). The next mark is taken as normal around the aggregate, with the `variance`
    of an honest mark and the doubt of the aggregate itself.
    """
    now = aggregate(method, marks)
    here = place(number)
    steps = int((scale[1] - scale[0]) * 100)

    def moved(step: int) -> int:
        after = aggregate(method, [*marks, scale[0] + Decimal(step) / 100])
        return place(Fraction(number) + Fraction(share) * (after - now))

    expected = NormalDist(float(now), sqrt(variance * (1 + 1 / len(marks))) or 1e-9)
    # Bands are numbered from the best: with a higher mark the place can only fall, so halving finds where it turns.
    worse = _first(steps, lambda step: moved(step) <= here)
    better = _first(steps, lambda step: moved(step) < here)
    down = expected.cdf(float(scale[0]) + (worse - 0.5) / 100) if worse else 0.0
    up = 1 - expected.cdf(float(scale[0]) + (better - 0.5) / 100) if better <= steps else 0.0
    return down + up


def _first(steps: int, holds: Callable[[int], bool]) -> int:
    """Return the first step for which it holds, of 0 to `steps`; one beyond where it never does."""
    low, high = 0, steps + 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low
