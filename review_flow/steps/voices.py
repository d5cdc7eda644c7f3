"""自评、现场评价、问卷: marks from further sources beside peers and panel, where the scheme has them (002-1-07, X-40).

Each is a fact that supersedes the older one of its key; how they count is `rules/voices`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import Enrolment, Fact, Person, Round
from review_flow.errors import NotAllowed
from review_flow.i18n import _, listed, say
from review_flow.rules.voices import NAMES, ON_SITE, SELF, SURVEYS, further
from review_flow.rules.words import FactKind, RoleKind, SeatKind
from review_flow.steps.people import conflicting_with, has_role, has_seat, require_seat
from review_flow.steps.programme import (
    KIND_NAMES,
    LEADERS_TELL,
    PHASES,
    TOLD,
    NotTold,
    Telling,
    banded,
    facts_standing,
    keep_fact,
    leads,
    number_problem,
    require_reader,
    standing,
)
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from decimal import Decimal

    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme


def give_self_mark(session: Session, *, actor: Person, enrolment: Enrolment, mark: Decimal) -> str:
    """Record the teacher's own mark of 0-100; return added, superseded or unchanged.

    Until the grade is confirmed it may be given again. Raises NotAllowed, WrongPhase, NotTold.
    """
    if actor.id != enrolment.person_id:
        raise NotAllowed(why=say(_("自评只能由教师本人作出")))
    return _give(session, actor=actor, enrolment=enrolment, telling=_telling(SELF, actor, mark))


def self_mark(session: Session, *, enrolment: Enrolment, scheme: Scheme) -> tuple[Decimal | None, bool] | None:
    """Return the teacher's own mark so far, and whether it may be given now; None where the scheme has none."""
    if SELF not in further(scheme):
        return None
    facts = facts_standing(session, enrolment=enrolment, kinds=[FactKind.VOICE])
    given = next((one.number for one in facts if one.about == SELF), None)
    round_ = session.get_one(Round, enrolment.round_id)
    return given, round_.phase in PHASES and not banded(session, round_=round_, enrolment_id=enrolment.id)


def on_site_marks(session: Session, *, person: Person, round_: Round) -> dict[int, Decimal]:
    """Return the marks a member gave in classrooms, by enrolment."""
    rows = session.execute(
        select(Fact.enrolment_id, Fact.number)
        .join(Enrolment, Enrolment.id == Fact.enrolment_id)
        .where(
            Enrolment.round_id == round_.id,
            Fact.kind == FactKind.VOICE,
            Fact.about == ON_SITE,
            Fact.key == person.number,
            Fact.struck_at.is_(None),
        )
    )
    return {enrolment_id: number for enrolment_id, number in rows if number is not None}


def give_on_site_mark(session: Session, *, actor: Person, enrolment: Enrolment, mark: Decimal) -> str:
    """Record what a member of the panel saw in the classroom, 0-100; each member's mark counts once.

    Raises NotAllowed for somebody without a seat or with a conflict, WrongPhase, NotTold.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    require_seat(session, actor=actor, round_=round_, kinds=[SeatKind.MEMBER])
    if actor.id in conflicting_with(session, person_id=enrolment.person_id):
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    return _give(session, actor=actor, enrolment=enrolment, telling=_telling(ON_SITE, actor, mark))


def _telling(name: str, actor: Person, mark: Decimal) -> Telling:
    return Telling(FactKind.VOICE, name, key=actor.number, source=actor.name, number=mark)


def _give(session: Session, *, actor: Person, enrolment: Enrolment, telling: Telling) -> str:
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, *PHASES)
    why = voice_problem(round_scheme(session, round_=round_), telling)
    if why is None and banded(session, round_=round_, enrolment_id=enrolment.id):
        why = say(_("等级已经确定"))
    if why is not None:
        raise NotTold(kind=say(KIND_NAMES[FactKind.VOICE]), why=why)
    older = standing(session, enrolment, telling)
    return keep_fact(session, actor=actor, enrolment=enrolment, telling=telling, old=older)


def voice_problem(scheme: Scheme, telling: Telling) -> str | None:
    """Return, in Chinese, why a mark can't be taken under a scheme; None: it can."""
    known = further(scheme)
    if telling.about not in known:
        names = listed(NAMES[name] for name in known) or say(_("无"))
        return say(_("方案的评分来源里没有{name}，其他来源有：{names}"), name=NAMES[telling.about], names=names)
    return number_problem(telling.kind, telling.number)


def hidden(scheme: Scheme, fact: Fact) -> bool:
    """Whether a fact is the mean of fewer answers than count: shown by itself nowhere, be it standing or struck (X-40)."""
    survey = fact.kind is FactKind.VOICE and fact.about in SURVEYS
    return survey and fact.details["answers"] < scheme.compose.min_answers.get(fact.about, 1)


def facts_read(session: Session, *, actor: Person, enrolment: Enrolment) -> list[tuple[Fact, str]]:
    """Return the facts that stand of a teacher as far as the actor may read them, each with where it comes from.

    All of them to the teacher, the administrator and the county; what leaders tell to the leader of their workshop; to
    the panel, but for who must keep away, all but marks: each member knows their own, or the mean would be of echoes.
    Who marked in the classroom is told to the administrator alone. Raises NotAllowed.
    """
    require_reader(session, actor=actor, enrolment=enrolment)
    round_ = session.get_one(Round, enrolment.round_id)
    person = session.get_one(Person, enrolment.person_id)
    told = facts_standing(session, enrolment=enrolment)
    own = actor.id == person.id
    if has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN]):
        return [(one, source_shown(one) if own else one.source) for one in told]
    leader = leads(session, actor=actor, workshop_id=person.workshop_id)
    seated = has_seat(session, person_id=actor.id, round_id=round_.id, kinds=[SeatKind.MEMBER, SeatKind.RESERVE])
    if not own and (leader or seated):
        judges = seated and actor.id not in conflicting_with(session, person_id=person.id)
        if not (leader or judges):
            raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
        kinds = {*(LEADERS_TELL if leader else ()), *(set(TOLD) - {FactKind.MARK} if judges else ())}
        told = [one for one in told if one.kind in kinds or (judges and one.recorded_by_id == actor.id)]
    return [(one, source_shown(one)) for one in told]


def source_shown(fact: Fact) -> str:
    """Return where a fact comes from, for its teacher: not who marked them in the classroom."""
    return "" if fact.kind is FactKind.VOICE and fact.about == ON_SITE else fact.source


def voices_of(session: Session, *, enrolment: Enrolment, scheme: Scheme) -> dict[str, list[dict[str, Any]]]:
    """Return what each further source says of a teacher, for the record: marks, each with how many answers it is of."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in further(scheme)}
    for fact in facts_standing(session, enrolment=enrolment, kinds=[FactKind.VOICE]):
        found[fact.about].append(
            {"mark": str(fact.number), **({"answers": fact.details["answers"]} if fact.details else {})}
        )
    return {name: said for name, said in found.items() if said}
