"""Days of a plan: written in full, or as days of a school year (`09-25`, `+1 04-01`: the calendar year after, X-50).

A day counts to its last second in Asia/Shanghai (X-49).
"""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from review_flow.rules.programme import Task

ZONE = ZoneInfo("Asia/Shanghai")
LEAP_DAY = (2, 29)  # the end of February, where a year has none
RELATIVE = re.compile(r"(\+1 )?(\d{2})-(\d{2})")


def day_of(written: str | None, school_year: int | None, *, first: bool = False) -> date | None:
    """Return the day; None where nothing is written, or a school year's day lacks the year.

    A month (`2020-09`) is its last day, or its `first`. ValueError where it is no day.
    """
    if written is None:
        return None
    relative = RELATIVE.fullmatch(written)
    if relative is None:
        if len(written) > len("2020-09"):
            return date.fromisoformat(written)
        return date.fromisoformat(f"{written}-01") if first else _last(written)
    after, month, day = relative.groups()
    found = date(2000, int(month), int(day))  # a leap year: whatever day can be meant
    if school_year is None:
        return None
    year = school_year + bool(after)
    return _last(f"{year}-02") if (found.month, found.day) == LEAP_DAY else found.replace(year=year)


def task_days(task: Task, school_year: int | None) -> date | None:
    """Return the last day of a task, None where it has none."""
    return day_of(task.by, school_year)


def end_of_day(day: date) -> datetime:
    """Return the last moment that still counts for a day."""
    return datetime.combine(day, time.max, tzinfo=ZONE)


def _last(month: str) -> date:
    first = date.fromisoformat(f"{month}-01")
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
