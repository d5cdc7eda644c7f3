"""Copies: how long the index takes with 100 000 files, what is caught by transformation, what is found by mistake.

    python -m benchmarks.copies [--files 100000] [--media ../shared/media] [--only index|rates|strangers]

The index: made-up fingerprints, 128 keys each, of a school tree; SQLite, and PostgreSQL where its programs are found.
Every tenth file is a lesson in a shared studio: a fifth of its keys are those of 200 others. Rates: photos of LFW and
lessons made as in the tests, each changed and compared. Strangers: all pairs of LFW's photos that share two keys.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image
from sqlalchemy import func, insert, select, text

from models import FINGERPRINT_KEY, Evidence, Fingerprint
from review_flow.db import make_engine, transaction
from review_flow.evidence import copies
from review_flow.evidence.copies import Print, pictures
from review_flow.evidence.copies.prints import KEYS
from review_flow.migrate import upgrade
from review_flow.rules.words import CopyKind
from review_flow.steps import copies as steps
from tests.cast import Clock, School, kept
from tests.conftest import Postgres, postgres_binaries
from tests.evidence.copies.test_copies import CHANGES, COPIES, Lesson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

KINDS = (CopyKind.IMAGE, CopyKind.TEXT, CopyKind.VIDEO)
STUDIO = 25
"""Keys that two hundred lessons of a studio share."""


def fill(session: Session, files: int) -> list[int]:
    """Files of one teacher's colleagues, with their keys, in bulk; returns the ids of their fingerprints."""
    school = School(session).open()
    works = [work for person in school.teachers for work in school.ready(person)]
    chance = np.random.default_rng(1)
    moment = school.round.opens_at
    rows = []
    for number in range(files):
        stored = kept(str(number))
        rows.append(
            {
                "submission_id": works[number % len(works)].id,
                "slot": "plan",
                "file_name": f"{number}.docx",
                "storage_key": stored.key,
                "sha256": stored.sha256,
                "size_bytes": 1,
                "uploaded_at": moment,
                "state": "waiting",
            }
        )
    session.execute(insert(Evidence.__table__), rows)
    owners = session.scalars(select(Evidence.id).order_by(Evidence.id)).all()
    session.execute(
        insert(Fingerprint.__table__),
        [
            {"evidence_id": owner, "kind": KINDS[owner % 3].value, "format": copies.FORMAT, "data": b""}
            for owner in owners
        ],
    )
    ids = list(session.scalars(select(Fingerprint.id).order_by(Fingerprint.id)))
    values = chance.integers(0, 2**63 - 1, (files, KEYS))
    for number in range(0, files, 10):
        studio = np.random.default_rng(number // 2000)
        values[number, :STUDIO] = studio.integers(0, 2**63 - 1, STUDIO)
    owners_of = np.repeat(np.array(ids), KEYS)
    order = np.lexsort((owners_of, values.ravel()))  # an index filled in order is made in a minute, not in ten
    keys = zip(values.ravel()[order].tolist(), owners_of[order].tolist(), strict=True)
    other = next(one for one in FINGERPRINT_KEY.indexes if one.name == "ix_fingerprint_key_fingerprint_id")
    other.drop(session.connection())  # made anew at once: row by row it would take minutes
    bulk(session, keys)
    other.create(session.connection())
    return ids


def bulk(session: Session, keys: Iterable[tuple[int, int]]) -> None:
    """Load the keys as fast as the database can."""
    raw = session.connection().connection.driver_connection
    if session.get_bind().dialect.name == "sqlite":
        raw.executemany("INSERT INTO fingerprint_key (value, fingerprint_id) VALUES (?, ?)", keys)
        return
    with raw.cursor() as cursor, cursor.copy("COPY fingerprint_key (value, fingerprint_id) FROM STDIN") as into:
        for row in keys:
            into.write_row(row)


def index(name: str, engine: Engine, files: int) -> None:
    upgrade(engine)
    began = time.monotonic()
    with Clock().stack, transaction(engine) as session:
        ids = fill(session, files)
        count = session.scalars(select(func.count()).select_from(FINGERPRINT_KEY)).one()
    took = time.monotonic() - began
    with transaction(engine) as session:
        session.execute(text("ANALYZE"))
    print(f"{name}: {files} files, {count} keys, loaded in {took:.0f} s")
    ask(engine, ids)


def ask(engine: Engine, ids: list[int]) -> None:
    """Time two hundred queries, each for a file of which half the keys have changed."""
    own_cpu: list[float] = []
    spent, found = [], 0
    chance = np.random.default_rng(2)
    for number in range(200):
        with transaction(engine) as session:
            place = int(chance.integers(0, len(ids) // 10)) * 10 + (number % 2)  # half of them in a studio
            row = session.get_one(Fingerprint, ids[place])
            wanted = session.scalars(
                select(FINGERPRINT_KEY.c.value).where(FINGERPRINT_KEY.c.fingerprint_id == row.id)
            ).all()
            keys = [*wanted[: KEYS // 2], *chance.integers(0, 2**63 - 1, KEYS // 2).tolist()]
            asked = session.get_one(Evidence, session.scalars(select(func.max(Evidence.id))).one())
            start, busy = time.perf_counter(), time.process_time()
            near = steps.near(session, evidence=asked, prints=[Print(row.kind, tuple(keys), b"")])
            spent.append((time.perf_counter() - start) * 1000)
            own_cpu.append((time.process_time() - busy) * 1000)
            own = session.get_one(Evidence, row.evidence_id).submission_id == asked.submission_id
            found += own or (bool(near) and near[0].id == row.id)
    cuts = quantiles(spent, n=20)
    print(
        f"  query median {median(spent):.1f} ms, 95 % {cuts[-1]:.1f} ms, most {max(spent):.1f} ms "
        f"(CPU of this process {median(own_cpu):.1f} ms, 95 % {quantiles(own_cpu, n=20)[-1]:.1f}); "
        f"the half-changed file found first in {found} of 200"
    )


def index_everywhere(files: int) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        engine = make_engine(f"sqlite:///{folder}/copies.db")
        index("SQLite", engine, files)
        print(f"  file of {Path(folder, 'copies.db').stat().st_size / 1e6:.0f} MB")
        engine.dispose()
        binaries = postgres_binaries()
        if binaries is None:
            print("PostgreSQL: no programs here")
            return
        server = Postgres(binaries)
        stack.callback(server.stop)
        engine = make_engine(server.url(server.database()))
        index("PostgreSQL", engine, files)
        engine.dispose()


def frequency_hash(picture: Image.Image) -> np.ndarray:
    """The common global hash (64 signs of low frequencies), to compare with."""
    small = np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.LANCZOS), np.float32)
    low = cv2.dct(small)[:8, :8].ravel()
    return low > np.median(low)


def photos(folder: Path, most: int) -> list[Image.Image]:
    found = sorted(folder.glob("lfw/*/*/*_0001.jpg"))
    return [Image.open(path).convert("RGB") for path in found[:: max(1, len(found) // most)][:most]]


def rates(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "a.jpg"

        def printed(picture: Image.Image, quality: int) -> Print | None:
            picture.save(path, quality=quality)
            return next(iter(pictures.fingerprint(path)), None)

        some = photos(folder, 100)
        originals = [(picture, printed(picture, 95)) for picture in some]
        print(f"photos: {len(some)} of LFW (250 px), each saved again at quality 60")
        for name, change in CHANGES.items():
            looked, caught, plain = 0, 0, 0
            for picture, original in originals:
                copy = printed(change(picture), 60)
                looked += original is not None
                if original is not None and copy is not None:
                    keys = sum(a == b for a, b in zip(original.keys, copy.keys, strict=True)) >= steps.SHARED_KEYS
                    caught += keys and pictures.compare(copy.data, original.data) is not None
                plain += int((frequency_hash(change(picture)) != frequency_hash(picture)).sum()) <= 8
            print(f"  {name:24} {caught / looked:6.1%}   one global hash, 8 of 64 bits: {plain / len(some):6.1%}")
        lessons = [Lesson(seed, room=seed % 2, seconds=60) for seed in range(4)]
        film = Path(scratch) / "a.mp4"
        originals_ = [{one.kind: one for one in copies.fingerprint(lesson.film(film))} for lesson in lessons]
        print("films: 4 lessons of 60 s in 2 rooms")
        for name, made in COPIES.items():
            caught = {CopyKind.VIDEO: 0, CopyKind.AUDIO: 0}
            for lesson, original in zip(lessons, originals_, strict=True):
                found = copies.compare(copies.fingerprint(lesson.film(film, **made)), original.values())
                for match in found:
                    caught[match.kind] += 1
            sound = f"{caught[CopyKind.AUDIO]}/4" if made.get("sound", True) else "none"
            print(f"  {name:36} pictures {caught[CopyKind.VIDEO]}/4, sound {sound}")
        wrong = sum(
            bool(copies.compare(one.values(), other.values())) for one, other in itertools.combinations(originals_, 2)
        )
        print(f"  found by mistake between different lessons: {wrong} of 6")


def strangers(folder: Path) -> None:
    found = sorted(folder.glob("lfw/*/*/*.jpg"))[:1500]
    began = time.process_time()
    prints = {path: one for path in found for one in pictures.fingerprint(path)}
    each = (time.process_time() - began) / max(1, len(found))
    holders: dict[tuple[int, int], list[Path]] = {}
    for path, one in prints.items():
        for place, key in enumerate(one.keys):
            holders.setdefault((place, key), []).append(path)
    shared: dict[tuple[Path, Path], int] = {}
    for paths in holders.values():
        for pair in itertools.combinations(paths, 2):
            shared[pair] = shared.get(pair, 0) + 1
    near = [pair for pair, count in shared.items() if count >= steps.SHARED_KEYS]
    hits = [pair for pair in near if pictures.compare(prints[pair[0]].data, prints[pair[1]].data)]
    pairs = len(prints) * (len(prints) - 1) // 2
    print(
        f"strangers: {len(prints)} photos of LFW, {each * 1000:.0f} ms of CPU each; {pairs} pairs, {len(near)} share keys"
    )
    print(f"  taken for copies: {len(hits)}" + "".join(f"\n    {one.name} {other.name}" for one, other in hits[:20]))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--files", type=int, default=100_000)
    asked.add_argument("--media", type=Path, default=Path(__file__).parents[2] / "shared" / "media")
    asked.add_argument("--only", choices=("index", "rates", "strangers"))
    given = asked.parse_args()
    if given.only in (None, "index"):
        index_everywhere(given.files)
    if given.only in (None, "rates"):
        rates(given.media)
    if given.only in (None, "strangers"):
        strangers(given.media)


if __name__ == "__main__":
    main()
