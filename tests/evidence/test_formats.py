"""Every format a school sends: the teacher is found in it, and a reviewer's browser gets to see it."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, features

from review_flow.demo import media
from review_flow.demo.media import Span
from review_flow.evidence import playable, video
from review_flow.evidence.faces import Encoding
from review_flow.evidence.limits import Broken, Limits
from review_flow.evidence.sandbox import Sandbox
from review_flow.rules.words import Verdict

SECONDS = 4
SIZE = (640, 360)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Return 4 s of the classroom, the teacher in all of them."""
    return list(media._frames(SIZE, SECONDS, [Span(0, SECONDS, "grace")]))


def film(
    path: Path,
    shots: list[np.ndarray],
    *,
    codec: str,
    pixels: str = "yuv420p",
    size: tuple[int, int] = SIZE,
    sound: str | None = None,
    muxer: str | None = None,
    **options: str,
) -> Path:
    """Write a film of 12 pictures a second, a keyframe each second, with a tone where a sound codec is named."""
    with av.open(str(path), "w", format=muxer) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(media.FPS), options={"g": "12", **options})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        tone: Any = container.add_stream(sound, rate=44_100, layout="stereo") if sound else None
        if tone is not None:
            tone.bit_rate = 128_000
        for shot in shots:
            frame = av.VideoFrame.from_ndarray(shot, format="rgb24").reformat(*size, pixels)
            container.mux(stream.encode(frame))
        if tone is not None:
            hum = (0.2 * np.sin(np.arange(44_100 * SECONDS) / 20)).astype(np.float32)
            resampler = av.AudioResampler(format=tone.format.name, layout="stereo", rate=44_100, frame_size=1024)
            whole = av.AudioFrame.from_ndarray(np.stack([hum, hum]), format="fltp", layout="stereo")
            whole.sample_rate, whole.pts, whole.time_base = 44_100, 0, Fraction(1, 44_100)
            for piece in [*resampler.resample(whole), *resampler.resample(None)]:
                container.mux(tone.encode(piece))
            container.mux(tone.encode())
        container.mux(stream.encode())
    return path


# name: (options of `film`, format and codec as found, what is made of it for browsers)
FILMS: dict[str, tuple[dict[str, Any], tuple[str, str], str | None]] = {
    "h264.mp4": ({"codec": "libx264", "sound": "aac"}, ("mp4", "h264"), None),
    "h264-b.mov": ({"codec": "libx264", "sound": "aac"}, ("mov", "h264"), "packed"),
    "h264.mkv": ({"codec": "libx264", "sound": "libmp3lame"}, ("mkv", "h264"), "packed"),
    "h264.ts": ({"codec": "libx264", "sound": "aac"}, ("ts", "h264"), "packed"),
    "h264.flv": ({"codec": "libx264", "sound": "aac"}, ("flv", "h264"), "packed"),
    "hevc.mp4": ({"codec": "libx265", "sound": "aac", "x265-params": "log-level=none"}, ("mp4", "hevc"), "encoded"),
    "hevc10.mov": (
        {"codec": "libx265", "pixels": "yuv420p10le", "x265-params": "log-level=none"},
        ("mov", "hevc"),
        "encoded",
    ),
    "h264-10.mp4": ({"codec": "libx264", "pixels": "yuv420p10le"}, ("mp4", "h264"), "encoded"),
    "vp9.webm": ({"codec": "libvpx-vp9", "deadline": "realtime", "cpu-used": "8"}, ("webm", "vp9"), None),
    "av1.mp4": ({"codec": "libsvtav1", "preset": "12"}, ("mp4", "av1"), None),
    "wmv2.wmv": ({"codec": "wmv2", "sound": "wmav2", "muxer": "asf", "b": "2M"}, ("wmv", "wmv2"), "encoded"),
    "xvid.avi": ({"codec": "mpeg4", "sound": "libmp3lame", "b": "2M"}, ("avi", "mpeg4"), "encoded"),
    "h263.3gp": ({"codec": "h263", "size": (704, 576), "b": "2M"}, ("3gp", "h263"), "encoded"),
    "rv20.rmvb": ({"codec": "rv20", "muxer": "rm", "b": "2M"}, ("rmvb", "rv20"), "encoded"),
    "mpeg2.mpg": ({"codec": "mpeg2video", "muxer": "mpeg", "b": "4M"}, ("mpg", "mpeg2video"), "encoded"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILMS)
def test_the_teacher_is_found_and_a_browser_can_show_it(
    box: Sandbox, grace: list[Encoding], pictures: list[np.ndarray], tmp_path: Path, name: str
) -> None:
    options, known, made = FILMS[name]
    if options["codec"] not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder {options['codec']}")
    path = film(tmp_path / name, pictures, **options)
    report = box.check(path, references=grace)
    assert (report.verdict, report.present) == (Verdict.VALID, True)
    assert (report.media["format"], report.media["codec"]) == known
    assert report.playable is not None
    assert report.playable["original"] == (made is None)

    copy = tmp_path / "copy"
    done = box.present(path, copy)
    assert done.made == made
    assert done.poster is not None
    assert Image.open(io.BytesIO(done.poster)).size == options.get("size", SIZE)
    if made is None:
        assert copy.read_bytes() == b""
        return
    assert copy.read_bytes().index(b"moov") < copy.read_bytes().index(b"mdat")
    with av.open(str(copy)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        sounds = [one.codec_context.name for one in container.streams.audio]
        assert sounds == (["aac"] if "sound" in options else [])
        shown = [frame.pts for frame in container.decode(stream)]
    assert (shown, len(shown)) == (sorted(set(shown)), len(pictures))


def test_a_copy_is_at_most_1080p_with_even_sides_and_turned_as_it_was(tmp_path: Path) -> None:
    shots = [np.full((1442, 2562, 3), 40 * number, np.uint8) for number in range(5)]
    path = tmp_path / "large.avi"
    film(path, shots, codec="mpeg4", size=(2562, 1442))
    with av.open(str(path)) as source, av.open(str(tmp_path / "turned.mkv"), "w") as turned:
        stream = turned.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts = packet.dts
                packet.stream = stream
                turned.mux(packet)
    copy = tmp_path / "copy.mp4"
    with copy.open("wb") as file:

        def sink(at: int, piece: bytes) -> None:
            file.seek(at)
            file.write(piece)

        assert playable.present(tmp_path / "turned.mkv", sink).made == "encoded"
    found = video.survey(copy)
    assert (found.width, found.height, found.format, playable.why_not(found)) == (1920, 1080, "mp4", None)
    with av.open(str(copy)) as container:
        assert next(container.decode(video=0)).rotation == 90


@pytest.mark.parametrize("name", ["webp", "avif", "gif", "png", "bmp", "tif"])
def test_photos(box: Sandbox, grace: list[Encoding], tmp_path: Path, name: str) -> None:
    if name == "avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / f"photo.{name}"
    Image.open(media.lesson_photo(tmp_path / "photo.jpg", person="grace")).save(path)
    report = box.check(path, references=grace)
    assert (report.verdict, report.present, report.media["format"]) == (Verdict.VALID, True, name)
    copy = tmp_path / "copy"
    done = box.present(path, copy)
    assert report.playable == {
        "original": name != "tif",
        "why": "浏览器可以直接播放" if name != "tif" else "浏览器一般打不开 tif 照片",
    }
    assert done.made == ("photo" if name == "tif" else None)
    assert done.poster is not None
    assert Image.open(io.BytesIO(done.poster)).size == (960, 540)
    if name == "tif":
        with Image.open(copy) as shown:
            assert (shown.format, shown.size) == ("JPEG", (1280, 720))


def test_a_copy_past_its_limit_is_given_up_and_the_child_is_replaced(
    pictures: list[np.ndarray], tmp_path: Path
) -> None:
    path = film(tmp_path / "h264.mkv", pictures, codec="libx264")
    with Sandbox(limits=Limits(output_bytes=1000)) as small:
        with pytest.raises(Broken) as broken:
            small.present(path, tmp_path / "copy")
        assert broken.value.finding.code == "output_too_large"
        assert small.check(media.txt(tmp_path / "a.txt", "四个汉字")).media["chars"] == 4


def test_nothing_can_be_made_of_a_document(box: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(Broken):
        box.present(media.txt(tmp_path / "a.txt", "四个汉字"), tmp_path / "copy")


def test_a_poster_is_the_sharpest_picture_that_is_neither_dark_nor_glaring(
    pictures: list[np.ndarray], tmp_path: Path
) -> None:
    black, white = np.zeros_like(pictures[0]), np.full_like(pictures[0], 255)
    shots = [black] * 12 + [white] * 12 + pictures[:12] + [black] * 12
    path = film(tmp_path / "film.mp4", shots, codec="libx264")
    poster = playable.poster(path, video.survey(path))
    assert poster is not None
    shown = np.asarray(Image.open(io.BytesIO(poster)), dtype=int)
    assert np.abs(shown - pictures[0]).mean() < 6
