from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import AuditEvent, DueWork, Evidence, Finding, Submission
from review_flow.clock import now
from review_flow.errors import NotAllowed, NotFound
from review_flow.rules.words import EvidenceState, Verdict, WorkKind
from review_flow.steps import evidence, submissions
from review_flow.steps.evidence import CorrectionOver, NotEditable, SameFile, UnknownSlot, WindowClosed
from review_flow.steps.rounds import WrongPhase
from tests.cast import Clock, School, kept, queries


@pytest.fixture
def works(school: School) -> list[Submission]:
    return school.open().ready(school.teachers[0])


def add(school: School, work: Submission, *, slot: str = "plan", content: str = "方案", **names) -> Evidence:
    names = {"actor": school.teachers[0], "file_name": "方案.docx", **names}
    return evidence.add_evidence(school.session, submission=work, slot=slot, stored=kept(content), **names)


def test_a_file_hangs_on_its_slot_and_waits_for_its_check(school: School, works: list[Submission]) -> None:
    file = add(school, works[0])
    stored = kept("方案")
    assert (file.submission_id, file.slot, file.file_name) == (works[0].id, "plan", "方案.docx")
    assert (file.storage_key, file.sha256, file.size_bytes) == (stored.key, stored.sha256, stored.size_bytes)
    assert (file.state, file.verdict, file.uploaded_at) == (EvidenceState.WAITING, None, now())
    due = school.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.CHECK_EVIDENCE)).all()
    assert [one.subject_id for one in due] == [file.id]
    (event,) = school.session.scalars(select(AuditEvent).where(AuditEvent.deed == "evidence.add"))
    assert event.data == f'{{"sha256":"{stored.sha256}","slot":"plan"}}'  # the name of the file stays out


def test_a_later_file_supersedes_and_never_overwrites(school: School, works: list[Submission]) -> None:
    first = add(school, works[0])
    second = add(school, works[0], content="新方案", replaces=first)
    third = add(school, works[0], slot="report", content="报告")
    assert (first.state, first.sha256) == (EvidenceState.SUPERSEDED, kept("方案").sha256)
    assert evidence.standing_evidence(school.session, submission=works[0]) == [second, third]
    slots = evidence.slots_filled(school.session, scheme=school.scheme, submission=works[0])
    assert [slot.id for slot in slots] == ["plan", "report"]
    assert evidence.slots_filled(school.session, scheme=school.scheme, submission=works[1]) == []


def test_the_very_same_file_fills_a_slot_once(school: School, works: list[Submission]) -> None:
    first = add(school, works[0])
    with pytest.raises(SameFile) as no:
        add(school, works[0], file_name="又一份.docx")
    assert (no.value.status, str(no.value).startswith("“")) == (409, True)
    assert "里已经有一个完全相同的文件“方案.docx”" in str(no.value)
    again = add(school, works[0], replaces=first)  # after a check that went wrong by itself
    other = add(school, works[0], slot="report")
    assert evidence.standing_evidence(school.session, submission=works[0]) == [again, other]
    evidence.remove_evidence(school.session, actor=school.teachers[0], evidence=again)
    assert add(school, works[0]).state is EvidenceState.WAITING


def test_a_file_handed_in_by_mistake_is_taken_back_and_nothing_is_lost(school: School, works: list[Submission]) -> None:
    file = add(school, works[0])
    for actor in (school.teachers[1], school.admin, school.members[0]):
        with pytest.raises(NotAllowed):
            evidence.remove_evidence(school.session, actor=actor, evidence=file)
    evidence.remove_evidence(school.session, actor=school.teachers[0], evidence=file)
    school.session.flush()
    assert evidence.standing_evidence(school.session, submission=works[0]) == []
    assert (file.state, file.storage_key, file.removed_at) == (EvidenceState.SUPERSEDED, kept("方案").key, None)
    assert evidence.wanted(school.session, evidence=file) is None  # its check has nothing to do any more
    (event,) = school.session.scalars(select(AuditEvent).where(AuditEvent.deed == "evidence.remove"))
    assert (event.about, event.data) == (f"evidence:{file.id}", '{"slot":"plan"}')
    with pytest.raises(NotFound):
        evidence.remove_evidence(school.session, actor=school.teachers[0], evidence=file)


def test_what_is_sealed_or_after_the_hard_close_stays(school: School, works: list[Submission], clock: Clock) -> None:
    late = add(school, works[1], slot="notes")
    school.fill(works[0])
    submissions.seal(school.session, actor=school.teachers[0], submission=works[0], own_work=True)
    with pytest.raises(NotEditable):
        evidence.remove_evidence(
            school.session,
            actor=school.teachers[0],
            evidence=evidence.standing_evidence(school.session, submission=works[0])[0],
        )
    clock.to(school.round.hard_close_at + timedelta(seconds=1))
    with pytest.raises(WindowClosed):
        evidence.remove_evidence(school.session, actor=school.teachers[0], evidence=late)


def test_a_file_of_another_work_is_not_superseded(school: School, works: list[Submission]) -> None:
    other = add(school, works[1], slot="notes")
    with pytest.raises(NotAllowed) as no:
        add(school, works[0], replaces=other)
    assert str(no.value) == "您没有权限做这件事：这是另一项成果的证据。"
    assert other.state is EvidenceState.WAITING


def test_an_ability_takes_its_own_slots_only(school: School, works: list[Submission]) -> None:
    with pytest.raises(UnknownSlot) as no:
        add(school, works[0], slot="clip")
    assert (no.value.status, str(no.value)) == (422, "“A1”没有“clip”这个证据项；应为：plan、report。")


def test_nobody_else_hangs_a_file_on_it(school: School, works: list[Submission]) -> None:
    for actor in (school.teachers[1], school.admin, school.members[0]):
        with pytest.raises(NotAllowed) as no:
            add(school, works[0], actor=actor)
        assert str(no.value) == "您没有权限做这件事：这是另一位教师的成果。"
    assert evidence.standing_evidence(school.session, submission=works[0]) == []


def test_a_sealed_work_takes_no_file(school: School, works: list[Submission]) -> None:
    school.seal(school.teachers[0])
    with pytest.raises(NotEditable) as no:
        add(school, works[0])
    assert (no.value.status, str(no.value)) == (409, "这项成果现在是“已封存待互评”，不能再改动证据。")


def test_the_last_second_before_the_hard_close_counts(school: School, works: list[Submission], clock: Clock) -> None:
    clock.to(school.round.hard_close_at)
    add(school, works[0])
    clock.day(4, 4, 0)
    with pytest.raises(WindowClosed) as no:
        add(school, works[0])
    assert (no.value.status, str(no.value)) == (409, "本轮提交已于2026-04-03 23:59:59最终截止。")
    with pytest.raises(WindowClosed):
        submissions.seal(school.session, actor=school.teachers[0], submission=works[0], own_work=True)


def test_a_round_that_is_over_takes_no_file(school: School, works: list[Submission]) -> None:
    from review_flow.rules.lifecycle import RoundPhase

    school.round.phase = RoundPhase.PUBLICITY
    with pytest.raises(WrongPhase) as no:
        add(school, works[0])
    assert str(no.value) == "本轮考核正处于“公示”阶段，不能这样做。"
    school.round.phase = RoundPhase.OPEN


def test_what_is_missing_is_said_slot_by_slot(school: School, works: list[Submission]) -> None:
    def missing(work: Submission) -> list[str]:
        files = evidence.standing_evidence(school.session, submission=work)
        return evidence.missing(school.scheme, submission=work, evidence=files)

    assert missing(works[0]) == ["“学情分析方案”还差1个文件", "“学情分析报告”还差1个文件"]
    assert missing(works[2]) == [
        "“教学设计（该环节）”还差1个文件",
        "“课堂实录片段”还差1个文件",
        "“学生体会”还差2个文件",
    ]
    plan = add(school, works[0])
    assert missing(works[0]) == ["“学情分析报告”还差1个文件"]  # a file that waits for its check holds nobody up
    school.check(plan, verdict="rejected")
    assert missing(works[0]) == [
        "“学情分析方案”的文件“方案.docx”不合格，请更换",
        "“学情分析方案”还差1个文件",
        "“学情分析报告”还差1个文件",
    ]


def test_the_check_is_told_what_it_needs_of_a_file(school: School, works: list[Submission]) -> None:
    plan, clip = add(school, works[0]), add(school, works[2], slot="clip", content="课", file_name="课.mp4")
    wanted = evidence.wanted(school.session, evidence=plan)
    assert wanted == evidence.Wanted(
        storage_key=plan.storage_key,
        sha256=plan.sha256,
        file_name="方案.docx",
        author_id=school.teachers[0].id,
        submission_id=works[0].id,
        round_id=school.round.id,
        slot={
            "kind": None,
            "formats": [],
            "min_seconds": None,
            "max_seconds": None,
            "min_chars": None,
            "teacher_visible": False,
        },
        confidence=0.99,
        known_hashes={},
    )
    shown = evidence.wanted(school.session, evidence=clip)
    assert shown is not None
    assert (shown.slot["kind"], shown.slot["max_seconds"], shown.slot["teacher_visible"]) == ("video", 600, None)
    add(school, works[0], content="新", replaces=plan)
    assert evidence.wanted(school.session, evidence=plan) is None


def test_the_same_file_in_another_work_is_known_and_a_work_is_no_twin_of_itself(
    school: School, works: list[Submission]
) -> None:
    mine = add(school, works[0], content="同一份")
    assert evidence.known_hashes(school.session, evidence=mine) == {}
    add(school, works[0], slot="report", content="同一份")
    assert evidence.known_hashes(school.session, evidence=mine) == {}
    twin = add(school, works[1], slot="notes", content="同一份")
    assert evidence.known_hashes(school.session, evidence=mine) == {}  # it came first
    assert evidence.known_hashes(school.session, evidence=twin) == {mine.sha256: f"submission:{works[0].id}"}


def test_a_file_that_is_looked_at_twice_keeps_its_newest_findings(school: School, works: list[Submission]) -> None:
    from models import Finding

    file = add(school, works[0])
    school.check(file, verdict="human", present=None)
    school.check(file, verdict="valid", present=True)
    findings = school.session.scalars(select(Finding).where(Finding.evidence_id == file.id)).all()
    assert [(one.position, one.code, one.level, one.text) for one in findings] == [(0, "said", "info", "结论：valid")]
    assert (file.state, file.verdict, file.teacher_present) == (EvidenceState.CHECKED, Verdict.VALID, True)
    assert (file.report, file.checked_at) == ({"media": {"kind": "video"}}, now())


def test_the_check_of_a_superseded_file_changes_nothing_of_the_work(school: School, works: list[Submission]) -> None:
    first = add(school, works[0])
    add(school, works[0], content="新", replaces=first)
    school.check(first, verdict="rejected")
    assert (first.state, first.verdict) == (EvidenceState.SUPERSEDED, Verdict.REJECTED)
    files = evidence.standing_evidence(school.session, submission=works[0])
    assert evidence.missing(school.scheme, submission=works[0], evidence=files) == ["“学情分析报告”还差1个文件"]


def test_a_file_s_neutral_name_and_its_findings(school: School, works: list[Submission]) -> None:
    first, second = works[:2]
    school.fill(first)
    school.fill(second)
    handed = [evidence.standing_evidence(school.session, submission=one)[0] for one in (first, second)]
    assert evidence.neutral_name(handed[0]) == f"{handed[0].slot}-{handed[0].id}.mp4"
    school.session.delete(school.session.scalars(select(Finding).where(Finding.evidence_id == handed[1].id)).one())
    found = evidence.findings_of(school.session, handed=handed)
    assert {key: [one.code for one in said] for key, said in found.items()} == {
        handed[0].id: ["said"],
        handed[1].id: [],
    }


def test_files_are_listed_in_one_query(school: School, works: list[Submission]) -> None:
    for number in range(3):
        add(school, works[0], content=str(number))
    school.session.refresh(works[0])
    with queries(school.session) as sent:
        files = evidence.standing_evidence(school.session, submission=works[0])
        assert len(files) == 3
    assert len(sent) == 1


def test_a_correction_is_taken_to_the_last_second_of_its_days(school: School, works: list[Submission], clock: Clock):
    work = works[0]
    school.fill(work)
    submissions.seal(school.session, actor=school.teachers[0], submission=work, own_work=True)
    file = school.session.scalars(select(Evidence).where(Evidence.submission_id == work.id)).first()
    school.check(file, verdict="rejected", present=None)
    due = work.correction_due_at
    assert due is not None
    clock.to(due)
    add(school, work, slot=file.slot, content="补正", replaces=file)
    clock.to(due + timedelta(seconds=1))
    with pytest.raises(CorrectionOver) as no:
        add(school, work, content="太晚")
    assert (no.value.status, str(no.value)) == (409, "补正期已于2026-03-09 23:59:59结束。")


def test_of_several_twins_the_first_is_named(school: School, works: list[Submission]) -> None:
    first, second = (
        add(school, work, slot=slot, content="同") for work, slot in zip(works, ("plan", "notes"), strict=False)
    )
    third = add(school, works[2], slot="lesson_plan", content="同")
    assert evidence.known_hashes(school.session, evidence=third) == {third.sha256: f"submission:{first.submission_id}"}
    assert second.sha256 == third.sha256


def checked(school: School, file: Evidence, *, kind: str = "video", verdict: str = "valid") -> Evidence:
    report = {"verdict": verdict, "present": True, "findings": [], "media": {"kind": kind}}
    submissions.record_check(school.session, evidence=file, report=report, sheet_key=None)
    return file


def copies_due(school: School) -> list[int]:
    due = select(DueWork.subject_id).where(DueWork.kind == WorkKind.COPY_EVIDENCE, DueWork.done_at.is_(None))
    return list(school.session.scalars(due))


def test_films_and_photos_that_stand_get_what_reviewers_see_of_them(school: School, works: list[Submission]) -> None:
    session = school.session
    film = checked(school, add(school, works[0]))
    photo = checked(school, add(school, works[0], content="照片"), kind="photo", verdict="human")
    text = checked(school, add(school, works[0], content="文档"), kind="document")
    refused = checked(school, add(school, works[0], content="坏"), verdict="rejected")
    waiting = add(school, works[0], content="等")
    for file in (film, photo, text, refused, waiting):
        evidence.book_copy(session, evidence=file)
    assert copies_due(school) == [film.id, photo.id]
    assert evidence.to_copy(session, evidence=film) == film.storage_key
    newer = add(school, works[0], content="新", replaces=film)
    assert (evidence.to_copy(session, evidence=film), newer.playable_key) == (None, None)


def test_a_copy_is_kept_beside_the_file_and_made_once(school: School, works: list[Submission]) -> None:
    film = checked(school, add(school, works[0]))
    evidence.record_copy(school.session, evidence=film, playable_key="ab/copy", poster_key="cd/poster", failed=False)
    assert (film.playable_key, film.poster_key, film.storage_key) == ("ab/copy", "cd/poster", kept("方案").key)
    assert (film.verdict, school.session.scalars(select(Finding)).all()) == (Verdict.VALID, [])
    evidence.book_copy(school.session, evidence=film)
    assert copies_due(school) == []
    (event,) = school.session.scalars(select(AuditEvent).where(AuditEvent.deed == "evidence.copy"))
    assert event.data == '{"failed":false}'


def test_what_a_copy_leaves_out_is_said_to_who_looks_at_it(school: School, works: list[Submission]) -> None:
    film = checked(school, add(school, works[0]))
    evidence.record_copy(
        school.session,
        evidence=film,
        playable_key="ab/copy",
        poster_key=None,
        failed=False,
        notes=("没有声音", "缺一段"),
    )
    said = school.session.scalars(select(Finding).order_by(Finding.position)).all()
    assert [(one.position, one.code, one.level, one.text) for one in said] == [
        (0, "copy_note", "info", "没有声音"),
        (1, "copy_note", "info", "缺一段"),
    ]


@pytest.mark.parametrize("before", [0, 2])
def test_a_copy_that_could_not_be_made_is_a_note_and_the_verdict_stays(
    school: School, works: list[Submission], before: int
) -> None:
    film = checked(school, add(school, works[0]))
    for position in range(before):
        school.session.add(Finding(evidence_id=film.id, position=position, code="said", level="info", text="有"))
    evidence.record_copy(school.session, evidence=film, playable_key=None, poster_key=None, failed=True)
    note = school.session.scalars(select(Finding).where(Finding.code == "no_copy")).one()
    assert (note.position, note.level, note.evidence_id) == (before, "info", film.id)
    assert note.text == "没能做出可在浏览器里播放的副本，请下载原件查看。"
    assert (film.verdict, film.playable_key) == (Verdict.VALID, None)
