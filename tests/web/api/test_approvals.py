"""Approvals, deductions and signatures, by the school's administrator and the panel alike."""

from __future__ import annotations

from sqlalchemy import select

from models import Adjustment, Conflict, Workshop
from review_flow.clock import now
from review_flow.rules.words import RoleKind
from review_flow.steps import evidence
from tests.cast import School, queries
from tests.stages import stage
from tests.steps.test_approvals import _sealed, chained, work
from tests.web.api.conftest import Program
from tests.web.api.test_setup import code
from tests.web.conftest import Web


@stage
def sealed(session, _clock) -> School:
    """Nine sealed works wait for the school."""
    return _sealed(session, chained())


def test_the_school_approves_and_sends_back(web: Web, sealed: School, program: Program) -> None:
    first, second = work(sealed, "A1"), work(sealed, "A3")
    base, place = f"/panel/rounds/{sealed.round.id}/approvals", f"/panel/approvals/{first.id}"
    given = {"link": "学校审核", "word": "given"}
    with program("A01") as admin, program("P1") as member, program("T02") as teacher:
        waiting = admin.get(base).json()["items"]
        assert (len(waiting), waiting[0]["link"], waiting[0]["author"]["number"]) == (9, "学校审核", "T01")
        costs = []
        for limit in (1, 3):
            with queries(web.session) as sent:
                assert len(member.get(f"{base}?limit={limit}").json()["items"]) == limit
            costs.append(len(sent))
        assert costs[0] == costs[1]
        assert [teacher.get(one).status_code for one in (base, place, f"{place}/evidence")] == [404, 404, 404]
        assert admin.get(place).json() == waiting[0]
        files = admin.get(f"{place}/evidence").json()["items"]
        assert {tuple(one) for one in files} == {
            ("id", "slot", "file_name", "size_bytes", "sha256", "uploaded_at", "removed_at")
        }  # nothing of what the check saw: it would say who has no face to compare with
        assert code(admin.post(place, json={**given, "link": "专家认证"})) == (404, "not-found")
        assert admin.post(place, json=given).status_code == 204
        assert code(member.post(place, json=given)) == (404, "not-found")
        back = {"link": "学校审核", "word": "refused"}
        assert code(member.post(f"/panel/approvals/{second.id}", json=back)) == (422, "not-told")
        assert member.post(f"/panel/approvals/{second.id}", json={**back, "reason": "缺反思"}).status_code == 204
        assert len(admin.get(base).json()["items"]) == 7


def test_a_fact_is_tried_recorded_and_listed(web: Web, opened: School, program: Program) -> None:
    apart = Conflict(
        one_id=opened.teachers[1].id,
        other_id=opened.members[0].id,
        reason="师徒",
        declared_by_id=opened.admin.id,
        declared_at=now(),
    )
    opened.session.add(apart)
    first, second = (opened.enrolment(one).id for one in opened.teachers[:2])
    base = f"/panel/rounds/{opened.round.id}/adjustments"
    fact = {"enrolment_id": first, "kind": "absence", "on": "2026-03-02", "proof": "签到表", "key": "a"}
    with program("A01") as admin, program("P1") as member, program("T03") as teacher:
        effect = admin.post(f"{base}/preview", json=fact).json()
        assert [one["points"] for one in effect["lines"]] == ["-5.00", "5.00"]  # nobody falls below 0
        assert web.session.scalars(select(Adjustment.id)).all() == []
        web.release()
        made = admin.post(base, json=fact)
        assert (made.status_code, made.json()["person"]["number"], made.json()["state"]) == (201, "T01", "notified")
        assert admin.post(base, json=fact).json()["id"] == made.json()["id"]
        assert code(admin.post(base, json={**fact, "on": "2026-03-09"})) == (422, "bad-input")
        assert code(admin.post(base, json={**fact, "enrolment_id": 987_654})) == (404, "not-found")
        assert code(member.post(base, json={**fact, "enrolment_id": second})) == (403, "not-allowed")
        other = admin.post(base, json={**fact, "enrolment_id": second}).json()
        assert [one["id"] for one in admin.get(base).json()["items"]] == [other["id"], made.json()["id"]]
        assert [one["id"] for one in member.get(base).json()["items"]] == [made.json()["id"]]
        assert (teacher.get(base).status_code, teacher.post(base, json=fact).status_code) == (404, 404)


def test_who_saw_the_author_signs(web: Web, sealed: School, program: Program) -> None:
    shop = Workshop(organization_id=sealed.organization.id, name="理科坊")
    sealed.session.add(shop)
    sealed.session.flush()
    leader = sealed.person("L01", "坊主", role=RoleKind.WORKSHOP_LEADER)
    leader.workshop_id = sealed.teachers[0].workshop_id = shop.id
    one, of_other = work(sealed).id, work(sealed, number=1).id
    files = [file.id for file in evidence.standing_evidence(sealed.session, submission=work(sealed))]
    seen = {"kind": "on_site", "statement": "第二节听课，本人执教。"}
    with program("A01") as admin, program("L01") as led, program("T02") as teacher:
        place = f"/panel/submissions/{one}/attest"
        assert admin.post(place, json=seen).json() == {"unsigned": files}
        assert code(admin.post(place, json=seen)) == (409, "nothing-to-attest")
        assert code(led.post(place, json={**seen, "statement": " "})) == (422, "bad-input")
        assert led.post(place, json=seen).json() == {"unsigned": []}
        assert led.post(f"/panel/submissions/{of_other}/attest", json=seen).status_code == 404
        assert teacher.post(place, json=seen).status_code == 404
