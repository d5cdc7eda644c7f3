"""Bars, drawn once as boxes and words and written as SVG or PNG; PNG needs a font that has Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONTS = (
    "NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf", "wqy-microhei.ttc",
    "wqy-zenhei.ttc", "msyh.ttc", "simhei.ttf", "PingFang.ttc", "STHeiti Light.ttc", "DroidSansFallbackFull.ttf",
)  # fmt: skip
FAMILIES = "Noto Sans CJK SC, Source Han Sans SC, Microsoft YaHei, PingFang SC, WenQuanYi Micro Hei, sans-serif"
WIDTH, LABEL, BAR, GAP, TITLE, SIZE = 760, 250, 22, 8, 40, 15
INK, BLUE, PAPER = "#222222", "#3b6ea5", "#ffffff"
SCALE = 2  # pixels of the PNG for each unit


class NoFont(OSError):  # noqa: N818 - an answer about the machine
    """No font with Chinese was found."""


@dataclass(frozen=True)
class Word:
    """Some text; `right`: it ends at x."""

    x: int
    y: int
    text: str
    size: int = SIZE
    right: bool = False


@dataclass(frozen=True)
class Box:
    """A filled box."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Drawing:
    """Boxes and words on a page."""

    height: int
    boxes: tuple[Box, ...]
    words: tuple[Word, ...]


def bars(charts: Mapping[str, Mapping[str, int]]) -> Drawing:
    """Return one chart below the other: title → label → count; a chart without bars is left out."""
    boxes, words, y = list[Box](), list[Word](), 0
    room = WIDTH - LABEL - 90
    for title, counts in charts.items():
        if not counts:
            continue
        words.append(Word(12, y + 12, title, SIZE + 3))
        y += TITLE
        most = max(1, *counts.values())
        for label, count in counts.items():
            boxes += [Box(LABEL, y, round(room * count / most), BAR)] if count else []
            words.append(Word(LABEL - 8, y + 2, label if len(label) <= SIZE else f"{label[: SIZE - 1]}…", right=True))
            words.append(Word(LABEL + round(room * count / most) + 6, y + 2, str(count)))
            y += BAR + GAP
        y += GAP
    return Drawing(max(y, TITLE), tuple(boxes), tuple(words))


def svg(drawing: Drawing) -> str:
    """Return the drawing as SVG; the reader's own fonts show the words."""
    boxes = [
        f'<rect x="{one.x}" y="{one.y}" width="{one.width}" height="{one.height}" fill="{BLUE}"/>'
        for one in drawing.boxes
    ]
    words = [
        f'<text x="{one.x}" y="{one.y + one.size}" font-size="{one.size}" text-anchor="{"end" if one.right else "start"}">'
        f"{escape(one.text)}</text>"
        for one in drawing.words
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {drawing.height}" font-family="{FAMILIES}" fill="{INK}">'
    return "\n".join(
        [head, f'<rect width="{WIDTH}" height="{drawing.height}" fill="{PAPER}"/>', *boxes, *words, "</svg>", ""]
    )


def png(drawing: Drawing, *, font: Path | None = None) -> bytes:
    """Return the drawing as PNG, its words set in `font` or in the first Chinese one of this machine; NoFont if none."""
    page = Image.new("RGB", (WIDTH * SCALE, drawing.height * SCALE), PAPER)
    pen = ImageDraw.Draw(page)
    for box in drawing.boxes:
        corners = (box.x, box.y, box.x + box.width, box.y + box.height)
        pen.rectangle([SCALE * place for place in corners], fill=BLUE)
    for word in drawing.words:
        place = (SCALE * word.x, SCALE * word.y)
        pen.text(place, word.text, fill=INK, font=_font(font, SCALE * word.size), anchor="ra" if word.right else "la")
    out = BytesIO()
    page.save(out, "PNG")
    return out.getvalue()


def _font(wanted: Path | None, size: int) -> ImageFont.FreeTypeFont:
    for name in FONTS if wanted is None else (str(wanted),):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    raise NoFont
