"""Reference photos as they go wrong in schools: off a screen, turned away, somebody else's; and a set of them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from review_flow.cli import app
from review_flow.db import engine_for, settings
from review_flow.demo import media
from review_flow.evidence import enrolment
from review_flow.evidence.enrolment import EnrolmentLimits
from review_flow.rules.verdict import Level

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from review_flow.evidence.faces import Encoding
    from review_flow.evidence.sandbox import Sandbox


def head(person: str, size: int = 640) -> Image.Image:
    """Return a person's head alone, `size` px across."""
    return media.portrait(person).crop(media.HEADS[person]).resize((size, size))


def off_a_screen(photo: Image.Image, *, pitch: float = 3.4, angle: float = 0.12, depth: float = 0.5) -> Image.Image:
    """Return a photo of a screen that shows it: rows and columns of pixels, `pitch` px apart, slightly askew."""
    down, across = np.mgrid[: photo.height, : photo.width].astype(np.float64)
    one, other = across * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - across * np.sin(angle)
    lines = (1 + np.cos(2 * np.pi * one / pitch)) * (1 + np.cos(2 * np.pi * other / pitch)) / 4
    pixels = np.asarray(photo, dtype=np.float64) * (1 - depth + depth * lines[..., None])
    return Image.fromarray(np.clip(pixels * 1.3, 0, 255).astype(np.uint8))


def told(box: Sandbox, photo: Image.Image, path: Path) -> list[str]:
    photo.save(path, quality=92)
    outcome = box.enrol(path)
    assert (outcome.encoding is None) == bool(outcome.problems)
    return [problem.code for problem in outcome.problems]


@pytest.mark.parametrize("person", media.PEOPLE)
def test_a_photo_of_a_screen_is_told_by_its_grid(box: Sandbox, tmp_path: Path, person: str) -> None:
    path = tmp_path / "reference.jpg"
    assert told(box, head(person), path) == []
    assert [told(box, off_a_screen(head(person), pitch=pitch), path) for pitch in (2.6, 3.4)] == [["screen"]] * 2


def test_what_has_no_grid_is_below_the_limit_by_far() -> None:
    chance = np.random.default_rng(5)
    limit = EnrolmentLimits().max_grid
    smooth = np.asarray(head("grace").convert("L"))
    noisy = np.clip(smooth + chance.normal(size=smooth.shape) * 15, 0, 255).astype(np.uint8)
    assert max(enrolment.grid(smooth), enrolment.grid(noisy)) < limit
    assert enrolment.grid(np.asarray(off_a_screen(head("grace")).convert("L"))) > limit


def turned(photo: Image.Image, nose: tuple[int, int], pixels: float) -> Image.Image:
    """Return the face as a turned head shows it: what stands out most, the nose, has moved the most."""
    down, across = np.mgrid[: photo.height, : photo.width].astype(np.float32)
    away = ((across - nose[0] - pixels) / 1.5) ** 2 + (down - nose[1]) ** 2
    moved = (across - pixels * np.exp(-away / (2 * 110**2))).astype(np.float32)
    return Image.fromarray(cv2.remap(np.asarray(photo), moved, down, cv2.INTER_LINEAR))


def test_a_turned_face_is_told(tmp_path: Path) -> None:
    """With a stricter limit: of this one photo, moved about, the detector loses faces turned as far as the default."""
    found = []
    for number, pixels in enumerate((0, 90)):
        path = tmp_path / f"{number}.jpg"
        turned(head("grace"), (337, 438), pixels).save(path, quality=92)
        found.append([one.code for one in enrolment.enrol(path, EnrolmentLimits(max_turn=0.15)).problems])
    assert found == [[], ["turned_away"]]


@pytest.fixture(scope="module")
def eileen(box: Sandbox, photos: dict[str, list[Path]]) -> list[Encoding]:
    found = [box.enrol(photo).encoding for photo in photos["eileen"]]
    return [one for one in found if one is not None]


def test_a_set_of_one_person_agrees(box: Sandbox, grace: list[Encoding], eileen: list[Encoding]) -> None:
    assert box.agreement(grace) == box.agreement(eileen) == ()


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_the_one_photo_of_somebody_else_is_named_by_its_number(
    box: Sandbox, grace: list[Encoding], eileen: list[Encoding], place: int
) -> None:
    mixed = [*grace[: place - 1], eileen[0], *grace[place - 1 :]]
    (differ,) = box.agreement(mixed)
    assert (differ.code, differ.level) == ("references_differ", Level.REJECT)
    assert differ.text == f"参照照片（第{place}张）与其余的不像同一个人。请只登记本人、近期、正面的照片。"


def test_two_people_s_photos_differ_both(box: Sandbox, grace: list[Encoding], eileen: list[Encoding]) -> None:
    differ, few = box.agreement([grace[0], eileen[0]])
    assert differ.text.startswith("参照照片（第1、2张）")
    assert (few.code, few.level) == ("few_references", Level.INFO)


def test_few_references_are_said_to_be_few(box: Sandbox, grace: list[Encoding]) -> None:
    codes = [[(one.code, one.level) for one in box.agreement(grace[:count])] for count in (1, 2, 3)]
    assert codes == [[("few_references", Level.INFO)], [("few_references", Level.INFO)], []]
    assert box.agreement(grace[:1])[0].text.startswith("现有1张参照照片，少于3张时")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [name for name in os.environ if name.startswith("REVIEW_FLOW_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "家"
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(path))
    settings.cache_clear()
    yield path
    engine_for(f"sqlite:///{path / 'review-flow.db'}").dispose()
    settings.cache_clear()


def run(*words: object, status: int = 0) -> str:
    settings.cache_clear()
    done = CliRunner().invoke(app, [*map(str, words)], prog_name="review-flow")
    assert done.exit_code == status, (words, done.output, done.exception)
    return done.stdout


def test_nobody_else_is_enrolled_beside_a_teacher(home: Path, photos: dict[str, list[Path]]) -> None:
    run("school", "found", "一中", "--admin-number", "A1", "--admin-name", "陈静")
    run("teacher", "consent", "--agree", "--as", "A1")
    one, two, three = photos["grace"]
    other = photos["eileen"][0]
    rows = json.loads(run("teacher", "reference", one, two, other, "--as", "A1", "--json", status=1))
    assert [row["ok"] for row in rows] == [True, True, False]
    refused, few = rows[-1]["problems"]
    assert refused == "参照照片（第3张）与其余的不像同一个人。请只登记本人、近期、正面的照片。"
    assert few.startswith("现有2张参照照片，少于3张时")
    (row,) = json.loads(run("teacher", "reference", three, "--as", "A1", "--json"))
    assert (row["ok"], row["problems"]) == (True, [])
    kept = {one["name"]: one["text"] for one in json.loads(run("doctor", "--json"))}["consents"]
    assert kept == "1人同意，保存着3份加密特征"
