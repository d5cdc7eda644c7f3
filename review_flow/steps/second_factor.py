"""第二步验证: a code of one's phone after the password, and the proof asked for again before what hurts if stolen.

The secret is sealed with a key outside the database and bound to its person. A code is used once; wrong ones are
counted as wrong passwords are. Recovery codes are kept as digests, each good for one sign-in. Whoever lost phone and
codes is helped by an administrator, face to face.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from models import Credential, Person, RecoveryCode, SecondFactor, SignInFailure, WebSession
from review_flow.clock import now
from review_flow.errors import NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules import second_factor as rules
from review_flow.rules.door import digest, known_device
from review_flow.steps import audit, door
from review_flow.steps.people import require_admin
from review_flow.steps.sealing import Keys, Resealed, sealed, unsealed
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy.orm import Session

FRESH_FOR, HALFWAY_FOR = timedelta(minutes=10), timedelta(minutes=10)


class WrongFactorCode(Refusal):
    """Not the code of this half minute, one that was used already, or a recovery code that is gone."""

    status, text = 403, _("验证码不对，或者已经用过。请等手机上出现新的验证码再输；手机时间要准。")


class FactorStands(Refusal):
    """A second factor is changed by ending it first, with the password."""

    status, text = 409, _("已经开启第二步验证。要换手机，请先关闭再重新开启。")


class FactorNotBegun(Refusal):
    """A code confirms a secret that was shown before."""

    status, text = 409, _("请先点“开启”，用手机扫码，再输入验证码。")


def begin(session: Session, *, actor: Person, keys: Keys) -> None:
    """Draw a new secret for the actor, which counts once a code has confirmed it; raises FactorStands."""
    take_turn(session, organization_id=actor.organization_id)
    found = _of(session, actor.id)
    if found is not None and found.confirmed_at is not None:
        raise FactorStands
    if found is not None:
        session.delete(found)
        session.flush()
    secret = sealed(keys[0], secrets.token_bytes(rules.SECRET_BYTES), bound_to=f"person:{actor.id}")
    session.add(SecondFactor(person_id=actor.id, sealed=secret, begun_at=now(), last_step=0))
    session.flush()


def waiting(session: Session, *, actor: Person, keys: Keys) -> bytes | None:
    """Return the secret that waits for its first code, to be shown; a confirmed one is never shown again."""
    found = _of(session, actor.id)
    return None if found is None or found.confirmed_at is not None else _opened(keys, found)


def confirm(session: Session, *, actor: Person, code: str, keys: Keys) -> list[str]:
    """Turn it on with a first code, and return the recovery codes; raises FactorNotBegun, FactorStands, WrongFactorCode."""
    take_turn(session, organization_id=actor.organization_id)
    found = _of(session, actor.id)
    if found is None:
        raise FactorNotBegun
    if found.confirmed_at is not None:
        raise FactorStands
    if not _right(session, found, code=code, keys=keys):
        raise WrongFactorCode
    found.confirmed_at = now()
    _record(session, actor, actor, "second_factor.begin")
    return _new_codes(session, actor)


def new_codes(session: Session, *, actor: Person) -> list[str]:
    """Return new recovery codes; the old ones open nothing more. Raises FactorNotBegun."""
    take_turn(session, organization_id=actor.organization_id)
    if not door.has_second_factor(session, person_id=actor.id):
        raise FactorNotBegun
    _record(session, actor, actor, "second_factor.codes")
    return _new_codes(session, actor)


def codes_left(session: Session, *, actor: Person) -> int:
    """Return how many recovery codes can still be used."""
    unused = select(func.count()).where(RecoveryCode.person_id == actor.id, RecoveryCode.used_at.is_(None))
    return session.scalar(unused) or 0


def end(session: Session, *, actor: Person) -> None:
    """Turn the actor's own off."""
    take_turn(session, organization_id=actor.organization_id)
    if _forgotten(session, actor):
        _record(session, actor, actor, "second_factor.end")


def reset(session: Session, *, actor: Person, person: Person) -> None:
    """Turn off that of a person of the administrator's school, who lost phone and codes; their sessions end.

    Not one's own: that asks for the password.
    """
    require_admin(session, actor=actor, organization_id=person.organization_id)
    if actor.id == person.id:
        raise NotAllowed(why=say(_("自己的第二步验证请在“我的账号”里关闭")))
    take_turn(session, organization_id=person.organization_id)
    if _forgotten(session, person):
        door.end_sessions(session, person=person)
        _record(session, actor, person, "second_factor.reset")


def having(session: Session, *, people: Collection[Person]) -> set[int]:
    """Return the ids of those of the people who have one."""
    found = select(SecondFactor.person_id).where(
        SecondFactor.person_id.in_([one.id for one in people]), SecondFactor.confirmed_at.is_not(None)
    )
    return set(session.scalars(found))


def halfway(session: Session, *, token: str) -> tuple[WebSession, Person] | None:
    """Return the session that waits for its code, and whose it is; it waits ten minutes."""
    found = session.execute(
        select(WebSession, Person)
        .join(Person, Person.id == WebSession.person_id)
        .where(
            WebSession.token_hash == digest(token),
            WebSession.awaits_code,
            WebSession.revoked_at.is_(None),
            WebSession.created_at > now() - HALFWAY_FOR,
            Person.active,
        )
    ).first()
    return None if found is None else (found[0], found[1])


def enter(
    session: Session,
    *,
    person: Person,
    code: str,
    token: str,
    user_agent: str,
    address: str,
    devices: Mapping[str, str],
    device_key: bytes,
    keys: Keys,
) -> str | None:
    """Go the second step of signing in and return a new session's token; None, counted, where the code is wrong.

    `code`: of the phone, or a recovery code. Raises TooFast while it has to wait.
    """
    device = known_device(device_key, person_id=person.id, cookie=devices.get(door.account_of(person)[: door.LABEL]))
    one = door.Knock(digest(f"code:{person.id}"), digest(address), person.id, None, device)
    door.require_patience(session, one)
    take_turn(session, organization_id=person.organization_id)
    found = _of(session, person.id)
    if found is not None and not (_right(session, found, code=code, keys=keys) or _recovers(session, person, code)):
        session.add(SignInFailure(account=one.account, address=one.address, device=device, at=now()))
        return None
    return door.begin(session, person=person, user_agent=user_agent, instead_of=token, whole=True)


def is_fresh(session: Session, *, here: WebSession) -> bool:
    """Whether who is there was proven in the last minutes; of somebody without a password nothing more is asked."""
    password = select(Credential.id).where(Credential.person_id == here.person_id)
    return now() - here.proved_at < FRESH_FOR or session.scalars(password).first() is None


def prove(session: Session, *, actor: Person, here: WebSession, password: str) -> bool:
    """Take the password again and say whether it was right; a wrong one is counted for this session alone.

    Raises TooFast while it has to wait.
    """
    kept = session.scalars(select(Credential.password_hash).where(Credential.person_id == actor.id)).first()
    one = door.Knock(digest(f"proof:{actor.id}"), "", actor.id, kept, f"session {here.id}")
    door.require_patience(session, one)
    if not door.matches(one, password=password):
        session.add(SignInFailure(account=one.account, address=one.address, device=one.device, at=now()))
        return False
    here.proved_at = now()
    return True


def _of(session: Session, person_id: int) -> SecondFactor | None:
    return session.scalars(select(SecondFactor).where(SecondFactor.person_id == person_id)).first()


def _right(session: Session, found: SecondFactor, *, code: str, keys: Keys) -> bool:
    """Whether a code is right and new; it is used up with this."""
    digits = rules.plain(code)
    step = rules.step_of(_opened(keys, found), digits, at_s=now().timestamp(), after=found.last_step)
    if step is None:
        return False
    found.last_step = step
    session.flush()
    return True


def _recovers(session: Session, person: Person, code: str) -> bool:
    found = session.scalars(
        select(RecoveryCode).where(
            RecoveryCode.person_id == person.id,
            RecoveryCode.code_hash == digest(rules.plain(code)),
            RecoveryCode.used_at.is_(None),
        )
    ).first()
    if found is None:
        return False
    found.used_at = now()
    _record(session, person, person, "second_factor.recover")
    return True


def _new_codes(session: Session, actor: Person) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == actor.id))
    codes = [rules.new_recovery_code() for _number in range(rules.RECOVERY_CODES)]
    session.add_all(RecoveryCode(person_id=actor.id, code_hash=digest(rules.plain(one))) for one in codes)
    session.flush()
    return codes


def _forgotten(session: Session, person: Person) -> bool:
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    found = _of(session, person.id)
    if found is None:
        return False
    session.delete(found)
    session.flush()
    return True


def seal_anew(session: Session, *, keys: Keys) -> Resealed:
    """Seal with the first key what is sealed with a later one."""
    done = Resealed()
    for found in session.scalars(select(SecondFactor).order_by(SecondFactor.person_id)).all():
        found.sealed = done.of(keys, found.sealed, bound_to=f"person:{found.person_id}")
    return done


def _opened(keys: Keys, found: SecondFactor) -> bytes:
    return unsealed(keys, found.sealed, bound_to=f"person:{found.person_id}")


def _record(session: Session, actor: Person, about: Person, deed: str) -> None:
    audit.record(session, organization_id=about.organization_id, actor=actor, deed=deed, about=about)
