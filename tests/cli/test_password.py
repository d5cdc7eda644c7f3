from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from review_flow import db
from review_flow.cli import app


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path))
    monkeypatch.setenv("REVIEW_FLOW_AS", "A01")
    monkeypatch.setenv("REVIEW_FLOW_WEB_URL", "http://school.test")
    db.settings.cache_clear()
    yield lambda *words: CliRunner().invoke(app, list(words), prog_name="review-flow")
    db.engine_for(db.settings().database).dispose()
    db.settings.cache_clear()


def test_the_administrator_prints_a_link_or_a_first_password(run: Any) -> None:
    found = ("school", "found", "实验中学", "--admin-number", "A01", "--admin-name", "陈静")
    assert run(*found).exit_code == 0
    link = run("school", "password", "A01")
    assert re.search(r"http://school\.test/link/[\w-]{32}\n", link.output)
    first = run("school", "password", "A01", "--first")
    assert re.search(r"陈静的初始密码：([0-9a-f]{4}-){3}[0-9a-f]{4}\n", first.output)
    assert run("school", "password", "X1").exit_code == 1
