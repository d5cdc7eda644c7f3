"""The catalogue of abilities (微能力目录) and the slots (证据项) each of them asks for.

Replaceable data: 30 abilities of edition 2.0, T1–T27 of 1.0, or a kindergarten's 17; nothing counts to 30 in code.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Slot:
    """One demanded piece of evidence. Lengths are inclusive limits in seconds or characters; None: no limit."""

    id: str
    name_zh: str
    kind: str = "any"  # video | photo | document | any
    formats: tuple[str, ...] = ()  # file name endings without the dot; empty: whatever the kind allows
    min_seconds: Decimal | None = None
    max_seconds: Decimal | None = None
    min_chars: int | None = None
    max_chars: int | None = None
    count: int = 1
    required: bool = True
    shows_teacher: bool = False


@dataclass(frozen=True)
class Ability:
    """One 微能力; `verified` says whether name and slots were compared with an official copy."""

    code: str
    name_zh: str
    dimension: str
    environment: str
    slots: tuple[Slot, ...] = ()
    verified: bool = False


@dataclass(frozen=True)
class Catalogue:
    """The abilities a scheme may choose from, in printed order."""

    id: str
    title_zh: str
    dimensions: tuple[str, ...]
    abilities: tuple[Ability, ...]

    def get(self, code: str) -> Ability | None:
        """Return the ability with this code, or None."""
        return next((ability for ability in self.abilities if ability.code == code), None)

    def dimensions_of(self, codes: Iterable[str]) -> tuple[str, ...]:
        """Return the dimensions that known codes cover, in catalogue order, each once."""
        wanted = set(codes)
        covered = {ability.dimension for ability in self.abilities if ability.code in wanted}
        return tuple(dimension for dimension in self.dimensions if dimension in covered)
