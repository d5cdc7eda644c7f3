"""One Prefect server for all flow tests of a session, whichever test processes share it, and real workers."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, text

from review_flow.settings import Settings

# Prefect settles where its home is when it is first imported; this is not to be the developer's own.
with pytest.MonkeyPatch.context() as patch:
    patch.setenv("REVIEW_FLOW_HOME", str(Path(tempfile.gettempdir()) / f"review-flow-tests-{os.getuid()}"))
    from flows.server import PrefectServer

ROOT = Path(__file__).parents[2]
PATIENCE_S = 200.0  # a busy machine is slow, not wrong
Found = TypeVar("Found")


def until(look: Callable[[], Found], *, within: float = PATIENCE_S) -> Found:
    """Return the first truthy look; fail when there is none in time."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"not within {within} s"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the server for all."""
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "prefect-for-all"
    home.mkdir(exist_ok=True)
    return home


@pytest.fixture(scope="session")
def prefect_api(prefect_home: Path) -> Iterator[str]:
    """The URL of a real server. The first test process starts it and stops it after the last one is done."""
    home = prefect_home
    with (home / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with PrefectServer(Settings(home=home)) as server:
            yield until(server.url)
            fcntl.flock(users, fcntl.LOCK_UN)
            if server.started:
                fcntl.flock(users, fcntl.LOCK_EX)


@pytest.fixture(scope="session")
def prefect_proof(prefect_home: Path, prefect_api: str) -> str:
    """What opens it: made by whoever started it."""
    return (prefect_home / "secrets" / "prefect.auth").read_text(encoding="utf-8")


@pytest.fixture
def used_home(tmp_path: Path, prefect_home: Path, prefect_api: str) -> Path:
    """A home whose server ran before: its database is copied, since making one anew takes seconds of CPU at every first start."""
    home = tmp_path / "home"
    database = Settings(home=home).folder("prefect") / "prefect.db"
    source = prefect_home / "prefect" / "prefect.db"
    with closing(sqlite3.connect(source)) as theirs, closing(sqlite3.connect(database)) as ours:
        theirs.backup(ours)
    return home


class Workers:
    """Starts real worker processes on one database; what they did is in its table `effect`."""

    def __init__(self, home: Path, database_url: str, api: tuple[str, str], engine: Engine) -> None:
        self.engine, self.home = engine, home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
            "REVIEW_FLOW_HOME": str(home),
            "REVIEW_FLOW_DATABASE_URL": database_url,
            "REVIEW_FLOW_PREFECT_API_URL": api[0],
            "REVIEW_FLOW_PREFECT_AUTH_STRING": api[1],
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }
        self.started: list[subprocess.Popen[str]] = []
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE effect (subject_id INTEGER, pid INTEGER)"))

    def start(self, **wishes: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.worker_process"],
            cwd=ROOT,
            env=self.environment | {name.upper(): str(value) for name, value in wishes.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def rows(self, sql: str) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    @property
    def effects(self) -> list[int]:
        return [subject for (subject,) in self.rows("SELECT subject_id FROM effect ORDER BY subject_id")]

    def end(self) -> None:
        for process in self.started:
            process.kill()
            sys.stdout.write(process.communicate()[0])  # shown when the test fails
        with self.engine.begin() as connection:
            connection.execute(text("DROP TABLE effect"))


@pytest.fixture
def workers(
    tmp_path: Path, database_url: str, engine: Engine, prefect_api: str, prefect_proof: str
) -> Iterator[Workers]:
    made = Workers(tmp_path / "home", database_url, (prefect_api, prefect_proof), engine)
    yield made
    made.end()


@pytest.fixture
def installed(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be an installation over a database, with storage of its own."""
    from flows import installation
    from review_flow import db

    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("REVIEW_FLOW_DATABASE_URL", database_url)
    db.settings.cache_clear()
    installation.close()
    yield
    installation.close()
    db.engine_for(database_url).dispose()
    db.settings.cache_clear()
