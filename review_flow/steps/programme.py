"""项目事实: what is told of a teacher's way through a programme, by whom, confirmed and struck.

Nothing is edited: told again under its key with another value, the older fact is struck and kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from models import Enrolment, Fact, Organization, Person, Result, Round
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.lifecycle import ResultState, RoundPhase
from review_flow.rules.record_programme import FAIL, PASS
from review_flow.rules.voices import NAMES, further
from review_flow.rules.words import FactKind, RoleKind, SeatKind
from review_flow.steps import approvals, audit
from review_flow.steps import telling as telling_
from review_flow.steps.approvals import GIVEN, REFUSED
from review_flow.steps.people import conflicting_with, has_role, has_seat, require_admin
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme

PRESENT, MADE_UP, ABSENT = "present", "made_up", "absent"
OTHERS, OWN = "others", "own"
MOST_MARK = Decimal(100)
PHASES = (RoundPhase.SETUP, RoundPhase.OPEN, RoundPhase.SCORING)
LEADERS_TELL = {FactKind.PIECE, FactKind.ATTENDANCE, FactKind.THEME, FactKind.PERIOD}
PANEL_TELLS = {FactKind.MARK, FactKind.APPROVAL, FactKind.TEST}
OF_OTHERS = {*PANEL_TELLS, FactKind.VOICE}
NUMBERED = {FactKind.MINUTES, FactKind.MARK, FactKind.PERIOD, FactKind.VOICE}
WORDS: dict[FactKind, tuple[str, ...]] = {
    FactKind.ATTENDANCE: (PRESENT, MADE_UP, ABSENT),
    FactKind.TEST: (PASS, FAIL),
    FactKind.APPROVAL: (GIVEN, REFUSED),
}
KIND_NAMES = {
    FactKind.MINUTES: _("学习分钟"),
    FactKind.PIECE: _("材料"),
    FactKind.ATTENDANCE: _("到场"),
    FactKind.TEST: _("测评"),
    FactKind.THEME: _("主题"),
    FactKind.MARK: _("考核项得分"),
    FactKind.PERIOD: _("周期记录"),
    FactKind.APPROVAL: _("审核"),
    FactKind.VOICE: _("多方评价"),
}
TOLD = tuple(kind for kind in FactKind if kind is not FactKind.VOICE)
"""What a leader, administrator or panel member tells; a source's mark is its own to give (steps/voices)."""


class NotTold(Refusal):
    """The scheme has no such thing, or the value is none it takes."""

    status, text = 422, _("“{kind}”登记不了：{why}")


class NotConfirmable(Refusal):
    """Only a standing fact that the scheme wants confirmed is confirmed, by the level the scheme names (X-59)."""

    status, text = 409, _("不能确认：{why}")


class NotStrikable(Refusal):
    """A fact is struck once, with a reason."""

    status, text = 409, _("不能撤销：{why}")


@dataclass(frozen=True)
class Telling:
    """One fact on its way in; `key` makes it the same fact when told again."""

    kind: FactKind
    about: str
    key: str
    source: str
    number: Decimal | None = None
    word: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


def subjects(scheme: Scheme, kind: FactKind) -> dict[str, str]:
    """Return what a scheme lets one tell of a kind: id → name."""
    chain = scheme.approval.chain
    named: dict[FactKind, dict[str, str]] = {
        FactKind.MINUTES: {one.id: one.name_zh for one in scheme.hours.minutes},
        FactKind.PIECE: {one.id: one.name_zh for one in scheme.deliverables},
        FactKind.ATTENDANCE: {
            **{one.id: one.name_zh for one in scheme.activities},
            **{one.of: one.name_zh for one in scheme.quotas if one.each_needs},  # meetings that a workshop owes
        },
        FactKind.THEME: {one.id: one.name_zh for one in scheme.themes},
        FactKind.TEST: {
            **{one.id: one.name_zh for one in scheme.tests if not one.parts},
            **{f"{one.id}.{part.id}": part.name_zh for one in scheme.tests for part in one.parts},
        },
        FactKind.MARK: {
            leaf.id: leaf.name_zh
            for leaf in scheme.leaves()
            if leaf.scoring is not None and leaf.scoring.type in {"score", "external"}
        },
        FactKind.PERIOD: {
            leaf.id: leaf.name_zh
            for leaf in scheme.leaves()
            if leaf.scoring is not None and leaf.scoring.type == "periodic"
        },
        FactKind.APPROVAL: {
            f"{ability.code}:{step}": f"{ability.code} {step}"
            for ability in scheme.catalogue.abilities
            for step in chain
        },
        FactKind.VOICE: {name: NAMES[name] for name in further(scheme)},
    }
    return named[kind]


def tell_fact(session: Session, *, actor: Person, enrolment: Enrolment, telling: Telling) -> str:
    """Record a fact about a teacher in a running round; return added, superseded or unchanged.

    The school's administrator tells all kinds; the leader of the teacher's workshop pieces, attendance, themes and
    what was done each week; a panel member marks, approvals and tests. Who must keep away tells nothing that is judged.
    Raises NotAllowed, WrongPhase, NotTold.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, *PHASES)
    _require_teller(session, actor=actor, round_=round_, enrolment=enrolment, kind=telling.kind)
    scheme = round_scheme(session, round_=round_)
    telling = of_one_key(telling)
    why = problem(scheme, telling) or not_yet(session, enrolment=enrolment, scheme=scheme, telling=telling)
    if why is not None:
        raise NotTold(kind=say(KIND_NAMES[telling.kind]), why=why)
    old = standing(session, enrolment, telling)
    said = keep_fact(session, actor=actor, enrolment=enrolment, telling=telling, old=old)
    follow(session, actor=actor, enrolment=enrolment, scheme=scheme, telling=telling, said=said)
    return said


def of_one_key(telling: Telling) -> Telling:
    """Return an approval under the one key it has: told again, it supersedes what was said before."""
    return replace(telling, key=telling.about) if telling.kind is FactKind.APPROVAL else telling


def not_yet(session: Session, *, enrolment: Enrolment, scheme: Scheme, telling: Telling) -> str | None:
    """Return, in Chinese, why the round can't take a fact now that its scheme takes; None: it can."""
    if telling.kind is not FactKind.APPROVAL:
        return None
    return approvals.out_of_order(session, enrolment=enrolment, scheme=scheme, telling=telling)


def follow(
    session: Session, *, actor: Person, enrolment: Enrolment, scheme: Scheme, telling: Telling, said: str
) -> None:
    """Do what a fact that is new leads to."""
    if telling.kind is FactKind.APPROVAL and said != "unchanged":
        approvals.follow(session, actor=actor, enrolment=enrolment, scheme=scheme, telling=telling)


def problem(scheme: Scheme, telling: Telling) -> str | None:
    """Return, in Chinese, why a fact can't be taken under a scheme; None: it can."""
    if telling.kind not in TOLD:
        return say(_("自评、现场评价由本人登记，问卷用表格导入"))
    known = subjects(scheme, telling.kind)
    if not known:
        return say(_("方案里没有这一类"))
    if telling.about not in known:
        return say(_("没有“{word}”，可填：{names}"), word=telling.about, names=listed(list(known.values())[:20]))
    allowed = WORDS.get(telling.kind)
    if allowed and telling.word not in allowed:
        return say(_("结果应为以下之一：{allowed}"), allowed=listed(allowed))
    return number_problem(telling.kind, telling.number)


def number_problem(kind: FactKind, number: Decimal | None) -> str | None:
    """Return, in Chinese, what is wrong with a fact's number; None: nothing."""
    if number is None:
        return say(_("请填写数值")) if kind in NUMBERED else None
    if number < 0:
        return say(_("数值不能小于0"))
    if kind in {FactKind.MARK, FactKind.VOICE} and number > MOST_MARK:
        return say(_("分数在0到100之间"))
    if kind is FactKind.VOICE and number != round(number, 2):
        return say(_("分数最多两位小数"))
    return say(_("数值应为整数")) if kind is FactKind.PERIOD and number % 1 else None


def banded(session: Session, *, round_: Round, enrolment_id: int | None = None) -> set[int]:
    """Return the enrolments, or the one, whose grade is confirmed: what is told from then on could change nothing."""
    asked = (
        select(Result.enrolment_id)
        .join(Enrolment, Result.enrolment_id == Enrolment.id)
        .where(Enrolment.round_id == round_.id, Result.current, Result.state != ResultState.COMPOSED)
    )
    return set(session.scalars(asked if enrolment_id is None else asked.where(Enrolment.id == enrolment_id)))


def standing(session: Session, enrolment: Enrolment, telling: Telling) -> Fact | None:
    """Return the standing fact of the same key, or None."""
    return session.scalars(
        select(Fact).where(
            Fact.enrolment_id == enrolment.id,
            Fact.kind == telling.kind,
            Fact.about == telling.about,
            Fact.key == telling.key,
            Fact.struck_at.is_(None),
        )
    ).first()


def keep_fact(session: Session, *, actor: Person, enrolment: Enrolment, telling: Telling, old: Fact | None) -> str:
    """Add a fact unless it stands already with the same value; never edit one (design rule 2)."""
    if old is not None and (old.number, old.word, old.details) == (telling.number, telling.word, telling.details):
        return "unchanged"
    fact = Fact(enrolment_id=enrolment.id, **vars(telling))
    at = session.get_one(Round, enrolment.round_id).organization_id
    return telling_.keep(session, actor=actor, organization_id=at, deed="fact.tell", fact=fact, old=old)


def _require_teller(session: Session, *, actor: Person, round_: Round, enrolment: Enrolment, kind: FactKind) -> None:
    person = session.get_one(Person, enrolment.person_id)
    admin = has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN])
    if kind not in OF_OTHERS and (
        admin or (kind in LEADERS_TELL and leads(session, actor=actor, workshop_id=person.workshop_id))
    ):
        return
    seated = kind in PANEL_TELLS and has_seat(session, person_id=actor.id, round_id=round_.id, kinds=[SeatKind.MEMBER])
    if not (admin or seated):
        raise NotAllowed(why=say(_("这需要校级管理员、本坊坊主或考核组成员")))
    if actor.id in conflicting_with(session, person_id=person.id):
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))


def require_reader(session: Session, *, actor: Person, enrolment: Enrolment) -> None:
    """Facts about a teacher are theirs, the administrator's, their workshop leader's, the panel's and the county's."""
    round_ = session.get_one(Round, enrolment.round_id)
    person = session.get_one(Person, enrolment.person_id)
    if (
        actor.id == person.id
        or has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN])
        or leads(session, actor=actor, workshop_id=person.workshop_id)
        or has_seat(session, person_id=actor.id, round_id=round_.id, kinds=[SeatKind.MEMBER, SeatKind.RESERVE])
    ):
        return
    require_above(session, actor=actor, organization_id=round_.organization_id)


def leads(session: Session, *, actor: Person, workshop_id: int | None) -> bool:
    """Whether the actor leads this workshop: a leader by role, and a member of it."""
    return (
        workshop_id is not None
        and actor.workshop_id == workshop_id
        and has_role(
            session, person_id=actor.id, organization_id=actor.organization_id, kinds=[RoleKind.WORKSHOP_LEADER]
        )
    )


def wants_confirming(scheme: Scheme, fact: Fact) -> str | None:
    """Return who the scheme wants to confirm such a fact; None: nobody."""
    if fact.kind is not FactKind.TEST:
        return None
    test, _dot, part = fact.about.partition(".")
    parts = next((one.parts for one in scheme.tests if one.id == test), ())
    return next((one.confirmed_by for one in parts if one.id == part), None)


def confirm_facts(session: Session, *, actor: Person, round_: Round, facts: Sequence[Fact]) -> int:
    """The county confirms what a school put forward, where the scheme wants that; return how many were new (X-59).

    Raises NotAllowed, NotConfirmable.
    """
    take_turn(session, organization_id=round_.organization_id)
    require_above(session, actor=actor, organization_id=round_.organization_id)
    scheme = round_scheme(session, round_=round_)
    fresh = 0
    for fact in facts:
        if session.get_one(Enrolment, fact.enrolment_id).round_id != round_.id:
            raise NotConfirmable(why=say(_("这条事实属于另一轮")))
        if fact.struck_at is not None:
            raise NotConfirmable(why=say(_("这条事实已被撤销或更正")))
        if wants_confirming(scheme, fact) is None:
            raise NotConfirmable(why=say(_("方案不要求确认“{kind}”"), kind=say(KIND_NAMES[fact.kind])))
        if fact.confirmed_at is None:
            fact.confirmed_by_id, fact.confirmed_at = actor.id, now()
            audit.record(session, organization_id=round_.organization_id, actor=actor, deed="fact.confirm", about=fact)
            fresh += 1
    return fresh


def require_above(session: Session, *, actor: Person, organization_id: int) -> None:
    """Raise NotAllowed unless the actor administers an organization above this one."""
    above = session.get_one(Organization, organization_id).parent_id
    while above is not None:
        if has_role(session, person_id=actor.id, organization_id=above, kinds=[RoleKind.COUNTY_ADMIN]):
            return
        above = session.get_one(Organization, above).parent_id
    raise NotAllowed(why=say(_("这需要上级（县级）管理员")))


def strike_fact(session: Session, *, actor: Person, fact: Fact, reason: str) -> None:
    """Take a fact back, with a reason; it stays to be seen. Raises NotAllowed, WrongPhase, NotStrikable, BadInput."""
    enrolment = session.get_one(Enrolment, fact.enrolment_id)
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, *PHASES)
    _require_teller(session, actor=actor, round_=round_, enrolment=enrolment, kind=fact.kind)
    if fact.struck_at is not None:
        raise NotStrikable(why=say(_("已经撤销或更正过")))
    at = round_.organization_id
    telling_.strike(session, actor=actor, organization_id=at, deed="fact.strike", fact=fact, reason=reason)


def place(session: Session, *, actor: Person, enrolment: Enrolment, tier: str | None, roles: Collection[str]) -> None:
    """Say to which tier of the scheme a teacher belongs and which roles they have in the round (002-1-08, 000-A-10).

    Raises NotAllowed, WrongPhase, BadInput naming a tier or role the scheme doesn't have.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    require_phase(round_, *PHASES)
    scheme = round_scheme(session, round_=round_)
    tiers = {one.id: one.name_zh for one in scheme.select.tiers}
    if tier is not None and tier not in tiers:
        raise BadInput(
            field=say(_("层级")), problem=say(_("应为以下之一：{allowed}。"), allowed=listed(tiers) or say(_("无")))
        )
    for role in roles:
        if role not in scheme.roles:
            allowed = listed(scheme.roles) or say(_("无"))
            raise BadInput(field=say(_("角色")), problem=say(_("应为以下之一：{allowed}。"), allowed=allowed))
    enrolment.tier, enrolment.roles = tier, sorted(set(roles))
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="enrolment.place",
        about=enrolment,
        tier=tier,
        roles=enrolment.roles,
    )


_STANDING = select(Fact).where(Fact.enrolment_id == bindparam("enrolment"), Fact.struck_at.is_(None)).order_by(Fact.id)


def facts_standing(session: Session, *, enrolment: Enrolment, kinds: Collection[FactKind] | None = None) -> list[Fact]:
    """Return the facts that stand, in the order they were told."""
    told = session.scalars(_STANDING, {"enrolment": enrolment.id})
    return [one for one in told if kinds is None or one.kind in kinds]
