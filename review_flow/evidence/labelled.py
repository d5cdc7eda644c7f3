"""Labelled folders of faces, GROUP/PERSON/PHOTO or PERSON/PHOTO, for calibrating and measuring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from review_flow.evidence.calibration import Groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from review_flow.evidence.sandbox import Sandbox

ALL = "all"  # the group of people who stand in no group


@dataclass(frozen=True, slots=True)
class Labelled:
    """The encodings, those of the same faces without their mirror images, and the photos that gave none."""

    groups: Groups
    alone: Groups
    without_face: tuple[Path, ...]


def photos(folder: Path) -> list[tuple[str, str, Path]]:
    """Return (group, person, photo) of everything in the folder, in order of name; hidden files are passed over."""
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and 2 <= len(inside) <= 3 and not any(part.startswith(".") for part in inside):  # noqa: PLR2004 - the two depths above
            found.append((inside[0] if len(inside) == 3 else ALL, inside[-2], path))  # noqa: PLR2004 - the same
    return found


def encoded(folder: Path, box: Sandbox, *, told: Callable[[int, int], None] = lambda _done, _all: None) -> Labelled:
    """Describe the largest face of every photo in a child; `told` hears how far it is."""
    groups: dict[str, dict[str, list[np.ndarray]]] = {}
    alone: dict[str, dict[str, list[np.ndarray]]] = {}
    without = []
    every = photos(folder)
    for number, (group, person, photo) in enumerate(every, start=1):
        described = box.describe(photo)
        if described is None:
            without.append(photo)
        else:
            for kept, encoding in zip((groups, alone), described, strict=True):
                kept.setdefault(group, {}).setdefault(person, []).append(encoding)
        told(number, len(every))
    return Labelled(_stacked(groups), _stacked(alone), tuple(without))


def _stacked(groups: dict[str, dict[str, list[np.ndarray]]]) -> Groups:
    return {group: {name: np.stack(those) for name, those in people.items()} for group, people in groups.items()}
