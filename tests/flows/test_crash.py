"""Real processes, really killed, in the middle of checking and of composing: nothing is lost, nothing done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from models import AuditEvent, DueWork, Evidence, Result
from review_flow.db import transaction
from review_flow.demo import media
from review_flow.outside.storage import keep, storage_at
from review_flow.rules.words import EvidenceState, Verdict, WorkKind
from review_flow.settings import Settings
from review_flow.steps import evidence
from review_flow.steps.work import enqueue
from tests.cast import Clock, School

pytestmark = [pytest.mark.slow, pytest.mark.crash]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def prefects(prefect_api: str, prefect_proof: str) -> tuple[str, str]:
    """Where the server for all is, and what opens it."""
    return prefect_api, prefect_proof


@contextmanager
def worker(home: Path, database_url: str, api: tuple[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """`review-flow work`, as an operator starts it, with leases of a few seconds; its own Prefect server without `api`."""
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("REVIEW_FLOW_", "PREFECT_", "COV_"))
    }
    environment = {
        **clean,
        "REVIEW_FLOW_HOME": str(home),
        "REVIEW_FLOW_DATABASE_URL": database_url,
        "REVIEW_FLOW_LEASE_SECONDS": "3",
        "PREFECT_LOGGING_LEVEL": "ERROR",
        **({"REVIEW_FLOW_PREFECT_API_URL": api[0], "REVIEW_FLOW_PREFECT_AUTH_STRING": api[1]} if api else {}),
    }
    with (home / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from review_flow.cli import main; main()", "work"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def until(look: Callable[[], bool], *, within_s: float = 240) -> None:
    end = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)


def count(engine: Engine, query) -> int:
    with transaction(engine) as session:
        return session.scalar(query) or 0


def all_done(engine: Engine, *kinds: WorkKind) -> bool:
    waiting = select(func.count()).select_from(DueWork).where(DueWork.done_at.is_(None), DueWork.kind.in_(kinds))
    return count(engine, waiting) == 0


def files_waiting(engine: Engine, home: Path, *, teachers: int) -> None:
    """A school that has just handed in: texts in every slot, a clip in one, all waiting for their check."""
    storage = storage_at(Settings(home=home).storage)
    clip = media.lesson_video(home / "clip.mp4", seconds=6)
    with closing(Clock().stack), transaction(engine) as session:
        school = School(session, teachers=teachers).open()
        for person in school.teachers:
            for work in school.ready(person):
                for slot in school.scheme.slots(work.ability):
                    for place in range(slot.count):
                        text = media.txt(home / "text.txt", media.essay(300, topic=f"{work.id}-{slot.id}-{place}"))
                        path = clip if slot.kind == "video" else text
                        evidence.add_evidence(
                            session,
                            actor=person,
                            submission=work,
                            slot=slot.id,
                            file_name=path.name,
                            stored=keep(storage, path),
                        )


CHECKED = select(func.count()).select_from(Evidence).where(Evidence.state == EvidenceState.CHECKED)
SAID_CHECKED = select(func.count()).select_from(AuditEvent).where(AuditEvent.deed == "evidence.check")


def assert_every_file_was_checked_once(engine: Engine) -> None:
    everything = count(engine, select(func.count()).select_from(Evidence))
    assert everything > 20
    assert count(engine, CHECKED) == everything
    assert count(engine, SAID_CHECKED) == everything
    assert count(engine, select(func.count()).select_from(DueWork).where(DueWork.parked_at.is_not(None))) == 0
    broken = select(func.count()).select_from(Evidence).where(Evidence.verdict == Verdict.REJECTED)
    assert count(engine, broken) == 0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def test_a_worker_killed_in_the_middle_of_checking(
    engine: Engine, database_url: str, home: Path, prefects: tuple[str, str]
):
    files_waiting(engine, home, teachers=3)
    with worker(home, database_url, prefects) as first:
        until(lambda: count(engine, CHECKED) >= 5)
        first.kill()
        first.wait()
    assert not all_done(engine, WorkKind.CHECK_EVIDENCE)
    with worker(home, database_url, prefects):
        until(lambda: all_done(engine, WorkKind.CHECK_EVIDENCE))
    assert_every_file_was_checked_once(engine)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_prefects_server_killed_in_the_middle_of_checking(engine: Engine, database_url: str, used_home: Path):
    from flows.server import read_note

    home = used_home
    files_waiting(engine, home, teachers=3)
    with worker(home, database_url) as process:
        until(lambda: count(engine, CHECKED) >= 5)
        note = read_note(Settings(home=home))
        assert note is not None
        os.kill(note.pid, signal.SIGKILL)
        until(lambda: all_done(engine, WorkKind.CHECK_EVIDENCE))
        assert process.poll() is None
    assert_every_file_was_checked_once(engine)


def test_a_worker_killed_in_the_middle_of_composing(
    engine: Engine, database_url: str, home: Path, prefects: tuple[str, str]
):
    with closing(Clock().stack), transaction(engine) as session:
        school = School(session, teachers=6).open().whole()
        school.round.phase = school.round.phase.__class__.SCORING
        enqueue(session, kind=WorkKind.FINALISE_ROUND, subject_id=school.round.id)
    composed = select(func.count()).select_from(Result)
    with worker(home, database_url, prefects) as first:
        until(lambda: count(engine, composed) >= 2)
        first.kill()
        first.wait()
    cut_at = count(engine, composed)
    with worker(home, database_url, prefects):
        until(lambda: all_done(engine, WorkKind.FINALISE_ROUND))
    assert 2 <= cut_at <= 6
    assert count(engine, composed) == 6
    said = select(func.count()).select_from(AuditEvent).where(AuditEvent.deed == "result.compose")
    assert count(engine, said) == 6
    assert count(engine, select(func.count()).select_from(Result).where(Result.version != 1)) == 0
