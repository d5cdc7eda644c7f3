"""Pools for tests of the allocation, and what an allocation is worth, written anew from the words of the rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import combinations

from hypothesis import settings
from hypothesis import strategies as st

from review_flow.rules.allocation import (
    Allocation,
    AllocationRules,
    AllocationWeights,
    Groups,
    Pair,
    Reviewer,
    Work,
    allocate,
)

# Examples differ in size by far, and the first one loads ortools: a deadline for each would measure the machine.
unhurried = settings(deadline=None, max_examples=60)
seeds = st.integers(-5, 2**70)
Score = tuple[int, int, int, Decimal]


@dataclass(frozen=True)
class Facts:
    """All that an allocation is made from, but the seed."""

    reviewers: tuple[Reviewer, ...]
    works: tuple[Work, ...]
    conflicts: tuple[Pair, ...] = ()
    held: tuple[Pair, ...] = ()
    standing: tuple[Pair, ...] = ()
    former: tuple[Pair, ...] = ()
    affinity: Mapping[Pair, Decimal] = field(default_factory=dict)
    rules: AllocationRules = field(default_factory=AllocationRules)

    def allocate(self, seed: int = 1) -> Allocation:
        return allocate(**{name: getattr(self, name) for name in self.__dataclass_fields__}, seed=seed)

    def stands(self) -> set[Pair]:
        """What was assigned and may still be."""
        people, works = {r.id: r for r in self.reviewers}, {w.id: w for w in self.works}
        return {(r, w) for r, w in self.standing if r in people and w in works and self.may(people[r], works[w])}

    def room(self, reviewer: Reviewer) -> int:
        return max(reviewer.room, sum(r == reviewer.id for r, _w in self.stands()))

    def demand(self, work: Work) -> int:
        return max(work.demand, sum(w == work.id for _r, w in self.stands()))

    def may(self, reviewer: Reviewer, work: Work) -> bool:
        pair, mine, its = (reviewer.id, work.id), reviewer.groups, work.groups
        same_workshop = mine.workshop is not None and mine.workshop == its.workshop
        other_subject = None not in (mine.subject, its.subject) and mine.subject != its.subject
        return not (
            reviewer.id in work.authors
            or pair in self.conflicts
            or pair in self.held
            or (same_workshop and self.rules.own_workshop == "forbid")
            or (other_subject and self.rules.other_subject == "forbid")
        )

    def all_pairs(self, found: Allocation) -> tuple[Pair, ...]:
        """The new pairs and those that stay."""
        return tuple(sorted({*found.pairs} | (self.stands() - {*found.withdrawn})))

    def cost(self, pairs: tuple[Pair, ...]) -> Decimal:
        people, works = {r.id: r for r in self.reviewers}, {w.id: w for w in self.works}
        ends = [(people[r].groups, works[w].groups) for r, w in pairs]
        new, old = {*pairs}, {*self.held}
        facing = [(a, b) for a in pairs for b in self.facing(a)]
        couples = sum(b in new for _a, b in facing) // 2 + sum(b in old for _a, b in facing)
        weights = self.rules.weights
        broken = (
            weights.subject * sum(mine.subject != its.subject for mine, its in ends)
            + weights.stage * sum(mine.stage != its.stage for mine, its in ends)
            + weights.workshop * sum(its.workshop is not None and mine.workshop == its.workshop for mine, its in ends)
            + weights.former * len({*pairs} & {*self.former})
            + weights.reciprocal * couples
        )
        return broken - sum((self.affinity.get(pair, Decimal(0)) for pair in pairs), Decimal(0))

    @cached_property
    def authors(self) -> dict[int, frozenset[int]]:
        return {w.id: w.authors for w in self.works}

    @cached_property
    def written(self) -> dict[int, list[int]]:
        """Author → works."""
        return {author: [w.id for w in self.works if author in w.authors] for w in self.works for author in w.authors}

    def facing(self, pair: Pair) -> list[Pair]:
        """The pairs in which an author of the work reviews a work of the reviewer."""
        return [(author, other) for author in self.authors[pair[1]] for other in self.written.get(pair[0], ())]

    def score(self, pairs: tuple[Pair, ...]) -> Score:
        """Gaps, changes, load, wishes; less is better."""
        given = Counter(reviewer for reviewer, _work in pairs)
        got = Counter(work for _reviewer, work in pairs)
        gaps = sum(triangle(self.demand(w) - got[w.id]) for w in self.works)
        load = sum(triangle(r.load + given[r.id]) - triangle(r.load) for r in self.reviewers)
        return gaps, len(self.stands() - {*pairs}), load if self.rules.even_load else 0, self.cost(pairs)


def triangle(n: int) -> int:
    return n * (n + 1) // 2


def school(size: int, demand: int, cap: int = 9, **belonging: str) -> Facts:
    """Every teacher has one work and may review."""
    groups = Groups(**belonging)
    return Facts(
        tuple(Reviewer(n, cap, groups=groups) for n in range(1, size + 1)),
        tuple(Work(100 + n, frozenset({n}), demand, groups) for n in range(1, size + 1)),
    )


def best_by_brute_force(facts: Facts) -> Score:
    """The least score of all allocations there are, by trying every set of reviewers for every work."""
    best = facts.score(())
    room = {r.id: facts.room(r) for r in facts.reviewers}

    def extend(rest: tuple[Work, ...], pairs: tuple[Pair, ...], gaps: int) -> None:
        nonlocal best
        if gaps > best[0]:
            return
        if not rest:
            best = min(best, facts.score(pairs))
            return
        work, *others = rest
        able = [r.id for r in facts.reviewers if room[r.id] and facts.may(r, work)]
        demand = facts.demand(work)
        for size in range(min(demand, len(able)), -1, -1):
            for chosen in combinations(able, size):
                for reviewer in chosen:
                    room[reviewer] -= 1
                extend(tuple(others), pairs + tuple((r, work.id) for r in chosen), gaps + triangle(demand - size))
                for reviewer in chosen:
                    room[reviewer] += 1

    extend(facts.works, (), 0)
    return best


@st.composite
def pools(draw: st.DrawFn, size: int, demand: int, *, repair: bool = False) -> Facts:
    people, things = range(1, draw(st.integers(0, size)) + 1), range(101, 101 + draw(st.integers(0, size)))
    groups = st.builds(
        Groups,
        st.sampled_from([None, "语文", "物理"]),
        st.sampled_from([None, "小学", "初中"]),
        st.sampled_from([None, "甲", "乙"]),
    )
    # Pairs may name people and works that are not in the pool: they left, or have nothing to do with it.
    pair = st.tuples(st.integers(1, size + 1), st.integers(101, 101 + size))
    pairs = st.lists(pair, max_size=size)
    worth = st.decimals(-2, 2, places=draw(st.sampled_from([0, 2, 25])))
    reviewers = [Reviewer(n, draw(st.integers(0, demand + 2)), draw(st.integers(0, 2)), draw(groups)) for n in people]
    works = [
        Work(n, draw(st.frozensets(st.integers(1, size), max_size=2)), draw(st.integers(0, demand)), draw(groups))
        for n in things
    ]
    rules = AllocationRules(
        even_load=draw(st.booleans()),
        own_workshop=draw(st.sampled_from(["avoid", "avoid", "forbid"])),
        other_subject=draw(st.sampled_from(["avoid", "avoid", "forbid"])),
        weights=AllocationWeights(*(draw(st.integers(0, 5)) for _ in range(5))),
    )
    return Facts(
        tuple(reviewers),
        tuple(works),
        conflicts=tuple(draw(pairs)),
        held=tuple(draw(pairs)),
        standing=tuple(draw(st.lists(pair, max_size=size, unique=True))) if repair else (),
        former=tuple(draw(pairs)),
        affinity=draw(st.dictionaries(pair, worth, max_size=draw(st.sampled_from([0, 0, size * 2])))),
        rules=rules,
    )
