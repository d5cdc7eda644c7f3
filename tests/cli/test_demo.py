from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from review_flow.cli.demo import _show, _show_ledger
from review_flow.demo.stage import Story


def test_a_ledger_is_printed_in_full_however_narrow_the_terminal() -> None:
    text = "A2 数字教育资源获取与评价（有效，合格）计入：互评73×0.4+考核组75.69×0.6=74.6167"
    line = {"rule": "001-A-41", "text": text, "points": "0.00", "running": "0.00"}
    out = io.StringIO()
    _show_ledger(Console(file=out, width=80), {"name": "徐强", "score": "79.21", "grade": "合格", "ledger": [line]})
    said = "".join(row.split("│")[2].strip() for row in out.getvalue().splitlines() if row.startswith("│"))
    assert re.sub(r"\s", "", said).startswith(re.sub(r"\s", "", text))


def test_a_default_is_cited_in_words() -> None:
    line = {"rule": "default (X-16)", "text": "取2位小数", "points": "0.00", "running": "79.21"}
    out = io.StringIO()
    _show_ledger(Console(file=out, width=80), {"name": "徐强", "score": "79.21", "grade": "合格", "ledger": [line]})
    assert ("默认 (X-16)" in out.getvalue(), "default" in out.getvalue()) == (True, False)


def test_the_contact_sheet_is_listed_with_whose_file_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story(
        ledger={"name": "徐强", "score": "79.21", "grade": "合格", "ledger": []},
        files={"contact_sheet": "demo/sheet.png", "home": "demo/home"},
        facts={"wall_s": 1.0, "contact_sheet_of": {"name": "徐强", "file": "课堂实录.mp4"}},
    )
    _show(story)
    assert "徐强老师的“课堂实录.mp4”的核对图：demo/sheet.png" in capsys.readouterr().out
