"""学时、考勤、加分: facts about teachers who are in the round (001-A-17, 001-A-35..37, T16).

Each fact has a key of its own, so a sheet brought twice changes nothing the second time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Adjustment, Enrolment, Hours, Person
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.i18n import _, listed, say
from review_flow.rules.lifecycle import EnrolmentState
from review_flow.rules.words import AdjustmentKind
from review_flow.steps.adjustments import Told, notify, row_of
from review_flow.steps.imports_tables import ABSENT, LATE, LATE_MATERIAL, LEAVE
from review_flow.steps.programme import banded
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date
    from decimal import Decimal

    from review_flow.outside.spreadsheets import Row
    from review_flow.steps.imports_tables import Bringing

Counts = dict[str, int]
OTHER_NAMES = {"total": _("总学时"), "practice": _("实践学时")}
WORDS = {
    LATE: (AdjustmentKind.LATE_ARRIVAL, False),
    ABSENT: (AdjustmentKind.ABSENCE, False),
    LATE_MATERIAL: (AdjustmentKind.LATE_MATERIAL, False),
    LEAVE: (AdjustmentKind.ABSENCE, True),
}


def bring_hours(bringing: Bringing, rows: Iterable[Row]) -> Counts:
    """Credit hours to ledgers of the round's scheme; another value under a known key supersedes the old row (T6)."""
    session, round_ = bringing.session, bringing.the_round()
    ledgers = _ledgers(bringing)
    standing = {
        (credit.enrolment_id, credit.ledger, credit.key): credit
        for credit in session.scalars(
            select(Hours)
            .join(Enrolment, Hours.enrolment_id == Enrolment.id)
            .where(Enrolment.round_id == round_.id, Hours.struck_at.is_(None))
        )
    }
    counts = {"added": 0, "superseded": 0, "unchanged": 0}
    for row, enrolment in of_the_round(bringing, rows, distinct=lambda row: ledgers.get(row.text("ledger"))):
        ledger = ledgers.get(row.text("ledger"))
        if ledger is None:
            names = listed(ledger.name_zh for ledger in round_scheme(session, round_=round_).hours.ledgers)
            bringing.refuse(
                row, "ledger", say(_("里没有“{word}”，可填：{names}。"), word=row.text("ledger"), names=names)
            )
            continue
        if row.decimal("hours") < 0:
            bringing.refuse(row, "hours", say(_("不能小于0。")))
            continue
        credit = Hours(
            enrolment_id=enrolment.id,
            ledger=ledger,
            hours=row.decimal("hours"),
            source=row.text("source"),
            key=row.text("key"),
            recorded_by_id=bringing.actor.id,
            recorded_at=now(),
        )
        counts[_credit(bringing, credit, standing.get((enrolment.id, ledger, credit.key)))] += 1
    return counts


def _credit(bringing: Bringing, credit: Hours, old: Hours | None) -> str:
    """Add a credit unless it stands already; never edit a number (design rule 2)."""
    if old is not None and old.hours == credit.hours:
        return "unchanged"
    bringing.session.add(credit)
    if old is None:
        return "added"
    old.struck_at = now()
    return "superseded"


def _ledgers(bringing: Bringing) -> dict[str, str]:
    """Return every word that means a ledger → its id: the ids, the scheme's names, the common ones."""
    ledgers = round_scheme(bringing.session, round_=bringing.the_round()).hours.ledgers
    common = {OTHER_NAMES[ledger.id]: ledger.id for ledger in ledgers if ledger.id in OTHER_NAMES}
    return {
        **common,
        **{ledger.name_zh: ledger.id for ledger in ledgers},
        **{ledger.id: ledger.id for ledger in ledgers},
    }


def bring_attendance(bringing: Bringing, rows: Iterable[Row]) -> Counts:
    """Record lateness, absence and late hand-ins, and tell each teacher, who may contest (001-A-35/36, T16)."""
    return _adjust(bringing, rows, award=False)


def bring_awards(bringing: Bringing, rows: Iterable[Row]) -> Counts:
    """Record award points by the school's own table, and tell each teacher (001-A-37)."""
    return _adjust(bringing, rows, award=True)


def _adjust(bringing: Bringing, rows: Iterable[Row], *, award: bool) -> Counts:
    standing = _adjustments(bringing, award=award)
    confirmed = banded(bringing.session, round_=bringing.the_round())  # a new fact could not be contested there (T16)
    counts = {"added": 0, "unchanged": 0}
    for row, enrolment in of_the_round(bringing, rows, distinct=lambda _row: None):
        if not _is_clear(bringing, row, enrolment, award=award):
            continue
        told = _told(row, award=award)
        fact = row_of(enrolment, actor=bringing.actor, told=told)
        old = standing.get((enrolment.id, fact.key))
        if old is None and enrolment.id in confirmed:
            bringing.refuse(row, "number", say(_("“{number}”的等级已经确定，不能再登记。"), number=row.text("number")))
        elif old is None:
            bringing.session.add(fact)
            notify(bringing.session, enrolment=enrolment, told=told)
            counts["added"] += 1
        elif _said(old) == _said(fact):
            counts["unchanged"] += 1
        else:
            sentence = _("“{key}”已登记为另一件事（{day}）。请换一个编号；如要更正，先撤销原来的登记。")
            bringing.refuse(row, "key", say(sentence, key=fact.key, day=old.happened_on))
    return counts


def _adjustments(bringing: Bringing, *, award: bool) -> dict[tuple[int, str], Adjustment]:
    is_award = Adjustment.kind == AdjustmentKind.AWARD
    found = bringing.session.scalars(
        select(Adjustment)
        .join(Enrolment, Adjustment.enrolment_id == Enrolment.id)
        .where(Enrolment.round_id == bringing.the_round().id, is_award if award else ~is_award)
    )
    return {(one.enrolment_id, one.key): one for one in found}


def _is_clear(bringing: Bringing, row: Row, enrolment: Enrolment, *, award: bool) -> bool:
    on = row.day("on")
    if enrolment.state is EnrolmentState.EXEMPT:
        bringing.refuse(row, "number", say(_("“{number}”本轮免训，不登记扣分和加分。"), number=row.text("number")))
    if on is not None and on > now().astimezone(SCHOOL_ZONE).date():
        bringing.refuse(row, "on", say(_("{day}还没有到。"), day=on))
    if award and row.decimal("points") <= 0:
        bringing.refuse(row, "points", say(_("应大于0。")))
    return bringing.sound(row)


def _told(row: Row, *, award: bool) -> Told:
    kind, leave = (AdjustmentKind.AWARD, False) if award else WORDS[row.text("what")]
    on = row.day("on")
    assert on is not None  # a cell that every sound row has
    points = row.decimal("points") if award else None
    return Told(kind, on, row.text("proof"), row.text("key"), approved_leave=leave, points=points)


def _said(fact: Adjustment) -> tuple[AdjustmentKind, date, bool, Decimal | None]:
    return fact.kind, fact.happened_on, fact.approved_leave, fact.points


def of_the_round(
    bringing: Bringing, rows: Iterable[Row], *, distinct: Callable[[Row], str | None]
) -> Iterator[tuple[Row, Enrolment]]:
    """Yield each sound row with its teacher's enrolment; unknown teachers and doubled keys are noted."""
    of_round = (
        select(Person.number, Enrolment)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .where(Enrolment.round_id == bringing.the_round().id)
    )
    enrolled = dict(bringing.session.execute(of_round).tuples().all())
    first: dict[tuple[str, str, str | None], int] = {}
    for row in rows:
        number, key = row.text("number"), row.text("key")
        if number and number not in enrolled:
            bringing.refuse(row, "number", say(_("“{number}”不在本轮考核的名单里。"), number=number))
        if number and key and first.setdefault((number, key, distinct(row)), row.number) != row.number:
            bringing.refuse(row, "key", say(_("与第{first}行重复。"), first=first[number, key, distinct(row)]))
        if bringing.sound(row):
            yield row, enrolled[number]
