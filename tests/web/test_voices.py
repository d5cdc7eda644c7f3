from __future__ import annotations

from decimal import Decimal

from models import Fact
from review_flow.steps import voices
from review_flow.web.render import MARK_TYPED
from tests.cast import School
from tests.stages import stage
from tests.steps.test_voices import weighed
from tests.web.conftest import Web

HTMX = {"hx-request": "true"}


@stage
def asked(session, _clock) -> School:
    """A scheme in which teachers and visitors of a lesson give marks."""
    return School(session, teachers=2, scheme=weighed()).open()


def test_a_teacher_gives_their_own_mark(web: Web, asked: School) -> None:
    address = f"/rounds/{asked.round.id}/self-mark"
    with web.of("T01") as teacher, web.of("P1") as member:
        assert address in teacher.get("/").text
        assert teacher.post(address, data={"mark": "abc"}, headers=HTMX).status_code == 422
        assert teacher.post(address, data={"mark": "101"}, headers=HTMX).status_code == 422
        assert f'pattern="{MARK_TYPED}"' in teacher.get("/").text
        assert teacher.post(address, data={"mark": "９２。５"}).headers["location"] == f"/rounds/{asked.round.id}"
        assert "您给自己评了92.50分。" in teacher.get("/").text
        assert member.post(address, data={"mark": "9"}).status_code == 404
    assert [(one.about, one.number) for one in asked.session.query(Fact)] == [("self", Decimal("92.5"))]


def test_where_the_scheme_has_none_nothing_is_asked(web: Web, opened: School) -> None:
    with web.of("T01") as teacher, web.of("P1") as member:
        assert "self-mark" not in teacher.get("/").text
        assert "/visits" not in member.get("/panel").text
        assert member.get(f"/panel/rounds/{opened.round.id}/visits").status_code == 404


def test_a_member_gives_the_mark_of_a_visit(web: Web, asked: School) -> None:
    address = f"/panel/rounds/{asked.round.id}/visits"
    said = {"teacher": "T01", "mark": "88"}
    with web.of("P1") as member, web.of("P4") as reserve, web.of("T02") as teacher:
        assert address in member.get("/panel").text
        assert [one.get(address).status_code for one in (reserve, teacher)] == [404, 404]
        assert [one.post(address, data=said).status_code for one in (reserve, teacher)] == [404, 404]
        assert member.post(address, data={**said, "teacher": "P2"}).status_code == 404
        assert member.post(address, data=said).headers["location"] == address
        assert '<td class="num">88.00</td>' in member.get(address).text
    given = voices.on_site_marks(asked.session, person=asked.members[0], round_=asked.round)
    assert given == {asked.enrolment(asked.teachers[0]).id: Decimal(88)}
