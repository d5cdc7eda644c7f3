from __future__ import annotations

import pytest
from sqlalchemy import select

from models import AuditEvent, Evidence, FaceReading
from review_flow.errors import NotAllowed
from review_flow.rules.words import FacePurpose
from review_flow.steps import audit, covering, evidence, faces
from review_flow.steps.faces import Known
from tests.cast import School

KEY, FACE, ENCODER = bytes(32), b"0.5,0.25", "dlib"


def keys() -> tuple[bytes, ...]:
    return (KEY,)


@pytest.fixture
def file(school: School) -> Evidence:
    """A file of the first teacher's."""
    school.open()
    work = school.ready(school.teachers[0])[0]
    school.fill(work, verdict="human", present=None)
    return evidence.standing_evidence(school.session, submission=work)[0]


def wanted(school: School, file: Evidence) -> Known:
    return covering.known_to_cover(school.session, actor=school.admin, evidence=file, encoder=ENCODER, keys=keys)


def test_without_consent_everybody_is_covered_and_nothing_is_read(school: School, file: Evidence) -> None:
    assert wanted(school, file) == Known([], [])
    assert school.session.scalars(select(FaceReading)).all() == []


def test_the_reading_is_logged_and_the_copy_is_noted_without_a_word_of_the_face(school: School, file: Evidence) -> None:
    faces.give_consent(school.session, actor=school.teachers[0])
    face = faces.add_reference(school.session, actor=school.teachers[0], encoding=FACE, encoder=ENCODER, keys=keys)
    known = wanted(school, file)
    assert known == Known([FACE], [], frozenset({face.id}))
    read = school.session.scalars(select(FaceReading)).one()
    assert (read.purpose, read.evidence_id, read.person_id) == (FacePurpose.BLUR, file.id, school.teachers[0].id)
    covering.record_copy(school.session, actor=school.admin, evidence=file, read=known.read, pictures=250)
    noted = school.session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()[-1]
    assert (noted.deed, noted.actor_id, noted.about) == ("evidence.cover", school.admin.id, f"evidence:{file.id}")
    assert list(audit.breaks(school.session)) == []
    faces.withdraw_consent(school.session, actor=school.teachers[0])
    with pytest.raises(covering.FaceWithdrawn):
        covering.record_copy(school.session, actor=school.admin, evidence=file, read=known.read, pictures=250)


def test_neither_author_nor_colleague_may_take_a_copy(school: School, file: Evidence) -> None:
    for person in school.teachers[:2]:
        with pytest.raises(NotAllowed):
            covering.known_to_cover(school.session, actor=person, evidence=file, encoder=ENCODER, keys=keys)
        with pytest.raises(NotAllowed):
            covering.record_copy(school.session, actor=person, evidence=file, read=(), pictures=1)
