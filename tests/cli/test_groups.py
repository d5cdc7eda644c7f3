"""Boards, group facts, classes, recommending and the library from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models import Organization, Workshop
from review_flow import schemes as scheme_files
from review_flow.cli import app
from review_flow.cli.common import ready_engine
from review_flow.db import engine_for, settings, transaction
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import OrganizationKind
from tests.cli.test_commands import read, run
from tests.steps.test_groups import FUYU, WORKSHOP, Shop

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path))
    monkeypatch.delenv("REVIEW_FLOW_DATABASE_URL", raising=False)
    settings.cache_clear()
    yield tmp_path
    engine_for(f"sqlite:///{tmp_path / 'review-flow.db'}").dispose()
    settings.cache_clear()


def shop_of(scheme: Scheme) -> None:
    with transaction(ready_engine()) as session:
        Shop(session, scheme)
        session.add(Organization(kind=OrganizationKind.COUNTY, name="县"))


def leader(*words: str, status: int = 0) -> Any:
    return read(*words, "--as", "T01", status=status)


def test_a_workshop_from_plan_to_result(home: Path) -> None:
    shop_of(WORKSHOP)
    proof = home / "简报.txt"
    proof.write_text("第一期", encoding="utf-8")
    assert "bulletin" in {one["about"] for one in leader("workshop", "kinds")}
    told = ("workshop", "tell", "count", "bulletin", "--source", "坊主", "--file", str(proof))
    assert [leader(*told)["state"], leader(*told)["state"]] == ["added", "unchanged"]
    assert leader("workshop", "tell", "count", "work_plan", "--source", "坊主", "--number", "1")["state"] == "added"
    done = ("workshop", "tell", "task", "offline2", "--source", "坊主", "--at", "2026-02-20T10:00")
    assert leader(*done)["text"] == "已登记。"
    activity = ("workshop", "tell", "count", "offline_activity", "--source", "坊主", "--has", "photos")
    leader(*activity)
    facts = leader("workshop", "list")
    assert [(one["about"], one["details"]) for one in facts] == [
        ("bulletin", None), ("work_plan", None), ("offline2", None), ("offline_activity", '{"photos": true}'),
    ]  # fmt: skip
    assert len(facts[0]["file"]) == 64
    leader("workshop", "strike", str(facts[1]["id"]), "--reason", "重填")
    board = leader("workshop", "board")
    assert {one["id"]: one["have"] for one in board["quotas"]}["plan"] == "0"
    shown = run("workshop", "board", "物理坊", "--as", "T01").stdout.splitlines()
    assert shown[0] == "物理坊（2025学年）"
    assert any("2026-02-20" in line and "已完成" in line and "调休" in line for line in shown)
    result = read("workshop", "result", "物理坊", "--as", "A01")
    assert (result["version"], result["outcome"]["grade"]) == (1, "未完成")
    assert run("workshop", "result", "物理坊", "--as", "A01").stdout.startswith("物理坊：未完成（第1版，SHA-256 ")
    beside = read("school", "board", "--as", "A01")["workshops"]
    assert [(one["name"], one["grade"]) for one in beside] == [("物理坊", "未完成")]
    assert "物理坊" in run("school", "board", "--as", "A01").stdout


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("board", "化学坊"), 1),
        (("board",), 2),  # the administrator is in no workshop
        (("tell", "count", "bulletin", "--source", "x", "--class", "一班"), 1),
        (("tell", "count", "bulletin", "--source", "x", "--level", "class"), 2),
        (("tell", "count", "bulletin", "--source", "x", "--workshop", "物理坊", "--file", "没有.txt"), 1),
        (("tell", "count", "bulletin", "--source", "x", "--level", "county"), 1),
    ],
)
def test_what_is_not_there_is_said(home: Path, words: tuple[str, ...], status: int) -> None:
    shop_of(WORKSHOP)
    assert run("workshop", *words, "--as", "A01", status=status).stdout == ""


def test_a_class_and_the_schools_indicators(home: Path) -> None:
    shop_of(FUYU)
    read("class", "found", "一班", "--admin", "T01", "--kind", "joint", "--as", "A01")
    assert leader("class", "join", "一班", "T02")["text"] == "T02已进“一班”。"
    assert run("class", "join", "一班", "T03", "--from", "二中", "--as", "A01", status=1).stdout == ""
    assert leader("class", "list")[0]["members"] == 1
    leader("class", "leave", "一班", "T02")
    assert leader("class", "list")[0]["members"] == 0
    reason = ("workshop", "tell", "reason", "class_size", "--class", "一班", "--reason", "只有一个班", "--source", "校")
    assert leader(*reason)["state"] == "added"
    target = ("workshop", "tell", "target", "offered", "--level", "school", "--source", "平台")
    read(*target, "--number", "210", "--of", "1", "--as", "A01")
    read(*target, "--value", "210", "--as", "A01")
    assert [(one["id"], one["met"]) for one in read("school", "indicators", "--as", "A01")] == [
        ("offered", True), ("participation", False),
    ]  # fmt: skip
    assert "未达到" in run("school", "indicators", "--as", "A01").stdout


def test_a_work_from_nomination_to_the_library(home: Path) -> None:
    shop_of(scheme_files.load("fuqing-30"))
    made = ("pipeline", "nominate", "T02", "--title", "浮力", "--video", "--as", "T01")
    number = str(read(*made)["id"])
    run("pipeline", "nominate", "T02", "--title", "力", "--evidence", "9", "--as", "T01", status=1)
    read("pipeline", "vote", number, "--as", "T03")
    run("pipeline", "mark", number, "90", "--as", "T03", status=1)
    run("pipeline", "advance", "nowhere", "--as", "T01", status=1)
    read("pipeline", "consent", number, "author", "--yes", "--as", "T02")
    for who, points, consents in (("T01", "1", ["author"]), ("T02", None, ["author"]), ("T03", None, None)):
        seen = read("pipeline", "list", "--as", who)
        assert [(one["title"], one["points"], one["consents"]) for one in seen] == [("浮力", points, consents)]
    up = ("pipeline", "advance", "seed_vote", "--workshop", "物理坊", "--as", "T01")
    assert read(*up)["text"] == "进入下一级1项：浮力。"
    run("library", "publish", number, "--as", "A01", status=1)
    read("pipeline", "consent", number, "publication", "--yes", "--no-pupils", "--show-name", "--as", "T02")
    read("library", "publish", number, "--as", "A01")
    assert [(one["title"], one["author"]) for one in read("library", "list", "--as", "T05")] == [("浮力", "李伟")]
    read("library", "take-back", number, "--reason", "有误", "--as", "T02")
    assert run("library", "list", "--as", "T05").stdout == "资源库是空的。\n"
    assert run("pipeline", "consent", number, "publication", "--no", "--as", "T02").stdout.startswith("已记录：不同意")


def test_nothing_is_shown_without_the_right_to_see_it(home: Path) -> None:
    shop_of(WORKSHOP)
    for words in (("workshop", "board"), ("workshop", "list"), ("school", "board"), ("school", "indicators")):
        done = CliRunner().invoke(app, [*words, "--as", "T02"], prog_name="review-flow")
        assert (done.exit_code, done.stdout) == (1, "")
    with transaction(ready_engine()) as session:
        assert session.query(Workshop).count() == 1
