"""Real people's photos from the folder beside the repository: nobody passes for a colleague, most are known as themselves.

A sample, and the calibration that comes along knows these people; what is measured on people kept out of it is the
work of benchmarks/faces.py and stands in docs/evidence.md.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from review_flow.evidence.calibration import REFERENCES
from review_flow.evidence.likeness import CONFIDENCE, Template, built_in, probability

if TYPE_CHECKING:
    from review_flow.evidence.likeness import Numbers
    from review_flow.evidence.sandbox import Sandbox

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "media"
FACES = Path(os.environ.get("REVIEW_FLOW_TEST_MEDIA") or BESIDE) / "lfw"
OF_EACH_GROUP, PHOTOS = 5, REFERENCES + 1
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FACES.is_dir(), reason=f"no labelled faces at {FACES}"),
]


@pytest.fixture(scope="module")
def people(box: Sandbox) -> dict[str, Numbers]:
    """Return four encodings each of the first people of each group who have as many photos."""
    found = {}
    for group in ("east_asian", "other"):
        several = [person for person in sorted((FACES / group).iterdir()) if len(list(person.iterdir())) >= PHOTOS]
        for person in several[:OF_EACH_GROUP]:
            encodings = [box.describe(photo) for photo in sorted(person.iterdir())[:PHOTOS]]
            found[f"{group}/{person.name}"] = np.stack([one[0] for one in encodings if one is not None])
    return found


def test_nobody_passes_for_a_colleague_and_most_are_known(people: dict[str, Numbers]) -> None:
    whole = {name: photos for name, photos in people.items() if len(photos) == PHOTOS}
    assert len(whole) >= 2 * OF_EACH_GROUP - 1
    known, passed, closest = 0, [], 0.0
    for name, photos in whole.items():
        others = {other: theirs for other, theirs in whole.items() if other != name}
        references = list(photos[:REFERENCES])
        alone = Template(references, built_in())
        beside = Template(references, built_in(), [list(theirs[:REFERENCES]) for theirs in others.values()])
        known += probability(beside.log_odds(photos[-1])) >= CONFIDENCE
        passed += [
            (name, other)
            for other, theirs in others.items()
            for face in theirs
            if probability(alone.log_odds(face)) >= CONFIDENCE
        ]
        closest = max(closest, *(probability(beside.log_odds(face)) for theirs in others.values() for face in theirs))
    assert passed == []
    assert closest <= 0.5
    assert known >= 0.8 * len(whole)
