"""The guides name pages and buttons as they are written there, in both languages alike."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[1]
WEB = ROOT / "review_flow" / "web" / "templates"
CATALOGUE = ROOT / "review_flow" / "locale" / "en" / "LC_MESSAGES" / "review_flow.po"


def quoted(page: str) -> list[list[str]]:
    """Return what each line has in quotes, in its order."""
    lines = (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
    return [re.findall("“([^”]*)”", line) for line in lines]


def test_what_is_quoted_stands_in_a_template():
    templates = "\n".join(one.read_text(encoding="utf-8") for one in WEB.rglob("*.html"))
    shown = set(re.findall(r"""_\((["'])(.+?)\1""", templates))
    names = {one for line in quoted("guide.zh-CN.md") for one in line}
    assert len(names) > 80
    assert names - {name for _mark, name in shown} == set()


def test_english_quotes_the_same_in_its_words():
    with CATALOGUE.open("rb") as file:
        english = {message.id: message.string for message in read_po(file)}
    translated = [[english[one] for one in line] for line in quoted("guide.zh-CN.md")]
    assert quoted("guide.md") == [[one[0].upper() + one[1:] for one in line] for line in translated]
