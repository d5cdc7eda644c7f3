"""问卷: what pupils and parents answered of each teacher, counted and averaged; no answer is kept by itself (002-1-07)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from models import Enrolment
from review_flow.i18n import _, say
from review_flow.rules.marks import rounded
from review_flow.rules.voices import MOST_ANSWERS, NAMES, SURVEYS
from review_flow.rules.words import FactKind
from review_flow.steps.imports_facts import of_the_round
from review_flow.steps.programme import Telling, banded, keep_fact, standing
from review_flow.steps.rounds import round_scheme
from review_flow.steps.voices import voice_problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review_flow.outside.spreadsheets import Row
    from review_flow.steps.imports_tables import Bringing

ABOUT = {NAMES[name]: name for name in SURVEYS}


@dataclass
class _Answers:
    """The answers of one questionnaire about one teacher."""

    enrolment: Enrolment
    source: str
    rows: list[int] = field(default_factory=list)
    total: Decimal = field(default=Decimal(0))
    count: int = 0


def bring_survey(bringing: Bringing, rows: Iterable[Row]) -> dict[str, int]:
    """Add up the rows by teacher, questionnaire and key, and keep each mean (two decimals, half up) with its count.

    Brought again with the same answers nothing changes; others supersede the older mean.
    """
    found: dict[tuple[int, str, str], _Answers] = {}
    confirmed = banded(bringing.session, round_=bringing.the_round())
    for row, enrolment in of_the_round(bringing, rows, distinct=lambda row: str(row.number)):
        about, answers = ABOUT[row.text("who")], _count(row)
        if _is_sound(bringing, row, about, answers, late=enrolment.id in confirmed):
            same = found.setdefault((enrolment.id, about, row.text("key")), _Answers(enrolment, row.text("source")))
            same.rows.append(row.number)
            same.total += row.decimal("mark") * answers
            same.count += answers
    counts: dict[str, int] = defaultdict(int)
    for (_enrolment, about, key), same in found.items():
        telling = Telling(
            FactKind.VOICE,
            about,
            key=key,
            source=same.source,
            number=rounded(Fraction(same.total) / same.count),
            details={"answers": same.count},
        )
        with bringing.written.by(*same.rows):
            counts[_keep(bringing, same.enrolment, telling)] += 1
    return {**counts, "answers": sum(one.count for one in found.values())}


def _keep(bringing: Bringing, enrolment: Enrolment, telling: Telling) -> str:
    old = standing(bringing.session, enrolment, telling)
    return keep_fact(bringing.session, actor=bringing.actor, enrolment=enrolment, telling=telling, old=old)


def _count(row: Row) -> int:
    value = row.values.get("answers")
    return value if isinstance(value, int) else 1


def _is_sound(bringing: Bringing, row: Row, about: str, answers: int, *, late: bool) -> bool:
    telling = Telling(FactKind.VOICE, about, key="", source="", number=row.decimal("mark"))
    why = voice_problem(round_scheme(bringing.session, round_=bringing.the_round()), telling)
    if why is not None:
        bringing.refuse(row, "mark", say(_("不能登记：{why}。"), why=why))
    if not 1 <= answers <= MOST_ANSWERS:
        bringing.refuse(row, "answers", say(_("应为不小于1的整数。")))
    if late:
        bringing.refuse(row, "number", say(_("“{number}”的等级已经确定，不能再登记。"), number=row.text("number")))
    return bringing.sound(row)
