from __future__ import annotations

import pytest
from sqlalchemy import select

from models import Attestation, AuditEvent, DueWork, PrivateNote, Submission
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import AttestationKind, RoleKind, WorkKind
from review_flow.steps import attestations, evidence, faces, people, submissions
from review_flow.steps.attestations import Decided, NothingToAttest
from tests.cast import School, kept
from tests.stages import stage
from tests.steps.test_reviews import deeds, refused
from tests.steps.test_validity import say, submitted

SEEN = "3月5日第二节在七（2）班听课，本人执教。"


@stage
def signing(session, clock) -> School:
    """One teacher, alone in the pool, and a workshop leader."""
    school = School(session, teachers=1).open()
    school.person("L01", "坊主", role=RoleKind.WORKSHOP_LEADER)
    school.ready(school.teachers[0])
    return school


def leader(school: School):
    return people.person_by_number(school.session, organization_id=school.organization.id, number="L01")


def attest(school: School, work: Submission, actor, kind: AttestationKind, statement: str = SEEN):
    return attestations.attest(school.session, actor=actor, submission=work, kind=kind, statement=statement)


def due_checks(school: School) -> list[int]:
    found = select(DueWork.subject_id).where(DueWork.kind == WorkKind.CHECK_EVIDENCE, DueWork.done_at.is_(None))
    return sorted(school.session.scalars(found))


def all_checked(school: School) -> None:
    for item in school.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.CHECK_EVIDENCE)):
        item.done_at = now()
    school.session.flush()


def look_again(school: School, work: Submission) -> None:
    """The checks that the signatures asked for: the teacher is not looked for, so nothing is left to ask."""
    for file in evidence.standing_evidence(school.session, submission=work):
        wanted = evidence.wanted(school.session, evidence=file)
        assert wanted is not None
        assert wanted.slot["teacher_visible"] is False
        school.check(file, verdict="valid", present=None)


def test_two_different_people_on_the_spot_pass_a_work_as_a_machine_does(signing: School) -> None:
    work = submitted(signing)
    all_checked(signing)
    files = evidence.standing_evidence(signing.session, submission=work)
    assert attest(signing, work, signing.members[0], AttestationKind.ON_SITE) == files
    assert (due_checks(signing), evidence.attested(signing.session, submission=work)) == ([], set())
    assert attest(signing, work, signing.admin, AttestationKind.ON_SITE) == []
    assert due_checks(signing) == [one.id for one in files]
    look_again(signing, work)
    assert (work.state, work.valid) == (SubmissionState.IN_PEER_REVIEW, True)
    rows = signing.session.scalars(select(Attestation).order_by(Attestation.id)).all()
    assert [(one.signatory_id, one.statement, one.at) for one in rows] == [
        (who.id, SEEN, now()) for who in (signing.members[0], signing.admin) for _file in files
    ]


@pytest.mark.parametrize(
    "kind", [AttestationKind.LIVE_RECORDING, AttestationKind.TESTIMONY, AttestationKind.CREATION_TRACE]
)
def test_one_signature_is_enough_in_the_other_ways(signing: School, kind: AttestationKind) -> None:
    work = submitted(signing)
    assert attest(signing, work, leader(signing), kind) == []
    look_again(signing, work)
    assert (work.state, work.valid) == (SubmissionState.IN_PEER_REVIEW, True)


def test_it_may_be_signed_before_the_work_is_handed_in(signing: School) -> None:
    work = signing.seal(signing.teachers[0], verdict="human", present=None)[0]
    attest(signing, work, leader(signing), AttestationKind.TESTIMONY)
    look_again(signing, work)
    assert work.state is SubmissionState.SEALED
    submissions.submit(signing.session, actor=signing.teachers[0], submission=work)
    assert (work.state, work.valid) == (SubmissionState.IN_PEER_REVIEW, True)


def test_what_is_doubtful_for_another_reason_still_goes_to_people(signing: School) -> None:
    work = submitted(signing)
    attest(signing, work, leader(signing), AttestationKind.TESTIMONY)
    for file in evidence.standing_evidence(signing.session, submission=work):
        signing.check(file, verdict="human", present=None)
    assert work.state is SubmissionState.SUBMITTED
    for voter in signing.members[:2]:
        say(signing, work, voter)
    assert work.state is SubmissionState.IN_PEER_REVIEW


def test_a_new_file_is_not_what_was_signed(signing: School) -> None:
    session, work = signing.session, submitted(signing)
    attest(signing, work, leader(signing), AttestationKind.TESTIMONY)
    before = evidence.attested(session, submission=work)
    work.state = SubmissionState.CORRECTING
    old = evidence.standing_evidence(session, submission=work)[0]
    fresh = evidence.add_evidence(
        session,
        actor=signing.teachers[0],
        submission=work,
        slot=old.slot,
        file_name="新.mp4",
        stored=kept("新"),
        replaces=old,
    )
    assert fresh.id not in before
    wanted = evidence.wanted(session, evidence=fresh)
    assert wanted is not None
    shows = {one.id: one.shows_teacher for one in signing.scheme.slots(work.ability)}[fresh.slot]
    assert wanted.slot["teacher_visible"] is (None if shows else False)
    attest(signing, work, leader(signing), AttestationKind.TESTIMONY)
    assert evidence.attested(session, submission=work) == {*before, fresh.id}


def test_no_face_is_read_for_a_file_that_people_signed_for(signing: School) -> None:
    session, person = signing.session, signing.teachers[0]
    faces.give_consent(session, actor=person)
    key = bytes(32)
    faces.add_reference(session, actor=person, encoding=b"face", encoder="dlib", keys=lambda: (key,))
    work = submitted(signing)
    file = evidence.standing_evidence(session, submission=work)[0]
    assert faces.known_for(session, evidence=file, encoder="dlib", keys=lambda: (key,)).author == [b"face"]
    attest(signing, work, leader(signing), AttestationKind.TESTIMONY)
    assert faces.known_for(session, evidence=file, encoder="dlib", keys=lambda: (key,)) == faces.Known([], [])


def test_nothing_tells_afterwards_which_way_was_chosen(signing: School) -> None:
    """The work's part of the audit chain is that of a machine pass, word for word."""
    signed, seen = signing.seal(signing.teachers[0], verdict="human", present=None)[:2]
    attest(signing, signed, leader(signing), AttestationKind.TESTIMONY)
    look_again(signing, signed)
    for file in evidence.standing_evidence(signing.session, submission=seen):
        signing.check(file, verdict="valid", present=True)
    for work in (signed, seen):
        submissions.submit(signing.session, actor=signing.teachers[0], submission=work)
    assert deeds(signing, signed) == deeds(signing, seen)
    events = select(AuditEvent).where(AuditEvent.deed == "validity.accept").order_by(AuditEvent.id)
    assert [one.data for one in signing.session.scalars(events)] == ['{"by":"check"}'] * 2
    (event,) = signing.session.scalars(select(AuditEvent).where(AuditEvent.deed == "private"))
    (note,) = signing.session.scalars(select(PrivateNote))
    assert (event.actor_id, event.about, list(event.data[:11])) == (
        None,
        f"private_note:{note.id}",
        list('{"digest":"'),
    )
    assert (note.deed, note.about, note.actor_id) == (
        "attestation.sign",
        f"submission:{signed.id}",
        leader(signing).id,
    )


def test_who_may_sign_and_for_whom(signing: School) -> None:
    work, author = submitted(signing), signing.teachers[0]
    staff = "您没有权限做这件事：这需要坊主、校级管理员的角色。"
    refused(NotAllowed, staff, lambda: attest(signing, work, author, AttestationKind.ON_SITE))
    refused(NotAllowed, staff, lambda: attest(signing, work, signing.hearers[0], AttestationKind.LIVE_RECORDING))
    only = "您没有权限做这件事：这需要坊主的角色。"
    refused(NotAllowed, only, lambda: attest(signing, work, signing.admin, AttestationKind.TESTIMONY))
    refused(NotAllowed, only, lambda: attest(signing, work, signing.members[0], AttestationKind.TESTIMONY))
    aside = "您没有权限做这件事：应回避本人或有关联的教师。"
    people.declare_conflict(signing.session, actor=signing.admin, one=author, other=signing.members[0], reason="夫妻")
    refused(NotAllowed, aside, lambda: attest(signing, work, signing.members[0], AttestationKind.ON_SITE))
    from models import Role

    signing.session.add(
        Role(person_id=author.id, organization_id=signing.organization.id, kind=RoleKind.WORKSHOP_LEADER)
    )
    signing.session.flush()
    refused(NotAllowed, aside, lambda: attest(signing, work, author, AttestationKind.TESTIMONY))


def test_nobody_signs_twice_or_for_nothing_or_too_late(signing: School) -> None:
    work, member = submitted(signing), signing.members[0]
    refused(
        BadInput,
        "说明：请写明何时何地、怎样核对的。",
        lambda: attest(signing, work, member, AttestationKind.ON_SITE, " "),
    )
    attest(signing, work, member, AttestationKind.ON_SITE)
    nothing = "没有需要您签名的文件：还没有提交，或者您已经签过名。"
    refused(NothingToAttest, nothing, lambda: attest(signing, work, member, AttestationKind.ON_SITE))
    assert evidence.attested(signing.session, submission=work) == set()  # one person is not two
    for voter in signing.members[1:]:
        say(signing, work, voter)
    refused(
        Decided,
        f"这项成果现在是“{work.state.label}”，不需要再证明本人出镜。",
        lambda: attest(signing, work, signing.admin, AttestationKind.ON_SITE),
    )
