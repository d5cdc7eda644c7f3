import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review_flow import schemes
from review_flow.rules.facts import hours_met
from review_flow.rules.grading import aggregate_panel, aggregate_peer, band_of, gates_at, grade, panel_needs_arbiter
from review_flow.rules.marks import aggregate, rounded, shown, with_arbiter
from review_flow.rules.scheme import Scheme

XIAN = schemes.load("xian-2022-appraisal")
OFFICIAL = schemes.load("official-conjunctive")
GOOD = {"valid": True, "level": "合格", "peer": ["80", "79.5"], "panel": ["82", "80", "81"]}
THREE = [{"code": code, **GOOD} for code in ("A1", "A5", "A11")]
FACTS = {"ack": True, "self_test": True, "hours": {"total": 50, "practice": 25}, "peer": {"given": 3, "required": 3}}


def bands(**changes):
    return replace(XIAN, bands=replace(XIAN.bands, **changes))


def panel(**changes):
    return replace(XIAN, review=replace(XIAN.review, panel=replace(XIAN.review.panel, **changes)))


def whole(peer, panel, /, **facts):
    return {"marks": {"peer": peer, "panel": panel}, **facts}


def ledger(outcome):
    return [(line.rule, line.text, line.points, line.running) for line in outcome.ledger]


def test_the_whole_ledger_of_one_teacher():
    events = [
        {"kind": "absence", "on": "2022-04-01", "approved_leave": True},
        {"kind": "late_material", "on": "2022-03-01"},
        {"kind": "late_arrival", "on": "2022-03-02", "contested": True},
    ]
    outcome = grade(XIAN, {**FACTS, "abilities": THREE, "events": events, "awards": ["1.5", "2"]})
    ability = "（有效，合格）计入：互评80、79.5的平均79.75，考核组82、80、81的中位数81；79.75×0.40+81×0.60=80.5"
    assert ledger(outcome) == [
        ("001-A-41", f"A1 技术支持的学情分析{ability}", "0.00", "0.00"),
        ("001-A-41", f"A5 技术支持的课堂导入{ability}", "0.00", "0.00"),
        ("001-A-41", f"A11 评价量规设计与应用{ability}", "0.00", "0.00"),
        ("001-A-41", "计入的3项平均：(A1 80.5+A5 80.5+A11 80.5)÷3=80.5", "80.50", "80.50"),
        ("001-A-35", "2022-03-01 未按时上交材料：-1分", "-1.00", "79.50"),
        ("001-A-36", "2022-03-02 培训迟到：教师申辩中，决定之前不扣分", "0.00", "79.50"),
        ("default (X-15)", "2022-04-01 培训旷到：已批准，不扣分", "0.00", "79.50"),
        ("001-A-37", "获奖加分：1.5+2=3.5分", "3.50", "83.00"),
        ("001-A-38", "83分在80–100分段，可评为优秀", "0.00", "83.00"),
    ]
    assert outcome.flags == ("contested",)
    assert json.loads(outcome.canonical()) == outcome.as_json()
    assert list(outcome.as_json())[:6] == ["score", "grade", "proposed", "flags", "gates", "ledger"]
    assert outcome.as_json()["abilities"][0] == {
        "code": "A1", "dimension": "学情分析", "valid": True, "level": "合格", "passed": True,
        "peer": "79.75", "panel": "81.00", "score": "80.50", "counts": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "state", "seen"),
    [
        ([{}, {}], ["证据无效", "证据无效"], "否"),  # as in records from before it was told apart: they replay so
        ([{"not_handed_in": True}, {}], ["未提交", "证据无效"], "否"),
        ([{"not_handed_in": True}] * 2, ["未提交", "未提交"], "未提交"),
    ],
)
def test_what_was_not_handed_in_is_told_from_what_is_invalid(facts, state, seen):
    lacking = [{"code": code, "valid": False, **more} for code, more in zip(("A5", "A11"), facts, strict=True)]
    outcome = grade(XIAN, {**FACTS, "abilities": [THREE[0], *lacking]})
    assert [line.text.split("（")[1].split("，")[0] for line in outcome.ledger[1:3]] == state
    (gate,) = [one for one in outcome.gates if one.id == "G_EVID"]
    assert gate.seen == (f"证据有效：{seen}",)


def test_the_best_three_that_span_the_dimensions_count():
    marks = {"A5": "95", "A6": "94", "A7": "93", "A1": "70", "A11": "75", "A3": "72"}
    abilities = [{"code": code, **GOOD, "peer": [mark, mark], "panel": [mark] * 3} for code, mark in marks.items()]
    outcome = grade(XIAN, {**FACTS, "abilities": abilities})
    assert [one.code for one in outcome.abilities if one.counts] == ["A5", "A11", "A3"]
    assert str(outcome.score) == "80.67"
    assert outcome.ledger[6].text == "计入的3项平均：(A5 95+A11 75+A3 72)÷3≈80.6667"


def test_a_failed_ability_never_lifts_the_number():
    failed = {"code": "B6", **GOOD, "level": "不合格", "panel": ["99", "99", "99"]}
    outcome = grade(XIAN, {**FACTS, "abilities": [failed, *THREE]})
    assert (outcome.abilities[0].passed, outcome.abilities[0].counts) == (False, False)
    assert str(outcome.score) == "80.50"


def test_marks_nobody_gave():
    outcome = grade(XIAN, {**FACTS, "abilities": [{"code": "A1"}]})
    assert (str(outcome.score), outcome.grade) == ("0.00", "不合格")
    assert outcome.flags == ("no_marks",)
    assert outcome.ledger[0].text == "A1 技术支持的学情分析（有效，未评等级）"
    assert outcome.ledger[1].text == "没有可合成的评分，按0分计"
    assert grade(XIAN, whole("80", None)).flags == ("no_marks", "not_judged")


def test_an_incomplete_panel_is_flagged():
    outcome = grade(XIAN, {"abilities": [{"code": "A1", **GOOD, "panel": ["80", "84"]}]})
    assert outcome.flags == ("panel_incomplete", "not_judged")
    assert outcome.abilities[0].panel == "82.00"


def test_an_arbiters_mark_is_named():
    ability = {"code": "A1", **GOOD, "panel": ["85", "84", "60"], "arbiter": "83"}
    text = grade(XIAN, {"abilities": [ability]}).ledger[0].text
    assert "考核组85、84、83的中位数84（仲裁83分替换与其相差最大的一个）" in text


def test_whole_marks_may_be_lists_and_peers_may_be_missing():
    assert str(grade(XIAN, whole(["70", "80"], ["82", "84", "83"])).score) == "79.80"
    alone = grade(XIAN, {**whole("10", "82"), "peer_missing": True})
    assert (str(alone.score), alone.flags) == ("82.00", ("peer_missing", "not_judged"))
    assert alone.ledger[0].text == "考核组82，按考核组评分计"


def test_a_scheme_without_a_peer_weight():
    scheme = replace(XIAN, compose=replace(XIAN.compose, sources={"panel": Decimal(1)}))
    outcome = grade(scheme, whole("10", "82"))
    assert (str(outcome.score), outcome.flags) == ("82.00", ("not_judged",))


@pytest.mark.parametrize(
    ("decisions", "expected", "proposed", "refused"),
    [
        ([], "优秀", True, False),
        ([{"grade": "优秀"}], "优秀", False, False),
        ([{"grade": "合格", "reason": "课堂实录未体现互动"}], "合格", False, False),
        ([{"grade": "合格"}], "优秀", True, True),
        ([{"grade": "不合格", "reason": "两级"}], "优秀", True, True),
    ],
)
def test_the_panel_confirms_or_lowers_by_one_with_a_reason(decisions, expected, proposed, refused):
    outcome = grade(XIAN, whole("85", "85", band_decisions=decisions))
    assert (outcome.grade, outcome.proposed) == (expected, proposed)
    assert ("decision_refused" in outcome.flags) is refused


def test_the_panel_never_raises_what_shall_be():
    outcome = grade(XIAN, whole("50", "50", band_decisions=[{"grade": "合格", "reason": "努力"}]))
    assert (outcome.grade, outcome.proposed) == ("不合格", False)
    assert "decision_refused" in outcome.flags


def test_what_nobody_recorded_is_not_judged_and_what_is_certain_is():
    unjudged = [{"code": code} for code in ("A1", "A5", "A11")]
    open_ = grade(XIAN, whole("85", "85", abilities=unjudged))
    assert {gate.id: gate.passed for gate in open_.gates}["G_ABIL"] is None
    assert open_.grade == "优秀"
    lost = grade(XIAN, whole("85", "85", abilities=unjudged[:2]))
    assert {gate.id: gate.passed for gate in lost.gates}["G_ABIL"] is False
    assert lost.grade == "不合格"


def test_two_failed_gates_are_both_in_the_ledger():
    record = whole("85", "85", **{**FACTS, "self_test": False, "abilities": []})
    outcome = grade(XIAN, record)
    assert [line.rule for line in outcome.ledger[-2:]] == ["001-A-21", "001-A-19"]
    assert outcome.ledger[-1].text.endswith("未通过；等次为不合格，分数照常显示")


def test_the_read_receipt_is_shown_and_decides_nothing():
    outcome = grade(XIAN, whole("85", "85", ack=False))
    assert (outcome.gates[0].passed, outcome.grade) == (False, "优秀")


def test_the_average_rule_takes_the_level_from_the_number():
    scheme = replace(XIAN, ability=replace(XIAN.ability, rule="average"))
    abilities = [{"code": "A1", **GOOD, "level": None}, {"code": "A5"}]
    assert [one.level for one in grade(scheme, {"abilities": abilities}).abilities] == ["优秀", None]
    numberless = replace(OFFICIAL, ability=replace(OFFICIAL.ability, rule="average"))
    assert grade(numberless, {"abilities": abilities}).abilities[0].level is None


def test_bands_by_expression_may_ask_for_the_gates():
    scheme = schemes.parse("schema: kaohe/1\nid: pass-or-fail\ntitle_zh: 只看门槛\n", source="x.yaml")
    assert grade(scheme, {}).grade == "合格"
    gate = replace(XIAN.gates[0], on_fail=replace(XIAN.gates[0].on_fail, grade=None))
    scheme = replace(scheme, gates=(gate,), hours=XIAN.hours)
    assert grade(scheme, {"hours": {"total": 10, "practice": 0}}).grade == "不合格"


def test_bands_where_no_expression_holds():
    last = replace(OFFICIAL.bands.list[-1], when="self_test.done")
    scheme = replace(OFFICIAL, bands=replace(OFFICIAL.bands, list=(*OFFICIAL.bands.list[:-1], last)))
    assert grade(scheme, {}).grade == "不合格"


def test_a_bonus_held_at_the_pass_line_only_where_it_would_cross():
    bonus = replace(XIAN.adjust.bonuses[0], may_cross_pass=False)
    scheme = replace(XIAN, adjust=replace(XIAN.adjust, bonuses=(bonus,)))
    scores = {"50": "55.00", "58": "59.99", "60": "65.00"}
    assert {base: str(grade(scheme, whole(base, base, awards=["5"])).score) for base in scores} == scores
    upper = replace(scheme, bands=replace(scheme.bands, boundary="upper_inclusive"))
    assert str(grade(upper, whole("58", "58", awards=["5"])).score) == "60.00"


def test_a_bonus_without_a_cap():
    bonus = replace(XIAN.adjust.bonuses[0], cap=None)
    scheme = replace(XIAN, adjust=replace(XIAN.adjust, bonuses=(bonus,)))
    assert str(grade(scheme, whole("70", "70", awards=["9", "9"])).score) == "88.00"


@pytest.mark.parametrize(("mode", "score"), [("half_up", "70.13"), ("half_even", "70.12"), ("down", "70.12")])
def test_rounding_modes(mode, score):
    rounding = replace(XIAN.bands.rounding, mode=mode)
    sources = {"peer": Decimal("0.5"), "panel": Decimal("0.5")}
    scheme = replace(bands(rounding=rounding), compose=replace(XIAN.compose, sources=sources))
    assert str(grade(scheme, whole("70.12", "70.13")).score) == score


def test_a_single_point_band():
    best, good, bad = XIAN.bands.list
    hundred = replace(best, min=Decimal(100))
    fuqing = (hundred, replace(good, min=Decimal(80), max=Decimal(100)), replace(bad, max=Decimal(80)))
    for boundary in ("lower_inclusive", "upper_inclusive"):
        scheme = bands(list=fuqing, boundary=boundary)
        assert [band_of(scheme, Decimal(mark)) for mark in ("100", "99.99", "79.99")] == ["优秀", "合格", "不合格"]


def test_aggregates():
    marks = [Decimal(mark) for mark in ("60", "70", "80", "95")]
    assert aggregate("mean", marks) == Fraction(305, 4)
    assert aggregate("median", marks) == 75
    assert aggregate("trimmed", marks) == 75
    assert aggregate("trimmed", marks[:2]) == 65
    assert aggregate_peer(XIAN, marks[:1]) is None
    assert aggregate_peer(XIAN, marks[:2]) == 65
    assert aggregate_panel(panel(aggregate="mean"), marks) == Fraction(305, 4)


def test_the_arbiter_replaces_the_lower_of_two_equally_far():
    assert with_arbiter([93, 73, 84], 83) == [93, 83, 84]
    assert with_arbiter([], 83) == [83]
    assert with_arbiter([80], None) == [80]


@pytest.mark.parametrize(
    ("marks", "levels", "needed"),
    [
        (["75", "90", "80"], (), False),
        (["74", "90"], (), True),
        (["59", "60", "73"], (), False),
        ([], (), False),
        (["80", "80"], ("优秀", "不合格"), True),
        (["80", "80"], ("优秀", "合格"), False),
    ],
)
def test_when_an_arbiter_is_asked(marks, levels, needed):
    assert panel_needs_arbiter(XIAN, [Decimal(mark) for mark in marks], levels) is needed


def test_two_bands_apart_ask_for_an_arbiter_even_within_the_spread():
    wide = panel(spread_max=Decimal(40))
    assert panel_needs_arbiter(wide, [Decimal(59), Decimal(80)]) is True
    assert panel_needs_arbiter(replace(wide, bands=OFFICIAL.bands), [Decimal(59), Decimal(80)]) is False


def test_hours_by_their_share():
    practice = replace(XIAN.hours.ledgers[1], of="earned")
    hours = {"practice": Decimal(30)}
    assert hours_met(XIAN, practice, {}) is None
    assert hours_met(XIAN, practice, hours) is None
    assert hours_met(XIAN, practice, {**hours, "total": Decimal(60)}) is True
    assert hours_met(XIAN, replace(practice, of="required", base="nowhere"), hours) is True
    half = grade(XIAN, whole("85", "85", hours={"total": 50}))
    assert {gate.id: gate.passed for gate in half.gates}["G_HOURS"] is None


def test_gates_say_what_they_saw():
    gate = replace(XIAN.gates[0], expr='test.skill == "pass" or hours.practice.met or true')
    outcome = grade(replace(XIAN, gates=(gate, replace(gate, expr="true"))), whole("85", "85", **FACTS))
    assert [one.text for one in outcome.gates[-2:]] == [
        "完成规定学时（测评结果未记录；实践应用学时达标：是）：通过",
        "完成规定学时：通过",
    ]
    texty = replace(OFFICIAL.bands.list[0], when="gates.passed")
    assert (
        grade(replace(OFFICIAL, bands=replace(OFFICIAL.bands, list=(texty, *OFFICIAL.bands.list[1:]))), {}).grade
        == "优秀"
    )


def test_the_gates_of_one_step():
    at_submit = gates_at(XIAN, {**FACTS, "peer": {"given": 2, "required": 3}}, when="submit")
    assert [(gate.id, gate.passed) for gate in at_submit] == [("G_HOURS", True), ("G_PEER", False)]
    assert [gate.id for gate in gates_at(XIAN, {}, when="select")] == ["published_read", "self_test"]


def test_shown_numbers():
    assert [shown(Fraction(*pair)) for pair in ((1, 3), (1, 2), (100, 1), (0, 1), (-5, 1))] == [
        "≈0.3333", "0.5", "100", "0", "-5",
    ]  # fmt: skip
    assert str(rounded(Fraction(-1, 200))) == "-0.01"


marks = st.integers(0, 10000).map(lambda hundredths: str(Decimal(hundredths).scaleb(-2)))
kinds = st.sampled_from(["late_material", "late_arrival", "absence"])
an_event = st.fixed_dictionaries(
    {"kind": kinds, "on": st.dates().map(str), "approved_leave": st.booleans(), "contested": st.booleans()}
)
codes = st.lists(st.sampled_from([one.code for one in XIAN.catalogue.abilities]), unique=True, max_size=6)


@st.composite
def records(draw):
    level = st.sampled_from(["优秀", "合格", "不合格", None])
    abilities = [
        draw(
            st.fixed_dictionaries(
                {"code": st.just(code)},
                optional={
                    "valid": st.booleans(),
                    "evidence_levels": st.lists(level, max_size=3),
                    "peer": st.lists(marks, max_size=4),
                    "panel": st.lists(marks, max_size=4),
                    "arbiter": marks,
                    "peer_missing": st.booleans(),
                },
            )
        )
        for code in draw(codes)
    ]
    return draw(
        st.fixed_dictionaries(
            {"abilities": st.just(abilities)},
            optional={
                "ack": st.booleans(),
                "self_test": st.booleans(),
                "hours": st.fixed_dictionaries({}, optional={"total": marks, "practice": marks}),
                "peer": st.fixed_dictionaries({"given": st.integers(0, 5), "required": st.integers(0, 5)}),
                "marks": st.fixed_dictionaries({"peer": marks, "panel": marks}),
                "events": st.lists(an_event, max_size=5),
                "awards": st.lists(marks, max_size=3),
                "band_decisions": st.lists(
                    st.fixed_dictionaries({"grade": st.sampled_from(XIAN.bands.grades), "reason": st.text(max_size=3)}),
                    max_size=2,
                ),
            },
        )
    )


@given(records(), st.sampled_from([XIAN.id, OFFICIAL.id]))
@settings(max_examples=100, deadline=None)
def test_any_well_formed_record_is_graded_and_replays_to_the_byte(record, name):
    scheme = schemes.load(name)
    record = {key: value for key, value in record.items() if key != "events" or scheme.adjust.deductions}
    outcome = grade(scheme, record)
    stored = json.loads(json.dumps(record))
    again = grade(Scheme.from_document(json.loads(json.dumps(scheme.document))), stored)
    assert again.canonical() == outcome.canonical()
    assert outcome.grade in scheme.bands.grades
    assert outcome.score is None or Decimal(0) <= outcome.score <= Decimal(100)
    assert outcome.score is None or outcome.ledger[-1].running == str(outcome.score)


@given(st.lists(marks, min_size=4, max_size=4), st.integers(0, 3), marks)
@settings(max_examples=100, deadline=None)
def test_a_higher_mark_never_gives_a_lower_score(given_marks, place, other):
    low, high = sorted([given_marks[place], other], key=Decimal)

    def score(mark):
        these = [*given_marks[:place], mark, *given_marks[place + 1 :]]
        return grade(
            XIAN, {"abilities": [{"code": "A1", "level": "合格", "peer": these[:2], "panel": these[2:]}]}
        ).score

    assert score(low) <= score(high)


@given(marks, marks, st.lists(an_event, max_size=6), st.lists(marks, max_size=3))
@settings(max_examples=100, deadline=None)
def test_the_number_is_composed_then_deducted_then_raised_then_clamped_once(peer, panel, events, awards):
    outcome = grade(XIAN, whole(peer, panel, events=events, awards=awards))
    points = {"late_material": 1, "late_arrival": 1, "absence": 5}
    counted = [
        event for event in events
        if not event["contested"] and (event["kind"] == "late_material" or not event["approved_leave"])
    ]  # fmt: skip
    raw = Fraction(peer) * Fraction(2, 5) + Fraction(panel) * Fraction(3, 5)
    raw += -sum(points[event["kind"]] for event in counted) + min(Fraction(5), sum(map(Fraction, awards)))
    assert outcome.score == rounded(min(max(raw, Fraction(0)), Fraction(100)))


@given(marks, st.sampled_from(["lower_inclusive", "upper_inclusive"]))
def test_every_number_has_exactly_one_grade_and_the_boundary_its_owner(mark, boundary):
    scheme, number = bands(boundary=boundary), Decimal(mark)
    inclusive = boundary == "lower_inclusive"
    expected = "优秀" if number > 80 or (inclusive and number == 80) else "合格"
    if number < 60 or (number == 60 and not inclusive):
        expected = "不合格"
    assert band_of(scheme, number) == expected


def test_marks_of_an_appeals_hearers_are_flagged_and_not_called_incomplete():
    ability = {"code": "A1", "valid": True, "evidence_levels": ["合格"], "peer": ["60", "60"], "panel": ["66", "66"]}
    scheme = schemes.load("xian-2022-appraisal")
    assert "panel_incomplete" in grade(scheme, {"abilities": [ability]}).flags
    flags = grade(scheme, {"abilities": [{**ability, "heard": True}]}).flags
    assert "heard" in flags
    assert "panel_incomplete" not in flags


def peers(**changes):
    return replace(XIAN, review=replace(XIAN.review, peer=replace(XIAN.review.peer, **changes)))


TRUST = {
    "used": "reliability", "error": "3.9012", "median_error": "4.5", "compared": 57, "variance": "25.20",
    "biases": ["1.50", "-2.00", "0"], "weights": ["1.20", "0.50", "1"],
}  # fmt: skip
WEIGHED = {"code": "A1", **GOOD, "peer": ["85", "70", "80"], "peer_trust": TRUST}


def test_a_mark_by_reliability_is_printed_reviewer_by_reviewer():
    outcome = grade(peers(aggregate="reliability"), {"abilities": [WEIGHED]})
    assert outcome.ledger[0].text == (
        "A1 技术支持的学情分析（有效，合格）计入："
        "互评1 85（偏差1.5，权重1.2）、互评2 70（偏差-2，权重0.5）、互评3 80（偏差0，权重1）；"
        "(83.5×1.2+72×0.5+80×1)÷2.7≈80.0741，标准误3.06"
        "（逐一留出57个评分，可靠度加权误差3.9012，小于中位数的4.5），"
        "考核组82、80、81的中位数81；≈80.0741×0.40+81×0.60≈80.6296"
    )
    assert outcome.abilities[0].peer == "80.07"
    assert grade(peers(aggregate="reliability"), {"abilities": [WEIGHED]}).canonical() == outcome.canonical()


def test_a_mark_stays_within_those_that_were_given():
    trust = {**TRUST, "biases": ["9", "9", "9"]}
    outcome = grade(peers(aggregate="reliability"), {"abilities": [{**WEIGHED, "peer_trust": trust}]})
    assert "÷2.7≈71.3704，标准误" in outcome.ledger[0].text
    trust = {**TRUST, "biases": ["20", "20", "20"]}
    outcome = grade(peers(aggregate="reliability"), {"abilities": [{**WEIGHED, "peer_trust": trust}]})
    assert "÷2.7≈60.3704，不出各评分的范围，取70，标准误" in outcome.ledger[0].text
    assert outcome.abilities[0].peer == "70.00"


def test_where_reliability_did_not_win_the_median_counts():
    trust = {**TRUST, "used": "median", "error": "4.6"}
    outcome = grade(peers(aggregate="reliability"), {"abilities": [{**WEIGHED, "peer_trust": trust}]})
    said = "互评85、70、80的中位数80（逐一留出57个评分，可靠度加权误差4.6，不小于中位数的4.5，用中位数），考核组"
    assert said in outcome.ledger[0].text


def test_without_anything_known_of_reviewers_reliability_is_the_median():
    scheme = peers(aggregate="reliability")
    outcome = grade(scheme, {"abilities": [{**WEIGHED, "peer_trust": None}]})
    assert "互评85、70、80的中位数80，考核组" in outcome.ledger[0].text
    assert aggregate_peer(scheme, [Decimal(85), Decimal(70), Decimal(80)]) == 80
    # A scheme with another method takes no notice of what is known.
    assert "互评85、70、80的平均≈78.3333，" in grade(XIAN, {"abilities": [WEIGHED]}).ledger[0].text


def test_marks_that_straddle_a_band_have_no_agreed_mark_where_the_scheme_says_so():
    rule = replace(XIAN.review.peer.disagreement, no_straddle=True, spread_max=Decimal(5))
    strict = peers(disagreement=rule)

    def found(*marks):
        outcome = grade(strict, {"abilities": [{"code": "A1", **GOOD, "peer": list(marks)}]})
        return outcome.abilities[0].peer, outcome.flags

    assert found("75", "79.99") == ("77.50", ("not_judged",))
    assert found("79.99", "80") == (None, ("peer_not_agreed", "not_judged"))
    assert found("70", "75.01") == (None, ("peer_not_agreed", "not_judged"))
    assert found("70") == (None, ("peer_missing", "not_judged"))
