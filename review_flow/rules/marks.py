"""Marks into one mark, and a mark into a band: exact fractions throughout, rounded once at the end (X-16)."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from review_flow.rules.scheme import Scheme

Number = Decimal | Fraction | int


def rounded(number: Number, *, scale: int = 2, mode: str = "half_up") -> Decimal:
    """Return the number at `scale` decimals; half_up takes a half away from zero, down cuts."""
    top, below = number.as_integer_ratio()
    scaled = abs(top) * 10**scale
    if mode == "half_up":
        whole = (2 * scaled + below) // (2 * below)
    else:
        whole = round(Fraction(scaled, below)) if mode == "half_even" else scaled // below
    return Decimal(whole if top >= 0 else -whole).scaleb(-scale)


def points(number: Number) -> str:
    """Return a number as ledgers print it: two decimals, half-up."""
    return str(rounded(number) + Decimal("0.00"))


def shown(number: Number) -> str:
    """Return a number for a line of arithmetic: exact when six decimals hold it, else `≈` and four."""
    top, below = number.as_integer_ratio()  # in lowest terms
    if below == 1:
        return str(top)
    if 10**6 % below:
        return f"≈{rounded(number, scale=4)}"
    return f"{rounded(number, scale=6):f}".rstrip("0")


def equals(number: Number) -> str:
    """Return what follows a sum in a line of arithmetic: `=74.5`, or `≈74.6167` alone where it is rounded."""
    text = shown(number)
    return text if text.startswith("≈") else f"={text}"


def aggregate(method: str, marks: Sequence[Number]) -> Fraction:
    """Return the mean, the median, or the mean without one highest and one lowest (trimmed; needs three marks)."""
    kept = sorted(marks)
    if method == "median":
        middle = len(kept) // 2
        kept = kept[middle : middle + 1] if len(kept) % 2 else kept[middle - 1 : middle + 1]
    elif method == "trimmed" and len(kept) > 2:  # noqa: PLR2004 - two marks leave nothing between the extremes
        kept = kept[1:-1]
    return Fraction(kept[0]) if len(kept) == 1 else sum((Fraction(mark) for mark in kept), Fraction(0)) / len(kept)


def aggregate_peer(scheme: Scheme, marks: Sequence[Number]) -> Fraction | None:
    """Return the peer mark, or None when fewer came than `review.peer.receive_min` (T12, N14)."""
    peer = scheme.review.peer
    return aggregate(plain_method(peer.aggregate), marks) if len(marks) >= max(peer.receive_min, 1) else None


def plain_method(method: str) -> str:
    """Return how marks are taken together where nothing is known of their reviewers: reliability needs the median."""
    return "median" if method == "reliability" else method


def aggregate_panel(scheme: Scheme, marks: Sequence[Number], arbiter: Number | None = None) -> Fraction:
    """Return the panel's mark; an arbiter's mark first takes the place of the farthest one (T14, N27)."""
    return aggregate(scheme.review.panel.aggregate, with_arbiter(marks, arbiter))


def with_arbiter(marks: Sequence[Number], arbiter: Number | None) -> list[Number]:
    """Return the marks after arbitration: of two equally far from the arbiter's, the lower one goes."""
    kept = list(marks)
    if arbiter is not None and kept:
        judge = Fraction(arbiter)
        farthest = max(range(len(kept)), key=lambda index: (abs(Fraction(kept[index]) - judge), -Fraction(kept[index])))
        kept[farthest] = arbiter
    elif arbiter is not None:
        kept = [arbiter]
    return kept


def panel_needs_arbiter(scheme: Scheme, marks: Sequence[Number], levels: Sequence[str] = ()) -> bool:
    """Return whether panel members differ too much (T13): in points, in bands of their marks, or in ability levels."""
    panel = scheme.review.panel
    steps = [position_of(scheme, mark) for mark in marks if has_scale(scheme)]
    ladder = [scheme.ability.levels.index(level) for level in levels]
    wide = bool(marks) and Fraction(max(marks)) - Fraction(min(marks)) > Fraction(panel.spread_max)
    return wide or any(places and max(places) - min(places) > panel.grade_spread_max for places in (steps, ladder))


def has_scale(scheme: Scheme) -> bool:
    """Return whether grades are stretches of a number (and not expressions)."""
    return all(band.min is not None for band in scheme.bands.list)


def position_of(scheme: Scheme, number: Number) -> int:
    """Return the place of a number's band, 0 for the best; X-01: who owns the shared point is the scheme's choice."""
    bands = scheme.bands.list
    for index, band in enumerate(bands[:-1]):
        low = band.min or 0
        inside = number > low if scheme.bands.boundary == "upper_inclusive" else number >= low
        if inside or (band.min == band.max == number):
            return index
    return len(bands) - 1


def band_of(scheme: Scheme, score: Number) -> str:
    """Return the grade of a number."""
    return scheme.bands.list[position_of(scheme, score)].grade


def judged(scheme: Scheme, raw: Number) -> Number:
    """Return the number the band is looked up with: rounded as printed, or raw (N04, N05)."""
    rounding = scheme.bands.rounding
    return raw if rounding.band_on == "raw" else rounded(raw, scale=rounding.scale, mode=rounding.mode)


def on_boundary(scheme: Scheme, number: Number) -> bool:
    """Return whether the number is a point two bands share (X-02: 恰为分界分)."""
    return any(band.min == number for band in scheme.bands.list[:-1])


def highest_failing(scheme: Scheme) -> Decimal:
    """Return the highest number that still fails: for bonuses that may not cross the pass line (N12)."""
    line = scheme.bands.list[-2].min or Decimal(0)
    below = Decimal(1).scaleb(-scheme.bands.rounding.scale)
    return line if scheme.bands.boundary == "upper_inclusive" else line - below
