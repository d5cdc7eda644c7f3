"""What a file says it is by its first bytes; a look that opens nothing. The check looks properly, in its own child."""

from __future__ import annotations

HEAD_BYTES = 4096
CONTROLS = frozenset({*range(9), *range(14, 27), *range(28, 32), 127})
OFFICE = "application/vnd.openxmlformats-officedocument"
BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (b"FLV\x01", "video/x-flv"),
    (b".RMF", "application/vnd.rn-realmedia"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"\x47\x40", "video/mp2t"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
)
RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
BRANDS = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"avif": "image/avif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
SHOWN = frozenset(
    {
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "application/pdf",
        "video/mp4",
        "video/webm",
        "audio/mpeg",
        "audio/mp4",
        "audio/wav",
        "audio/ogg",
    }
)
"""What browsers show in place, and what can't carry a script; everything else is handed out as a download."""


def media_type(head: bytes) -> str | None:
    """Return the media type of the first bytes; None for what is no film, picture, sound or document."""
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], "video/mp4")
    if head[:4] == b"RIFF":
        return RIFF.get(head[8:12])
    for beginning, kind in BEGINNINGS:
        if head.startswith(beginning):
            return kind
    return "text/plain" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    """Whether it reads as text of this country's encodings and begins no page, picture or script of a browser's."""
    if (
        not head
        or not CONTROLS.isdisjoint(head)
        or head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
        or head.startswith((b"#!", b"MZ"))
    ):
        return False
    return any(_reads(head, encoding) for encoding in ("utf-8", "gb18030"))


def _reads(head: bytes, encoding: str) -> bool:
    for cut in range(4):  # a sign may be cut in two where the head ends
        try:
            head[: len(head) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False
