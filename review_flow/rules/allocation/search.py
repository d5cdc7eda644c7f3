"""Who reviews whose work: one exact min-cost flow. Rules 001-A-24, X-41.

Every wanted review is a unit of flow from its work to a reviewer. What matters more costs so much more that no
amount of the lesser can outweigh it: first few and even gaps, then even load, then the soft wishes by their
weights, and last a tie-break drawn from the seed. Two new reviews that face each other (you mine, I yours) are
no single arc, so a branch-and-bound search on such couples stands above the flow. Its floor is the flow that charges
each arc of a couple a price of 0 to `reciprocal` and refunds it once: that is never more than the couple costs.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import attrgetter
from typing import TYPE_CHECKING

from ortools.graph.python import min_cost_flow

from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

Pair = tuple[int, int]  # (reviewer id, work id)
Couple = frozenset[int]  # two arcs that face each other
Score = tuple[int, int, int]  # gaps, load, wishes: compared in this order, less is better

_TIES = 256  # levels of the seed's tie-break on an arc: 7 bits of chance under the one that parts couples
_PATIENCE = 100_000  # arcs the search for fewer facing couples may look at: about half a second
_ROUNDS = 16  # of finding prices, before branching


@dataclass(frozen=True)
class Reviewer:
    """Somebody who may review: at most `cap` reviews in all, of which `load` are held already (live and done)."""

    id: int
    cap: int
    load: int = 0
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """How many more reviews the cap leaves."""
        return max(0, self.cap - self.load)


@dataclass(frozen=True)
class Work:
    """A sealed submission that still wants `demand` reviews, none of them by one of its `authors`."""

    id: int
    authors: frozenset[int]
    demand: int
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """What a wish is worth when load is even either way; whole numbers ≥ 0, 0 switches it off. Origin: default.

    `subject` is paid by a review from another subject, `reciprocal` by each couple of reviews that face each
    other, `workshop` by a review from within the own workshop. So one subject outweighs three couples.
    """

    subject: int = 16
    reciprocal: int = 4
    workshop: int = 1


@dataclass(frozen=True)
class Blocked:
    """The min cut: why the demand of these works cannot be met, `wanted = room + apart + missing`.

    `room` is all that the caps leave to `reviewers`, each of whom could take more of these works; `apart` are
    the reviews by everyone else, who already hold each of these works they may see.
    """

    works: tuple[int, ...]
    reviewers: tuple[int, ...]
    subject: str | None
    wanted: int
    room: int
    apart: int
    missing: int

    @property
    def text(self) -> str:
        """The sentence for the administrator: the numbers, and the changes that would really help."""
        if not self.reviewers:
            sentence = _(
                "{group}{works} 份成果需要 {wanted} 次互评，能评的老师每份各评一次，共 {apart} 次；"
                "还差 {missing} 次：请减少回避、增加评审人或增加标准样例。"
            )
        elif self.apart:
            sentence = _(
                "{group}{works} 份成果需要 {wanted} 次互评，可评的 {reviewers} 位老师余量共 {room} 次，"
                "其他老师每份各评一次，共 {apart} 次；还差 {missing} 次：请提高上限、增加评审人或增加标准样例。"
            )
        else:
            sentence = _(
                "{group}{works} 份成果需要 {wanted} 次互评，可评的 {reviewers} 位老师余量共 {room} 次；"
                "还差 {missing} 次：请提高上限、增加评审人或增加标准样例。"
            )
        return say(
            sentence,
            group=say(_("{subject}组 "), subject=self.subject) if self.subject else "",
            works=len(self.works),
            reviewers=len(self.reviewers),
            wanted=self.wanted,
            room=self.room,
            apart=self.apart,
            missing=self.missing,
        )


@dataclass(frozen=True)
class Allocation:
    """The new pairs, sorted; what stays unmet by work id, and why; whether nothing better can exist."""

    pairs: tuple[Pair, ...]
    unmet: Mapping[int, int]
    blocked_by: Blocked | None
    optimal: bool


def allocate(
    *,
    reviewers: Collection[Reviewer],
    works: Collection[Work],
    conflicts: Collection[Pair] = (),
    held: Collection[Pair] = (),
    weights: Weights | None = None,
    seed: int,
) -> Allocation:
    """Give every work its wanted reviews, or as many as can be, evenly short. Rules 001-A-24, X-41.

    Never: an author's own work, a conflict, a pair in `held` (assigned, done or declined), beyond a cap.
    Wished, in this order: even load; then the `weights`. The same seed and facts give the same pairs in whatever
    order the facts come. Ids are unique in their collection; pairs of ids that are not there are let be, so hand
    in the works that want no more reviews too: who reviewed them counts for `reciprocal`.
    """
    pool = _Pool(reviewers, works, conflicts, held, weights or Weights(), seed)
    best, optimal = pool.search()
    unmet = {work.id: gap for work, gap in zip(pool.works, pool.gaps(best), strict=True) if gap}
    return Allocation(
        pairs=tuple(sorted(pool.pair(arc) for arc in best)),
        unmet=dict(sorted(unmet.items())),
        blocked_by=pool.cut(best) if unmet else None,
        optimal=optimal,
    )


@dataclass(frozen=True)
class _Node:
    """A part of the search, where `taken` are in and `left_out` not: nothing scores below `floor`, `arcs` do `score`.

    `branch` is one arc of a couple that the floor doesn't charge in full; `priced` is what the prices led to.
    """

    floor: Score
    score: Score
    arcs: frozenset[int]
    taken: frozenset[int]
    left_out: frozenset[int]
    prices: Mapping[Couple, int]
    priced: frozenset[int]
    branch: int | None

    def __lt__(self, other: _Node) -> bool:
        # Among equal floors the deeper node first: it finds a good answer soon, and so ends the search.
        return (self.floor, -len(self.taken)) < (other.floor, -len(other.taken))


def _key(seed: int, kind: str, number: int) -> int:
    """Return 32 bits that only the seed and the id decide."""
    return int.from_bytes(blake2b(f"{seed}:{kind}:{number}".encode(), digest_size=4).digest(), "big")


_floor, _score = attrgetter("floor"), attrgetter("score")


def _slope(count: int, start: int = 0) -> int:
    """Return (start + 1) + … + (start + count): what `count` more of a convex cost add up to."""
    return count * start + count * (count + 1) // 2


class _Pool:
    """The facts as a full matrix of arcs, numbered work × reviewers + reviewer, both in the order of the seed."""

    def __init__(
        self,
        reviewers: Iterable[Reviewer],
        works: Iterable[Work],
        conflicts: Iterable[Pair],
        held: Collection[Pair],
        weights: Weights,
        seed: int,
    ) -> None:
        people = sorted((_key(seed, "person", reviewer.id), reviewer.id, reviewer) for reviewer in reviewers)
        things = sorted((_key(seed, "work", work.id), work.id, work) for work in works)
        self.reviewers = [reviewer for *_order, reviewer in people]
        self.works = [work for *_order, work in things]
        self.weights = weights
        self.width = len(people)
        self.column = {reviewer.id: index for index, reviewer in enumerate(self.reviewers)}
        self.row = {work.id: index for index, work in enumerate(self.works)}
        self.lowest = min((reviewer.load for reviewer in self.reviewers), default=0)
        self.written: defaultdict[int, list[int]] = defaultdict(list)  # author → rows
        for row, work in enumerate(self.works):
            for author in work.authors:
                self.written[author].append(row)
        own = ((author, work.id) for work in self.works for author in work.authors)
        self.open = [1] * (self.width * len(self.works))
        for arc in self._known((*conflicts, *held, *own)):
            self.open[arc] = 0
        self.wish = self._wishes()
        for reviewer, work_id in set(held):
            if work_id in self.row:
                for arc in self._facing(reviewer, self.works[self.row[work_id]]):
                    self.wish[arc] += weights.reciprocal
        self.tie = self._ties(seed, [key for key, *_rest in people], [key for key, *_rest in things])

    def pair(self, arc: int) -> Pair:
        """Return the ids an arc stands for."""
        return self.reviewers[arc % self.width].id, self.works[arc // self.width].id

    def _known(self, pairs: Iterable[Pair]) -> Iterator[int]:
        """Yield the arcs of those pairs whose reviewer and work are both here."""
        for reviewer, work in pairs:
            if reviewer in self.column and work in self.row:
                yield self.row[work] * self.width + self.column[reviewer]

    def _facing(self, reviewer: int, work: Work) -> Iterator[int]:
        """Yield the arcs on which the work's authors would review the reviewer's own works."""
        for row in self.written[reviewer]:
            yield from self._known((author, self.works[row].id) for author in work.authors)

    def _faces(self, arc: int) -> Iterator[int]:
        return self._facing(self.reviewers[arc % self.width].id, self.works[arc // self.width])

    def _wishes(self) -> list[int]:
        """Return what each arc costs by subject and workshop."""
        kinds = [(reviewer.groups.get("subject"), reviewer.groups.get("workshop")) for reviewer in self.reviewers]
        wishes: list[int] = []
        for work in self.works:
            subject, workshop = work.groups.get("subject"), work.groups.get("workshop")
            cost = {
                kind: self.weights.subject * (kind[0] != subject)
                + self.weights.workshop * (workshop is not None and kind[1] == workshop)
                for kind in set(kinds)
            }
            wishes.extend([cost[kind] for kind in kinds])
        return wishes

    def _ties(self, seed: int, people: list[int], things: list[int]) -> list[int]:
        """Return each arc's draw below _TIES; of two arcs that face each other, one has the high bit.

        That alone leaves hardly a facing couple in a large pool, and the search above it little to do.
        """
        ties: list[int] = []
        for work, thing in zip(self.works, things, strict=True):
            author = _key(seed, "person", min(work.authors, default=0))
            ties.extend(
                [person * thing >> 24 & 127 | (person * author >> 24 & 1 ^ (person > author)) << 7 for person in people]
            )
        return ties

    def search(self) -> tuple[frozenset[int], bool]:
        """Return the best arcs found, and whether they are proven best."""
        nothing: frozenset[int] = frozenset()
        root = best = self._node(nothing, nothing, {})
        patience = _PATIENCE - len(self.open)
        if root.floor < best.score and patience > 0:
            everything = self._couples(frozenset(arc for arc, free in enumerate(self.open) if free))
            prices = dict.fromkeys(everything, self.weights.reciprocal)
            for nth in range(_ROUNDS):
                latest = self._node(nothing, nothing, prices)
                root, best = max(root, latest, key=_floor), min(best, latest, key=_score)
                prices = self._repriced(latest, nth)
            patience -= _ROUNDS * len(self.open)
        nodes = [root]
        while nodes[0].floor < best.score and patience > 0:
            node = heapq.heappop(nodes)
            assert node.branch is not None, "a floor below its score has a couple to branch on"
            branch = frozenset({node.branch})
            for taken, left_out in ((node.taken | branch, node.left_out), (node.taken, node.left_out | branch)):
                child = self._node(taken, left_out, node.prices)
                heapq.heappush(nodes, child)
                best = min(best, child, key=_score)
                patience -= len(self.open)
        return best.arcs, nodes[0].floor >= best.score

    def _repriced(self, node: _Node, nth: int) -> dict[Couple, int]:
        """Return prices a step nearer the highest floor: dearer where a couple came, cheaper where neither arc did."""
        step, most = max(1, self.weights.reciprocal >> nth // 2), self.weights.reciprocal
        prices = {couple: price - step * couple.isdisjoint(node.priced) for couple, price in node.prices.items()}
        for couple in self._couples(node.priced):
            prices[couple] = prices.get(couple, 0) + step
        return {couple: min(price, most) for couple, price in prices.items() if price > 0}

    def _node(self, taken: frozenset[int], left_out: frozenset[int], prices: Mapping[Couple, int]) -> _Node:
        prices = {couple: price for couple, price in prices.items() if couple.isdisjoint(taken | left_out)}
        plain = self._flow(taken, left_out, {})
        priced = self._flow(taken, left_out, prices) if prices else plain
        plain_score, priced_score = self._score(plain), self._score(priced)
        return _Node(
            floor=max(self._floor(plain, plain_score, taken, {}), self._floor(priced, priced_score, taken, prices)),
            score=min(plain_score, priced_score),
            arcs=plain if plain_score <= priced_score else priced,
            taken=taken,
            left_out=left_out,
            prices=prices,
            priced=priced,
            branch=min((min(couple) for couple in self._couples(plain) if couple.isdisjoint(taken)), default=None),
        )

    def _couples(self, arcs: frozenset[int]) -> set[Couple]:
        """Return the couples among these arcs."""
        return {frozenset({arc, other}) for arc in arcs for other in self._faces(arc) if other in arcs}

    def _score(self, arcs: frozenset[int]) -> Score:
        """Return what an allocation truly costs."""
        given = Counter(arc % self.width for arc in arcs)
        gaps = sum(_slope(gap) for gap in self.gaps(arcs))
        load = sum(_slope(count, self.reviewers[column].load - self.lowest) for column, count in given.items())
        return gaps, load, sum(self.wish[arc] for arc in arcs) + self.weights.reciprocal * len(self._couples(arcs))

    def _floor(self, arcs: frozenset[int], score: Score, taken: frozenset[int], prices: Mapping[Couple, int]) -> Score:
        """Return what the flow that led to these arcs was charged: the score but for the couples it saw dimly."""
        gaps, load, wishes = score
        unseen = [couple for couple in self._couples(arcs) if couple.isdisjoint(taken)]
        wishes -= sum(self.weights.reciprocal - prices.get(couple, 0) for couple in unseen)
        return gaps, load, wishes - sum(price for couple, price in prices.items() if couple.isdisjoint(arcs))

    def gaps(self, arcs: Iterable[int]) -> list[int]:
        """Return how many reviews each work still misses."""
        got = Counter(arc // self.width for arc in arcs)
        return [max(0, work.demand) - got[row] for row, work in enumerate(self.works)]

    def _flow(self, taken: frozenset[int], left_out: frozenset[int], prices: Mapping[Couple, int]) -> frozenset[int]:
        """Return the arcs of a cheapest flow that has `taken` and has not `left_out`, at these prices.

        An improving cycle passes a reviewer or a work once at most, and the sink once: so a step of load needs to
        outweigh `span` wishes only, a gap only one step of load, and a thousand teachers stay within 64 bits.
        """
        span, sink = min(self.width, len(self.works)), len(self.works) + self.width
        wish, free = self.wish.copy(), self.open.copy()
        for arc in taken:
            for other in self._faces(arc):
                wish[other] += self.weights.reciprocal
        for couple, price in prices.items():
            for arc in couple:
                wish[arc] += price
        for arc in taken | left_out:
            free[arc] = 0
        unit = span * _TIES + 1
        step = (span * max(wish, default=0) + 1) * unit
        given = Counter(arc % self.width for arc in taken)
        steps = [  # a reviewer can take no more than his room, nor more than there are works
            (len(self.works) + column, (reviewer.load - self.lowest + nth) * step)
            for column, reviewer in enumerate(self.reviewers)
            for nth in range(given[column] + 1, min(reviewer.room, len(self.works)) + 1)
        ]
        gap = max((cost for _node, cost in steps), default=0) + step
        wanted = self.gaps(taken)
        holes = [(row, nth * gap) for row, count in enumerate(wanted) for nth in range(1, count + 1)]

        flow = min_cost_flow.SimpleMinCostFlow()
        add = flow.add_arcs_with_capacity_and_unit_cost
        columns = range(len(self.works), sink)
        add(
            [row for row in range(len(self.works)) for _column in columns],
            [*columns] * len(self.works),
            free,
            [cost * unit + tie for cost, tie in zip(wish, self.tie, strict=True)],
        )
        ends = [*steps, *holes]
        add([node for node, _cost in ends], sink, 1, [cost for _node, cost in ends])
        flow.set_nodes_supplies([*range(len(self.works)), sink], [*wanted, -sum(wanted)])
        if flow.solve() != flow.OPTIMAL:
            raise OverflowError("the loads are too far apart, or the pool too large, for exact 64-bit costs")
        carried = flow.flows(range(len(free))).tolist()
        return taken.union([arc for arc, units in enumerate(carried) if units])

    def cut(self, arcs: frozenset[int]) -> Blocked:
        """Return what stands in the way: all that can be reached from the gaps by moving reviews about."""
        gaps = self.gaps(arcs)
        holds: defaultdict[int, list[int]] = defaultdict(list)  # column → rows
        for arc in arcs:
            holds[arc % self.width].append(arc // self.width)
        rows = {row for row, gap in enumerate(gaps) if gap}
        columns: set[int] = set()
        todo = [*rows]
        while todo:
            start = todo.pop() * self.width
            asked = {c for c in range(self.width) if self.open[start + c] and start + c not in arcs} - columns
            columns |= asked
            moved = {row for column in asked for row in holds[column]} - rows
            rows |= moved
            todo.extend(moved)
        subjects = {self.works[row].groups.get("subject") for row in rows}
        return Blocked(
            works=tuple(sorted(self.works[row].id for row in rows)),
            reviewers=tuple(sorted(self.reviewers[column].id for column in columns)),
            subject=subjects.pop() if len(subjects) == 1 else None,
            wanted=sum(max(0, self.works[row].demand) for row in rows),
            room=sum(self.reviewers[column].room for column in columns),
            apart=sum(arc // self.width in rows and arc % self.width not in columns for arc in arcs),
            missing=sum(gaps),
        )
