"""The school's office by a program: a scheme made the school's own, roles, the chain, how reviewers agree."""

from __future__ import annotations

from review_flow.steps import people
from tests.cast import School, queries
from tests.web.api.conftest import Program
from tests.web.api.test_setup import code
from tests.web.conftest import Web


def test_a_scheme_is_taken_confirmed_and_published(web: Web, program: Program) -> None:
    people.found_school(web.session, name="实验中学", admin_number="A01", admin_name="陈静")
    with program("A01") as admin:
        listed = [one["id"] for one in admin.get("/scheme-library").json()["items"]]
        assert "xian-2022-appraisal" in listed
        text = admin.get("/scheme-library/xian-2022-appraisal").json()["text"]
        assert code(admin.get("/scheme-library/nothing")) == (404, "not-found")
        made = admin.post("/schemes", json={"text": text, "effective_from": "2026-03-01"}).json()
        place = f"/schemes/{made['id']}"
        values = admin.get(f"{place}/open-values?limit=100").json()["items"]
        assert ([one["id"] for one in values], {one["confirmed"] for one in values}) == (made["open"], {False})
        assert all(one["origin"] for value in values for one in value["values"])
        assert code(admin.post(f"{place}/publish")) == (409, "still-unconfirmed")
        assert code(admin.post(f"{place}/confirm", json={"ids": ["nothing"]})) == (404, "not-found")
        some = admin.post(f"{place}/confirm", json={"ids": made["open"][:1]}).json()
        assert some["open"] == made["open"][1:]
        assert admin.post(f"{place}/confirm", json={"ids": some["open"]}).json()["open"] == []
        assert admin.post(f"{place}/publish").json()["state"]["code"] == "published"
        assert code(admin.post(f"{place}/publish")) == (409, "scheme-in-use")
        days = {"opens_on": "2026-03-02", "submit_due_on": "2026-03-20", "hard_close_on": "2026-04-03"}
        assert admin.post("/rounds", json={"name": "2026春", "scheme_id": made["id"], **days}).status_code == 201


def test_roles_are_given_and_taken(web: Web, school: School, program: Program) -> None:
    key, own = school.teachers[0].id, school.admin.id
    with program("A01") as admin, program("T01") as teacher:
        place = f"/people/{key}/roles"
        assert teacher.put(f"{place}/school_admin").status_code == 403
        assert admin.put(f"{place}/workshop_leader").json()["roles"] == ["teacher", "workshop_leader"]
        assert admin.delete(f"{place}/workshop_leader").json()["roles"] == ["teacher"]
        assert code(admin.delete(f"{place}/workshop_leader")) == (404, "not-found")
        assert code(admin.put(f"{place}/county_admin")) == (403, "not-allowed")
        assert admin.put(f"{place}/king").status_code == 404
        assert code(admin.delete(f"/people/{own}/roles/school_admin")) == (409, "last-admin")


def test_a_round_is_told_in_numbers(web: Web, marked: School, program: Program) -> None:
    with program("A01") as admin, program("P1") as member:
        found = {one["id"]: one for one in admin.get(f"/rounds/{marked.round.id}/charts").json()["items"]}
        assert found["abilities"]["series"] == [{"name": "合格", "values": [15, 15, 15]}]
        assert member.get(f"/rounds/{marked.round.id}/charts").status_code == 403


def test_what_takes_long_is_asked_for_and_read_when_it_is_done(web: Web, marked: School, program: Program) -> None:
    agreement, dry_run = (f"/rounds/{marked.round.id}/{one}" for one in ("agreement", "dry-run"))
    with program("A01") as admin, program("P1") as member:
        assert admin.get("/audit/chain").json() == {
            "under_way": False,
            "stopped": None,
            "done_at": None,
            "count": None,
            "wrong": [],
        }
        for place in ("/audit/chain", agreement, dry_run):
            asked = admin.post(place)
            assert (asked.status_code, asked.json()["under_way"]) == (202, True)
            assert member.post(place).status_code == 403
        assert admin.get(f"{agreement}/reviewers").json()["items"] == []
        web.do_errands()
        read = admin.get("/audit/chain").json()
        assert (read["under_way"], read["count"] > 0, read["wrong"]) == (False, True, [])
        assert admin.get(agreement).json()["under_way"] is False
        tried = admin.get(dry_run).json()
        assert (tried["under_way"], tried["authors"], tried["reviews"], len(tried["grades"])) == (False, 5, 45, 3)
        costs = []
        for limit in (1, 3):
            with queries(web.session) as sent:
                assert len(admin.get(f"{agreement}/reviewers?limit={limit}").json()["items"]) == limit
            costs.append(len(sent))
        assert costs[0] == costs[1]
        found = admin.get(f"{agreement}/reviewers").json()["items"]
        assert [one["person"]["number"] for one in found] == sorted(one.number for one in marked.teachers)
