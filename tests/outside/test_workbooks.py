from __future__ import annotations

import io
import zipfile
from datetime import date
from decimal import Decimal

import python_calamine

from review_flow.outside.cells import Column, Kind
from review_flow.outside.spreadsheets import Problems, Table, read
from review_flow.outside.workbooks import Page, problem_sheet, template, write

TABLE = Table(
    "名单",
    (
        Column("number", "工号", Kind.CODE, required=True, note="本校唯一", example="007"),
        Column("name", "姓名", required=True, example="王芳"),
        Column("born", "出生日期", Kind.DATE),
        Column("hours", "学时", Kind.DECIMAL),
        Column("stage", "学段", Kind.CHOICE, choices=("小学", "初中")),
        Column("long", "专业", Kind.CHOICE, choices=tuple(f"专业方向之{n}" for n in range(60))),
        Column("local", "本校", Kind.YES_NO),
    ),
    ("空白的格子保留原来的内容。",),
)


def cells(data: bytes) -> dict[str, list[list[object]]]:
    made = python_calamine.load_workbook(io.BytesIO(data))
    return {name: made.get_sheet_by_name(name).to_python() for name in made.sheet_names}


def part(data: bytes, name: str) -> str:
    return zipfile.ZipFile(io.BytesIO(data)).read(name).decode()


def test_template_has_headers_words_to_choose_and_a_guide():
    made = template(TABLE)
    sheets = cells(made)
    assert sheets["名单"] == [["工号*", "姓名*", "出生日期", "学时", "学段", "专业", "本校"]]
    guide = sheets["填写说明"]
    assert guide[0] == ["列", "必填", "形式", "说明", "示例"]
    assert guide[1] == ["工号", "是", "文字（请勿用数字格式）", "本校唯一", "007"]
    assert guide[5][:3] == ["学段", "否", "从下拉列表中选一项：小学、初中"]
    assert guide[-1][0] == "空白的格子保留原来的内容。"
    xml = part(made, "xl/worksheets/sheet1.xml")
    assert xml.count("<dataValidation ") == 2
    assert 'sqref="E2:E1001"' in xml
    assert '"小学,初中"' in xml.replace("&quot;", '"')
    assert 'sqref="G2:G1001"' in xml


def test_a_filled_template_is_read_and_the_guide_is_not():
    problems = Problems()
    made = write(
        [Page("名单", ["工号*", "姓名*"], [["007", "王芳"]]), *[Page("填写说明", ["列"], [["工号"], ["姓名"]])]]
    )
    assert [row.text("number") for row in read(TABLE, made, problems=problems).rows] == ["007"]


def test_nothing_a_person_typed_becomes_a_formula_or_a_link():
    hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "{=1}", "http://example.invalid", "=cmd|' /C calc'!A0"]
    made = write([Page("一", ["甲"], [[text] for text in hostile])])
    assert [row[0] for row in cells(made)["一"][1:]] == hostile
    assert "<f>" not in part(made, "xl/worksheets/sheet1.xml")
    assert "hyperlink" not in part(made, "xl/worksheets/sheet1.xml")


def test_every_kind_of_cell():
    made = write([Page("一", ["甲"], [[Decimal("79.95"), date(2022, 3, 1), None, "", True, False, 3, 1.5, "字"]])])
    assert cells(made)["一"][1] == [79.95, date(2022, 3, 1), "", "", "是", "否", 3.0, 1.5, "字"]
    assert "<v>79.95</v>" in part(made, "xl/worksheets/sheet1.xml")


def test_a_text_longer_than_excel_holds_is_cut():
    assert len(str(cells(write([Page("一", ["甲"], [["字" * 40_000]])]))["一"][1][0])) == 32_000


def test_the_same_pages_give_the_same_bytes():
    page = Page("一", ["甲"], [["1", Decimal("2.00")]])
    assert write([page]) == write([page])
    assert template(TABLE) == template(TABLE)


def test_problem_sheet_gives_the_rows_back_with_what_is_wrong():
    data = write(
        [Page("x", ["姓名", "备注", "工号", "问题"], [["王芳", "=1+1", "1", "旧的"], ["", "b", "2", ""], ["李明"]])]
    )
    problems = Problems()
    sheet = read(TABLE, data, problems=problems)
    problems.add(3, "另一个问题")
    problems.add(0, "整个文件的问题")
    made = problem_sheet(sheet, problems, title="名单")
    assert cells(made) == {
        "名单": [
            ["姓名", "备注", "工号", "问题"],
            ["", "", "", "整个文件的问题"],
            ["王芳", "=1+1", "1", ""],
            ["", "b", "2", "第3行“姓名”不能为空。\n另一个问题"],
            ["李明", "", "", "第4行“工号”不能为空。"],
        ]
    }


def test_a_mended_problem_sheet_can_be_brought_again():
    problems = Problems()
    sheet = read(TABLE, write([Page("x", ["工号", "姓名"], [["1", ""]])]), problems=problems)
    made = problem_sheet(sheet, problems, title="名单")
    again = Problems()
    assert [row.number for row in read(TABLE, made, problems=again).rows] == [2]
    assert again.rows == {2: ["第2行“姓名”不能为空。"]}
