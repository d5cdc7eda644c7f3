"""What people would rather look at: each chart as labels and named rows of numbers, counted by the database.

A chart is asked for by the school's administrators; it names nobody. A page draws it, and shows the same as a table.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Date, bindparam, cast, func, select, type_coerce

from models import Assignment, Enrolment, PanelMark, Result, Review, Submission
from review_flow.i18n import _, say
from review_flow.rules.words import UNDONE, AssignmentState
from review_flow.steps.people import require_admin
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from models import Person, Round
    from review_flow.rules.scheme import Scheme

_Marks = tuple[str, "str | None", bool, Any, int]
"""So many marks of the panel: of which ability, which level, whether they stand, on which day, how many."""
BIN = 5  # points of a bar of the distribution
SPREADS = (5, 10, 15, 20)  # points between the highest and the lowest mark of a work


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: what it is of, the places along its axis, and for each name a number at every place."""

    id: str
    title: str
    axis: str
    labels: list[str]
    series: dict[str, list[int]]
    kind: str = "bars"
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        rows = [{"name": name, "values": values} for name, values in self.series.items()]
        return {"kind": self.kind, "axis": self.axis, "labels": self.labels, "series": rows}


def of_round(session: Session, *, actor: Person, round_: Round) -> list[Chart]:
    """Return every chart of a round that has anything to show, in a handful of questions whatever its size."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    scheme = round_scheme(session, round_=round_)
    marks = session.execute(_marks(session.get_bind().dialect.name), {"round": round_.id}).tuples().all()
    charts = [
        *_grades(session, round_, scheme),
        _progress(session, round_, marks),
        _loads(session, round_),
        _agreement(session, round_),
        _abilities(scheme, marks),
    ]
    return [one for one in charts if one.labels]


_ROUND = bindparam("round", type_=BigInteger)
_GRADE = func.coalesce(Result.grade, Result.proposed_grade)
_GRADES = (
    select(_GRADE, Result.score, func.count())
    .join(Enrolment, Enrolment.id == Result.enrolment_id)
    .where(Enrolment.round_id == _ROUND, Result.current)
    .group_by(_GRADE, Result.score)
)


def _grades(session: Session, round_: Round, scheme: Scheme) -> list[Chart]:
    """Return how many have which grade, and the scores in bars of five points, each split by grade."""
    counts: Counter[str] = Counter()
    bins: Counter[tuple[str, int]] = Counter()
    for name, score, count in session.execute(_GRADES, {"round": round_.id}).tuples():
        counts[name] += count
        if score is not None:
            bins[name, int(min(score, Decimal(99)) // BIN)] += count
    names = list(scheme.bands.grades) if counts else []  # a grade that nobody has is worth seeing too
    low, high = min((at for _name, at in bins), default=0), max((at for _name, at in bins), default=-1)
    places = range(low, high + 1)
    people, score_ = say(_("人数")), say(_("分数"))
    note = say(_("恰为分界分的算进哪一等，由方案规定；每一段里按等级分开。"))
    return [
        Chart("grades", say(_("等级分布")), say(_("等级")), names, {people: [counts[one] for one in names]}),
        Chart(
            "scores",
            say(_("分数分布与等级")),
            score_,
            [f"{at * BIN}–{at * BIN + BIN}" for at in places],
            {name: [bins[name, at] for at in places] for name in names if counts[name]},
            kind="stacked",
            note=note,
        ),
    ]


def day_of(column: Any, *, dialect: str) -> ColumnElement[Any]:
    """Return the day of a moment in the school's zone, as a database says it: as a date, SQLite as its text.

    Asia/Shanghai has known no summer time since 1991, and eight hours are added quicker than a zone is looked up.
    """
    if dialect == "sqlite":
        return func.date(column, "+8 hours")
    return cast(func.timezone("UTC", column) + timedelta(hours=8), Date)


@cache
def _days(dialect: str) -> dict[str, Select[tuple[Any, int]]]:
    """Return, by its name, a select of how much of each thing was done on which day."""
    of_round = Submission.round_id == _ROUND
    done: dict[str, tuple[Any, Any]] = {
        _("封存的成果"): (Submission.sealed_at, select(Submission.id).where(of_round)),
        _("提交的成果"): (Submission.submitted_at, select(Submission.id).where(of_round)),
        _("完成的互评"): (
            Assignment.ended_at,  # with its review, in rows that are found without it
            select(Assignment.id).where(Assignment.round_id == _ROUND, Assignment.state == AssignmentState.DONE),
        ),
    }
    days = {name: day_of(column, dialect=dialect) for name, (column, _rows) in done.items()}
    return {
        name: rows.with_only_columns(days[name], func.count()).where(column.is_not(None)).group_by(days[name])
        for name, (column, rows) in done.items()
    }


@cache
def _marks(dialect: str) -> Select[tuple[str, str | None, bool, Any, int]]:
    """Select of the panel's marks, counted by ability, level, whether each stands, and day: read once for two charts."""
    by = Submission.ability, PanelMark.ability_level, PanelMark.released_at.is_(None)
    day = day_of(PanelMark.marked_at, dialect=dialect)
    return (
        select(*by, day, func.count())
        .join(PanelMark, PanelMark.submission_id == Submission.id)
        .where(Submission.round_id == _ROUND, PanelMark.marked_at.is_not(None))
        .group_by(*by, day)
    )


def _progress(session: Session, round_: Round, marks: Sequence[_Marks]) -> Chart:
    """Return how much was done by the end of each day: works sealed and handed in, reviews, marks of the panel."""
    found: dict[str, dict[str, int]] = {}
    for name, counted in _days(session.get_bind().dialect.name).items():
        rows = session.execute(counted, {"round": round_.id}).tuples()
        found[say(name)] = {str(day): count for day, count in rows}
    given = Counter[str]()
    for _ability, _level, _standing, day, count in marks:
        given[str(day)] += count
    found[say(_("考核组评分"))] = given
    days = sorted({day for counts in found.values() for day in counts})
    series = {name: _running(counts, days) for name, counts in found.items() if counts}
    return Chart("progress", say(_("进展")), say(_("日期")), days, series, kind="lines")


def _running(counts: dict[str, int], days: Sequence[str]) -> list[int]:
    total, sums = 0, []
    for day in days:
        total += counts.get(day, 0)
        sums.append(total)
    return sums


@cache
def _loads_of(*states: AssignmentState) -> Select[tuple[int, int]]:
    """Select of how many people hold how many reviews in these states."""
    held = (
        select(func.count().label("count"))
        .where(Assignment.round_id == _ROUND, Assignment.submission_id.is_not(None), Assignment.state.in_(states))
        .group_by(Assignment.reviewer_id)
        .subquery()
    )
    return select(held.c.count, func.count()).group_by(held.c.count)


def _loads(session: Session, round_: Round) -> Chart:
    """Return how many people have done, and still hold, how many reviews."""
    found: dict[str, dict[int, int]] = {}
    for name, counted in ((_("已完成"), _loads_of(AssignmentState.DONE)), (_("未完成"), _loads_of(*UNDONE))):
        found[say(name)] = dict(session.execute(counted, {"round": round_.id}).tuples().all())
    most = max((count for counts in found.values() for count in counts), default=0)
    places = range(1, most + 1)
    series = {name: [counts.get(at, 0) for at in places] for name, counts in found.items() if counts}
    labels = [say(_("{count}份"), count=at) for at in places]
    return Chart("loads", say(_("互评工作量：几份各有几人")), say(_("每人份数")), labels, series)


_SPREAD = type_coerce(func.max(Review.mark) - func.min(Review.mark), Review.mark.type)  # a mark, not its units
_APART = (
    select(_SPREAD.label("spread"))
    .join(Assignment, Assignment.id == Review.assignment_id)
    .join(Submission, Submission.id == Assignment.submission_id)
    .where(Submission.round_id == _ROUND)
    .group_by(Submission.id)  # by the round's works: SQLite would else look through the reviews of all rounds
    .having(func.count() > 1)
    .subquery()
)
_SPREADS = select(_APART.c.spread, func.count()).group_by(_APART.c.spread)


def _agreement(session: Session, round_: Round) -> Chart:
    """Return how far the marks of one work lie apart, over all works that have two or more."""
    bars: Counter[int] = Counter()
    for apart, count in session.execute(_SPREADS, {"round": round_.id}).tuples():
        bars[sum(apart > one for one in SPREADS)] += count
    labels = [say(_("{most}分以内"), most=one) for one in SPREADS] + [say(_("超过{most}分"), most=SPREADS[-1])]
    counts = [bars[at] for at in range(len(labels))]
    title = say(_("互评的一致性：同一份成果最高与最低相差"))
    return Chart("agreement", title, say(_("相差")), labels if bars else [], {say(_("成果数")): counts})


def _abilities(scheme: Scheme, marks: Sequence[_Marks]) -> Chart:
    """Return which levels the panel gave to which ability, mark by mark; the share that is not the last has passed."""
    found = Counter[tuple[str, str]]()
    for ability, level, standing, _day, count in marks:
        if standing and level is not None:
            found[ability, level] += count
    codes = [one.code for one in scheme.catalogue.abilities if any(ability == one.code for ability, _level in found)]
    levels = [one for one in scheme.level_marks if any(level == one for _ability, level in found)]
    series = {level: [found.get((code, level), 0) for code in codes] for level in levels}
    title = say(_("各微能力的等级（考核组评分人次）"))
    return Chart("abilities", title, say(_("微能力")), codes, series, kind="stacked")
