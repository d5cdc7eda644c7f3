from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from models import Person, SecondFactor
from review_flow import db
from review_flow.cli import app
from review_flow.clock import now
from review_flow.rules import second_factor as rules
from review_flow.steps import second_factor


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
    assert re.search(r"http://school\.test/link#[\w-]{32}\n", link.output)
    first = run("school", "password", "A01", "--first")
    assert re.search(r"陈静的初始密码：([0-9a-f]{4}-){3}[0-9a-f]{4}\n", first.output)
    assert run("school", "password", "X1").exit_code == 1


def test_who_holds_the_machine_resets_a_second_factor_one_s_own_as_well(run: Any) -> None:
    run("school", "found", "实验中学", "--admin-number", "A01", "--admin-name", "陈静")
    keys = (b"k" * 32,)
    with db.transaction() as session:
        admin = session.scalars(select(Person)).one()
        second_factor.begin(session, actor=admin, keys=keys)
        secret = second_factor.waiting(session, actor=admin, keys=keys)
        code = rules.code_at(secret or b"", int(now().timestamp()) // rules.STEP_S)
        second_factor.confirm(session, actor=admin, code=code, keys=keys)
    assert run("school", "reset-second-factor", "A01").output == "陈静的第二步验证已关闭。\n"
    with db.transaction() as session:
        assert session.scalars(select(SecondFactor)).all() == []
        session.add(
            Person(organization_id=session.scalars(select(Person.organization_id)).one(), number="T1", name="王")
        )
    assert run("school", "reset-second-factor", "T1").exit_code == 0
    assert run("school", "reset-second-factor", "X1").exit_code == 1
