"""Keys and codes: what must hold of any set, any text, any place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_flow.evidence.copies import Match, Print, pictures, texts, unexplained
from review_flow.evidence.copies import prints as shared
from review_flow.evidence.copies.prints import KEYS, keys_of, overlap, packed, unpacked
from review_flow.rules.words import CopyKind

FEATURES = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=60)
GOLDEN = (9097470689135099918, 5772382494689553731, 1366505992773114453)
PROJECTION = [-0.038339558988809586, -0.752923309803009]
CODES = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12)


def as_set(values: list[int]) -> np.ndarray:
    return np.array(values, np.uint64)


@given(FEATURES)
def test_keys_know_no_order_and_no_repetition(values: list[int]) -> None:
    keys = keys_of(CopyKind.TEXT, as_set(values))
    assert keys_of(CopyKind.TEXT, as_set([*reversed(values), *values])) == keys
    assert len(keys) == KEYS
    assert all(0 <= key < 2**63 for key in keys)
    assert not set(keys) & set(keys_of(CopyKind.AUDIO, as_set(values)))


@pytest.mark.parametrize("common", [0, 100, 200, 300, 400])
def test_the_estimated_overlap_is_within_four_standard_errors(common: int) -> None:
    one, other = np.arange(400, dtype=np.uint64), np.arange(400 - common, 800 - common, dtype=np.uint64)
    true = common / (800 - common)
    estimate = overlap(keys_of(CopyKind.TEXT, one), keys_of(CopyKind.TEXT, other))
    assert abs(estimate - true) <= 4 * (true * (1 - true) / KEYS) ** 0.5


def test_an_empty_set_has_no_keys_and_overlaps_nothing() -> None:
    assert keys_of(CopyKind.TEXT, as_set([])) == ()
    assert overlap((), keys_of(CopyKind.TEXT, as_set([1]))) == 0.0


def test_keys_kept_by_a_school_are_those_of_today() -> None:
    """Stored prints must stay comparable: whoever changes this raises prints.FORMAT, and files are looked at anew."""
    assert shared.FORMAT == 1
    assert keys_of(CopyKind.TEXT, as_set([1, 2, 3]))[:3] == GOLDEN
    assert pictures._projection()[0, :2].tolist() == PROJECTION


@given(CODES, CODES)
def test_differences_are_symmetric_and_none_to_oneself(one: list[int], other: list[int]) -> None:
    here, there = as_set(one), as_set(other)
    apart = pictures.differences(here, there)
    assert apart.T.tolist() == pictures.differences(there, here).tolist()
    assert np.diag(pictures.differences(here, here)).tolist() == [0] * len(one)


@given(st.text(max_size=80))
def test_normal_signs_stand_where_they_say(text: str) -> None:
    signs, stood = texts.normal(text)
    assert len(signs) == len(stood)
    assert all(sign in texts.normal(text[at])[0] for sign, at in zip(signs, stood.tolist(), strict=True))
    assert texts.normal(signs)[0] == signs


@given(st.text("甲乙丙丁", min_size=30, max_size=60), st.text("甲乙丙丁", min_size=30, max_size=60))
def test_passages_are_the_same_on_both_sides_and_never_overlap_here(here: str, there: str) -> None:
    end = 0
    for at, start, length in texts.passages(here, there):
        assert here[at : at + length] == there[start : start + length]
        assert length >= texts.PASSAGE
        assert at >= end
        end = at + length


def test_a_print_passes_the_pipe_unchanged() -> None:
    made = Print(CopyKind.AUDIO, (1, 2**62), packed(codes=np.arange(3)))
    assert Print.from_json(made.as_json()) == made
    assert unpacked(made.data)["codes"].tolist() == [0, 1, 2]


def test_a_print_that_unpacks_to_more_than_any_file_makes_is_refused() -> None:
    with pytest.raises(ValueError, match="more bytes"):
        unpacked(packed(zeros=np.zeros(shared.MOST_BYTES, np.uint8)))


def text_match(*spans: tuple[int, int]) -> Match:
    places = tuple({"start": start, "end": end} for start, end in spans)
    return Match(CopyKind.TEXT, 0.5, places, places)


def test_what_a_common_source_covers_is_taken_out() -> None:
    match = text_match((0, 100), (200, 300))
    assert unexplained(match, []) is match
    assert unexplained(match, [text_match((400, 500))]) is match
    left = unexplained(match, [text_match((10, 100))])
    assert left == Match(CopyKind.TEXT, 0.25, match.here[1:], match.there[1:])
    assert unexplained(match, [text_match((0, 300))]) is None
    assert unexplained(text_match((0, 100), (200, 240)), [text_match((0, 100))]) is None  # too little is left


def test_what_covers_a_stretch_or_a_box() -> None:
    film = Match(CopyKind.VIDEO, 1.0, ({"from_s": 0.0, "to_s": 60.0},), ({"from_s": 5.0, "to_s": 65.0},))
    opening = Match(CopyKind.VIDEO, 1.0, ({"from_s": 0.0, "to_s": 10.0},), ({"from_s": 0.0, "to_s": 10.0},))
    assert unexplained(film, [opening]) is film
    assert unexplained(film, [film]) is None
    photo = Match(CopyKind.IMAGE, 1.0, ({"box": [0, 0, 100, 100]},), ({"box": [0, 0, 9, 9]},))
    corner = Match(CopyKind.IMAGE, 1.0, ({"box": [50, 50, 100, 100]},), ({"box": [0, 0, 9, 9]},))
    assert unexplained(photo, [corner, film]) is photo
    assert unexplained(photo, [photo]) is None
