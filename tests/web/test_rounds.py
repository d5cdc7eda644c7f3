from __future__ import annotations

from sqlalchemy import select

from models import PanelSeat, Round, SchemeVersion
from review_flow.rules.lifecycle import RoundPhase, SchemeState
from tests.cast import School
from tests.web.conftest import Web

DAYS = {"opens_on": "2026-09-01", "submit_due_on": "2026-09-20", "hard_close_on": "2026-09-30"}


def test_a_scheme_is_chosen_confirmed_value_by_value_and_published(web: Web, school: School) -> None:
    with web.of("A01") as admin:
        assert "fuqing-50" in admin.get("/school/schemes").text
        assert "第一章" in admin.get("/school/library/fuqing-50").text
        assert admin.get("/school/library/..%2F..%2Fpyproject.toml").status_code == 404
        chosen = {"scheme": "fuqing-50", "effective_from": "2026-03-01"}
        assert admin.post("/school/schemes", data={**chosen, "scheme": "nothing"}).status_code == 404
        address = admin.post("/school/schemes", data=chosen).headers["location"]
        page = admin.get(address).text
        assert ("出自" in page, "确认后才能发布" in page) == (True, True)
        version = school.session.scalars(select(SchemeVersion).order_by(SchemeVersion.id.desc())).first()
        assert version is not None
        scheme = version.document
        web.release()
        assert admin.post(f"{address}/publish").status_code == 422  # without its tick
        assert admin.post(f"{address}/publish", data={"yes": "yes"}).status_code == 409
        ids = [one["id"] for one in scheme["unknowns"]]
        assert admin.post(f"{address}/confirm", data={"unknowns": ids}).headers["location"] == address
        assert "✓ 陈静已确认" in admin.get(address).text
        assert admin.post(f"{address}/publish", data={"yes": "yes"}).headers["location"] == address
        assert "第一章" in admin.get(f"{address}/plan").text
        paper = admin.get(f"{address}/plan.docx")
        assert (paper.content[:2], paper.headers["content-disposition"][:10]) == (b"PK", "attachment")
    school.session.refresh(version)
    assert version.state is SchemeState.PUBLISHED


def test_a_round_is_made_filled_tried_out_and_opened(web: Web, school: School) -> None:
    with web.of("A01") as admin:
        assert "001-A" in admin.get("/school/new-round").text or "第1版" in admin.get("/school/new-round").text
        given = {"name": "2026秋", "scheme": school.version.id, **DAYS}
        address = admin.post("/school/new-round", data=given).headers["location"]
        assert "还没有参评教师" in admin.get(address).text
        assert admin.post(f"{address}/open", data={"yes": "yes"}).status_code == 409
        abilities = {"abilities": ["A1", "A3", "A5", "A6", "A11", "B2", "B6"], **DAYS}
        assert admin.post(f"{address}/set-up", data=abilities).headers["location"] == address
        assert admin.post(f"{address}/enrol-all").headers["location"] == f"{address}#people"
        seats = [("P1", "member"), ("P2", "member"), ("P3", "member"), ("P4", "reserve"), ("P5", "arbiter")]
        for number, kind in [*seats, ("P6", "appeal"), ("P7", "appeal"), ("P8", "appeal"), ("T01", "reserve")]:
            assert admin.post(f"{address}/seats", data={"number": number, "kind": kind}).status_code == 303
        assert admin.post(f"{address}/seats", data={"number": "X9", "kind": "member"}).status_code == 404
        last = school.session.scalars(select(PanelSeat.id).order_by(PanelSeat.id.desc())).first()
        web.release()
        assert admin.post(f"/school/seats/{last}/remove").status_code == 303
        tried = admin.get(f"{address}/dry-run").text
        assert ("没有发现问题" in tried, "位虚构的教师走了一遍" in tried) == (True, True)
        assert admin.post(f"{address}/open", data={"yes": "yes"}).headers["location"] == f"{address}/progress"
        later = {"submit_due_on": "2026-09-27", "hard_close_on": "2026-10-09", "reason": "台风", "yes": "yes"}
        assert admin.post(f"{address}/put-off", data=later).headers["location"] == address
        assert "2026-10-09 23:59" in admin.get(address).text
    made = school.session.scalars(select(Round).where(Round.name == "2026秋")).one()
    assert made.phase is RoundPhase.OPEN


def test_the_head_of_a_page_leads_to_one_s_office(web: Web, school: School) -> None:
    with web.of("A01") as admin, web.of("T01") as teacher:
        assert ('href="/school"' in admin.get("/me").text, 'href="/school"' in teacher.get("/me").text) == (True, False)
        assert "2026春" in admin.get("/school").text
