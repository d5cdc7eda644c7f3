"""The duty to review others before one's own work goes forward (001-A-24), so that nobody can be stuck (X-41)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Duty:
    """How many reviews are owed: of colleagues' works, and of calibration samples (标准样例) in their place."""

    real: int
    samples: int

    @property
    def total(self) -> int:
        """Return how many reviews are owed altogether."""
        return self.real + self.samples


def k_eff(k: int, pool: int, samples: int) -> Duty:
    """Return the duty for `k` reviews when `pool` others' works and `samples` calibration samples exist.

    Colleagues' works first, samples for the rest; what neither can fill is not owed (N16, N17).
    """
    real = min(k, pool)
    return Duty(real, min(k - real, samples))


def remaining(duty: Duty, *, given: int) -> int:
    """Return how many complete reviews are still owed; works and samples count alike."""
    return max(duty.total - given, 0)
