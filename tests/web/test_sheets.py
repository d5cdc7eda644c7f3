from __future__ import annotations

import io
import re
from urllib.parse import quote

import python_calamine
from sqlalchemy import func, select
from starlette.testclient import TestClient

from models import Person, SheetImport
from review_flow.outside.workbooks import Page, write
from review_flow.rules.words import JobState, SheetKind
from review_flow.steps import imports
from tests.cast import School
from tests.web.conftest import Web

ROSTER = ["工号", "姓名", "学科"]


def send(client: TestClient, place: str, *rows: list[str], kind: str = "roster", name: str = "名单.xlsx") -> str:
    file = (name, write([Page("表", ROSTER, rows)]))
    answer = client.post(f"{place}/sheets", data={"kind": kind}, files={"file": file})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def work(web: Web) -> None:
    """What the worker does."""
    for one in web.session.scalars(
        select(SheetImport).where(SheetImport.state.in_([JobState.LOOKING, JobState.WAITING]))
    ):
        imports.run(web.session, sheet_import=one, storage=web.app.state.storage)
    web.release()


def people(web: Web) -> int:
    found = web.session.scalar(select(func.count()).select_from(Person))
    web.release()
    return found or 0


def test_a_template_is_the_sheet_s_own(web: Web, school: School) -> None:
    with web.of("A01") as admin:
        for kind in SheetKind:
            book = python_calamine.load_workbook(io.BytesIO(admin.get(f"/school/templates/{kind.value}").content))
            assert book.sheet_names[1] == "填写说明"
        assert admin.get("/school/templates/nothing").status_code == 404


def test_a_sheet_is_looked_through_taken_and_taken_back(web: Web, school: School) -> None:
    before = people(web)
    with web.of("A01") as admin:
        place = f"/school/rounds/{school.round.id}"
        address = send(admin, place, ["N1", "新人", "美术"], ["T01", "王芳", "化学"], ["T02", "李伟", "语文"])
        under_way = admin.get(address).text
        assert ("正在看这张表" in under_way, f'hx-get="{address}/part"' in under_way) == (True, True)
        work(web)
        seen = admin.get(f"{address}/part").text
        assert ("新增1行，变更1行，不变1行" in seen, "学科：物理 → 化学" in seen, "every 2s" in seen) == (
            True,
            True,
            False,
        )
        assert ("N1" in admin.get(f"{address}?only=new").text, "T02" in admin.get(f"{address}?only=new").text) == (
            True,
            False,
        )
        assert people(web) == before
        assert admin.post(f"{address}/take").headers["location"] == address
        assert "正在导入" in admin.get(address).text
        work(web)
        assert (people(web), "撤销这次导入" in admin.get(address).text) == (before + 1, True)
        assert admin.post(f"{address}/undo", data={"yes": "yes"}).headers["location"] == address
        assert (people(web), "已撤销" in admin.get(address).text) == (before, True)
        assert admin.post(f"{address}/take").status_code == 409
        assert "名单.xlsx" in admin.get(f"{place}/sheets").text


def test_what_is_wrong_is_said_row_by_row_and_given_back_as_a_sheet(web: Web, school: School) -> None:
    with web.of("A01") as admin:
        address = send(admin, "/school", ["N1", ""], ["N1", "重复"])
        work(web)
        told = admin.get(address).text
        assert "第2行“姓名”" in told
        copy = admin.get(f"{address}/problems.xlsx")
        assert (copy.content[:2], quote("名单-问题.xlsx") in copy.headers["content-disposition"]) == (b"PK", True)
        left = send(admin, "/school", ["N2", "新人"])
        assert admin.get(f"{left}/problems.xlsx").status_code == 404
        work(web)
        assert admin.post(f"{left}/leave").headers["location"] == left


def test_what_is_no_sheet_is_refused_before_it_is_read(web: Web, school: School) -> None:
    with web.of("A01") as admin, web.of("T01") as teacher:
        assert admin.post("/school/sheets", data={"kind": "roster"}).status_code == 422
        file = {"file": ("a.xlsx", b"x")}
        assert "请选择是哪一种表" in admin.post("/school/sheets", data={"kind": "x"}, files=file).text
        for length, status, said in (("59000000", 422, "兆字节"), ("900000000", 413, "60 MB")):
            large = admin.post("/school/sheets", content=b"", headers={"content-length": length})
            assert (length, large.status_code, said in large.text) == (length, status, True)
        assert teacher.post("/school/sheets", data={"kind": "roster"}, files=file).status_code == 403


def test_a_long_look_is_paged_and_the_platform_s_columns_are_known(web: Web, school: School) -> None:
    names = {"number": "账号", "name": "姓名"}
    imports.keep_provider(
        school.session, actor=school.admin, organization=school.organization, name="平台", kind=SheetKind.ROSTER,
        columns=names, constants={},
    )  # fmt: skip
    rows = [[f"N{number:03}", "新人"] for number in range(70)]
    file = ("平台.xlsx", write([Page("表", ["账号", "姓名"], rows)]))
    with web.of("A01") as admin:
        sent = {"kind": "roster", "provider": "平台"}
        address = admin.post("/school/sheets", data=sent, files={"file": file}).headers["location"]
        work(web)
        first, second = admin.get(address).text, admin.get(f"{address}?page=2").text
        assert ("N049" in first, "N050" in first, "N050" in second, "第2页，共2页" in second) == (
            True,
            False,
            True,
            True,
        )


def test_a_look_shows_what_is_stored_and_hints_at_words_that_are_not_usual(web: Web, school: School) -> None:
    rows = [
        ["Ｎ００２", "杨　丽", "小學"],
        ["N003", " Anna  Li ", "中学"],
        ["N004", "Ｌi 王 芳", "小学低段"],
        ["N005", "无", ""],
    ]
    with web.of("A01") as admin:
        file = ("名单.xlsx", write([Page("表", ["工号", "姓名", "学段"], rows)]))
        address = admin.post("/school/sheets", data={"kind": "roster"}, files={"file": file}).headers["location"]
        work(web)
        told = admin.get(address).text
        assert re.findall(r'data-th="(?:工号|姓名)">([^<]*)<', told) == [
            *("N002", "杨丽", "N003", "Anna Li", "N004", "Li 王芳", "N005", "无")
        ]
        assert ("是不是“小学”？" in told, "“中学”不常用，请核对" in told, "“小学低段”" in told) == (True, True, False)
        admin.post(f"{address}/take")
        work(web)
        assert "下一步：让新来的人能登录" in admin.get(address).text
        assert "N002" in admin.get("/school/people?word=杨丽").text
