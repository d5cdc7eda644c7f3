from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import AuditEvent, Credential, OneTimeLink, Person, SignInFailure, WebSession
from review_flow.clock import now
from review_flow.errors import NotAllowed, NotFound
from review_flow.rules.door import device_cookie, digest
from review_flow.rules.tokens import Scope
from review_flow.steps import door, people
from review_flow.steps import tokens as api_tokens
from tests.cast import Clock, School

KEY = b"k" * 32
GOOD = "correct horse"


def knock(session: Session, number: str = "T01", *, address: str = "10.0.0.9", cookie: str | None = None) -> door.Knock:
    devices = {account(session, number.strip())[:16]: cookie} if cookie else {}
    return door.knock(session, school_id=None, number=number, address=address, devices=devices, key=KEY)


def fail(session: Session, times: int, **options: str) -> None:
    """Wrong passwords at one address, as if nobody had had to wait."""
    for _time in range(times):
        one = replace(door.Knock(account(session), digest("10.0.0.9"), None, None, None), **options)
        assert door.enter(session, one=one, right=False, user_agent="") is None
    session.flush()


def account(session: Session, number: str = "T01") -> str:
    return digest(f"{door.schools(session)[0].id}:{number.lower()}")


def come_in(session: Session, number: str = "T01", **options: str | None) -> str:
    token = door.enter(session, one=knock(session, number, **options), right=True, user_agent="手机" * 200)
    assert token is not None
    return token


def known(session: Session, school: School) -> Person:
    """王芳, who has a password."""
    person = school.teachers[0]
    door.use_link(session, token=door.make_link(session, actor=school.admin, person=person), password=GOOD)
    return person


def test_a_link_sets_a_password_once(school: School) -> None:
    session, person = school.session, school.teachers[0]
    older = door.make_link(session, actor=school.admin, person=person)
    token = door.make_link(session, actor=school.admin, person=person)
    with pytest.raises(door.LinkDead):
        door.link_of(session, token=older)
    with pytest.raises(door.PasswordRefused, match="密码应有8到200个字符"):
        door.use_link(session, token=token, password="short1")
    assert door.use_link(session, token=token, password=GOOD) is person
    with pytest.raises(door.LinkDead):
        door.use_link(session, token=token, password=GOOD)
    credential = session.scalars(select(Credential)).one()
    assert credential.must_change is False
    assert credential.password_hash.startswith("$argon2id$")
    deeds = list(session.scalars(select(AuditEvent.deed).order_by(AuditEvent.id.desc()).limit(3)))
    assert deeds == ["door.password", "door.link", "door.link"]


def test_a_link_is_dead_after_two_days(school: School, clock: Clock) -> None:
    token = door.make_link(school.session, actor=school.admin, person=school.teachers[0])
    clock.to(now() + timedelta(hours=48))
    with pytest.raises(door.LinkDead):
        door.link_of(school.session, token=token)


def test_only_the_administrator_makes_links_and_first_passwords(school: School) -> None:
    one, other = school.teachers[:2]
    with pytest.raises(NotAllowed):
        door.make_link(school.session, actor=one, person=other)
    with pytest.raises(NotAllowed):
        door.give_password(school.session, actor=one, person=other)


def test_the_first_link_founds_the_school_and_there_is_none_after(session: Session, clock: Clock) -> None:
    token = door.first_link(session)
    assert token is not None
    with pytest.raises(NotAllowed, match="第一位管理员"):
        door.use_link(session, token=token, password=GOOD)
    admin = door.found_by_link(session, token=token, school=" 实验中学 ", number=" A01 ", name=" 陈静 ", password=GOOD)
    people.require_admin(session, actor=admin, organization_id=admin.organization_id)
    assert [(one.name, admin.number, admin.name) for one in door.schools(session)] == [("实验中学", "A01", "陈静")]
    assert door.first_link(session) is None
    other = door.make_link(session, actor=admin, person=admin)
    with pytest.raises(NotAllowed, match="只用来设置密码"):
        door.found_by_link(session, token=other, school="x", number="1", name="y", password=GOOD)


def test_the_first_link_of_a_school_founded_by_command_sets_its_administrator_s_password(school: School) -> None:
    session = school.session
    token = door.first_link(session)
    assert token is not None
    assert session.scalars(select(OneTimeLink.person_id)).one() == school.admin.id
    assert door.use_link(session, token=token, password=GOOD) is school.admin
    assert door.first_link(session) is None


def test_the_right_password_opens_and_a_wrong_one_or_number_is_not_told_apart(school: School) -> None:
    session, person = school.session, known(school.session, school)
    one = knock(session, " Ｔ０1 ")
    assert (one.person_id, door.matches(one, password=GOOD), door.matches(one, password="wrong")) == (
        person.id,
        True,
        False,
    )
    nobody = knock(session, "X99")
    assert (nobody.person_id, door.matches(nobody, password=GOOD)) == (None, False)
    assert door.enter(session, one=nobody, right=False, user_agent="") is None
    token = come_in(session)
    found = door.session_of(session, token=token)
    assert found is not None
    assert (found[1], found[2], len(found[0].user_agent)) == (person, False, 200)
    assert door.session_of(session, token="another") is None
    assert token not in session.scalars(select(WebSession.token_hash)).all()


def test_a_number_in_another_case_is_the_same_account(school: School) -> None:
    session, person = school.session, known(school.session, school)
    one, unknown = knock(session, "ｔ01"), knock(session, "x99")
    assert (one.person_id, one.account) == (person.id, knock(session).account)
    assert unknown.account == knock(session, "X99").account  # else its waiting would tell who is known
    other = school.person("t01", "刘洋")
    assert knock(session, "t01").person_id is None  # the very number comes first, though they have no password
    assert knock(session, "T01").person_id == person.id
    other.number = "T01x"
    session.flush()
    assert knock(session, "t01").person_id == person.id


def test_without_a_school_there_is_nobody_at_the_door(session: Session, clock: Clock) -> None:
    assert knock(session).person_id is None


def test_a_number_belongs_to_its_school(school: School) -> None:
    session, person = school.session, known(school.session, school)
    other, _admin = people.found_school(session, name="第二中学", admin_number="T01", admin_name="吴静")
    asked = {"number": "T01", "address": "10.0.0.9", "devices": {}, "key": KEY}
    assert door.knock(session, school_id=other.id, **asked).person_id is None
    assert door.knock(session, school_id=school.organization.id, **asked).person_id == person.id


def test_who_has_left_does_not_come_in(school: School) -> None:
    session, person = school.session, known(school.session, school)
    token = come_in(session)
    person.active = False
    session.flush()
    assert door.session_of(session, token=token) is None
    assert knock(session).person_id is None


def test_a_session_ends_after_three_idle_days_or_fourteen(school: School, clock: Clock) -> None:
    session, _person = school.session, known(school.session, school)
    token, began = come_in(session), now()
    clock.to(began + timedelta(minutes=4))
    first = door.session_of(session, token=token)
    assert first is not None
    assert first[0].seen_at == began
    for day in range(2, 14, 2):
        clock.to(began + timedelta(days=day))
        found = door.session_of(session, token=token)
        assert found is not None
        assert found[0].seen_at == now()
        session.flush()
    clock.to(began + timedelta(days=14))
    assert door.session_of(session, token=token) is None
    idle = come_in(session)
    clock.to(now() + timedelta(days=3))
    assert door.session_of(session, token=idle) is None


def test_sessions_are_seen_and_revoked_by_their_owner_alone(school: School) -> None:
    session, person = school.session, known(school.session, school)
    tokens = [come_in(session), come_in(session)]
    mine = door.sessions_of(session, person=person)
    assert [one.id for one in mine] == sorted((one.id for one in mine), reverse=True)
    with pytest.raises(NotFound):
        door.revoke(session, actor=school.teachers[1], session_id=mine[0].id)
    with pytest.raises(NotFound):
        door.revoke(session, actor=person, session_id=999)
    door.revoke(session, actor=person, session_id=mine[0].id)
    session.flush()
    assert [door.session_of(session, token=one) is None for one in tokens] == [False, True]
    assert door.sessions_of(session, person=person) == [mine[1]]


def test_a_new_password_ends_every_other_session(school: School) -> None:
    session, person = school.session, known(school.session, school)
    tokens = [come_in(session), come_in(session)]
    with pytest.raises(door.WrongPassword):
        door.change_password(session, actor=person, old="wrong", new="another horse", user_agent="")
    with pytest.raises(door.PasswordRefused, match="不能与旧密码相同"):
        door.change_password(session, actor=person, old=GOOD, new=GOOD, user_agent="")
    tokens.append(door.change_password(session, actor=person, old=GOOD, new="another horse", user_agent=""))
    session.flush()
    assert [door.session_of(session, token=one) is None for one in tokens] == [True, True, False]


@pytest.mark.parametrize(("password", "why"), [("Michelle", "太容易猜到"), ("我们实验中学真好", "学校名")])
def test_what_everybody_tries_is_refused_as_a_password(school: School, password: str, why: str) -> None:
    token = door.make_link(school.session, actor=school.admin, person=school.teachers[0])
    with pytest.raises(door.PasswordRefused, match=why):
        door.use_link(school.session, token=token, password=password)


def test_what_was_stolen_somewhere_is_taken_by_no_way_in(school: School) -> None:
    session, person = school.session, known(school.session, school)
    token = door.make_link(session, actor=school.admin, person=person)
    with pytest.raises(door.PasswordRefused, match="在别处泄露过"):
        door.use_link(session, token=token, password="another horse", breached={"another horse"})
    with pytest.raises(door.PasswordRefused, match="在别处泄露过"):
        door.change_password(
            session, actor=person, old=GOOD, new="stolen horse", user_agent="", breached={"stolen horse"}
        )
    first = door._link(session, person_id=None, made_by_id=None)
    with pytest.raises(door.PasswordRefused, match="在别处泄露过"):
        door.found_by_link(
            session,
            token=first,
            school="第二中学",
            number="B01",
            name="李军",
            password="a horse too",
            breached={"a horse too"},
        )


def test_who_signs_in_again_has_a_new_session_instead_of_the_old_one(school: School) -> None:
    session, _person = school.session, known(school.session, school)
    older, another = come_in(session), come_in(session)
    newer = door.enter(session, one=knock(session), right=True, user_agent="", instead_of=older)
    assert newer is not None
    session.flush()
    assert [door.session_of(session, token=one) is None for one in (older, another, newer)] == [True, False, False]


def test_an_administrator_sends_somebody_out_of_every_device(school: School) -> None:
    session, person = school.session, known(school.session, school)
    tokens = [come_in(session), come_in(session)]
    _row, program = api_tokens.make(session, actor=person, name="x", scopes=[Scope.READ], days=9)
    assert api_tokens.admit(session, token=program) is not None
    with pytest.raises(NotAllowed):
        door.send_out(session, actor=school.teachers[1], person=person)
    door.send_out(session, actor=school.admin, person=person)
    session.flush()
    assert [door.session_of(session, token=one) for one in tokens] == [None, None]
    assert api_tokens.admit(session, token=program) is None
    sent = select(AuditEvent.deed).where(AuditEvent.deed == "door.send_out")
    assert session.scalars(sent).all() == ["door.send_out"]


def test_a_given_password_must_be_changed(school: School) -> None:
    session, person = school.session, known(school.session, school)
    before = come_in(session)
    password = door.give_password(session, actor=school.admin, person=person)
    session.flush()
    assert door.session_of(session, token=before) is None
    assert door.matches(knock(session), password=password) is True
    found = door.session_of(session, token=come_in(session))
    assert found is not None
    assert found[2] is True
    door.change_password(session, actor=person, old=password, new=GOOD, user_agent="")
    again = door.session_of(session, token=come_in(session))
    assert again is not None
    assert again[2] is False


def test_wrong_passwords_wait_longer_and_at_most_a_minute(school: School, clock: Clock) -> None:
    session, _person = school.session, known(school.session, school)
    fail(session, 5)
    with pytest.raises(door.TooFast, match="请1秒后再试"):
        knock(session)
    knock(session, address="10.0.0.10")  # somebody at another address does not wait for this one
    clock.to(now() + timedelta(seconds=1))
    fail(session, 1)
    with pytest.raises(door.TooFast, match="请2秒后再试"):
        knock(session)
    clock.to(now() + timedelta(minutes=15))
    knock(session)


def test_a_flood_from_everywhere_does_not_touch_the_owner_s_own_device(school: School, clock: Clock) -> None:
    session, person = school.session, known(school.session, school)
    mine = device_cookie(KEY, person_id=person.id, nonce="phone")
    for number in range(40):
        fail(session, 1, address=f"a{number}")
    with pytest.raises(door.TooFast, match="请60秒后再试"):
        knock(session, address="quite another")
    assert knock(session, cookie=mine).device == "phone"
    fail(session, 5, device="phone")  # its own mistakes it waits for
    with pytest.raises(door.TooFast, match="请1秒后再试"):
        knock(session, cookie=mine)
    other = device_cookie(KEY, person_id=person.id, nonce="desk")
    assert knock(session, cookie=other).device == "desk"
    forged = device_cookie(b"x" * 32, person_id=person.id, nonce="desk")
    with pytest.raises(door.TooFast):
        knock(session, cookie=forged)


def test_one_address_that_tries_everybody_waits_but_a_school_s_slips_do_not_add_up_to_it(
    school: School, clock: Clock
) -> None:
    session = school.session
    for number in range(199):
        one = knock(session, f"X{number}")
        door.enter(session, one=one, right=False, user_agent="")
    session.flush()
    knock(session)
    door.enter(session, one=knock(session, "X"), right=False, user_agent="")
    with pytest.raises(door.TooFast, match="请1秒后再试"):
        knock(session)
    knock(session, address="10.0.0.10")


def test_failures_are_forgotten_after_a_day(school: School, clock: Clock) -> None:
    session, _person = school.session, known(school.session, school)
    fail(session, 3)
    clock.to(now() + timedelta(days=1, seconds=1))
    come_in(session)
    session.flush()
    assert session.scalars(select(SignInFailure)).all() == []


def test_a_password_kept_by_older_parameters_is_kept_by_today_s_from_then_on(school: School) -> None:
    session, person = school.session, known(school.session, school)
    kept = session.scalars(select(Credential).where(Credential.person_id == person.id)).one()
    kept.password_hash = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(GOOD)
    session.flush()
    one = knock(session, "T01")
    new = door.renewed(one, password=GOOD)
    assert door.enter(session, one=one, right=True, user_agent="", renewed=new) is not None
    session.refresh(kept)
    assert (kept.password_hash, door.matches(knock(session, "T01"), password=GOOD)) == (new, True)
    assert door.renewed(knock(session, "T01"), password=GOOD) is None
