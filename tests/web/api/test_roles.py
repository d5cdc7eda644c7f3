"""Every route that programs call, as nobody and as every role: deny by default, and foreign ids are not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from models import Organization, Person, Role
from review_flow.rules.tokens import Scope
from review_flow.rules.words import OrganizationKind, RoleKind
from review_flow.steps import people, tokens
from review_flow.web.access import _PUBLIC
from review_flow.web.api.document import description
from tests.cast import School
from tests.steps.test_county import above
from tests.web.api.conftest import Program, client_of
from tests.web.conftest import Web
from tests.web.test_roles import ROLES, filled

DAY = "2026-03-20"
FACT = {"enrolment_id": 1, "kind": "absence", "on": DAY, "proof": "x"}
BODIES = {
    "putChoice": {"abilities": ["A1"]},
    "replaceAbility": {"old": "A1", "new": "A3"},
    "sealSubmission": {"own_work": True},
    "signResult": {},
    "fileAppeal": {"reason": "x"},
    "contestAdjustment": {"reason": "x"},
    "putDraft": {},
    "submitReview": {},
    "reportFile": {"evidence_id": 1, "why": "broken", "note": "x"},
    "answerReview": {"helped": True},
    "remindTeachers": {},
    "declineTask": {"reason": "x"},
    "markSubmission": {},
    "voteValidity": {"teacher_visible": True, "own_work": True},
    "confirmResult": {},
    "decideAdjustment": {"stands": True, "reason": "x"},
    "putWebhook": {"events": ["result.published"], "on": True},
    "voteAppeal": {"uphold": False, "reason": "x"},
    "confirmValues": {"ids": ["x"]},
    "putSetup": {"abilities": [], "opens_on": DAY, "submit_due_on": DAY, "hard_close_on": DAY},
    "putOffRound": {"submit_due_on": DAY, "hard_close_on": DAY, "reason": "x"},
    "giveSeat": {"number": "P1", "kind": "member"},
    "exemptTeacher": {"reason": "x"},
    "putCap": {"most": 3},
    "moveAssignment": {"number": "T02", "reason": "x"},
    "prolongAssignment": {"until": DAY, "reason": "x"},
    "previewRecord": FACT,
    "addRecord": FACT,
    "attestIdentity": {"kind": "on_site", "statement": "x"},
    "sayApproval": {"link": "x", "word": "given"},
    "askExport": {"kind": "results"},
    "confirmCertificates": {"issuer": "x"},
    "revokeCertificate": {"reason": "x"},
    "drawResults": {"count": 1},
    "confirmHours": {"ids": [1]},
    "confirmCountyCertificates": {"issuer": "x"},
    "closeFileReport": {"doubtful": True, "finding": "x"},
    "putPanelDraft": {},
    "confirmWorkshopResult": {},
    "giveSelfMark": {"mark": "90"},
    "giveVisitMark": {"enrolment_id": 1, "mark": "90"},
    "holdGathering": {"activity": "off1", "held_at": "2026-03-20T14:30:00+08:00", "place": "x"},
    "signIn": {"code": "123456"},
    "recordSignList": {"present": []},
    "makeUp": {"number": "T01", "proof": "x"},
    "tellFact": {"number": "T01", "kind": "theme", "about": "x", "key": "1", "source": "x"},
    "strikeFact": {"reason": "x"},
    "tellPanelFact": {"number": "T01", "kind": "mark", "about": "x", "key": "1", "source": "x"},
    "strikePanelFact": {"reason": "x"},
    "tellGroupFact": {"kind": "count", "about": "bulletin", "source": "x"},
    "strikeGroupFact": {"reason": "x"},
    "composeWorkshopResult": {"workshop_id": 1},
    "signWorkshopResult": {},
    "fileWorkshopAppeal": {"reason": "x"},
    "nominate": {"number": "T01", "kind": "work", "title": "x"},
    "giveWorkConsent": {"about": "author", "given": True},
    "markNomination": {"mark": "90"},
    "advanceNominations": {"step": "x"},
    "takeBackNomination": {"reason": "x"},
}

PIECE = {"upload-offset": "0", "content-type": "application/offset+octet-stream"}


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk asks more often than a program may."""
    monkeypatch.setattr(tokens, "PER_MINUTE", 10**9)


def routes(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    for route in app.routes:
        if isinstance(route, APIRoute) and route.path.startswith("/api/"):
            for method in sorted(route.methods):
                yield method, route.path, route


def scope_of(method: str, path: str) -> str:
    [[scope]] = [one["bearer"] for one in description()["paths"][path][method.lower()]["security"]]
    return str(scope)


def of_county(path: str) -> bool:
    return path.startswith("/api/v1/county/")


def ask(client: TestClient, method: str, path: str, route: APIRoute, key: object) -> int:
    headers = {"if-match": "*", **(PIECE if method == "PATCH" else {})}
    answer = client.request(
        method, f"http://school.test{filled(path, key)}", json=BODIES.get(route.unique_id), headers=headers
    )
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code


def test_only_the_description_is_everybody_s(web: Web, school: School) -> None:
    public = {path for _method, path, route in routes(web.app) if route.endpoint in _PUBLIC}
    assert public == {"/api/v1/openapi.json"}
    with web.of("A01") as browser, client_of(web.app, None) as nobody, client_of(web.app, "rft_00000000_x") as wrong:
        for method, path, route in routes(web.app):
            if path not in public:
                assert [(path, ask(one, method, path, route, 1)) for one in (nobody, wrong, browser)] == [
                    (path, 401)
                ] * 3


@pytest.mark.parametrize("number", ROLES)
def test_what_is_not_there_is_not_found_whoever_asks(web: Web, school: School, program: Program, number: str) -> None:
    people.found_school(school.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    above(school)
    with program(number) as client:
        for method, path, route in routes(web.app):
            if "{" in path:
                offices = {"C01"} if of_county(path) else {"A01", "Z01"}
                admin = scope_of(method, path) == "admin" and number not in offices
                assert (path, ask(client, method, path, route, 987_654)) == (path, 403 if admin else 404)


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_opens_its_own_routes_and_no_other(web: Web, opened: School, program: Program, scope: Scope) -> None:
    officer = above(opened)
    both = Role(person_id=opened.admin.id, organization_id=officer.organization_id, kind=RoleKind.COUNTY_ADMIN)
    opened.session.add(both)
    with program("A01", scope) as client:
        for method, path, route in routes(web.app):
            if route.endpoint not in _PUBLIC:
                asked = scope_of(method, path)
                assert (path, ask(client, method, path, route, 987_654) == 403) == (path, asked != scope.value)


def test_an_address_that_is_no_number_is_not_found(web: Web, school: School, program: Program) -> None:
    above(school)
    with program("A01") as admin, program("C01") as officer:
        for method, path, route in routes(web.app):
            client = officer if of_county(path) else admin
            if "{key}" in path:
                for key in ("x", "99999999999999999999"):
                    assert (path, key, ask(client, method, path, route, key)) == (path, key, 404)


def test_another_school_s_rows_are_not_there(web: Web, marked: School, program: Program) -> None:
    """Ids that exist, of every kind: whoever is of another school finds none of them."""
    people.found_school(marked.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    elsewhere = Organization(kind=OrganizationKind.COUNTY, name="别县")
    marked.session.add(elsewhere)
    marked.session.flush()
    of_elsewhere = Person(organization_id=elsewhere.id, number="D01", name="马局")
    marked.session.add(of_elsewhere)
    marked.session.flush()
    marked.session.add(Role(person_id=of_elsewhere.id, organization_id=elsewhere.id, kind=RoleKind.COUNTY_ADMIN))
    with program("Z01") as admin, program("D01") as officer:
        for method, path, route in routes(web.app):
            client = officer if of_county(path) else admin
            if "{" in path:
                assert (path, ask(client, method, path, route, 1)) == (path, 404)
