"""What goes in and out in common: texts that both databases take, states with their words, pages, versions."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from review_flow.i18n import say
from review_flow.rules.lifecycle import State
from review_flow.web.versions import version_of

Item = TypeVar("Item")
NO_NUL = r"^[^\x00]*$"
"""No database keeps NUL; and what has a pattern is looked at as Unicode, so that a lone surrogate is refused, too."""

Code = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
Line = Annotated[str, Field(max_length=500, pattern=NO_NUL)]
Prose = Annotated[str, Field(max_length=5000, pattern=NO_NUL)]


def _day(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise ValueError("not a day like 2026-03-20")
    return value


Day = Annotated[date, BeforeValidator(_day), Field(strict=False)]
CalendarDay = Annotated[Day, Field(ge=date(2000, 1, 1), lt=date(2200, 1, 1))]
"""A day whose last second is kept: those at the ends of the calendar have none in UTC."""

RowId = Annotated[int, Field(ge=1, lt=2**63)]


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
