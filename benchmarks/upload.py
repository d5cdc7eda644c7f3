"""A large film, sent to `review-flow serve` as the page sends it; the web is killed in its middle.

    python -m benchmarks.upload [--megabytes 2000] [--home DIR]

A teacher's work waits for a file. It goes in pieces of 4 MB over loopback; at the half the web process is killed
(SIGKILL) while a piece is on its way, the supervisor starts it again, and what is here is asked of it (HEAD). What was
stored is compared with what was sent by its SHA-256. MB/s stand beside a plain copy of as many bytes to the same disk,
and the web's memory before, at each tenth, and after. How long a fresh home needs until /readyz is printed first.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date, timedelta
from pathlib import Path

import httpx
from sqlalchemy import select

from benchmarks.web import PIECE
from models import Evidence
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.db import make_engine, transaction
from review_flow.outside.storage import key_of
from review_flow.steps import door
from review_flow.web.access import SESSION_COOKIE
from tests.cast import School

SEED = os.urandom(PIECE)


class Today(School):
    """A school whose round began this morning."""

    def days(self) -> tuple[date, date, date]:
        """Return today, and days as far from it as usual."""
        today = now().astimezone(SCHOOL_ZONE).date()
        return today, today + timedelta(days=18), today + timedelta(days=32)


def piece(number: int) -> bytes:
    """Return the bytes of one piece, each a little different; the first begins as a film does."""
    head = b"\x00\x00\x00\x18ftypmp42" if number == 0 else number.to_bytes(12, "big")
    return head + SEED[12:]


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def web_of(serve: int) -> int:
    """Return the id of the web process under the supervisor."""
    while True:
        children = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(serve)], check=False, capture_output=True, text=True
        )
        for line in children.stdout.splitlines():
            pid, arguments = line.strip().split(" ", 1)
            if "-m review_flow.web" in arguments:
                return int(pid)
        time.sleep(0.05)


def until_ready(address: str) -> float:
    began = time.perf_counter()
    while True:
        try:
            if httpx.get(f"{address}/readyz", timeout=1).status_code == 200:
                return time.perf_counter() - began
        except httpx.HTTPError:
            pass
        time.sleep(0.05)


def prepared(home: Path) -> tuple[str, int, str]:
    """Play a school up to a work that waits for its files; return a session's token, the work and its slot."""
    engine = make_engine(f"sqlite:///{home / 'review-flow.db'}")
    with transaction(engine) as session:
        school = Today(session, teachers=1).open()
        work = school.ready(school.teachers[0])[0]
        token = door.begin(session, person=school.teachers[0], user_agent="benchmark")
        found = token, work.id, school.scheme.slots(work.ability)[0].id
    engine.dispose()
    return found


def plain_copy_s(folder: Path, pieces: int) -> float:
    began = time.perf_counter()
    with (folder / "plain").open("wb") as file:
        for number in range(pieces):
            file.write(piece(number))
        file.flush()
        os.fsync(file.fileno())
    took = time.perf_counter() - began
    (folder / "plain").unlink()
    return took


def send(client: httpx.Client, place: str, content: bytes, offset: int) -> httpx.Response:
    headers = {"upload-offset": str(offset), "content-type": "application/offset+octet-stream"}
    return client.patch(place, headers={"tus-resumable": "1.0.0", **headers}, content=content)


def upload(address: str, serve: int, prepared_: tuple[str, int, str], pieces: int) -> tuple[str, float]:
    """Send it, kill the web at the half, go on; return the digest of what was sent, and the seconds it took."""
    token, work, slot = prepared_
    digest, web = hashlib.sha256(), web_of(serve)
    said = {"work": str(work), "slot": slot, "filename": "课堂实录.mp4"}
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())
    client = httpx.Client(base_url=address, headers={"origin": address}, cookies={SESSION_COOKIE: token}, timeout=120)
    made = client.post("/uploads", headers={"upload-length": str(pieces * PIECE), "upload-metadata": metadata})
    assert made.status_code == 201, made.text
    place = made.headers["location"]
    print(f"  memory of the web before: {resident_mb(web):.0f} MB", flush=True)
    began, longest = time.perf_counter(), 0.0
    number = 0
    while number < pieces:
        content = piece(number)
        if number == pieces // 2:
            threading.Timer(0.004, os.kill, (web, signal.SIGKILL)).start()
        try:
            sent = time.perf_counter()
            answer = send(client, place, content, number * PIECE)
            assert answer.status_code == 204, (number, answer.status_code, answer.text[:300])
            longest = max(longest, time.perf_counter() - sent)
        except httpx.TransportError:
            gone = time.perf_counter()
            until_ready(address)
            here = int(client.head(place).headers["upload-offset"])
            web = web_of(serve)
            print(
                f"  killed in piece {number} ({number * PIECE / 1e6:.0f} MB), back after {time.perf_counter() - gone:.1f} s,"
                f" {(here - number * PIECE) / 1e6:.2f} MB of that piece are here",
                flush=True,
            )
            answer = send(client, place, content[here - number * PIECE :], here)
            assert answer.status_code == 204, answer.text
        digest.update(content)
        number += 1
        if number % (pieces // 10) == 0 and number < pieces:
            print(f"  {number * PIECE / 1e6:5.0f} MB, memory {resident_mb(web):.0f} MB", flush=True)
    took = time.perf_counter() - began
    print(f"  the longest piece took {longest:.1f} s (the last one stores the file); memory {resident_mb(web):.0f} MB")
    return digest.hexdigest(), took


def main() -> None:
    """Measure it once."""
    wishes = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    wishes.add_argument("--megabytes", type=int, default=2000)
    wishes.add_argument("--home", type=Path)
    chosen = wishes.parse_args()
    pieces = chosen.megabytes * 1_000_000 // PIECE
    with tempfile.TemporaryDirectory(dir=chosen.home) as folder, socket.socket() as probe:
        home = Path(folder) / "home"
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        address = f"http://127.0.0.1:{port}"
        plain_s = plain_copy_s(Path(folder), pieces)
        began = time.perf_counter()
        serve = subprocess.Popen(
            [sys.executable, "-c", "from review_flow.cli import main; main()", "serve", "--port", str(port)],
            env={**os.environ, "REVIEW_FLOW_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=(Path(folder) / "log").open("wb"),
        )
        try:
            until_ready(address)
            print(f"  a fresh home is ready after {time.perf_counter() - began:.1f} s", flush=True)
            digest, took_s = upload(address, serve.pid, prepared(home), pieces)
            mb = pieces * PIECE / 1e6
            print(f"  {mb:.0f} MB in {took_s:.1f} s: {mb / took_s:.0f} MB/s; a plain copy {mb / plain_s:.0f} MB/s")
            with transaction(make_engine(f"sqlite:///{home / 'review-flow.db'}")) as session:
                kept = session.scalars(select(Evidence)).one()
                assert (kept.sha256, kept.size_bytes) == (digest, pieces * PIECE)
            with (home / "storage" / key_of(digest)).open("rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() == digest
            assert list((home / "uploads").iterdir()) == []
            print("  what is stored is what was sent, and nothing is left of the upload")
        finally:
            serve.terminate()
            serve.wait(60)


if __name__ == "__main__":
    main()
