"""What is told of a teacher's way through a programme, and the round under a scheme without abilities."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select

from models import Fact, Organization, Role, Workshop
from review_flow import schemes as scheme_files
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.grading import grade
from review_flow.rules.scheme import DELIVERABLES
from review_flow.rules.words import FactKind, OrganizationKind, RoleKind
from review_flow.steps import enrolments, evidence, people, programme, standing, submissions
from review_flow.steps.facts import record_of
from review_flow.steps.programme import NotConfirmable, NotStrikable, NotTold, Telling
from tests.cast import School, kept

pytestmark = pytest.mark.usefixtures("clock")
F50, QUANZHOU, FUYU = (scheme_files.load(name) for name in ("fuqing-50", "quanzhou-2016-80", "fuyu-2020-50"))
CASE1, XX = scheme_files.load("case1-tiers"), scheme_files.load("xx-process-100")


@pytest.fixture
def fuqing(session) -> School:
    return School(session, teachers=2, scheme=F50, abilities=())


def told(school: School, kind: FactKind, about: str, key: str = "1", *, by=None, person=None, **value) -> str:
    number = value.pop("number", None)
    telling = Telling(kind, about, key, "研修平台", number=None if number is None else Decimal(number), **value)
    enrolment = school.enrolment(person or school.teachers[0])
    return programme.tell_fact(school.session, actor=by or school.admin, enrolment=enrolment, telling=telling)


def record(school: School, number: int = 0) -> dict:
    return record_of(school.session, enrolment=school.enrolment(school.teachers[number]))


def facts(school: School) -> list[Fact]:
    return list(school.session.scalars(select(Fact).order_by(Fact.id)))


def test_what_nobody_told_is_none_of_it(fuqing: School) -> None:
    assert {key: record(fuqing)[key] for key in ("minutes", "role", "abilities")} == {
        "minutes": {"course": "0"},
        "role": [],
        "abilities": [],
    }
    assert set(record(fuqing)["slots"]) == {slot.id for slot in F50.deliverables}
    assert not any(record(fuqing)["slots"].values())


def test_minutes_add_up_and_are_superseded_by_key(fuqing: School) -> None:
    assert told(fuqing, FactKind.MINUTES, "course", "9月", number="600") == "added"
    assert told(fuqing, FactKind.MINUTES, "course", "10月", number="300") == "added"
    assert told(fuqing, FactKind.MINUTES, "course", "10月", number="300") == "unchanged"
    assert told(fuqing, FactKind.MINUTES, "course", "10月", number="410") == "superseded"
    assert record(fuqing)["minutes"] == {"course": "1010.00"}
    assert [(one.number, one.struck_at is None) for one in facts(fuqing)] == [(600, True), (300, False), (410, True)]


def test_a_whole_teacher_of_fuqing(fuqing: School) -> None:
    told(fuqing, FactKind.MINUTES, "course", number="1000")
    programme.place(
        fuqing.session,
        actor=fuqing.admin,
        enrolment=fuqing.enrolment(fuqing.teachers[0]),
        tier=None,
        roles=["observer"],
    )
    for slot in ("learning_reflection", "lesson_design", "forum_topic", "observation_form", "shared_resource"):
        told(fuqing, FactKind.PIECE, slot)
    told(fuqing, FactKind.PIECE, "shared_resource", "2")
    told(fuqing, FactKind.PIECE, "summary_text", details={"chars": 799})
    assert grade(F50, record(fuqing)).grade == "不合格"
    told(fuqing, FactKind.PIECE, "summary_text", details={"chars": 800})
    outcome = grade(F50, record(fuqing))
    assert (str(outcome.score), outcome.grade) == ("100.00", "优秀")


def test_files_handed_in_count_as_pieces(fuqing: School) -> None:
    fuqing.open()
    teacher = fuqing.teachers[0]
    work = enrolments.deliverables_of(fuqing.session, actor=teacher, enrolment=fuqing.enrolment(teacher))
    again = enrolments.deliverables_of(fuqing.session, actor=teacher, enrolment=fuqing.enrolment(teacher))
    assert (work.ability, work.id) == (DELIVERABLES, again.id)
    waits = [one.why for one in standing.waits(fuqing.session, round_=fuqing.round) if one.person is teacher]
    assert [why.split("：")[0] for why in waits] == ["还没有阅读方案", "尚未完成"]  # and nothing of the work itself
    for number, verdict in enumerate(("valid", "rejected", "human")):
        added = evidence.add_evidence(
            fuqing.session,
            actor=teacher,
            submission=work,
            slot="summary_text",
            file_name="总结.docx",
            stored=kept(verdict),
        )
        report = {
            "verdict": verdict,
            "present": None,
            "findings": [],
            "media": {"chars": 800 + number, "duration_s": 1.5},
        }
        submissions.record_check(fuqing.session, evidence=added, report=report, sheet_key=None)
    assert record(fuqing)["slots"]["summary_text"] == [
        {"chars": 800, "seconds": "1.500"},
        {"chars": 802, "seconds": "1.500"},
    ]
    assert record(fuqing)["abilities"] == []
    assert enrolments.submissions_of(fuqing.session, enrolment=fuqing.enrolment(teacher)) == []
    with pytest.raises(submissions.NotSealed):
        submissions.seal(fuqing.session, actor=teacher, submission=work, own_work=True)
    with pytest.raises(NotAllowed):
        enrolments.deliverables_of(fuqing.session, actor=fuqing.teachers[1], enrolment=fuqing.enrolment(teacher))


def test_a_scheme_of_abilities_alone_asks_for_nothing_else(school: School) -> None:
    school.open()
    teacher = school.teachers[0]
    with pytest.raises(enrolments.NothingAsked):
        enrolments.deliverables_of(school.session, actor=teacher, enrolment=school.enrolment(teacher))


def test_the_round_says_what_is_left(fuqing: School) -> None:
    fuqing.open()
    told(fuqing, FactKind.MINUTES, "course", number="1000")
    told(fuqing, FactKind.PIECE, "learning_reflection")
    (said,) = [
        one.why
        for one in standing.waits(fuqing.session, round_=fuqing.round)
        if "尚未完成" in one.why and one.who == "王芳"
    ]
    assert said.startswith("尚未完成：第一环节")
    assert "学习感悟" not in said


def test_what_the_scheme_does_not_know_is_refused(fuqing: School) -> None:
    for kind, about, value in (
        (FactKind.MINUTES, "lecture", {"number": "5"}),
        (FactKind.MINUTES, "course", {}),
        (FactKind.MINUTES, "course", {"number": "-1"}),
        (FactKind.THEME, "t1", {}),
    ):
        with pytest.raises(NotTold):
            told(fuqing, kind, about, **value)
    assert facts(fuqing) == []


@pytest.mark.parametrize(
    ("scheme", "kind", "about", "value", "why"),
    [
        (FUYU, FactKind.TEST, "training.online", {"word": "优秀"}, "合格、不合格"),
        (XX, FactKind.MARK, "face", {"number": "100.5"}, "0到100"),
        (CASE1, FactKind.PERIOD, "reflections", {"number": "1.5"}, "整数"),
        (XX, FactKind.APPROVAL, "A1:学校审核", {"word": "yes"}, "given"),
    ],
)
def test_values_are_looked_at(scheme, kind, about, value, why) -> None:
    number = value.get("number")
    telling = Telling(
        kind, about, "1", "平台", number=None if number is None else Decimal(number), word=value.get("word")
    )
    said = programme.problem(scheme, telling)
    assert said is not None
    assert why in said


def test_who_may_tell(fuqing: School) -> None:
    session, (one, other) = fuqing.session, fuqing.teachers
    workshop = Workshop(organization_id=fuqing.organization.id, name="物理坊")
    session.add(workshop)
    session.flush()
    one.workshop_id = other.workshop_id = workshop.id
    with pytest.raises(NotAllowed):
        told(fuqing, FactKind.PIECE, "lesson_design", by=other)
    session.add(Role(person_id=other.id, organization_id=fuqing.organization.id, kind=RoleKind.WORKSHOP_LEADER))
    session.flush()
    assert told(fuqing, FactKind.PIECE, "lesson_design", by=other) == "added"
    with pytest.raises(NotAllowed):
        told(fuqing, FactKind.MINUTES, "course", by=other, number="5")
    with pytest.raises(NotAllowed):
        told(fuqing, FactKind.PIECE, "lesson_design", by=fuqing.members[0])


def test_the_panel_marks_others_and_nobody_oneself(session) -> None:
    school = School(session, teachers=2, scheme=XX, abilities=("A1", "A2", "A5", "A6", "A11", "B2", "B5", "C1"))
    member = school.members[0]
    told(school, FactKind.MARK, "face", by=member, number="90")
    told(school, FactKind.MARK, "face", "2", by=school.members[1], number="85.5")
    assert record(school)["components"] == {"face": "87.75"}
    assert record(school)["abilities"] == []
    from review_flow.steps import rounds

    rounds.enrol(session, actor=school.admin, round_=school.round, person=member)
    with pytest.raises(NotAllowed):
        told(school, FactKind.MARK, "face", by=member, person=member, number="100")
    rounds.enrol(session, actor=school.admin, round_=school.round, person=school.admin)
    with pytest.raises(NotAllowed):
        told(school, FactKind.MARK, "face", by=school.admin, person=school.admin, number="100")
    near = school.teachers[1]
    assert told(school, FactKind.MARK, "face", person=near, number="60") == "added"
    people.declare_conflict(session, actor=school.admin, one=school.admin, other=near, reason="夫妻")
    with pytest.raises(NotAllowed, match="应回避"):
        told(school, FactKind.MARK, "face", person=near, number="100")
    with pytest.raises(NotAllowed, match="应回避"):
        programme.strike_fact(session, actor=school.admin, fact=facts(school)[-1], reason="太低")
    assert told(school, FactKind.PIECE, "personal_plan", person=near) == "added"  # what is no judgement is told


def test_approvals_stand_with_their_ability(session) -> None:
    school = School(session, teachers=1, scheme=XX, abilities=("A1", "A2", "A5", "A6", "A11", "B2", "B5", "C1"))
    school.open()
    school.ready(school.teachers[0], abilities=("A1", "A5", "A11"))
    school.seal(school.teachers[0])
    told(school, FactKind.APPROVAL, "A1:学校审核", word="given")
    told(school, FactKind.APPROVAL, "A5:学校审核", word="refused", details={"reason": "缺说课案"})
    assert {one["code"]: one["approvals"] for one in record(school)["abilities"]} == {
        "A1": {"学校审核": True},
        "A5": {"学校审核": False},
        "A11": {},
    }


def test_the_county_confirms_what_the_scheme_wants_confirmed(session) -> None:
    school = School(session, teachers=1, scheme=FUYU, abilities=())
    told(school, FactKind.TEST, "training.online", word="合格")
    told(school, FactKind.TEST, "training.offline", word="合格")
    told(school, FactKind.TEST, "diagnostic", word="合格")
    online, offline, _diagnostic = facts(school)
    assert record(school)["tests"] == {"diagnostic": "合格", "training": {"online": "合格"}}
    with pytest.raises(NotAllowed):
        programme.confirm_facts(session, actor=school.admin, round_=school.round, facts=[offline])
    city = Organization(kind=OrganizationKind.CITY, name="松原市")
    session.add(city)
    session.flush()
    county = Organization(kind=OrganizationKind.COUNTY, name="扶余市", parent_id=city.id)
    session.add(county)
    session.flush()
    school.organization.parent_id = county.id  # whoever administers the city stands above its counties' schools
    session.add(Role(person_id=school.admin.id, organization_id=city.id, kind=RoleKind.COUNTY_ADMIN))
    session.flush()
    assert programme.confirm_facts(session, actor=school.admin, round_=school.round, facts=[offline]) == 1
    assert programme.confirm_facts(session, actor=school.admin, round_=school.round, facts=[offline]) == 0
    assert record(school)["tests"]["training"] == {"online": "合格", "offline": "合格"}
    with pytest.raises(NotConfirmable):
        programme.confirm_facts(session, actor=school.admin, round_=school.round, facts=[online])
    programme.strike_fact(session, actor=school.admin, fact=offline, reason="登记错了人")
    with pytest.raises(NotConfirmable):
        programme.confirm_facts(session, actor=school.admin, round_=school.round, facts=[offline])
    assert record(school)["tests"]["training"] == {"online": "合格"}


def test_a_fact_of_another_round_is_not_confirmed_here(session) -> None:
    school = School(session, teachers=1, scheme=FUYU, abilities=())
    told(school, FactKind.TEST, "training.offline", word="合格")
    county = Organization(kind=OrganizationKind.COUNTY, name="扶余市")
    session.add(county)
    session.flush()
    school.organization.parent_id = county.id
    session.add(Role(person_id=school.admin.id, organization_id=county.id, kind=RoleKind.COUNTY_ADMIN))
    session.flush()
    (fact,) = facts(school)
    other = school.setup_named("2026秋", abilities=())
    with pytest.raises(NotConfirmable):
        programme.confirm_facts(session, actor=school.admin, round_=other, facts=[fact])


def test_a_fact_is_struck_once_with_a_reason(fuqing: School) -> None:
    told(fuqing, FactKind.MINUTES, "course", number="1000")
    (fact,) = facts(fuqing)
    with pytest.raises(BadInput):
        programme.strike_fact(fuqing.session, actor=fuqing.admin, fact=fact, reason=" ")
    programme.strike_fact(fuqing.session, actor=fuqing.admin, fact=fact, reason="平台重复计时")
    assert (fact.struck_reason, record(fuqing)["minutes"]) == ("平台重复计时", {"course": "0"})
    with pytest.raises(NotStrikable):
        programme.strike_fact(fuqing.session, actor=fuqing.admin, fact=fact, reason="再撤一次")
    assert told(fuqing, FactKind.MINUTES, "course", number="1000") == "added"


def test_themes_make_hours_and_certificates(session) -> None:
    school = School(session, teachers=1, scheme=QUANZHOU, abilities=())
    school.teachers[0].retires_on = None
    for number in range(1, 13):
        told(school, FactKind.THEME, f"t{number}")
    told(school, FactKind.TEST, "network", word="合格")
    told(school, FactKind.TEST, "practice", word="合格")
    facts_ = record(school)
    assert facts_["themes"] == [f"t{number}" for number in range(1, 13)]
    assert facts_["joins"] is True
    assert [one.granted for one in grade(QUANZHOU, facts_).certificates] == [True, True, True]


def test_weeks_and_tiers(session) -> None:
    school = School(session, teachers=1, scheme=CASE1)
    enrolment = school.enrolment(school.teachers[0])
    programme.place(session, actor=school.admin, enrolment=enrolment, tier="core", roles=[])
    for week, count in (("2020-W46", "1"), ("2020-W45", "2"), ("2020-W47", "3")):
        told(school, FactKind.PERIOD, "reflections", week, number=count)
    assert (record(school)["tier"], record(school)["periods"]) == ("core", {"reflections": [2, 1, 3]})
    for tier, roles in (("chief", []), (None, ["observer"])):
        with pytest.raises(BadInput):
            programme.place(session, actor=school.admin, enrolment=enrolment, tier=tier, roles=roles)


def test_hours_that_wait_for_the_county_do_not_count(session) -> None:
    document = {**FUYU.document}
    ledger = {**document["hours"]["ledgers"][0], "confirmed_by": "县管理员"}
    document["hours"] = {**document["hours"], "ledgers": [ledger]}
    school = School(session, teachers=1, scheme=type(FUYU).from_document(document), abilities=())
    school.hours(school.teachers[0], chosen="50")
    assert record(school)["hours"] == {"chosen": "0"}


def test_facts_are_read_by_those_they_concern(fuqing: School) -> None:
    one, other = fuqing.teachers
    enrolment = fuqing.enrolment(one)
    for reader in (one, fuqing.admin, fuqing.members[0]):
        programme.require_reader(fuqing.session, actor=reader, enrolment=enrolment)
    with pytest.raises(NotAllowed):
        programme.require_reader(fuqing.session, actor=other, enrolment=enrolment)
