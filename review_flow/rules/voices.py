"""Further sources of a teacher's mark beside peers and panel (002-1-07, X-40): oneself, a visit, pupils, parents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from review_flow.i18n import _, say
from review_flow.rules.marks import shown
from review_flow.rules.reader import Reader, RecordInvalid, mark
from review_flow.rules.scheme import Scheme

NAMES = {
    "peer": "互评", "panel": "考核组", "self": "自评", "on_site": "现场评价", "students": "学生问卷", "parents": "家长问卷",
}  # fmt: skip
CORE = ("peer", "panel")
SELF, ON_SITE = "self", "on_site"
SURVEYS = ("students", "parents")
"""Filled in by many, nobody of whom is named: what counts is their mean, from so many answers on."""
MOST_ANSWERS = 100_000


@dataclass(frozen=True)
class Voice:
    """A mark of 0-100 and how many answers it is the mean of."""

    mark: Decimal
    answers: int = 1


def further(scheme: Scheme) -> list[str]:
    """Return the sources that a scheme has besides peers and panel, in one order however its document is sorted."""
    return [name for name in NAMES if name in scheme.compose.sources and name not in CORE]


def read_voices(scheme: Scheme, root: Reader) -> Mapping[str, tuple[Voice, ...]]:
    """Return what each further source said; one mark alone may stand without a list."""
    part = root.part("sources")
    if part is None:
        return {}
    found = {}
    for name in further(scheme):
        value = part.data.get(name)
        items = value if isinstance(value, list) else [] if value is None else [value]
        found[name] = tuple(_voice(f"{part.at(name)}[{place}]", item) for place, item in enumerate(items))
    return found


def _voice(field: str, value: object) -> Voice:
    if not isinstance(value, Mapping):
        return Voice(mark(field, value))
    part = Reader(value, field)
    answers = part.count("answers", most=MOST_ANSWERS)
    if answers == 0:
        raise RecordInvalid(part.at("answers"), say(_("份数应至少为1。")))
    return Voice(mark(part.at("mark"), part.data.get("mark")), answers or 1)


def mean_of(scheme: Scheme, name: str, voices: Sequence[Voice]) -> tuple[Fraction | None, str]:
    """Return what a source's answers come to and the words for it; None where there are fewer than the scheme wants."""
    answers = sum(voice.answers for voice in voices)
    if not answers:
        return None, ""
    least = scheme.compose.min_answers.get(name, 1)
    if answers < least:
        return None, f"{NAMES[name]}只有{answers}份，不足{least}份，不计"
    mean = sum((Fraction(voice.mark) * voice.answers for voice in voices), Fraction(0)) / answers
    if name in SURVEYS:
        return mean, f"{NAMES[name]}{answers}份的平均{shown(mean)}"
    if answers == 1:
        return mean, f"{NAMES[name]}{shown(mean)}"
    return mean, f"{NAMES[name]}{'、'.join(shown(voice.mark) for voice in voices)}的平均{shown(mean)}"
