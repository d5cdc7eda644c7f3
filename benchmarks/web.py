"""The pages people open most, and uploads, with 1 000 teachers in a round.

    python -m benchmarks.web [--database sqlite] [--teachers 1000] [--people 50] [--seconds 20] [--upload-mb 400]

A school plays the beginning of a round by the product's own steps: works sealed, reviews assigned; some works of each
teacher wait for the panel. Its people are then repeated until there are enough. The web is a process of its own, as
it serves a school; its clock stands in that week. First each page is asked by one person after another (what an answer
costs), then by many at once without a pause (what the machine gives): everybody is connected before the clock starts.
"cpu" is the time that the server itself used for an answer, which other work on the machine hardly changes. The
baseline in the same run is /healthz: the way through server and envelope to an answer that asks nothing. An upload
goes in pieces of 4 MB as the page sends it, beside a plain copy of the same bytes to the same disk; the server's
greatest memory is read before and after. SQLite, and PostgreSQL where its programs are found, in a cluster thrown
away afterwards.
"""

from __future__ import annotations

import argparse
import base64
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import httpx
from sqlalchemy import Engine, select, text

from benchmarks.claims import databases
from benchmarks.crowd import repeat
from models import Assignment, Person, Submission
from review_flow.clock import now
from review_flow.db import make_engine, transaction
from review_flow.migrate import upgrade
from review_flow.rules.lifecycle import SubmissionState
from review_flow.steps import door, panel
from review_flow.web.access import SESSION_COOKIE
from tests.cast import ABILITIES, START, Clock, School

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI
    from sqlalchemy.orm import Session
    from starlette.types import ASGIApp

PIECE, MEMORY = 4 * 1024 * 1024, "VmHWM"
TLS = ssl.create_default_context()  # made once: for each client it would cost more than a page
LEAST = 20  # answers of each kind, however slow the machine is


@dataclass
class Somebody:
    """One browser: a session, and the addresses that are this person's own."""

    token: str
    pages: dict[str, str]


def play(session: Session, teachers: int) -> School:
    """Play five teachers up to the reviews, one more has yet to hand in; and repeat all until there are enough."""
    school = School(session, teachers=6).open()
    for person in school.teachers:
        school.ready(person)
    for person in school.teachers[:5]:
        school.seal(person)
    school.allocate()
    for work in session.scalars(select(Submission).where(Submission.ability == ABILITIES[0])).all():
        if work.state is SubmissionState.SEALED:
            work.state, work.valid, work.submitted_at = SubmissionState.IN_PEER_REVIEW, True, now()
            panel.ask_panel(session, submission=work)
    repeat(session, {Person: [one.id for one in school.teachers]}, teachers // len(school.teachers) - 1)
    return school


def somebodies(session: Session, school: School, count: int) -> tuple[list[Somebody], Somebody, Somebody, Somebody]:
    """Sign in teachers who have a task and a work, a member of the panel, and the administrator."""
    of_works = select(Assignment.reviewer_id, Assignment.id).where(Assignment.submission_id.is_not(None))
    task_of = dict(session.execute(of_works).tuples().all())
    work_of = dict(session.execute(select(Submission.author_id, Submission.id)).tuples().all())
    teachers = []
    for person in sorted(task_of.keys() & work_of.keys())[-count:]:
        token = door.begin(session, person=session.get_one(Person, person), user_agent="benchmark")
        own = {"work": f"/works/{work_of[person]}", "task": f"/reviews/{task_of[person]}"}
        teachers.append(Somebody(token, {"healthz": "/healthz", "home": "/", "tasks": "/reviews", **own}))
    late, member, admin = (
        door.begin(session, person=one, user_agent="benchmark")
        for one in (school.teachers[5], school.members[0], school.admin)
    )
    progress = {"progress": f"/school/rounds/{school.round.id}/progress"}
    panel, handing_in = {"panel": "/panel"}, {"work": f"/works/{work_of[school.teachers[5].id]}"}
    return teachers, Somebody(late, handing_in), Somebody(member, panel), Somebody(admin, progress)


@contextmanager
def serving(url: str, home: Path, module: str = "benchmarks.web", at: datetime = START) -> Iterator[tuple[str, int]]:
    """Start the web in a process whose clock stands at a moment; give its address and id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "REVIEW_FLOW_HOME": str(home), "REVIEW_FLOW_DATABASE_URL": url}
    environment |= dict.fromkeys(("REVIEW_FLOW_PERSON_REQUESTS", "REVIEW_FLOW_ADDRESS_REQUESTS"), str(10**9))
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--serve", str(port), "--at", at.isoformat()],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                assert httpx.get(f"{address}/readyz").json()["ready"]
                break
            except httpx.ConnectError:
                assert process.poll() is None
                time.sleep(0.1)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(30)


def serve(port: int, at: str, around: Callable[[FastAPI], ASGIApp] = lambda app: app) -> None:
    """Be that process; `around` may stand about the application."""
    import uvicorn

    from review_flow.web.__main__ import application

    with Clock(datetime.fromisoformat(at)).stack:
        uvicorn.run(around(application()), port=port, access_log=False, log_config=None, server_header=False)


def browser(address: str, token: str | None) -> httpx.Client:
    """Return a browser in which somebody is signed in, or nobody."""
    cookies = {SESSION_COOKIE: token} if token else {}
    return httpx.Client(base_url=address, headers={"origin": address}, cookies=cookies, timeout=120, verify=TLS)


def asked(client: httpx.Client, path: str) -> float:
    """Return how many seconds an answer took; anything but a page is a fault of the benchmark."""
    began = time.perf_counter()
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
    return time.perf_counter() - began


def in_a_row(address: str, people: list[Somebody], page: str, seconds: float) -> list[float]:
    """Ask one after another."""
    clients = [(browser(address, one.token), one.pages[page]) for one in people[:10]]
    for client, path in clients:
        asked(client, path)
    end, took, turn = time.perf_counter() + seconds, [], cycle(clients)
    while time.perf_counter() < end or len(took) < LEAST:
        took.append(asked(*next(turn)))
    for client, _path in clients:
        client.close()
    return took


def at_once(address: str, people: list[Somebody], page: str, seconds: float) -> tuple[list[float], float]:
    """Ask by everybody at once, without a pause; return how long answers took, and how many came a second."""
    took: list[float] = []
    ready = threading.Barrier(len(people) + 1)

    def one(who: Somebody) -> None:
        with browser(address, who.token) as client:
            asked(client, who.pages[page])
            ready.wait()
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                took.append(asked(client, who.pages[page]))

    threads = [threading.Thread(target=one, args=(who,)) for who in people]
    for thread in threads:
        thread.start()
    ready.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return took, len(took) / (time.perf_counter() - began)


def cpu_s(pid: int) -> float:
    """Return how many seconds a process has computed, for itself and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def shown(took: list[float]) -> str:
    """Return p50, p95 and p99 in ms."""
    cuts = quantiles(took, n=100)
    return "  ".join(f"p{place} {1000 * cuts[place - 1]:6.1f} ms" for place in (50, 95, 99))


def memory_mb(pid: int) -> float:
    """Return the most memory that a process ever held."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(MEMORY)) / 1024


def upload(address: str, pid: int, who: Somebody, size_mb: int, folder: Path) -> None:
    """Send one file in pieces; print MB/s against a plain copy, and what memory it took."""
    block, pieces = os.urandom(PIECE), size_mb * 1_000_000 // PIECE
    began = time.perf_counter()
    with (folder / "copy").open("wb") as file:
        for _piece in range(pieces):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    plain_s = time.perf_counter() - began
    (folder / "copy").unlink()
    work = who.pages["work"].rsplit("/", 1)[1]
    before = memory_mb(pid)
    with browser(address, who.token) as client:
        page = client.get(who.pages["work"]).text
        slot = page.split('data-slot="', 1)[1].split('"', 1)[0]
        said = {"work": work, "slot": slot, "filename": "课堂实录.mp4"}
        metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())
        tus = {"tus-resumable": "1.0.0"}
        made = client.post(
            "/uploads", headers={**tus, "upload-length": str(pieces * PIECE), "upload-metadata": metadata}
        )
        assert made.status_code == 201, made.text
        began = time.perf_counter()
        for number in range(pieces):
            piece = b"\x00\x00\x00\x18ftypmp42" + block[12:] if number == 0 else block
            headers = {
                **tus,
                "upload-offset": str(number * PIECE),
                "content-type": "application/offset+octet-stream",
            }
            sent = client.patch(made.headers["location"], headers=headers, content=piece)
            assert sent.status_code == 204, sent.text
        took_s = time.perf_counter() - began
    mb = pieces * PIECE / 1e6
    print(
        f"    upload of {mb:.0f} MB: {mb / took_s:6.1f} MB/s, {took_s / plain_s:.1f}x a plain copy ({mb / plain_s:.0f} MB/s);"
        f" the server's memory {before:.0f} -> {memory_mb(pid):.0f} MB",
        flush=True,
    )


def measured(kind: str, url: str, engine: Engine, wishes: argparse.Namespace, home: Path) -> None:
    """Print the table of one database."""
    upgrade(engine)
    began = time.perf_counter()
    with Clock(START).stack, transaction(engine) as session:
        school = play(session, wishes.teachers)
        teachers, late, member, admin = somebodies(session, school, wishes.people)
        session.flush()
        session.execute(text("ANALYZE"))  # as a database does by itself in a round's first hours
    print(f"{kind}: {wishes.teachers} teachers, made in {time.perf_counter() - began:.0f} s", flush=True)
    everybody = {"healthz": teachers, **dict.fromkeys(("home", "work", "tasks", "task"), teachers)}
    everybody |= {"panel": [member], "progress": [admin]}
    with serving(url, home) as (address, pid):
        floor = None
        for page, people in everybody.items():
            alone = in_a_row(address, people, page, wishes.seconds / 4)
            used = cpu_s(pid)
            many, rate = at_once(address, (people * wishes.people)[: wishes.people], page, wishes.seconds / 2)
            used = (cpu_s(pid) - used) / (len(many) + wishes.people)
            floor = floor or used
            print(
                f"  {page:9} alone {shown(alone)} | {wishes.people} at once {shown(many)}  {rate:6.1f}/s"
                f"  cpu {1000 * used:5.1f} ms = {used / floor:4.1f}x /healthz  server {memory_mb(pid):.0f} MB",
                flush=True,
            )
        upload(address, pid, late, wishes.upload_mb, home)


def main() -> None:
    """Measure each database that is here."""
    wishes = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    wishes.add_argument("--teachers", type=int, default=1000)
    wishes.add_argument("--people", type=int, default=50)
    wishes.add_argument("--seconds", type=float, default=20, help="for each page")
    wishes.add_argument("--upload-mb", type=int, default=400)
    wishes.add_argument("--database", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    wishes.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    wishes.add_argument("--at", help=argparse.SUPPRESS)
    chosen = wishes.parse_args()
    if chosen.serve:
        serve(chosen.serve, chosen.at)
        return
    with databases() as found, tempfile.TemporaryDirectory() as folder:
        for kind, url in found:
            if kind not in chosen.database:
                continue
            (Path(folder) / kind).mkdir()
            engine = make_engine(url)
            measured(kind, url, engine, chosen, Path(folder) / kind)
            engine.dispose()


if __name__ == "__main__":
    main()
