"""Every route, as nobody and as every role: deny by default, and nothing leaks of what one may not know."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from review_flow.steps import people
from review_flow.web.access import _PUBLIC
from tests.cast import School
from tests.steps.test_county import above
from tests.web.conftest import Web

EVERYBODY = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/language/{code}"),
    ("GET", "/enter"),
    ("POST", "/enter"),
    ("GET", "/enter/code"),
    ("POST", "/enter/code"),
    ("GET", "/enter/with/{provider}"),
    ("GET", "/enter/with/{provider}/back"),
    ("GET", "/link"),
    ("POST", "/link"),
    ("GET", "/link/password"),
    ("POST", "/link/password"),
    ("GET", "/verify"),
    ("GET", "/verify/{number}"),
}
OFFICES = ("/school", "/county")  # what lies below is for the administrators of such a place alone
ROLES = ("T02", "P1", "P4", "P5", "P6", "A01", "Z01", "C01")


def routes(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    """The pages; what programs call is walked with tokens in tests/web/api."""
    for route in app.routes:
        if isinstance(route, APIRoute) and not route.path.startswith("/api/"):
            for method in sorted(route.methods):
                yield method, route.path, route


def filled(path: str, key: object) -> str:
    return re.sub(r"{[^}]*}", str(key), path)


def office(path: str) -> str | None:
    return next((one for one in OFFICES if path == one or path.startswith(f"{one}/")), None)


def ask(client: TestClient, method: str, path: str) -> int:
    return client.request(method, path).status_code


def test_what_everybody_may_call_is_this_and_no_more(app: FastAPI) -> None:
    found = {(method, path) for method, path, route in routes(app) if route.endpoint in _PUBLIC}
    assert found == EVERYBODY


def test_nobody_is_led_to_the_door_from_everything_else(web: Web, school: School) -> None:
    with web.stranger() as client:
        for method, path, _route in routes(web.app):
            if (method, path) not in EVERYBODY:
                answer = client.request(method, filled(path, 1))
                wanted = 401 if path.startswith("/uploads") else 303  # a script asks there
                assert (path, answer.status_code) == (path, wanted)
                assert wanted == 401 or answer.headers["location"].startswith("/enter")


@pytest.mark.parametrize("number", ROLES)
def test_what_is_not_there_is_not_found_whoever_asks(web: Web, school: School, number: str) -> None:
    people.found_school(school.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    above(school)
    may = {"/school"} if number in {"A01", "Z01"} else {"/county"} if number == "C01" else set()
    with web.of(number) as client:
        for method, path, _route in routes(web.app):
            if "{" in path and (method, path) not in EVERYBODY:
                found = ask(client, method, filled(path, 987_654))
                wanted = {403} if office(path) not in {None, *may} else {404, 422}
                assert (path, found in wanted) == (path, True)


@pytest.mark.parametrize("number", ["T02", "P1"])
def test_an_office_is_its_administrators_alone(web: Web, school: School, number: str) -> None:
    with web.of(number) as client:
        for method, path, _route in routes(web.app):
            if office(path) is not None:
                assert (path, ask(client, method, filled(path, school.round.id))) == (path, 403)


def test_an_address_that_is_no_number_is_not_found(web: Web, school: School) -> None:
    above(school)
    with web.of("A01") as admin, web.of("C01") as officer:
        for method, path, route in routes(web.app):
            client = officer if office(path) == "/county" else admin
            if {"key"} == set(route.param_convertors):
                for key in ("x", "1.5", "-1", "%27%20OR%201=1", "99999999999999999999"):
                    assert (path, key, ask(client, method, filled(path, key))) == (path, key, 404)
