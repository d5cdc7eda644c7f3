from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from models import Adjustment, PanelMark, Submission
from review_flow.clock import now
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import AdjustmentKind, AdjustmentState, SeatKind
from review_flow.steps import panel, reviews
from review_flow.steps.facts import record_of
from tests.cast import CHOICE, School, queries


def record(school: School, number: int = 0) -> dict:
    return record_of(school.session, enrolment=school.enrolment(school.teachers[number]))


def works(school: School, number: int = 0) -> list[Submission]:
    author = school.teachers[number].id
    query = select(Submission).where(Submission.author_id == author).order_by(Submission.id)
    return list(school.session.scalars(query))


def test_a_teacher_who_did_nothing_yet(school: School) -> None:
    school.open()
    assert record(school) == {
        "teacher": {"number": "T01", "name": "王芳"},
        "ack": False,
        "self_test": False,
        "hours": {"total": "0", "practice": "0"},
        "peer": {"given": 0, "required": 0},
        "abilities": [],
        "events": [],
        "awards": [],
    }


def test_a_whole_teacher(school: School) -> None:
    school.open().whole(peer="85", panel_mark="82.5")
    facts = record(school)
    ability = {
        "valid": True,
        "peer": ["85.00"] * 3,
        "panel": ["82.50"] * 3,
        "peer_missing": False,
    }
    assert [{key: one[key] for key in ability} for one in facts["abilities"]] == [ability] * 3
    assert [one["code"] for one in facts["abilities"]] == list(CHOICE)
    assert facts["abilities"][0]["evidence_levels"] == {"plan": "合格", "report": "合格"}
    assert (facts["ack"], facts["self_test"]) == (True, True)
    assert facts["hours"] == {"total": "50.00", "practice": "25.00"}
    assert facts["peer"] == {"given": 9, "required": 9}  # what was owed when they went forward


def test_a_sealed_work_that_waits_says_what_is_owed(school: School) -> None:
    school.open()
    for person in school.teachers[:2]:
        school.ready(person)
        school.seal(person)
    assert record(school)["peer"] == {"given": 0, "required": 3}
    school.allocate()
    school.do_reviews(school.teachers[0])
    assert record(school)["peer"] == {"given": 3, "required": 3}
    school.submit(school.teachers[0])
    assert record(school)["peer"] == {"given": 3, "required": 3}


def test_drafts_and_unhanded_works_have_no_evidence_levels_and_replaced_ones_are_gone(school: School) -> None:
    school.open().ready(school.teachers[0])
    first, second, third = works(school)
    second.state, third.state = SubmissionState.CLOSED, SubmissionState.REPLACED
    nothing = {"valid": False, "peer": [], "panel": [], "peer_missing": False}
    assert record(school)["abilities"] == [
        {"code": one.ability, **nothing, "evidence_levels": {}, "not_handed_in": True} for one in (first, second)
    ]


def test_a_sealed_work_without_a_panel_has_no_levels_yet(school: School) -> None:
    school.open().ready(school.teachers[0])
    school.seal(school.teachers[0])
    assert ["evidence_levels" in one for one in record(school)["abilities"]] == [False] * 3


def test_the_arbiter_stands_beside_the_panel_and_hearers_in_its_place(marked: School) -> None:
    work = works(marked)[0]

    def add(person, seat: SeatKind, mark: str, *, form: dict | None = None) -> None:
        marked.session.add(
            PanelMark(
                submission_id=work.id,
                author_id=work.author_id,
                marker_id=person.id,
                seat=seat,
                form=form,
                mark=Decimal(mark),
                asked_at=now(),
                due_at=now(),
                marked_at=now(),
            )
        )
        marked.session.flush()

    form = marked.review_form("83", submission=work, level="优秀")
    add(marked.arbiter, SeatKind.ARBITER, "83", form=form)
    (first, *_rest) = record(marked)["abilities"]
    assert (first["panel"], first["arbiter"]) == (["85.00"] * 3, "83.00")
    add(marked.hearers[0], SeatKind.APPEAL, "66")
    add(marked.hearers[1], SeatKind.APPEAL, "67")
    (first, *_rest) = record(marked)["abilities"]
    assert first["panel"] == ["66.00", "67.00"]
    assert "arbiter" not in first
    assert first["evidence_levels"] == {"plan": "合格", "report": "合格"}  # hearers who give marks alone leave them


def test_a_released_mark_does_not_count(marked: School) -> None:
    work = works(marked)[0]
    (mark, *_rest) = marked.session.scalars(select(PanelMark).where(PanelMark.submission_id == work.id))
    mark.released_at = now()
    assert record(marked)["abilities"][0]["panel"] == ["85.00"] * 2


def test_events_are_in_the_order_they_happened_with_their_rows_as_ids(school: School) -> None:
    session, enrolment = school.session, school.enrolment(school.teachers[0])
    made = {}
    for key, kind, day, leave, state in (
        ("a", AdjustmentKind.ABSENCE, 9, True, AdjustmentState.NOTIFIED),
        ("b", AdjustmentKind.LATE_ARRIVAL, 4, False, AdjustmentState.CONFIRMED),
        ("c", AdjustmentKind.LATE_MATERIAL, 4, False, AdjustmentState.STRUCK),
    ):
        made[key] = Adjustment(
            enrolment_id=enrolment.id,
            kind=kind,
            happened_on=date(2026, 3, day),
            proof="签到表",
            key=key,
            approved_leave=leave,
            state=state,
            recorded_at=now(),
            notified_at=now(),
        )
        session.add(made[key])
    session.flush()
    assert record(school)["events"] == [
        {
            "id": str(made["b"].id),
            "kind": "late_arrival",
            "on": "2026-03-04",
            "approved_leave": False,
            "contested": False,
        },
        {"id": str(made["a"].id), "kind": "absence", "on": "2026-03-09", "approved_leave": True, "contested": False},
    ]
    assert record(school, 1)["events"] == []


@pytest.mark.parametrize("sealed", [False, True])
def test_the_record_of_three_abilities_costs_no_more_queries_than_of_one(school: School, *, sealed: bool) -> None:
    school.open()
    for number, count in enumerate((1, 3)):
        school.ready(school.teachers[number])
        for work in works(school, number)[count:]:
            work.state = SubmissionState.REPLACED
        if sealed:
            school.seal(school.teachers[number])
    school.session.flush()
    counts = []
    for number in (0, 1):
        enrolment = school.enrolment(school.teachers[number])
        record(school, number)  # what the session already knows is not asked again
        with queries(school.session) as sent:
            record_of(school.session, enrolment=enrolment)
        counts.append(len(sent))
    assert counts[0] == counts[1]


def test_a_reviewers_and_a_members_lists_cost_the_same_for_any_number_of_rows(school: School) -> None:
    session, person, member = school.session, school.teachers[0], school.members[0]
    school.open().whole()
    tasks = len(list(reviews.tasks_of(session, person=person, round_=school.round)))
    assert tasks == 0
    counts = []
    for most in (1, 3):
        marks = session.scalars(select(PanelMark).where(PanelMark.marker_id == member.id).order_by(PanelMark.id))
        for done, mark in enumerate(marks.all()):
            asked = done < most
            mark.mark, mark.marked_at = (None, None) if asked else (Decimal(85), now())
            session.get_one(Submission, mark.submission_id).state = (
                SubmissionState.IN_PANEL if asked else SubmissionState.GRADED
            )
        session.flush()
        with queries(session) as sent:
            asked_of = panel.asked_of(session, person=member, round_=school.round)
        assert len(asked_of) == most
        counts.append(len(sent))
        with queries(session) as sent:
            reviews.tasks_of(session, person=person, round_=school.round)
        assert len(sent) == 1
    assert counts == [1, 1]
