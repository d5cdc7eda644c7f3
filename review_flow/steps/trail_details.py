"""What is noted of an event, in words: who and what instead of codes and numbers, and never who reviews whom."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import Person
from review_flow.clock import shown
from review_flow.i18n import _, listed, say
from review_flow.rules.deeds import DETAILS, THINGS
from review_flow.rules.peer_marks.disagreement import REASONS as DIFFERENCES
from review_flow.rules.tokens import SCOPE_NAMES
from review_flow.rules.verdict import VERDICT_WORDS
from review_flow.rules.webhooks import EVENTS
from review_flow.rules.words import AppealState, ErrandKind, NominationKind
from review_flow.steps import adjustments, file_reports, groups, imports_facts, jobs, programme, work_consents
from review_flow.steps.imports_tables import TABLES
from review_flow.steps.people import ROLE_NAMES, SEAT_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from models import AuditEvent

MOST = 20
"""So many of a list are told; of a longer one how many there are besides."""
PEOPLE = frozenset({"accepted_late_by", "by", "people", "person"})
COUNTED = frozenset({"asked", "pairs", "withdrawn"})
"""Who reviews and marks what, for the chain alone: whoever reads may be an author, and peers stay unknown (design rule 5)."""
ERRANDS = {
    ErrandKind.AGREEMENT: _("统计互评的一致程度"),
    ErrandKind.CHAIN: _("检查整条链"),
    ErrandKind.CONFIRM_GRADES: _("确认全部等级"),
}
NOMINATIONS = {NominationKind.WORK: _("成果"), NominationKind.LEARNER: _("学员")}
APPEALS = {AppealState.UPHELD: _("申诉成立"), AppealState.DISMISSED: _("维持原结果")}


def _by_value(words: Mapping[Any, str]) -> dict[str, str]:
    return {one.value: said for one, said in words.items()}


KINDS = {
    "adjustment.add": _by_value(adjustments.NAMES),
    "errand.ask": _by_value(ERRANDS),
    "export.ask": _by_value(jobs.EXPORT_NAMES),
    "fact.tell": _by_value(programme.KIND_NAMES),
    "group.tell": _by_value(groups.KIND_NAMES),
    "nomination.add": _by_value(NOMINATIONS),
    "panel.seat": _by_value(SEAT_NAMES),
    "panel.unseat": _by_value(SEAT_NAMES),
    "role.grant": _by_value(ROLE_NAMES),
    "role.withdraw": _by_value(ROLE_NAMES),
    "sheet.bring": {kind.value: table.title_zh for kind, table in TABLES.items()},
}
"""Which kinds a deed knows."""
REPORTED = _by_value(file_reports.REASONS)
VALUES = {
    "by": {"check": _("自动检查"), "people": _("考核组")},
    "consent": _by_value(work_consents.CONSENTS),
    "events": EVENTS,
    "ledger": imports_facts.OTHER_NAMES,
    "scopes": _by_value(SCOPE_NAMES),
    "state": _by_value(APPEALS),
    "verdict": _by_value(VERDICT_WORDS),
    "why": DIFFERENCES,
}


def data_of(event: AuditEvent) -> dict[str, Any]:
    """Return what is noted of an event, of what peers do how many alone."""
    data: dict[str, Any] = json.loads(event.data)
    return {key: len(said) if key in COUNTED and isinstance(said, list) else said for key, said in data.items()}


def names_in(session: Session, *, events: Iterable[AuditEvent], organization_id: int) -> dict[int, str]:
    """Return the names of the organization's own people whose numbers are noted of these events."""
    wanted = {number for event in events for number in _numbers(data_of(event))}
    asked = select(Person.id, Person.name).where(Person.id.in_(wanted), Person.organization_id == organization_id)
    return dict(session.execute(asked).tuples().all()) if wanted else {}


def _numbers(data: dict[str, Any]) -> set[int]:
    told = [data[key] for key in PEOPLE & data.keys()]
    flat = [number for one in told for number in (one if isinstance(one, list) else [one])]
    return {number for number in flat if isinstance(number, int)}


def details(event: AuditEvent, *, names: Mapping[int, str]) -> list[tuple[str, str]]:
    """Return (what, its words) of all that is noted but the reason; a key of another version stays as it was written."""
    data = {key: said for key, said in data_of(event).items() if key != "reason" and said not in (None, [], {})}
    return [(say(DETAILS.get(key, key)), _said(event.deed, key, said, names)) for key, said in data.items()]


def reason_of(event: AuditEvent) -> str:
    """Return why, where somebody said so."""
    said = str(data_of(event).get("reason") or "")
    return say(REPORTED.get(said, said)) if event.deed == "file.report" else said


def _said(deed: str, key: str, said: object, names: Mapping[int, str]) -> str:
    if key == "why" and "," in str(said):
        said = str(said).split(",")
    if isinstance(said, bool):
        return say(_("是")) if said else say(_("否"))
    if isinstance(said, list):
        told = [_said(deed, key, one, names) for one in said[:MOST]]
        more = [say(_("另有{count}项"), count=len(said) - MOST)] if len(said) > MOST else []
        return listed(told + more)
    if isinstance(said, dict):
        return str(
            said.get("text") or listed(f"{one}: {_said(deed, one, value, names)}" for one, value in said.items())
        )
    if isinstance(said, int):
        return names.get(said, str(said)) if key in PEOPLE else str(said)
    return _text(str(said), KINDS.get(deed, {}) if key == "kind" else VALUES.get(key, {}))


def _text(said: str, words: Mapping[str, str]) -> str:
    """Return a word of a list in words, a row of a table by the table's name, a moment by the school's clock; else as it is."""
    table, _colon, key = said.partition(":")
    if table in THINGS and key.isdecimal():
        return f"{say(THINGS[table])} {key}"
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", said):
        return shown(datetime.fromisoformat(said))
    return say(words.get(said, said))
