"""What every kind of fingerprint shares: the print itself, the hit of two of them, and the keys it's found by.

A file is made a set of features. MinHash (rensa) keeps 128 minimums of that set: two files agree in as many of
them as their sets overlap, whatever the order. Each minimum is a key of the index: files that share keys are
compared closely, all others never.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import rensa

from review_flow.rules.words import CopyKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEYS = 128
SEED = 20260301
FORMAT = 1
"""Kept with every print: prints of another format are never compared. Raise it when keys or data change."""
MOST_BYTES = 8_000_000
SALTS = {kind: number for number, kind in enumerate(CopyKind, start=1)}


@dataclass(frozen=True, slots=True)
class Print:
    """A fingerprint of one kind: the `keys` (63 bits) it's found by, and the `data` two are compared by."""

    kind: CopyKind
    keys: tuple[int, ...]
    data: bytes

    def as_json(self) -> dict[str, Any]:
        """Return the form that passes the sandbox's pipe; `data` apart, as text."""
        from base64 import b64encode

        return {"kind": self.kind.value, "keys": list(self.keys), "data": b64encode(self.data).decode("ascii")}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Print:
        """Read what `as_json` wrote."""
        from base64 import b64decode

        return cls(CopyKind(told["kind"]), tuple(told["keys"]), b64decode(told["data"]))


@dataclass(frozen=True, slots=True)
class Match:
    """Where two files agree: `here` and `there` are places of equal number, side by side.

    `score` is the share (0 to 1) of the smaller of the two files that is found in the other. A place is
    {"from_s", "to_s"} of a film or sound, {"box"} in px of a photo, {"page" or "paragraph", "start", "end", "quote"} of a text.
    """

    kind: CopyKind
    score: float
    here: tuple[Mapping[str, Any], ...]
    there: tuple[Mapping[str, Any], ...]

    def turned(self) -> Match:
        """Return the same as the other file sees it."""
        return Match(self.kind, self.score, self.there, self.here)

    def as_json(self, *, of: str) -> dict[str, Any]:
        """Return the published form; `of` names the other file."""
        places = {"here": [dict(one) for one in self.here], "there": [dict(one) for one in self.there]}
        return {"kind": self.kind.value, "of": of, "score": self.score, **places}


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit values evenly (the finaliser of splitmix64), so that neighbours hash apart."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def keys_of(kind: CopyKind, features: NDArray[np.uint64]) -> tuple[int, ...]:
    """Return the MinHash keys of a set of 64-bit features, none for an empty set; the order doesn't matter."""
    if not len(features):
        return ()
    hashed = mixed(np.unique(features)).tolist()
    minimums = rensa.RMinHash.digest_matrix_from_token_hash_sets([hashed], KEYS, SEED).to_rows()[0]
    place = np.arange(KEYS, dtype=np.uint64) << np.uint64(40) | np.uint64(SALTS[kind]) << np.uint64(56)
    return tuple((mixed(np.asarray(minimums, np.uint64) | place) >> np.uint64(1)).tolist())


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Estimate how much two sets overlap (Jaccard, 0 to 1; standard error at most 0.044) from their keys alone."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / KEYS if one and other else 0.0


def packed(**arrays: NDArray[Any]) -> bytes:
    """Return arrays as compressed bytes."""
    into = io.BytesIO()
    np.savez_compressed(into, allow_pickle=False, **arrays)
    return into.getvalue()


def unpacked(data: bytes) -> dict[str, NDArray[Any]]:
    """Return what `packed` took; nothing in it is ever run, and ValueError for more than MOST_BYTES unpacked."""
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        if sum(entry.file_size for entry in found.zip.infolist()) > MOST_BYTES:
            raise ValueError("a fingerprint of more bytes than any file makes")
        return {name: found[name] for name in found.files}
