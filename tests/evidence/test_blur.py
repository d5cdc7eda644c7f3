"""Covered faces are found and recognised by nobody, the teacher's is; a face missed at a moment stays covered."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from review_flow.cli import app
from review_flow.demo import media
from review_flow.evidence import blur, faces, glance, video
from review_flow.evidence.blur import Blurred, Plan
from review_flow.evidence.faces import Box
from review_flow.evidence.likeness import CONFIDENCE, Template, calibration, probability
from review_flow.evidence.tracks import Sighting, Track

if TYPE_CHECKING:
    from pathlib import Path

    from review_flow.evidence.faces import Encoding
    from review_flow.evidence.sandbox import Sandbox

WIDTH, HEIGHT, FPS, SECONDS = 960, 540, 6, 3
PLACES = {"grace": 60, "eileen": 540}  # px from the left


def lesson(moved: int = 0, people: tuple[str, ...] = ("grace", "eileen")) -> Image.Image:
    """Return a picture of a wall with both people before it."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    wall = np.stack([90 + rows // 9, 110 + columns // 20, 130 - rows // 9], axis=2).astype(np.uint8)
    picture = Image.fromarray(wall)
    for who in people:
        head = media.portrait(who).crop(media.HEADS[who]).resize((330, 330))
        picture.paste(head, (PLACES[who] + moved, 120))
    return picture


@pytest.fixture(scope="module")
def film(folder: Path) -> Path:
    """Write a film of both people with a tone, and a place name in its metadata."""
    path = folder / "both.mov"
    with av.open(path, "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata["location"] = "+30.5+114.3/"
        pictures: Any = container.add_stream("libx264", rate=FPS, options={"g": "6", "preset": "ultrafast"})
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound: Any = container.add_stream("aac", rate=44_100, layout="mono")
        for number in range(FPS * SECONDS):
            frame = av.VideoFrame.from_image(lesson(number))
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        tone = np.sin(np.arange(44_100 * SECONDS) * 440 * 2 * np.pi / 44_100).astype(np.float32)
        for start in range(0, tone.size, 1024):
            piece = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
            piece.rate, piece.pts, piece.time_base = 44_100, start, Fraction(1, 44_100)
            container.mux(sound.encode(piece))
        container.mux(sound.encode())
    return path


def recognised(pixels: Any, references: list[Encoding], whose: str) -> bool:
    """Whether the recogniser finds a face where that person stands, and takes it for the person of the references."""
    half = slice(0, WIDTH // 2) if whose == "grace" else slice(WIDTH // 2, WIDTH)
    there = np.ascontiguousarray(pixels[:, half])
    template = Template(references, calibration())
    return any(
        probability(template.log_odds(faces.encode(there, box))) >= CONFIDENCE
        for box in faces.detect(there, upsample=1)
    )


def found(pixels: Any, whose: str) -> list[Box]:
    """Return the faces found where that person stands."""
    half = slice(0, WIDTH // 2) if whose == "grace" else slice(WIDTH // 2, WIDTH)
    return faces.detect(np.ascontiguousarray(pixels[:, half]))


def pictures(path: Path) -> list[Any]:
    """Return every picture of a film in RGB."""
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_everybody_but_the_teacher_is_covered_in_every_picture(
    box: Sandbox, film: Path, grace: list[Encoding], tmp_path: Path
) -> None:
    told: list[int] = []
    made = box.blur(film, tmp_path / "out.mp4", references=grace, told=told.append)
    shown = pictures(tmp_path / "out.mp4")
    assert (made.made, made.pictures, made.covered, len(shown)) == ("film", FPS * SECONDS, FPS * SECONDS, FPS * SECONDS)
    assert [found(one, "eileen") for one in shown[::3]] == [[]] * len(shown[::3])
    middle = shown[len(shown) // 2]
    assert recognised(middle, grace, "grace")
    assert made.teacher >= len(shown) // 2
    assert told == sorted(told)
    assert told[0] < 50 < told[-1] <= 99
    assert made.sentences[-1].startswith("机器不能保证遮全")


def test_the_sound_stays_and_the_place_goes(box: Sandbox, film: Path, tmp_path: Path) -> None:
    made = box.blur(film, tmp_path / "out.mp4")
    assert (made.made, made.teacher, made.notes) == ("film", 0, ())
    with av.open(tmp_path / "out.mp4") as copy:
        assert [(one.type, one.codec_context.name) for one in copy.streams] == [("video", "h264"), ("audio", "aac")]
        assert "location" not in copy.metadata
        loudness = [np.abs(frame.to_ndarray()).max() for frame in copy.decode(audio=0)]
    assert max(loudness) > 0.5
    assert [found(one, who) for one in pictures(tmp_path / "out.mp4")[::6] for who in PLACES] == [[]] * 2 * SECONDS


def test_a_photo_is_covered_without_metadata(box: Sandbox, grace: list[Encoding], tmp_path: Path) -> None:
    photo = tmp_path / "lesson.jpg"
    exif = Image.Exif()
    exif[0x010F] = "phone"
    lesson().save(photo, quality=95, exif=exif)
    made = box.blur(photo, tmp_path / "out.jpg", references=grace)
    with Image.open(tmp_path / "out.jpg") as shown:
        assert (shown.format, dict(shown.getexif())) == ("JPEG", {})
        pixels = np.asarray(shown.convert("RGB"))
    assert (made.made, made.teacher, made.covered, made.faces) == ("photo", 1, 1, 1)
    assert (recognised(pixels, grace, "grace"), found(pixels, "eileen")) == (True, [])
    nobody = box.blur(photo, tmp_path / "all.png")
    assert (nobody.teacher, nobody.covered, nobody.faces) == (0, 1, 2)
    with Image.open(tmp_path / "all.png") as shown:
        assert (shown.format, dict(shown.getexif())) == ("PNG", {})
        pixels = np.asarray(shown)
    assert (found(pixels, "grace"), found(pixels, "eileen")) == ([], [])


def test_what_cannot_be_covered_says_why_and_leaves_no_file(box: Sandbox, film: Path, tmp_path: Path) -> None:
    broken, text = tmp_path / "broken.jpg", tmp_path / "plan.txt"
    broken.write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    text.write_text("教学设计" * 50, encoding="utf-8")
    said = {
        path: box.blur(path, tmp_path / name).findings[0].code
        for path, name in ((broken, "a.jpg"), (text, "b.mp4"), (film, "c.jpg"), (tmp_path / "gone.mp4", "d.mp4"))
    }
    assert said == {
        broken: "broken_picture",
        text: "not_pictured",
        film: "wrong_form",
        tmp_path / "gone.mp4": "file_missing",
    }
    assert [one.name for one in sorted(tmp_path.iterdir())] == ["broken.jpg", "plan.txt"]


def track(*moments: tuple[float, float | None], at: int = 100) -> Track:
    """Return a track of one place with the probability of each moment."""
    patch = np.zeros(0, dtype=np.float32)
    return Track([Sighting(-1, s, Box(at, 100, at + 80, 180), patch, None if p is None else 1 - p) for s, p in moments])


def plan(*tracks: Track, looked: list[float] | None = None) -> Plan:
    """Return the plan of a film of 10 s that was looked at throughout."""
    return Plan(1000, 500, tracks, looked or [n / 4 for n in range(41)])


def boxes(made: Plan, at_s: float) -> list[Box]:
    """Return what is covered at a moment."""
    return [one for _track, one in made.covered(at_s)[0]]


def test_a_face_missed_for_a_moment_stays_where_the_line_leads() -> None:
    moving = track((2.0, None))
    moving.sightings.append(Sighting(-1, 3.0, Box(200, 100, 280, 180), moving.sightings[0].patch))
    assert boxes(plan(moving), 2.5) == [Box(110, 60, 270, 220)]  # half way, half a face wider on each side


def test_a_face_is_held_before_and_after_and_no_longer() -> None:
    made = plan(track((3.0, None), (4.0, None)))
    held = [Box(20, 20, 260, 260)]
    assert [boxes(made, at_s) for at_s in (1.9, 2.0, 2.9, 4.9, 5.0, 5.1)] == [[], held, held, held, held, []]


def test_only_between_two_sure_comparisons_is_the_teacher_left_alone() -> None:
    made = plan(track((1.0, None), (2.0, 0.999), (2.5, None), (3.0, 0.995), (4.0, 0.3), (5.0, 0.999), (5.5, None)))
    bared = [at_s for at_s in (1.5, 2.0, 2.5, 3.0, 3.5, 4.5, 5.0, 5.25, 6.0) if made.covered(at_s) == ([], True)]
    assert bared == [2.0, 2.5, 3.0]


def test_the_last_comparison_is_bared_too_and_doubts_are_not() -> None:
    assert [made.covered(2.0)[1] for made in (plan(track((1.0, 0.999), (2.0, 0.999))), plan(track((2.0, 0.999))))] == [
        True,
        False,
    ]
    assert plan(track((1.0, 0.98), (2.0, 0.98))).covered(1.5)[1] is False  # likely, but not sure together
    assert plan(track((1.0, 0.999), (4.0, 0.999))).covered(2.0)[1] is False  # too far apart to be one person


def test_somebody_before_the_teacher_is_covered() -> None:
    made = plan(track((1.0, 0.999), (2.0, 0.999)), track((1.0, 0.001), (2.0, None), at=120))
    assert (boxes(made, 1.5), made.covered(1.5)[1]) == ([Box(80, 60, 240, 220)], True)


def test_what_was_never_looked_at_is_covered_whole() -> None:
    made = plan(looked=[0.0, 1.0, 9.0])
    whole = [Box(0, 0, 1000, 500)]
    assert [boxes(made, at_s) for at_s in (0.5, 2.0, 2.1, 7.9, 8.0, 10.1)] == [[], [], whole, whole, [], whole]


def test_a_veil_leaves_few_flat_colours() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    before = pixels.copy()
    blur.veil(pixels, Box(10, 20, 70, 80))
    inside = pixels[20:80, 10:70]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= blur.CELLS**2
    assert sorted({int(value) % blur.COARSE for value in inside.ravel()} - {255 % blur.COARSE}) == [0]
    pixels[20:80, 10:70] = before[20:80, 10:70]
    assert (pixels == before).all()
    blur.veil(pixels, Box(200, 20, 220, 80))  # outside of the picture
    assert (pixels == before).all()


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_a_turned_film_is_covered_where_it_is_seen(turn: int) -> None:
    grey = np.full((60, 80), 100, dtype=np.uint8)
    grey[::2] = 20
    upright = np.rot90(grey, k=turn)
    frame = av.VideoFrame.from_ndarray(np.concatenate([grey, np.full((30, 80), 128, dtype=np.uint8)]), format="yuv420p")
    box_ = Box(4, 8, 24, 40)
    plan_ = Plan(upright.shape[1], upright.shape[0], [], [], turn)
    shown = np.rot90(blur.veiled(frame, [box_], plan_).to_ndarray()[:60], k=turn)
    changed = np.argwhere(shown != upright)
    assert (changed.min(axis=0).tolist(), (changed.max(axis=0) + 1).tolist()) == ([8, 4], [40, 24])


def test_a_report_survives_its_way() -> None:
    made = Blurred("film", 5, 4, 3, 2, ("x",), (), 1.5)
    assert Blurred.from_json(json.loads(json.dumps(made.as_json()))) == made


def test_glances_are_not_confirmed_when_it_is_about_covering() -> None:
    grey = np.asarray(lesson().convert("L"))
    assert len(glance.find(np.ascontiguousarray(grey))) >= 2


def test_the_command_writes_a_copy_and_never_over_another_file(photos: dict[str, list[Path]], tmp_path: Path) -> None:
    photo, out = tmp_path / "lesson.png", tmp_path / "out.png"
    lesson().save(photo)
    words = ["evidence", "blur", str(photo), str(out), "--reference", str(photos["grace"][0])]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["made"], told["teacher"], told["covered"], told["file"]) == ("photo", 1, 1, str(out))
    again = CliRunner().invoke(app, words)
    assert (again.exit_code, again.stderr.strip()) == (2, f"{out} 已经存在，不覆盖。")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0")
    refused = CliRunner().invoke(app, ["evidence", "blur", str(broken), str(tmp_path / "b.jpg")])
    assert (refused.exit_code, "请重新导出或重拍后再传" in refused.output) == (1, True)
    assert not (tmp_path / "b.jpg").exists()


def test_survey_times_and_looks_agree(film: Path) -> None:
    looked = [frame.at_s for frame in video.throughout(film, video.Tally(), every_s=0.25, every_picture=True)]
    assert [round(at_s, 3) for at_s in looked] == [0.0, 0.333, 0.667, 1.0, 1.333, 1.667, 2.0, 2.333, 2.667]
