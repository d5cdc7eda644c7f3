"""The school's own models: OpenCV Zoo's YuNet and SFace, from a folder it brings (`REVIEW_FLOW_FACE_MODELS`).

The folder holds one `face_detection_yunet*.onnx`, one `face_recognition_sface*.onnx` and, made by
`review-flow evidence calibrate`, `calibration.npz`: without that their scores mean nothing and they aren't used.
What stands in the way `unloadable` and `unusable` say; the folder is the school's own, so it is read outside of children, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from review_flow.evidence.faces import CALIBRATION, Box, Encoding, Image, off_middle
from review_flow.evidence.likeness import Calibration
from review_flow.i18n import _, say

if TYPE_CHECKING:
    from pathlib import Path

DETECTOR, ENCODER = "face_detection_yunet*.onnx", "face_recognition_sface*.onnx"
SURE = 0.7  # YuNet's own score of a face
AROUND = 0.5  # of a face's size, looked at around it when its landmarks are wanted


class NoModelsError(ValueError):
    """The folder doesn't hold the models; `lacking` is the name that none of its files has."""

    def __init__(self, folder: Path, lacking: str) -> None:
        super().__init__(f"{folder}: {lacking}")
        self.lacking = lacking


def only(folder: Path, pattern: str) -> Path:
    """Return the folder's file of a pattern, the last by name of several; NoModelsError where there is none."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise NoModelsError(folder, pattern)
    return found[-1]


def unloadable(folder: Path) -> str | None:
    """Say why the models of a folder can't be loaded, None where they can; calibrated or not."""
    return _named(folder)[1]


def unusable(folder: Path) -> str | None:
    """Say why the models of a folder aren't used, None where they are: all there, and calibrated for just these."""
    encoder, why = _named(folder)
    if why is not None:
        return why
    path = folder / CALIBRATION
    if not path.exists():
        return say(_("{folder} 里的人脸模型还没有校准：请先运行 review-flow evidence calibrate"), folder=folder)
    try:
        made_for = Calibration.read(path).encoder
    except ValueError:
        return say(_("读不懂校准文件 {path}：请重新运行 review-flow evidence calibrate"), path=path)
    if made_for != encoder:
        text = _("校准文件 {path} 是为 {other} 做的，不是为 {encoder}：请重新运行 review-flow evidence calibrate")
        return say(text, path=path, other=made_for, encoder=encoder)
    return None


def calibrated_models(folder: Path | None) -> Path | None:
    """Return the folder of the school's own models if they are all there and calibrated: without that they mean nothing."""
    return folder if folder is not None and unusable(folder) is None else None


def _named(folder: Path) -> tuple[str, str | None]:
    """Load the models; return their name, and why they have none."""
    import cv2

    before = cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_SILENT
    )  # it tells the terminal what is told here
    try:
        return YunetSface(folder).name, None
    except NoModelsError as no:
        return "", say(_("{folder} 里缺少人脸模型文件 {name}"), folder=folder, name=no.lacking)
    except cv2.error:
        return "", say(_("{folder} 里的人脸模型读不出来：文件损坏，或不是 YuNet、SFace"), folder=folder)
    finally:
        cv2.utils.logging.setLogLevel(before)


class YunetSface:
    """Detector and encoder by OpenCV's dnn; encodings are 128 numbers of length 1."""

    def __init__(self, folder: Path) -> None:
        """Load both; NoModelsError where one is missing, cv2.error where one is no such model."""
        import cv2

        detector, encoder = only(folder, DETECTOR), only(folder, ENCODER)
        self.name = f"{detector.stem}+{encoder.stem}"
        self._detector: Any = cv2.FaceDetectorYN.create(str(detector), "", (320, 320), SURE)
        self._encoder: Any = cv2.FaceRecognizerSF.create(str(encoder), "")

    def _rows(self, image: Image) -> list[Any]:
        """Return YuNet's rows (x, y, width, height, five landmarks, score), largest first."""
        import cv2

        bgr = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR)  # noqa: PLR2004 - axes
        self._detector.setInputSize((bgr.shape[1], bgr.shape[0]))
        _status, rows = self._detector.detect(bgr)
        return [] if rows is None else sorted(rows, key=lambda row: -row[2])

    def detect(self, image: Image, *, upsample: int = 0) -> list[Box]:
        """Return the faces of a grey or RGB image, largest first."""
        import cv2

        factor = 2**upsample
        large = cv2.resize(image, None, fx=factor, fy=factor) if upsample else image
        height, width = image.shape[:2]
        found = []
        for row in self._rows(np.asarray(large, dtype=np.uint8)):
            left, top, across, down = (round(float(edge) / factor) for edge in row[:4])
            found.append(Box(max(0, left), max(0, top), min(width, left + across), min(height, top + down)))
        return sorted((box for box in found if box.width > 0 and box.height > 0), key=lambda box: -box.width)

    def _nearest(self, image: Image, box: Box) -> tuple[Image, Any]:
        """Return the surroundings of a face and YuNet's row in them; a plain guess where it sees nothing there."""
        wide = box.grown(AROUND, image.shape[1], image.shape[0])
        crop = np.ascontiguousarray(image[wide.top : wide.bottom, wide.left : wide.right])
        rows = self._rows(crop)
        if rows:
            return crop, rows[0]
        left, top = box.left - wide.left, box.top - wide.top
        guess = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
        points = [edge for x, y in guess for edge in (left + x * box.width, top + y * box.height)]
        return crop, np.array([left, top, box.width, box.height, *points, 0.0], dtype=np.float32)

    def encode(self, image: Image, box: Box, *, mirrored: bool = False) -> Encoding:
        """Return 128 float64 of length 1."""
        import cv2

        crop, row = self._nearest(image, box)
        chip = self._encoder.alignCrop(cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), row)
        chip = np.ascontiguousarray(chip[:, ::-1]) if mirrored else chip
        feature = np.asarray(self._encoder.feature(chip), dtype=np.float64).reshape(-1)
        return feature / max(1e-9, float(np.linalg.norm(feature)))

    def turn(self, image: Image, box: Box) -> float:
        """Return how far the nose lies from between the eyes, in distances of the eyes."""
        _crop, row = self._nearest(image, box)
        right, left, nose = (np.asarray(row[place : place + 2], dtype=np.float64) for place in (4, 6, 8))
        return off_middle(right, left, nose)
