"""Files made to harm: bombs, references to other files, endless and deep ones. Each ends soon, in a sentence."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import av
import pytest
from PIL import Image

from review_flow.evidence.limits import Limits
from tests.evidence import fuzz_seeds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from review_flow.evidence.sandbox import Sandbox

Made = tuple[str, bytes]


def png(width: int, height: int, bits: int, colour: int, pixels: bytes, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join([chunk(b"IHDR", header), *more, chunk(b"IDAT", pixels), chunk(b"IEND", b"")])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def zeros(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def zipped(**parts: str | bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in parts.items():
            archive.writestr(name.replace("__", "."), data)
    return file.getvalue()


def docx(body: str | bytes) -> bytes:
    return zipped(**{"word/document__xml": body})


def pdf(*objects: bytes) -> bytes:
    file = io.BytesIO(b"%PDF-1.5\n")
    file.seek(0, os.SEEK_END)
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(file.tell())
        file.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = (len(places) + 1, table, len(places) + 1, file.tell())
    file.write(b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % tail)
    return file.getvalue()


def one_page(content: bytes, filters: bytes = b"/FlateDecode", kids: bytes = b"3 0 R", count: int = 1) -> bytes:
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Length %d/Filter %s>>stream\n%s\nendstream" % (len(content), filters, content),
    )


def element(name: str, data: bytes) -> bytes:
    return bytes.fromhex(name) + (1 << 56 | len(data)).to_bytes(8, "big") + data


def number(name: str, value: int) -> bytes:
    return element(name, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


def packed_mkv(packet: bytes, count: int) -> bytes:
    """Make an MKV whose packets are compressed, as the format allows."""
    deflated = element("6d80", element("6240", number("5032", 1) + element("5034", number("4254", 0))))
    size = element("e0", number("b0", 64) + number("ba", 48))
    track = number("d7", 1) + number("73c5", 1) + number("83", 1) + element("86", b"V_MJPEG") + size + deflated
    blocks = b"".join(element("a3", b"\x81" + struct.pack(">h", at) + b"\x80" + packet) for at in range(count))
    facts = element("1549a966", number("2ad7b1", 1_000_000))
    tracks, cluster = element("1654ae6b", element("ae", track)), element("1f43b675", number("e7", 0) + blocks)
    kind = element("1a45dfa3", element("4282", b"matroska") + number("4287", 4) + number("4285", 2))
    return kind + element("18538067", facts + tracks + cluster)


def film(folder: Path) -> bytes:
    return fuzz_seeds.film("h264-end.mp4", folder)


def endless_film(folder: Path) -> bytes:
    """Make an MP4 whose index promises 5 million pictures of one byte."""
    data, count = bytearray(film(folder)), struct.pack(">I", 5_000_000)
    sizes, runs, times = data.index(b"stsz"), data.index(b"stsc"), data.index(b"stts")
    data[sizes + 8 : sizes + 16] = struct.pack(">I", 1) + count
    data[runs + 16 : runs + 20] = data[times + 12 : times + 16] = count
    return bytes(data)


def film_elsewhere(folder: Path) -> bytes:
    """Make a MOV whose pictures are said to lie in another file."""
    data = bytearray(film(folder))
    away = b"url \0\0\0\0file:///etc/passwd\0"
    at = data.index(b"url ")
    data[at - 4 : at + 8] = struct.pack(">I", 4 + len(away)) + away
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        start = data.index(name) - 4
        data[start : start + 4] = (int.from_bytes(data[start : start + 4], "big") + len(away) - 8).to_bytes(4, "big")
    return bytes(data)


def endless_gif(_folder: Path) -> bytes:
    start = b"GIF89a" + struct.pack("<HHBBB", 64, 64, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return start + (b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00") * 400_000


def saved(image: Image.Image, kind: str, **wishes: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **wishes)
    return file.getvalue()


def claiming(_folder: Path) -> bytes:
    small = saved(Image.new("RGB", (80, 80)), "JPEG")
    return small.replace(struct.pack(">HH", 80, 80), struct.pack(">HH", 65_500, 65_500), 1)


def lying_zip(_folder: Path) -> bytes:
    return docx(b"<d>" + b" " * 60_000_000 + b"</d>").replace(struct.pack("<I", 60_000_007), struct.pack("<I", 900))


def far_cells(_folder: Path) -> bytes:
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'
    sheet = f"<worksheet><sheetData>{rows}</sheetData></worksheet>"
    return zipped(**{"xl/workbook__xml": "<workbook/>", "xl/worksheets/sheet1__xml": sheet})


LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
NESTED = zipped(**{f"{n}__bin": bytes(30_000_000) for n in range(3)})
DASH = '<?xml version="1.0"?><MPD><Period><BaseURL>file:///etc/passwd</BaseURL></Period></MPD>'
SECRET = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><d>&x;</d>'
# File name: (how it is made, the finding that says what is wrong; None where it is harmless and goes on).
HARMFUL: dict[str, tuple[Callable[[Path], bytes], str | None]] = {
    "dash.mp4": (lambda _folder: DASH.encode(), "web_page"),
    "subfile.mp4": (lambda _folder: b"ffconcat version 1.0\nfile subfile,,start,0,end,9,,:/etc/passwd\n", "playlist"),
    "data.mp4": (lambda _folder: b"#EXTM3U\n#EXTINF:1,\ndata:text/plain;base64,AAAA\n", "playlist"),
    "list.mp4": (lambda _folder: b"# mine\nffconcat version 1.0\nfile /etc/passwd\n", "name_mismatch"),
    "call.mp4": (lambda _folder: b"v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n", "name_mismatch"),
    "elsewhere.mov": (film_elsewhere, None),
    "endless.mp4": (endless_film, "incomplete"),
    "packed.mkv": (lambda _folder: packed_mkv(zeros(9_900_000), 40), "incomplete"),
    "drawing.jpg": (lambda _folder: SECRET.replace("<d>", "<svg>").encode(), "web_page"),
    "one-bit.png": (lambda _folder: png(60_000, 60_000, 1, 0, b""), "too_many_pixels"),
    "deep-colour.png": (lambda _folder: png(8_900, 8_900, 16, 6, b""), "broken_picture"),
    "words.png": (lambda _folder: png(8, 8, 8, 0, zeros(72), chunk(b"zTXt", b"a\0\0" + zeros(99_000_000))), "broken_picture"),
    "claiming.jpg": (claiming, "too_many_pixels"),
    "claiming.tif": (lambda _folder: saved(Image.new("1", (10_000, 8_100)), "TIFF", compression="group4"), "too_many_pixels"),
    "endless.gif": (endless_gif, None),
    "secret.docx": (lambda _folder: docx(SECRET), "broken_document"),
    "late.docx": (lambda _folder: docx(f"<!--{' ' * 5000}-->{SECRET}"), "broken_document"),
    "laughs.docx": (lambda _folder: docx(f"<!DOCTYPE d [{LAUGHS}]><d>&a11;</d>".encode("utf-16")), "broken_document"),
    "deep.docx": (lambda _folder: docx("<a>" * 200_000 + "</a>" * 200_000), "document_too_deep"),
    "wide.docx": (lambda _folder: docx("<d>" + "<a/>" * 11_000_000 + "</d>"), "document_too_large"),
    "lying.docx": (lying_zip, "broken_document"),
    "many.docx": (lambda _folder: zipped(**{"word/document__xml": "<d/>", **{f"{n}__x": b"" for n in range(20_000)}}), "document_too_large"),
    "nested.docx": (lambda _folder: zipped(**{"word/document__xml": "<d/>", "word/a__zip": NESTED}), "no_text"),
    "slides.pptx": (lambda _folder: zipped(**{"ppt/presentation__xml": "<p/>", **{f"ppt/slides/slide{n}__xml": "<p/>" for n in range(3_000)}}), "no_text"),
    "far.xlsx": (far_cells, None),
    "flate.pdf": (lambda _folder: one_page(zlib.compress(zeros(99_000_000)), b"[/FlateDecode/FlateDecode]"), "no_text"),
    "pages.pdf": (lambda _folder: one_page(zlib.compress(b"(a) Tj " * 1000), kids=b"3 0 R " * 20_000, count=20_000), "no_text"),
    "loop.pdf": (lambda _folder: pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>"), "broken_document"),
    "deep.pdf": (lambda _folder: one_page(zlib.compress(b"[" * 1_000_000)), "no_text"),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMFUL)
def test_what_is_made_to_harm_ends_soon_in_a_sentence(box: Sandbox, tmp_path: Path, name: str) -> None:
    make, code = HARMFUL[name]
    path = tmp_path / name
    path.write_bytes(make(tmp_path))
    report = box.check(path, slot={"teacher_visible": False})
    codes = [finding.code for finding in report.findings if finding.level != "info"]
    assert codes == ([] if code is None else [code]), [finding.text for finding in report.findings]
    assert all(finding.text.endswith("。") for finding in report.findings)
    assert report.cost["wall_s"] < 10


@pytest.mark.parametrize(
    "name", ["h264.mkv", "xvid.avi", "wmv2.wmv", "flv1.flv", "rv20.rm", "h264-front.mp4", "hevc.mov"]
)
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_films_whose_end_is_missing_are_told_apart_from_broken_ones(
    box: Sandbox, tmp_path: Path, name: str, share: float
) -> None:
    data = fuzz_seeds.film(name, tmp_path)
    path = tmp_path / f"cut-{name}"
    path.write_bytes(data[: round(len(data) * share)])
    report = box.check(path, slot={"teacher_visible": False})
    assert [finding.code for finding in report.findings if finding.level != "info"] == ["incomplete"]
    assert report.findings[0].text.startswith("视频不完整")


def test_small_files_get_little_time_and_large_ones_more() -> None:
    limits = Limits()
    assert (limits.for_size(0).cpu_s, limits.for_size(0).wall_s) == (30, 45)
    assert (limits.for_size(761_000_000).cpu_s, limits.for_size(4_000_000_000).cpu_s) == (106, 150)
    assert limits.for_size(4_000_000_000).wall_s == 180


def test_libraries_here_know_the_formats_that_are_allowed() -> None:
    assert {"mov", "matroska", "avi", "asf", "flv", "mpegts", "mpeg", "rm"} <= {
        name for known in av.formats_available for name in known.split(",")
    }
