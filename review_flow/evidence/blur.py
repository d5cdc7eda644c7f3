"""A copy to be published in which every face is covered that isn't surely the teacher's. Rules 001-A-29, domain 7.2.

When in doubt, it is covered, the teacher's too. Two passes: a film is looked at four times a second and its faces are
joined to tracks; then every picture is decoded, covered and encoded anew. Between two looks a face is where the line
between them leads, and on both sides of a track it stays covered for a second, so a face missed at single moments
isn't bared. The teacher's is left alone only between two neighbouring comparisons that are as sure together as a check
asks of a film. What was never looked at, because it was damaged, is covered whole.

Covered means: the box widened by half on every side becomes 6x6 flat squares of coarse colours, some three across the
face itself; there is nothing left to sharpen. It can't be complete: small, turned and hidden faces aren't found.
Encodings live while the deed does.
"""

from __future__ import annotations

import bisect
import io
import itertools
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from av import FFmpegError, VideoFrame

from review_flow.evidence import faces, glance, playable, presence, video
from review_flow.evidence.faces import Box
from review_flow.evidence.likeness import CONFIDENCE, Template, calibration, log_odds, probability
from review_flow.evidence.pictures import PictureRefused, read_picture
from review_flow.evidence.presence import LIKELY, MAYBE, Presence
from review_flow.evidence.probe import probe
from review_flow.evidence.tracks import MIN_LIKENESS, Linker, Sighting, Track, likeness, patch_of
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Kind, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from review_flow.evidence.faces import Encoding, Image
    from review_flow.evidence.playable import Sink
    from review_flow.evidence.video import Frame, Survey

STEP_S = 0.25
WIDTH = 1280  # px of the longer side of what is glanced at: faces from 40 px of it, so from 60 px of a 1920 px film
PHOTO, PHOTO_LOOK = (
    3840,
    (2560, 1600),
)  # px of the longer side: of the copy; of a glance and of the full detector's look
JOINED_S = 2.0  # a face unseen for longer is somebody new
HELD_S = 1.0  # how long a face stays covered before it was seen and after
COMPARED_S = 1.0
UNLIKE = 8  # times as rarely is somebody compared who was never like the teacher
UNSEEN_S = 1.0  # a picture as far from every moment that was looked at is covered whole
MARGIN, HELD_MARGIN = 0.5, 1.0  # of a face's width on every side; while it is only held it may have moved
CELLS, COARSE = 6, 16
SAME = 0.3  # shared part of two boxes from which they are one face
WORK_WIDTH = 1920
FILM, PHOTOS = ".mp4", {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
NO_PATCH = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Blurred:
    """What was made: "film", "photo" or None, then `findings` say why.

    `pictures` of the copy, in how many of them something is covered and in how many the teacher is not; `faces`
    covered, a track each; `notes` on what was left out; CPU seconds.
    """

    made: str | None = None
    pictures: int = 0
    covered: int = 0
    faces: int = 0
    teacher: int = 0
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    cpu_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the published form."""
        told = [{"code": one.code, "level": str(one.level), "text": one.text} for one in self.findings]
        return {**asdict(self), "findings": told}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        found = tuple(Finding(one["code"], Level(one["level"]), one["text"]) for one in data["findings"])
        return cls(**{**data, "findings": found, "notes": tuple(data["notes"])})

    @property
    def sentences(self) -> list[str]:
        """Say what was done, and that it is never enough."""
        if self.made is None:
            return [one.text for one in self.findings]
        if self.made == "photo":
            text = _("遮挡了 {faces} 张人脸；教师本人{teacher}。")
            kept = say(_("没有遮挡")) if self.teacher else say(_("没有认定，没有单独留出"))
            first = say(text, faces=self.faces, teacher=kept)
        else:
            text = _(
                "遮挡了 {faces} 段人脸，在 {pictures} 个画面中的 {covered} 个里；教师本人在 {teacher} 个画面里没有遮挡。"
            )
            first = say(text, faces=self.faces, pictures=self.pictures, covered=self.covered, teacher=self.teacher)
        warning = _(
            "机器不能保证遮全：侧脸、远处和被挡住的人脸可能漏掉，声音、姓名牌和校服不作处理。公开之前，请一位工作人员从头到尾看一遍。"
        )
        return [first, *self.notes, say(warning)]


def blur(
    path: Path,
    sink: Sink,
    *,
    form: str,
    references: Sequence[Encoding] = (),
    colleagues: Sequence[Sequence[Encoding]] = (),
    told: Callable[[int], None] = lambda _percent: None,
) -> Blurred:
    """Write a copy of a film (form ".mp4") or photo (".jpg", ".png") with faces covered; the findings say why not.

    Without references everybody is covered. `told` is called with the percent that is done. Decodes untrusted bytes:
    call it through `sandbox.Sandbox.blur` outside of tests.
    """
    began = time.process_time()
    looked = probe(path)
    refused = tuple(one for one in looked.findings if one.level is Level.REJECT)
    if refused:
        return Blurred(findings=refused)
    wanted = {Kind.VIDEO: (FILM,), Kind.PHOTO: tuple(PHOTOS)}.get(looked.media.kind)
    if wanted is None:
        return _refusal("not_pictured", _("只能给照片和视频遮挡人脸。"))
    if form not in wanted:
        return _refusal("wrong_form", _("视频请写成 .mp4 文件，照片请写成 .jpg 或 .png 文件。"))
    teacher = Template(references, calibration(), colleagues) if references else None
    try:
        if looked.survey is None:
            made = _photo(path, sink, form, teacher)
        else:
            made = _film(path, looked.survey, sink, teacher, told)
    except PictureRefused as broken:
        return Blurred(findings=(broken.finding,))
    except (FFmpegError, ValueError):
        return _refusal("not_blurred", _("文件解码到一半就出错了，没有做成遮挡副本。请重新导出后再试。"))
    return Blurred(**{**{name: getattr(made, name) for name in made.__slots__}, "cpu_s": time.process_time() - began})


def _refusal(code: str, sentence: str) -> Blurred:
    return Blurred(findings=(Finding(code, Level.REJECT, say(sentence)),))


def veil(pixels: NDArray[np.uint8], box: Box) -> None:
    """Turn the box of a picture (h, w) or (h, w, 3) into few flat squares of coarse colours, in place."""
    import cv2

    part = pixels[max(0, box.top) : max(0, box.bottom), max(0, box.left) : max(0, box.right)]
    if not part.size:
        return
    down, across = part.shape[:2]
    cells = (min(CELLS, max(1, across // CELLS)), min(CELLS, max(1, down // CELLS)))
    small = cv2.resize(np.ascontiguousarray(part), cells, interpolation=cv2.INTER_AREA)
    coarse = np.clip(np.rint(small / COARSE) * COARSE, 0, 255).astype(np.uint8)
    part[...] = cv2.resize(coarse, (across, down), interpolation=cv2.INTER_NEAREST).reshape(part.shape)


def _photo(path: Path, sink: Sink, form: str, teacher: Template | None) -> Blurred:
    from PIL import Image

    picture = read_picture(path, longest=PHOTO)
    pixels = np.ascontiguousarray(picture.pixels).copy()
    grey = np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.uint8)
    found = _faces(grey, PHOTO_LOOK[0])
    found += [box for box in _detected(grey, PHOTO_LOOK[1]) if all(_shared(box, other) < SAME for other in found)]
    theirs = _teacher_among(pixels, grey, found, teacher) if teacher else None
    for box in found:
        if box is not theirs:
            veil(pixels, box.grown(MARGIN, pixels.shape[1], pixels.shape[0]))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, PHOTOS[form], quality=90)
    sink(0, out.getvalue())
    covered = len(found) - (theirs is not None)
    return Blurred("photo", 1, int(covered > 0), covered, int(theirs is not None))


def _detected(grey: Image, longest: int) -> list[Box]:
    small, factor = _reduced(grey, longest)
    return [box.scaled(1 / factor) for box in faces.detect(small, upsample=1)]


def _teacher_among(pixels: Image, grey: Image, found: Sequence[Box], teacher: Template) -> Box | None:
    """Return the one face that is surely the teacher's; of several the surest, for no two can be."""
    outcome = Presence()
    sure = [(_probability(pixels, 1.0, grey, box, teacher, outcome, len(found)) or 0.0, box) for box in found]
    best = max(sure, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= CONFIDENCE else None


def _reduced(grey: Image, longest: int) -> tuple[Image, float]:
    import cv2

    factor = min(1.0, longest / max(grey.shape))
    size = (max(2, round(grey.shape[1] * factor)), max(2, round(grey.shape[0] * factor)))
    small = grey if factor == 1.0 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small, dtype=np.uint8), factor


def _faces(grey: Image, longest: int) -> list[Box]:
    """Return all that a glance takes for a face, unconfirmed: when in doubt, it is covered."""
    small, factor = _reduced(grey, longest)
    return [hint.scaled(1 / factor) for hint in glance.find(small)]


def _shared(one: Box, other: Box) -> float:
    """Return the part of both boxes together that they share."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    both = max(0, across) * max(0, down)
    return both / max(1, one.width * one.height + other.width * other.height - both)


def _probability(
    pixels: Image, scale: float, grey: Image, hint: Box, teacher: Template, outcome: Presence, among: int
) -> float | None:
    """Return how probably a face, one of `among`, is the teacher's; None for one that can't be compared."""
    confirmed = glance.confirm(grey, hint)
    if confirmed is None or _shared(confirmed, hint) < SAME or confirmed.width < presence.Search().least_face:
        return None
    return presence.compare(pixels, confirmed, scale, teacher, outcome, among).probability


@dataclass(slots=True)
class _Due:
    """When a track is compared next; the longer, the less it was ever like the teacher."""

    at_s: float = 0.0
    wait_s: float = COMPARED_S


@dataclass(slots=True)
class Plan:
    """What is covered when: tracks of faces, in px of the upright picture of `width` by `height`, turned by `turn`."""

    width: int
    height: int
    tracks: Sequence[Track]
    looked: Sequence[float]
    turn: int = 0
    _times: dict[int, list[float]] = field(default_factory=dict)
    _at: dict[int, list[Track]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        """Note which tracks each second may need."""
        for track in self.tracks:
            times = self._times[id(track)] = [one.at_s for one in track.sightings]
            for second in range(int(max(0.0, times[0] - HELD_S)), int(times[-1] + HELD_S) + 1):
                self._at[second].append(track)

    def covered(self, at_s: float) -> tuple[list[tuple[Track, Box]], bool]:
        """Return what to cover at a moment, and whether the teacher is left alone in it."""
        after = bisect.bisect(self.looked, at_s)
        near = self.looked[max(0, after - 1) : after + 1]
        if not any(abs(at_s - moment) <= UNSEEN_S for moment in near):
            return [(Track(), Box(0, 0, self.width, self.height))], False
        bared = [self._place(track, at_s) for track in self._at[int(at_s)] if _is_teacher(track, at_s)]
        boxes = []
        for track in self._at[int(at_s)]:
            first, last = self._times[id(track)][0], self._times[id(track)][-1]
            held = not first <= at_s <= last
            place = self._place(track, at_s)
            taken = any(_shared(place, teacher) >= SAME for teacher in bared)  # no two faces are at one place
            if not first - HELD_S <= at_s <= last + HELD_S or (taken and (held or _is_teacher(track, at_s))):
                continue
            boxes.append((track, place.grown(HELD_MARGIN if held else MARGIN, self.width, self.height)))
        return boxes, bool(bared)

    def _place(self, track: Track, at_s: float) -> Box:
        """Return where a face is: on the line between two sightings, or where it was seen first or last."""
        seen, times = track.sightings, self._times[id(track)]
        after = bisect.bisect(times, at_s)
        before, later = seen[max(0, after - 1)], seen[min(after, len(times) - 1)]
        share = (at_s - before.at_s) / ((later.at_s - before.at_s) or 1.0)
        edges = (round(one + share * (other - one)) for one, other in zip(before.box, later.box, strict=True))
        return Box(*edges)


def _is_teacher(track: Track, at_s: float) -> bool:
    """Say whether two comparisons next to each other, with this moment between them, are sure together."""
    compared = track.compared
    first = bisect.bisect_left(compared, at_s, key=lambda one: one.at_s)
    return any(
        one.at_s <= at_s <= other.at_s and other.at_s - one.at_s <= JOINED_S and _sure_together(one, other)
        for one, other in itertools.pairwise(compared[max(0, first - 1) : first + 2])
    )


def _sure_together(*compared: Sighting) -> bool:
    """Say whether each is likelier the teacher than not, and all are by the mean of their log odds as sure as a film."""
    sure = [1 - (1.0 if one.doubt is None else one.doubt) for one in compared]
    return min(sure) >= LIKELY and probability(sum(map(log_odds, sure)) / len(sure)) >= CONFIDENCE


def followed(path: Path, found: Survey, teacher: Template | None, told: Callable[[float], None]) -> Plan:
    """Look at the film every quarter of a second: where faces are, and which of them are compared."""
    linker, due, looked = Linker(JOINED_S, _alike), defaultdict[int, _Due](_Due), list[float]()
    plan_size, turn, outcome = (found.width, found.height), 0, Presence()
    for frame in video.throughout(path, outcome.tally, every_s=STEP_S, every_picture=True):
        grey = frame.luma()
        seen = [Sighting(-1, frame.at_s, box, patch_of(grey, box)) for box in _faces(grey, WIDTH)]
        tracks = linker.add(frame.at_s, seen)
        for track in tracks:
            for older in track.sightings[-2:-1]:
                if likeness(track.sightings[-1], older) < MIN_LIKENESS or frame.at_s - older.at_s > 2 * STEP_S:
                    due[id(track)].at_s = 0.0  # the same place, but another look: who is it now?
                older.patch = NO_PATCH  # an hour of a full class would keep them all
        if teacher:
            waiting = [(track, due[id(track)]) for track in tracks if due[id(track)].at_s <= frame.at_s]
            _compare(frame, grey, waiting, teacher, outcome, len(tracks))
        looked.append(frame.at_s)
        plan_size, turn = (frame.width, frame.height), round(frame.source.rotation / 90) % 4
        told(frame.at_s)
    return Plan(*plan_size, linker.tracks, looked, turn)


def _alike(face: Sighting, last: Sighting) -> float:
    """Return how well a face goes on: by its look or, a glance's boxes being rough, by its place."""
    return max(likeness(face, last), _shared(face.box, last.box))


def _compare(
    frame: Frame, grey: Image, waiting: Sequence[tuple[Track, _Due]], teacher: Template, outcome: Presence, among: int
) -> None:
    if not waiting:
        return
    pixels = frame.rgb(WORK_WIDTH)
    scale = pixels.shape[1] / frame.width
    for track, due in waiting:
        face = track.sightings[-1]
        sure = _probability(pixels, scale, grey, face.box, teacher, outcome, among)
        if sure is None:
            continue
        face.doubt = 1 - sure
        due.wait_s = min(2 * due.wait_s, UNLIKE * COMPARED_S) if sure < MAYBE else COMPARED_S
        due.at_s = frame.at_s + due.wait_s - STEP_S / 2


def _film(path: Path, found: Survey, sink: Sink, teacher: Template | None, told: Callable[[int], None]) -> Blurred:
    length, percent = max(1e-6, float(found.readable)), -1

    def tell(share: float) -> None:
        nonlocal percent
        now = min(99, int(100 * share))
        if now > percent:
            percent = now
            told(now)

    plan = followed(path, found, teacher, lambda at_s: tell(at_s / length / 2))
    pictures, covered, alone, people = 0, 0, 0, set[int]()

    def edit(frame: VideoFrame, at_s: float) -> VideoFrame:
        nonlocal pictures, covered, alone
        boxes, bared = plan.covered(at_s)
        pictures, covered, alone = pictures + 1, covered + bool(boxes), alone + bared
        people.update(id(track) for track, _box in boxes if track.sightings)
        tell(0.5 + at_s / length / 2)
        return veiled(frame, [box for _track, box in boxes], plan) if boxes else frame

    notes = playable.copied(path, found, sink, edit=edit)
    return Blurred("film", pictures, covered, len(people), alone, tuple(notes))


def veiled(frame: VideoFrame, boxes: Sequence[Box], plan: Plan) -> VideoFrame:
    """Return a picture (yuv420p, not yet turned) with the boxes covered, given in px of the upright one."""
    pixels = np.asarray(frame.to_ndarray(), dtype=np.uint8)
    light, size = pixels[: frame.height], (frame.height // 2, frame.width // 2)
    colours = pixels[frame.height :].reshape(2, *size)
    for plane in (light, *colours):
        upright = np.rot90(plane, k=plan.turn)
        factor = upright.shape[1] / plan.width
        for box in boxes:
            veil(upright, box.scaled(factor))
    copy = VideoFrame.from_ndarray(pixels, format="yuv420p")
    copy.colorspace, copy.color_range = frame.colorspace, frame.color_range
    return copy
