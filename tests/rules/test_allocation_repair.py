"""What stands may move, but only where nothing else gives every work its reviews."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from review_flow.rules.allocation import AllocationRules, Pair, Reviewer, Work
from tests.rules.pools import Facts, best_by_brute_force, pools, school, seeds, unhurried


@settings(unhurried, max_examples=150)
@given(pools(5, 2, repair=True), seeds)
def test_no_repair_changes_less_by_brute_force(facts: Facts, seed: int) -> None:
    found = facts.allocate(seed)
    assert found.optimal
    assert facts.score(facts.all_pairs(found)) == best_by_brute_force(facts)


def standing_school(size: int, demand: int, cap: int, seed: int) -> Facts:
    """A school whose reviews are assigned, and none begun."""
    facts = school(size, demand, cap)
    return replace(facts, standing=facts.allocate(seed).pairs)


@unhurried
@given(st.integers(4, 12), st.integers(1, 3), seeds)
def test_nothing_moves_where_nothing_has_to(size: int, demand: int, seed: int) -> None:
    facts = standing_school(size, demand, 9, seed)
    assert (facts.allocate(seed).pairs, facts.allocate(seed).withdrawn) == ((), ())
    late = replace(facts, works=(*facts.works, Work(999, frozenset({1}), demand)))
    found = late.allocate(seed)
    assert found.withdrawn == ()
    assert Counter(w for _r, w in found.pairs) == {999: demand}


@unhurried
@given(st.integers(5, 12), st.integers(1, 3), st.integers(1, 5), seeds)
def test_only_what_a_gone_reviewer_had_goes_to_others(size: int, demand: int, gone: int, seed: int) -> None:
    facts = standing_school(size, demand, 9, seed)
    left = replace(facts, reviewers=tuple(r for r in facts.reviewers if r.id != gone))
    found = left.allocate(seed)
    assert found.withdrawn == tuple(sorted(pair for pair in facts.standing if pair[0] == gone))
    assert Counter(w for _r, w in found.pairs) == Counter(w for _r, w in found.withdrawn)


def test_one_task_moves_where_the_only_one_with_room_may_not_take_the_late_work() -> None:
    facts = Facts(
        (Reviewer(1, 1), Reviewer(2, 1)),
        (Work(11, frozenset(), 1), Work(12, frozenset({2}), 1)),
        standing=((1, 11),),
    )
    found = facts.allocate()
    assert (found.pairs, found.withdrawn, found.unmet) == (((1, 12), (2, 11)), ((1, 11),), {})
    begun = replace(facts, reviewers=(Reviewer(1, 1, load=1), Reviewer(2, 1)), standing=(), held=((1, 11),))
    begun = replace(begun, works=(Work(11, frozenset(), 0), facts.works[1]))
    found = begun.allocate()
    assert (found.pairs, found.withdrawn, found.unmet) == ((), (), {12: 1})


def test_what_stands_stays_beyond_a_cap_or_a_demand_that_is_smaller_now() -> None:
    facts = Facts((Reviewer(1, 0), Reviewer(2, 5)), (Work(11, frozenset(), 0),), standing=((1, 11), (2, 11)))
    found = facts.allocate()
    assert (found.pairs, found.withdrawn, found.unmet) == ((), (), {})


def test_what_may_not_be_any_more_is_withdrawn() -> None:
    facts = Facts(
        (Reviewer(1, 5), Reviewer(2, 5)),
        (Work(11, frozenset(), 1),),
        conflicts=((1, 11),),
        standing=((1, 11), (3, 11), (1, 12)),  # a conflict declared meanwhile, a reviewer gone, a work gone
    )
    found = facts.allocate()
    assert (found.pairs, found.withdrawn) == (((2, 11),), ((1, 11), (3, 11)))


@pytest.mark.parametrize("seed", range(5))
def test_even_load_is_no_reason_to_move(seed: int) -> None:
    works = tuple(Work(n, frozenset(), 1) for n in (11, 12, 13))
    facts = Facts((Reviewer(1, 9), Reviewer(2, 9)), works, standing=((1, 11), (1, 12)))
    found = facts.allocate(seed)
    assert (found.pairs, found.withdrawn) == (((2, 13),), ())


def moved_twice(pairs: tuple[Pair, ...]) -> int:
    return sum(count > 1 for count in Counter(pairs).values())


@unhurried
@given(st.integers(3, 7), seeds)
def test_of_a_tight_school_no_more_moves_than_a_late_work_needs(size: int, seed: int) -> None:
    facts = standing_school(size, 1, 1, seed)
    late = replace(
        facts, reviewers=(*facts.reviewers, Reviewer(99, 1)), works=(*facts.works, Work(999, frozenset({99}), 1))
    )
    assume(len(facts.standing) == size)
    found = late.allocate(seed)
    assert (len(found.withdrawn), len(found.pairs), found.unmet) == (1, 2, {})
    assert moved_twice(found.pairs) == 0
    assert late.score(late.all_pairs(found))[:2] == (0, 1)
    assert late.rules == AllocationRules()
