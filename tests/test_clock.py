from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from review_flow import clock


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_the_clock_runs_by_itself() -> None:
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)
    assert clock.now().tzinfo is UTC


def test_its_hands_are_held_and_turned_for_every_thread() -> None:
    shanghai = datetime(2026, 3, 2, 9, tzinfo=clock.SCHOOL_ZONE)
    seen: list[datetime] = []
    with clock.hands_at(shanghai):
        assert clock.now() == utc(2026, 3, 2, 1)
        assert clock.now().tzinfo is UTC
        clock.move_to(shanghai + timedelta(days=1))
        thread = threading.Thread(target=lambda: seen.append(clock.now()))
        thread.start()
        thread.join()
        with clock.hands_at(utc(2030, 1, 1)):
            assert clock.now() == utc(2030, 1, 1)
        assert clock.now() == utc(2026, 3, 3, 1)
    assert seen == [utc(2026, 3, 3, 1)]
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_its_hands_are_let_go_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), clock.hands_at(utc(2000, 1, 1)):
        raise ZeroDivisionError
    assert clock.now().year > 2000


def test_a_day_begins_and_ends_in_the_schools_zone() -> None:
    day = date(2026, 3, 20)
    assert clock.first_second_of(day) == utc(2026, 3, 19, 16)
    assert clock.last_second_of(day) == utc(2026, 3, 20, 15, 59, 59)
    assert clock.last_second_of(day, zone=ZoneInfo("UTC")) == utc(2026, 3, 20, 23, 59, 59)
    assert clock.first_second_of(day, zone=ZoneInfo("UTC")) == utc(2026, 3, 20)


@pytest.mark.parametrize(
    ("days", "working", "expected"),
    [
        (0, False, utc(2026, 3, 20, 15, 59, 59)),
        (1, False, utc(2026, 3, 21, 15, 59, 59)),
        (5, False, utc(2026, 3, 25, 15, 59, 59)),
        (0, True, utc(2026, 3, 20, 15, 59, 59)),
        (1, True, utc(2026, 3, 23, 15, 59, 59)),  # Friday, Saturday, Sunday, Monday
        (5, True, utc(2026, 3, 27, 15, 59, 59)),
        (6, True, utc(2026, 3, 30, 15, 59, 59)),
    ],
)
def test_days_are_counted_from_the_schools_own_day(days: int, working: bool, expected: datetime) -> None:  # noqa: FBT001 - a parameter of the case
    friday = datetime(2026, 3, 20, 0, 30, tzinfo=clock.SCHOOL_ZONE)  # in UTC it is still Thursday
    assert clock.days_after(friday, days, working=working) == expected


def test_a_moment_is_shown_as_the_school_reads_it() -> None:
    assert clock.shown(utc(2026, 3, 20, 15, 59, 59)) == "2026-03-20 23:59:59"
    assert clock.shown(utc(2026, 3, 20, 15, 59, 59), zone=ZoneInfo("UTC")) == "2026-03-20 15:59:59"
