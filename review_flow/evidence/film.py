"""Is the teacher in a film? Moments spread over it, ever denser, until seen at enough of them. Rule 001-A-29.

Every keyframe is glanced at (`glance`), a hint confirmed on its own crop, and a face described and compared only
when it isn't on a track that was (`tracks`). Near a moment that shows the teacher, or perhaps, the search goes on at
once. Absence is never stated: what was not seen, or only perhaps, is for a human.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from review_flow.evidence import glance, presence, video
from review_flow.evidence.presence import LIKELY, MAX_SNAPSHOTS, MAYBE, SHEET_WIDTH, Moment, Presence, Search
from review_flow.evidence.timeline import notes, timeline
from review_flow.evidence.tracks import Sighting, Track, linked, patch_of, resembles
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from review_flow.evidence.faces import Box, Image
    from review_flow.evidence.likeness import Template
    from review_flow.evidence.video import Frame, Survey

WORK_WIDTH = 1920  # px across of the picture a face is cut from: an 8K frame in RGB would take 200 MB
SPREAD_S = 2.0  # keyframes this near to each other are glanced at first: nobody there for 3 s is passed over
FIRST_LEVEL = 16  # keyframes until sightings are joined to tracks for the first time, then whenever they doubled
BETWEEN_WIDTH = 560  # px: a second look for what the first passed over, at three quarters of the cost
THOROUGH = 64  # keyframes in which faces turned aside are looked for, too
PER_LEVEL = 2  # tracks compared at each such time; at the end every track is
SECOND_LOOK, LEAST_WORK_S = 2.0, 15.0  # of the CPU that decoding all keyframes takes; seconds that are always given
AGAIN = 4  # sightings compared of a track that may be the teacher's
NEIGHBOURS_S = 3.0
FINER_S = 0.5
SAME_MOMENT_S = 1e-3


def in_video(path: Path, found: Survey, teacher: Template, search: Search) -> Presence:
    """Look for the teacher; the outcome says how far it looked."""
    outcome = Presence()
    with video.Reader(path, found, outcome.tally) as reader:
        return _Looking(path, found, teacher, search, outcome, reader).run()


class _Looking:
    """One search: what was looked at, what was seen, what is due next."""

    def __init__(
        self,
        path: Path,
        found: Survey,
        teacher: Template,
        search: Search,
        outcome: Presence,
        reader: video.Reader,
    ) -> None:
        self.path, self.found, self.teacher, self.search = path, found, teacher, search
        self.outcome, self.reader = outcome, reader
        self.spacing = min(search.spaced_s, float(found.readable) / 4)
        self.began, self.decoding = time.process_time(), 0.0
        self.work_until = self.began + search.work_s
        self.wall_until = time.monotonic() + search.wall_s
        self.looked: dict[float, int] = {}
        self.visited: set[int] = set()
        self.urgent: list[int] = []
        self.sightings: list[Sighting] = []
        self.fine_left = search.fine_frames

    def run(self) -> Presence:
        """Go through the stages, from the cheap and likely to the dear, until seen or the budget is spent."""
        for _step in self._steps():
            if self._seen_enough():
                return self._done(complete=False)
            if self._spent():
                text = _("视频较长，自动检查在限定时间内只看了 {count} 个画面。")
                note = say(text, count=len(self.looked))
                self.outcome.findings.append(Finding("looked_at_part", Level.INFO, note))
                return self._done(complete=False)
        return self._done(complete=True)

    def _steps(self) -> Iterator[None]:
        """Do one piece of work after the other."""
        yield from self._keyframes()
        yield from self._near_what_was_seen()
        length = float(self.found.readable)
        every = max(min(self.search.every_s, length / 20), 0.1)
        if len(self.found.stamps) * every * 1.5 < length:
            yield from self._between(every, (0.0, length))
            yield from self._settle(None)

    def _keyframes(self) -> Iterator[None]:
        times = self.found.keyframes
        spread = _stride(times, SPREAD_S)
        level, settled = FIRST_LEVEL, False
        for index in video.bit_reversed(len(times)):
            if len(self.visited) >= FIRST_LEVEL:  # moments far apart say more than neighbours: they come first
                yield from self._urgent()
            if index in self.visited:
                continue
            if index % spread and not settled:  # nobody there for 3 s was passed over: who were they?
                settled = True
                yield from self._settle(None)
            if settled and self._second_look_is_spent():
                break
            filters = glance.FORWARD if len(self.visited) < THOROUGH else glance.STRAIGHT
            self._visit(index, filters, width=BETWEEN_WIDTH if settled else None)
            yield
            if len(self.visited) >= level and not settled:
                level *= 2
                yield from self._settle(PER_LEVEL)
        yield from self._settle(None)
        yield from self._urgent()

    def _urgent(self) -> Iterator[None]:
        while self.urgent:
            index = self.urgent.pop(0)
            if index not in self.visited:
                self._visit(index, glance.FORWARD, expected=True)
                yield

    def _near_what_was_seen(self) -> Iterator[None]:
        """Look between keyframes where the teacher was seen at one moment, or perhaps."""
        likely = sorted(
            (one for one in self.sightings if one.doubt is not None and one.doubt <= 1 - MAYBE),
            key=lambda one: one.doubt or 0.0,
        )
        for sighting in likely[:2]:
            span = (max(0.0, sighting.at_s - NEIGHBOURS_S), sighting.at_s + NEIGHBOURS_S)
            yield from self._between(FINER_S, span, expected=True)

    def _between(self, every_s: float, span: tuple[float, float], *, expected: bool = False) -> Iterator[None]:
        for frame in video.throughout(self.path, self.outcome.tally, every_s=every_s, span=span):
            if not any(abs(frame.at_s - looked) < SAME_MOMENT_S for looked in self.looked):
                self._look(frame, -1, glance.FORWARD, expected=expected)
                yield

    def _visit(self, index: int, filters: Sequence[int], *, expected: bool = False, width: int | None = None) -> None:
        self.visited.add(index)
        began = time.process_time()
        frame = self.reader.keyframe(index)
        self.decoding += time.process_time() - began
        if frame is not None:
            self._look(frame, index, filters, expected=expected, width=width)

    def _look(
        self, frame: Frame, index: int, filters: Sequence[int], *, expected: bool, width: int | None = None
    ) -> None:
        """Find the faces of a picture; compare those that are new, or expected to be the teacher's."""
        luma = frame.luma()
        reduced = width is not None and max(luma.shape) > self.search.width
        boxes = _confirmed(luma, width if width is not None and reduced else self.search.width, filters)
        self.looked[frame.at_s] = 0
        met = self._meet(frame, luma, index, boxes, expected=expected)
        if not met and self.fine_left > 0 and max(luma.shape) > self.search.width:
            finer = _confirmed(luma, self.search.fine_width, glance.FORWARD)
            more = [box for box in finer if not any(box.meets(other) for other in boxes)]
            self.fine_left += 1 if more else -1  # small faces are looked for as long as there are some
            self._meet(frame, luma, index, more, expected=expected)
        here = [one for one in self.sightings if one.at_s == frame.at_s]
        if any(one.doubt is not None for one in here) or len(self.outcome.snapshots) < MAX_SNAPSHOTS:
            self._snapshot(frame, here)

    def _meet(self, frame: Frame, luma: Image, index: int, boxes: Sequence[Box], *, expected: bool) -> bool:
        """Note faces and compare those due; say whether one is the teacher's."""
        here = [Sighting(index, frame.at_s, box, patch_of(luma, box)) for box in boxes]
        self.looked[frame.at_s] += len(here)
        self.outcome.faces_found += len(here)
        known = [one for one in self.sightings if one.doubt is not None]
        self.sightings += here
        if expected:
            return self._compare(frame, here)
        if self.outcome.encoded >= self.search.eager:
            return False
        strangers = [one for one in known if one.doubt is not None and one.doubt > 1 - MAYBE]
        return self._compare(frame, [one for one in here if not resembles(one, strangers)])

    def _compare(self, frame: Frame, due: Sequence[Sighting]) -> bool:
        """Describe and compare faces of a picture one by one, the likeliest first, until one is the teacher's."""
        large = [one for one in due if one.box.width >= self.search.least_face]
        if not large:
            return False
        teacher = [one for one in self.sightings if one.doubt is not None and one.doubt <= 1 - LIKELY]
        large.sort(
            key=lambda one: (-max((float(one.patch @ other.patch) for other in teacher), default=0.0), -one.box.width)
        )
        pixels = frame.rgb(WORK_WIDTH)
        scale = pixels.shape[1] / frame.width
        for sighting in large[: self.search.faces_per_frame]:
            moment = presence.compare(
                pixels, sighting.box, scale, self.teacher, self.outcome, self.looked[frame.at_s], frame.at_s
            )
            sighting.doubt = 1 - moment.probability
            self._note(moment)
            if moment.probability >= LIKELY:
                return True
        return False

    def _note(self, moment: Moment) -> None:
        if moment.probability < MAYBE:
            return
        if moment.probability >= LIKELY and not any(other.at_s == moment.at_s for other in self.outcome.seen):
            self.outcome.seen.append(moment)
        times = self.found.keyframes
        close = [i for i, at_s in enumerate(times) if abs(at_s - moment.at_s) <= NEIGHBOURS_S and i not in self.visited]
        self.urgent = [*close, *(index for index in self.urgent if index not in close)]

    def _settle(self, most: int | None) -> Iterator[None]:
        """Join what was seen to tracks and compare one face of each that has none; more where it may be the teacher."""
        done = 0
        for track in sorted(self._tracks(), key=lambda one: -max(face.box.width for face in one.sightings)):
            if most is not None and done >= most:
                return
            if not track.compared:
                best = max(track.sightings, key=lambda one: one.box.width)
                if best.box.width < self.search.least_face or best.index < 0:
                    continue
                done += 1
                self._again(best)
                yield
            if track.least_doubt <= 1 - MAYBE:
                for sighting in [one for one in track.sightings if one.doubt is None and one.index >= 0][:AGAIN]:
                    self._again(sighting)
                    yield

    def _again(self, sighting: Sighting) -> None:
        frame = self.reader.keyframe(sighting.index)
        if frame is not None:
            self._compare(frame, [sighting])
            self._snapshot(frame, [one for one in self.sightings if one.at_s == frame.at_s])

    def _tracks(self) -> list[Track]:
        times = sorted(self.looked)
        usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
        return linked(self.sightings, gap_s=max(NEIGHBOURS_S, 2.5 * usual))

    def _snapshot(self, frame: Frame, here: Sequence[Sighting]) -> None:
        pixels = frame.rgb(SHEET_WIDTH)
        presence.keep(self.outcome, frame.at_s, pixels, frame.width, [(one.box, one.doubt) for one in here])

    def _seen_enough(self) -> bool:
        apart = presence.surest_apart(self.outcome.seen, self.spacing, self.search.moments)
        return presence.judged(self.outcome, apart, self.search, moments_needed=self.search.moments)

    def _second_look_is_spent(self) -> bool:
        """Say whether all took twice what decoding every keyframe takes: the film was looked at every 2 s by then."""
        whole = self.decoding / max(1, len(self.visited)) * len(self.found.stamps)
        return time.process_time() - self.began > max(LEAST_WORK_S, SECOND_LOOK * whole)

    def _spent(self) -> bool:
        over = time.process_time() > self.work_until or time.monotonic() > self.wall_until
        return over or self.outcome.encoded >= self.search.encodings

    def _done(self, *, complete: bool) -> Presence:
        outcome, sure, tracks = self.outcome, 1 - self.search.confidence, self._tracks()
        outcome.seen.sort(key=lambda moment: moment.at_s)
        outcome.present = self._seen_enough()
        length = float(self.found.readable)
        outcome.timeline = timeline(self.looked, tracks, sure=sure, seconds=length, complete=complete)
        if not outcome.present:
            outcome.findings.append(presence.not_seen(outcome, self.search))
        outcome.findings += notes(tracks, sure=sure, size=(self.found.width, self.found.height))
        return outcome


def _stride(times: Sequence[float], spread_s: float) -> int:
    """Return the largest power of two so that every such keyframe lies at most `spread_s` from the next.

    A damaged film may have them all at one time: then each is looked at.
    """
    usual = float(np.median(np.diff(times))) if len(times) > 1 else spread_s
    stride = 1
    while usual > 0 and stride * 2 * usual <= spread_s * 1.05:
        stride *= 2
    return stride


def _confirmed(luma: Image, longest: int, filters: Sequence[int]) -> list[Box]:
    """Return the faces a glance hints at and the detector confirms, in px of the picture given."""
    import cv2

    height, width = luma.shape
    factor = min(1.0, longest / max(width, height))
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    small = luma if factor == 1.0 else cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    hints = glance.find(np.asarray(small, dtype=np.uint8), filters=filters)
    found: list[Box] = []
    for hint in hints:
        box = glance.confirm(luma, hint.scaled(1 / factor))
        if box is not None and not any(box.meets(other) for other in found):
            found.append(box)
    return found
