"""Meetings by programs: held, shown on the spot, signed into, recorded from paper, made up."""

from __future__ import annotations

from datetime import timedelta

from models import Workshop
from review_flow import schemes as scheme_files
from review_flow.clock import now
from tests.cast import School, queries
from tests.stages import stage
from tests.steps.test_groups import Shop
from tests.web.api.conftest import Program
from tests.web.conftest import Web


@stage
def shop(session, _clock) -> School:
    """T01 leads 物理坊, T05 is in no workshop."""
    made = Shop(session, scheme_files.load("fuqing-30"))
    made.school.teachers[4].workshop_id = None
    return made.school.open()


def meeting(school: School, **said: object) -> dict[str, object]:
    at = (now() + timedelta(minutes=10)).isoformat()
    return {"activity": "off1", "held_at": at, "place": "录播室", **said}


def workshop(school: School) -> int:
    found = school.session.query(Workshop.id).scalar()
    school.session.commit()
    return int(found)


def test_a_leader_holds_a_meeting_and_its_members_sign_in(web: Web, shop: School, program: Program) -> None:
    base, own = f"/rounds/{shop.round.id}/gatherings", workshop(shop)
    said = meeting(shop, workshop_id=own)
    with program("T01") as leader, program("T02") as member, program("T05") as outsider, program("P1") as nobody:
        assert member.post(base, json=said).json()["code"] == "not-allowed"
        assert leader.post(base, json=meeting(shop)).json()["code"] == "not-allowed"  # everybody's is the office's
        assert nobody.post(base, json=said).json()["code"] == "not-allowed"
        assert leader.post(base, json={**said, "workshop_id": 987_654}).status_code == 404
        assert leader.post(base, json={**said, "activity": "x"}).json()["code"] == "bad-input"
        for wrong in ("2026-03-20T14:30:00", "0001-01-01T00:00:00Z", "2026-03-20", 5, None):
            assert (wrong, leader.post(base, json={**said, "held_at": wrong}).status_code) == (wrong, 422)
        held = leader.post(base, json=said)
        assert (held.status_code, held.json()["workshop"]) == (201, {"id": own, "name": "物理坊"})
        key = held.json()["id"]
        assert leader.post(base, json=said).json()["id"] == key
        assert member.get(base).json()["items"] == [held.json()] == leader.get(base).json()["items"]
        assert (member.get(f"/gatherings/{key}").json(), nobody.get(base).json()["items"]) == (held.json(), [])
        assert nobody.get(f"/gatherings/{key}").status_code == 404
        assert member.get(f"/gatherings/{key}/code").json()["code"] == "not-allowed"
        shown = leader.get(f"/gatherings/{key}/code").json()
        assert (shown["scan"], shown["came"]) == (f"{shown['address']}/{shown['code']}", 0)
        sign_in = f"/gatherings/{key}/sign-in"
        assert member.post(sign_in, json={"code": "x"}).json()["code"] == "wrong-code"
        assert outsider.post(sign_in, json={"code": shown["code"]}).json()["code"] == "not-invited"
        told = [member.post(sign_in, json={"code": shown["code"]}).json()["outcome"] for _time in range(2)]
        assert told == ["added", "unchanged"]
        came = leader.get(f"/gatherings/{key}/attendance").json()["items"]
        assert [(one["person"]["number"], one["state"]) for one in came] == [("T02", "present")]
        assert member.get(f"/gatherings/{key}/attendance").status_code == 403


def test_a_code_is_not_guessed_through(web: Web, shop: School, program: Program) -> None:
    with program("A01") as admin, program("T02") as guesser, program("T03") as guest:
        key = admin.post(f"/rounds/{shop.round.id}/gatherings", json=meeting(shop)).json()["id"]
        sign_in, code = f"/gatherings/{key}/sign-in", admin.get(f"/gatherings/{key}/code").json()["code"]
        guesses = [guesser.post(sign_in, json={"code": "x"}).json()["code"] for _time in range(10)]
        right = guesser.post(sign_in, json={"code": code})
        assert (set(guesses), right.status_code, right.json()["code"]) == ({"wrong-code"}, 429, "too-often")
        assert 0 < int(right.headers["retry-after"]) <= 90
        with web.of("T02") as page:
            assert page.post(f"/sign-in/{key}", data={"code": code}).status_code == 429  # by whatever way
        assert guest.post(sign_in, json={"code": code}).json() == {"outcome": "added"}


def test_who_came_is_recorded_from_paper_and_made_up(web: Web, shop: School, program: Program) -> None:
    with program("A01") as admin, program("T02") as member, program("T01") as leader:
        key = admin.post(f"/rounds/{shop.round.id}/gatherings", json=meeting(shop)).json()["id"]
        paper, again = f"/gatherings/{key}/sign-list", f"/gatherings/{key}/make-up"
        assert [one.post(paper, json=said).status_code for one, said in (
            (member, {}), (member, {"present": ["T99"]}), (admin, {"present": ["T02", "T99"]}),
        )] == [403, 403, 404]  # fmt: skip
        listed = {"present": ["T02", "T02", "T03"], "absent": ["T04"]}
        assert admin.post(paper, json=listed).json() == {"added": 3, "superseded": 0, "unchanged": 0}
        for stranger in ("T05", "T99"):  # a leader learns no numbers but of the workshop
            assert leader.post(paper, json={"present": [stranger]}).status_code == 404
        assert leader.post(paper, json={"present": ["T02"]}).json()["unchanged"] == 1
        assert admin.post(again, json={"number": "T04", "proof": " "}).json()["code"] == "bad-input"
        assert member.post(again, json={"number": "T04", "proof": "我补了"}).status_code == 403
        assert admin.post(again, json={"number": "T04", "proof": "看了录像"}).json() == {"outcome": "superseded"}
        counts = []
        for limit in (1, 3):
            with queries(web.session) as sent:
                came = admin.get(f"/gatherings/{key}/attendance?limit={limit}").json()["items"]
            counts.append(len(sent))
        assert sorted((one["person"]["number"], one["state"]) for one in came) == [
            ("T02", "present"),
            ("T03", "present"),
            ("T04", "made_up"),
        ]
        assert counts[0] == counts[1]
