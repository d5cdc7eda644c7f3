from __future__ import annotations

import pytest

from review_flow.errors import NotAllowed
from review_flow.steps import dry_run, people, rounds
from tests.cast import School, queries


def rehearsed(school: School) -> dry_run.Rehearsal:
    return dry_run.rehearse(dry_run.gather(school.session, actor=school.admin, round_=school.round))


def test_a_round_that_lacks_nothing_says_nothing_and_changes_nothing(school: School) -> None:
    found = rehearsed(school)
    assert (dry_run.said(found), found.reviews, found.most) == ([], 5 * 3 * 3, 9)
    assert (found.findings.teachers, found.findings.records) == (5, 5)
    assert (list(school.session.new), list(school.session.dirty)) == ([], [])


def test_what_is_missing_and_what_cannot_be_given_out_is_said(school: School) -> None:
    teachers = school.teachers
    for one in teachers[1:]:
        people.declare_conflict(school.session, actor=school.admin, one=teachers[0], other=one, reason="亲属")
    school.round.abilities = ["A1"]
    school.session.flush()
    found = rehearsed(school)
    assert found.blocked is not None
    short, narrow, blocked = dry_run.said(found)
    assert (short, blocked) == ("至少选3项，还差2项", f"互评分不下去：{found.blocked}")
    assert narrow.startswith("还差2个维度")


def test_a_large_school_is_tried_with_one_work_of_each(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "MOST_WORKS", 9)
    assert rehearsed(school).reviews == 5 * 3


def test_only_the_administrator_rehearses_in_a_constant_number_of_queries(school: School) -> None:
    with pytest.raises(NotAllowed):
        dry_run.gather(school.session, actor=school.teachers[0], round_=school.round)
    rounds.enrol_all(school.session, actor=school.admin, round_=school.round)
    school.session.expire_all()
    with queries(school.session) as few:
        dry_run.gather(school.session, actor=school.admin, round_=school.round)
    for number in range(3):
        rounds.enrol(
            school.session, actor=school.admin, round_=school.round, person=school.person(f"N{number}", "新人")
        )
    school.session.expire_all()
    with queries(school.session) as many:
        dry_run.gather(school.session, actor=school.admin, round_=school.round)
    assert len(many) == len(few)
