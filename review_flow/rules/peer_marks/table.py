"""A table of marks: who gave which work how much, and what the same people gave calibration samples."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, order=True)
class Mark:
    """One reviewer's mark of one work."""

    work: str
    reviewer: str
    mark: Decimal


@dataclass(frozen=True, order=True)
class Sample:
    """One reviewer's mark of a calibration sample (标准样例), beside the panel's own (X-41)."""

    sample: str
    reviewer: str
    mark: Decimal
    true: Decimal


def by_work(marks: Iterable[Mark]) -> dict[str, list[Mark]]:
    """Return the marks of each work; works and reviewers in one order, whatever order they came in."""
    found: dict[str, list[Mark]] = {}
    for one in sorted(marks):
        found.setdefault(one.work, []).append(one)
    return found


def spread_of(works: Mapping[str, list[Mark]]) -> tuple[float, int]:
    """Return the variance of marks around their work's mean, and the degrees of freedom it rests on.

    0 degrees: no work was marked twice, nothing is known of how marks scatter.
    """
    squares, freedom = 0.0, 0
    for marks in works.values():
        numbers = [float(one.mark) for one in marks]
        mean = sum(numbers) / len(numbers)
        squares += sum((number - mean) ** 2 for number in numbers)
        freedom += len(numbers) - 1
    return (squares / freedom if freedom else 0.0), freedom
