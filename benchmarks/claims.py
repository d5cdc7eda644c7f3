"""Claims of reviews by many people at once: how many reviewers each work ends with, and how long a claim takes.

    python -m benchmarks.claims [--thinking 0.01 0.5]

32 people claim until nothing is left of 300 works that want 3 reviewers each. The baseline reads the works with the
fewest reviewers, thinks of nothing, and inserts in a second transaction, as public engines do (ORA2's order: fewest
first, then oldest; it stops at the wanted number); same threads, same pauses, same database. SQLite, and PostgreSQL
where its programs are found.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from sqlalchemy import Engine, delete, func, select

from models import Assignment, Person, Round, Submission
from review_flow.clock import now
from review_flow.db import make_engine, transaction
from review_flow.migrate import upgrade
from review_flow.rules.words import AssignmentState
from review_flow.steps import claims
from tests.cast import Clock, School
from tests.conftest import Postgres, postgres_binaries
from tests.steps.test_claims import CLAIMERS, WANTED, WORKS, crowd

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Claim = Callable[[Engine, int, int], bool]


def ours(engine: Engine, person_id: int, round_id: int) -> bool:
    """One claim of the product; False when nothing is left."""
    try:
        with transaction(engine) as session:
            claims.claim(session, actor=session.get_one(Person, person_id), round_=session.get_one(Round, round_id))
    except claims.NothingToReview:
        return False
    return True


def read_then_insert(engine: Engine, person_id: int, round_id: int) -> bool:
    """The baseline: a look, then an insert, each a transaction of its own."""
    mine = select(Assignment.submission_id).where(Assignment.reviewer_id == person_id)
    held = func.count(Assignment.id)
    with transaction(engine) as session:
        found = session.execute(
            select(Submission.id, Submission.author_id)
            .outerjoin(Assignment, Assignment.submission_id == Submission.id)
            .where(Submission.round_id == round_id, Submission.id.not_in(mine))
            .group_by(Submission.id, Submission.author_id)
            .having(held < WANTED)
            .order_by(held, Submission.id)
            .limit(1)
        ).first()
    if found is None:
        return False
    with transaction(engine) as session:
        session.add(
            Assignment(
                round_id=round_id,
                reviewer_id=person_id,
                submission_id=found.id,
                author_id=found.author_id,
                state=AssignmentState.ASSIGNED,
                assigned_at=now(),
                lease_until=now(),
            )
        )
    return True


def crowded(engine: Engine, claim: Claim, people: list[int], round_id: int, thinking_s: float) -> list[float]:
    """Let everybody claim until nothing is left; return how long each claim took, in seconds."""

    def one(person_id: int) -> list[float]:
        took = []
        more = True
        while more:
            began = time.perf_counter()
            more = claim(engine, person_id, round_id)
            took.append(time.perf_counter() - began)
            time.sleep(thinking_s)
        return took

    with ThreadPoolExecutor(CLAIMERS) as pool:
        return [took for each in pool.map(one, people) for took in each]


def report(name: str, session: Session, took: list[float], wall_s: float) -> None:
    """Print one row: how many works have 0, 1, 2, 3 … reviewers, and what a claim cost."""
    counts = session.execute(
        select(func.count(Assignment.id))
        .select_from(Submission)
        .outerjoin(Assignment, Assignment.submission_id == Submission.id)
        .group_by(Submission.id)
    )
    spread = Counter(count for (count,) in counts)
    short = sum(works for count, works in spread.items() if count < WANTED)
    over = sum(works for count, works in spread.items() if count > WANTED)
    shown = " ".join(f"{count}:{spread[count]}" for count in sorted(spread))
    print(
        f"{name:34} short {short:3} over {over:3}  reviewers:works {shown:24} "
        f"median {median(took) * 1000:6.0f} ms  p95 {quantiles(took, n=20)[-1] * 1000:6.0f} ms  wall {wall_s:5.1f} s",
        flush=True,
    )


@contextmanager
def databases() -> Iterator[list[tuple[str, str]]]:
    """Give (name, URL) of an empty database of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        found = [("sqlite", f"sqlite:///{Path(folder) / 'claims.db'}")]
        binaries = postgres_binaries()
        server = Postgres(binaries) if binaries else None
        if server:
            found.append(("postgresql", server.url(server.database())))
        yield found
        if server:
            server.stop()


def main() -> None:
    """Run both ways of claiming on each database, with each pause."""
    wishes = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    wishes.add_argument("--thinking", nargs="+", type=float, default=[0.01, 0.5], metavar="SECONDS")
    chosen = wishes.parse_args()
    print(f"{CLAIMERS} claimers, {WORKS} works that want {WANTED} reviewers each")
    with databases() as found:
        for kind, url in found:
            engine = make_engine(url)
            upgrade(engine)
            with Clock().stack, transaction(engine) as session:
                school = School(session).open()
                people, round_id = crowd(school), school.round.id
            for thinking_s in chosen.thinking:
                for name, claim in (("read, then insert (baseline)", read_then_insert), ("ours", ours)):
                    began = time.perf_counter()
                    took = crowded(engine, claim, people, round_id, thinking_s)
                    wall_s = time.perf_counter() - began
                    with transaction(engine) as session:
                        report(f"{kind} {thinking_s} s {name}", session, took, wall_s)
                        session.execute(delete(Assignment))
            engine.dispose()


if __name__ == "__main__":
    main()
