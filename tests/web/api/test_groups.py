"""Workshops by programs: what they owe and have, a result composed, confirmed, signed, appealed against and heard."""

from __future__ import annotations

from models import Workshop
from review_flow.clock import now
from review_flow.steps import advance
from tests.cast import Clock, School
from tests.stages import STAGES, stage
from tests.steps import test_group_rounds
from tests.steps.test_group_rounds import publish, to_sign
from tests.steps.test_groups import Shop
from tests.web.api.conftest import Program
from tests.web.conftest import Web


@stage
def composed(session, clock: Clock) -> School:
    """A workshop's result waits for its grade; T01 leads it."""
    return STAGES[test_group_rounds.__name__, "composed"].build(session, clock)


@stage
def open_shop(session, clock: Clock) -> School:
    """A workshop of which nobody told anything; the round's results are being made."""
    school = Shop(session).school.open()
    clock.day(4, 4)
    advance.advance(session, round_=school.round)
    return school


def workshop(school: School) -> int:
    key = int(school.session.query(Workshop.id).scalar())
    school.session.commit()
    return key


def test_a_leader_tells_what_the_workshop_did(web: Web, open_shop: School, program: Program) -> None:
    base, own = f"/rounds/{open_shop.round.id}", workshop(open_shop)
    facts = f"{base}/group-facts"
    bulletin = {"kind": "count", "about": "bulletin", "key": "第1期", "source": "坊主登记", "number": "2"}
    with program("T01") as leader, program("T02") as member, program("A01") as admin, program("P1") as panelist:
        assert leader.get("/workshops").json()["items"] == [{"id": own, "name": "物理坊"}]
        assert (member.get("/workshops").json()["items"], len(admin.get("/workshops").json()["items"])) == ([], 1)
        subjects = leader.get(f"{facts}/subjects").json()["items"]
        assert ("count", "bulletin") in [(one["kind"], one["about"]) for one in subjects]
        told = [leader.post(facts, json=bulletin | more).json()["outcome"] for more in ({}, {}, {"number": "3"})]
        assert told == ["added", "unchanged", "superseded"]
        for client, wanted in ((member, 404), (panelist, 404), (admin, 422)):  # an administrator names the workshop
            address = facts if client is not admin else f"{facts}?level=school"
            assert client.post(address, json=bulletin).status_code == wanted
        assert admin.post(f"{facts}?workshop_id={own}", json=bulletin).json()["outcome"] == "superseded"
        assert admin.get(facts).status_code == 404
        assert leader.get(f"{facts}?level=class&class_id=7").status_code == 404
        assert leader.get(f"{facts}?level=school").status_code == 404
        refusals = (
            ({"about": "x"}, "group-fact-refused"),
            ({"source": " "}, "bad-input"),
            ({"number": "1.5"}, "bad-input"),
            ({"happened_at": now().isoformat()}, "group-fact-refused"),
        )
        for wrong, code in refusals:
            assert (wrong, leader.post(facts, json={**bulletin, **wrong}).json()["code"]) == (wrong, code)
        held = {"kind": "count", "about": "offline_activity", "source": "坊主登记", "has": ["photos", "bulletin"]}
        assert leader.post(facts, json=held).json()["outcome"] == "added"
        [first, second] = leader.get(facts).json()["items"]
        assert (first["number"], second["details"]) == ("2.00", {"photos": True, "bulletin": True})
        have = [one["have"] for one in leader.get(f"{base}/board").json()["quotas"] if "工作坊简报" in one["text"]]
        assert have == ["2"]
        assert member.get(f"{base}/board").status_code == 404
        strike = f"/group-facts/{first['id']}/strike"
        assert member.post(strike, json={"reason": "x"}).status_code == 404
        assert leader.post(strike, json={"reason": " "}).json()["code"] == "bad-input"
        assert leader.post(strike, json={"reason": "记错了"}).status_code == 204
        assert leader.post(strike, json={"reason": "记错了"}).json()["code"] == "group-fact-struck"
        assert [one["id"] for one in leader.get(facts).json()["items"]] == [second["id"]]


def test_a_result_is_composed_and_confirmed(web: Web, open_shop: School, program: Program) -> None:
    results, own = f"/rounds/{open_shop.round.id}/workshop-results", workshop(open_shop)
    with program("T01") as leader, program("A01") as admin, program("P1") as member:
        assert leader.post(results, json={"workshop_id": own}).json()["code"] == "not-allowed"
        assert admin.post(results, json={"workshop_id": 987_654}).status_code == 404
        made = admin.post(results, json={"workshop_id": own}).json()
        assert (made["workshop"]["name"], made["state"]["code"], made["grade"]) == ("物理坊", "composed", None)
        assert admin.post(results, json={"workshop_id": own}).json() == made
        assert admin.get(results).json()["items"] == [made]
        agenda = member.get(f"/rounds/{open_shop.round.id}/agenda").json()["workshops"]
        assert [(one["id"], one["name"]) for one in agenda] == [(made["id"], "物理坊")]
        address = f"/panel/workshop-results/{made['id']}"
        assert leader.get(address).status_code == 404
        assert member.get(address).json()["unready"] is None
        lowered = member.post(f"{address}/confirm", json={"lower_to": "没有", "reason": "x"})
        assert lowered.json()["code"] == "cannot-confirm"
        assert leader.post(f"{address}/confirm", json={}).status_code == 404
        confirmed = member.post(f"{address}/confirm", json={}).json()
        assert (confirmed["grade"], confirmed["state"]["code"]) == (made["proposed_grade"], "banded")
        assert member.post(f"{address}/confirm", json={}).status_code == 409


def test_where_nobody_judges_workshops_none_is_graded(web: Web, opened: School, program: Program) -> None:
    opened.session.add(Workshop(organization_id=opened.organization.id, name="物理坊"))
    opened.session.flush()
    with program("A01") as admin:
        said = {"workshop_id": workshop(opened)}
        assert admin.post(f"/rounds/{opened.round.id}/workshop-results", json=said).json()["code"] == "group-not-graded"


def test_the_leader_reads_and_signs(web: Web, composed: School, program: Program, clock: Clock) -> None:
    address = f"/rounds/{composed.round.id}/workshop-result"
    with program("T01") as leader:
        assert (leader.get(address).status_code, leader.post(f"{address}/sign", json={}).status_code) == (404, 404)
    to_sign(composed, clock)
    with program("T01") as leader, program("T02") as member:
        assert member.get(address).status_code == 404
        assert leader.get(address).json()["ledger"] != []
        assert leader.post(f"{address}/sign", json={"comment": "同意"}).json()["state"]["code"] == "signed"
        assert leader.post(f"{address}/sign", json={}).json()["code"] == "not-to-sign"


def test_the_leader_appeals_and_the_hearers_count_again(web: Web, composed: School, program: Program) -> None:
    publish(composed)
    address = f"/rounds/{composed.round.id}/workshop-result"
    with (
        program("T01") as leader,
        program("T02") as member,
        program("P6") as one,
        program("P7") as two,
        program("A01") as admin,
    ):
        assert member.post(f"{address}/appeal", json={"reason": "x"}).status_code == 404
        assert leader.post(f"{address}/appeal", json={"reason": " "}).json()["code"] == "bad-input"
        filed = leader.post(f"{address}/appeal", json={"reason": "第三期没有计入"})
        assert (filed.status_code, leader.get(address).json()["appeal"]) == (201, filed.json())
        hearing = f"/panel/appeals/{filed.json()['id']}"
        heard = one.get(hearing).json()
        bulletin = {"code": "bulletin", "name": "工作坊简报", "was": "2"}
        assert (bulletin in heard["again"], heard["result"]["score"]) == (True, None)
        upheld = {"uphold": True, "reason": "确有三期"}
        assert one.post(f"{hearing}/vote", json=upheld).json()["code"] == "bad-input"
        for hearer in (one, two):
            said = {**upheld, "marks": {"bulletin": "3"}}
            assert hearer.post(f"{hearing}/vote", json=said).status_code == 204
        [again] = admin.get(f"{address}s").json()["items"]
        assert (again["version"], again["proposed_grade"], again["state"]["code"]) == (2, "完成", "final")
