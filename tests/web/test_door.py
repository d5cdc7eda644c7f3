from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from urllib.parse import quote

import pytest
import python_calamine
from sqlalchemy import select
from starlette.testclient import TestClient

from models import Credential, OneTimeLink, SignInFailure, WebSession
from review_flow.outside.storage import MemoryStorage
from review_flow.rules.door import digest
from review_flow.settings import Settings
from review_flow.steps import door, people
from review_flow.web.access import SESSION_COOKIE
from review_flow.web.app import create_app
from review_flow.web.door import LINK_COOKIE, is_inside
from review_flow.web.render import device
from tests.cast import Clock, School
from tests.web.conftest import Web

GOOD = "correct horse"
FORM = "/link/password"


def with_password(school: School, number: str = "T01", *, first: bool = False) -> str:
    person = next(one for one in [*school.teachers, school.admin] if one.number == number)
    if first:
        return door.give_password(school.session, actor=school.admin, person=person)
    door.use_link(
        school.session, token=door.make_link(school.session, actor=school.admin, person=person), password=GOOD
    )
    return GOOD


def enter(client: TestClient, password: str = GOOD, **more: str) -> tuple[int, str]:
    answer = client.post("/enter", data={"number": "T01", "password": password, **more})
    return answer.status_code, answer.headers.get("location", "")


def open_link(client: TestClient, code: str | None) -> tuple[int, str]:
    answer = client.post("/link", data={"code": code})
    return answer.status_code, answer.headers.get("location", "")


def test_a_stranger_is_led_to_the_door_and_back_to_the_page_they_wanted(web: Web, school: School) -> None:
    with_password(school)
    with web.stranger() as client:
        assert client.get("/me").headers["location"] == "/enter?next=%2Fme"
        assert 'value="/me"' in client.get("/enter?next=/me").text
        assert client.get("/messages?page=2").headers["location"] == "/enter?next=%2Fmessages%3Fpage%3D2"
        on = {"hx-request": "true", "hx-current-url": "http://school.test/works/1"}
        boosted = client.get("/me", headers={**on, "hx-boosted": "true"})
        assert (boosted.status_code, boosted.headers["hx-redirect"]) == (204, "/enter?next=%2Fme")
        assert client.get("/works/1/slots", headers=on).headers["hx-redirect"] == "/enter?next=%2Fworks%2F1"
        assert enter(client, next="/me") == (303, "/me")
        assert "王芳" in client.get("/me").text


def test_a_page_after_the_door_is_one_of_ours() -> None:
    assert is_inside("/me") is True
    assert [is_inside(path) for path in ("", "me", "//evil.test", "/\\evil.test", "https://evil.test", "/a\r\nb")] == [
        False
    ] * 6


def test_the_session_cookie_is_out_of_scripts_reach_and_its_token_kept_nowhere(web: Web, school: School) -> None:
    with_password(school)
    with web.stranger() as client:
        cookies = client.post("/enter", data={"number": "T01", "password": GOOD}).headers.get_list("set-cookie")
        token = client.cookies[SESSION_COOKIE]
    assert [("HttpOnly" in one, "Secure" in one) for one in cookies] == [(True, False), (True, False)]
    assert ["samesite=lax" in cookies[0].lower(), "samesite=strict" in cookies[1].lower()] == [True, True]
    assert web.session.scalars(select(WebSession.token_hash)).all() == [digest(token)]


def test_a_wrong_password_is_a_sentence_counted_even_though_nothing_else_happened(web: Web, school: School) -> None:
    with_password(school)
    with web.stranger() as client:
        for number in ("T01", "nobody"):
            answer = client.post("/enter", data={"number": number, "password": "wrong"}, headers={"hx-request": "true"})
            assert (answer.status_code, answer.headers["hx-retarget"]) == (403, "#refusal")
            assert "工号或密码不对" in answer.text
            assert "<html" not in answer.text
    assert len(web.session.scalars(select(SignInFailure)).all()) == 2


def test_after_five_the_next_waits_but_not_on_the_owner_s_own_browser(web: Web, school: School, clock: Clock) -> None:
    with_password(school)
    with web.stranger() as mine, web.stranger() as guessing:
        assert enter(mine) == (303, "/")
        assert [enter(guessing, "wrong")[0] for _time in range(6)] == [403] * 5 + [429]
        assert enter(guessing)[0] == 429
        assert enter(mine) == (303, "/")


def test_a_given_password_opens_only_the_page_that_changes_it(web: Web, school: School) -> None:
    given = with_password(school, first=True)
    with web.stranger() as client:
        assert enter(client, given) == (303, "/")
        assert client.get("/me").headers["location"] == "/me/password"
        assert client.get("/school/people").headers["location"] == "/me/password"
        assert "别人给您的" in client.get("/me/password").text
        assert client.post("/me/password", data={"old": given, "new": "T01T01T01T01"}).status_code == 422
        assert client.post("/me/password", data={"old": given, "new": GOOD}).headers["location"] == "/me"
        assert client.get("/me").status_code == 200


def test_a_device_is_called_as_people_call_it() -> None:
    assert device("Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile MicroMessenger/8.0") == "WeChat · Android"
    assert device("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Version/17.5 Safari/604.1") == "Safari · iPhone"
    assert device("Mozilla/5.0 (Windows NT 10.0) Chrome/126.0 Edg/126.0") == "Edge · Windows"
    assert (device("curl/8"), device("")) == ("curl/8", "")


def test_sessions_are_listed_ended_and_left(web: Web, school: School) -> None:
    with web.of("T01") as phone, web.of("T01") as desk:
        page = desk.get("/me").text
        assert (page.count("browser of T01"), page.count("当前设备")) == (2, 1)
        assert [desk.get(path).text.count('action="/leave"') for path in ("/", "/reviews", "/works/9")] == [1, 1, 1]
        [other] = re.findall(r"/me/sessions/(\d+)/revoke", page)
        assert desk.post(f"/me/sessions/{other}/revoke").status_code == 303
        assert phone.get("/me").headers["location"] == "/enter?next=%2Fme"
        assert desk.post("/leave").headers["location"] == "/enter"
        assert desk.get("/me").status_code == 303


def test_the_first_link_founds_the_school(web: Web, clock: Clock) -> None:
    token = door.first_link(web.session)
    filled = {"school": "实验中学", "number": "A01", "name": "陈静", "password": GOOD}
    with web.stranger() as client:
        assert open_link(client, token) == (303, FORM)
        assert "建立学校" in client.get(FORM).text
        assert client.post(FORM, data={"password": GOOD}).status_code == 403
        assert client.post(FORM, data=filled).headers["location"] == "/"
        assert "本校人员" in client.get("/me").text
        assert open_link(client, token) == (410, "")
    assert [one.name for one in door.schools(web.session)] == ["实验中学"]


def test_a_link_begins_as_people_reach_us(web: Web, school: School, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", web_url="https://review.school.cn/")
    web.app = create_app(settings, engine=web.app.state.engine, storage=MemoryStorage())
    with web.of("A01") as admin:
        page = admin.post(f"/school/people/{school.teachers[0].id}/link").text
    assert "https://review.school.cn/link#" in page


def test_the_administrator_gives_a_link_and_its_holder_a_password(web: Web, school: School) -> None:
    with web.of("A01") as admin, web.stranger() as client:
        assert "王芳" in admin.get("/school/people").text
        page = admin.post(f"/school/people/{school.teachers[0].id}/link").text
        [token] = re.findall(r"http://school\.test/link#([\w-]+)", page)
        assert open_link(client, token) == (303, FORM)
        shown = client.get(FORM).text
        assert ("王芳老师" in shown, token in shown) == (True, False)
        assert client.post(FORM, data={"password": GOOD}).headers["location"] == "/"
        assert client.get("/me").status_code == 200
        assert open_link(client, token) == (410, "")
    assert web.session.scalars(select(OneTimeLink.token_hash)).one() == digest(token)
    assert web.session.scalars(select(Credential.person_id)).one() == school.teachers[0].id


def test_an_opened_link_is_kept_out_of_addresses_until_its_form_is_filled_in(web: Web, school: School) -> None:
    token = door.make_link(school.session, actor=school.admin, person=school.teachers[0])
    with web.stranger() as client:
        kept = client.post("/link", data={"code": f" http://school.test/link#{token}\n"}).headers["set-cookie"]
        for sign in (f"{LINK_COOKIE}={token};", "HttpOnly", "Max-Age=1800", "SameSite=strict"):
            assert sign.lower() in kept.lower()
        too_easy = client.post(FORM, data={"password": "T01T01T01T01"})
        assert (too_easy.status_code, "王芳老师" in client.get(FORM).text) == (422, True)  # the way back loses nothing
        back = client.post("/language/en", headers={"referer": f"http://school.test{FORM}"}).headers["location"]
        assert "please set a password" in client.get(back).text
        assert client.post(FORM, data={"password": GOOD}).headers["location"] == "/"
        assert LINK_COOKIE not in client.cookies


def test_without_an_opened_link_one_is_asked_for_it_and_an_old_address_is_no_page(web: Web, school: School) -> None:
    with_password(school)
    token = door.make_link(school.session, actor=school.admin, person=school.teachers[0])
    with web.stranger() as client:
        assert "一次性码" in client.get("/link").text
        assert client.get(FORM).headers["location"] == "/link"
        assert client.post(FORM, data={"password": "another horse"}).headers["location"] == "/link"
        assert [open_link(client, code) for code in ("#", "nothing")] == [(410, "")] * 2
        assert [client.get(f"/link/{token}").status_code, client.post(f"/link/{token}").status_code] == [404, 404]
        open_link(client, token)
        door.make_link(school.session, actor=school.admin, person=school.teachers[0])
        web.release()
        assert client.get(FORM).status_code == 410  # a newer one was made meanwhile
        assert client.post(FORM, data={"password": "another horse"}).status_code == 410
        assert enter(client) == (303, "/")


def test_a_sheet_of_links_is_handed_out_once_for_everybody_who_cannot_sign_in(web: Web, school: School) -> None:
    with web.of("A01") as admin, web.stranger() as client:
        page = admin.get("/school/people").text
        assert ("一次性链接单" in page, "链接也只能在这台电脑上打开" in page) == (True, False)
        assert admin.post("/school/people/links").status_code == 422  # without its tick
        answer = admin.post("/school/people/links", data={"yes": "yes"})
        assert quote("一次性链接.xlsx") in answer.headers["content-disposition"]
        book = python_calamine.load_workbook(io.BytesIO(answer.content))
        header, *rows = book.get_sheet_by_index(0).to_python()
        assert (header, len(rows)) == (["工号", "姓名", "链接", "有效期至"], len(school.teachers) + 9)
        [link] = [row[2] for row in rows if row[0] == "T01"]
        assert open_link(client, link) == (303, FORM)  # pasted whole
        assert admin.post("/school/people/links", data={"yes": "yes"}).status_code == 409  # none of them is made void
        assert (client.get(FORM).status_code, "全部重发" in admin.get("/school/people").text) == (200, True)
        assert admin.post("/school/people/links", data={"yes": "yes", "again": "true"}).status_code == 200
        assert client.get(FORM).status_code == 410
        here = admin.get("/school/people", headers={"host": "127.0.0.1:8000"}).text
        assert "链接也只能在这台电脑上打开" in here
        one = admin.post(f"/school/people/{school.teachers[0].id}/link").text
        assert ('data-copy="link"' in one, "/static/copy.js" in one) == (True, True)


def test_people_of_another_school_can_be_given_nothing(web: Web, school: School) -> None:
    _other, stranger = people.found_school(school.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    with web.of("A01") as admin:
        assert "吴静" not in admin.get("/school/people").text
        assert admin.post(f"/school/people/{stranger.id}/link").status_code == 404
        assert "第二中学" in admin.get("/enter").text


@pytest.mark.parametrize("path", ["/enter?next=/", "/link"])
def test_the_door_says_it_in_english(web: Web, school: School, path: str) -> None:
    with web.stranger() as client:
        page = client.get(path, headers={"accept-language": "en"}).text
    assert re.findall("[\u4e00-\u9fff]+", page) == ["中文"]


def test_a_password_of_the_operator_s_list_is_not_taken(
    web: Web, school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pwned.txt"
    stolen = hashlib.sha1(b"another horse").hexdigest().upper()
    path.write_text(f"{stolen}:3\r\n")
    monkeypatch.setattr(
        web.app.state, "settings", web.app.state.settings.model_copy(update={"breached_passwords": path})
    )
    token = door.make_link(school.session, actor=school.admin, person=school.teachers[0])
    web.release()
    with web.stranger() as client:
        open_link(client, token)
        no = client.post(FORM, data={"password": "another horse"})
        assert (no.status_code, "在别处泄露过" in no.text) == (422, True)
        assert client.post(FORM, data={"password": GOOD}).status_code == 303
        no = client.post("/me/password", data={"old": GOOD, "new": "another horse"})
        assert (no.status_code, "在别处泄露过" in no.text) == (422, True)
        path.unlink()
        no = client.post("/me/password", data={"old": GOOD, "new": "some other horse"})
        assert (no.status_code, "泄露密码库读不到" in no.text) == (502, True)
