"""工作坊看板: what a workshop or school owes and has, by when, and what is late; its leader is told in time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import Person, Role, Workshop
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.db import counted, first_of
from review_flow.i18n import _, say
from review_flow.outside.calendars import closed_on
from review_flow.rules.marks import shown
from review_flow.rules.path import NOT_SHOWN
from review_flow.rules.quotas import quotas_of, tasks_of
from review_flow.rules.record import read_record
from review_flow.rules.words import GroupLevel, RoleKind
from review_flow.steps.deadlines import first_time
from review_flow.steps.group_record import group_record_of, group_records_of
from review_flow.steps.group_results import current_group_results, group_outcome
from review_flow.steps.groups import LEADER, Group, require_group_reader, task_level, workshop_group
from review_flow.steps.messages import tell
from review_flow.steps.people import has_role
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from models import GroupResult, Round
    from review_flow.rules.programme import Phase, Task
    from review_flow.rules.quotas import QuotaResult, TaskResult
    from review_flow.rules.scheme import Scheme

AHEAD = timedelta(days=7)
EVERY = 10_000  # workshops of a school
LAST = datetime.max.replace(tzinfo=SCHOOL_ZONE)
STATES = {"done": _("已完成"), "late": _("逾期完成"), "due": _("已逾期"), "open": _("未到期")}


def workshop_board(session: Session, *, actor: Person, round_: Round, workshop: Workshop) -> dict[str, Any]:
    """Return a workshop's board: duties, quotas, dated tasks by their day, and its result, as plain data.

    For its leader, the school's administrator and the county; before it is published the result is the
    administrator's alone. Raises NotAllowed.
    """
    group = workshop_group(round_=round_, workshop=workshop)
    require_group_reader(session, actor=actor, group=group)
    board = _board(session, group)
    found = current_group_results(session, groups=[group]).get(group)
    if (None if found is None else found.state) not in NOT_SHOWN or has_role(
        session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN]
    ):
        return board
    return board | {"grade": None, "result": None}


def school_board(session: Session, *, actor: Person, round_: Round, most: int = EVERY, skip: int = 0) -> dict[str, Any]:
    """Return the school's own board, and below it what each of its workshops has and lacks; `count`: of how many.

    Of the workshops no more than `most`, without the first `skip`. For the school's administrator and the county.
    Raises NotAllowed.
    """
    group = Group(round_, GroupLevel.SCHOOL)
    require_group_reader(session, actor=actor, group=group)
    asked = select(Workshop).where(Workshop.organization_id == round_.organization_id).order_by(Workshop.id)
    found, count = first_of(session, counted(asked.offset(skip)), {"most": most})
    groups = [Group(round_, GroupLevel.WORKSHOP, workshop=one) for one in found]
    return {**_board(session, group), "workshops": [_line(one) for one in _boards(session, groups)], "count": count}


def indicators(session: Session, *, actor: Person, round_: Round) -> list[dict[str, Any]]:
    """Return the school's indicators, each with numerator and denominator (X-23, X-54).

    One that nobody told anything of is listed without numbers. Raises NotAllowed.
    """
    group = Group(round_, GroupLevel.SCHOOL)
    require_group_reader(session, actor=actor, group=group)
    known = {one.id: one.as_json() for one in group_outcome(session, group=group).targets}
    blank = {"have": None, "of": None, "value": None, "met": None}
    return [
        known.get(one.id, {"id": one.id, **blank, "text": say(_("{name}：未登记"), name=one.name_zh)})
        for one in round_scheme(session, round_=round_).targets
    ]


def _line(board: dict[str, Any]) -> dict[str, Any]:
    """Return a workshop's board as one line among others."""
    tasks = [one["state"] for one in board["tasks"]]
    return {
        "name": board["name"],
        "members": board["members"],
        "quotas_met": sum(one["met"] is True for one in board["quotas"]),
        "quotas": len(board["quotas"]),
        "short": [one["text"] for one in board["quotas"] if one["met"] is False],
        **{state: tasks.count(state) for state in STATES},
        "grade": board["grade"],
    }


def _board(session: Session, group: Group) -> dict[str, Any]:
    return _boards(session, [group])[0]


def _boards(session: Session, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return the boards of one group, or of workshops of one round in no more questions."""
    standing = current_group_results(session, groups=groups)
    return [
        _drawn(round_scheme(session, round_=group.round), group, record, standing.get(group))
        for group, record in zip(groups, group_records_of(session, groups=groups), strict=True)
    ]


def _drawn(scheme: Scheme, group: Group, record: dict[str, Any], result: GroupResult | None) -> dict[str, Any]:
    facts = read_record(scheme, record).programme.group
    return {
        "name": group.name,
        "school_year": record["school_year"],
        "as_of": record["as_of"],
        "members": record["quota"].get("members"),
        "duties": [
            {"id": one.id, "role": one.role, "text": one.text_zh}
            for one in scheme.duties
            if (LEADER in one.role) == (group.level is GroupLevel.WORKSHOP)
        ],
        "quotas": [_quota(one) for one in quotas_of(scheme, facts)],
        "tasks": _calendar(scheme, group.level, tasks_of(scheme, facts)),
        "grade": None if result is None else result.grade or result.proposed_grade,
        "result": None if result is None else say(result.state.label),
    }


def _quota(one: QuotaResult) -> dict[str, Any]:
    return {**one.as_json(), "short": shown(one.short)}


def _calendar(scheme: Scheme, level: GroupLevel, tasks: Sequence[TaskResult]) -> list[dict[str, Any]]:
    """Return the level's tasks by their day, those without one last; holidays are noted, no date is moved (X-50)."""
    planned = {task.id: (phase, task) for phase in scheme.phases for task in phase.tasks}
    mine = [one for one in tasks if task_level(planned[one.id][1]) is level]
    return [_entry(scheme, *planned[one.id], one) for one in sorted(mine, key=lambda one: one.due or LAST)]


def _entry(scheme: Scheme, phase: Phase, task: Task, result: TaskResult) -> dict[str, Any]:
    day = None if result.due is None else result.due.astimezone(SCHOOL_ZONE).date()
    vacations = scheme.groups.get("vacations", ())
    return {
        **result.as_json(),
        "phase": phase.name_zh,
        "owner": task.owner,
        "day": None if day is None else day.isoformat(),
        "holiday": None if day is None else closed_on(day, vacations=vacations),
    }


def remind_tasks(session: Session, *, round_: Round) -> None:
    """Tell who owns a dated task, once seven days before its day and once after it, while it is not done (000-E).

    A day that was over before the round opened is nobody's news.
    """
    scheme = round_scheme(session, round_=round_)
    if not any(task.by for phase in scheme.phases for task in phase.tasks):
        return
    workshops = session.scalars(
        select(Workshop).where(Workshop.organization_id == round_.organization_id).order_by(Workshop.id)
    )
    groups = [
        Group(round_, GroupLevel.SCHOOL),
        *(Group(round_, GroupLevel.WORKSHOP, workshop=one) for one in workshops),
    ]
    owners = {task.id: task_level(task) for phase in scheme.phases for task in phase.tasks}
    school, *shops = groups
    records = [group_record_of(session, group=school), *group_records_of(session, groups=shops)]
    for group, record in zip(groups, records, strict=True):
        facts = read_record(scheme, record).programme.group
        for one in tasks_of(scheme, facts):
            if owners[one.id] is group.level and one.due is not None and one.done_at is None:
                _remind(session, group=group, task=one, due=one.due)


def _remind(session: Session, *, group: Group, task: TaskResult, due: datetime) -> None:
    late = now() > due
    if due < group.round.opens_at or now() < due - AHEAD:
        return
    whose = group.workshop.id if group.workshop else 0
    if not first_time(session, round_=group.round, key=f"task-{'late' if late else 'due'}:{whose}:{task.id}"):
        return
    sentence = _("“{task}”已过期（{day}），请尽快完成并登记。") if late else _("“{task}”请在{day}前完成并登记。")
    for person_id in _told(session, group):
        tell(
            session,
            person_id=person_id,
            round_id=group.round.id,
            kind="task.late" if late else "task.due",
            sentence=sentence,
            task=task.text,
            day=f"{due.astimezone(SCHOOL_ZONE):%Y-%m-%d}",
        )


def _told(session: Session, group: Group) -> list[int]:
    """Return the workshop's leaders, or the school's administrators."""
    kind = RoleKind.SCHOOL_ADMIN if group.workshop is None else RoleKind.WORKSHOP_LEADER
    found = (
        select(Person.id)
        .join(Role, Role.person_id == Person.id)
        .where(Role.organization_id == group.round.organization_id, Role.kind == kind, Person.active)
        .order_by(Person.id)
    )
    return list(
        session.scalars(found if group.workshop is None else found.where(Person.workshop_id == group.workshop.id))
    )
