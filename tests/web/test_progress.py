from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from models import Assignment, Message, Person, Submission
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import AssignmentState
from review_flow.steps import reassign
from tests.cast import Clock, School, queries
from tests.stages import stage
from tests.web.conftest import Web


@stage
def begun(session, _clock: Clock) -> School:
    """Six teachers; two have sealed, and their works have reviewers."""
    school = School(session, teachers=6).open()
    for person in school.teachers[:2]:
        school.ready(person)
        school.seal(person)
    school.allocate()
    return school


@pytest.fixture
def admin(web: Web, begun: School) -> Iterator[TestClient]:
    with web.of("A01") as client:
        yield client


def test_the_page_says_who_is_where_and_sends_again_only_what_changed(
    admin: TestClient, web: Web, begun: School
) -> None:
    place = f"/school/rounds/{begun.round.id}/progress"
    whole = admin.get(place).text
    assert ("6人参评" in whole, "阅读方案" in whole, begun.teachers[3].name in whole) == (True, True, True)
    again = re.search(r'hx-get="([^"]*part[^"]*)"', whole)
    assert again is not None
    part = again[1].replace("&amp;", "&")
    assert admin.get(part).status_code == 204
    of_stage = re.search(r'hx-get="([^"]*part[^"]*)"', admin.get(f"{place}?stage=read").text)
    assert of_stage is not None
    assert admin.get(of_stage[1].replace("&amp;", "&")).status_code == 204
    assert begun.teachers[0].number not in admin.get(f"{place}?stage=read").text
    assert "T03" in admin.get(f"{place}?word=T03").text
    assert admin.post(f"/school/rounds/{begun.round.id}/remind", data={"stage": "read"}).status_code == 303
    changed = admin.get(part)
    assert (changed.status_code, "提醒过" in changed.text, "<html" in changed.text) == (200, True, False)
    assert admin.post(f"/school/rounds/{begun.round.id}/remind", data={"stage": "read"}).status_code == 429
    told = begun.session.scalars(select(Message).where(Message.kind == "progress.reminder")).all()
    assert len(told) == 4


def test_one_teacher_is_reminded_relieved_and_exempted(admin: TestClient, web: Web, begun: School) -> None:
    enrolment = begun.enrolment(begun.teachers[4])
    web.release()
    place = f"/school/enrolments/{enrolment.id}"
    assert begun.teachers[4].name in admin.get(place).text
    for deed, data in (
        ("remind", {}),
        ("deliver", {}),
        ("cap", {"most": "2"}),
        ("leave-reviewing", {"yes": "yes"}),
        ("exempt", {"yes": "yes", "reason": "病假"}),
    ):
        answer = admin.post(f"{place}/{deed}", data=data)
        assert (deed, answer.headers.get("location")) == (deed, place)
    assert "免训：病假" in admin.get(place).text
    assert admin.post(f"{place}/cap", data={"most": "many"}).status_code == 422


def test_works_that_lack_judges_are_never_unseen(admin: TestClient, web: Web, begun: School) -> None:
    work = begun.session.scalars(select(Submission).order_by(Submission.id)).all()[0]
    was, work.state = work.state, SubmissionState.IN_PANEL
    web.release()
    page = admin.get(f"/school/rounds/{begun.round.id}/progress").text
    lacking = page[page.index("等考核组的") :]
    assert ("缺3名考核组成员，请增加席位" in lacking, "没有要等的" in lacking) == (True, False)
    assert f'href="/school/rounds/{begun.round.id}#panel"' in lacking
    work.state = was


def test_a_task_is_moved_with_its_effect_shown_first(admin: TestClient, web: Web, begun: School) -> None:
    one = begun.session.scalars(select(Assignment).order_by(Assignment.id)).first()
    assert one is not None
    to = reassign.candidates(begun.session, actor=begun.admin, assignment=one)[0].person
    web.release()
    assert f"/school/tasks/{one.id}" in admin.get(f"/school/rounds/{begun.round.id}/reviews").text
    place = f"/school/tasks/{one.id}"
    shown = admin.get(place).text
    assert (to.name in shown, "变为" in shown) == (True, True)
    assert admin.post(f"{place}/prolong", data={"until": "2026-03-12", "reason": "生病"}).headers["location"] == place
    answer = admin.post(f"{place}/move", data={"to": to.number, "reason": "产假", "yes": "yes"})
    assert answer.status_code == 303
    assert to.name in admin.get(answer.headers["location"]).text
    begun.session.refresh(one)
    assert one.state is AssignmentState.WITHDRAWN


def test_a_page_of_progress_asks_the_same_of_many(admin: TestClient, web: Web, begun: School) -> None:
    def asked() -> int:
        with queries(begun.session) as sent:
            admin.get(f"/school/rounds/{begun.round.id}/progress")
        return len(sent)

    few = asked()
    for person in begun.session.scalars(select(Person).where(Person.number.startswith("T"))).all()[2:]:
        begun.ready(person)
    web.release()
    assert asked() == few
