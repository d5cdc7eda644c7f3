"""Is the teacher in it? What a search may cost and what it found; photos are looked at here, films in `film`.

Rule 001-A-29. Absence is never stated: what was not seen, or only perhaps, is for a human.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from review_flow.evidence import faces, video
from review_flow.evidence.faces import Box, Encoding, Image, Thresholds
from review_flow.evidence.pictures import read_picture
from review_flow.evidence.timeline import Timeline
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


SHEET_WIDTH = 480
MAX_SNAPSHOTS = 12


@dataclass(frozen=True, slots=True)
class Search:
    """How hard to look; sizes in px, times in seconds. The defaults are measured (docs/evidence.md).

    `width` and `fine_width` are the longer side of the picture a glance takes: it finds faces from 40 px of it,
    so from 120 px of a 1920 px film, and from 80. `work_s` is CPU time: a budget of work, not of pictures.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    moments: int = 2
    spaced_s: float = 2.0
    width: int = 640
    fine_width: int = 960
    fine_frames: int = 8
    photo_width: int = 1600
    least_face: int = 48
    eager: int = 8
    encodings: int = 240
    faces_per_frame: int = 6
    every_s: float = 1.0
    work_s: float = 75.0
    wall_s: float = 150.0


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
    timeline: Timeline | None = None


def in_photo(path: Path, references: Sequence[Encoding], search: Search) -> Presence:
    """Compare every face of a photo, a single moment and so judged more strictly than a video's."""
    picture = read_picture(path, longest=search.photo_width)
    outcome = Presence(tally=video.Tally(decoded=1))
    grey = _grey(picture.pixels)
    boxes = faces.detect(grey) or faces.detect(grey, upsample=1)
    original = [box.scaled(1 / picture.scale) for box in boxes]
    compared = compare(picture.pixels, original, picture.scale, references, search, outcome)
    outcome.faces_found = len(boxes)
    for box, near in compared:
        if near is not None and near <= search.thresholds.photo:
            outcome.seen.append(Moment(0.0, near, box))
    outcome.present = bool(outcome.seen)
    keep(outcome, 0.0, picture.pixels, picture.facts.width, compared)
    outcome.findings = [] if outcome.present else [not_seen(outcome, search)]
    return outcome


def _grey(pixels: Image) -> Image:
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype("uint8")


def compare(
    pixels: Image,
    boxes: Sequence[Box],
    scale: float,
    references: Sequence[Encoding],
    search: Search,
    outcome: Presence,
) -> list[tuple[Box, float | None]]:
    """Pair each face (px of the original, `pixels` being `scale` of it) with its distance; None past the limits."""
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


def keep(
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


def spaced(moments: Sequence[Moment], gap_s: float) -> list[Moment]:
    """Return as many of the moments as lie at least `gap_s` apart."""
    chosen: list[Moment] = []
    for moment in sorted(moments, key=lambda moment: moment.at_s):
        if not chosen or moment.at_s - chosen[-1].at_s >= gap_s:
            chosen.append(moment)
    return chosen


def not_seen(outcome: Presence, search: Search) -> Finding:
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
