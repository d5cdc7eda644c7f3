"""A quick look finds the faces the full detector finds, from half the width; and is confirmed by it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from review_flow.demo import media
from review_flow.evidence import faces, glance
from review_flow.evidence.film import _confirmed
from review_flow.evidence.glance import FORWARD, STRAIGHT, _packed, _unpacked


def face_of(person: str, width: int) -> np.ndarray:
    """Return a 640×360 picture of the classroom's grey with a face of this many px across, near the middle."""
    head = np.asarray(media.portrait(person).crop(media.HEADS[person]).convert("L"))
    [box] = faces.detect(head)
    factor = width / box.width
    small = cv2.resize(head, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    picture = np.full((360, 640), 150, dtype=np.uint8)
    picture[120 : 120 + small.shape[0], 250 : 250 + small.shape[1]] = small
    return picture


@pytest.mark.parametrize("filters", [FORWARD, STRAIGHT])
@pytest.mark.parametrize("person", media.PEOPLE)
def test_a_face_of_42_px_is_hinted_at_where_the_full_detector_sees_it_twice_as_large(
    person: str, filters: tuple[int, ...]
) -> None:
    picture = face_of(person, 42)
    assert faces.detect(picture) == []
    [hint] = glance.find(picture, filters=filters)
    [real] = faces.detect(picture, upsample=1)
    assert hint.meets(real)
    assert 34 <= hint.width <= 54


def test_a_room_without_anybody_gives_no_hint() -> None:
    room = np.asarray(media._still_life(640, 360).convert("L"))
    assert glance.find(room) == []


def test_a_hint_is_confirmed_at_the_face_s_own_place_and_size() -> None:
    large = cv2.resize(face_of("grace", 42), (1920, 1080), interpolation=cv2.INTER_CUBIC)
    [box] = _confirmed(np.asarray(large, dtype=np.uint8), 640, FORWARD)
    [full] = faces.detect(np.asarray(large, dtype=np.uint8))
    assert np.abs(np.subtract(box, full)).max() <= 24


def test_numbers_are_read_and_written_as_dlib_writes_them() -> None:
    numbers = [0, 1, -1, 255, 256, -3101, 5946230884411891, -8925991258012653]
    assert list(_unpacked(b"".join(map(_packed, numbers)))) == numbers
    [state] = faces.HogResnet().detector.__getstate__()
    assert b"".join(map(_packed, _unpacked(state))) == state


def test_a_still_picture_of_the_demo_shows_its_face(tmp_path: object) -> None:
    grey = np.asarray(Image.fromarray(np.asarray(media.portrait("grace"))).convert("L").resize((256, 300)))
    assert len(glance.find(grey)) == 1
