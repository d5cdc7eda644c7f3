"""A reviewer reports a file: another work at once, no penalty, and a human looks."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from models import Assignment, Evidence, FileReport, Finding, Message, Person, Submission
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.rules.words import AssignmentState, EvidenceState, ReportReason, Verdict
from review_flow.steps import claims, evidence, file_reports, people, reviews
from tests.cast import School
from tests.stages import stage


@stage
def sealed(session, clock) -> School:
    """王芳, 李伟 and 张敏 have handed in."""
    school = School(session).open()
    for person in school.teachers[:3]:
        school.ready(person)
        school.seal(person)
    return school


def task_of(school: School, person: Person | None = None) -> Assignment:
    return claims.claim(school.session, actor=person or school.teachers[0], round_=school.round)


def file_of(school: School, task: Assignment) -> Evidence:
    work = school.session.get_one(Submission, task.submission_id)
    return evidence.standing_evidence(school.session, submission=work)[0]


def report(school: School, task: Assignment, *, actor=None, file=None, note: str = "放到一半就停") -> Assignment | None:
    return file_reports.report(
        school.session,
        actor=actor or school.teachers[0],
        assignment=task,
        evidence=file or file_of(school, task),
        reason=ReportReason.BROKEN,
        note=note,
    )


def test_a_report_ends_the_task_and_brings_another(sealed: School) -> None:
    task = task_of(sealed)
    another = report(sealed, task)
    assert another is not None
    assert (task.state, task.declined_reason) == (AssignmentState.DECLINED, "打不开或放不完")
    assert (another.state, another.submission_id == task.submission_id) == (AssignmentState.ASSIGNED, False)
    told = sealed.session.scalars(select(Message.person_id).where(Message.kind == "file.reported")).all()
    assert told == [one.id for one in sealed.members]


def test_what_one_reported_one_never_gets_again(sealed: School) -> None:
    person = sealed.teachers[3]
    first = task_of(sealed, person)
    taken = report(sealed, first, actor=person)
    seen = set()
    while taken is not None:
        seen.add(taken.submission_id)
        taken = report(sealed, taken, actor=person)
    assert (first.submission_id in seen, len(seen)) == (False, 8)
    with pytest.raises(claims.NothingToReview):
        task_of(sealed, person)


def test_only_one_s_own_open_task_and_its_own_files(sealed: School) -> None:
    task = task_of(sealed)
    other = task_of(sealed)
    with pytest.raises(reviews.NotYours):
        report(sealed, task, actor=sealed.teachers[1])
    with pytest.raises(NotFound):
        report(sealed, task, file=file_of(sealed, other))
    with pytest.raises(BadInput):
        report(sealed, task, note=" ")
    report(sealed, task)
    with pytest.raises(reviews.ReviewOver):
        report(sealed, task)


def test_a_doubt_that_stands_sends_the_file_to_people(sealed: School) -> None:
    session, task = sealed.session, task_of(sealed)
    report(sealed, task)
    file = file_of(sealed, task)
    [found] = file_reports.open_reports(session, person=sealed.members[0], round_=sealed.round)

    def close(actor, finding: str = "确实只有一半", *, doubtful: bool = True) -> None:
        file_reports.close(session, actor=actor, report=found, doubtful=doubtful, finding=finding)

    with pytest.raises(NotAllowed):
        close(sealed.hearers[0])
    with pytest.raises(BadInput):
        close(sealed.members[0], " ")
    author = session.get_one(Person, task.author_id)
    people.declare_conflict(session, actor=sealed.admin, one=author, other=sealed.members[1], reason="同胞")
    assert file_reports.open_reports(session, person=sealed.members[1], round_=sealed.round) == []
    assert [
        file_reports.may_close(session, person=one, round_=sealed.round, report=found) for one in sealed.members
    ] == [
        True,
        False,
        True,
    ]
    assert file_reports.first_reports(session, person=sealed.members[0], round_=sealed.round, most=1) == ([found], 1)
    with pytest.raises(NotAllowed):
        close(sealed.members[1])
    close(sealed.members[0])
    assert (file.verdict, found.finding, found.closed_by_id) == (
        Verdict.HUMAN,
        "确实只有一半",
        sealed.members[0].id,
    )
    texts = session.scalars(select(Finding.text).where(Finding.evidence_id == file.id).order_by(Finding.position))
    assert list(texts) == ["结论：valid", "有人报告这个文件：打不开或放不完"]
    assert file_reports.open_reports(session, person=sealed.members[0], round_=sealed.round) == []
    with pytest.raises(file_reports.ReportClosed):
        close(sealed.members[0])


@pytest.mark.parametrize(("doubtful", "state"), [(False, EvidenceState.CHECKED), (True, EvidenceState.SUPERSEDED)])
def test_nothing_changes_without_a_doubt_or_for_a_file_that_was_exchanged(
    sealed: School, state: EvidenceState, *, doubtful: bool
) -> None:
    task = task_of(sealed)
    file = file_of(sealed, task)
    session = sealed.session
    session.query(Finding).where(Finding.evidence_id == file.id).delete()
    report(sealed, task, file=file)
    file.state = state
    [found] = session.scalars(select(FileReport)).all()
    file_reports.close(session, actor=sealed.members[0], report=found, doubtful=doubtful, finding="看过了")
    assert file.verdict is Verdict.VALID
    file.state = EvidenceState.CHECKED


def test_a_first_finding_is_the_first(sealed: School) -> None:
    task = task_of(sealed)
    file = file_of(sealed, task)
    session = sealed.session
    session.query(Finding).where(Finding.evidence_id == file.id).delete()
    report(sealed, task, file=file)
    [found] = session.scalars(select(FileReport)).all()
    file_reports.close(session, actor=sealed.members[0], report=found, doubtful=True, finding="看过了")
    assert session.scalars(select(Finding.position).where(Finding.evidence_id == file.id)).all() == [0]
