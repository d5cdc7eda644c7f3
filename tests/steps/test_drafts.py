"""Two devices, one form: neither overwrites what it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from models import Assignment, PanelMark, Person, Submission
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.steps import claims, panel, people, reviews
from review_flow.steps.drafts import DraftElsewhere, Over
from tests.cast import School, waiting_marks
from tests.stages import stage

Keep = Callable[[str, Over | None], None]
DESK, PHONE = "desk", "phone"


@stage
def short(session, clock) -> School:
    """王芳's works are before the panel without reviews; 李伟's are sealed."""
    school = School(session).open()
    for person in school.teachers[:2]:
        school.ready(person)
        school.seal(person)
    for work in works(school):
        work.state, work.valid, work.submitted_at = SubmissionState.IN_PEER_REVIEW, True, now()
        reviews.close_short(session, submission=work)
    return school


def works(school: School) -> list[Submission]:
    from review_flow.steps.enrolments import submissions_of

    return submissions_of(school.session, enrolment=school.enrolment(school.teachers[0]))


@pytest.fixture(params=["review", "mark"])
def row(request: pytest.FixtureRequest, short: School) -> tuple[Assignment | PanelMark, Keep]:
    session = short.session
    if request.param == "review":
        task = claims.claim(session, actor=short.teachers[2], round_=short.round)

        def review(words: str, over: Over | None) -> None:
            reviews.save_draft(session, actor=short.teachers[2], assignment=task, draft={"comment": words}, over=over)

        return task, review
    work = works(short)[0]
    asked = waiting_marks(session, work)[0]
    member = session.get_one(Person, asked.marker_id)

    def mark(words: str, over: Over | None) -> None:
        assert panel.save_draft(session, actor=member, submission=work, draft={"comment": words}, over=over) is asked

    return asked, mark


def test_a_stale_draft_overwrites_nothing(row: tuple[Assignment | PanelMark, Keep]) -> None:
    kept, keep = row
    keep("一", Over(0, DESK))
    keep("二", Over(0, DESK))  # its first answer was slow: one page's own saves may overtake each other
    with pytest.raises(DraftElsewhere):
        keep("三", Over(0, PHONE))
    assert (kept.draft, kept.draft_version, kept.draft_from) == ({"comment": "二"}, 2, DESK)
    keep("三", Over(2, PHONE))  # chosen over the other
    with pytest.raises(DraftElsewhere):
        keep("四", Over(2, DESK))
    keep("五", None)
    assert (kept.draft, kept.draft_version, kept.draft_from) == ({"comment": "五"}, 4, None)


def test_a_stale_form_is_not_handed_in(short: School) -> None:
    session = short.session
    task = claims.claim(session, actor=short.teachers[2], round_=short.round)
    work = session.get_one(Submission, task.submission_id)
    form = short.review_form(submission=work)
    reviews.save_draft(session, actor=short.teachers[2], assignment=task, draft={}, over=Over(0, DESK))
    with pytest.raises(DraftElsewhere):
        reviews.submit(session, actor=short.teachers[2], assignment=task, form=form, over=Over(0, PHONE))
    assert reviews.submit(session, actor=short.teachers[2], assignment=task, form=form, over=Over(0, DESK)).mark == 85


def test_a_stale_mark_is_not_given(short: School) -> None:
    session, work = short.session, works(short)[0]
    member = session.get_one(Person, waiting_marks(session, work)[0].marker_id)
    form = short.review_form(submission=work)
    panel.save_draft(session, actor=member, submission=work, draft=form, over=Over(0, DESK))
    with pytest.raises(DraftElsewhere):
        panel.mark(session, actor=member, submission=work, form=form, over=Over(0, PHONE))
    given = panel.mark(session, actor=member, submission=work, form=form, over=Over(1, PHONE))
    assert (given.mark, given.draft) == (Decimal(85), None)
    with pytest.raises(panel.AlreadyMarked):
        panel.save_draft(session, actor=member, submission=work, draft={})
    with pytest.raises(panel.NotAsked):
        panel.save_draft(session, actor=short.admin, submission=work, draft={})


def test_who_became_a_relative_keeps_no_draft(short: School) -> None:
    session, work = short.session, works(short)[0]
    member = session.get_one(Person, waiting_marks(session, work)[0].marker_id)
    people.declare_conflict(session, actor=short.admin, one=short.teachers[0], other=member, reason="同胞")
    with pytest.raises(NotAllowed):
        panel.save_draft(session, actor=member, submission=work, draft={})


def test_the_rounds_on_whose_panel_one_sits(short: School) -> None:
    session, member = short.session, short.members[0]
    assert panel.rounds_of(session, person=member) == [short.round]
    assert panel.rounds_of(session, person=short.teachers[0]) == []
    assert [people.head(session, person=one).seated for one in (member, short.teachers[0])] == [True, False]
    held = [people.seats_of(session, person_id=one.id, round_id=short.round.id) for one in (member, short.teachers[0])]
    assert held == [[people.SeatKind.MEMBER], []]
    short.round.phase = RoundPhase.SETUP
    session.flush()
    assert panel.rounds_of(session, person=member) == []
    short.round.phase = RoundPhase.OPEN
    member.active = False
    assert panel.rounds_of(session, person=member) == []
    member.active = True
