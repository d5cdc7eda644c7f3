from __future__ import annotations

import json
import re
from datetime import date, timedelta

from sqlalchemy import select

from models import Adjustment, Consent, NominationConsent, PrivateNote
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.rules.words import AdjustmentKind, AdjustmentState, ConsentWay
from review_flow.steps import adjustments, gatherings, reviews, submissions
from tests.cast import School
from tests.stages import stage
from tests.steps.test_certificates import confirm, issue
from tests.steps.test_groups import Shop
from tests.steps.test_voices import answer, on_site, survey
from tests.web.conftest import Web

HTMX = {"hx-request": "true"}
F30 = scheme_files.load("fuqing-30")


@stage
def one_failed(session, clock) -> School:
    """A teacher whose third ability was marked 不合格."""
    school = School(session, teachers=1).open()
    [person] = school.teachers
    works = school.ready(person)
    school.seal(person)
    for work, level in zip(works, ("合格", "合格", "不合格"), strict=True):
        submissions.submit(session, actor=person, submission=work)
        reviews.close_short(session, submission=work)
        school.panel_marks(mark="85", level=level)
    return school


def test_hours_and_records_are_shown_and_one_is_contested(web: Web, opened: School) -> None:
    opened.ready(opened.teachers[0])
    told = adjustments.Told(AdjustmentKind.ABSENCE, date(2026, 3, 2), "签到表第3页", "k1")
    enrolment = opened.enrolment(opened.teachers[0])
    fact = adjustments.add(opened.session, actor=opened.members[0], enrolment=enrolment, told=told)
    with web.of("T01") as client, web.of("T02") as other:
        page = client.get(f"/rounds/{opened.round.id}/records").text
        assert ("50" in page, "签到表第3页" in page) == (True, True)
        assert client.post(f"/adjustments/{fact.id}/contest", data={"reason": " "}, headers=HTMX).status_code == 422
        assert other.post(f"/adjustments/{fact.id}/contest", data={"reason": "我"}).status_code == 404
        back = client.post(f"/adjustments/{fact.id}/contest", data={"reason": "那天在医院"}).headers["location"]
        assert "那天在医院" in client.get(back).text
    fact = opened.session.get_one(Adjustment, fact.id, populate_existing=True)
    assert fact.state is AdjustmentState.CONTESTED


def test_what_few_pupils_answered_and_who_marked_in_the_classroom_is_not_shown(web: Web, questioned: School) -> None:
    survey(questioned, answer("T01", "20.25", "1"), answer("T01", "95.75", "3", who="家长问卷"))
    on_site(questioned, "88.5")
    with web.of("T01") as client:
        page = client.get(f"/rounds/{questioned.round.id}/records").text
    assert ("20.25" in page, "只有1份，份数不足，不显示" in page, "95.75" in page) == (False, True, True)
    assert ("88.50" in page, questioned.members[0].name in page) == (True, False)


def test_an_ability_that_failed_is_replaced(web: Web, one_failed: School) -> None:
    *_passed, work = submissions_of(one_failed)
    with web.of("T01") as client:
        page = client.get(f"/works/{work}").text
        offered = re.findall(r'<option value="(\w+)">', page.split('id="ability"')[1])
        assert offered == ["A6", "A11", "B6"]
        assert client.post(f"/works/{work}/replace", data={"ability": "A1"}, headers=HTMX).status_code == 422
        made = client.post(f"/works/{work}/replace", data={"ability": "B6"}).headers["location"]
        assert client.get(made).status_code == 200
        assert client.get(f"/works/{work}").status_code == 404


def submissions_of(school: School) -> list[int]:
    from review_flow.steps.enrolments import submissions_of as found

    return [one.id for one in found(school.session, enrolment=school.enrolment(school.teachers[0]))]


def test_what_is_asked_besides_abilities_is_handed_in_without_sealing(web: Web, fuqing: School) -> None:
    with web.of("T01") as client:
        assert f"/rounds/{fuqing.round.id}/deliverables" in client.get("/").text
        work = client.post(f"/rounds/{fuqing.round.id}/deliverables").headers["location"]
        page = client.get(work).text
        assert ("不需要封存" in page, "/seal" in page) == (True, False)
        assert client.post(f"/rounds/{fuqing.round.id}/deliverables").headers["location"] == work


def test_one_signs_in_with_the_code_on_the_screen(web: Web, fuqing: School) -> None:
    meeting = gatherings.hold(
        fuqing.session,
        actor=fuqing.admin,
        round_=fuqing.round,
        activity="off1",
        workshop=None,
        held_at=now() + timedelta(minutes=10),
        place="录播室",
    )
    address = f"/activity/{meeting.id}"
    with web.of("A01") as host, web.of("T01") as guest, web.of("P1") as stranger:
        screen = host.get(address).text
        code = re.search(r'class="grade">(\d{6})<', screen)
        assert code is not None
        assert ("<svg" in screen, "style=" in screen, "已到0人" in screen) == (True, False, True)
        assert guest.get(address).status_code == 403
        assert stranger.get(f"/sign-in/{meeting.id}/{code[1]}").status_code == 404
        assert f'value="{code[1]}"' in guest.get(f"/sign-in/{meeting.id}/{code[1]}").text
        assert guest.post(f"/sign-in/{meeting.id}", data={"code": "x"}, headers=HTMX).status_code == 422
        assert "已签到" in guest.post(f"/sign-in/{meeting.id}", data={"code": code[1]}).text
        assert "已到1人" in host.get(f"{address}/code").text
        assert "到场" in guest.get(f"/rounds/{fuqing.round.id}/records").text


def test_each_consent_of_a_work_that_rises_is_asked_for_by_itself(web: Web, session, clock) -> None:
    shop = Shop(session, F30)
    shop.school.open()
    author = shop.school.teachers[1]
    work = shop.work(author, "浮力")
    address, page = f"/nominations/{work.id}/consent", f"/rounds/{shop.round.id}/nominations"
    with web.of(author.number) as client, web.of(shop.school.teachers[2].number) as other:
        assert page in client.get(f"/rounds/{shop.round.id}").text
        assert "现在：没有同意，作品留在坊内" in client.get(page).text
        assert other.post(address, data={"about": "author", "given": "true"}).status_code == 404
        assert client.post(address, data={"about": "author", "given": "true"}).headers["location"] == page
        public = {"about": "publication", "given": "true"}
        assert client.post(address, data=public, headers=HTMX).status_code == 422
        assert client.post(address, data={**public, "pupils": "false", "show_name": "true"}).status_code == 303
        assert client.post(address, data={"about": "author", "given": "false"}).status_code == 303
        assert "不推送" in client.get(page).text
    said = session.scalars(select(NominationConsent).order_by(NominationConsent.id)).all()
    assert [(one.about.value, one.given, one.show_name) for one in said] == [
        ("author", True, False),
        ("publication", True, True),
        ("author", False, False),
    ]


def test_a_valid_certificate_is_downloaded_by_its_owner(web: Web, signed: School) -> None:
    made = issue(signed)
    result = f"/rounds/{signed.round.id}/result"
    with web.of("T01") as client, web.of("T02") as other:
        assert "待颁发单位确认" in client.get(result).text
        assert client.post(f"/certificates/{made.id}").status_code == 409
        assert other.post(f"/certificates/{made.id}").status_code == 404
    confirm(signed, made, signed.organization.name)
    with web.of("T01") as client:
        assert f'action="/certificates/{made.id}"' in client.get(result).text
        printed = client.post(f"/certificates/{made.id}")
    assert (printed.headers["content-type"], printed.content[:4]) == ("application/pdf", b"%PDF")


def test_refusing_is_as_easy_as_agreeing(web: Web, opened: School) -> None:
    with web.of("T01") as client:
        page = client.get("/me/face").text
        buttons = re.findall(r'<form method="post" action="/me/face/(\w+)" ?[^>]*><button class="([^"]*)"', page)
        assert buttons == [("agree", "btn btn-plain"), ("refuse", "btn btn-plain")]
        assert "2027-01" in page
        photo = {"photo": ("a.jpg", b"no photo", "image/jpeg")}
        assert client.post("/me/face/photos", files=photo).status_code == 409
        assert client.post("/me/face/refuse").headers["location"] == "/me/face"
        assert client.post("/me/face/agree").headers["location"] == "/me/face"
        assert "参照照片" in client.get("/me/face").text
        assert client.post("/me/face/photos", files={"photo": ("", b"")}).status_code == 422
        looked = client.post("/me/face/photos", files=photo).text
        assert ("✗ 不能用" in looked, "a.jpg" in looked) == (True, True)
        assert client.post("/me/face/refuse").status_code == 303
        assert "您没有同意人脸比对" in client.get("/me/face").text
    consent = opened.session.scalars(select(Consent)).one()
    assert (consent.given_through, consent.withdrawn_at is not None) == (ConsentWay.WEB, True)
    assert len(opened.session.scalars(select(PrivateNote)).all()) == 2


def test_everything_about_oneself_is_handed_out(web: Web, marked: School) -> None:
    with web.of("T01") as client:
        answer = client.post("/me/data")
    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    told = json.loads(answer.text)
    assert (told["person"]["name"], len(told["works"]), len(told["reviews_given"])) == ("王芳", 3, 9)
    assert not [one.name for one in marked.teachers[1:] if one.name in answer.text]
