"""The sparse flow over few candidates is the flow over all arcs, however few it begins with."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings

from review_flow.rules.allocation import AllocationRules, AllocationWeights, Groups, Reviewer, Work, candidates, flow
from review_flow.rules.allocation import facts as given_facts
from tests.rules.pools import Facts, best_by_brute_force, pools, seeds, unhurried


@pytest.fixture
def starving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows begin with two arcs for each work and are never handed all."""
    monkeypatch.setattr(flow, "_ALL", 0)
    monkeypatch.setattr(candidates, "LIKED", 1)
    monkeypatch.setattr(candidates, "ANYBODY", 1)


def pool_of(facts: Facts, seed: int) -> flow.Pool:
    names = facts.__dataclass_fields__
    return given_facts.Facts(**{name: getattr(facts, name) for name in names}).pool(seed)


@pytest.mark.usefixtures("starving")
class TestStarving:
    @settings(unhurried, max_examples=150)
    @given(pools(5, 2, repair=True), seeds)
    def test_pricing_finds_every_arc_that_is_missed(self, facts: Facts, seed: int) -> None:
        found = facts.allocate(seed)
        assert found.optimal
        assert facts.score(facts.all_pairs(found)) == best_by_brute_force(facts)

    def test_a_hundred_teachers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        facts = uneven(100)
        pool = pool_of(facts, 1)
        few = flow.cheapest(pool)
        monkeypatch.setattr(flow, "_ALL", 10**9)
        whole = flow.cheapest(pool)
        assert (few.gap, whole.gap) == (0, 0)
        assert (plain := pool.score(few.arcs))[:3] == pool.score(whole.arcs)[:3] == (0, 0, plain.load)
        assert pool.wish(few.arcs).sum() == pool.wish(whole.arcs).sum()

    @pytest.mark.parametrize("rounds", [0, 1, 2])
    def test_a_flow_that_ran_out_of_rounds_says_how_much_it_may_miss(
        self, monkeypatch: pytest.MonkeyPatch, rounds: int
    ) -> None:
        monkeypatch.setattr(flow, "_ROUNDS", rounds)
        monkeypatch.setattr(flow, "_MANY", 0)
        pool = pool_of(replace(uneven(60), rules=AllocationRules(even_load=False)), 1)
        found = flow.cheapest(pool)
        monkeypatch.setattr(flow, "_ALL", 10**9)
        best = flow.cheapest(pool)
        missed = pool.wish(found.arcs).sum() - pool.wish(best.arcs).sum()
        assert (missed > 0) == (rounds == 0)
        assert missed <= found.gap

    def test_after_its_rounds_all_arcs_are_taken_where_they_are_not_too_many(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(flow, "_ROUNDS", 1)
        pool = pool_of(uneven(60), 1)
        assert flow.cheapest(pool).gap == 0


def uneven(size: int) -> Facts:
    """A school with large and small subjects, few of whom may review much."""
    chance = Random(3)
    groups = [
        Groups(subject=chance.choice("语语语语数数英理"), stage=chance.choice("小初"), workshop=chance.choice("甲乙丙"))
        for _teacher in range(size)
    ]
    return Facts(
        tuple(
            Reviewer(n, chance.choice([1, 3, 5, 9]), chance.choice([0, 0, 2]), each) for n, each in enumerate(groups)
        ),
        tuple(Work(1000 + n, frozenset({n}), 2, each) for n, each in enumerate(groups)),
        conflicts=tuple((chance.randrange(size), 1000 + chance.randrange(size)) for _pair in range(size)),
        former=tuple((chance.randrange(size), 1000 + chance.randrange(size)) for _pair in range(size)),
        rules=AllocationRules(weights=AllocationWeights(reciprocal=0)),
    )


def test_affinities_of_many_digits_are_not_rounded() -> None:
    tiny = Decimal("1e-30")
    chance = Random(5)
    names = range(6)
    worth = {(r, 10 + w): Decimal(chance.randrange(3)) + tiny * chance.randrange(1000) for r in names for w in names}
    facts = Facts(
        tuple(Reviewer(r, 1) for r in names),
        tuple(Work(10 + w, frozenset(), 1) for w in names),
        affinity=worth,
        rules=AllocationRules(even_load=False, weights=AllocationWeights(0, 0, 0, 0, 0)),
    )
    for seed in range(10):
        found = facts.allocate(seed)
        assert found.optimal
        assert facts.score(found.pairs) == best_by_brute_force(facts)
        assert sum(Fraction(worth[pair]) for pair in found.pairs) == -Fraction(found.cost)


@pytest.mark.parametrize("stage", [1, 3, 5])
@pytest.mark.parametrize("places", [17, 21, 25, 30])
@pytest.mark.parametrize("demand", [1, 2, 3])
def test_costs_at_the_edge_of_what_the_solver_takes_are_made_to_fit(stage: int, places: int, demand: int) -> None:
    facts = Facts(
        (Reviewer(1, 0),),
        (Work(101, frozenset(), demand, Groups(stage="小学")),),
        affinity={(1, 101): Decimal(0).scaleb(-places)},
        rules=AllocationRules(even_load=False, weights=AllocationWeights(0, stage, 0, 0, 0)),
    )
    assert facts.allocate().unmet == {101: demand}


def test_levels_rise_where_all_depends_on_one() -> None:
    facts = Facts(
        tuple(Reviewer(n, 99) for n in range(20)),
        tuple(Work(100 + n, frozenset(range(1, 20)), 1) for n in range(20)),
    )
    found = facts.allocate()
    assert found.pairs == tuple((0, 100 + n) for n in range(20))
    assert facts.score(found.pairs) == (0, 0, 210, 0)


def test_costs_beyond_64_bits_are_exact_as_well() -> None:
    pool = pool_of(Facts((Reviewer(1, 9, 10**18), Reviewer(2, 10**18, 3)), (Work(7, frozenset(), 1),)), 1)
    network = flow.Network(pool, np.array([0]), np.array([0, 1]), 5)
    assert network.kind == np.dtype(object)
    assert pool.pairs(flow.cheapest(pool).arcs) == [(2, 7)]


@pytest.mark.usefixtures("starving")
def test_what_helps_is_found_behind_all_that_is_closed() -> None:
    kinds = [Groups(workshop=name) for name in "甲乙丙丁戊"]
    facts = Facts(
        tuple(Reviewer(n, 1, groups=each) for n, each in enumerate(kinds)),
        (Work(100, frozenset(), 1), Work(101, frozenset(), 1)),
        conflicts=tuple((n, work) for n in range(4) for work in (100, 101) if (n, work) != (0, 101)),
    )
    for seed in range(20):
        assert facts.allocate(seed).pairs == ((0, 101), (4, 100))


def test_ids_may_be_far_apart() -> None:
    far = [1, 10**6, 2**62]
    facts = Facts(
        tuple(Reviewer(n, 1) for n in far),
        tuple(Work(n, frozenset({n}), 1) for n in far),
        conflicts=((1, 10**6), (5, 10**6), (1, 7)),
    )
    found = facts.allocate()
    assert found.pairs == ((1, 2**62), (10**6, 1), (2**62, 10**6))
