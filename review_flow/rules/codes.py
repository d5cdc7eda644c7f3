"""Numbers and codes as people write them (工号 among them): full-width signs and stray spaces are slips, not letters."""

from __future__ import annotations

import re
import unicodedata


def plain(code: str) -> str:
    """Return a code as it is kept and looked for: NFKC (Ａ０１ is A01), without any space.

    Normalised once more at the end: signs that a space held apart may combine.
    """
    return unicodedata.normalize("NFKC", re.sub(r"\s+", "", unicodedata.normalize("NFKC", code)))


def number(typed: str) -> str:
    """Return a number as it is read: digits and points of a Chinese keyboard (８５．５, 85。5) are slips, too."""
    return plain(typed).replace("。", ".")
