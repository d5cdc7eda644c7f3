"""Works rise by programs: put forward, agreed to, voted on, marked, advanced, published, taken back."""

from __future__ import annotations

import copy
from typing import Any

from models import Assignment, Evidence, Nomination, Submission, Workshop
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import AssignmentState
from review_flow.steps import nominations, people
from tests.cast import School, queries
from tests.stages import stage
from tests.steps.test_groups import Shop
from tests.steps.test_pipeline import changed, up, yes
from tests.web.api.conftest import Program
from tests.web.conftest import Web

F30 = scheme_files.load("fuqing-30")


def two_levels() -> Scheme:
    """One rises by votes in the workshop, then by marks in the school."""
    document = copy.deepcopy(F30.document)
    [first, *_others] = document["pipeline"]
    second = {**first, "id": "school_mark", "level": "school", "decide": "mark", "most": 1}
    document["pipeline"] = [{**first, "most": 1}, second]
    return Scheme.from_document(document)


@stage
def shop(session, _clock) -> School:
    """T01 leads the workshop that all are in."""
    return Shop(session, two_levels()).school.open()


@stage
def chosen(session, _clock) -> School:
    """T02's work passed every level, and may leave the workshop."""
    made = Shop(session, changed(F30, 0, most=1))
    made.school.open()
    work = made.work(made.member, "浮力")
    nominations.vote(session, actor=made.leader, nomination=work)
    yes(made, work)
    up(made, "seed_vote", workshop=made.workshop)
    return made.school


def put_forward(leader: Any, school: School, number: str, title: str, **more: object) -> Any:
    said = {"number": number, "kind": "work", "title": title, **more}
    return leader.post(f"/rounds/{school.round.id}/nominations", json=said)


def test_a_work_rises_to_the_library_and_is_taken_back(web: Web, shop: School, program: Program) -> None:
    base = f"/rounds/{shop.round.id}/nominations"
    [workshop] = shop.session.query(Workshop.id).all()[0]
    shop.session.commit()
    with (
        program("T01") as leader,
        program("T02") as author,
        program("T03") as colleague,
        program("P1") as member,
        program("A01") as admin,
    ):
        assert put_forward(colleague, shop, "T99", "x").json()["code"] == "not-allowed"
        assert put_forward(leader, shop, "T99", "x").status_code == 404
        made = put_forward(leader, shop, "T02", "浮力", video=True)
        work = made.json()
        assert (made.status_code, work["author"]["number"], work["state"]["code"]) == (201, "T02", "rising")
        assert put_forward(leader, shop, "T02", "浮力").json()["code"] == "not-nominable"
        assert put_forward(leader, shop, "T03", "x", kind="learner", video=True).json()["code"] == "not-nominable"
        other = put_forward(leader, shop, "T03", "压强").json()
        key, vote = work["id"], f"/nominations/{work['id']}/vote"
        assert member.get(base).json()["items"] == []  # nothing waits for the panel yet
        assert [member.post(vote).status_code, author.post(vote).json()["code"]] == [404, "not-your-judgement"]
        assert [colleague.post(vote).status_code for _time in range(2)] == [204, 204]
        assert colleague.post(f"/nominations/{key}/mark", json={"mark": "90"}).json()["code"] == "other-way"

        def known(client: Any) -> list[tuple[str | None, list[str] | None]]:
            return [(one["points"], one["consents"]) for one in client.get(base).json()["items"]]

        assert known(leader) == known(admin) == [("1", []), ("0", [])]
        assert known(author) == [(None, []), (None, None)]  # who judges, or made it, sees no running votes
        assert known(colleague) == [(None, None), (None, [])]
        up = f"{base}/advance"
        inside = {"step": work["step"], "workshop_id": workshop}
        assert leader.post(up, json={**inside, "step": "x"}).status_code == 404
        assert leader.post(up, json={**inside, "named": [987_654]}).status_code == 404
        assert leader.post(up, json=inside).json()["code"] == "consent-missing"
        assert colleague.post(up, json=inside).json()["code"] == "not-allowed"
        consent = f"/nominations/{key}/consent"
        assert colleague.post(consent, json={"about": "author", "given": True}).status_code == 404
        assert author.post(consent, json={"about": "author", "given": True}).json()["consents"] == ["author"]
        assert [one["title"] for one in leader.post(up, json=inside).json()["chosen"]] == ["浮力"]
        assert member.post(f"/nominations/{key}/mark", json={"mark": "92.5"}).status_code == 204
        assert member.post(vote).json()["code"] == "other-way"
        assert (known(member), known(leader)[0], known(admin)[0]) == (
            [(None, None)],
            (None, ["author"]),
            ("92.5", ["author"]),
        )
        at_school = {"step": "school_mark"}
        assert leader.post(up, json=at_school).json()["code"] == "not-allowed"
        assert admin.post(up, json=at_school).json()["chosen"][0]["state"]["code"] == "chosen"
        states = {one["id"]: one["state"]["code"] for one in admin.get(base).json()["items"]}
        assert states == {key: "chosen", other["id"]: "left"}


def test_what_was_chosen_is_published_and_taken_back(web: Web, chosen: School, program: Program) -> None:
    [key] = chosen.session.query(Nomination.id).all()[0]
    consent, publish, back = (f"/nominations/{key}/{deed}" for deed in ("consent", "publish", "take-back"))
    with program("T02") as author, program("T03") as colleague, program("A01") as admin:
        assert admin.post(publish).json()["code"] == "consent-missing"
        public = {"about": "publication", "given": True}
        assert author.post(consent, json=public).json()["code"] == "bad-input"
        said = author.post(consent, json={**public, "pupils": False, "show_name": True}).json()
        assert said["consents"] == ["author", "publication"]
        assert colleague.post(publish).json()["code"] == "not-allowed"
        assert admin.post(publish).status_code == 204
        assert admin.post(publish).json()["code"] == "not-publishable"
        [entry] = colleague.get("/library").json()["items"]
        assert (entry["id"], entry["title"], entry["author"]) == (key, "浮力", "李伟")
        assert author.get(f"/rounds/{chosen.round.id}/nominations").json()["items"][0]["published"] is True
        assert colleague.post(back, json={"reason": "x"}).status_code == 404
        assert author.post(back, json={"reason": " "}).json()["code"] == "bad-input"
        assert author.post(back, json={"reason": "要修改"}).status_code == 204
        assert author.post(back, json={"reason": "要修改"}).json()["code"] == "not-in-library"
        assert colleague.get("/library").json()["items"] == []


def test_a_file_is_its_author_s(web: Web, shop: School, program: Program) -> None:
    with program("T02") as author:
        author.post(f"/rounds/{shop.round.id}/deliverables")
    work = shop.session.query(Submission).one()
    shop.fill(work)
    file = shop.session.query(Evidence.id).order_by(Evidence.id).first()
    assert file is not None
    with program("T01") as leader:
        assert put_forward(leader, shop, "T03", "别人的", evidence_id=file[0]).status_code == 404
        shop.session.add(
            Assignment(
                round_id=shop.round.id,
                reviewer_id=shop.teachers[0].id,
                submission_id=work.id,
                author_id=work.author_id,
                state=AssignmentState.DECLINED,
                assigned_at=now(),
                lease_until=now(),
                ended_at=now(),
            )
        )
        shop.session.commit()
        blind = [put_forward(leader, shop, one, "盲评的", evidence_id=file[0]) for one in ("T02", "T03")]
        assert [one.status_code for one in blind] == [404, 404]  # or a reviewer learns whose work it was
    with program("A01") as admin:
        assert put_forward(admin, shop, "T02", "自己的", evidence_id=file[0]).status_code == 201


def test_a_leader_learns_no_numbers_of_others(web: Web, shop: School, program: Program) -> None:
    shop.teachers[4].workshop_id = None
    shop.session.commit()
    with program("T01") as leader, program("A01") as admin:
        said = [put_forward(leader, shop, one, "浮力") for one in ("T05", "P1", "T99")]
        assert [one.status_code for one in said] == [404, 404, 404]
        assert put_forward(admin, shop, "T05", "浮力").json()["code"] == "not-nominable"


def test_a_list_costs_the_same_however_long_it_is(web: Web, shop: School, program: Program) -> None:
    people.found_school(shop.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    base, counts = f"/rounds/{shop.round.id}/nominations", []
    with program("T01") as leader, program("T05") as member, program("Z01") as elsewhere:
        for number in ("T02", "T03", "T04"):
            put_forward(leader, shop, number, f"作品{number}")
            with queries(web.session) as sent:
                listed = member.get(base).json()["items"]
            counts.append((len(listed), len(sent)))
        assert elsewhere.get(base).status_code == 404
    assert counts == [(1, counts[0][1]), (2, counts[0][1]), (3, counts[0][1])]
