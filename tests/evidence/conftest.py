"""Real pictures and films, made once for all tests of a process, and one warm child that checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from review_flow.demo import media
from review_flow.demo.media import Span
from review_flow.evidence.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from review_flow.evidence.faces import Encoding

SMALL = (640, 360)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold what is made once; tests that write use their own tmp_path."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def photos(folder: Path) -> dict[str, list[Path]]:
    """Return the reference photos by person."""
    return {person: media.reference_photos(person, folder) for person in media.PEOPLE}


@pytest.fixture(scope="session")
def films(folder: Path) -> dict[str, Path]:
    """Return films of 10 s by who is in them: "grace" twice for 3 s, "eileen" alone, "nobody"."""
    spans = {
        "grace": [Span(1, 4, "grace"), Span(6, 9, "grace")],
        "eileen": [Span(1, 6, "eileen")],
        "nobody": [],
    }
    return {
        who: media.lesson_video(folder / f"{who}.mp4", seconds=10, spans=seen, size=SMALL)
        for who, seen in spans.items()
    }


@pytest.fixture(scope="session")
def box() -> Iterator[Sandbox]:
    """Return one warm child, shared by all tests that don't hurt it."""
    with Sandbox(workers=1) as sandbox:
        sandbox.warm()
        yield sandbox


@pytest.fixture(scope="session")
def grace(box: Sandbox, photos: dict[str, list[Path]]) -> list[Encoding]:
    """Return the teacher's references; every photo the demonstration makes is good enough to be one."""
    outcomes = [box.enrol(photo) for photo in photos["grace"]]
    assert [outcome.problems for outcome in outcomes] == [(), (), ()]
    return [outcome.encoding for outcome in outcomes if outcome.encoding is not None]
