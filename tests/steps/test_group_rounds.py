"""A round that judges workshops to its end: confirmed, published, signed, appealed, closed, exported, replayed (000-C/D/E)."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from sqlalchemy import select

from models import Appeal, GroupResult, Message, Person, Workshop
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.lifecycle import ResultState, RoundPhase
from review_flow.rules.words import AppealState, GroupFactKind
from review_flow.steps import (
    advance,
    appeals,
    county,
    errands,
    exports,
    group_results,
    owners,
    people,
    progress,
    results,
    retention,
    standing,
)
from review_flow.steps.appeals import NoAppeal, NotAHearer
from review_flow.steps.exports_archive import packed
from review_flow.steps.results import CannotConfirm, NotToPublish, NotToSign, NotYourResult
from tests.cast import Clock, School
from tests.due import do_errands
from tests.stages import stage
from tests.steps.test_county import above
from tests.steps.test_groups import Shop

COUNT = GroupFactKind.COUNT


@stage
def composed(session, clock: Clock) -> School:
    """All is done but the third bulletin, and the workshop's result is composed."""
    shop = Shop(session)
    shop.school.open()
    shop.all_done()
    shop.tell(COUNT, "bulletin", number="2")
    clock.day(4, 4)
    advance.advance(session, round_=shop.round)
    group_results.compose_group(session, actor=shop.school.admin, group=shop.group)
    return shop.school


def result(school: School) -> GroupResult:
    return school.session.scalars(select(GroupResult).where(GroupResult.current)).one()


def publish(school: School) -> GroupResult:
    results.confirm(school.session, actor=school.members[0], result=result(school))
    results.publish(school.session, actor=school.admin, round_=school.round)
    return result(school)


def to_sign(school: School, clock: Clock) -> GroupResult:
    publish(school)
    clock.day(4, 20)
    advance.advance(school.session, round_=school.round)
    return result(school)


def told(school: School, person: Person) -> list[str]:
    asked = select(Message.kind).where(Message.person_id == person.id).order_by(Message.id)
    return list(school.session.scalars(asked))


def test_confirmed_and_published_under_the_workshops_name(composed: School) -> None:
    session, (leader, member) = composed.session, composed.teachers[:2]
    assert standing.agenda(session, person=composed.members[0], round_=composed.round).workshops == [result(composed)]
    with pytest.raises(NotToPublish, match="1个工作坊中有1个尚未定等"):
        results.publish(session, actor=composed.admin, round_=composed.round)
    with pytest.raises(NotAllowed):
        results.confirm(session, actor=leader, result=result(composed))
    composed.members[1].workshop_id = result(composed).workshop_id
    with pytest.raises(NotAllowed, match="应回避"):
        results.confirm(session, actor=composed.members[1], result=result(composed))
    asked = errands.ask_confirm(session, actor=composed.members[1], round_=composed.round)
    do_errands(session)
    assert (asked.answer, result(composed).state) == ({"confirmed": 0, "left": 1}, ResultState.COMPOSED)
    assert results.lower_of(session, result=result(composed)) is None
    assert results.published_list(session, round_=composed.round) == []
    assert publish(composed).state is ResultState.PUBLISHED
    assert owners.name_of(session, result=result(composed)) == "物理坊"
    assert results.published_list(session, round_=composed.round) == [{"name": "物理坊", "grade": "未完成"}]
    assert "result.published" in told(composed, leader)
    assert "result.published" not in told(composed, member)


def test_everything_that_can_be_confirmed_is(composed: School) -> None:
    session, kept = composed.session, result(composed)
    assert results.confirm_all(session, actor=composed.members[0], round_=composed.round) == 1
    assert results.confirm_all(session, actor=composed.members[0], round_=composed.round) == 0
    assert (kept.grade, kept.state) == ("未完成", ResultState.BANDED)
    group = group_results.group_of_result(session, result=kept)
    assert group_results.compose_group(session, actor=composed.admin, group=group).id == kept.id


def test_facts_told_since_must_be_composed_first(composed: School) -> None:
    group = group_results.group_of_result(composed.session, result=result(composed))
    shop_tell(composed, group)
    with pytest.raises(CannotConfirm, match="计分依据有变化"):
        results.confirm(composed.session, actor=composed.members[0], result=result(composed))
    group_results.compose_group(composed.session, actor=composed.admin, group=group)
    assert publish(composed).grade == "完成"


def shop_tell(school: School, group) -> None:
    from decimal import Decimal

    from review_flow.steps import groups

    telling = groups.GroupTelling(COUNT, "bulletin", "3", "坊主登记", number=Decimal(1))
    groups.tell_group(school.session, actor=school.teachers[0], group=group, telling=telling)


def test_a_workshop_without_a_result_holds_the_publication_up(composed: School) -> None:
    other = Workshop(organization_id=composed.organization.id, name="语文坊")
    composed.session.add(other)
    composed.session.flush()
    composed.teachers[4].workshop_id = other.id
    group_results.compose_group(
        composed.session,
        actor=composed.admin,
        group=group_results.group_of_result(composed.session, result=result(composed)),
    )
    results.confirm_all(composed.session, actor=composed.members[0], round_=composed.round)
    with pytest.raises(NotToPublish, match="2个工作坊中有1个尚未定等"):
        results.publish(composed.session, actor=composed.admin, round_=composed.round)
    assert len(owners.judged_workshops(composed.session, round_=composed.round)) == 2


def test_the_leader_signs_and_the_round_closes_and_is_archived(composed: School, clock: Clock, tmp_path) -> None:
    session, (leader, member) = composed.session, composed.teachers[:2]
    with pytest.raises(NotToSign):
        results.sign(session, actor=leader, result=result(composed))
    one = to_sign(composed, clock)
    assert [(w.who, w.why) for w in standing.waits(session, round_=composed.round) if w.person == leader] == [
        (leader.name, "还没有签收结果")
    ]
    with pytest.raises(NotYourResult):
        results.sign(session, actor=member, result=one)
    with pytest.raises(advance.NotToClose):
        advance.close(session, actor=composed.admin, round_=composed.round)
    results.sign(session, actor=leader, result=one, comment="同意")
    clock.day(5, 4)
    advance.advance(session, round_=composed.round)
    assert result(composed).state is ResultState.FINAL
    advance.close(session, actor=composed.admin, round_=composed.round)
    assert composed.round.phase is RoundPhase.CLOSED
    assert verified(composed, tmp_path) == []
    import python_calamine

    book = python_calamine.load_workbook(io.BytesIO(exports.results_workbook(session, round_=composed.round)))
    rows = book.get_sheet_by_name("工作坊考核结果").to_python()
    assert rows == [
        ["工作坊", "结果版本", "拟定等次", "确认等次", "状态", "变更原因"],
        ["物理坊", 1, "未完成", "未完成", "已生效", ""],
    ]
    assert book.get_sheet_by_name("工作坊计分明细").to_python()[1][3] == "000-D-3"


def verified(school: School, folder, *, change=None) -> list[str]:
    made = exports.archive(school.session, round_=school.round)
    if change is not None:
        with zipfile.ZipFile(io.BytesIO(made)) as opened:
            files = {name: opened.read(name) for name in opened.namelist() if name != "manifest.json"}
        rows = json.loads(files["groups/results.json"])
        change(rows)
        files["groups/results.json"] = json.dumps(rows).encode()
        made = packed(files)
    path = folder / "archive.zip"
    path.write_bytes(made)
    return exports.verify(path)


def test_unsigned_it_is_as_valid(composed: School, clock: Clock) -> None:
    to_sign(composed, clock)
    clock.day(4, 27)
    advance.advance(composed.session, round_=composed.round)
    advance.advance(composed.session, round_=composed.round)
    assert result(composed).state in {ResultState.UNSIGNED_EFFECTIVE, ResultState.FINAL}


def test_the_board_and_the_county_count_results_and_appeals_of_workshops(composed: School, clock: Clock) -> None:
    session, officer = composed.session, above(composed)

    def seen() -> tuple[object, ...]:
        waiting = progress.board(session, actor=composed.admin, round_=composed.round).waiting
        [line], _count = county.schools(session, actor=officer)
        return waiting["unconfirmed"], waiting["appeals"], line.confirmed, line.grades, line.appeals

    assert seen() == (1, 0, 0, {}, 0)
    appealed(composed, clock)
    assert seen() == (0, 1, 1, {"未完成": 1}, 1)


def changes(**values):
    return lambda rows: rows[0].update(values)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changes(scheme_digest="0"), "结果工作坊结果1-v1所用的方案不是归档中的方案。"),
        (changes(outcome="{}"), "结果工作坊结果1-v1与签名时的不同。"),
        (changes(proposed_grade="完成"), "结果工作坊结果1-v1的得分或等级与明细不一致。"),
        (changes(record='{"quota": {}}'), "结果工作坊结果1-v1重算后与存档的明细不一致。"),
        (changes(record="["), "工作坊结果表无法读取。"),
    ],
)
def test_an_archive_that_was_changed_is_found_out(composed: School, clock: Clock, tmp_path, change, said) -> None:
    results.sign(composed.session, actor=composed.teachers[0], result=to_sign(composed, clock))
    assert said in verified(composed, tmp_path, change=change)


def appealed(school: School, clock: Clock) -> Appeal:
    return appeals.file(
        school.session, actor=school.teachers[0], result=to_sign(school, clock), reason="第3期简报已交，漏登"
    )


def test_an_upheld_appeal_counts_anew_and_both_versions_stay(composed: School, clock: Clock, tmp_path) -> None:
    session, (first, second, third) = composed.session, composed.hearers
    with pytest.raises(NotAllowed):
        appeals.file(session, actor=composed.teachers[1], result=to_sign(composed, clock), reason="不服")
    filed = appeals.file(session, actor=composed.teachers[0], result=result(composed), reason="漏登一期")
    assert owners.result_of(session, appeal=filed).id == result(composed).id
    assert standing.agenda(session, person=first, round_=composed.round).appeals == [filed]
    with pytest.raises(NoAppeal, match="已申诉过一次"):
        appeals.file(session, actor=composed.teachers[0], result=result(composed), reason="再来")
    people.declare_conflict(session, actor=composed.admin, one=third, other=composed.teachers[0], reason="夫妻")
    with pytest.raises(NotAHearer, match="应回避"):
        appeals.vote(session, actor=third, appeal=filed, uphold=False, reason="维持")
    for marks, why in (({}, "至少一项"), ({"x": "3"}, "应为以下之一"), ({"bulletin": "-1"}, "不小于0的整数")):
        with pytest.raises(BadInput, match=why):
            appeals.vote(session, actor=first, appeal=filed, uphold=True, reason="属实", marks=marks)
    appeals.vote(session, actor=first, appeal=filed, uphold=True, reason="属实", marks={"bulletin": "4"})
    appeals.vote(session, actor=second, appeal=filed, uphold=True, reason="属实", marks={"bulletin": "3"})
    old, new = session.scalars(select(GroupResult).order_by(GroupResult.id))
    assert (old.state, new.state, new.grade, new.version) == (ResultState.SUPERSEDED, ResultState.FINAL, "完成", 2)
    assert new.supersedes_reason == "申诉成立：属实；属实"
    assert json.loads(new.record)["quota"]["bulletin"] == 3
    assert filed.state is AppealState.UPHELD
    assert "appeal.decided" in told(composed, composed.teachers[0])
    assert verified(composed, tmp_path) == []


def test_a_dismissed_appeal_leaves_the_result_and_counts_for_retention(composed: School, clock: Clock) -> None:
    filed = appealed(composed, clock)
    clock.day(5, 20)
    advance.advance(composed.session, round_=composed.round)
    assert "appeal.late" in told(composed, composed.admin)
    assert retention.ends_at(composed.session, round_=composed.round, days=1) is None
    for hearer in composed.hearers[:2]:
        appeals.vote(composed.session, actor=hearer, appeal=filed, uphold=False, reason="没有第3期")
    assert (result(composed).state, result(composed).grade) == (ResultState.FINAL, "未完成")
    advance.close(composed.session, actor=composed.admin, round_=composed.round)
    ends = retention.ends_at(composed.session, round_=composed.round, days=1)
    assert ends is not None
    assert filed.decided_at is not None
    assert ends > filed.decided_at


def test_who_composed_or_confirmed_does_not_hear(composed: School, clock: Clock) -> None:
    filed = appealed(composed, clock)
    result(composed).confirmed_by_id = composed.hearers[0].id
    with pytest.raises(NotAHearer, match="参加过首次评分"):
        appeals.vote(composed.session, actor=composed.hearers[0], appeal=filed, uphold=False, reason="维持")
