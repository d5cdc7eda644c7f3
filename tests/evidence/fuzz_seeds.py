"""Small files of every kind that teachers hand in, made here: what fuzzing starts from."""

from __future__ import annotations

import io
import os
import zipfile
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import xlsxwriter
from PIL import Image

from review_flow.demo import media

if TYPE_CHECKING:
    from pathlib import Path

os.environ.setdefault("SVT_LOG", "0")  # the AV1 encoder tells its settings otherwise
WIDTH, HEIGHT, RATE, FRAMES, TONE = 64, 48, 6, 12, 48_000
# File name: (container, its options, codec of pictures, its options, codec of sound).
FILMS: dict[str, tuple[str, dict[str, str], str, dict[str, str], str | None]] = {
    "h264-front.mp4": ("mp4", {"movflags": "faststart"}, "libx264", {"preset": "ultrafast"}, "aac"),
    "h264-end.mp4": ("mp4", {}, "libx264", {"preset": "ultrafast"}, None),
    "h264-pieces.mp4": ("mp4", {"movflags": "frag_keyframe+empty_moov"}, "libx264", {"preset": "ultrafast"}, None),
    "hevc.mov": ("mov", {}, "libx265", {"preset": "ultrafast", "x265-params": "log-level=none"}, "pcm_s16le"),
    "mpeg4.mp4": ("mp4", {}, "mpeg4", {}, "mp3"),
    "mjpeg.mov": ("mov", {}, "mjpeg", {}, None),
    "h263.3gp": ("3gp", {}, "h263", {}, None),
    "h264.mkv": ("matroska", {}, "libx264", {"preset": "ultrafast"}, "libopus"),
    "ffv1.mkv": ("matroska", {}, "ffv1", {}, "pcm_s16le"),
    "vp8.webm": ("webm", {}, "libvpx", {"deadline": "realtime"}, None),
    "vp9.webm": ("webm", {}, "libvpx-vp9", {"deadline": "realtime"}, None),
    "av1.mp4": ("mp4", {}, "libsvtav1", {"preset": "12"}, None),
    "xvid.avi": ("avi", {}, "mpeg4", {}, "mp3"),
    "huffyuv.avi": ("avi", {}, "huffyuv", {}, "pcm_s16le"),
    "wmv2.wmv": ("asf", {}, "wmv2", {}, "mp3"),
    "msmpeg4.wmv": ("asf", {}, "msmpeg4", {}, None),
    "flv1.flv": ("flv", {}, "flv", {}, "mp3"),
    "mpeg2.ts": ("mpegts", {}, "mpeg2video", {}, "mp2"),
    "h264.ts": ("mpegts", {}, "libx264", {"preset": "ultrafast"}, None),
    "mpeg1.mpg": ("mpeg", {}, "mpeg1video", {}, "mp2"),
    "rv10.rm": ("rm", {}, "rv10", {}, None),
    "rv20.rm": ("rm", {}, "rv20", {}, None),
}
SOUNDS = {"a.mp3": ("mp3", "mp3"), "a.m4a": ("ipod", "aac"), "a.wav": ("wav", "pcm_s16le"), "a.ogg": ("ogg", "libopus")}
SOUNDS |= {"a.flac": ("flac", "flac"), "a.aac": ("adts", "aac")}
PIXELS = {"ffv1": "yuv420p", "huffyuv": "yuv422p", "mjpeg": "yuvj420p"}
LARGEST = 70_000  # bytes of a real file that is small enough to be a seed


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Draw something that moves and has edges."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    wave = (across * 5 + down * 3 + number * 11) % 256
    return np.stack([wave, (wave * 3) % 256, np.where((across // 8 + down // 8) % 2, 255, wave)], -1).astype(np.uint8)


def film(name: str, folder: Path) -> bytes:
    """Make a film of two seconds; some codecs want more pixels, and only a file can get its index in front."""
    container_name, container_options, codec, options, sound = FILMS[name]
    width, height = (176, 144) if codec in {"h263", "rv10", "rv20"} else (WIDTH, HEIGHT)
    path = folder / name
    with av.open(path, "w", format=container_name, options=container_options) as container:
        rate = 25 if codec in {"mpeg1video", "mpeg2video"} else RATE
        stream = container.add_stream(codec, rate=Fraction(rate), options={"g": "4", "crf": "40", **options})
        stream.width, stream.height = width, height
        stream.pix_fmt = PIXELS.get(codec, "yuv420p")
        heard = container.add_stream(sound, rate=TONE) if sound else None
        for number in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number, width, height), format="rgb24")))
        container.mux(stream.encode())
        if heard is not None:
            _hum(container, heard, 5)
    return path.read_bytes()


def _hum(container: Any, stream: Any, pieces: int) -> None:
    tone = (np.sin(np.arange(1152 * pieces) / 20) * 8000).astype(np.int16)
    fits = av.AudioResampler(
        format=stream.format, layout=stream.layout, rate=TONE, frame_size=stream.frame_size or 1152
    )
    whole = av.AudioFrame.from_ndarray(tone.reshape(1, -1), format="s16", layout="mono")
    whole.sample_rate = TONE
    for frame in [*fits.resample(whole), *fits.resample(None)]:
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def sound(name: str) -> bytes:
    """Make a tenth of a second of sound."""
    file = io.BytesIO()
    with av.open(file, "w", format=SOUNDS[name][0]) as container:
        _hum(container, container.add_stream(SOUNDS[name][1], rate=TONE), 4)
    return file.getvalue()


def pictures() -> dict[str, bytes]:
    """Make pictures of every format that is accepted."""
    first, second = Image.fromarray(picture(0)), Image.fromarray(picture(5))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "caption"
    wishes: dict[str, dict[str, Any]] = {
        "plain.jpg": {"exif": exif},
        "steps.jpg": {"progressive": True},
        "plain.png": {},
        "few.png": {"colours": 16},
        "plain.webp": {},
        "exact.webp": {"lossless": True},
        "moving.webp": {"save_all": True, "append_images": [second]},
        "moving.gif": {"save_all": True, "append_images": [second]},
        "plain.bmp": {},
        "raw.tif": {},
        "lzw.tif": {"compression": "tiff_lzw"},
        "jpeg.tif": {"compression": "jpeg"},
        "plain.avif": {"speed": 10},
    }
    made = {}
    for name, wish in wishes.items():
        file = io.BytesIO()
        image = first.quantize(wish.pop("colours")) if "colours" in wish else first
        kind = {"jpg": "JPEG", "tif": "TIFF"}.get(name.split(".")[1], name.split(".")[1].upper())
        image.save(file, kind, **wish)
        made[name] = file.getvalue()
    return made


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"


def packed(parts: dict[str, str]) -> bytes:
    """Return a ZIP of the parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return file.getvalue()


def documents(folder: Path) -> dict[str, bytes]:
    """Make documents of every format that is accepted."""
    words = "".join(f"<w:p><w:r><w:t>第{n}段 text</w:t><w:tab/></w:r></w:p>" for n in range(5))
    word = f'<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="{W}"><w:body>{words}</w:body></w:document>'
    slide = f'<p:sld xmlns:p="urn:p" xmlns:a="{A}"><a:p><a:r><a:t>一页 slide</a:t></a:r></a:p></p:sld>'
    sheet = io.BytesIO()
    with xlsxwriter.Workbook(sheet, {"in_memory": True}) as book:
        table = book.add_worksheet()
        for row in range(5):
            table.write_row(row, 0, [f"姓名{row}", row, 1.5 * row, "same"])
    types = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
    shows = {"ppt/presentation.xml": "<p/>", "ppt/slides/slide1.xml": slide, "ppt/slides/slide2.xml": slide}
    return {
        "a.docx": packed({"[Content_Types].xml": types, "word/document.xml": word}),
        "a.pptx": packed({"[Content_Types].xml": types, **shows}),
        "a.xlsx": sheet.getvalue(),
        "a.pdf": media.pdf(folder / "a.pdf", media.essay(60)).read_bytes(),
        "tight.pdf": _tight_pdf(),
        "a.txt": media.essay(60).encode(),
        "gb.txt": media.essay(60).encode("gb18030"),
        "a.rtf": b"{\\rtf1 text}",
        "a.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
        "a.html": b"<!DOCTYPE html><p>page",
        "a.m3u8": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    }


def _tight_pdf() -> bytes:
    """Make a PDF with compressed streams and its objects in a stream, as office programs write it."""
    import pypdf
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(100, 100)
    content = DecodedStreamObject()
    content.set_data(b"BT /F1 9 Tf 10 50 Td (Hello teacher) Tj T* [(a) 120 (b)] TJ ET")
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    fonts = DictionaryObject({NameObject(name): NameObject(value) for name, value in font.items()})
    resources = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): fonts})})
    page[NameObject("/Resources")] = resources
    page[NameObject("/Contents")] = writer._add_object(content.flate_encode())
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def seeds(folder: Path, real: Path | None = None) -> dict[str, bytes]:
    """Return all seeds by name, with the small ones of a folder of real files where there is one."""
    made = {name: film(name, folder) for name in FILMS} | {name: sound(name) for name in SOUNDS}
    made |= pictures() | documents(folder)
    if real is not None and real.is_dir():
        small = [path for path in sorted(real.iterdir()) if path.stat().st_size <= LARGEST]
        made |= {f"real-{path.name}": path.read_bytes() for path in small}
    return made
