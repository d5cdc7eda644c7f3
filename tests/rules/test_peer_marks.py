from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from review_flow import schemes
from review_flow.rules.marks import rounded
from review_flow.rules.peer_marks import (
    Mark,
    Peers,
    Sample,
    Trust,
    aggregated,
    agreed,
    alpha,
    disagreements,
    spread_of,
    straddle,
    uncertainty,
    weigh,
    weighted,
)
from review_flow.rules.peer_marks.agreement import written_out
from review_flow.rules.peer_marks.table import by_work

RULES = schemes.load("defaults").review.peer
PLAIN = ("mean", "trimmed", "median")
decimals = st.decimals(0, 100, places=2)


def numbers(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


def classes(*ends: int):
    return lambda mark: sum(mark >= end for end in ends)


def table(*rows: str) -> tuple[Mark, ...]:
    """A row: the work, then its marks by reviewers 1, 2, 3 … with `-` for none."""
    found = []
    for row in rows:
        work, *marks = row.split()
        found += [Mark(work, str(n + 1), Decimal(mark)) for n, mark in enumerate(marks) if mark != "-"]
    return tuple(found)


# Numbers from outside


def test_weighted_means():
    marks = numbers("56.12", "12.59", "10", "0")
    assert aggregated("mean", Peers(marks)) == Fraction("19.6775")
    assert rounded(weighted(Peers(marks, weights=numbers("1", "1", "1", "1"))), scale=5) == Decimal("19.67750")
    expected = Fraction("56.12") * 3 + Fraction("12.59") * 2 + 10
    assert aggregated("weighted", Peers(marks, weights=numbers("3", "2", "1", "0"))) == expected / 6


def test_medians():
    assert aggregated("median", Peers(numbers("5", "6"))) == Fraction("5.5")
    assert aggregated("median", Peers(numbers("16", "5", "53", "6", "22", "12"))) == 14


@pytest.mark.parametrize(
    ("one", "two", "mark"),
    [("50", "55", "52.5"), ("50", "58", None), ("50", "75", None), ("59.999", "58.15", "59.0745")],
)
def test_marks_agree_within_a_class(one, two, mark):
    found = agreed(numbers(one, two), most_apart=5, place=classes(40, 50, 60, 70))
    assert found == (None if mark is None else Fraction(mark))


def test_marks_that_straddle_a_class_do_not_agree_however_near():
    assert agreed(numbers("59.99", "60"), most_apart=5, place=classes(60)) is None
    assert agreed(numbers("60", "60.01"), most_apart=5, place=classes(60)) == Fraction("60.005")
    assert agreed(numbers("60", "65"), most_apart=5, place=classes(60)) == Fraction("62.5")


# Aggregates


def test_a_bias_is_taken_off_and_a_weight_counts():
    peers = Peers(numbers("80", "70"), numbers("5", "-5"), numbers("2", "1"))
    assert aggregated("reliability", peers) == Fraction(225, 3)


def test_no_estimate_of_severity_gives_more_than_anybody_gave():
    assert weighted(Peers(numbers("80", "82"), numbers("-9", "-9"))) == 82
    assert weighted(Peers(numbers("80", "82"), numbers("9", "9"))) == 80


@st.composite
def peers(draw: st.DrawFn) -> Peers:
    size = draw(st.integers(1, 6))
    marks = draw(st.lists(decimals, min_size=size, max_size=size))
    biases = draw(st.lists(st.decimals(-20, 20, places=2), min_size=size, max_size=size))
    weights = draw(st.lists(st.decimals("0.1", 3, places=2), min_size=size, max_size=size))
    return Peers(tuple(marks), tuple(biases), tuple(weights))


@given(peers(), st.sampled_from([*PLAIN, "weighted", "reliability"]))
def test_an_aggregate_lies_between_the_lowest_and_the_highest(given_: Peers, method: str):
    assert min(given_.marks) <= aggregated(method, given_) <= max(given_.marks)


@given(peers(), st.sampled_from([*PLAIN, "weighted", "reliability"]), st.randoms())
def test_the_order_of_marks_decides_nothing(given_: Peers, method: str, dice: random.Random):
    rows = list(zip(given_.marks, given_.biases, given_.weights, strict=True))
    dice.shuffle(rows)
    assert aggregated(method, Peers(*zip(*rows, strict=True))) == aggregated(method, given_)


@given(peers(), st.sampled_from([*PLAIN, "weighted", "reliability"]), st.data())
def test_a_higher_mark_never_lowers_the_aggregate(given_: Peers, method: str, data: st.DataObject):
    place = data.draw(st.integers(0, len(given_.marks) - 1))
    higher = data.draw(st.decimals(given_.marks[place], 100, places=2))
    marks = (*given_.marks[:place], higher, *given_.marks[place + 1 :])
    assert aggregated(method, Peers(marks, given_.biases, given_.weights)) >= aggregated(method, given_)


near = st.integers(0, 95).flatmap(lambda low: st.lists(st.decimals(low, low + 5, places=2), min_size=1, max_size=6))


@given(near, st.decimals(0, 6, places=2))
@example(list(numbers("81", "84", "86")), Decimal(5))
@example(list(numbers("81", "84", "86")), Decimal("4.99"))
@example(list(numbers("79.99", "80")), Decimal(5))
def test_an_agreed_mark_is_the_mean_of_marks_near_each_other(marks, most_apart):
    of_one_class = len({(mark >= 60) + (mark >= 80) for mark in marks}) == 1
    mean = sum(map(Fraction, marks)) / len(marks)
    expected = mean if of_one_class and max(marks) - min(marks) <= most_apart else None
    assert agreed(marks, most_apart=most_apart, place=classes(60, 80)) == expected


# Uncertainty


def test_what_is_not_known_of_the_scatter_is_not_said():
    assert uncertainty("mean", Peers(numbers("80")), variance=0.0, freedom=0) is None


def test_standard_errors():
    two = Peers(numbers("78", "82"), weights=numbers("1", "3"))
    # (4·6.25 + 8) / 5 = 6.6 for one mark: half of it for two equal ones, 10/16 of it for weights 1 and 3
    assert uncertainty("mean", two, variance=6.25, freedom=9) == pytest.approx(3.3**0.5)
    assert uncertainty("median", two, variance=6.25, freedom=9) == pytest.approx(3.3**0.5)
    assert uncertainty("weighted", two, variance=6.25, freedom=9) == pytest.approx((6.6 * 10 / 16) ** 0.5)
    assert uncertainty("reliability", two, variance=16.0, freedom=9) == 2.0
    three = Peers(numbers("80", "80", "80"))
    assert uncertainty("median", three, variance=6.0, freedom=9) == pytest.approx(
        (4 / 3 * 3.141592653589793 / 2) ** 0.5
    )


# Reliability


def scattered(*, severe: int, samples: bool) -> tuple[tuple[Mark, ...], tuple[Sample, ...]]:
    """Twelve works by six reviewers, four each; reviewer 1 gives `severe` points less, the last anything."""
    dice = random.Random(7)
    quality = [Decimal(dice.randint(65, 90)) for _ in range(12)]

    def given_by(who: int, true: Decimal) -> Decimal:
        if who == 6:
            return Decimal(dice.randint(50, 100))
        return min(Decimal(100), true + dice.randint(-3, 3) - (severe if who == 1 else 0))

    marks = [
        Mark(f"w{work:02d}", str(who), given_by(who, true))
        for work, true in enumerate(quality)
        for who in dice.sample(range(1, 7), 4)
    ]
    seen = [Sample("s", str(who), given_by(who, Decimal(75)), Decimal(75)) for who in range(1, 7)]
    return tuple(marks), tuple(seen) if samples else ()


@pytest.mark.parametrize("samples", [True, False])
def test_a_severe_and_a_careless_reviewer_are_found_out(samples):
    found = weigh(*scattered(severe=10, samples=samples), RULES.reliability)
    people = found.reviewers
    assert found.method == "reliability"
    assert found.error < found.median_error
    assert found.compared == 48
    assert found.variance == rounded(Decimal(float(found.error) ** 2 * 0.75))  # four marks on each work
    assert people["1"].high < 0 if samples else people["1"].bias < min(people[who].bias for who in "2345")
    assert people["6"].weight < min(people[who].weight for who in "12345")
    assert people["6"].precision < people["2"].precision
    assert all(one.low < one.bias < one.high for one in people.values())
    assert all(Decimal("0.1") <= one.weight <= 3 for one in found.trust.values())


def test_without_samples_biases_are_against_the_average_reviewer():
    found = weigh(*scattered(severe=10, samples=False), RULES.reliability)
    assert abs(sum(one.bias for one in found.reviewers.values())) < Decimal("1.5")


def test_the_median_stays_where_the_model_does_not_beat_it():
    found = weigh(table("a 80 80 80", "b 70 70 70", "c 60 60 60"), (), RULES.reliability)
    assert (found.method, found.error, found.median_error, found.compared) == (
        "median",
        Decimal("0.0000"),
        Decimal("0.0000"),
        9,
    )


def test_marks_without_overlap_show_nothing():
    found = weigh(table("a 80 - -", "b - 70 -"), (), RULES.reliability)
    assert (found.method, found.error, found.median_error, found.compared) == ("median", None, None, 0)
    assert found.trust["a", "1"] == Trust(
        Decimal("0.00"), Decimal("0.80")
    )  # its own bias is unknown: that costs weight
    assert weigh((), (), RULES.reliability).reviewers == {}


@settings(max_examples=10, deadline=None)
@given(st.randoms())
def test_a_weighing_is_the_same_in_any_order(dice: random.Random):
    marks, samples = scattered(severe=6, samples=True)
    first = weigh(marks, samples, RULES.reliability)
    mixed = dice.sample(marks, len(marks))
    assert weigh(tuple(mixed), tuple(reversed(samples)), RULES.reliability) == first


def test_what_a_work_is_weighed_with_does_not_look_at_that_work():
    marks, samples = scattered(severe=0, samples=True)
    lone = (*marks, Mark("x", "newcomer", Decimal(99)), Mark("x", "1", Decimal(60)))
    other = (*marks, Mark("x", "newcomer", Decimal(61)), Mark("x", "1", Decimal(60)))
    one, two = (weigh(rows, samples, RULES.reliability).trust["x", "newcomer"] for rows in (lone, other))
    assert one.bias == two.bias == 0
    assert abs(one.weight - two.weight) <= Decimal("0.05")


# Disagreement


def place(mark) -> int:
    """As a scheme's bands: 0 for the best."""
    return 2 - classes(60, 80)(mark)


def reasons(*marks: str, chance: float = 0.0, bands=place) -> tuple[str, ...]:
    return disagreements(RULES.disagreement, numbers(*marks), place=bands, chance=chance)


def test_why_one_more_is_asked():
    assert reasons("61", "76") == ()
    assert reasons("61", "76.01") == ("spread",)
    assert reasons("79.99", "80") == ("band",)
    assert reasons("79.99", "80", bands=None) == ()
    assert reasons("55", "85", chance=0.5) == ("spread", "band", "straddle")
    assert reasons("70", chance=0.10) == ()
    assert reasons("70", chance=0.1001) == ("straddle",)


def chance(*marks: str, number: str, share: str = "0.4", method: str = "mean", variance: float = 25.0) -> float:
    return straddle(
        method,
        numbers(*marks),
        number=Decimal(number),
        share=Decimal(share),
        place=place,
        variance=variance,
        scale=(Decimal(0), Decimal(100)),
    )


def test_the_chance_to_cross_a_boundary():
    assert chance("70", "70", number="70") == pytest.approx(0.0, abs=1e-6)
    # The mean of three falls as soon as the third is below 80: one half, less the hundredth that rounds up.
    assert chance("80", "80", number="80") == pytest.approx(0.5, abs=0.001)
    # From 79.8 the teacher's number crosses with a third mark of 81.5 or more: 0.4·1.5/3 = 0.2, 1.5/6.124 sd away.
    assert chance("80", "80", number="79.8") == pytest.approx(0.4034, abs=0.001)
    assert chance("80", "80", number="79.8", share="0.1") == pytest.approx(0.165, abs=0.01)
    assert chance("80", "80", number="79.8", variance=0.0) == 0.0
    # The median of four is 60.375 with a fourth of 60.25; only below that the number falls by more than 0.05.
    assert chance("61", "60.5", "60.2", number="60.05", method="median") == pytest.approx(0.4827, abs=0.002)
    assert chance("61", "60.5", "60.2", number="60.3", method="median") == 0.0


@given(st.lists(decimals, min_size=1, max_size=5), decimals, st.sampled_from(PLAIN))
def test_a_chance_is_one(marks, number, method):
    found = straddle(
        method, marks, number=number, share=Decimal("0.4"), place=place, variance=25.0, scale=(Decimal(0), Decimal(100))
    )
    assert 0.0 <= found <= 1.0


# Agreement


def test_alpha_of_the_published_example():
    rows = [
        "1 2 3 3 2 1 4 1 2 - - -",
        "1 2 3 3 2 2 4 1 2 5 - 3",
        "- 3 3 3 2 3 4 2 2 5 1 -",
        "1 2 3 3 2 4 4 1 2 5 1 -",
    ]
    marks = [
        Mark(f"u{work}", f"r{who}", Decimal(mark))
        for who, row in enumerate(rows)
        for work, mark in enumerate(row.split())
        if mark != "-"
    ]
    assert alpha(marks) == Decimal("0.849")  # Krippendorff 2011: .743 nominal, .815 ordinal, .849 interval


def test_where_nothing_can_differ_there_is_no_alpha():
    assert alpha(table("a 80 -", "b - 70")) is None
    assert alpha(table("a 80 80", "b 80 80")) is None
    assert alpha(()) is None


@given(st.lists(st.lists(st.integers(0, 8), min_size=2, max_size=4), min_size=1, max_size=8))
def test_the_formula_says_what_the_library_says(works):
    marks = [Mark(f"{w}", f"{r}", Decimal(mark)) for w, row in enumerate(works) for r, mark in enumerate(row)]
    assume(len({one.mark for one in marks}) > 1)
    exact = written_out([[one.mark for one in found] for found in by_work(marks).values()])
    assert abs(Fraction(alpha(marks)) - exact) <= Fraction(1, 2000)


def test_a_table_too_large_for_the_library_has_its_alpha_too():
    dice = random.Random(3)
    marks = []
    for work in range(400):
        quality = dice.gauss(70, 10)
        marks += [Mark(f"{work}", str(who), rounded(Decimal(dice.gauss(quality, 10)))) for who in range(3)]
    found = alpha(marks)
    assert Decimal("0.4") < found < Decimal("0.6")  # as much variance between works as within


def test_the_scatter_of_marks():
    assert spread_of(by_work(table("a 78 82", "b 70 -"))) == (8.0, 1)
    assert spread_of({}) == (0.0, 0)
