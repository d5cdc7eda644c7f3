"""How often a face check is wrong: ``python -m benchmarks.faces DIR [--keep FILE.npz]``, DIR/GROUP/PERSON/PHOTO.

Beside ours, in the same run on the same faces: the library's way (one photo against one photo, nearer than a fixed
distance: 0.60 is its default) and the mean of three photos at a fixed distance. Every row of ours is measured on
people the model was not made on. "wrong" is the share of strangers that pass, "missed" that of the person's own
pictures that don't. `--keep` writes the encodings down and reads them again: numbers of real people's faces, for a
machine of your own.
"""

from __future__ import annotations

import argparse
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from review_flow.evidence import calibration
from review_flow.evidence.labelled import encoded
from review_flow.evidence.sandbox import Sandbox

if TYPE_CHECKING:
    from review_flow.evidence.calibration import Groups, People

FIXED = (0.60, 0.50, 0.45, 0.40, 0.38)
MOST_OF_ONE = 6


def one_against_one(people: People, nearer: float) -> tuple[float, float]:
    """Return (wrong, missed) over all pairs of photos."""
    own = [float(np.linalg.norm(a - b)) for photos in people.values() for a, b in combinations(photos[:MOST_OF_ONE], 2)]
    strange = [
        float(np.linalg.norm(a - b))
        for one, other in combinations(people.values(), 2)
        for a, b in product(one[:MOST_OF_ONE], other[:MOST_OF_ONE])
    ]
    return float(np.mean(np.array(strange) <= nearer)), float(np.mean(np.array(own) > nearer))


def mean_of_three(people: People, nearer: float) -> tuple[float, float]:
    """Return (wrong, missed) of single photos against the mean of a person's first three."""
    own, strange = [], []
    for name, photos in people.items():
        if len(photos) <= calibration.REFERENCES:
            continue
        middle = photos[: calibration.REFERENCES].mean(axis=0)
        own += [float(np.linalg.norm(one - middle)) for one in photos[calibration.REFERENCES :][:MOST_OF_ONE]]
        strange += [
            float(np.linalg.norm(one - middle))
            for other, theirs in people.items()
            if other != name
            for one in theirs[:MOST_OF_ONE]
        ]
    return float(np.mean(np.array(strange) <= nearer)), float(np.mean(np.array(own) > nearer))


def kept(path: Path) -> Groups:
    """Read what `--keep` wrote."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path) as file:
        for name in file.files:
            group, person = name.split("/", 1)
            groups.setdefault(group, {})[person] = file[name]
    return groups


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    if given.keep and given.keep.exists():
        groups = kept(given.keep)
    else:
        with Sandbox() as box:
            groups = encoded(given.folder, box).groups
        if given.keep:
            np.savez(given.keep, **{f"{g}/{n}": photos for g, people in groups.items() for n, photos in people.items()})
    row = "{:<46}{:<14}{:>9}{:>9}".format
    print(row("way", "group", "wrong", "missed"))
    for group, people in groups.items():
        for nearer in FIXED:
            print(
                row(
                    f"one photo against one, nearer than {nearer:.2f}", group, *_shares(one_against_one(people, nearer))
                )
            )
        for nearer in FIXED[2:]:
            print(row(f"mean of 3, one photo nearer than {nearer:.2f}", group, *_shares(mean_of_three(people, nearer))))
    model = calibration.measured(groups, encoder="measured here", made_on=str(given.folder))
    for line in model.provenance["errors"]:
        for what, words in (("photo", "a single photo"), ("film", "two of three moments")):
            shares = _shares((line[f"{what}_wrong"], line[f"{what}_missed"]))
            print(
                row(f"ours, {line['references']} references, {words}", f"{line['group']} ({line['people']})", *shares)
            )


def _shares(pair: tuple[float | None, float | None]) -> list[str]:
    return ["–" if share is None else f"{100 * share:.2f} %" for share in pair]


if __name__ == "__main__":
    main()
