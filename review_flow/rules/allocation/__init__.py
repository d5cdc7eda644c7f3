"""Who reviews whose work: one exact min-cost flow. Rules 001-A-24, X-41.

`facts` holds what is given, `pool` the same as arrays, `flow` finds the cheapest flow over few `candidates` and has
`pricing` prove that no other arc would help, `search` parts couples, `cut` says who stands in the way.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from review_flow.rules.allocation.cut import Blocked, blocked
from review_flow.rules.allocation.facts import Facts, Groups, Pair, Reviewer, Work
from review_flow.rules.allocation.search import Search
from review_flow.rules.peer_rules import AllocationRules, AllocationWeights

if TYPE_CHECKING:
    from review_flow.rules.allocation.arrays import Array
    from review_flow.rules.allocation.pool import Pool

__all__ = [
    "Allocation",
    "AllocationRules",
    "AllocationWeights",
    "Blocked",
    "Facts",
    "Groups",
    "Pair",
    "Reviewer",
    "Work",
    "allocate",
]


@dataclass(frozen=True)
class Allocation:
    """What was decided, with pairs and ids sorted.

    `pairs` are new; `withdrawn` stood and are taken back; `unmet` is what each work still lacks, and `blocked_by` why.
    `cost` is what the broken wishes weigh, in whole weights; `gap` is by how much at most a better answer could be
    cheaper: 0 where there is none.
    """

    pairs: tuple[Pair, ...] = ()
    withdrawn: tuple[Pair, ...] = ()
    unmet: Mapping[int, int] = field(default_factory=dict)
    blocked_by: Blocked | None = None
    cost: Decimal = Decimal(0)
    gap: Decimal = Decimal(0)

    @property
    def optimal(self) -> bool:
        """Whether nothing better can exist."""
        return self.gap == 0


def allocate(
    *,
    reviewers: Collection[Reviewer],
    works: Collection[Work],
    conflicts: Collection[Pair] = (),
    held: Collection[Pair] = (),
    standing: Collection[Pair] = (),
    former: Collection[Pair] = (),
    affinity: Mapping[Pair, Decimal] | None = None,
    rules: AllocationRules | None = None,
    seed: int,
) -> Allocation:
    """Give every work its wanted reviews, or as many as can be, evenly short. Rules 001-A-24, X-41.

    Never: an author's own work, a conflict, a pair in `held` (begun, done or declined), beyond a cap, what the rules
    forbid. What is `standing` (assigned, not begun) may move, but only to fill gaps, and as little as can be; loads
    and demands don't count it yet. Wished, in this order: even load; then the weights of the rules, where `former`
    are pairs of earlier rounds; and the sum of the `affinity` in units of a weight (exact decimals).

    The same seed and facts give the same answer in whatever order the facts come. Ids are unique in their collection
    and fit 64 bits; pairs of ids that are not there are let be, so hand in the works that want no more reviews too:
    who reviewed them counts for couples.
    """
    facts = Facts(reviewers, works, conflicts, held, standing, former, affinity or {}, rules or AllocationRules())
    pool = facts.pool(seed)
    arcs, gap = _best(pool)
    missing = pool.missing(arcs)
    short = missing > 0
    moved = pool.pairs(np.setdiff1d(pool.standing, arcs, assume_unique=True))
    if len(pool.standing) < len({*standing}):  # some may not stand any more
        works_here, left = {work.id for work in works}, {*standing}.difference(pool.pairs(pool.standing))
        moved += [pair for pair in left if pair[1] in works_here]
    return Allocation(
        pairs=tuple(sorted(pool.pairs(np.setdiff1d(arcs, pool.standing, assume_unique=True)))),
        withdrawn=tuple(sorted(moved)),
        unmet=dict(sorted(zip(pool.works[short].tolist(), missing[short].tolist(), strict=True))),
        blocked_by=blocked(facts, pool, arcs) if short.any() else None,
        cost=pool.decimal(pool.score(arcs).wishes - pool.top * len(arcs)),
        gap=pool.decimal(gap),
    )


def _best(pool: Pool) -> tuple[Array, int]:
    """Return the arcs and the gap. What stands is left alone where all can be met without it: that is quickly found."""
    if len(pool.standing):
        local = Search(pool.after(pool.standing))
        if not local.score.gaps:
            return np.union1d(local.arcs, pool.standing), local.gap
    whole = Search(pool)
    return whole.arcs, whole.gap
