"""The county's desk by a program: its own schools, draws, and what waits for its word; nothing of others."""

from __future__ import annotations

from sqlalchemy import select

from models import Organization, Result
from review_flow.rules.words import OrganizationKind
from review_flow.steps import people
from tests.cast import Clock, School, queries
from tests.steps.test_county import above, banded
from tests.steps.test_crediting import CONFIRMED, credited
from tests.web.api.conftest import Program
from tests.web.api.test_setup import code
from tests.web.conftest import Web


def test_schools_stand_side_by_side_and_results_are_drawn(
    web: Web, marked: School, clock: Clock, program: Program
) -> None:
    above(marked)
    banded(marked, clock)
    people.found_school(marked.session, name="别县中学", admin_number="Z1", admin_name="吴静")
    more = [
        Organization(kind=OrganizationKind.SCHOOL, name=f"新校{n}", parent_id=marked.organization.parent_id)
        for n in range(2)
    ]
    marked.session.add_all(more)
    ids = marked.session.scalars(select(Result.id)).all()
    base = f"/county/rounds/{marked.round.id}"
    with program("C01") as officer, program("A01") as admin:
        first, *rest = officer.get("/county/schools").json()["items"]
        assert (first["school"]["name"], first["teachers"], first["confirmed"]) == ("实验中学", 5, 5)
        assert [(one["school"]["name"], one["round"]) for one in rest] == [("新校0", None), ("新校1", None)]
        costs = []
        for limit in (1, 3):
            with queries(web.session) as sent:
                assert len(officer.get(f"/county/schools?limit={limit}").json()["items"]) == limit
            costs.append(len(sent))
        assert costs[0] == costs[1]
        assert officer.get(base).json()["school"]["name"] == "实验中学"
        assert officer.post(f"{base}/spot-checks", json={"count": 21}).status_code == 422
        drawn = officer.post(f"{base}/spot-checks", json={"count": 2})
        seen = [one["id"] for one in drawn.json()["items"]]
        assert (drawn.status_code, len(seen)) == (201, 2)
        assert officer.get(f"{base}/spot-checks").json()["items"] == drawn.json()["items"]
        answers = {key: officer.get(f"{base}/spot-checks/{key}").status_code for key in ids}
        assert answers == {key: 200 if key in seen else 404 for key in ids}
        assert officer.get(f"{base}/spot-checks/{seen[0]}").json()["ledger"] != []
        assert code(admin.get("/county/schools")) == (403, "not-allowed")
        assert code(officer.get("/people")) == (403, "not-allowed")
        assert officer.post(f"{base}/certificates/confirm", json={"issuer": "外县"}).status_code == 403


def test_hours_wait_for_the_county_s_word(web: Web, session, clock: Clock, program: Program) -> None:
    school = School(session, teachers=2, scheme=CONFIRMED, abilities=()).open()
    above(school)
    credited(school)
    base = f"/county/rounds/{school.round.id}"
    with program("C01") as officer:
        [one] = officer.get(f"{base}/hours").json()["items"]
        assert (one["hours"], one["person"]["number"]) == ("12.5", "T01")
        assert officer.post(f"{base}/hours/confirm", json={"ids": []}).status_code == 422
        assert officer.post(f"{base}/hours/confirm", json={"ids": [one["id"]]}).json() == {"confirmed": 1}
        assert officer.post(f"{base}/hours/confirm", json={"ids": [one["id"]]}).json() == {"confirmed": 0}
        assert officer.get(f"{base}/hours").json()["items"] == []
        assert len(officer.get(base).json()["indicators"]) == len(school.scheme.targets)
