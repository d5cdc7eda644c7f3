"""Presence over time: how much of the sampled film shows the teacher, and what of it a human should know.

Nothing here changes a verdict: a share has no threshold, and notes are INFO.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from review_flow.evidence.tracks import Sighting, Track

SAMPLE_S = 1.0  # a sampled moment speaks for half a second to either side
STILL = 0.985  # correlation of a face with itself later: living faces stay below, photographs above
STILL_AFTER_S = 2.0
FRAMED = 0.02  # of the film's width: how much a picture in a picture may move
SMALL = 0.25  # of the film's width: a face larger than that is no picture in a picture
CORNER = 0.2  # of width and height, from the middle of the film
MIN_FRAMED = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """One looked-at moment: whether the teacher was in it (by tracks), and how many other faces."""

    at_s: float
    teacher: bool
    others: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """All looked-at moments in order of time; `complete` when the search covered the whole film."""

    samples: tuple[Sample, ...]
    seconds: float
    complete: bool

    def as_json(self) -> dict[str, Any]:
        """Return the published form; times in seconds, `share` of the sampled moments as exact as they are many."""
        here = [sample.at_s for sample in self.samples if sample.teacher]
        return {
            "moments": len(self.samples),
            "looked_s": round(self.looked_s, 1),
            "complete": self.complete,
            "with_teacher": len(here),
            "share": round(len(here) / len(self.samples), 3) if self.samples else None,
            "longest_absence_s": round(self._longest_absence(here), 1) if self.complete else None,
            "most_others": max((sample.others for sample in self.samples), default=0),
            "spans": [[round(start, 1), round(end, 1), who] for start, end, who in self.spans()],
        }

    @property
    def looked_s(self) -> float:
        """Seconds of film that lie within half a second of a looked-at moment."""
        times = [sample.at_s for sample in self.samples]
        between = sum(min(SAMPLE_S, after - before) for before, after in pairwise(times))
        return min(self.seconds, between + (SAMPLE_S if times else 0.0))

    def _longest_absence(self, here: Sequence[float]) -> float:
        edges = [0.0, *here, self.seconds]
        return max(0.0, *(after - before for before, after in pairwise(edges)))

    def spans(self) -> list[tuple[float, float, str]]:
        """Return (start, end, "teacher" | "others" | "none") where neighbouring samples agree."""
        spans: list[tuple[float, float, str]] = []
        edges = [0.0, *((one.at_s + two.at_s) / 2 for one, two in pairwise(self.samples)), self.seconds]
        for sample, (start, end) in zip(self.samples, pairwise(edges), strict=False):
            who = "teacher" if sample.teacher else "others" if sample.others else "none"
            if spans and spans[-1][2] == who:
                spans[-1] = (spans[-1][0], end, who)
            else:
                spans.append((start, end, who))
        return spans


def timeline(
    looked: Mapping[float, int], tracks: Sequence[Track], *, sure: float, seconds: float, complete: bool
) -> Timeline:
    """Build it from the looked-at moments (time → faces found) and all tracks; `sure` is the doubt at which a track is the teacher's."""
    here = {sighting.at_s for track in tracks if track.least_doubt <= sure for sighting in track.sightings}
    samples = tuple(
        Sample(at_s, at_s in here, faces - (1 if at_s in here else 0)) for at_s, faces in sorted(looked.items())
    )
    return Timeline(samples, seconds, complete)


def notes(tracks: Sequence[Track], *, sure: float, size: tuple[int, int]) -> list[Finding]:
    """Say what a human should look at in the appearances themselves: a still face, a picture in a picture."""
    seen = [sighting for track in tracks if track.least_doubt <= sure for sighting in track.sightings]
    found = []
    if _is_still(seen):
        text = _("认出教师的几处画面里，脸部没有任何表情变化，可能是照片，请留意。")
        found.append(Finding("still_face", Level.INFO, say(text)))
    if _is_framed(seen, size):
        text = _("教师只出现在画面中固定的一小块区域（如录屏时的画中画），请留意。")
        found.append(Finding("picture_in_picture", Level.INFO, say(text)))
    return found


def _is_still(seen: Sequence[Sighting]) -> bool:
    """Compare each face with the first that is seconds away: in a photograph, held up or pasted, nothing lives."""
    pairs = [
        float(one.patch @ other.patch) for one, other in pairwise(seen) if abs(other.at_s - one.at_s) >= STILL_AFTER_S
    ]
    return bool(pairs) and float(np.min(pairs)) >= STILL


def _is_framed(seen: Sequence[Sighting], size: tuple[int, int]) -> bool:
    """Say whether the face stays small and in one corner: a webcam's picture laid over a screen recording."""
    if len(seen) < MIN_FRAMED:
        return False
    middles = np.array([[(one.box.left + one.box.right) / 2, (one.box.top + one.box.bottom) / 2] for one in seen])
    widest = max(one.box.width for one in seen)
    spread = float(np.ptp(middles, axis=0).max())
    from_middle = np.abs(middles.mean(axis=0) / np.array(size) - 0.5)
    return spread <= FRAMED * size[0] and widest <= SMALL * size[0] and bool(from_middle.min() >= CORNER)
