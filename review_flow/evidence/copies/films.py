"""Films: the same recording, re-encoded, resized, cropped, with a logo, a little faster or slower, its ends cut off.

What stands still in a film is not compared: two lessons in the school's recording studio have the same wall. Each
of up to 96 frames is reduced to 32×18 grey squares, the film's own mean is taken off, and what is left (who stands
where, what is on the screen) must follow the same course in both films, on one straight line through their times.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from review_flow.evidence import video
from review_flow.evidence.copies import pictures
from review_flow.evidence.copies.prints import Match, Print, keys_of, packed, unpacked
from review_flow.rules.words import CopyKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    Floats = NDArray[np.float32]

FRAMES = 96
LEAST_FRAMES = 4
CLOSEST_S = 0.5  # between two frames; a short clip gives fewer
DECODED_THROUGH = 9000  # pictures a film with few keyframes may have to be decoded from start to end
HIGH, WIDE = 18, 32
BORDER = 24  # of 255: rows and columns never lighter than that are black bars
LOOKED_INTO, LOOKED_AT = 32, 256  # frames, and their px across, whose details give the keys: 25 ms each
LOOKED_OVER = 96  # px across, before it is reduced to squares
DETAILS = 60  # of such a frame
STILL = 2.0  # grey levels: a frame that differs less from the film's mean shows nothing of its own
ROUGHLY = (0.95, 1.0, 1.05)
SPEEDS = tuple(1 + percent / 100 for percent in range(-6, 7))
CROPS = (0.95, 0.9)
ALIKE = 0.40  # mean correlation along the line
CLEAR = 5.0  # times the spread of all other lines
LEAST_S = 3.0
LEAST_SHARE = 0.3  # of the shorter film


def fingerprint(path: Path, found: video.Survey) -> list[Print]:
    """Return a film's print; none for one of fewer than four different frames."""
    looked = [_Look.at(frame) for frame in itertools.islice(_sampled(path, found), FRAMES)]
    looked = [look for look in looked if look.small.shape == looked[0].small.shape]
    if len(looked) < LEAST_FRAMES:
        return []
    looked.sort(key=lambda look: look.at_s)
    squares = _squares([look.small for look in looked])
    some = looked[:: max(1, len(looked) // LOOKED_INTO)]
    codes = [pictures.details(look.large, most=DETAILS)[1] for look in some]
    times = np.array([look.at_s for look in looked], np.float32)
    keys = keys_of(CopyKind.VIDEO, pictures.features(np.concatenate(codes)))
    return [Print(CopyKind.VIDEO, keys, packed(times=times, squares=squares))] if keys else []


class _Look(NamedTuple):
    """What is kept of a frame: the frame itself, 96 times 8 MB in 4K, would be too much."""

    at_s: float
    small: NDArray[np.uint8]
    large: NDArray[np.uint8]

    @classmethod
    def at(cls, frame: video.Frame) -> _Look:
        luma = frame.luma()
        return cls(frame.at_s, _reduced(luma, LOOKED_OVER), _reduced(luma, LOOKED_AT))


def _reduced(luma: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Return a picture at most `width` px across."""
    import cv2

    factor = min(1.0, width / luma.shape[1])
    size = (max(2, round(luma.shape[1] * factor)), max(2, round(luma.shape[0] * factor)))
    return np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _sampled(path: Path, found: video.Survey) -> Iterator[video.Frame]:
    """Yield frames evenly over the film: keyframes where there are enough, else every frame is decoded once."""
    length = max(float(found.readable), CLOSEST_S)
    every = max(CLOSEST_S, length / FRAMES)
    times = np.asarray(found.keyframes)
    wanted = np.arange(every / 2, length, every)
    if len(times):
        nearest = np.abs(times[None, :] - wanted[:, None]).argmin(axis=1)
        chosen = sorted(set(nearest.tolist()))
        if len(chosen) * 3 >= len(wanted) or found.pictures > DECODED_THROUGH:
            with video.Reader(path, found, video.Tally()) as reader:
                yield from filter(None, map(reader.keyframe, chosen))
            return
    yield from video.throughout(path, video.Tally(), every_s=every)


def _squares(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the frames without black bars as (n, HIGH, WIDE)."""
    import cv2

    lightest = np.max(frames, axis=0)
    rows, columns = (np.flatnonzero(lightest.max(axis=axis) > BORDER) for axis in (1, 0))
    if len(rows) < HIGH or len(columns) < WIDE:
        rows, columns = (np.arange(size) for size in lightest.shape)
    inside = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.array([cv2.resize(one[inside], (WIDE, HIGH), interpolation=cv2.INTER_AREA) for one in frames], np.uint8)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines `there = speed * here + offset` of one speed: how alike the frames on each are, and how many."""

    speed: float
    offsets: Floats
    alike: Floats
    count: NDArray[np.intp]

    @property
    def weights(self) -> Floats:
        """Return the strength of each line: many frames alike by chance are rarer than few."""
        return np.asarray(np.where(self.count >= LEAST_FRAMES, self.alike * np.sqrt(self.count), 0), np.float32)


@dataclass(frozen=True, slots=True)
class _Film:
    times: Floats
    squares: Floats

    @classmethod
    def of(cls, data: bytes) -> _Film:
        found = unpacked(data)
        return cls(found["times"].astype(np.float32), found["squares"].astype(np.float32))

    @property
    def step(self) -> float:
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else CLOSEST_S

    @property
    def length(self) -> float:
        return float(self.times[-1] - self.times[0]) + self.step


def compare(one: bytes, other: bytes) -> Match | None:
    """Return the stretch of time in which two films follow the same course, or None."""
    here, there = _Film.of(one), _Film.of(other)
    courses = (mine @ theirs.T for mine, theirs in _framings(here.squares, there.squares))
    course = max(courses, key=lambda course: max(_best(_lines(course, here, there, speed)) for speed in ROUGHLY))
    lines = [_lines(course, here, there, speed, finer=2) for speed in SPEEDS]
    best = max(lines, key=_best)
    row = int(best.weights.argmax())
    others = np.concatenate([one.weights[one.count >= LEAST_FRAMES] for one in lines])
    if not len(others) or best.alike[row] < ALIKE:
        return None
    spread = float(np.median(np.abs(others - np.median(others)))) * 1.5 + 1e-6
    offset = float(best.offsets[row])
    met = here.times[_met(course, here, there, best.speed, best.offsets[row : row + 1])[1][0]]
    start, end = float(met[0]), float(met[-1])
    lasts = end - start + here.step
    share = min(1.0, lasts / min(here.length, there.length / best.speed))
    clear = (float(best.weights[row]) - float(np.median(others))) / spread
    if clear < CLEAR or lasts < LEAST_S or share < LEAST_SHARE:
        return None
    theirs = _stretch(*(max(0.0, best.speed * at + offset) for at in (start, end)))
    return Match(CopyKind.VIDEO, round(share, 2), (_stretch(start, end),), (theirs,))


def _best(lines: _Lines) -> float:
    return float(lines.weights.max(initial=0))


def _stretch(start: float, end: float) -> dict[str, float]:
    return {"from_s": round(start, 1), "to_s": round(end, 1)}


def _framings(here: Floats, there: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Yield the moving part of both films as unit vectors, whole and for crops of either."""
    yield _moving(here), _moving(there)
    places = list(itertools.product(CROPS, (0.0, 0.5, 1.0), (0.0, 0.5, 1.0)))
    whole = _moving(here), _moving(there)
    for place in places:
        yield _moving(_cropped(here, *place)), whole[1]
        yield whole[0], _moving(_cropped(there, *place))


def _cropped(frames: Floats, size: float, down: float, right: float) -> Floats:
    return np.asarray(_taps(HIGH, size, down) @ frames @ _taps(WIDE, size, right).T, np.float32)


def _taps(count: int, size: float, place: float) -> Floats:
    """Return the matrix that stretches a part of `count` squares over all of them, linearly."""
    at = np.clip((np.arange(count) + 0.5) * size + place * (1 - size) * count - 0.5, 0, count - 1)
    low = np.minimum(at.astype(int), count - 2)
    taps = np.zeros((count, count), np.float32)
    taps[np.arange(count), low] = 1 - (at - low)
    taps[np.arange(count), low + 1] = at - low
    return taps


def _moving(frames: Floats) -> Floats:
    """Return (n, squares): what each frame has beside the film's mean, of length 1, or 0 where it's nothing."""
    flat = (frames - frames.mean(axis=0)).reshape(len(frames), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(np.where(length > STILL * flat.shape[1] ** 0.5, flat / np.maximum(length, 1e-6), 0), np.float32)


def _lines(course: Floats, here: _Film, there: _Film, speed: float, *, finer: int = 1) -> _Lines:
    """Return every line of a speed through the times of both films."""
    step = max(here.step, there.step)
    offsets = np.arange(-here.times[-1] * speed, there.times[-1] + step, step / 2 / finer, dtype=np.float32)
    nearest, told = _met(course, here, there, speed, offsets)
    count = told.sum(axis=1)
    alike = (course[np.arange(len(here.times))[None, :], nearest] * told).sum(axis=1) / np.maximum(count, 1)
    return _Lines(speed, offsets, np.asarray(alike, np.float32), count)


def _met(
    course: Floats, here: _Film, there: _Film, speed: float, offsets: Floats
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return, for each line and each frame here, the nearest frame there, and whether it's near and shows anything."""
    due = speed * here.times[None, :] + offsets[:, None]
    after = np.searchsorted(there.times, due).clip(1, len(there.times) - 1)
    nearest = np.where(due - there.times[after - 1] < there.times[after] - due, after - 1, after)
    near = np.abs(there.times[nearest] - due) <= 0.75 * max(here.step, there.step)
    return nearest, near & np.any(course, axis=1)[None, :]
