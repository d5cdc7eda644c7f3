"""The cheapest flow from works to reviewers, over few candidate arcs, and the proof that no other arc would help.

A unit of flow is a review: from its work over an arc to a reviewer, and on to the sink by one of the reviewer's steps,
each dearer than the one before (even load); or straight to the sink, as a gap. What matters more costs so much more
that no amount of the lesser outweighs it: gaps, then changes to what stands, then load, then wishes, then chance.

The flow is solved over some 40 arcs for each work. The distances of its residual graph to the sink price every arc
that was left out; those that would make it cheaper join, and it is solved again until there are none. Then it is the
cheapest flow over all arcs. All is whole numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ortools.graph.python import min_cost_flow

from review_flow.rules.allocation.arrays import NONE, Array, among, distinct, spread
from review_flow.rules.allocation.candidates import candidates, everything
from review_flow.rules.allocation.pricing import Prices
from review_flow.rules.allocation.residual import distances

if TYPE_CHECKING:
    from review_flow.rules.allocation.pool import Pool

TIES = 256  # levels of the seed's tie-break on an arc: 7 bits of chance under the one that parts couples
_ALL = 50_000  # as many arcs are all looked at at once
_MANY = 4_000_000  # so many at most, when the rounds didn't end
_ROUNDS = 30
_RANGE = 2**62  # what the solver's costs times its nodes may come to, about


class Found(NamedTuple):
    """The arcs of a flow, sorted, and by how much at most a cheaper one could be cheaper: 0, or a bound."""

    arcs: Array
    gap: int


def cheapest(pool: Pool, likely: Array | None = None) -> Found:
    """Return the cheapest flow of this pool; `likely` arcs stand for the candidates where these are known already."""
    rows = np.flatnonzero(pool.demand > 0)
    if not len(rows) or not pool.width:
        return Found(NONE, 0)
    size, level = len(rows) * pool.width, _level(pool)
    if size <= _ALL:
        arcs = everything(pool, rows)
    elif likely is None:
        arcs = candidates(pool, rows)
    else:
        arcs = likely[pool.open(likely) & among(likely // pool.width, rows)]
    rounds = 0
    while True:
        network = Network(pool, rows, arcs, level)
        used = network.solved()
        while (higher := network.higher_level(used)) is not None:
            level = higher
            network = Network(pool, rows, arcs, level)
            used = network.solved()
        if size <= _ALL and not network.rounded:
            return Found(arcs[used], 0)
        used, distance = network.proven(used)
        prices = Prices(pool, rows, distance[: len(rows)], distance[len(rows) : -1], network.change)
        joining = prices.cheaper(arcs) if size > _ALL else NONE
        if not len(joining):
            return Found(arcs[used], 0)
        if rounds == _ROUNDS:
            return Found(arcs[used], prices.bound())
        rounds += 1
        few = rounds < _ROUNDS or size > _MANY
        arcs = distinct(np.concatenate([arcs, joining])) if few else everything(pool, rows)


def _level(pool: Pool) -> int:
    """Return the load that everybody may need to come to, if nothing but caps stood in the way, and two more."""
    low, high = 0, int((pool.load + pool.room).max())
    while low < high:
        middle = (low + high) // 2
        if np.clip(middle - pool.load, 0, pool.room).sum() >= pool.demand.sum():
            high = middle
        else:
            low = middle + 1
    return low + 2


class Network:
    """The arcs, priced: node numbers are the rows in turn, then the columns, then the sink."""

    def __init__(self, pool: Pool, rows: Array, arcs: Array, level: int) -> None:
        self.pool, self.level = pool, level
        # What nobody is there for is missing whatever is decided: it takes no room in the network, but who lacks more
        # still comes first.
        self.demand = np.minimum(pool.demand[rows], pool.width)
        beyond = pool.demand[rows] - self.demand
        self.lacking = beyond - beyond.min()
        self.row, self.column = np.searchsorted(rows, arcs // pool.width), arcs % pool.width
        self.sink = len(rows) + pool.width
        # An improving cycle passes a reviewer or a work once at most, and the sink once: so a step of load needs to
        # outweigh `span` wishes only, a change `span` wishes and all steps, a gap `span` changes besides.
        span = min(pool.width, len(rows)) + 1
        wishes = span * (int(pool.table.max()) + max(0, int(pool.special_cost.max(initial=0)))) + 1
        self.load = pool.load - pool.load.min()
        self.step = wishes if pool.even else 0
        below = (max(level, int(pool.load.max())) - int(pool.load.min()) + 2) * self.step + wishes
        self.change = below if len(pool.standing) else 0
        self.gap = below + span * self.change
        dearest = self.gap * (int((self.lacking + self.demand).max()) + 1)
        self.kind = np.dtype(np.int64 if dearest < 2**60 else object)
        self.cost = pool.wish(arcs).astype(self.kind) + self.change * (~among(arcs, pool.standing)).astype(self.kind)
        # Chance comes last, where 64 bits leave room for it; where they don't even hold the costs, these are rounded.
        self.rounded, self.unit, self.tie = 0, 1, np.zeros_like(arcs)
        room = _RANGE // (self.sink + 2)
        for ties in (TIES, TIES // 16):
            if dearest * (span * ties + 1) < room:
                self.unit, self.tie = span * ties + 1, pool.ties(arcs) * ties // TIES
                break
        else:
            self.rounded = max(0, (dearest // room).bit_length())

    def price(self, cost: Array, tie: Any = 0) -> Array:
        """Return a cost as the solver gets it."""
        priced: Array = (cost * self.unit + tie >> self.rounded).astype(np.int64)
        return priced

    def solved(self) -> Array:
        """Return which arcs carry a unit of the cheapest flow."""
        columns, room, load = self._steps()
        rows, nth = spread(self.lacking + 1, self.demand)
        while True:
            flow = min_cost_flow.SimpleMinCostFlow()
            add = flow.add_arcs_with_capacity_and_unit_cost
            add(self.row, len(self.demand) + self.column, np.ones_like(self.row), self.price(self.cost, self.tie))
            add(len(self.demand) + columns, np.full_like(columns, self.sink), room, self.price(load))
            add(rows, np.full_like(rows, self.sink), np.ones_like(rows), self.price(nth.astype(self.kind) * self.gap))
            flow.set_nodes_supplies(np.arange(len(self.demand)), self.demand)
            flow.set_node_supply(self.sink, -int(self.demand.sum()))
            if flow.solve() == flow.OPTIMAL:
                carried: Array = flow.flows(np.arange(len(self.row))) > 0
                return carried
            self.rounded += 2  # a flow there is, as everything may be a gap: so the costs are too large for the solver

    def _steps(self) -> tuple[Array, Array, Array]:
        """Return (column, room, cost) of the ways from the reviewers to the sink: one for each step up to the level."""
        room = self.pool.room
        if not self.step:
            return np.arange(len(room)), room, np.zeros(len(room), dtype=self.kind)
        top = np.clip(self.level - self.pool.load, 0, room)
        columns, nth = spread(self.load + 1, top)
        rest = np.flatnonzero(room > top)  # seldom used; more than one unit there asks for a higher level
        return (
            np.concatenate([columns, rest]),
            np.concatenate([np.ones_like(columns), room[rest] - top[rest]]),
            np.concatenate([nth, self.load[rest] + top[rest] + 1]).astype(self.kind) * self.step,
        )

    def higher_level(self, used: Array) -> int | None:
        """Return a level for the steps that this flow asks for; None: it took one unit beyond it at most."""
        given = np.bincount(self.column[used], minlength=self.pool.width)
        beyond = given > np.clip(self.level - self.pool.load, 0, self.pool.room) + 1
        if not self.step or not beyond.any():
            return None
        return int((self.pool.load + given)[beyond].max()) + 2

    def proven(self, used: Array) -> tuple[Array, Array]:
        """Return the flow, bettered where its costs had been rounded, and how far each node is from the sink."""
        while True:
            idle, busy = np.flatnonzero(~used), np.flatnonzero(used)
            given = np.bincount(self.column[busy], minlength=self.pool.width)
            missing = self.demand - np.bincount(self.row[busy], minlength=len(self.demand))
            rows, columns = len(self.demand), np.arange(self.pool.width) + len(self.demand)
            roomy, giving = np.flatnonzero(given < self.pool.room), np.flatnonzero(given)
            got, short = np.flatnonzero(missing < self.demand), np.flatnonzero(missing)
            sink = np.full(self.sink + 1, self.sink)
            load = (self.load + given).astype(self.kind) * self.step
            tail = [self.row[idle], rows + self.column[busy], columns[roomy], sink[giving], got, sink[short]]
            head = [rows + self.column[idle], self.row[busy], sink[roomy], columns[giving], sink[got], short]
            gap = (self.lacking + missing).astype(self.kind) * self.gap
            cost = [self.cost[idle], -self.cost[busy], load[roomy] + self.step, -load[giving]]
            cost += [gap[got] + self.gap, -gap[short]]
            joined = map(np.concatenate, (tail, head, cost))
            distance, cycle = distances(*joined, nodes=self.sink + 1, sink=self.sink)
            if not cycle:
                return used, distance
            turned = np.concatenate([idle, busy])
            turned = turned[[place for place in cycle if place < len(turned)]]
            used = used.copy()
            used[turned] = ~used[turned]
