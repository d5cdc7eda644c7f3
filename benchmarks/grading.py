"""How many teachers' records are graded and explained in a second, on one core and on all, and whether memory stays flat.

    python benchmarks/grading.py [--records N] [--scheme ID ...] [--cores N] [--json]

For each scheme: made-up people (review_flow.simulation) are drawn once, their records written as JSON, and graded over
and over until N records are done, each line parsed anew, as from a file. The columns:

parse     json.loads of the record alone: the baseline of the ratios, work no grading can do without
grade     parse + grade(scheme, record): score, grade, gates and the ledger that explains them
explain   grade + Outcome.canonical(): the bytes that are stored and compared
x         explain ÷ parse, in time: how many times as long as reading the record takes
cores     explain on as many processes as there are cores, records per second and how much of a core each adds
memory    most resident memory after the first tenth and at the end of one process, MiB: the difference is what leaks
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from review_flow import schemes
from review_flow.rules.grading import grade
from review_flow.simulation import Assumptions
from review_flow.simulation.play import records_of

if TYPE_CHECKING:
    from collections.abc import Callable

DIFFERENT = 200  # made-up people, each graded many times
NAMES = tuple(one.id for one in schemes.available())


def lines(name: str) -> list[str]:
    records = records_of(schemes.load(name), teachers=DIFFERENT, seed=1, assumed=Assumptions())
    return [json.dumps(one, ensure_ascii=False) for one in records]


def seconds(work: Callable[[str], object], given: list[str], count: int) -> float:
    began = time.perf_counter()
    for line in islice(cycle(given), count):
        work(line)
    return time.perf_counter() - began


def memory() -> float:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def explained(name: str, given: list[str], count: int) -> tuple[float, float, float]:
    """Seconds, and memory after a tenth and at the end."""
    scheme = schemes.load(name)

    def work(line: str) -> bytes:
        return grade(scheme, json.loads(line, parse_float=str)).canonical()

    first = seconds(work, given, count // 10)
    early = memory()
    return first + seconds(work, given, count - count // 10), early, memory()


def measured(name: str, count: int, cores: int) -> dict[str, Any]:
    given, scheme = lines(name), schemes.load(name)
    seconds(lambda line: grade(scheme, json.loads(line, parse_float=str)), given, DIFFERENT)  # warm
    part = max(1, count // 10)  # the cheaper columns need no more to be steady
    parse = seconds(lambda line: json.loads(line, parse_float=str), given, part) / part
    graded = seconds(lambda line: grade(scheme, json.loads(line, parse_float=str)), given, part) / part
    total, early, late = explained(name, given, count)
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(explained, [name] * cores, [given] * cores, [DIFFERENT] * cores))  # started and warm
        began = time.perf_counter()
        list(pool.map(explained, [name] * cores, [given] * cores, [part] * cores))
        together = part * cores / (time.perf_counter() - began)
    return {
        "scheme": name, "records": count, "parse": 1 / parse, "grade": 1 / graded, "explain": count / total,
        "times_parse": total / count / parse, "cores": cores, "all_cores": together,
        "share_of_a_core": together / cores * total / count, "memory_early": early, "memory_late": late,
    }  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=100_000)
    options.add_argument("--scheme", nargs="*", default=NAMES)
    options.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    rows = []
    if not given.json:
        print(f"{'scheme':<26}{'parse/s':>10}{'grade/s':>10}{'explain/s':>11}{'x':>7}{'cores/s':>10}{'MiB':>14}")
    for name in given.scheme:
        row = measured(name, given.records, given.cores)
        rows.append(row)
        if not given.json:
            print(
                f"{name:<26}{row['parse']:>10.0f}{row['grade']:>10.0f}{row['explain']:>11.0f}{row['times_parse']:>7.1f}"
                f"{row['all_cores']:>10.0f}{row['memory_early']:>7.0f}{row['memory_late']:>7.0f}",
                flush=True,
            )
    if given.json:
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
