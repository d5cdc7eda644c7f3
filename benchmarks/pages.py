"""Every page there is, with 1 000 teachers in each round: how long each takes, the slowest first.

    python -m benchmarks.pages [--database sqlite] [--teachers 1000] [--times 40] [--only /panel] [--show 30]

The schools of `tests/journeys/worlds.py`: amid a round, after its end with results, appeals and certificates, one whose
works wait for approvals, one with visits, a programme with workshops, a county above. Each is played by the product's
own steps for a few people, and their part is repeated until everybody is there. The pages, as whom, and with which rows
behind them are those that the browser's tests open, and the parts that pages ask for by themselves. The web is a
process of its own, whose clock stands where the world's does; one request at a time. The time is the server's: from
the request to the moment its answer, whole and compressed, begins to leave. "cpu" is what the server itself computed
for an answer, which other work on the machine hardly changes; the baseline in the same run is /enter, a page that asks
the database for nothing.

Each page is asked 12 times unmeasured: PostgreSQL plans a prepared statement anew for its first executions, in each
connection, and a page that people use has that behind it.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event, select, text

from benchmarks.claims import databases
from benchmarks.crowd import repeat
from benchmarks.web import browser, cpu_s, serve, serving
from models import Enrolment, Person, Round, Workshop
from review_flow.clock import hands_at
from review_flow.db import make_engine, transaction
from review_flow.migrate import upgrade
from review_flow.outside.storage import storage_at
from review_flow.settings import Settings
from review_flow.steps import door, errands
from review_flow.web.access import SESSION_COOKIE
from review_flow.web.door import LINK_COOKIE
from tests.cast import Clock
from tests.journeys.test_browser_pages import INVITED, NO_PAGES, NOBODY, PAGES, WHOLE
from tests.journeys.worlds import World, Worlds

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI
    from sqlalchemy.orm import Session
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

GOAL_MS, UNMEASURED = 50.0, 12
STATEMENTS, TOOK_MS = b"x-statements", b"x-took-ms"
PARTS: dict[str, list[tuple[str, ...]]] = {
    "/works/{key}/slots": [("middle", "collecting", "work")],
    "/errands/{key}": [("middle", "admin", "errand")],
    "/school/imports/{key}/part": [("middle", "admin", "looked")],
    "/school/rounds/{key}/jobs": [("end", "admin", "round")],
    "/school/rounds/{key}/progress/part": [("middle", "admin", "round")],
}
"""What pages fetch by themselves, and again: no pages to the browser's tests, but as often asked for."""


@dataclass(frozen=True)
class Visit:
    """Whom a page is opened as, in which world, and its address."""

    path: str
    world: str
    who: str
    address: str


@dataclass(frozen=True)
class Took:
    """How long a page took, how much of it the server computed, and how many statements it asked."""

    times_ms: list[float]
    cpu_ms: float
    statements: int
    visit: Visit


def play(session: Session, home: Path, teachers: int) -> Worlds:
    """Play all worlds, and fill their rounds."""
    settings, clock = Settings(home=home), Clock()
    with clock.stack:
        worlds = Worlds(session, storage_at(settings.storage), settings, clock)
        for world in of(worlds).values():
            if "round" in world.ids:
                rows = select(Person.id, Person.workshop_id).join(Enrolment, Enrolment.person_id == Person.id)
                known = dict(session.execute(rows.where(Enrolment.round_id == world.ids["round"])).tuples().all())
                shops = {one for one in known.values() if one is not None}
                repeat(session, {Workshop: shops, Person: known.keys()}, teachers // len(known) - 1)
        admin = session.get_one(Person, worlds.middle.people["admin"])
        round_ = session.get_one(Round, worlds.middle.ids["round"])
        worlds.middle.ids["errand"] = errands.ask_agreement(session, actor=admin, round_=round_).id
    return worlds


def of(worlds: Worlds) -> dict[str, World]:
    """Return the worlds by the names that the table of pages has for them."""
    return {name: one for name, one in vars(worlds).items() if isinstance(one, World)}


def visits(worlds: dict[str, World], only: str) -> list[Visit]:
    """Return what is opened, in the order of the worlds' clocks."""
    made = []
    for path, ways in [*PAGES.items(), *PARTS.items()]:
        for world, who, *rows in ways:
            left = iter(str(worlds[world].ids[row]) for row in rows)
            address = re.sub(r"{[^}]*}", lambda _found, left=left: next(left), path)
            if path.startswith(only) or path == "/enter":
                made.append(Visit(path, world, who, address))
    return sorted(made, key=lambda one: (worlds[one.world].at, one.path != "/enter"))


def signed_in(session: Session, worlds: dict[str, World], found: list[Visit]) -> dict[tuple[str, str], dict[str, str]]:
    """Sign in everybody who opens something, each at the time of their world; return the cookies that they bring."""
    tokens: dict[tuple[str, str], dict[str, str]] = {}
    for one in found:
        if one.who == NOBODY:
            tokens[one.world, one.who] = {}
        elif one.who == INVITED:
            tokens[one.world, one.who] = {LINK_COOKIE: str(worlds[one.world].ids["link"])}
        elif (one.world, one.who) not in tokens:
            with hands_at(worlds[one.world].at):
                person = session.get_one(Person, worlds[one.world].people[one.who])
                token = door.begin(session, person=person, user_agent="benchmark", whole=one.who == WHOLE)
                tokens[one.world, one.who] = {SESSION_COOKIE: token}
    return tokens


def opened(client: httpx.Client, pid: int, visit: Visit, times: int) -> Took | None:
    """Ask for a page again and again; None: it does not open."""
    for _time in range(UNMEASURED):
        answer = client.get(visit.address, follow_redirects=False)
        if answer.status_code not in {200, 204}:
            return None
    took, used = [], cpu_s(pid)
    for _time in range(times):
        answer = client.get(visit.address)
        took.append(float(answer.headers[TOOK_MS.decode()]))
    cpu_ms = 1000 * (cpu_s(pid) - used) / times
    return Took(took, cpu_ms, int(answer.headers[STATEMENTS.decode()]), visit)


def measured(kind: str, url: str, engine: Engine, wishes: argparse.Namespace, home: Path) -> None:
    """Print the table of one database."""
    upgrade(engine)
    began = time.perf_counter()
    with transaction(engine) as session:
        played = play(session, home, wishes.teachers)
        worlds = of(played)
        found = visits(worlds, wishes.only)
        tokens = signed_in(session, worlds, found)
        session.flush()
        session.execute(text("ANALYZE"))  # as a database does by itself in a round's first hours
    if kind == "postgresql":  # and not in the midst of what is measured
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    print(f"{kind}: {wishes.teachers} teachers in each round, made in {time.perf_counter() - began:.0f} s", flush=True)
    took, closed = [], []
    for at, theirs in groupby(found, key=lambda one: worlds[one.world].at):
        with serving(url, home, "benchmarks.pages", at) as (address, pid):
            for visit in theirs:
                with browser(address, None) as client:
                    client.cookies.update(tokens[visit.world, visit.who])
                    one = opened(client, pid, visit, wishes.times)
                if one is None:
                    closed.append(visit)
                else:
                    took.append(one)
    shown(kind, took, closed, wishes.show)


def shown(kind: str, took: list[Took], closed: list[Visit], most: int) -> None:
    """Print the slowest, how many are too slow, and what is left."""
    least = min(min(one.times_ms) for one in took if one.visit.path == "/enter")
    print(f"  {len({one.visit.path for one in took})} pages and parts, opened in {len(took)} ways; {kind}")
    rows = sorted(
        ((quantiles(one.times_ms, n=100)[94], min(one.times_ms), one) for one in took), key=lambda row: -row[0]
    )
    for p95, best, one in rows[:most]:
        over = "  OVER" if p95 > GOAL_MS else ""
        print(
            f"  p95 {p95:6.1f} ms  least {best:6.1f} ms = {best / least:4.1f}x /enter  cpu {one.cpu_ms:5.1f} ms"
            f"  {one.statements:3} statements  {one.visit.path} ({one.visit.world}, {one.visit.who}){over}"
        )
    print(f"  over {GOAL_MS:.0f} ms at p95: {sum(p95 > GOAL_MS for p95, _best, _one in rows)} of {len(rows)}")
    print(f"  did not open: {', '.join(f'{one.address} ({one.world}, {one.who})' for one in closed) or 'none'}")
    print(f"  no pages, left out: {', '.join(sorted(NO_PAGES - PARTS.keys()))}", flush=True)


def counted(app: FastAPI) -> ASGIApp:
    """Say with each answer how long it took and how many statements it asked; true for one request at a time."""
    sent: list[None] = []
    event.listen(Engine, "before_cursor_execute", lambda *_args: sent.append(None))

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                took_ms = 1000 * (time.perf_counter() - began)
                said = (STATEMENTS, str(len(sent)).encode()), (TOOK_MS, str(took_ms).encode())
                message["headers"] = [*message["headers"], *said]
            await send(message)

        sent.clear()
        began = time.perf_counter()
        await app(scope, receive, told)

    return around


def main() -> None:
    """Measure each database that is here."""
    wishes = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    wishes.add_argument("--teachers", type=int, default=1000)
    wishes.add_argument("--times", type=int, default=40, help="how often each page is asked for")
    wishes.add_argument("--show", type=int, default=15, help="how many of the slowest are shown")
    wishes.add_argument("--only", default="", help="how the routes begin that are measured")
    wishes.add_argument("--database", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    wishes.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    wishes.add_argument("--at", help=argparse.SUPPRESS)
    chosen: Any = wishes.parse_args()
    if chosen.serve:
        serve(chosen.serve, chosen.at, counted)
        return
    with databases() as found, tempfile.TemporaryDirectory() as folder:
        for kind, url in found:
            if kind in chosen.database:
                home = Path(folder) / kind
                home.mkdir()
                engine = make_engine(url)
                measured(kind, url, engine, chosen, home)
                engine.dispose()


if __name__ == "__main__":
    main()
