"""Every number of the built-in schemes, with the rule it comes from, against a table that is kept apart from the YAML.

The tables in golden/ were drafted from the YAML and then compared number by number with the source documents' tables;
a number changed in one place alone fails here.
"""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from review_flow import schemes
from review_flow.rules.paths import key_of, source_of
from tests.schemes.golden_numbers import numbers
from tests.schemes.test_coverage import RULES

NAMES = [*(one.id for one in schemes.available()), "defaults"]
RUN = re.compile(r"[0-9]+")
WHOLE_DOCUMENT = {"000-A", "004"}  # a title or date of the document itself, which has no rule number


def golden(name: str) -> dict[str, list[str]]:
    return json.loads((Path(__file__).parent / "golden" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_each_number_is_the_documents(name):
    written = schemes.page(name).data
    table = golden(name)
    assert numbers(written) == {path: value for path, (value, _rule) in table.items()}
    sources = written.get("sources", {})
    assert {path: source_of(sources, path).rule for path in table} == {path: rule for path, (_v, rule) in table.items()}


def test_each_number_comes_from_a_rule_or_says_that_it_is_ours():
    cited = {rule for name in NAMES for _value, rule in golden(name).values()}
    assert cited - set(RULES) - {"default"} == WHOLE_DOCUMENT


@pytest.mark.parametrize("name", NAMES)
def test_any_number_changed_is_noticed(name):
    written = schemes.page(name).data
    for path, value in numbers(written).items():
        for digits in RUN.finditer(value):
            other = deepcopy(written)
            put(other, path, value[: digits.start()] + str(int(digits[0]) + 1) + value[digits.end() :])
            assert numbers(other) != numbers(written), path


def put(document: Any, path: str, value: object) -> None:
    *above, last = path.split(".")
    node = document
    for part in above:
        node = (
            node[part]
            if isinstance(node, dict)
            else next(one for at, one in enumerate(node) if key_of(one, at) == part)
        )
    node[last if isinstance(node, dict) else int(last)] = value
