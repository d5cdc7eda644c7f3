"""Whose face it is: measured against the person and against everybody else it could be. Made-up people, real arithmetic."""

from __future__ import annotations

import io
import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_flow.evidence import likeness
from review_flow.evidence.faces import HogResnet
from review_flow.evidence.likeness import BUILT_IN, CONFIDENCE, Calibration, Curve, Population, Template
from tests.evidence.crowd import SIZE, Crowd

if TYPE_CHECKING:
    from pathlib import Path

WIDE, TIGHT = 1.0, 0.5  # how far apart the people of two populations are
WITHIN, FAR = 0.25, 6.0
SURE = 5.0  # nats: more than one stranger in a thousand gets
MADE_UP = Calibration(
    encoder="made up",
    within=WITHIN**2 * np.eye(SIZE),
    populations=(
        Population(np.zeros(SIZE), WIDE**2 * np.eye(SIZE)),
        Population(np.full(SIZE, FAR), TIGHT**2 * np.eye(SIZE)),
    ),
    curve=Curve(1.0, 0.0),
    provenance={"made_on": "made-up people", "errors": []},
)


@pytest.fixture
def wide() -> Crowd:
    return Crowd(np.random.default_rng(1), WIDE, WITHIN)


@pytest.fixture
def tight() -> Crowd:
    return Crowd(np.random.default_rng(2), TIGHT, WITHIN, FAR)


def template(crowd: Crowd, person: likeness.Numbers, references: int = 3) -> Template:
    return Template(list(crowd.photos(person, references)), MADE_UP)


def test_own_pictures_score_above_all_strangers(wide: Crowd) -> None:
    for _again in range(20):
        me = wide.person()
        one = template(wide, me)
        own = one.scores(wide.photos(me, 50))
        strange = one.scores(np.stack([wide.photos(wide.person(), 1)[0] for _other in range(200)]))
        assert own.min() > SURE > strange.max()


def reach(crowd: Crowd) -> float:
    """Return how far from the mean of three references a face may lie to be theirs, on the mean of people and ways."""
    far = np.arange(0.0, 6.0, 0.05)
    found = []
    for _person in range(30):
        references = crowd.photos(crowd.person(), 3)
        one = Template(list(references), MADE_UP)
        way = crowd.chance.normal(size=(len(far), SIZE))
        away = far[:, None] * way / np.linalg.norm(way, axis=1, keepdims=True)
        found.append(float((one.scores(references.mean(axis=0) + away) > SURE).mean()) * float(far[-1]))
    return float(np.mean(found))


def test_people_who_look_alike_are_held_to_a_stricter_distance(wide: Crowd, tight: Crowd) -> None:
    assert reach(tight) < 0.85 * reach(wide)


def test_one_distance_for_all_would_let_the_tight_population_pass_for_each_other(wide: Crowd, tight: Crowd) -> None:
    """2.0 is how far, on the mean, a face may lie from the references among the wide."""
    wrong = {}
    for name, crowd in (("wide", wide), ("tight", tight)):
        scored, near = [], []
        for _again in range(60):
            one = template(crowd, crowd.person())
            others = np.stack([crowd.photos(crowd.person(), 1)[0] for _other in range(60)])
            scored += one.scores(others).tolist()
            near += [one.distance(face) for face in others]
        wrong[name] = (np.mean(np.array(scored) > SURE), np.mean(np.array(near) < 2.0))
    assert wrong["wide"] == (0.0, 0.0)
    ours, by_distance = wrong["tight"]
    assert ours < 0.001
    assert by_distance > 0.01


def test_more_references_make_surer(wide: Crowd) -> None:
    score = {
        count: np.mean([template(wide, me, count).scores(wide.photos(me, 20)).mean() for me in people])
        for people in [[wide.person() for _one in range(40)]]
        for count in (1, 3, 5)
    }
    assert score[1] < score[3] < score[5]


def test_more_photos_than_count_say_no_more(wide: Crowd) -> None:
    photos = wide.photos(wide.person(), likeness.MOST_REFERENCES + 4)
    face = wide.photos(wide.person(), 1)
    all_of, first = Template(list(photos), MADE_UP), Template(list(photos[: likeness.MOST_REFERENCES]), MADE_UP)
    assert all_of.scores(face).tolist() == first.scores(face).tolist()


def test_a_colleague_who_fits_as_well_leaves_it_to_people(wide: Crowd) -> None:
    me = wide.person()
    references, face = list(wide.photos(me, 3)), me
    alone = Template(references, MADE_UP)
    beside_a_twin = Template(references, MADE_UP, [references])
    beside_others = Template(references, MADE_UP, [list(wide.photos(wide.person(), 3)) for _other in range(30)])
    assert likeness.probability(alone.log_odds(face)) > CONFIDENCE
    assert likeness.probability(beside_a_twin.log_odds(face)) <= 0.5
    assert beside_others.log_odds(face) == pytest.approx(alone.log_odds(face), abs=1e-3)


def test_a_colleague_with_no_references_counts_for_nothing(wide: Crowd) -> None:
    references, face = list(wide.photos(wide.person(), 3)), wide.person()
    assert Template(references, MADE_UP, [[]]).log_odds(face) == Template(references, MADE_UP).log_odds(face)


@given(st.integers(1, 60))
def test_faces_in_one_picture_share_its_odds(among: int) -> None:
    crowd = Crowd(np.random.default_rng(4), WIDE, WITHIN)
    me = crowd.person()
    one = template(crowd, me)
    assert one.log_odds(me, among=among) == pytest.approx(one.log_odds(me) - math.log(among))
    assert one.log_odds(me, among=0) == one.log_odds(me)


points = st.tuples(st.floats(-100, 100), st.floats(0.001, 0.999))


@given(points, points)
def test_a_curve_goes_through_its_points(one: tuple[float, float], other: tuple[float, float]) -> None:
    (low, less), (high, more) = one, other
    if abs(high - low) < 0.1:
        return
    curve = Curve.through(one, other)
    assert likeness.probability(curve.log_odds(low)) == pytest.approx(less, abs=1e-6)
    assert likeness.probability(curve.log_odds(high)) == pytest.approx(more, abs=1e-6)
    if abs(more - less) > 0.01:
        assert curve.score(less) == pytest.approx(low, abs=1e-5)


@given(st.floats(1e-9, 1 - 1e-9))
def test_odds_and_probability_are_each_other_s_inverse(sure: float) -> None:
    assert likeness.probability(likeness.log_odds(sure)) == pytest.approx(sure, rel=1e-6)


@pytest.mark.parametrize(("odds", "sure"), [(0.0, 0.5), (-1e6, 0.0), (1e6, 1.0)])
def test_the_ends_of_the_scale_are_no_errors(odds: float, sure: float) -> None:
    assert likeness.probability(odds) == pytest.approx(sure, abs=1e-300)


def test_a_calibration_survives_its_file(tmp_path: Path, wide: Crowd) -> None:
    path = tmp_path / "calibration.npz"
    path.write_bytes(MADE_UP.as_bytes())
    read = Calibration.read(path)
    assert (read.encoder, read.curve, read.provenance) == (MADE_UP.encoder, MADE_UP.curve, MADE_UP.provenance)
    assert read.as_bytes() == MADE_UP.as_bytes()
    me = wide.person()
    references, faces = list(wide.photos(me, 3)), wide.photos(me, 5)
    assert Template(references, read).scores(faces) == pytest.approx(Template(references, MADE_UP).scores(faces))


def archive(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{name: np.asarray(one) for name, one in arrays.items()})
    return file.getvalue()


WHOLE = MADE_UP.as_bytes()
BROKEN = {
    "empty": b"",
    "no archive": b"not a calibration",
    "cut off": WHOLE[: len(WHOLE) // 2],
    "no end": WHOLE[:-30],
    "another archive": archive(faces=[1.0, 2.0]),
    "words that are none": archive(about=np.frombuffer(b"{", dtype=np.uint8), within=np.eye(2), means=[], between=[]),
    "a list of words": archive(about=np.frombuffer(b"[]", dtype=np.uint8), within=np.eye(2), means=[], between=[]),
    "objects": archive(about=np.array([{}], dtype=object), within=np.eye(2), means=[], between=[]),
    "no archive of ours": b"PK\x03\x04" + b"\0" * 60,
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_no_calibration(tmp_path: Path, what: str) -> None:
    path = tmp_path / "calibration.npz"
    path.write_bytes(BROKEN[what])
    with pytest.raises(ValueError, match=r"calibration\.npz is no calibration$"):
        Calibration.read(path)


def test_a_missing_file_is_no_calibration(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no calibration$"):
        Calibration.read(tmp_path / "none.npz")


def test_the_calibration_that_comes_along_is_for_the_default_encoder_and_says_what_it_was_made_on() -> None:
    built_in = likeness.built_in()
    assert built_in.encoder == HogResnet.name
    assert built_in.provenance["made_on"].startswith("Labelled Faces in the Wild")
    assert set(built_in.provenance["groups"]) == {"east_asian", "other"}
    rows = built_in.provenance["errors"]
    assert {(row["group"], row["references"]) for row in rows} == {
        (g, n) for g in built_in.provenance["groups"] for n in (1, 3, 5)
    }
    assert all(row["people"] >= 10 for row in rows)
    assert all(row["photo_wrong"] <= 0.0015 and row["film_wrong"] <= 0.0015 for row in rows)


def test_nobody_s_face_can_be_had_back_from_the_file() -> None:
    """Means and covariances alone, fewer rows of numbers than people, and words that name nobody."""
    with np.load(BUILT_IN, allow_pickle=False) as file:
        shapes = {name: file[name].shape for name in file.files}
        about = json.loads(bytes(file["about"]).decode())
    size, groups = 128, len(about["provenance"]["groups"])
    assert {name: shape for name, shape in shapes.items() if name != "about"} == {
        "within": (size, size),
        "means": (groups, size),
        "between": (groups, size, size),
    }
    assert set(about) == {"encoder", "curve", "hopeless", "provenance"}
    assert set(about["provenance"]) == {"made_on", "groups", "errors"}
    assert all(count["people"] >= 100 for count in about["provenance"]["groups"].values())


def test_an_answer_s_grounds_are_the_errors_measured_with_as_many_references() -> None:
    rows = likeness.built_in().provenance["errors"]
    for given_, measured in ((0, 1), (1, 1), (2, 1), (3, 3), (4, 3), (5, 5), (40, 5)):
        grounds = likeness.grounds(given_)
        assert grounds["errors"] == [row for row in rows if row["references"] == measured]
        assert (grounds["references"], grounds["confidence"], grounds["encoder"]) == (given_, 0.99, "hog-resnet/1")
