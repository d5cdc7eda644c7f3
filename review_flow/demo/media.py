"""Real pictures and video for the demonstration, made on the spot from portraits that come inside packages.

Grace Hopper (matplotlib) and Eileen Collins (scikit-image), both NASA/US Navy works in the public domain,
play teachers: three varied reference photos each, and lesson videos with a still life, a moving camera and
the person visible in chosen spans only. Everything is drawn from a seed: the same call makes the same media.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Pixels = NDArray[np.uint8]
PEOPLE = ("grace", "eileen")
HEADS = {"grace": (90, 20, 430, 360), "eileen": (120, 0, 330, 210)}  # squares of the portraits, in px
FPS = 12
SMALL = (640, 360)  # the demonstration's films: a face is wide enough to be known, and filming takes no minute
WORDS = (  # of two signs each
    "设计活动技术支持学情分析课堂导入讲授总结反馈及时调整教学学生教师小组讨论提问练习板书情境问题评价反思"
    "资源微课平板投影数据图表兴趣探究合作交流展示任务作业复习预习重点难点方法过程能力素养思维表达观察实验"
    "阅读写作运算推理概念规律应用拓展巩固检测个别辅导分层鼓励"
)
SENTENCE = "本节课围绕学习目标设计活动，用技术支持学情分析、课堂导入、讲授与总结，并根据学生反馈及时调整教学。"


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, in seconds, a person is in the picture."""

    start: float
    end: float
    person: str


@functools.cache
def portrait(person: str) -> Image.Image:
    """Return the portrait of "grace" or "eileen"; KeyError for anybody else."""
    return {"grace": _grace, "eileen": _eileen}[person]()


def _grace() -> Image.Image:
    from matplotlib import cbook

    return Image.open(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))).convert("RGB")


def _eileen() -> Image.Image:
    from skimage import data

    return Image.fromarray(data.astronaut())  # type: ignore[no-untyped-call]  # scikit-image has no types


def reference_photos(person: str, folder: Path) -> list[Path]:
    """Write three photos of a person that differ in crop, light and angle; returns their paths."""
    whole = portrait(person)
    head = whole.crop(HEADS[person]).resize((640, 640), Image.Resampling.LANCZOS)
    variants = (
        head,
        ImageEnhance.Brightness(ImageOps.mirror(head.crop((40, 0, 640, 600)))).enhance(0.82),
        ImageEnhance.Contrast(head.rotate(5, Image.Resampling.BICUBIC, fillcolor=(120, 120, 120))).enhance(1.15),
    )
    paths = [folder / f"{person}-{number}.jpg" for number in range(1, len(variants) + 1)]
    for path, variant in zip(paths, variants, strict=True):
        variant.save(path, quality=90)
    return paths


@functools.cache
def _still_life(width: int, height: int) -> Image.Image:
    """Paint a classroom wall, larger than the picture so that a camera can wander over it."""
    chance = np.random.default_rng(7)
    wide, high = round(width * 1.25), round(height * 1.25)
    slope = np.linspace(150, 215, wide, dtype=np.float64)[None, :, None]
    wall = np.clip(slope * np.array([1.0, 0.97, 0.9]) + chance.normal(0, 3, (high, wide, 3)), 0, 255)
    picture = Image.fromarray(wall.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((wide * 0.08, high * 0.12, wide * 0.55, high * 0.6), "#1f4d3a", "#7a5230", 8)
    for number in range(5):
        top = high * (0.2 + 0.07 * number)
        pen.line((wide * 0.12, top, wide * (0.3 + 0.04 * number), top), "#e8efe8", 3)
    for number in range(6):
        left = wide * (0.05 + 0.15 * number)
        pen.rectangle((left, high * 0.78, left + wide * 0.1, high * 0.95), "#8a6239", "#5b3d20", 3)
    return picture


def _frames(size: tuple[int, int], seconds: float, spans: Sequence[Span], way: float = 0) -> Iterator[Pixels]:
    width, height = size
    background = _still_life(width, height)
    room = (background.width - width, background.height - height)
    stands = {span.person: _standing(span.person, height) for span in spans}
    for number in range(round(seconds * FPS)):
        now = number / FPS
        left = round(room[0] * (0.5 + 0.5 * np.sin(now / 5 + way)))
        top = round(room[1] * (0.5 + 0.5 * np.cos(now / 7 + way)))
        picture = background.crop((left, top, left + width, top + height))
        for span in spans:
            if span.start <= now < span.end:
                figure = stands[span.person]
                step = round(width * 0.06 * np.sin(now / 2))
                picture.paste(figure, (width - figure.width - round(width * 0.1) + step, height - figure.height))
        yield np.asarray(picture)


def _standing(person: str, height: int) -> Image.Image:
    whole = portrait(person)
    high = round(height * 0.9)
    return whole.resize((round(whole.width * high / whole.height), high), Image.Resampling.LANCZOS)


def lesson_video(
    path: Path, *, seconds: float = 24, spans: Sequence[Span] = (), size: tuple[int, int] = (960, 540), way: float = 0
) -> Path:
    """Render a silent H.264 MP4, a keyframe each second, its index in front; returns the path.

    `way` is where the wandering camera starts: recordings of one way are the same recording but for the people.
    """
    import av

    options = {"g": str(FPS), "preset": "ultrafast", "crf": "24"}
    with av.open(path, "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
        for pixels in _frames(size, seconds, spans, way):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def lesson_photo(path: Path, *, person: str | None = None, size: tuple[int, int] = (1280, 720)) -> Path:
    """Write one photo of the classroom, with a person or without; returns the path."""
    spans = [] if person is None else [Span(0, 1, person)]
    Image.fromarray(next(_frames(size, 1, spans))).save(path, quality=90)
    return path


def cut_off(source: Path, path: Path, *, share: float = 0.5) -> Path:
    """Write the first part of a file, as an upload that broke off leaves it; returns the path."""
    data = source.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path


def essay(chars: int, *, topic: str = "") -> str:
    """Return paragraphs of exactly `chars` characters (Word's 字数), the topic first: each topic has its own text."""
    text = topic + (_own_words(topic, chars) if topic else SENTENCE * (chars // len(SENTENCE) + 1))
    cut = text[: max(0, chars - 1)] + "。"
    return "\n".join(cut[start : start + 200] for start in range(0, len(cut), 200))


def _own_words(topic: str, count: int) -> str:
    """Return `count` words in an order of the topic's own, so that no two texts of the demonstration are copies."""
    chance = random.Random(topic)  # noqa: S311 - the same text each time, and no secret
    starts = (2 * chance.randrange(len(WORDS) // 2) for _word in range(count))
    return "".join(WORDS[at : at + 2] + "，" * (number % 4 == 3) for number, at in enumerate(starts))  # noqa: PLR2004 - a mark after four words


def docx(path: Path, text: str, *, title: str = "教学设计") -> Path:
    """Write a Word document; its title is a property, so the body is the text and no more; returns the path."""
    import docx as word

    document = word.Document()
    document.core_properties.title = title
    document.core_properties.author = ""
    for paragraph in text.split("\n"):
        document.add_paragraph(paragraph)
    document.save(str(path))
    return path


def txt(path: Path, text: str) -> Path:
    """Write a plain text file in UTF-8; returns the path."""
    path.write_text(text, encoding="utf-8")
    return path


def pdf(path: Path, text: str) -> Path:
    """Write a one-page PDF whose Chinese text can be read back (a standard CJK font by name, nothing embedded)."""
    lines = text.split("\n")
    shown = b" ".join(b"<" + line.encode("utf-16-be").hex().encode() + b"> Tj T*" for line in lines)
    stream = b"BT /F1 9 Tf 12 TL 40 800 Td " + shown + b" ET"
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 1900 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts[6 0 R]>>",
        b"<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/DW 1000/FontDescriptor 7 0 R"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>>>",
        b"<</Type/FontDescriptor/FontName/STSong-Light/Flags 6/FontBBox[-25 -254 1000 880]/ItalicAngle 0"
        b"/Ascent 880/Descent -120/CapHeight 880/StemV 93>>",
    ]
    out, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, part in enumerate(parts, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    tail = (len(parts) + 1, table, len(parts) + 1, len(out))
    out += b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % tail
    path.write_bytes(bytes(out))
    return path


@dataclass(frozen=True, slots=True)
class Set:
    """All media of a demonstration, by what they are for."""

    references: dict[str, list[Path]]
    lessons: dict[str, Path]
    someone_else: Path
    nobody: Path
    broken: Path
    photo: Path
    documents: list[Path]


def make_all(folder: Path) -> Set:
    """Make the whole demonstration's media in a folder (about 3 s of CPU); `lessons` by person."""
    folder.mkdir(parents=True, exist_ok=True)
    grace = [Span(4, 10, "grace"), Span(15, 21, "grace")]
    eileen = [Span(2, 12, "eileen"), Span(18, 23, "eileen")]
    lessons = {
        "grace": lesson_video(folder / "grace-lesson.mp4", spans=grace, size=SMALL),
        "eileen": lesson_video(folder / "eileen-lesson.mp4", spans=eileen, size=SMALL, way=1),
    }
    return Set(
        references={person: reference_photos(person, folder) for person in PEOPLE},
        lessons=lessons,
        someone_else=lesson_video(folder / "substitute-lesson.mp4", spans=[Span(3, 18, "eileen")], size=SMALL, way=2),
        nobody=lesson_video(folder / "slides-only.mp4", seconds=20, size=SMALL, way=3),
        broken=cut_off(lessons["grace"], folder / "broken-upload.mp4"),
        photo=lesson_photo(folder / "grace-classroom.jpg", person="grace"),
        documents=[
            docx(folder / "lesson-design.docx", essay(900, topic="教学设计。")),
            pdf(folder / "report.pdf", essay(850, topic="学情分析报告。")),
            txt(folder / "reflection.txt", essay(820, topic="教学反思。")),
        ],
    )
