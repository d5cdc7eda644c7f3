from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models import AuditEvent, Consent, DueWork, Evidence, FaceReading, Person, PrivateNote, ReferenceFace
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.i18n import language
from review_flow.rules.consent import digest_of, text_of
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import ConsentWay, FacePurpose, WorkKind
from review_flow.steps import evidence, exports_archive, face_keys, faces, rounds, submissions
from review_flow.steps.face_keys import FaceDamaged, KeyMissing, key_id
from review_flow.steps.faces import ConsentOutdated, Known, NoConsent
from tests.cast import Clock, School

KEY, OTHER = bytes(range(32)), bytes(32)
FACE = b"0.125,-0.5,0.75"
ENCODER = "dlib"


def keys() -> tuple[bytes, ...]:
    return (KEY,)


def enrol(school: School, number: int = 0, *, encoding: bytes = FACE, key: bytes = KEY) -> ReferenceFace:
    person = school.teachers[number]
    faces.give_consent(school.session, actor=person)
    return faces.add_reference(
        school.session, actor=person, encoding=encoding, encoder=ENCODER, keys=lambda: (key, OTHER)
    )


def known(school: School, number: int = 0, *, key: bytes = KEY) -> list[bytes]:
    return faces.references_of(school.session, actor=school.teachers[number], encoder=ENCODER, keys=lambda: (key,))


def known_for(school: School, file: Evidence) -> Known:
    return faces.known_for(school.session, evidence=file, encoder=ENCODER, keys=keys)


def waiting_checks(school: School) -> set[int]:
    due = select(DueWork.subject_id).where(DueWork.kind == WorkKind.CHECK_EVIDENCE, DueWork.done_at.is_(None))
    return set(school.session.scalars(due))


def nothing_waits(school: School) -> None:
    for item in school.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.CHECK_EVIDENCE)):
        item.done_at = now()
    school.session.flush()


def file_of(school: School, number: int = 0) -> Evidence:
    """The first file of a teacher's first ability, which nobody has decided."""
    work = school.ready(school.teachers[number])[0]
    school.fill(work, verdict="human", present=None)
    return evidence.standing_evidence(school.session, submission=work)[0]


def report(*, verdict: str = "valid", present: bool | None = True) -> dict[str, object]:
    return {"verdict": verdict, "present": present, "findings": [], "media": {"kind": "video"}}


def test_a_consent_is_given_once_and_withdrawn_once(school: School, clock: Clock) -> None:
    session, person = school.session, school.teachers[0]
    assert faces.standing_consent(session, person_id=person.id) is None
    faces.withdraw_consent(session, actor=person)  # nothing to withdraw
    consent = faces.give_consent(session, actor=person)
    assert (consent.person_id, consent.text_version, consent.given_at) == (person.id, "2027-01", now())
    assert (consent.given_through, consent.language) == (ConsentWay.COMMAND_LINE, "zh")
    assert consent.text_sha256 == digest_of(text_of("2027-01"))
    assert faces.give_consent(session, actor=person) is consent
    clock.day(3, 5)
    faces.withdraw_consent(session, actor=person)
    assert (consent.withdrawn_at, faces.standing_consent(session, person_id=person.id)) == (now(), None)
    token = language.set("en")
    again = faces.give_consent(session, actor=person, through=ConsentWay.WEB)
    language.reset(token)
    assert again.text_sha256 != consent.text_sha256  # the hash is of what was read
    assert (again.given_through, again.language) == (ConsentWay.WEB, "en")
    assert faces.consents_of(session, person=person) == [consent, again]
    assert faces.consents_of(session, person=school.teachers[1]) == []


def test_no_face_is_kept_without_consent(school: School) -> None:
    with pytest.raises(NoConsent) as no:
        faces.add_reference(school.session, actor=school.teachers[0], encoding=FACE, encoder=ENCODER, keys=keys)
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
    assert faces.references_of(school.session, actor=school.teachers[0], encoder="sface", keys=keys) == []
    good, other.encrypted = other.encrypted, mine.encrypted  # somebody swaps rows
    school.session.flush()
    with pytest.raises(FaceDamaged) as no:
        known(school, 1)
    assert str(no.value) == f"编号{other.id}的人脸特征已损坏或被人调换，不能使用；请有关教师撤回同意后重新登记。"
    other.encrypted = good


def test_another_key_is_a_sentence_that_says_what_to_do(school: School) -> None:
    enrol(school)
    with pytest.raises(KeyMissing) as no:
        known(school, key=OTHER)
    assert str(no.value) == (
        f"有人脸特征是用另一把密钥加密的（密钥编号 {key_id(KEY)}），现在的密钥打不开。请把原来的密钥设为 "
        "REVIEW_FLOW_PREVIOUS_ENCRYPTION_KEY，或把原来的密钥文件放回 secrets 文件夹；密钥找不回时，"
        "请有关教师撤回同意后重新登记。"
    )
    face_keys.require_known(school.session, keys=[OTHER, KEY])
    with pytest.raises(KeyMissing) as no:
        face_keys.require_known(school.session, keys=[OTHER])
    assert no.value.names == {"ids": key_id(KEY)}


def test_keys_are_changed_batch_by_batch_and_the_old_one_goes_last(school: School) -> None:
    session = school.session
    old = [enrol(school, number) for number in (0, 0, 1)]
    fresh = b"k" * 32
    both = lambda: (fresh, KEY)  # noqa: E731 - the keys of the moment
    assert face_keys.retire(session, keys=both, remove=pytest.fail) is False
    assert face_keys.rotate(session, keys=both, size=2) == (2, frozenset())
    assert face_keys.in_use(session) == {key_id(fresh): 2, key_id(KEY): 1}  # killed here, the next run goes on
    assert faces.references_of(session, actor=school.teachers[0], encoder=ENCODER, keys=both) == [FACE, FACE]
    assert face_keys.rotate(session, keys=both) == (1, frozenset())
    assert face_keys.rotate(session, keys=both) == (0, frozenset())
    assert face_keys.in_use(session) == {key_id(fresh): 3}
    removed: list[str] = []
    assert face_keys.retire(session, keys=both, remove=lambda: removed.append("old")) is True
    assert removed == ["old"]
    assert known(school, key=fresh) == [FACE, FACE]
    assert known(school, 1, key=fresh) == [FACE]
    turned = select(FaceReading.person_id, FaceReading.encodings).where(FaceReading.purpose == FacePurpose.ROTATE)
    first, second = school.teachers[0].id, school.teachers[1].id
    assert session.execute(turned.order_by(FaceReading.id)).tuples().all() == [(first, 2), (second, 1)]
    assert {one.key_id for one in old} == {key_id(fresh)}


def test_withdrawing_destroys_the_faces_of_that_person_at_once(school: School) -> None:
    mine, other = enrol(school), enrol(school, 1)
    faces.withdraw_consent(school.session, actor=school.teachers[0])
    assert (mine.encrypted, mine.purged_at) == (None, now())
    assert other.encrypted is not None
    assert (known(school), known(school, 1)) == ([], [FACE])
    (note,) = school.session.scalars(select(PrivateNote).where(PrivateNote.deed == "consent.withdraw"))
    assert (note.data, note.actor_id) == ('{"destroyed":1}', school.teachers[0].id)
    faces.give_consent(school.session, actor=school.teachers[0])
    assert known(school) == []  # a new consent does not bring the old face back


def test_the_audit_chain_and_the_archive_tell_nobody_who_consented(school: School) -> None:
    enrol(school)
    faces.withdraw_consent(school.session, actor=school.teachers[0])
    events = school.session.scalars(select(AuditEvent).where(AuditEvent.deed == "private")).all()
    assert [(one.actor_id, one.about.split(":")[0]) for one in events] == [(None, "private_note")] * 3
    told = exports_archive.archive(school.open().session, round_=school.round)
    with zipfile.ZipFile(io.BytesIO(told)) as bundle:
        chain = bundle.read("audit.jsonl").decode()
        names = bundle.namelist()
    assert chain.count('"deed":"private"') == 3
    said = re.sub(r"[0-9a-f]{64}", "", chain)  # a hash may spell "face"
    assert [word for word in ("consent", "face", "attest") if word in said] == []
    assert [name for name in names if "note" in name or "consent" in name] == []


def test_a_check_that_used_a_destroyed_encoding_records_nothing_and_people_look(school: School) -> None:
    session, person = school.session, school.teachers[0]
    school.open()
    enrol(school)
    enrol(school, 1)
    file = file_of(school)
    nothing_waits(school)
    read = known_for(school, file)
    assert (read.author, read.colleagues) == ([FACE], [[FACE]])
    faces.withdraw_consent(session, actor=person)  # while the check runs
    kept = submissions.record_check(session, evidence=file, report=report(), sheet_key=None, faces_read=read.read)
    assert kept is False
    assert (file.teacher_present, file.verdict) == (None, "human")
    assert waiting_checks(school) == {file.id}
    assert known_for(school, file) == Known([], [])


def test_a_colleagues_withdrawal_counts_as_well_and_whoever_stays_is_recorded(school: School) -> None:
    session = school.session
    school.open()
    enrol(school)
    enrol(school, 1)
    file = file_of(school)
    read = known_for(school, file)
    faces.withdraw_consent(session, actor=school.teachers[1])
    assert not submissions.record_check(session, evidence=file, report=report(), sheet_key=None, faces_read=read.read)
    read = known_for(school, file)
    assert (read.author, read.colleagues) == ([FACE], [])
    assert submissions.record_check(session, evidence=file, report=report(), sheet_key=None, faces_read=read.read)
    assert file.teacher_present is True


def test_every_reading_is_logged_and_told_to_whom_it_concerns(school: School, clock: Clock) -> None:
    session = school.session
    school.open()
    mine, other, outsider = school.teachers[:3]
    enrol(school)
    enrol(school, 1)
    file = file_of(school)
    other_file = file_of(school, 2)
    clock.day(3, 4)
    known_for(school, file)
    known_for(school, other_file)  # its author did not consent: nothing is read, nothing is logged
    known(school)
    clock.day(3, 5)
    faces.withdraw_consent(session, actor=other)
    clock.day(3, 6)
    known_for(school, file)

    def told(person: Person) -> list[tuple[FacePurpose, int | None, int, int, int]]:
        found = faces.readings_of(session, actor=person)
        return [(one.purpose, one.evidence_id, one.person_id, one.encodings, one.colleagues) for one in found]

    first = (FacePurpose.CHECK, file.id, mine.id, 2, 1)
    assert told(mine) == [first, (FacePurpose.ENROL, None, mine.id, 1, 0), (FacePurpose.CHECK, file.id, mine.id, 1, 0)]
    assert told(other) == [first]
    assert told(outsider) == []
    whole = faces.readings(session, actor=school.admin, organization_id=school.organization.id)
    assert [one.id for one in whole] == [one.id for one in faces.readings_of(session, actor=mine)]
    with pytest.raises(NotAllowed):
        faces.readings(session, actor=mine, organization_id=school.organization.id)


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
    nothing_waits(school)
    enrol(school)
    assert waiting_checks(school) == wanted


def test_faces_go_when_the_rounds_appeals_are_over_unless_another_round_needs_them(school: School) -> None:
    session = school.session
    mine, other = enrol(school), enrol(school, 1)
    outsider = school.person("T77", "局外")
    faces.give_consent(session, actor=outsider)
    outside = faces.add_reference(session, actor=outsider, encoding=FACE, encoder=ENCODER, keys=keys)
    with pytest.raises(NotAllowed) as no:
        faces.purge_round(session, round_=school.round)
    assert str(no.value) == "您没有权限做这件事：本轮申诉尚未结束。"
    second = school.setup_named("2026秋")
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


def test_faces_of_people_in_no_round_go_after_a_while_and_old_readings_too(school: School, clock: Clock) -> None:
    session = school.session
    taking_part = enrol(school)
    outsider, late = school.person("T77", "局外"), school.person("T78", "局外乙")
    faces.give_consent(session, actor=outsider)
    outside = faces.add_reference(session, actor=outsider, encoding=FACE, encoder=ENCODER, keys=keys)
    assert faces.references_of(session, actor=outsider, encoder=ENCODER, keys=keys) == [FACE]
    looks = select(DueWork.due_at).where(DueWork.kind == WorkKind.PURGE_FACES, DueWork.subject_id == faces.IN_NO_ROUND)
    assert session.scalars(looks).one() == now() + timedelta(days=1)
    clock.to(now() + timedelta(days=30))
    faces.give_consent(session, actor=late)
    fresh = faces.add_reference(session, actor=late, encoding=FACE, encoder=ENCODER, keys=keys)
    assert faces.stored(session) == faces.Stored(consents=3, people=3, faces=3)
    assert faces.purge_idle(session, idle_days=30, log_days=31) == 1
    assert (outside.encrypted, outside.purged_at) == (None, now())
    assert (fresh.encrypted is None, taking_part.encrypted is None) == (False, False)
    assert faces.stored(session) == faces.Stored(consents=3, people=2, faces=2)
    (note,) = session.scalars(select(PrivateNote).where(PrivateNote.deed == "faces.purge"))
    assert (note.about, note.actor_id, note.data) == (f"person:{outsider.id}", None, '{"destroyed":1}')
    assert session.scalar(select(func.count()).select_from(FaceReading)) == 1
    clock.to(now() + timedelta(days=2))
    assert faces.purge_idle(session, idle_days=90, log_days=31) == 0
    assert session.scalar(select(func.count()).select_from(FaceReading)) == 0
    assert session.scalar(select(func.count()).select_from(Consent)) == 3


def to_an_older_text(school: School, number: int = 0) -> Consent:
    """Turn a teacher's standing consent into one to the text before."""
    consent = faces.standing_consent(school.session, person_id=school.teachers[number].id)
    assert consent is not None
    consent.text_version = "2026-11"
    school.session.flush()
    return consent


def test_a_consent_to_an_earlier_text_covers_nothing_until_it_is_given_anew(school: School) -> None:
    school.open()
    file, (mine, colleague) = file_of(school), school.teachers[:2]
    face, theirs = enrol(school), enrol(school, 1)
    assert known_for(school, file) == Known([FACE], [[FACE]], frozenset({face.id, theirs.id}))
    older = to_an_older_text(school)
    assert (known_for(school, file), known(school)) == (Known([], []), [])
    with pytest.raises(ConsentOutdated) as refused:
        faces.add_reference(school.session, actor=mine, encoding=FACE, encoder=ENCODER, keys=keys)
    assert str(refused.value).startswith("您同意的是旧版本 2026-11，同意书现在是 2027-01：")
    nothing_waits(school)
    newer = faces.give_consent(school.session, actor=mine)
    assert (older.withdrawn_at, newer.text_version, newer.id != older.id) == (now(), "2027-01", True)
    assert faces.give_consent(school.session, actor=mine).id == newer.id
    assert file.id in waiting_checks(school)
    assert known_for(school, file) == Known([FACE], [[FACE]], frozenset({face.id, theirs.id}))
    to_an_older_text(school, 1)  # a colleague's pauses for them alone
    assert known_for(school, file) == Known([FACE], [], frozenset({face.id}))
    faces.withdraw_consent(school.session, actor=colleague)
    assert (theirs.encrypted, face.consent_id) == (None, newer.id)


def test_a_damaged_face_keeps_no_other_from_its_new_key(school: School) -> None:
    broken, whole = enrol(school), enrol(school, 1)
    assert broken.encrypted is not None
    broken.encrypted = broken.encrypted[:-1] + bytes([broken.encrypted[-1] ^ 1])
    both = lambda: (b"k" * 32, KEY)  # noqa: E731 - the keys of the moment
    done = face_keys.rotate(school.session, keys=both, size=1)
    assert done == (0, frozenset({broken.id}))
    assert face_keys.rotate(school.session, keys=both, size=1, known=done.damaged) == (1, frozenset())
    assert face_keys.rotate(school.session, keys=both, size=1, known=done.damaged) == (0, frozenset())
    assert (broken.key_id, whole.key_id) == (key_id(KEY), key_id(b"k" * 32))
    assert face_keys.retire(school.session, keys=both, remove=pytest.fail) is False
