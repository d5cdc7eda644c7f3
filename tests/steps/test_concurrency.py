"""Many people at once, each in a transaction of their own, on both databases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from models import Assignment, PanelMark, PanelSeat, Person, Round, SchemeVersion, Submission
from review_flow import schemes
from review_flow.db import transaction
from review_flow.errors import Refusal
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import SeatKind
from review_flow.steps import claims, panel, reviews, rounds, submissions, validity
from review_flow.steps import schemes as scheme_steps
from tests.cast import School, form


def at_once(engine: Engine, deeds: Sequence[Callable[[Session], object]]) -> list[str]:
    """Do all at the same moment; return what each came to: "done" or the refusal's name. Other errors are raised."""
    start = Barrier(len(deeds))

    def run(deed: Callable[[Session], object]) -> str:
        start.wait(30)
        try:
            with transaction(engine) as session:
                deed(session)
        except Refusal as refusal:
            return type(refusal).__name__
        return "done"

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


@pytest.fixture
def scheme() -> Scheme:
    return schemes.load("xian-2022-appraisal")


@pytest.fixture
def one_work(engine: Engine, clock, scheme: Scheme) -> tuple[int, list[int]]:
    """A work that waits for its three marks, and the members who were asked."""
    with transaction(engine) as session:
        school = School(session, teachers=1, scheme=scheme).open()
        school.ready(school.teachers[0])
        work = school.seal(school.teachers[0])[0]
        submissions.submit(session, actor=school.teachers[0], submission=work)
        reviews.close_short(session, submission=work)
        return work.id, [one.id for one in school.members]


@pytest.mark.slow
def test_sixteen_people_claim_reviews_of_twenty_works_at_once(engine: Engine, clock, scheme: Scheme) -> None:
    with transaction(engine) as session:
        school = School(session, teachers=20, scheme=scheme).open()
        for person in school.teachers:
            school.fill(school.ready(person)[0])
            work = school.session.scalars(select(Submission).where(Submission.author_id == person.id)).first()
            assert work is not None
            submissions.seal(session, actor=person, submission=work, own_work=True)
        round_id = school.round.id
        people = [one.id for one in school.teachers]

    def claim(person_id: int) -> Callable[[Session], object]:
        return lambda session: claims.claim(
            session, actor=session.get_one(Person, person_id), round_=session.get_one(Round, round_id)
        )

    wanted = [person for person in people for _time in range(3)]
    for first in range(0, 60, 16):
        batch = wanted[first : first + 16]
        assert at_once(engine, [claim(person) for person in batch]) == ["done"] * len(batch)
    with transaction(engine) as session:
        made = session.scalars(select(Assignment)).all()
        assert Counter(one.reviewer_id for one in made) == dict.fromkeys(people, 3)
        assert len({(one.reviewer_id, one.submission_id) for one in made}) == 60
        assert all(one.reviewer_id != one.author_id for one in made)
        taken = Counter(one.submission_id for one in made)
        assert len(taken) == 20
        assert min(taken.values()) >= 2  # even, but for the last few, who may not take their own


def test_the_same_person_clicking_often_gets_different_works_and_then_a_refusal(
    engine: Engine, clock, scheme: Scheme
) -> None:
    with transaction(engine) as session:
        school = School(session, teachers=2, scheme=scheme).open()
        school.ready(school.teachers[0])
        school.seal(school.teachers[0])
        person_id, round_id = school.teachers[1].id, school.round.id

    def claim(session: Session) -> object:
        return claims.claim(session, actor=session.get_one(Person, person_id), round_=session.get_one(Round, round_id))

    assert Counter(at_once(engine, [claim] * 8)) == {"done": 3, "NothingToReview": 5}


def test_last_marks_given_at_once_grade_the_work(
    engine: Engine, one_work: tuple[int, list[int]], scheme: Scheme
) -> None:
    """Each marker reads the others' marks before any of them is in: without turns nobody would be the last."""
    work_id, members = one_work
    together = Barrier(len(members))

    def mark(person_id: int) -> Callable[[Session], object]:
        def deed(session: Session) -> object:
            work = session.get_one(Submission, work_id)
            seen = panel.standing_marks(session, submission=work)
            if session.get_bind().dialect.name == "postgresql":  # SQLite's writers wait before they read
                together.wait(30)
            filled = form(session, scheme, work, mark="85")
            panel.mark(session, actor=session.get_one(Person, person_id), submission=work, form=filled)
            return len(seen)  # held until here: what was read before the turn must not be what the settling sees

        return deed

    assert at_once(engine, [mark(person) for person in members]) == ["done"] * 3
    with transaction(engine) as session:
        assert session.get_one(Submission, work_id).state is SubmissionState.GRADED


def test_a_double_click_marks_once(engine: Engine, one_work: tuple[int, list[int]], scheme: Scheme) -> None:
    work_id, members = one_work

    def mark(session: Session) -> object:
        work = session.get_one(Submission, work_id)
        filled = form(session, scheme, work, mark="85")
        return panel.mark(session, actor=session.get_one(Person, members[0]), submission=work, form=filled)

    assert Counter(at_once(engine, [mark] * 4)) == {"done": 1, "AlreadyMarked": 3}
    with transaction(engine) as session:
        assert session.scalars(select(PanelMark.mark).where(PanelMark.mark.is_not(None))).all() == [85]


def test_reviews_that_arrive_at_once_send_the_work_to_the_panel_once(engine: Engine, clock, scheme: Scheme) -> None:
    with transaction(engine) as session:
        school = School(session, teachers=5, scheme=scheme).open()
        author = school.teachers[0]
        work = school.ready(author)[0]
        school.fill(work)
        submissions.seal(session, actor=author, submission=work, own_work=True)
        submissions.submit(session, actor=author, submission=work)
        for one in school.teachers[1:]:
            school.ready(one)  # so that the fourth owes reviews, and takes a work that has three
        held = [claims.claim(session, actor=one, round_=school.round) for one in school.teachers[1:]]
        pairs = [(one.id, one.reviewer_id) for one in held]
        work_id = work.id

    def review(task_id: int, person_id: int) -> Callable[[Session], object]:
        def deed(session: Session) -> object:
            task, person = session.get_one(Assignment, task_id), session.get_one(Person, person_id)
            filled = form(session, scheme, session.get_one(Submission, work_id), mark="85")
            return reviews.submit(session, actor=person, assignment=task, form=filled)

        return deed

    came = at_once(engine, [review(*pair) for pair in pairs])
    assert Counter(came) == {"done": 3, "ReviewOver": 1}  # the fourth was taken back
    with transaction(engine) as session:
        assert session.get_one(Submission, work_id).state is SubmissionState.IN_PANEL
        assert len(session.scalars(select(PanelMark)).all()) == 3


def test_votes_that_arrive_at_once_decide_once(engine: Engine, clock, scheme: Scheme) -> None:
    with transaction(engine) as session:
        school = School(session, teachers=1, scheme=scheme).open()
        author = school.teachers[0]
        school.ready(author)
        work = school.seal(author, verdict="human", present=None)[0]
        submissions.submit(session, actor=author, submission=work)
        work_id, voters = work.id, [one.id for one in (*school.members, school.reserve)]

    def vote(person_id: int) -> Callable[[Session], object]:
        return lambda session: validity.vote(
            session,
            actor=session.get_one(Person, person_id),
            submission=session.get_one(Submission, work_id),
            teacher_visible=True,
            own_work=True,
            reason="",
        )

    assert Counter(at_once(engine, [vote(one) for one in voters])) == {"done": 2, "NotWaiting": 2}
    with transaction(engine) as session:
        assert session.get_one(Submission, work_id).state is SubmissionState.IN_PEER_REVIEW


def test_values_confirmed_and_a_seat_given_at_once_are_all_kept_and_given_once(engine: Engine, clock) -> None:
    with transaction(engine) as session:
        school = School(session, teachers=1)
        again = scheme_steps.adopt(
            session,
            actor=school.admin,
            organization_id=school.organization.id,
            scheme=school.scheme,
            effective_from=date(2026, 4, 1),
            reason="次年再用",
        )
        draft, unknowns = again.id, [one.id for one in school.scheme.unknowns][:4]
        admin, round_id, newcomer = school.admin.id, school.round.id, school.person("P9", "新评委").id

    def confirm(unknown: str) -> Callable[[Session], object]:
        def deed(session: Session) -> object:
            actor, version = session.get_one(Person, admin), session.get_one(SchemeVersion, draft)
            return scheme_steps.confirm(session, actor=actor, version=version, unknown_id=unknown)

        return deed

    def seat(session: Session) -> object:
        actor, round_ = session.get_one(Person, admin), session.get_one(Round, round_id)
        person = session.get_one(Person, newcomer)
        return rounds.seat(session, actor=actor, round_=round_, person=person, kind=SeatKind.MEMBER)

    assert at_once(engine, [*map(confirm, unknowns), seat, seat, seat]) == ["done"] * 7
    with transaction(engine) as session:
        assert set(session.get_one(SchemeVersion, draft).confirmed) == set(unknowns)
        seats = session.scalars(select(PanelSeat.id).where(PanelSeat.person_id == newcomer)).all()
        assert len(seats) == 1
