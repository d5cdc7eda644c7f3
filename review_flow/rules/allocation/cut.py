"""Who stands in the way: the min cut of an allocation that can't be met, and what would really help."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from review_flow.i18n import _, say
from review_flow.rules.allocation.arrays import Array, among
from review_flow.rules.allocation.flow import cheapest
from review_flow.rules.peer_rules import AllocationWeights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review_flow.rules.allocation.facts import Facts
    from review_flow.rules.allocation.pool import Pool

REMEDIES = {
    "caps": _("提高上限"),
    "subjects": _("开放跨学科"),
    "workshops": _("开放本教研组互评"),
    "conflicts": _("减少回避"),
    "reviewers": _("增加评审人"),
}
_NOTHING = AllocationWeights(0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Blocked:
    """The min cut: why the demand of these works cannot be met, `wanted = room + apart + missing`.

    `room` is all that the caps (`capped`: of nobody who holds reviews already) leave to `reviewers`, each of whom
    could take more of these works; `apart` are the reviews by everyone else, who already have each of these works
    they may see. Each of the `remedies` alone would meet every demand: a key of REMEDIES; "reviewers" are as many new
    ones as reviews are missing, at most.
    """

    works: tuple[int, ...]
    reviewers: tuple[int, ...]
    subject: str | None
    wanted: int
    room: int
    apart: int
    missing: int
    unused: bool = True
    remedies: tuple[str, ...] = ("reviewers",)

    @property
    def text(self) -> str:
        """The sentence for the administrator: the numbers, and the changes that would really help."""
        if not self.reviewers:
            sentence = _(
                "{group}{works} 份成果需要 {wanted} 次互评，能评的老师每份各评一次，共 {apart} 次；"
                "还差 {missing} 次：请{remedies}或增加标准样例。"
            )
        elif self.apart:
            sentence = _(
                "{group}{works} 份成果需要 {wanted} 次互评，可评的 {reviewers} 位老师{limit}共 {room} 次，"
                "其他老师每份各评一次，共 {apart} 次；还差 {missing} 次：请{remedies}或增加标准样例。"
            )
        else:
            sentence = _(
                "{group}{works} 份成果需要 {wanted} 次互评，可评的 {reviewers} 位老师{limit}共 {room} 次；"
                "还差 {missing} 次：请{remedies}或增加标准样例。"
            )
        return say(
            sentence,
            group=say(_("{subject}组 "), subject=self.subject) if self.subject else "",
            works=len(self.works),
            reviewers=len(self.reviewers),
            wanted=self.wanted,
            limit=say(_("上限")) if self.unused else say(_("余量")),
            room=self.room,
            apart=self.apart,
            missing=self.missing,
            remedies=say(_("、")).join(say(REMEDIES[one]) for one in self.remedies),
        )


def blocked(facts: Facts, pool: Pool, arcs: Array) -> Blocked:
    """Return what stands in the way: all that can be reached from the gaps by moving reviews about."""
    missing = pool.missing(arcs)
    rows, columns = _reached(pool, arcs, np.flatnonzero(missing))
    works, reviewers = pool.works[rows], pool.reviewers[columns]
    subjects = {work.groups.subject for work in facts.works if work.id in {*works.tolist()}}
    row, column = np.divmod(arcs, max(1, pool.width))
    inside = frozenset(reviewers.tolist())
    return Blocked(
        works=tuple(sorted(works.tolist())),
        reviewers=tuple(sorted(inside)),
        subject=subjects.pop() if len(subjects) == 1 else None,
        wanted=int(pool.demand[rows].sum()),
        room=int(pool.room[columns].sum()),
        apart=int((np.isin(row, rows) & ~np.isin(column, columns)).sum()),
        missing=int(missing.sum()),
        unused=not pool.load[columns].any(),
        remedies=(*(name for name, eased in _eased(facts, inside) if _met(eased)), "reviewers"),
    )


def _reached(pool: Pool, arcs: Array, rows: Array) -> tuple[Array, Array]:
    """Return the rows and columns that more reviews for these rows could be moved over."""
    by_column = arcs[np.argsort(arcs % max(1, pool.width), kind="stable")]
    held = np.searchsorted(by_column % max(1, pool.width), np.arange(pool.width + 1))
    seen_row, unseen = np.zeros(len(pool.works), dtype=bool), np.arange(pool.width)
    seen_row[rows] = True
    todo = rows.tolist()
    while todo and len(unseen):
        here = todo.pop() * pool.width + unseen
        asked = pool.open(here) & ~among(here, arcs)
        for column in unseen[asked].tolist():
            for row in (by_column[held[column] : held[column + 1]] // pool.width).tolist():
                if not seen_row[row]:
                    seen_row[row] = True
                    todo.append(row)
        unseen = unseen[~asked]
    return np.flatnonzero(seen_row), np.setdiff1d(np.arange(pool.width), unseen, assume_unique=True)


def _eased(facts: Facts, inside: frozenset[int]) -> Iterator[tuple[str, Facts]]:
    """Yield what could be eased, and the facts then."""
    rules = facts.rules
    if inside:
        most = len(facts.works)
        eased = [replace(one, cap=one.load + most) if one.id in inside else one for one in facts.reviewers]
        yield "caps", replace(facts, reviewers=eased)
    if rules.other_subject == "forbid":
        yield "subjects", replace(facts, rules=replace(rules, other_subject="avoid"))
    if rules.own_workshop == "forbid":
        yield "workshops", replace(facts, rules=replace(rules, own_workshop="avoid"))
    if facts.conflicts:
        yield "conflicts", replace(facts, conflicts=())


def _met(facts: Facts) -> bool:
    """Whether every demand can be met, whatever else that costs."""
    bare = replace(
        facts, standing=(), former=(), affinity={}, rules=replace(facts.rules, even_load=False, weights=_NOTHING)
    )
    pool = bare.pool(0)
    return not pool.missing(cheapest(pool).arcs).any()
