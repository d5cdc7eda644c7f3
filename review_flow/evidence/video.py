"""Video of unknown origin: what the container holds, and its keyframes in an order that covers it evenly.

FFmpeg reads through a Python file object, with demuxers by allow-list and no protocol at all, so a playlist,
a concat script or a reference inside a container can't make it open another file or the network.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from av import VideoFrame

from review_flow.evidence.pictures import MAX_PIXELS, Picture, PictureFacts, PictureRefused
from review_flow.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from numpy.typing import NDArray

DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpegts,mpeg,mpegvideo,rm,mp3,aac,amr,wav,ogg,flac"
BRANDS = {"qt": "mov", "3g": "3gp", "M4A": "m4a", "M4V": "m4v"}
NAMES = {"matroska,webm": "mkv", "asf": "wmv", "mpegts": "ts", "rm": "rmvb", "mpegvideo": "mpg", "mpeg": "mpg"}
MAX_PICTURES = 3_000_000  # 13 hours of 60 a second
SWELLS, SWELLS_BYTES = 4, 50_000_000  # times a film's own size, and bytes more, that its packets may unpack to
FINE_BYTES = 0.06  # a pixel: keyframes stored this well show no blocks without the loop filter, a sixth of decoding
MIN_INDEXED = 2  # pictures: the last one's length is taken from the one before it
MAX_SKIPPED = 200  # packets behind a seek until a picture comes: WMV and RMVB seek roughly
MAX_DAMAGED = 1000  # broken packets in a row of tries; a file worse than that shows nothing
PLANAR_8_BIT = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})
ATTACHED_PICTURE = 0x0400  # a cover, as music files carry: no film


@dataclass(frozen=True, slots=True)
class Survey:
    """A container read to its end without decoding; times are seconds as a player shows them.

    `seconds` is the length the container declares, `readable` how far its pictures really reach, `keyframes`
    where a decoder can start; `stamps` are the same in the stream's own unit. `keyframe_bytes` is their mean
    size where an index tells it; `pixels` and `sound` name the pixels' layout and the sound's codec.
    """

    format: str
    codec: str | None
    audio: bool
    width: int
    height: int
    fps: Decimal | None
    seconds: Decimal | None
    readable: Decimal
    pictures: int
    keyframes: tuple[float, ...]
    stamps: tuple[int, ...]
    undecodable: bool = False  # there are pictures, but nothing here can decode them
    keyframe_bytes: int = 0
    pixels: str | None = None
    sound: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One upright picture of a video: its time, and what is cut from it on demand."""

    at_s: float
    source: VideoFrame

    @property
    def width(self) -> int:
        """Pixels across as shown, after rotation."""
        return self.source.height if self.source.rotation % 180 else self.source.width

    @property
    def height(self) -> int:
        """Pixels down as shown, after rotation."""
        return self.source.width if self.source.rotation % 180 else self.source.height

    def luma(self) -> NDArray[np.uint8]:
        """Return the upright picture in grey, full size: a view of the decoded bytes where they are 8 bits."""
        source = self.source
        if source.format.name in PLANAR_8_BIT:
            plane = source.planes[0]
            rows = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
            pixels = rows[: source.height, : source.width]
        else:
            pixels = np.asarray(source.reformat(format="gray").to_ndarray(), dtype=np.uint8)
        return self._upright(pixels)

    def rgb(self, width: int) -> NDArray[np.uint8]:
        """Return the upright picture in RGB, at most `width` px across."""
        factor = min(1.0, width / self.width)
        size = [max(2, round(edge * factor / 2) * 2) for edge in (self.source.width, self.source.height)]
        small = self.source.reformat(width=size[0], height=size[1], format="rgb24")
        return np.ascontiguousarray(self._upright(np.asarray(small.to_ndarray(), dtype=np.uint8)))

    def _upright(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.rot90(pixels, k=round(self.source.rotation / 90) % 4)


@contextlib.contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """Open a file's container without trust; av.FFmpegError or OSError when FFmpeg can't."""
    import av

    av.logging.set_level(None)
    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "none"}
    with (
        path.open("rb") as file,
        av.open(file, "r", options=options, buffer_size=1 << 18, metadata_errors="replace") as container,
    ):
        yield container


def film_of(container: InputContainer) -> Any | None:
    """Return the first stream of moving pictures with a decoder, or None."""
    for stream in container.streams.video:
        if stream.codec_context and not int(stream.disposition) & ATTACHED_PICTURE:
            stream.codec_context.thread_count = 1  # the child is limited to its share of the machine
            return stream
    return None


def start_of(container: InputContainer) -> float:
    """Return the second at which a container begins: players count from there."""
    import av

    return float((container.start_time or 0) / av.time_base)


def _format(container: InputContainer) -> str:
    name = container.format.name
    if name.startswith("mov,"):
        brand = str(container.metadata.get("major_brand", "")).strip()
        return next((short for start, short in BRANDS.items() if brand.startswith(start)), "mp4")
    codecs = {stream.codec_context.name for stream in container.streams.video if stream.codec_context}
    if name == "matroska,webm" and codecs & {"vp8", "vp9", "libdav1d", "av1"}:
        return "webm"
    return NAMES.get(name, name)


def _decimal(value: Fraction) -> Decimal:
    """Return seconds to the microsecond, exact as containers state them."""
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.000001")).normalize() + 0


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where a film's pictures lie, in the stream's unit: keyframes, the first of all, the end of the last, how many."""

    keyframes: tuple[int, ...]
    first: int
    end: int
    pictures: int
    keyframe_bytes: int = 0


def survey(path: Path) -> Survey:
    """Note where pictures start and end, without decoding: from an index that covers the file, else by reading it.

    Reading every packet takes 0.3 s for 10 minutes of a phone's film, a whole MP4's index 0.02 s.
    """
    import av

    with open_container(path) as container:
        film = film_of(container)
        length = None if container.duration is None else Fraction(container.duration, av.time_base)
        audio = any(stream.codec_context for stream in container.streams.audio)
        if film is None:
            seconds = None if length is None else _decimal(length)
            unknown = any(not stream.codec_context for stream in container.streams.video)
            return Survey(
                _format(container), None, audio, 0, 0, None, seconds, Decimal(0), 0, (), (), undecodable=unknown
            )
        if film.frames > MAX_PICTURES:
            raise ValueError(path)
        size = path.stat().st_size
        indexed = _indexed(container, film, size)
        extent = indexed or _read_through(container, film, size)
        start = extent.first * film.time_base
        if container.start_time is not None and not indexed:
            start = Fraction(container.start_time, av.time_base)
        readable = _decimal(max(Fraction(0), extent.end * film.time_base - start))
        rate = film.average_rate
        return Survey(
            format=_format(container),
            codec=film.codec_context.codec.canonical_name,
            audio=audio,
            width=film.codec_context.width,
            height=film.codec_context.height,
            fps=None if not rate else round(_decimal(Fraction(rate)), 3),
            seconds=readable if length is None else _decimal(length),
            readable=readable,
            pictures=extent.pictures,
            keyframes=tuple(max(0.0, float(stamp * film.time_base - start)) for stamp in extent.keyframes),
            stamps=extent.keyframes,
            keyframe_bytes=extent.keyframe_bytes,
            pixels=film.codec_context.pix_fmt,
            sound=next(
                (one.codec_context.codec.canonical_name for one in container.streams.audio if one.codec_context), None
            ),
        )


def _indexed(container: InputContainer, film: Any, size: int) -> _Extent | None:
    """Trust an MP4's own index when it lists every picture the header counts and all lie within the file.

    Its stamps are decoding times: with B-frames a picture or two before they are shown, which seeking wants.
    """
    if not container.format.name.startswith("mov,"):
        return None
    entries = list(film.index_entries)
    if len(entries) < MIN_INDEXED or len(entries) != film.frames:
        return None
    if any(entry.pos + entry.size > size for entry in entries):
        return None
    keyed = [entry for entry in entries if entry.is_keyframe]
    keyframes = tuple(entry.timestamp for entry in keyed)
    usual = sum(entry.size for entry in keyed) // max(1, len(keyed))
    first, last = entries[0].timestamp, entries[-1].timestamp
    return _Extent(keyframes, first, 2 * last - entries[-2].timestamp, len(entries), usual)


def _read_through(container: InputContainer, film: Any, size: int) -> _Extent:
    import av

    stamps, first, end, pictures, unpacked = [], None, Fraction(0), 0, 0
    with contextlib.suppress(av.FFmpegError):  # the end that can be read is the end
        for packet in container.demux(film):
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None:
                continue
            pictures, unpacked = pictures + 1, unpacked + packet.size
            if pictures > MAX_PICTURES or unpacked > SWELLS * size + SWELLS_BYTES:
                raise ValueError(size)  # a bomb: no film has as many, none grows as much by being unpacked
            first = stamp if first is None else min(first, stamp)
            end = max(end, stamp + (packet.duration or 0))
            if packet.is_keyframe and not packet.is_corrupt:
                stamps.append(stamp)
    return _Extent(tuple(stamps), first or 0, int(end), pictures)


def bit_reversed(count: int) -> list[int]:
    """Return 0…count-1 so that every beginning of the list covers the whole range evenly.

    Reversing the bits of a counter halves every gap in turn: 0, 1/2, 1/4, 3/4, 1/8 …
    """
    bits = max(1, (count - 1).bit_length())
    order = (int(f"{index:0{bits}b}"[::-1], 2) for index in range(1 << bits))
    return [index for index in order if index < count]


@dataclass(slots=True)
class Tally:
    """What was spent and what went wrong while decoding."""

    decoded: int = 0
    damaged: int = 0


class Reader:
    """A film opened once, its keyframes decoded in any order; used as a context."""

    def __init__(self, path: Path, found: Survey, tally: Tally) -> None:
        self.path, self.found, self.tally = path, found, tally
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.container = self._opened.enter_context(open_container(self.path))
        self.film: Any = film_of(self.container)
        assert self.film is not None
        self.film.codec_context.skip_frame = "NONKEY"
        if self.found.keyframe_bytes > FINE_BYTES * self.found.width * self.found.height:
            self.film.codec_context.options = {"skip_loop_filter": "all"}
        return self

    def __exit__(self, *failure: object) -> None:
        self._opened.close()

    def keyframe(self, index: int) -> Frame | None:
        """Decode one keyframe by one seek, reading no packet past it; None for a damaged one."""
        import av

        try:
            self.container.seek(self.found.stamps[index], stream=self.film)
            picture = self._next()
        except (av.FFmpegError, ValueError):
            picture = None
        if picture is None:
            self.tally.damaged += 1
            return None
        self.tally.decoded += 1
        return Frame(self.found.keyframes[index], picture)

    def _next(self) -> Any | None:
        for tried, packet in enumerate(self.container.demux(self.film)):
            pictures = packet.decode()
            if not pictures and packet.is_keyframe and packet.size:
                pictures = self.film.codec_context.decode(None)  # out with it: a decoder may wait for the next ones
            if pictures:
                return pictures[0]
            if tried > MAX_SKIPPED:
                break
        return None


def throughout(
    path: Path,
    tally: Tally,
    *,
    every_s: float,
    span: tuple[float, float] = (0.0, math.inf),
    every_picture: bool = False,
) -> Iterator[Frame]:
    """Decode a span of the film and yield a frame every `every_s` seconds: for what lies between keyframes.

    Pictures no other refers to are left out (half of those of a film with B-frames), unless `every_picture` is wanted.
    """
    import av

    with open_container(path) as container:
        film: Any = film_of(container)
        film.codec_context.skip_frame = "DEFAULT" if every_picture else "NONREF"
        start, due = start_of(container), span[0]
        if due > 0:
            container.seek(int((due + start) * av.time_base))
        packets = container.demux(film)
        while True:
            try:
                packet = next(packets, None)
                pictures = [] if packet is None else packet.decode()
            except (av.FFmpegError, ValueError):
                tally.damaged += 1
                if tally.damaged > MAX_DAMAGED:
                    return
                continue
            if packet is None:
                return
            for picture in pictures:
                tally.decoded += 1
                now = max(0.0, float(picture.time or 0.0) - start)
                if now > span[1]:
                    return
                if now >= due:
                    due = now + every_s
                    yield Frame(now, picture)


def read_still(path: Path, *, longest: int) -> Picture:
    """Decode a HEIF photo by FFmpeg; PictureRefused when it can't or is one tile of several."""
    import av

    try:
        with open_container(path) as container:
            film = film_of(container)
            still = None if film is None else next(container.decode(film), None)
    except (av.FFmpegError, OSError, ValueError) as broken:
        raise _heif_refused() from broken
    if still is None or still.width * still.height > MAX_PIXELS:
        raise _heif_refused()
    frame = Frame(0.0, still)
    across = frame.width
    down = still.width + still.height - across
    pixels = frame.rgb(max(2, round(across * min(1.0, longest / max(across, down)))))
    return Picture(PictureFacts("heic", across, down), pixels, pixels.shape[1] / across)


def _heif_refused() -> PictureRefused:
    text = _("这张 HEIC 照片打不开。请在手机上把照片存为 JPEG（设置→相机→格式→兼容性最佳）后再传。")
    return PictureRefused("broken_picture", text)
