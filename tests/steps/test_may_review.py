"""Who may review whose work: claims, the allocation, the duty and the search for one more give one answer."""

from __future__ import annotations

from itertools import product

import pytest

from models import Person, Submission, Workshop
from review_flow.errors import NotAllowed
from review_flow.rules.allocation import AllocationRules, Reviewer, Work, allocate
from review_flow.rules.duty import Duty
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import SeatKind
from review_flow.steps import claims, enrolments, panel, people, reviews, rounds
from review_flow.steps.allocation import _groups
from review_flow.steps.duty import duty
from review_flow.steps.may_review import kept_apart
from tests.cast import School, tasks
from tests.steps.test_allocation import first_work, let_lapse
from tests.steps.test_disagreement import changed, in_peer_review, ready, review, work_of

FORBID = changed(allocation={"own_workshop": "forbid", "other_subject": "forbid"})


def workshop(school: School, *members: Person, name: str = "甲") -> None:
    made = Workshop(organization_id=school.organization.id, name=name)
    school.session.add(made)
    school.session.flush()
    for person in members:
        person.workshop_id = made.id
    school.session.flush()


def claim(school: School, number: int):
    return claims.claim(school.session, actor=school.teachers[number], round_=school.round)


@pytest.mark.parametrize("own_workshop", ["avoid", "forbid"])
@pytest.mark.parametrize("other_subject", ["avoid", "forbid"])
def test_the_database_keeps_apart_whom_the_allocation_does(
    school: School, own_workshop: str, other_subject: str
) -> None:
    session = school.session
    rules = AllocationRules(own_workshop=own_workshop, other_subject=other_subject)
    shops = [None, *(Workshop(organization_id=school.organization.id, name=name) for name in "甲乙")]
    session.add_all(shops[1:])
    session.flush()
    kinds = product((None, "", "物理", "语文"), (one and one.id for one in shops))
    everybody = [school.person(f"K{n}", f"K{n}", subject) for n, (subject, _shop) in enumerate(kinds)]
    for person, shop in zip(everybody, [one and one.id for one in shops] * 4, strict=True):
        person.workshop_id = shop
    session.flush()
    people.declare_conflict(session, actor=school.admin, one=everybody[0], other=everybody[5], reason="夫妻")
    for person in everybody:
        apart = set(session.scalars(kept_apart(person=person, rules=rules)))
        theirs = {one.id for one in everybody if one is person or forbidden(rules, person, one)}
        if person in (everybody[0], everybody[5]):
            theirs |= {everybody[0].id, everybody[5].id}
        assert apart & {one.id for one in everybody} == theirs


def forbidden(rules: AllocationRules, reviewer: Person, author: Person) -> bool:
    """Whether the allocation never gives one's work to the other."""
    only = Reviewer(id=reviewer.id, cap=1, groups=_groups(reviewer))
    work = Work(id=1, authors=frozenset({author.id}), demand=1, groups=_groups(author))
    return not allocate(reviewers=[only], works=[work], rules=rules, seed=0).pairs


def test_nobody_claims_what_the_scheme_forbids(session, clock) -> None:
    school = School(session, scheme=FORBID).open()
    physics, chinese, colleague = school.teachers[0], school.teachers[1], school.teachers[3]  # 物理 语文 物理
    workshop(school, physics, colleague)
    first_work(school)
    assert tasks(session, school.round) == []
    for number in (1, 3):
        with pytest.raises(claims.NothingToReview):
            claim(school, number)
    physics.workshop_id = None
    chinese.subject = ""  # nobody said
    session.flush()
    assert [claim(school, number).reviewer_id for number in (1, 3)] == [chinese.id, colleague.id]


def test_who_has_left_claims_nothing_and_a_cap_holds_for_claims_too(opened: School) -> None:
    session = opened.session
    for person in opened.teachers[:2]:
        opened.ready(person)
        opened.seal(person)
    enrolments.leave_reviewing(session, actor=opened.admin, enrolment=opened.enrolment(opened.teachers[2]))
    with pytest.raises(NotAllowed) as no:
        claim(opened, 2)
    assert str(no.value) == "您没有权限做这件事：您已不再承担互评。"
    capped = opened.teachers[3]
    opened.enrolment(capped).review_cap = 0
    with pytest.raises(claims.CapReached) as no:
        claim(opened, 3)
    assert str(no.value) == "您同时最多承担0份互评，现在不能再领。"
    opened.enrolment(capped).review_cap = 1
    task = claim(opened, 3)
    with pytest.raises(claims.CapReached):
        claim(opened, 3)
    opened.do_reviews(capped)  # what is done makes room
    assert claim(opened, 3).submission_id != task.submission_id


def test_people_of_one_household_judge_each_other_nowhere(session, clock) -> None:
    school = School(session, teachers=4)
    author, spouse = school.teachers[0], school.teachers[1]
    elsewhere = people.found_school(session, name="另一所学校", admin_number="A01", admin_name="外人")[1]
    for person in (author, spouse, school.members[0], school.hearers[0], elsewhere):
        person.household = "12"
    session.flush()
    work = first_work(school.open())
    assert {one.reviewer_id for one in tasks(session, school.round)} == {one.id for one in school.teachers[2:]}
    with pytest.raises(claims.NothingToReview):
        claim(school, 1)
    assert duty(session, submission=work)[0] == Duty(0, 0)  # no other work to review, and the spouse has none
    judges = panel.free_seats(session, submission=work, kinds=(SeatKind.MEMBER,))
    assert judges == [one.id for one in school.members[1:]]
    assert people.conflicting_with(session, person_id=author.id) == {
        one.id for one in (author, spouse, school.members[0], school.hearers[0])
    }
    pairs = people.conflicts_of(session, organization_id=school.organization.id)
    assert len(pairs) == 4 * 3


def test_a_stand_in_from_the_panel_is_nobody_whom_the_scheme_forbids(session, clock) -> None:
    school = School(session, teachers=4, scheme=changed(allocation={"own_workshop": "forbid"})).open()
    workshop(school, school.teachers[0], school.reserve)
    work = first_work(school)
    let_lapse(school, next(one for one in tasks(session, school.round) if one.submission_id == work.id))
    found = school.allocate()
    assert (found.pairs, found.unmet) == ((), {work.id: 1})
    school.reserve.workshop_id = None
    session.flush()
    assert school.allocate().pairs == ((school.reserve.id, work.id),)


def test_a_panel_member_who_takes_part_stands_in_as_a_teacher_within_their_cap(session, clock) -> None:
    school = School(session, teachers=5)
    member = school.teachers[4]
    rounds.seat(session, actor=school.admin, round_=school.round, person=member, kind=SeatKind.RESERVE)
    school.enrolment(member).review_cap = 0
    school.reserve.active = False
    work = first_work(school.open())
    let_lapse(school, next(one for one in tasks(session, school.round) if one.submission_id == work.id))
    assert (school.allocate().pairs, school.enrolment(member).review_cap) == ((), 0)


def test_one_more_is_asked_only_where_somebody_may_review(session, clock) -> None:
    school = School(session, scheme=changed(allocation={"own_workshop": "forbid"}))
    workshop(school, school.teachers[0], school.teachers[4])
    work = in_peer_review(ready(school, count=1), school)
    review(school, work, "62", "85", "84")
    assert (work.state, work.extra_reviews, work.disagreement) == (SubmissionState.IN_PANEL, 0, "spread,band")
    school.teachers[4].workshop_id, school.enrolment(school.teachers[4]).review_cap = None, 0
    other = in_peer_review(work_of(school, place=1), school)
    review(school, other, "62", "85", "84")
    assert (other.state, other.extra_reviews) == (SubmissionState.IN_PANEL, 0)


def owed(school: School, number: int) -> tuple[Duty, int]:
    return duty(school.session, submission=work_of(school, number))


def test_nobody_owes_reviews_that_nobody_lets_them_give(session, clock) -> None:
    school = School(session, scheme=FORBID)
    for person in school.teachers:
        person.subject = "物理"
    workshop(school, *school.teachers[:2])
    ready(school, count=2)
    assert owed(school, 0) == (Duty(0, 0), 0)
    school.teachers[1].workshop_id = None
    session.flush()
    assert owed(school, 0) == (Duty(3, 0), 0)
    school.teachers[1].subject = "语文"
    session.flush()
    assert owed(school, 0) == (Duty(0, 0), 0)


def test_who_gets_no_more_reviews_owes_what_they_hold_and_have_given(opened: School) -> None:
    session, me = opened.session, opened.teachers[0]
    for person in opened.teachers[:2]:
        opened.ready(person)
        opened.seal(person)
    first, second = (claim(opened, 0) for _turn in range(2))
    form = opened.review_form(submission=session.get_one(Submission, first.submission_id))
    reviews.submit(session, actor=me, assignment=first, form=form)
    assert owed(opened, 0) == (Duty(3, 0), 1)
    opened.enrolment(me).review_cap = 0
    session.flush()
    assert owed(opened, 0) == (Duty(2, 0), 1)
    opened.enrolment(me).review_cap = None
    enrolments.leave_reviewing(session, actor=opened.admin, enrolment=opened.enrolment(me))
    session.flush()
    assert owed(opened, 0) == (Duty(2, 0), 1)
    reviews.decline(session, actor=me, assignment=second, reason="调离")
    session.flush()
    assert owed(opened, 0) == (Duty(1, 0), 1)
