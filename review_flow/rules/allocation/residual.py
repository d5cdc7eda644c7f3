"""Shortest ways through what a flow leaves open, in numpy: they prove a flow cheapest, or show how to better it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from review_flow.rules.allocation.arrays import Array

_LOOK = 8  # passes between two looks for a cycle


def distances(tail: Array, head: Array, cost: Array, *, nodes: int, sink: int) -> tuple[Array, list[int]]:
    """Return how far each node is from the sink (`far(cost)`: it doesn't reach it), or a cycle that costs less than 0.

    The cycle is a list of arcs, empty where there is none; then the distances are final.
    """
    order = np.argsort(tail, kind="stable")
    tails, starts = np.unique(tail[order], return_index=True)
    head, cost = head[order], cost[order]
    infinite = far(cost)
    distance = np.full(nodes, infinite, dtype=cost.dtype)
    distance[sink] = 0
    onward = np.full(nodes, -1, dtype=np.int64)  # the arc each node's way begins with
    segment = np.repeat(np.arange(len(tails)), np.diff([*starts.tolist(), len(head)]))
    passes = 0
    while True:
        passes += 1
        reached = distance[head]
        reached = np.where(reached >= infinite, infinite, reached + cost)
        best = np.minimum.reduceat(reached, starts)
        better = best < distance[tails]
        if not better.any():
            return distance, []
        distance[tails[better]] = best[better]
        hits = np.flatnonzero(better[segment] & (reached == best[segment]))
        onward[tails[segment[hits]]] = hits
        if passes % _LOOK == 0 and (cycle := _cycle(onward, head)):
            return distance, order[cycle].tolist()


def far(cost: Array) -> int:
    """Return a distance beyond all others."""
    return 2**62 if cost.dtype == np.int64 else 2**400


def _cycle(onward: Array, head: Array) -> list[int]:
    """Return the arcs of a cycle of ways, or nothing."""
    leads = np.where(onward < 0, np.arange(len(onward)), head[onward])
    ends = leads
    for _doubling in range(len(onward).bit_length()):
        ends = ends[ends]
    looped = np.flatnonzero(onward[ends] >= 0)
    if not len(looped):
        return []
    start = node = int(ends[looped[0]])
    cycle = [int(onward[node])]
    while (node := int(leads[node])) != start:
        cycle.append(int(onward[node]))
    return cycle
