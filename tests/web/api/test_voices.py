"""Marks beside peers and panel by programs: a teacher's own, a member's from the classroom."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select

from models import Fact
from tests.cast import School
from tests.stages import stage
from tests.steps.test_voices import weighed
from tests.web.api.conftest import Program
from tests.web.conftest import Web


@stage
def asked(session, _clock) -> School:
    return School(session, teachers=2, scheme=weighed()).open()


def test_a_teacher_marks_themselves_until_the_grade_is_confirmed(web: Web, asked: School, program: Program) -> None:
    address = f"/rounds/{asked.round.id}/self-mark"
    with program("T01") as client, program("P1") as member:
        assert client.get(address).json() == {"mark": None, "open": True}
        for wrong in ("abc", "1e3", "٣", "-1", "12.345"):
            assert (wrong, client.post(address, json={"mark": wrong}).json()["code"]) == (wrong, "bad-input")
        assert client.post(address, json={"mark": "101"}).json()["code"] == "not-told"
        assert client.post(address, json={"mark": "90"}).json() == {"mark": "90.00", "open": True}
        assert client.post(address, json={"mark": "92.5"}).json() == {"mark": "92.50", "open": True}
        assert client.get(address).json()["mark"] == "92.50"
        assert member.get(address).status_code == 404
    given = web.session.execute(select(Fact.number, Fact.struck_at.is_(None)).order_by(Fact.id)).all()
    assert [tuple(one) for one in given] == [(Decimal(90), False), (Decimal("92.5"), True)]


def test_a_member_marks_the_lessons_that_they_saw(web: Web, asked: School, program: Program) -> None:
    address = f"/rounds/{asked.round.id}/visits"
    whose = asked.enrolment(asked.teachers[0]).id
    with program("P1") as member, program("P4") as reserve, program("T02") as teacher:
        first, *_others = member.get(address).json()["items"]
        assert (first["enrolment_id"], first["number"], first["mark"]) == (whose, "T01", None)
        said = {"enrolment_id": whose, "mark": "88"}
        assert [one.post(address, json=said).status_code for one in (reserve, teacher)] == [404, 404]
        assert member.post(address, json={**said, "enrolment_id": 987_654}).status_code == 404
        assert member.post(address, json={**said, "mark": "100.5"}).json()["code"] == "not-told"
        marks = ("88", "88", "90")
        told = [member.post(address, json={**said, "mark": mark}).json()["outcome"] for mark in marks]
        assert told == ["added", "unchanged", "superseded"]
        assert member.get(f"{address}?limit=1").json()["items"] == [{**first, "mark": "90.00"}]
        assert reserve.get(address).status_code == 404


def test_where_the_scheme_has_none_there_is_nothing(web: Web, opened: School, program: Program) -> None:
    with program("T01") as teacher, program("P1") as member:
        assert teacher.get(f"/rounds/{opened.round.id}/self-mark").status_code == 404
        assert member.get(f"/rounds/{opened.round.id}/visits").status_code == 404
