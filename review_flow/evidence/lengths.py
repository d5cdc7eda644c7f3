"""How long AVI and WMV say they are: of a file whose end is missing, FFmpeg tells the length of what is left."""

from __future__ import annotations

from decimal import Decimal

ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def _number(head: bytes, at: int, width: int) -> int:
    return int.from_bytes(head[at : at + width], "little")


def promised(head: bytes, size: int) -> Decimal | None:
    """Return the seconds that a file's first bytes promise when they promise more bytes than the `size` there is."""
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        at = head.find(b"avih")
        whole, seconds = _number(head, 4, 4), Decimal(_number(head, at + 8, 4) * _number(head, at + 24, 4)) / 1_000_000
    elif head.startswith(ASF):
        at = head.find(FILE_PROPERTIES)
        whole = _number(head, at + 40, 8)
        seconds = Decimal(_number(head, at + 64, 8)) / 10_000_000 - Decimal(_number(head, at + 80, 8)) / 1000
    else:
        return None
    return seconds if at >= 0 and whole > size else None
