"""How many works end short of three reviews when reviewers drop out and works come late.

    python -m benchmarks.dropout [--sizes 30 200 1000] [--seeds 3]

n teachers hand in one work each, nine in ten before the window of 7 days opens, the rest on its fifth day. Everybody
owes 3 reviews. Some never do any ("dropout"); the others do each task some time after they got it (exponential, a day
in the mean) and two thirds of them would do three more when asked. Three policies see the same people, the
same works and the same delays:

- Canvas, automatic assignment: at the due time each work that is in goes to three who handed in, round the circle;
  works that come late go to whoever has fewest then. What is not done stays with who has it.
- ORA2: a learner comes once (a day after the start, or their own work, in the mean) and does three tasks, an
  hour each: always the work with the fewest reviews, open tasks counted for 8 hours; nobody asks for more. Who drops
  out opens one task and leaves it. A work may be graded more often than needed.
- review-flow: `rules.allocation` whenever a lease of 48 hours ends or a work comes (looked at every four hours); a task
  not done in its time goes to volunteers, then to whoever has least, what they let lapse counted, then to the panel (one
  for ten teachers, three at least, who spare three reviews each); a late review counts as long as the work wants one,
  and lets off who got it instead.

Restated from public documentation, simplified in their favour: no race between claims, no abandoned task that counts
as done. Short is a work with fewer than three reviews when the window closes; the last column is
ours with the three days that a scheme grants once where reviews are missing (T12). room/need is how many reviews the
people would do at most, for each that is wanted: near 1 no policy can leave nobody short.
"""

from __future__ import annotations

import argparse
import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from random import Random

from review_flow.rules.allocation import Reviewer, Work, allocate

WANTED, WINDOW_H, LATE_H, LEASE_H, LOOK_H = 3, 168.0, 96.0, 48.0, 4.0
DELAY_H, ORA2_OPEN_H, EXTRA, EXTENSION_H = 24.0, 8.0, 3, 72.0


@dataclass
class Round:
    """One draw of people and works; person i wrote work i."""

    n: int
    dropout: float
    seed: int
    chance: Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = Random(f"{self.n} {self.dropout} {self.seed}")
        order = self.chance.sample(range(self.n), self.n)
        self.gone = set(order[: round(self.n * self.dropout)])
        late = set(self.chance.sample(range(self.n), self.n // 10))
        self.comes_at = {one: LATE_H if one in late else 0.0 for one in range(self.n)}
        self.volunteers = {one for one in range(self.n) if one not in self.gone and self.chance.random() < 2 / 3}

    def delay(self, person: int, work: int) -> float:
        """Return the hours a person takes over a work: the same whoever asks."""
        return Random(f"{self.seed} {person} {work}").expovariate(1 / DELAY_H)

    def capacity(self) -> int:
        """Return how many reviews these people would do at most."""
        return sum(WANTED + EXTRA * (one in self.volunteers) for one in range(self.n) if one not in self.gone)


def canvas(it: Round) -> Counter[int]:
    """Return how many reviews each work got: assigned once, never again."""
    in_time = [one for one in it.chance.sample(range(it.n), it.n) if it.comes_at[one] == 0]
    tasks = [
        (in_time[place], in_time[(place + step) % len(in_time)], 0.0)
        for place in range(len(in_time))
        for step in range(1, WANTED + 1)
    ]
    load = Counter(reviewer for reviewer, _work, _at in tasks)
    for work in (one for one in range(it.n) if it.comes_at[one]):
        ready = sorted((one for one in range(it.n) if one != work), key=lambda one: (load[one], it.chance.random()))
        for reviewer in ready[:WANTED]:
            load[reviewer] += 1
            tasks.append((reviewer, work, it.comes_at[work]))
    return Counter(
        work for reviewer, work, at in tasks if reviewer not in it.gone and at + it.delay(reviewer, work) <= WINDOW_H
    )


def ora2(it: Round) -> Counter[int]:
    """Return how many reviews each work got: everybody comes, one task after the other, until their three are done."""
    done: Counter[int] = Counter()
    open_until: defaultdict[int, list[float]] = defaultdict(list)
    mine: defaultdict[int, set[int]] = defaultdict(set)
    comes = [(at + it.chance.expovariate(1 / DELAY_H), one) for one, at in it.comes_at.items()]
    heapq.heapify(comes)
    ends: list[tuple[float, int, int]] = []
    while comes or ends:
        if ends and (not comes or ends[0][0] <= comes[0][0]):
            at, person, work = heapq.heappop(ends)
            if at > WINDOW_H:
                continue
            done[work] += 1
            if len(mine[person]) < WANTED:
                heapq.heappush(comes, (at, person))
            continue
        at, person = heapq.heappop(comes)
        there = [one for one in range(it.n) if one != person and one not in mine[person] and it.comes_at[one] <= at]
        if at > WINDOW_H or not there:
            continue
        work = min(there, key=lambda one: (done[one] + sum(until > at for until in open_until[one]), one))
        open_until[work].append(at + ORA2_OPEN_H)
        mine[person].add(work)
        if person not in it.gone:  # who is gone opens one task and leaves it
            heapq.heappush(ends, (at + 1, person, work))
    return done


class Ours:
    """Allocated, leased, handed on; `end_h` is when the window closes."""

    def __init__(self, it: Round, end_h: float) -> None:
        self.it, self.end_h = it, end_h
        self.done: Counter[int] = Counter()
        self.live: dict[tuple[int, int], float] = {}  # pair → when it was given
        self.late: dict[tuple[int, int], float] = {}  # pair → when its review comes after all
        self.tried: set[tuple[int, int]] = set()
        self.load: Counter[int] = Counter()
        self.undone: Counter[int] = Counter()
        self.panel = [*range(it.n, it.n + max(3, it.n // 10))]

    def run(self) -> Counter[int]:
        """Return how many reviews each work got."""
        at = 0.0
        while at < self.end_h:
            self.hand_in(at)
            self.hand_in_late(at)
            self.assign(at, sorted(self.it.volunteers), taken_over=True)
            self.assign(at, [one for one in range(self.it.n) if self.it.comes_at[one] <= at], taken_over=False)
            self.assign(at, self.panel, taken_over=True)
            at += LOOK_H
        self.hand_in(self.end_h)
        self.hand_in_late(self.end_h)
        return self.done

    def hand_in(self, at: float) -> None:
        """What was done within its lease counts; what was not lapses."""
        for pair, given in list(self.live.items()):
            ready = given + self.it.delay(*pair) if pair[0] not in self.it.gone else float("inf")
            if ready <= min(at, given + LEASE_H):
                self.done[pair[1]] += 1
                del self.live[pair]
            elif given + LEASE_H <= at:
                self.undone[pair[1]] += 1
                self.late[pair] = ready
                del self.live[pair]

    def hand_in_late(self, at: float) -> None:
        """A late review counts while one is wanted, and lets off who got the work instead."""
        for pair in [pair for pair, ready in self.late.items() if ready <= at]:
            work = pair[1]
            del self.late[pair]
            if self.done[work] >= WANTED:
                continue
            self.done[work] += 1
            instead = [other for other in self.live if other[1] == work]
            if self.done[work] + len(instead) > WANTED:
                self.load[instead[-1][0]] -= 1
                del self.live[instead[-1]]

    def assign(self, at: float, people: list[int], *, taken_over: bool) -> None:
        """Give people what is wanted, or only what others left undone."""
        held = Counter(work for _reviewer, work in self.live)
        wanted = {one: WANTED - self.done[one] - held[one] for one in range(self.it.n) if self.it.comes_at[one] <= at}
        demands = {one: min(count, self.undone[one] if taken_over else WANTED) for one, count in wanted.items()}
        reserve = {*self.it.volunteers, *self.panel}
        works = [Work(one, frozenset({one}), count) for one, count in demands.items() if count > 0]
        if not works:
            return
        caps = {one: WANTED * (one < self.it.n) + EXTRA * (one in reserve) for one in people}
        reviewers = [Reviewer(one, cap=caps[one], load=self.load[one]) for one in people]
        found = allocate(reviewers=reviewers, works=works, held=self.tried, seed=self.it.seed)
        for pair in found.pairs:
            self.live[pair] = at
            self.tried.add(pair)
            self.load[pair[0]] += 1


def ours(it: Round) -> Counter[int]:
    """Return how many reviews each work got in the window."""
    return Ours(it, WINDOW_H).run()


def extended(it: Round) -> Counter[int]:
    """Return the same with the extension that a scheme grants once (T12)."""
    return Ours(it, WINDOW_H + EXTENSION_H).run()


def main() -> None:
    """Print a row for each size and share of dropouts."""
    wishes = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    wishes.add_argument("--sizes", nargs="+", type=int, default=[30, 200, 1000])
    wishes.add_argument("--seeds", type=int, default=3)
    chosen = wishes.parse_args()
    print(f"works short of {WANTED} reviews after {WINDOW_H / 24:.0f} days, in the mean of {chosen.seeds} draws")
    print(
        f"{'n':>5} {'dropout':>8} {'room/need':>10}"
        + "".join(f"{name:>14}" for name in ("Canvas", "ORA2", "ours", "ours, +3 days"))
    )
    for n in chosen.sizes:
        for dropout in (0.0, 0.1, 0.3):
            room, short = 0.0, Counter[str]()
            for seed in range(chosen.seeds):
                room += Round(n, dropout, seed).capacity() / (n * WANTED) / chosen.seeds
                for policy in (canvas, ora2, ours, extended):
                    got = policy(Round(n, dropout, seed))
                    short[policy.__name__] += sum(got[one] < WANTED for one in range(n))
            shares = "".join(
                f"{short[name] / n / chosen.seeds:>14.1%}" for name in ("canvas", "ora2", "ours", "extended")
            )
            print(f"{n:>5} {dropout:>8.0%} {room:>10.2f}{shares}", flush=True)


if __name__ == "__main__":
    main()
