"""Every page there is, with 1 000 teachers in a round: how long each takes, the slowest first.

    python -m benchmarks.pages [--database sqlite] [--teachers 1000] [--times 40]

The school of `benchmarks.web`. Every GET route is asked as a teacher, a member of the panel and the administrator,
with the ids that the first rows of each kind have; whatever answers with a page is asked again and again, one request
at a time. The baseline in the same run is /enter, a page that asks the database for nothing. What nobody of them may
open, or what this week of the round has not got yet, is named at the end.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from fastapi.routing import APIRoute
from sqlalchemy import Engine, text

from benchmarks.claims import databases
from benchmarks.web import browser, play, serving, somebodies
from review_flow.db import make_engine, transaction
from review_flow.migrate import upgrade
from review_flow.settings import Settings
from review_flow.web.app import create_app
from tests.cast import START, Clock

KEYS = (1, 2, 3, 10, 100)
GOAL_MS = 50.0
LEAVING = {"/enter/with/{provider}", "/enter/with/{provider}/back", "/me/identities/{provider}"}


def pages(home: Path) -> list[str]:
    """Return the addresses of all GET routes that are pages, with places for what they name."""
    app = create_app(Settings(home=home), engine=make_engine(f"sqlite:///{home}/unused.db"))
    found = [one for one in app.routes if isinstance(one, APIRoute) and "GET" in one.methods]
    return sorted({one.path for one in found if not one.path.startswith("/api/")} - LEAVING)


def measured(kind: str, url: str, engine: Engine, wishes: argparse.Namespace, home: Path) -> None:
    """Print the table of one database."""
    upgrade(engine)
    with Clock(START).stack, transaction(engine) as session:
        school = play(session, wishes.teachers)
        teachers, _late, member, admin = somebodies(session, school, 1)
        session.flush()
        session.execute(text("ANALYZE"))
    took: dict[str, list[float]] = {}
    closed = []
    with serving(url, home) as (address, _pid):
        clients = {
            name: browser(address, who) for name, who in (("teacher", teachers[0]), ("panel", member), ("admin", admin))
        }
        own = {name: set(who.pages.values()) for name, who in (("teacher", teachers[0]), ("panel", member))}
        for path in pages(home):
            pattern = re.compile(re.sub(r"{[^}]*}", "[^/]+", path))
            there = None
            for role, client in clients.items():
                mine = [one for one in own.get(role, ()) if pattern.fullmatch(one)]
                for way in [*mine, *(re.sub(r"{[^}]*}", str(key), path) for key in KEYS)]:
                    answer = client.get(way, follow_redirects=False)
                    if answer.status_code == 200 and "html" in answer.headers["content-type"]:
                        there = role, client, way
                        break
                if there:
                    break
            if there is None:
                closed.append(path)
                continue
            role, client, way = there
            times = took[f"{path} ({role})"] = []
            for _time in range(wishes.times):
                began = time.perf_counter()
                client.get(way)
                times.append(1000 * (time.perf_counter() - began))
    print(f"{kind}: {len(took)} pages of {len(took) + len(closed)}, {wishes.teachers} teachers", flush=True)
    floor = next(times for name, times in took.items() if name.startswith("/enter "))
    rows = sorted(((quantiles(times, n=100)[94], min(times), name) for name, times in took.items()), reverse=True)
    least = min(floor)
    for p95, best, name in rows[: wishes.show]:
        over = "  OVER" if p95 > GOAL_MS else ""
        print(f"  p95 {p95:6.1f} ms  least {best:6.1f} ms = {best / least:4.1f}x /enter  {name}{over}")
    print(
        f"  over {GOAL_MS:.0f} ms at p95: {sum(p95 > GOAL_MS for p95, _best, _name in rows)}; not opened: {', '.join(closed)}",
        flush=True,
    )


def main() -> None:
    """Measure each database that is here."""
    wishes = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    wishes.add_argument("--teachers", type=int, default=1000)
    wishes.add_argument("--times", type=int, default=40, help="how often each page is asked for")
    wishes.add_argument("--show", type=int, default=15, help="how many of the slowest are shown")
    wishes.add_argument("--database", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    chosen = wishes.parse_args()
    with databases() as found, tempfile.TemporaryDirectory() as folder:
        for kind, url in found:
            if kind in chosen.database:
                home = Path(folder) / kind
                home.mkdir()
                measured(kind, url, make_engine(url), chosen, home)


if __name__ == "__main__":
    main()
