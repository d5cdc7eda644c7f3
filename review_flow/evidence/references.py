"""Reference photos looked at one after another: each on its own, and beside those that are kept already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from review_flow.evidence.faces import Encoding
from review_flow.rules.verdict import Level

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from review_flow.evidence.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Looked:
    """What became of a photo: an encoding to keep, or what stands in its way (never both), and what is good to know."""

    encoding: Encoding | None
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def look(box: Sandbox, photos: Sequence[Path], kept: Sequence[Encoding]) -> list[Looked]:
    """Return what became of each photo; one that shows another person than those before it is not kept.

    The last one carries what is good to know of all references together. Takes seconds: call it outside of any
    transaction.
    """
    known, found = list(kept), []
    for photo in photos:
        seen = box.enrol(photo)
        problems = [one.text for one in seen.problems]
        if seen.encoding is not None:
            together = box.agreement([*known, seen.encoding])
            problems += [one.text for one in together if one.level is Level.REJECT]
        if not problems and seen.encoding is not None:
            known.append(seen.encoding)
        found.append(Looked(None if problems else seen.encoding, tuple(problems)))
    if known and found:  # where there is none, why a photo can't be used is all there is to say
        notes = tuple(one.text for one in box.agreement(known) if one.level is Level.INFO)
        found[-1] = Looked(found[-1].encoding, found[-1].problems, notes)
    return found
