"""Engine and transaction(): the one place that commits."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Engine, bindparam, create_engine, event, func
from sqlalchemy.orm import Session

from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry


Row = TypeVar("Row")
WAIT_S = 60  # for a turn to write
MOST = 2**63
_HELD = "held"
PREPARED = 500
"""Statements that a connection to PostgreSQL keeps prepared: all that pages ask."""


class Unstorable(Refusal):
    """A text with a NUL or half a character, or a number beyond 64 bits: PostgreSQL or SQLite can't hold it."""

    status, text = 422, _("内容里有不能保存的字符（如空字符）或过大的数字，请改一下再试。")


def make_engine(url: str) -> Engine:
    """Return an engine for a SQLite or PostgreSQL URL, set up so that both keep the same promises.

    What is asked with stays out of error messages, and so out of logs.
    """
    if not url.startswith("sqlite"):
        # Kept, not opened for a moment: a connection that comes and goes costs more than what it is used for. The last
        # one used is taken first: it has prepared what pages ask, and half of a page's time there is planning.
        engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_size=15,
            max_overflow=0,
            pool_use_lifo=True,
            pool_timeout=WAIT_S,
            hide_parameters=True,
        )
        event.listen(engine, "before_cursor_execute", _require_storable)
        event.listen(engine, "connect", _prepare_early)
        return engine
    # One connection: transactions are immediate, so another would only wait inside SQLite, whose waiting is not fair
    # (of 32 threads some got no turn for a minute). Threads queue for the connection, processes for the file.
    engine = create_engine(url, pool_size=1, max_overflow=0, pool_timeout=WAIT_S, hide_parameters=True)
    event.listen(engine, "before_cursor_execute", _require_storable)
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _require_storable(
    _connection: Connection,
    _cursor: object,
    _statement: str,
    given: Any,
    _context: object,
    _many: bool,  # noqa: FBT001 - SQLAlchemy's signature
) -> None:
    """Refuse, before it is asked, what one of the databases would answer with a fault: whoever sent it can mend it."""
    for row in given if isinstance(given, list) else [given]:
        for value in row.values() if isinstance(row, dict) else row:
            if isinstance(value, str) and not value.isprintable() and _is_broken(value):
                raise Unstorable
            if isinstance(value, int) and not -MOST <= value < MOST:
                raise Unstorable


def _is_broken(text: str) -> bool:
    return "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text)


def _prepare_early(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    raw: Any = connection
    raw.prepare_threshold, raw.prepared_max = 1, PREPARED


def _sqlite_connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    raw: Any = connection
    raw.isolation_level = None  # the driver must not begin by itself: _sqlite_begin does
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={WAIT_S * 1000}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    # Immediate: a transaction that reads and then writes can't be overtaken between the two (claims, chains),
    # and never fails with SQLITE_BUSY half-way. It costs parallel readers nothing that a school would notice.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@functools.cache
def settings() -> Settings:
    """Return the installation's settings, read once from the environment."""
    return Settings()


@functools.cache
def engine_for(url: str) -> Engine:
    """Return this process's engine for a URL, made once."""
    return make_engine(url)


@contextmanager
def transaction(engine: Engine | None = None) -> Iterator[Session]:
    """Yield a session; commit when the block ends, roll back when it raises."""
    bound = engine if engine is not None else engine_for(settings().database)
    with Session(bound, expire_on_commit=False) as session, session.begin():
        yield session


def hold(session: Session) -> None:
    """Have a session keep each row that it reads: it forgets what nobody else holds, and would read it again."""
    session.info[_HELD] = []


@event.listens_for(Session, "loaded_as_persistent")
def _keep(session: Session, row: object) -> None:
    held = session.info.get(_HELD)
    if held is not None:
        held.append(row)


def counted(asked: Select[tuple[Row]]) -> Select[tuple[Row, int]]:
    """Return a query of the first `most` rows of another, each beside how many there are: for `first_of`."""
    return asked.add_columns(func.count().over()).limit(bindparam("most"))


def first_of(session: Session, asked: Select[tuple[Row, int]], values: Mapping[str, Any]) -> tuple[list[Row], int]:
    """Return the first rows of a `counted` query, and how many there are, in one question."""
    rows = session.execute(asked, dict(values)).tuples().all()
    return [row for row, _count in rows], rows[0][1] if rows else 0
