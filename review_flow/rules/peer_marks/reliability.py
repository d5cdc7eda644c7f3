"""How far each reviewer can be trusted, from calibration samples and from works that several reviewed.

A mark is taken as quality + the reviewer's bias + noise of the reviewer's own variance. Bias and variance are
estimated in turn with the quality of the works, eight times over, each reviewer against the *others'* marks of a
work, and both are shrunk towards the pool: somebody with two marks is taken as an average reviewer. What a work's
mark is made with is estimated without that work, so nobody's weight falls because of the mark it weighs.

Whether any of it is used, the round's own data say: each mark is left out and predicted from the others of its work,
once by their median and once by the weighted mean; only the smaller root mean square error wins (`Weighing.method`).
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

from review_flow.rules.peer_marks.table import Mark, Sample, by_work, spread_of
from review_flow.rules.peer_rules import ReliabilityRules

ROUNDS = 8
LEAST_VARIANCE = 1.0  # points²: nobody marks finer than that
LEAST_SHARE = 0.05  # of the pool's variance: few marks in close agreement prove no perfect reviewer
BIAS_SHARE = 0.02  # of the pool's variance: least variance of biases, so that the estimate stays defined
CONFIDENT = 1.96  # standard errors on either side hold 95 %


@dataclass(frozen=True)
class Trust:
    """A reviewer in the eyes of one work: bias in points, weight beside a typical reviewer's 1; two places each."""

    bias: Decimal
    weight: Decimal


@dataclass(frozen=True)
class Standing:
    """A reviewer over the whole table: bias with its 95 % interval, precision (1 / variance, points⁻²), weight."""

    bias: Decimal
    low: Decimal
    high: Decimal
    precision: Decimal
    weight: Decimal
    marks: int


@dataclass(frozen=True)
class Weighing:
    """What the table says of its reviewers, and whether that beats the median of plain marks.

    `error` and `median_error` are the root mean square errors of leaving each of `compared` marks out, None without
    any; `variance` is that of a mark of weight 1 as the leaving out saw it.
    """

    method: str  # reliability | median
    error: Decimal | None
    median_error: Decimal | None
    compared: int
    variance: Decimal
    trust: dict[tuple[str, str], Trust]
    reviewers: dict[str, Standing]


class _Seen(NamedTuple):
    """One look at a reviewer: how far above the consensus, and the variance of that consensus; None: a sample."""

    work: str | None
    over: float
    variance: float


class _Pool(NamedTuple):
    """What is typical: the variance of a mark, the variance of biases, and for how many marks that counts."""

    variance: float
    biases: float
    prior: int


class _Guess(NamedTuple):
    """A reviewer's bias with the variance of that estimate, and the variance of the marks around it."""

    bias: float
    doubt: float
    variance: float

    @property
    def whole(self) -> float:
        """Return the variance of a mark once the bias is taken off."""
        return self.variance + self.doubt


@lru_cache(maxsize=8)
def weigh(marks: tuple[Mark, ...], samples: tuple[Sample, ...], rules: ReliabilityRules) -> Weighing:
    """Return the reviewers' trust as the table shows it; the same for any order of marks and samples."""
    table = by_work(marks)
    variance, _freedom = spread_of(table)
    works = {work: [(one.reviewer, float(one.mark)) for one in found] for work, found in table.items()}
    shared = {work: found for work, found in works.items() if len(found) > 1}
    fits = [_Fit(works, sorted(samples), rules, prior, max(variance, LEAST_VARIANCE)) for prior in rules.prior_marks]
    errors = [_left_out(shared, fit) for fit in fits]
    best = errors.index(min(errors))
    error, median_error = (_rounded(one, scale=4) for one in (errors[best], _left_out(shared, None)))
    return Weighing(
        method="reliability" if error < median_error else "median",
        error=error if shared else None,
        median_error=median_error if shared else None,
        compared=sum(map(len, shared.values())),
        variance=_rounded(_variance(errors[best], shared)),
        trust=fits[best].trust,
        reviewers=fits[best].standings(),
    )


def _variance(error: float, shared: "Works") -> float:
    """Return a mark's variance from the error of predicting it by the m - 1 others of its work: 1 + 1/(m - 1) of it.

    Seen from outside the estimate, so that a few marks which happen to agree promise no certainty.
    """
    marks = sum(map(len, shared.values()))
    return error**2 * (1 - len(shared) / marks) if marks else 0.0


def _rounded(number: float, *, scale: int = 2) -> Decimal:
    """Return an estimate half-up at its few decimals: what is kept no longer hangs on a float's last bits."""
    return Decimal(number).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


Works = Mapping[str, Sequence[tuple[str, float]]]  # work → reviewer and mark


class _Fit:
    """One estimate of everybody, for one strength of the prior."""

    def __init__(
        self,
        works: Works,
        samples: Sequence[Sample],
        rules: ReliabilityRules,
        prior: int,
        variance: float,
    ) -> None:
        self.works, self.samples, self.rules = works, samples, rules
        names = {name for marks in works.values() for name, _mark in marks} | {one.reviewer for one in samples}
        self.pool = _Pool(variance, variance / 4, prior)
        self.guesses = dict.fromkeys(sorted(names), _Guess(0.0, 0.0, variance))
        self.seen: dict[str, list[_Seen]] = {}
        for _round in range(ROUNDS):
            self._improve()
        self.trust = {(work, name): self._trust(work, name) for work, marks in works.items() for name, _mark in marks}

    def _improve(self) -> None:
        self.seen = self._looks()
        found = {name: _guess(looks, self.pool, self.guesses[name]) for name, looks in self.seen.items()}
        if found and not self.samples:  # nothing else says where 0 is: biases are against the average reviewer
            middle = statistics.fmean(one.bias for one in found.values())
            found = {name: _Guess(one.bias - middle, one.doubt, one.variance) for name, one in found.items()}
        self.guesses = found
        if found:
            biases = statistics.fmean(one.bias**2 + one.doubt for one in found.values())
            typical = statistics.fmean(math.log(one.variance) for one in found.values())
            variance = max(math.exp(typical), LEAST_VARIANCE)
            self.pool = _Pool(variance, max(biases, BIAS_SHARE * variance), self.pool.prior)

    def _looks(self) -> dict[str, list[_Seen]]:
        """Compare every mark with the others' consensus on its work, and every sample's mark with the panel's."""
        looks: dict[str, list[_Seen]] = {name: [] for name in self.guesses}
        for work, marks in self.works.items():
            weights = [1 / self.guesses[name].variance for name, _mark in marks]
            clean = [mark - self.guesses[name].bias for name, mark in marks]
            total, moment = sum(weights), sum(map(float.__mul__, weights, clean))
            for (name, mark), weight, number in zip(marks, weights, clean, strict=True):
                if len(marks) > 1:
                    others = total - weight
                    looks[name].append(_Seen(work, mark - (moment - weight * number) / others, 1 / others))
        for sample in self.samples:
            looks[sample.reviewer].append(_Seen(None, float(sample.mark - sample.true), 0.0))
        return looks

    def _trust(self, work: str, name: str) -> Trust:
        elsewhere = [one for one in self.seen[name] if one.work != work]
        guess = _guess(elsewhere, self.pool, self.guesses[name])
        return Trust(_rounded(guess.bias), self._weight(guess))

    def _weight(self, guess: _Guess) -> Decimal:
        """Return a weight within the scheme's caps: nobody decides alone, and nobody is silenced."""
        weight = _rounded(self.pool.variance / guess.whole)
        return min(max(weight, self.rules.weight_min), self.rules.weight_max)

    def standings(self) -> dict[str, Standing]:
        """Return everybody as all their marks show them."""
        found = {}
        for name, looks in self.seen.items():
            guess = _guess(looks, self.pool, self.guesses[name])
            half = CONFIDENT * math.sqrt(guess.doubt)
            bias, low, high = (_rounded(guess.bias + step) for step in (0.0, -half, half))
            precision = _rounded(1 / guess.variance, scale=4)
            found[name] = Standing(bias, low, high, precision, self._weight(guess), len(looks))
        return found


def _guess(looks: Sequence[_Seen], pool: _Pool, before: _Guess) -> _Guess:
    """Return bias and variance from the looks at one reviewer, both drawn towards the pool (0 and its variance)."""
    weights = [1 / (before.variance + one.variance) for one in looks]
    certainty = sum(weights) + 1 / pool.biases
    bias = sum(weight * one.over for weight, one in zip(weights, looks, strict=True)) / certainty
    # What the consensus itself scatters is not the reviewer's.
    squares = sum(max((one.over - bias) ** 2 - one.variance, 0.0) for one in looks)
    variance = (pool.prior * pool.variance + squares) / (pool.prior + len(looks))
    return _Guess(bias, 1 / certainty, max(variance, LEAST_SHARE * pool.variance))


def _left_out(shared: Works, fit: _Fit | None) -> float:
    """Return how far, by root mean square, marks are from what the others of their work predict; 0 without any.

    The prediction is not held between the others' marks as a result is: with one other it could then only repeat it.
    """
    squares = [
        (mark - _predicted(work, [*marks[:place], *marks[place + 1 :]], fit)) ** 2
        for work, marks in shared.items()
        for place, (_name, mark) in enumerate(marks)
    ]
    return math.sqrt(statistics.fmean(squares)) if squares else 0.0


def _predicted(work: str, others: Sequence[tuple[str, float]], fit: _Fit | None) -> float:
    if fit is None:
        return statistics.median(mark for _name, mark in others)
    trusts = [fit.trust[work, name] for name, _mark in others]
    weights = [float(one.weight) for one in trusts]
    clean = [mark - float(trust.bias) for (_name, mark), trust in zip(others, trusts, strict=True)]
    return sum(map(float.__mul__, weights, clean)) / sum(weights)
