"""What the logs say of a person's whole day, and what they never say."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
import structlog
from sqlalchemy import select

from models import ApiToken
from review_flow.logs import configure
from review_flow.steps import people
from review_flow.web import cookies, envelope
from review_flow.web.access import SESSION_COOKIE
from tests.cast import School
from tests.web.api.conftest import client_of
from tests.web.conftest import Web
from tests.web.test_upload import FILM, begin, send

PASSWORD, NEW = "correct horse", "battery staple of mine"


@pytest.fixture
def written(logs: None) -> io.StringIO:
    """What the process that serves would write, from here on."""
    configure(as_json=True)
    kept = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(kept))
    return kept


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def security(said: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(one["what"], one["person"]) for one in said if one["event"] == "security"]


def test_a_whole_day_is_told_by_row_ids_and_holds_nothing_personal(
    web: Web, opened: School, written: io.StringIO
) -> None:
    teacher, admin = opened.teachers[0].id, opened.admin.id
    with web.of("A01") as client:
        page = client.post(f"/school/people/{teacher}/link").text
        [link] = re.findall(r"/link#([\w-]+)", page)
    secrets = [link, PASSWORD, NEW, "wrong password", "王芳", "王芳老师", "T01", "A01", "课.mp4", "testclient"]
    with web.stranger() as client:
        client.get(f"/link/{link}")  # an address of old
        client.post("/link", data={"code": f"http://school.test/link#{link}"})
        client.post("/link/password", data={"password": PASSWORD})
        secrets.append(client.cookies[SESSION_COOKIE])
        client.post("/leave")
        client.post("/enter", data={"number": "T01", "password": "wrong password"})
        client.post("/enter", data={"number": "T01", "password": PASSWORD})
        secrets += [value for _name, value in client.cookies.items() if len(value) > 5]
        _status, address = begin(client, web, opened)
        assert send(client, address, FILM, 0) == 204
        secrets.append(address.rsplit("/", 1)[1])
        page = client.get("/works/1").text
        [file] = re.findall(r'href="/files/([\w.-]+)"', page)
        assert client.get(f"/files/{file}").status_code == 200
        assert client.get("/school/people").status_code == 403
        client.post("/me/password", data={"old": PASSWORD, "new": NEW})
        secrets += [file, client.cookies[SESSION_COOKIE]]
        client.get("/works/王芳/T01")
        client.post("/leave", headers={"origin": "http://evil.test"})
        client.post("/leave")
    said = lines(written)
    told = json.dumps([one | {"timestamp": ""} for one in said], ensure_ascii=False)  # an hour of the day reads T01
    assert [one for one in secrets if one in told] == []
    assert security(said) == [
        ("link-made", admin),
        ("link-used", teacher),
        ("signed-out", teacher),
        ("sign-in-failed", None),
        ("refused", None),
        ("signed-in", teacher),
        ("refused", teacher),
        ("password-changed", teacher),
        ("refused", None),
        ("signed-out", teacher),
    ]
    codes = [one["code"] for one in said if one.get("what") == "refused"]
    assert codes == ["wrong-password", "not-allowed", "from-elsewhere"]
    assert {(one["timestamp"][-1], len(one["request"]), len(one["origin"])) for one in said if "what" in one} == {
        ("Z", 12, 12)
    }


def test_failures_on_one_account_have_one_mark_and_another_account_another(
    web: Web, school: School, written: io.StringIO
) -> None:
    with web.stranger() as client:
        for number in ("T01", "T01", "T02"):
            client.post("/enter", data={"number": number, "password": "wrong password"})
    first, second, other = (one["account"] for one in lines(written) if one.get("what") == "sign-in-failed")
    assert (first == second, first == other) == (True, False)


def test_an_administrator_signs_a_colleague_out_everywhere(web: Web, school: School) -> None:
    _other, stranger = people.found_school(school.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    with web.of("T01") as lost, web.of("A01") as admin:
        assert admin.post(f"/school/people/{stranger.id}/sign-out").status_code == 404
        assert lost.get("/me").status_code == 200
        assert admin.post(f"/school/people/{school.teachers[0].id}/sign-out").status_code == 303
        assert lost.get("/me").status_code == 303


def test_over_tls_cookies_bear_names_that_no_neighbour_can_set(web: Web, school: School) -> None:
    with web.of("T01") as client:
        token = client.cookies[SESSION_COOKIE]
        client.cookies.clear()
        client.base_url, client.headers["origin"] = "https://school.test", "https://school.test"  # type: ignore[assignment]  # httpx reads a text as an address
        assert client.get("/me", headers={"cookie": f"{SESSION_COOKIE}={token}"}).status_code == 303
        [kept] = client.post("/language/en").headers.get_list("set-cookie")
        assert kept.startswith(
            f"{cookies.PREFIX}rf_language=en; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax; Secure"
        )
        name = f"{cookies.PREFIX}{SESSION_COOKIE}"
        answer = client.post("/leave", headers={"cookie": f"{name}={token}"})
        assert answer.headers["clear-site-data"] == '"cache", "storage"'
        [gone] = answer.headers.get_list("set-cookie")
        assert (gone.startswith(f'{name}=""'), "Max-Age=0" in gone, "Secure" in gone) == (True, True, True)
        assert client.get("/me", headers={"cookie": f"{name}={token}"}).status_code == 303


def test_a_form_without_end_or_without_its_rest_is_not_read(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "MOST_BYTES", 1000)
    form = {"content-type": "application/x-www-form-urlencoded"}
    with web.stranger() as client:
        told = client.post("/enter", content=b"number=" + b"1" * 2000, headers=form)
        untold = client.post("/enter", content=iter([b"number=", b"1" * 600, b"1" * 600]), headers=form)
        enough = client.post("/enter", content=iter([b"number=1&", b"password=2"]), headers=form)
    assert (told.status_code, untold.status_code, enough.status_code) == (413, 400, 403)


def test_keys_are_told_and_a_program_s_refusals_name_its_person(web: Web, school: School, written: io.StringIO) -> None:
    teacher = school.teachers[0].id
    with web.of("T01") as client:
        made = client.post("/me/tokens", data={"name": "x", "scopes": ["read"], "days": 9}).text
        token = re.search(r"rft_[\w-]+", made)
        assert token is not None
        assert client_of(web.app, token[0]).get("/people").status_code == 403
        [row] = web.session.scalars(select(ApiToken.id))
        web.release()
        assert client.post(f"/me/tokens/{row}/revoke").status_code == 303
    assert security(lines(written)) == [("token-made", teacher), ("refused", teacher), ("token-ended", teacher)]
    assert token[0] not in written.getvalue()
