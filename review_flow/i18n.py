"""Words for people: Chinese in the source, English from locale/en/LC_MESSAGES/review_flow.po.

`_` only marks a sentence for the translators; `say` translates it into the language of the moment and
fills in its names. So a class may hold its sentence, and the reader's language is asked for when it is read.
"""

from __future__ import annotations

import functools
import os
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LANGUAGES = ("zh", "en")
language: ContextVar[str] = ContextVar("language", default=os.environ.get("REVIEW_FLOW_LANG", "zh")[:2])


@contextmanager
def speaking(one: str) -> Iterator[None]:
    """Say everything inside in one of LANGUAGES."""
    before = language.set(one)
    try:
        yield
    finally:
        language.reset(before)


def _(sentence: str) -> str:
    """Mark a sentence for translation and return it unchanged."""
    return sentence


@functools.cache
def catalogue(code: str) -> dict[str, str]:
    """Return msgid → translation for a language; empty for Chinese and for one we do not have."""
    path = Path(__file__).parent / "locale" / code / "LC_MESSAGES" / "review_flow.po"
    if code == "zh" or not path.exists():
        return {}
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string}


def listed(words: Iterable[object]) -> str:
    """Return the words as one enumeration of the current language."""
    return ("、" if language.get() == "zh" else ", ").join(map(str, words))


def clauses(sentences: Iterable[str]) -> str:
    """Return the sentences as the clauses of one."""
    return ("；" if language.get() == "zh" else "; ").join(sentences)


def say(sentence: str, /, **names: object) -> str:
    """Return the sentence in the current language with its {names} filled in."""
    text = catalogue(language.get()).get(sentence, sentence)
    return text.format(**names) if names else text
