from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import ApiToken, AuditEvent, Credential
from review_flow.clock import now
from review_flow.errors import BadInput, NotFound
from review_flow.rules.door import digest
from review_flow.rules.tokens import LONGEST_DAYS, PER_MINUTE, Scope
from review_flow.steps import door, tokens
from tests.cast import Clock, School


def make(school: School, *scopes: Scope, days: int = 30, name: str = " 校务平台 ") -> tuple[ApiToken, str]:
    return tokens.make(school.session, actor=school.teachers[0], name=name, scopes=scopes or (Scope.READ,), days=days)


def test_a_token_is_known_by_its_digest_alone(school: School) -> None:
    row, token = make(school, Scope.TEACH, Scope.READ)
    assert (row.name, row.scopes, row.prefix, row.token_hash) == (
        "校务平台",
        ["read", "teach"],
        token[:12],
        digest(token),
    )
    assert row.expires_at == now() + timedelta(days=30)
    found = tokens.admit(school.session, token=token)
    assert found == tokens.Bearer(school.teachers[0].id, frozenset({Scope.READ, Scope.TEACH}), must_change=False)
    assert (row.used_at, row.minute_count) == (now(), 1)
    told = school.session.scalars(select(AuditEvent).where(AuditEvent.deed == "token.make")).one()
    assert (told.about, json.loads(told.data)) == (f"api_token:{row.id}", {"scopes": ["read", "teach"]})


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"name": " "}, "请写明用途"),
        ({"name": "长" * 101}, "请写明用途"),
        ({"days": 0}, "1到365"),
        ({"days": LONGEST_DAYS + 1}, "1到365"),
    ],
)
def test_what_can_t_be_a_token_is_said(school: School, wrong: dict[str, object], problem: str) -> None:
    with pytest.raises(BadInput, match=problem):
        make(school, **wrong)  # type: ignore[arg-type]  # what is wrong is the point
    with pytest.raises(BadInput, match="至少选一项"):
        tokens.make(school.session, actor=school.teachers[0], name="x", scopes=(), days=1)


def test_nobody_has_more_than_they_can_watch(school: School) -> None:
    for _time in range(tokens.MOST_AT_ONCE):
        row, _token = make(school)
    with pytest.raises(tokens.TooManyTokens, match="20个"):
        make(school)
    tokens.revoke(school.session, actor=school.teachers[0], token_id=row.id)
    make(school)


def test_a_revoked_an_expired_and_an_unknown_token_open_nothing(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    row, token = make(school)
    _other, lasting = make(school, days=60)
    with pytest.raises(NotFound):
        tokens.revoke(session, actor=school.teachers[1], token_id=row.id)
    with pytest.raises(NotFound):
        tokens.revoke(session, actor=person, token_id=987_654)
    tokens.revoke(session, actor=person, token_id=row.id)
    tokens.revoke(session, actor=person, token_id=row.id)
    assert len(session.scalars(select(AuditEvent).where(AuditEvent.deed == "token.revoke")).all()) == 1
    assert tokens.admit(session, token=token) is None
    assert tokens.admit(session, token=lasting + "x") is None
    assert [one.id for one in tokens.tokens_of(session, person=person)] == [_other.id]
    clock.to(now() + timedelta(days=60))
    assert tokens.admit(session, token=lasting) is None


def test_a_person_who_left_or_must_change_the_password(school: School) -> None:
    session, person = school.session, school.teachers[0]
    _row, earlier = make(school)
    door.give_password(session, actor=school.admin, person=person)
    assert session.scalars(select(Credential.must_change)).one() is True
    assert tokens.admit(session, token=earlier) is None  # with a new password all that was opened before is over
    _row, token = make(school)
    found = tokens.admit(session, token=token)
    assert found is not None
    assert found.must_change is True
    person.active = False
    session.flush()
    assert tokens.admit(session, token=token) is None


def test_so_many_requests_a_minute_and_no_more(session: Session, school: School, clock: Clock) -> None:
    _row, token = make(school)
    _other, beside = make(school)
    for _time in range(PER_MINUTE):
        assert tokens.admit(session, token=token) is not None
    clock.to(now() + timedelta(seconds=20.5))
    with pytest.raises(tokens.TokenTooFast) as refused:
        tokens.admit(session, token=token)
    assert refused.value.names == {"seconds": 40}
    assert tokens.admit(session, token=beside) is not None
    clock.to(now() + timedelta(seconds=39.5))
    assert tokens.admit(session, token=token) is not None
