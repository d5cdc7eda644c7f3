"""What somebody has begun is theirs to finish while it can count, and is never taken away without a word."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import Assignment, AuditEvent, Message, Person, Submission
from review_flow.clock import now
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import AssignmentState
from review_flow.steps import advance, claims, feedback, panel, reviews
from review_flow.steps.duty import given
from review_flow.steps.facts import record_of
from review_flow.steps.validity import invalidate
from tests.cast import School
from tests.stages import stage
from tests.steps.test_allocation import let_lapse
from tests.steps.test_disagreement import in_peer_review, work_of

DRAFT = {"comment": "写了九成"}


@stage
def begun(session, clock) -> School:
    """A work with three reviewers and a fourth who took it besides, as they owe reviews; the fourth has begun."""
    school = School(session).open()
    school.ready(school.teachers[0])
    school.seal(school.teachers[0])
    for work in works(school)[1:]:
        work.state = SubmissionState.DRAFT
    in_peer_review(work_of(school), school)
    for person in school.teachers[1:]:
        school.ready(person)
        claims.claim(session, actor=person, round_=school.round)
    reviews.save_draft(session, actor=fourth(school), assignment=task(school), draft=DRAFT)
    return school


def works(school: School) -> list[Submission]:
    return [work_of(school, place=place) for place in range(3)]


def fourth(school: School) -> Person:
    return school.teachers[4]


def task(school: School) -> Assignment:
    mine = select(Assignment).where(Assignment.reviewer_id == fourth(school).id)
    return school.session.scalars(mine).one()


def told(school: School, person: Person) -> list[str]:
    mine = select(Message.text).where(Message.person_id == person.id, Message.kind == "review.withdrawn")
    return list(school.session.scalars(mine.order_by(Message.id)))


def hand_in(school: School, mark: str = "85") -> None:
    form = school.review_form(mark, submission=work_of(school))
    reviews.submit(school.session, actor=fourth(school), assignment=task(school), form=form)


def to_the_panel(school: School, *, mark: str = "85") -> Submission:
    for person in school.teachers[1:4]:
        school.do_reviews(person, mark=mark)
    work = work_of(school)
    assert work.state is SubmissionState.IN_PANEL
    return work


def test_what_is_begun_stays_and_counts_until_the_work_is_graded(begun: School) -> None:
    work = to_the_panel(begun)
    assert (task(begun).state, told(begun, fourth(begun))) == (AssignmentState.BEGUN, [])
    reviews.save_draft(begun.session, actor=fourth(begun), assignment=task(begun), draft={"comment": "写完了"})
    hand_in(begun, "70")
    assert given(begun.session, round_id=begun.round.id, person_id=fourth(begun).id) == 1
    record = record_of(begun.session, enrolment=begun.enrolment(begun.teachers[0]))
    assert record["abilities"][0]["peer"] == ["85.00", "85.00", "85.00", "70.00"]
    assert (work.state, work.disagreement) == (SubmissionState.IN_PANEL, "band")  # and the panel's board knows


def test_the_author_reads_nothing_while_somebody_still_writes(begun: School) -> None:
    to_the_panel(begun)
    author, session = begun.teachers[0], begun.session
    assert feedback.received_by(session, person=author, round_=begun.round) == []
    row = session.scalars(select(reviews.Review)).first()
    with pytest.raises(feedback.StillReviewed, match="互评还在进行（评审中）"):
        feedback.answer(session, actor=author, review=row, helped=True)
    hand_in(begun)
    assert len(feedback.received_by(session, person=author, round_=begun.round)) == 4


def test_its_lease_ends_as_any_other(begun: School) -> None:
    to_the_panel(begun)
    let_lapse(begun, task(begun))
    assert task(begun).state is AssignmentState.LAPSED
    with pytest.raises(reviews.ReviewOver):
        hand_in(begun)
    begun.allocate()
    assert task(begun).state is AssignmentState.LAPSED  # nobody is asked in their place


def test_a_grade_takes_it_back_with_a_word_and_the_draft_stays_to_be_read(begun: School) -> None:
    work = to_the_panel(begun)
    for person in begun.members:
        form = begun.review_form("85", submission=work)
        panel.mark(begun.session, actor=person, submission=work, form=form)
    assert (work.state, task(begun).state) == (SubmissionState.GRADED, AssignmentState.WITHDRAWN)
    assert (task(begun).draft, task(begun).ended_at) == (DRAFT, now())
    assert told(begun, fourth(begun)) == ["一份“A1”成果已定等级，您正在评的不必再提交；草稿仍可查看。"]
    with pytest.raises(reviews.ReviewOver):
        hand_in(begun)


def test_an_invalid_work_takes_back_what_is_begun_and_what_is_not(begun: School) -> None:
    work = work_of(begun)
    work.state = SubmissionState.SUBMITTED
    invalidate(begun.session, submission=work, reasons="不是本人")
    assert told(begun, fourth(begun)) == ["一份“A1”成果无效，您正在评的不必再提交；草稿仍可查看。"]
    assert told(begun, begun.teachers[1]) == ["一份“A1”成果无效，您不必再评。"]
    states = begun.session.scalars(select(Assignment.state)).all()
    assert (set(states), task(begun).draft) == ({AssignmentState.WITHDRAWN}, DRAFT)


def test_what_nobody_has_begun_is_taken_back_with_a_word(begun: School) -> None:
    fourth_task = task(begun)
    fourth_task.state, fourth_task.draft = AssignmentState.ASSIGNED, None
    to_the_panel(begun)
    assert fourth_task.state is AssignmentState.WITHDRAWN
    assert told(begun, fourth(begun)) == ["一份“A1”成果的互评已经结束，您不必再评。"]


@pytest.mark.parametrize(("before", "missing"), [(0, True), (1, False)])
def test_reviews_that_suffice_after_all_count_again(begun: School, before: int, *, missing: bool) -> None:
    session, work = begun.session, work_of(begun)
    assert begun.scheme.review.peer.receive_min == 2
    for person in begun.teachers[1 : before + 1]:
        begun.do_reviews(person)
    task(begun).lease_until = now() + timedelta(days=60)
    work.peer_extended_at, work.peer_due_at = now(), now() - timedelta(seconds=1)
    advance.advance(session, round_=begun.round)
    assert (work.state, work.peer_missing) == (SubmissionState.IN_PANEL, True)
    hand_in(begun)
    assert work.peer_missing is missing
    said = session.scalars(select(AuditEvent.about).where(AuditEvent.deed == "peer.enough")).all()
    assert said == ([] if missing else [f"submission:{work.id}"])
