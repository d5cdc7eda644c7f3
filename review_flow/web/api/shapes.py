"""What goes in and out in common: texts, numbers, days that both databases take, states with their words, pages, versions."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from review_flow.i18n import _, say
from review_flow.misread import DAY
from review_flow.rules.lifecycle import State
from review_flow.web.access import MARK
from review_flow.web.versions import version_of

Item = TypeVar("Item")
NO_NUL = r"^[^\x00]*$"
"""No database keeps NUL; and what has a pattern is looked at as Unicode, so that a lone surrogate is refused, too."""

Code = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
Line = Annotated[str, Field(max_length=500, pattern=NO_NUL)]
Prose = Annotated[str, Field(max_length=5000, pattern=NO_NUL)]


def _day(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise ValueError(say(DAY))
    return value


Day = Annotated[date, BeforeValidator(_day), Field(strict=False)]
FIRST_YEAR, LAST_YEAR = 2000, 2199
CalendarDay = Annotated[Day, Field(ge=date(FIRST_YEAR, 1, 1), lt=date(LAST_YEAR + 1, 1, 1))]
"""A day whose last second is kept: those at the ends of the calendar have none in UTC."""


def _moment(value: object) -> object:
    """Return a moment that says its zone; what lies at the ends of the calendar is none of a school's."""
    with suppress(ValueError):
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        if found is not None and found.tzinfo is not None and FIRST_YEAR <= found.year <= LAST_YEAR:
            return found
    raise ValueError(say(_("应为带时区的时间，如 2026-03-20T14:30:00+08:00")))


Moment = Annotated[datetime, BeforeValidator(_moment)]

RowId = Annotated[int, Field(ge=1, lt=2**63)]
Percent = Annotated[str, Field(pattern=MARK, description="A mark of 0–100 as text, such as `92.5`.")]
Whole = Annotated[str, Field(pattern=r"^[0-9]{1,9}$", description="A whole number as text.")]
Exact = Annotated[
    str, Field(pattern=r"^-?[0-9]{1,9}(\.[0-9]{1,4})?$", description="A decimal number as text, such as `0.95`.")
]


class Out(BaseModel):
    """Something that is told."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    def headers(self) -> dict[str, str]:
        """Return the headers that say more of it."""
        return {}


class Edited(Out):
    """Something that is told with its version (ETag), because it is edited from what was read."""

    def headers(self) -> dict[str, str]:
        """Return its version."""
        return {"etag": version_of(self.model_dump(mode="json"))}


class ToldOut(Out):
    """What became of what was told: `added`, `superseded` (an older one is kept, struck), or `unchanged`."""

    outcome: str


class In(BaseModel):
    """Something that is sent: what nobody knows is refused, and so is 1 for true or 0 for a date: no slip is passed over."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Word(Out):
    """A state: `code` is stable, `text` is for people, in the language asked for."""

    code: str
    text: str

    @classmethod
    def of(cls, state: State) -> Word:
        """Return a state with its name."""
        return cls(code=state.value, text=say(state.label))


class Page(Out, Generic[Item]):
    """A part of a list. `next`: the cursor of the part that follows, also in the Link header; null: there is no more."""

    items: list[Item]
    next: str | None


class Who(Out):
    """A person, as colleagues know them."""

    id: int
    number: str
    name: str
