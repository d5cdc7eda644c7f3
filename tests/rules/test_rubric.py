from dataclasses import replace
from decimal import Decimal

import pytest

from review_flow import schemes
from review_flow.rules.rubric import FormInvalid, agreed_levels, evaluate, form_fields

XIAN = schemes.load("xian-2022-appraisal")
SLOTS = XIAN.slots("A5")
LEVELS = {"lesson_plan": "优秀", "clip": "合格", "voices": "优秀"}
COMMENT = "环节清楚，导入自然，值得借鉴。"


def form(**changes):
    filled = {
        "components": {
            "prepare": {"items": ["search", "courseware"], "mark": "72.5"},
            "teach": {"items": ["software", "phone", "interaction"], "mark": "85"},
            "tutor": None,
        },
        "evidence_levels": LEVELS,
        "comment": COMMENT,
    }
    return {**filled, **changes}


def problems(**changes):
    with pytest.raises(FormInvalid) as refused:
        evaluate(XIAN, form(**changes), SLOTS)
    assert str(refused.value) == "；".join(one.text for one in refused.value.problems)
    return [(one.field, one.text) for one in refused.value.problems]


def test_a_good_form():
    marks = evaluate(XIAN, form(), SLOTS)
    assert marks.mark == Decimal("78.75")
    assert marks.levels == {"prepare": "合格", "teach": "优秀"}
    assert (marks.evidence_levels, marks.ability_level) == (LEVELS, "合格")


def test_the_mean_is_rounded_half_up():
    rated = {key: {"items": ["software"], "mark": mark} for key, mark in (("teach", "60.01"), ("data", 60))}
    assert evaluate(XIAN, form(components=rated), SLOTS).mark == Decimal("60.01")


def test_marks_may_be_decimals_in_a_program():
    rated = {"teach": {"items": [], "mark": Decimal("59.99")}}
    assert evaluate(XIAN, form(components=rated), SLOTS).mark == Decimal("59.99")


@pytest.mark.parametrize(
    ("items", "mark", "text"),
    [
        (["software"], "80", "“课中授课”按勾选为合格，分数应在60–79.99之间。"),
        (["software"], "59.99", "“课中授课”按勾选为合格，分数应在60–79.99之间。"),
        ([], "60", "“课中授课”按勾选为不合格，分数应在0–59.99之间。"),
        (["software"], "72.555", "“课中授课”的分数最多两位小数。"),
        (["software"], None, "请给“课中授课”打分：合格，60–79.99分。"),
        (["software"], "很好", "请给“课中授课”打分：合格，60–79.99分。"),
        (["software"], "NaN", "请给“课中授课”打分：合格，60–79.99分。"),
        (["software"], True, "请给“课中授课”打分：合格，60–79.99分。"),
    ],
)
def test_a_mark_stays_inside_the_band_of_its_level(items, mark, text):
    rated = {"teach": {"items": items, "mark": mark}}
    assert problems(components=rated) == [("components.teach.mark", text)]


def test_every_problem_is_named_at_once():
    rated = {"assess": {"items": []}, "teach": {"items": ["fly"], "mark": "10"}, "data": "x"}
    assert problems(
        components=rated, evidence_levels={"clip": "良好", "sound": "优秀"}, comment="好 好 好 好 好 好"
    ) == [
        ("components.assess", "评审表里没有“assess”这一项。"),
        ("components.teach.items", "“课中授课”勾选了评审表里没有的条目。"),
        ("components.data", "评审表里没有“data”这一项。"),
        ("evidence_levels.sound", "成果里没有“sound”这项证据。"),
        ("evidence_levels.lesson_plan", "请给证据“教学设计（该环节）”评等级：优秀、合格、不合格。"),
        ("evidence_levels.clip", "请给证据“课堂实录片段”评等级：优秀、合格、不合格。"),
        ("evidence_levels.voices", "请给证据“学生体会”评等级：优秀、合格、不合格。"),
        ("comment", "评语至少10字。"),
    ]


def test_an_empty_form():
    with pytest.raises(FormInvalid) as refused:
        evaluate(XIAN, {}, [])
    assert [one.field for one in refused.value.problems] == ["components", "comment"]
    assert refused.value.problems[0].text == "至少评1个考核项。"


def test_items_must_be_a_list():
    assert problems(components={"teach": {"items": "software", "mark": "10"}}) == [
        ("components.teach.items", "“课中授课”勾选了评审表里没有的条目。")
    ]


def test_without_components_there_is_no_mark_and_without_slots_no_level():
    bare = replace(XIAN, components=())
    marks = evaluate(bare, {"comment": COMMENT}, [])
    assert (marks.mark, marks.ability_level) == (None, None)


def test_the_panels_agreed_levels():
    said = [{"clip": "优秀", "plan": "优秀"}, {"clip": "合格", "plan": "合格"}, {"clip": "不合格"}]
    assert agreed_levels(XIAN, said) == {"clip": "合格", "plan": "优秀"}


def test_the_form_describes_itself():
    fields = form_fields(XIAN, SLOTS)
    assert [component["id"] for component in fields["components"]] == ["prepare", "teach", "tutor", "data", "research"]
    assert fields["components"][1]["items"][1] == {"id": "phone", "text_zh": "会使用手机播放课件"}
    assert fields["level_marks"] == {"优秀": ["80", "100"], "合格": ["60", "79.99"], "不合格": ["0", "59.99"]}
    assert [slot["id"] for slot in fields["slots"]] == ["lesson_plan", "clip", "voices"]
    assert (fields["min_components"], fields["min_comment_chars"]) == (1, 10)
    assert fields["evidence_levels"] == ["优秀", "合格", "不合格"]
