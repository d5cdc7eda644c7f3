"""Besides abilities by programs: records, deliverables, certificates, what one was told."""

from __future__ import annotations

from datetime import date

from review_flow.rules.words import AdjustmentKind
from review_flow.steps import adjustments
from tests.cast import School
from tests.steps.test_certificates import confirm, issue
from tests.steps.test_voices import answer, on_site, survey
from tests.web.api.conftest import Program
from tests.web.conftest import Web
from tests.web.test_upload import FILM, PATCH, metadata


def test_what_is_recorded_is_told_as_on_the_page(web: Web, questioned: School, program: Program) -> None:
    questioned.hours(questioned.teachers[0], total="50")
    survey(questioned, answer("T01", "20.25", "1"), answer("T01", "95.75", "3", who="家长问卷"))
    on_site(questioned, "88.5")
    with program("T01") as client, program("P1") as member:
        told = client.get(f"/rounds/{questioned.round.id}/records").json()
        assert member.get(f"/rounds/{questioned.round.id}/records").status_code == 404
    assert [(one["hours"], one["id"]) for one in told["hours"] if one["hours"] != "0"] == [("50.00", "total")]
    facts = [(one["value"], one["source"], one["waits"]) for one in told["facts"]]
    assert facts == [
        ("只有1份，份数不足，不显示", "匿名问卷", False),
        ("95.75", "匿名问卷", False),
        ("88.50", "", False),
    ]


def test_other_deliverables_are_opened_and_handed_in(web: Web, fuqing: School, program: Program) -> None:
    address = f"/rounds/{fuqing.round.id}/deliverables"
    with program("T01") as client, program("P1") as member:
        assert member.post(address).status_code == 404
        work = client.post(address).json()
        assert client.post(address).json() == work
        plan = client.get(f"/rounds/{fuqing.round.id}/plan").json()
        assert (plan["activities"][0]["id"], plan["levels"][0]["id"]) == ("off1", "seed_vote")
        slot = plan["deliverables"][0]["id"]
        told = metadata(work=work["id"], slot=slot, filename="课.mp4")
        made = client.post("/uploads", headers={"upload-length": str(len(FILM)), "upload-metadata": told})
        sent = client.patch(
            f"http://school.test{made.headers['location']}", content=FILM, headers={**PATCH, "upload-offset": "0"}
        )
        assert sent.status_code == 204
        files = client.get(f"/submissions/{work['id']}/evidence").json()["items"]
        assert [(one["slot"], one["file_name"]) for one in files] == [(slot, "课.mp4")]


def test_where_the_scheme_asks_for_nothing_else_it_is_said(web: Web, opened: School, program: Program) -> None:
    with program("T01") as client:
        assert client.post(f"/rounds/{opened.round.id}/deliverables").json()["code"] == "nothing-asked"


def test_one_s_own_certificates_are_listed(web: Web, signed: School, program: Program) -> None:
    made = issue(signed)
    address = f"/rounds/{signed.round.id}/own-certificates"
    with program("T01") as client, program("P1") as member:
        [waits] = client.get(address).json()["items"]
        assert (waits["number"], waits["valid"], waits["revoked_at"]) == (made.number, False, None)
        assert member.get(address).status_code == 404
    confirm(signed, made, signed.organization.name)
    with program("T01") as client:
        assert client.get(address).json()["items"] == [{**waits, "valid": True}]


def test_one_reads_what_one_was_told_and_nobody_else_s(web: Web, opened: School, program: Program) -> None:
    fact = adjustments.Told(AdjustmentKind.ABSENCE, date(2026, 3, 2), "签到表第3页", "k1")
    enrolment = opened.enrolment(opened.teachers[0])
    adjustments.add(opened.session, actor=opened.members[0], enrolment=enrolment, told=fact)
    with program("T01") as client, program("T02") as other:
        newest, *_older = client.get("/messages").json()["items"]
        assert (newest["kind"], newest["round_id"]) == ("adjustment.notified", opened.round.id)
        assert "adjustment.notified" not in other.get("/messages").text
        assert client.get("/messages?cursor=x").json()["code"] == "cursor-unknown"
