"""What the arcs that were left out would save, priced by the distances of a flow's ends to the sink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from review_flow.rules.allocation.arrays import NONE, Array, among, best_of_each, distinct, spread
from review_flow.rules.allocation.pool import Pool
from review_flow.rules.allocation.residual import far

_KINDS = 3  # kinds of reviewers that join for a work
_JOIN = 8  # arcs that join for each of them
_BLOCK = 2_000_000  # prices at a time


@dataclass(frozen=True)
class Prices:
    """How far the wanting `rows` and all columns are from the sink; `change` is what an arc costs that didn't stand."""

    pool: Pool
    rows: Array
    row: Array
    column: Array
    change: int

    def cheaper(self, arcs: Array) -> Array:
        """Return arcs not among these that would shorten the way of a work, some for each; none: there are none."""
        liked = self._liked(arcs)
        which, kind, less = self._hits()
        best = best_of_each(which, -less, _KINDS)
        few = self._members(arcs, which[best], kind[best], _JOIN)
        if not len(liked) and not len(few):  # the nearest are closed or there already: then all behind them count
            few = self._members(arcs, which, kind, self.pool.width)
        return distinct(np.concatenate([liked, few]))

    def bound(self) -> int:
        """Return by how much at most a flow over all arcs could be cheaper."""
        which, _kind, less = self._hits()
        saved = np.zeros(len(self.rows), dtype=self.row.dtype)
        np.maximum.at(saved, which, less)
        arcs = self._less_than_kind()
        at = np.searchsorted(self.rows, arcs // self.pool.width)
        np.maximum.at(saved, at, -self._reduced(arcs))
        return int((saved * self.pool.demand[self.rows]).sum())

    def _reduced(self, arcs: Array) -> Array:
        """Return what arcs cost more than the way their work has."""
        row, column = np.searchsorted(self.rows, arcs // self.pool.width), arcs % self.pool.width
        change = self.change * (~among(arcs, self.pool.standing)).astype(self.row.dtype)
        reduced: Array = self.pool.wish(arcs) + change + self.column[column] - self.row[row]
        return reduced

    def _less_than_kind(self) -> Array:
        """Return the open arcs of the wanting rows that cost less than their kind."""
        arcs = self.pool.special[self.pool.special_cost < 0]
        arcs = arcs[among(arcs // max(1, self.pool.width), self.rows)]
        return arcs[self.pool.open(arcs)]

    def _liked(self, arcs: Array) -> Array:
        new = self._less_than_kind()
        new = new[~among(new, arcs)]
        reduced = self._reduced(new)
        new, reduced = new[reduced < 0], reduced[reduced < 0]
        return new[best_of_each(new // max(1, self.pool.width), reduced, _JOIN)]

    def _kinds(self) -> tuple[Array, Array, Array]:
        """Return the columns by kind and nearness to the sink, where each kind starts, and how many it has."""
        kind = self.pool.reviewer_kind
        near = np.argsort(self.column, kind="stable")
        near = near[np.argsort(kind[near], kind="stable")]
        size = np.bincount(kind, minlength=self.pool.table.shape[1])
        return near, np.cumsum(size) - size, size

    def _hits(self) -> tuple[Array, Array, Array]:
        """Return (row, kind of reviewers, saving at most) where an arc at the kind's price would shorten the way."""
        near, start, _size = self._kinds()
        nearest = self.column[near[start]]
        infinite = far(self.row)
        found = []
        block = max(1, _BLOCK // len(start))
        for first in range(0, len(self.rows), block):
            work_kind = self.pool.work_kind[self.rows[first : first + block]]
            price = self.pool.table[work_kind].astype(self.row.dtype) + self.change + nearest[None, :]
            saving = self.row[first : first + block, None] - price
            row, kind = np.nonzero((saving > 0) & ~self.pool.barred[work_kind] & (nearest < infinite)[None, :])
            found.append((row + first, kind, saving[row, kind]))
        which, kinds, savings = zip(*found, strict=True)
        return np.concatenate(which), np.concatenate(kinds), np.concatenate(savings)

    def _members(self, arcs: Array, which: Array, kind: Array, count: int) -> Array:
        """Return the new arcs behind hits: at most `count` for each, in turn over all reviewers who are near enough."""
        if not len(which):
            return NONE
        near, start, _size = self._kinds()
        levels, level = np.unique(self.column[near], return_inverse=True)
        ranked = self.pool.reviewer_kind[near] * (len(levels) + 1) + level
        price = self.pool.table[self.pool.work_kind[self.rows[which]], kind].astype(self.row.dtype) + self.change
        limit = np.searchsorted(levels, self.row[which] - price)
        fitting = np.searchsorted(ranked, kind * (len(levels) + 1) + limit) - start[kind]
        hit, nth = spread(np.zeros_like(fitting), np.minimum(fitting, count))
        place = start[kind[hit]] + (which[hit] * count + nth) % fitting[hit]
        new = distinct(self.rows[which[hit]] * self.pool.width + near[place])
        new = new[self.pool.open(new) & ~among(new, arcs)]
        return new[self._reduced(new) < 0]
