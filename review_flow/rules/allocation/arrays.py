"""Small tools for arrays of ids and arcs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_DENSE = 16  # so many numbers to an id at most are looked up in a table
NONE: Array = np.empty(0, dtype=np.int64)


def among(values: Array, those: Array) -> Array:
    """Return which values are among those, which are sorted."""
    if not len(those):
        return np.zeros(len(values), dtype=bool)
    place = np.minimum(np.searchsorted(those, values), len(those) - 1)
    found: Array = those[place] == values
    return found


def distinct(values: Array) -> Array:
    """Return the values sorted, each once (numpy's own way of it takes ten times as long for whole numbers)."""
    ordered = np.sort(values)
    found: Array = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return found


def place_of(values: Array, ids: Array) -> Array:
    """Return where each value stands in `ids`, in whatever order these are; -1: nowhere."""
    if not len(ids):
        return np.full(len(values), -1, dtype=np.int64)
    lowest, highest = int(ids.min()), int(ids.max())
    if highest - lowest < _DENSE * len(ids):  # as ids of a database are: looked up at once
        places = np.full(highest - lowest + 2, -1, dtype=np.int64)
        places[ids - lowest] = np.arange(len(ids))
        inside = (values >= lowest) & (values <= highest)
        found: Array = places[np.where(inside, values - lowest, -1)]
        return found
    order = np.argsort(ids)
    place = np.minimum(np.searchsorted(ids, values, sorter=order), len(ids) - 1)
    return np.where(ids[order[place]] == values, order[place], -1)


def spread(starts: Array, counts: Array) -> tuple[Array, Array]:
    """Return, as (which stretch, place), all places of the stretches that begin at `starts`."""
    which = np.repeat(np.arange(len(starts)), counts)
    return which, np.arange(len(which)) + np.repeat(starts - np.cumsum(counts) + counts, counts)


def join(keys: Array, table: Array, values: Array) -> tuple[Array, Array]:
    """Return, as (index of the key, value), every value that `table`, which is sorted, has for a key."""
    starts = np.searchsorted(table, keys, side="left")
    which, place = spread(starts, np.searchsorted(table, keys, side="right") - starts)
    return which, values[place]


def summed(arcs: Array, costs: Array) -> tuple[Array, Array]:
    """Return the arcs sorted, each once, with its costs added up."""
    unique, which = np.unique(arcs, return_inverse=True)
    total = np.zeros(len(unique), dtype=costs.dtype)
    np.add.at(total, which, costs)
    return unique, total


def mixed(bits: Array) -> Array:
    """Return 64 bits that hang on all 64 bits given (the finish of splitmix64)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    ends: Array = bits ^ (bits >> np.uint64(31))
    return ends


def drawn(ids: Array, salt: int) -> Array:
    """Return 64 bits of chance for each id, that only the salt and the id decide."""
    return mixed(mixed(ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ np.uint64(salt))


def best_of_each(groups: Array, worth: Array, count: int) -> Array:
    """Return the places of the `count` least of `worth` in each group."""
    order = np.argsort(worth, kind="stable")
    order = order[np.argsort(groups[order], kind="stable")]
    _groups, first, size = np.unique(groups[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, size)
    return order[rank < count]
