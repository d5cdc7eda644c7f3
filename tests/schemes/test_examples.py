"""Every built-in scheme has an example record in docs/examples/schemes, and grades it."""

import json
from pathlib import Path

import pytest

from review_flow import schemes
from review_flow.rules.grading import grade

EXAMPLES = Path(schemes.__file__).parents[2] / "docs" / "examples" / "schemes"
GRADES = {
    "case1-tiers": ("84.60", "良好"),
    "case2-microcert": (None, "合格"),
    "fuqing-30": (None, "合格"),
    "fuqing-50": ("100.00", "优秀"),
    "fuqing-workshop-ops": (None, "未完成"),
    "fuyu-2020-50": (None, "合格"),
    "lishu-2022-implementation": ("84.29", "优秀"),
    "official-conjunctive": (None, "合格"),
    "quanzhou-2016-80": (None, "合格"),
    "region-template": (None, "合格"),
    "xian-2022-appraisal": ("83.20", "优秀"),
    "xx-process-100": ("83.80", "优秀"),
}


@pytest.mark.parametrize("name", [one.id for one in schemes.available()])
def test_each_scheme_grades_its_example(name):
    record = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"), parse_float=str)
    outcome = grade(schemes.load(name), record)
    assert (None if outcome.score is None else str(outcome.score), outcome.grade) == GRADES[name]
    assert "not_judged" not in outcome.flags
    assert all(line.rule for line in outcome.ledger)


def test_no_example_is_left_over():
    assert sorted(path.stem for path in EXAMPLES.glob("*.json")) == sorted(GRADES)
