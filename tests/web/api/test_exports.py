"""The end of a round by a program: files asked for and fetched, certificates confirmed and revoked, the round closed."""

from __future__ import annotations

import hashlib

from sqlalchemy import select

from models import Organization, RoundExport
from review_flow.steps import advance, certificates, exports, results
from tests.cast import Clock, School, certified, queries
from tests.stages import stage
from tests.steps.test_county import above
from tests.web.api.conftest import Program
from tests.web.api.test_setup import code
from tests.web.conftest import Web


@stage
def final(session, clock: Clock) -> School:
    """Four teachers whose results are final, under a scheme that grants certificates."""
    school = School(session, teachers=4, scheme=certified()).open().whole()
    clock.day(4, 4)
    advance.advance(session, round_=school.round)
    school.compose()
    results.confirm_all(session, actor=school.members[0], round_=school.round)
    results.publish(session, actor=school.admin, round_=school.round)
    for month in (5, 6):
        clock.day(month, 30)
        advance.advance(session, round_=school.round)
    return school


def test_a_file_is_asked_for_made_and_fetched(web: Web, final: School, program: Program) -> None:
    base = f"/rounds/{final.round.id}"
    with program("A01") as admin, program("T01") as teacher:
        asked = admin.post(f"{base}/exports", json={"kind": "results"})
        assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
        place = f"/exports/{asked.json()['id']}"
        assert code(admin.get(f"{place}/file")) == (404, "not-found")
        assert code(admin.post(f"{base}/exports", json={"kind": "certificates"})) == (409, "nothing-to-print")
        assert admin.post(f"{base}/exports", json={"kind": "poem"}).status_code == 422
        assert "waiting" in [one["at"] for one in admin.get(f"{base}/jobs").json()["items"]]
        row = web.session.scalars(select(RoundExport)).one()
        exports.run(web.session, export=row, storage=web.app.state.storage)
        web.release()
        told = admin.get(place).json()
        file = admin.get(f"{place}/file")
        assert (told["state"], told["sha256"]) == ("done", hashlib.sha256(file.content).hexdigest())
        assert file.headers["content-disposition"][:10] == "attachment"
        assert file.headers["x-content-type-options"] == "nosniff"
        part = admin.get(f"{place}/file", headers={"range": "bytes=2-5"})
        assert (part.status_code, part.content) == (206, file.content[2:6])
        assert [one["id"] for one in admin.get(f"{base}/exports").json()["items"]] == [told["id"]]
        assert teacher.get(f"{place}/file").status_code == 403


def test_certificates_are_ordered_confirmed_revoked_and_issued_again(web: Web, final: School, program: Program) -> None:
    base, key = f"/rounds/{final.round.id}/certificates", web.app.state.settings.number_key()
    for one in certificates.due_certificates(final.session, round_=final.round):
        enrolment = next(row for row in map(final.enrolment, final.teachers) if row.id == one.enrolment_id)
        certificates.issue(final.session, actor=None, enrolment=enrolment, kind=one.kind, key=key)
    with program("A01") as admin:
        assert admin.post(base).status_code == 204
        costs = []
        for limit in (1, 3):
            with queries(web.session) as sent:
                assert len(admin.get(f"{base}?limit={limit}").json()["items"]) == limit
            costs.append(len(sent))
        assert costs[0] == costs[1]
        found = admin.get(base).json()["items"]
        assert len([one for one in found if one["waiting_for"] == ["实验中学"]]) == 4
        assert admin.post(f"{base}/confirm", json={"issuer": "实验中学"}).json() == {"confirmed": 4}
        assert code(admin.post(f"{base}/confirm", json={"issuer": "培训机构"})) == (422, "bad-input")
        proven = {"issuer": "培训机构", "proof": "函〔2026〕3号"}
        assert admin.post(f"{base}/confirm", json=proven).json() == {"confirmed": 4}
        one = next(one for one in found if one["kind"] == "pass")
        place = f"/certificates/{one['id']}"
        assert code(admin.post(f"{place}/revoke", json={"reason": " "})) == (422, "bad-input")
        gone = admin.post(f"{place}/revoke", json={"reason": "姓名有误"}).json()
        assert (gone["state"], gone["revoked_reason"], gone["waiting_for"]) == ("revoked", "姓名有误", [])
        assert code(admin.post(f"{place}/revoke", json={"reason": "姓名有误"})) == (409, "already-revoked")
        again = admin.post(f"{place}/again")
        assert (again.status_code, again.json()["version"], again.json()["state"]) == (201, 2, "issued")
        assert again.json()["person"] == one["person"]


def test_a_round_is_closed_once(web: Web, final: School, program: Program) -> None:
    base = f"/rounds/{final.round.id}"
    with program("A01") as admin:
        assert admin.post(f"{base}/close").json()["phase"]["code"] == "closed"
        assert code(admin.post(f"{base}/close")) == (409, "wrong-phase")


def test_an_issuer_of_the_county_speaks_for_itself(web: Web, final: School, program: Program) -> None:
    above(final)
    seat = final.session.scalars(select(Organization).where(Organization.name == "实验县")).one()
    seat.name = "培训机构"
    key = web.app.state.settings.number_key()
    one = next(one for one in certificates.due_certificates(final.session, round_=final.round) if one.kind == "joint")
    enrolment = next(row for row in map(final.enrolment, final.teachers) if row.id == one.enrolment_id)
    certificates.issue(final.session, actor=None, enrolment=enrolment, kind="joint", key=key)
    base = f"/county/rounds/{final.round.id}"
    said = {"issuer": "培训机构"}
    with program("C01") as officer, program("A01") as admin:
        assert officer.get(base).json()["certificates"] == {"培训机构": 1}
        refused = admin.post(f"/rounds/{final.round.id}/certificates/confirm", json={**said, "proof": "函"})
        assert code(refused) == (403, "not-allowed")
        assert officer.post(f"{base}/certificates/confirm", json=said).json() == {"confirmed": 1}
        assert officer.get(base).json()["certificates"] == {}
