"""Calibrations made from labelled people, here made-up ones: what is promised holds for people never seen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from review_flow.cli import app
from review_flow.demo import media
from review_flow.evidence import calibration, labelled
from review_flow.evidence.calibration import TooFewError, Trial
from review_flow.evidence.likeness import CONFIDENCE, Calibration, Curve, Template, built_in
from tests.evidence.crowd import Crowd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from review_flow.evidence.calibration import Groups

WITHIN = 0.3


def crowds() -> dict[str, Crowd]:
    """Return two populations, the second half as far apart as the first."""
    chance = np.random.default_rng(7)
    return {"wide": Crowd(chance, 1.0, WITHIN), "tight": Crowd(chance, 0.5, WITHIN, 4.0)}


@pytest.fixture(scope="module")
def groups() -> Groups:
    return {group: crowd.people(60, 6, name=group) for group, crowd in crowds().items()}


@pytest.fixture(scope="module")
def made(groups: Groups) -> Calibration:
    return calibration.measured(groups, encoder="made up", made_on="made-up people", alone=groups)


def test_what_was_measured_holds_for_people_never_seen(made: Calibration) -> None:
    fresh = {group: Crowd(np.random.default_rng(99), one.apart, WITHIN, one.around) for group, one in crowds().items()}
    least = made.curve.score(CONFIDENCE)
    wrong, missed = [], []
    for crowd in fresh.values():
        own, strange = [], []
        for _person in range(150):
            person = crowd.person()
            one = Template(list(crowd.photos(person, 3)), made)
            own += one.scores(crowd.photos(person, 10)).tolist()
            strange += one.scores(np.stack([crowd.photos(crowd.person(), 1)[0] for _other in range(40)])).tolist()
        wrong.append(float((np.array(strange) >= least).mean()))
        missed.append(float((np.array(own) < least).mean()))
    assert max(wrong) <= 0.002  # one in a thousand was asked for, measured on sixty people
    assert max(missed) <= 0.08


def test_nothing_is_measured_on_people_the_model_was_made_on(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each person is told by the bytes of their photos; the real functions run."""
    known: list[set[bytes]] = []
    asked: list[set[bytes]] = []
    fit, compare = calibration.fit, calibration._compare

    def fitting(some: Groups, *, encoder: str) -> Calibration:
        known.append({photos.tobytes() for people in some.values() for photos in people.values()})
        return fit(some, encoder=encoder)

    def comparing(model: Calibration, people: Mapping[str, np.ndarray], *rest: object) -> calibration.Trials:
        those = {photos.tobytes() for photos in people.values()}
        asked.append(those)
        assert those.isdisjoint(known[-1])
        return compare(model, people, *rest)

    monkeypatch.setattr(calibration, "fit", fitting)
    monkeypatch.setattr(calibration, "_compare", comparing)
    found = list(calibration.trials(groups, encoder="made up", rounds=2))
    everybody = {photos.tobytes() for people in groups.values() for photos in people.values()}
    assert (len(known), len(asked), len(found)) == (8, 16, 16)
    assert [set.union(*asked[half * 8 : half * 8 + 8]) for half in (0, 1)] == [everybody, everybody]
    assert all(len(those) == 90 for those in known)


def test_a_trial_is_counted_for_the_person_in_the_picture(groups: Groups) -> None:
    for group, some in calibration.trials(groups, encoder="made up", rounds=1):
        own, strange = ({trial.person for trial in those} for those in (some.own, some.strange))
        assert own == strange
        assert len(own) == 15
        assert own < set(groups[group])
        assert len(some.own) == 15 * 3 * 3  # three draws of three references, which leave three pictures
        assert len(some.strange) == 15 * 14 * 6
        assert (len(some.own_film), len(some.strange_film)) == (15 * 3, 15 * 14)


def test_the_same_set_gives_the_same_comparisons(groups: Groups) -> None:
    one, other = (calibration.gathered(calibration.trials(groups, encoder="made up", rounds=1)) for _time in range(2))
    assert one == other


def test_the_error_table_has_a_row_for_each_group_and_number_of_references(made: Calibration) -> None:
    rows = made.provenance["errors"]
    assert [(row["references"], row["group"], row["people"]) for row in rows] == [
        (count, group, 60) for count in (1, 3, 5) for group in ("wide", "tight")
    ]
    shares = ["photo_wrong", "photo_missed", "film_wrong", "film_missed"]
    assert all(list(row) == ["group", "references", "people", *shares] for row in rows)
    assert all(0 <= row[share] <= 1 for row in rows for share in shares if row[share] is not None)
    # Six pictures less five references is no film; less one it is.
    assert [row["film_missed"] is None for row in rows] == [False, False, False, False, True, True]
    assert [row["photo_missed"] for row in rows[3::2]] == sorted(
        (row["photo_missed"] for row in rows[3::2]), reverse=True
    )
    assert max(row["photo_wrong"] for row in rows if row["references"] == 3) <= 0.0011
    assert made.provenance["groups"] == {group: {"people": 60, "photos": 360} for group in ("wide", "tight")}


def test_a_set_that_is_too_small_says_its_numbers() -> None:
    crowd = crowds()["wide"]
    for people, several in ((crowd.people(39, 4), 39), (crowd.people(60, 3), 0), ({}, 0)):
        with pytest.raises(TooFewError) as few:
            calibration.measured({"all": people}, encoder="made up", made_on="few")
        assert (few.value.people, few.value.several) == (len(people), several)


def test_groups_too_small_to_be_a_population_go_with_the_largest() -> None:
    crowd = crowds()["wide"]
    large, small, one = crowd.people(40, 4), crowd.people(3, 4), crowd.people(1, 9)
    together = calibration.joined({"one": one, "large": large, "small": small})
    assert list(together) == ["large"]
    assert list(together["large"]) == [*large, "one/p0", "small/p0", "small/p1", "small/p2"]
    scattered = calibration.joined({"a": small, "b": one})
    assert {group: list(people) for group, people in scattered.items()} == {"a": ["a/p0", "a/p1", "a/p2", "b/p0"]}
    made = calibration.measured({"one": one, "large": large, "small": small}, encoder="made up", made_on="few groups")
    assert {(row["group"], row["people"]) for row in made.provenance["errors"] if row["references"] == 3} == {
        ("large", 44)
    }


def test_the_curve_is_that_of_the_group_hardest_to_tell_apart() -> None:
    def found(shift: float) -> calibration.Trials:
        own = [Trial(10.0 + number / 100, "me") for number in range(100)]
        strange = [Trial(shift + number / 1000, "you") for number in range(2000)]
        return calibration.Trials(own=own, strange=strange)

    easy, hard = found(0.0), found(5.0)
    curve = calibration.curve({"easy": easy, "hard": hard, "nobody asked": calibration.Trials()})
    sure = calibration.score_at(hard.strange, calibration.FALSE_ACCEPTS)
    assert sure == pytest.approx(6.998, abs=0.0015)
    assert curve == calibration.curve({"hard": hard})
    assert curve.score(CONFIDENCE) == pytest.approx(sure)
    assert calibration.passing(hard.strange, sure) <= 0.002
    assert calibration.passing(easy.strange, sure) == 0.0


def test_everybody_weighs_the_same_however_many_pictures_there_are() -> None:
    trials = [Trial(1.0, "often")] * 9 + [Trial(0.0, "once")]
    assert calibration.passing(trials, 0.5) == 0.5


def test_covariances_of_few_people_can_be_used_still() -> None:
    """Fewer people than numbers to a face: the measured covariance alone could not be inverted."""
    model = calibration.fit({"few": crowds()["wide"].people(5, 3)}, encoder="made up")
    assert model.curve == Curve(1.0, 0.0)
    for covariance in (model.within, model.populations[0].between):
        assert np.linalg.eigvalsh(covariance).min() > 0
        assert covariance == pytest.approx(covariance.T)


def pictures(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def test_labelled_photos_come_by_group_person_and_name(tmp_path: Path) -> None:
    names = [
        "b/wang/2.jpg",
        "b/wang/10.jpg",
        "a/li/1.jpg",
        "zhao/1.jpg",
        "loose.jpg",
        "a/li/deep/er.jpg",
        ".git/x/1.jpg",
    ]
    folder = pictures(tmp_path, *names, "zhao/.DS_Store")
    assert [
        (group, person, path.relative_to(folder).as_posix()) for group, person, path in labelled.photos(folder)
    ] == [
        ("a", "li", "a/li/1.jpg"),
        ("b", "wang", "b/wang/10.jpg"),
        ("b", "wang", "b/wang/2.jpg"),
        ("all", "zhao", "zhao/1.jpg"),
    ]


def run(*words: object, status: int) -> str:
    done = CliRunner().invoke(app, ["evidence", "calibrate", *map(str, words)], prog_name="review-flow")
    assert done.exit_code == status, (words, done.output, done.exception)
    return done.stderr


def test_a_small_folder_is_misuse_with_its_numbers(tmp_path: Path, photos: dict[str, list[Path]]) -> None:
    folder, out = tmp_path / "people", tmp_path / "calibration.npz"
    for person, those in photos.items():
        (folder / person).mkdir(parents=True)
        (folder / person / "1.jpg").write_bytes(those[0].read_bytes())
    media.txt(folder / "grace" / "words.txt", "不是照片")
    said = run(folder, "--out", out, status=2)
    assert said.endswith("照片太少：2人，其中0人有四张以上；至少要40人，其中20人有四张以上。\n")
    assert not out.exists()


def test_a_missing_folder_is_misuse(tmp_path: Path) -> None:
    assert run(tmp_path / "none", status=2) == f"找不到文件夹：{tmp_path / 'none'}\n"


def test_below_what_a_mirror_image_lifted_no_face_is_looked_at_in_the_mirror(
    groups: Groups, made: Calibration, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    alone = {
        group: {name: photos + rng.normal(0, 0.4, photos.shape) for name, photos in people.items()}
        for group, people in groups.items()
    }
    lifted = []
    for group, people in groups.items():
        for name, photos in people.items():
            one = Template([*photos[:3]], made)
            both = zip(photos[3:], alone[group][name][3:], strict=True)
            lifted += [one.log_odds(bare) for whole, bare in both if one.log_odds(whole) >= 0]
    assert calibration.hopeless(groups, alone, made) == min(lifted) - 2.0 < -2.0
    assert made.hopeless == -2.0  # its mirror images change nothing
    (tmp_path / "made.npz").write_bytes(made.as_bytes())
    assert Calibration.read(tmp_path / "made.npz").hopeless == -2.0


def test_where_nobody_measured_it_every_face_is_looked_at_in_the_mirror(made: Calibration, tmp_path: Path) -> None:
    (tmp_path / "made.npz").write_bytes(replace(made, hopeless=float("-inf")).as_bytes())
    assert (Calibration.read(tmp_path / "made.npz").hopeless, built_in().hopeless) == (float("-inf"), -7.0)
