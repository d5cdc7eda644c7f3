"""Copies on the command line: a file against others, the school's list, both sides for the panel; through the real flow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from models import CopyHit, Evidence, Round, Submission
from review_flow.cli import app
from review_flow.db import engine_for, settings, transaction
from review_flow.demo import media
from review_flow.outside.storage import keep, storage_at
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import EvidenceState, Verdict, WorkKind
from review_flow.steps import evidence
from tests.cast import Clock, School
from tests.due import do_due


def read(*words: object, status: int = 0) -> Any:
    done = CliRunner().invoke(app, [*map(str, words), "--json"], prog_name="review-flow")
    assert done.exit_code == status, (words, done.output, done.exception)
    return json.loads(done.stdout)


def test_a_file_against_others(tmp_path: Path) -> None:
    text = media.essay(300, topic="原文")
    mine = media.txt(tmp_path / "mine.txt", "开头不同。" + text)
    same, alike, other = tmp_path / "same.txt", tmp_path / "alike.docx", tmp_path / "other.txt"
    same.write_bytes(mine.read_bytes())
    media.docx(alike, text)
    media.txt(other, media.essay(300, topic="别的"))
    told = read("evidence", "check", mine, "--against", same, "--against", alike, "--against", other)
    exact, copied = told["copies"]
    assert exact == {"kind": "exact", "of": str(same), "score": 1.0, "here": [], "there": []}
    assert (copied["kind"], copied["of"]) == ("text", str(alike))
    assert copied["score"] >= 0.95
    assert [place["quote"] for place in copied["here"]] == [place["quote"] for place in copied["there"]]
    assert (told["verdict"], [one["code"] for one in told["findings"]]) == ("human", ["duplicate", "copy_text"])
    assert read("evidence", "check", mine, "--against", other)["copies"] == []
    gone = CliRunner().invoke(app, ["evidence", "check", str(mine), "--against", str(tmp_path / "gone")])
    assert gone.exit_code == 2


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation with a school whose round is open, as the flows find it."""
    from flows import installation

    for name in [name for name in os.environ if name.startswith("REVIEW_FLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    installation.close()
    read("migrate")
    yield tmp_path
    installation.close()
    engine_for(settings().database).dispose()
    settings.cache_clear()


def test_from_the_upload_to_both_sides_and_the_list(house: Path) -> None:
    text = media.essay(400, topic="方案")
    with Clock().stack, transaction() as session:
        school = School(session).open()
        works = [school.ready(person)[0] for person in school.teachers[:2]]
        files = [media.txt(house / "a.txt", text), media.txt(house / "b.txt", "我的方案。" + text)]
        for work, path in zip(works, files, strict=True):
            author = next(one for one in school.teachers if one.id == work.author_id)
            kept = keep(storage_at(settings().storage), path)
            evidence.add_evidence(session, actor=author, submission=work, slot="plan", file_name=path.name, stored=kept)
    with Clock().stack:
        assert do_due(WorkKind.CHECK_EVIDENCE) == 2
        assert do_due(WorkKind.CHECK_EVIDENCE) == 0
    with transaction() as session:
        first, later = session.scalars(select(Evidence).order_by(Evidence.id))
        (hit,) = session.scalars(select(CopyHit))
        assert (hit.evidence_id, hit.earlier_id) == (later.id, first.id)
        assert (first.verdict, later.verdict) == (Verdict.VALID, Verdict.HUMAN)
        work = session.get_one(Submission, later.submission_id).id
    (side,) = read("panel", "copies", work, "--as", "P1")
    assert (side["kind"], side["there"]["file"], side["there"]["author"]) == ("text", "a.txt", "王芳")
    assert read("panel", "copies", work, "--as", "T03", status=1)["error"] == "not-allowed"
    assert (
        read("school", "whitelist", first.id, "--reason", "集体备课", "--as", "T01", status=1)["error"] == "not-allowed"
    )
    told = read("school", "whitelist", house / "a.txt", "--reason", "集体备课", "--as", "A01")
    (listed,) = read("school", "whitelisted", "--as", "A01")
    assert (listed["id"], listed["name"], listed["reason"]) == (told["id"], "a.txt", "集体备课")
    assert (
        read("school", "whitelist", first.id, "--reason", "再来", "--as", "A01", status=1)["error"] == "already-common"
    )
    assert do_due(WorkKind.CHECK_EVIDENCE) == 2
    with transaction() as session:
        assert session.scalars(select(CopyHit)).all() == []
        assert session.get_one(Evidence, later.id).verdict is Verdict.VALID
    assert read("panel", "copies", work, "--as", "P1") == []
    read("school", "unlist", told["id"], "--reason", "停用", "--as", "A01")
    assert read("school", "whitelisted", "--as", "A01") == []
    for words in (("unlist", 99), ("whitelist", 99), ("whitelist", house / "gone.txt")):
        assert read("school", *words, "--reason", "x", "--as", "A01", status=1)["error"] == "not-found"


def test_files_from_before_the_index_are_fingerprinted_and_old_files_are_listed_then_deleted(house: Path) -> None:
    text = media.essay(400, topic="方案")
    with Clock().stack, transaction() as session:
        school = School(session).open()
        for person, name, words in zip(school.teachers[:2], "ab", (text, "我的方案。" + text), strict=True):
            path = media.txt(house / f"{name}.txt", words)
            added = evidence.add_evidence(
                session,
                actor=person,
                submission=school.ready(person)[0],
                slot="plan",
                file_name=path.name,
                stored=keep(storage_at(settings().storage), path),
            )
            added.state, added.verdict = EvidenceState.CHECKED, Verdict.VALID
            later, number = added.id, school.round.id
    assert read("index-copies") == {"indexed": 2, "findings": 1, "broken": []}
    assert read("index-copies") == {"indexed": 0, "findings": 0, "broken": []}
    with transaction() as session:
        assert session.get_one(Evidence, later).verdict is Verdict.HUMAN
        assert session.scalars(select(CopyHit.evidence_id)).one() == later
    assert read("purge-evidence") == []
    with transaction() as session:
        round_ = session.get_one(Round, number)
        round_.phase = RoundPhase.CLOSED
        for name in ("opens_at", "submit_due_at", "hard_close_at"):
            setattr(round_, name, getattr(round_, name) - timedelta(days=900))
    assert [one["file"] for one in read("purge-evidence")] == ["a.txt", "b.txt"]
    assert [one["file"] for one in read("purge-evidence", "--delete")] == ["a.txt", "b.txt"]
    assert read("purge-evidence") == []
    assert [one for one in settings().storage.rglob("*") if one.is_file()] == []
