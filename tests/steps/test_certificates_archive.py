"""The archive holds every version of a certificate, and its check finds out those that nothing grants."""

from __future__ import annotations

import json
import shutil

import pytest

from review_flow.db import make_engine, transaction
from review_flow.steps import exports, results
from tests.cast import Clock, School, certified
from tests.steps.test_appeals import file, hear, result_of, to_sign
from tests.steps.test_certificates import issue, valid
from tests.steps.test_exports import Forger
from tests.steps.test_results import graded, published, scoring


@pytest.fixture(scope="module")
def archived(templates, tmp_path_factory) -> bytes:
    """62, two certificates, an appeal upheld with 66, one issued anew: N29 on paper."""
    path = tmp_path_factory.mktemp("archived") / "review-flow.db"
    shutil.copy(templates.sqlite(), path)
    engine, clock = make_engine(f"sqlite:///{path}"), Clock()
    with transaction(engine) as session:
        school = School(session, teachers=1, scheme=certified())
        graded(school, "62")
        scoring(school, clock)
        published(school)
        to_sign(school, clock)
        results.sign(session, actor=school.teachers[0], result=result_of(school))
        valid(school)
        appeal = file(school)
        for hearer in school.hearers[:2]:
            hear(school, appeal, hearer, marks=dict.fromkeys(("A1", "A3", "A5"), "66"))
        issue(school)
        made = exports.archive(session, round_=school.round)
    clock.stack.close()
    engine.dispose()
    return made


@pytest.fixture
def forger(archived, tmp_path) -> Forger:
    return Forger(archived, tmp_path)


def rows(forger: Forger) -> list[dict]:
    return json.loads(forger.files["certificates.json"])


def changed(forger: Forger, place: int, **values: object) -> list[str]:
    found = rows(forger)
    found[place].update(values)
    return forger.verify({"certificates.json": json.dumps(found).encode()})


def test_every_version_and_who_confirmed_it_is_held(forger: Forger) -> None:
    assert forger.verify({}) == []
    held = [(one["kind"], one["version"], one["state"]) for one in rows(forger)]
    assert held == [("pass", 1, "revoked"), ("joint", 1, "revoked"), ("pass", 2, "issued")]
    issuers = json.loads(forger.files["certificate_issuers.json"])
    assert [(one["name"], one["confirmed_at"] is None) for one in issuers] == [
        ("实验中学", False), ("培训机构", False), ("教师进修学校", False), ("实验中学", True),
    ]  # fmt: skip


def test_what_nothing_grants_is_named(forger: Forger) -> None:
    old, joint, fresh = (one["number"] for one in rows(forger))
    assert changed(forger, 0, state="issued") == [f"证书{old}没有现行结果作依据。"]
    assert changed(forger, 2, kind="top", version=1) == []
    assert changed(forger, 2, kind="other", version=1) == [f"证书{fresh}没有现行结果作依据。"]
    assert changed(forger, 2, outcome_digest="abc") == [f"证书{fresh}没有现行结果作依据。"]
    assert changed(forger, 2, enrolment_id=99, version=1) == [f"证书{fresh}没有现行结果作依据。"]
    assert changed(forger, 1, number=old) == [f"证书编号{old}有重复。"]
    assert changed(forger, 1, version=3) == [f"证书{joint}的前一版不在归档里。"]


def test_a_version_that_was_taken_out_and_a_result_without_its_parts_are_named(forger: Forger) -> None:
    fresh = rows(forger)[2]["number"]
    assert forger.verify({"certificates.json": json.dumps(rows(forger)[1:]).encode()}) == [
        f"证书{fresh}的前一版不在归档里。"
    ]
    standing = next(one for one in json.loads(forger.files["results.json"]) if one["current"])
    for folder in ("records", "outcomes"):
        name = f"{standing['id']}-v2.json"
        assert forger.verify({f"{folder}/{name}": None}) == [
            f"结果{name}的三份材料（结果表、依据、明细）不全。",
            f"证书{fresh}没有现行结果作依据。",
        ]


def test_a_table_that_cannot_be_read_is_said(forger: Forger) -> None:
    for table in (b"[{}]", b"1"):
        assert forger.verify({"certificates.json": table}) == ["证书表无法读取。"]
