"""Photos of unknown origin, opened without trust: by content, never by name; size declared before decoding."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PIL import Image as Pillow

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
NAMES = {"JPEG": "jpg", "MPO": "jpg", "TIFF": "tif"}
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
MAX_PIXELS = 80_000_000  # a 64-megapixel phone passes; decoding this much takes 240 MB


class PictureRefused(Exception):  # noqa: N818 - it is an answer, not a fault
    """The file can't be used as a photo; `finding` says why and what to do."""

    def __init__(self, code: str, sentence: str, **names: object) -> None:
        super().__init__(code)
        self.finding = Finding(code, Level.REJECT, say(sentence, **names))


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """A photo as its header and EXIF declare it, upright; pixels not yet decoded."""

    format: str
    width: int
    height: int
    moving: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded upright photo: RGB uint8 (height, width, 3), `scale` decoded pixels per original one."""

    facts: PictureFacts
    pixels: NDArray[np.uint8]
    scale: float


def is_heif(head: bytes) -> bool:
    """Say whether the first bytes are a HEIF photo's (iPhone), which FFmpeg reads and Pillow does not."""
    return head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Pillow.Image]:
    """Yield a photo of bearable size, its pixels not yet decoded; whatever it makes Pillow raise, then or later, is a refusal."""
    from PIL import Image

    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit below is stricter
            with Image.open(file, formats=FORMATS) as image:
                _require_bearable(image)
                yield image
    except Image.DecompressionBombError as bomb:
        raise _too_many_pixels() from bomb
    except (PictureRefused, MemoryError, ImportError):  # the last two are ours, not the file's
        raise
    except Exception as broken:  # Pillow's readers raise whatever a hostile file makes them trip over
        raise _broken() from broken


def _require_bearable(image: Pillow.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels()


def _too_many_pixels() -> PictureRefused:
    text = _("图片的尺寸太大（超过 {limit} 万像素），无法安全打开。请缩小尺寸后重新保存再传。")
    return PictureRefused("too_many_pixels", text, limit=MAX_PIXELS // 10_000)


def _broken() -> PictureRefused:
    return PictureRefused("broken_picture", _("图片已损坏或不完整，打不开。请重新导出或重拍后再传。"))


def describe(path: Path) -> PictureFacts:
    """Read a photo's header; PictureRefused when it is none, is broken or declares too many pixels."""
    with _open(path) as image:
        turned = image.getexif().get(0x0112, 1) in {5, 6, 7, 8}
        width, height = (image.height, image.width) if turned else image.size
        name = str(image.format)
        # Counting the pictures would mean reading them all, and a hostile file has no end of them.
        moving = bool(getattr(image, "is_animated", False))
        return PictureFacts(NAMES.get(name, name.lower()), width, height, moving=moving)


def read_picture(path: Path, *, longest: int) -> Picture:
    """Decode a photo upright, its longer side at most `longest` px; PictureRefused as `describe`."""
    with path.open("rb") as file:
        head = file.read(16)
    if is_heif(head):
        from review_flow.evidence.video import read_still

        return read_still(path, longest=longest)
    from PIL import ImageOps

    facts = describe(path)
    with _open(path) as image:
        image.draft("RGB", (longest, longest))
        upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((longest, longest))
    return Picture(facts, np.asarray(upright), upright.width / facts.width)


def trailing(path: Path) -> str | None:
    """Name what hides behind a JPEG's end: "zip", "mp4" (a moving photo), or None.

    The entropy-coded part escapes every FF, so the first FF D9 after the scan header is the end.
    """
    data = path.read_bytes()
    if not data.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:  # noqa: PLR2004 - JPEG markers
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    end = data.find(b"\xff\xd9", at)
    rest = data[end + 2 :] if end >= 0 else b""
    if rest.lstrip(b"\0").startswith(b"PK\x03\x04"):
        return "zip"
    return "mp4" if b"ftyp" in rest[:4096] else None
