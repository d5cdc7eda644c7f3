"""A short run of what `make fuzz` does at length; its mutants are the same wherever it runs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.evidence import fuzz
from tests.evidence.fuzz_mutations import parts
from tests.evidence.fuzz_seeds import FILMS, SOUNDS, seeds

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return seeds(tmp_path_factory.mktemp("seeds"))


@pytest.mark.slow
def test_damaged_files_end_in_reports(corpus: dict[str, bytes], tmp_path: Path) -> None:
    done = fuzz.go(corpus, range(600), seed=1, keep=tmp_path / "failures")
    assert done.failures == []
    assert done.runs == 600
    assert {"rejected", "human", "valid"} <= done.codes.keys()
    assert len(done.codes) > 15  # else they are all damaged in the same way
    assert not (tmp_path / "failures").exists()


def test_whole_files_are_what_they_are(corpus: dict[str, bytes]) -> None:
    assert len(corpus) >= 50
    assert {name.partition(".")[2] for name in corpus} == {
        "mp4",
        "mov",
        "3gp",
        "mkv",
        "webm",
        "avi",
        "wmv",
        "flv",
        "ts",
        "mpg",
        "rm",
        "mp3",
        "m4a",
        "wav",
        "ogg",
        "flac",
        "aac",
        "jpg",
        "png",
        "webp",
        "gif",
        "bmp",
        "tif",
        "avif",
        "docx",
        "pptx",
        "xlsx",
        "pdf",
        "txt",
        "rtf",
        "doc",
        "html",
        "m3u8",
    }
    known = {name for name, data in corpus.items() if parts(data)}
    unstructured = {"a.mp3", "a.flac", "a.aac"}
    assert known >= set(FILMS | SOUNDS) - unstructured


def test_a_mutant_is_made_from_its_seed_and_number_alone(corpus: dict[str, bytes]) -> None:
    def digests(seed: int) -> list[str]:
        return [hashlib.sha256(fuzz.made(corpus, seed, number)[1]).hexdigest() for number in range(300)]

    assert digests(5) == digests(5)
    assert len(set(digests(5))) > 280
    assert digests(5) != digests(6)
