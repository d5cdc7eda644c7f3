"""The contact sheet: what was looked at, on one picture a panel member reads in five seconds, and in words.

The person matched (or perhaps matched) is boxed; every other face found, pupils' above all, is blurred. The
PNG is made in memory. Where the machine has no Chinese font the sheet is written in English, never in boxes.
"""

from __future__ import annotations

import functools
import io
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from review_flow.evidence import faces
from review_flow.evidence.presence import Snapshot
from review_flow.i18n import _, clauses, language, listed, say
from review_flow.rules.verdict import Finding, clock
from review_flow.rules.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from review_flow.evidence.presence import Presence

COLUMNS, CELL, GAP, LINE = 3, 480, 12, 34
STRIP = 34  # the thin line of time and its figures
INK, PAPER, SEEN, MAYBE = "#1f2933", "#ffffff", "#15803d", "#b45309"
STRIP_COLOURS = {"teacher": SEEN, "others": "#9db2c9", "none": "#e4e7eb"}
PLACES = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyh.ttc",
)
CELL_WORDS = {
    "sure": (_("是本人"), "the teacher"),
    "maybe": (_("像本人，不能确定"), "perhaps the teacher"),
    "others": (_("有别人"), "somebody else"),
    "none": (_("没找到人脸"), "no face found"),
}
VERDICT_WORDS = {
    Verdict.VALID: (_("自动检查通过"), "Passed"),
    Verdict.HUMAN: (_("请人工查看"), "For a human to look at"),
    Verdict.REJECTED: (_("文件不符合要求，请重新提交"), "File not accepted"),
}


class Judged(Protocol):
    """The part of a report that a sheet shows."""

    @property
    def verdict(self) -> Verdict:
        """What follows for the file."""
        ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found."""
        ...

    @property
    def media(self) -> Mapping[str, Any]:
        """Facts of the file."""
        ...

    @property
    def presence(self) -> Mapping[str, Any] | None:
        """Who was there over time, of a film that was searched."""
        ...

    @property
    def seen(self) -> tuple[Mapping[str, Any], ...]:
        """Moments with the teacher."""
        ...


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet's parts: `alt_text` is always there, the picture is drawn when asked for."""

    title: str
    lines: tuple[str, ...]
    alt_text: str
    snapshots: tuple[Snapshot, ...]
    sure: float
    maybe: float
    spans: tuple[tuple[float, float, str], ...] = ()

    @property
    def _tallest(self) -> int:
        return max((shot.pixels.shape[0] for shot in self.snapshots), default=0)

    @property
    def _head(self) -> int:
        return GAP * 2 + LINE * (1 + len(self.lines)) + (STRIP if self.spans else 0)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture."""
        rows = -(-len(self.snapshots) // COLUMNS)
        return GAP + COLUMNS * (CELL + GAP), self._head + rows * (self._tallest + LINE + GAP) + GAP

    def png(self) -> bytes:
        """Return the sheet as PNG bytes."""
        size, head, tallest = self.size_px, self._head, self._tallest
        page = Image.new("RGB", size, PAPER)
        pen = ImageDraw.Draw(page)
        pen.text((GAP, GAP), self.title, INK, font=font(26))
        for number, line in enumerate(self.lines, start=1):
            pen.text((GAP, GAP + number * LINE), _fitted(pen, line, size[0] - 2 * GAP), INK, font=font(18))
        self._strip(pen, head - STRIP, size[0])
        for number, shot in enumerate(self.snapshots):
            left = GAP + number % COLUMNS * (CELL + GAP)
            top = head + number // COLUMNS * (tallest + LINE + GAP)
            page.paste(self._cell(shot), (left, top))
            pen.text((left, top + tallest + 4), self._caption(shot), INK, font=font(18))
        file = io.BytesIO()
        page.save(file, "PNG", optimize=False, compress_level=4)
        return file.getvalue()

    def _strip(self, pen: ImageDraw.ImageDraw, top: int, width: int) -> None:
        """Draw the film's length as a line: where the teacher was seen, others, nobody."""
        if not self.spans:
            return
        length = max(self.spans[-1][1], 0.1)
        per_second = (width - 2 * GAP) / length
        for start, end, who in self.spans:
            left = GAP + start * per_second
            pen.rectangle((left, top, max(left + 2, GAP + end * per_second), top + 8), fill=STRIP_COLOURS[who])
        pen.text((GAP, top + 10), "0:00", INK, font=font(14))
        pen.text((width - GAP, top + 10), clock(int(length)), INK, font=font(14), anchor="ra")

    def _cell(self, shot: Snapshot) -> Image.Image:
        cell = Image.fromarray(shot.pixels)
        known = [box for box, doubt in shot.faces if doubt is not None and doubt <= self.maybe]
        others = [box for box, doubt in shot.faces if doubt is None or doubt > self.maybe]
        others += [box for box in _missed(shot.pixels) if not any(box.meets(other) for other in known)]
        for box in others:
            wide = box.grown(0.25, cell.width, cell.height)
            cell.paste(_unrecognisable(cell.crop(wide)), (wide.left, wide.top))
        pen = ImageDraw.Draw(cell)
        for box, doubt in shot.faces:
            if doubt is not None and doubt <= self.maybe:
                colour = SEEN if doubt <= self.sure else MAYBE
                pen.rectangle(tuple(box), outline=colour, width=3)
                pen.text((box.left + 4, box.bottom + 2), _percent(doubt), colour, font=font(16))
        return cell

    def _caption(self, shot: Snapshot) -> str:
        near = "" if shot.least_doubt > self.maybe else f" {_percent(shot.least_doubt)}"
        return f"{shot.at_s // 60:.0f}:{shot.at_s % 60:04.1f} · {_in_words(CELL_WORDS[self._who(shot)])}{near}"

    def _who(self, shot: Snapshot) -> str:
        if shot.least_doubt <= self.sure:
            return "sure"
        if shot.least_doubt <= self.maybe:
            return "maybe"
        return "others" if shot.faces else "none"


def _percent(doubt: float) -> str:
    """Return how sure one is, never rounded up to all of it."""
    return f"{min(99.9, 100 * (1 - doubt)):.3g} %"


def _in_words(words: tuple[str, str]) -> str:
    """Return the words that this machine's fonts can draw."""
    return _drawable(say(words[0]) if _drawn_in_chinese() else words[1])


def _drawn_in_chinese() -> bool:
    """Whether sentences can be drawn as they are; without a Chinese font a sheet is in English."""
    return chinese_font() is not None or language.get() != "zh"


def _missed(pixels: faces.Image) -> list[faces.Box]:
    """Look once more, for the smaller faces that the search had no use for: from 40 px of the cell's 480."""
    import cv2

    return faces.detect(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype("uint8"), upsample=1)


def _unrecognisable(face: Image.Image) -> Image.Image:
    """Reduce a face to a few patches and blur them: nothing is left to recognise or to sharpen."""
    patches = face.resize((6, 6), Image.Resampling.BOX).resize(face.size, Image.Resampling.NEAREST)
    return patches.filter(ImageFilter.GaussianBlur(max(2, face.width // 12)))


def _fitted(pen: ImageDraw.ImageDraw, line: str, width: int) -> str:
    while pen.textlength(line, font=font(18)) > width and len(line) > 1:
        line = line[:-2] + "…"
    return line


@functools.cache
def chinese_font() -> str | None:
    """Return the path of a font of this machine that truly has Chinese glyphs, or None."""
    return next((path for path in [*_listed_fonts(), *PLACES] if Path(path).exists() and _has_chinese(path)), None)


def _listed_fonts() -> list[str]:
    command = ["fc-list", "--format", "%{file}\n", ":lang=zh-cn"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True, timeout=5)  # noqa: S603 - fixed command, by its usual name
    except (OSError, subprocess.SubprocessError):
        return []
    return sorted(listed.stdout.decode(errors="replace").split("\n")[:-1])


def _has_chinese(path: str) -> bool:
    """Compare a real sign with one that no font has: a box for both means no Chinese."""
    try:
        face = ImageFont.truetype(path, 20)
    except OSError:
        return False
    return bytes(face.getmask("证")) != bytes(face.getmask("\U0010fffe"))


@functools.cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the sheet's font, Pillow's own where there is no Chinese one."""
    data = _chinese_font_bytes()
    return ImageFont.load_default(size) if data is None else ImageFont.truetype(io.BytesIO(data), size)


@functools.cache
def _chinese_font_bytes() -> bytes | None:
    path = chinese_font()
    return None if path is None else Path(path).read_bytes()


def preload() -> None:
    """Find and read the font now: a child that is locked in can't."""
    font(18)


def draw(report: Judged, found: Presence | None, *, sure: float, maybe: float) -> Sheet:
    """Put a report and what was looked at on a sheet; moments in order of time."""
    shots = sorted(found.snapshots, key=lambda shot: shot.at_s) if found else []
    title = _in_words(VERDICT_WORDS[report.verdict])
    over_time = _over_time(report.presence)
    lines = [_facts(report.media), *map(_in_words, over_time)]
    lines += _sentences(report.findings, chinese=_drawn_in_chinese())
    alt_text = _alt_text(report, len(shots), [words[0] for words in over_time])
    spans = tuple((start, end, who) for start, end, who in (report.presence or {}).get("spans", ()))
    return Sheet(title, tuple(map(_drawable, lines)), alt_text, tuple(shots), sure, maybe, spans)


def _over_time(presence: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Say how much of the film was looked at and how much of that shows the teacher."""
    if presence is None:
        return []
    count, here = presence["moments"], presence["with_teacher"]
    if not presence["complete"]:
        looked = say(_("只看了 {count} 个画面（其中 {here} 个有教师），没有看完全片"), count=count, here=here)
        return [(looked, f"{count} moments looked at, {here} with the teacher; not the whole film")]
    away = clock(int(presence["longest_absence_s"]))
    looked = say(_("全片看了 {count} 个画面，{here} 个有教师，最长 {away} 没有见到"), count=count, here=here, away=away)
    return [(looked, f"{count} moments over the whole film, {here} with the teacher, longest absence {away}")]


def _drawable(text: str) -> str:
    """Replace the signs that Pillow's own font would draw as boxes; with a Chinese font there are none."""
    if chinese_font() is not None:
        return text
    return text.replace("×", "x").encode("latin-1", "replace").decode("latin-1")


def _facts(media: Mapping[str, Any]) -> str:
    """List the file's facts in figures and format names, the same in every language."""
    parts = [str(media["format"])]
    if "width" in media:
        parts.append(f"{media['width']}×{media['height']}")
    if "duration_s" in media:
        parts.append(f"{media['duration_s']} s")
    if "fps" in media:
        parts.append(f"{media['fps']} fps")
    if "chars" in media:
        parts.append(f"{media['chars']} chars")
    parts.append(f"{media['size'] / 1e6:.1f} MB")
    return " · ".join(parts)


def _sentences(findings: Sequence[Finding], *, chinese: bool) -> list[str]:
    return [finding.text if chinese else finding.code.replace("_", " ") for finding in findings]


def _alt_text(report: Judged, pictures: int, over_time: Sequence[str]) -> str:
    """Tell the sheet in words, for those who can't see it."""
    parts = [say(VERDICT_WORDS[report.verdict][0])]
    if report.seen:
        times = listed(clock(int(moment["at_s"])) for moment in report.seen)
        parts.append(say(_("在 {times} 处认出教师本人"), times=times))
    elif pictures:
        parts.append(say(_("展示 {count} 个画面"), count=pictures))
    return clauses([*parts, *over_time, *(finding.text for finding in report.findings)])
