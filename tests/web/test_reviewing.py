from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from starlette.datastructures import FormData

from models import Assignment, Submission
from review_flow.rules.words import AssignmentState
from review_flow.steps import reviews
from review_flow.web.drafts import form_of
from tests.cast import School
from tests.web.conftest import Web, filled


@pytest.fixture
def task(opened: School) -> Assignment:
    """The first task of 王芳, all works sealed."""
    for person in opened.teachers:
        opened.ready(person)
        opened.seal(person)
    opened.allocate()
    return reviews.tasks_of(opened.session, person=opened.teachers[0], round_=opened.round)[0]


def test_a_form_is_what_its_fields_say() -> None:
    fields = FormData([("item:c1", "a"), ("item:c1", "b"), ("mark:c1", " ８５ "), ("mark:c2", ""), ("level:s", "合格")])
    assert form_of(fields) == {
        "components": {"c1": {"items": ["a", "b"], "mark": "85"}},
        "evidence_levels": {"s": "合格"},
        "comment": "",
    }


def test_a_draft_is_kept_restored_elsewhere_and_handed_in(web: Web, opened: School, task: Assignment) -> None:
    good = filled(opened, opened.session.get_one(Submission, task.submission_id))
    address = f"/reviews/{task.id}"
    with web.of("T01") as phone:
        assert address in phone.get("/reviews").text
        kept = phone.post(f"{address}/draft", data={"comment": "写了一半"}, headers={"hx-request": "true"})
        assert ("草稿已保存" in kept.text, "<html" in kept.text) == (True, False)
    with web.of("T01") as desk:
        page = desk.get(address).text
        assert "写了一半" in page
        assert not [one.name for one in opened.teachers[1:] if one.name in page]
        refused = desk.post(f"{address}/submit", data={"comment": "短"}, headers={"hx-request": "true"})
        assert (refused.status_code, '<a href="#comment">评语至少' in refused.text) == (422, True)
        whole = desk.post(f"{address}/submit", data={"comment": "短"})
        assert (whole.status_code, "评审表还不完整：" in whole.text) == (422, True)
        assert desk.post(f"{address}/submit", data=good).headers["location"] == "/reviews?done=1"
        assert desk.post(f"{address}/submit", data=good).status_code == 409
        assert desk.get(address).status_code == 409
    opened.session.refresh(task)
    assert task.state is AssignmentState.DONE


def test_a_task_is_given_back_with_a_reason(web: Web, opened: School, task: Assignment) -> None:
    with web.of("T01") as client:
        assert client.post(f"/reviews/{task.id}/decline", data={"reason": " "}).status_code == 422
        assert "谢绝过这份成果" not in client.get(f"/reviews/{task.id}").text
        assert client.post(f"/reviews/{task.id}/decline", data={"reason": "视频打不开"}).status_code == 303
        while True:  # it comes back last
            taken = client.post(f"/rounds/{task.round_id}/claim").headers["location"]
            if "谢绝过这份成果（理由：视频打不开）" in client.get(taken).text:
                break
    opened.session.refresh(task)
    assert (task.state, task.declined_reason) == (AssignmentState.DECLINED, "视频打不开")


def test_another_s_task_is_not_there(web: Web, opened: School, task: Assignment) -> None:
    with web.of("T02") as colleague, web.of("A01") as admin:
        for client in (colleague, admin):
            assert client.get(f"/reviews/{task.id}").status_code == 404
            for deed in ("draft", "submit", "decline"):
                assert client.post(f"/reviews/{task.id}/{deed}").status_code == 404


def test_files_are_named_by_slot_for_a_reviewer(web: Web, opened: School, task: Assignment) -> None:
    with web.of("T01") as client:
        page = client.get(f"/reviews/{task.id}").text
    assert re.search(r"打开[\w-]+-\d+\.mp4", page)


def test_one_more_is_claimed_as_long_as_there_is_one(web: Web, opened: School) -> None:
    for person in opened.teachers[:2]:
        opened.ready(person)
        opened.seal(person)
    claim = f"/rounds/{opened.round.id}/claim"
    with web.of("T01") as client:
        answers = [client.post(claim) for _time in range(4)]
    assert [one.status_code for one in answers] == [303, 303, 303, 404]
    assert answers[0].headers["location"].startswith("/reviews/")
    assert "目前没有可供您互评的成果" in answers[3].text


def test_a_draft_saved_after_the_session_ended_keeps_the_form_and_shows_the_way_back(
    web: Web, opened: School, task: Assignment
) -> None:
    address = f"/reviews/{task.id}"
    with web.stranger() as client:
        on = {"hx-request": "true", "hx-current-url": f"http://school.test{address}"}
        for way in ("draft", "submit"):
            answer = client.post(f"{address}/{way}", data={"comment": "写了很久的评语"}, headers=on)
            assert (answer.status_code, answer.headers["hx-retarget"]) == (401, "#refusal")
            assert "hx-redirect" not in answer.headers
            assert [
                word for word in ("登录已过期", "文字还在这一页", 'target="_blank"') if word not in answer.text
            ] == []
            assert f'href="/enter?next={quote(address, safe="")}"' in answer.text
