"""Documents: the same passages, whatever their order, spacing, punctuation or width of signs."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from review_flow.evidence.copies.prints import Match, Print, keys_of, packed, unpacked
from review_flow.rules.words import CopyKind

if TYPE_CHECKING:
    from collections.abc import Iterator


SHINGLE = 6  # signs: two Chinese words or so; shorter ones are shared by chance
MOST_SIGNS = 200_000
LEAST_SIGNS = 60  # of letters and Chinese characters; a shorter text is no work of its own
PASSAGE = 16  # signs in a row that must be the same; the wording of a curriculum standard is often shorter
LEAST_SHARE = 0.25  # of the smaller text, or
LEAST_SHARED = 300  # signs, however long both are
QUOTED = 40
SHOWN = 30  # passages, the longest, in the order they stand here


def normal(text: str) -> tuple[str, NDArray[np.uint32]]:
    """Return the letters, digits and Chinese characters in one width and case, and for each where it stood."""
    signs, stood = [], []
    for at, sign in enumerate(text[: MOST_SIGNS * 2]):
        for plain in unicodedata.normalize("NFKC", sign).casefold():
            if plain.isalnum():
                signs.append(plain)
                stood.append(at)
    return "".join(signs[:MOST_SIGNS]), np.asarray(stood[:MOST_SIGNS], np.uint32)


def shingles(signs: str) -> NDArray[np.uint64]:
    """Return the set of all runs of SHINGLE signs, each as 64 bits."""
    codes = np.frombuffer(signs.encode("utf-32-le"), np.uint32).astype(np.uint64)
    runs = np.zeros(max(0, len(codes) - SHINGLE + 1), np.uint64)
    with np.errstate(over="ignore"):
        for place in range(SHINGLE):
            runs = runs * np.uint64(0x9E3779B97F4A7C15) + codes[place : place + len(runs)]
    return np.unique(runs)


def fingerprint(text: str, *, paged: bool) -> list[Print]:
    """Return a text's print; none for a few words. Pages end with a form feed, paragraphs with a line break."""
    signs, stood = normal(text)
    if len(signs) < LEAST_SIGNS:
        return []
    ends = [at for at, sign in enumerate(text) if sign == ("\f" if paged else "\n")]
    part = np.searchsorted(np.asarray(ends, np.uint32), stood).astype(np.uint32) + 1
    encoded = np.frombuffer(signs.encode("utf-8"), np.uint8)
    data = packed(signs=encoded, part=part, paged=np.array([paged]))
    return [Print(CopyKind.TEXT, keys_of(CopyKind.TEXT, shingles(signs)), data)]


@dataclass(frozen=True, slots=True)
class _Text:
    signs: str
    part: NDArray[np.uint32]
    unit: str

    @classmethod
    def of(cls, data: bytes) -> _Text:
        found = unpacked(data)
        return cls(
            found["signs"].tobytes().decode("utf-8"), found["part"], "page" if found["paged"][0] else "paragraph"
        )

    def place(self, start: int, end: int) -> dict[str, Any]:
        quote = self.signs[start:end]
        shown = quote if len(quote) <= QUOTED else quote[: QUOTED - 1] + "…"
        return {self.unit: int(self.part[start]), "start": start, "end": end, "quote": shown}


def passages(here: str, there: str) -> Iterator[tuple[int, int, int]]:
    """Yield (start here, start there, length) of runs that both have, one after the other in `here`, each as long as can be."""
    known: dict[str, list[int]] = defaultdict(list)
    for at in range(len(there) - PASSAGE + 1):
        places = known[there[at : at + PASSAGE]]
        if len(places) < SHOWN:  # a line repeated a hundred times needs no hundred starts
            places.append(at)
    at = 0
    while at <= len(here) - PASSAGE:
        starts = known.get(here[at : at + PASSAGE], ())
        length, start = max(((_run(here, there, at, start), start) for start in starts), default=(0, 0))
        if length:
            yield at, start, length
        at += max(1, length)


def _run(here: str, there: str, at: int, start: int) -> int:
    length = PASSAGE
    while at + length < len(here) and start + length < len(there) and here[at + length] == there[start + length]:
        length += 1
    return length


def compare(one: bytes, other: bytes) -> Match | None:
    """Return the passages two texts share, or None where they share too little to speak of."""
    here, there = _Text.of(one), _Text.of(other)
    found = list(passages(here.signs, there.signs))
    shared = sum(length for _at, _start, length in found)
    share = min(1.0, shared / min(len(here.signs), len(there.signs)))
    if shared < LEAST_SHARED and (share < LEAST_SHARE or shared < LEAST_SIGNS):
        return None
    longest = sorted(sorted(found, key=lambda run: -run[2])[:SHOWN])
    mine = tuple(here.place(at, at + length) for at, _start, length in longest)
    theirs = tuple(there.place(start, start + length) for _at, start, length in longest)
    return Match(CopyKind.TEXT, round(share, 2), mine, theirs)
