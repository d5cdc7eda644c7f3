import pytest

from review_flow import schemes
from review_flow.rules.reader import RecordInvalid
from review_flow.rules.record import read_record

XIAN = schemes.load("xian-2022-appraisal")
OFFICIAL = schemes.load("official-conjunctive")


def test_an_empty_record_is_all_unknown():
    record = read_record(XIAN, {"peer": {}})
    assert (record.ack, record.hours, record.given, record.abilities, record.marks) == (None, None, None, None, None)
    assert (record.events, record.awards, dict(record.checklists), record.band_decisions) == ((), (), {}, ())


def test_levels_by_slot_find_what_is_missing():
    filled = {"lesson_plan": "优秀", "clip": "合格"}
    record = read_record(XIAN, {"abilities": [{"code": "A5", "evidence_levels": filled}]})
    assert record.abilities[0].levels == ("优秀", "合格", None)


TRUST = "abilities[0].peer_trust"


def trusted(**changes):
    """A record whose first ability has peers' marks with what the round said of the peers."""
    trust = {"used": "reliability", "error": "3", "median_error": "4", "compared": 9, "variance": "25"}
    trust |= {"biases": ["1", "-1"], "weights": ["1", "2"], **changes}
    return {"abilities": [{"code": "A1", "peer": ["80", "70"], "peer_trust": trust}]}


@pytest.mark.parametrize("missing", [None, "", "缺", "缺失", "missing"])
def test_ways_to_say_missing(missing):
    record = read_record(XIAN, {"abilities": [{"code": "A5", "evidence_levels": ["优秀", missing]}]})
    assert record.abilities[0].levels == ("优秀", None)


def test_checklists_by_id_or_place_in_printed_order():
    record = read_record(XIAN, {"checklists": {"prepare": ["editing", 0, "search"]}})
    assert record.checklists == {"prepare": ("search", "editing")}


def test_an_ability_outside_the_catalogue_may_bring_its_dimension():
    record = read_record(XIAN, {"abilities": [{"code": "K1", "dimension": "学情分析"}]})
    assert (record.abilities[0].dimension, record.abilities[0].name_zh) == ("学情分析", "")


def test_ledgers_the_scheme_does_not_know_are_left_out():
    assert dict(read_record(XIAN, {"hours": {"total": "50", "online": 25, "practice": None}}).hours) == {"total": 50}


LIST = "应为列表，每一项是一个对象。"
LEVELS = "应为以下之一：优秀、合格、不合格。"


@pytest.mark.parametrize(
    ("record", "field", "problem"),
    [
        ({"ack": "yes"}, "ack", "应为 true 或 false。"),
        ({"ack": 1}, "ack", "应为 true 或 false。"),
        ({"tier": 1}, "tier", "应为文字。"),
        ({"peer": 3}, "peer", "应为一个对象。"),
        ({"peer": {"given": -1}}, "peer.given", "应为不小于0的整数。"),
        ({"peer": {"given": "3"}}, "peer.given", "应为不小于0的整数。"),
        ({"peer": {"given": True}}, "peer.given", "应为不小于0的整数。"),
        ({"hours": {"total": "五十"}}, "hours.total", "“五十”不是数字。"),
        ({"hours": {"total": -1}}, "hours.total", "不能小于0。"),
        ({"hours": {"total": "Infinity"}}, "hours.total", "“Infinity”不是数字。"),
        ({"marks": {"peer": "100.5"}}, "marks.peer[0]", "应在0到100之间。"),
        ({"marks": {"panel": ["80", "80.005"]}}, "marks.panel[1]", "最多2位小数。"),
        ({"marks": {"arbiter": 79.5}}, "marks.arbiter", '数字请写成文字（如 "79.50"），以免失去精度。'),
        ({"abilities": {}}, "abilities", LIST),
        ({"abilities": ["A1"]}, "abilities", LIST),
        ({"abilities": [{"code": "A99"}]}, "abilities[0].code", "微能力目录里没有“A99”。"),
        ({"abilities": [{}]}, "abilities[0].code", "微能力目录里没有“”。"),
        ({"abilities": [{"code": "A1"}, {"code": "A1"}]}, "abilities[1].code", "微能力A1出现了两次。"),
        ({"abilities": [{"code": "A1", "level": "良好"}]}, "abilities[0].level", LEVELS),
        ({"abilities": [{"code": "A1", "evidence_levels": "优秀"}]}, "abilities[0].evidence_levels", "应为列表，或证据项到等级的对象。"),
        ({"abilities": [{"code": "A1", "evidence_levels": [3]}]}, "abilities[0].evidence_levels[0]", LEVELS),
        ({"abilities": [{"code": "A1", "evidence_levels": {"plan": "好"}}]}, "abilities[0].evidence_levels.plan", LEVELS),
        (trusted(biases=["1"]), f"{TRUST}.biases", "应为列表，每份互评一个数。"),
        (trusted(weights="1"), f"{TRUST}.weights", "应为列表，每份互评一个数。"),
        (trusted(weights=["1", "-1"]), f"{TRUST}.weights[1]", "不能小于0。"),
        (trusted(weights=["0", 0]), f"{TRUST}.weights", "权重之和不能为0。"),
        (trusted(biases=["1", "-101"]), f"{TRUST}.biases[1]", "不能小于-100。"),
        (trusted(error="3.12345"), f"{TRUST}.error", "最多4位小数。"),
        (trusted(used="mean"), f"{TRUST}.used", "应为以下之一：reliability、median。"),
        (trusted(variance=None), f"{TRUST}.variance", '数字请写成文字（如 "79.50"），以免失去精度。'),
        ({"events": [{"kind": "nap"}]}, "events[0].kind", "应为以下之一：late_material、late_arrival、absence。"),
        ({"events": [{"kind": "absence", "on": "3月1日"}]}, "events[0].on", "日期应写成 2022-03-01 的样子。"),
        ({"awards": "3"}, "awards", "应为列表。"),
        ({"awards": ["3", None]}, "awards[1]", '数字请写成文字（如 "79.50"），以免失去精度。'),
        ({"checklists": {"fly": []}}, "checklists.fly", "方案中没有这个考核项。"),
        ({"checklists": {"teach": "software"}}, "checklists.teach", "应为列表。"),
        ({"checklists": {"teach": [3]}}, "checklists.teach[0]", "应为以下之一：software、phone、interaction。"),
        ({"checklists": {"teach": [True]}}, "checklists.teach[0]", "应为以下之一：software、phone、interaction。"),
        ({"band_decisions": [{"grade": "良好"}]}, "band_decisions[0].grade", LEVELS),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_taken_is_named(record, field, problem):
    with pytest.raises(RecordInvalid) as refused:
        read_record(XIAN, record)
    assert (refused.value.field, refused.value.problem) == (field, problem)
    assert str(refused.value) == f"{field}：{problem}"


def test_events_under_a_scheme_without_deductions():
    with pytest.raises(RecordInvalid) as refused:
        read_record(OFFICIAL, {"events": [{"kind": "absence"}]})
    assert str(refused.value) == "events[0].kind：方案里没有这样的项目。"
