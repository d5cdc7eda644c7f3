"""The acceptance cases F, B, W, C, K, Q, P of the field, verbatim, under the built-in schemes of the source documents."""

from collections.abc import Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from review_flow import schemes
from review_flow.rules.components import flat
from review_flow.rules.following import fee_yuan
from review_flow.rules.grading import gates_at, grade
from review_flow.rules.outcome import Outcome
from review_flow.rules.scheme import Scheme
from review_flow.rules.selection import school_list_problems

F50, F30, OPS = (schemes.load(name) for name in ("fuqing-50", "fuqing-30", "fuqing-workshop-ops"))
XX, CASE1, CASE2 = (schemes.load(name) for name in ("xx-process-100", "case1-tiers", "case2-microcert"))
QUANZHOU, FUYU = (schemes.load(name) for name in ("quanzhou-2016-80", "fuyu-2020-50"))


def changed(scheme: Scheme, path: str, value: object) -> Scheme:
    """The scheme with one value put in place."""
    document = deepcopy(dict(scheme.document))
    *above, last = path.split(".")
    node: Any = document
    for part in above:
        if isinstance(node, list):
            node = next(one for at, one in enumerate(node) if one.get("id", str(at)) == part)
        else:
            node = node[part]
    node[last] = value
    return Scheme.from_document(document)


def result(scheme: Scheme, record: Mapping[str, object]) -> tuple[str | None, str]:
    outcome = grade(scheme, record)
    return None if outcome.score is None else str(outcome.score), outcome.grade


def done(outcome: Outcome, name: str) -> bool | None:
    return next(one.done for one in flat(outcome.components) if one.id == name)


# ---- 8.3 福清50学时

WHOLE_50: dict[str, Any] = {
    "minutes": {"course": 1000},
    "role": "observer",
    "slots": {
        "learning_reflection": 1, "lesson_design": 1, "forum_topic": 1, "observation_form": 1,
        "summary_text": [{"chars": 800}], "shared_resource": 2,
    },
}  # fmt: skip


def fuqing(minutes: int = 1000, role: str = "observer", **slots: object) -> dict[str, Any]:
    return {"minutes": {"course": minutes}, "role": role, "slots": {**WHOLE_50["slots"], **slots}}


def test_F1_all_done_is_excellent():
    outcome = grade(F50, fuqing())
    assert (str(outcome.score), outcome.grade) == ("100.00", "优秀")
    assert [line.points for line in outcome.ledger[:7]] == [
        "40.00",
        "10.00",
        "15.00",
        "15.00",
        "10.00",
        "0.00",
        "10.00",
    ]


def test_F2_a_minute_short_takes_the_whole_module():
    outcome = grade(F50, fuqing(999))
    assert (str(outcome.score), outcome.grade) == ("50.00", "不合格")
    assert [gate.id for gate in outcome.gates if gate.passed is False] == ["G1"]
    assert "学习任务不通过，记0分" in [line.text for line in outcome.ledger]


def test_F3_a_thousand_minutes_count():
    assert result(F50, fuqing(1000)) == ("100.00", "优秀")


@pytest.mark.parametrize(
    ("case", "shares", "expected"),
    [("F4", 1, ("95.00", "合格")), ("F5", 3, ("100.00", "优秀")), ("F6", 0, ("90.00", "合格"))],
)
def test_F4_F5_F6_shares(case, shares, expected):
    assert result(F50, fuqing(shared_resource=shares)) == expected


def test_F7_without_the_reflection():
    assert result(F50, fuqing(learning_reflection=0)) == ("90.00", "合格")
    strict = changed(F50, "components.learn.components.reflection.zero_parent", value=True)
    assert result(strict, fuqing(learning_reflection=0)) == ("50.00", "不合格")


def test_F8_eight_hundred_characters():
    short = grade(F50, fuqing(summary_text=[{"chars": 799}]))
    assert (str(short.score), short.grade) == ("90.00", "不合格")
    assert [gate.id for gate in short.gates if gate.passed is False] == ["G2"]
    assert result(F50, fuqing(summary_text=[{"chars": 800}])) == ("100.00", "优秀")


@pytest.mark.parametrize(("mark", "expected"), [("50", ("80.00", "合格")), ("49.88", ("79.95", "不合格"))])
def test_F9_a_graded_variant(mark, expected):
    graded = {"id": "campus", "name_zh": "网络校本研修", "points": 40, "scoring": {"type": "score"}}
    learn, _campus, share = F50.document["components"]
    gate, _rings = F50.document["gates"]
    scheme = Scheme.from_document({**F50.document, "components": [learn, graded, share], "gates": [gate]})
    assert result(scheme, {**fuqing(), "components": {"campus": mark}}) == expected


def test_F10_an_observers_other_material():
    instead = fuqing(observation_form=0, comment_material=1)
    assert done(grade(F50, instead), "ring2") is True
    path = "components.campus.components.ring2.by_role"
    strict = changed(F50, path, {**F50.value(path), "observer": [{"slot": "observation_form", "count": 1}]})
    assert done(grade(strict, instead), "ring2") is False


def test_F11_a_demonstrator_without_reflection():
    outcome = grade(F50, fuqing(role="demonstrator", lesson_video=1))
    assert done(outcome, "ring2") is False
    assert outcome.grade == "不合格"
    assert grade(F50, fuqing(role="demonstrator", lesson_video=1, reflection_after=1)).grade == "优秀"


def test_F12_the_fourth_stage_is_the_workshops():
    outcome = grade(F50, fuqing())
    assert (done(outcome, "ring4"), outcome.grade) == (False, "优秀")
    board = grade(OPS, {"quota": {"polished_work": 0}})
    assert [(one.id, one.needed, one.have, one.met) for one in board.quotas] == [
        ("showcase", Decimal(1), Decimal(0), False)
    ]


# ---- 8.4 福清30学时与坊主工作

WHOLE_30: dict[str, Any] = {
    "role": "observer",
    "attendance": {"off1": True, "off2": True, "off3": True},
    "slots": {
        "lesson_design": 1, "peer_comment": [{"on": "others"}, {"on": "others"}], "observation_form": 1,
        "summary_text": [{"chars": 800}],
    },
}  # fmt: skip


@pytest.mark.parametrize(("posts", "expected"), [(["others"], False), (["others"] * 2, True), (["own"] * 2, False)])
def test_B1_comments_on_others(posts, expected):
    slots = {**WHOLE_30["slots"], "peer_comment": [{"on": on} for on in posts]}
    outcome = grade(F30, {**WHOLE_30, "slots": slots})
    assert done(outcome, "r1") is expected
    assert outcome.grade == ("合格" if expected else "不合格")


def test_B2_all_three_activities():
    twice = {"off1": True, "off2": True, "off3": False}
    outcome = grade(F30, {**WHOLE_30, "attendance": twice})
    assert outcome.grade == "不合格"
    assert [gate.id for gate in outcome.gates if gate.passed is False] == ["G2"]
    assert grade(F30, {**WHOLE_30, "attendance": {**twice, "off3": "made_up"}}).grade == "合格"
    strict = changed(F30, "activities.off3.makeup", value=False)
    assert grade(strict, {**WHOLE_30, "attendance": {**twice, "off3": "made_up"}}).grade == "不合格"


def quotas(**counts: object) -> dict[str, tuple[int, bool | None, str | None]]:
    outcome = grade(OPS, {"quota": counts})
    return {one.id: (int(one.needed), one.met, one.warning) for one in outcome.quotas if one.needed is not None}


@pytest.mark.parametrize(
    ("case", "members", "excellent", "video", "best"),
    [("W1", 37, 8, 4, 1), ("W2", 20, 4, 2, 1), ("W3", 19, 4, 2, 0), ("W4", 40, 8, 4, 2), ("W4", 50, 10, 5, 2)],
)
def test_W1_to_W4_quotas_round_towards_their_meaning(case, members, excellent, video, best):
    found = quotas(members=members, excellent_work=excellent, excellent_video=video, recommended_learner=best)
    assert found["excellent"] == (excellent, True, None)
    assert found["excellent_video"] == (video, True, None)
    assert found["best_learners"] == (best, True, "按比例向下取整为0" if case == "W3" else None)
    less = quotas(members=members, excellent_work=excellent - 1, recommended_learner=best + 1)
    assert (less["excellent"][1], less["best_learners"][1]) == (False, False)


def test_W5_video_of_those_declared():
    outcome = grade(OPS, {"quota": {"members": 37, "excellent_work": 9, "excellent_video": 4}})
    video = next(one for one in outcome.quotas if one.id == "excellent_video")
    assert (video.needed, video.have, video.met, video.short) == (5, 4, False, 1)


def test_W6_two_bulletins():
    (bulletins,) = grade(OPS, {"quota": {"bulletin": 2}}).quotas
    assert (bulletins.needed, bulletins.have, bulletins.met, bulletins.short) == (3, 2, False, 1)


@pytest.mark.parametrize(
    ("moment", "state"), [("2026-04-01T23:59:00+08:00", "done"), ("2026-04-02T00:00:00+08:00", "late")]
)
def test_W7_the_named_day_counts_to_its_end(moment, state):
    outcome = grade(OPS, {"school_year": 2025, "tasks": {"recommend": moment}})
    task = next(one for one in outcome.tasks if one.id == "recommend")
    assert (task.state, task.due.isoformat()) == (state, "2026-04-01T23:59:59.999999+08:00")


# ---- 8.5 过程考核

CODES = ("A1", "A3", "A5")


def process(face: str, online: str, campus: str, polish: str, total: str = "50") -> dict[str, Any]:
    chain = dict.fromkeys(XX.approval.chain, True)
    return {
        "hours": {"total": total, "online": online},
        "components": {"face": face, "campus": campus, "polish": polish},
        "abilities": [{"code": code, "level": "合格", "approvals": dict(chain)} for code in CODES],
    }


@pytest.mark.parametrize(
    ("case", "record", "expected"),
    [
        ("C1", process("90", "25", "80", "70"), ("85.00", "优秀")),
        ("C2", process("100", "25", "100", "0"), ("75.00", "合格")),
        ("C3", process("80", "20", "80", "80"), ("80.00", "优秀")),
        ("C4", process("79", "20", "80", "80.4"), ("79.95", "合格")),
        ("C5", process("60", "15", "60", "60"), ("60.00", "合格")),
        ("C6", process("100", "21", "70", "0"), ("61.20", "合格")),
        ("C7", process("90", "24", "80", "70", total="49"), ("83.80", "不合格")),
    ],
)
def test_C1_to_C7_weighted_parts(case, record, expected):
    assert result(XX, record) == expected


@pytest.mark.parametrize(("seconds", "expected"), [("179", False), ("180", True), ("600", True), ("601", False)])
def test_C8_three_to_ten_minutes(seconds, expected):
    slots = {"lesson_design": 1, "lesson_talk": 1, "courseware": 1, "ability_tasks": 3}
    record = {**process("80", "20", "80", "80"), "slots": {**slots, "lesson_clip": [{"seconds": seconds}]}}
    assert done(grade(XX, record), "campus") is expected


@pytest.mark.parametrize(("size", "refused"), [(7, True), (8, False), (9, True)])
def test_C9_a_school_picks_exactly_eight(size, refused):
    codes = ["A1", "A2", "A5", "A6", "A11", "B2", "B5", "B9", "C1"][:size]
    assert bool(school_list_problems(XX, XX.catalogue, codes)) is refused


def test_an_ability_passes_after_the_whole_chain():
    record = process("80", "20", "80", "80")
    del record["abilities"][2]["approvals"]["专家认证"]
    outcome = grade(XX, record)
    assert [one.passed for one in outcome.abilities] == [True, True, None]
    record["abilities"][2]["approvals"]["专家认证"] = False
    assert grade(XX, record).grade == "不合格"


# ---- 8.6 两个案例


def tiered(
    tier: str, abilities: int, weeks: list[int] | None = None, mark: str = "80", analyses: int = 5
) -> dict[str, Any]:
    codes = ("A1", "A3", "A5", "A11", "B6")[:abilities]
    return {
        "tier": tier,
        "hours": {"online": 25, "practice": 25},
        "abilities": [{"code": code, "level": "合格"} for code in codes],
        "periods": {"reflections": weeks or [2, 2, 2]},
        "slots": {"participation": 1, "group_output": 1, "subject_model": 1, "pupil_analysis": analyses},
        "marks": {"peer": mark, "panel": mark},
    }


def failed(scheme: Scheme, record: Mapping[str, object]) -> list[str]:
    return [gate.id for gate in grade(scheme, record).gates if gate.passed is not True]


def test_K1_tiers_have_their_own_minimum():
    assert failed(CASE1, tiered("core", 4)) == ["G_ABIL"]
    assert failed(CASE1, tiered("core", 5)) == []
    assert failed(CASE1, tiered("guide", 4)) == []
    assert failed(CASE1, tiered("core", 5, analyses=4)) == ["G_TIER"]
    assert failed(CASE1, tiered("guide", 4, analyses=2)) == []


def test_K2_a_short_week_is_made_up_within_grace():
    assert failed(CASE1, tiered("core", 5, [2, 1, 3])) == []
    assert failed(CASE1, tiered("core", 5, [2, 1, 2, 3])) == ["G_TIER"]
    without = changed(CASE1, "components.reflections.scoring.grace", 0)
    assert failed(without, tiered("core", 5, [2, 1, 3])) == ["G_TIER"]


def test_K3_points_and_credits_are_events_for_others():
    outcome = grade(CASE1, tiered("teacher", 3, mark="80"))
    assert outcome.grade == "良好"
    events = {one.kind: one.value for one in outcome.consequences}
    assert events == {"year_end_points": "2", "credits": "10", "outside_training_condition": None}


def test_a_source_nobody_recorded_takes_nothing_away_whichever_way_the_marks_came():
    sources = {"peer": "0.30", "panel": "0.50", "self": "0.20"}
    scheme = changed(CASE1, "compose.sources", sources)
    by_ability = [
        {"code": code, "level": "合格", "peer": ["80", "80"], "panel": ["80"] * 3} for code in ("A1", "A3", "A5")
    ]
    record = {**tiered("teacher", 3), "abilities": by_ability, "marks": None}
    for facts in (record, tiered("teacher", 3, mark="80")):
        outcome = grade(scheme, facts)
        assert (str(outcome.score), outcome.flags[:1]) == ("80.00", ("source_missing",))
    without_peers = changed(CASE1, "compose.sources", {"panel": "0.80", "self": "0.20"})
    assert str(grade(without_peers, tiered("teacher", 3, mark="80")).score) == "80.00"


@pytest.mark.parametrize(("value", "met"), [("0.950", False), ("0.951", True)])
def test_K4_strictly_above_ninety_five_percent(value, met):
    (target,) = grade(CASE2, {"targets": {"satisfaction_parents": {"value": value}}}).targets
    assert target.met is met


def certified(activities: int, passed: int) -> dict[str, Any]:
    levels = ["合格"] * passed + ["不合格"] * (3 - passed)
    return {
        "hours": {"online": 25, "practice": 25},
        "attendance": {"research": activities},
        "abilities": [{"code": code, "level": level} for code, level in zip(CODES, levels, strict=True)],
    }


def test_K5_two_activities_are_needed():
    assert grade(CASE2, certified(1, 3)).grade == "不合格"
    assert grade(CASE2, certified(2, 3)).grade == "合格"


def test_K6_claimed_is_not_passed():
    assert grade(CASE2, certified(2, 2)).grade == "不合格"


# ---- 8.7 泉州与扶余

TESTED = {"network": "合格", "practice": "合格"}


def themed(count: int, **facts: object) -> dict[str, Any]:
    return {"self_test": True, "themes": [f"t{at}" for at in range(1, count + 1)], "tests": TESTED, **facts}


def hours(outcome: Outcome) -> dict[str, bool | None]:
    return {one.id: one.granted for one in outcome.certificates}


def test_Q1_twelve_themes_make_both_ledgers():
    outcome = grade(QUANZHOU, themed(12))
    assert hours(outcome) == {"c50": True, "c30": True, "provincial": True}
    assert "网络培训学时50" in outcome.certificates[0].why
    assert "网络研修与教学实践学时30" in outcome.certificates[1].why
    assert outcome.grade == "合格"


def test_Q2_without_the_twelfth():
    outcome = grade(QUANZHOU, themed(11))
    assert hours(outcome) == {"c50": False, "c30": False, "provincial": False}
    assert "网络培训学时45" in outcome.certificates[0].why
    assert "网络研修与教学实践学时28" in outcome.certificates[1].why


def test_Q3_no_selection_before_the_diagnostic():
    (gate,) = gates_at(QUANZHOU, {"self_test": False}, when="select")
    assert (gate.id, gate.passed, QUANZHOU.prerequisites[0].on_fail.block) == ("diagnostic", False, True)


@pytest.mark.parametrize(("last_day", "may"), [("2021-04-05", True), ("2021-04-06", False)])
def test_Q4_less_than_five_years(last_day, may):
    assert grade(QUANZHOU, {"retires_on": last_day}).exemption.may is may


def test_Q5_who_joins_counts_in_both_parts_of_the_rate():
    joined = grade(QUANZHOU, themed(12, retires_on="2020-01-01", joins=True))
    assert hours(joined) == {"c50": True, "c30": True, "provincial": True}
    assert (joined.exemption.may, joined.exemption.counts) == (True, True)
    assert grade(QUANZHOU, {"retires_on": "2020-01-01"}).exemption.counts is False


def test_Q6_three_yuan_for_each_hour():
    assert fee_yuan(QUANZHOU) == 240
    assert fee_yuan(QUANZHOU, people=975) == 234_000
    assert fee_yuan(FUYU) is None


def test_Q7_a_workshop_covers_all_tasks():
    (gap,) = grade(QUANZHOU, {"coverage": [{"theme": "t5", "options": 6, "chosen": 5}]}).quotas
    assert (gap.id, gap.needed, gap.have, gap.met) == ("coverage.t5", 6, 5, False)
    assert "坊主须协调补齐1项" in gap.text


@pytest.mark.parametrize(("members", "met", "warning"), [(50, True, None), (51, False, "超出须写明理由")])
def test_P1_fifty_in_principle(members, met, warning):
    (size,) = grade(FUYU, {"quota": {"class_members": members}}).quotas
    assert (size.met, size.warning, size.excused) == (met, warning, False)
    (told,) = grade(FUYU, {"quota": {"class_members": members}, "reasons": {"class_size": "两校合班"}}).quotas
    assert (told.warning, told.excused) == (None, not met)


def test_P2_six_workshops_suggested():
    (many,) = grade(FUYU, {"quota": {"school_workshops": 7}}).quotas
    assert (many.met, many.warning) == (False, "超出须写明理由")
    assert "建议不超过6" in many.text


def test_P3_both_parts_of_the_training_test():
    record = {"hours": {"chosen": 50}, "tests": {"training": {"online": "合格", "offline": "不合格"}}}
    assert grade(FUYU, record).grade == "不合格"
    assert grade(FUYU, {**record, "tests": {"training": {"online": "合格", "offline": "合格"}}}).grade == "合格"
    either = changed(FUYU, "tests.training.combine", "any")
    assert grade(either, record).grade == "合格"
