"""What an allocation costs: ``python benchmarks/allocation.py [N …]``. Each row is a process of its own, on one core.

The pool is a county's as it may be: subjects of very different size, three stages, a workshop for every few teachers
of a subject and stage, two conflicts and three former pairs for each teacher; n works that want 3 reviews, caps of 6.
Beside ours in the same run: `dense` is a plain min-cost flow over all arcs (even load and wishes, no couples, no
proof needed), `greedy` gives each work the cheapest reviewers with the least load, one after the other.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
from ortools.graph.python import min_cost_flow

from review_flow.rules.allocation import Allocation, Facts, Groups, Reviewer, Work, allocate

SIZES, K, CAP = (300, 1_000, 2_000, 10_000), 3, 6
SUBJECTS = {
    "语文": 20,
    "数学": 20,
    "英语": 15,
    "物理": 8,
    "化学": 7,
    "生物": 6,
    "历史": 6,
    "地理": 6,
    "体育": 5,
    "音乐": 3,
    "美术": 3,
}
DENSE_UP_TO = 2_000  # at 10 000 its hundred million arcs don't fit this machine


def pool(size: int) -> Facts:
    chance = random.Random(size)
    subjects = chance.choices([*SUBJECTS], [*SUBJECTS.values()], k=size)
    stages = chance.choices(["小学", "初中", "高中"], [5, 3, 2], k=size)
    count = max(2, size // 300)
    groups = [
        Groups(subject, stage, f"{subject}{stage}{chance.randrange(count)}")
        for subject, stage in zip(subjects, stages, strict=True)
    ]

    def pairs(each: int) -> list[tuple[int, int]]:
        return [(chance.randrange(size), size + chance.randrange(size)) for _pair in range(each * size)]

    return Facts(
        [Reviewer(n, CAP, groups=each) for n, each in enumerate(groups)],
        [Work(size + n, frozenset({n}), K, each) for n, each in enumerate(groups)],
        conflicts=pairs(2),
        former=pairs(3),
    )


def decided(facts: Facts) -> Allocation:
    return allocate(
        reviewers=facts.reviewers,
        works=facts.works,
        conflicts=facts.conflicts,
        held=facts.held,
        standing=facts.standing,
        former=facts.former,
        seed=1,
    )


def ours(facts: Facts) -> dict[str, object]:
    began = time.process_time()
    found = decided(facts)
    return {"cpu": time.process_time() - began, "pairs": found.pairs, "gap": str(found.gap)}


def repair(facts: Facts) -> dict[str, object]:
    """A late work, after everybody else has reviewers; then a reviewer who is gone."""
    size = len(facts.works)
    standing = decided(facts).pairs
    late = Work(2 * size, frozenset({0}), K, facts.works[0].groups)
    changed = replace(facts, works=[*facts.works, late], standing=standing)
    began = time.process_time()
    found = decided(changed)
    spent = time.process_time() - began
    assert (len(found.pairs), found.withdrawn) == (K, ())
    changed = replace(facts, reviewers=facts.reviewers[1:], standing=standing)
    began = time.process_time()
    found = decided(changed)
    assert len(found.pairs) == len(found.withdrawn) <= CAP
    return {"late": spent, "gone": time.process_time() - began}


def arrays(facts: Facts) -> tuple[np.ndarray, np.ndarray]:
    """What each pair costs, and which may be: rows are works."""
    data = facts.pool(1)
    arcs = np.arange(len(data.works) * data.width)
    shape = len(data.works), data.width
    return data.wish(arcs).reshape(shape), data.open(arcs).reshape(shape)


def dense(facts: Facts) -> dict[str, object]:
    size = len(facts.works)
    began = time.process_time()
    cost, free = arrays(facts)
    rows, columns = np.nonzero(free)
    flow = min_cost_flow.SimpleMinCostFlow()
    add = flow.add_arcs_with_capacity_and_unit_cost
    add(rows, size + columns, np.ones_like(rows), cost[rows, columns])
    step = (size + 1) * int(cost.max()) + 1
    steps = np.tile(np.arange(1, CAP + 1), size)
    add(size + np.repeat(np.arange(size), CAP), np.full(size * CAP, 2 * size), np.ones(size * CAP, int), steps * step)
    flow.set_nodes_supplies(np.arange(size), np.full(size, K))
    flow.set_node_supply(2 * size, -K * size)
    assert flow.solve() == flow.OPTIMAL
    taken = flow.flows(np.arange(len(rows))) > 0
    spent = time.process_time() - began
    return {"cpu": spent, "pairs": [(int(c), size + int(r)) for r, c in named(facts, rows[taken], columns[taken])]}


def named(facts: Facts, rows: np.ndarray, columns: np.ndarray) -> list[tuple[int, int]]:
    data = facts.pool(1)
    size = len(facts.works)
    return [*zip((data.works[rows] - size).tolist(), data.reviewers[columns].tolist(), strict=True)]


def greedy(facts: Facts) -> dict[str, object]:
    began = time.process_time()
    data = facts.pool(1)
    load, rows, columns = np.zeros(data.width, int), [], []
    for row in range(len(data.works)):
        arcs = row * data.width + np.arange(data.width)
        order = np.lexsort((data.wish(arcs), load, ~data.open(arcs) | (load >= CAP)))[:K]
        load[order] += 1
        rows += [row] * K
        columns += order.tolist()
    spent = time.process_time() - began
    pairs = named(facts, np.array(rows), np.array(columns))
    return {"cpu": spent, "pairs": [(column, len(facts.works) + row) for row, column in pairs]}


def judged(facts: Facts, pairs: list[tuple[int, int]]) -> dict[str, object]:
    """Balance and broken wishes of any answer, by the one measure."""
    data = facts.pool(1)
    row_of = {number: row for row, number in enumerate(data.works.tolist())}
    column_of = {number: column for column, number in enumerate(data.reviewers.tolist())}
    arcs = np.array(sorted(row_of[work] * data.width + column_of[reviewer] for reviewer, work in pairs))
    loads = np.bincount(arcs % data.width, minlength=data.width)
    return {
        "load": f"{loads.min()}-{loads.max()}",
        "short": int(data.missing(arcs).sum()),
        "wishes": data.score(arcs).wishes,
    }


WAYS = {"ours": ours, "dense": dense, "greedy": greedy, "repair": repair}


def one(way: str, size: int) -> None:
    decided(pool(20))  # loads the libraries
    facts = pool(size)
    found = WAYS[way](facts)
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if "pairs" in found:
        found |= judged(facts, found.pop("pairs"))
    print(json.dumps(found))


def measured(way: str, size: int) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", way, str(size)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], int(sys.argv[3]))
        return
    print(f"{'n':>6} {'way':<7} {'CPU s':>7} {'x ours':>7} {'MB':>6} {'load':>5} {'short':>5} {'wishes':>7} {'gap':>5}")
    for size in map(int, sys.argv[1:]) if sys.argv[1:] else SIZES:
        base = 0.0
        for way in ("ours", "dense", "greedy"):
            if way == "dense" and size > DENSE_UP_TO:
                print(f"{size:>6} {way:<7} left out: {size * size:,} arcs")
                continue
            row = measured(way, size)
            base = base or row["cpu"]
            print(
                f"{size:>6} {way:<7} {row['cpu']:>7.2f} {row['cpu'] / base:>7.1f} {row['memory']:>6} {row['load']:>5}"
                f" {row['short']:>5} {row['wishes']:>7} {row.get('gap', ''):>5}",
                flush=True,
            )
        row = measured("repair", size)
        print(
            f"{size:>6} repair  a late work {row['late']:.3f} s, a reviewer gone {row['gone']:.3f} s of CPU", flush=True
        )


if __name__ == "__main__":
    main()
