"""The duty to review others before one's own work goes forward (001-A-24), so that nobody can be stuck (X-41)."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


@dataclass(frozen=True)
class Duty:
    """How many reviews are owed: of colleagues' works, and of calibration samples (标准样例) in their place."""

    real: int
    samples: int

    @property
    def total(self) -> int:
        """Return how many reviews are owed altogether."""
        return self.real + self.samples


class Standing(Enum):
    """Where a teacher stands with the duty."""

    MET = "met"
    OPEN = "open"
    IN_GRACE = "in_grace"
    OVERDUE = "overdue"


def k_eff(k: int, pool: int, samples: int) -> Duty:
    """Return the duty for `k` reviews when `pool` others' works and `samples` calibration samples exist.

    Colleagues' works first, samples for the rest; what neither can fill is not owed (N16, N17).
    """
    real = min(k, pool)
    return Duty(real, min(k - real, samples))


def remaining(duty: Duty, *, given: int) -> int:
    """Return how many complete reviews are still owed; works and samples count alike."""
    return max(duty.total - given, 0)


def standing(*, left: int, on: datetime, due: datetime, grace_until: datetime) -> Standing:
    """Return the standing at a moment (T9, N15): after the due time there is grace, and only then a deduction."""
    if left == 0:
        return Standing.MET
    if on <= due:
        return Standing.OPEN
    return Standing.IN_GRACE if on <= grace_until else Standing.OVERDUE
