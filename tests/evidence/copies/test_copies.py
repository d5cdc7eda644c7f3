"""Copies as people make them: each transformation is made here, and the copy is found; what is another's is not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from review_flow.demo import media
from review_flow.evidence import copies, documents, video
from review_flow.evidence.copies import films, pictures, sounds, texts
from review_flow.evidence.copies.prints import overlap
from review_flow.evidence.limits import Limits
from review_flow.evidence.sandbox import Sandbox
from review_flow.rules.words import CopyKind

if TYPE_CHECKING:
    from collections.abc import Callable

RATE = 16000


def scene(seed: int, wide: int = 640, high: int = 480) -> Image.Image:
    """A picture full of things, another for each seed."""
    chance = np.random.default_rng(seed)
    picture = Image.new("RGB", (wide, high), tuple(int(part) for part in chance.integers(90, 220, 3)))
    pen = ImageDraw.Draw(picture)
    for number in range(60):
        left, top = int(chance.integers(0, wide)), int(chance.integers(0, high))
        box = (left, top, left + int(chance.integers(8, wide // 4)), top + int(chance.integers(8, high // 4)))
        colour = tuple(int(part) for part in chance.integers(0, 255, 3))
        (pen.ellipse if number % 2 else pen.rectangle)(
            box, fill=colour if number % 3 else None, outline=colour, width=3
        )
    return picture


def cut(picture: Image.Image, share: float, right: float = 0.5, down: float = 0.5) -> Image.Image:
    """A part of both sides, from somewhere in the picture."""
    wide, high = (round(edge * share) for edge in picture.size)
    left, top = round((picture.width - wide) * right), round((picture.height - high) * down)
    return picture.crop((left, top, left + wide, top + high))


def logo(picture: Image.Image) -> Image.Image:
    marked = picture.copy()
    wide, high = marked.size
    ImageDraw.Draw(marked).rectangle((wide * 0.78, high * 0.04, wide * 0.97, high * 0.16), "#c01818", "white", 3)
    return marked


def half(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "the same": lambda one: one,
    "half the size": half,
    "cropped to a corner": lambda one: cut(one, 0.9, 0, 0),
    "cropped off the middle": lambda one: cut(one, 0.9, 0.7, 0.3),
    "a logo": logo,
    "lighter": lambda one: ImageEnhance.Brightness(one).enhance(1.15),
    "darker": lambda one: ImageEnhance.Brightness(one).enhance(0.85),
    "all at once": lambda one: logo(cut(one, 0.9, 1, 0)),
}


def photo(path: Path, picture: Image.Image, quality: int = 60) -> Path:
    picture.save(path, quality=quality)
    return path


@pytest.mark.parametrize("change", CHANGES)
def test_a_photo_changed_is_found_and_both_places_shown(tmp_path: Path, change: str) -> None:
    (mine,) = pictures.fingerprint(photo(tmp_path / "mine.jpg", CHANGES[change](scene(1))))
    (theirs,) = pictures.fingerprint(photo(tmp_path / "theirs.jpg", scene(1), 95))
    assert sum(a == b for a, b in zip(mine.keys, theirs.keys, strict=True)) >= 2
    match = pictures.compare(mine.data, theirs.data)
    assert match is not None
    assert match.score >= 0.5
    (here,), (there,) = match.here, match.there
    assert all(0 <= edge <= 640 for edge in (*here["box"], *there["box"]))
    back = pictures.compare(theirs.data, mine.data)
    assert back is not None
    assert back.score >= 0.5


def test_other_photos_and_a_common_logo_are_no_copies(tmp_path: Path) -> None:
    stamp = scene(99, 90, 60)
    prints = []
    for seed in range(6):
        picture = scene(seed)
        picture.paste(stamp, (540, 410))
        prints += pictures.fingerprint(photo(tmp_path / f"{seed}.jpg", picture))
    pairs = [(one, other) for at, one in enumerate(prints) for other in prints[:at]]
    assert [pictures.compare(one.data, other.data) for one, other in pairs] == [None] * 15


def test_a_picture_that_shows_nothing_has_no_print(tmp_path: Path) -> None:
    assert copies.fingerprint(photo(tmp_path / "grey.jpg", Image.new("RGB", (400, 300), "#808080"))) == []
    (tmp_path / "none.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert copies.fingerprint(tmp_path / "none.jpg") == []
    assert pictures.details(np.zeros((60, 80), np.uint8))[1].tolist() == []


class Lesson:
    """A lesson filmed by a camera that stands still: two people walk, slides change, somebody speaks."""

    def __init__(self, seed: int, *, room: int = 1, seconds: int = 24) -> None:
        chance = np.random.default_rng(seed)
        self.seconds, self.wall = seconds, scene(room, 320, 180)
        self.ways = chance.uniform(0.1, 0.9, (2, seconds // 2 + 4))
        self.slides = [scene(1000 * seed + number, 80, 45) for number in range(seconds // 8 + 2)]
        self.voice = speech(chance, seconds)

    def at(self, now: float) -> Image.Image:
        picture = self.wall.copy()
        picture.paste(self.slides[int(now // 8)], (200, 15))
        pen = ImageDraw.Draw(picture)
        for way, colour in zip(self.ways, ("#802020", "#1c6e28"), strict=True):
            step, part = int(now // 2), min(1.0, now % 2)
            left = (way[step] * (1 - part) + way[step + 1] * part) * 280
            pen.ellipse((left, 70, left + 30, 175), colour, "#202020", 2)
        return picture

    def film(
        self,
        path: Path,
        *,
        change: Callable[[Image.Image], Image.Image] = lambda one: one,
        speed: float = 1.0,
        start: float = 0.0,
        end: float | None = None,
        keys: int = 10,
        crf: int = 26,
        size: tuple[int, int] = (320, 180),
        sound: bool = True,
    ) -> Path:
        end = end or float(self.seconds)
        with av.open(path, "w") as container:
            stream = container.add_stream(
                "libx264", rate=Fraction(10), options={"g": str(keys), "crf": str(crf), "preset": "ultrafast"}
            )
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            track = container.add_stream("aac", rate=RATE) if sound else None
            for number in range(int((end - start) / speed * 10)):
                pixels = np.asarray(change(self.at(start + number / 10 * speed)).resize(size))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
            if track is not None:
                encode(container, track, self.voice[int(start * RATE) : int(end * RATE)])
        return path


def speech(chance: np.random.Generator, seconds: int) -> np.ndarray:
    """Syllables of changing pitch and colour, with pauses."""
    sound, at = 0.01 * chance.standard_normal(seconds * RATE), 0
    while at < len(sound) - RATE:
        length = int(chance.uniform(0.08, 0.3) * RATE)
        time, pitch, colour = np.arange(length) / RATE, chance.uniform(120, 260), chance.uniform(300, 1800)
        tones = [
            np.sin(2 * np.pi * pitch * n * time) * np.exp(-(((pitch * n - colour) / 400) ** 2)) for n in range(1, 14)
        ]
        sound[at : at + length] += np.sum(tones, axis=0) * np.hanning(length) * chance.uniform(0.3, 1)
        at += length + int(chance.uniform(0, 0.2) * RATE)
    return (sound / np.abs(sound).max() * 20000).astype(np.int16)


def encode(container, track, samples: np.ndarray) -> None:
    for at in range(0, len(samples) - 1024, 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, at
        container.mux(track.encode(frame))
    container.mux(track.encode())


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return Lesson(5)


@pytest.fixture(scope="module")
def original(lesson: Lesson, tmp_path_factory: pytest.TempPathFactory) -> dict[CopyKind, copies.Print]:
    path = lesson.film(tmp_path_factory.mktemp("films") / "original.mp4")
    return {one.kind: one for one in copies.fingerprint(path)}


COPIES = {
    "encoded anew, a keyframe every 25 s": {"keys": 250, "crf": 34},
    "smaller": {"size": (240, 136), "keys": 40},
    "cropped": {"change": lambda one: cut(one, 0.9, 0, 1), "keys": 40},
    "a logo": {"change": logo, "keys": 40},
    "faster": {"speed": 1.05, "keys": 40, "sound": False},
    "slower": {"speed": 0.95, "keys": 40, "sound": False},
    "ends cut off": {"start": 4.3, "end": 20.0, "keys": 40},
    "all at once": {
        "change": lambda one: logo(cut(one, 0.9, 1, 0)),
        "speed": 1.04,
        "start": 3.0,
        "keys": 40,
        "sound": False,
    },
}


FEW = {"encoded anew, a keyframe every 25 s", "all at once"}


@pytest.mark.parametrize("change", [one if one in FEW else pytest.param(one, marks=pytest.mark.slow) for one in COPIES])
def test_a_film_changed_is_found_with_its_stretch_on_both_sides(
    lesson: Lesson, original: dict[CopyKind, copies.Print], tmp_path: Path, change: str
) -> None:
    made = COPIES[change]
    found = copies.fingerprint(lesson.film(tmp_path / "copy.mp4", **made))
    matches = {one.kind: one for one in copies.compare(found, original.values())}
    (here,), (there,) = matches[CopyKind.VIDEO].here, matches[CopyKind.VIDEO].there
    assert matches[CopyKind.VIDEO].score >= 0.8
    speed, start = made.get("speed", 1.0), made.get("start", 0.0)
    assert there["from_s"] == pytest.approx(here["from_s"] * speed + start, abs=1.5)
    assert there["to_s"] == pytest.approx(here["to_s"] * speed + start, abs=1.5)
    assert (CopyKind.AUDIO in matches) == made.get("sound", True)
    if CopyKind.AUDIO in matches:
        (here,), (there,) = matches[CopyKind.AUDIO].here, matches[CopyKind.AUDIO].there
        assert there["from_s"] == pytest.approx(here["from_s"] + start, abs=0.3)
        assert matches[CopyKind.AUDIO].score >= 0.9


def test_another_lesson_in_the_same_room_is_no_copy(original: dict[CopyKind, copies.Print], tmp_path: Path) -> None:
    other = copies.fingerprint(Lesson(6).film(tmp_path / "other.mp4"))
    assert [one.kind for one in other] == [CopyKind.VIDEO, CopyKind.AUDIO]
    assert copies.compare(other, original.values()) == []


def test_black_bars_are_not_looked_at(tmp_path: Path, lesson: Lesson, original: dict[CopyKind, copies.Print]) -> None:
    def barred(picture: Image.Image) -> Image.Image:
        wide = Image.new("RGB", (320, 240))
        wide.paste(picture, (0, 30))
        return wide

    path = lesson.film(tmp_path / "bars.mp4", change=barred, size=(320, 240), sound=False)
    (match,) = copies.compare(copies.fingerprint(path), original.values())
    assert (match.kind, match.score) == (CopyKind.VIDEO, 1.0)


def test_a_film_of_which_there_is_little_has_no_print(tmp_path: Path) -> None:
    still = Lesson(1, seconds=1)
    path = still.film(tmp_path / "short.mp4", sound=False)
    assert films.fingerprint(path, video.survey(path)) == []
    assert copies.fingerprint(path) == []
    grey = Lesson(1, seconds=6).film(
        tmp_path / "grey.mp4", change=lambda one: Image.new("RGB", one.size, "#808080"), sound=False
    )
    assert copies.fingerprint(grey) == []


def test_films_that_stand_still_follow_no_course(tmp_path: Path) -> None:
    paths = [
        Lesson(1, seconds=6).film(tmp_path / f"{n}.mp4", change=lambda _one: scene(3), sound=False) for n in (1, 2)
    ]
    one, other = (copies.fingerprint(path) for path in paths)
    assert copies.compare(one, other) == []


def test_silence_has_no_print_and_a_strangers_voice_no_match(tmp_path: Path) -> None:
    assert sounds.sound_codes(np.zeros(100, np.float32)).tolist() == []
    quiet = sounds.sound_codes(np.zeros(RATE * 4, np.float32))
    assert set(quiet.tolist()) == {0}
    one, other = (
        sounds.sound_codes((speech(np.random.default_rng(seed), 20)[::2] / 32768).astype(np.float32)) for seed in (1, 2)
    )
    assert sounds.compare(sounds.packed(codes=one), sounds.packed(codes=other)) is None
    assert sounds.compare(sounds.packed(codes=quiet), sounds.packed(codes=one)) is None


def text_of(length: int, topic: str) -> str:
    return media.essay(length, topic=topic)


def prints(text: str, *, paged: bool = False) -> list[copies.Print]:
    return texts.fingerprint(text, paged=paged)


def test_paragraphs_in_another_order_with_other_marks_and_widths_are_found() -> None:
    paragraphs = [text_of(150, topic) for topic in ("甲一", "乙二", "丙三", "丁四")]
    (one,) = prints("\n".join(paragraphs))
    turned = "\n\n".join(paragraphs[::-1]).replace("，", " , ").replace("。", "．\n")
    (other,) = prints(turned)
    assert overlap(one.keys, other.keys) > 0.8
    match = texts.compare(one.data, other.data)
    assert match is not None
    assert match.score >= 0.95
    assert [place["quote"] for place in match.here] == [place["quote"] for place in match.there]
    assert [place["start"] for place in match.here] == sorted(place["start"] for place in match.here)


def test_a_quarter_of_a_text_is_enough_and_a_phrase_is_not() -> None:
    mine, theirs = text_of(600, "甲"), text_of(600, "乙")
    (one,) = prints(mine)
    (part,) = prints(theirs[:400] + mine[:220])
    found = texts.compare(one.data, part.data)
    assert found is not None
    assert 0.25 <= found.score <= 0.5
    (phrase,) = prints(theirs + mine[:30])
    assert texts.compare(one.data, phrase.data) is None
    (stranger,) = prints(theirs)
    assert texts.compare(one.data, stranger.data) is None


def test_a_long_passage_counts_however_long_both_texts_are() -> None:
    common = text_of(400, "共")
    (one,), (other,) = prints(text_of(3000, "长") + common), prints(common + text_of(3000, "短"))
    match = texts.compare(one.data, other.data)
    assert match is not None
    assert match.score < 0.25


def test_places_of_a_text_are_pages_or_paragraphs(tmp_path: Path) -> None:
    body = text_of(200, "页")
    (paged,) = prints("封面\f" + body, paged=True)
    (plain,) = prints("标题\n" + body)
    match = texts.compare(paged.data, plain.data)
    assert match is not None
    assert (match.here[0]["page"], match.there[0]["paragraph"]) == (2, 2)
    assert prints("只有几个字。") == []


def test_every_document_a_school_sends_gives_one_print(box: Sandbox, tmp_path: Path) -> None:
    text = text_of(300, "文")
    files = [
        media.docx(tmp_path / "a.docx", text),
        media.pdf(tmp_path / "a.pdf", text),
        media.txt(tmp_path / "a.txt", text),
    ]
    found = [box.fingerprint(path) for path in files]
    assert [[one.kind for one in prints] for prints in found] == [[CopyKind.TEXT]] * 3
    for one in found[1:]:
        (match,) = copies.compare(found[0], one)
        assert match.score == 1.0


def test_half_the_address_space_is_enough_for_a_fingerprint(tmp_path: Path) -> None:
    with Sandbox(limits=Limits(memory_bytes=1_000_000_000)) as small:
        found = small.fingerprint(photo(tmp_path / "photo.jpg", scene(1)))
    assert [one.kind for one in found] == [CopyKind.IMAGE]


def test_a_documents_own_words_on_its_making(tmp_path: Path) -> None:
    import docx

    path = tmp_path / "a.docx"
    document = docx.Document()
    document.core_properties.author, document.core_properties.last_modified_by = "王芳", "李伟"
    document.save(str(path))
    told = documents.properties(path, "docx")
    assert (told["author"], told["last_editor"]) == ("王芳", "李伟")
    assert {"created", "modified", "application"} <= told.keys()
    assert documents.properties(media.pdf(tmp_path / "a.pdf", "甲"), "pdf") == {}
    assert documents.properties(media.txt(tmp_path / "a.txt", "甲"), "txt") == {}
