"""Colleagues' faces beside the teacher's: those of one school, by one encoder, whose consent stands; nobody else's are decrypted."""

from __future__ import annotations

from models import Evidence, Organization, Person
from review_flow.steps import evidence, faces
from tests.cast import School

ENCODER = "dlib"


def keys() -> tuple[bytes, ...]:
    return (bytes(range(32)),)


def enrol(school: School, person: Person, *encodings: bytes, encoder: str = ENCODER) -> None:
    faces.give_consent(school.session, actor=person)
    for encoding in encodings:
        faces.add_reference(school.session, actor=person, encoding=encoding, encoder=encoder, keys=keys)


def file_of(school: School, number: int = 0) -> Evidence:
    work = school.ready(school.teachers[number])[0]
    school.fill(work, verdict="human", present=None)
    return evidence.standing_evidence(school.session, submission=work)[0]


def beside(school: School, file: Evidence, *, encoder: str = ENCODER) -> tuple[list[bytes], list[list[bytes]]]:
    known = faces.known_for(school.session, evidence=file, encoder=encoder, keys=keys)
    return known.author, known.colleagues


def test_colleagues_come_one_by_one_without_the_author(school: School) -> None:
    school.open()
    me, one, other = school.teachers[:3]
    file = file_of(school)
    enrol(school, one, b"first", b"second")
    enrol(school, other, b"third")
    assert beside(school, file) == ([], [])  # the author did not consent, so nobody's face is read
    enrol(school, me, b"mine")
    assert beside(school, file) == ([b"mine"], [[b"first", b"second"], [b"third"]])


def test_somebody_of_another_school_is_no_colleague(school: School) -> None:
    school.open()
    file = file_of(school)
    elsewhere = Organization(kind=school.organization.kind, name="二中", parent_id=school.organization.parent_id)
    school.session.add(elsewhere)
    school.session.flush()
    stranger = Person(organization_id=elsewhere.id, number="S1", name="外校")
    school.session.add(stranger)
    school.session.flush()
    enrol(school, stranger, b"theirs")
    enrol(school, school.teachers[0], b"mine")
    assert beside(school, file) == ([b"mine"], [])


def test_encodings_of_another_encoder_are_not_compared(school: School) -> None:
    school.open()
    file = file_of(school)
    enrol(school, school.teachers[0], b"mine")
    enrol(school, school.teachers[1], b"by sface", encoder="sface")
    assert beside(school, file) == ([b"mine"], [])
    assert beside(school, file, encoder="sface") == ([], [])
    enrol(school, school.teachers[0], b"mine by sface", encoder="sface")
    assert beside(school, file, encoder="sface") == ([b"mine by sface"], [[b"by sface"]])


def test_a_colleague_who_withdrew_comes_back_by_enrolling_alone(school: School) -> None:
    school.open()
    file = file_of(school)
    me, one = school.teachers[:2]
    enrol(school, me, b"mine")
    enrol(school, one, b"first")
    faces.withdraw_consent(school.session, actor=one)
    faces.give_consent(school.session, actor=one)
    assert beside(school, file) == ([b"mine"], [])
    enrol(school, one, b"anew")
    assert beside(school, file) == ([b"mine"], [[b"anew"]])
