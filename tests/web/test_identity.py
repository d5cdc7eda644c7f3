"""Signing in with an account of another service, each protocol spoken by a stand-in over a real socket."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from sqlalchemy import select
from starlette.testclient import TestClient

from models import AuditEvent, IdentityBinding
from review_flow.settings import Settings
from review_flow.steps import door
from review_flow.web.access import SESSION_COOKIE
from tests.cast import School
from tests.outside.sign_in import Service, serving, settings_of
from tests.web.conftest import HERE, Web

ALL = ("sso", "cas", "wecom", "ding")


@pytest.fixture(scope="module")
def key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "one"})


@pytest.fixture
def service(key: RSAKey) -> Iterator[Service]:
    with serving(Service(key=key)) as one:
        yield one


@pytest.fixture
def settings(tmp_path: Path, service: Service) -> Settings:
    return Settings(home=tmp_path / "home", identity_providers=settings_of(service))  # type: ignore[arg-type]  # as read


def out_and_back(client: TestClient, service: Service, way: str) -> tuple[int, str]:
    """Go where the page leads, be somebody there, and come back."""
    out = client.get(way)
    assert out.status_code == 303
    answer = client.get(service.send_back(out.headers["location"]).removeprefix(HERE))
    return answer.status_code, answer.headers.get("location", answer.text)


@pytest.mark.parametrize("one", ALL)
def test_an_account_is_bound_once_and_opens_from_then_on(web: Web, school: School, service: Service, one: str) -> None:
    with web.of("T01") as client:
        assert out_and_back(client, service, f"/me/identities/{one}") == (303, "/me")
        assert client.get("/me").text.count("解除绑定") == 1
    with web.stranger() as client:
        assert out_and_back(client, service, f"/enter/with/{one}?next=/me") == (303, "/me")
        assert "王芳" in client.get("/me").text
        client.post(f"/me/identities/{one}/unbind")
    with web.stranger() as client:
        status, text = out_and_back(client, service, f"/enter/with/{one}")
        assert (status, "还没有绑定" in text) == (403, True)
        assert SESSION_COOKIE not in client.cookies
    deeds = school.session.scalars(select(AuditEvent.deed).where(AuditEvent.deed.like("identity.%"))).all()
    assert deeds == ["identity.bind", "identity.unbind"]


@pytest.mark.parametrize("one", ["sso", "cas"])
def test_a_number_that_the_service_vouches_for_lets_in_the_first_time(
    web: Web, school: School, service: Service, one: str
) -> None:
    service.user, service.claims = "T02", {"number": "T02"}
    with web.stranger() as client:
        assert out_and_back(client, service, f"/enter/with/{one}?next=//evil.test") == (303, "/")
        assert school.teachers[1].name in client.get("/me").text
    assert school.session.scalars(select(IdentityBinding.subject)).all() == ["T02"]


def test_one_account_is_one_persons_and_one_person_has_one(web: Web, school: School, service: Service) -> None:
    with web.of("T01") as client:
        assert out_and_back(client, service, "/me/identities/ding") == (303, "/me")
    with web.of("T02") as client:
        assert out_and_back(client, service, "/me/identities/ding")[0] == 409
    service.user = "u-2"
    with web.of("T01") as client:
        assert out_and_back(client, service, "/me/identities/ding")[0] == 409


def test_who_left_the_school_stays_outside(web: Web, school: School, service: Service) -> None:
    with web.of("T01") as client:
        assert out_and_back(client, service, "/me/identities/ding") == (303, "/me")
    school.teachers[0].active = False
    with web.stranger() as client:
        assert out_and_back(client, service, "/enter/with/ding")[0] == 403


def test_nobody_is_brought_in_by_another_browsers_attempt(web: Web, school: School, service: Service) -> None:
    with web.of("T01") as own:
        assert out_and_back(own, service, "/me/identities/ding") == (303, "/me")
        back = service.send_back(own.get("/enter/with/ding").headers["location"]).removeprefix(HERE)
    with web.stranger() as client:
        assert client.get(back).status_code == 403  # no cookie of ours
        client.get("/enter/with/ding")
        assert client.get(back).status_code == 403  # the cookie of another attempt
        client.get("/enter/with/sso")
        assert client.get(back).status_code == 403  # of another service
        assert client.get("/enter/with/nowhere").status_code == 404
        assert SESSION_COOKIE not in client.cookies
        out = client.get("/me/identities/ding")
        assert out.headers["location"].startswith("/enter?")


def test_who_signs_out_on_the_way_binds_nothing(web: Web, school: School, service: Service) -> None:
    with web.of("T01") as client:
        back = service.send_back(client.get("/me/identities/ding").headers["location"]).removeprefix(HERE)
        client.post("/leave")
        assert client.get(back).status_code == 403
    assert school.session.scalars(select(IdentityBinding)).all() == []


def test_the_way_of_strangers_binds_nothing(web: Web, school: School, service: Service) -> None:
    with web.of("T01") as client:
        assert out_and_back(client, service, "/enter/with/ding?next=bind")[0] == 403
    assert school.session.scalars(select(IdentityBinding)).all() == []


def test_who_must_change_the_password_binds_nothing(web: Web, school: School, service: Service) -> None:
    with web.of("T01") as client:
        way = client.get("/me/identities/ding").headers["location"]
        door.give_password(school.session, actor=school.admin, person=school.teachers[0])
        again = door.begin(school.session, person=school.teachers[0], user_agent="the same browser")
        web.release()
        client.cookies.set(SESSION_COOKIE, again)
        assert client.get(service.send_back(way).removeprefix(HERE)).status_code == 403
    assert school.session.scalars(select(IdentityBinding)).all() == []


WRONG = ({"iss": "https://other.test"}, {"aud": "x"}, {"nonce": "x"}, {"exp": 1}, {"azp": "x"}, {"sub": 7}, {"sub": ""})


def test_an_identity_token_for_something_else_proves_nothing(web: Web, school: School, service: Service) -> None:
    with web.stranger() as client:
        for claims in WRONG:
            service.claims = {"number": "T02", **claims}
            assert (claims, out_and_back(client, service, "/enter/with/sso")[0]) == (claims, 403)


def test_an_identity_token_must_be_signed_by_the_issuers_key(web: Web, school: School, service: Service) -> None:
    service.claims = {"number": "T02"}
    theirs = service.key
    with web.stranger() as client:
        way = client.get("/enter/with/sso").headers["location"]
        back = service.send_back(way).removeprefix(HERE)
        published = theirs.as_dict(private=False)
        service.key = RSAKey.generate_key(2048, {"kid": "one"})
        keys = service.answer
        service.answer = (  # type: ignore[method-assign]  # a thief signs, the issuer publishes its own key
            lambda method, path, *more: {"keys": [published]} if path == "/keys" else keys(method, path, *more)
        )
        assert client.get(back).status_code == 403


SPOILT = ("", "{", "[]", "{}", "<a", "<!DOCTYPE x [<!ENTITY e 'x'>]><x>&e;</x>", "x" * 1_100_000)


@pytest.mark.parametrize("one", ALL)
def test_an_answer_that_cannot_be_read_lets_nobody_in(web: Web, school: School, service: Service, one: str) -> None:
    with web.stranger() as client:
        client.get("/enter/with/sso")  # its issuer is described once in a while alone
        for spoilt in SPOILT:
            service.spoil = lambda text: text
            back = service.send_back(client.get(f"/enter/with/{one}").headers["location"]).removeprefix(HERE)
            service.spoil = lambda _text, spoilt=spoilt: spoilt
            assert (spoilt, client.get(back).status_code in {403, 502}) == (spoilt, True)
            assert SESSION_COOKIE not in client.cookies


@pytest.mark.parametrize("one", ALL)
def test_a_refusal_of_the_service_is_told_without_its_words(
    web: Web, school: School, service: Service, one: str
) -> None:
    with web.stranger() as client:
        client.get(f"/enter/with/{one}")
        state = json.loads(base64.urlsafe_b64decode(client.cookies["rf_attempt"]))[2]["state"]
        answer = client.get(f"/enter/with/{one}/back?state={state}&error=access_denied")
        assert (answer.status_code, "access_denied" in answer.text) == (403, True)
        answer = client.get(f"/enter/with/{one}/back?state={state}&error=%3Cb%3Ehello")
        assert (answer.status_code, "hello" in answer.text) == (403, False)


def test_a_service_that_is_not_there_is_said_to_be(web: Web, school: School, tmp_path: Path) -> None:
    with serving(Service(key=None)) as gone:  # type: ignore[arg-type]  # it never signs
        settings = settings_of(gone)
    web.app.state.settings = Settings(home=tmp_path, identity_providers=settings)  # type: ignore[arg-type]  # as read
    with web.stranger() as client:
        answer = client.get("/enter/with/sso")
        assert (answer.status_code, "现在连不上统一身份" in answer.text) == (502, True)
        back = gone.send_back(client.get("/enter/with/ding").headers["location"]).removeprefix(HERE)
        assert client.get(back).status_code == 502


def test_somebody_outside_the_corporation_is_nobody_here(web: Web, school: School, service: Service) -> None:
    with web.of("T01") as client:
        service.user = ""  # 企业微信 gives an openid alone
        assert out_and_back(client, service, "/me/identities/wecom")[0] == 403
        service.user, service.corp = "u-1", "another"
        assert out_and_back(client, service, "/me/identities/ding")[0] == 403


def test_inside_wecom_nobody_is_shown_a_qr_code(web: Web, school: School, service: Service) -> None:
    with web.stranger() as client:
        out = client.get("/enter/with/wecom", headers={"user-agent": "Mozilla/5.0 wxwork/4.1 MicroMessenger/7"})
    assert out.headers["location"].startswith("https://open.weixin.qq.com/connect/oauth2/authorize?appid=corp&")
    assert out.headers["location"].endswith("#wechat_redirect")


def test_the_door_shows_the_services_that_are_set(anybody: TestClient) -> None:
    text = anybody.get("/enter?next=/me").text
    assert [f"用{label}登录" in text for label in ("统一身份", "CAS", "企业微信", "钉钉")] == [True] * 4
    assert "/enter/with/sso?next=%2Fme" in text or "/enter/with/sso?next=/me" in text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"kind": "cas", "id": "c", "label": "C", "url": "http://sso.school.cn"}, "应以 https 开头"),
        ({"kind": "cas", "id": "c", "label": "C", "url": "sso"}, "应为 https://sso.school.cn 这样的地址"),
        ({"kind": "cas", "id": "C!", "label": "C", "url": "https://sso.school.cn"}, "id"),
        ({"kind": "radius", "id": "c", "label": "C"}, "kind"),
    ],
)
def test_a_wrong_setting_refuses_to_load(tmp_path: Path, wrong: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings(home=tmp_path, identity_providers=[wrong])  # type: ignore[arg-type]  # as read


def test_two_services_are_told_apart_and_secrets_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sso.json").write_text(json.dumps(settings_of(Service(url="http://127.0.0.1:1"))), encoding="utf-8")
    monkeypatch.setenv("REVIEW_FLOW_IDENTITY_PROVIDERS_FILE", str(tmp_path / "sso.json"))
    settings = Settings(home=tmp_path)
    assert [one.id for one in settings.identity_providers] == list(ALL)
    assert "s3cret" not in repr(settings)
    twice = [{"kind": "cas", "id": "c", "label": "C", "url": "https://sso.school.cn"}] * 2
    with pytest.raises(ValidationError, match="有两项的 id 相同"):
        Settings(home=tmp_path, identity_providers=twice)  # type: ignore[arg-type]  # as read


def test_how_surely_a_service_knew_somebody_is_asked_for_and_checked(
    web: Web, school: School, service: Service, tmp_path: Path
) -> None:
    given = settings_of(service)
    given[0] |= {"acr": ["gold", "silver"], "amr": ["pwd", "otp"]}
    web.app.state.settings = Settings(home=tmp_path, identity_providers=given)  # type: ignore[arg-type]  # as read
    number = {"number": "T02"}
    with web.stranger() as client:
        assert "acr_values=gold+silver" in client.get("/enter/with/sso").headers["location"]
        for claims in ({}, {"acr": "gold"}, {"acr": "tin", "amr": ["pwd", "otp"]}, {"acr": "gold", "amr": ["pwd"]}):
            service.claims = {**number, **claims}
            assert (claims, out_and_back(client, service, "/enter/with/sso")[0]) == (claims, 403)
        service.claims = {**number, "acr": "silver", "amr": ["otp", "pwd", "face"]}
        assert out_and_back(client, service, "/enter/with/sso") == (303, "/")
