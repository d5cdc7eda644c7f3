"""The results as the school files them: one line for each teacher, every ledger line, and the scheme they rest on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import Enrolment, GroupResult, Person, Result, SchemeVersion, Workshop
from review_flow.i18n import _, listed, say
from review_flow.outside.workbooks import Page, write
from review_flow.rules.lifecycle import EnrolmentState, ResultState
from review_flow.rules.marks import rounded
from review_flow.rules.scheme import Scheme

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from sqlalchemy.orm import Session

    from models import Round

    Cell = str | int | float | bool | date | Decimal | None

PERSON = (_("工号"), _("姓名"), _("学科"), _("工作坊"))
ABILITY = (_("微能力{n}"), _("微能力{n}等级"), _("微能力{n}得分"))
TOTALS = (_("互评"), _("考核组"), _("扣分"), _("加分"), _("总分"), _("等级"), _("签名状态"), _("门槛未过原因"))
CONSEQUENCES = (_("工号"), _("姓名"), _("种类"), _("内容"), _("数值"), _("方案条目"), _("依据"))
WORKSHOPS = (_("工作坊"), _("结果版本"), _("拟定等次"), _("确认等次"), _("状态"), _("变更原因"))
WORKSHOP_LINES = (_("工作坊"), _("结果版本"), _("序号"), _("依据"), _("说明"))
LEDGER = (_("工号"), _("姓名"), _("结果版本"), _("序号"), _("依据"), _("说明"), _("分值"), _("累计"))


@dataclass(frozen=True)
class _Line:
    """One teacher of the round; without a result where none was composed."""

    enrolment: Enrolment
    person: Person
    workshop: str | None
    result: Result | None
    outcome: dict[str, Any]
    record: dict[str, Any]


def results_workbook(session: Session, *, round_: Round) -> bytes:
    """Return the xlsx: 考核结果, 计分明细, 方案信息; the current version of each result, in order of 工号."""
    version = session.get_one(SchemeVersion, round_.scheme_version_id)
    scheme = Scheme.from_document(version.document)
    lines = _lines(session, round_)
    most = max((len(line.outcome.get("abilities", ())) for line in lines), default=0)
    header = [say(name) for name in PERSON]
    header += [say(name, n=n) for n in range(1, most + 1) for name in ABILITY]
    header += [say(name) for name in TOTALS]
    return write(
        [
            Page(say(_("考核结果")), header, [_result_row(scheme, line, most) for line in lines]),
            Page(
                say(_("计分明细")),
                [say(name) for name in LEDGER],
                [row for line in lines for row in _ledger_rows(line)],
            ),
            Page(
                say(_("结果运用")),
                [say(name) for name in CONSEQUENCES],
                [list(one.values()) for one in consequences(session, round_=round_)],
                # It is told to those who decide it elsewhere; nothing here acts on it.
            ),
            *_workshops(session, round_),
            Page(say(_("方案信息")), [say(_("项目")), say(_("内容"))], _about(round_, version, scheme)),
        ]
    )


def _workshops(session: Session, round_: Round) -> list[Page]:
    """Return the pages of the workshops' results and their ledgers, where workshops are judged; else none."""
    found = session.execute(
        select(Workshop.name, GroupResult)
        .join(GroupResult, GroupResult.workshop_id == Workshop.id)
        .where(GroupResult.round_id == round_.id, GroupResult.current)
        .order_by(GroupResult.id)
    ).all()
    if not found:
        return []
    results: list[list[Cell]] = [
        [name, one.version, one.proposed_grade, one.grade, say(one.state.label), one.supersedes_reason]
        for name, one in found
    ]
    ledger: list[list[Cell]] = [
        [name, one.version, place, line["rule"], line["text"]]
        for name, one in found
        for place, line in enumerate(json.loads(one.outcome)["ledger"], start=1)
    ]
    return [
        Page(say(_("工作坊考核结果")), [say(title) for title in WORKSHOPS], results),
        Page(say(_("工作坊计分明细")), [say(title) for title in WORKSHOP_LINES], ledger),
    ]


def consequences(session: Session, *, round_: Round) -> list[dict[str, Cell]]:
    """Return what follows elsewhere from the final results, one event each; never applied by us (X-22)."""
    scheme = Scheme.from_document(session.get_one(SchemeVersion, round_.scheme_version_id).document)
    rules = {one.id: f"consequences.{one.id}" for one in scheme.consequences}
    return [
        {
            "number": line.person.number,
            "name": line.person.name,
            "kind": event["kind"],
            "text": event["text"],
            "value": event["value"],
            "path": rules[event["id"]],
            "rule": str(scheme.source(rules[event["id"]])),
        }
        for line in _lines(session, round_)
        if line.result is not None and line.result.state is ResultState.FINAL
        for event in line.outcome.get("consequences", ())
    ]


def _lines(session: Session, round_: Round) -> list[_Line]:
    rows = session.execute(
        select(Enrolment, Person, Workshop.name, Result)
        .join(Person, Enrolment.person_id == Person.id)
        .outerjoin(Workshop, Person.workshop_id == Workshop.id)
        .outerjoin(Result, (Result.enrolment_id == Enrolment.id) & Result.current)
        .where(Enrolment.round_id == round_.id)
    ).all()
    return [
        _Line(enrolment, person, workshop, result, *(_data(result.outcome, result.record) if result else ({}, {})))
        for enrolment, person, workshop, result in sorted(
            rows, key=lambda row: row[1].number
        )  # as every database would
    ]


def _data(*texts: str) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(text) for text in texts)


def _result_row(scheme: Scheme, line: _Line, most: int) -> list[Cell]:
    person = line.person
    cells: list[Cell] = [person.number, person.name, person.subject, line.workshop]
    abilities = line.outcome.get("abilities", [])
    for ability in abilities:
        cells += [ability["code"], ability["level"], _number(ability["score"])]
    cells += [None] * len(ABILITY) * (most - len(abilities))
    if line.result is None:
        state = line.enrolment.state
        reason = line.enrolment.exempt_reason if state is EnrolmentState.EXEMPT else None
        return [*cells, None, None, None, None, None, say(state.label), None, reason]
    result = line.result
    grade = result.grade or say(_("{grade}（待考核组确认）"), grade=result.proposed_grade)
    failed = "\n".join(gate["text"] for gate in line.outcome["gates"] if gate["passed"] is False)
    return [
        *cells,
        _mean(line, "peer"),
        _mean(line, "panel"),
        _sum(
            line, {str(scheme.source(f"adjust.deductions.{one.id}.each")) for one in scheme.adjust.deductions}, sign=-1
        ),
        _sum(line, {str(scheme.source(f"adjust.bonuses.{one.id}")) for one in scheme.adjust.bonuses}, sign=1),
        _number(line.outcome["score"]),
        grade,
        say(result.state.label),
        failed,
    ]


def _mean(line: _Line, source: str) -> Decimal | None:
    """Return the mean of the counting abilities' marks from one source, or the whole teacher's marks; to 2 places."""
    whole = line.record.get("marks") or {}
    given = whole.get(source)
    marks: Sequence[str] = given if isinstance(given, list) else [given] if given else []
    marks = marks or [one[source] for one in line.outcome["abilities"] if one["counts"] and one[source] is not None]
    return rounded(sum(map(Fraction, marks), Fraction(0)) / len(marks)) if marks else None


def _sum(line: _Line, rules: set[str], *, sign: int) -> Decimal:
    points = (Decimal(entry["points"]) for entry in line.outcome["ledger"] if entry["rule"] in rules)
    return sum((one for one in points if one * sign > 0), Decimal(0))


def _ledger_rows(line: _Line) -> Iterable[list[Cell]]:
    if line.result is None:
        return
    for place, entry in enumerate(line.outcome["ledger"], start=1):
        yield [
            line.person.number,
            line.person.name,
            line.result.version,
            place,
            entry["rule"],
            entry["text"],
            _number(entry["points"]),
            _number(entry["running"]),
        ]


def _about(round_: Round, version: SchemeVersion, scheme: Scheme) -> list[list[Cell]]:
    return [
        [say(_("考核轮次")), round_.name],
        [say(_("阶段")), say(round_.phase.label)],
        [say(_("方案")), scheme.title_zh],
        [say(_("方案编号与版本")), f"{version.scheme_id} v{version.version}"],
        [say(_("结果运用")), say(_("仅列出方案规定的后果，由有关部门办理；本系统不作任何处理。"))],
        [say(_("依据文件")), listed(scheme.based_on)],
        [say(_("方案摘要（SHA-256）")), round_.scheme_digest or version.digest],
    ]


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
