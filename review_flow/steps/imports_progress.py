"""进度: minutes, pieces, attendance, tests, themes, marks and approvals, from a platform's export or a school's sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import Enrolment, Fact
from review_flow.i18n import say
from review_flow.rules.words import FactKind
from review_flow.steps.approvals import GIVEN, REFUSED
from review_flow.steps.imports_facts import of_the_round
from review_flow.steps.imports_tables import (
    ABSENT_WORD,
    GIVEN_WORD,
    MADE_UP_WORD,
    OTHERS_WORD,
    PRESENT_WORD,
    REFUSED_WORD,
)
from review_flow.steps.programme import (
    ABSENT,
    KIND_NAMES,
    MADE_UP,
    OTHERS,
    OWN,
    PRESENT,
    TOLD,
    Telling,
    follow,
    keep_fact,
    not_yet,
    of_one_key,
    problem,
    subjects,
)
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from review_flow.outside.spreadsheets import Row
    from review_flow.rules.scheme import Scheme
    from review_flow.steps.imports_tables import Bringing

KINDS = {KIND_NAMES[kind]: kind for kind in TOLD}
WORDS = {
    PRESENT_WORD: PRESENT,
    MADE_UP_WORD: MADE_UP,
    ABSENT_WORD: ABSENT,
    GIVEN_WORD: GIVEN,
    REFUSED_WORD: REFUSED,
}


def bring_progress(bringing: Bringing, rows: Iterable[Row]) -> dict[str, int]:
    """Take each row as a fact; told again under its key it changes nothing, another value supersedes the old one."""
    session, round_ = bringing.session, bringing.the_round()
    scheme = round_scheme(session, round_=round_)
    standing = {
        (fact.enrolment_id, fact.kind, fact.about, fact.key): fact
        for fact in session.scalars(
            select(Fact)
            .join(Enrolment, Fact.enrolment_id == Enrolment.id)
            .where(Enrolment.round_id == round_.id, Fact.struck_at.is_(None))
        )
    }
    counts = {"added": 0, "superseded": 0, "unchanged": 0}
    for row, enrolment in of_the_round(bringing, rows, distinct=lambda row: f"{row.text('kind')}/{row.text('about')}"):
        telling = of_one_key(_telling(scheme, row))
        why = problem(scheme, telling) or not_yet(session, enrolment=enrolment, scheme=scheme, telling=telling)
        if why is not None:
            bringing.refuse(row, "about", why)
            continue
        old = standing.get((enrolment.id, telling.kind, telling.about, telling.key))
        said = keep_fact(session, actor=bringing.actor, enrolment=enrolment, telling=telling, old=old)
        follow(session, actor=bringing.actor, enrolment=enrolment, scheme=scheme, telling=telling, said=said)
        counts[said] += 1
    return counts


def _telling(scheme: Scheme, row: Row) -> Telling:
    kind = KINDS[row.text("kind")]
    names = {name: key for key, name in subjects(scheme, kind).items()}
    about = row.text("about")
    return Telling(
        kind=kind,
        about=names.get(about, about),
        key=row.text("key"),
        source=row.text("source"),
        number=_number(row),
        word=WORDS.get(row.text("word"), row.text("word") or None),
        details=_details(row)
        if kind is FactKind.PIECE
        else {"reason": row.text("reason")}
        if row.text("reason")
        else {},
    )


def _number(row: Row) -> Decimal | None:
    return row.decimal("amount") if row.values.get("amount") is not None else None


def _details(row: Row) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if isinstance(row.values.get("chars"), int):
        details["chars"] = row.values["chars"]
    if row.values.get("seconds") is not None:
        details["seconds"] = str(row.decimal("seconds"))
    if row.text("on"):
        details["on"] = OTHERS if row.text("on") == OTHERS_WORD else OWN
    return details


def names_of(scheme: Scheme) -> dict[str, list[str]]:
    """Return, by 类别, what a scheme lets one tell: for the sheet's help."""
    return {say(KIND_NAMES[kind]): list(subjects(scheme, kind).values()) for kind in TOLD if subjects(scheme, kind)}
