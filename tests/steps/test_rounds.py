from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm.attributes import set_committed_value

from models import DueWork, Enrolment, Message, PanelSeat, Person, Round
from review_flow import schemes as scheme_files
from review_flow.clock import now, shown
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SchemeState
from review_flow.rules.words import SeatKind, WorkKind
from review_flow.steps import advance, people, rounds, schemes
from review_flow.steps.rounds import NotReady, OnlyLater, UnpublishedScheme, WrongPhase
from tests.cast import ABILITIES, Clock, School

NO_ADMIN = "您没有权限做这件事：这需要校级管理员的角色。"


def create(school: School, **names: Any) -> Round:
    given = {
        "actor": school.admin,
        "version": school.version,
        "name": "2026秋",
        "abilities": ABILITIES,
        "opens_on": date(2026, 9, 1),
        "submit_due_on": date(2026, 9, 20),
        "hard_close_on": date(2026, 9, 30),
    }
    return rounds.create(school.session, **{**given, **names})


def due(school: School, kind: WorkKind) -> list[DueWork]:
    return list(
        school.session.scalars(select(DueWork).where(DueWork.kind == kind, DueWork.subject_id == school.round.id))
    )


def test_a_rounds_days_count_to_their_last_second_in_the_schools_zone(school: School) -> None:
    round_ = create(school)
    assert (round_.phase, round_.scheme_digest, round_.abilities) == (RoundPhase.SETUP, None, list(ABILITIES))
    assert round_.opens_at == datetime(2026, 8, 31, 16, tzinfo=UTC)
    assert round_.submit_due_at == datetime(2026, 9, 20, 15, 59, 59, tzinfo=UTC)
    assert round_.hard_close_at == datetime(2026, 9, 30, 15, 59, 59, tzinfo=UTC)


def test_a_round_may_open_be_due_and_close_on_one_day(school: School) -> None:
    day = date(2026, 9, 1)
    round_ = create(school, opens_on=day, submit_due_on=day, hard_close_on=day)
    assert round_.hard_close_at - round_.opens_at == timedelta(hours=23, minutes=59, seconds=59)


@pytest.mark.parametrize(
    "wrong", [{"submit_due_on": date(2026, 8, 31)}, {"hard_close_on": date(2026, 9, 19)}], ids=["due", "close"]
)
def test_the_days_of_a_round_follow_each_other(school: School, wrong: dict[str, date]) -> None:
    with pytest.raises(BadInput) as no:
        create(school, **wrong)
    assert (no.value.status, str(no.value)) == (422, "日程：开放日不能晚于提交截止日，截止日不能晚于最终截止日。")


def test_a_name_is_taken_once_in_a_school(school: School) -> None:
    with pytest.raises(BadInput) as no:
        create(school, name="2026春")
    assert str(no.value) == "轮次名称：已有名为“2026春”的考核轮次。"


def test_only_a_published_scheme_can_be_run(school: School) -> None:
    draft = schemes.adopt(
        school.session,
        actor=school.admin,
        organization_id=school.organization.id,
        scheme=school.scheme,
        effective_from=date(2026, 3, 1),
    )
    assert draft.state is SchemeState.DRAFT
    with pytest.raises(UnpublishedScheme) as no:
        create(school, version=draft)
    assert (no.value.status, str(no.value)) == (409, "方案第2版尚未发布，不能用于考核轮次。")


def test_only_the_schools_administrator_sets_up_a_round(school: School) -> None:
    _other, stranger = people.found_school(school.session, name="第二中学", admin_number="A01", admin_name="吴静")
    teacher, round_ = school.teachers[0], school.round
    deeds = [
        lambda actor: create(school, actor=actor),
        lambda actor: rounds.seat(school.session, actor=actor, round_=round_, person=teacher, kind=SeatKind.MEMBER),
        lambda actor: rounds.enrol(school.session, actor=actor, round_=round_, person=school.members[0]),
        lambda actor: rounds.open_round(school.session, actor=actor, round_=round_),
    ]
    for deed in deeds:
        for actor in (stranger, teacher, school.members[0]):
            with pytest.raises(NotAllowed) as no:
                deed(actor)
            assert str(no.value) == NO_ADMIN
    assert round_.phase is RoundPhase.SETUP


def test_a_round_is_found_by_its_name_in_its_own_school(school: School) -> None:
    other, _admin = people.found_school(school.session, name="第二中学", admin_number="A01", admin_name="吴静")
    assert rounds.round_by_name(school.session, organization_id=school.organization.id, name="2026春") is school.round
    with pytest.raises(NotFound) as no:
        rounds.round_by_name(school.session, organization_id=other.id, name="2026春")
    assert str(no.value) == "找不到考核轮次“2026春”。"


def test_a_seat_and_an_enrolment_are_given_once(school: School) -> None:
    session, member, teacher = school.session, school.members[0], school.teachers[0]
    seats = len(list(session.scalars(select(PanelSeat))))
    again = rounds.seat(session, actor=school.admin, round_=school.round, person=member, kind=SeatKind.MEMBER)
    assert again.person_id == member.id
    assert rounds.enrol(session, actor=school.admin, round_=school.round, person=teacher) is school.enrolment(teacher)
    assert len(list(session.scalars(select(PanelSeat)))) == seats
    assert len(list(session.scalars(select(Enrolment)))) == len(school.teachers)


def test_nobody_of_another_school_is_enrolled(school: School) -> None:
    _other, stranger = people.found_school(school.session, name="第二中学", admin_number="T99", admin_name="吴静")
    with pytest.raises(BadInput) as no:
        rounds.enrol(school.session, actor=school.admin, round_=school.round, person=stranger)
    assert str(no.value) == "参评教师：吴静不是本校教师。"


def test_an_opened_round_freezes_its_scheme_and_its_clock_starts(school: School) -> None:
    school.open()
    assert (school.round.phase, school.round.scheme_digest) == (RoundPhase.OPEN, school.scheme.digest)
    assert [item.due_at for item in due(school, WorkKind.OPEN_ROUND)] == [now()]
    assert [item.due_at for item in due(school, WorkKind.ADVANCE_ROUND)] == [now()]
    with pytest.raises(WrongPhase) as no:
        school.open()
    assert (no.value.status, str(no.value)) == (409, "本轮考核正处于“提交与互评”阶段，不能这样做。")


def test_a_round_opened_early_starts_its_clock_on_its_day(school: School, clock: Clock) -> None:
    clock.day(2, 20)
    school.open()
    assert [item.due_at for item in due(school, WorkKind.ADVANCE_ROUND)] == [school.round.opens_at]


def test_everything_that_stands_in_the_way_is_said_at_once(school: School) -> None:
    session = school.session
    bare = create(school, abilities=("A5", "A6", "Z9"))
    with pytest.raises(NotReady) as no:
        rounds.open_round(session, actor=school.admin, round_=bare)
    assert (no.value.status, str(no.value)) == (
        409,
        "还不能开放本轮考核：微能力目录里没有“Z9”；"
        "还差2个维度（应覆盖3个，现有学法指导），可从学情分析、教学设计、学业评价中选；"
        "考核组成员至少3人，现有0人；仲裁人至少1人，现有0人；申诉复核人至少2人，现有0人；还没有参评教师，请先导入名单",
    )
    session.execute(delete(PanelSeat).where(PanelSeat.person_id == school.members[0].id))
    assert rounds.obstacles(session, round_=school.round) == ["考核组成员至少3人，现有2人"]


def test_exempt_teachers_alone_make_no_round(school: School) -> None:
    for person in school.teachers:
        enrolment = school.enrolment(person)
        enrolment.state, enrolment.exempt_reason = EnrolmentState.EXEMPT, "病休"
    school.session.flush()
    assert rounds.obstacles(school.session, round_=school.round) == ["还没有参评教师，请先导入名单"]


def test_a_scheme_without_arbiter_and_appeal_asks_for_no_such_seats(school: School, clock: Clock) -> None:
    import copy

    from review_flow.rules.scheme import Scheme

    document = copy.deepcopy(dict(scheme_files.load("xian-2022-appraisal").document))
    document["id"] = "plain"
    document["review"]["panel"]["on_spread"] = "none"
    document["result"]["appeal"]["allowed"] = False
    version = school.publish(Scheme.from_document(document))
    found = rounds.obstacles(school.session, round_=create(school, version=version))
    assert found == ["考核组成员至少3人，现有0人", "还没有参评教师，请先导入名单"]


def test_who_comes_later_is_told_as_well(school: School) -> None:
    session = school.open().session
    advance.invite(session, round_=school.round)
    for item in due(school, WorkKind.OPEN_ROUND):
        item.done_at = now()
    late = school.person("T99", "新来")
    rounds.enrol(session, actor=school.admin, round_=school.round, person=late)
    assert [item.done_at for item in due(school, WorkKind.OPEN_ROUND)] == [now(), None]
    advance.invite(session, round_=school.round)
    told = list(session.scalars(select(Message.person_id).where(Message.kind == "round.opened").order_by(Message.id)))
    assert told == [*(person.id for person in school.teachers), late.id]


def test_seats_may_be_added_until_the_round_is_closed_and_teachers_until_the_hand_in_is(school: School) -> None:
    session = school.session
    newcomer: Person = school.person("P9", "补位")
    for phase in RoundPhase:
        school.round.phase = phase
        school.round.scheme_digest = school.scheme.digest
        if phase in {RoundPhase.SETUP, RoundPhase.OPEN}:
            rounds.enrol(session, actor=school.admin, round_=school.round, person=newcomer)
        else:
            with pytest.raises(WrongPhase) as no:
                rounds.enrol(session, actor=school.admin, round_=school.round, person=school.arbiter)
            assert str(no.value) == f"本轮考核正处于“{phase.label}”阶段，不能这样做。"
        if phase is RoundPhase.CLOSED:
            with pytest.raises(WrongPhase) as no:
                rounds.seat(session, actor=school.admin, round_=school.round, person=newcomer, kind=SeatKind.APPEAL)
            assert str(no.value) == "本轮考核正处于“已归档”阶段，不能这样做。"
        else:
            rounds.seat(session, actor=school.admin, round_=school.round, person=newcomer, kind=SeatKind.MEMBER)


def test_a_round_whose_days_are_over_does_not_open(school: School, clock) -> None:
    clock.day(3, 20, hour=23, minute=59)
    assert rounds.obstacles(school.session, round_=school.round) == []
    clock.day(3, 21, hour=0)
    assert rounds.obstacles(school.session, round_=school.round) == ["提交截止时间已过，请先改定日程"]


def seats_of(school: School, kind: SeatKind) -> list[PanelSeat]:
    return list(school.session.scalars(select(PanelSeat).where(PanelSeat.kind == kind).order_by(PanelSeat.id)))


def days(round_: Round) -> list[str]:
    return [shown(one) for one in (round_.opens_at, round_.submit_due_at, round_.hard_close_at)]


def test_a_round_that_is_not_open_is_set_up_anew(school: School) -> None:
    def change(**other: Any) -> None:
        given = {
            "abilities": ["A1", "B2"],
            "opens_on": date(2026, 3, 9),
            "submit_due_on": date(2026, 3, 27),
            "hard_close_on": date(2026, 4, 10),
        }
        rounds.set_up(school.session, actor=school.admin, round_=school.round, **{**given, **other})

    change()
    assert school.round.abilities == ["A1", "B2"]
    assert days(school.round) == ["2026-03-09 00:00:00", "2026-03-27 23:59:59", "2026-04-10 23:59:59"]
    with pytest.raises(BadInput):
        change(submit_due_on=date(2026, 3, 1))
    change(abilities=school.round.abilities, opens_on=date(2026, 3, 2))
    school.round.abilities = list(ABILITIES)
    school.open()
    with pytest.raises(WrongPhase):
        change()


def test_a_place_is_taken_away_before_the_round_opens(school: School) -> None:
    first, *_others = seats_of(school, SeatKind.MEMBER)
    rounds.unseat(school.session, actor=school.admin, place=first)
    assert [one.person_id for one in seats_of(school, SeatKind.MEMBER)] == [one.id for one in school.members[1:]]
    rounds.seat(school.session, actor=school.admin, round_=school.round, person=school.members[0], kind=first.kind)
    school.open()
    with pytest.raises(WrongPhase):
        rounds.unseat(school.session, actor=school.admin, place=seats_of(school, SeatKind.MEMBER)[0])


def test_a_place_stays_where_the_round_was_opened_meanwhile(opened: School) -> None:
    place = seats_of(opened, SeatKind.MEMBER)[0]
    set_committed_value(opened.round, "phase", RoundPhase.SETUP)  # as it was read before somebody else opened it
    with pytest.raises(WrongPhase):
        rounds.unseat(opened.session, actor=opened.admin, place=place)


def test_everybody_who_teaches_is_enrolled_at_once(school: School) -> None:
    enrolled = select(func.count()).select_from(Enrolment)
    assert rounds.enrol_all(school.session, actor=school.admin, round_=school.round) == 8  # the panel teaches as well
    assert school.session.scalar(enrolled) == 13
    assert due(school, WorkKind.OPEN_ROUND) == []
    school.open()
    assert rounds.enrol_all(school.session, actor=school.admin, round_=school.round) == 0
    school.person("T99", "新人")
    assert rounds.enrol_all(school.session, actor=school.admin, round_=school.round) == 1
    assert len(due(school, WorkKind.OPEN_ROUND)) == 1


def test_an_open_round_is_put_off_and_everybody_reads_why(opened: School) -> None:
    def put_off(due_on: date, close_on: date, reason: str = "期中考试") -> None:
        rounds.put_off(
            opened.session,
            actor=opened.admin,
            round_=opened.round,
            submit_due_on=due_on,
            hard_close_on=close_on,
            reason=reason,
        )

    for early in (
        (date(2026, 3, 19), date(2026, 4, 3)),
        (date(2026, 3, 20), date(2026, 4, 2)),
        (date(2026, 3, 20), date(2026, 4, 3)),
    ):
        with pytest.raises(OnlyLater) as no:
            put_off(*early)
    assert str(no.value) == (
        "本轮考核已开放，截止时间只能延后，不能早于原定的2026-03-20 23:59:59和最终截止的2026-04-03 23:59:59。"
    )
    with pytest.raises(BadInput):
        put_off(date(2026, 4, 10), date(2026, 4, 9))
    with pytest.raises(BadInput):
        put_off(date(2026, 3, 27), date(2026, 4, 10), reason=" ")
    before = opened.session.scalar(select(func.count()).select_from(Message))
    put_off(date(2026, 3, 27), date(2026, 4, 10))
    assert days(opened.round)[1:] == ["2026-03-27 23:59:59", "2026-04-10 23:59:59"]
    told = opened.session.scalars(select(Message).order_by(Message.id)).all()[before:]
    assert [one.person_id for one in told] == [one.id for one in opened.teachers]
    assert told[0].text == ("“2026春”延期：2026-03-27 23:59:59前提交，最终截止2026-04-10 23:59:59。理由：期中考试")


def test_a_round_wants_a_name(school: School) -> None:
    with pytest.raises(BadInput) as no:
        create(school, name=" ")
    assert str(no.value) == "轮次名称：请写明名称。"
