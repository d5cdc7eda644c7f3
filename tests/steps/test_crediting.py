"""Hours credited by a workshop's leader, confirmed by the county, and counted over years."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from models import Hours, Organization, Role, Workshop
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import OrganizationKind, RoleKind
from review_flow.steps import crediting, rounds
from review_flow.steps.facts import record_of
from review_flow.steps.programme import NotConfirmable
from tests.cast import Clock, School

FUYU, LISHU = scheme_files.load("fuyu-2020-50"), scheme_files.load("lishu-2022-implementation")
LEDGER = {**FUYU.document["hours"]["ledgers"][0], "confirmed_by": "县管理员"}
CONFIRMED = Scheme.from_document({**FUYU.document, "hours": {**FUYU.document["hours"], "ledgers": [LEDGER]}})

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def fuyu(session) -> School:
    school = School(session, teachers=3, scheme=CONFIRMED, abilities=())
    workshop = Workshop(organization_id=school.organization.id, name="理科坊")
    session.add(workshop)
    session.flush()
    for one in school.teachers[:2]:
        one.workshop_id = workshop.id
    session.add(
        Role(person_id=school.teachers[1].id, organization_id=school.organization.id, kind=RoleKind.WORKSHOP_LEADER)
    )
    session.flush()
    return school


def credited(school: School, hours: str = "12.5", *, by=None, number: int = 0, key: str = "1", ledger: str = "chosen"):
    return crediting.credit_hours(
        school.session,
        actor=by or school.admin,
        enrolment=school.enrolment(school.teachers[number]),
        ledger=ledger,
        hours=Decimal(hours),
        key=key,
        source="磨课记录",
    )


def hours(school: School) -> dict[str, str]:
    return record_of(school.session, enrolment=school.enrolment(school.teachers[0]))["hours"]


def test_a_leader_credits_others_of_the_workshop(fuyu: School) -> None:
    leader = fuyu.teachers[1]
    assert credited(fuyu, by=leader) == "added"
    assert credited(fuyu, by=leader) == "unchanged"
    assert credited(fuyu, "13", by=leader) == "superseded"
    for number in (1, 2):  # oneself, and somebody of no workshop
        with pytest.raises(NotAllowed):
            credited(fuyu, by=leader, number=number)
    with pytest.raises(NotAllowed):
        credited(fuyu, by=fuyu.teachers[0], number=1)
    with pytest.raises(BadInput):
        credited(fuyu, "-1")
    with pytest.raises(BadInput):
        credited(fuyu, ledger="practice")


def test_they_count_once_the_county_confirmed_them(fuyu: School) -> None:
    session = fuyu.session
    credited(fuyu)
    assert hours(fuyu) == {"chosen": "0"}
    (waiting,) = crediting.unconfirmed_hours(session, round_=fuyu.round)
    crediting.require_seeing(session, actor=fuyu.admin, round_=fuyu.round)
    with pytest.raises(NotAllowed):
        crediting.require_seeing(session, actor=fuyu.teachers[0], round_=fuyu.round)
    with pytest.raises(NotAllowed):
        crediting.confirm_hours(session, actor=fuyu.admin, round_=fuyu.round, told=[waiting])
    county = Organization(kind=OrganizationKind.COUNTY, name="扶余市")
    session.add(county)
    session.flush()
    fuyu.organization.parent_id = county.id
    session.add(Role(person_id=fuyu.admin.id, organization_id=county.id, kind=RoleKind.COUNTY_ADMIN))
    session.flush()
    assert crediting.confirm_hours(session, actor=fuyu.admin, round_=fuyu.round, told=[waiting]) == 1
    assert hours(fuyu) == {"chosen": "12.50"}
    with pytest.raises(NotConfirmable):
        crediting.confirm_hours(session, actor=fuyu.admin, round_=fuyu.round, told=[waiting])


def test_hours_of_five_years_count_together(session, clock: Clock) -> None:
    school = School(session, teachers=1, scheme=LISHU, abilities=("A1", "A3", "A5"))
    teacher = school.teachers[0]
    school.hours(teacher, total="30", online="15", practice="15")
    later = rounds.create(
        session,
        actor=school.admin,
        version=school.version,
        name="2028春",
        abilities=("A1", "A3", "A5"),
        opens_on=date(2028, 3, 1),
        submit_due_on=date(2028, 3, 20),
        hard_close_on=date(2028, 4, 3),
    )
    rounds.enrol(session, actor=school.admin, round_=later, person=teacher)
    first, school.round = school.round, later
    school.hours(teacher, total="20", practice="10")
    assert hours(school) == {"total": "50.00", "online": "15.00", "practice": "25.00"}
    again = session.scalars(select(Hours).where(Hours.ledger == "total", Hours.hours == Decimal(20))).one()
    again.key = "total-30"  # the credit of the first round told once more: it counts once, as this round has it
    session.flush()
    assert hours(school)["total"] == "20.00"
    school.round = first
    assert hours(school) == {"total": "30.00", "online": "15.00", "practice": "15.00"}
    for one in session.scalars(select(Hours).where(Hours.ledger == "practice")):
        one.recorded_at = now().replace(year=2020)
    session.flush()
    school.round = later
    assert hours(school)["practice"] == "10.00"
