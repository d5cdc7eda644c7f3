"""What a reviewer's browser can show: whether it plays a film as it is, a copy it plays, and a poster.

The copy is H.264 and AAC in an MP4 whose index stands in front, so it starts at once and can be wound on. What is
H.264 already is only packed anew. The child that makes it may write no file: it sends pieces with their places
(`Sink`), and the parent puts them into one. Memory doesn't grow with the film: one picture at a time.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from review_flow.evidence import pictures, video
from review_flow.evidence.pictures import PictureRefused
from review_flow.i18n import _, say

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from av import VideoFrame
    from av.container import InputContainer, OutputContainer

    from review_flow.evidence.video import Frame, Survey

Sink = Callable[[int, bytes], None]
"""Takes a piece of the copy and the place it belongs to."""
Edit = Callable[["VideoFrame", float], "VideoFrame"]
"""Returns the picture (yuv420p, not yet turned) that stands in a copy at that second."""

PLAYED = {
    "mp4": (frozenset({"h264", "av1"}), frozenset({"aac", "mp3", "opus"})),
    "m4v": (frozenset({"h264"}), frozenset({"aac", "mp3"})),
    "webm": (frozenset({"vp8", "vp9", "av1"}), frozenset({"opus", "vorbis"})),
}
PLAYED_PIXELS = frozenset({"yuv420p", "yuvj420p"})
SHOWN_PHOTOS = frozenset({"jpg", "png", "webp", "gif", "avif", "bmp"})
PACKED_ANEW = frozenset({"mp4", "m4v", "mov", "mkv", "ts", "flv", "3gp"})  # their H.264 carries the times MP4 wants
LONGEST, LARGEST_PLAYED = 1920, 4096  # px of the longer side: of a copy; of what ordinary machines play smoothly
POSTER, PHOTO_COPY = 960, 2560  # px of the longer side
POSTER_TRIES = 8
DARK, BRIGHT = 30, 225  # mean light of a poster
PER_PICTURE, SPARE = 48, 1 << 17  # bytes of index for each picture and sound packet, and for the rest of it
SOUND_PACKETS_PER_S = 50
PIECE = 1 << 18


@dataclass(frozen=True, slots=True)
class Copy:
    """What was made: "packed" or "encoded" for a film, "photo", or None; notes say in words what was left out."""

    made: str | None
    poster: bytes | None
    notes: tuple[str, ...] = ()


def why_not(found: Survey) -> str | None:
    """Return, in words, why browsers don't play a film as it is; None when they do."""
    films, sounds = PLAYED.get(found.format, (frozenset(), frozenset()))
    if not films:
        return say(_("浏览器一般播不了 {format} 文件"), format=found.format)
    if found.codec not in films:
        return say(_("浏览器一般播不了 {codec} 编码的画面"), codec=found.codec)
    if found.pixels not in PLAYED_PIXELS:
        return say(_("浏览器一般播不了这种色深的画面（{pixels}）"), pixels=found.pixels)
    if found.audio and found.sound not in sounds:
        return say(_("浏览器一般播不了 {codec} 编码的声音"), codec=found.sound)
    if max(found.width, found.height) > LARGEST_PLAYED:
        return say(_("画面太大（{width}×{height}），一般电脑播不动"), width=found.width, height=found.height)
    return None


def why_not_photo(name: str) -> str | None:
    """Return, in words, why browsers don't show a photo of this format; None when they do."""
    return None if name in SHOWN_PHOTOS else say(_("浏览器一般打不开 {format} 照片"), format=name)


def as_json(why: str | None) -> dict[str, Any]:
    """Return the published form of whether the original plays."""
    return {"original": why is None, "why": why or say(_("浏览器可以直接播放"))}


def present(path: Path, sink: Sink) -> Copy:
    """Make what a reviewer sees of a film or photo; the copy goes piece by piece to the sink.

    Raises av.FFmpegError, OSError or PictureRefused where nothing can be made of the file.
    """
    with path.open("rb") as file:
        head = file.read(16)
    if pictures.is_heif(head):
        return _photo(path, "heic", sink)
    try:
        return _photo(path, pictures.describe(path).format, sink)
    except PictureRefused:
        found = video.survey(path)
    if found.codec is None:
        return Copy(None, None)
    best = poster(path, found)
    if why_not(found) is None:
        return Copy(None, best)
    packed = found.format in PACKED_ANEW and found.codec == "h264" and found.pixels in PLAYED_PIXELS
    packed = packed and max(found.width, found.height) <= LARGEST_PLAYED
    notes = copied(path, found, sink, packed=packed)
    return Copy("packed" if packed else "encoded", best, tuple(notes))


def _photo(path: Path, name: str, sink: Sink) -> Copy:
    picture = pictures.read_picture(path, longest=PHOTO_COPY)
    if name not in SHOWN_PHOTOS:
        sink(0, _jpeg(picture.pixels, PHOTO_COPY))
    return Copy(None if name in SHOWN_PHOTOS else "photo", _jpeg(picture.pixels, POSTER))


def poster(path: Path, found: Survey) -> bytes | None:
    """Return a JPEG of one whole picture: of eight over the film, the sharpest that is neither dark nor glaring."""
    import cv2

    def worth(frame: Frame) -> tuple[bool, float]:
        luma = frame.luma()
        factor = min(1.0, 480 / max(luma.shape))
        size = (max(2, round(luma.shape[1] * factor)), max(2, round(luma.shape[0] * factor)))
        small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
        return DARK <= float(small.mean()) <= BRIGHT, float(cv2.Laplacian(small, cv2.CV_64F).var())

    best: tuple[tuple[bool, float], bytes] | None = None
    with video.Reader(path, found, video.Tally()) as reader:
        for index in video.bit_reversed(len(found.stamps))[:POSTER_TRIES]:
            frame = reader.keyframe(index)
            if frame is None:
                continue
            value = worth(frame)
            if best is None or value > best[0]:
                across = round(POSTER * frame.width / max(frame.width, frame.height))
                best = (value, _jpeg(frame.rgb(across), POSTER))
    return None if best is None else best[1]


def _jpeg(pixels: np.ndarray[Any, np.dtype[np.uint8]], longest: int) -> bytes:
    from PIL import Image

    image = Image.fromarray(pixels)
    image.thumbnail((longest, longest))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return out.getvalue()


class _Pieces(io.RawIOBase):
    """A file to FFmpeg, of which only pieces and their places go out."""

    def __init__(self, sink: Sink) -> None:
        self.sink, self.at, self.end = sink, 0, 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.end}[whence]
        return self.at

    def write(self, data: Any) -> int:
        piece = bytes(data)
        for start in range(0, len(piece), PIECE):
            self.sink(self.at + start, piece[start : start + PIECE])
        self.at += len(piece)
        self.end = max(self.end, self.at)
        return len(piece)


def copied(path: Path, found: Survey, sink: Sink, *, packed: bool = False, edit: Edit | None = None) -> list[str]:
    """Write the copy, `packed` as it is or encoded with every picture passing `edit`; return notes on what was left out.

    The index gets its room in front beforehand, for pieces can't be moved later.
    """
    import av

    sounds = float(found.seconds or found.readable) * SOUND_PACKETS_PER_S
    room = SPARE + round(PER_PICTURE * (found.pictures + sounds))
    with (
        video.open_container(path) as source,
        av.open(_Pieces(sink), "w", format="mp4", container_options={"moov_size": str(room)}) as copy,
    ):
        film = video.film_of(source)
        assert film is not None
        carry = _Packed(film, copy) if packed else _Encoded(film, copy, found, _turn(path, found), edit)
        sound, notes = _sound_of(source, copy)
        streams = [film, *([sound.source] if sound else [])]
        damaged = 0
        for packet in _packets(source, streams):
            try:
                if packet.stream is film:
                    carry.take(packet)
                elif sound:
                    sound.take(packet)
            except (av.InvalidDataError, ValueError):
                damaged += 1
                if damaged > video.MAX_DAMAGED:
                    raise
        carry.end()
        if sound:
            sound.end()
    if damaged:
        notes.append(say(_("原文件有 {count} 处损坏，副本里跳过了"), count=damaged))
    return notes


def _turn(path: Path, found: Survey) -> int:
    """Return the angle a display matrix asks for, which pictures carry."""
    with video.Reader(path, found, video.Tally()) as reader:
        first = next((frame for frame in map(reader.keyframe, range(len(found.stamps))) if frame), None)
    return first.source.rotation if first else 0


def _packets(source: InputContainer, streams: list[Any]) -> Any:
    """Yield packets up to the end that can be read."""
    import av

    packets = source.demux(streams)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        if packet.size:
            yield packet


class _Packed:
    """Takes H.264 as it is into the copy; the display matrix goes along."""

    def __init__(self, film: Any, copy: OutputContainer) -> None:
        self.copy, self.stream = copy, copy.add_stream_from_template(film)
        self.usual = max(1, round(1 / ((film.average_rate or 25) * film.time_base)))
        self.untimed: list[Any] = []
        self.last: int | None = None

    def take(self, packet: Any) -> None:
        if packet.dts is None and self.last is None:
            self.untimed.append(packet)  # Matroska leaves the first ones' decoding time open
            return
        for before, waiting in enumerate(reversed(self.untimed), start=1):
            waiting.dts = packet.dts - before * self.usual
        for due in (*self.untimed, packet):
            self._mux(due)
        self.untimed = []

    def _mux(self, packet: Any) -> None:
        if packet.dts is None or (self.last is not None and packet.dts <= self.last):
            return  # MP4 knows no two pictures at one time
        self.last = packet.dts
        packet.stream = self.stream
        self.copy.mux(packet)

    def end(self) -> None:
        """Let out a film so short that no time was ever known."""
        for packet in self.untimed:
            packet.dts = packet.pts
            self._mux(packet)


class _Encoded:
    """Decodes and encodes the film: 8 bits, even sides, at most 1080p, turned by the display matrix as before."""

    def __init__(self, film: Any, copy: OutputContainer, found: Survey, turn: int, edit: Edit | None) -> None:
        factor = min(1.0, LONGEST / max(found.width, found.height))
        rate = Fraction(found.fps or 25).limit_denominator(1001)
        options = {"preset": "veryfast", "crf": "23", "threads": "1"}
        stream: Any = copy.add_stream("libx264", rate=min(max(rate, Fraction(1)), Fraction(60)), options=options)
        stream.width, stream.height = (max(2, round(side * factor / 2) * 2) for side in (found.width, found.height))
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = film.time_base
        stream.codec_context.gop_size = 250
        if turn:
            stream.set_display_rotation(turn)
        self.film, self.copy, self.stream, self.edit, self.last = film, copy, stream, edit, None
        self.start = video.start_of(film.container)

    def take(self, packet: Any) -> None:
        for frame in packet.decode():
            self._picture(frame)

    def _picture(self, frame: Any) -> None:
        if frame.pts is None or (self.last is not None and frame.pts <= self.last):
            return
        self.last = frame.pts
        small = frame.reformat(width=self.stream.width, height=self.stream.height, format="yuv420p")
        if self.edit:
            small = self.edit(small, max(0.0, float(frame.pts * self.film.time_base) - self.start))
        small.pts, small.time_base, small.pict_type = frame.pts, self.film.time_base, 0
        self.copy.mux(self.stream.encode(small))

    def end(self) -> None:
        """Let out what decoder and encoder hold back."""
        for frame in self.film.codec_context.decode(None):
            self._picture(frame)
        self.copy.mux(self.stream.encode())


class _Sound:
    """The first sound track as AAC in stereo, taken as it is where it is AAC already."""

    def __init__(self, source: Any, copy: OutputContainer) -> None:
        import av

        self.source, self.copy = source, copy
        self.as_it_is = source.codec_context.name == "aac"
        if self.as_it_is:
            self.stream: Any = copy.add_stream_from_template(source)
            return
        self.stream = copy.add_stream("aac", rate=44_100, layout="stereo")
        self.stream.bit_rate = 128_000
        self.resampler = av.AudioResampler(format="fltp", layout="stereo", rate=44_100)

    def take(self, packet: Any) -> None:
        if self.as_it_is:
            if packet.dts is not None:
                packet.stream = self.stream
                self.copy.mux(packet)
            return
        self._frames(packet.decode())

    def _frames(self, frames: Any) -> None:
        for frame in frames:
            for piece in self.resampler.resample(frame):
                self.copy.mux(self.stream.encode(piece))

    def end(self) -> None:
        """Let out what decoder, resampler and encoder hold back."""
        if self.as_it_is:
            return
        self._frames(self.source.codec_context.decode(None))
        with contextlib.suppress(ValueError):  # a track without a single frame
            for piece in self.resampler.resample(None):
                self.copy.mux(self.stream.encode(piece))
        self.copy.mux(self.stream.encode())


def _sound_of(source: InputContainer, copy: OutputContainer) -> tuple[_Sound | None, list[str]]:
    """Return the copy's sound; a track without a decoder is left out, with a note."""
    import av

    for stream in source.streams.audio:
        if stream.codec_context is None:
            continue
        try:
            return _Sound(stream, copy), []
        except (av.FFmpegError, ValueError):
            break
    if source.streams.audio:
        return None, [say(_("声音的编码无法转换，副本没有声音"))]
    return None, []
