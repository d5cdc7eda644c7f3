"""The catalogue of abilities (微能力目录) and the slots (证据项) each of them asks for.

Replaceable data: 30 abilities of edition 2.0, T1–T27 of 1.0, or a kindergarten's 17; nothing counts to 30 in code.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from review_flow.i18n import _, say


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


@dataclass(frozen=True)
class FileFacts:
    """What was measured of one evidence file; None: does not apply or could not be measured."""

    kind: str  # video | photo | document
    format: str  # file name ending without the dot
    seconds: Decimal | None = None
    chars: int | None = None


def slot_problems(slot: Slot, file: FileFacts) -> list[str]:
    """Return why a file cannot fill a slot, as Chinese sentences. J5, J6; X-35: no tolerance unless written."""
    problems = []
    if slot.kind not in ("any", file.kind):
        problems.append(say(_("“{slot}”需要{kind}。"), slot=slot.name_zh, kind=say(KINDS[slot.kind])))
    if slot.formats and file.format.lower() not in slot.formats:
        formats = "、".join(slot.formats)
        problems.append(say(_("“{slot}”只收{formats}格式。"), slot=slot.name_zh, formats=formats))
    for low, high, value, unit in (
        (slot.min_seconds, slot.max_seconds, file.seconds, _("秒")),
        (slot.min_chars, slot.max_chars, file.chars, _("字")),
    ):
        names = {"slot": slot.name_zh, "value": value, "unit": say(unit)}
        if value is not None and low is not None and value < low:
            problems.append(say(_("“{slot}”有{value}{unit}，不足{limit}{unit}。"), limit=low, **names))
        if value is not None and high is not None and value > high:
            problems.append(say(_("“{slot}”有{value}{unit}，超过{limit}{unit}。"), limit=high, **names))
    return problems


KINDS = {"video": _("视频"), "photo": _("照片"), "document": _("文档"), "any": _("任意文件")}
