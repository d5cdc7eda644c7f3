from __future__ import annotations

import pytest

from review_flow.evidence.heads import SHOWN, media_type


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00ACON", None),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04", "application/zip"),
        ("教学设计".encode(), "text/plain"),
        ("教学设计".encode("gb18030"), "text/plain"),
        ("教学设计".encode()[:-1], "text/plain"),
        (b"MZ\x90\x00\x03", None),
        (b"\x7fELF\x02\x01", None),
        (b"#!/bin/sh\n", None),
        (b"\xef\xbb\xbf\r\n <html>", None),
        (b"<?xml version='1.0'?><svg/>", None),
        (b"\xff\xfe\xff\xfe\xff\xfe", None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_first_bytes_say(head: bytes, kind: str | None) -> None:
    assert media_type(head) == kind


def test_what_can_carry_a_script_is_never_shown_in_place() -> None:
    assert {"text/html", "image/svg+xml", "text/plain", "application/zip"} & SHOWN == set()
