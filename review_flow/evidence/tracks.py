"""One person over neighbouring pictures: faces joined by where they are and what they roughly look like.

Describing a face for comparison takes 150 ms, this joining next to nothing: so one person on one track is
described once or a few times. A track never decides who somebody is.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_flow.evidence.faces import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from review_flow.evidence.faces import Image

PATCH = 24  # px: enough to tell a face from its neighbour's, too little to know anybody by
MAX_SHIFT = 0.9  # of a face's width, between two pictures
MAX_GROWTH = 1.5
MIN_LIKENESS = 0.55  # correlation of two patches: one person a second later 0.6–0.95
SAME_LIKENESS = 0.8  # at any distance in time: the same place and the same look


@dataclass(slots=True, eq=False)
class Sighting:
    """A face in one picture; `doubt`, once it was compared, is the probability that it isn't the teacher's."""

    index: int
    at_s: float
    box: Box
    patch: NDArray[np.float32]
    doubt: float | None = None


@dataclass(slots=True, eq=False)
class Track:
    """Sightings of one person, in order of time."""

    sightings: list[Sighting] = field(default_factory=list)

    @property
    def compared(self) -> list[Sighting]:
        """Those that were compared with the references."""
        return [one for one in self.sightings if one.doubt is not None]

    @property
    def least_doubt(self) -> float:
        """The smallest doubt; 1 when none was compared."""
        return min((one.doubt for one in self.sightings if one.doubt is not None), default=1.0)


def patch_of(grey: Image, box: Box) -> NDArray[np.float32]:
    """Return a face's rough look: 24×24 px, freed of light and contrast, its dot product a correlation."""
    import cv2

    cut = np.ascontiguousarray(grey[max(0, box.top) : box.bottom, max(0, box.left) : box.right])
    small = cv2.resize(cut, (PATCH, PATCH), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), dtype=np.float32)


def likeness(one: Sighting, other: Sighting) -> float:
    """Return the correlation of two faces' looks, -1 where place or size rule out that they are one person's."""
    wide = max(one.box.width, other.box.width)
    if wide > MAX_GROWTH * max(1, min(one.box.width, other.box.width)):
        return -1.0
    across = abs(one.box.left + one.box.right - other.box.left - other.box.right) / 2
    down = abs(one.box.top + one.box.bottom - other.box.top - other.box.bottom) / 2
    if max(across, down) > MAX_SHIFT * wide:
        return -1.0
    return float(one.patch @ other.patch)


def resembles(face: Sighting, known: Iterable[Sighting]) -> bool:
    """Say whether this very look was at this very place before, at whatever time."""
    return any(likeness(face, other) >= SAME_LIKENESS for other in known)


class Linker:
    """Joins sightings to tracks as they come; a track that broke off for longer than `gap_s` seconds is over.

    `alike` says how well a face goes on a track's last one: from MIN_LIKENESS it may be the same person's.
    """

    def __init__(self, gap_s: float, alike: Callable[[Sighting, Sighting], float] = likeness) -> None:
        self.gap_s, self.alike, self.tracks = gap_s, alike, list[Track]()
        self._open: list[Track] = []

    def add(self, at_s: float, sightings: Iterable[Sighting]) -> list[Track]:
        """Join the faces of one moment, later than those before; return the track of each."""
        self._open = [track for track in self._open if at_s - track.sightings[-1].at_s <= self.gap_s]
        taken: list[Track] = []
        for face in sightings:
            near = [(self.alike(face, one.sightings[-1]), one) for one in self._open if one not in taken]
            best, track = max(near, key=lambda pair: pair[0], default=(-1.0, None))
            if track is None or best < MIN_LIKENESS:
                track = Track()
                self.tracks.append(track)
                self._open.append(track)
            track.sightings.append(face)
            taken.append(track)
        return taken


def linked(sightings: Sequence[Sighting], *, gap_s: float) -> list[Track]:
    """Join sightings into tracks; one that broke off for longer than `gap_s` seconds is over."""
    linker = Linker(gap_s)
    for at_s, those in itertools.groupby(sorted(sightings, key=lambda one: one.at_s), key=lambda one: one.at_s):
        linker.add(at_s, those)
    return linker.tracks
