"""活动签到: meetings of the scheme's activities, signed into with a code that changes, by list, or made up later."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Enrolment, Fact, Gathering, Person, Round, Workshop
from review_flow.clock import now, shown
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.codes import plain
from review_flow.rules.lifecycle import EnrolmentState
from review_flow.rules.words import FactKind, RoleKind
from review_flow.steps import audit
from review_flow.steps.people import has_role
from review_flow.steps.programme import (
    ABSENT,
    MADE_UP,
    PHASES,
    PRESENT,
    Telling,
    keep_fact,
    leads,
    standing,
    subjects,
    tell_fact,
)
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.orm import Session

CODE_SECONDS = 60
CODE_DIGITS = 6
EARLY, LATE = timedelta(minutes=30), timedelta(hours=3)


class WrongCode(Refusal):
    """The code is not the one shown now; a picture passed on is too old."""

    status, text = 422, _("签到码不对或已过期，请看现场屏幕上的新码。")


class NotOpen(Refusal):
    """One signs in between opening and closing."""

    status, text = 409, _("签到时间为{opens}至{closes}。")


class NotInvited(Refusal):
    """A workshop's meeting is its members'."""

    status, text = 403, _("这是{workshop}的活动，您不在这个坊里。")


def hold(
    session: Session,
    *,
    actor: Person,
    round_: Round,
    activity: str,
    workshop: Workshop | None,
    held_at: datetime,
    place: str,
) -> Gathering:
    """Set up a meeting, by the school's administrator or the leader of its workshop; the same one again is that one.

    Signing in opens half an hour before it and closes three hours after. Raises NotAllowed, WrongPhase, BadInput.
    """
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, *PHASES)
    _require_host(session, actor=actor, round_=round_, workshop_id=workshop.id if workshop else None)
    known = subjects(round_scheme(session, round_=round_), FactKind.ATTENDANCE)
    if activity not in known:
        allowed = listed(sorted(known)) or say(_("无"))
        raise BadInput(field=say(_("活动")), problem=say(_("应为以下之一：{allowed}。"), allowed=allowed))
    if not place.strip():
        raise BadInput(field=say(_("地点")), problem=say(_("请写明地点。")))
    same = session.scalars(
        select(Gathering).where(
            Gathering.round_id == round_.id,
            Gathering.activity == activity,
            Gathering.workshop_id.is_(None) if workshop is None else Gathering.workshop_id == workshop.id,
            Gathering.held_at == held_at,
        )
    ).first()
    if same is not None:
        return same
    gathering = Gathering(
        round_id=round_.id,
        activity=activity,
        workshop_id=workshop.id if workshop else None,
        held_at=held_at,
        place=place,
        opened_by_id=actor.id,
        sign_in_opens_at=held_at - EARLY,
        sign_in_closes_at=held_at + LATE,
        secret=secrets.token_hex(32),
    )
    session.add(gathering)
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="gathering.hold",
        about=gathering,
        activity=activity,
    )
    return gathering


def code_at(session: Session, *, actor: Person, gathering: Gathering) -> str:
    """Return the code to show on the spot now: six digits, another one each minute. Raises NotAllowed, NotOpen."""
    round_ = session.get_one(Round, gathering.round_id)
    _require_host(session, actor=actor, round_=round_, workshop_id=gathering.workshop_id)
    _require_open(gathering)
    return _code(gathering, _minute())


def link(public_url: str | None, gathering_id: int, code: str = "") -> str:
    """Return what a QR code on the spot says: the page to sign in on, or the words to type where there is no such page.

    Without a code it is the page that asks for it.
    """
    return f"{(public_url or 'review-flow:').rstrip('/')}/sign-in/{gathering_id}/{code}".rstrip("/")


def sign_in(session: Session, *, actor: Person, gathering: Gathering, code: str) -> str:
    """Sign oneself in with the code shown; return added or unchanged. A code is taken until a minute after it changed.

    Raises NotOpen, NotInvited, WrongCode, NotAllowed for somebody who is not in the round.
    """
    round_ = session.get_one(Round, gathering.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, *PHASES)
    _require_open(gathering)
    enrolment = _guest(session, gathering=gathering, person=actor)
    minute = _minute()
    typed = plain(code).encode()
    if not any(hmac.compare_digest(typed, _code(gathering, at).encode()) for at in (minute, minute - 1)):
        raise WrongCode
    telling = _telling(gathering, PRESENT, source=say(_("现场签到")))
    old = standing(session, enrolment, telling)
    if old is not None and old.word == PRESENT:
        return "unchanged"
    return keep_fact(session, actor=actor, enrolment=enrolment, telling=telling, old=old)


def sign_list(
    session: Session,
    *,
    actor: Person,
    gathering: Gathering,
    present: Collection[Person],
    absent: Collection[Person] = (),
) -> dict[str, int]:
    """Record who came by the list on paper; return how many were added, superseded, unchanged.

    Raises NotAllowed, WrongPhase, NotInvited.
    """
    require_recorder(session, actor=actor, gathering=gathering)
    counts = {"added": 0, "superseded": 0, "unchanged": 0}
    for people, word in ((present, PRESENT), (absent, ABSENT)):
        for person in people:
            enrolment = _guest(session, gathering=gathering, person=person)
            telling = _telling(gathering, word, source=say(_("签到表")))
            counts[tell_fact(session, actor=actor, enrolment=enrolment, telling=telling)] += 1
    return counts


def make_up(session: Session, *, actor: Person, gathering: Gathering, person: Person, proof: str) -> str:
    """Record that somebody made a missed meeting up, and what shows it (X-15, B2). Raises as `sign_list`, BadInput."""
    require_recorder(session, actor=actor, gathering=gathering)
    if not proof.strip():
        raise BadInput(field=say(_("证明")), problem=say(_("请写明怎样补的。")))
    enrolment = _guest(session, gathering=gathering, person=person)
    return tell_fact(session, actor=actor, enrolment=enrolment, telling=_telling(gathering, MADE_UP, source=proof))


def attendance(session: Session, *, gathering: Gathering) -> dict[int, str]:
    """Return person id → present, made_up or absent, of those of whom something was told."""
    rows = session.execute(
        select(Enrolment.person_id, Fact.word)
        .join(Fact, Fact.enrolment_id == Enrolment.id)
        .where(Enrolment.round_id == gathering.round_id)  # else everybody's in every round would be looked at
        .where(Fact.kind == FactKind.ATTENDANCE, Fact.key == _key(gathering), Fact.struck_at.is_(None))
        .order_by(Fact.id)
    )
    return {person_id: str(word) for person_id, word in rows}


def _telling(gathering: Gathering, word: str, *, source: str) -> Telling:
    return Telling(FactKind.ATTENDANCE, gathering.activity, _key(gathering), source, word=word)


def _key(gathering: Gathering) -> str:
    return f"gathering:{gathering.id}"


def _guest(session: Session, *, gathering: Gathering, person: Person) -> Enrolment:
    enrolment = session.scalars(
        select(Enrolment).where(Enrolment.round_id == gathering.round_id, Enrolment.person_id == person.id)
    ).first()
    if enrolment is None or enrolment.state is EnrolmentState.EXEMPT:
        raise NotAllowed(why=say(_("“{number}”不在本轮考核的名单里"), number=person.number))
    if gathering.workshop_id is not None and person.workshop_id != gathering.workshop_id:
        raise NotInvited(workshop=session.get_one(Workshop, gathering.workshop_id).name)
    return enrolment


def _require_host(session: Session, *, actor: Person, round_: Round, workshop_id: int | None) -> None:
    admin = has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN])
    if not admin and not leads(session, actor=actor, workshop_id=workshop_id):
        raise NotAllowed(why=say(_("这需要校级管理员或本坊坊主")))


def require_host(session: Session, *, actor: Person, gathering: Gathering) -> None:
    """Raise NotAllowed unless the actor may run this meeting: who came is theirs to see."""
    round_ = session.get_one(Round, gathering.round_id)
    _require_host(session, actor=actor, round_=round_, workshop_id=gathering.workshop_id)


def require_recorder(session: Session, *, actor: Person, gathering: Gathering) -> None:
    """Raise NotAllowed unless the actor may run this meeting, or it is everybody's and they tell of a workshop's members."""
    everybodys = gathering.workshop_id is None
    if not (everybodys and leads(session, actor=actor, workshop_id=actor.workshop_id)):
        require_host(session, actor=actor, gathering=gathering)


def _require_open(gathering: Gathering) -> None:
    if not gathering.sign_in_opens_at <= now() <= gathering.sign_in_closes_at:
        raise NotOpen(opens=shown(gathering.sign_in_opens_at), closes=shown(gathering.sign_in_closes_at))


def _minute() -> int:
    return int(now().timestamp()) // CODE_SECONDS


def _code(gathering: Gathering, minute: int) -> str:
    digest = hmac.new(bytes.fromhex(gathering.secret), str(minute).encode(), hashlib.sha256).digest()
    return str(int.from_bytes(digest[:8], "big") % 10**CODE_DIGITS).zfill(CODE_DIGITS)
