"""Which moments of a film count together: far enough apart, and the surest of those."""

from __future__ import annotations

import pytest

from review_flow.evidence.faces import Box
from review_flow.evidence.presence import Moment, Presence, Search, judged, surest_apart

FACE = Box(0, 0, 100, 100)


def moments(*pairs: tuple[float, float]) -> list[Moment]:
    return [Moment(at_s, 0.4, sure, FACE) for at_s, sure in pairs]


@pytest.mark.parametrize(
    ("seen", "count", "chosen"),
    [
        ([], 2, []),
        ([(1.0, 0.9)], 2, []),
        ([(1.0, 0.9), (2.5, 0.9)], 2, []),
        ([(1.0, 0.9), (3.0, 0.9)], 2, [1.0, 3.0]),
        # the surest of all stands in the middle and would keep both others out
        ([(437.0, 0.99), (438.0, 0.999), (439.0, 0.99)], 2, [437.0, 439.0]),
        ([(0.0, 0.6), (5.0, 0.9), (9.0, 0.99), (9.5, 0.999)], 2, [5.0, 9.5]),
        ([(0.0, 0.6), (5.0, 0.9), (9.0, 0.99)], 3, [0.0, 5.0, 9.0]),
        ([(0.0, 0.6), (5.0, 0.9)], 1, [5.0]),
    ],
)
def test_the_surest_moments_that_lie_apart(seen: list[tuple[float, float]], count: int, chosen: list[float]) -> None:
    assert [moment.at_s for moment in surest_apart(moments(*seen), 2.0, count)] == chosen


def test_two_moments_are_no_independent_witnesses() -> None:
    outcome, search = Presence(), Search(confidence=0.99)
    assert not judged(outcome, moments((0.0, 0.97), (9.0, 0.98)), search, moments_needed=2)
    assert 0.97 < (outcome.probability or 0) < 0.98
    assert judged(outcome, moments((0.0, 0.97), (9.0, 0.999)), search, moments_needed=2)
    assert not judged(outcome, moments((0.0, 0.9999)), search, moments_needed=2)
