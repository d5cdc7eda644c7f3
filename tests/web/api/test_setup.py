"""A round from its first day to its opening, by a program alone."""

from __future__ import annotations

from starlette.testclient import TestClient

from models import Organization, Person
from review_flow.steps import people
from tests.cast import ABILITIES, School
from tests.web.api.conftest import Program
from tests.web.conftest import Web

DAYS = {"opens_on": "2026-03-02", "submit_due_on": "2026-03-20", "hard_close_on": "2026-04-03"}


def code(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]  # type: ignore[attr-defined]  # any client's answer


def test_a_round_is_set_up_seated_and_opened(web: Web, school: School, program: Program) -> None:
    with program("A01") as admin, program("T01") as teacher:
        [scheme] = admin.get("/schemes").json()["items"]
        body = {"name": "2026秋", "scheme_id": scheme["id"], **DAYS}
        made = admin.post("/rounds", json=body)
        assert (made.status_code, made.json()["abilities"], made.json()["submit_due_on"]) == (201, [], "2026-03-20")
        assert code(admin.post("/rounds", json=body)) == (422, "bad-input")
        assert code(admin.post("/rounds", json={**body, "scheme_id": 987_654})) == (404, "not-found")
        assert admin.post("/rounds", json={**body, "opens_on": "0001-01-01"}).status_code == 422
        assert teacher.post("/rounds", json=body).status_code == 403
        base = f"/rounds/{made.json()['id']}"
        change(admin, base, made.headers["etag"])
        assert admin.post(f"{base}/enrol-all").json() == {"new": 13}
        assert admin.post(f"{base}/enrol-all").json() == {"new": 0}
        seated(admin, base)
        assert code(admin.post(f"{base}/open")) == (409, "not-ready")
        lacking = admin.get(f"{base}/readiness").json()["lacking"]
        assert [one for one in lacking if "考核组成员至少3人，现有1人" in one] != []


def change(admin: TestClient, base: str, version: str) -> None:
    other = {**DAYS, "submit_due_on": "2026-03-27", "abilities": list(ABILITIES)}
    assert admin.put(f"{base}/setup", json=other).status_code == 428
    done = admin.put(f"{base}/setup", json=other, headers={"if-match": version})
    assert (done.status_code, done.json()["abilities"]) == (200, list(ABILITIES))
    late = admin.put(f"{base}/setup", json={**other, **DAYS}, headers={"if-match": version})
    assert code(late) == (412, "version-changed")
    assert (admin.get(f"{base}/setup").json(), done.headers["etag"] != version) == (done.json(), True)
    wrong = {**other, "opens_on": "2026-03-28"}
    assert code(admin.put(f"{base}/setup", json=wrong, headers={"if-match": "*"})) == (422, "bad-input")


def seated(admin: TestClient, base: str) -> None:
    keys = []
    for number in ("P1", "P2"):
        answer = admin.post(f"{base}/seats", json={"number": number, "kind": "member"})
        assert (answer.status_code, answer.json()["person"]["number"]) == (201, number)
        keys.append(answer.json()["id"])
    assert code(admin.post(f"{base}/seats", json={"number": "P99", "kind": "member"})) == (404, "not-found")
    assert admin.post(f"{base}/seats", json={"number": "P1", "kind": "king"}).status_code == 422
    assert admin.delete(f"/seats/{keys[1]}").status_code == 204
    assert [one["id"] for one in admin.get(f"{base}/seats").json()["items"]] == keys[:1]
    assert admin.delete(f"/seats/{keys[1]}").status_code == 404


def test_what_an_open_round_still_takes(web: Web, school: School, program: Program) -> None:
    base = f"/rounds/{school.round.id}"
    with program("A01") as admin:
        assert admin.get(f"{base}/readiness").json() == {"lacking": []}
        assert admin.post(f"{base}/open").json()["phase"]["code"] == "open"
        assert code(admin.post(f"{base}/open")) == (409, "wrong-phase")
        put = admin.put(f"{base}/setup", json={**DAYS, "abilities": []}, headers={"if-match": "*"})
        assert code(put) == (409, "wrong-phase")
        later = {"submit_due_on": "2026-03-25", "hard_close_on": "2026-04-10", "reason": "停课"}
        assert admin.post(f"{base}/put-off", json=later).json()["submit_due_at"] == "2026-03-25T15:59:59Z"
        sooner = {**later, "submit_due_on": "2026-03-10"}
        assert code(admin.post(f"{base}/put-off", json=sooner)) == (409, "only-later")
        [first, *_rest] = admin.get(f"{base}/seats").json()["items"]
        assert code(admin.delete(f"/seats/{first['id']}")) == (409, "wrong-phase")
        assert code(admin.post(f"{base}/close")) == (409, "wrong-phase")


def test_a_seat_is_for_somebody_of_the_school(web: Web, school: School, program: Program) -> None:
    people.found_school(school.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    other = school.session.query(Organization).filter_by(name="第二中学").one()
    school.session.add(Person(organization_id=other.id, number="Z09", name="外校"))
    base = f"/rounds/{school.round.id}"
    with program("A01") as admin:
        assert code(admin.post(f"{base}/seats", json={"number": "Z09", "kind": "member"})) == (404, "not-found")
