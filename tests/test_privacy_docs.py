"""The privacy pages quote the consent text as it is agreed to."""

from __future__ import annotations

from pathlib import Path

import pytest

from review_flow.i18n import language
from review_flow.rules.consent import text_of

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(("code", "page"), [("zh", "privacy.zh-CN.md"), ("en", "privacy.md")])
def test_the_page_quotes_the_text(code: str, page: str) -> None:
    token = language.set(code)
    try:
        wanted = text_of().split("\n")
    finally:
        language.reset(token)
    quoted = [line[2:] for line in (DOCS / page).read_text(encoding="utf-8").splitlines() if line.startswith("> ")]
    assert quoted == wanted
