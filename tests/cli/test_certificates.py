"""The certificates of a round from the command line: due, issued, confirmed, printed, verified, revoked."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
from typer.testing import CliRunner

from review_flow.cli import app
from review_flow.db import engine_for, settings, transaction
from review_flow.migrate import upgrade
from review_flow.steps import results
from tests.cast import Clock, School, certified
from tests.steps.test_appeals import result_of, to_sign
from tests.steps.test_results import graded, published, scoring


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """王芳's result is signed; the scheme grants her a certificate of the school and a joint one."""
    for name in [name for name in os.environ if name.startswith("REVIEW_FLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REVIEW_FLOW_AS", "A01")
    settings.cache_clear()
    (tmp_path / "home").mkdir(mode=0o700)
    engine, clock = engine_for(settings().database), Clock()
    upgrade(engine)
    with transaction(engine) as session:
        school = School(session, teachers=1, scheme=certified())
        graded(school, "85")
        scoring(school, clock)
        published(school)
        to_sign(school, clock)
        results.sign(session, actor=school.teachers[0], result=result_of(school))
    yield tmp_path
    clock.stack.close()
    engine.dispose()
    settings.cache_clear()


def run(*words: str, status: int = 0) -> str:
    settings.cache_clear()
    done = CliRunner().invoke(app, ["certificate", *words], prog_name="review-flow")
    assert done.exit_code == status, (words, done.output, done.exception)
    return done.stdout + done.stderr


def read(*words: str, status: int = 0) -> Any:
    return json.loads(run(*words, "--json", status=status))


def test_a_round_of_certificates(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one["kind"] for one in read("due")] == ["pass", "joint"]
    assert run("list") == "本轮还没有证书。\n"
    own, joint = read("issue")
    assert (own["valid"], own["waits_for"], joint["waits_for"]) == (False, ["实验中学"], ["培训机构", "教师进修学校"])
    assert run("due") == "没有应发而未发的证书。\n"
    assert run("print", "--out", str(home / "x.pdf")) == "没有有效的证书可打印。\n"
    assert read("verify", own["number"], status=1)["text"] == "待颁发单位确认，尚未生效"
    assert run("confirm", "--issuer", "实验中学") == "“实验中学”已确认1份。\n"
    for issuer in ("培训机构", "教师进修学校"):
        assert run("confirm", joint["number"], "--issuer", issuer, "--proof", "函") == f"“{issuer}”已确认1份。\n"
    assert [one["kind"] for one in read("due")] == ["top"]
    assert run("verify", own["number"].lower()).splitlines()[:2] == ["结果：有效", f"编号：{own['number']}"]

    monkeypatch.setenv("REVIEW_FLOW_PUBLIC_URL", "https://review.school.cn/")
    assert run("print", "--out", str(home / "all.pdf")) == f"已打印2份：{home / 'all.pdf'}\n"
    assert len(pypdf.PdfReader(home / "all.pdf").pages) == 2
    run("print", "--out", str(home / "all.zip"))
    assert zipfile.ZipFile(home / "all.zip").namelist() == [f"{own['number']}.pdf", f"{joint['number']}.pdf"]
    run("print", own["number"], "--out", str(home / "each"), "--as", "T01")
    assert [one.name for one in (home / "each").iterdir()] == [f"{own['number']}.pdf"]

    assert run("revoke", joint["number"], "--reason", "姓名有误") == f"编号{joint['number']}的证书已撤销。\n"
    assert read("verify", joint["number"], status=1)["standing"] == "revoked"
    again = read("issue", "T01", "--kind", "joint")[0]
    assert (again["version"], again["number"] != joint["number"]) == (2, True)
    assert [(one["version"], one["state"], one["reason"]) for one in read("list")] == [
        (1, "issued", None), (1, "revoked", "姓名有误"), (2, "issued", None),
    ]  # fmt: skip
    assert run("issue", "T01", status=2) == "教师工号与 --kind 要一起写。\n"


def test_a_made_up_number_is_told_without_the_database(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEW_FLOW_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    assert run("verify", "7K3D-9QXM-R2HV-8TWC", status=1) == "结果：查无此证\n"
