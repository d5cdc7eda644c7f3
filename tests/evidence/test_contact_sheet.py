"""The contact sheet: a picture of the right size, words for those who can't see it, and nobody else's face."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageFont

from review_flow.demo import media
from review_flow.evidence import contact_sheet
from review_flow.evidence.check import check
from review_flow.evidence.contact_sheet import CELL, COLUMNS, GAP, LINE, STRIP, Sheet
from review_flow.evidence.faces import Box
from review_flow.evidence.presence import Snapshot
from review_flow.rules.verdict import clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from review_flow.evidence.faces import Encoding
    from review_flow.evidence.sandbox import Sandbox

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def no_font(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Be a machine without any Chinese font: no fc-list to ask, none where fonts usually are."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(contact_sheet, "PLACES", ())
    for cached in (contact_sheet.chinese_font, contact_sheet.font):
        cached.cache_clear()
    yield
    for cached in (contact_sheet.chinese_font, contact_sheet.font):
        cached.cache_clear()


def opened(png: bytes | None) -> Image.Image:
    """Decode a sheet."""
    assert png is not None
    assert png.startswith(PNG)
    return Image.open(io.BytesIO(png))


def test_a_sheet_has_a_cell_for_each_moment_and_says_where_the_teacher_is(
    box: Sandbox, films: dict[str, Path], grace: list[Encoding]
) -> None:
    report = box.check(films["grace"], references=grace, sheet=True)
    sheet = opened(report.sheet)
    assert sheet.width == GAP + COLUMNS * (CELL + GAP)
    head = GAP * 2 + LINE * (1 + 2 + len(report.findings)) + STRIP
    rows, rest = divmod(sheet.height - head - GAP, 270 + LINE + GAP)  # 640×360 is 480×270 on the sheet
    assert (rows >= 1, rest) == (True, 0)
    times = "、".join(clock(int(moment["at_s"])) for moment in report.seen)
    count, here = report.presence["moments"], report.presence["with_teacher"]
    looked = f"只看了 {count} 个画面（其中 {here} 个有教师），没有看完全片"
    assert report.alt_text == f"自动检查通过；在 {times} 处认出教师本人；{looked}；视频没有声音。"


def test_a_sheet_is_drawn_only_when_asked_for(box: Sandbox, films: dict[str, Path], grace: list[Encoding]) -> None:
    assert box.check(films["grace"], references=grace).sheet is None


def test_a_document_s_sheet_tells_what_was_found_without_pictures(box: Sandbox, tmp_path: Path) -> None:
    report = box.check(media.txt(tmp_path / "a.txt", "四个汉字"), slot={"min_chars": 5}, sheet=True)
    assert opened(report.sheet).size == (GAP + COLUMNS * (CELL + GAP), GAP * 2 + LINE * 3 + GAP)
    assert report.alt_text == "文件不符合要求，请重新提交；共 4 字，少于要求的 5 字。请补充后再传。"


def test_other_faces_are_beyond_recognition_and_the_teacher_s_is_kept() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (270, 480, 3), dtype=np.uint8)
    teacher, pupil, uncompared = Box(40, 60, 120, 140), Box(180, 60, 260, 140), Box(340, 60, 420, 140)
    shot = Snapshot(61.25, noise, [(teacher, 0.31), (pupil, 0.51), (uncompared, None)])
    sheet = Sheet("title", (), "words", (shot,), sure=0.40, maybe=0.50)
    page = np.asarray(opened(sheet.png()))
    top, left = GAP * 2 + LINE, GAP
    cell = page[top : top + 270, left : left + 480].astype(float)

    def inside(face: Box) -> np.ndarray:
        return cell[face.top + 8 : face.bottom - 8, face.left + 8 : face.right - 8]

    assert (inside(teacher) == noise[68:132, 48:112]).all()
    assert inside(teacher).std() > 70
    assert inside(pupil).std() < 10
    assert inside(uncompared).std() < 10
    assert tuple(cell[60, 80]) == (0x15, 0x80, 0x3D)  # the box is drawn in the colour of certainty


def test_a_face_too_small_for_the_search_is_blurred_too(tmp_path: Path) -> None:
    path = media.lesson_photo(tmp_path / "photo.png", person="eileen", size=(480, 270))
    pixels = np.asarray(Image.open(path))
    sheet = Sheet("title", (), "words", (Snapshot(0.0, pixels, []),), sure=0.40, maybe=0.50)
    cell = np.asarray(opened(sheet.png()))[GAP * 2 + LINE : GAP * 2 + LINE + 270, GAP : GAP + 480]
    changed = np.argwhere((cell != pixels).any(axis=2))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert (240 <= left < right < 350, 40 <= top < bottom < 140) == (True, True)  # her face and nothing else


@pytest.mark.usefixtures("no_font")
def test_without_a_chinese_font_a_sheet_is_in_english_and_holds_no_box(tmp_path: Path) -> None:
    report = check(media.lesson_photo(tmp_path / "photo.jpg"), sheet=True)
    opened(report.sheet)
    drawn = contact_sheet.draw(report, None, sure=0.4, maybe=0.5)
    size = f"{report.media['size'] / 1e6:.1f} MB"
    assert (drawn.title, drawn.lines) == ("For a human to look at", (f"jpg · 1280x720 · {size}", "no reference"))
    font = ImageFont.load_default(18)
    box = bytes(font.getmask("\U0010fffe"))
    assert [sign for sign in drawn.title + "".join(drawn.lines) + "…" if bytes(font.getmask(sign)) == box] == []
    assert report.alt_text.startswith("请人工查看；没有自动认出教师本人")
