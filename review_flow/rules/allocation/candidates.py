"""The arcs that a flow is solved over first: for each work its cheapest, drawn fairly and spread over everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from review_flow.rules.allocation.arrays import Array, among, best_of_each, distinct, spread

if TYPE_CHECKING:
    from review_flow.rules.allocation.pool import Pool

LIKED = 24  # of the cheapest kinds
ANYBODY = 16  # of all reviewers in turn, so that everybody's room can be reached


def everything(pool: Pool, rows: Array) -> Array:
    """Return all arcs of these rows."""
    every: Array = (rows[:, None] * pool.width + np.arange(pool.width)[None, :]).ravel()
    return every[pool.open(every)]


def candidates(pool: Pool, rows: Array) -> Array:
    """Return open arcs of these rows, sorted: all that stand, the best of those that cost less, and a fair draw."""
    width = pool.width
    turns = (np.arange(len(rows))[:, None] * ANYBODY + np.arange(ANYBODY)[None, :]) % width
    chosen = [(rows[:, None] * width + turns).ravel(), pool.standing, _wished(pool)]
    members = np.argsort(pool.reviewer_kind, kind="stable")
    sizes = np.bincount(pool.reviewer_kind, minlength=pool.table.shape[1])
    starts = np.cumsum(sizes) - sizes
    by_kind = rows[np.argsort(pool.work_kind[rows], kind="stable")]
    kinds, firsts = np.unique(pool.work_kind[by_kind], return_index=True)
    for kind, first, own in zip(kinds.tolist(), firsts.tolist(), np.split(by_kind, firsts[1:]), strict=True):
        cost = np.where(pool.barred[kind], pool.table.max() + 1, pool.table[kind])
        order = np.argsort(cost, kind="stable")
        last = min(int(np.searchsorted(np.cumsum(sizes[order]), LIKED)), len(order) - 1)
        level = cost[order[last]]
        for some in (order[cost[order] < level], order[cost[order] == level]):
            _which, places = spread(starts[some], sizes[some])
            people = np.sort(members[places])  # in the order of chance
            count = min(len(people), LIKED)
            turns = ((first + np.arange(len(own)))[:, None] * count + np.arange(count)[None, :]) % max(1, len(people))
            chosen.append((own[:, None] * width + people[turns]).ravel())
    arcs = distinct(np.concatenate(chosen))
    arcs = arcs[pool.open(arcs)]
    return arcs[among(arcs // width, rows)]


def _wished(pool: Pool) -> Array:
    """Return for each work the arcs that cost less than their kinds, at most LIKED, the cheapest first."""
    less = pool.special_cost < 0
    arcs = pool.special[less]
    return arcs[best_of_each(arcs // max(1, pool.width), pool.special_cost[less], LIKED)]
