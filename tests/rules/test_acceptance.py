"""The acceptance cases of the field, N01–N32 and J1–J7, verbatim, under the built-in schemes.

What needs the database or files is proved where it happens: N14's reassigning, N15's grace and deduction, N28 and
N29's kept versions in tests/steps; J5 and J6's measuring of a file in tests/evidence. Here stands the rule.
"""

from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from review_flow import schemes
from review_flow.rules.amendment import amendment_refusal
from review_flow.rules.duty import Duty, k_eff, remaining
from review_flow.rules.grading import aggregate_panel, grade, panel_needs_arbiter
from review_flow.rules.rubric import checklist_level, conjunctive
from review_flow.rules.scheme import Scheme
from review_flow.rules.selection import selection_problems
from review_flow.rules.validity import ItemFacts, validity
from review_flow.rules.verdict import Facts, Kind, Slot, limits

XIAN = schemes.load("xian-2022-appraisal")
OFFICIAL = schemes.load("official-conjunctive")
EVERY_CODE = [ability.code for ability in XIAN.catalogue.abilities]
PASSED = [{"code": code, "valid": True, "level": "合格"} for code in ("A1", "A5", "A11")]


def changed(path: str, value: object, scheme: Scheme = XIAN) -> Scheme:
    """The scheme with one value put in place."""
    document = deepcopy(dict(scheme.document))
    *above, last = path.split(".")
    node: Any = document
    for part in above:
        node = next(one for one in node if one["id"] == part) if isinstance(node, list) else node[part]
    node[last] = value
    return Scheme.from_document(document)


def teacher(peer: object = None, panel: object = None, /, **facts: object) -> dict[str, object]:
    """A teacher who meets every gate, with marks for the whole teacher."""
    return {
        "ack": True,
        "self_test": True,
        "hours": {"total": 50, "practice": 25},
        "peer": {"given": 3, "required": 3},
        "abilities": PASSED,
        "marks": {"peer": peer, "panel": panel},
        **facts,
    }


def events(**counts: int) -> list[dict[str, object]]:
    return [{"kind": kind, "on": "2022-03-01"} for kind, count in counts.items() for _ in range(count)]


def score_and_grade(record: Mapping[str, object], scheme: Scheme = XIAN) -> tuple[str, str]:
    outcome = grade(scheme, record)
    assert all(gate.passed for gate in outcome.gates)
    return str(outcome.score), outcome.grade


UPPER = changed("bands.boundary", "upper_inclusive")
RAW = changed("bands.rounding.band_on", "raw")


@pytest.mark.parametrize(("scheme", "expected"), [(XIAN, "优秀"), (UPPER, "合格")])
def test_N01_eighty_is_excellent(scheme, expected):
    assert score_and_grade(teacher("80", "80"), scheme) == ("80.00", expected)
    assert grade(scheme, teacher("80", "80")).flags == ("on_boundary",)


def test_N02_sixty_passes():
    assert score_and_grade(teacher("60", "60")) == ("60.00", "合格")
    assert score_and_grade(teacher("60", "60"), UPPER) == ("60.00", "不合格")


def test_N03_rounds_half_up_after_composing():
    outcome = grade(XIAN, teacher("79.90", "79.98"))
    assert (str(outcome.score), outcome.grade, outcome.proposed) == ("79.95", "合格", True)
    composed = next(line for line in outcome.ledger if "×" in line.text)
    assert composed.as_json() == {
        "rule": "001-A-41",
        "text": "互评79.9，考核组79.98；79.9×0.40+79.98×0.60=79.948",
        "points": "79.95",
        "running": "79.95",
    }


@pytest.mark.parametrize(("scheme", "expected"), [(XIAN, "优秀"), (RAW, "合格")])
def test_N04_band_on_the_rounded_or_the_raw_number(scheme, expected):
    assert score_and_grade(teacher("79.99", "80.00"), scheme) == ("80.00", expected)


@pytest.mark.parametrize(("scheme", "expected"), [(XIAN, "合格"), (RAW, "不合格")])
def test_N05_the_same_at_the_pass_line(scheme, expected):
    assert score_and_grade(teacher("59.99", "60"), scheme) == ("60.00", expected)


def test_N06_weights_matter():
    assert score_and_grade(teacher("90", "72")) == ("79.20", "合格")
    assert score_and_grade(teacher("72", "90")) == ("82.80", "优秀")


def test_N07_three_late_materials():
    record = teacher("62", "62", events=events(late_material=3))
    assert score_and_grade(record) == ("59.00", "不合格")
    assert grade(XIAN, record).proposed is False


def test_N08_lateness_absence_and_late_material():
    record = teacher("84", "84", events=events(late_arrival=2, absence=1, late_material=1))
    assert score_and_grade(record) == ("76.00", "合格")
    rules = [line.rule for line in grade(XIAN, record).ledger if line.points.startswith("-")]
    assert rules == ["001-A-35", "001-A-36", "001-A-36", "001-A-36"]


@pytest.mark.parametrize(
    ("base", "score", "expected"),
    [("75", "60.00", "合格"), ("74", "59.00", "不合格"), ("95", "80.00", "优秀")],
)
def test_N09_absent_three_times(base, score, expected):
    assert score_and_grade(teacher(base, base, events=events(absence=3))) == (score, expected)


def test_N09b_approved_leave_costs_nothing_but_the_hours_gate_still_holds():
    away = [{**event, "approved_leave": True} for event in events(absence=3)]
    assert score_and_grade(teacher("75", "75", events=away)) == ("75.00", "合格")
    short = grade(XIAN, teacher("75", "75", events=away, hours={"total": 49, "practice": 25}))
    assert (str(short.score), short.grade, short.proposed) == ("75.00", "不合格", False)
    assert [gate.id for gate in short.gates if gate.passed is False] == ["G_HOURS"]


def test_N10_award_is_capped_and_clamped_with_the_surplus_kept():
    outcome = grade(XIAN, teacher("97", "97", awards=["6"]))
    assert (str(outcome.score), outcome.grade, str(outcome.surplus)) == ("100.00", "优秀", "2.00")
    assert outcome.flags == ("bonus_capped", "bonus_surplus")


def test_N11_clamp_once_and_last():
    record = teacher("99", "99", events=events(late_material=3), awards=["5"])
    assert score_and_grade(record) == ("100.00", "优秀")
    early = changed("adjust.order", ["compose", "bonus", "clamp", "deduct"])
    assert score_and_grade(record, early) == ("97.00", "优秀")


def test_N12_bonus_across_the_pass_line():
    record = teacher("58", "58", awards=["5"])
    assert score_and_grade(record) == ("63.00", "合格")
    held = changed("adjust.bonuses.award.may_cross_pass", value=False)
    assert score_and_grade(record, held) == ("59.99", "不合格")
    assert grade(held, record).flags == ("bonus_held",)


def test_N13_never_below_zero():
    assert score_and_grade(teacher("3", "3", events=events(absence=3))) == ("0.00", "不合格")


@pytest.mark.parametrize("how", [{"peer": ["50"]}, {"peer": ["50", "60"], "peer_missing": True}])
def test_N14_without_enough_peers_the_panel_decides(how):
    marked = [{**ability, "panel": ["82", "82", "82"], **how} for ability in PASSED]
    outcome = grade(XIAN, teacher(abilities=marked, marks=None))
    assert (str(outcome.score), outcome.grade, outcome.proposed) == ("82.00", "优秀", True)
    assert outcome.flags == ("peer_missing",)


def test_N15_a_duty_unfinished_at_the_close_blocks():
    assert remaining(Duty(3, 0), given=2) == 1
    outcome = grade(XIAN, teacher("82", "82", peer={"given": 2, "required": 3}))
    assert [gate.id for gate in outcome.gates if gate.passed is False] == ["G_PEER"]


def test_N16_the_first_one_reviews_samples():
    assert k_eff(3, pool=0, samples=3) == Duty(real=0, samples=3)
    assert remaining(k_eff(3, pool=0, samples=3), given=3) == 0


def test_N17_a_school_of_three():
    assert k_eff(3, pool=2, samples=3) == Duty(real=2, samples=1)
    assert k_eff(3, pool=2, samples=0).total == 2


INVALID_ONE = [
    {"code": "A1", "valid": True, "level": "合格", "peer": ["88", "88"], "panel": ["88", "88", "88"]},
    {"code": "A5", "valid": False, "level": "合格", "peer": ["99", "99"], "panel": ["99", "99", "99"]},
    {"code": "B6", "valid": True, "level": "合格", "peer": ["88", "88"], "panel": ["88", "88", "88"]},
]


def test_N18_invalid_evidence_fails_the_gate_though_the_number_shows():
    outcome = grade(XIAN, teacher(abilities=INVALID_ONE, marks=None))
    assert (str(outcome.score), outcome.grade, outcome.proposed) == ("88.00", "不合格", False)
    failed = {gate.id: gate.text for gate in outcome.gates if gate.passed is False}
    assert list(failed) == ["G_EVID", "G_ABIL"]
    assert "合格微能力2；应合格微能力3" in failed["G_ABIL"]


def test_N19_a_replacement_in_time_cures_it():
    replaced = [*INVALID_ONE, {**INVALID_ONE[0], "code": "A11"}]
    outcome = grade(XIAN, teacher(abilities=replaced, marks=None))
    assert (str(outcome.score), outcome.grade) == ("88.00", "优秀")
    assert [ability.code for ability in outcome.abilities if ability.counts] == ["A1", "B6", "A11"]
    assert all(gate.passed for gate in outcome.gates)


def test_N20_one_dimension_is_not_three():
    (problem,) = selection_problems(XIAN, XIAN.catalogue, EVERY_CODE, ["A5", "A6", "B6"], tier=None)
    assert problem.code == "dimensions"
    assert problem.text == "还差2个维度（应覆盖3个，现有学法指导），可从学情分析、教学设计、学业评价中选。"


def test_N21_two_dimensions_are_not_three():
    (problem,) = selection_problems(XIAN, XIAN.catalogue, EVERY_CODE, ["A1", "A3", "A4"], tier=None)
    assert problem.text == "还差1个维度（应覆盖3个，现有学情分析、教学设计），可从学法指导、学业评价中选。"


def test_N22_four_over_three_dimensions():
    assert selection_problems(XIAN, XIAN.catalogue, EVERY_CODE, ["A1", "A3", "A5", "A6"], tier=None) == []


def test_N23_shown_but_of_undetermined_authorship_is_invalid():
    found = validity(XIAN, [ItemFacts("课堂实录", shows_teacher=True, attributable=False)])
    assert (found.valid, found.reasons) == (False, ("不能确定“课堂实录”是教师本人制作。",))


def test_N24_courseware_beside_a_lesson_video():
    items = [
        ItemFacts("课件", shows_teacher=False, attributable=True),
        ItemFacts("课堂实录", shows_teacher=True, attributable=True),
    ]
    assert validity(XIAN, items).valid is True
    assert validity(changed("evidence.validity.scope", "item"), items).reasons == ("“课件”中没有教师本人的影像。",)


def test_N25_practice_hours_short():
    outcome = grade(XIAN, teacher("82", "82", hours={"total": 50, "practice": 24}))
    assert [gate.id for gate in outcome.gates if gate.passed is False] == ["G_HOURS"]
    rule = next(gate for gate in XIAN.gates if gate.id == "G_HOURS")
    assert (rule.when, rule.on_fail.block) == ("submit", True)


def test_N26_the_share_is_of_the_required_hours():
    record = teacher("82", "82", hours={"total": 60, "practice": 29})
    assert score_and_grade(record) == ("82.00", "优秀")
    earned = grade(changed("hours.ledgers.practice.of", "earned"), record)
    assert [gate.id for gate in earned.gates if gate.passed is False] == ["G_HOURS"]


def test_N27_the_arbiter_replaces_the_farthest():
    marks = [Decimal(85), Decimal(84), Decimal(60)]
    assert panel_needs_arbiter(XIAN, marks) is True
    assert aggregate_panel(XIAN, marks, Decimal(83)) == 84
    ability = {**PASSED[0], "peer": ["84", "84"], "panel": ["85", "84", "60"]}
    assert "needs_arbiter" in grade(XIAN, teacher(abilities=[ability], marks=None)).flags
    outcome = grade(XIAN, teacher(abilities=[{**ability, "arbiter": "83"}], marks=None))
    assert (outcome.abilities[0].panel, "needs_arbiter" in outcome.flags) == ("84.00", False)


def test_N28_unsigned_is_as_valid():
    signature = XIAN.result.signature
    assert (signature.required, signature.unsigned_effective, XIAN.calendar.sign.days) == (False, True, 5)


def test_N29_an_appeal_replaces_the_mark():
    assert score_and_grade(teacher("60", "58")) == ("58.80", "不合格")
    assert score_and_grade(teacher("60", "66")) == ("63.60", "合格")


def test_N30_weights_with_a_reason_but_never_the_method():
    weights = changed("compose.sources", {"peer": "0.30", "panel": "0.70"})
    when = {"effective_from": date(2022, 3, 1), "on": date(2022, 8, 1)}
    assert amendment_refusal(XIAN, weights, **when, reason="校务会决定") is None
    assert amendment_refusal(XIAN, weights, **when, reason=" ") == "修改方案须写明理由。"
    rule = changed("compose.rule", "other")
    refused = amendment_refusal(XIAN, rule, **when, reason="校务会决定")
    assert refused == "compose.rule在2023-03-01之前不能修改（考核方法至少保持12个月一致）。"
    later = {**when, "on": date(2023, 3, 1)}
    assert amendment_refusal(XIAN, rule, **later, reason="校务会决定") is None


@pytest.mark.parametrize(("ticked", "level"), [(4, "优秀"), (1, "合格"), (0, "不合格")])
def test_N31_checklist_levels(ticked, level):
    prepare = XIAN.components[0]
    assert prepare.name_zh == "课前备课"
    assert checklist_level(XIAN, prepare, [item.id for item in prepare.items][:ticked]) == level


def test_N32_only_the_schools_own_activities():
    outcome = grade(XIAN, teacher("70", "70", checklists={"research": ["school"]}))
    assert outcome.levels == (("research", "合格"),)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (["优秀", "优秀", "优秀"], "优秀"),
        (["优秀", "优秀", "合格"], "合格"),
        (["优秀", "优秀", "不合格"], "不合格"),
        (["优秀", "优秀", None], "不合格"),
    ],
    ids=["J1", "J2", "J3", "J4"],
)
def test_J1_J2_J3_J4_the_weakest_piece_decides(levels, expected):
    assert conjunctive(OFFICIAL, levels) == expected
    record = {"abilities": [{"code": "A5", "valid": True, "evidence_levels": levels}]}
    assert grade(OFFICIAL, record).abilities[0].level == expected


def report_slot() -> Slot:
    slot = next(slot for slot in OFFICIAL.slots("A1") if slot.id == "report")
    return Slot.of({"kind": slot.kind, "max_seconds": slot.max_seconds})


def test_J5_a_pdf_is_no_video_and_a_missing_report_fails_the_ability():
    assert [finding.code for finding in limits(Facts(Kind.DOCUMENT, "pdf"), report_slot())] == ["wrong_kind"]
    record = {"abilities": [{"code": "A1", "valid": True, "evidence_levels": {"plan": "合格"}}]}
    assert grade(OFFICIAL, record).abilities[0].level == "不合格"


@pytest.mark.parametrize(("seconds", "codes"), [(300, []), (301, ["too_long"])])
def test_J6_five_minutes_and_no_second_more(seconds, codes):
    video = Facts(Kind.VIDEO, "mp4", seconds=Decimal(seconds))
    assert [finding.code for finding in limits(video, report_slot())] == codes


def test_J7_three_abilities_pass_but_are_not_excellent():
    levels = {"A1": ["优秀"], "A5": ["优秀", "合格"], "A11": ["合格", "合格"]}
    abilities = [{"code": code, "valid": True, "evidence_levels": found} for code, found in levels.items()]
    outcome = grade(OFFICIAL, {"abilities": abilities})
    assert (outcome.score, outcome.grade) == (None, "合格")
    assert [ability.level for ability in outcome.abilities] == ["优秀", "合格", "合格"]
    best = [{**ability, "evidence_levels": ["优秀"]} for ability in abilities]
    assert grade(OFFICIAL, {"abilities": best}).grade == "优秀"
    assert grade(OFFICIAL, {"abilities": abilities[:2]}).grade == "不合格"
