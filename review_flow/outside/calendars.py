"""Days on which a school may be closed: public holidays of China, weekends, and the scheme's vacations (X-50).

A word beside a date, never a change of it: whoever plans decides.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

SATURDAY = 6


def closed_on(day: date, *, vacations: Sequence[Mapping[str, str]]) -> str | None:
    """Return why a school may be closed on a day; None: nothing known speaks against it.

    `vacations` are the scheme's (`groups.vacations`): name_zh, and the first and last day as month and day; one may
    run over New Year. A year the library has no official calendar for has its computed holidays only, without the
    shifted working days.
    """
    found = _public(day.year)
    if day in found:
        return found[day]
    for one in vacations:
        if _within(f"{day:%m-%d}", one["from"], one["to"]):
            return say(_("通常在{name}中"), name=one["name_zh"])
    return say(_("周末")) if day.isoweekday() >= SATURDAY else None


def _within(day: str, first: str, last: str) -> bool:
    return first <= day <= last if first <= last else day >= first or day <= last


@cache
def _public(year: int) -> Mapping[date, str]:
    import holidays

    return dict(holidays.country_holidays("CN", years=year, language="zh_CN"))
