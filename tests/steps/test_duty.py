from __future__ import annotations

import copy

import pytest
from sqlalchemy.orm import Session

from review_flow.rules.duty import Duty
from review_flow.rules.scheme import Scheme
from review_flow.steps import claims, enrolments, people, reviews
from review_flow.steps.duty import duty, given
from tests.cast import Clock, School
from tests.stages import stage


@stage
def sealed(session, clock) -> School:
    """王芳 and 李伟 have sealed three works each; the others none."""
    school = School(session).open()
    for person in school.teachers[:2]:
        school.ready(person)
        school.seal(person)
    return school


def works(school: School, number: int = 0):
    enrolment = school.enrolment(school.teachers[number])
    return enrolments.submissions_of(school.session, enrolment=enrolment)


def owed(school: School, work) -> tuple[Duty, int]:
    return duty(school.session, submission=work)


def samples(school: School, count: int) -> None:
    for number in range(count):
        form = school.review_form()
        reviews.add_sample(
            school.session, actor=school.admin, round_=school.round, ability="A1", title=f"样例{number}", form=form
        )


def test_the_pool_is_what_others_have_sealed(sealed: School) -> None:
    assert [owed(sealed, work) for work in works(sealed)] == [(Duty(3, 0), 0)] * 3
    sealed.ready(sealed.teachers[2])
    assert owed(sealed, works(sealed)[0]) == (Duty(3, 0), 0)  # drafts are not in it
    sealed.seal(sealed.teachers[2])
    assert owed(sealed, works(sealed)[0]) == (Duty(6, 0), 0)


def test_each_sealed_work_asks_for_its_own_reviews_in_the_order_of_sealing(school: School, clock: Clock) -> None:
    from review_flow.steps import submissions

    school.open()
    for person in school.teachers[1:]:
        school.ready(person)
        school.seal(person)
    mine = school.ready(school.teachers[0])
    for day, work in zip((3, 4, 5), mine, strict=True):
        clock.day(3, day)
        school.fill(work)
        submissions.seal(school.session, actor=school.teachers[0], submission=work, own_work=True)
    assert [owed(school, work)[0] for work in mine] == [Duty(3, 0), Duty(6, 0), Duty(9, 0)]


def test_what_was_reviewed_stays_in_the_pool_whatever_becomes_of_it(sealed: School) -> None:
    sealed.allocate()
    assert sealed.do_reviews(sealed.teachers[0]) == 3
    for work in works(sealed, 1):
        work.state = type(work.state).REPLACED
    assert owed(sealed, works(sealed)[0]) == (Duty(3, 0), 3)


def test_declining_does_not_lessen_the_duty_and_a_conflict_does(sealed: School) -> None:
    session, me = sealed.session, sealed.teachers[0]
    sealed.allocate()
    for task in reviews.tasks_of(session, person=me, round_=sealed.round):
        reviews.decline(session, actor=me, assignment=task, reason="没空")
    assert owed(sealed, works(sealed)[0]) == (Duty(3, 0), 0)
    people.declare_conflict(session, actor=sealed.admin, one=me, other=sealed.teachers[1], reason="夫妻")
    assert owed(sealed, works(sealed)[0]) == (Duty(0, 0), 0)


def test_samples_fill_what_the_pool_lacks(sealed: School) -> None:
    samples(sealed, 2)
    assert owed(sealed, works(sealed)[0]) == (Duty(3, 2), 0)
    sample = claims.take_sample(sealed.session, actor=sealed.teachers[0], round_=sealed.round)
    form = sealed.review_form()
    reviews.submit(sealed.session, actor=sealed.teachers[0], assignment=sample, form=form)
    assert owed(sealed, works(sealed)[0]) == (Duty(3, 2), 1)
    assert given(sealed.session, round_id=sealed.round.id, person_id=sealed.teachers[1].id) == 0


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [("pool_fallback", "none", Duty(3, 0)), ("before_submit", False, Duty(0, 0))],
)
def test_the_scheme_decides_whether_samples_and_the_duty_itself_count(
    session: Session, clock: Clock, path: str, value: object, expected: Duty
) -> None:
    from review_flow import schemes

    document = copy.deepcopy(dict(schemes.load("xian-2022-appraisal").document))
    document["review"]["peer"][path] = value
    school = School(session, teachers=2, scheme=Scheme.from_document(document)).open()
    for person in school.teachers:
        school.ready(person)
        school.seal(person)
    samples(school, 2)
    assert owed(school, works(school)[0]) == (expected, 0)
