"""Reference photos: what is good enough, and what is wrong with each that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from review_flow.demo import media
from review_flow.evidence import faces, likeness
from review_flow.evidence.likeness import Template
from review_flow.rules.verdict import Level

if TYPE_CHECKING:
    from pathlib import Path

    from review_flow.evidence.faces import Encoding
    from review_flow.evidence.sandbox import Sandbox


def head(person: str, size: int = 640) -> Image.Image:
    """Return a person's head alone, `size` px across."""
    return media.portrait(person).crop(media.HEADS[person]).resize((size, size))


def nobody() -> Image.Image:
    return Image.new("RGB", (640, 640), "#8899aa")


def two() -> Image.Image:
    both = Image.new("RGB", (1280, 640))
    both.paste(head("grace"), (0, 0))
    both.paste(head("eileen"), (640, 0))
    return both


def far_away() -> Image.Image:
    room = nobody()
    room.paste(head("grace", 160), (200, 200))
    return room


def shaken() -> Image.Image:
    return head("grace").filter(ImageFilter.GaussianBlur(9))


def dark() -> Image.Image:
    return ImageEnhance.Brightness(head("grace")).enhance(0.2)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (nobody, "no_face"),
        (two, "several_faces"),
        (far_away, "face_too_small"),
        (shaken, "blurred"),
        (dark, "too_dark"),
    ],
)
def test_what_is_wrong_with_a_reference_is_told(box: Sandbox, tmp_path: Path, make: object, code: str) -> None:
    assert callable(make)
    make().save(tmp_path / "reference.jpg", quality=92)
    outcome = box.enrol(tmp_path / "reference.jpg")
    assert outcome.encoding is None
    assert [(problem.code, problem.level) for problem in outcome.problems] == [(code, Level.REJECT)]
    assert outcome.problems[0].text.endswith("。")


def test_what_is_no_picture_is_no_reference(box: Sandbox, tmp_path: Path) -> None:
    outcome = box.enrol(media.txt(tmp_path / "reference.jpg", "不是照片"))
    assert (outcome.encoding, [problem.code for problem in outcome.problems]) == (None, ["broken_picture"])


def test_a_passer_by_far_behind_is_tolerated(box: Sandbox, tmp_path: Path, grace: list[Encoding]) -> None:
    scene = Image.new("RGB", (900, 640), "#8899aa")
    scene.paste(head("grace"), (0, 0))
    scene.paste(head("eileen", 180), (700, 60))
    scene.save(tmp_path / "reference.jpg", quality=92)
    outcome = box.enrol(tmp_path / "reference.jpg")
    assert outcome.problems == ()
    assert outcome.encoding is not None
    assert Template(grace, likeness.built_in()).log_odds(outcome.encoding) > 4


def test_encodings_survive_their_bytes(grace: list[Encoding]) -> None:
    packed = faces.to_bytes(grace[0])
    assert len(packed) == faces.ENCODING_BYTES == 1024
    assert (faces.from_bytes(packed) == grace[0]).all()
    assert faces.to_bytes(faces.from_bytes(packed)) == packed


@pytest.mark.parametrize("data", [b"", b"1234567", b"\0" * 1016, b"\0" * 1032, b"\xff" * 1024])
def test_bytes_that_are_no_encoding_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(not a face encoding|buffer size must be a multiple of element size)$"):
        faces.from_bytes(data)
