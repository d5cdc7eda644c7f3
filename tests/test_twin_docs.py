"""Pages in two languages say the same: parts, code, commands; and what they link to is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CHINESE = sorted(DOCS.glob("*.zh-CN.md"))
ENGLISH = [page.with_name(page.name.replace(".zh-CN", "")) for page in CHINESE]
twins = pytest.mark.parametrize(
    ("chinese", "english"), list(zip(CHINESE, ENGLISH, strict=True)), ids=[page.stem for page in ENGLISH]
)


def prose(page: Path) -> str:
    return CODE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> list[str]:
    """Return the fragments of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings]


def shape(page: Path) -> list[str]:
    """Return what a page is made of, in order: headings by level, rows, items; a paragraph is one, however it is wrapped."""
    marks = re.compile(r"^(#+ |\||- |\d\. |>)", re.MULTILINE)
    parts = re.split(r"\n\n+", CODE.sub("\n```\n", page.read_text(encoding="utf-8")).strip())
    return [kind for part in parts for kind in (marks.findall(part) if marks.match(part) else ["…"])]


def test_the_pages_are_known():
    assert [page.stem for page in ENGLISH] == ["certificates", "guide", "operating", "privacy", "sign-in"]


@twins
def test_both_have_the_same_parts_and_code(chinese: Path, english: Path):
    assert shape(chinese) == shape(english)
    code = [CODE.findall(page.read_text(encoding="utf-8")) for page in (chinese, english)]
    assert code[0] == code[1]


@twins
def test_both_name_the_same_commands_and_settings(chinese: Path, english: Path):
    named = [Counter(re.findall(r"`([^`]+)`", prose(page).replace("\n", " "))) for page in (chinese, english)]
    assert named[0] == named[1]


@pytest.mark.parametrize("page", [*CHINESE, *ENGLISH], ids=lambda page: page.name)
def test_what_is_linked_is_there_and_in_the_readers_language(page: Path):
    own, foreign = (CHINESE, ENGLISH) if page in CHINESE else (ENGLISH, CHINESE)
    links = re.findall(r"\]\((?!https:)([^)#]*)#?([^)]*)\)", prose(page))
    found = [((page.parent / file).resolve() if file else page, anchor) for file, anchor in links]
    assert found[0] == (foreign[own.index(page)], "")
    for other, anchor in found[1:]:
        assert other.exists(), other
        assert other not in foreign
        assert not anchor or anchor in anchors(other), (other, anchor)
