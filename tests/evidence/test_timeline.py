"""Presence over time: shares, absences and notes, of tracks made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from review_flow.evidence.faces import Box
from review_flow.evidence.timeline import notes, timeline
from review_flow.evidence.tracks import Sighting, Track, likeness, linked, patch_of, resembles

LOOKS = np.random.default_rng(5).integers(0, 256, (8, 24, 24), dtype=np.uint8)
SIZE = (1920, 1080)


def face(
    at_s: float, left: int = 100, *, look: int = 0, near: float | None = None, width: int = 120, shade: float = 0.0
) -> Sighting:
    pixels = np.clip(LOOKS[look] + shade * LOOKS[7], 0, 255).astype(np.uint8)
    patch = patch_of(pixels, Box(0, 0, 24, 24))
    return Sighting(int(at_s), at_s, Box(left, 100, left + width, 100 + width), patch, near)


def test_a_look_is_free_of_light_and_contrast() -> None:
    dim = (LOOKS[0] // 2 + 20).astype(np.uint8)
    assert float(patch_of(dim, Box(0, 0, 24, 24)) @ face(0).patch) > 0.99
    assert float(patch_of(np.full((24, 24), 9, np.uint8), Box(0, 0, 24, 24)) @ face(0).patch) == 0.0


@pytest.mark.parametrize(
    ("left", "width", "look", "one"),
    [(100, 120, 0, True), (200, 120, 0, True), (210, 120, 0, False), (100, 190, 0, False), (100, 120, 1, False)],
)
def test_one_person_is_near_the_same_place_in_the_same_size_with_the_same_look(
    left: int, width: int, look: int, *, one: bool
) -> None:
    other = face(1, left, look=look, width=width)
    assert (likeness(face(0), other) > 0.9) == one
    assert resembles(other, [face(0)]) == one


def test_faces_are_joined_over_time_and_two_of_a_moment_are_two_people() -> None:
    seen = [face(0), face(1, 130), face(2, 160), face(0, 800, look=1), face(1, 820, look=1), face(9, 160), face(1, 125)]
    tracks = linked(seen, gap_s=3)
    assert [[(one.at_s, one.box.left) for one in track.sightings] for track in tracks] == [
        [(0, 100), (1, 130), (2, 160)],
        [(0, 800), (1, 820)],
        [(1, 125)],
        [(9, 160)],
    ]
    assert [track.least_doubt for track in tracks] == [1.0] * 4


def test_presence_is_a_share_of_the_looked_at_moments_by_tracks() -> None:
    teacher = Track([face(2, near=0.35), face(3), face(4)])
    pupil = Track([face(3, 900, look=1, near=0.7), face(5, 900, look=1)])
    looked = {0.0: 0, 1.0: 0, 2.0: 1, 3.0: 2, 4.0: 1, 5.0: 1, 6.0: 0, 7.0: 0}
    whole = timeline(looked, [teacher, pupil], sure=0.40, seconds=8, complete=True)
    assert whole.as_json() == {
        "moments": 8,
        "looked_s": 8.0,
        "complete": True,
        "with_teacher": 3,
        "share": 0.375,
        "longest_absence_s": 4.0,
        "most_others": 1,
        "spans": [[0.0, 1.5, "none"], [1.5, 4.5, "teacher"], [4.5, 5.5, "others"], [5.5, 8.0, "none"]],
    }


def test_a_search_that_stopped_early_speaks_only_of_what_it_looked_at() -> None:
    told = timeline({10.0: 1, 70.0: 1}, [Track([face(10, near=0.3)])], sure=0.4, seconds=600, complete=False).as_json()
    assert (told["moments"], told["looked_s"], told["share"], told["longest_absence_s"]) == (2, 2.0, 0.5, None)
    nothing = timeline({}, [], sure=0.4, seconds=600, complete=False).as_json()
    assert (nothing["share"], nothing["looked_s"], nothing["spans"]) == (None, 0.0, [])


def codes(tracks: list[Track]) -> list[tuple[str, str]]:
    return [(note.code, str(note.level)) for note in notes(tracks, sure=0.4, size=SIZE)]


def test_a_face_in_which_nothing_lives_is_noted_and_no_more() -> None:
    still = Track([face(0, 700, near=0.3), face(3, 760), face(6, 900)])
    assert codes([still]) == [("still_face", "info")]
    living = Track([face(0, 700, near=0.3), face(3, 760, shade=0.5), face(6, 900)])
    assert codes([living]) == []
    brief = Track([face(0, 700, near=0.3), face(1, 760)])
    assert codes([brief]) == []
    stranger = Track([face(0, 700, near=0.6), face(3, 760)])
    assert codes([stranger]) == []


def test_a_small_face_fixed_in_a_corner_is_a_picture_in_a_picture() -> None:
    corner = Track([face(t, 100 + t, near=0.3, shade=t / 10) for t in range(0, 8, 2)])
    assert codes([corner]) == [("picture_in_picture", "info")]
    middle = Track([face(t, 900 + t, near=0.3, shade=t / 10) for t in range(0, 8, 2)])
    assert codes([middle]) == []
