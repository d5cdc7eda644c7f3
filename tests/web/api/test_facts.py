"""Single facts of a programme by programs: by the workshop's leader, by the panel, read by whom they concern."""

from __future__ import annotations

from typing import Any

from review_flow import schemes as scheme_files
from review_flow.steps import people
from tests.cast import School
from tests.stages import stage
from tests.steps.test_groups import Shop
from tests.steps.test_voices import answer as answered
from tests.steps.test_voices import on_site, survey, weighed
from tests.web.api.conftest import Program
from tests.web.conftest import Web


def shop(session, name: str) -> School:
    """T01 leads the workshop that all but T05 are in."""
    made = Shop(session, scheme_files.load(name))
    made.school.teachers[4].workshop_id = None
    return made.school.open()


@stage
def process(session, _clock) -> School:
    """Pieces are handed in."""
    return shop(session, "fuqing-30")


@stage
def timed(session, _clock) -> School:
    """Minutes of courses are counted beside pieces."""
    return shop(session, "fuqing-50")


@stage
def tested(session, _clock) -> School:
    """Tests are taken."""
    return shop(session, "fuyu-2020-50")


@stage
def questioned(session, _clock) -> School:
    return School(session, teachers=2, scheme=weighed()).open()


def test_a_leader_tells_of_their_members_alone(web: Web, process: School, program: Program) -> None:
    facts = f"/rounds/{process.round.id}/facts"
    piece = {"number": "T02", "kind": "piece", "about": "lesson_design", "key": "第1份", "source": "坊主收齐"}
    with program("T01") as leader, program("T02") as member, program("T03") as colleague, program("A01") as admin:
        listed = leader.get(f"/rounds/{process.round.id}/fact-subjects").json()["items"]
        assert ("piece", "lesson_design") in [(one["kind"], one["about"]) for one in listed]
        said = ({}, {}, {"details": {"chars": 900}})
        told = [leader.post(facts, json=piece | more).json()["outcome"] for more in said]
        assert told == ["added", "unchanged", "superseded"]
        assert leader.post(facts, json={**piece, "about": "x"}).json()["code"] == "not-told"
        assert [leader.post(facts, json={**piece, "number": one}).status_code for one in ("T05", "T99")] == [404, 404]
        assert leader.post(facts, json={**piece, "kind": "mark"}).status_code == 422
        assert member.post(facts, json=piece).json()["code"] == "not-allowed"
        assert admin.post(facts, json={**piece, "number": "T05"}).json()["outcome"] == "added"
        [own] = member.get(facts).json()["items"]
        assert (own["key"], own["details"], own["waits"]) == ("第1份", {"chars": 900}, False)
        assert leader.get(f"{facts}?number=T02").json()["items"] == [own]
        assert colleague.get(f"{facts}?number=T02").status_code == 404
        strike = f"/facts/{own['id']}/strike"
        assert colleague.post(strike, json={"reason": "x"}).status_code == 404
        assert member.post(strike, json={"reason": "x"}).json()["code"] == "not-allowed"
        assert leader.post(strike, json={"reason": " "}).json()["code"] == "bad-input"
        assert leader.post(strike, json={"reason": "记错了人"}).status_code == 204
        assert leader.post(strike, json={"reason": "记错了人"}).json()["code"] == "not-strikable"
        assert member.get(facts).json()["items"] == []


def test_what_no_route_takes_is_not_listed(web: Web, timed: School, program: Program) -> None:
    with program("T01") as leader:
        listed = leader.get(f"/rounds/{timed.round.id}/fact-subjects").json()["items"]
    assert {one["kind"] for one in listed} == {"piece"}  # minutes come by sheets


def test_the_panel_tells_how_tests_ended(web: Web, tested: School, program: Program) -> None:
    base = f"/panel/rounds/{tested.round.id}/facts"
    test = {"number": "T02", "kind": "test", "about": "diagnostic", "key": "1", "source": "测评系统", "word": "合格"}
    with program("P1") as member, program("T01") as leader, program("T02") as teacher:
        assert leader.post(base, json=test).json()["code"] == "not-allowed"
        assert teacher.post(base, json={**test, "number": "T03"}).status_code == 404
        assert member.post(base, json={**test, "word": "好"}).json()["code"] == "not-told"
        assert member.post(base, json=test).json()["outcome"] == "added"
        [told] = teacher.get(f"/rounds/{tested.round.id}/facts").json()["items"]
        assert (told["word"], told["source"]) == ("合格", "测评系统")
        assert leader.post(f"/facts/{told['id']}/strike", json={"reason": "x"}).status_code == 404  # the panel's alone
        strike = f"/panel/facts/{told['id']}/strike"
        assert teacher.post(strike, json={"reason": "x"}).json()["code"] == "not-allowed"
        assert member.post(strike, json={"reason": "抄错"}).status_code == 204


def test_who_marked_one_and_what_few_answered_is_not_told(web: Web, questioned: School, program: Program) -> None:
    survey(questioned, answered("T01", "20.25", "1"))
    on_site(questioned, "88.5")
    facts = f"/rounds/{questioned.round.id}/facts"
    admin, member = questioned.admin, questioned.members[2]
    people.declare_conflict(questioned.session, actor=admin, one=questioned.teachers[0], other=member, reason="亲属")

    def read(client: Any) -> list[tuple[str | None, str | None, str]]:
        return [(one["key"], one["number"], one["source"]) for one in client.get(facts).json()["items"]]

    with program("T01") as teacher:
        assert read(teacher) == [(None, None, "匿名问卷"), (None, "88.50", "")]
        assert questioned.members[0].number not in teacher.get(facts).text
    facts += "?number=T01"
    with program("P1") as first, program("P2") as second, program("P3") as near, program("A01") as desk:
        assert (read(first), read(second)) == ([(None, "88.50", "")], [])  # nobody's mark before one's own
        assert near.get(facts).status_code == 404
        assert read(desk) == [(None, None, "匿名问卷"), (None, "88.50", "评委1")]


def test_a_leader_reads_what_leaders_tell(web: Web, tested: School, program: Program) -> None:
    base = f"/rounds/{tested.round.id}/facts"
    test = {"number": "T02", "kind": "test", "about": "diagnostic", "key": "1", "source": "测评系统", "word": "合格"}
    with program("P1") as member, program("T01") as leader:
        assert member.post(f"/panel{base}", json=test).json()["outcome"] == "added"
        assert [one["kind"] for one in member.get(f"{base}?number=T02").json()["items"]] == ["test"]
        assert leader.get(f"{base}?number=T02").json()["items"] == []
