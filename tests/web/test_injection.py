"""Hostile words in every field, address and query of every route, as several roles: nothing of them is ever done."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as searching
from hypothesis import strategies as st
from sqlalchemy import Engine, inspect, select
from starlette.testclient import TestClient

from models import Person
from review_flow.outside.storage import storage_at
from review_flow.settings import Settings
from review_flow.web.access import _filled
from review_flow.web.app import create_app
from tests.cast import School
from tests.conftest import database_url  # noqa: F401 - on PostgreSQL too: what one takes, the other chokes on
from tests.web.conftest import Web
from tests.web.test_roles import routes
from tests.web.test_upload import FILM, begin, send

TAG, BREAKOUT, PRODUCT, SECRET = "<rf-evil", '" rf-evil="', "49301249", "rf-canary-content"
HOSTILE = [
    b"' OR '1'='1'; DROP TABLE person; --",
    b'"; DELETE FROM credential WHERE "1"="1',
    b"{{7021*7021}}${7021*7021}<%= 7021*7021 %>{% print(7021*7021) %}%(x)s{0.__class__}",
    b"<rf-evil onerror=alert(1)><script src=//evil.test></script>",
    b"\" rf-evil=\"' rf-evil='",
    b"../../canary.txt",
    b"..%2f..%2fcanary.txt",
    b"/etc/passwd\x00.png",
    b"x\r\nrf-evil: 1\r\n\r\n<rf-evil>",
    b"\x00",
    b"\xe2\x80\xae\xe2\x81\xa6fdp.exe\xe2\x80\x8f\xe2\x80\x8b",
    b"\xff\xfe\xed\xa0\x80\xc0\xaf",
    "工号".encode() * 500,
    b"9" * 400,
    b"-1e999",
    b"javascript:alert(1)",
    b"//evil.test/",
    b"$(touch rf-evil)`touch rf-evil`|touch rf-evil",
]
ROLES = ("", "T01", "P1", "A01")
FREE_FORM = ["comment", "reason", "item:A", "mark:A", "mark:", "level:plan", "level:"]
SIGNING_OUT = {"/leave", "/me/sessions/{key}/revoke", "/me/password"}


def aliases(dependant: Dependant, kind: str) -> list[str]:
    own = [field.alias for field in getattr(dependant, f"{kind}_params")]
    return own + [name for one in dependant.dependencies for name in aliases(one, kind)]


def reads_words(route: APIRoute) -> bool:
    names = [name for kind in ("path", "query", "body", "header") for name in aliases(route.dependant, kind)]
    return set(names) != {"key"} and (names != [] or any(one.call is _filled for one in route.dependant.dependencies))


@pytest.fixture
def app(engine: Engine, settings: Settings) -> FastAPI:
    """With files on a real disk, beside which something lies that nobody may read."""
    (settings.home.parent / "canary.txt").write_text(SECRET)
    return create_app(settings, engine=engine, storage=storage_at(settings.storage))


def outside(settings: Settings) -> list[tuple[str, int]]:
    files = (path for path in settings.home.parent.rglob("*") if path.is_file())
    return sorted(
        (str(path), path.stat().st_size)
        for path in files
        if settings.home not in path.parents and "review-flow.db" not in path.name
    )


class Sender:
    """Fills a route with words and sends it, in every part of the request that the route reads."""

    def __init__(self, app: FastAPI, browsers: dict[str, TestClient]) -> None:
        self.routes = [one for one in routes(app) if one[1] not in SIGNING_OUT]
        self.browsers = browsers

    def send(self, which: int, role: str, words: list[bytes], *, key: bytes) -> None:
        method, path, route = self.routes[which % len(self.routes)]
        turn = iter(words * 20)
        address = path
        for name in aliases(route.dependant, "path"):
            word = key if name == "key" else next(turn)
            address = address.replace("{" + name + "}", quote_from_bytes(word, safe="") or "x")
        query = [(name, next(turn)) for name in aliases(route.dependant, "query")]
        fields = [(name, next(turn)) for name in [*aliases(route.dependant, "body"), *FREE_FORM]]
        headers: dict[str, str | bytes] = {"content-type": "application/x-www-form-urlencoded"}
        for name in aliases(route.dependant, "header"):
            headers[name] = b"metadata" if name == "upload-metadata" else b"3"
        if "upload-metadata" in headers:
            told = {"work": b"1", "slot": next(turn), "filename": next(turn), "replaces": next(turn)}
            parts = (f"{name} {base64.b64encode(word).decode()}" for name, word in told.items())
            headers["upload-metadata"] = ",".join(parts)[:3900]
        answer = self.browsers[role].request(
            method,
            f"{address}?{joined(query)}",
            content=joined(fields).encode() if method == "POST" else None,
            headers={**headers, "referer": f"http://school.test/{joined(query)}", "user-agent": repr(words[0])[:500]},
        )
        told_ = (method, path, role, words)
        assert (told_, answer.status_code < 500) == (told_, True)
        assert (told_, [name for name in answer.headers if "evil" in name]) == (told_, [])
        where = answer.headers.get("location", "/")
        assert (told_, where.startswith("http://school.test/") or where[:2] not in {"//", "/\\"}) == (told_, True)
        # A plain text that no browser takes for a page may repeat what was sent.
        plain = answer.headers.get("content-type", "").startswith("text/plain") and "nosniff" in answer.headers.values()
        marks = (PRODUCT, SECRET, "root:x:0") if plain else (TAG, BREAKOUT, PRODUCT, SECRET, "root:x:0")
        found = [mark for mark in marks if mark in answer.text]
        assert (told_, found) == (told_, [])


def joined(pairs: list[tuple[str, bytes]]) -> str:
    return "&".join(f"{quote_from_bytes(name.encode())}={quote_from_bytes(word)}" for name, word in pairs)


@pytest.fixture
def sender(web: Web, opened: School) -> Iterator[Sender]:
    """A school in which a teacher has works and reviews are due, and a browser of each role."""
    for teacher in opened.teachers[:4]:
        opened.seal(teacher)
    opened.ready(opened.teachers[4])
    opened.allocate()
    with ExitStack() as stack:
        browsers = {number: web.of(number) if number else web.stranger() for number in ROLES}
        yield Sender(web.app, {number: stack.enter_context(one) for number, one in browsers.items()})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_route_with_every_hostile_word_as_everybody(sender: Sender, web: Web, settings: Settings) -> None:
    tables, people, before = stand(web, settings)
    for which, (_method, _path, route) in enumerate(sender.routes):
        for turn, word in enumerate(HOSTILE if reads_words(route) else HOSTILE[:1]):
            role = ROLES[(turn + which) % len(ROLES)]
            sender.send(which, role, [word], key=b"1" if turn % 3 else word)
    assert stand(web, settings) == (tables, people, before)


def stand(web: Web, settings_: Settings) -> tuple[list[str], list[str], list[tuple[str, int]]]:
    names = list(web.session.scalars(select(Person.number).order_by(Person.id)))
    web.session.commit()
    return sorted(inspect(web.app.state.engine).get_table_names()), names, outside(settings_)


# What there is of a hostile nature, alone and joined, and whatever else bytes can be.
WORDS = st.one_of(
    st.sampled_from(HOSTILE),
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: text.encode(errors="surrogatepass")),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=3).map(b"".join),
)


SEARCH: Any = {"max_examples": 100, "derandomize": True, "database": None, "deadline": None}
SEARCH |= {"phases": [Phase.explicit, Phase.generate], "suppress_health_check": list(HealthCheck)}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_and_with_whatever_else_comes_to_mind(sender: Sender, web: Web, settings: Settings) -> None:
    before = stand(web, settings)

    @searching(**SEARCH)
    @given(
        which=st.integers(0, len(sender.routes) - 1),
        role=st.sampled_from(ROLES),
        words=st.lists(WORDS, min_size=1, max_size=5),
        key=st.one_of(st.sampled_from([b"1", b"2", b"9"]), WORDS),
    )
    def search(which: int, role: str, words: list[bytes], key: bytes) -> None:
        sender.send(which, role, words, key=key)

    search()
    assert stand(web, settings) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_file_s_name_is_only_ever_a_name(web: Web, opened: School, settings: Settings) -> None:
    name = '" rf-evil="<rf-evil>\u202e/../../canary.txt\r\nrf-evil: 1\r\n.mp4'
    before = outside(settings)
    with web.of("T01") as client:
        assert begin(client, web, opened, filename="a\0.mp4")[0] == 415
        status, address = begin(client, web, opened, work=1, filename=name)
        assert (status, send(client, address, FILM, 0)) == (201, 204)
        page = client.get("/works/1").text
        assert [mark for mark in (TAG, BREAKOUT) if mark in page] == []
        [file] = set(re.findall(r'href="(/files/[\w.-]+)"', page))
        answer = client.get(file)
    assert answer.content == FILM
    assert "rf-evil" not in answer.headers
    assert answer.headers["content-disposition"].isascii()
    assert answer.headers["content-disposition"].count('"') == 0
    assert outside(settings) == before
