"""Made-up people: populations of normal distributions, as the model of likeness has them; no real face is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from review_flow.evidence.likeness import Numbers

SIZE = 16


@dataclass(slots=True)
class Crowd:
    """People of one population: how far apart they are, how far apart one person's pictures are, and around where."""

    chance: np.random.Generator
    apart: float = 1.0
    within: float = 0.35
    around: float = 0.0

    def person(self) -> Numbers:
        """Return the middle of somebody's pictures."""
        found: Numbers = self.around + self.apart * self.chance.normal(size=SIZE)
        return found

    def photos(self, of: Numbers, count: int) -> Numbers:
        """Return pictures of somebody, a row each."""
        found: Numbers = of + self.within * self.chance.normal(size=(count, SIZE))
        return found

    def people(self, count: int, photos: int, *, name: str = "p") -> dict[str, Numbers]:
        """Return labelled people with so many pictures each."""
        return {f"{name}{number}": self.photos(self.person(), photos) for number in range(count)}
