"""What a common source explains: a template's own lines in two filled-in copies are no copying."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from review_flow.evidence.copies.texts import LEAST_SIGNS
from review_flow.rules.words import CopyKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from review_flow.evidence.copies.prints import Match

MOSTLY = 0.8


def unexplained(match: Match, sources: Iterable[Match]) -> Match | None:
    """Return what is left of a match when the places that common sources explain are taken out, or None."""
    known = [place for source in sources if source.kind is match.kind for place in source.here]
    pairs = list(zip(match.here, match.there, strict=True))
    left = [pair for pair in pairs if _covered(pair[0], known) < MOSTLY]
    if len(left) == len(pairs):
        return match
    size, whole = (sum(_size(mine) for mine, _theirs in some) for some in (left, pairs))
    if not left or (match.kind is CopyKind.TEXT and size < LEAST_SIGNS):
        return None
    here, there = (tuple(side) for side in zip(*left, strict=True))
    return replace(match, score=round(match.score * size / whole, 2), here=here, there=there)


def _edges(place: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return from and to in each direction a place has: one of time or text, two of a picture."""
    if "box" in place:
        left, top, right, bottom = place["box"]
        return [(left, right), (top, bottom)]
    return [(place["from_s"], place["to_s"])] if "from_s" in place else [(place["start"], place["end"])]


def _size(place: Mapping[str, Any]) -> float:
    size = 1.0
    for start, end in _edges(place):
        size *= max(end - start, 1e-6)
    return size


def _covered(place: Mapping[str, Any], known: Iterable[Mapping[str, Any]]) -> float:
    """Return the share of a place that lies within known ones; those don't overlap each other."""
    total = 0.0
    for other in known:
        common = 1.0
        for (start, end), (low, high) in zip(_edges(place), _edges(other), strict=True):
            common *= max(0.0, min(end, high) - max(start, low))
        total += common
    return total / _size(place)
