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
from review_flow.steps import enrolments, judges, panel, people, reviews, rounds, submissions
from review_flow.steps.rounds import WrongPhase
from tests.cast import School, waiting_marks
from tests.stages import stage
from tests.steps.test_reviews import deeds, refused


def at_panel(school: School) -> Submission:
    """A valid work of the first teacher that is short of peers and comes to the panel."""
    if school.round.phase is RoundPhase.SETUP:
        school.open()
    person = school.teachers[0]
    school.ready(person)
    work = school.seal(person)[0]
    submissions.submit(school.session, actor=person, submission=work)
    reviews.close_short(school.session, submission=work)
    return work


@stage
def before_panel(session, clock) -> School:
    """A school of one teacher whose first work waits for the panel's marks."""
    school = School(session, teachers=1)
    at_panel(school)
    return school


def waiting(school: School) -> Submission:
    return enrolments.submissions_of(school.session, enrolment=school.enrolment(school.teachers[0]))[0]


def mark(school: School, work: Submission, person: Person, points: str = "85", *, level: str = "合格") -> PanelMark:
    form = school.review_form(points, submission=work, level=level)
    return panel.mark(school.session, actor=person, submission=work, form=form)


def asked(school: School, work: Submission) -> list[Person]:
    return [school.session.get_one(Person, one.marker_id) for one in waiting_marks(school.session, work)]


def test_as_many_members_are_asked_as_the_scheme_wants(before_panel: School) -> None:
    work = waiting(before_panel)
    assert work.state is SubmissionState.IN_PANEL
    assert asked(before_panel, work) == before_panel.members
    assert {one.due_at for one in waiting_marks(before_panel.session, work)} == {last_second_of(date(2026, 3, 16))}
    assert panel.asked_of(before_panel.session, person=before_panel.members[0], round_=before_panel.round) == [work]
    assert panel.asked_of(before_panel.session, person=before_panel.reserve, round_=before_panel.round) == []
    first = {"round_": before_panel.round, "most": 1}
    own = waiting_marks(before_panel.session, work)[0]
    assert panel.most_urgent(before_panel.session, person=before_panel.members[0], **first) == ([(work, own)], 1)
    assert panel.most_urgent(before_panel.session, person=before_panel.reserve, **first) == ([], 0)
    assert deeds(before_panel, work)[-1] == "panel.ask"


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
    alone.open()
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


def test_the_last_mark_grades_the_work(before_panel: School) -> None:
    work = waiting(before_panel)
    given = [
        mark(before_panel, work, person, points)
        for person, points in zip(before_panel.members, ("80", "82", "84"), strict=True)
    ]
    assert [one.mark for one in given] == [80, 82, 84]
    assert {(one.scheme_digest, one.marked_at, one.ability_level) for one in given} == {
        (before_panel.scheme.digest, now(), "合格")
    }
    assert work.state is SubmissionState.GRADED
    assert deeds(before_panel, work)[-1] == "submission.grade"
    assert deeds(before_panel, given[0]) == ["panel.mark"]
    due = before_panel.session.scalars(select(DueWork.kind).where(DueWork.subject_id == before_panel.round.id)).all()
    assert WorkKind.ADVANCE_ROUND in due


def test_a_mark_is_given_once_and_by_the_asked_alone(before_panel: School) -> None:
    work = waiting(before_panel)
    mark(before_panel, work, before_panel.members[0])
    refused(panel.AlreadyMarked, "您已对这项成果评分。", lambda: mark(before_panel, work, before_panel.members[0]))
    for stranger in (before_panel.reserve, before_panel.arbiter, before_panel.admin, before_panel.teachers[0]):
        refused(panel.NotAsked, "这项成果没有请您评分。", lambda who=stranger: mark(before_panel, work, who))


def test_who_became_related_after_being_asked_marks_no_more(before_panel: School) -> None:
    work = waiting(before_panel)
    people.declare_conflict(
        before_panel.session,
        actor=before_panel.admin,
        one=before_panel.teachers[0],
        other=before_panel.members[0],
        reason="师徒",
    )
    refused(
        NotAllowed,
        "您没有权限做这件事：应回避本人或有关联的教师。",
        lambda: mark(before_panel, work, before_panel.members[0]),
    )


def test_a_form_with_mistakes_is_refused(before_panel: School) -> None:
    work = waiting(before_panel)
    form = before_panel.review_form(submission=work)
    refused(
        panel.MarkRefused,
        "评分表还不完整：评语至少10字。",
        lambda: panel.mark(
            before_panel.session, actor=before_panel.members[0], submission=work, form={**form, "comment": ""}
        ),
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


def test_outside_of_its_phases_nothing_is_marked(before_panel: School) -> None:
    work = waiting(before_panel)
    before_panel.round.phase = RoundPhase.PUBLICITY
    refused(
        WrongPhase, "本轮考核正处于“公示”阶段，不能这样做。", lambda: mark(before_panel, work, before_panel.members[0])
    )
    before_panel.round.phase = RoundPhase.OPEN


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
    before_panel: School, points: tuple[str, ...], state: SubmissionState
) -> None:
    work = waiting(before_panel)
    for person, number in zip(before_panel.members, points, strict=True):
        mark(before_panel, work, person, number)
    assert work.state is state


def test_levels_two_steps_apart_call_the_arbiter(before_panel: School) -> None:
    work = waiting(before_panel)
    for person, level in zip(before_panel.members, ("优秀", "合格", "不合格"), strict=True):
        mark(before_panel, work, person, "75", level=level)
    assert work.state is SubmissionState.IN_ARBITRATION
    assert asked(before_panel, work)[-1] == before_panel.arbiter
    assert waiting_marks(before_panel.session, work)[-1].due_at == last_second_of(date(2026, 3, 9))
    mark(before_panel, work, before_panel.arbiter, "75")
    assert work.state is SubmissionState.GRADED
    assert deeds(before_panel, work)[-2:] == ["panel.arbitrate", "submission.grade"]


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
    (short,), _count = judges.short_of(alone.session, round_=alone.round, scheme=alone.scheme)
    assert short.text == f"A1（成果{work.id}）缺1名仲裁人，请增加席位"
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


def test_the_administrator_substitutes_who_cannot_mark(before_panel: School) -> None:
    work = waiting(before_panel)
    before_panel.session.flush()
    panel.substitute(before_panel.session, actor=before_panel.admin, submission=work, missing=before_panel.members[0])
    assert asked(before_panel, work) == [*before_panel.members[1:], before_panel.reserve]
    released = before_panel.session.scalars(select(PanelMark).where(PanelMark.released_at.is_not(None))).one()
    assert (released.marker_id, released.mark) == (before_panel.members[0].id, None)
    assert deeds(before_panel, released) == ["panel.substitute"]
    event = before_panel.session.scalars(select(AuditEvent).where(AuditEvent.deed == "panel.substitute")).one()
    assert (event.actor_id, event.data) == (before_panel.admin.id, f'{{"by":{before_panel.reserve.id}}}')
    refused(panel.NotAsked, "这项成果没有请您评分。", lambda: mark(before_panel, work, before_panel.members[0]))
    refused(
        panel.NobodyLeft,
        "没有可以接替的考核组成员：请先增补席位。",
        lambda: panel.substitute(before_panel.session, actor=None, submission=work, missing=before_panel.reserve),
    )


def test_an_arbiter_is_substituted_from_the_reserve(before_panel: School) -> None:
    work = waiting(before_panel)
    for person, number in zip(before_panel.members, ("85", "84", "60"), strict=True):
        mark(before_panel, work, person, number)
    panel.substitute(before_panel.session, actor=None, submission=work, missing=before_panel.arbiter)
    standing = waiting_marks(before_panel.session, work)[-1]
    assert (standing.marker_id, standing.seat) == (before_panel.reserve.id, SeatKind.ARBITER)
    refused(
        panel.NobodyLeft,
        "没有可以接替的仲裁人：请先增补席位。",
        lambda: panel.substitute(before_panel.session, actor=None, submission=work, missing=before_panel.reserve),
    )


def test_who_may_substitute_and_whom(before_panel: School) -> None:
    work = waiting(before_panel)
    session, author = before_panel.session, before_panel.teachers[0]
    refused(
        NotAllowed,
        "您没有权限做这件事：这需要校级管理员的角色。",
        lambda: panel.substitute(session, actor=author, submission=work, missing=before_panel.members[0]),
    )
    sentence = "这项成果没有请您评分。"
    refused(
        panel.NotAsked,
        sentence,
        lambda: panel.substitute(session, actor=before_panel.admin, submission=work, missing=before_panel.arbiter),
    )
    mark(before_panel, work, before_panel.members[0])
    refused(
        panel.NotAsked,
        sentence,
        lambda: panel.substitute(session, actor=before_panel.admin, submission=work, missing=before_panel.members[0]),
    )
    people.declare_conflict(session, actor=before_panel.admin, one=before_panel.admin, other=author, reason="夫妻")
    refused(
        NotAllowed,
        "您没有权限做这件事：应回避本人或有关联的教师。",
        lambda: panel.substitute(session, actor=before_panel.admin, submission=work, missing=before_panel.members[1]),
    )
