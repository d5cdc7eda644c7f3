"""Is the teacher in it? Photos: every face. Video: moments spread over the clip, until seen at enough of them.

Rule 001-A-29. Absence is never stated: what was not seen, or only perhaps, is for a human.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from review_flow.evidence import faces, video
from review_flow.evidence.faces import Box, Encoding, Image, Thresholds
from review_flow.evidence.pictures import read_picture
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from review_flow.evidence.video import Frame, Survey

WORK_WIDTH = 1920  # px across of the picture a face is cut from: an 8K frame in RGB would take 200 MB
SHEET_WIDTH = 480
MAX_SNAPSHOTS = 12


@dataclass(frozen=True, slots=True)
class Search:
    """How hard to look; sizes in px, times in seconds. The defaults are measured (docs/evidence.md)."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    moments: int = 2
    spaced_s: float = 2.0
    width: int = 640
    fine_width: int = 1280
    photo_width: int = 1600
    frames: int = 240
    fine_frames: int = 80
    encodings: int = 160
    faces_per_frame: int = 6
    every_s: float = 1.0
    wall_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at one face: when, where (px of the upright original) and how near to the references."""

    at_s: float
    distance: float
    box: Box


@dataclass(slots=True)
class Snapshot:
    """A small RGB picture kept for the contact sheet, with the faces in its own pixels."""

    at_s: float
    pixels: Image
    faces: list[tuple[Box, float | None]]

    @property
    def nearest(self) -> float:
        """The smallest distance in the picture; infinite without a compared face."""
        return min((near for _box, near in self.faces if near is not None), default=float("inf"))


@dataclass(slots=True)
class Presence:
    """What the search found: `present` True or False (not seen, which is for a human), and what it cost."""

    present: bool = False
    seen: list[Moment] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    tally: video.Tally = field(default_factory=video.Tally)
    encoded: int = 0
    faces_found: int = 0
    nearest: float = float("inf")
    known: dict[float, list[tuple[Box, float | None]]] = field(default_factory=dict)


def in_photo(path: Path, references: Sequence[Encoding], search: Search) -> Presence:
    """Compare every face of a photo, a single moment and so judged more strictly than a video's."""
    picture = read_picture(path, longest=search.photo_width)
    outcome = Presence(tally=video.Tally(decoded=1))
    grey = _grey(picture.pixels)
    boxes = faces.detect(grey) or faces.detect(grey, upsample=1)
    original = [box.scaled(1 / picture.scale) for box in boxes]
    compared = _compare(picture.pixels, original, picture.scale, references, search, outcome)
    for box, near in compared:
        if near is not None and near <= search.thresholds.photo:
            outcome.seen.append(Moment(0.0, near, box))
    outcome.present = bool(outcome.seen)
    _keep(outcome, 0.0, picture.pixels, picture.facts.width, compared)
    outcome.findings = [] if outcome.present else [_not_seen(outcome, search)]
    return outcome


def in_video(path: Path, found: Survey, references: Sequence[Encoding], search: Search) -> Presence:
    """Look at keyframes, evenly; then again larger; then between keyframes where they are far apart."""
    outcome = Presence()
    until = time.monotonic() + search.wall_s
    spaced = min(search.spaced_s, float(found.readable) / 4)
    for width, limit, pictures in _passes(path, found, search, outcome):
        for number, frame in enumerate(pictures):
            if number >= limit or time.monotonic() > until or outcome.encoded >= search.encodings:
                break
            _look(frame, width, references, search, outcome)
            if len(_spaced(outcome.seen, spaced)) >= search.moments:
                outcome.present = True
                outcome.seen.sort(key=lambda moment: moment.at_s)
                return outcome
        if time.monotonic() > until:
            text = _("视频较长，自动检查在限定时间内只看了 {count} 个画面。")
            note = say(text, count=len(outcome.known))
            outcome.findings.append(Finding("looked_at_part", Level.INFO, note))
            break
    outcome.seen.sort(key=lambda moment: moment.at_s)
    outcome.findings.append(_not_seen(outcome, search))
    return outcome


def _passes(path: Path, found: Survey, search: Search, outcome: Presence) -> Iterator[tuple[int, int, Iterator[Frame]]]:
    """Yield (detection width, most frames, frames), from the cheap and likely to the dear."""
    length = float(found.readable)
    yield search.width, search.frames, video.keyframes(path, found, outcome.tally)
    if max(found.width, found.height) > search.width:
        yield search.fine_width, search.fine_frames, video.keyframes(path, found, outcome.tally)
    every = max(min(search.every_s, length / 20), length / search.frames, 0.1)
    if len(found.stamps) * every * 1.5 < length:
        yield search.width, search.frames, video.throughout(path, outcome.tally, every_s=every)


def _look(frame: Frame, width: int, references: Sequence[Encoding], search: Search, outcome: Presence) -> None:
    small = frame.grey(width)
    boxes = faces.detect(small)
    known = outcome.known.setdefault(round(frame.at_s, 3), [])
    to_original = frame.width / small.shape[1]
    new = [face for face in (box.scaled(to_original) for box in boxes) if not _among(face, known)]
    if not new:
        if not known and len(outcome.snapshots) < MAX_SNAPSHOTS:
            _keep(outcome, frame.at_s, frame.rgb(SHEET_WIDTH), frame.width, [])
        return
    pixels = frame.rgb(WORK_WIDTH)
    compared = _compare(pixels, new, pixels.shape[1] / frame.width, references, search, outcome)
    near = [(box, far) for box, far in compared if far is not None and far <= search.thresholds.video]
    if near and not any(round(moment.at_s, 3) == round(frame.at_s, 3) for moment in outcome.seen):
        box, best = min(near, key=lambda pair: pair[1])
        outcome.seen.append(Moment(frame.at_s, best, box))
    known += compared
    _keep(outcome, frame.at_s, pixels, frame.width, known)


def _among(face: Box, known: Sequence[tuple[Box, float | None]]) -> bool:
    """Say whether this face was compared before: its middle lies in a box of the same frame."""
    across, down = (face.left + face.right) / 2, (face.top + face.bottom) / 2
    return any(
        box.left <= across <= box.right and box.top <= down <= box.bottom for box, near in known if near is not None
    )


def _grey(pixels: Image) -> Image:
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype("uint8")


def _compare(
    pixels: Image,
    boxes: Sequence[Box],
    scale: float,
    references: Sequence[Encoding],
    search: Search,
    outcome: Presence,
) -> list[tuple[Box, float | None]]:
    """Pair each face (px of the original, `pixels` being `scale` of it) with its distance; None past the limits."""
    outcome.faces_found += len(boxes)
    compared: list[tuple[Box, float | None]] = []
    for number, box in enumerate(boxes):
        if number >= search.faces_per_frame or outcome.encoded >= search.encodings:
            compared.append((box, None))
            continue
        outcome.encoded += 1
        face = faces.encode(pixels, box.scaled(scale))
        near = faces.distance(face, references, search.thresholds.against)
        outcome.nearest = min(outcome.nearest, near)
        compared.append((box, near))
    return compared


def _keep(
    outcome: Presence, at_s: float, pixels: Image, width: int, compared: Sequence[tuple[Box, float | None]]
) -> None:
    """Keep a reduced copy; when there are too many, those nearest to the references stay.

    `compared` is in pixels of the original, `width` of them across.
    """
    import cv2

    factor = min(1.0, SHEET_WIDTH / pixels.shape[1])
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype("uint8")
    faces_there = [(box.scaled(size[0] / width), near) for box, near in compared]
    outcome.snapshots = [shot for shot in outcome.snapshots if shot.at_s != at_s]
    outcome.snapshots.append(Snapshot(at_s, small, faces_there))
    if len(outcome.snapshots) > MAX_SNAPSHOTS:
        outcome.snapshots.remove(max(outcome.snapshots, key=lambda shot: shot.nearest))


def _spaced(moments: Sequence[Moment], gap_s: float) -> list[Moment]:
    """Return as many of the moments as lie at least `gap_s` apart."""
    chosen: list[Moment] = []
    for moment in sorted(moments, key=lambda moment: moment.at_s):
        if not chosen or moment.at_s - chosen[-1].at_s >= gap_s:
            chosen.append(moment)
    return chosen


def _not_seen(outcome: Presence, search: Search) -> Finding:
    """Say what a human should look for; every one of these sentences leaves the answer to them."""
    if outcome.seen:
        code, text = "seen_once", _("只在一处画面中认出教师本人，请人工确认。")
    elif outcome.nearest <= search.thresholds.maybe:
        code, text = "unsure", _("画面中有人与教师相像，但不足以自动确认，请人工确认。")
    elif outcome.faces_found:
        code, text = "not_recognised", _("画面中有人脸，但未能认出教师本人，请人工确认。")
    else:
        code, text = "no_faces", _("画面中没有找到清楚的人脸，请人工确认教师是否出镜。")
    return Finding(code, Level.HUMAN, say(text))
