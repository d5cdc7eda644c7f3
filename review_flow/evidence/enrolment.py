"""Reference photos: is each good enough, and do they show one person? With consent only (domain.md §7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from review_flow.evidence import faces
from review_flow.evidence.faces import Box, Encoding
from review_flow.evidence.likeness import Calibration, Template
from review_flow.evidence.pictures import PictureRefused, read_picture
from review_flow.i18n import _, listed, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from review_flow.evidence.faces import Image

ENOUGH = 3  # references with which few honest files need people (docs/evidence.md has the table)

FINE, ON_AXIS = 0.2, 0.03  # cycles per pixel


@dataclass(frozen=True, slots=True)
class EnrolmentLimits:
    """What a reference photo must offer; sizes in pixels of the photo, light on 0–255.

    `max_turn` is how far the nose may lie from between the eyes, in distances of the eyes; `max_grid` how far a regular grid, as screens have one, may stand out of the picture's finest detail.
    """

    min_face_width: int = 90
    min_sharpness: float = 25.0
    min_light: float = 45.0
    max_light: float = 225.0
    second_face_share: float = 0.35
    max_turn: float = 0.25
    max_grid: float = 6.5


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A reference photo's outcome: an encoding, or the problems that stand in its way (never both)."""

    encoding: Encoding | None
    problems: tuple[Finding, ...]
    box: Box | None = None


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
    boxes = faces.detect(grey) or faces.detect(grey, upsample=1)
    boxes = [box for box in boxes if box.width >= boxes[0].width * limits.second_face_share]
    if len(boxes) != 1:
        return Enrolment(None, (_not_one(len(boxes)),))
    box = boxes[0]
    problems = tuple(_weaknesses(grey, box, limits))
    return Enrolment(None if problems else faces.encode(picture.pixels, box), problems, box)


def describe(path: Path) -> tuple[Encoding, Encoding] | None:
    """Describe the largest face of a photo as it is, for calibrating, and without its mirror image.

    None where there is none. PictureRefused.
    """
    picture = read_picture(path, longest=1600)
    boxes = faces.detect(picture.pixels) or faces.detect(picture.pixels, upsample=1)
    return faces.encode_both(picture.pixels, boxes[0]) if boxes else None


def agreement(references: Sequence[Encoding], calibration: Calibration) -> tuple[Finding, ...]:
    """Say which references don't show the person the others show, and whether they are too few to rely on."""
    findings = []
    apart = [
        number
        for number, one in enumerate(references, start=1)
        if len(references) > 1 and Template(_without(references, number - 1), calibration).log_odds(one) < 0
    ]
    if apart:
        text = _("参照照片（第{numbers}张）与其余的不像同一个人。请只登记本人、近期、正面的照片。")
        findings.append(Finding("references_differ", Level.REJECT, say(text, numbers=listed(map(str, apart)))))
    if len(references) < ENOUGH:
        text = _(
            "现有{count}张参照照片，少于{enough}张时多数文件要由人工核对；建议再登记几张不同日子、不同光线的照片。"
        )
        findings.append(Finding("few_references", Level.INFO, say(text, count=len(references), enough=ENOUGH)))
    return tuple(findings)


def _without(references: Sequence[Encoding], place: int) -> list[Encoding]:
    return [one for number, one in enumerate(references) if number != place]


def _problem(code: str, sentence: str, **names: object) -> Finding:
    return Finding(code, Level.REJECT, say(sentence, **names))


def _not_one(count: int) -> Finding:
    if count == 0:
        return _problem("no_face", _("照片里没有找到人脸。请换一张正面、光线好、脸部清楚的照片。"))
    return _problem("several_faces", _("照片里有 {count} 张人脸。请换一张只有您本人的照片。"), count=count)


def _weaknesses(grey: Image, box: Box, limits: EnrolmentLimits) -> Iterator[Finding]:
    face = grey[box.top : box.bottom, box.left : box.right]
    if box.width < limits.min_face_width:
        text = _("脸太小（宽 {width} 像素，至少要 {least}）。请靠近一些重拍，或换一张更大的照片。")
        yield _problem("face_too_small", text, width=box.width, least=limits.min_face_width)
        return
    light = float(np.median(face))
    if light < limits.min_light:
        yield _problem("too_dark", _("脸部太暗。请面向窗户或灯光重拍一张。"))
    elif light > limits.max_light:
        yield _problem("too_bright", _("脸部过亮。请避开直射的强光重拍一张。"))
    elif sharpness(face) < limits.min_sharpness:
        yield _problem("blurred", _("脸部模糊。请拿稳手机、对好焦再拍一张。"))
    elif grid(face) > limits.max_grid:
        yield _problem("screen", _("这像是对着屏幕或印刷品翻拍的。请直接拍本人，或上传原来的照片文件。"))
    elif faces.recogniser().turn(grey, box) > limits.max_turn:
        yield _problem("turned_away", _("脸转向了一侧。请正对镜头重拍一张。"))


def sharpness(face: Image) -> float:
    """Return the variance of the Laplacian at a fixed face size: low when out of focus or shaken."""
    import cv2

    small = cv2.resize(face, (150, 150), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_64F).var())


def grid(face: Image) -> float:
    """Return how far one fine regular pattern stands out (in spreads of its surroundings): screens have one."""
    size = 1 << int(np.log2(min(face.shape)))
    top, left = (face.shape[0] - size) // 2, (face.shape[1] - size) // 2
    window = np.hanning(size)
    patch = (face[top : top + size, left : left + size] - float(face.mean())) * np.outer(window, window)
    power = np.log1p(np.abs(np.fft.fft2(patch)))
    across = np.fft.fftfreq(size)
    far = np.hypot(*np.meshgrid(across, across))
    off_axis = (np.abs(across)[:, None] > ON_AXIS) & (np.abs(across)[None] > ON_AXIS)  # JPEG's own blocks lie on them
    fine = power[(far > FINE) & off_axis]
    middle = float(np.median(fine))
    return float((fine.max() - middle) / (np.median(np.abs(fine - middle)) * 1.48 + 1e-9))
