from dataclasses import replace

import pytest

from review_flow import schemes
from review_flow.rules.sections import Tier
from review_flow.rules.selection import school_list_problems, selection_problems

XIAN = schemes.load("xian-2022-appraisal")
MICRO = XIAN.catalogue
LIST = ["A1", "A3", "A5", "A11"]


def tiers(*tiers, **school):
    select = replace(XIAN.select, tiers=tiers, school=replace(XIAN.select.school, **school))
    return replace(XIAN, select=select)


def teacher(**rule):
    return replace(XIAN, select=replace(XIAN.select, teacher=replace(XIAN.select.teacher, **rule)))


@pytest.mark.parametrize(
    ("chosen", "texts"),
    [
        (["A1", "A3", "A5"], []),
        (["A1", "A3", "B1"], ["B1不在本校的微能力清单里。", "还差1个维度（应覆盖3个，现有学情分析、教学设计），可从学法指导、学业评价中选。"]),
        (["A1", "A1", "A3", "A5"], ["A1选了两次。"]),
        (["A1", "A3", "A5", "X9"], ["微能力目录里没有“X9”。"]),
        (["A1"], ["至少选3项，还差2项。", "还差2个维度（应覆盖3个，现有学情分析），可从教学设计、学法指导、学业评价中选。"]),
        ([], ["至少选3项，还差3项。", "还差3个维度（应覆盖3个，现有0个），可从学情分析、教学设计、学法指导、学业评价中选。"]),
    ],
)  # fmt: skip
def test_a_teachers_choice(chosen, texts):
    assert [problem.text for problem in selection_problems(XIAN, MICRO, LIST, chosen, tier=None)] == texts


def test_at_most():
    (problem,) = selection_problems(teacher(max=3), MICRO, LIST, LIST, tier=None)
    assert (problem.code, problem.text) == ("too_many", "最多选3项，多了1项。")


def test_free_choice_from_the_catalogue():
    assert selection_problems(teacher(within="catalogue"), MICRO, [], ["A1", "A3", "A5"], tier=None) == []


def test_a_list_that_has_nothing_to_add():
    (problem,) = selection_problems(XIAN, MICRO, ["A5", "A6", "A7"], ["A5", "A6", "A7"], tier=None)
    assert problem.text == "还差2个维度（应覆盖3个，现有学法指导），清单里没有可补的。"


def test_tiers_have_their_own_numbers():
    scheme = tiers(Tier("core", "核心组", min=5), Tier("guide", "指导组", max=4, min_dimensions=2))
    (problem,) = selection_problems(scheme, MICRO, LIST, LIST, tier="core")
    assert problem.text == "至少选5项，还差1项。"
    assert selection_problems(scheme, MICRO, LIST, ["A1", "A3", "B1"], tier="guide")[0].code == "outside_list"
    assert scheme.teacher_selection("nobody") == XIAN.select.teacher


def test_a_schools_list():
    assert school_list_problems(XIAN, MICRO, LIST) == []
    assert [one.code for one in school_list_problems(XIAN, MICRO, ["A5", "A6"])] == ["too_few", "dimensions"]
    eight = tiers(exactly=8)
    assert [one.text for one in school_list_problems(eight, MICRO, LIST)] == ["至少选8项，还差4项。"]
    nine = [f"A{number}" for number in range(1, 10)]
    assert [one.text for one in school_list_problems(eight, MICRO, nine)] == ["最多选8项，多了1项。"]


def test_a_list_must_serve_its_most_demanding_tier():
    scheme = tiers(Tier("core", "核心组", min=5, min_dimensions=4))
    assert [one.text for one in school_list_problems(scheme, MICRO, ["A1", "A3", "A5"])] == [
        "至少选5项，还差2项。",
        "还差1个维度（应覆盖4个，现有学情分析、教学设计、学法指导），可从学业评价中选。",
    ]


def test_a_school_without_such_an_environment() -> None:
    lishu = schemes.load("lishu-2022-implementation")
    problems = school_list_problems(lishu, lishu.catalogue, ["A1", "A3", "B2", "C7", "A5"])
    assert [(one.code, one.text) for one in problems] == [("environment", "B2、C7不属于本校的教学环境（A）。")]
    assert school_list_problems(lishu, lishu.catalogue, ["A1", "A3", "A5"]) == []
