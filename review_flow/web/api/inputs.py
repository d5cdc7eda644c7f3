"""What is sent to more than one part: ids, moments, marks, numbers, each bounded as both databases can hold it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, Field

from review_flow.web.api.shapes import Out
from review_flow.web.voices import MARK

FIRST_YEAR, LAST_YEAR = 2000, 2199
Percent = Annotated[str, Field(pattern=MARK, description="A mark of 0–100 as text, such as `92.5`.")]
Whole = Annotated[str, Field(pattern=r"^[0-9]{1,9}$", description="A whole number as text.")]
Exact = Annotated[
    str, Field(pattern=r"^-?[0-9]{1,9}(\.[0-9]{1,4})?$", description="A decimal number as text, such as `0.95`.")
]


def _moment(value: object) -> object:
    """Return a moment that says its zone; what lies at the ends of the calendar is none of a school's."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else None
    if found is None or found.tzinfo is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError("not a moment like 2026-03-20T14:30:00+08:00")
    return found


Moment = Annotated[datetime, BeforeValidator(_moment)]


class ToldOut(Out):
    """What became of what was told: `added`, `superseded` (an older one is kept, struck), or `unchanged`."""

    outcome: str
