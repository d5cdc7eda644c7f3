import json

import pytest
from typer.testing import CliRunner

from review_flow import schemes
from review_flow.cli.scheme import app
from review_flow.i18n import language
from review_flow.schemes.differences import departures, differences, overrides
from review_flow.schemes.document import written

XIAN = "xian-2022-appraisal"
MINE = """\
schema: kaohe/1
id: mine
title_zh: 本校方案
inherits: {"*": xian-2022-appraisal}
compose: {sources: {peer: 0.30, panel: 0.70}}
calendar: {publicity: {days: 5, working_days: true}}
quotas:
  - {id: notes, name_zh: 简报, of: excellent_work, op: ">=", value: 2, level: school}
adjust:
  deductions:
    - {id: late_material, name_zh: 未按时上交材料, each: -2}
    - {id: absence, name_zh: 培训旷到, each: -5, events: 各级培训（含备课组）, unless: [approved_leave]}
sources:
  compose.sources: 校务会2025-3
  calendar.publicity: 校务会2025-4
  quotas: 校务会2025-5
  adjust.deductions: 校务会2025-6
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(MINE, encoding="utf-8")
    return path


def run(*words):
    done = CliRunner().invoke(app, ["diff", *map(str, words)])
    return done.exit_code, done.output


def test_a_scheme_is_no_different_from_itself():
    for one in schemes.available():
        scheme = schemes.load(one.id)
        assert differences(scheme, scheme) == []
    assert run(XIAN, XIAN) == (0, "没有不同。\n")


def test_in_words(mine):
    status, text = run(XIAN, mine)
    assert status == 0
    assert text.splitlines() == [
        "【方案名称】",
        "· 方案名称由学校2022教师信息技术应用能力提升工程2.0校本应用考核实施方案改为本校方案",
        "",
        "【综合得分】",
        "· 评分来源与权重：互评由0.40改为0.30  [默认 (X-05) → 校务会2025-3]",
        "· 评分来源与权重：考核组评分由0.60改为0.70  [默认 (X-05) → 校务会2025-3]",
        "",
        "【各环节时限】",
        "· 公示：日数仍为5  [默认 (X-45) → 校务会2025-4]",
        "· 公示：按工作日仍为是  [默认 (X-45) → 校务会2025-4]",
        "",
        "【指标】",
        "· 新增“简报”：计数对象：优秀作品；比较：不少于；数值：2；范围：学校  [校务会2025-5]",
        "",
        "【扣分与加分】",
        "· 扣分：“未按时上交材料”：每份（次）分值由-1改为-2  [001-A-35 → 校务会2025-6]",
        "· 扣分：“培训旷到”：每份（次）分值仍为-5  [001-A-36 → 校务会2025-6]",
        "· 扣分：“培训旷到”：适用场合仍为各级培训（含备课组）  [001-A-36 → 校务会2025-6]",
        "· 扣分：“培训旷到”：不扣情形仍为已批准的请假  [默认 (X-15) → 校务会2025-6]",
        "· 删去扣分：“培训迟到”：每份（次）分值：-1；适用场合：各级培训（含备课组）；不扣情形：已批准的请假  [001-A-36 → 校务会2025-6]",
    ]


def test_overrides_are_the_difference_from_what_is_inherited(mine):
    assert overrides(schemes.load(mine)) == differences(schemes.load(XIAN), schemes.load(mine))
    assert run(mine, "--overrides") == run(XIAN, mine)
    assert overrides(schemes.load(XIAN)) == []
    inherited = {one.section for one in overrides(schemes.load("xx-process-100"))}
    assert inherited <= {"ability", "bands", "adjust", "result", "evidence"}


def test_as_data(mine):
    found = json.loads(run(XIAN, mine, "--json")[1])
    assert [one for one in found if one["path"] == "compose.sources.peer"] == [
        {
            "kind": "changed", "path": "compose.sources.peer", "names": ["综合得分", "评分来源与权重", "互评"],
            "before": "0.40", "after": "0.30", "source_before": "default (X-05)", "source_after": "校务会2025-3",
        }
    ]  # fmt: skip
    assert {one["kind"] for one in found} == {"added", "removed", "changed", "source"}


def test_there_and_back():
    one, other = schemes.load("fuqing-30"), schemes.load("fuqing-50")
    turned = {"added": "removed", "removed": "added", "changed": "changed", "source": "source"}
    there = {(each.path, turned[each.kind]) for each in differences(one, other)}
    assert there == {(each.path, each.kind) for each in differences(other, one)}


def test_one_of_the_two_is_needed(mine):
    assert run(mine)[0] == 2
    assert run(mine, XIAN, "--overrides")[0] == 2


def test_in_english_the_fields_are_named_in_english(mine):
    token = language.set("en")
    try:
        _status, told = run(XIAN, mine)
    finally:
        language.reset(token)
    assert "【compose】" in told
    assert "· sources: peer changed from 0.40 to 0.30" in told
    assert "publicity" in told
    assert "互评" not in told


def test_a_scheme_departs_from_what_it_inherits_or_from_the_embedded_one_of_its_id():
    own = schemes.parse(MINE, source="mine.yaml")
    title = schemes.load(XIAN).title_zh
    assert departures(own) == (title, overrides(own))
    renamed = schemes.parse(written({**schemes.load(XIAN).document, "title_zh": "本校方案"}), source="mine.yaml")
    assert [(one.path, one.before, one.after) for one in departures(renamed)[1]] == [("title_zh", title, "本校方案")]
    alone = {**schemes.load(XIAN).document, "id": "mine", "inherits": {}}
    assert departures(schemes.parse(written(alone), source="mine.yaml")) is None
