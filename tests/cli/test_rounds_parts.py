"""Marks of further sources, and a workshop's way from its grade to a heard appeal, from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from review_flow.cli.common import ready_engine
from review_flow.db import transaction
from review_flow.outside.workbooks import Page, write
from review_flow.steps import advance
from tests.cast import Clock, School
from tests.cli.test_commands import home, read, run
from tests.stages import STAGES
from tests.steps import test_group_rounds
from tests.steps.test_voices import HEADER, answer, weighed

__all__ = ["home"]
pytestmark = pytest.mark.usefixtures("clock", "home")


def by(number: str, *words: str, status: int = 0) -> Any:
    return read(*words, "--as", number, status=status)


def test_marks_of_further_sources_are_given_imported_and_listed(tmp_path: Path) -> None:
    with transaction(ready_engine()) as session:
        School(session, teachers=2, scheme=weighed()).open()
    assert [by("T01", "teacher", "self-mark", mark)["state"] for mark in ("90", "90", "95")] == [
        "added", "unchanged", "superseded",
    ]  # fmt: skip
    assert "两位小数" in run("teacher", "self-mark", "90.123", "--as", "T01", status=1).stderr
    assert by("P1", "panel", "on-site", "T01", "88")["state"] == "added"
    assert run("panel", "on-site", "T02", "88", "--as", "T01", status=1).stdout == ""
    sheet = tmp_path / "问卷.xlsx"
    sheet.write_bytes(write([Page("表", HEADER, [answer("T01", "20", "2"), answer("T01", "95", "3", who="家长问卷")])]))
    by("A01", "sheet", "import", "survey", str(sheet), "--round", "2026春", "--now")
    listed = by("T01", "facts", "list")
    marks = [(one["about"], one["number"]) for one in listed]
    assert marks == [("自评", "95.00"), ("现场评价", "88.00"), ("学生问卷", None), ("家长问卷", "95.00")]
    assert [one["source"] for one in listed] == ["王芳", "", "匿名问卷", "匿名问卷"]
    assert [one["source"] for one in by("A01", "facts", "list", "T01")][:2] == ["王芳", "评委1"]
    assert [(one["about"], one["source"]) for one in by("P1", "facts", "list", "T01")] == [("现场评价", "")]
    assert by("P2", "facts", "list", "T01") == []


def test_a_workshops_result_is_confirmed_signed_appealed_and_heard(clock: Clock) -> None:
    with transaction(ready_engine()) as session:
        STAGES[test_group_rounds.__name__, "composed"].build(session, clock)
    assert by("P1", "workshop", "confirm", "物理坊")["text"] == "已确认：未完成。"
    boards = [by(*asked)["grade"] for asked in (("A01", "workshop", "board", "物理坊"), ("T01", "workshop", "board"))]
    assert boards == ["未完成", None]
    by("A01", "round", "publish")
    clock.day(4, 20)
    with transaction(ready_engine()) as session:
        advance.advance(session, round_=School.again(session).round)
    assert run("workshop", "sign", "--as", "T02", status=1).stdout == ""
    assert by("T01", "workshop", "sign", "--comment", "同意")["text"] == "已签收。"
    assert by("T01", "workshop", "appeal", "--reason", "第三期简报没有计入")["text"].startswith("申诉已提交，编号")
    (filed,) = by("P6", "panel", "appeals")
    hear = ("panel", "hear", str(filed["id"]), "--uphold", "--reason", "确有三期")
    assert run(*hear, "--mark", "bulletin", "--as", "P6", status=2).stdout == ""
    assert "应为以下之一" in run(*hear, "--mark", "nothing=3", "--as", "P6", status=1).stderr
    for number in ("P6", "P7"):
        by(number, *hear, "--mark", "bulletin=3")
    assert by("P8", "panel", "appeals") == []
    assert run(*hear, "--mark", "bulletin=3", "--as", "P8", status=1).stdout == ""
    assert by("T01", "workshop", "board")["grade"] == "完成"
