from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
from sqlalchemy import select

from flows import run_errand
from models import AuditEvent, Conflict, DueWork, Errand, Result
from review_flow.clock import now
from review_flow.errors import NotAllowed, NotFound
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.words import ErrandKind, WorkKind
from review_flow.steps import advance, audit, errands, people
from review_flow.steps.errands import Known, NothingToConfirm
from tests.cast import Clock, School
from tests.due import do_errands
from tests.stages import stage


@stage
def composed(session, clock: Clock) -> School:
    """Five teachers whose grades wait to be confirmed."""
    school = School(session).open().whole()
    clock.day(4, 4)
    advance.advance(session, round_=school.round)
    school.compose()
    return school


def known(school: School, kind: ErrandKind, **names: object) -> Known:
    return errands.known(school.session, kind=kind, organization_id=school.organization.id, **names)


def test_an_agreement_is_asked_for_once_and_its_answer_kept(composed: School) -> None:
    session, round_ = composed.session, composed.round
    with pytest.raises(NotAllowed):
        errands.ask_agreement(session, actor=composed.teachers[0], round_=round_)
    assert known(composed, ErrandKind.AGREEMENT, round_=round_) == Known(None, None, None, None)
    asked = errands.ask_agreement(session, actor=composed.admin, round_=round_)
    assert errands.ask_agreement(session, actor=composed.admin, round_=round_) is asked
    due = session.scalars(select(DueWork).where(DueWork.kind == WorkKind.RUN_ERRAND)).one()
    assert (due.subject_id, known(composed, ErrandKind.AGREEMENT, round_=round_).under_way) == (asked.id, asked)
    due.parked_at, due.parked_reason = now(), "磁盘已满"
    session.flush()
    assert known(composed, ErrandKind.AGREEMENT, round_=round_).stopped == "磁盘已满"
    do_errands(session)
    found = known(composed, ErrandKind.AGREEMENT, round_=round_)
    assert (found.under_way, found.done_at, found.answer is not None and len(found.answer["reviewers"])) == (
        None, now(), 5,
    )  # fmt: skip
    errands.finish(session, errand=asked, answer={})
    assert asked.answer == found.answer
    assert errands.ask_agreement(session, actor=composed.admin, round_=round_) is not asked
    deeds = session.scalars(select(AuditEvent.deed).where(AuditEvent.deed == "errand.ask")).all()
    assert len(deeds) == 2
    assert len(session.scalars(select(Errand)).all()) == 2
    do_errands(session)
    again = session.scalars(select(Errand)).one()
    assert (again is asked, again.answer) == (False, found.answer)
    errands.forget(session, round_=round_)
    assert known(composed, ErrandKind.AGREEMENT, round_=round_) == Known(None, None, None, None)


def test_a_chain_is_read_in_parts(composed: School) -> None:
    session, school_id = composed.session, composed.organization.id
    people.found_school(session, name="第二中学", admin_number="Z1", admin_name="吴静")
    with pytest.raises(NotAllowed):
        errands.ask_chain(session, actor=composed.teachers[0])
    errands.ask_chain(session, actor=composed.admin)
    count = len(session.scalars(select(AuditEvent).where(AuditEvent.organization_id == school_id)).all())
    do_errands(session)
    assert known(composed, ErrandKind.CHAIN).answer == {"count": count, "wrong": []}
    read = audit.read_on(session, organization_id=school_id, read=audit.Reading(), most=7)
    assert read is not None
    other = session.scalars(select(AuditEvent).where(AuditEvent.organization_id != school_id)).first()
    assert other is not None
    parts = [read.count]
    while (following := audit.read_on(session, organization_id=school_id, read=read, most=7)) is not None:
        read = following
        parts.append(read.count)
    assert (parts[:2], read.count, read.wrong) == ([7, 14], count, ())
    torn = audit.read_on(session, organization_id=school_id, read=audit.Reading(7, 7, audit.GENESIS), most=7)
    assert torn is not None
    assert (torn.wrong, errands.chained(torn)) == ((8,), {"count": 14, "wrong": [8]})


def test_grades_are_confirmed_one_by_one_for_who_asked(composed: School) -> None:
    session, round_, member = composed.session, composed.round, composed.members[0]
    with pytest.raises(NotAllowed):
        errands.ask_confirm(session, actor=composed.admin, round_=round_)
    session.add(
        Conflict(
            one_id=composed.teachers[0].id, other_id=member.id, reason="同胞",
            declared_by_id=composed.admin.id, declared_at=now(),
        )
    )  # fmt: skip
    asked = errands.ask_confirm(session, actor=member, round_=round_)
    assert errands.ask_confirm(session, actor=member, round_=round_) is asked
    other = errands.ask_confirm(session, actor=composed.members[1], round_=round_)
    waiting = errands.to_confirm(session, errand=asked)
    assert [of for of, _key in waiting] == [Result] * 5
    do_errands(session)
    assert asked.answer == {"confirmed": 4, "left": 1}
    assert other.answer == {"confirmed": 1, "left": 0}
    assert run_errand.answer_of(asked.id, begin=lambda: nullcontext(session)) == {"confirmed": 0, "left": 0}
    assert {one.state for one in session.scalars(select(Result))} == {ResultState.BANDED}
    assert known(composed, ErrandKind.CONFIRM_GRADES, round_=round_, asked_by=member).answer == asked.answer
    with pytest.raises(NothingToConfirm):
        errands.ask_confirm(session, actor=member, round_=round_)


def test_an_errand_is_followed_by_who_asked_and_a_school_s_administrators(composed: School) -> None:
    session, member = composed.session, composed.members[0]
    _school, stranger = people.found_school(session, name="第二中学", admin_number="Z1", admin_name="吴静")
    chain = errands.ask_chain(session, actor=composed.admin)
    deed = errands.ask_confirm(session, actor=member, round_=composed.round)
    sees = {(composed.admin, chain), (member, deed)}
    for person in (composed.admin, member, stranger, composed.teachers[0]):
        for one in (chain, deed):
            if (person, one) in sees:
                assert errands.of_person(session, person=person, key=one.id) is one
            else:
                with pytest.raises(NotFound):
                    errands.of_person(session, person=person, key=one.id)
    with pytest.raises(NotFound):
        errands.of_person(session, person=composed.admin, key=999)
    assert errands.following(session, errand=None) == Known(None, None, None, None)
    assert len(session.scalars(select(Errand)).all()) == 2


def test_a_round_is_tried_out_and_told_in_each_language(school: School) -> None:
    session, round_ = school.session, school.round
    with pytest.raises(NotAllowed):
        errands.ask_dry_run(session, actor=school.teachers[0], round_=round_)
    round_.abilities = ["A1"]
    asked = errands.ask_dry_run(session, actor=school.admin, round_=round_)
    assert errands.ask_dry_run(session, actor=school.admin, round_=round_) is asked
    do_errands(session)
    answer = known(school, ErrandKind.DRY_RUN, round_=round_).answer
    assert answer is not None
    chinese, english = answer["zh"], answer["en"]
    numbers = {"authors": 5, "reviewers": 5, "reviews": 45, "most": 9, "teachers": 5}
    assert {name: chinese[name] for name in numbers} == {name: english[name] for name in numbers} == numbers
    assert (chinese["said"][0], english["said"][0]) == ("至少选3项，还差2项", "Choose at least 3; 2 more needed")
    assert sum(count for _grade, count in chinese["grades"]) == 5
    assert json.loads(json.dumps(answer)) == json.loads(json.dumps(asked.answer))
