"""The one clock. Real by default; a demonstration or a test may turn its hands.

Every step asks `now()`, so a whole term can be played in a minute and a deadline can be tested to the second.
The hands are one per process, shared by its threads, since a step may run in any of them.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHOOL_ZONE = ZoneInfo("Asia/Shanghai")
_set_to: list[datetime] = []


def now() -> datetime:
    """Return the moment, in UTC."""
    return _set_to[-1] if _set_to else datetime.now(UTC)


@contextmanager
def hands_at(moment: datetime) -> Iterator[None]:
    """Hold the clock at a moment (aware) until the block ends or `move_to` moves it."""
    _set_to.append(moment.astimezone(UTC))
    try:
        yield
    finally:
        _set_to.pop()


def move_to(moment: datetime) -> None:
    """Move held hands to another moment; only inside `hands_at`."""
    _set_to[-1] = moment.astimezone(UTC)


def shown(moment: datetime, *, zone: ZoneInfo = SCHOOL_ZONE) -> str:
    """Return a moment as people of the school read it: 2026-03-20 23:59:59."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def last_second_of(day: date, *, zone: ZoneInfo = SCHOOL_ZONE) -> datetime:
    """Return 23:59:59 of a day in the school's zone, in UTC: a deadline day counts to its last second (X-49)."""
    return datetime.combine(day, time(23, 59, 59), zone).astimezone(UTC)


def first_second_of(day: date, *, zone: ZoneInfo = SCHOOL_ZONE) -> datetime:
    """Return 00:00:00 of a day in the school's zone, in UTC."""
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def days_after(moment: datetime, days: int, *, working: bool = False, zone: ZoneInfo = SCHOOL_ZONE) -> datetime:
    """Return the last second of the day that lies `days` days (Monday to Friday only when `working`) later."""
    day = moment.astimezone(zone).date()
    left = days
    while left > 0:
        day += timedelta(days=1)
        if not working or day.isoweekday() <= 5:  # noqa: PLR2004 - Friday
            left -= 1
    return last_second_of(day, zone=zone)
