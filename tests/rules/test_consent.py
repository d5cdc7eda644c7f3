from __future__ import annotations

import pytest

from review_flow.i18n import language
from review_flow.rules.consent import ALTERNATIVES, CURRENT, TEXTS, Filing, digest_of, filing, text_of
from review_flow.rules.words import AttestationKind

# What people agreed to is what they read: a changed sentence, or its translation, needs a new version.
DIGESTS = {
    ("2026-11", "zh"): "9bfdc5c4711e5b511249332f60528a3cb9a07cc69e74467efab39dfb1c8bd0fe",
    ("2026-11", "en"): "4a44d870d14c75032a54b34e092d029c9369ef1c1d6a3633a0b6db99f44c15d9",
    ("2026-12", "zh"): "d4c586dc0ff22b7c000eedb29e22f41bd0bf12ffce0a36cc0a670fb6bdf8416e",
    ("2026-12", "en"): "1005a694b034b93d21a95eafe1241d101cf323f1d2dbf6389facf849777adabc",
    ("2027-01", "zh"): "23dcda8bf041d34fcc4389b725f48d037224e8c4720592f44f99f3cff691105e",
    ("2027-01", "en"): "b43915fc79729efdc69a5337dd2e6ea750cf4c2b750c511ae4d520c4b2843d02",
}


@pytest.mark.parametrize(("version", "code"), DIGESTS)
def test_a_text_that_people_agreed_to_never_changes(version: str, code: str) -> None:
    token = language.set(code)
    try:
        assert digest_of(text_of(version)) == DIGESTS[version, code]
    finally:
        language.reset(token)


def test_every_version_is_pinned_in_both_languages() -> None:
    assert set(DIGESTS) == {(version, code) for version in TEXTS for code in ("zh", "en")}
    assert CURRENT in TEXTS
    with pytest.raises(KeyError):
        text_of("2025-01")


def test_the_equal_alternatives_come_first_and_all_of_them() -> None:
    lines = text_of().split("\n")
    assert lines[0].startswith("不作人脸比对也可以。")
    assert lines[1:5] == list(ALTERNATIVES.values())
    assert set(ALTERNATIVES) == set(AttestationKind)


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        (0, Filing.FAR),
        (79_999, Filing.FAR),
        (80_000, Filing.NEAR),
        (99_999, Filing.NEAR),
        (100_000, Filing.DUE),
        (250_000, Filing.DUE),
    ],
)
def test_filing_is_due_at_a_hundred_thousand_stored_people(people: int, expected: Filing) -> None:
    assert filing(people) is expected
