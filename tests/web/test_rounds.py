from __future__ import annotations

import re

from sqlalchemy import select
from starlette.testclient import TestClient

from models import PanelSeat, Round, SchemeVersion
from review_flow import schemes
from review_flow.rules.lifecycle import RoundPhase, SchemeState
from review_flow.steps import people
from tests.cast import School
from tests.due import do_errands
from tests.web.conftest import Web

DAYS = {"opens_on": "2026-09-01", "submit_due_on": "2026-09-20", "hard_close_on": "2026-09-30"}


def test_a_scheme_is_chosen_confirmed_value_by_value_and_published(web: Web, school: School) -> None:
    with web.of("A01") as admin:
        shown = admin.get("/school/schemes").text
        assert ('value="fuqing-50"' in shown, "适用于参训中学教师" in shown, "模板与叠加层" in shown) == (
            True,
            True,
            True,
        )
        assert "第一章" in admin.get("/school/library/fuqing-50").text
        assert admin.get("/school/library/..%2F..%2Fpyproject.toml").status_code == 404
        chosen = {"scheme": "fuqing-50", "effective_from": "2026-03-01"}
        assert admin.post("/school/schemes", data={**chosen, "scheme": "nothing"}).status_code == 404
        address = admin.post("/school/schemes", data=chosen).headers["location"]
        page = admin.get(address).text
        assert ("出自通用默认值" in page, "确认后才能发布" in page) == (True, True)
        assert "证据有效性认定</span> <strong>5个工作日</strong>" in page
        assert ("<code>calendar.validity.working_days</code>" in page, 'href="/school/own-scheme"' in page) == (
            True,
            True,
        )
        english = admin.get(address, headers={"accept-language": "en"}).text
        assert "validity</span> <strong>days: 5; working days: yes</strong>" in english
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
        page = admin.get(address).text
        assert page.index("方案已发布") < page.index("用它新建考核轮次") < page.index("本校待确认")
        [following] = re.findall(r'href="(/school/new-round[^"]*)"', page)
        assert f'<option value="{version.id}" selected>' in admin.get(following).text
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
        assert admin.post(f"{address}/seats", data={"number": "李伟", "kind": "reserve"}).status_code == 303
        assert '<option value="T02">李伟</option>' in admin.get(address).text
        last = school.session.scalars(select(PanelSeat.id).order_by(PanelSeat.id.desc())).first()
        web.release()
        assert admin.post(f"/school/seats/{last}/remove").status_code == 303
        assert "开始试" in admin.get(f"{address}/dry-run").text
        assert admin.post(f"{address}/dry-run").headers["location"] == f"{address}/dry-run"
        assert "在后台进行" in admin.get(f"{address}/dry-run").text
        do_errands(web.session)
        web.release()
        tried = admin.get(f"{address}/dry-run").text
        assert ("请再增加2名不参加本轮互评的候补" in tried, "位虚构的教师走了一遍" in tried) == (True, True)
        assert "Problems ahead" in admin.get(f"{address}/dry-run", headers={"accept-language": "en"}).text
        assert admin.post(f"{address}/open", data={"yes": "yes"}).headers["location"] == f"{address}/progress"
        assert "<strong>A1</strong> 技术支持的学情分析" in admin.get(address).text
        later = {"submit_due_on": "2026-09-27", "hard_close_on": "2026-10-09", "reason": "台风", "yes": "yes"}
        assert admin.post(f"{address}/put-off", data=later).headers["location"] == address
        assert "2026-10-09 23:59" in admin.get(address).text
    made = school.session.scalars(select(Round).where(Round.name == "2026秋")).one()
    assert made.phase is RoundPhase.OPEN


def test_the_head_of_a_page_leads_to_one_s_office(web: Web, school: School) -> None:
    with web.of("A01") as admin, web.of("T01") as teacher:
        assert ('href="/school"' in admin.get("/me").text, 'href="/school"' in teacher.get("/me").text) == (True, False)
        assert "2026春" in admin.get("/school").text


def test_who_only_administers_or_judges_comes_to_the_desk_and_is_led_step_by_step(web: Web, school: School) -> None:
    def steps(client: TestClient) -> tuple[list[str], list[str]]:
        shown = client.get("/school").text
        return re.findall(r"<h2[^>]*>(\d)", shown), re.findall(r'btn-primary" href="([^"]+)"', shown)

    people.found_school(school.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    with web.of("A01") as admin, web.of("Z01") as fresh, web.of("T01") as teacher, web.of("P1") as member:
        assert admin.get("/").headers["location"] == "/school"
        assert "还没有参加" in teacher.get("/").text
        assert member.get("/").headers["location"] == "/panel"
        assert steps(fresh) == (["1", "2", "3"], ["/school/schemes"])
        chosen = {"scheme": "fuqing-50", "effective_from": "2026-03-01"}
        draft = fresh.post("/school/schemes", data=chosen).headers["location"]
        assert steps(fresh) == (["1", "2", "3"], [draft])
        version = school.session.scalars(select(SchemeVersion).order_by(SchemeVersion.id.desc())).first()
        assert version is not None
        version.state = SchemeState.PUBLISHED
        web.release()
        assert steps(fresh) == (["1", "2", "3"], ["/school/sheets"])
        assert "先发布一个考核方案" not in fresh.get("/school").text
        school.round.phase = RoundPhase.OPEN
        school.round.scheme_digest = school.version.digest
        web.release()
        assert steps(admin) == ([], [])


def test_a_school_s_own_scheme_is_looked_at_line_by_line_and_kept(web: Web, school: School) -> None:
    with web.of("A01") as admin:
        text = admin.get("/school/library/fuqing-50/yaml").text
        assert 'href="/school/own-scheme"' in admin.get("/school/schemes").text
        wrong = text.replace("\ntitle_zh:", "\nanchor: &a 1\ntitle_zh:", 1).replace(
            "\nedition:", "\nbandz: []\nedition:", 1
        )
        page = admin.post("/school/own-scheme", data={"text": wrong}, files={"file": ("", b"")}).text
        line = wrong.splitlines().index("bandz: []") + 1
        assert f"<strong>第{line}行</strong> <code>bandz</code> 不认识的字段“bandz”，是不是“bands”？" in page
        assert ("2处错误，0处提醒" in page, "/school/own-scheme/keep" in page) == (True, False)
        own = text.replace("title_zh: ", "title_zh: 第一小学", 1).replace("min: 50", "min: 60", 1)
        assert own != text
        page = admin.post("/school/own-scheme", files={"file": ("own.yaml", b"\xef\xbb\xbf" + own.encode())}).text
        assert ("0处错误" in page, "由50改为60" in page, "第一小学" in page) == (True, True, True)
        kept = {"text": own.replace("\n", "\r\n"), "effective_from": "2026-03-01"}
        assert admin.post("/school/own-scheme/keep", data={**kept, "text": wrong}).status_code == 422
        address = admin.post("/school/own-scheme/keep", data=kept).headers["location"]
        again = admin.get(f"{address}/yaml")
        assert again.headers["content-disposition"].endswith("fuqing-50.yaml")
        version = school.session.scalars(select(SchemeVersion).order_by(SchemeVersion.id.desc())).first()
        assert version is not None
        assert (
            schemes.parse(again.text, source="again").digest == version.digest == schemes.parse(own, source="x").digest
        )
        web.release()


def test_what_no_scheme_needs_is_refused_before_it_is_read(web: Web, school: School) -> None:
    with web.of("A01") as admin, web.of("T01") as teacher:
        assert teacher.post("/school/own-scheme", files={"file": ("a.yaml", b"a: 1")}).status_code == 403
        for text, said in (
            ("a: &a [1]\nb: [*a, *a]", "第2行</strong> 请不要用引用（*a）"),
            ("[" * 5000, "层次太深（超过40层）"),
            ("version: " + "9" * 5000, "不是正确的 YAML"),
            ("!!python/object/apply:os.system [ls]", "方案应是一组"),
            ("a: 1\n" * 40_000, "方案太长（超过150000字）"),
        ):
            page = admin.post("/school/own-scheme", files={"file": ("a.yaml", text.encode())})
            assert (said in page.text, page.status_code) == (True, 200)
        assert admin.post("/school/own-scheme", files={"file": ("a.yaml", "方案".encode("gb18030"))}).status_code == 422
        assert admin.post("/school/own-scheme", files={"file": ("a.yaml", b"a" * 1_300_000)}).status_code == 422
        assert admin.get("/school/library/defaults/yaml").status_code == 404
        assert admin.get("/school/library/..%2Fdefaults/yaml").status_code == 404
