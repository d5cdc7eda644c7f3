"""The search above the flow: two new reviews that face each other (you mine, I yours) are no single arc.

A flow is charged too little for such couples, so it gives a floor only. The floor rises when each arc of a couple is
charged a price of 0 to `reciprocal`, refunded once: that is never more than the couple costs. What prices don't settle
is branched on: an arc of a couple is taken, or left out. The search ends when the best found is as low as the lowest
floor, or when its patience ends; then the answer says by how much at most it may miss the best.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from review_flow.rules.allocation.arrays import NONE, Array, among, distinct
from review_flow.rules.allocation.candidates import candidates
from review_flow.rules.allocation.flow import cheapest
from review_flow.rules.allocation.pool import Pool, Score

Couple = frozenset[int]  # two arcs that face each other

_PATIENCE = 80_000  # arcs that the search may look at, besides the first flow: some 0.2 s
_FLOW = 700  # what a flow costs besides, in arcs
_PARTINGS = 3  # of looking for a better answer, before that
_PRICINGS = 16  # of finding prices, before branching


@dataclass(frozen=True)
class Node:
    """A part of the search, where `taken` are in and `left_out` not: nothing scores below `floor`, `arcs` do `score`.

    `branch` is one arc of a couple that the floor doesn't charge in full; `priced` is what the prices led to. `gap` is
    what the flow itself may miss, which the floor knows nothing of.
    """

    floor: Score
    score: Score
    arcs: Array
    taken: frozenset[int]
    left_out: frozenset[int]
    prices: Mapping[Couple, int]
    priced: Array
    branch: int | None
    gap: int

    def __lt__(self, other: Node) -> bool:
        # Among equal floors the deeper node first: it finds a good answer soon, and so ends the search.
        return (self.floor, -len(self.taken)) < (other.floor, -len(other.taken))


class Search:
    """The best allocation found in a pool: its `arcs` and `score`, and by how much at most a better one could score."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.cost_of_a_flow = _FLOW + min(40, pool.width) * int((pool.demand > 0).sum())
        self.patience = 0
        self.likely: Array | None = None
        self.arcs, self.score = NONE, pool.score(NONE)
        root = self._node(frozenset(), frozenset(), {})
        self.patience = _PATIENCE
        if root.floor < root.score:
            self.likely = distinct(np.concatenate([root.arcs, candidates(pool, np.flatnonzero(pool.demand > 0))]))
            facing = self._facing(self.likely)
            self._part(root, facing)
            root = self._priced(root, facing)
        nodes = [root]
        while nodes[0].floor < self.score and self.patience > 0:
            node = heapq.heappop(nodes)
            assert node.branch is not None, "a floor below its score has a couple to branch on"
            branch = frozenset({node.branch})
            for taken, left_out in ((node.taken | branch, node.left_out), (node.taken, node.left_out | branch)):
                heapq.heappush(nodes, self._node(taken, left_out, node.prices))
        self.gap = root.gap + max(0, self.score.wishes - nodes[0].floor.wishes)

    def _unsettled(self, root: Node) -> bool:
        return root.floor < self.score and self.patience > 0

    def _facing(self, arcs: Array) -> tuple[Array, Array]:
        """Return those of the arcs that face each other, in two arrays."""
        index, other = self.pool.faces(arcs)
        facing = (arcs[index] < other) & among(other, arcs)
        return arcs[index][facing], other[facing]

    def _part(self, root: Node, facing: tuple[Array, Array]) -> None:
        """Look for a better answer by flows that charge one of each two facing arcs: the one the answer didn't take.

        They charge that answer what it truly costs, and any other no less, so that what they find is as good or better.
        """
        one, other = facing
        side = self.pool.ties(one) > self.pool.ties(other)
        for nth in range(_PARTINGS):
            if not self._unsettled(root):
                break
            first, second = among(one, self.arcs), among(other, self.arcs)
            charged = np.where(first == second, side ^ (first & (nth % 2 == 1)), second)
            dearer = np.where(charged, one, other)  # an arc of several couples is charged for each
            arcs, _gap = self._cheapest(self.pool.after(dearer=dearer, by=self.pool.reciprocal))
            self._keep(arcs, self.pool.score(arcs))

    def _priced(self, root: Node, facing: tuple[Array, Array]) -> Node:
        """Return the root with the prices that raise its floor most: for each two kinds together, then for couples."""
        kinds = np.sort([self.pool.reviewer_kind[arcs % self.pool.width] for arcs in facing], axis=0)
        groups, group = np.unique(kinds, axis=1, return_inverse=True)
        group = group.reshape(-1)
        most, plain, latest = self.pool.reciprocal, (root.arcs, root.gap), root
        kind = self.pool.table.dtype
        price = np.zeros(groups.shape[1], dtype=kind)
        for step in (most, max(1, most // 2), *[max(1, most // 4)] * 3):
            if not self._unsettled(root):
                break
            taken = among(facing[0], latest.priced).astype(np.int64) + among(facing[1], latest.priced)
            last = price
            price = np.clip(
                price + step * np.sign(np.bincount(group, weights=taken - 1)).astype(np.int64).astype(kind), 0, most
            )
            if (price == last).all():
                break
            costs = zip(*(arcs.tolist() for arcs in facing), price[group].tolist(), strict=True)
            prices = {frozenset(couple): cost for *couple, cost in costs if cost}
            latest = self._node(root.taken, root.left_out, prices, plain)
            root = max(root, latest, key=lambda node: node.floor)
        latest = root
        for nth in range(_PRICINGS):
            if not self._unsettled(root):
                break
            latest = self._node(root.taken, root.left_out, self._repriced(latest, nth), plain)
            root = max(root, latest, key=lambda node: node.floor)
        return root

    def _repriced(self, node: Node, nth: int) -> dict[Couple, int]:
        """Return prices a step nearer the highest floor: dearer where a couple came, cheaper where neither arc did."""
        most = self.pool.reciprocal
        step = max(1, most >> nth // 2)
        arcs = frozenset(node.priced.tolist())
        prices = {couple: price - step * couple.isdisjoint(arcs) for couple, price in node.prices.items()}
        for couple in self.pool.couples(node.priced):
            prices[couple] = prices.get(couple, 0) + step
        return {couple: min(price, most) for couple, price in prices.items() if price > 0}

    def _node(
        self,
        taken: frozenset[int],
        left_out: frozenset[int],
        prices: Mapping[Couple, int],
        plain: tuple[Array, int] | None = None,
    ) -> Node:
        prices = {couple: price for couple, price in prices.items() if couple.isdisjoint(taken | left_out)}
        unpriced, gap = plain or self._flow(taken, left_out, {})
        priced = self._flow(taken, left_out, prices)[0] if prices else unpriced
        plain_score, priced_score = self.pool.score(unpriced), self.pool.score(priced)
        unseen = [couple for couple in self.pool.couples(unpriced) if couple.isdisjoint(taken)]
        node = Node(
            floor=max(self._floor(unpriced, plain_score, taken, {}), self._floor(priced, priced_score, taken, prices)),
            score=min(plain_score, priced_score),
            arcs=unpriced if plain_score <= priced_score else priced,
            taken=taken,
            left_out=left_out,
            prices=prices,
            priced=priced,
            branch=min(map(min, unseen), default=None),
            gap=gap,
        )
        self._keep(node.arcs, node.score)
        return node

    def _keep(self, arcs: Array, score: Score) -> None:
        if score < self.score:
            self.arcs, self.score = arcs, score

    def _flow(self, taken: frozenset[int], left_out: frozenset[int], prices: Mapping[Couple, int]) -> tuple[Array, int]:
        """Return the arcs of a cheapest flow that has `taken` and has not `left_out`, at these prices; and its gap."""
        chosen = np.array(sorted(taken), dtype=np.int64)
        dearer = np.array([arc for couple in prices for arc in couple], dtype=np.int64)
        by = np.repeat(np.array([*prices.values()], dtype=self.pool.table.dtype), 2)
        pool = self.pool
        if taken or left_out or prices:
            pool = pool.after(chosen, np.array(sorted(left_out), dtype=np.int64), dearer, by)
        arcs, gap = self._cheapest(pool)
        return distinct(np.concatenate([arcs, chosen])), gap

    def _cheapest(self, pool: Pool) -> tuple[Array, int]:
        self.patience -= self.cost_of_a_flow
        return cheapest(pool, self.likely)

    def _floor(self, arcs: Array, score: Score, taken: frozenset[int], prices: Mapping[Couple, int]) -> Score:
        """Return what the flow that led to these arcs was charged: the score but for the couples it saw dimly."""
        unseen = [couple for couple in self.pool.couples(arcs) if couple.isdisjoint(taken)]
        wishes = score.wishes - sum(self.pool.reciprocal - prices.get(couple, 0) for couple in unseen)
        there = frozenset(arcs.tolist())
        return score._replace(
            wishes=wishes - sum(price for couple, price in prices.items() if couple.isdisjoint(there))
        )
