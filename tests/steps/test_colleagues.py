"""Colleagues' faces: those of one school, by one encoder, whose consent stands; nobody else's are ever decrypted for it."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag

from models import Organization, Person
from review_flow.steps import faces
from tests.cast import School

KEY = bytes(range(32))


def enrol(school: School, person: Person, *encodings: bytes, encoder: str = "hog") -> None:
    faces.give_consent(school.session, actor=person)
    for encoding in encodings:
        faces.add_reference(school.session, actor=person, encoding=encoding, encoder=encoder, key=KEY)


def beside(school: School, person: Person, *, encoder: str = "hog", key: bytes = KEY) -> list[list[bytes]]:
    return faces.colleagues_of(school.session, person=person, encoder=encoder, key=key)


def test_colleagues_come_one_by_one_without_the_person(school: School) -> None:
    me, one, other = school.teachers[:3]
    assert beside(school, me) == []
    enrol(school, me, b"mine")
    enrol(school, one, b"first", b"second")
    enrol(school, other, b"third")
    assert beside(school, me) == [[b"first", b"second"], [b"third"]]
    assert beside(school, one) == [[b"mine"], [b"third"]]


def test_a_colleague_of_another_school_is_none(school: School) -> None:
    me = school.teachers[0]
    elsewhere = Organization(kind=school.organization.kind, name="二中", parent_id=school.organization.parent_id)
    school.session.add(elsewhere)
    school.session.flush()
    stranger = Person(organization_id=elsewhere.id, number="S1", name="外校")
    school.session.add(stranger)
    school.session.flush()
    enrol(school, stranger, b"theirs")
    enrol(school, me, b"mine")
    assert (beside(school, me), beside(school, stranger)) == ([], [])


def test_a_colleague_who_withdrew_is_none_and_their_new_consent_brings_nothing_back(school: School) -> None:
    me, one = school.teachers[:2]
    enrol(school, one, b"first")
    faces.withdraw_consent(school.session, actor=one)
    assert beside(school, me) == []
    faces.give_consent(school.session, actor=one)
    assert beside(school, me) == []


def test_encodings_of_another_encoder_are_not_compared(school: School) -> None:
    me, one = school.teachers[:2]
    enrol(school, me, b"mine")
    enrol(school, one, b"by hog")
    enrol(school, one, b"by sface", encoder="sface")
    assert beside(school, me) == [[b"by hog"]]
    assert beside(school, me, encoder="sface") == [[b"by sface"]]
    known = [
        faces.references_of(school.session, person_id=one.id, encoder=name, key=KEY)
        for name in ("hog", "sface", "none")
    ]
    assert known == [[b"by hog"], [b"by sface"], []]


def test_another_key_opens_nothing(school: School) -> None:
    enrol(school, school.teachers[1], b"first")
    with pytest.raises(InvalidTag):
        beside(school, school.teachers[0], key=bytes(32))
