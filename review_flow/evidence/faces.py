"""Faces: find, describe, compare. Rule 001-A-29, and only with the teacher's consent (domain.md §7).

The models are those of `face-recognition` (dlib's HOG detector, 5 landmarks, the 128-number ResNet), loaded
straight by dlib: the package's own wrapper also loads two models never used here and takes 3 s to import
where this takes 0.6 s. Images are uint8 arrays, RGB (height, width, 3) or grey (height, width); boxes are
whole pixels of the image they come with. Encodings live in memory and in the caller's encryption only.
"""

from __future__ import annotations

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from review_flow.evidence.pictures import PictureRefused, read_picture
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Sequence

Image = NDArray[np.uint8]
Encoding = NDArray[np.float64]
ENCODING_BYTES = 128 * 8


class Box(NamedTuple):
    """A face's rectangle, in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.bottom - self.top

    def meets(self, other: Box) -> bool:
        """Say whether two boxes overlap."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def scaled(self, factor: float) -> Box:
        """Return the same face in an image `factor` times as large."""
        return Box(*(round(edge * factor) for edge in self))

    def grown(self, share: float, width: int, height: int) -> Box:
        """Return the box widened by a share of itself on every side, cut at the image's edges."""
        across, down = round(self.width * share), round(self.height * share)
        return Box(
            max(0, self.left - across),
            max(0, self.top - down),
            min(width, self.right + across),
            min(height, self.bottom + down),
        )


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Distances up to which a face is the teacher's; the measured error of each stands in docs/evidence.md.

    The library's own 0.60 lets East Asian colleagues pass for each other every second time, and the mean of
    three references lies nearer to everybody, so 0.45 would still be 3.5 % wrong. A moment of a video counts
    at `video` (several are needed), a single photo at `photo`; up to `maybe` a human is told it looks alike.
    `against` says how several references are met: by their mean, the most accurate, or by the nearest.
    """

    video: float = 0.40
    photo: float = 0.38
    maybe: float = 0.50
    against: Literal["mean", "nearest"] = "mean"


@dataclass(frozen=True, slots=True)
class EnrolmentLimits:
    """What a reference photo must offer; sizes in pixels of the photo, light on 0–255."""

    min_face_width: int = 90
    min_sharpness: float = 25.0
    min_light: float = 45.0
    max_light: float = 225.0
    second_face_share: float = 0.35


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A reference photo's outcome: an encoding, or the problems that stand in its way (never both)."""

    encoding: Encoding | None
    problems: tuple[Finding, ...]
    box: Box | None = None


@functools.cache
def _models() -> tuple[Any, Any, Any]:
    """Load detector, landmarks and encoder once per process."""
    import dlib

    spec = importlib.util.find_spec("face_recognition_models")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    return (
        dlib.get_frontal_face_detector(),
        dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat")),
        dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat")),
    )


def preload() -> None:
    """Load the models now, so that the first file does not pay for it."""
    _models()


def detector() -> Any:
    """Return dlib's HOG face detector as it was loaded: loading it takes a second."""
    return _models()[0]


def detect(image: Image, *, upsample: int = 0) -> list[Box]:
    """Return the faces of a grey or RGB image, largest first; sees faces from about 80 px (40 upsampled)."""
    height, width = image.shape[:2]
    found = _models()[0](np.ascontiguousarray(image), upsample)
    boxes = [
        Box(max(0, face.left()), max(0, face.top()), min(width, face.right()), min(height, face.bottom()))
        for face in found
    ]
    return sorted(boxes, key=lambda box: -box.width)


def encode(image: Image, box: Box) -> Encoding:
    """Return the 128 float64 that describe the face in the box of an RGB image; about 150 ms."""
    import dlib

    _, landmarks, encoder = _models()
    image = np.ascontiguousarray(image)
    shape = landmarks(image, dlib.rectangle(*box))
    return np.asarray(encoder.compute_face_descriptor(image, shape, 1), dtype=np.float64)


def to_bytes(encoding: Encoding) -> bytes:
    """Return 1024 little-endian bytes, for the caller to encrypt."""
    return encoding.astype("<f8").tobytes()


def from_bytes(data: bytes) -> Encoding:
    """Read what `to_bytes` wrote; ValueError when it is not 128 finite numbers."""
    encoding = np.frombuffer(data, dtype="<f8").astype(np.float64)
    if len(data) != ENCODING_BYTES or not np.isfinite(encoding).all():
        raise ValueError("not a face encoding")
    return encoding


def distance(face: Encoding, references: Sequence[Encoding], against: str = "mean") -> float:
    """Return how far a face lies from one person's references (at least one)."""
    known = np.stack(references)
    if against == "mean":
        return float(np.linalg.norm(known.mean(axis=0) - face))
    return float(np.linalg.norm(known - face, axis=1).min())


def _sharpness(grey: Image) -> float:
    """Return the variance of the Laplacian at a fixed face size: low when out of focus or shaken."""
    import cv2

    face = cv2.resize(grey, (150, 150), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(face, cv2.CV_64F).var())


def _problem(code: str, sentence: str, **names: object) -> Finding:
    return Finding(code, Level.REJECT, say(sentence, **names))


def enrol(path: Path, limits: EnrolmentLimits | None = None) -> Enrolment:
    """Read a reference photo and describe its one face, or say what is wrong with it and what to do.

    A much smaller second face in the background is tolerated: it can't be mistaken for the teacher's.
    """
    import cv2

    limits = limits or EnrolmentLimits()
    try:
        picture = read_picture(path, longest=1600)
    except PictureRefused as refused:
        return Enrolment(None, (refused.finding,))
    grey = cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    boxes = detect(grey) or detect(grey, upsample=1)
    boxes = [box for box in boxes if box.width >= boxes[0].width * limits.second_face_share]
    if len(boxes) != 1:
        return Enrolment(None, (_not_one(len(boxes)),))
    box = boxes[0]
    problems = tuple(_weaknesses(grey, box, limits))
    return Enrolment(None if problems else encode(picture.pixels, box), problems, box)


def _not_one(count: int) -> Finding:
    if count == 0:
        return _problem("no_face", _("照片里没有找到人脸。请换一张正面、光线好、脸部清楚的照片。"))
    return _problem("several_faces", _("照片里有 {count} 张人脸。请换一张只有您本人的照片。"), count=count)


def _weaknesses(grey: Image, box: Box, limits: EnrolmentLimits) -> list[Finding]:
    face = grey[box.top : box.bottom, box.left : box.right]
    problems = []
    if box.width < limits.min_face_width:
        text = _("脸太小（宽 {width} 像素，至少要 {least}）。请靠近一些重拍，或换一张更大的照片。")
        problems.append(_problem("face_too_small", text, width=box.width, least=limits.min_face_width))
    light = float(np.median(face))
    if light < limits.min_light:
        problems.append(_problem("too_dark", _("脸部太暗。请面向窗户或灯光重拍一张。")))
    if light > limits.max_light:
        problems.append(_problem("too_bright", _("脸部过亮。请避开直射的强光重拍一张。")))
    if not problems and _sharpness(face) < limits.min_sharpness:
        problems.append(_problem("blurred", _("脸部模糊。请拿稳手机、对好焦再拍一张。")))
    return problems
