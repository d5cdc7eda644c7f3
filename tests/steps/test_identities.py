from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import IdentityBinding
from review_flow.steps import identities, people
from tests.cast import School


def proven(session: Session, **more: str | None) -> object:
    asked = {"provider": "sso", "label": "统一身份", "subject": "u-1", "number": None, "school": None} | more
    return identities.person_of(session, **asked)  # type: ignore[arg-type]  # told apart by name


def test_a_number_counts_where_there_is_no_doubt_whose_it_is(session: Session, school: School) -> None:
    first = school.teachers[0]
    assert proven(session, number=" T01 ") is first
    assert proven(session, number="T02") is first  # bound: the account is whose it was
    with pytest.raises(identities.NotBound):
        proven(session, subject="u-2", number="T77")
    with pytest.raises(identities.BoundToAnother):
        proven(session, subject="u-2", number="T01")  # another account with the same number
    people.found_school(session, name="第二中学", admin_number="Z01", admin_name="吴静")
    with pytest.raises(identities.NotBound):
        proven(session, subject="u-3", number="T02")  # two schools, and it is not said which
    assert proven(session, subject="u-3", number="T02", school=school.organization.name) is school.teachers[1]


def test_who_left_is_nobody_here(session: Session, school: School) -> None:
    school.teachers[0].active = False
    with pytest.raises(identities.NotBound):
        proven(session, number="T01")


def test_binding_and_unbinding_twice_is_as_once(session: Session, school: School) -> None:
    one = school.teachers[0]
    for _time in range(2):
        identities.bind(session, actor=one, provider="sso", label="统一身份", subject="u-1")
    assert proven(session) is one
    one.active = False
    with pytest.raises(identities.NotBound):
        proven(session)
    for _time in range(2):
        identities.unbind(session, actor=one, provider="sso")
    assert session.scalars(select(IdentityBinding)).all() == []
