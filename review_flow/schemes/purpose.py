"""What a scheme is for, in a line, and which of them go together: said from what the document itself settles."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from review_flow import schemes
from review_flow.i18n import _, clauses, listed, say
from review_flow.rules.marks import shown
from review_flow.rules.quotas import judges_groups

if TYPE_CHECKING:
    from review_flow.rules.scheme import Scheme

TEACHERS, WORKSHOPS, PARTS = _("教师考核"), _("工作坊与坊主"), _("模板与叠加层")
MOST_NAMED = 4


def group_of(scheme: Scheme) -> str:
    """Return the msgid of the group: who is judged, or that it is a part of other schemes or a form to fill in."""
    if judges_groups(scheme):
        return WORKSHOPS
    chooses_only = scheme.teacher_selection().min > 0 and not scheme.components
    return PARTS if scheme.document.get("template") or chooses_only else TEACHERS


def purpose(scheme: Scheme) -> str:
    """Return whom it is for, what is asked of them, and how many hours."""
    chosen, parts = scheme.teacher_selection().min, [one.name_zh for one in scheme.components]
    hours = [(one.name_zh, one.min) for one in scheme.hours.ledgers if one.min]
    said = [say(_("适用于{who}"), who=scheme.document["applies_to"]["who"])]
    if chosen:
        said.append(say(_("每人至少选{count}项微能力"), count=chosen))
    if parts:
        names = listed(parts[:MOST_NAMED])
        many = len(parts) > MOST_NAMED
        said.append(
            say(_("考核{names}等{count}项"), names=names, count=len(parts))
            if many
            else say(_("考核{names}"), names=names)
        )
    said += [say(_("{name}不少于{hours}学时"), name=name, hours=shown(least)) for name, least in hours]
    return clauses(said)


@cache
def _groups() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {TEACHERS: [], WORKSHOPS: [], PARTS: []}
    for one in schemes.available():
        found[group_of(schemes.load(one.id))].append(one.id)
    return found


def library() -> list[tuple[str, list[tuple[schemes.Listed, str]]]]:
    """Return what comes with the program: each group's msgid, and its schemes with what each is for."""
    known = {one.id: one for one in schemes.available()}
    return [
        (group, [(known[one], purpose(schemes.load(one))) for one in ids]) for group, ids in _groups().items() if ids
    ]
