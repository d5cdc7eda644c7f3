from __future__ import annotations

import pytest

from models import Appeal, GroupResult, Workshop
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.words import AppealState, GroupLevel
from review_flow.steps import group_results, hearers
from review_flow.steps.owners import Group
from review_flow.web import workshops
from tests.cast import Clock, School, queries
from tests.stages import STAGES, stage
from tests.steps import test_group_rounds
from tests.steps.test_group_rounds import publish, result, to_sign
from tests.web.conftest import Web

HTMX = {"hx-request": "true"}


@stage
def composed(session, clock: Clock) -> School:
    """A workshop's result waits for its grade."""
    return STAGES[test_group_rounds.__name__, "composed"].build(session, clock)


def test_the_panel_confirms_a_workshops_grade(web: Web, composed: School) -> None:
    made, base = result(composed), f"/panel/rounds/{composed.round.id}/grades"
    address = f"/panel/workshops/{made.id}"
    composed.members[1].workshop_id = made.workshop_id
    with web.of("P1") as member, web.of("P2") as insider, web.of("T01") as leader:
        assert "定等（1份待定）" in member.get("/panel").text
        listed = member.get(base).text
        assert (address in listed, "物理坊" in listed) == (True, True)
        assert "1份由其他成员定等" in insider.get(base).text
        assert [one.get(address).status_code for one in (insider, leader)] == [404, 404]
        page = member.get(address).text
        assert ("未完成" in page, "工作坊简报" in page) == (True, True)
        assert [one.post(f"{address}/confirm").status_code for one in (insider, leader)] == [404, 404]
        assert member.post(f"{address}/confirm").headers["location"] == base
        assert member.post(f"{address}/confirm", headers=HTMX).status_code == 409
    composed.session.refresh(made)
    assert (made.state, made.grade) == (ResultState.BANDED, "未完成")


def test_the_grades_of_many_workshops_come_in_pages(
    web: Web, composed: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, base = result(composed), f"/panel/rounds/{composed.round.id}/grades"
    with web.of("P1") as member, queries(web.session) as few:
        assert "下一页" not in member.get(base).text
    for name, person in zip(("语文坊", "数学坊"), composed.hearers, strict=False):
        shop = Workshop(organization_id=composed.organization.id, name=name)
        composed.session.add(shop)
        composed.session.flush()
        person.workshop_id = shop.id
        group = Group(composed.round, GroupLevel.WORKSHOP, workshop=shop)
        group_results.compose_group(composed.session, actor=composed.admin, group=group)
    monkeypatch.setattr(workshops, "PAGE", 2)
    composed.members[1].workshop_id = first.workshop_id
    with web.of("P1") as member, web.of("P2") as insider:
        assert "定等（3份待定）" in member.get("/panel").text
        with queries(web.session) as more:
            page, rest = member.get(base).text, member.get(f"{base}?page=2").text
        assert len(more) == 2 * len(few)
        shown = [[name in text for name in ("物理坊", "语文坊", "数学坊")] for text in (page, rest)]
        assert shown == [[True, True, False], [False, False, True]]
        assert ("3份待定" in page, "第2页，共2页" in rest) == (True, True)
        seen = insider.get(base).text
        assert ("物理坊" in seen, "1份由其他成员定等" in seen, "共2页" in seen) == (False, True, False)
        assert member.post(f"/panel/workshops/{first.id}/confirm").status_code == 303
        assert "物理坊" in member.get(f"{base}?page=2").text  # those to confirm come first


def test_the_leader_reads_and_signs(web: Web, composed: School, clock: Clock) -> None:
    address = f"/rounds/{composed.round.id}/workshop"
    with web.of("T01") as leader:  # not before it is published
        assert (address in leader.get("/").text, leader.get(address).status_code) == (False, 404)
        assert leader.post(f"{address}/sign", data={"comment": "同意"}).status_code == 404
        assert leader.get(f"/rounds/{composed.round.id}/result").status_code == 404
    made = to_sign(composed, clock)
    with web.of("T01") as leader, web.of("T02") as member:
        assert leader.get(f"/rounds/{composed.round.id}/result").headers["location"] == address  # as messages lead
        assert address in leader.get("/").text
        assert address not in member.get("/").text
        assert member.get(address).status_code == 404
        assert "逐行说明分数怎么来的" in leader.get(address).text
        assert member.post(f"{address}/sign").status_code == 404
        assert leader.post(f"{address}/sign", data={"comment": "同意"}).headers["location"] == address
    composed.session.refresh(made)
    assert made.state is ResultState.SIGNED


def test_the_leader_appeals_and_the_hearers_count_again(web: Web, composed: School) -> None:
    made = publish(composed)
    address = f"/rounds/{composed.round.id}/workshop"
    with web.of("T01") as leader, web.of("T02") as member:
        assert member.post(f"{address}/appeal", data={"reason": "x"}).status_code == 404
        assert leader.post(f"{address}/appeal", data={"reason": " "}, headers=HTMX).status_code == 422
        assert leader.post(f"{address}/appeal", data={"reason": "第三期没有计入"}).headers["location"] == address
        assert "第三期没有计入" in leader.get(address).text
    appeal = composed.session.query(Appeal).one()
    (waiting,) = hearers.undecided(composed.session, round_=composed.round)
    assert (waiting.name, waiting.free, waiting.missing) == ("物理坊", tuple(one.id for one in composed.hearers), 0)
    hearing = f"/panel/appeals/{appeal.id}"
    upheld = {"uphold": "true", "reason": "确有三期"}
    with web.of("P6") as one, web.of("P7") as two, web.of("P1") as confirmed:
        assert confirmed.get(hearing).status_code == 404
        assert hearing in one.get("/panel").text
        assert "工作坊简报的复核数（原为2）" in one.get(hearing).text
        assert one.post(hearing, data=upheld, headers=HTMX).status_code == 422
        for hearer in (one, two):
            assert hearer.post(hearing, data={**upheld, "mark:bulletin": "3"}).headers["location"] == "/panel?done=1"
    with web.of("T01") as leader:
        told = leader.get(address).text
        assert [word in told for word in ("改判", "确有三期", "<dd>未完成</dd>", "<dd>完成</dd>")] == [True] * 4
    composed.session.expire_all()
    assert appeal.state is AppealState.UPHELD
    assert [(one.grade, one.current) for one in composed.session.query(GroupResult).order_by(GroupResult.id)] == [
        ("未完成", False), ("完成", True),
    ]  # fmt: skip
    assert made.current is False
