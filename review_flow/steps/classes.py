"""班: people who learn together, of one school or joint with others of the county (004-09..11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import ClassMember, GroupFact, Organization, Person, Round, TrainingClass
from review_flow.clock import now
from review_flow.errors import BadInput, Refusal
from review_flow.i18n import _, say
from review_flow.rules.marks import shown
from review_flow.rules.quotas import MINIMUMS, STRICT
from review_flow.rules.words import ClassKind, GroupFactKind, GroupLevel
from review_flow.steps import audit
from review_flow.steps.groups import Group, GroupTelling, group_facts, quotas_at, tell_group
from review_flow.steps.people import require_admin
from review_flow.steps.rounds import round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

CLASS_SIZE = "class_members"


class ClassFull(Refusal):
    """A class takes no more than the scheme says: never, or not without a reason (原则上, 建议: 004-10, X-48)."""

    status, text = 409, _("“{name}”{strict}不超过{most}人；{how}。")


class NotOfThisClass(Refusal):
    """A single class is its school's, a joint one the county's; nobody is in two classes of a round."""

    status, text = 409, _("“{number}”不能进入“{name}”：{why}")


def found_class(
    session: Session, *, actor: Person, round_: Round, name: str, kind: ClassKind, admin: Person
) -> TrainingClass:
    """Set up a class of a round; by the school's administrator. Raises NotAllowed, BadInput."""
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    taken = select(TrainingClass.id).where(TrainingClass.round_id == round_.id, TrainingClass.name == name.strip())
    if not name.strip() or session.scalars(taken).first() is not None:
        raise BadInput(field=say(_("班名")), problem=say(_("不能空白，也不能与本轮已有的班同名。")))
    made = TrainingClass(round_id=round_.id, name=name.strip(), kind=kind, admin_id=admin.id, founded_at=now())
    session.add(made)
    session.flush()
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="class.found", about=made)
    return made


def join_class(
    session: Session, *, actor: Person, class_: TrainingClass, person: Person, reason: str | None = None
) -> ClassMember:
    """Put somebody into a class; beyond a soft cap with a reason, which is kept as the class's (004-10).

    Raises NotAllowed, NotOfThisClass, ClassFull.
    """
    round_ = _run_by(session, actor=actor, class_=class_)
    found = session.scalars(
        select(ClassMember)
        .join(TrainingClass, TrainingClass.id == ClassMember.class_id)
        .where(TrainingClass.round_id == round_.id, ClassMember.person_id == person.id, ClassMember.left_at.is_(None))
    ).first()
    if found is not None and found.class_id == class_.id:
        return found
    why = say(_("已在本轮的另一个班")) if found else _stranger(session, round_=round_, class_=class_, person=person)
    if why is not None:
        raise NotOfThisClass(number=person.number, name=class_.name, why=why)
    _require_room(session, actor=actor, round_=round_, class_=class_, reason=reason)
    member = ClassMember(class_id=class_.id, person_id=person.id, joined_at=now())
    session.add(member)
    session.flush()
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="class.join", about=member)
    return member


def leave_class(session: Session, *, actor: Person, class_: TrainingClass, person: Person) -> None:
    """Take somebody out of a class. Raises NotAllowed, NotOfThisClass."""
    round_ = _run_by(session, actor=actor, class_=class_)
    for member in class_members(session, class_=class_):
        if member.person_id == person.id:
            member.left_at = now()
            audit.record(session, organization_id=round_.organization_id, actor=actor, deed="class.leave", about=member)
            return
    raise NotOfThisClass(number=person.number, name=class_.name, why=say(_("不在这个班")))


def class_members(session: Session, *, class_: TrainingClass) -> list[ClassMember]:
    """Return who is in a class now."""
    return list(
        session.scalars(
            select(ClassMember)
            .where(ClassMember.class_id == class_.id, ClassMember.left_at.is_(None))
            .order_by(ClassMember.id)
        )
    )


def _run_by(session: Session, *, actor: Person, class_: TrainingClass) -> Round:
    round_ = session.get_one(Round, class_.round_id)
    take_turn(session, organization_id=round_.organization_id)
    if actor.id != class_.admin_id:
        require_admin(session, actor=actor, organization_id=round_.organization_id)
    return round_


def _stranger(session: Session, *, round_: Round, class_: TrainingClass, person: Person) -> str | None:
    if person.organization_id == round_.organization_id:
        return None
    if class_.kind is ClassKind.SINGLE:
        return say(_("不是本校教师"))
    home, other = (session.get_one(Organization, one) for one in (round_.organization_id, person.organization_id))
    same = home.parent_id is not None and home.parent_id == other.parent_id
    return None if same else say(_("不是同一区县的教师"))


def _require_room(session: Session, *, actor: Person, round_: Round, class_: TrainingClass, reason: str | None) -> None:
    size = session.scalar(
        select(func.count())
        .select_from(ClassMember)
        .where(ClassMember.class_id == class_.id, ClassMember.left_at.is_(None))
    )
    group = Group(round_, GroupLevel.CLASS, class_=class_)
    for quota in quotas_at(round_scheme(session, round_=round_), GroupLevel.CLASS):
        if quota.of != CLASS_SIZE or quota.op in MINIMUMS or (size or 0) < quota.value:
            continue
        hard = quota.strict == "must"
        if not hard and (reason or "").strip():
            telling = GroupTelling(
                GroupFactKind.REASON, quota.id, "over", say(_("进班时说明")), details={"reason": reason}
            )
            tell_group(session, actor=actor, group=group, telling=telling)
        elif hard or not _excused(group_facts(session, group=group, kinds=[GroupFactKind.REASON]), quota.id):
            how = say(_("不能再进")) if hard else say(_("超出须写明理由"))
            raise ClassFull(name=class_.name, strict=STRICT[quota.strict], most=shown(quota.value), how=how)


def _excused(reasons: list[GroupFact], quota: str) -> bool:
    return any(one.about == quota for one in reasons)
