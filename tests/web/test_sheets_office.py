"""A roster with every fault that people make, as LibreOffice really writes it, by way of the pages.

LibreOffice takes half a minute to write them, so it is asked for: `REVIEW_FLOW_OFFICE=1 pytest tests/web/test_sheets_office.py`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import datetime
from html import unescape
from pathlib import Path

import pytest
import xlsxwriter

from tests.cast import School
from tests.web.conftest import Web
from tests.web.test_sheets import people, work

SOFFICE = shutil.which("soffice")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("REVIEW_FLOW_OFFICE" not in os.environ, reason="not asked for by REVIEW_FLOW_OFFICE=1"),
    pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not on this machine (apt-get install libreoffice-calc)"),
]
FORMATS = {
    "ods": "ods",
    "xls": "xls",
    # commas, double quotes, GB18030, from the first line on, the second sheet
    "csv": "csv:Text - txt - csv (StarCalc):44,34,85,1,,0,false,true,false,false,false,2",
}
FAULTS = [
    "第5行“学科”在合并的单元格里，请取消合并，每格都填上。",
    "第6行“工号”是数字格式，末位已丢失：请把该列设为文本后重新填写",
    "第8行“姓名”是出错的公式，请改成应有的值。",
    "第9行“退休日期”“31.8.2031”不是日期，应写成 2022-03-01 的样子。",
    "第10行“退休日期”“48090”不是日期，应写成 2022-03-01 的样子。",
]
OTHERWISE = {
    "xls": {FAULTS[2]: "第8行“姓名”不能为空。"},  # its reader gives a failed formula as blank
    "csv": {FAULTS[0]: ""},  # which knows no merged cells
}


def rows(sheet: xlsxwriter.worksheet.Worksheet, *, faults: bool, book: xlsxwriter.Workbook) -> None:
    day, chinese = (book.add_format({"num_format": form}) for form in ("yyyy-mm-dd", 'yyyy"年"m"月"d"日"'))
    at = datetime(2031, 8, 31)  # noqa: DTZ001 - sheets know no zones
    sheet.merge_range(0, 0, 0, 4, "2026年教师名单")
    sheet.write_row(1, 0, ["工号*", "姓 名（必填）", "学科", "退休日期", "备注"])
    sheet.write_row(2, 0, ["Ｎ００１ ", "赵一　", " 语文\u00a0"])
    sheet.write_datetime(2, 3, at, day)
    sheet.write_row(3, 0, [1002, "钱二"])
    sheet.write_datetime(3, 3, at, day if not faults else chinese)
    sheet.write_row(4, 0, [1003, "孙三", None, "2031年8月31日"])
    if not faults:
        sheet.write_formula(4, 2, '="数"&"学"', value="数学")
        sheet.set_row(4, None, None, {"hidden": True})
        return
    sheet.merge_range(3, 2, 4, 2, "数学")
    sheet.write_row(5, 0, [110101199003078888, "李四"])
    sheet.write(7, 0, "1005")
    sheet.write_formula(7, 1, "=VLOOKUP(9,A1:B2,2,0)", value="#N/A")
    sheet.write_row(8, 0, ["1006", "周五", None, "31.8.2031"])
    sheet.set_row(8, None, None, {"hidden": True})
    sheet.write_row(9, 0, ["1007", "吴六", None, 48090])


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both workbooks in every format."""
    folder = tmp_path_factory.mktemp("office")
    for name, faults in (("good", False), ("bad", True)):
        with xlsxwriter.Workbook(folder / f"{name}.xlsx") as book:
            book.add_worksheet("填写说明").write(0, 0, "请填写第二张表")
            rows(book.add_worksheet("名单"), faults=faults, book=book)
    for kind, form in FORMATS.items():
        profile, made = f"-env:UserInstallation=file://{folder}/profile", folder / kind
        files = [folder / "good.xlsx", folder / "bad.xlsx"]
        command = [str(SOFFICE), "--headless", profile, "--convert-to", form, "--outdir", made, *files]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


def brought(web: Web, place: str, path: Path) -> str:
    """What the page says once the worker has looked."""
    with web.of("A01") as admin:
        answer = admin.post(f"{place}/sheets", data={"kind": "roster"}, files={"file": (path.name, path.read_bytes())})
        address = answer.headers["location"]
        work(web)
        return unescape(admin.get(address).text)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_fault_is_said_by_row_and_column_and_nothing_is_taken(
    web: Web, school: School, office: Path, kind: str
) -> None:
    before = people(web)
    [path] = (office / kind).glob("bad*")
    said = re.findall(r"<li>(第\d+行.*?)</li>", brought(web, f"/school/rounds/{school.round.id}", path))
    replaced = OTHERWISE.get(kind, {})
    wanted = [replaced.get(one, one) for one in FAULTS]
    if kind == "csv":  # a date as the program shows it there
        said = [one for one in said if "08/31/2031" not in one]
    assert (said, people(web)) == ([one for one in wanted if one], before)


def test_what_is_merely_untidy_is_taken_as_it_was_meant(web: Web, school: School, office: Path) -> None:
    page = brought(web, f"/school/rounds/{school.round.id}", office / "ods" / "good.ods")
    assert "新增3行，变更0行，不变0行" in page
    cells = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "|", page))
    assert all(one in cells for one in ("|N001|", "|2031-08-31|", "|数学|"))
