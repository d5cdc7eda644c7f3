"""Whose work is it: fingerprints of a file, and where two files agree. Rule 001-A-29's "教师本人制作".

`fingerprint` decodes untrusted bytes (call it through `sandbox.Sandbox.fingerprint`); `compare` reads fingerprints
alone. A match is a question to people: they may know of a template, a shared recording, a quotation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from review_flow.evidence.copies import films, pictures, sounds, texts
from review_flow.evidence.copies.common import unexplained
from review_flow.evidence.copies.prints import FORMAT, Match, Print
from review_flow.evidence.copies.words import sentence
from review_flow.rules.verdict import Kind
from review_flow.rules.words import CopyKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["FORMAT", "Match", "Print", "compare", "fingerprint", "sentence", "unexplained"]

COMPARE = {
    CopyKind.IMAGE: pictures.compare,
    CopyKind.VIDEO: films.compare,
    CopyKind.AUDIO: sounds.compare,
    CopyKind.TEXT: texts.compare,
}
KNOWN = "-"  # nobody asks a fingerprint for the file's hash
PAGED = frozenset({"pdf", "pptx", "xlsx"})


def fingerprint(path: Path) -> list[Print]:
    """Return every fingerprint a file has; none for one that can't be read or shows too little of its own."""
    from review_flow.evidence import documents
    from review_flow.evidence.pictures import PictureRefused
    from review_flow.evidence.probe import probe

    looked = probe(path, sha256=KNOWN)
    kind, survey = looked.media.kind, looked.survey
    try:
        if kind is Kind.PHOTO:
            return pictures.fingerprint(path)
        if kind is Kind.DOCUMENT and looked.media.chars:
            name = looked.media.format
            return texts.fingerprint(documents.read(path, name).text, paged=name in PAGED)
    except (PictureRefused, documents.DocumentRefused):
        return []
    film = [] if survey is None else films.fingerprint(path, survey)
    return film + (sounds.fingerprint(path) if looked.media.audio else [])


def compare(here: Iterable[Print], there: Iterable[Print]) -> list[Match]:
    """Return where two files agree, kind by kind; `here` and `there` of a match are the first's and the second's."""
    others = {one.kind: one.data for one in there}
    pairs = [(one.kind, one.data, others[one.kind]) for one in here if one.kind in others]
    found = (COMPARE[kind](mine, theirs) for kind, mine, theirs in pairs)
    return [match for match in found if match is not None]
