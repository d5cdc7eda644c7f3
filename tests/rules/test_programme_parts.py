"""The laws and edges of the modules behind a programme: components, quotas, days, what follows, the reader."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review_flow import schemes
from review_flow.rules.components import counted, flat, unmade
from review_flow.rules.facts import years_to_retirement
from review_flow.rules.grading import grade
from review_flow.rules.marks import rounded, shown
from review_flow.rules.programme import Quota
from review_flow.rules.quotas import needed
from review_flow.rules.reader import RecordInvalid, number
from review_flow.rules.record import read_record
from review_flow.rules.record_programme import Piece
from review_flow.rules.schedule import day_of, end_of_day
from review_flow.rules.scheme import Scheme

F50, F30, OPS = (schemes.load(name) for name in ("fuqing-50", "fuqing-30", "fuqing-workshop-ops"))
CASE1, QUANZHOU, FUYU = (schemes.load(name) for name in ("case1-tiers", "quanzhou-2016-80", "fuyu-2020-50"))
calm = settings(deadline=None, max_examples=80)
counts = st.lists(st.integers(0, 4), max_size=12)


def changed(scheme, **sections):
    return Scheme.from_document({**scheme.document, **sections})


def node(outcome, name):
    return next(one for one in flat(outcome.components) if one.id == name)


# ---- periods that were short


@given(counts, st.integers(0, 3))
@calm
def test_no_grace_means_every_short_period_is_lost(given_counts, least):
    assert unmade(given_counts, least=least, grace=0) == [at for at, one in enumerate(given_counts) if one < least]


@given(counts, st.integers(0, 3), st.integers(0, 3), st.integers(0, 11))
@calm
def test_more_work_or_more_grace_never_undoes_that_all_is_made_up(given_counts, least, grace, at):
    """Only whether any is lost is judged; which ones are named is by the oldest debt first."""
    made_up = not unmade(given_counts, least=least, grace=grace)
    assert not (made_up and unmade(given_counts, least=least, grace=grace + 1))
    more = [one + (place == at) for place, one in enumerate(given_counts)]
    assert not (made_up and unmade(more, least=least, grace=grace))


@given(counts, st.integers(1, 3))
@calm
def test_with_endless_grace_only_what_no_later_surplus_pays_is_lost(given_counts, least):
    lost = unmade(given_counts, least=least, grace=100)
    owed = 0
    for one in given_counts:
        owed = max(0, owed + least - one) if one < least else max(0, owed - (one - least))
    assert bool(lost) == bool(owed)


# ---- shares of a quota


@given(st.integers(0, 500), st.decimals(0, 1, places=2), st.booleans())
@calm
def test_a_minimum_rounds_up_and_a_maximum_down(base, share, min_one):
    low, high = (Quota("q", "指标", "works", op, share, share_of="members", min_one=min_one) for op in (">=", "<="))
    least, most = needed(low, Decimal(base)), needed(high, Decimal(base))
    exact = Fraction(share) * base
    floor = 1 if min_one else 0
    assert least == max(floor, -(-exact.numerator // exact.denominator))
    assert most == max(floor, exact.numerator // exact.denominator)
    assert needed(low, None) is None


# ---- pieces, units, tests


def test_lengths_nobody_recorded_are_neither_met_nor_failed():
    slot = next(one for one in F50.deliverables if one.id == "summary_text")
    assert counted(slot, [Piece(chars=800), Piece(chars=799), Piece()]) == (1, 1)
    assert counted(slot, [Piece(checked=True)]) == (1, 0)
    assert counted(None, [Piece(on="own"), Piece(on="others"), Piece()], on="others") == (1, 1)


@given(st.integers(0, 9))
@calm
def test_units_earn_each_up_to_the_cap(number_of):
    outcome = grade(F50, {"slots": {"shared_resource": number_of}})
    assert node(outcome, "share").points == min(5 * number_of, 10)


@pytest.mark.parametrize("combine", ["all", "any"])
@pytest.mark.parametrize("first", ["合格", "不合格", None])
@pytest.mark.parametrize("second", ["合格", "不合格", None])
def test_parts_of_a_test(combine, first, second):
    tests = [{**one, "combine": combine} if one["id"] == "training" else one for one in FUYU.document["tests"]]
    scheme = changed(FUYU, tests=tests)
    parts = {key: value for key, value in (("online", first), ("offline", second)) if value}
    outcome = grade(scheme, {"hours": {"chosen": 50}, "tests": {"training": parts}})
    known = {"合格": True, "不合格": False, None: None}
    truths = [known[first], known[second]]
    decisive = combine == "any"
    expected = decisive if decisive in truths else None if None in truths else not decisive
    assert (outcome.grade, "not_judged" in outcome.flags) == ("合格" if expected else "不合格", expected is None)


# ---- what is not recorded


def test_a_certificate_is_open_while_a_gate_is():
    """85 points without a recorded role: the second ring is not judged, so neither is the certificate."""
    slots = {"learning_reflection": 1, "lesson_design": 1, "forum_topic": 1, "summary_text": [{"chars": 800}], "shared_resource": 2}  # fmt: skip
    outcome = grade(F50, {"minutes": {"course": 1000}, "slots": slots})
    assert (str(outcome.score), outcome.grade, [one.granted for one in outcome.certificates]) == (
        "85.00",
        "合格",
        [None],
    )
    assert outcome.consequences == ()
    failed = grade(F50, {"minutes": {"course": 999}, "slots": slots})
    assert [one.granted for one in failed.certificates] == [False]
    assert [one.id for one in failed.consequences] == ["completion"]


def test_minutes_nobody_recorded_are_not_called_failed():
    unknown = grade(F50, {"slots": {"learning_reflection": 1}})
    assert "学习任务缺少事实，暂记0分" in [line.text for line in unknown.ledger]
    known = grade(F50, {"slots": {"learning_reflection": 1}, "minutes": {}})
    assert "学习任务缺少事实，暂记0分" in [line.text for line in known.ledger]


def test_a_tier_nobody_recorded_leaves_its_needs_open():
    facts = {"slots": {"subject_model": 1, "pupil_analysis": 0}}
    assert node(grade(CASE1, facts), "models").done is None
    assert "层级未记录" in node(grade(CASE1, facts), "models").text
    assert node(grade(CASE1, {**facts, "tier": "teacher"}), "models").done is False


def test_a_tier_goes_by_the_names_of_its_document():
    assert [read_record(CASE1, {"tier": name}).tier for name in ("core", "核心组", "核心项目组")] == ["core"] * 3
    assert read_record(F50, {"tier": "核心组"}).tier is None
    with pytest.raises(RecordInvalid, match="tier"):
        read_record(CASE1, {"tier": "别组"})


def test_what_only_a_role_owes_is_open_until_roles_are_known():
    states = [node(grade(F30, facts), "r4") for facts in ({}, {"role": "observer"}, {"role": "seed", "slots": {}})]
    assert [(one.done, one.asked) for one in states] == [(None, True), (True, False), (False, True)]


def test_points_of_what_is_not_recorded_open_a_gate():
    gate = {"id": "G", "text_zh": "分享", "expr": "component.share.points >= 5", "when": "final", "on_fail": {}}
    scheme = changed(F50, gates=[gate])
    passed = [grade(scheme, facts).gates[0].passed for facts in ({}, {"slots": {}}, {"slots": {"shared_resource": 1}})]
    assert passed == [None, False, True]


def test_an_exemption_is_a_fact_of_gates():
    gate = {"id": "G", "text_zh": "免训或学时达标", "expr": "exempt or hours.met", "when": "final", "on_fail": {}}
    scheme = changed(QUANZHOU, gates=[gate])
    assert [grade(scheme, {"retires_on": day}).gates[-1].passed for day in ("2021-04-05", "2021-04-06")] == [True, None]


def test_sources_without_weight_do_not_divide_by_nothing():
    scheme = changed(CASE1, compose={"rule": "weighted_mean", "sources": {"peer": "1", "panel": 0, "self": 0}})
    outcome = grade(scheme, {"marks": {"panel": ["70"], "self": ["90"]}})
    assert (str(outcome.score), "peer_missing" in outcome.flags) == ("70.00", True)


def test_the_average_rule_under_bands_of_other_names():
    bands = [
        {"grade": "好", "min": 60, "max": 100, "modal": "shall"},
        {"grade": "差", "min": 0, "max": 60, "modal": "shall"},
    ]
    scheme = changed(
        CASE1, gates=[], consequences=[], ability={"rule": "average", "levels": ["优秀", "合格", "不合格"], "pass_level": "合格"},
        bands={**CASE1.document["bands"], "list": bands},
    )  # fmt: skip
    marks = [
        {"code": "A1", "peer": ["70", "70"], "panel": ["70"]},
        {"code": "A2", "peer": ["10", "10"], "panel": ["10"]},
    ]
    assert [(one.level, one.passed) for one in grade(scheme, {"abilities": marks}).abilities] == [
        ("合格", True),
        ("不合格", False),
    ]


# ---- days


@given(st.integers(1900, 2199), st.dates(date(2000, 1, 1), date(2000, 12, 31)), st.booleans())
@calm
def test_a_day_of_a_school_year(year, day, after):
    found = day_of(f"{'+1 ' if after else ''}{day:%m-%d}", year)
    assert found is not None
    assert found.year == year + after
    assert (found.month, found.day) == (day.month, day.day) or (f"{day:%m-%d}", found.month, found.day) == (
        "02-29",
        2,
        28,
    )


def test_days_and_months_in_full():
    assert (day_of("2020-02", None), day_of("2020-02", None, first=True)) == (date(2020, 2, 29), date(2020, 2, 1))
    assert (day_of("2020-02-03", None), day_of(None, 2020), day_of("09-25", None)) == (date(2020, 2, 3), None, None)
    assert end_of_day(date(2026, 4, 1)).astimezone(UTC) == datetime(2026, 4, 1, 15, 59, 59, 999999, tzinfo=UTC)
    with pytest.raises(ValueError, match="day"):
        day_of("02-30", 2020)


@given(st.dates(date(2016, 4, 7), date(2060, 1, 1)), st.integers(1, 400))
@calm
def test_years_to_retirement_rise_with_the_day_and_are_whole_on_its_return(day, later):
    def years(last):
        return years_to_retirement(QUANZHOU, read_record(QUANZHOU, {"retires_on": last.isoformat()}))

    assert years(day) < years(day + timedelta(days=later))
    assert years(date(day.year, 4, 6)) == day.year - 2016


# ---- the reader


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"slots": {"forum_topic": 10_001}}, "slots.forum_topic"),
        ({"retires_on": "9999-12-31"}, "retires_on"),
        ({"as_of": "0001-01-01T00:00:00+00:00"}, "as_of"),
        ({"school_year": 20255}, "school_year"),
        ({"periods": {"reflection": [1]}}, "periods.reflection"),
        ({"reasons": {"none": "因为"}}, "reasons.none"),
        ({"minutes": {"course": "1E+10"}}, "minutes.course"),
        ({"minutes": {"course": "1E-999999"}}, "minutes.course"),
        ({"minutes": {"course": "80.000000000000000000000000000000001"}}, "minutes.course"),
    ],
)
def test_slips_of_the_pen_are_refused_by_field(facts, field):
    with pytest.raises(RecordInvalid) as refused:
        grade(F50, facts)
    assert refused.value.field == field


def test_a_reason_and_a_school_year_are_taken():
    facts = {"quota": {"members": 10}, "reasons": {"plan": " 因为 "}, "school_year": 2025}
    assert read_record(OPS, facts).programme.group.reasons == {"plan": "因为"}


@given(st.decimals(-1000, 1000, places=4), st.integers(0, 3))
@calm
def test_rounding_is_within_half_a_unit_and_what_is_shown_is_exact(value, scale):
    for mode, most in (("half_up", Fraction(1, 2)), ("half_even", Fraction(1, 2)), ("down", Fraction(1))):
        assert abs(Fraction(rounded(value, scale=scale, mode=mode)) - Fraction(value)) * 10**scale <= most
    assert Decimal(shown(value)) == value
    assert number("f", str(abs(value)), decimals=4) == abs(value)
    assert shown(Fraction(1, 3)) == "≈0.3333"


@pytest.mark.parametrize(
    ("scheme", "facts", "field"),
    [
        (CASE1, {"periods": {"reflections": 1}}, "periods.reflections"),
        (QUANZHOU, {"themes": "t1"}, "themes"),
        (F50, {"as_of": "2026-01-01T00:00:00"}, "as_of"),
        (F50, {"as_of": "gestern"}, "as_of"),
        (F50, {"retires_on": "gestern"}, "retires_on"),
        (QUANZHOU, {"coverage": [{"theme": "t1", "options": 2, "chosen": 3}]}, "coverage[0].chosen"),
        (OPS, {"tasks": {"offline1": None}}, "tasks.offline1"),
    ],
)
def test_facts_of_a_wrong_shape_are_refused_by_field(scheme, facts, field):
    with pytest.raises(RecordInvalid) as refused:
        grade(scheme, facts)
    assert refused.value.field == field


def test_a_rubric_wants_a_list_and_a_target_may_be_left_out():
    rubric = [{"id": "essay", "name_zh": "作文", "scoring": {"type": "rubric"}}]
    scheme = changed(CASE1, components=rubric, gates=[])
    with pytest.raises(RecordInvalid) as refused:
        grade(scheme, {"components": {"essay": "合格"}})
    assert refused.value.field == "components.essay"
    assert grade(CASE1, {"targets": {"admission": None}}).targets == ()


def test_a_leap_day_of_retirement_counts_from_the_first_of_march():
    scheme = changed(QUANZHOU, effective_from="2016-02-29")
    years = [
        years_to_retirement(scheme, read_record(scheme, {"retires_on": day})) for day in ("2017-02-28", "2017-03-01")
    ]
    assert years[0] < 1 == years[1]
