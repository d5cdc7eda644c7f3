"""Who takes part, where they stand, what an administrator may do about it; reviews that are given to others."""

from __future__ import annotations

from sqlalchemy import select
from starlette.testclient import TestClient

from models import Assignment
from review_flow.steps import enrolments
from tests.cast import Clock, School, queries
from tests.stages import stage
from tests.web.api.conftest import Program
from tests.web.api.test_setup import code
from tests.web.conftest import Web


@stage
def sealed(session, _clock: Clock) -> School:
    """Three of five teachers sealed their works, which the others review."""
    school = School(session).open()
    for person in school.teachers:
        school.ready(person)
    for person in school.teachers[:3]:
        school.seal(person)
    school.allocate()
    return school


def listed(client: TestClient, round_id: int, query: str = "") -> dict[str, dict[str, object]]:
    found = client.get(f"/rounds/{round_id}/enrolments{query}").json()["items"]
    return {one["person"]["number"]: one for one in found}


def test_where_everybody_stands_is_listed_in_parts(web: Web, opened: School, program: Program) -> None:
    opened.ready(opened.teachers[1])
    out = opened.enrolment(opened.teachers[2])
    enrolments.exempt(opened.session, actor=opened.admin, enrolment=out, reason="产假")
    key = opened.round.id
    with program("A01") as admin, program("T01") as teacher:
        found = listed(admin, key)
        assert {number: one["stage"] for number, one in found.items()} == {
            "T01": "read",
            "T02": "evidence",
            "T03": None,
            "T04": "read",
            "T05": "read",
        }
        assert (found["T02"]["drafts"], found["T03"]["exempt_reason"], found["T03"]["works"]) == (3, "产假", 0)
        assert list(listed(admin, key, "?stage=evidence")) == ["T02"]
        assert admin.get(f"/rounds/{key}/enrolments?stage=nowhere").status_code == 422
        first = admin.get(f"/rounds/{key}/enrolments?limit=2").json()
        rest = admin.get(f"/rounds/{key}/enrolments?limit=100&cursor={first['next']}").json()
        assert [one["person"]["number"] for one in (*first["items"], *rest["items"])] == list(found)
        assert teacher.get(f"/rounds/{key}/enrolments").status_code == 403
        costs = []
        for limit in (1, 3, 5):
            with queries(web.session) as sent:
                assert len(listed(admin, key, f"?limit={limit}")) == limit
            costs.append(len(sent))
        assert len(set(costs)) == 1


def test_one_is_reminded_relieved_and_left_out(web: Web, opened: School, program: Program) -> None:
    with program("A01") as admin:
        ids = {number: one["id"] for number, one in listed(admin, opened.round.id).items()}
        one = f"/enrolments/{ids['T01']}"
        assert admin.post(f"{one}/remind").json() == {"told": 1}
        assert code(admin.post(f"{one}/remind")) == (429, "reminded-today")
        assert admin.get(one).json()["reminded_at"] is not None
        assert admin.post(f"{one}/deliver").json()["state"]["code"] == "informed"
        assert admin.post(f"{one}/leave-reviewing").json()["reviewing"] is False
        other = f"/enrolments/{ids['T02']}"
        assert code(admin.post(f"{other}/exempt", json={"reason": " "})) == (422, "bad-input")
        left = admin.post(f"{other}/exempt", json={"reason": "产假"}).json()
        assert (left["state"]["code"], left["stage"], left["exempt_reason"]) == ("exempt", None, "产假")
        assert code(admin.post(f"{other}/remind")) == (409, "nothing-to-remind")


def test_what_is_sealed_is_not_left_out_and_a_cap_is_changed_from_what_was_read(
    web: Web,
    sealed: School,
    program: Program,
) -> None:
    key = sealed.enrolment(sealed.teachers[0]).id
    with program("A01") as admin:
        assert code(admin.post(f"/enrolments/{key}/exempt", json={"reason": "产假"})) == (409, "not-exemptible")
        assert [one["ability"] for one in admin.get(f"/enrolments/{key}").json()["submissions"]] == ["A1", "A3", "A5"]
        cap = f"/enrolments/{key}/cap"
        read = admin.get(cap)
        assert (read.json(), admin.put(cap, json={"most": 2}).status_code) == ({"most": None}, 428)
        assert admin.put(cap, json={"most": 2}, headers={"if-match": read.headers["etag"]}).json() == {"most": 2}
        again = admin.put(cap, json={"most": 3}, headers={"if-match": read.headers["etag"]})
        assert code(again) == (412, "version-changed")
        assert admin.put(cap, json={"most": 9999}, headers={"if-match": "*"}).status_code == 422


def test_a_review_is_given_to_somebody_else_or_more_time(
    web: Web,
    sealed: School,
    program: Program,
) -> None:
    base = f"/rounds/{sealed.round.id}"
    count = len(web.session.scalars(select(Assignment.id)).all())
    web.release()
    with program("A01") as admin, program("T01") as teacher:
        found = admin.get(f"{base}/assignments").json()["items"]
        assert (len(found), teacher.get(f"{base}/assignments").status_code) == (count, 403)
        costs = []
        for limit in (1, 3):
            with queries(web.session) as sent:
                assert len(admin.get(f"{base}/assignments?limit={limit}").json()["items"]) == limit
            costs.append(len(sent))
        assert costs[0] == costs[1]
        one, who = next(
            (one, who)
            for one in found
            if (who := admin.get(f"/assignments/{one['id']}/candidates").json()["items"]) != []
        )
        place, to = f"/assignments/{one['id']}", who[0]["person"]["number"]
        assert admin.get(f"{place}/candidates?word={to}").json()["items"] == who[:1]
        assert code(admin.post(f"{place}/prolong", json={"until": "2026-06-01", "reason": "生病"})) == (
            422,
            "bad-input",
        )
        assert admin.post(f"{place}/prolong", json={"until": "2026-04-03", "reason": "生病"}).status_code == 204
        assert code(admin.post(f"{place}/move", json={"number": "P1", "reason": "产假"})) == (404, "not-found")
        moved = admin.post(f"{place}/move", json={"number": to, "reason": "产假"}).json()
        assert (moved["reviewer"]["number"], moved["ability"], moved["id"] != one["id"]) == (to, one["ability"], True)
        assert code(admin.post(f"{place}/move", json={"number": to, "reason": "产假"})) == (409, "not-movable")
