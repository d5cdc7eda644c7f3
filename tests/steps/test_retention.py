from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from models import (
    Appeal,
    AuditEvent,
    Consent,
    Enrolment,
    Evidence,
    Fingerprint,
    GroupFact,
    PrivateNote,
    ReferenceFace,
    Result,
    Submission,
)
from review_flow.clock import now
from review_flow.evidence.copies import Print
from review_flow.rules.lifecycle import ResultState, RoundPhase, SubmissionState
from review_flow.rules.words import AppealState, CopyKind, EvidenceState, GroupFactKind, GroupLevel
from review_flow.steps import audit, copies, evidence, faces, retention, rounds
from tests.cast import Clock, School, kept

KEY = bytes(32)


@pytest.fixture
def work(school: School, clock: Clock) -> Submission:
    """A work with one file that was checked, of a round that closed this moment."""
    school.open()
    made = school.ready(school.teachers[0])[0]
    file = evidence.add_evidence(
        school.session,
        actor=school.teachers[0],
        submission=made,
        slot="plan",
        file_name="方案.docx",
        stored=kept("方案"),
    )
    file.sheet_key, file.playable_key, file.report = "aa/sheet", "bb/copy", {"media": {}}
    copies.keep(school.session, prints=[Print(CopyKind.TEXT, (1, 2, 3), b"x")], evidence_id=file.id)
    clock.to(school.round.hard_close_at + timedelta(days=60))
    school.round.appeal_due_at = now()
    school.round.phase = RoundPhase.CLOSED
    for one in school.session.scalars(select(Submission)):
        one.state = SubmissionState.CLOSED
    school.session.flush()
    return made


def file_of(school: School, work: Submission) -> Evidence:
    return school.session.scalars(select(Evidence).where(Evidence.submission_id == work.id)).one()


def appeal(school: School, state: AppealState) -> Appeal:
    enrolment = school.session.scalars(select(Enrolment).where(Enrolment.round_id == school.round.id)).first()
    assert enrolment is not None
    result = Result(
        enrolment_id=enrolment.id,
        version=1,
        state=ResultState.FINAL,
        scheme_digest="x",
        record="{}",
        outcome="{}",
        proposed_grade="合格",
        composed_at=now(),
    )
    school.session.add(result)
    school.session.flush()
    made = Appeal(
        result_id=result.id,
        appellant_id=enrolment.person_id,
        reason="复核",
        filed_at=now(),
        due_at=now(),
        state=state,
        decided_at=None if state is AppealState.FILED else now() + timedelta(days=5),
    )
    school.session.add(made)
    school.session.flush()
    return made


def test_files_go_when_their_time_is_over_and_what_was_decided_stays(
    school: School, work: Submission, clock: Clock
) -> None:
    session, file = school.session, file_of(school, work)
    ends = now() + timedelta(days=365)
    assert retention.ends_at(session, round_=school.round, days=365) == ends
    clock.to(ends - timedelta(seconds=1))
    assert retention.due(session, days=365) == []
    assert retention.remove_files(session, round_=school.round, days=365) == []
    assert file.removed_at is None
    clock.to(ends)
    assert retention.due(session, days=365) == [retention.Going(file, school.round, ends)]
    gone = retention.remove_files(session, round_=school.round, days=365)
    assert gone == sorted(["aa/sheet", "bb/copy", kept("方案").key])
    assert (file.removed_at, file.sheet_key, file.playable_key, file.report) == (now(), None, None, None)
    assert (file.file_name, file.sha256, file.state) == ("方案.docx", kept("方案").sha256, EvidenceState.WAITING)
    assert session.scalar(select(func.count()).select_from(Fingerprint)) == 0
    [noted] = session.scalars(select(AuditEvent).where(AuditEvent.deed == "evidence.purge"))
    assert (noted.about, noted.data) == (f"round:{school.round.id}", '{"files":1}')
    assert list(audit.breaks(session)) == []
    assert (retention.due(session, days=365), retention.remove_files(session, round_=school.round, days=365)) == (
        [],
        [],
    )
    assert (evidence.wanted(session, evidence=file), evidence.to_copy(session, evidence=file)) == (None, None)
    with pytest.raises(evidence.FileRemoved) as no:
        evidence.require_open(file, scanned=False, named=True)
    assert str(no.value).startswith("文件“方案.docx”已于")


def test_nothing_goes_while_the_round_runs_or_an_appeal_is_open(school: School, work: Submission, clock: Clock) -> None:
    session, file = school.session, file_of(school, work)
    assert evidence.require_open(file, scanned=False) is file
    filed = appeal(school, AppealState.FILED)
    clock.to(now() + timedelta(days=800))
    assert (retention.ends_at(session, round_=school.round, days=30), retention.due(session, days=30)) == (None, [])
    assert retention.remove_files(session, round_=school.round, days=30) == []
    filed.state, filed.decided_at = AppealState.DISMISSED, now()
    assert retention.ends_at(session, round_=school.round, days=30) == now() + timedelta(days=30)
    school.round.phase = RoundPhase.SIGNING
    assert retention.ends_at(session, round_=school.round, days=30) is None
    school.round.phase = RoundPhase.CLOSED
    result = session.get_one(Result, filed.result_id)  # made up: it replays to nothing
    session.delete(filed)
    session.flush()
    session.delete(result)


def test_a_content_that_another_file_names_stays(school: School, work: Submission, clock: Clock) -> None:
    file = file_of(school, work)
    other = school.setup_named("2026秋")
    rounds.enrol(school.session, actor=school.admin, round_=other, person=school.teachers[0])
    enrolled = school.session.scalars(select(Enrolment.id).where(Enrolment.round_id == other.id)).one()
    other.phase, other.scheme_digest = RoundPhase.CLOSED, school.scheme.digest
    twin = Submission(
        enrolment_id=enrolled, round_id=other.id, author_id=work.author_id, ability="T9", state=work.state
    )
    school.session.add(twin)
    school.session.flush()
    again = Evidence(
        submission_id=twin.id,
        slot="plan",
        file_name="又.docx",
        storage_key=file.storage_key,
        sha256=file.sha256,
        size_bytes=1,
        uploaded_at=now(),
        state=EvidenceState.WAITING,
    )
    school.session.add(again)
    school.session.flush()
    clock.to(now() + timedelta(days=365))
    assert retention.remove_files(school.session, round_=school.round, days=365) == ["aa/sheet", "bb/copy"]
    clock.to(other.hard_close_at + timedelta(days=9000))
    assert retention.remove_files(school.session, round_=other, days=365) == [file.storage_key]


def test_consents_go_three_years_after_their_last_use(school: School, clock: Clock) -> None:
    session, (mine, other, third) = school.session, school.teachers[:3]
    for person in (mine, other, third):
        faces.give_consent(session, actor=person)
    for person in (mine, other):
        faces.add_reference(session, actor=person, encoding=b"face", encoder="dlib", keys=lambda: (KEY,))
    clock.to(now() + timedelta(days=1000))
    faces.withdraw_consent(session, actor=mine)
    clock.to(now() + timedelta(days=1095))
    assert retention.purge_consents(session, days=1095) == 1  # the third's, never used
    clock.to(now() + timedelta(seconds=1))
    assert retention.purge_consents(session, days=1095) == 1
    assert session.scalars(select(Consent.person_id)).all() == [other.id]  # whose face is kept
    assert session.scalars(select(ReferenceFace.person_id)).all() == [other.id]
    notes = select(PrivateNote.about).where(PrivateNote.actor_id.in_([mine.id, third.id]))
    assert session.scalars(notes).all() == []
    assert (list(audit.breaks(session)), list(audit.altered_notes(session))) == ([], [])


def test_files_told_for_a_group_go_with_the_others_and_keep_their_digest(
    school: School, work: Submission, clock: Clock
) -> None:
    told = {"about": "bulletin", "source": "坊主", "recorded_by_id": school.admin.id, "recorded_at": now()}
    ids = {"round_id": school.round.id, "level": GroupLevel.SCHOOL, "kind": GroupFactKind.COUNT}
    file = file_of(school, work)
    shared = GroupFact(**ids, **told, key="1", details={}, storage_key=file.storage_key, sha256=file.sha256)
    own = GroupFact(**ids, **told, key="2", details={}, storage_key="cc/own", sha256="abc")
    school.session.add_all([shared, own, GroupFact(**ids, **told, key="3", details={})])
    school.session.flush()
    assert retention.unused(school.session, keys=[file.storage_key, "cc/own", "dd/x"]) == ["dd/x"]
    clock.to(now() + timedelta(days=366))
    going = retention.due(school.session, days=365)
    assert [(one.name, one.size_bytes) for one in going] == [
        ("方案.docx", file.size_bytes), ("bulletin 1", None), ("bulletin 2", None),
    ]  # fmt: skip
    gone = retention.remove_files(school.session, round_=school.round, days=365)
    assert set(gone) == {file.storage_key, "aa/sheet", "bb/copy", "cc/own"}
    assert (own.removed_at, own.sha256, own.storage_key) == (now(), "abc", "cc/own")
    assert retention.due(school.session, days=365) == []
