"""The web's door: passwords, sessions, one-time links.

Guessing is slowed down so that nobody can lock somebody else out. Wrong passwords are counted in a quarter of an hour
by account and address together, by account, and by address, each with its own allowance (a school stands behind one
address); beyond it the next try waits, a minute at most. A browser that signed in to the account before brings its
device cookie, and is measured by its own mistakes alone: whoever floods an account from elsewhere does not touch its
owner's phone. On a new device in the middle of such a flood the owner waits a minute, or takes a one-time link from
the administrator, which no count holds up.
"""

from __future__ import annotations

import functools
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, func, select, update

from models import (
    ApiToken,
    Credential,
    OneTimeLink,
    Organization,
    Person,
    Role,
    SecondFactor,
    SignInFailure,
    WebSession,
)
from review_flow.clock import now
from review_flow.errors import NotAllowed, NotFound, Refusal
from review_flow.i18n import _, clauses, say
from review_flow.rules.codes import plain
from review_flow.rules.door import (
    FREE_FOR_ACCOUNT,
    FREE_FOR_ADDRESS,
    FREE_FOR_PAIR,
    digest,
    known_device,
    password_problems,
    wait_s,
)
from review_flow.rules.words import OrganizationKind, RoleKind
from review_flow.steps import audit
from review_flow.steps.people import found_school, numbered, require_admin, typed
from review_flow.steps.tokens import tokens_of
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from argon2 import PasswordHasher
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

WINDOW, KEPT_FOR = timedelta(minutes=15), timedelta(days=1)
LONGEST_SESSION, LONGEST_PAUSE, SEEN_EVERY = timedelta(days=14), timedelta(days=3), timedelta(minutes=5)
LINK_LASTS = timedelta(hours=48)
AGENT_SIGNS, LABEL = 200, 16
NONE: frozenset[str] = frozenset()


class WrongPassword(Refusal):
    """Number or password: it is not said which, so nobody learns which numbers there are."""

    status, text = 403, _("工号或密码不对。忘记密码时，请向本校管理员要一个一次性链接。")


class TooFast(Refusal):
    """Too many wrong passwords lately; says how long to wait."""

    status, text = 429, _("刚才输错的次数较多，请{seconds}秒后再试。")


class PasswordRefused(Refusal):
    """A password that is too easy; says why."""

    status, text = 422, _("这个密码不能用：{problems}")


class LinkDead(Refusal):
    """A one-time link opens once, and not for ever."""

    status, text = 410, _("这个链接已经用过或过期，请向管理员要一个新的。")


@dataclass(frozen=True, slots=True)
class Knock:
    """Somebody at the door: whose account it may be, and what their password is compared with."""

    account: str
    address: str
    person_id: int | None
    password_hash: str | None
    device: str | None = None

    @property
    def label(self) -> str:
        """Return what tells the device cookies of several accounts apart, which share a staff room's PC."""
        return self.account[:LABEL]


@functools.cache
def hasher() -> PasswordHasher:
    """Return argon2id with its library's parameters (RFC 9106, low memory)."""
    from argon2 import PasswordHasher

    return PasswordHasher()


@functools.cache
def common() -> frozenset[str]:
    """Return what guessers try first, as zxcvbn keeps it: the most frequent passwords of leaked lists, words, names.

    All of its lists: each leaves out what stands higher in another (michelle is a name there).
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset().union(*FREQUENCY_LISTS.values())


@functools.cache
def _nobodys_hash() -> str:
    return hasher().hash(secrets.token_hex(16))


def schools(session: Session) -> list[Organization]:
    """Return the schools somebody may sign in to."""
    found = select(Organization).where(Organization.kind == OrganizationKind.SCHOOL).order_by(Organization.id)
    return list(session.scalars(found))


def knock(
    session: Session, *, school_id: int | None, number: str, address: str, devices: Mapping[str, str], key: bytes
) -> Knock:
    """Find the account of a number, at the named or the only school; raises TooFast while it has to wait.

    `devices`: the browser's device cookies by `Knock.label`, sealed with `key`. An unknown number knocks like a known
    one.
    """
    if school_id is None:
        first = schools(session)
        school_id = first[0].id if first else 0
    alike = (
        select(Person, Credential.password_hash)
        .outerjoin(Credential, Credential.person_id == Person.id)
        .where(Person.organization_id == school_id, numbered(number), Person.active)
    )
    hashes = dict(session.execute(alike).tuples().all())
    found = typed(list(hashes), number=number)
    password_hash = hashes[found] if found else None
    person_id = found.id if found and password_hash else None
    one = Knock(_account(school_id, number), digest(address), person_id, password_hash)
    if person_id is not None:
        one = replace(one, device=known_device(key, person_id=person_id, cookie=devices.get(one.label)))
    require_patience(session, one)
    return one


def account_of(person: Person) -> str:
    """Return what stands for a person's account at the door."""
    return _account(person.organization_id, person.number)


def _account(school_id: int, number: str) -> str:
    """One account whatever the case of its letters, known or not: who guesses gains nothing by changing it."""
    return digest(f"{school_id}:{plain(number).lower()}")


def require_patience(session: Session, one: Knock) -> None:
    """Raise TooFast while an account, an address or a device has to wait."""
    left = _wait_left(session, one)
    if left > 0:
        raise TooFast(seconds=left)


def _wait_left(session: Session, one: Knock) -> int:
    of_account, elsewhere = SignInFailure.account == one.account, SignInFailure.device.is_(None)
    if one.device is not None:
        return _left(session, of_account & (SignInFailure.device == one.device), free=FREE_FOR_PAIR)
    of_address = SignInFailure.address == one.address
    return max(
        _left(session, of_account & of_address & elsewhere, free=FREE_FOR_PAIR),
        _left(session, of_account & elsewhere, free=FREE_FOR_ACCOUNT),
        _left(session, of_address, free=FREE_FOR_ADDRESS),
    )


def _left(session: Session, which: ColumnElement[bool], *, free: int) -> int:
    count, last = session.execute(
        select(func.count(), func.max(SignInFailure.at)).where(which, SignInFailure.at > now() - WINDOW)
    ).one()
    return ceil(wait_s(count, free=free) - (now() - last).total_seconds()) if count else 0


def matches(one: Knock, *, password: str) -> bool:
    """Whether the password is the account's; takes as long for an account that is not there.

    It costs some 50 ms of CPU, so it belongs outside of any transaction.
    """
    from argon2.exceptions import VerifyMismatchError

    try:
        return hasher().verify(one.password_hash or _nobodys_hash(), password) and one.person_id is not None
    except VerifyMismatchError:
        return False


def renewed(one: Knock, *, password: str) -> str | None:
    """Return the right password's hash by today's parameters; None where it is kept so already. Takes as long."""
    return hasher().hash(password) if one.password_hash and hasher().check_needs_rehash(one.password_hash) else None


def enter(
    session: Session, *, one: Knock, right: bool, user_agent: str, instead_of: str = "", renewed: str | None = None
) -> str | None:
    """Begin a session and return its token, which is kept nowhere; None where the password was wrong.

    `renewed`: the password's hash by newer parameters, kept from now on unless it was changed meanwhile.
    """
    session.execute(delete(SignInFailure).where(SignInFailure.at < now() - KEPT_FOR))
    if not right or one.person_id is None:
        session.add(SignInFailure(account=one.account, address=one.address, device=one.device, at=now()))
        return None
    if renewed is not None:
        kept = update(Credential).where(Credential.password_hash == one.password_hash)
        session.execute(kept.values(password_hash=renewed))
    person = session.get_one(Person, one.person_id)
    return begin(session, person=person, user_agent=user_agent, instead_of=instead_of)


def has_second_factor(session: Session, *, person_id: int) -> bool:
    """Whether signing in takes a person a second step."""
    found = select(SecondFactor.id).where(SecondFactor.person_id == person_id, SecondFactor.confirmed_at.is_not(None))
    return session.scalars(found).first() is not None


def begin(session: Session, *, person: Person, user_agent: str, instead_of: str = "", whole: bool = False) -> str:
    """Begin a session of somebody who proved who they are; return its token.

    `instead_of`: the token that the browser brought, whose session ends: who signs in anew gets a new key. Where the
    person has a second factor the session opens only that step, unless the sign-in is `whole`.
    """
    for older in session.scalars(select(WebSession).where(WebSession.token_hash == digest(instead_of))):
        older.revoked_at = older.revoked_at or now()
    token = secrets.token_urlsafe(32)
    session.add(
        WebSession(
            person_id=person.id,
            token_hash=digest(token),
            created_at=now(),
            seen_at=now(),
            user_agent=user_agent[:AGENT_SIGNS],
            awaits_code=not whole and has_second_factor(session, person_id=person.id),
            proved_at=now(),
        )
    )
    session.flush()
    return token


_SESSION = (
    select(WebSession, Person, Credential.must_change)
    .join(Person, Person.id == WebSession.person_id)
    .outerjoin(Credential, Credential.person_id == Person.id)
    .where(
        WebSession.token_hash == bindparam("hash"),
        ~WebSession.awaits_code,
        WebSession.revoked_at.is_(None),
        WebSession.created_at > bindparam("begun"),
        WebSession.seen_at > bindparam("seen"),
        Person.active,
    )
)
"""Every page asks it: made once, since making it costs as much as asking."""


def session_of(session: Session, *, token: str) -> tuple[WebSession, Person, bool] | None:
    """Return the session of a token, whose it is, and whether the password must be changed first; None: it is over."""
    moment = now()
    asked = {"hash": digest(token), "begun": moment - LONGEST_SESSION, "seen": moment - LONGEST_PAUSE}
    found = session.execute(_SESSION, asked).first()
    if found is None:
        return None
    if now() - found[0].seen_at > SEEN_EVERY:
        found[0].seen_at = now()
    return found[0], found[1], bool(found[2])


def sessions_of(session: Session, *, person: Person) -> list[WebSession]:
    """Return the person's sessions that are not over, the latest first."""
    return list(
        session.scalars(
            select(WebSession)
            .where(
                WebSession.person_id == person.id,
                WebSession.revoked_at.is_(None),
                WebSession.created_at > now() - LONGEST_SESSION,
                WebSession.seen_at > now() - LONGEST_PAUSE,
            )
            .order_by(WebSession.seen_at.desc(), WebSession.id.desc())
        )
    )


def revoke(session: Session, *, actor: Person, session_id: int) -> None:
    """End one of the actor's own sessions; raises NotFound for another's."""
    found = session.get(WebSession, session_id)
    if found is None or found.person_id != actor.id:
        raise NotFound(what=say(_("登录")), key=session_id)
    found.revoked_at = found.revoked_at or now()
    audit.record(session, organization_id=actor.organization_id, actor=actor, deed="door.revoke", about=found)


def end_sessions(session: Session, *, person: Person) -> None:
    """End every session and API token of a person: both may have been made by whoever is to be thrown out."""
    ends: list[WebSession | ApiToken] = [*sessions_of(session, person=person), *tokens_of(session, person=person)]
    for one in ends:
        one.revoked_at = now()


def send_out(session: Session, *, actor: Person, person: Person) -> None:
    """End every session of a person of the administrator's school: a phone was lost, or somebody has left."""
    require_admin(session, actor=actor, organization_id=person.organization_id)
    end_sessions(session, person=person)
    audit.record(session, organization_id=person.organization_id, actor=actor, deed="door.send_out", about=person)


def change_password(
    session: Session, *, actor: Person, old: str, new: str, user_agent: str, breached: Container[str] = NONE
) -> str:
    """Change the actor's own password and return the token of a new session; all others end.

    `breached`: passwords that were stolen somewhere, none of which is taken; here and below.

    Raises WrongPassword, PasswordRefused.
    """
    credential = session.scalars(select(Credential).where(Credential.person_id == actor.id)).one()
    if not matches(Knock("", "", actor.id, credential.password_hash), password=old):
        raise WrongPassword
    if new == old:
        raise PasswordRefused(problems=say(_("新密码不能与旧密码相同。")))
    _set(session, actor=actor, person=actor, password=new, must_change=False, breached=breached)
    end_sessions(session, person=actor)
    return begin(session, person=actor, user_agent=user_agent, whole=True)


def give_password(session: Session, *, actor: Person, person: Person) -> str:
    """Give somebody a first password, for whom a link is no use; it opens only the page that changes it."""
    require_admin(session, actor=actor, organization_id=person.organization_id)
    password = "-".join(secrets.token_hex(2) for _part in range(4))
    _set(session, actor=actor, person=person, password=password, must_change=True)
    end_sessions(session, person=person)
    return password


def _set(
    session: Session,
    *,
    actor: Person,
    person: Person,
    password: str,
    must_change: bool,
    breached: Container[str] = NONE,
) -> None:
    take_turn(session, organization_id=person.organization_id)
    school = session.get_one(Organization, person.organization_id).name
    own = {"number": person.number, "name": person.name, "school": school}
    problems = password_problems(password, **own, common=common(), breached=breached)
    if problems:
        raise PasswordRefused(problems=clauses(problems))
    credential = session.scalars(select(Credential).where(Credential.person_id == person.id)).first()
    if credential is None:
        credential = Credential(person_id=person.id)
        session.add(credential)
    credential.password_hash, credential.must_change, credential.set_at = hasher().hash(password), must_change, now()
    audit.record(session, organization_id=person.organization_id, actor=actor, deed="door.password", about=person)


def make_link(session: Session, *, actor: Person, person: Person) -> str:
    """Return the token of a link by which a person sets a password; an earlier link of theirs opens nothing more."""
    require_admin(session, actor=actor, organization_id=person.organization_id)
    audit.record(session, organization_id=person.organization_id, actor=actor, deed="door.link", about=person)
    return _link(session, person_id=person.id, made_by_id=actor.id)


def first_link(session: Session) -> str | None:
    """Return the token of the link that makes the first administrator; None where somebody can sign in as one."""
    able = select(Role.id).join(Credential, Credential.person_id == Role.person_id)
    if session.scalars(able.where(Role.kind == RoleKind.SCHOOL_ADMIN)).first() is not None:
        return None
    admin = session.scalars(select(Role).where(Role.kind == RoleKind.SCHOOL_ADMIN).order_by(Role.id)).first()
    return _link(session, person_id=admin.person_id if admin else None, made_by_id=None)


def _link(session: Session, *, person_id: int | None, made_by_id: int | None) -> str:
    for older in session.scalars(
        select(OneTimeLink).where(OneTimeLink.person_id == person_id, OneTimeLink.used_at.is_(None))
    ):
        older.used_at = now()
    token = secrets.token_urlsafe(24)
    session.add(
        OneTimeLink(
            token_hash=digest(token),
            person_id=person_id,
            made_by_id=made_by_id,
            made_at=now(),
            expires_at=now() + LINK_LASTS,
        )
    )
    session.flush()
    return token


def address_of(token: str, *, at: str) -> str:
    """Return the one-time link of a token: it stands behind the #, which browsers send to no server."""
    return f"{at}/link#{token}"


def link_of(session: Session, *, token: str) -> OneTimeLink:
    """Return the link of a token that still opens; raises LinkDead."""
    found = session.scalars(
        select(OneTimeLink)
        .where(OneTimeLink.token_hash == digest(token), OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > now())
        .with_for_update()
    ).first()
    if found is None:
        raise LinkDead
    return found


def use_link(session: Session, *, token: str, password: str, breached: Container[str] = NONE) -> Person:
    """Set the password of the link's person, whose other sessions end; the link opens nothing more."""
    link = link_of(session, token=token)
    if link.person_id is None:
        raise NotAllowed(why=say(_("这个链接用来建立第一位管理员")))
    person = session.get_one(Person, link.person_id)
    _set(session, actor=person, person=person, password=password, must_change=False, breached=breached)
    end_sessions(session, person=person)
    link.used_at = now()
    return person


def found_by_link(
    session: Session, *, token: str, school: str, number: str, name: str, password: str, breached: Container[str] = NONE
) -> Person:
    """Found the school with its first administrator, who holds the first link."""
    link = link_of(session, token=token)
    if link.person_id is not None:
        raise NotAllowed(why=say(_("这个链接只用来设置密码")))
    _school, admin = found_school(session, name=school, admin_number=number, admin_name=name)
    _set(session, actor=admin, person=admin, password=password, must_change=False, breached=breached)
    link.used_at = now()
    return admin
