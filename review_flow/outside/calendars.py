"""Days on which a school may be closed: public holidays of China, weekends, and the usual school holidays (X-50).

A word beside a date, never a change of it: whoever plans decides.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

USUAL = (
    {"name_zh": _("寒假"), "from": "01-20", "to": "02-25"},
    {"name_zh": _("暑假"), "from": "07-10", "to": "08-31"},
)
"""Where the scheme's `groups.vacations` says nothing else; school holidays differ by place and year."""
SATURDAY = 6


def closed_on(day: date, *, vacations: Sequence[Mapping[str, str]] = USUAL) -> str | None:
    """Return why a school may be closed on a day; None: nothing known speaks against it.

    A year the library has no official calendar for has its computed holidays only, without the shifted working days.
    """
    found = _public(day.year)
    if day in found:
        return found[day]
    for one in vacations:
        name, first, last = (one[key] for key in ("name_zh", "from", "to"))
        if first <= f"{day:%m-%d}" <= last:
            return say(_("通常在{name}中"), name=say(name))
    return say(_("周末")) if day.isoweekday() >= SATURDAY else None


@cache
def _public(year: int) -> Mapping[date, str]:
    import holidays

    return dict(holidays.country_holidays("CN", years=year, language="zh_CN"))
