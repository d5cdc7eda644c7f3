"""What a school has to confirm is said as the plan would say it, not by its path."""

from __future__ import annotations

from review_flow import schemes
from review_flow.i18n import language
from review_flow.schemes.telling import clauses_of

PATHS = {
    "calendar.correction.days": 5,
    "calendar.correction.working_days": True,
    "review.panel.on_spread": "arbiter",
    "gates.G2.expr": "component.ring1.done",
    "lock.amendable": ["components", "compose.sources"],
}


def test_values_are_named_as_in_the_plan() -> None:
    scheme = schemes.load("fuqing-50")
    assert clauses_of(scheme, PATHS) == [
        ("补正", "5个工作日（以1次为限）"),
        ("考核组评审：分歧过大时", "提请仲裁人评定"),
        ("“必考核项全部完成”：条件", "第一环节：信息技术支持下的教学设计完成"),
        ("可以修订的部分", "考核项目、评分来源与权重"),
    ]
    token = language.set("en")
    try:
        assert clauses_of(scheme, PATHS)[0] == ("correction", "days: 5; working days: yes; times: 1")
    finally:
        language.reset(token)
