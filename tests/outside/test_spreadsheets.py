"""What people really send: other column orders, lost digits, old encodings, broken and hostile files."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from decimal import Decimal

import pytest
import xlsxwriter

from review_flow.outside import spreadsheets
from review_flow.outside.cells import Column, Kind
from review_flow.outside.spreadsheets import Problems, SheetUnreadable, Table, read

TABLE = Table(
    "测试",
    (
        Column("number", "工号", Kind.CODE, required=True),
        Column("name", "姓名", required=True),
        Column("identity", "身份证号", Kind.CODE),
        Column("born", "出生日期", Kind.DATE),
        Column("hours", "学时", Kind.DECIMAL),
        Column("count", "次数", Kind.INTEGER),
        Column("stage", "学段", Kind.CHOICE, choices=("小学", "初中")),
        Column("roles", "角色", Kind.CHOICES, choices=("教师", "坊主")),
        Column("local", "本校", Kind.YES_NO),
    ),
)


def book(*sheets: list[list[object]], formats: dict[type, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"default_date_format": "yyyy-mm-dd"}) as made:
        for rows in sheets:
            sheet = made.add_worksheet()
            for number, row in enumerate(rows):
                for place, cell in enumerate(row):
                    if cell is not None:
                        sheet.write(number, place, cell)
    return buffer.getvalue()


def values(data: bytes) -> list[dict[str, object]]:
    problems = Problems()
    sheet = read(TABLE, data, problems=problems)
    assert problems.rows == {}
    return [{key: value for key, value in row.values.items() if value is not None} for row in sheet.rows]


def one(name: str, cell: object) -> object:
    """The value of one cell, or its problem."""
    problems = Problems()
    sheet = read(TABLE, book([["工号", "姓名", name], ["1", "王芳", cell]]), problems=problems)
    column = next(column for column in TABLE.columns if column.name_zh == name)
    return problems.rows[2] if problems else sheet.rows[0].values[column.key]


def unreadable(data: bytes) -> str:
    with pytest.raises(SheetUnreadable) as refused:
        read(TABLE, data, problems=Problems())
    assert refused.value.status == 422
    return str(refused.value)


def test_columns_in_any_order_with_extra_ones_and_a_title_above():
    data = book(
        [
            ["2022年教师名单"],
            [],
            ["序号", "姓　名", "备注", " 工号*（必填） "],
            [1, "王芳", "x", "007"],
            [2, None, None, None],
            [None, "  李明　", None, 8],
        ]
    )
    assert values(data) == [{"number": "007", "name": "王芳"}, {"number": "8", "name": "李明"}]


def test_rows_keep_their_number_in_the_sheet():
    problems = Problems()
    sheet = read(TABLE, book([["标题"], [], ["工号", "姓名"], [], ["1", "王芳"], [], ["2", None]]), problems=problems)
    assert [row.number for row in sheet.rows] == [5, 7]
    assert problems.rows == {7: ["第7行“姓名”不能为空。"]}


def test_a_sheet_that_begins_away_from_the_corner():
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as made:
        sheet = made.add_worksheet()
        sheet.write_row(4, 3, ["工号", "姓名"])
        sheet.write_row(6, 3, ["T1", "王芳"])
    problems = Problems()
    read_sheet = read(TABLE, buffer.getvalue(), problems=problems)
    assert [(row.number, row.text("number"), row.text("name")) for row in read_sheet.rows] == [(7, "T1", "王芳")]


def test_the_sheet_that_names_most_columns_is_read():
    assert values(book([["填写说明"], ["姓名"]], [["工号", "姓名"], ["1", "王芳"]])) == [
        {"number": "1", "name": "王芳"}
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        ("007", "007"),
        ("Ｔ００７", "T007"),
        (" T 7 ", "T7"),
        (999999999999999, "999999999999999"),
        (1.5, "1.5"),
        (True, "是"),
    ],
)
def test_codes(cell, text):
    assert one("身份证号", cell) == text


@pytest.mark.parametrize("cell", [110101199003078888, 1000000000000000, -1e18])
def test_a_long_number_that_lost_its_digits_is_refused(cell):
    assert one("身份证号", cell) == ["第2行“身份证号”是数字格式，末位已丢失：请把该列设为文本后重新填写"]


def test_the_same_digits_as_text_are_kept():
    assert one("身份证号", "110101199003078888") == "110101199003078888"


@pytest.mark.parametrize(
    "cell",
    [
        date(2022, 3, 1),
        datetime(2022, 3, 1, 8, 30),  # noqa: DTZ001 - Excel knows no zones
        "2022-03-01",
        "2022/3/1",
        "2022.3.1",
        "2022年3月1日",
        "20220301",
        20220301,
        "２０２２-３-１",
    ],
)
def test_dates(cell):
    assert one("出生日期", cell) == date(2022, 3, 1)


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("2022-02-30", "没有“2022-02-30”这一天。"),
        ("三月一日", "“三月一日”不是日期，应写成 2022-03-01 的样子。"),
        (44621, "“44621”不是日期，应写成 2022-03-01 的样子。"),
        ("2022-3-1-5", "“2022-3-1-5”不是日期，应写成 2022-03-01 的样子。"),
    ],
)
def test_wrong_dates(cell, problem):
    assert one("出生日期", cell) == [f"第2行“出生日期”{problem}"]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (12.5, "12.5"),
        ("12.50", "12.50"),
        (0.1 + 0.2, "0.3"),
        (25, "25"),
        ("-1", "-1"),
        ("＋２", "2"),
        ("1.500", "1.500"),
    ],
)
def test_decimals(cell, number):
    assert str(one("学时", cell)) == number


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("十二", "“十二”不是数字。"), ("1e3", "“1e3”不是数字。"), ("NaN", "“NaN”不是数字。"), (1.234, "最多两位小数。"),
        ("12345678901", "“12345678901”不是数字。"), (1e300, "是数字格式，末位已丢失：请把该列设为文本后重新填写"), ("١٢", "“١٢”不是数字。"),
    ],
)  # fmt: skip
def test_wrong_decimals(cell, problem):
    assert one("学时", cell) == [f"第2行“学时”{problem}"]


def test_integers():
    assert one("次数", 3) == 3
    assert one("次数", "3.00") == 3
    assert one("次数", 1.5) == ["第2行“次数”应为整数。"]


def test_choices():
    assert one("学段", " 初中 ") == "初中"
    assert one("学段", "高中") == ["第2行“学段”里没有“高中”，可填：小学、初中。"]
    assert one("角色", "坊主、教师，坊主") == ("坊主", "教师")
    assert one("角色", "教师、班主任") == ["第2行“角色”里没有“班主任”，可填：教师、坊主。"]


def test_yes_and_no():
    assert [one("本校", cell) for cell in ("是", "否", True, False)] == [True, False, True, False]
    assert one("本校", "对") == ["第2行“本校”应填“是”或“否”。"]


def test_texts_have_an_end_and_no_control_characters():
    problems = Problems()
    read(
        TABLE, book([["工号", "姓名"], ["1", "字" * 501], ["2", "a\x07b"], ["3", date(2022, 3, 1)]]), problems=problems
    )
    assert problems.rows == {2: ["第2行“姓名”超过500个字。"], 3: ["第3行“姓名”含有不可见的控制字符，请重新填写。"]}


def test_blank_of_every_kind_is_blank():
    problems = Problems()
    sheet = read(TABLE, book([["工号", "姓名"], ["\u200b1\ufeff", "\u3000\u00a0\u200b"]]), problems=problems)
    assert problems.rows == {2: ["第2行“姓名”不能为空。"]}
    row = sheet.rows[0]
    assert row.text("number") == "1"
    assert (row.text("name"), row.day("born"), row.decimal("hours"), row.words("roles")) == ("", None, Decimal(0), ())


def test_rows_give_what_they_hold():
    data = book([["工号", "姓名", "出生日期", "学时", "角色"], ["1", "王芳", "2022-03-01", 2.5, "教师"]])
    row = read(TABLE, data, problems=Problems()).rows[0]
    assert (row.day("born"), row.decimal("hours"), row.words("roles")) == (date(2022, 3, 1), Decimal("2.5"), ("教师",))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_comma_separated_values(encoding):
    text = '工号,姓名,备注\r\n007,王芳,"a,\r\nb"\r\n,,\r\n8,䶮明\r\n'
    assert values(text.encode(encoding)) == [{"number": "007", "name": "王芳"}, {"number": "8", "name": "䶮明"}]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "没有找到表头。表头一行应有：工号、姓名。"),
        (b"\xff\xfe\xff", "文字编码既不是 UTF-8 也不是 GB18030。请另存为 xlsx 后再导入。"),
        (b"a\0b", "不是 Excel（xlsx、xls）、ODS 或 CSV 文件。"),
        ('工号,姓名\n1,"王芳\n'.encode(), "不是完整的 CSV 文件。请另存为 xlsx 后再导入。"),
        (b"PK\x03\x04junk", "文件已损坏，或不是 Excel、ODS 文件。请另存为 xlsx 后再导入。"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 600, "文件已损坏，或不是 Excel、ODS 文件。请另存为 xlsx 后再导入。"),
        ("工号,学科\n1,语文\n".encode(), "表头缺少这些列：姓名。"),
        ("工号,姓名,姓 名\n1,王芳,李明\n".encode(), "表头中有重复的列：姓名。"),
        ("工号,姓名\n".encode(), "表头下面没有数据。"),
        ("学科,年级\n语文,初一\n".encode(), "没有找到表头。表头一行应有：工号、姓名。"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(data, why):
    assert unreadable(data) == f"这个文件读不出来：{why}"


def test_other_zips_are_no_sheets():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("photo.jpg", b"x")
    assert (
        unreadable(buffer.getvalue())
        == "这个文件读不出来：文件已损坏，或不是 Excel、ODS 文件。请另存为 xlsx 后再导入。"
    )


def test_too_many_bytes_and_too_many_rows():
    assert (
        unreadable(b"x" * (spreadsheets.MOST_BYTES + 1))
        == "这个文件读不出来：文件超过10兆字节，请拆成几个文件分别导入。"
    )
    rows = "".join(f"{number},王芳\n" for number in range(20_001))
    assert unreadable(f"工号,姓名\n{rows}".encode()) == "这个文件读不出来：超过20000行，请拆成几个文件分别导入。"


def test_a_cell_in_the_farthest_corner_ends_the_child_and_not_us():
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as made:
        sheet = made.add_worksheet()
        sheet.write(0, 0, "工号")
        sheet.write(1048575, 16383, "x")
    assert unreadable(buffer.getvalue()) == "这个文件读不出来：文件太大或已损坏。请把数据复制到新下载的模板里再导入。"


def test_a_zip_bomb_ends_the_child_and_not_us():
    source = zipfile.ZipFile(io.BytesIO(book([["工号", "姓名"], ["1", "王芳"]])))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        for name in source.namelist():
            before, found, after = source.read(name).partition("王芳".encode())
            with bundle.open(name, "w", force_zip64=True) as entry:
                entry.write(before)
                for _ in range(700 if found else 0):
                    entry.write(b"x" * (1 << 20))
                entry.write(after)
    assert len(buffer.getvalue()) < spreadsheets.MOST_BYTES
    assert unreadable(buffer.getvalue()) == "这个文件读不出来：文件太大或已损坏。请把数据复制到新下载的模板里再导入。"


def test_formulas_come_as_their_values_and_text_stays_text():
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as made:
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["工号", "姓名"])
        sheet.write_formula(1, 0, "=3+4", value=7)
        sheet.write_string(1, 1, "=HYPERLINK(1)")
    assert values(buffer.getvalue()) == [{"number": "7", "name": "=HYPERLINK(1)"}]


def test_a_sheet_of_the_old_excel():
    import xlwt

    old = xlwt.Workbook(encoding="utf-8")
    sheet = old.add_sheet("名单")
    day = xlwt.easyxf(num_format_str="yyyy-mm-dd")
    for place, cell in enumerate(["工号", "姓名", "出生日期", "学时"]):
        sheet.write(0, place, cell)
    for place, cell in enumerate([7, "王芳", date(1980, 5, 1), 12.5]):
        sheet.write(1, place, cell, day) if isinstance(cell, date) else sheet.write(1, place, cell)
    buffer = io.BytesIO()
    old.save(buffer)
    data = buffer.getvalue()
    assert data[:4] == b"\xd0\xcf\x11\xe0"
    assert values(data) == [{"number": "7", "name": "王芳", "born": date(1980, 5, 1), "hours": Decimal("12.5")}]


def problems_of(data: bytes) -> dict[int, list[str]]:
    problems = Problems()
    read(TABLE, data, problems=problems)
    return problems.rows


def test_a_cell_under_a_merged_one_is_never_taken_for_blank():
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as made:
        sheet = made.add_worksheet()
        sheet.merge_range(0, 0, 0, 3, "2026年教师名单")
        sheet.write_row(1, 0, ["工号", "姓名", "学段", "备注"])
        sheet.write_row(2, 0, ["1", "王芳", None, "x"])
        sheet.write_row(3, 0, ["2", "李明"])
        sheet.merge_range(2, 2, 3, 2, "小学")
        sheet.write_row(4, 0, ["3", "赵六"])
        sheet.merge_range(4, 3, 5, 3, "y")  # of nobody's column, and the row below says nothing else
    assert problems_of(buffer.getvalue()) == {4: ["第4行“学段”在合并的单元格里，请取消合并，每格都填上。"]}


def test_a_formula_that_failed_is_never_taken_for_blank():
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as made:
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["工号", "姓名", *[None] * 25, "学段"])
        sheet.write_row(1, 0, ["1", "王芳"])
        sheet.write_formula(1, 27, "=VLOOKUP(A2,A9:B9,2,0)", value="#N/A")
        sheet.write_formula(2, 0, "=1/0", value="#DIV/0!")
    said = "是出错的公式，请改成应有的值。"
    assert problems_of(buffer.getvalue()) == {
        2: [f"第2行“学段”{said}"],
        3: [f"第3行“工号”{said}", "第3行“姓名”不能为空。"],
    }
    comma = problems_of("工号,姓名\n1,#N/A\n1.10101E+17,李明\n".encode("gb18030"))
    assert comma == {
        2: [f"第2行“姓名”{said}"],
        3: ["第3行“工号”是数字格式，末位已丢失：请把该列设为文本后重新填写"],
    }


def open_document(*rows: str) -> bytes:
    """An ods as LibreOffice writes it."""
    office = "urn:oasis:names:tc:opendocument:xmlns"
    names = {
        "office": f"{office}:office:1.0",
        "table": f"{office}:table:1.0",
        "text": f"{office}:text:1.0",
        "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }
    spaces = " ".join(f'xmlns:{short}="{name}"' for short, name in names.items())
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    content = (
        f'<office:document-content {spaces}><office:body><office:spreadsheet><table:table table:name="表">'
        f'<table:table-row table:number-rows-repeated="3"><table:table-cell/></table:table-row>{body}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        bundle.writestr("content.xml", content)
        manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        bundle.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{manifest}"/>')
    return buffer.getvalue()


def test_the_same_is_seen_in_an_open_document():
    def cell(text: str, more: str = "") -> str:
        return f'<table:table-cell office:value-type="string" {more}><text:p>{text}</text:p></table:table-cell>'

    data = open_document(
        cell("工号") + cell("姓名") + cell("学段"),
        cell("1") + cell("王芳") + cell("小学", 'table:number-rows-spanned="2"'),
        cell("2") + cell("李明") + '<table:covered-table-cell table:number-columns-repeated="2000"/>',
        cell("3")
        + '<table:table-cell office:value-type="string" office:string-value="" calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>',
    )
    assert problems_of(data) == {
        6: ["第6行“学段”在合并的单元格里，请取消合并，每格都填上。"],
        7: ["第7行“姓名”是出错的公式，请改成应有的值。"],
    }


def test_a_hidden_sheet_is_not_read_and_two_alike_are_not_guessed_at():
    def two(*, hidden: bool) -> bytes:
        buffer = io.BytesIO()
        with xlsxwriter.Workbook(buffer) as made:
            for name, person in (("旧", "王芳"), ("新", "李明")):
                sheet = made.add_worksheet(name)
                sheet.write_row(0, 0, ["工号", "姓名"])
                sheet.write_row(1, 0, ["1", person])
                sheet.write_row(2, 0, ["2", person])
            if hidden:
                sheet.activate()
                made.get_worksheet_by_name("旧").hide()
        return buffer.getvalue()

    assert [row["name"] for row in values(two(hidden=True))] == ["李明", "李明"]
    why = "有几张工作表都像要导入的表：旧、新。请合成一张，或分别导入。"
    assert unreadable(two(hidden=False)) == f"这个文件读不出来：{why}"


def test_a_hidden_row_is_a_row_like_any_other():
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as made:
        sheet = made.add_worksheet()
        sheet.write_row(0, 0, ["工号", "姓名"])
        sheet.write_row(1, 0, ["1", None])
        sheet.set_row(1, None, None, {"hidden": True})
    assert problems_of(buffer.getvalue()) == {2: ["第2行“姓名”不能为空。"]}
