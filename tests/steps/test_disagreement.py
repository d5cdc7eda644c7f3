from __future__ import annotations

import json
from decimal import Decimal
from itertools import permutations

import pytest
from sqlalchemy import select

from models import Assignment, AuditEvent, DueWork, Person, Submission
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import WorkKind
from review_flow.steps import advance, claims, enrolments, panel, reviews
from review_flow.steps.disagreement import look
from review_flow.steps.exports_archive import archive
from review_flow.steps.exports_verify import verify
from review_flow.steps.facts import record_of
from review_flow.steps.results import replay, stale
from tests.cast import School, xian
from tests.stages import stage


def changed(**peer) -> Scheme:
    """001-A with other rules for peers."""
    document = json.loads(json.dumps(xian().document))
    for key, value in peer.items():
        section = document["review"]["peer"]
        section[key] = {**section[key], **value} if isinstance(value, dict) else value
    return Scheme.from_document(document)


@stage
def begun(session, clock) -> School:
    """The round is open, and the first of five teachers has sealed works."""
    school = School(session)
    ready(school, count=1)
    return school


def ready(school: School, *, count: int = 5) -> Submission:
    """Works of the first teachers, submitted and found valid once their authors' duty is done; returns the first."""
    school.open()
    for person in school.teachers[:count]:
        school.ready(person)
        school.seal(person)
    return work_of(school)


def work_of(school: School, person: int = 0, place: int = 0) -> Submission:
    return enrolments.submissions_of(school.session, enrolment=school.enrolment(school.teachers[person]))[place]


def review(school: School, work: Submission, *marks: str) -> None:
    """Colleagues review one work, from the second teacher on."""
    have = reviews.received(school.session, submission=work)
    for person, mark in zip(school.teachers[1 + have :], marks, strict=False):
        if not enrolments.submissions_of(school.session, enrolment=school.enrolment(person)):
            school.ready(person)  # who owes reviews may take one more than a work wants
        while not (mine := [one for one in tasks_of(school, person) if one.submission_id == work.id]):
            claims.claim(school.session, actor=person, round_=school.round)
        form = school.review_form(mark, submission=work)
        reviews.submit(school.session, actor=person, assignment=mine[0], form=form)


def tasks_of(school: School, person: Person) -> list[Assignment]:
    return reviews.tasks_of(school.session, person=person, round_=school.round)


def in_peer_review(work: Submission, school: School) -> Submission:
    """As if the author had submitted it and two people had found it valid."""
    work.state, work.valid = SubmissionState.IN_PEER_REVIEW, True
    school.session.flush()
    return work


def asked_anew(school: School) -> list[int]:
    kind = WorkKind.ALLOCATE_REVIEWS
    waiting = select(DueWork.subject_id).where(DueWork.kind == kind, DueWork.done_at.is_(None))
    return list(school.session.scalars(waiting))


def test_reviewers_who_agree_send_a_work_straight_to_the_panel(begun: School) -> None:
    work = in_peer_review(work_of(begun), begun)
    review(begun, work, "85", "86", "88")
    assert (work.state, work.extra_reviews, work.disagreement) == (SubmissionState.IN_PANEL, 0, None)


@pytest.mark.parametrize(
    ("marks", "why"),
    [(("82", "97.5", "90"), "spread"), (("79.5", "84", "83"), "band"), (("62", "85", "84"), "spread,band")],
)
def test_reviewers_who_differ_ask_for_one_more_before_the_panel(begun: School, marks, why) -> None:
    work = in_peer_review(work_of(begun), begun)
    for row in begun.session.scalars(select(DueWork)):
        begun.session.delete(row)
    begun.session.flush()
    review(begun, work, *marks)
    assert (work.state, work.extra_reviews, work.disagreement) == (SubmissionState.IN_PEER_REVIEW, 1, why)
    assert asked_anew(begun) == [begun.round.id]
    event = begun.session.scalars(select(AuditEvent).where(AuditEvent.deed == "peer.more")).one()
    assert (event.about, json.loads(event.data)) == (f"submission:{work.id}", {"why": why})
    reviews.forward(begun.session, submission=work)  # nothing new has come
    assert work.state is SubmissionState.IN_PEER_REVIEW
    begun.allocate()
    assert work.id in [one.submission_id for one in tasks_of(begun, begun.teachers[4])]
    review(begun, work, "84")
    assert (work.state, work.extra_reviews, work.disagreement) == (SubmissionState.IN_PANEL, 1, why)


def reviewed_in_order(school: School, marks: list[str], order: tuple[int, ...]) -> list[tuple[str, int, str | None]]:
    """State, further reviewers and disagreement of the first teacher's works, reviewed in this order."""
    works = [in_peer_review(work_of(school, place=place), school) for place in range(len(marks))]
    for place in order:
        review(school, works[place], *[marks[place]] * 3)
    return [(one.state.value, one.extra_reviews, one.disagreement) for one in works]


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_a_teacher_at_a_boundary_gets_one_more_when_all_works_have_marks(begun: School, order: tuple[int, ...]) -> None:
    found = reviewed_in_order(begun, ["80", "80", "80"], order)
    expected = [("in_panel", 0, "straddle")] * 3
    expected[order[-1]] = ("in_peer_review", 1, "straddle")
    assert found == expected


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_the_order_of_the_marks_moves_no_teacher_to_a_boundary(begun: School, order: tuple[int, ...]) -> None:
    assert reviewed_in_order(begun, ["80", "95", "95"], order) == [("in_panel", 0, None)] * 3


def test_a_work_that_counts_nothing_is_not_waited_for(begun: School) -> None:
    works = [in_peer_review(work_of(begun, place=place), begun) for place in range(3)]
    works[2].state, works[2].valid = SubmissionState.INVALID, False
    for work in works[:2]:
        review(begun, work, "80", "80", "80")
    assert [one.disagreement for one in works] == ["straddle", "straddle", None]


def test_the_chance_counts_only_where_the_work_does(school: School) -> None:
    school.open()
    works = school.ready(school.teachers[0], abilities=("A1", "A3", "A5", "A6"))
    school.seal(school.teachers[0])
    for work, mark in zip(works, ("90", "90", "90", "80"), strict=True):
        review(school, in_peer_review(work, school), mark, mark, mark)
    assert [(one.state, one.disagreement) for one in works] == [(SubmissionState.IN_PANEL, None)] * 4


def test_where_nobody_is_left_the_panel_decides(begun: School) -> None:
    work = in_peer_review(work_of(begun), begun)
    enrolments.leave_reviewing(begun.session, actor=begun.admin, enrolment=begun.enrolment(begun.teachers[4]))
    review(begun, work, "62", "85", "84")
    assert (work.state, work.extra_reviews, work.disagreement) == (SubmissionState.IN_PANEL, 0, "spread,band")


def test_the_deadline_does_not_wait_for_one_more(begun: School, clock) -> None:
    work = in_peer_review(work_of(begun), begun)
    review(begun, work, "62", "85", "84")
    assert work.state is SubmissionState.IN_PEER_REVIEW
    clock.day(3, 30)
    work.peer_due_at = begun.round.submit_due_at
    advance.advance(begun.session, round_=begun.round)
    assert (work.state, work.disagreement) == (SubmissionState.IN_PANEL, "spread,band")


def test_the_panel_sees_these_works_first(begun: School) -> None:
    works = [in_peer_review(work_of(begun, place=place), begun) for place in range(3)]
    for work, marks in zip(works, (["85"] * 3, ["86"] * 3, ["62", "85", "84", "84"]), strict=True):
        review(begun, work, *marks)
    assert {work.state for work in works} == {SubmissionState.IN_PANEL}
    board = panel.asked_of(begun.session, person=begun.members[0], round_=begun.round)
    assert [one.id for one in board] == [works[2].id, works[0].id, works[1].id]


def test_a_scheme_without_bands_of_numbers_looks_at_the_spread_alone(session, clock) -> None:
    document = json.loads(json.dumps(xian().document))
    document["bands"]["list"] = [
        {"grade": "优秀", "when": "abilities.excellent >= 3", "modal": "shall"},
        {"grade": "合格", "when": "gates.passed", "modal": "shall"},
        {"grade": "不合格", "when": "true", "modal": "shall"},
    ]
    school = School(session, scheme=Scheme.from_document(document))
    work = in_peer_review(ready(school, count=1), school)
    review(school, work, "79", "80", "81")
    assert (work.state, work.disagreement) == (SubmissionState.IN_PANEL, None)
    other = in_peer_review(work_of(school, place=1), school)
    review(school, other, "79", "80", "95")
    assert other.disagreement == "spread"


def test_a_work_without_reviews_differs_in_nothing_and_stops_no_clock(session, clock) -> None:
    school = School(session, scheme=changed(receive_min=0))
    work = in_peer_review(ready(school, count=1), school)
    clock.day(3, 30)
    work.peer_due_at = school.round.submit_due_at
    advance.advance(session, round_=school.round)
    assert (work.state, work.disagreement, reviews.received(session, submission=work)) == (
        SubmissionState.IN_PANEL,
        None,
        0,
    )


def test_a_scheme_may_ask_nobody_more(session, clock) -> None:
    school = School(session, scheme=changed(disagreement={"more": 0}))
    work = in_peer_review(ready(school, count=1), school)
    review(school, work, "62", "85", "84")
    assert (work.state, work.disagreement) == (SubmissionState.IN_PANEL, "spread,band")


def test_peers_without_weight_cannot_move_a_teacher(session, clock) -> None:
    document = json.loads(json.dumps(xian().document))
    document["compose"]["sources"] = {"panel": "1"}
    school = School(session, scheme=Scheme.from_document(document))
    work = in_peer_review(ready(school, count=1), school)
    review(school, work, "80", "80", "80")
    assert work.disagreement is None
    assert look(session, submission=work) is False


# Reliability


@pytest.fixture
def weighed(session, clock) -> School:
    """A round whose scheme weighs reviewers: 李伟 is 9 points too severe, and said so of a sample as well."""
    school = School(session, teachers=6, scheme=changed(aggregate="reliability", disagreement={"more": 0}))
    school.open()
    reviews.add_sample(
        session, actor=school.admin, round_=school.round, ability="A1", title="样例", form=school.review_form("75")
    )
    for person in school.teachers:
        school.ready(person)
        school.seal(person)
    for place, person in enumerate(school.teachers):
        severe = 9 if place == 1 else 0
        sample = claims.take_sample(session, actor=person, round_=school.round)
        form = school.review_form(str(75 - severe + place % 2))
        reviews.submit(session, actor=person, assignment=sample, form=form)
    school.allocate()
    for place, person in enumerate(school.teachers):
        severe = 9 if place == 1 else 0
        for task in reviews.tasks_of(session, person=person, round_=school.round):
            work = session.get_one(Submission, task.submission_id)
            mark = str(70 + work.id % 8 * 3 - severe + place % 2)
            form = school.review_form(mark, submission=work)
            reviews.submit(session, actor=person, assignment=task, form=form)
    return school


def test_a_record_holds_what_its_peers_mark_was_made_with(weighed: School) -> None:
    record = record_of(weighed.session, enrolment=weighed.enrolment(weighed.teachers[0]))
    trust = record["abilities"][0]["peer_trust"]
    assert trust["used"] == "reliability"
    assert Decimal(trust["error"]) < Decimal(trust["median_error"])
    assert trust["compared"] == 54
    assert len(trust["biases"]) == len(trust["weights"]) == len(record["abilities"][0]["peer"]) == 3
    plain = record_of(weighed.session, enrolment=weighed.enrolment(weighed.teachers[0]), weighed=False)
    assert "peer_trust" not in plain["abilities"][0]


def test_a_result_by_reliability_replays_from_its_record_and_from_the_archive(weighed: School, tmp_path) -> None:
    for person in weighed.teachers:
        weighed.submit(person)
    weighed.panel_marks(mark="82")
    advance.advance(weighed.session, round_=weighed.round)
    made = weighed.compose()
    for result in made:
        assert replay(weighed.session, result=result)
        assert not stale(weighed.session, result=result)
    lines = [line["text"] for line in json.loads(made[0].outcome)["ledger"]]
    assert sum("互评1 " in line and "标准误" in line and "小于中位数的" in line for line in lines) == 3
    assert not any(person.name in line for person in weighed.teachers for line in lines)
    path = tmp_path / "archive.zip"
    weighed.session.flush()
    path.write_bytes(archive(weighed.session, round_=weighed.round))
    assert verify(path) == []


def test_without_overlaps_nothing_is_known_of_reviewers(session, clock) -> None:
    school = School(session, scheme=changed(aggregate="reliability"))
    ready(school, count=2)
    task = claims.claim(session, actor=school.teachers[2], round_=school.round)
    work = session.get_one(Submission, task.submission_id)
    reviews.submit(session, actor=school.teachers[2], assignment=task, form=school.review_form("80", submission=work))
    record = record_of(session, enrolment=school.enrolment(session.get_one(Person, work.author_id)))
    assert ["peer_trust" in one for one in record["abilities"]] == [False] * 3
