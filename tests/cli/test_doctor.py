"""How old the libraries are is said without a connection, by what the lock file knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from review_flow.cli import app
from review_flow.cli.doctor import RENEWED_DAYS, Health, renewed
from review_flow.clock import hands_at
from review_flow.db import settings

ROOT = Path(__file__).parents[2]
NEWEST = datetime(2026, 11, 19, 20, 0, 1, tzinfo=UTC)  # the 20th, at the school


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "uv.lock"
    times = ("2026-11-18T03:00:00Z", "2026-11-19T20:00:01Z", "2026-11-19T20:00:00.999Z", "2024-01-01T00:00:00Z")
    path.write_text("".join(f'wheels = [{{ url = "x", size = 1, upload-time = "{one}" }}]\n' for one in times))
    return path


def test_a_version_whose_libraries_were_renewed_long_ago_sends_its_operator_for_a_newer_one(lock: Path) -> None:
    with hands_at(NEWEST + timedelta(days=RENEWED_DAYS, seconds=-1)):
        assert list(renewed(lock)) == [(Health.GOOD, "锁定的版本中，最新的发布于2026-11-20")]
    with hands_at(NEWEST + timedelta(days=RENEWED_DAYS)):
        told = "锁定的版本中，最新的发布于2026-11-20，已过90天（应在90天内全部更新一次）；请看看有没有新版本"
        assert list(renewed(lock)) == [(Health.NOTE, told)]


def test_what_was_not_installed_by_a_lock_file_is_not_judged_by_one(lock: Path) -> None:
    lock.unlink()
    assert list(renewed(lock)) == [(Health.NOTE, "没有 uv.lock：软件库不是按它安装的，说不出有多旧")]


def test_the_promise_is_the_one_that_is_written_down() -> None:
    assert f"everything is brought up to date every {RENEWED_DAYS} days" in (ROOT / "docs" / "security.md").read_text()


def test_doctor_looks_at_this_very_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path))
    settings.cache_clear()
    said = CliRunner().invoke(app, ["doctor", "--json"], prog_name="review-flow").stdout
    settings.cache_clear()
    [told] = [(one["health"], one["text"]) for one in json.loads(said) if one["name"] == "libraries"]
    assert told == (next(iter(renewed(ROOT / "uv.lock")))[0].value, next(iter(renewed(ROOT / "uv.lock")))[1])
