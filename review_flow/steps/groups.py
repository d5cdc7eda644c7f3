"""集体事实: what is handed in or told for a workshop, a class, the school or the county's part of a round.

Nothing is edited: told again under its key with another value, the older fact is struck and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import GroupFact, Round, TrainingClass, Workshop
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.counted import COUNTS, INDICATORS
from review_flow.rules.words import GroupFactKind, GroupLevel, RoleKind
from review_flow.steps import telling as telling_
from review_flow.steps.people import has_role
from review_flow.steps.programme import PHASES, leads, require_above
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy.orm import Session

    from models import Person
    from review_flow.rules.programme import Quota, Task
    from review_flow.rules.scheme import Scheme

LEADER = "坊主"
COUNTED = frozenset(one.id for one in COUNTS)
"""Counts that the database knows; nobody tells them."""
COMPUTED = frozenset(one.id for one in INDICATORS)
"""Indicators whose both numbers the database knows."""
GATHERED = "gathering:"
"""A fact under this key adds what a meeting that was held in the house has to show (lesson_video, photos …)."""
KIND_NAMES = {
    GroupFactKind.COUNT: _("数量"),
    GroupFactKind.TASK: _("任务"),
    GroupFactKind.TARGET: _("指标"),
    GroupFactKind.REASON: _("超出的理由"),
    GroupFactKind.COVERAGE: _("主题任务数"),
}
LEVEL_NAMES = {
    GroupLevel.WORKSHOP: _("工作坊"),
    GroupLevel.CLASS: _("班"),
    GroupLevel.SCHOOL: _("学校"),
    GroupLevel.COUNTY: _("区县"),
}


class GroupFactRefused(Refusal):
    """The scheme has no such thing for this group, or the value is none it takes."""

    status, text = 422, _("“{kind}”登记不了：{why}")


class GroupFactStruck(Refusal):
    """A fact is struck once, with a reason."""

    status, text = 409, _("这条登记已经撤销或更正过。")


@dataclass(frozen=True)
class Group:
    """Whose facts: a workshop or class of a round, or the round's school or county."""

    round: Round
    level: GroupLevel
    workshop: Workshop | None = None
    class_: TrainingClass | None = None

    @property
    def ids(self) -> dict[str, Any]:
        """Return the columns that name the group."""
        return {
            "round_id": self.round.id,
            "level": self.level,
            "workshop_id": self.workshop.id if self.workshop else None,
            "class_id": self.class_.id if self.class_ else None,
        }

    @property
    def name(self) -> str:
        """Return the workshop's or class's name, else what level it is."""
        named = self.workshop or self.class_
        return named.name if named else say(LEVEL_NAMES[self.level])


@dataclass(frozen=True)
class GroupTelling:
    """One fact on its way in; `key` makes it the same fact when told again."""

    kind: GroupFactKind
    about: str
    key: str
    source: str
    number: Decimal | None = None
    happened_at: datetime | None = None
    details: dict[str, Any] = field(default_factory=dict)
    storage_key: str | None = None
    sha256: str | None = None


def details_of(
    *, has: Collection[str] = (), of: str | None = None, value: str | None = None, reason: str | None = None
) -> dict[str, Any]:
    """Return a telling's details: what a counted thing has, a target's denominator or value, a reason."""
    named = {"of": of, "value": value, "reason": reason}
    return {**dict.fromkeys(has, True), **{name: text for name, text in named.items() if text is not None}}


def workshop_group(*, round_: Round, workshop: Workshop) -> Group:
    """Return a workshop of the round's school as a group; raises NotAllowed for another school's."""
    if workshop.organization_id != round_.organization_id:
        raise NotAllowed(why=say(_("这是别校的工作坊")))
    return Group(round_, GroupLevel.WORKSHOP, workshop=workshop)


def quotas_at(scheme: Scheme, level: GroupLevel) -> list[Quota]:
    """Return the scheme's quotas of a level."""
    return [one for one in scheme.quotas if one.level == level.value]


def task_level(task: Task) -> GroupLevel:
    """Return whose task it is: a 坊主's is each workshop's, every other the school's."""
    return GroupLevel.WORKSHOP if task.owner is not None and LEADER in task.owner else GroupLevel.SCHOOL


def group_subjects(scheme: Scheme, kind: GroupFactKind, level: GroupLevel) -> dict[str, str]:
    """Return what one may tell of a group: id → name; what the database counts itself is not among it."""
    quotas = quotas_at(scheme, level)
    counts = {quota.of: quota.name_zh for quota in quotas}
    counts |= {quota.share_of: quota.share_of for quota in quotas if quota.share_of and quota.share_of not in counts}
    workshop = level is GroupLevel.WORKSHOP
    named = {
        GroupFactKind.COUNT: {about: name for about, name in counts.items() if about not in COUNTED},
        GroupFactKind.TASK: {
            task.id: task.text_zh for phase in scheme.phases for task in phase.tasks if task_level(task) is level
        },
        GroupFactKind.TARGET: {
            one.id: one.name_zh for one in scheme.targets if level is GroupLevel.SCHOOL and one.id not in COMPUTED
        },
        GroupFactKind.REASON: {quota.id: quota.name_zh for quota in quotas if quota.strict != "must"},
        GroupFactKind.COVERAGE: {
            theme.id: theme.name_zh for theme in scheme.themes if workshop and scheme.theme_rule.workshop_covers_all
        },
    }
    return named[kind]


def may_tell(session: Session, *, actor: Person, group: Group) -> bool:
    """Whether the actor tells for a group: its leader or class's admin, the school's administrator; county by the county."""
    if group.level is GroupLevel.COUNTY:
        return False
    if group.class_ is not None and group.class_.admin_id == actor.id and actor.active:
        return True
    return has_role(
        session, person_id=actor.id, organization_id=group.round.organization_id, kinds=[RoleKind.SCHOOL_ADMIN]
    ) or leads(session, actor=actor, workshop_id=group.workshop.id if group.workshop else None)


def require_teller(session: Session, *, actor: Person, group: Group) -> None:
    """Raise NotAllowed unless the actor may tell for this group."""
    if group.level is GroupLevel.COUNTY:
        require_above(session, actor=actor, organization_id=group.round.organization_id)
    elif not may_tell(session, actor=actor, group=group):
        raise NotAllowed(why=say(_("这需要校级管理员、本坊坊主或本班管理员")))


def require_group_reader(session: Session, *, actor: Person, group: Group) -> None:
    """Raise NotAllowed unless the actor tells for this group or administers an organization above the school."""
    if not may_tell(session, actor=actor, group=group):
        require_above(session, actor=actor, organization_id=group.round.organization_id)


def tell_group(session: Session, *, actor: Person, group: Group, telling: GroupTelling) -> str:
    """Record a fact about a group; return added, superseded or unchanged (000-D, 000-E).

    Raises NotAllowed, WrongPhase, GroupFactRefused, BadInput.
    """
    take_turn(session, organization_id=group.round.organization_id)
    require_phase(group.round, *PHASES)
    require_teller(session, actor=actor, group=group)
    scheme = round_scheme(session, round_=group.round)
    why = _problem(scheme, group.level, telling)
    if why is not None:
        raise GroupFactRefused(kind=say(KIND_NAMES[telling.kind]), why=why)
    if not telling.source.strip():
        raise BadInput(field=say(_("来源")), problem=say(_("请写明谁记的、凭什么。")))
    old = _standing(session, group=group, telling=telling)
    if old is not None and _value(old) == _value(telling):
        return "unchanged"
    fact = GroupFact(**group.ids, **vars(telling))
    at = group.round.organization_id
    return telling_.keep(session, actor=actor, organization_id=at, deed="group.tell", fact=fact, old=old)


def _value(one: GroupFact | GroupTelling) -> tuple[object, ...]:
    return one.number, one.happened_at, one.details, one.sha256


def _standing(session: Session, *, group: Group, telling: GroupTelling) -> GroupFact | None:
    same = (telling.kind, telling.about, telling.key)
    return next((one for one in group_facts(session, group=group) if (one.kind, one.about, one.key) == same), None)


def _problem(scheme: Scheme, level: GroupLevel, telling: GroupTelling) -> str | None:
    known = group_subjects(scheme, telling.kind, level)
    if not known:
        return say(_("方案里没有这一类"))
    if telling.about not in known:
        return say(_("没有“{word}”，可填：{names}"), word=telling.about, names=listed(list(known)[:20]))
    if telling.number is not None and (telling.number < 0 or telling.number % 1):
        return say(_("数值应为不小于0的整数"))
    if telling.happened_at is not None and telling.kind is not GroupFactKind.TASK:
        return say(_("只有任务才填写完成时间"))
    return PROBLEMS[telling.kind](scheme, telling)


def _task_problem(_scheme: Scheme, telling: GroupTelling) -> str | None:
    if telling.happened_at is None:
        return say(_("请填写完成时间"))
    return say(_("完成时间不能晚于现在")) if telling.happened_at > now() else None


def _reason_problem(_scheme: Scheme, telling: GroupTelling) -> str | None:
    return None if str(telling.details.get("reason", "")).strip() else say(_("请写明理由"))


def _coverage_problem(_scheme: Scheme, telling: GroupTelling) -> str | None:
    return say(_("请填写数值")) if telling.number is None else None


def _target_problem(_scheme: Scheme, telling: GroupTelling) -> str | None:
    known = {name: text for name, text in telling.details.items() if name in {"of", "value"} and _is_number(text)}
    whole = known == telling.details and ("value" in known or (telling.number is not None and "of" in known))
    return None if whole else say(_("请填写分子与分母，或直接填写指标值"))


def _is_number(text: object) -> bool:
    try:
        return Decimal(str(text)).is_finite()
    except InvalidOperation:
        return False


def _proofs_problem(scheme: Scheme, telling: GroupTelling) -> str | None:
    needs = {need for quota in scheme.quotas if quota.of == telling.about for need in quota.each_needs}
    strange = sorted(set(telling.details) - needs)
    if strange:
        return say(_("没有“{word}”，可填：{names}"), word=strange[0], names=listed(sorted(needs)) or say(_("无")))
    return say(_("这一项须逐次登记")) if needs and telling.number is not None else None


PROBLEMS: dict[GroupFactKind, Callable[[Scheme, GroupTelling], str | None]] = {
    GroupFactKind.COUNT: _proofs_problem,
    GroupFactKind.TASK: _task_problem,
    GroupFactKind.TARGET: _target_problem,
    GroupFactKind.REASON: _reason_problem,
    GroupFactKind.COVERAGE: _coverage_problem,
}


def group_facts(session: Session, *, group: Group, kinds: Collection[GroupFactKind] | None = None) -> list[GroupFact]:
    """Return the group's facts that stand, in the order they were told."""
    asked = select(GroupFact).where(GroupFact.struck_at.is_(None)).order_by(GroupFact.id)
    for column, value in group.ids.items():
        field_ = getattr(GroupFact, column)
        asked = asked.where(field_.is_(None) if value is None else field_ == value)
    return list(session.scalars(asked if kinds is None else asked.where(GroupFact.kind.in_(kinds))))


def group_of(session: Session, *, fact: GroupFact) -> Group:
    """Return the group a fact is of."""
    return Group(
        session.get_one(Round, fact.round_id),
        fact.level,
        workshop=None if fact.workshop_id is None else session.get_one(Workshop, fact.workshop_id),
        class_=None if fact.class_id is None else session.get_one(TrainingClass, fact.class_id),
    )


def strike_group_fact(session: Session, *, actor: Person, fact: GroupFact, reason: str) -> None:
    """Take a fact back, with a reason. Raises NotAllowed, WrongPhase, GroupFactStruck, BadInput."""
    group = group_of(session, fact=fact)
    take_turn(session, organization_id=group.round.organization_id)
    require_phase(group.round, *PHASES)
    require_teller(session, actor=actor, group=group)
    if fact.struck_at is not None:
        raise GroupFactStruck
    at = group.round.organization_id
    telling_.strike(session, actor=actor, organization_id=at, deed="group.strike", fact=fact, reason=reason)
