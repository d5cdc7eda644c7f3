"""Databases for tests: the same suite on SQLite and on a real PostgreSQL, migrated as an installation is.

After every test that touched a database, every invariant is checked on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from review_flow.db import make_engine, transaction
from review_flow.migrate import upgrade
from review_flow.steps import invariants
from tests.cast import Clock, School

REQUIRED = os.environ.get("REVIEW_FLOW_REQUIRE_POSTGRES") == "1"


def postgres_binaries() -> Path | None:
    """Return the folder of initdb: Debian's, or the one on the path."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Postgres:
    """A cluster of our own on a socket in a temporary folder, ended with the session."""

    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="rf-pg-"))
        self.user = "postgres" if os.getuid() == 0 else None  # initdb refuses root
        if self.user:
            shutil.chown(self.folder, self.user)
        self.run("initdb", "-D", "data", "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = "-c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
        self.run(
            "pg_ctl",
            "-D",
            "data",
            "-w",
            "-l",
            "log",
            "-o",
            f"{options} -c unix_socket_directories={self.folder}",
            "start",
        )
        self.made = 0

    def run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self.binaries / program, *arguments],
            cwd=self.folder,
            user=self.user,
            check=True,
            capture_output=True,
            timeout=60,
        )

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://test@/{database}?host={self.folder}"

    def database(self, template: str = "template1") -> str:
        self.made += 1
        name = f"t{self.made}"
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        engine.dispose()
        return name

    def stop(self) -> None:
        self.run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    binaries = postgres_binaries()
    if binaries is None:
        if REQUIRED:
            pytest.fail("PostgreSQL is required here, but there is no initdb")
        pytest.skip("no PostgreSQL on this machine (Debian: apt-get install postgresql)")
    server = Postgres(binaries)
    yield server
    server.stop()


def prepare(url: str, *, school: bool) -> None:
    """Migrate a database that tests copy; with the school of the cast in it, if wanted."""
    engine = make_engine(url)
    upgrade(engine)
    if school:
        with closing(Clock().stack), transaction(engine) as session:
            School(session)
    engine.dispose()


class Templates:
    """Databases to copy from, prepared when first wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ready: dict[tuple[str, bool], str] = {}

    def sqlite(self, *, school: bool) -> Path:
        path = self.folder / f"school-{school}.db"
        if ("sqlite", school) not in self.ready:
            prepare(f"sqlite:///{path}", school=school)
            self.ready["sqlite", school] = str(path)
        return path

    def postgres(self, server: Postgres, *, school: bool) -> str:
        if ("postgres", school) not in self.ready:
            name = server.database()
            prepare(server.url(name), school=school)
            self.ready["postgres", school] = name
        return self.ready["postgres", school]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return Templates(tmp_path_factory.mktemp("templates"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, templates: Templates) -> str:
    """A fresh, migrated database of each kind; the school is in it where the test asks for `school`."""
    school = "school" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "review-flow.db"
        shutil.copy(templates.sqlite(school=school), path)
        return f"sqlite:///{path}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url(server.database(templates.postgres(server, school=school)))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    with transaction(made) as session:
        assert invariants.broken(session) == []
    made.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """One transaction for the whole test, kept at its end so that the invariants see what it did."""
    with transaction(engine) as opened:
        yield opened


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A held clock, at the first morning of the round."""
    held = Clock()
    yield held
    held.stack.close()


@pytest.fixture
def school(session: Session, clock: Clock) -> School:
    """A school whose round is set up."""
    return School.again(session)
