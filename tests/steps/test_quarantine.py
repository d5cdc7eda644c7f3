from __future__ import annotations

import pytest
from sqlalchemy import select

from models import AuditEvent, Evidence, Message
from review_flow.clock import now
from review_flow.evidence.check import broken_off
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import Verdict
from review_flow.steps import audit, evidence, quarantine, submissions
from tests.cast import Clock, School, kept


@pytest.fixture
def file(school: School, clock: Clock) -> Evidence:
    """A film of a sealed work that was not looked at yet."""
    school.open()
    work = school.ready(school.teachers[0])[0]
    school.fill(work)
    submissions.seal(school.session, actor=school.teachers[0], submission=work, own_work=True)
    found = evidence.standing_evidence(school.session, submission=work)[0]
    found.storage_key, found.checked_at, found.report = kept("病毒").key, None, None
    school.session.flush()
    return found


def removed(school: School, file: Evidence) -> list[str]:
    report = broken_off(quarantine.infected("Eicar"), wall_s=0, size=7).as_json()
    return quarantine.remove_infected(school.session, evidence=file, malware="Eicar", report=report)


def test_an_infected_file_of_a_sealed_work_goes_and_the_work_comes_back(school: School, file: Evidence) -> None:
    session = school.session
    file.playable_key = "cc/copy"
    assert quarantine.left_over(session, evidence=file) == []
    assert removed(school, file) == ["cc/copy"]
    assert quarantine.left_over(session, evidence=file) == [file.storage_key] == [kept("病毒").key]
    assert removed(school, file) == []  # a second worker has nothing left to refuse
    assert (file.verdict, file.removed_at, file.playable_key) == (Verdict.REJECTED, now(), None)
    work = session.get_one(quarantine.Submission, file.submission_id)
    assert work.state is SubmissionState.CORRECTING
    [noted] = session.scalars(select(AuditEvent).where(AuditEvent.deed == "evidence.infected"))
    assert noted.data == f'{{"malware":"Eicar","sha256":"{file.sha256}"}}'
    told = session.scalars(select(Message.text).where(Message.kind == "evidence.rejected")).all()
    assert [f"您的文件“{file.file_name}”不能使用：文件里查出病毒（Eicar），已删除。" in one for one in told] == [True]
    assert list(audit.breaks(session)) == []
    with pytest.raises(evidence.FileInfected, match="查出病毒，已于"):
        evidence.require_open(file, scanned=True)
    assert evidence.wanted(session, evidence=file) is None


def test_what_another_file_names_as_well_stays_for_its_own_look(school: School, file: Evidence) -> None:
    other = school.ready(school.teachers[1])[0]
    school.fill(other)
    twin = evidence.standing_evidence(school.session, submission=other)[0]
    twin.storage_key = file.storage_key
    school.session.flush()
    removed(school, file)
    assert quarantine.left_over(school.session, evidence=file) == []
    removed(school, twin)
    assert quarantine.left_over(school.session, evidence=twin) == [file.storage_key]


def test_nobody_opens_what_was_not_looked_at_where_there_is_a_scanner(school: School, file: Evidence) -> None:
    assert evidence.require_open(file, scanned=False) is file
    told = [str(evidence.why_closed(file, scanned=True, named=named)) for named in (True, False)]
    assert [file.file_name in one for one in told] == [True, False]  # reviewers don't learn whose it is
    with pytest.raises(evidence.FileNotScanned, match="还在查毒"):
        evidence.require_open(file, scanned=True)
    file.checked_at = now()
    assert evidence.require_open(file, scanned=True) is file


def test_what_was_seen_in_part_is_told() -> None:
    assert quarantine.seen_in_part().text == "文件较大，查毒没有看完全部内容。"
