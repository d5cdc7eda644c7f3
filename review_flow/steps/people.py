"""单位、人员、角色: who somebody is, and the predicates that say who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import String, and_, bindparam, func, or_, select, type_coerce, union
from sqlalchemy.orm import aliased

from models import Assignment, Conflict, Message, Organization, PanelSeat, Person, Role, Round
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, NotFound, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.codes import plain
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import UNDONE, OrganizationKind, RoleKind, SeatKind, WorkKind
from review_flow.steps import audit
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import BindParameter, ColumnElement, CompoundSelect
    from sqlalchemy.orm import Session

ROLE_NAMES = {
    RoleKind.TEACHER: _("教师"),
    RoleKind.WORKSHOP_LEADER: _("坊主"),
    RoleKind.SCHOOL_ADMIN: _("校级管理员"),
    RoleKind.SUBJECT_EXPERT: _("学科专家"),
    RoleKind.COUNTY_ADMIN: _("县级管理员"),
}
SEAT_NAMES = {
    SeatKind.MEMBER: _("考核组成员"),
    SeatKind.RESERVE: _("候补"),
    SeatKind.ARBITER: _("仲裁人"),
    SeatKind.APPEAL: _("申诉复核人"),
}


# What nearly every deed asks is built once and asked with values: building it takes longer than its answer.
_HOLDS = select(Person.id).where(Person.id == bindparam("person"), Person.active)
_WITH_ROLE = _HOLDS.where(
    select(Role.id)
    .where(
        Role.person_id == Person.id,
        Role.organization_id == bindparam("organization"),
        Role.kind.in_(bindparam("kinds", expanding=True)),
    )
    .exists()
)
_WITH_SEAT = _HOLDS.where(
    select(PanelSeat.id)
    .where(
        PanelSeat.person_id == Person.id,
        PanelSeat.round_id == bindparam("round"),
        PanelSeat.kind.in_(bindparam("kinds", expanding=True)),
    )
    .exists()
)
_SEATS = select(PanelSeat.kind).where(
    PanelSeat.round_id == bindparam("round"), PanelSeat.person_id == bindparam("person")
)
_TO_REVIEW = (
    select(func.count(Assignment.id))
    .join(Round, Round.id == Assignment.round_id)
    .where(
        Assignment.reviewer_id == Person.id,
        Assignment.state.in_(UNDONE),
        Round.phase.in_([RoundPhase.OPEN, RoundPhase.SCORING]),
    )
)
_HEAD = (
    select(
        Role.kind,
        select(PanelSeat.id).where(PanelSeat.person_id == Person.id).exists(),
        select(func.count(Message.id))
        .where(Message.person_id == Person.id, Message.read_at.is_(None))
        .scalar_subquery(),
        _TO_REVIEW.scalar_subquery(),
        _TO_REVIEW.with_only_columns(func.min(Assignment.lease_until), maintain_column_froms=True).scalar_subquery(),
    )
    .select_from(Person)
    .outerjoin(
        Role,
        and_(
            Role.person_id == Person.id,
            or_(Role.organization_id == Person.organization_id, Role.kind == RoleKind.COUNTY_ADMIN),
        ),
    )
    .where(Person.id == bindparam("person"))
)

OF_A_SCHOOL = (RoleKind.TEACHER, RoleKind.WORKSHOP_LEADER, RoleKind.SCHOOL_ADMIN, RoleKind.SUBJECT_EXPERT)
"""What a school's administrator may give; a county's comes from the county."""


class SchoolFounded(Refusal):
    """A school is made once."""

    status, text = 409, _("学校“{name}”已经建立，不必再建。")


class LastAdmin(Refusal):
    """Somebody must be left who can give roles."""

    status, text = 409, _("这是本校唯一的管理员，请先再指定一位。")


def found_school(session: Session, *, name: str, admin_number: str, admin_name: str) -> tuple[Organization, Person]:
    """Make a school and its first administrator; raises SchoolFounded, and BadInput for what is left empty.

    This is how an installation begins, so nobody has to be allowed yet.
    """
    name, admin_number, admin_name = name.strip(), plain(admin_number), admin_name.strip()
    for field, given in ((_("学校名称"), name), (_("工号"), admin_number), (_("姓名"), admin_name)):
        if not given:
            raise BadInput(field=say(field), problem=say(_("不能为空。")))
    organization = session.scalars(
        select(Organization).where(Organization.name == name, Organization.parent_id.is_(None))
    ).first()
    if organization is not None:
        raise SchoolFounded(name=name)
    organization = Organization(kind=OrganizationKind.SCHOOL, name=name)
    session.add(organization)
    session.flush()
    admin = Person(organization_id=organization.id, number=admin_number, name=admin_name)
    session.add(admin)
    session.flush()
    session.add(Role(person_id=admin.id, organization_id=organization.id, kind=RoleKind.SCHOOL_ADMIN))
    audit.record(session, organization_id=organization.id, actor=admin, deed="organization.found", about=organization)
    return organization, admin


def numbered(number: str | BindParameter[str]) -> ColumnElement[bool]:
    """Select who has this number, whatever the case of its letters: phones type t001 for T001."""
    asked = plain(number) if isinstance(number, str) else number
    return func.lower(Person.number) == func.lower(type_coerce(asked, String))  # each database lowers its own way


def typed(found: Sequence[Person], *, number: str) -> Person | None:
    """Return of those `numbered` alike the one with the very number, else the only one."""
    exact = [one for one in found if one.number == plain(number)]
    return exact[0] if exact else found[0] if len(found) == 1 else None


def person_by_number(session: Session, *, organization_id: int, number: str) -> Person:
    """Return the active person with this number (工号), however it was typed, or raise NotFound."""
    alike = select(Person).where(Person.organization_id == organization_id, numbered(number), Person.active)
    person = typed(session.scalars(alike).all(), number=number)
    if person is None:
        raise NotFound(what=say(_("人员")), key=number)
    return person


_NAMED = (
    select(Person)
    .where(
        Person.organization_id == bindparam("organization"),
        or_(numbered(bindparam("number")), Person.name == bindparam("name")),
        Person.active,
    )
    .order_by(Person.number)
)


def person_called(session: Session, *, organization_id: int, word: str) -> Person:
    """Return the active person with this number, else the only one of this name. Raises NotFound, BadInput."""
    asked = {"organization": organization_id, "number": plain(word), "name": word.strip()}
    return only_one(session.scalars(_NAMED, asked).all(), word=word, what=_("人员"))


def only_one(found: Sequence[Person], *, word: str, what: str) -> Person:
    """Return of those with this number or name the one with the number, else the only one. Raises NotFound, BadInput."""
    number, word = plain(word), word.strip()
    by_number = typed([one for one in found if one.number.lower() == number.lower()], number=number)
    if not found:
        raise NotFound(what=say(what), key=word)
    if by_number is None and len(found) > 1:
        numbers = listed(one.number for one in found)
        raise BadInput(
            field=say(_("姓名")),
            problem=say(_("叫“{name}”的不止一人，请写工号：{numbers}。"), name=word, numbers=numbers),
        )
    return by_number or found[0]


def has_role(session: Session, *, person_id: int, organization_id: int, kinds: Collection[RoleKind]) -> bool:
    """Whether the person holds one of these roles there."""
    asked = {"person": person_id, "organization": organization_id, "kinds": list(kinds)}
    return session.scalars(_WITH_ROLE, asked).first() is not None


def roles_of(session: Session, *, person: Person) -> frozenset[RoleKind]:
    """Return what the person may do in their own organization, and whether they administer one above schools."""
    return head(session, person=person).roles


@dataclass(frozen=True, slots=True)
class Head:
    """What every page's head says of a person: `roles_of` them, whether on any panel, how many messages are unread.

    And how many reviews wait for them in rounds that go on, with the first moment one is due.
    """

    roles: frozenset[RoleKind]
    seated: bool
    unread: int
    to_review: int
    review_due_at: datetime | None


def head(session: Session, *, person: Person) -> Head:
    """Return what every page asks of the person before it, in one statement."""
    rows = session.execute(_HEAD, {"person": person.id}).all()  # one for each role, and one for none
    _role, *rest = rows[0]
    return Head(frozenset(row[0] for row in rows if row[0] is not None), *rest)


def grant(session: Session, *, actor: Person, person: Person, kind: RoleKind) -> None:
    """Give somebody of the school a role there; one they hold already stays. Raises NotAllowed."""
    require_admin(session, actor=actor, organization_id=person.organization_id)
    take_turn(session, organization_id=person.organization_id)
    if kind not in OF_A_SCHOOL:
        raise NotAllowed(why=say(_("这个角色由上级单位指定")))
    if has_role(session, person_id=person.id, organization_id=person.organization_id, kinds=[kind]):
        return
    session.add(Role(person_id=person.id, organization_id=person.organization_id, kind=kind))
    audit.record(
        session,
        organization_id=person.organization_id,
        actor=actor,
        deed="role.grant",
        about=person,
        kind=kind.value,
    )


def withdraw(session: Session, *, actor: Person, person: Person, kind: RoleKind) -> None:
    """Take a role of the school away again; what was done in it stays. Raises LastAdmin, NotFound, NotAllowed."""
    require_admin(session, actor=actor, organization_id=person.organization_id)
    take_turn(session, organization_id=person.organization_id)
    of_school = (Role.organization_id == person.organization_id, Role.kind == kind)
    held = session.scalars(select(Role).where(*of_school, Role.person_id == person.id)).first()
    if held is None or kind not in OF_A_SCHOOL:
        raise NotFound(what=say(_("角色")), key=say(ROLE_NAMES[kind]))
    others = (
        select(Role.id).join(Person, Person.id == Role.person_id).where(*of_school, Person.active, Role.id != held.id)
    )
    if kind is RoleKind.SCHOOL_ADMIN and session.scalars(others).first() is None:
        raise LastAdmin
    audit.record(
        session,
        organization_id=person.organization_id,
        actor=actor,
        deed="role.withdraw",
        about=person,
        kind=kind.value,
    )
    session.delete(held)
    session.flush()


def require_role(session: Session, *, actor: Person, organization_id: int, kinds: Collection[RoleKind]) -> None:
    """Raise NotAllowed unless the actor holds one of these roles in the organization."""
    if not has_role(session, person_id=actor.id, organization_id=organization_id, kinds=kinds):
        require_held((), kinds=kinds)


def require_held(held: Collection[RoleKind], *, kinds: Collection[RoleKind]) -> None:
    """Raise NotAllowed unless one of these roles is among those that `roles_of` a person returned."""
    if not set(held) & set(kinds):
        raise NotAllowed(why=say(_("这需要{roles}的角色"), roles=listed(say(ROLE_NAMES[kind]) for kind in kinds)))


def require_admin(session: Session, *, actor: Person, organization_id: int) -> None:
    """Raise NotAllowed unless the actor is an administrator of this school."""
    require_role(session, actor=actor, organization_id=organization_id, kinds=[RoleKind.SCHOOL_ADMIN])


def has_seat(session: Session, *, person_id: int, round_id: int, kinds: Collection[SeatKind]) -> bool:
    """Whether the person sits on the round's panel in one of these seats."""
    asked = {"person": person_id, "round": round_id, "kinds": list(kinds)}
    return session.scalars(_WITH_SEAT, asked).first() is not None


def seats_of(session: Session, *, person_id: int, round_id: int) -> list[SeatKind]:
    """Return the seats a person holds on the round's panel, in the order of their kinds."""
    kinds = set(session.scalars(_SEATS, {"person": person_id, "round": round_id}))
    return [kind for kind in SeatKind if kind in kinds]


def require_seat(session: Session, *, actor: Person, round_: Round, kinds: Collection[SeatKind]) -> None:
    """Raise NotAllowed unless the actor sits on the round's panel in one of these seats."""
    if not has_seat(session, person_id=actor.id, round_id=round_.id, kinds=kinds):
        raise NotAllowed(why=say(_("这需要{roles}的席位"), roles=listed(say(SEAT_NAMES[kind]) for kind in kinds)))


def declare_conflict(session: Session, *, actor: Person, one: Person, other: Person, reason: str) -> Conflict:
    """Record that two people may not judge each other (X-47); the administrator does, whoever said it.

    A conflict makes the duty to review smaller, so nobody can declare one by themselves; who is asked to review
    somebody close declines the task with that reason.
    """
    require_admin(session, actor=actor, organization_id=one.organization_id)
    first, second = sorted((one.id, other.id))
    standing = session.scalars(select(Conflict).where(Conflict.one_id == first, Conflict.other_id == second)).first()
    if standing is not None:
        return standing
    conflict = Conflict(one_id=first, other_id=second, reason=reason, declared_by_id=actor.id, declared_at=now())
    session.add(conflict)
    session.flush()
    audit.record(session, organization_id=one.organization_id, actor=actor, deed="conflict.declare", about=conflict)
    allocate_anew(session, organization_id=one.organization_id)
    return conflict


def allocate_anew(session: Session, *, organization_id: int) -> None:
    """Ask for an allocation in every running round of a school: who may review whom has changed, tasks move on."""
    running = select(Round.id).where(
        Round.organization_id == organization_id, Round.phase.in_([RoundPhase.OPEN, RoundPhase.SCORING])
    )
    for round_id in session.scalars(running.order_by(Round.id)):
        enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_id)


def _of_one_household(one: type[Person], other: type[Person]) -> ColumnElement[bool]:
    return and_(one.organization_id == other.organization_id, one.household == other.household)


_ONE, _MATE = aliased(Person), aliased(Person)
"""Two people of one household; made once, since making them costs as much as asking."""


def conflicting_with(session: Session, *, person_id: int) -> set[int]:
    """Return the ids of everybody who may not judge this person's work: themselves, their household, who was declared."""
    return {person_id, *session.scalars(_CONFLICTS, {"person": person_id})}


def conflicts(person_id: int | BindParameter[int]) -> CompoundSelect[tuple[int]]:
    """Select of the ids of everybody in conflict with a person but themselves, as a part of a larger question."""
    return union(
        select(Conflict.other_id).where(Conflict.one_id == person_id),
        select(Conflict.one_id).where(Conflict.other_id == person_id),
        select(_MATE.id).where(_ONE.id == person_id, _of_one_household(_ONE, _MATE)),
    )


_CONFLICTS = conflicts(bindparam("person"))


def conflicts_of(session: Session, *, organization_id: int) -> set[tuple[int, int]]:
    """Return, both ways round, every two people of a school who may not judge each other."""
    found = union(
        select(Conflict.one_id, Conflict.other_id)
        .join(Person, Person.id == Conflict.one_id)
        .where(Person.organization_id == organization_id),
        select(_ONE.id, _MATE.id)
        .join(_MATE, _of_one_household(_ONE, _MATE))
        .where(_ONE.organization_id == organization_id, _ONE.id < _MATE.id),
    )
    pairs = session.execute(found).tuples().all()
    return {*pairs, *((other, one) for one, other in pairs)}
