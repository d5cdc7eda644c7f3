from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models import DueWork, Enrolment, Message, Notice, Submission
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.path import Stage
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import WorkKind
from review_flow.steps import advance, enrolments, path, programme, progress, results, rounds, work
from review_flow.steps.messages import tell_many
from tests.cast import Clock, School, queries, xian


def board(school: School, **asked: object) -> progress.Progress:
    return progress.board(school.session, actor=school.admin, round_=school.round, **asked)


def remind(school: School, **asked: object) -> int:
    return progress.remind(school.session, actor=school.admin, round_=school.round, **asked)


def test_everybody_stands_where_their_own_page_says(opened: School) -> None:
    first, second, third, fourth, fifth = opened.teachers
    enrolments.acknowledge(opened.session, actor=second, enrolment=opened.enrolment(second))
    for one in (third, fourth, fifth):
        opened.ready(one)
    for one in (fourth, fifth):
        opened.seal(one)
    opened.allocate()
    opened.session.flush()
    stages = {one.number: one.stage for one in board(opened).lines}
    assert stages == {
        "T01": Stage.READ,
        "T02": Stage.SELF_TEST,
        "T03": Stage.EVIDENCE,
        "T04": Stage.REVIEW,
        "T05": Stage.REVIEW,
    }
    for person in opened.teachers:
        standing = path.standing_of(opened.session, person=person, round_id=opened.round.id)
        assert (person.number, stages[person.number]) == (person.number, standing.way.stage)
    assert board(opened).stages == {Stage.READ: 1, Stage.SELF_TEST: 1, Stage.EVIDENCE: 1, Stage.REVIEW: 2}
    held = next(one for one in board(opened).lines if one.number == fourth.number)
    assert (held.works, held.sealed, held.drafts, held.held > 0, held.lease_until is not None) == (3, 3, 0, True, True)
    assert first.name in {one.name for one in board(opened, stage=Stage.READ).lines}
    assert [one.number for one in board(opened, word="T03").lines] == ["T03"]
    assert [one.number for one in board(opened, word=third.name).lines] == ["T03"]
    assert board(opened, page=2).lines == []
    opened.do_reviews(fourth)
    assert [one.number for one in board(opened, stage=Stage.SUBMIT).lines] == ["T04"]


def test_a_round_s_people_are_listed_with_their_stages_and_who_is_exempt_in_none(opened: School) -> None:
    out = opened.enrolment(opened.teachers[2])
    enrolments.exempt(opened.session, actor=opened.admin, enrolment=out, reason="产假")
    opened.ready(opened.teachers[3])
    opened.session.flush()

    def listed(stage: Stage | None = None) -> dict[str, Stage | None]:
        asked = progress.listing(opened.session, actor=opened.admin, round_=opened.round, stage=stage)
        found = opened.session.execute(asked.order_by(Enrolment.id)).tuples().all()
        people = {one.id: person.id for one, person in found}
        lines = progress.lines(opened.session, round_=opened.round, people=people)
        stages = {one.enrolment_id: one.stage for one in lines}
        return {person.number: stages.get(one.id) for one, person in found}

    read = Stage.READ
    assert listed() == {"T01": read, "T02": read, "T03": None, "T04": Stage.EVIDENCE, "T05": read}
    assert listed(Stage.EVIDENCE) == {"T04": Stage.EVIDENCE}
    with pytest.raises(NotAllowed):
        progress.listing(opened.session, actor=opened.teachers[0], round_=opened.round)


def test_who_need_not_choose_is_not_told_to(session, clock: Clock) -> None:
    document = xian().document
    tiers = [
        {"id": "expert", "name_zh": "专家组", "min": 0, "min_dimensions": 0},
        {"id": "new", "name_zh": "新教师组", "min": 1},
    ]
    scheme = Scheme.from_document(
        {
            **document,
            "select": {**document["select"], "tiers": tiers},
            "sources": {**document["sources"], "select.tiers": "002-1-08"},
        }
    )
    school = School(session, teachers=3, scheme=scheme)
    for person, tier in zip(school.teachers, ("expert", "new", None), strict=True):
        programme.place(session, actor=school.admin, enrolment=school.enrolment(person), tier=tier, roles=[])
    school.open()
    for person in school.teachers:
        enrolment = school.enrolment(person)
        enrolments.acknowledge(session, actor=person, enrolment=enrolment)
        enrolments.self_test(session, actor=person, enrolment=enrolment)
    session.flush()
    stages = [one.stage for one in board(school).lines]
    assert stages == [Stage.WAIT, Stage.CHOOSE, Stage.CHOOSE]
    own = [path.standing_of(session, person=person, round_id=school.round.id) for person in school.teachers]
    assert stages == [one.way.stage for one in own]
    assert remind(school) == 2
    expert = school.teachers[0]
    with pytest.raises(enrolments.Selection):  # the others' tiers ask for more
        enrolments.choose(
            session, actor=school.teachers[1], enrolment=school.enrolment(school.teachers[1]), abilities=["A1"]
        )
    enrolments.choose(session, actor=expert, enrolment=school.enrolment(expert), abilities=["A1"])
    standing = path.standing_of(session, person=expert, round_id=school.round.id)
    assert board(school).lines[0].stage is standing.way.stage is Stage.EVIDENCE


def test_what_waits_for_others_is_counted(marked: School, clock: Clock) -> None:
    seen = board(marked)
    assert (seen.stages, seen.judges, seen.blocked) == ({Stage.WAIT: 5}, [], None)
    assert seen.waiting == {"validity": 0, "contested": 0, "unconfirmed": 0, "appeals": 0}
    clock.day(4, 4)
    advance.advance(marked.session, round_=marked.round)
    made = marked.compose()
    assert board(marked).waiting["unconfirmed"] == 5
    results.confirm_all(marked.session, actor=marked.members[0], round_=marked.round)
    for one in made:
        one.state = ResultState.TO_SIGN
    assert board(marked).stages == {Stage.SIGN: 5}
    for one in made:
        one.state = ResultState.SIGNED
    assert board(marked).stages == {Stage.DONE: 5}
    for one in made:
        one.state = ResultState.BANDED


def test_judges_and_what_blocks_the_reviews_are_told(opened: School) -> None:
    for person in opened.teachers:
        opened.ready(person)
        opened.seal(person)
    opened.allocate()
    for person in opened.teachers:
        opened.do_reviews(person)
    for person in opened.teachers:
        opened.submit(person)
    opened.session.scalars(select(Notice).where(Notice.key == "reviews-blocked")).one().note = "没有人可以互评"
    opened.session.flush()
    seen = board(opened)
    works = opened.session.scalar(select(func.count()).select_from(Submission))
    assert [(one.person.number, one.count) for one in seen.judges] == [(f"P{n}", works) for n in (1, 2, 3)]
    assert seen.blocked == "没有人可以互评"


def test_everybody_whose_turn_it_is_is_reminded_once_a_day(opened: School, clock: Clock) -> None:
    opened.ready(opened.teachers[0])
    opened.session.flush()
    assert remind(opened, stage=Stage.READ) == 4
    told = opened.session.scalars(select(Message).where(Message.kind == progress.REMINDER)).all()
    assert {one.text for one in told} == {"“2026春”提醒：请先阅读考核方案。"}
    assert remind(opened) == 1
    for asked in ({}, {"enrolment": opened.enrolment(opened.teachers[1])}):
        with pytest.raises(progress.RemindedToday):
            remind(opened, **asked)
    with pytest.raises(progress.NothingToRemind):
        remind(opened, stage=Stage.SIGN)
    assert board(opened).lines[0].reminded_at == now()
    clock.to(now() + timedelta(days=1))
    assert remind(opened, enrolment=opened.enrolment(opened.teachers[1])) == 1


def test_it_is_the_administrator_s(opened: School) -> None:
    for deed in (progress.board, progress.remind):
        with pytest.raises(NotAllowed):
            deed(opened.session, actor=opened.teachers[0], round_=opened.round)


def test_questions_do_not_grow_with_the_school(opened: School) -> None:
    def asked() -> int:
        opened.session.expire_all()
        with queries(opened.session) as sent:
            board(opened)
        return len(sent)

    few = asked()
    for number in range(2):
        more = opened.person(f"T1{number}", "新教师")
        rounds.enrol(opened.session, actor=opened.admin, round_=opened.round, person=more)
    for person in opened.teachers:
        opened.ready(person)
    opened.session.flush()
    assert asked() == few
    assert board(opened).found == 7


def test_many_are_told_as_one_is(opened: School) -> None:
    session, kind = opened.session, WorkKind.DELIVER_MESSAGES
    one, two, three, four = (person.id for person in opened.teachers[:4])
    work.enqueue(session, kind=kind, subject_id=one, due_at=now() + timedelta(hours=1))
    work.enqueue(session, kind=kind, subject_id=two)
    work.enqueue(session, kind=kind, subject_id=three)
    rows = {row.subject_id: row for row in session.scalars(select(DueWork).where(DueWork.kind == kind))}
    rows[two].lease_token, rows[two].lease_until = "held", now()
    rows[three].parked_at, rows[three].parked_reason, rows[three].attempts = now(), "坏了", 5
    tell_many(session, people=[one, two, three, four], round_id=None, kind="x", sentence="通知")
    session.expire_all()
    found = {row.subject_id: row for row in session.scalars(select(DueWork).where(DueWork.kind == kind))}
    assert (found[one].due_at, found[two].again_at, found[four].due_at) == (now(), now(), now())
    assert (found[three].parked_at, found[three].parked_reason, found[three].attempts) == (None, None, 0)
    assert len(found) == 4
    assert session.scalar(select(func.count()).where(Message.text == "通知")) == 4
