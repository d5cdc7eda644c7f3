from __future__ import annotations

import json
from collections import Counter

import pytest
from sqlalchemy import select

from models import Assignment, AuditEvent, Message, Submission
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import AssignmentState
from review_flow.steps import enrolments, people, reviews
from tests.cast import School, tasks
from tests.steps.test_reviews import deeds


@pytest.fixture
def sealed(school: School) -> School:
    school.open()
    for person in school.teachers[:3]:
        school.ready(person)
        school.seal(person)
    return school


def test_every_work_gets_its_reviewers_and_nobody_their_own(sealed: School) -> None:
    found = sealed.allocate()
    made = tasks(sealed.session, sealed.round)
    works = set(sealed.session.scalars(select(Submission.id)))
    assert (found.unmet, found.blocked_by) == ({}, None)
    assert Counter(one.submission_id for one in made) == dict.fromkeys(works, 3)
    assert all(one.author_id != one.reviewer_id for one in made)
    assert {(one.reviewer_id, one.submission_id) for one in made} == set(found.pairs)
    assert {one.state for one in made} == {AssignmentState.ASSIGNED}
    loads = Counter(one.reviewer_id for one in made)
    assert max(loads.values()) - min(loads.values()) <= 1


def test_reviewers_are_told_how_many_and_the_deed_is_kept(sealed: School) -> None:
    found = sealed.allocate()
    loads = Counter(reviewer for reviewer, _work in found.pairs)
    told = sealed.session.execute(
        select(Message.person_id, Message.text).where(Message.kind == "review.assigned")
    ).all()
    assert sorted(map(tuple, told)) == sorted((person, f"您有{count}份成果待互评。") for person, count in loads.items())
    event = sealed.session.scalars(select(AuditEvent).where(AuditEvent.deed == "reviews.allocate")).one()
    assert json.loads(event.data) == {"pairs": [list(pair) for pair in found.pairs], "withdrawn": [], "unmet": {}}


def test_what_has_its_reviewers_is_left_alone(sealed: School) -> None:
    sealed.allocate()
    again = sealed.allocate()
    assert (again.pairs, again.unmet) == ((), {})
    assert deeds(sealed).count("reviews.allocate") == 1


def test_conflicts_are_never_paired_and_what_is_short_stays_wanted(sealed: School) -> None:
    author = sealed.teachers[0]
    for other in sealed.teachers[1:4]:
        people.declare_conflict(sealed.session, actor=sealed.admin, one=author, other=other, reason="同一课题组")
    found = sealed.allocate()
    mine = [one for one in tasks(sealed.session, sealed.round) if one.author_id == author.id]
    assert {one.reviewer_id for one in mine} == {sealed.teachers[4].id}
    assert found.unmet == {one.submission_id: 2 for one in mine}
    assert not [
        one
        for one in tasks(sealed.session, sealed.round)
        if one.reviewer_id == author.id and one.author_id in {sealed.teachers[1].id, sealed.teachers[2].id}
    ]


def test_the_exempt_the_left_and_the_inactive_get_nothing(sealed: School) -> None:
    exempt, left = sealed.teachers[3], sealed.teachers[4]
    enrolments.exempt(sealed.session, actor=sealed.admin, enrolment=sealed.enrolment(exempt), reason="借调")
    enrolments.leave_reviewing(sealed.session, actor=sealed.admin, enrolment=sealed.enrolment(left))
    sealed.teachers[2].active = False
    sealed.allocate()
    assert {one.reviewer_id for one in tasks(sealed.session, sealed.round)} == {
        sealed.teachers[0].id,
        sealed.teachers[1].id,
    }


def test_a_lapsed_task_goes_to_somebody_else(sealed: School, clock) -> None:
    sealed.allocate()
    task = tasks(sealed.session, sealed.round)[0]
    others = {one.reviewer_id for one in tasks(sealed.session, sealed.round) if one.submission_id == task.submission_id}
    for one in tasks(sealed.session, sealed.round):
        if one is not task:
            one.lease_until = task.lease_until.replace(year=2027)
    clock.day(3, 5)
    assert reviews.lapse(sealed.session, round_=sealed.round) == 1
    found = sealed.allocate()
    assert [work for _reviewer, work in found.pairs] == [task.submission_id]
    ((reviewer, _work),) = found.pairs
    assert reviewer not in others


def test_a_cap_is_of_tasks_at_once(sealed: School) -> None:
    for person in sealed.teachers:
        sealed.enrolment(person).review_cap = 2
    sealed.allocate()
    made = tasks(sealed.session, sealed.round)
    assert Counter(one.reviewer_id for one in made) == {one.id: 2 for one in sealed.teachers}
    done = next(one for one in made if one.reviewer_id == sealed.teachers[4].id)
    form = sealed.review_form(submission=sealed.session.get_one(Submission, done.submission_id))
    reviews.submit(sealed.session, actor=sealed.teachers[4], assignment=done, form=form)
    found = sealed.allocate()
    assert [reviewer for reviewer, _work in found.pairs] == [sealed.teachers[4].id]


def test_outside_of_its_phases_nothing_is_assigned(sealed: School) -> None:
    sealed.round.phase = RoundPhase.PUBLICITY
    found = sealed.allocate()
    assert (found.pairs, found.unmet, found.blocked_by, found.optimal) == ((), {}, None, True)
    sealed.round.phase = RoundPhase.OPEN
    assert sealed.session.scalars(select(Assignment.id)).all() == []


def test_people_without_subject_or_workshop_are_assigned_too(sealed: School) -> None:
    for person in sealed.teachers:
        person.subject = None
    assert sealed.allocate().unmet == {}
