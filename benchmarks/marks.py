"""How near peers' marks come to the truth: mean, median, Hamer, Vancouver and ours on simulated reviewers.

    python benchmarks/marks.py [--rounds N] [--teachers N] [--json]

A school of teachers whose works have a known quality; each reviews 2 to 5 works of others. The reviewers of a row:

honest     quality ± 5 points
severe     a quarter 8 points too low, a quarter 8 too high
uneven     honest, but ± 2, ± 5 or ± 12 points from person to person
lazy       a quarter give everything about 85
colluding  three in ten are pairs that give each other 93 to 100, and mark the rest honestly
random     a fifth give anything from 50 to 100
mixed      everybody somewhat severe or lenient, a tenth each lazy, colluding, random

All methods see the same marks (same seeds). `ours` is the method `reliability` of the scheme language with the
defaults: it falls back on the median where leaving marks out does not show it to be better; it knows, besides, what
everybody gave two calibration samples, which no other method can use. `alone` is ours without samples, as somebody
would use it who has none. The table gives RMSE in points and the share of wrong bands (80, 60).

Hamer et al. 2005 (A method of automatic grade calibration in peer assessment): weights from each reviewer's mean
square distance to the weighted means, above 2 damped by a logarithm, until nothing changes. Vancouver (de Alfaro and
Shavlovsky 2014, CrowdGrader): reviewers and works send each other estimates with variances, each leaving out what
the receiver sent; ten rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from review_flow import schemes
from review_flow.rules.peer_marks import Mark, Peers, Sample, aggregated, by_work, weigh

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("honest", "severe", "uneven", "lazy", "colluding", "random", "mixed")
SHARES = {"lazy": (0.25, 0, 0), "colluding": (0, 0.3, 0), "random": (0, 0, 0.2), "mixed": (0.1, 0.1, 0.1)}
RULES = schemes.load("xian-2022-appraisal").review.peer.reliability
Table = tuple[Mark, ...]
Estimates = dict[str, float]


class World:
    """Works with a true quality, and everybody's way of marking."""

    def __init__(self, kind: str, reviews: int, seed: int, teachers: int) -> None:
        self.dice = random.Random(f"{kind}-{reviews}-{seed}")
        self.quality = [min(100.0, max(0.0, self.dice.gauss(75, 10))) for _ in range(teachers)]
        lazy, colluding, careless = (round(share * teachers) for share in SHARES.get(kind, (0, 0, 0)))
        people = self.dice.sample(range(teachers), teachers)
        self.lazy = set(people[:lazy])
        pairs = people[lazy : lazy + colluding // 2 * 2]
        self.partner = dict(zip(pairs[::2], pairs[1::2], strict=True))
        self.partner |= {other: one for one, other in self.partner.items()}
        self.random = set(people[lazy + colluding : lazy + colluding + careless])
        biases = {"severe": lambda: self.dice.choice((-8, 0, 0, 8)), "mixed": lambda: self.dice.gauss(0, 4)}
        self.bias = [biases.get(kind, lambda: 0)() for _ in people]
        self.noise = [self.dice.choice((2, 5, 12)) if kind == "uneven" else 5 for _ in people]
        self.pairs = self._allocated(reviews, teachers)

    def _allocated(self, reviews: int, teachers: int) -> list[tuple[int, int]]:
        """Everybody reviews and is reviewed equally often; colluding pairs have seen to it that they get each other."""
        circle = self.dice.sample(range(teachers), teachers)
        steps = self.dice.sample(range(1, teachers // 2), reviews)
        found = {(circle[place], circle[(place + step) % teachers]) for place in range(teachers) for step in steps}
        for one, other in self.partner.items():
            if (one, other) not in found:
                mine = next(work for who, work in sorted(found) if who == one and work != self.partner.get(one))
                swapped = next(
                    who
                    for who, work in sorted(found)
                    if work == other and who not in {mine, self.partner.get(other)} and (who, mine) not in found
                )
                found -= {(one, mine), (swapped, other)}
                found |= {(one, other), (swapped, mine)}
        return sorted(found)

    def _mark(self, person: int, quality: float, *, friend: bool = False) -> Decimal:
        if person in self.lazy:
            given = self.dice.gauss(85, 2)
        elif person in self.random:
            given = self.dice.uniform(50, 100)
        elif friend:
            given = self.dice.uniform(93, 100)
        else:
            given = self.dice.gauss(quality + self.bias[person], self.noise[person])
        return Decimal(round(min(100.0, max(0.0, given)) * 2)) / 2  # people give halves

    def marks(self) -> Table:
        return tuple(
            Mark(
                str(work), str(person), self._mark(person, self.quality[work], friend=self.partner.get(person) == work)
            )
            for person, work in self.pairs
        )

    def samples(self, count: int) -> tuple[Sample, ...]:
        true = [Decimal(round(self.dice.uniform(55, 92) * 2)) / 2 for _ in range(count)]
        people = range(len(self.quality))
        return tuple(
            Sample(str(number), str(one), self._mark(one, float(mark)), mark)
            for number, mark in enumerate(true)
            for one in people
        )


def mean(marks: Table) -> Estimates:
    return {work: statistics.fmean(float(one.mark) for one in found) for work, found in by_work(marks).items()}


def median(marks: Table) -> Estimates:
    return {work: statistics.median(float(one.mark) for one in found) for work, found in by_work(marks).items()}


def hamer(marks: Table) -> Estimates:
    weights: dict[str, float] = defaultdict(lambda: 1.0)
    before: Estimates = {}
    for _round in range(500):
        now = {}
        for work, found in by_work(marks).items():
            total = sum(weights[one.reviewer] for one in found)
            now[work] = sum(weights[one.reviewer] * float(one.mark) for one in found) / total
        if before and max(abs(now[work] - before[work]) for work in now) < 1e-6:
            break
        before = now
        squares = defaultdict(list)
        for one in marks:
            squares[one.reviewer].append((float(one.mark) - now[one.work]) ** 2)
        distance = {who: max(statistics.fmean(found), 1e-6) for who, found in squares.items()}
        typical = statistics.fmean(distance.values())
        for who, own in distance.items():
            weight = typical / own
            weights[who] = weight if weight <= 2 else 2 + math.log(weight - 1)
    return now


def vancouver(marks: Table) -> Estimates:
    of_work, of_person = by_work(marks), defaultdict(list)
    for one in marks:
        of_person[one.reviewer].append(one)
    variance = {(one.reviewer, one.work): 1.0 for one in marks}
    for _round in range(10):
        to_person = {}
        for work, found in of_work.items():
            for one in found:
                others = [other for other in found if other is not one] or [one]
                certainty = sum(1 / variance[other.reviewer, work] for other in others)
                estimate = sum(float(other.mark) / variance[other.reviewer, work] for other in others) / certainty
                to_person[one.reviewer, work] = estimate, 1 / certainty
        for who, given in of_person.items():
            for one in given:
                seen = [(float(other.mark), *to_person[who, other.work]) for other in given if other is not one]
                seen = seen or [(float(one.mark), *to_person[who, one.work])]
                certainty = sum(1 / doubt for _mark, _estimate, doubt in seen)
                square = sum((mark - estimate) ** 2 / doubt for mark, estimate, doubt in seen) / certainty
                variance[who, one.work] = max(square, 1e-3)
    return {
        work: sum(float(one.mark) / variance[one.reviewer, work] for one in found)
        / sum(1 / variance[one.reviewer, work] for one in found)
        for work, found in of_work.items()
    }


def ours(marks: Table, samples: tuple[Sample, ...] = ()) -> Estimates:
    found = weigh(marks, samples, RULES)
    estimates = {}
    for work, given in by_work(marks).items():
        trusts = [found.trust[work, one.reviewer] for one in given]
        peers = Peers(
            tuple(one.mark for one in given), tuple(one.bias for one in trusts), tuple(one.weight for one in trusts)
        )
        estimates[work] = float(aggregated(found.method, peers))
    return estimates


METHODS: dict[str, Callable[..., Estimates]] = {
    "mean": mean, "median": median, "Hamer": hamer, "Vancouver": vancouver, "alone": ours, "ours": ours,
}  # fmt: skip


def band(number: float) -> int:
    return (number >= 80) + (number >= 60)


def measured(kind: str, reviews: int, rounds: int, teachers: int) -> dict[str, tuple[float, float]]:
    """RMSE and share of wrong bands by method, over all works of all rounds."""
    squares, wrong = defaultdict(list), defaultdict(list)
    for seed in range(rounds):
        world = World(kind, reviews, seed, teachers)
        marks = world.marks()
        samples = world.samples(2)
        for name, method in METHODS.items():
            for work, estimate in (method(marks, samples) if name == "ours" else method(marks)).items():
                true = world.quality[int(work)]
                squares[name].append((estimate - true) ** 2)
                wrong[name].append(band(estimate) != band(true))
    return {name: (math.sqrt(statistics.fmean(squares[name])), statistics.fmean(wrong[name])) for name in METHODS}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--teachers", type=int, default=60)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    began, rows = time.monotonic(), []
    if not given.json:
        print(f"{'reviewers':<10} k  " + "".join(f"{name:>15}" for name in METHODS))
    for kind in KINDS:
        for reviews in (2, 3, 4, 5):
            found = measured(kind, reviews, given.rounds, given.teachers)
            rows.append({"reviewers": kind, "k": reviews, "found": found})
            if not given.json:
                cells = "".join(f"{rmse:>8.2f} {100 * wrong:>5.1f}%" for rmse, wrong in found.values())
                print(f"{kind:<10} {reviews}  {cells}", flush=True)
    if given.json:
        print(json.dumps(rows))
        return
    others = ("mean", "median", "Hamer", "Vancouver")
    for name in ("alone", "ours"):
        for place, what in enumerate(("RMSE", "wrong bands")):
            best = [row["found"][name][place] <= 1.01 * min(row["found"][one][place] for one in others) for row in rows]
            print(f"{name}: best or within 1 % of the best in {what}: {sum(best)} of {len(rows)} rows")
    print(f"{given.rounds} rounds of {given.teachers} teachers a row, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
