from __future__ import annotations

from sqlalchemy import select

from models import Result
from review_flow.steps import crediting, people
from tests.cast import Clock, School
from tests.steps.test_county import above, banded
from tests.steps.test_crediting import CONFIRMED, credited
from tests.web.conftest import Web


def test_the_county_sees_its_schools_draws_and_looks_into_what_it_drew(web: Web, marked: School, clock: Clock) -> None:
    above(marked)
    banded(marked, clock)
    people.found_school(marked.session, name="别县中学", admin_number="Z1", admin_name="吴静")
    place = f"/county/rounds/{marked.round.id}"
    with web.of("C01") as officer, web.of("A01") as admin:
        assert officer.get("/").headers["location"] == "/county"
        beside = officer.get("/county").text
        assert ("实验中学" in beside, "别县中学" in beside, 'href="/county"' in beside) == (True, False, True)
        assert "还没有抽查过" in officer.get(place).text
        assert (
            officer.post(f"{place}/spot-check", data={"count": 2, "yes": "yes"}).headers["location"] == f"{place}#drawn"
        )
        shown = officer.get(place).text
        ids = marked.session.scalars(select(Result.id)).all()
        web.release()
        seen = [key for key in ids if f"{place}/results/{key}" in shown]
        assert len(seen) == 2
        answers = {key: officer.get(f"{place}/results/{key}").status_code for key in ids}
        assert answers == {key: 200 if key in seen else 404 for key in ids}
        assert "计分明细" in officer.get(f"{place}/results/{seen[0]}").text
        assert admin.get("/county").status_code == 403
        assert "county.spot_check" in admin.get("/school/audit").text
        assert officer.get("/school").status_code == 403


def test_the_walk_knows_the_county_s_office(web: Web, opened: School) -> None:
    above(opened)
    with web.of("C01") as officer:
        assert officer.get("/county/rounds/987654").status_code == 404
        assert officer.post("/county/rounds/987654/spot-check", data={"count": 1, "yes": "yes"}).status_code == 404


def test_the_county_confirms_hours(web: Web, session, clock: Clock) -> None:
    school = School(session, teachers=2, scheme=CONFIRMED, abilities=()).open()
    above(school)
    credited(school)
    (told,) = crediting.unconfirmed_hours(session, round_=school.round)
    place = f"/county/rounds/{school.round.id}"
    with web.of("C01") as officer:
        assert f'name="credits" value="{told.id}"' in officer.get(place).text
        chosen = {"credits": [told.id], "yes": "yes"}
        assert officer.post(f"{place}/hours", data=chosen).headers["location"] == place
        assert 'name="credits"' not in officer.get(place).text
    session.refresh(told)
    assert told.confirmed_at is not None
