from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import select

from models import AuditEvent, Consent, DueWork, ReferenceFace
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import WorkKind
from review_flow.steps import evidence, faces
from review_flow.steps.faces import NoConsent
from tests.cast import Clock, School

KEY = bytes(range(32))
FACE = b"0.125,-0.5,0.75"


def enrol(school: School, number: int = 0, *, encoding: bytes = FACE) -> ReferenceFace:
    person = school.teachers[number]
    faces.give_consent(school.session, actor=person)
    return faces.add_reference(school.session, actor=person, encoding=encoding, encoder="hog", key=KEY)


def known(school: School, number: int = 0, *, key: bytes = KEY) -> list[bytes]:
    return faces.references_of(school.session, person_id=school.teachers[number].id, encoder="hog", key=key)


def test_a_consent_is_given_once_and_withdrawn_once(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    assert faces.standing_consent(session, person_id=person.id) is None
    faces.withdraw_consent(session, actor=person)  # nothing to withdraw
    consent = faces.give_consent(session, actor=person)
    assert (consent.person_id, consent.text_version, consent.given_at) == (person.id, "2026-11", now())
    assert faces.give_consent(session, actor=person) is consent
    clock.day(3, 5)
    faces.withdraw_consent(session, actor=person)
    assert (consent.withdrawn_at, faces.standing_consent(session, person_id=person.id)) == (now(), None)
    again = faces.give_consent(session, actor=person, text_version="2027-01")
    assert again is not consent
    assert len(list(session.scalars(select(Consent)))) == 2


def test_no_face_is_kept_without_consent(school: School) -> None:
    with pytest.raises(NoConsent) as no:
        faces.add_reference(school.session, actor=school.teachers[0], encoding=FACE, encoder="hog", key=KEY)
    sentence = "请先单独同意人脸比对；不同意也可以参评，由人工核对，不受任何影响。"
    assert (no.value.status, str(no.value)) == (409, sentence)
    assert list(school.session.scalars(select(ReferenceFace))) == []


def test_a_face_is_encrypted_bound_to_its_person_and_nowhere_else(school: School) -> None:
    mine, other = enrol(school), enrol(school, 1, encoding=b"other")
    assert mine.encrypted is not None
    assert FACE not in mine.encrypted
    assert enrol(school).encrypted != mine.encrypted  # the same face never looks the same
    assert known(school) == [FACE, FACE]
    assert known(school, 1) == [b"other"]
    with pytest.raises(InvalidTag):
        known(school, key=bytes(32))
    other.encrypted = mine.encrypted  # somebody swaps rows
    school.session.flush()
    with pytest.raises(InvalidTag):
        known(school, 1)
    audited = school.session.scalars(select(AuditEvent.data).where(AuditEvent.deed == "face.enrol"))
    assert set(audited) == {"{}"}


def test_withdrawing_destroys_the_faces_of_that_person_at_once(school: School) -> None:
    mine, other = enrol(school), enrol(school, 1)
    faces.withdraw_consent(school.session, actor=school.teachers[0])
    assert (mine.encrypted, mine.purged_at) == (None, now())
    assert other.encrypted is not None
    assert (known(school), known(school, 1)) == ([], [FACE])
    (event,) = school.session.scalars(select(AuditEvent).where(AuditEvent.deed == "consent.withdraw"))
    assert event.data == '{"destroyed":1}'
    faces.give_consent(school.session, actor=school.teachers[0])
    assert known(school) == []  # a new consent does not bring the old face back


def test_a_new_reference_has_the_undecided_files_looked_at_again(school: School) -> None:
    session, person = school.session, school.teachers[0]
    school.open()
    works = school.ready(person)
    school.ready(school.teachers[1])
    school.fill(works[0], verdict="human", present=None)
    school.fill(works[1], verdict="valid", present=True)
    school.fill(works[2], verdict="human", present=None)
    school.seal(school.teachers[1], verdict="human", present=None)
    works[2].valid = True  # decided by people meanwhile
    wanted = {one.id for one in evidence.standing_evidence(session, submission=works[0])}
    for item in session.scalars(select(DueWork).where(DueWork.kind == WorkKind.CHECK_EVIDENCE)):
        item.done_at = now()
    enrol(school)
    waiting = select(DueWork.subject_id).where(DueWork.kind == WorkKind.CHECK_EVIDENCE, DueWork.done_at.is_(None))
    assert set(session.scalars(waiting)) == wanted


def test_faces_go_when_the_rounds_appeals_are_over_unless_another_round_needs_them(school: School) -> None:
    session = school.session
    mine, other = enrol(school), enrol(school, 1)
    outsider = school.person("T77", "局外")
    faces.give_consent(session, actor=outsider)
    outside = faces.add_reference(session, actor=outsider, encoding=FACE, encoder="hog", key=KEY)
    with pytest.raises(NotAllowed) as no:
        faces.purge_round(session, round_=school.round)
    assert str(no.value) == "您没有权限做这件事：本轮申诉尚未结束。"
    second = school.setup_named("2026秋")
    from review_flow.steps import rounds

    rounds.enrol(session, actor=school.admin, round_=second, person=school.teachers[1])
    for round_ in (school.round, second):
        round_.scheme_digest = school.scheme.digest
    school.round.phase = RoundPhase.CLOSED
    assert faces.purge_round(session, round_=school.round) == 1
    assert (mine.encrypted, mine.purged_at) == (None, now())
    assert other.encrypted is not None
    assert faces.purge_round(session, round_=school.round) == 0
    second.phase = RoundPhase.CLOSED
    assert faces.purge_round(session, round_=second) == 1
    assert outside.encrypted is not None
