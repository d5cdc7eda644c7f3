"""Damage to files, blind and by their structure: every change comes from the random numbers that are given."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

Order = Literal["big", "little"]
EXTREMES = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 62,
    (1 << 64) - 1,
)
LARGEST = 200_000  # bytes of a mutant: splices of splices would grow


class Part(NamedTuple):
    """A piece of a file that declares its own size: from where to where, and where the size stands."""

    start: int
    end: int
    size_at: int
    width: int
    order: Order


FOLDERS = frozenset(b"moov trak mdia minf stbl udta meta edts dinf mvex moof traf iprp ipco".split())
EBML_FOLDERS = frozenset(
    {0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675, 0x1C53BB6B, 0xBB, 0xB7, 0xA0, 0x114D9B74}
)


def atoms(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the boxes of MP4, MOV, 3GP, HEIC and AVIF, inner ones too."""
    while start + 8 <= end:
        size = int.from_bytes(data[start : start + 4], "big")
        stop = start + size if 8 <= size <= end - start else end
        yield Part(start, stop, start, 4, "big")
        if data[start + 4 : start + 8] in FOLDERS:
            yield from atoms(data, start + 8 + 4 * (data[start + 4 : start + 8] == b"meta"), stop)
        start = stop


def ebml(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the elements of MKV and WebM, inner ones too."""
    while start + 2 <= end:
        long = 9 - data[start].bit_length()
        at = start + long
        if long > 4 or at >= end or not data[at]:
            return
        wide = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + wide], "big") & ((1 << 7 * wide) - 1)
        inside = at + wide
        stop = inside + size if size <= end - inside else end
        yield Part(start, stop, at, wide, "big")
        if int.from_bytes(data[start:at], "big") in EBML_FOLDERS:
            yield from ebml(data, inside, stop)
        start = stop


def riff(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the chunks of AVI, WAV and WebP, inner ones too."""
    while start + 8 <= end:
        size = int.from_bytes(data[start + 4 : start + 8], "little")
        stop = min(end, start + 8 + size + size % 2)
        yield Part(start, stop, start + 4, 4, "little")
        if data[start : start + 4] in {b"RIFF", b"LIST"}:
            yield from riff(data, start + 12, stop)
        start = stop


def chunks(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the chunks of PNG."""
    while start + 12 <= end:
        stop = min(end, start + 12 + int.from_bytes(data[start : start + 4], "big"))
        yield Part(start, stop, start, 4, "big")
        start = stop


def segments(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the segments of JPEG up to its pixels."""
    while start + 4 <= end and data[start] == 0xFF and data[start + 1] != 0xDA:
        stop = min(end, start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big")))
        yield Part(start, stop, start + 2, 2, "big")
        start = stop


def objects(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the objects of ASF (WMV); the header's inner ones too."""
    while start + 24 <= end:
        size = int.from_bytes(data[start + 16 : start + 24], "little")
        stop = start + size if 24 <= size <= end - start else end
        yield Part(start, stop, start + 16, 8, "little")
        if data[start : start + 2] == b"\x30\x26":
            yield from objects(data, start + 30, stop)
        start = stop


def tags(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the tags of FLV."""
    while start + 15 <= end:
        stop = min(end, start + 15 + int.from_bytes(data[start + 1 : start + 4], "big"))
        yield Part(start, stop, start + 1, 3, "big")
        start = stop


def packets(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the packets of MPEG-TS; their "size" is the stream's number."""
    for at in range(start, end - 187, 188):
        yield Part(at, at + 188, at + 1, 2, "big")


def real(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the objects of RealMedia."""
    while start + 8 <= end:
        size = int.from_bytes(data[start + 4 : start + 8], "big")
        stop = start + size if 8 <= size <= end - start else end
        yield Part(start, stop, start + 4, 4, "big")
        start = stop


def entries(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield the entries of a little-endian TIFF's first folder; their "size" is the count of values."""
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    for at in range(max(start, first + 2), min(end, first + 2 + 12 * count), 12):
        yield Part(at, at + 12, at + 4, 4, "little")


def pages(data: bytes, start: int, end: int) -> Iterator[Part]:
    """Yield what begins with a sign of its own: pages of Ogg, units of MPEG and H.264."""
    sign = b"OggS" if data.startswith(b"OggS") else b"\0\0\1"
    found = [match.start() for match in re.finditer(re.escape(sign), data[start:end])]
    for at, following in zip(found, [*found[1:], end], strict=True):
        yield Part(at, following, min(at + 4, len(data) - 2), 2, "big")


def parts(data: bytes) -> list[Part]:
    """Return the pieces of a file whose structure is known."""
    walks: list[tuple[bool, Callable[[bytes, int, int], Iterator[Part]], int]] = [
        (data[4:8] in {b"ftyp", b"moov", b"wide", b"mdat"}, atoms, 0),
        (data.startswith(b"\x1aE\xdf\xa3"), ebml, 0),
        (data.startswith(b"RIFF"), riff, 0),
        (data.startswith(b"\x89PNG"), chunks, 8),
        (data.startswith(b"\xff\xd8"), segments, 2),
        (data.startswith(b"\x30\x26\xb2\x75"), objects, 0),
        (data.startswith(b"FLV"), tags, 13),
        (data.startswith(b"\x47\x40"), packets, 0),
        (data.startswith(b".RMF"), real, 0),
        (data.startswith(b"II*\0"), entries, 0),
        (data.startswith((b"OggS", b"\0\0\1\xba")), pages, 0),
    ]
    walk = next(((walk, start) for fits, walk, start in walks if fits), None)
    return list(walk[0](data, walk[1], len(data))) if walk else []


def number(chance: random.Random, width: int, order: Order, near: int = 0) -> bytes:
    """Return a number of `width` bytes: an extreme one, one near another, or any."""
    value = chance.choice(
        (chance.choice(EXTREMES), near + chance.randint(-9, 9), near * 2, chance.getrandbits(8 * width))
    )
    return (value % (1 << 8 * width)).to_bytes(width, order)


def flip(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Flip some bits."""
    for _bit in range(chance.choice((1, 1, 2, 4, 16, 64))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwrite(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Overwrite a number somewhere."""
    width = chance.choice((1, 2, 4, 8))
    at = chance.randrange(len(data))
    data[at : at + width] = number(chance, width, chance.choice(("big", "little")))


def cut(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Cut the end off, as an upload that broke."""
    del data[chance.randrange(len(data)) :]


def _stretch(data: bytearray, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(data))
    return start, min(len(data), start + chance.choice((1, 2, 4, 16, 64, 512, 4096, len(data) // 2 + 1)))


def remove(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Leave something out."""
    start, end = _stretch(data, chance)
    del data[start:end]


def repeat(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Say something again, here or elsewhere, once or often."""
    start, end = _stretch(data, chance)
    times = chance.choice((1, 1, 2, 8, 64)) if end - start < LARGEST // 64 else 1
    at = chance.choice((end, chance.randrange(len(data))))
    data[at:at] = data[start:end] * times


def splice(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Go on with another file."""
    other = chance.choice(others)
    start, end = _stretch(data, chance)
    at = chance.randrange(len(other)) if other else 0
    data[start:end] = other[at : at + chance.choice((end - start, len(other)))]


def resize(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Lie about the size of a piece."""
    if known := parts(bytes(data)):
        part = chance.choice(known)
        near = int.from_bytes(data[part.size_at : part.size_at + part.width], part.order)
        data[part.size_at : part.size_at + part.width] = number(chance, part.width, part.order, near)


def rearrange(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Remove, repeat or move a piece, or put one of another file in its place."""
    known = parts(bytes(data))
    if not known:
        return
    part = chance.choice(known)
    piece = bytes(data[part.start : part.end])
    kind = chance.randrange(4)
    if kind == 0:
        del data[part.start : part.end]
    elif kind == 1:
        data[part.end : part.end] = piece * chance.choice((1, 2, 16))
    elif kind == 2:
        del data[part.start : part.end]
        at = min(chance.choice(known).start, len(data))
        data[at:at] = piece
    else:
        other = chance.choice(others)
        foreign = chance.choice(parts(other) or [Part(0, len(other), 0, 1, "big")])
        data[part.start : part.end] = other[foreign.start : foreign.end]


def spoil(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Change numbers in the first bytes of a piece, where its facts are; a PNG's sums are made right again."""
    known = parts(bytes(data))
    if not known:
        return
    for _number in range(chance.choice((1, 1, 2, 4))):
        part = chance.choice(known)
        inside = part.size_at + part.width
        at = min(inside + chance.randrange(max(1, min(96, part.end - inside))), len(data) - 1)
        width = chance.choice((1, 2, 4))
        data[at : at + width] = number(chance, width, part.order, int.from_bytes(data[at : at + width], part.order))
    if data.startswith(b"\x89PNG"):
        for chunk in chunks(bytes(data), 8, len(data)):
            data[chunk.end - 4 : chunk.end] = zlib.crc32(data[chunk.start + 4 : chunk.end - 4]).to_bytes(4, "big")


def unpack(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Damage one file inside a ZIP and pack it anew, its sums right."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            inside = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # noqa: BLE001 - damaged already
        return
    if not inside:
        return
    name = chance.choice(sorted(inside))
    changed = bytearray(inside[name] or b" ")
    chance.choice((flip, overwrite, cut, remove, repeat, reword))(changed, chance, others)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for one, content in (inside | {name: bytes(changed)}).items():
            archive.writestr(zipfile.ZipInfo(one), content, zipfile.ZIP_DEFLATED)
    data[:] = file.getvalue()


def reword(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """Change a number or a name in text: PDF, XML."""
    if found := list(re.finditer(rb"\d+|[A-Za-z]{3,}", data[:LARGEST])):
        place, other = chance.choice(found), chance.choice(found)
        fresh = chance.choice((other[0], b"0", b"-1", b"4294967296", b"99999999", b"1e400", place[0] * 200))
        data[place.start() : place.end()] = fresh


BLIND = (flip, overwrite, cut, remove, repeat, splice)
KNOWING = (resize, rearrange, spoil, spoil)


def mutant(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Return a damaged copy of a file: one to three changes, most of them by its structure where that is known."""
    damaged = bytearray(data)
    if data.startswith(b"PK"):
        kinds: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (*BLIND, *[unpack] * 12)
    elif data.startswith((b"%PDF", b"<", b"#EXT")):
        kinds = (*BLIND, *[reword] * 6)
    else:
        kinds = (*BLIND, *KNOWING * 3) if parts(data) else BLIND
    for _change in range(chance.choice((1, 1, 2, 3))):
        if damaged:
            chance.choice(kinds)(damaged, chance, others)
    return bytes(damaged[:LARGEST])
