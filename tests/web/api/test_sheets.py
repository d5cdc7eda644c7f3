"""Sheets of any kind by their bytes: looked through, taken or left, given back, undone."""

from __future__ import annotations

from starlette.testclient import TestClient

from review_flow.outside.spreadsheets import MOST_BYTES
from review_flow.outside.workbooks import Page, write
from review_flow.rules.words import SheetKind
from review_flow.steps import imports, people
from tests.cast import School
from tests.web.api.conftest import Program
from tests.web.api.test_setup import code
from tests.web.conftest import Web
from tests.web.test_sheets import ROSTER, work

CHANGED = write([Page("表", ROSTER, [["N1", "新人", "美术"], ["T01", "王芳", "化学"], ["T02", "李伟", "语文"]])])
WRONG = write([Page("表", ROSTER, [["N1", "", ""], ["N1", "重复", ""]])])


def bring(client: TestClient, data: bytes = CHANGED, **words: object) -> int:
    answer = client.post("/imports", content=data, params={"kind": "roster", **words})
    assert answer.status_code == 202, answer.text
    return int(answer.json()["id"])


def test_a_sheet_is_looked_through_taken_and_undone(web: Web, school: School, program: Program) -> None:
    with program("A01") as admin, program("T01") as teacher:
        key = bring(admin, file_name="名单.xlsx", round_id=school.round.id)
        place = f"/imports/{key}"
        assert code(admin.post(f"{place}/take")) == (409, "nothing-to-take")
        work(web)
        told = admin.get(place).json()
        assert (told["state"], told["kind"], told["file_name"]) == ("looked", "roster", "名单.xlsx")
        assert told["counts"] == {"new": 1, "changed": 1, "same": 1}
        first = admin.get(f"{place}/rows?limit=2").json()
        assert [(one["row"], one["what"]) for one in first["items"]] == [(0, "new"), (1, "changed")]
        assert first["items"][1]["told"] == [{"name": "学科", "was": "物理", "now": "化学"}]
        [last] = admin.get(f"{place}/rows?cursor={first['next']}").json()["items"]
        assert (last["cells"], last["what"]) == (["T02", "李伟", "语文"], "same")
        assert (admin.post(f"{place}/take").status_code, teacher.get(place).status_code) == (202, 403)
        work(web)
        done = admin.get(place).json()
        assert (done["state"], done["rows"], done["not_undoable"]) == ("done", 3, None)
        assert admin.post(f"{place}/undo").json()["state"] == "taken_back"
        assert code(admin.post(f"{place}/undo")) == (409, "not-taken-back")
        left = bring(admin)
        work(web)
        assert admin.post(f"/imports/{left}/leave").json()["state"] == "taken_back"
        assert [one["id"] for one in admin.get("/imports").json()["items"]] == [left, key]


def test_a_refused_sheet_is_given_back_with_what_is_wrong(web: Web, school: School, program: Program) -> None:
    with program("A01") as admin:
        key = bring(admin, WRONG, look=False)
        assert code(admin.get(f"/imports/{key}/problem-sheet")) == (404, "not-found")
        work(web)
        told = admin.get(f"/imports/{key}").json()
        assert (told["state"], {one["row"] for one in told["problems"]}) == ("refused", {0, 1})
        sheet = admin.get(f"/imports/{key}/problem-sheet")
        assert (sheet.content[:2], sheet.headers["content-disposition"][:10]) == (b"PK", "attachment")
        assert sheet.headers["x-content-type-options"] == "nosniff"
        for kind in SheetKind:
            assert admin.get(f"/sheet-templates/{kind.value}").content == imports.template(kind)
        assert admin.get("/sheet-templates/nothing").status_code == 404


def test_what_is_no_sheet_is_refused_before_it_is_kept(web: Web, school: School, program: Program) -> None:
    people.found_school(school.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    imports.keep_provider(
        school.session, actor=school.admin, organization=school.organization, name="平台", kind=SheetKind.ROSTER,
        columns={"number": "账号"}, constants={},
    )  # fmt: skip
    with program("A01") as admin, program("Z01") as stranger:
        assert code(admin.post("/imports?kind=hours", content=CHANGED)) == (422, "bad-input")
        assert admin.post("/imports?kind=poem", content=CHANGED).status_code == 422
        assert code(admin.post("/imports?kind=roster&provider=无", content=CHANGED)) == (404, "not-found")
        assert code(admin.post("/imports?kind=survey&round_id=1", content=b"x")) == (422, "sheet-unreadable")
        assert stranger.post("/imports?kind=hours&round_id=1", content=CHANGED).status_code == 404
        assert code(admin.post("/imports?kind=roster", content=bytes(MOST_BYTES + 1))) == (413, "body-too-large")
        with_columns = write([Page("表", ["账号", "姓名"], [["N1", "新人"]])])
        key = bring(admin, with_columns, provider="平台")
        work(web)
        assert admin.get(f"/imports/{key}").json()["state"] == "looked"
        assert stranger.get(f"/imports/{key}").status_code == 404


def test_the_same_sheet_sent_twice_is_one_import(web: Web, school: School, program: Program) -> None:
    with program("A01") as admin:
        headers = {"idempotency-key": "one"}
        first = admin.post("/imports?kind=roster", content=CHANGED, headers=headers)
        again = admin.post("/imports?kind=roster", content=CHANGED, headers=headers)
        assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
        assert code(admin.post("/imports?kind=roster", content=WRONG, headers=headers)) == (422, "key-used-otherwise")
        long = bytes(3_000_000)
        assert admin.post("/imports?kind=roster", content=long).status_code == 202
        assert len(admin.get("/imports").json()["items"]) == 2
