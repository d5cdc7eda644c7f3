"""Databases for tests: the same suite on SQLite and on a real PostgreSQL, migrated as an installation is.

After every test that touched a database, every invariant is checked on it.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Connection, Engine, event, make_url, text
from sqlalchemy.orm import Session

from review_flow.db import make_engine, transaction
from review_flow.migrate import upgrade
from review_flow.steps import invariants
from tests.cast import Clock, School
from tests.stages import Stage, stage, stage_of

ROOM_BYTES = 4_000_000_000
MEMORY = Path("/dev/shm")
ROOMY = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
if ROOMY:  # hundreds of databases are made and dropped, and thousands of commits would wait for a disk
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
REQUIRED = os.environ.get("REVIEW_FLOW_REQUIRE_POSTGRES") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first: at the end the test processes share out what is left in small pieces."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Spare the collector what stays to the end, modules and tests; it looks seldom (`review_flow`): a tenth of the time."""
    gc.collect()
    gc.freeze()


def postgres_binaries() -> Path | None:
    """Return the folder of initdb: Debian's, or the one on the path."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Postgres:
    """A cluster of our own on a socket in a temporary folder, ended with the session."""

    def __init__(self, binaries: Path, leave: Callable[[str], None] = lambda _url: None) -> None:
        self.binaries, self.leave = binaries, leave
        self.folder = Path(tempfile.mkdtemp(prefix="rf-pg-", dir=MEMORY if ROOMY else None))
        self.user = "postgres" if os.getuid() == 0 else None  # initdb refuses root
        if self.user:
            shutil.chown(self.folder, self.user)
        self.run("initdb", "-D", "data", "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = "-c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c autovacuum=off"
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
        self.desk = psycopg.connect(f"host={self.folder} user=test dbname=postgres", autocommit=True)

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
        self.leave(self.url(template))  # no database is copied that somebody is at
        # Files copied instead of logged page by page: half the time, where nothing is to survive a crash.
        copied = " STRATEGY FILE_COPY" if self.desk.info.server_version >= 150_000 else ""
        self.desk.execute(f"CREATE DATABASE {name} TEMPLATE {template}{copied}")
        return name

    def drop(self, database: str) -> None:
        self.desk.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def stop(self) -> None:
        self.desk.close()
        self.run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def postgres(playgrounds: Playgrounds) -> Iterator[Postgres]:
    binaries = postgres_binaries()
    if binaries is None:
        if REQUIRED:
            pytest.fail("PostgreSQL is required here, but there is no initdb")
        pytest.skip("no PostgreSQL on this machine (Debian: apt-get install postgresql)")
    server = Postgres(binaries, playgrounds.leave)
    yield server
    playgrounds.close()
    server.stop()


class Templates:
    """Databases to copy from, prepared when first wanted: empty, or with a stage played in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.engines = folder, Engines()
        self.ready: dict[tuple[str, str], str] = {}

    def sqlite(self, stage: Stage | None = None) -> Path:
        name = stage.key if stage else "empty"
        path = self.folder / f"{name}.db"
        if ("sqlite", name) not in self.ready:
            if stage:
                shutil.copy(self.sqlite(), path)
            self.prepare(f"sqlite:///{path}", stage)
            self.ready["sqlite", name] = str(path)
        return path

    def postgres(self, server: Postgres, stage: Stage | None = None) -> str:
        name = stage.key if stage else "empty"
        if ("postgres", name) not in self.ready:
            database = server.database(self.postgres(server) if stage else "template1")
            self.prepare(server.url(database), stage)
            self.ready["postgres", name] = database
        return self.ready["postgres", name]

    def prepare(self, url: str, stage: Stage | None) -> None:
        engine = self.engines.at(make_url(url))
        if stage:
            stage.play(engine)
        else:
            upgrade(engine)
        engine.dispose()


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return Templates(tmp_path_factory.mktemp("templates"))


class Playgrounds:
    """The stages themselves, for tests that take everything back: nothing is copied, opened or warmed up for each."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.open: dict[str, Connection] = {}
        self.numbering: dict[str, str] = {}

    def at(self, url: str) -> Connection:
        if url not in self.open:
            self.open[url] = self.engines.at(make_url(url)).connect()
            self.open[url].detach()  # the pool is for the tests that come and go
            self.numbering[url] = numbering(self.open[url])
        return self.open[url]

    def leave(self, url: str) -> None:
        if url in self.open:
            self.open.pop(url).close()

    def close(self) -> None:
        for url in list(self.open):
            self.leave(url)

    @contextmanager
    def session(self, url: str) -> Iterator[Session]:
        """Yield a session that sees its own deeds alone; in the end the invariants are checked and nothing is left."""
        connection = self.at(url)
        try:
            with Session(connection, expire_on_commit=False) as opened:
                event.listen(opened, "before_commit", refuse_to_commit)
                opened.begin()
                yield opened
                opened.flush()
                opened.expunge_all()
                assert invariants.broken(opened) == []
        finally:
            if set_back := self.numbering[url]:
                with connection.begin():
                    connection.exec_driver_sql(set_back)


def numbering(connection: Connection) -> str:
    """Return the statement that numbers rows on from here again: PostgreSQL takes back no number that it gave."""
    if connection.dialect.name == "sqlite":
        return ""
    told = "format('setval(%L, %s, %L)', quote_ident(sequencename), coalesce(last_value, 1), last_value IS NOT NULL)"
    with connection.begin():
        set_back = connection.scalars(text(f"SELECT {told} FROM pg_sequences")).all()
    return f"SELECT {', '.join(set_back)}"


def refuse_to_commit(session: Session) -> None:
    assert session.in_nested_transaction(), "a test that commits asks for the fixture `engine`"


@pytest.fixture(scope="session")
def playgrounds(engines: Engines) -> Iterator[Playgrounds]:
    made = Playgrounds(engines)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, templates: Templates) -> Iterator[str]:
    """A fresh, migrated database of each kind; the stage that the test starts from is in it.

    A test that takes everything back plays on the stage itself.
    """
    stage = stage_of(request)
    if request.param == "sqlite":
        path = templates.sqlite(stage)
        if not is_taken_back(request):
            path = Path(shutil.copy(path, tmp_path / "review-flow.db"))
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    template = templates.postgres(server, stage)
    if is_taken_back(request):
        yield server.url(template)
        return
    name = server.database(template)
    yield server.url(name)
    server.drop(name)


def is_taken_back(request: pytest.FixtureRequest) -> bool:
    """Whether only the fixture `session` knows the test's database: then its one transaction can be taken back."""
    known = request.node._fixtureinfo
    asking = {name for name, made in known.name2fixturedefs.items() if "database_url" in made[-1].argnames}
    return asking == {"session"} and "database_url" not in known.initialnames


class Engines:
    """One engine for each kind of database, pointed at the one of the moment: it keeps the statements it compiled."""

    def __init__(self) -> None:
        self.made: dict[str, Engine] = {}
        self.urls: dict[str, URL] = {}

    def at(self, url: URL) -> Engine:
        kind = url.get_backend_name()
        self.urls[kind] = url
        if kind not in self.made:
            self.made[kind] = make_engine(str(url))
            event.listen(self.made[kind], "do_connect", self.point)
        return self.made[kind]

    def point(self, dialect: Any, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
        arguments[:], found = dialect.create_connect_args(self.urls[dialect.name])
        options.update(found)


@pytest.fixture(scope="session")
def engines() -> Engines:
    return Engines()


@pytest.fixture
def engine(database_url: str, engines: Engines) -> Iterator[Engine]:
    made = engines.at(make_url(database_url))
    yield made
    with transaction(made) as session:
        assert invariants.broken(session) == []
    made.dispose()


@pytest.fixture
def session(request: pytest.FixtureRequest, database_url: str, playgrounds: Playgrounds) -> Iterator[Session]:
    """One transaction for the whole test. It is kept where others look at the database, and else taken back."""
    if is_taken_back(request):
        with playgrounds.session(database_url) as opened:
            yield opened
        return
    with transaction(request.getfixturevalue("engine")) as opened:
        yield opened


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A held clock, at the first morning of the round."""
    held = Clock()
    yield held
    held.stack.close()


@stage
def school(session: Session, _clock: Clock) -> School:
    """A school of five teachers whose round is set up."""
    return School(session)


@stage
def alone(session: Session, _clock: Clock) -> School:
    """A school of one teacher whose round is set up."""
    return School(session, teachers=1)


@stage
def opened(session: Session, _clock: Clock) -> School:
    """Five teachers, and the round is open."""
    return School(session).open()


@stage
def marked(session: Session, _clock: Clock) -> School:
    """All works of five teachers are reviewed and marked, everybody in time."""
    return School(session).open().whole()
