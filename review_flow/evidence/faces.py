"""Faces: find, describe, compare. Rule 001-A-29, and only with the teacher's consent (domain.md §7).

The default models are those of `face-recognition` (dlib's HOG detector, 5 landmarks, the 128-number ResNet),
loaded straight by dlib: the package's own wrapper also loads two models never used here and takes 3 s to import
where this takes 0.6 s. Whose face it is, `likeness` says. Images are uint8 arrays, RGB (height, width, 3) or grey (height, width); boxes are
whole pixels of the image they come with. Encodings live in memory and in the caller's encryption only.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Encoding = NDArray[np.float64]
ENCODING_BYTES = 128 * 8
MODELS = "REVIEW_FLOW_FACE_MODELS"  # the environment variable of a folder with the school's own models
CALIBRATION = "calibration.npz"  # what else that folder holds
CHIP, CHIP_MARGIN = 150, 0.25  # what the encoder was trained on: px across, and the margin about the face


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


class Recogniser(Protocol):
    """What finds and describes faces. Encodings of two recognisers can't be compared: `name` is kept with each."""

    name: str

    def detect(self, image: Image, *, upsample: int = 0) -> list[Box]:
        """Return the faces of a grey or RGB image, largest first."""
        ...

    def encode(self, image: Image, box: Box, *, mirrored: bool = False) -> Encoding:
        """Return the numbers that describe the face in the box of an RGB image, or of its mirror image."""
        ...

    def turn(self, image: Image, box: Box) -> float:
        """Return how far the nose lies from between the eyes, in distances of the eyes: 0 looks straight ahead."""
        ...


class HogResnet:
    """The default, of `face-recognition`: dlib's HOG detector sees faces from about 80 px (40 upsampled)."""

    name = "hog-resnet/1"

    def __init__(self) -> None:
        """Load the two models that lie in files, all that a locked-in child could not open later; 0.1 s."""
        import dlib

        spec = importlib.util.find_spec("face_recognition_models")
        assert spec is not None
        assert spec.submodule_search_locations is not None
        folder = Path(next(iter(spec.submodule_search_locations))) / "models"
        self._landmarks = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._encoder = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))

    @functools.cached_property
    def detector(self) -> Any:
        """The one that dlib brings, unpacked when a face is first looked for; 0.4 s that texts and copies need not wait for."""
        import dlib

        return dlib.get_frontal_face_detector()

    def detect(self, image: Image, *, upsample: int = 0) -> list[Box]:
        """Return the faces of a grey or RGB image, largest first."""
        height, width = image.shape[:2]
        found = self.detector(np.ascontiguousarray(image), upsample)
        boxes = [
            Box(max(0, face.left()), max(0, face.top()), min(width, face.right()), min(height, face.bottom()))
            for face in found
        ]
        return sorted(boxes, key=lambda box: -box.width)

    def encode(self, image: Image, box: Box, *, mirrored: bool = False) -> Encoding:
        """Return 128 float64; about 150 ms."""
        import dlib

        image = np.ascontiguousarray(image)
        chip = dlib.get_face_chip(image, self._landmarks(image, dlib.rectangle(*box)), CHIP, CHIP_MARGIN)
        chip = np.ascontiguousarray(chip[:, ::-1]) if mirrored else chip
        return np.asarray(self._encoder.compute_face_descriptor(chip), dtype=np.float64)

    def turn(self, image: Image, box: Box) -> float:
        """Return how far the nose lies from between the eyes, in distances of the eyes."""
        import dlib

        shape = self._landmarks(np.ascontiguousarray(image), dlib.rectangle(*box))
        points = np.array([[point.x, point.y] for point in shape.parts()], dtype=np.float64)
        return off_middle(points[:2].mean(axis=0), points[2:4].mean(axis=0), points[4])


def off_middle(eye: Encoding, other_eye: Encoding, nose: Encoding) -> float:
    """Return how far a nose lies from between two eyes, along the line through them and in its length."""
    line = other_eye - eye
    return float(abs((nose - (eye + other_eye) / 2) @ line) / max(1e-9, float(line @ line)))


@functools.cache
def recogniser() -> Recogniser:
    """Return what this process sees faces with, loaded once: the school's own models where it brought some."""
    folder = os.environ.get(MODELS)
    if folder:
        from review_flow.evidence.faces_opencv import YunetSface

        return YunetSface(Path(folder))
    return HogResnet()


def preload() -> None:
    """Load the models now, so that the first file does not pay for it."""
    recogniser()


def detect(image: Image, *, upsample: int = 0) -> list[Box]:
    """Return the faces of a grey or RGB image, largest first."""
    return recogniser().detect(image, upsample=upsample)


def encode(image: Image, box: Box) -> Encoding:
    """Describe the face in the box of an RGB image by itself and its mirror image: that halves the misses."""
    return encode_both(image, box)[0]


def encode_both(image: Image, box: Box) -> tuple[Encoding, Encoding]:
    """Return what `encode` does, and the face alone without its mirror image."""
    one = recogniser()
    alone = one.encode(image, box)
    return (alone + one.encode(image, box, mirrored=True)) / 2, alone


def to_bytes(encoding: Encoding) -> bytes:
    """Return 1024 little-endian bytes, for the caller to encrypt."""
    return encoding.astype("<f8").tobytes()


def from_bytes(data: bytes) -> Encoding:
    """Read what `to_bytes` wrote; ValueError when it is not 128 finite numbers."""
    encoding = np.frombuffer(data, dtype="<f8").astype(np.float64)
    if len(data) != ENCODING_BYTES or not np.isfinite(encoding).all():
        raise ValueError("not a face encoding")
    return encoding
