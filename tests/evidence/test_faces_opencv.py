"""The school's own models, loaded and run by OpenCV: tiny nets built here, real ones where they lie beside the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Pictures
from typer.testing import CliRunner, Result

from review_flow.cli import app
from review_flow.db import settings
from review_flow.demo import media
from review_flow.evidence.faces import CALIBRATION, Box
from review_flow.evidence.faces_opencv import NoModelsError, YunetSface, calibrated_models, unloadable, unusable
from review_flow.evidence.likeness import BUILT_IN, Calibration
from review_flow.evidence.sandbox import Sandbox
from review_flow.rules.words import Verdict
from tests.evidence import tiny_models as tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

    from review_flow.evidence.faces import Encoding

REAL = Path(__file__).resolve().parents[3] / "shared" / "models"
PEOPLE, SEVERAL, PHOTOS = 40, 20, 4  # the fewest that can be calibrated on
HERE = Box(120, 120, 232, 232)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both models and no calibration."""
    return tiny.models(tmp_path_factory.mktemp("bare") / "models")


@pytest.fixture(scope="module")
def seen_by(bare: Path) -> YunetSface:
    return YunetSface(bare)


def saved(folder: Path, person: int, *photos: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{photo}.png" for photo in photos]
    for photo, path in zip(photos, paths, strict=True):
        Pictures.fromarray(tiny.picture(person, photo)).save(path)
    return paths


def test_a_face_is_found_where_it_is(seen_by: YunetSface) -> None:
    picture = tiny.picture(0)
    grey = np.asarray(picture.mean(axis=2), dtype=np.uint8)
    assert seen_by.detect(picture) == seen_by.detect(grey) == [HERE]
    assert seen_by.detect(np.zeros_like(picture)) == []
    assert seen_by.detect(np.zeros((1, 1, 3), dtype=np.uint8)) == []


def test_several_come_the_largest_first_and_cut_at_the_edge(seen_by: YunetSface) -> None:
    picture = np.zeros((320, 640, 3), dtype=np.uint8)
    for left, top in ((0, 128), (480, 128)):
        picture[top : top + tiny.CELL, left : left + tiny.CELL] = 255
    assert seen_by.detect(picture) == [Box(440, 88, 552, 200), Box(0, 88, 72, 200)]


def test_upsampled_boxes_are_in_pixels_of_the_picture_given(seen_by: YunetSface) -> None:
    picture = np.zeros((320, 320, 3), dtype=np.uint8)
    picture[79:97, 79:97] = 255
    assert seen_by.detect(picture) == []
    assert seen_by.detect(picture, upsample=1) == [Box(60, 60, 116, 116)]


def test_an_encoding_has_length_1_and_is_the_person_s(seen_by: YunetSface) -> None:
    me, again, other = (seen_by.encode(tiny.picture(*one), HERE) for one in ((0, 0), (0, 1), (1, 0)))
    assert (me.shape, me.dtype) == ((128,), np.float64)
    assert np.linalg.norm(me) == pytest.approx(1)
    assert np.linalg.norm(me - again) < np.linalg.norm(me - other) / 2


def test_the_mirror_image_is_looked_at_in_the_encoder_s_own_frame(seen_by: YunetSface) -> None:
    picture = tiny.picture(0)
    plain, mirrored = (seen_by.encode(picture, HERE, mirrored=mirrored) for mirrored in (False, True))
    assert np.linalg.norm(plain - mirrored) > 0.05
    wide = np.pad(picture, ((0, 0), (0, 2 * tiny.NOSE + tiny.CELL - tiny.PICTURE), (0, 0)))
    even = np.maximum(wide, wide[:, ::-1])
    plain, mirrored = (seen_by.encode(even, HERE, mirrored=mirrored) for mirrored in (False, True))
    assert np.linalg.norm(plain - mirrored) < 0.02


def test_a_nose_beside_the_middle_is_a_turned_face(seen_by: YunetSface) -> None:
    picture = np.full((320, 320, 3), 100, dtype=np.uint8)
    picture[160:192, 160:192] = 255
    assert seen_by.turn(picture, HERE) == pytest.approx(0, abs=1e-6)
    picture[:, 192:] = 230
    picture[:, :160] = 0
    assert seen_by.turn(picture, HERE) == pytest.approx(0.002 * 230 / 1.2, abs=1e-3)


def test_a_face_the_detector_does_not_see_again_is_guessed_from_its_box(seen_by: YunetSface) -> None:
    picture = np.full((320, 320, 3), 100, dtype=np.uint8)
    assert np.linalg.norm(seen_by.encode(picture, HERE)) == pytest.approx(1)
    assert seen_by.turn(picture, HERE) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("gone", "pattern"), [(tiny.DETECTOR, "face_detection_yunet*.onnx"), (tiny.ENCODER, "face_recognition_sface*.onnx")]
)
def test_a_missing_model_is_named(bare: Path, tmp_path: Path, gone: str, pattern: str) -> None:
    folder = tmp_path / "models"
    shutil.copytree(bare, folder)
    (folder / gone).unlink()
    with pytest.raises(NoModelsError) as no:
        YunetSface(folder)
    assert no.value.lacking == pattern
    assert unloadable(folder) == unusable(folder) == f"{folder} 里缺少人脸模型文件 {pattern}"
    assert unloadable(tmp_path / "none") == f"{tmp_path / 'none'} 里缺少人脸模型文件 face_detection_yunet*.onnx"


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07"])
def test_a_file_that_is_no_model_is_told(bare: Path, tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "models"
    shutil.copytree(bare, folder)
    (folder / tiny.ENCODER).write_bytes(content)
    assert unloadable(folder) == f"{folder} 里的人脸模型读不出来：文件损坏，或不是 YuNet、SFace"


def test_models_are_used_only_once_calibrated_for_themselves(bare: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(bare, folder)
    path = folder / CALIBRATION
    assert (calibrated_models(None), calibrated_models(folder), unloadable(folder)) == (None, None, None)
    assert unusable(folder) == f"{folder} 里的人脸模型还没有校准：请先运行 review-flow evidence calibrate"
    path.write_bytes(b"PK")
    assert unusable(folder) == f"读不懂校准文件 {path}：请重新运行 review-flow evidence calibrate"
    path.write_bytes(BUILT_IN.read_bytes())
    again = "请重新运行 review-flow evidence calibrate"
    assert unusable(folder) == f"校准文件 {path} 是为 hog-resnet/1 做的，不是为 {tiny.NAME}：{again}"
    assert calibrated_models(folder) is None
    path.write_bytes(replace(Calibration.read(BUILT_IN), encoder=tiny.NAME).as_bytes())
    assert (unusable(folder), calibrated_models(folder)) == (None, folder)


def run(*words: object, status: int = 0) -> Result:
    settings.cache_clear()
    done = CliRunner().invoke(app, [*map(str, words)], prog_name="review-flow")
    settings.cache_clear()
    assert done.exit_code == status, (words, done.output, done.exception)
    return done


def test_the_command_says_what_is_wrong_with_the_models(bare: Path, tmp_path: Path) -> None:
    (photo,) = saved(tmp_path, 0, 0)
    words = ("evidence", "check", photo, "--models")
    assert (
        run(*words, bare, status=2).stderr
        == f"{bare} 里的人脸模型还没有校准：请先运行 review-flow evidence calibrate\n"
    )
    assert run(*words, tmp_path, status=2).stderr == f"{tmp_path} 里缺少人脸模型文件 face_detection_yunet*.onnx\n"
    words = ("evidence", "calibrate", tmp_path, "--models", tmp_path)
    assert run(*words, status=2).stderr == f"{tmp_path} 里缺少人脸模型文件 face_detection_yunet*.onnx\n"


@pytest.fixture(scope="module")
def calibrated(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with a calibration made by the command from labelled pictures."""
    folder, people = tmp_path_factory.mktemp("calibrated") / "models", tmp_path_factory.mktemp("people") / "made-up"
    shutil.copytree(bare, folder)
    for number in range(PEOPLE):
        saved(people / str(number), 100 + number, *range(PHOTOS if number < SEVERAL else 1))
    (people / "0" / "none.txt").write_text("不是照片", encoding="utf-8")
    words = ("evidence", "calibrate", people, "--models", folder, "--out", folder / CALIBRATION, "--json")
    # A process of its own: numpy's threads would wait for each other where the machine is busy.
    told = subprocess.run(
        [sys.executable, "-c", "from review_flow.cli import main; main()", *map(str, words)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    ).stdout
    answer = json.loads(told, parse_constant=pytest.fail)
    assert (answer["made_on"], answer["without_face"]) == ("made-up", ["0/none.txt"])
    assert answer["groups"] == {"all": {"people": PEOPLE, "photos": SEVERAL * PHOTOS + PEOPLE - SEVERAL}}
    assert [(row["references"], row["people"]) for row in answer["errors"]] == [(1, SEVERAL), (3, SEVERAL)]
    return folder


@pytest.fixture(scope="module")
def own(calibrated: Path) -> Iterator[Sandbox]:
    with Sandbox(models=calibrated) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def references(own: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> list[Encoding]:
    outcomes = [own.enrol(path) for path in saved(tmp_path_factory.mktemp("mine"), 0, 1, 2, 3)]
    assert [outcome.problems for outcome in outcomes] == [(), (), ()]
    return [outcome.encoding for outcome in outcomes if outcome.encoding is not None]


def test_the_whole_check_runs_with_them(own: Sandbox, references: list[Encoding], tmp_path: Path) -> None:
    (mine,), (others,) = saved(tmp_path / "me", 0, 4), saved(tmp_path / "you", 1, 0)
    assert own.recogniser() == tiny.NAME
    assert own.agreement(references) == ()
    report = own.check(mine, references=references, sheet=True)
    assert (report.verdict, report.present, report.checker) == (Verdict.VALID, True, f"{tiny.NAME} checks/3")
    assert [one["box"] for one in report.seen] == [list(HERE)]
    assert report.probability is not None
    assert report.probability >= 0.99
    stranger = own.check(others, references=references)
    assert (stranger.verdict, stranger.present, stranger.seen) == (Verdict.HUMAN, False, ())
    assert [finding.code for finding in stranger.findings] == ["not_recognised"]


def test_a_colleague_who_looks_the_same_leaves_it_to_people(
    own: Sandbox, references: list[Encoding], tmp_path: Path
) -> None:
    (mine,) = saved(tmp_path, 0, 4)
    report = own.check(mine, references=references, colleagues=[references])
    assert (report.verdict, report.present) == (Verdict.HUMAN, False)
    assert report.probability is not None
    assert report.probability <= 0.5


def test_films_are_searched_with_them(own: Sandbox, references: list[Encoding], films: dict[str, Path]) -> None:
    report = own.check(films["grace"], references=references)
    assert (report.verdict, report.present) == (Verdict.HUMAN, False)
    assert not [finding for finding in report.findings if finding.code.startswith("check_")]


def test_a_turned_or_unclear_reference_is_told_with_their_landmarks(own: Sandbox, tmp_path: Path) -> None:
    turned = tiny.picture(0).astype(np.int16)
    turned[:, 192:] = np.clip(turned[:, 192:] + 140, 0, 235)
    turned[:, :160] //= 4
    Pictures.fromarray(turned.astype(np.uint8)).save(tmp_path / "turned.png")
    assert [problem.code for problem in own.enrol(tmp_path / "turned.png").problems] == ["turned_away"]


def test_the_command_explains_what_the_answer_rests_on(calibrated: Path, tmp_path: Path) -> None:
    (mine,), enrolled = saved(tmp_path / "me", 0, 4), saved(tmp_path / "references", 0, 1, 2, 3)
    saved(tmp_path / "cohort" / "zhao", 5, 0, 1)
    saved(tmp_path / "cohort" / "qian", 6, 0, 1)
    words = [word for path in enrolled for word in ("--reference", path)]
    told = json.loads(
        run(
            "evidence",
            "check",
            mine,
            *words,
            "--models",
            calibrated,
            "--cohort",
            tmp_path / "cohort",
            "--explain",
            "--json",
        ).stdout
    )
    assert (told["verdict"], told["present"]) == ("valid", True)
    grounds = told["grounds"]
    assert list(grounds) == ["encoder", "made_on", "confidence", "references", "errors", "advice"]
    assert (grounds["encoder"], grounds["made_on"], grounds["references"]) == (tiny.NAME, "made-up", 3)
    assert (grounds["advice"], [row["references"] for row in grounds["errors"]]) == ([], [3])


def test_doctor_says_which_models_are_used_and_what_they_were_calibrated_on(
    bare: Path, calibrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("REVIEW_FLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "家"))

    def told(folder: Path | None) -> list[tuple[str, str]]:
        if folder is not None:
            monkeypatch.setenv("REVIEW_FLOW_FACE_MODELS", str(folder))
        parts = json.loads(run("doctor", "--json", status=1).stdout)  # there is no database
        return [(one["health"], one["text"]) for one in parts if one["name"] == "face_models"]

    made_on = "Labelled Faces in the Wild, a part: news photos of 2002-2004"
    default, instead = ("good", f"用hog-resnet/1，在{made_on}上校准（225人）"), "现在用的是自带的模型"
    assert told(None) == [default]
    uncalibrated = f"{bare} 里的人脸模型还没有校准：请先运行 review-flow evidence calibrate。{instead}"
    assert told(bare) == [("bad", uncalibrated), default]
    missing = f"{tmp_path / 'none'} 里缺少人脸模型文件 face_detection_yunet*.onnx。{instead}"
    assert told(tmp_path / "none") == [("bad", missing), default]
    assert told(calibrated) == [("good", f"用{tiny.NAME}，在made-up上校准（{PEOPLE}人）")]


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real models at {REAL}")
def test_the_real_models_see_a_real_face() -> None:
    one = YunetSface(REAL)
    picture = np.asarray(media.portrait("grace").convert("RGB"))
    (box,) = one.detect(picture)
    left, top, right, bottom = media.HEADS["grace"]
    assert left <= (box.left + box.right) / 2 <= right
    assert top <= (box.top + box.bottom) / 2 <= bottom
    assert np.linalg.norm(one.encode(picture, box)) == pytest.approx(1)
    assert one.turn(picture, box) < 0.5
