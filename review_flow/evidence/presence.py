"""Is the teacher in it? What a search may cost and what it found; photos are looked at here, films in `film`.

Rule 001-A-29. Absence is never stated: what was not seen, or only perhaps, is for a human.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from review_flow.evidence import faces, video
from review_flow.evidence.faces import Box, Image
from review_flow.evidence.likeness import CONFIDENCE, Template, log_odds, probability
from review_flow.evidence.pictures import read_picture
from review_flow.evidence.timeline import Timeline
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


LIKELY, MAYBE = 0.5, 0.1  # probabilities from which a moment counts, and a human is told somebody looks alike
SUREST = 1 - 1e-9
SHEET_WIDTH = 480
MAX_SNAPSHOTS = 12


@dataclass(frozen=True, slots=True)
class Search:
    """How hard to look; sizes in px, times in seconds. The defaults are measured (docs/evidence.md).

    `width` and `fine_width` are the longer side of the picture a glance takes: it finds faces from 40 px of it,
    so from 120 px of a 1920 px film, and from 80. `confidence` is the probability at which it is the teacher;
    a film needs `moments` at least `spaced_s` apart, each likelier than not and all together as sure. `work_s` is CPU
    time: a budget of work, not of pictures.
    """

    confidence: float = CONFIDENCE
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
    """One look at one face that is likelier the teacher's than not: when, where (px of the upright original), how sure."""

    at_s: float
    distance: float
    probability: float
    box: Box


@dataclass(slots=True)
class Snapshot:
    """A small RGB picture kept for the contact sheet, with the faces in its own pixels."""

    at_s: float
    pixels: Image
    faces: list[tuple[Box, float | None]]

    @property
    def least_doubt(self) -> float:
        """The smallest doubt in the picture; 1 without a compared face."""
        return min((doubt for _box, doubt in self.faces if doubt is not None), default=1.0)


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
    least_doubt: float = 1.0
    probability: float | None = None
    timeline: Timeline | None = None


def in_photo(path: Path, teacher: Template, search: Search) -> Presence:
    """Compare every face of a photo, a single moment."""
    picture = read_picture(path, longest=search.photo_width)
    outcome = Presence(tally=video.Tally(decoded=1))
    grey = _grey(picture.pixels)
    boxes = faces.detect(grey) or faces.detect(grey, upsample=1)
    outcome.faces_found = len(boxes)
    compared: list[tuple[Box, float | None]] = []
    for box in boxes[: search.faces_per_frame]:
        moment = compare(picture.pixels, box.scaled(1 / picture.scale), picture.scale, teacher, outcome, len(boxes))
        compared.append((moment.box, 1 - moment.probability))
        if moment.probability >= LIKELY:
            outcome.seen.append(moment)
    outcome.present = judged(outcome, outcome.seen, search, moments_needed=1)
    keep(outcome, 0.0, picture.pixels, picture.facts.width, compared)
    outcome.findings = [] if outcome.present else [not_seen(outcome, search)]
    return outcome


def judged(outcome: Presence, moments: Sequence[Moment], search: Search, *, moments_needed: int) -> bool:
    """Say whether the moments, far enough apart, show the teacher surely enough; notes the probability.

    It is that of the best `moments_needed` by the mean of their log odds: they are no independent witnesses.
    """
    best = sorted((log_odds(moment.probability) for moment in moments), reverse=True)[:moments_needed]
    enough = len(best) >= moments_needed
    outcome.probability = probability(sum(best) / len(best)) if enough else 1 - outcome.least_doubt
    return enough and outcome.probability >= search.confidence


def _grey(pixels: Image) -> Image:
    import cv2

    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype("uint8")


def compare(
    pixels: Image, box: Box, scale: float, teacher: Template, outcome: Presence, among: int, at_s: float = 0.0
) -> Moment:
    """Compare a face (px of the original, `pixels` being `scale` of it), one of `among` in its picture.

    Its mirror image is looked at, too, where that could still make it the teacher's: it costs as much again.
    """
    outcome.encoded += 1
    seen_with, there = faces.recogniser(), box.scaled(scale)
    face = seen_with.encode(pixels, there)
    if teacher.log_odds(face, among=among) > teacher.calibration.hopeless:
        outcome.encoded += 1
        face = (face + seen_with.encode(pixels, there, mirrored=True)) / 2
    sure = min(SUREST, probability(teacher.log_odds(face, among=among)))
    outcome.least_doubt = min(outcome.least_doubt, 1 - sure)
    return Moment(at_s, teacher.distance(face), sure, box)


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
        outcome.snapshots.remove(max(outcome.snapshots, key=lambda shot: shot.least_doubt))


def surest_apart(moments: Sequence[Moment], gap_s: float, count: int) -> list[Moment]:
    """Return the `count` moments, each at least `gap_s` from the next, that are surest together; none if there are not so many."""
    ordered = sorted(moments, key=lambda moment: moment.at_s)
    chains = [(log_odds(moment.probability), [moment]) for moment in ordered]
    for _one_more in range(count - 1):
        longer = []
        for moment in ordered:
            before = [chain for chain in chains if moment.at_s - chain[1][-1].at_s >= gap_s]
            if before:
                odds, chosen = max(before, key=lambda chain: chain[0])
                longer.append((odds + log_odds(moment.probability), [*chosen, moment]))
        chains = longer
    return max(chains, key=lambda chain: chain[0])[1] if chains else []


def not_seen(outcome: Presence, search: Search) -> Finding:
    """Say what a human should look for; every one of these sentences leaves the answer to them."""
    if outcome.least_doubt <= 1 - search.confidence:
        code, text = "seen_once", _("只在一处画面中认出教师本人，请人工确认。")
    elif outcome.least_doubt <= 1 - MAYBE:
        code, text = "unsure", _("画面中有人与教师相像，但不足以自动确认，请人工确认。")
    elif outcome.faces_found:
        code, text = "not_recognised", _("画面中有人脸，但未能认出教师本人，请人工确认。")
    else:
        code, text = "no_faces", _("画面中没有找到清楚的人脸，请人工确认教师是否出镜。")
    return Finding(code, Level.HUMAN, say(text))
