"""Thousands of damaged files through real children: ``make fuzz ARGS="--runs 100000 --seed 7"``.

Every mutant is made from the seed and its number alone, so ``--only NUMBER`` makes the same one again; one that
fails is kept in ``--keep`` (default: fuzz-failures/) and ``--replay FILE`` shows what the check raises, without a
child around it. What must hold, whatever the file: a Report with sentences comes back, in time, from a parent that
never raised; no check of ours raises; a decoder that crashes or swells costs its child and no more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from review_flow.evidence.check import Report, check
from review_flow.evidence.limits import Broken, Limits
from review_flow.evidence.presence import Search
from review_flow.evidence.sandbox import Sandbox
from tests.evidence.fuzz_mutations import mutant
from tests.evidence.fuzz_seeds import seeds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from review_flow.evidence.faces import Encoding

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("REVIEW_FLOW_TEST_MEDIA") or ROOT.parent / "shared" / "media") / "odd"
LIMITS = Limits(cpu_s=8, wall_s=12, files_per_child=5_000)  # a mutant of 200 kB that takes 8 s of CPU is a hang
SEARCH = Search(fine_frames=2, work_s=1.0, wall_s=5.0)
FULL = 25  # one in so many is also searched for a face
SOMEBODY: list[Encoding] = [np.random.default_rng(0).normal(0, 0.1, 128)]
SENTENCE_ENDS = ("。", "）", "？")


class Watched(Sandbox):
    """A sandbox that remembers why checks broke off."""

    def __init__(self, **wishes: Any) -> None:
        super().__init__(**wishes)
        self.why: list[str] = []

    def run(self, *words: Any, **wishes: Any) -> Any:
        """Note why, and pass it on."""
        try:
            return super().run(*words, **wishes)
        except Broken as broken:
            self.why.append(broken.why)
            raise


@dataclass
class Tally:
    """What came of the mutants: findings by code, ends of children by kind, and failures."""

    runs: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, 0)

    def __iadd__(self, other: Tally) -> Self:
        self.runs += other.runs
        self.codes += other.codes
        self.broken += other.broken
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)
        return self


def made(corpus: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Return the name of the file a mutant came from, and the mutant."""
    chance = random.Random(f"{seed}:{number}")
    name = chance.choice(sorted(corpus))
    return name, mutant(corpus[name], chance, list(corpus.values()))


def fault(report: Report, why: Sequence[str]) -> str | None:
    """Say what is wrong with the answer for a mutant, or None."""
    json.dumps(report.as_json())
    codes = {finding.code for finding in report.findings}
    if "check_timed_out" in codes:
        return "hang"
    raised = [one for one in why if not one.startswith("exit") and one != "memory"]
    if raised:
        return f"raised {raised}"
    if not all(finding.text.endswith(SENTENCE_ENDS) for finding in report.findings):
        return f"no sentence: {[finding.text for finding in report.findings]}"
    if report.verdict != "valid" and not report.findings:
        return f"{report.verdict} without a word"
    return None


def go(corpus: dict[str, bytes], numbers: Iterable[int], *, seed: int, keep: Path, only: int | None = None) -> Tally:
    """Check mutants by their numbers in one child."""
    tally = Tally()
    with Watched(limits=LIMITS) as box, tempfile.TemporaryDirectory(dir=memory()) as folder:
        for number in numbers:
            name, data = made(corpus, seed, number)
            path = Path(folder) / name
            path.write_bytes(data)
            box.why.clear()
            began = time.monotonic()
            try:
                report = box.check(path, references=[] if number % FULL else SOMEBODY, search=SEARCH)
                wrong = fault(report, box.why)
                tally.codes.update([str(report.verdict), *(finding.code for finding in report.findings)])
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                wrong = f"the parent raised {error!r}"
            tally.slowest = max(tally.slowest, (time.monotonic() - began, number))
            tally.broken.update(box.why)
            tally.runs += 1
            if wrong or number == only:
                keep.mkdir(parents=True, exist_ok=True)
                kept = keep / f"{seed}-{number}-{name}"
                kept.write_bytes(data)
                if wrong:
                    tally.failures.append(f"{kept}: {wrong}")
            path.unlink()
    return tally


def memory() -> str | None:
    """Return a folder in memory where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def fuzz(
    runs: int, *, seed: int, keep: Path, workers: int = 1, only: int | None = None, real: Path | None = REAL
) -> Tally:
    """Check `runs` mutants, or the `only` one, in so many children at the same time."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = seeds(Path(folder), real)
    shares = [range(worker, runs, workers) for worker in range(workers)] if only is None else [range(only, only + 1)]
    total = Tally()
    with ThreadPool(len(shares)) as crew:
        for tally in crew.imap_unordered(partial(go, corpus, seed=seed, keep=keep, only=only), shares):
            total += tally
    return total


def main(words: Sequence[str] | None = None) -> int:
    """Run as told; status 1 when something failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=4, help="every seed makes other mutants")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=ROOT / "fuzz-failures")
    parser.add_argument("--only", type=int, default=None, help="make and check this mutant alone")
    parser.add_argument("--replay", type=Path, default=None, help="check a kept file here, with its stack trace")
    wishes = parser.parse_args(words)
    if wishes.replay:
        print(
            json.dumps(check(wishes.replay, references=SOMEBODY, search=SEARCH).as_json(), ensure_ascii=False, indent=1)
        )
        return 0
    print(f"seed {wishes.seed}", flush=True)
    began, used = time.monotonic(), os.times()
    done = fuzz(wishes.runs, seed=wishes.seed, keep=wishes.keep, workers=wishes.workers, only=wishes.only)
    took, now = time.monotonic() - began, os.times()
    cpu = sum(now[:4]) - sum(used[:4])
    print(
        f"{done.runs} runs in {took:.0f} s, {cpu:.0f} s of CPU, {done.runs / took:.0f} runs/s; slowest {done.slowest}"
    )
    print("findings:", dict(done.codes.most_common()))
    print("broken off:", dict(done.broken))
    for failure in done.failures:
        print("FAILED", failure)
    return 1 if done.failures else 0


if __name__ == "__main__":
    sys.exit(main())
