"""Claims of reviews: no work ends short of its reviewers, none has one too many, whoever clicks how often."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select

from models import Assignment, AuditEvent, Enrolment, Person, Round, Submission
from review_flow.clock import now
from review_flow.db import transaction
from review_flow.rules.lifecycle import EnrolmentState, SubmissionState
from review_flow.rules.words import AssignmentState
from review_flow.steps import claims, people, reviews
from tests.cast import School

WORKS, CLAIMERS, WANTED = 300, 32, 3


def crowd(school: School) -> list[int]:
    """Three hundred sealed works of as many authors, and 32 who only review; returns these people's ids."""
    session, organization = school.session, school.organization.id

    def people_named(prefix: str, count: int) -> list[int]:
        made = [
            Person(organization_id=organization, number=f"{prefix}{n}", name=f"{prefix}{n}", subject="物理")
            for n in range(count)
        ]
        session.add_all(made)
        session.flush()
        return [one.id for one in made]

    authors, reviewers = people_named("X", WORKS), people_named("Y", CLAIMERS)
    enrolled = [
        Enrolment(round_id=school.round.id, person_id=person, state=EnrolmentState.SELECTED)
        for person in [*authors, *reviewers]
    ]
    session.add_all(enrolled)
    session.flush()
    session.add_all(
        Submission(
            enrolment_id=enrolment.id,
            round_id=school.round.id,
            author_id=enrolment.person_id,
            ability="A1",
            state=SubmissionState.SEALED,
            sealed_at=now(),
            statement_at=now(),
        )
        for enrolment in enrolled[:WORKS]
    )
    return reviewers


def claim_all(engine: Engine, person_id: int, round_id: int, *, thinking_s: float) -> int:
    """Claim until there is nothing left; return how many came."""
    for number in range(WORKS + 1):
        try:
            with transaction(engine) as session:
                claims.claim(
                    session,
                    actor=session.get_one(Person, person_id),
                    round_=session.get_one(Round, round_id),
                    key=str(number),
                )
        except claims.NothingToReview:
            return number
        time.sleep(thinking_s)
    raise AssertionError("a work was handed out twice to one person")


@pytest.mark.slow
@pytest.mark.parametrize("thinking_s", [0.01, 0.5])
def test_32_claimers_leave_no_work_short_and_none_with_one_too_many(
    engine: Engine, opened: School, thinking_s: float
) -> None:
    reviewers, round_id = crowd(opened), opened.round.id
    opened.session.commit()
    with ThreadPoolExecutor(CLAIMERS) as pool:
        taken = list(pool.map(lambda one: claim_all(engine, one, round_id, thinking_s=thinking_s), reviewers))
    with transaction(engine) as session:
        pairs = session.execute(select(Assignment.submission_id, Assignment.reviewer_id)).all()
    assert len(pairs) == len(set(pairs)) == sum(taken) == WORKS * WANTED
    assert set(Counter(work for work, _reviewer in pairs).values()) == {WANTED}


def submitted(school: School) -> None:
    for person in school.teachers[:2]:
        school.ready(person)
        school.seal(person)


def claim(school: School, number: int, key: str | None = None) -> Assignment:
    return claims.claim(school.session, actor=school.teachers[number], round_=school.round, key=key)


def test_a_claim_sent_twice_takes_one_task(opened: School) -> None:
    submitted(opened)
    first = claim(opened, 2, "k1")
    assert claim(opened, 2, "k1") is first
    others = {claim(opened, 2, "k2").id, claim(opened, 3, "k1").id, claim(opened, 2).id, claim(opened, 2).id}
    assert len(others | {first.id}) == 5
    deeds = opened.session.scalar(select(func.count()).where(AuditEvent.deed == "review.claim"))
    assert deeds == 5


def test_whoever_owes_nothing_gets_no_work_that_has_all_it_wants(opened: School) -> None:
    submitted(opened)
    session = opened.session
    for number in (2, 3, 4):
        for _work in range(6):
            claim(opened, number)
    with pytest.raises(claims.NothingToReview):
        claim(opened, 2)  # chose no ability yet, and holds every work there is
    opened.ready(opened.teachers[4])
    with pytest.raises(claims.NothingToReview):
        claim(opened, 4)
    people_left = [opened.teachers[0], opened.teachers[1]]
    mine = [claim(opened, 0), claim(opened, 0), claim(opened, 0)]
    assert {one.author_id for one in mine} == {people_left[1].id}  # three are owed, though all works have three
    with pytest.raises(claims.NothingToReview):
        claim(opened, 0)
    assert len(reviews.tasks_of(session, person=people_left[0], round_=opened.round)) == 3


def test_a_volunteer_beyond_what_is_wanted_finds_nothing(opened: School) -> None:
    submitted(opened)
    for number in (2, 3, 4):
        for _work in range(3):
            claim(opened, number)
    late = opened.person("T99", "后来")
    opened.session.add(Enrolment(round_id=opened.round.id, person_id=late.id, state=EnrolmentState.REGISTERED))
    opened.session.flush()
    for _work in range(6):
        claims.claim(opened.session, actor=late, round_=opened.round)
    with pytest.raises(claims.NothingToReview):
        claims.claim(opened.session, actor=late, round_=opened.round)
    states = opened.session.scalars(select(Assignment.state)).all()
    assert set(states) == {AssignmentState.ASSIGNED}
    assert people.conflicting_with(opened.session, person_id=late.id) == {late.id}
