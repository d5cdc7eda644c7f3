from decimal import Decimal

import pytest

from review_flow import schemes
from review_flow.errors import NotFound
from review_flow.schemes import SchemeInvalid
from review_flow.schemes.document import read_own, read_page, written

MINE = """\
schema: kaohe/1
id: mine
title_zh: 本校方案
inherits: {"*": xian-2022-appraisal}
compose: {sources: {peer: 0.30, panel: 0.70}}
sources: {compose.sources: 校务会2022-3}
"""


def test_the_built_in_schemes():
    assert [one.id for one in schemes.available()] == [
        "case1-tiers", "case2-microcert", "fuqing-30", "fuqing-50", "fuqing-workshop-ops", "fuyu-2020-50",
        "lishu-2022-implementation", "official-conjunctive", "quanzhou-2016-80", "region-template", "xian-2022-appraisal",
        "xx-process-100",
    ]  # fmt: skip
    assert schemes.load("xian-2022-appraisal").title_zh.startswith("学校2022教师")


def test_the_catalogue_of_thirty():
    micro = schemes.catalogue("micro30")
    assert len(micro.abilities) == 30
    environments = [ability.environment for ability in micro.abilities]
    assert [environments.count(name) for name in "ABC"] == [13, 10, 7]
    dimensions = [ability.dimension for ability in micro.abilities]
    assert [dimensions.count(name) for name in micro.dimensions] == [2, 7, 14, 7]
    assert {ability.code for ability in micro.abilities if ability.verified} == {"A1", "A3", "B2", "B6"}
    assert all(any(slot.shows_teacher for slot in ability.slots) for ability in micro.abilities)
    assert [(slot.id, slot.count) for slot in micro.get("A5").slots][-1] == ("voices", 2)
    assert micro.get("Z1") is None
    assert micro.dimensions_of(["A11", "A1", "Z1"]) == ("学情分析", "学业评价")


def test_a_scheme_of_ones_own_inherits_the_rest():
    mine, parent = schemes.parse(MINE, source="mine.yaml"), schemes.load("xian-2022-appraisal")
    assert mine.compose.sources == {"peer": Decimal("0.30"), "panel": Decimal("0.70")}
    assert mine.bands == parent.bands
    assert mine.adjust == parent.adjust
    assert str(mine.source("compose.sources.peer")) == "校务会2022-3"
    assert str(mine.source("compose.rule")) == "001-A-41"
    assert str(mine.source("adjust.deductions.absence.each")) == "001-A-36"
    assert "weights" not in [unknown.id for unknown in mine.unconfirmed()]
    assert mine.digest != parent.digest


def test_a_section_or_a_part_of_one_may_be_inherited():
    text = """\
schema: kaohe/1
id: part
title_zh: 部分继承
inherits: {adjust.deductions: xian-2022-appraisal, nowhere: xian-2022-appraisal}
"""
    part = schemes.parse(text, source="part.yaml")
    assert [one.id for one in part.adjust.deductions] == ["late_material", "late_arrival", "absence"]
    assert part.adjust.bonuses == ()
    assert str(part.source("adjust.deductions.absence.each")) == "001-A-36"
    assert str(part.source("adjust.clamp")) == "default (X-13)"


def test_a_broad_source_never_claims_what_was_inherited():
    text = MINE + "review: {peer: {give: 4}}\n"
    text = text.replace("sources: {compose", "sources: {review: 校务会2022-4, compose")
    mine = schemes.parse(text, source="mine.yaml")
    assert str(mine.source("review.peer.give")) == "校务会2022-4"
    assert str(mine.source("review.peer.receive_min")) == "default (X-42)"


def test_a_catalogue_of_ones_own():
    text = """\
schema: kaohe/1
id: kindergarten
title_zh: 幼儿园
catalogue:
  id: kindergarten
  title_zh: 幼儿园能力
  dimensions: [观察, 活动]
  abilities:
    - {code: K1, name_zh: 观察记录, dimension: 观察, environment: A}
    - {code: K2, name_zh: 活动设计, dimension: 活动, environment: A, slots: [{id: plan, name_zh: 方案}]}
select: {school: {min_dimensions: 2}, teacher: {min: 2, min_dimensions: 2}}
sources: {select: 园务会}
"""
    scheme = schemes.parse(text, source="k.yaml")
    assert [ability.code for ability in scheme.catalogue.abilities] == ["K1", "K2"]
    assert [slot.id for slot in scheme.slots("K1")] == ["material"]
    assert [slot.id for slot in scheme.slots("K2")] == ["plan"]


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("\ufeff" + MINE, encoding="utf-8")
    assert schemes.load(path).id == "mine"


def test_numbers_are_kept_as_written():
    page = read_page("a: 0.40\nb: 2022-03-01\nc: 7\nd: [1.50, true, null]\n", source="x")
    assert page.data == {"a": "0.40", "b": "2022-03-01", "c": 7, "d": ["1.50", True, None]}


@pytest.mark.parametrize("file", sorted(schemes.HERE.glob("*.yaml")), ids=lambda file: file.stem)
def test_what_comes_with_the_program_is_read_as_anybody_elses(file):
    text = file.read_text(encoding="utf-8")
    own, strict = read_own(text, source=file.name), read_page(text, source=file.name)
    assert repr(own.data) == repr(strict.data)
    assert own.line("title_zh") == strict.line("title_zh") > 0


def test_what_does_not_exist():
    for ask in (lambda: schemes.load("nowhere"), lambda: schemes.document("nowhere"), lambda: schemes.page("nowhere")):
        with pytest.raises(NotFound) as refused:
            ask()
        assert str(refused.value) == "找不到考核方案“nowhere”。"
    for name in ("nowhere", "xian-2022-appraisal"):
        with pytest.raises(NotFound) as refused:
            schemes.catalogue(name)
        assert str(refused.value) == f"找不到微能力目录“{name}”。"


def test_a_scheme_with_mistakes_is_not_loaded():
    with pytest.raises(SchemeInvalid) as refused:
        schemes.parse("schema: kaohe/1\nid: x\ntitle_zh: 甲\nbandz: 1\n", source="x.yaml")
    assert str(refused.value) == "考核方案有1处错误：x.yaml:4 bandz：不认识的字段“bandz”，是不是“bands”？"
    assert refused.value.code == "scheme-invalid"


@pytest.mark.parametrize("name", ["official-conjunctive", "fuqing-workshop-ops"])
def test_a_complete_document_written_out_is_the_same_scheme_again(name):
    scheme = schemes.load(name)
    assert schemes.parse(written(scheme.document), source="again.yaml").digest == scheme.digest
