"""Acceptance cases of domain §8.1 through the database: people mark, the clock runs, the result says the number."""

from __future__ import annotations

import json

from models import Person, Result, Submission
from review_flow.rules.lifecycle import ResultState, SubmissionState
from review_flow.steps import advance, appeals, claims, panel, results, reviews, submissions
from tests.cast import School, waiting_marks
from tests.steps.test_results import published, scoring


def reviewed(school: School, *, peers: tuple[str, ...]) -> list[Submission]:
    """The first teacher's works, each reviewed by as many colleagues with these marks, and submitted."""
    school.open()
    author = school.teachers[0]
    school.ready(author)
    works = school.seal(author)
    for colleague, mark in zip(school.teachers[1:], peers, strict=False):
        for _work in works:
            task = claims.claim(school.session, actor=colleague, round_=school.round)
            form = school.review_form(mark, submission=school.session.get(Submission, task.submission_id))
            reviews.submit(school.session, actor=colleague, assignment=task, form=form)
    for work in works:
        submissions.submit(school.session, actor=author, submission=work)
    return works


def marked(school: School, works: list[Submission], *points: str, arbiter: str | None = None) -> None:
    for work in works:
        numbers = [*points] if len(points) > 1 else [*points] * 3
        for one, number in zip(waiting_marks(school.session, work), numbers, strict=True):
            give(school, work, school.session.get_one(Person, one.marker_id), number)
        if arbiter is not None:
            give(school, work, school.arbiter, arbiter)


def give(school: School, work: Submission, who: Person, number: str) -> None:
    panel.mark(school.session, actor=who, submission=work, form=school.review_form(number, submission=work))


def outcome(result: Result) -> dict:
    return json.loads(result.outcome)


def test_N14_one_review_of_two_after_reassignment_and_extension(session, clock) -> None:
    school = School(session, teachers=2)
    works = reviewed(school, peers=("40",))
    assert {one.state for one in works} == {SubmissionState.IN_PEER_REVIEW}
    clock.day(3, 13, 0)
    advance.advance(session, round_=school.round)
    assert {one.state for one in works} == {SubmissionState.IN_PEER_REVIEW}
    clock.day(3, 17, 0)
    advance.advance(session, round_=school.round)
    assert {(one.state, one.peer_missing) for one in works} == {(SubmissionState.IN_PANEL, True)}
    marked(school, works, "82")
    scoring(school, clock)
    result = school.compose()[0]
    assert (str(result.score), result.proposed_grade) == ("82.00", "优秀")
    assert "peer_missing" in outcome(result)["flags"]
    assert outcome(result)["proposed"] is True
    results.confirm(session, actor=school.members[0], result=result)
    assert result.grade == "优秀"


def test_N27_the_arbiters_mark_replaces_the_farthest(session, clock) -> None:
    school = School(session, teachers=1)
    works = reviewed(school, peers=())
    for work in works:
        reviews.close_short(session, submission=work)
    marked(school, works, "85", "84", "60", arbiter="83")
    assert {one.state for one in works} == {SubmissionState.GRADED}
    scoring(school, clock)
    (result,) = school.compose()
    assert [one["panel"] for one in outcome(result)["abilities"]] == ["84.00"] * 3
    assert str(result.score) == "84.00"


def test_N28_an_unsigned_result_is_as_valid(session, clock) -> None:
    school = School(session, teachers=1)
    works = reviewed(school, peers=())
    for work in works:
        reviews.close_short(session, submission=work)
    marked(school, works, "85")
    scoring(school, clock)
    (result,) = published(school)
    clock.day(4, 11, 0)
    advance.advance(session, round_=school.round)
    school.round.appeal_due_at = school.round.appeal_due_at.replace(month=5)  # a longer window than the days to sign
    clock.day(4, 16, 23, 59)
    advance.advance(session, round_=school.round)
    assert result.state is ResultState.TO_SIGN
    clock.day(4, 17, 0)
    advance.advance(session, round_=school.round)
    assert (result.state, result.grade, str(result.score)) == (ResultState.UNSIGNED_EFFECTIVE, "优秀", "85.00")
    clock.day(5, 17)
    advance.advance(session, round_=school.round)
    assert (result.state, result.current, result.grade) == (ResultState.FINAL, True, "优秀")


def test_N29_an_appeal_upheld_replaces_the_panels_mark_and_keeps_both_versions(session, clock) -> None:
    school = School(session, teachers=4)
    works = reviewed(school, peers=("60", "60", "60"))
    assert {one.state for one in works} == {SubmissionState.IN_PANEL}
    marked(school, works, "58")
    scoring(school, clock)
    first = published(school)[0]
    assert (str(first.score), first.grade) == ("58.80", "不合格")
    appeal = appeals.file(session, actor=school.teachers[0], result=first, reason="课堂互动未计入")
    for hearer in school.hearers[:2]:
        appeals.vote(
            session,
            actor=hearer,
            appeal=appeal,
            uphold=True,
            reason="应予计入",
            marks=dict.fromkeys(("A1", "A3", "A5"), "66"),
        )
    second = results.current(session, enrolment=school.enrolment(school.teachers[0]))
    assert second is not None
    assert (str(second.score), second.grade, second.version) == ("63.60", "合格", 2)
    assert (str(first.score), first.grade, first.state) == ("58.80", "不合格", ResultState.SUPERSEDED)
    assert results.replay(session, result=first)
    assert results.replay(session, result=second)
