from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select

from models import AuditEvent, DueWork, PanelMark, Person, Submission
from review_flow import schemes
from review_flow.clock import last_second_of, now
from review_flow.errors import NotAllowed
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import SeatKind, WorkKind
from review_flow.steps import panel, people, reviews, rounds, submissions
from review_flow.steps.rounds import WrongPhase
from tests.cast import School, waiting_marks
from tests.steps.test_reviews import deeds, refused


def at_panel(school: School) -> Submission:
    """A valid work of the first teacher that is short of peers and comes to the panel."""
    school.open()
    person = school.teachers[0]
    school.ready(person)
    work = school.seal(person)[0]
    submissions.submit(school.session, actor=person, submission=work)
    reviews.close_short(school.session, submission=work)
    return work


def mark(school: School, work: Submission, person: Person, points: str = "85", *, level: str = "合格") -> PanelMark:
    form = school.review_form(points, submission=work, level=level)
    return panel.mark(school.session, actor=person, submission=work, form=form)


def asked(school: School, work: Submission) -> list[Person]:
    return [school.session.get_one(Person, one.marker_id) for one in waiting_marks(school.session, work)]


def test_as_many_members_are_asked_as_the_scheme_wants(alone: School) -> None:
    work = at_panel(alone)
    assert work.state is SubmissionState.IN_PANEL
    assert asked(alone, work) == alone.members
    assert {one.due_at for one in waiting_marks(alone.session, work)} == {last_second_of(date(2026, 3, 16))}
    assert panel.asked_of(alone.session, person=alone.members[0], round_=alone.round) == [work]
    assert panel.asked_of(alone.session, person=alone.reserve, round_=alone.round) == []
    assert deeds(alone, work)[-1] == "panel.ask"


def test_who_is_related_or_gone_or_the_author_is_replaced_from_the_reserve(alone: School) -> None:
    author = alone.teachers[0]
    rounds.seat(alone.session, actor=alone.admin, round_=alone.round, person=author, kind=SeatKind.MEMBER)
    people.declare_conflict(alone.session, actor=alone.admin, one=author, other=alone.members[1], reason="同胞")
    work = at_panel(alone)
    assert asked(alone, work) == [alone.members[0], alone.members[2], alone.reserve]


def test_an_inactive_person_is_not_asked(alone: School) -> None:
    alone.members[0].active = False
    assert asked(alone, at_panel(alone)) == [*alone.members[1:], alone.reserve]


def test_a_panel_that_lacks_somebody_waits_for_them(alone: School) -> None:
    """T13 wants three: two marks settle nothing, and the seat is filled as soon as there is somebody."""
    for person in (alone.members[2], alone.reserve):
        people.declare_conflict(alone.session, actor=alone.admin, one=alone.teachers[0], other=person, reason="同胞")
    work = at_panel(alone)
    for person in alone.members[:2]:
        mark(alone, work, person)
    assert work.state is SubmissionState.IN_PANEL
    refused(
        panel.NobodyLeft,
        "没有可以接替的考核组成员：请先增补席位。",
        lambda: panel.pursue(alone.session, submission=work),
    )
    fresh = alone.person("P9", "新评委")
    rounds.seat(alone.session, actor=alone.admin, round_=alone.round, person=fresh, kind=SeatKind.MEMBER)
    panel.pursue(alone.session, submission=work)
    assert panel.asked_of(alone.session, person=fresh, round_=alone.round) == [work]
    mark(alone, work, fresh)
    assert work.state is SubmissionState.GRADED


def test_the_last_mark_grades_the_work(alone: School) -> None:
    work = at_panel(alone)
    given = [
        mark(alone, work, person, points) for person, points in zip(alone.members, ("80", "82", "84"), strict=True)
    ]
    assert [one.mark for one in given] == [80, 82, 84]
    assert {(one.scheme_digest, one.marked_at, one.ability_level) for one in given} == {
        (alone.scheme.digest, now(), "合格")
    }
    assert work.state is SubmissionState.GRADED
    assert deeds(alone, work)[-1] == "submission.grade"
    assert deeds(alone, given[0]) == ["panel.mark"]
    due = alone.session.scalars(select(DueWork.kind).where(DueWork.subject_id == alone.round.id)).all()
    assert WorkKind.ADVANCE_ROUND in due


def test_a_mark_is_given_once_and_by_the_asked_alone(alone: School) -> None:
    work = at_panel(alone)
    mark(alone, work, alone.members[0])
    refused(panel.AlreadyMarked, "您已对这项成果评分。", lambda: mark(alone, work, alone.members[0]))
    for stranger in (alone.reserve, alone.arbiter, alone.admin, alone.teachers[0]):
        refused(panel.NotAsked, "这项成果没有请您评分。", lambda who=stranger: mark(alone, work, who))


def test_who_became_related_after_being_asked_marks_no_more(alone: School) -> None:
    work = at_panel(alone)
    people.declare_conflict(
        alone.session, actor=alone.admin, one=alone.teachers[0], other=alone.members[0], reason="师徒"
    )
    refused(
        NotAllowed,
        "您没有权限做这件事：应回避本人或有关联的教师。",
        lambda: mark(alone, work, alone.members[0]),
    )


def test_a_form_with_mistakes_is_refused(alone: School) -> None:
    work = at_panel(alone)
    form = alone.review_form(submission=work)
    refused(
        panel.MarkRefused,
        "评分表还不完整：评语至少10字。",
        lambda: panel.mark(alone.session, actor=alone.members[0], submission=work, form={**form, "comment": ""}),
    )


def with_panel(scheme: Scheme, **changes: object) -> Scheme:
    document = scheme.document
    review = {**document["review"], "panel": {**document["review"]["panel"], **changes}}
    return Scheme.from_document({**document, "review": review})


def test_a_form_without_a_number_is_refused(session, clock) -> None:
    document = schemes.load("xian-2022-appraisal").document
    review = {**document["review"], "form": {**document["review"]["form"], "min_components": 0}}
    school = School(session, teachers=1, scheme=Scheme.from_document({**document, "review": review}))
    work = at_panel(school)
    form = {**school.review_form(submission=work), "components": {}}
    refused(
        panel.MarkRefused,
        "评分表还不完整：请至少给一个考核项打分。",
        lambda: panel.mark(school.session, actor=school.members[0], submission=work, form=form),
    )


def test_outside_of_its_phases_nothing_is_marked(alone: School) -> None:
    work = at_panel(alone)
    alone.round.phase = RoundPhase.PUBLICITY
    refused(WrongPhase, "本轮考核正处于“公示”阶段，不能这样做。", lambda: mark(alone, work, alone.members[0]))
    alone.round.phase = RoundPhase.OPEN


@pytest.mark.parametrize(
    ("points", "state"),
    [
        (("85", "80", "70"), SubmissionState.GRADED),  # 15 is not over 15
        (("85.01", "80", "70"), SubmissionState.IN_ARBITRATION),
        (("80", "70", "59.99"), SubmissionState.IN_ARBITRATION),  # 优秀 and 不合格 are two grades apart
        (("79.99", "70", "65"), SubmissionState.GRADED),
    ],
)
def test_the_spread_decides_whether_an_arbiter_is_called(
    alone: School, points: tuple[str, ...], state: SubmissionState
) -> None:
    work = at_panel(alone)
    for person, number in zip(alone.members, points, strict=True):
        mark(alone, work, person, number)
    assert work.state is state


def test_levels_two_steps_apart_call_the_arbiter(alone: School) -> None:
    work = at_panel(alone)
    for person, level in zip(alone.members, ("优秀", "合格", "不合格"), strict=True):
        mark(alone, work, person, "75", level=level)
    assert work.state is SubmissionState.IN_ARBITRATION
    assert asked(alone, work)[-1] == alone.arbiter
    assert waiting_marks(alone.session, work)[-1].due_at == last_second_of(date(2026, 3, 9))
    mark(alone, work, alone.arbiter, "75")
    assert work.state is SubmissionState.GRADED
    assert deeds(alone, work)[-2:] == ["panel.arbitrate", "submission.grade"]


def test_a_related_arbiter_is_replaced_and_without_one_the_work_waits(alone: School) -> None:
    for person in (alone.arbiter, alone.reserve):
        people.declare_conflict(alone.session, actor=alone.admin, one=alone.teachers[0], other=person, reason="同胞")
    work = at_panel(alone)
    for person, number in zip(alone.members, ("85", "84", "60"), strict=True):
        mark(alone, work, person, number)
    assert work.state is SubmissionState.IN_PANEL
    refused(
        panel.NobodyLeft, "没有可以接替的仲裁人：请先增补席位。", lambda: panel.pursue(alone.session, submission=work)
    )
    expert = alone.person("X1", "县专家")
    rounds.seat(alone.session, actor=alone.admin, round_=alone.round, person=expert, kind=SeatKind.ARBITER)
    panel.pursue(alone.session, submission=work)
    assert work.state is SubmissionState.IN_ARBITRATION
    mark(alone, work, expert, "83")
    assert work.state is SubmissionState.GRADED


def test_a_scheme_without_arbitration_grades_any_spread(session, clock) -> None:
    scheme = with_panel(schemes.load("xian-2022-appraisal"), on_spread="flag")
    school = School(session, teachers=1, scheme=scheme)
    work = at_panel(school)
    for person, number in zip(school.members, ("100", "84", "10"), strict=True):
        mark(school, work, person, number)
    assert work.state is SubmissionState.GRADED


def test_the_administrator_substitutes_who_cannot_mark(alone: School) -> None:
    work = at_panel(alone)
    alone.session.flush()
    panel.substitute(alone.session, actor=alone.admin, submission=work, missing=alone.members[0])
    assert asked(alone, work) == [*alone.members[1:], alone.reserve]
    released = alone.session.scalars(select(PanelMark).where(PanelMark.released_at.is_not(None))).one()
    assert (released.marker_id, released.mark) == (alone.members[0].id, None)
    assert deeds(alone, released) == ["panel.substitute"]
    event = alone.session.scalars(select(AuditEvent).where(AuditEvent.deed == "panel.substitute")).one()
    assert (event.actor_id, event.data) == (alone.admin.id, f'{{"by":{alone.reserve.id}}}')
    refused(panel.NotAsked, "这项成果没有请您评分。", lambda: mark(alone, work, alone.members[0]))
    refused(
        panel.NobodyLeft,
        "没有可以接替的考核组成员：请先增补席位。",
        lambda: panel.substitute(alone.session, actor=None, submission=work, missing=alone.reserve),
    )


def test_an_arbiter_is_substituted_from_the_reserve(alone: School) -> None:
    work = at_panel(alone)
    for person, number in zip(alone.members, ("85", "84", "60"), strict=True):
        mark(alone, work, person, number)
    panel.substitute(alone.session, actor=None, submission=work, missing=alone.arbiter)
    standing = waiting_marks(alone.session, work)[-1]
    assert (standing.marker_id, standing.seat) == (alone.reserve.id, SeatKind.ARBITER)
    refused(
        panel.NobodyLeft,
        "没有可以接替的仲裁人：请先增补席位。",
        lambda: panel.substitute(alone.session, actor=None, submission=work, missing=alone.reserve),
    )


def test_who_may_substitute_and_whom(alone: School) -> None:
    work = at_panel(alone)
    session, author = alone.session, alone.teachers[0]
    refused(
        NotAllowed,
        "您没有权限做这件事：这需要校级管理员的角色。",
        lambda: panel.substitute(session, actor=author, submission=work, missing=alone.members[0]),
    )
    sentence = "这项成果没有请您评分。"
    refused(
        panel.NotAsked,
        sentence,
        lambda: panel.substitute(session, actor=alone.admin, submission=work, missing=alone.arbiter),
    )
    mark(alone, work, alone.members[0])
    refused(
        panel.NotAsked,
        sentence,
        lambda: panel.substitute(session, actor=alone.admin, submission=work, missing=alone.members[0]),
    )
    people.declare_conflict(session, actor=alone.admin, one=alone.admin, other=author, reason="夫妻")
    refused(
        NotAllowed,
        "您没有权限做这件事：应回避本人或有关联的教师。",
        lambda: panel.substitute(session, actor=alone.admin, submission=work, missing=alone.members[1]),
    )
