"""The second step after the password, one's own page for it, and the password asked for again."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from models import IdentityBinding, Person, SecondFactor, WebSession
from review_flow.clock import now
from review_flow.rules import second_factor as rules
from review_flow.rules.tokens import Scope
from review_flow.settings import Settings
from review_flow.steps import tokens
from tests.cast import Clock, School
from tests.web.api.conftest import client_of
from tests.web.conftest import Web
from tests.web.test_door import enter, with_password

PAGE = "/me/second-factor"


def code_now(secret: bytes, *, later: int = 0) -> str:
    return rules.code_at(secret, int(now().timestamp()) // rules.STEP_S + later)


def turned_on(client: TestClient) -> tuple[bytes, list[str]]:
    """Turn it on as somebody does; return the phone's secret and the recovery codes."""
    assert client.post(PAGE).headers["location"] == PAGE
    page = client.get(PAGE).text
    assert ("<svg" in page, "确认开启" in page) == (True, True)
    [shown] = re.findall(r"<code>([A-Z2-7-]+)</code>", page)
    secret = base64.b32decode(shown.replace("-", ""))
    done = client.post(f"{PAGE}/confirm", data={"code": code_now(secret, later=-1)}).text
    return secret, re.findall(r"<code>([A-Z2-7-]+)</code>", done)


def test_whoever_turns_it_on_signs_in_in_two_steps(web: Web, school: School, clock: Clock) -> None:
    with_password(school)
    with web.of("T01") as own, web.stranger() as phone:
        secret, codes = turned_on(own)
        assert len(codes) == 10
        assert "备用码还剩10个" in own.get(PAGE).text
        assert base64.b32encode(secret).decode() not in own.get(PAGE).text.replace("-", "")
        assert enter(phone, next="/reviews") == (303, "/enter/code?next=%2Freviews")
        assert [one for one in phone.cookies if one.startswith("rf_device")] == []
        assert phone.get("/me").headers["location"] == "/enter?next=%2Fme"
        assert 'value="/reviews"' in phone.get("/enter/code?next=/reviews").text
        assert "没有通过第二步" in own.get("/me").text
        wrong = phone.post("/enter/code", data={"code": code_now(secret, later=9)}, headers={"hx-request": "true"})
        assert (wrong.status_code, "验证码不对" in wrong.text, "<html" in wrong.text) == (403, True, False)
        right = phone.post("/enter/code", data={"code": code_now(secret), "next": "/reviews"})
        assert (right.status_code, right.headers["location"]) == (303, "/reviews")
        assert len([one for one in phone.cookies if one.startswith("rf_device")]) == 1
        assert phone.get("/me").status_code == 200
        assert phone.get("/enter/code").headers["location"] == "/"
        assert phone.post("/enter/code", data={"code": codes[0]}).headers["location"] == "/"
    with web.stranger() as other:
        assert other.get("/enter/code").headers["location"] == "/"
        assert enter(other)[1] == "/enter/code?next=%2F"
        assert other.post("/enter/code", data={"code": codes[0], "next": "//evil.test"}).headers["location"] == "/"
    [kept] = web.session.scalars(select(SecondFactor.sealed))
    assert secret not in kept


def test_it_is_turned_off_with_a_tick_and_its_codes_made_anew(web: Web, school: School, clock: Clock) -> None:
    with web.of("T01") as client:
        _secret, codes = turned_on(client)
        assert set(re.findall(r"<code>([A-Z2-7-]+)</code>", client.post(f"{PAGE}/codes").text)) & set(codes) == set()
        assert client.post(f"{PAGE}/end").status_code == 422
        assert client.post(f"{PAGE}/end", data={"yes": "yes"}).headers["location"] == PAGE
        assert "已开启" not in client.get("/me").text


def test_an_administrator_resets_a_colleagues_and_no_own(web: Web, school: School, clock: Clock) -> None:
    with web.of("T01") as client, web.of("A01") as admin:
        turned_on(client)
        way = f"/school/people/{school.teachers[0].id}/second-factor/end"
        page = admin.get("/school/people").text
        assert [page.count("重置第二步验证"), way in page] == [1, True]
        assert client.post(way, data={"yes": "yes"}).status_code == 403
        assert admin.post(way).status_code == 422
        assert admin.post(way, data={"yes": "yes"}).headers["location"] == "/school/people"
        assert "重置第二步验证" not in admin.get("/school/people").text
        assert client.get("/me").status_code == 303
        own = f"/school/people/{school.admin.id}/second-factor/end"
        assert admin.post(own, data={"yes": "yes"}).status_code == 403


@pytest.mark.parametrize(("number", "kinds"), [("A01", ("school_admin",)), ("P1", ("panel",))])
def test_where_the_operator_demands_it_nothing_else_opens_before(
    web: Web, school: School, clock: Clock, tmp_path: Path, number: str, kinds: tuple[str, ...]
) -> None:
    web.app.state.settings = Settings(home=tmp_path, second_factor=kinds)  # type: ignore[arg-type]  # as read
    with web.of("T01") as teacher, web.of(number) as client:
        assert teacher.get("/me").status_code == 200
        assert [client.get(path).headers["location"] for path in ("/me", "/school", "/panel")] == [PAGE] * 3
        assert client.head("/uploads/none").status_code == 403
        assert "您的角色须开启" in client.get(PAGE).text
        turned_on(client)
        assert client.get("/me").status_code == 200


@pytest.mark.parametrize(("number", "kinds"), [("A01", ("school_admin",)), ("P1", ("panel",))])
def test_a_program_is_asked_for_it_like_its_person(
    web: Web, school: School, clock: Clock, tmp_path: Path, number: str, kinds: tuple[str, ...]
) -> None:
    def program(whose: str) -> TestClient:
        actor = web.session.scalars(select(Person).where(Person.number == whose)).one()
        return client_of(web.app, tokens.make(web.session, actor=actor, name="x", scopes=tuple(Scope), days=1)[1])

    with program("T01") as teacher, program(number) as client, web.of(number) as person:
        assert client.get("/me").status_code == 200
        web.app.state.settings = Settings(home=tmp_path, second_factor=kinds)  # type: ignore[arg-type]  # as read
        assert teacher.get("/me").status_code == 200
        refused = [client.get("/me"), client.post("/uploads", headers={"tus-resumable": "1.0.0"})]
        assert [(one.status_code, one.json()["code"]) for one in refused] == [(403, "factor-wanted")] * 2
        turned_on(person)
        assert client.get("/me").status_code == 200


def test_what_hurts_asks_for_the_password_again(web: Web, school: School, clock: Clock) -> None:
    good = with_password(school)
    with web.of("T01") as client, web.of("T01") as other:
        [there] = re.findall(r"/me/sessions/(\d+)/revoke", client.get("/me").text)
        clock.to(now() + timedelta(minutes=11))
        assert client.get("/me").status_code == 200
        for way in (f"/me/sessions/{there}/revoke", PAGE, f"{PAGE}/codes", "/me/identities/sso/unbind"):
            assert client.post(way).headers["location"] == "/me/proof"
        assert client.post(PAGE, headers={"hx-request": "true"}).headers["hx-redirect"] == "/me/proof"
        assert client.get("/me/identities/sso").headers["location"] == "/me/proof?next=%2Fme%2Fidentities%2Fsso"
        assert 'value="/me/identities/sso"' in client.get("/me/proof?next=/me/identities/sso").text
        assert client.post("/me/proof", data={"password": "wrong"}).status_code == 403
        proven = client.post("/me/proof", data={"password": good, "next": "https://evil.test"})
        assert proven.headers["location"] == "/me"
        assert client.post(f"/me/sessions/{there}/revoke").headers["location"] == "/me"
        assert other.get("/me").status_code == 303
    ended = select(WebSession.id).where(WebSession.revoked_at.is_not(None))
    assert web.session.scalars(ended).all() == [int(there)]
    assert web.session.scalars(select(IdentityBinding)).all() == []
