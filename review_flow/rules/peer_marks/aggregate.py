"""Marks of one work into one mark: always between the lowest and the highest, in any order, never falling when one rises."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from review_flow.rules.marks import Number, aggregate

# A median of three or more honest marks scatters more than their mean: its variance is π/2 of the mean's.
MEDIAN_LOSS = math.pi / 2
# How many marks' worth the round's own scatter counts for beside the scatter of one work's few marks.
POOL_MARKS = 4


@dataclass(frozen=True)
class Peers:
    """The marks of one work, with what is known of each reviewer: bias and weight, both rounded to two places."""

    marks: tuple[Decimal, ...]
    biases: tuple[Decimal, ...] = ()
    weights: tuple[Decimal, ...] = ()


def weighted(peers: Peers) -> Fraction:
    """Return the weighted mean of the marks less their reviewers' biases, held between the lowest and highest mark.

    Holding it there keeps an estimate of somebody's severity from giving a work more than anybody gave it. For fixed
    biases and weights the result never falls when a mark rises. The weights are not negative and not all 0.
    """
    marks = [Fraction(one) for one in peers.marks]
    weights = [Fraction(one) for one in peers.weights] or [Fraction(1)] * len(marks)
    biases = [Fraction(one) for one in peers.biases] or [Fraction(0)] * len(marks)
    terms = (weight * (mark - bias) for mark, bias, weight in zip(marks, biases, weights, strict=True))
    mean = sum(terms, Fraction(0)) / sum(weights, Fraction(0))
    return min(max(mean, min(marks)), max(marks))


def aggregated(method: str, peers: Peers) -> Fraction:
    """Return the mark by a method: mean, median, trimmed, or weighted and reliability by the given weights."""
    return weighted(peers) if method in {"weighted", "reliability"} else aggregate(method, peers.marks)


def agreed(marks: Sequence[Number], *, most_apart: Number, place: Callable[[Number], int]) -> Fraction | None:
    """Return the mean of marks that agree: at most so far apart and all of one class; None where they don't.

    The no-straddle rule of double marking. `place` tells a mark's class from the mark as given: 59.999 is below 60,
    though it would be printed as 60.00.
    """
    numbers = [Fraction(one) for one in marks]
    if max(numbers) - min(numbers) > Fraction(most_apart) or len({place(one) for one in numbers}) > 1:
        return None
    return sum(numbers, Fraction(0)) / len(numbers)


def uncertainty(method: str, peers: Peers, *, variance: float, freedom: int) -> float | None:
    """Return the standard error of the aggregated mark, in points; None where nothing is known of the scatter.

    For mean, trimmed, median and plain weights one mark's variance is the table's, blended with the work's own
    scatter; the trimmed mean is taken as a mean. For `reliability`, `variance` is that of a mark of weight 1.
    """
    if not freedom:
        return None
    if method == "reliability":
        return math.sqrt(variance / float(sum(Fraction(one) for one in peers.weights)))
    numbers = [float(one) for one in peers.marks]
    mean = sum(numbers) / len(numbers)
    own = sum((number - mean) ** 2 for number in numbers)
    one_mark = (POOL_MARKS * variance + own) / (POOL_MARKS + len(numbers) - 1)
    weights = [float(one) for one in peers.weights] if method == "weighted" else [1.0] * len(numbers)
    share = sum(weight**2 for weight in weights) / sum(weights) ** 2
    loss = MEDIAN_LOSS if method == "median" and len(numbers) > 2 else 1.0  # noqa: PLR2004 - of two marks it is the mean
    return math.sqrt(one_mark * share * loss)
