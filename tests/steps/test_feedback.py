from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select

from models import Assignment, AuditEvent, Review, Submission
from review_flow.errors import NotAllowed, Refusal
from review_flow.rules.lifecycle import ResultState, SubmissionState
from review_flow.steps import advance, claims, feedback, reviews
from review_flow.steps.results import current
from review_flow.steps.validity import ask_correction
from tests.cast import School, queries, tasks
from tests.stages import stage
from tests.steps.test_allocation import first_work, let_lapse

COMMENT = "教学设计完整，技术使用恰当，值得学习。"


@stage
def graded(session, clock) -> School:
    return School(session).open().whole(peer="85", panel_mark="82")


def received(school: School, person: int = 0) -> list[feedback.Received]:
    return feedback.received_by(school.session, person=school.teachers[person], round_=school.round)


def beside(school: School, person: int) -> list[feedback.Beside]:
    return feedback.beside(school.session, person=school.teachers[person], round_=school.round)


def answer(school: School, review: int, *, person: int = 0, helped: bool = True, comment: str | None = None):
    row = school.session.get_one(Review, review)
    return feedback.answer(school.session, actor=school.teachers[person], review=row, helped=helped, comment=comment)


def refused(kind: type[Refusal], sentence: str, act) -> None:
    with pytest.raises(kind) as no:
        act()
    assert (type(no.value), str(no.value)) == (kind, sentence)


def reviewer_of(school: School, review: int) -> int:
    row = school.session.get_one(Assignment, school.session.get_one(Review, review).assignment_id)
    return [person.id for person in school.teachers].index(row.reviewer_id)


def composed(school: School) -> None:
    advance.advance(school.session, round_=school.round)
    school.compose()


def finish(school: School, person: int = 0) -> None:
    """The grade of one teacher is final, as after the days to appeal."""
    result = current(school.session, enrolment=school.enrolment(school.teachers[person]))
    result.grade, result.state = result.proposed_grade, ResultState.FINAL
    school.session.flush()


def test_an_author_reads_what_was_said_when_peers_are_done(school: School) -> None:
    school.open()
    school.ready(school.teachers[0])
    school.seal(school.teachers[0])
    school.allocate()
    for person in school.teachers[1:4]:
        school.do_reviews(person)
    assert received(school) == []
    row = school.session.scalars(select(Review)).first()
    refused(feedback.StillReviewed, "互评还在进行（已封存待互评），结束后再评价。", lambda: answer(school, row.id))


def test_an_author_says_once_whether_a_review_helped(graded: School) -> None:
    mine = received(graded)
    assert [(one.ability, one.comment, one.helped) for one in mine] == [
        (ability, COMMENT, None) for ability in ("A1", "A3", "A5") for _reviewer in range(3)
    ]
    first, second, *_rest = mine
    assert answer(graded, first.review, comment=" 建议很具体 ").comment == "建议很具体"
    assert answer(graded, second.review, helped=False, comment=" ").comment is None
    assert [one.helped for one in received(graded)][:3] == [True, False, None]
    event = graded.session.scalars(select(AuditEvent).where(AuditEvent.deed == "review.answer")).first()
    assert (event.about, event.data) == (f"review:{first.review}", '{"helped":true}')
    refused(feedback.AlreadyAnswered, "您已评价过这份互评。", lambda: answer(graded, first.review))
    refused(feedback.NotYourWork, "只有成果的作者能评价收到的互评。", lambda: answer(graded, first.review, person=1))


def test_while_a_work_is_corrected_its_reviews_stay_closed(opened: School) -> None:
    """It goes back to its peers, and they must not be met by whoever read them."""
    work = first_work(opened)
    for person in opened.teachers[1:3]:
        opened.do_reviews(person)
    session = opened.session
    ask_correction(session, scheme=opened.scheme, submission=work, reasons="文件损坏")
    assert (work.state, received(opened)) == (SubmissionState.CORRECTING, [])
    row = session.scalars(select(Review).order_by(Review.id)).first()
    refused(feedback.StillReviewed, "互评还在进行（待补正），结束后再评价。", lambda: answer(opened, row.id))


def test_nobody_answers_a_review_of_a_sample(graded: School) -> None:
    reviews.add_sample(
        graded.session,
        actor=graded.admin,
        round_=graded.round,
        ability="A1",
        title="样例",
        form=graded.review_form("75"),
    )
    task = claims.take_sample(graded.session, actor=graded.teachers[0], round_=graded.round)
    made = reviews.submit(graded.session, actor=graded.teachers[0], assignment=task, form=graded.review_form("70"))
    with pytest.raises(feedback.NotYourWork):
        answer(graded, made.id)


def test_a_reviewer_sees_their_marks_beside_the_final_ones_when_these_are_final(graded: School) -> None:
    first = received(graded)[0]
    who = reviewer_of(graded, first.review)
    answer(graded, first.review, comment="谢谢")
    composed(graded)
    assert [beside(graded, person) for person in range(5)] == [[]] * 5
    finish(graded)
    shown = next(one for one in beside(graded, who) if one.review == first.review)
    assert shown == feedback.Beside(
        review=first.review,
        ability="A1",
        mine=Decimal("85.00"),
        peers=Decimal("85.00"),
        panel=Decimal("82.00"),
        helped=True,
        comment="谢谢",
    )
    others = [one for person in range(5) for one in beside(graded, person) if one.review != first.review]
    assert len(others) == 8  # the other reviews of this author's three works
    assert {(one.helped, one.comment) for one in others} == {(None, None)}


def test_a_work_that_is_in_no_outcome_has_no_final_marks(graded: School) -> None:
    first = received(graded)[0]
    who = reviewer_of(graded, first.review)
    work = graded.session.scalars(
        select(Submission).where(Submission.author_id == graded.teachers[0].id, Submission.ability == "A1")
    ).one()
    work.state = SubmissionState.REPLACED
    graded.session.flush()
    composed(graded)
    finish(graded)
    shown = next(one for one in beside(graded, who) if one.review == first.review)
    assert (shown.peers, shown.panel) == (None, None)


def test_a_school_sees_how_its_reviewers_agree(graded: School) -> None:
    tasks = graded.session.scalars(
        select(Review).join(Assignment, Assignment.id == Review.assignment_id).order_by(Review.id)
    ).all()
    for place, review in enumerate(tasks):
        severe = reviewer_id_of(graded, review) == graded.teachers[1].id
        review.mark = Decimal(70 + place % 3 - (9 if severe else 0))
    graded.session.flush()
    found = feedback.agreement(graded.session, actor=graded.admin, round_=graded.round)
    assert found.alpha < Decimal("0.5")
    assert [person.number for person, _standing in found.reviewers] == ["T01", "T02", "T03", "T04", "T05"]
    standings = {person.number: one for person, one in found.reviewers}
    assert standings["T02"].high < 0
    assert all(one.marks == 9 for one in standings.values())
    with pytest.raises(NotAllowed):
        feedback.agreement(graded.session, actor=graded.members[0], round_=graded.round)


def test_who_stood_in_from_the_panel_is_among_the_reviewers(session, clock) -> None:
    school = School(session, teachers=4).open()
    work = first_work(school)
    let_lapse(school, next(one for one in tasks(session, school.round) if one.submission_id == work.id))
    school.allocate()
    for person in (*school.teachers, school.reserve):
        school.do_reviews(person)
    found = feedback.agreement(session, actor=school.admin, round_=school.round)
    assert [(person.number, one.marks) for person, one in found.reviewers if person.number == "P4"] == [("P4", 1)]
    assert len(found.reviewers) == 3


def reviewer_id_of(school: School, review: Review) -> int:
    return school.session.get_one(Assignment, review.assignment_id).reviewer_id


def test_the_lists_cost_the_same_for_any_number_of_rows(graded: School) -> None:
    composed(graded)
    counts = []
    for last in (1, 3):
        for person in range(last):
            finish(graded, person)
        with queries(graded.session) as sent:
            beside(graded, 4)
            received(graded)
        counts.append(len(sent))
    assert counts == [2, 2]
