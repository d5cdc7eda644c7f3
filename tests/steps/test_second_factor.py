from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import select

from models import AuditEvent, Person, RecoveryCode, SecondFactor, SignInFailure, WebSession
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.rules import second_factor as rules
from review_flow.rules.door import device_cookie, digest
from review_flow.steps import door, second_factor
from tests.cast import Clock, School

KEYS, DEVICES = (b"s" * 32,), b"d" * 32
GOOD = "correct horse"


def code_of(school: School, person: Person, *, later: int = 0) -> str:
    kept = school.session.scalars(select(SecondFactor).where(SecondFactor.person_id == person.id)).one()
    return rules.code_at(second_factor._opened(KEYS, kept), int(now().timestamp()) // rules.STEP_S + later)


def turned_on(school: School, person: Person) -> list[str]:
    second_factor.begin(school.session, actor=person, keys=KEYS)
    return second_factor.confirm(school.session, actor=person, code=code_of(school, person, later=-1), keys=KEYS)


def half(school: School, person: Person) -> str:
    token = door.begin(school.session, person=person, user_agent="手机")
    found = second_factor.halfway(school.session, token=token)
    assert found is not None
    assert (found[1], door.session_of(school.session, token=token)) == (person, None)
    return token


def enter(school: School, person: Person, code: str, token: str, *, address: str = "", cookie: str = "") -> str | None:
    return second_factor.enter(
        school.session,
        person=person,
        code=code,
        token=token,
        user_agent="手机",
        address=address,
        devices={door.account_of(person)[: door.LABEL]: cookie},
        device_key=DEVICES,
        keys=KEYS,
    )


def deeds(school: School) -> list[str]:
    found = select(AuditEvent.deed).where(AuditEvent.deed.like("second_factor.%")).order_by(AuditEvent.id)
    return list(school.session.scalars(found))


def test_it_counts_once_a_code_has_confirmed_it(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    assert second_factor.waiting(session, actor=person, keys=KEYS) is None
    with pytest.raises(second_factor.FactorNotBegun):
        second_factor.confirm(session, actor=person, code="000000", keys=KEYS)
    with pytest.raises(second_factor.FactorNotBegun):
        second_factor.new_codes(session, actor=person)
    second_factor.begin(session, actor=person, keys=KEYS)
    first = second_factor.waiting(session, actor=person, keys=KEYS)
    second_factor.begin(session, actor=person, keys=KEYS)
    assert second_factor.waiting(session, actor=person, keys=KEYS) not in {None, first}
    with pytest.raises(second_factor.WrongFactorCode):
        second_factor.confirm(session, actor=person, code=code_of(school, person, later=5), keys=KEYS)
    assert door.has_second_factor(session, person_id=person.id) is False
    codes = second_factor.confirm(session, actor=person, code=code_of(school, person), keys=KEYS)
    assert (len(set(codes)), second_factor.codes_left(session, actor=person)) == (10, 10)
    assert second_factor.waiting(session, actor=person, keys=KEYS) is None
    for again in (
        lambda: second_factor.begin(session, actor=person, keys=KEYS),
        lambda: second_factor.confirm(session, actor=person, code="000000", keys=KEYS),
    ):
        with pytest.raises(second_factor.FactorStands):
            again()
    assert second_factor.having(session, people=school.teachers) == {person.id}


def test_the_secret_is_sealed_and_bound_to_its_person(school: School) -> None:
    session, person = school.session, school.teachers[0]
    second_factor.begin(session, actor=person, keys=KEYS)
    secret = second_factor.waiting(session, actor=person, keys=KEYS)
    kept = session.scalars(select(SecondFactor)).one()
    assert secret is not None
    assert (len(secret), secret in kept.sealed) == (20, False)
    with pytest.raises(InvalidTag):
        second_factor.waiting(session, actor=person, keys=(b"x" * 32,))
    kept.person_id = school.teachers[1].id
    session.flush()
    with pytest.raises(InvalidTag):
        second_factor.waiting(session, actor=school.teachers[1], keys=KEYS)


def test_signing_in_takes_the_code_which_is_good_once(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    turned_on(school, person)
    token, code = half(school, person), code_of(school, person)
    whole = enter(school, person, f"{code[:3]} {code[3:]}", token)
    assert whole is not None
    found = door.session_of(session, token=whole)
    assert found is not None
    assert found[1] is person
    assert second_factor.halfway(session, token=token) is None  # its key was changed
    assert second_factor.halfway(session, token=whole) is None
    assert enter(school, person, code, half(school, person)) is None
    assert len(session.scalars(select(SignInFailure)).all()) == 1


def test_the_second_step_waits_ten_minutes_and_for_nobody_who_left(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    turned_on(school, person)
    token = half(school, person)
    clock.to(now() + timedelta(minutes=9))
    assert second_factor.halfway(session, token=token) is not None
    person.active = False
    session.flush()
    assert second_factor.halfway(session, token=token) is None
    person.active = True
    clock.to(now() + timedelta(minutes=1))
    session.flush()
    assert second_factor.halfway(session, token=token) is None
    other = half(school, person)
    door.end_sessions(session, person=person)
    session.flush()
    assert second_factor.halfway(session, token=other) is None


def test_guessing_codes_waits_but_not_on_the_owner_s_own_device(school: School, clock: Clock) -> None:
    person = school.teachers[0]
    turned_on(school, person)
    token = half(school, person)
    assert [enter(school, person, "000000", token, address="10.0.0.9") for _time in range(5)] == [None] * 5
    with pytest.raises(door.TooFast):
        enter(school, person, code_of(school, person), token, address="10.0.0.9")
    cookie = device_cookie(DEVICES, person_id=person.id, nonce="n")
    assert enter(school, person, code_of(school, person), token, address="10.0.0.9", cookie=cookie) is not None


def test_a_recovery_code_opens_once_and_new_ones_end_the_old(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    first, second, *_rest = turned_on(school, person)
    assert set(session.scalars(select(RecoveryCode.code_hash))) >= {digest(first.replace("-", ""))}
    assert enter(school, person, first.lower(), half(school, person)) is not None
    assert enter(school, person, first, half(school, person)) is None
    assert second_factor.codes_left(session, actor=person) == 9
    [new, *_others] = second_factor.new_codes(session, actor=person)
    assert enter(school, person, second, half(school, person)) is None
    assert enter(school, person, new, half(school, person)) is not None
    assert deeds(school) == [f"second_factor.{one}" for one in ("begin", "recover", "codes", "recover")]


def test_it_is_turned_off_by_its_owner_or_an_administrator(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    turned_on(school, person)
    token = half(school, person)
    second_factor.end(session, actor=person)
    second_factor.end(session, actor=person)
    assert enter(school, person, "", token) is not None  # nothing is left to ask for
    turned_on(school, person)
    for actor in (school.teachers[1], person):
        with pytest.raises(NotAllowed):
            second_factor.reset(session, actor=actor, person=person)
    with pytest.raises(NotAllowed, match="自己的"):
        second_factor.reset(session, actor=school.admin, person=school.admin)
    second_factor.reset(session, actor=school.admin, person=person)
    second_factor.reset(session, actor=school.admin, person=person)
    assert [one.revoked_at is None for one in session.scalars(select(WebSession))] == [False, False]
    assert (door.has_second_factor(session, person_id=person.id), session.scalars(select(RecoveryCode)).all()) == (
        False,
        [],
    )
    assert deeds(school) == [f"second_factor.{one}" for one in ("begin", "end", "begin", "reset")]


def test_a_new_password_asks_for_no_second_step_but_a_link_does(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    turned_on(school, person)
    door.use_link(session, token=door.make_link(session, actor=school.admin, person=person), password=GOOD)
    token = door.change_password(session, actor=person, old=GOOD, new="another horse", user_agent="")
    assert door.session_of(session, token=token) is not None
    half(school, person)


def test_a_proof_is_fresh_for_ten_minutes_and_guessing_it_waits(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    here = session.scalars(
        select(WebSession).where(WebSession.token_hash == digest(door.begin(session, person=person, user_agent="手机")))
    ).one()
    clock.to(now() + timedelta(minutes=10))
    assert second_factor.is_fresh(session, here=here) is True  # no password: there is nothing to ask for
    assert second_factor.prove(session, actor=person, here=here, password="") is False
    door.use_link(session, token=door.make_link(session, actor=school.admin, person=person), password=GOOD)
    assert second_factor.is_fresh(session, here=here) is False
    assert second_factor.prove(session, actor=person, here=here, password=GOOD) is True
    assert second_factor.is_fresh(session, here=here) is True
    for _time in range(4):
        session.add(
            SignInFailure(account=digest(f"proof:{person.id}"), address="", device=f"session {here.id}", at=now())
        )
    session.flush()
    with pytest.raises(door.TooFast):
        second_factor.prove(session, actor=person, here=here, password=GOOD)


def test_a_changed_key_still_opens_and_is_sealed_anew(school: School) -> None:
    session, [person, *_others] = school.session, school.teachers
    turned_on(school, person)
    changed = (b"n" * 32, *KEYS)
    kept = session.scalars(select(SecondFactor)).one()
    before = second_factor._opened(changed, kept)
    assert [second_factor.seal_anew(session, keys=changed).count for _time in range(2)] == [1, 0]
    assert second_factor._opened(changed[:1], kept) == before
