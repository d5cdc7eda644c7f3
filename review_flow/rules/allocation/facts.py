"""What an allocation is made from, and how it becomes arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from decimal import Decimal
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import numpy as np

from review_flow.rules.allocation.arrays import NONE, Array, distinct, drawn, place_of, summed
from review_flow.rules.allocation.pool import EXACT, Pool
from review_flow.rules.peer_rules import AllocationRules

Pair = tuple[int, int]  # (reviewer id, work id)

_SAFE = 2**50  # what one wish may cost as a 64-bit integer; above it costs are Python's own


class Groups(NamedTuple):
    """Where somebody, or the author of a work, belongs; None where nobody said."""

    subject: str | None = None
    stage: str | None = None
    workshop: str | None = None


NOWHERE = Groups()


@dataclass(frozen=True)
class Reviewer:
    """Somebody who may review: at most `cap` reviews in all, of which `load` are fixed (begun or done)."""

    id: int
    cap: int
    load: int = 0
    groups: Groups = NOWHERE

    @property
    def room(self) -> int:
        """How many more reviews the cap leaves."""
        return max(0, self.cap - self.load)


@dataclass(frozen=True)
class Work:
    """A sealed submission that wants `demand` reviews more than are fixed, none of them by one of its `authors`."""

    id: int
    authors: frozenset[int]
    demand: int
    groups: Groups = NOWHERE


@dataclass(frozen=True)
class Facts:
    """All that decides an allocation, but the seed. Pairs of ids that are not there are let be."""

    reviewers: Collection[Reviewer]
    works: Collection[Work]
    conflicts: Collection[Pair] = ()
    held: Collection[Pair] = ()
    standing: Collection[Pair] = ()
    former: Collection[Pair] = ()
    affinity: Mapping[Pair, Decimal] = field(default_factory=dict)
    rules: AllocationRules = field(default_factory=AllocationRules)

    def pool(self, seed: int) -> Pool:
        """Return the facts as arrays, in an order drawn from the seed."""
        salt, other = np.frombuffer(blake2b(str(seed).encode(), digest_size=16).digest(), dtype=np.uint64).tolist()
        reviewers, ids, person_key = _in_drawn_order([*self.reviewers], salt)
        works, work_ids, work_key = _in_drawn_order([*self.works], other)
        wrote = _authorship(works)
        first, leads = np.unique(wrote[:, 0], return_index=True)
        author_key = work_key.copy()
        author_key[first] = drawn(wrote[leads, 1], salt)
        by_author = wrote[np.argsort(wrote[:, 1], kind="stable")]

        def arcs(pairs: Iterable[Pair]) -> Array:
            """Return the arcs of those pairs that are here, in their order; -1 for the others."""
            array = np.fromiter(chain.from_iterable(pairs), dtype=np.int64).reshape(-1, 2)
            column, row = place_of(array[:, 0], ids), place_of(array[:, 1], work_ids)
            return np.where((column >= 0) & (row >= 0), row * len(ids) + column, -1)

        def known(pairs: Iterable[Pair]) -> Array:
            found = distinct(arcs(pairs))
            return found[found >= 0]

        own = place_of(wrote[:, 1], ids)
        digits = max([0, *(-int(value.as_tuple().exponent) for value in self.affinity.values())])
        scale = 10**digits
        worth = [int(value.scaleb(digits, EXACT)) for value in self.affinity.values()]
        weights, top = self.rules.weights, max([0, *worth])
        wide = scale * (1 + sum(astuple(weights))) + top - min([0, *worth]) >= _SAFE
        kind = np.dtype(object if wide else np.int64)
        load = _whole([one.load for one in reviewers])
        pool = Pool(
            reviewers=ids,
            works=work_ids,
            room=np.maximum(0, np.minimum(_whole([one.cap for one in reviewers]) - load, len(works))),
            load=load,
            demand=_whole([max(0, one.demand) for one in works]),
            **_kinds(reviewers, works, self.rules, scale, top, kind),
            closed=distinct(
                np.concatenate([known(self.conflicts), known(self.held), (wrote[:, 0] * len(ids) + own)[own >= 0]])
            ),
            special=NONE,
            special_cost=np.empty(0, dtype=kind),
            standing=NONE,
            author_row=wrote[:, 0],
            author=wrote[:, 1],
            writer=by_author[:, 1],
            writer_row=by_author[:, 0],
            person_key=person_key,
            work_key=work_key,
            author_key=author_key,
            reciprocal=weights.reciprocal * scale,
            even=self.rules.even_load,
            digits=digits,
            top=top,
        )
        former, liked = known(self.former), arcs(self.affinity)
        held = np.fromiter(chain.from_iterable({*self.held}), dtype=np.int64).reshape(-1, 2)
        row = place_of(held[:, 1], work_ids)
        _index, faced = pool.facing(held[row >= 0, 0], row[row >= 0]) if weights.reciprocal else (NONE, NONE)
        special, cost = summed(
            np.concatenate([former, faced, liked[liked >= 0]]),
            np.concatenate(
                [
                    np.full(len(former), weights.former * scale, dtype=kind),
                    np.full(len(faced), pool.reciprocal, dtype=kind),
                    -np.array(worth, dtype=kind)[liked >= 0],
                ]
            ),
        )
        # What stands may stay, even beyond a cap or a demand that is smaller now.
        stands = known(self.standing)
        stands = stands[pool.open(stands)]
        stand_rows, stand_columns = np.divmod(stands, max(1, len(ids)))
        return replace(
            pool,
            special=special,
            special_cost=cost,
            standing=stands,
            room=np.maximum(pool.room, np.bincount(stand_columns, minlength=len(ids))),
            demand=np.maximum(pool.demand, np.bincount(stand_rows, minlength=len(works))),
        )


def _whole(numbers: Sequence[Any]) -> Array:
    return np.array(numbers, dtype=np.int64)


Thing = TypeVar("Thing", Reviewer, Work)


def _in_drawn_order(things: list[Thing], salt: int) -> tuple[list[Thing], Array, Array]:
    """Return the things in the order of their keys, their ids and the keys."""
    ids = _whole([one.id for one in things])
    keys = drawn(ids, salt)
    order = np.lexsort((ids, keys))
    return [things[place] for place in order.tolist()], ids[order], keys[order]


def _authorship(works: list[Work]) -> Array:
    """Return who wrote what, `(row of the work, author id)` a line, in that order."""
    authors = [work.authors for work in works]
    written = np.repeat(np.arange(len(works)), [*map(len, authors)])
    by = np.fromiter(chain.from_iterable(authors), dtype=np.int64)
    return np.column_stack([written, by])[np.lexsort((by, written))]


def _kinds(
    reviewers: list[Reviewer], works: list[Work], rules: AllocationRules, scale: int, top: int, kind: np.dtype[Any]
) -> dict[str, Array]:
    """Return the kinds of both sides, and what a review between two kinds costs; `top` is what no affinity misses."""
    words: dict[str | None, int] = {None: -1}

    def kinds(things: Sequence[Reviewer | Work]) -> tuple[Array, Array]:
        seen: dict[Groups, int] = {}
        number = [seen.setdefault(one.groups, len(seen)) for one in things]
        named = _whole([[words.setdefault(word, len(words)) for word in kind] for kind in seen]).reshape(-1, 3)
        order = np.lexsort(named.T[::-1])  # so that kinds of one subject and stage stand together
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return named[order], place[_whole(number)]

    works_are, work_kind = kinds(works)
    reviewers_are, reviewer_kind = kinds(reviewers)
    subject, stage, workshop = ((works_are[:, None, place], reviewers_are[None, :, place]) for place in range(3))
    colleagues = (workshop[0] == workshop[1]) & (workshop[0] >= 0)
    strangers = (subject[0] != subject[1]) & (subject[0] >= 0) & (subject[1] >= 0)
    weights = rules.weights
    table = (
        weights.subject * (subject[0] != subject[1]).astype(kind)
        + weights.stage * (stage[0] != stage[1]).astype(kind)
        + weights.workshop * colleagues.astype(kind)
    ) * scale + top
    barred = (colleagues & (rules.own_workshop == "forbid")) | (strangers & (rules.other_subject == "forbid"))
    return {"work_kind": work_kind, "reviewer_kind": reviewer_kind, "table": table, "barred": barred}
