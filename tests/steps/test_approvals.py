"""学校审核 → 互学互评 → 专家认证 (001-C-07): each after the one before, a refusal goes back, and nobody waits for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from models import Assignment, Message, Submission
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import FactKind, JobState, SheetKind
from review_flow.steps import advance, approvals, claims, enrolments, programme, standing, submissions
from review_flow.steps.claims import NothingToReview
from review_flow.steps.duty import duty
from review_flow.steps.facts import record_of
from review_flow.steps.programme import NotTold, Telling
from tests.cast import Clock, School, tasks, xian
from tests.sheets import bring
from tests.stages import stage

CHAIN = {"chain": ["学校审核", "互学互评", "专家认证"], "peers": "互学互评", "days": 3, "overdue": "given"}
SCHOOL, PEERS, EXPERT = CHAIN["chain"]


def chained(**other) -> Scheme:
    """001-A with the chain of 001-C."""
    document = xian().document
    sources = {**document["sources"], "approval": "001-C-07"}
    return Scheme.from_document({**document, "approval": {**CHAIN, **other}, "sources": sources})


@stage
def sealed(session, _clock: Clock) -> School:
    return _sealed(session, chained())


@stage
def strict(session, _clock: Clock) -> School:
    """A school whose scheme does not take silence for a yes."""
    return _sealed(session, chained(overdue="missing"))


def _sealed(session, scheme: Scheme) -> School:
    school = School(session, teachers=3, scheme=scheme).open()
    for person in school.teachers:
        school.ready(person)
        school.seal(person)
    return school


def work(school: School, ability: str = "A1", number: int = 0) -> Submission:
    enrolment = school.enrolment(school.teachers[number])
    return next(one for one in enrolments.submissions_of(school.session, enrolment=enrolment) if one.ability == ability)


def say_of(school: School, link: str, word: str = "given", *, ability: str = "A1", number: int = 0, **details) -> str:
    telling = Telling(FactKind.APPROVAL, f"{ability}:{link}", "随意", "校长室", word=word, details=details)
    return programme.tell_fact(
        school.session, actor=school.admin, enrolment=school.enrolment(school.teachers[number]), telling=telling
    )


def approved(school: School) -> None:
    for number in range(3):
        for ability in ("A1", "A3", "A5"):
            say_of(school, SCHOOL, ability=ability, number=number)


def known(school: School, number: int = 0) -> dict:
    made = record_of(school.session, enrolment=school.enrolment(school.teachers[number]))
    return {one["code"]: one["approvals"] for one in made["abilities"]}


def test_nobody_reviews_before_the_school_approved(sealed: School) -> None:
    li = sealed.teachers[1]
    assert (sealed.allocate().pairs, tasks(sealed.session, sealed.round)) == ((), [])
    with pytest.raises(NothingToReview):
        claims.claim(sealed.session, actor=li, round_=sealed.round)
    assert duty(sealed.session, submission=work(sealed, number=1))[0].total == 0
    (wait,) = (one for one in standing.waits(sealed.session, round_=sealed.round) if "学校审核" in one.why)
    assert (wait.why, wait.until) == ("9份成果没有学校审核，还不能互评", approvals.ends_at(sealed.scheme, work(sealed)))
    assert say_of(sealed, SCHOOL) == "added"
    assert {work_id for _who, work_id in sealed.allocate().pairs} == {work(sealed).id}


def test_a_later_link_waits_for_the_earlier_ones(sealed: School) -> None:
    with pytest.raises(NotTold, match="须先完成前一步“学校审核”"):
        say_of(sealed, EXPERT)
    say_of(sealed, SCHOOL)
    with pytest.raises(NotTold, match="须先完成前一步“互学互评”"):
        say_of(sealed, EXPERT)
    with pytest.raises(NotTold, match="互评结束后才能登记"):
        say_of(sealed, PEERS)
    assert known(sealed)["A1"] == {SCHOOL: True}


def test_what_is_not_sealed_is_not_approved(session, clock: Clock) -> None:
    school = School(session, teachers=1, scheme=chained()).open()
    with pytest.raises(NotTold, match="“A1”还没有封存提交"):
        say_of(school, SCHOOL)
    school.ready(school.teachers[0])
    with pytest.raises(NotTold, match="“A1”还没有封存提交"):
        say_of(school, SCHOOL)


def test_a_refusal_goes_back_with_its_reason_and_the_corrected_work_is_looked_at_anew(
    sealed: School, clock: Clock
) -> None:
    fang = sealed.teachers[0]
    with pytest.raises(NotTold, match="不通过须写明理由"):
        say_of(sealed, SCHOOL, "refused", reason=" ")
    assert say_of(sealed, SCHOOL, "refused", reason="教案缺反思") == "added"
    assert work(sealed).state is SubmissionState.CORRECTING
    told = sealed.session.scalars(
        select(Message).where(Message.person_id == fang.id).order_by(Message.id.desc())
    ).first()
    assert told is not None
    assert "学校审核未通过：教案缺反思" in told.text
    assert known(sealed)["A1"] == {SCHOOL: False}
    clock.to(now() + timedelta(hours=1))
    submissions.seal(sealed.session, actor=fang, submission=work(sealed), own_work=True)
    assert (work(sealed).state, known(sealed)["A1"]) == (SubmissionState.SEALED, {})
    assert say_of(sealed, SCHOOL) == "superseded"
    assert {work_id for _who, work_id in sealed.allocate().pairs} == {work(sealed).id}


def test_certification_follows_the_reviews_and_may_refuse(sealed: School) -> None:
    approved(sealed)
    sealed.allocate()
    for person in sealed.teachers:
        sealed.do_reviews(person)
    for person in sealed.teachers:
        sealed.submit(person)
    first = work(sealed)
    first.state = SubmissionState.IN_PANEL
    assert known(sealed)["A1"] == {SCHOOL: True, PEERS: True}
    with pytest.raises(NotTold, match="互评已经结束，不能再退回"):
        say_of(sealed, SCHOOL, "refused", reason="太晚")
    assert say_of(sealed, EXPERT, "refused", reason="缺少数据") == "added"
    assert work(sealed).state is SubmissionState.IN_PANEL
    told = sealed.session.scalars(
        select(Message).where(Message.person_id == sealed.teachers[0].id).order_by(Message.id.desc())
    ).first()
    assert told is not None
    assert told.text == "您的“A1”未通过专家认证：缺少数据。提交期内可改选其他微能力。"
    assert say_of(sealed, EXPERT) == "superseded"
    assert say_of(sealed, EXPERT) == "unchanged"
    assert known(sealed)["A1"] == {SCHOOL: True, PEERS: True, EXPERT: True}
    assert say_of(sealed, PEERS, "refused", reason="互评走过场") == "added"
    with pytest.raises(NotTold, match="前一步“互学互评”没有通过"):
        say_of(sealed, EXPERT, "refused", reason="x")


def test_after_the_schools_days_colleagues_review_all_the_same(sealed: School, clock: Clock) -> None:
    ends = approvals.ends_at(sealed.scheme, work(sealed))
    assert ends is not None
    clock.to(ends)
    advance.advance(sealed.session, round_=sealed.round)
    assert sealed.allocate().pairs == ()
    clock.to(ends + timedelta(seconds=1))
    advance.advance(sealed.session, round_=sealed.round)
    advance.advance(sealed.session, round_=sealed.round)
    late = sealed.session.scalars(select(Message).where(Message.kind == "approval.late")).all()
    assert len(late) == 9
    assert sealed.allocate().pairs != ()
    assert known(sealed)["A1"] == {SCHOOL: "overdue"}
    record = record_of(sealed.session, enrolment=sealed.enrolment(sealed.teachers[0]))
    texts = [one.text for one in grade(sealed.scheme, record).ledger]
    assert any(one.endswith("学校审核逾期未作，按方案视为通过") for one in texts)
    assert say_of(sealed, SCHOOL) == "added"
    assert known(sealed)["A1"] == {SCHOOL: True}


def test_where_silence_is_no_yes_colleagues_review_and_the_school_still_has_to_speak(
    strict: School, clock: Clock
) -> None:
    say_of(strict, SCHOOL, ability="A3")
    clock.to(now() + timedelta(days=5))
    advance.advance(strict.session, round_=strict.round)
    assert len(strict.session.scalars(select(Message).where(Message.kind == "approval.late")).all()) == 8
    assert strict.allocate().pairs != ()
    assert known(strict) == {"A1": {}, "A3": {SCHOOL: True}, "A5": {}}


def test_a_sheet_keeps_to_the_order_too(sealed: School) -> None:
    header = ["工号", "类别", "项目", "结果", "理由", "来源", "编号"]
    rows = [
        ["T01", "审核", "A1:学校审核", "通过", "", "校长室", "1"],
        ["T01", "审核", "A3:专家认证", "通过", "", "专家组", "2"],
        ["T01", "审核", "A5:学校审核", "不通过", "缺教案", "校长室", "3"],
    ]
    brought = bring(sealed, SheetKind.PROGRESS, header, *rows)
    assert brought.problems == {"3": ["第3行“项目”须先完成前一步“学校审核”"]}
    assert bring(sealed, SheetKind.PROGRESS, header, rows[0], rows[2]).state is JobState.DONE
    assert known(sealed) == {"A1": {SCHOOL: True}, "A3": {}, "A5": {SCHOOL: False}}
    assert work(sealed, "A5").state is SubmissionState.CORRECTING


def test_a_scheme_without_a_chain_opens_every_work(session, clock: Clock) -> None:
    school = School(session, teachers=1)
    assert approvals.links_before_peers(school.scheme) == ()
    assert next_of(school, school.admin) == []
    assert approvals.ends_at(school.scheme, Submission(statement_at=now())) is None
    own = scheme_files.load("xx-process-100")
    assert approvals.links_before_peers(own) == (SCHOOL,)
    assert approvals.links_before_peers(replace(own, approval=replace(own.approval, peers=None))) == ()
    assert session.scalars(select(Assignment)).all() == []


def next_of(school: School, person) -> list[tuple[str, str]]:
    found = approvals.next_links(school.session, person=person, round_=school.round, scheme=school.scheme)
    works = [(school.session.get_one(Submission, key), link) for key, link in found]
    return [(one.ability, link) for one, link in works if one.author_id == school.teachers[0].id]


def at_panel(school: School, ability: str) -> None:
    one = work(school, ability)
    one.state, one.valid, one.submitted_at = SubmissionState.IN_PANEL, True, now()
    school.session.flush()


def test_what_people_say_next_is_one_link_of_each_work(sealed: School) -> None:
    admin, member = sealed.admin, sealed.members[0]
    assert next_of(sealed, admin) == [("A1", SCHOOL), ("A3", SCHOOL), ("A5", SCHOOL)]
    assert next_of(sealed, sealed.teachers[0]) == []
    say_of(sealed, SCHOOL)
    say_of(sealed, SCHOOL, "refused", ability="A3", reason="缺反思")
    assert next_of(sealed, admin) == [("A5", SCHOOL)]
    at_panel(sealed, "A1")
    assert next_of(sealed, member) == [("A1", EXPERT), ("A5", SCHOOL)]
    say_of(sealed, EXPERT, "refused", reason="不符")
    assert next_of(sealed, member) == [("A5", SCHOOL)]
    say_of(sealed, SCHOOL, ability="A5")
    at_panel(sealed, "A5")
    say_of(sealed, EXPERT, ability="A5")
    assert next_of(sealed, member) == []
