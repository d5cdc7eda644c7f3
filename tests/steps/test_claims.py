"""Claims of reviews: no work ends short of its reviewers, none has one too many, whoever clicks how often."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import Engine, func, select

from models import Assignment, AuditEvent, Enrolment, Person, Round, Submission
from review_flow.clock import now
from review_flow.db import transaction
from review_flow.rules.lifecycle import EnrolmentState, SubmissionState
from review_flow.rules.words import AssignmentState
from review_flow.steps import claims, people, reviews
from tests.cast import School
from tests.steps.test_disagreement import changed

WORKS, CLAIMERS, WANTED = 300, 32, 3  # as benchmarks/claims.py plays it
SOME = 100  # of the works: what goes wrong, goes wrong here too


def crowd(school: School, works: int = WORKS) -> list[int]:
    """Sealed works of as many authors, and 32 who only review; returns these people's ids."""
    session, organization = school.session, school.organization.id

    def people_named(prefix: str, count: int) -> list[int]:
        made = [
            Person(organization_id=organization, number=f"{prefix}{n}", name=f"{prefix}{n}", subject="物理")
            for n in range(count)
        ]
        session.add_all(made)
        session.flush()
        return [one.id for one in made]

    authors, reviewers = people_named("X", works), people_named("Y", CLAIMERS)
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
        for enrolment in enrolled[:works]
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
    reviewers, round_id = crowd(opened, SOME), opened.round.id
    opened.session.commit()
    with ThreadPoolExecutor(CLAIMERS) as pool:
        taken = list(pool.map(lambda one: claim_all(engine, one, round_id, thinking_s=thinking_s), reviewers))
    with transaction(engine) as session:
        pairs = session.execute(select(Assignment.submission_id, Assignment.reviewer_id)).all()
    assert len(pairs) == len(set(pairs)) == sum(taken) == SOME * WANTED
    assert set(Counter(work for work, _reviewer in pairs).values()) == {WANTED}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_statement_alone_lets_no_two_claims_take_one_place(engine: Engine, opened: School) -> None:
    """Without the school's turn: a work whose row somebody has locked is passed by, so none gets one too many."""
    opened.ready(opened.teachers[0])
    works = opened.seal(opened.teachers[0])
    people, round_id = [one.id for one in opened.teachers[1:]], opened.round.id
    opened.session.commit()
    scheme = changed(receive_target=1, receive_min=1)
    barrier = Barrier(len(people))

    def take(person_id: int) -> int | None:
        with transaction(engine) as session:
            actor, round_ = session.get_one(Person, person_id), session.get_one(Round, round_id)
            barrier.wait(timeout=30)
            taken = claims._take(session, actor=actor, round_=round_, scheme=scheme, key=None, wanting=True)
            barrier.wait(timeout=30)  # everybody has claimed before anybody commits
            return taken

    with ThreadPoolExecutor(len(people)) as pool:
        taken = list(pool.map(take, people))
    with transaction(engine) as session:
        held = Counter(session.scalars(select(Assignment.submission_id)))
    assert set(held.values()) == {1}
    assert len(held) == len([one for one in taken if one is not None]) == len(works) == 3


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


def test_a_sample_asked_for_twice_is_taken_once(opened: School) -> None:
    for number in range(3):
        form = opened.review_form()
        reviews.add_sample(
            opened.session, actor=opened.admin, round_=opened.round, ability="A1", title=f"样例{number}", form=form
        )

    def take(key: str | None) -> Assignment:
        return claims.take_sample(opened.session, actor=opened.teachers[2], round_=opened.round, key=key)

    first = take("k1")
    assert take("k1") is first
    assert len({first.id, take("k2").id, take(None).id}) == 3
    deeds = opened.session.scalar(select(func.count()).where(AuditEvent.deed == "review.claim"))
    assert deeds == 3


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
