"""The facts of an allocation as arrays: who may review what, and what it would be to do so.

A row is a work, a column a reviewer, both in an order drawn from the seed; an arc is `row * width + column`. Nothing
here is as large as rows × columns: what most arcs cost follows from the kinds of their ends (subject, stage,
workshop), and the arcs that differ from that are listed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal, Inexact
from typing import NamedTuple

import numpy as np

from review_flow.rules.allocation.arrays import NONE, Array, among, distinct, join, mixed, place_of, summed

EXACT = Context(prec=200, traps=[Inexact])  # affinities are moved to whole numbers and back without a loss


class Score(NamedTuple):
    """What an allocation costs; compared in this order, less is better."""

    gaps: int
    changes: int
    load: int
    wishes: int


@dataclass(frozen=True)
class Pool:
    """Everything that decides an allocation. Costs are whole numbers, `digits` of them behind the point of a weight."""

    reviewers: Array  # their ids, by column
    works: Array  # their ids, by row
    room: Array
    load: Array
    demand: Array
    reviewer_kind: Array
    work_kind: Array
    table: Array  # work kind × reviewer kind → wish
    barred: Array  # work kind × reviewer kind → the scheme forbids it
    closed: Array  # arcs that may never be taken, sorted
    special: Array  # arcs that cost `special_cost` more than their kinds, sorted
    special_cost: Array
    standing: Array  # arcs that are given and may move, sorted
    author_row: Array  # who wrote what: by row,
    author: Array
    writer: Array  # and by author
    writer_row: Array
    person_key: Array  # chance, by column
    work_key: Array
    author_key: Array
    reciprocal: int
    even: bool
    digits: int
    top: int  # what every arc costs, so that the most liked costs nothing

    @property
    def width(self) -> int:
        """How many reviewers there are."""
        return len(self.reviewers)

    def decimal(self, cost: int) -> Decimal:
        """Return a cost in weights."""
        return Decimal(cost).scaleb(-self.digits, EXACT)

    def wish(self, arcs: Array) -> Array:
        """Return what each arc costs by itself."""
        rows, columns = np.divmod(arcs, self.width)
        cost = self.table[self.work_kind[rows], self.reviewer_kind[columns]]
        if len(self.special):
            place = np.minimum(np.searchsorted(self.special, arcs), len(self.special) - 1)
            cost = cost + np.where(self.special[place] == arcs, self.special_cost[place], 0)
        return cost

    def open(self, arcs: Array) -> Array:
        """Return which arcs may be taken."""
        rows, columns = np.divmod(arcs, self.width)
        return ~(self.barred[self.work_kind[rows], self.reviewer_kind[columns]] | among(arcs, self.closed))

    def ties(self, arcs: Array) -> Array:
        """Return each arc's draw below TIES; of two arcs that face each other, one has the high bit.

        That alone leaves hardly a facing couple in a large pool, and the search for them little to do.
        """
        rows, columns = np.divmod(arcs, self.width)
        person, author = self.person_key[columns], self.author_key[rows]
        chance = mixed(person ^ mixed(self.work_key[rows])) & np.uint64(127)
        side = (mixed(person + author) & np.uint64(1)) ^ (person > author)
        return (chance | side << np.uint64(7)).astype(np.int64)

    def facing(self, people: Array, rows: Array) -> tuple[Array, Array]:
        """Return, as (index of the pair, arc), the arcs on which a row's authors would review a person's works."""
        pair, author = join(rows, self.author_row, self.author)
        again, row = join(people[pair], self.writer, self.writer_row)
        column = place_of(author[again], self.reviewers)
        here = column >= 0
        return pair[again][here], (row * self.width + column)[here]

    def faces(self, arcs: Array) -> tuple[Array, Array]:
        """Return, as (index of the arc, arc), the arcs that face these."""
        rows, columns = np.divmod(arcs, self.width)
        return self.facing(self.reviewers[columns], rows)

    def couples(self, arcs: Array) -> set[frozenset[int]]:
        """Return the couples of facing arcs among these, which are sorted."""
        index, other = self.faces(arcs)
        hit = among(other, arcs)
        return {frozenset(couple) for couple in zip(arcs[index[hit]].tolist(), other[hit].tolist(), strict=True)}

    def pairs(self, arcs: Array) -> list[tuple[int, int]]:
        """Return the (reviewer id, work id) that arcs stand for."""
        row, column = np.divmod(arcs, max(1, self.width))
        return [*zip(self.reviewers[column].tolist(), self.works[row].tolist(), strict=True)]

    def missing(self, arcs: Array) -> Array:
        """Return how many reviews each work still misses."""
        left: Array = self.demand - np.bincount(arcs // max(1, self.width), minlength=len(self.works))
        return left

    def score(self, arcs: Array) -> Score:
        """Return what an allocation truly costs; its arcs are sorted."""
        given = np.bincount(arcs % max(1, self.width), minlength=self.width)
        missing = self.missing(arcs)
        load = given * (self.load - self.load.min(initial=0)) + given * (given + 1) // 2
        return Score(
            gaps=int((missing * (missing + 1) // 2).sum()),
            changes=int((~among(self.standing, arcs)).sum()),
            load=int(load.sum()) if self.even else 0,
            wishes=int(self.wish(arcs).sum()) + self.reciprocal * len(self.couples(arcs)),
        )

    def after(self, taken: Array = NONE, left_out: Array = NONE, dearer: Array = NONE, by: Array | int = 0) -> Pool:
        """Return what is left to decide when some arcs are taken, some left out, and some cost more."""
        rows, columns = np.divmod(taken, self.width)
        given, got = np.bincount(columns, minlength=self.width), np.bincount(rows, minlength=len(self.works))
        _index, faced = self.faces(taken) if self.reciprocal else (NONE, NONE)
        special, cost = summed(
            np.concatenate([self.special, faced, dearer]),
            np.concatenate(
                [
                    self.special_cost,
                    np.full(len(faced), self.reciprocal, dtype=self.table.dtype),
                    np.broadcast_to(np.asarray(by, dtype=self.table.dtype), dearer.shape),
                ]
            ),
        )
        return replace(
            self,
            room=self.room - given,
            load=self.load + given,
            demand=self.demand - got,
            closed=distinct(np.concatenate([self.closed, taken, left_out])),
            special=special,
            special_cost=cost,
            standing=np.setdiff1d(self.standing, np.concatenate([taken, left_out]), assume_unique=True),
        )
