from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_flow import schemes
from review_flow.rules.certificates import (
    SIGNS,
    certificates_granted,
    genuine,
    ledger_hours,
    masked,
    number_of,
    resting_on,
    rests_on,
)
from review_flow.rules.grading import grade
from review_flow.rules.scheme import Scheme

KEY, OTHER = bytes(range(32)), bytes(32)
FUQING, QUANZHOU = schemes.load("fuqing-50"), schemes.load("quanzhou-2016-80")
EXAMPLES = Path(__file__).parents[2] / "docs/examples/schemes"


def example(scheme: Scheme) -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{scheme.id}.json").read_text(encoding="utf-8"))


def test_a_number_is_always_the_same_of_the_same_chance_and_key() -> None:
    assert number_of(bytes(8), key=KEY) == "0000-0000-00QS-RCCB"
    assert number_of(bytes([255] * 8), key=KEY)[:12] == "ZZZZ-ZZZZ-ZZ"
    assert number_of(bytes(8), key=OTHER) != number_of(bytes(8), key=KEY)


@given(st.binary(min_size=8, max_size=8))
def test_a_number_is_known_again_as_people_copy_it(chance: bytes) -> None:
    number = number_of(chance, key=KEY)
    copied = f" {number.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')}"
    assert genuine(number, keys=[KEY]) == genuine(copied, keys=[KEY]) == number
    assert genuine(number, keys=[OTHER]) is None
    assert genuine(number, keys=[OTHER, KEY]) == number  # made before the key was changed


@given(st.binary(min_size=8, max_size=8), st.integers(0, 18), st.sampled_from(SIGNS))
def test_a_mistyped_number_is_refused(chance: bytes, place: int, sign: str) -> None:
    number = number_of(chance, key=KEY)
    if number[place] not in {sign, "-"}:
        assert genuine(number[:place] + sign + number[place + 1 :], keys=[KEY]) is None


@pytest.mark.parametrize("text", ["", "7K3D", "7K3D-9QXM-R2HV-8TWU", "7K3D-9QXM-R2HV-8TWC-0", "王芳"])
def test_what_is_no_number_is_refused(text: str) -> None:
    assert genuine(text, keys=[KEY]) is None


def test_a_stranger_reads_the_family_name_alone() -> None:
    assert [masked(name) for name in ("王芳", "欧阳小明", "王", "Ann")] == ["王*", "欧***", "*", "A**"]


def granted(scheme: Scheme, record: dict[str, Any], confirmed: str | None = None) -> set[str]:
    outcome = grade(scheme, record).as_json()
    return certificates_granted(scheme, record, outcome, confirmed=confirmed or str(outcome["grade"]))


def test_quanzhou_grants_two_and_the_provincial_one_on_top() -> None:
    """003-17, 003-18."""
    record = example(QUANZHOU)
    outcome = grade(QUANZHOU, record)
    assert granted(QUANZHOU, record) == {one.id for one in outcome.certificates if one.granted}
    full = {**record, "hours": {"network": "50", "practice": "30"}, "tests": {"network": "合格", "practice": "合格"}}
    full.pop("themes", None)
    assert granted(QUANZHOU, full) == {"c50", "c30", "provincial"}
    assert granted(QUANZHOU, {**full, "hours": {"network": "50", "practice": "29"}}) == {"c50"}
    assert [rests_on(one) for one in QUANZHOU.certificates] == [(), (), ("c50", "c30")]
    assert resting_on(QUANZHOU.certificates, ["c30"]) == {"provincial"}
    assert resting_on(QUANZHOU.certificates, ["provincial"]) == set()
    assert [ledger_hours(QUANZHOU, full, one) for one in QUANZHOU.certificates] == [Decimal(50), Decimal(30), None]


def test_who_fails_has_no_certificate() -> None:
    """000-A-21; also where the panel lowered what was proposed, and before it confirmed anything."""
    record = example(FUQING)
    outcome = grade(FUQING, record).as_json()
    assert granted(FUQING, record, "合格") == {"net_pass"}
    assert granted(FUQING, record, "优秀") == {"net_pass"}
    assert granted(FUQING, record, "不合格") == set()
    assert certificates_granted(FUQING, record, outcome, confirmed=None) == set()


def test_a_lowered_grade_is_judged_anew_where_there_is_no_number() -> None:
    document = QUANZHOU.document
    strict = {**document["certificates"][0], "when": "grade == 合格"}
    scheme = Scheme.from_document({**document, "certificates": [strict]})
    record = example(QUANZHOU)
    assert granted(scheme, record, "合格") == {"c50"}
    assert granted(scheme, record, "不合格") == set()
