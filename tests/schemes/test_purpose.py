"""Which scheme is for what: said from the documents."""

from __future__ import annotations

from review_flow import schemes
from review_flow.schemes.purpose import PARTS, TEACHERS, WORKSHOPS, library


def test_every_scheme_stands_in_one_group_with_what_it_is_for() -> None:
    groups = dict(library())
    assert sorted(one.id for ones in groups.values() for one, _said in ones) == [one.id for one in schemes.available()]
    assert [one.id for one, _said in groups[WORKSHOPS]] == ["fuqing-workshop-ops"]
    assert [one.id for one, _said in groups[PARTS]] == ["official-conjunctive", "region-template"]
    said = {one.id: said for one, said in groups[TEACHERS]}
    assert said["fuqing-50"].startswith("适用于参训中学教师；考核学习任务、网络校本研修、资源分享；")
    assert said["xian-2022-appraisal"] == (
        "适用于全体参训教师；每人至少选3项微能力；考核课前备课、课中授课、课后辅导、课后评价等6项；"
        "总学时不少于50学时；实践应用学时不少于25学时"
    )
