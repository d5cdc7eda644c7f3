from __future__ import annotations

import re

from fastapi.routing import APIRoute

from models import Message
from review_flow.rules.webhooks import EVENTS
from review_flow.steps import messages
from review_flow.web import ways
from tests.cast import School
from tests.web.conftest import Web


def tell(school: School, number: int, *texts: str) -> list[Message]:
    told = {"person_id": school.teachers[number].id, "round_id": school.round.id, "kind": "test", "sentence": "{text}"}
    return [messages.tell(school.session, **told, text=text) for text in texts]


def test_what_is_new_stands_in_the_head_on_the_home_page_and_on_its_own_until_it_was_read(
    web: Web, school: School
) -> None:
    made = tell(school, 0, "甲事", "乙事", "丙事", "<b>丁事")
    tell(school, 1, "秘密")
    with web.of("T01") as client:
        home = client.get("/").text
        assert "4条未读" in home
        assert re.findall("[甲乙丙丁]事", home) == ["丁事", "丙事", "乙事"]
        page = client.get("/messages").text
        assert re.findall("[甲乙丙丁]事", page) == ["丁事", "丙事", "乙事", "甲事"]
        assert ("&lt;b&gt;" in page, "秘密" in page, page.count(">未读<")) == (True, False, 4)
        assert page.count('aria-current="page"') == 1
        assert f'name="message" value="{made[3].id}"' in page
        by_itself = client.post("/messages/read", data={"message": made[2].id}, headers={"hx-request": "true"})
        assert (by_itself.status_code, by_itself.text) == (204, "")
        assert "1条未读" in client.get("/").text
        assert client.post("/messages/read", data={"message": made[3].id}).headers["location"] == "/messages"
        after = client.get("/messages").text
        assert ("未读" in after, "/messages/read" in after, "丁事" in after) == (False, False, True)
        assert "新消息" not in client.get("/").text
    with web.of("T02") as client:
        assert "1条未读" in client.get("/me").text


def test_many_messages_stand_on_pages_and_none_is_said(web: Web, school: School) -> None:
    tell(school, 0, *(f"第{number}件" for number in range(51)))
    with web.of("T01") as client:
        assert "第1页，共2页" in client.get("/messages").text
        assert re.findall("第[0-9]+件", client.get("/messages?page=2").text) == ["第0件"]
    with web.of("T03") as client:
        assert "还没有消息" in client.get("/messages").text


def test_every_kind_of_message_leads_to_a_page_of_ours(web: Web, school: School) -> None:
    assert (set(ways.WAYS), set(ways.OF_ADMINISTRATORS) - set(ways.WAYS)) == (set(EVENTS), set())
    pages = [one for one in web.app.routes if isinstance(one, APIRoute) and "GET" in one.methods]
    for way in {*ways.WAYS.values(), *ways.OF_ADMINISTRATORS.values()}:
        assert [one.path for one in pages if one.path_regex.match(way.format(round=7))], way


def test_a_message_leads_to_where_one_acts(web: Web, school: School) -> None:
    key, told = school.round.id, {"person_id": school.teachers[0].id, "sentence": "{text}"}
    for kind, round_id in (("adjustment.notified", key), ("review.assigned", None), ("result.published", None)):
        messages.tell(school.session, **told, round_id=round_id, kind=kind, text=kind)
    for person in (school.teachers[0], school.admin):
        messages.tell(
            school.session, person_id=person.id, round_id=key, kind="duty.overdue", sentence="{text}", text="逾期"
        )
    with web.of("T01") as client:
        for path in ("/messages", "/"):
            page = client.get(path).text
            assert f'<a href="/rounds/{key}/records">adjustment.notified</a>' in page or path == "/"
            assert '<a href="/reviews">review.assigned</a>' in page
            assert "result.published</a>" not in page
            assert '<a href="/reviews">逾期</a>' in page
    with web.of("A01") as admin:
        assert f'<a href="/school/rounds/{key}/progress">逾期</a>' in admin.get("/messages").text
