from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import delete, func, select, update

from models import (
    FINGERPRINT_KEY,
    AuditEvent,
    CopyHit,
    DueWork,
    Evidence,
    Finding,
    Fingerprint,
    Organization,
    Person,
    Round,
    Submission,
)
from review_flow.errors import BadInput, NotAllowed
from review_flow.evidence.copies import Print, texts
from review_flow.evidence.copies.prints import keys_of, packed
from review_flow.rules.verdict import Level
from review_flow.rules.words import CopyKind, EvidenceState, OrganizationKind, Verdict, WorkKind
from review_flow.steps import common_sources, copies, evidence, people, rounds
from tests.cast import School, kept

SIGNS = "教学设计学情分析目标活动评价反思技术支持课堂提问讨论合作探究练习作业板书导入讲授总结学生教师问题情境资源"


def prose(seed: int, length: int = 400) -> str:
    """Chinese text of its own for each seed."""
    chance = np.random.default_rng(seed)
    return "".join(SIGNS[index] for index in chance.integers(0, len(SIGNS), length))


def written(text: str) -> list[Print]:
    return texts.fingerprint(text, paged=False)


class Desk:
    """A school of five with an open round: files come in and are compared, in one line each."""

    def __init__(self, school: School) -> None:
        self.school, self.session = school, school.session
        self.works = {person.id: school.ready(person) for person in school.teachers}

    def add(self, teacher: int, content: str, *, work: int = 0, slot: str = "plan", **names) -> Evidence:
        person = self.school.teachers[teacher]
        return evidence.add_evidence(
            self.session,
            actor=person,
            submission=self.works[person.id][work],
            slot=slot,
            file_name=f"{person.name}的教案.docx",
            stored=kept(content),
            **names,
        )

    def look(self, file: Evidence, prints: list[Print], *, verdict: str = "valid"):
        """What the flow does: compare outside, record inside, then the check's own report."""
        compared = copies.compare(prints, copies.near(self.session, evidence=file, prints=prints))
        said = copies.record(self.session, evidence=file, prints=prints, compared=compared)
        self.school.check(file, verdict="human" if said else verdict)
        return said

    def hand_in(self, teacher: int, text: str, **names) -> tuple[Evidence, list]:
        file = self.add(teacher, text, **names)
        return file, self.look(file, written(text))

    def hits(self) -> list[tuple[int, int, str]]:
        rows = self.session.scalars(select(CopyHit).order_by(CopyHit.id))
        return [(one.evidence_id, one.earlier_id, one.kind.value) for one in rows]


@pytest.fixture
def desk(school: School) -> Desk:
    return Desk(school.open())


def test_of_two_files_alike_the_later_gets_the_finding_and_nobody_is_named(desk: Desk) -> None:
    text = prose(1)
    first, said = desk.hand_in(0, text)
    assert said == []
    later, said = desk.hand_in(1, "前言不同。" + text[:300] + prose(2, 100))
    (finding,) = said
    assert (finding.code, finding.level) == ("copy_text", Level.HUMAN)
    quote = text[:39] + "…"
    assert finding.text == (
        f"有 1 段文字与本校另一位教师的成果的一份文档相同（占较短者的 75%），如“{quote}”。请人工核对。"
    )
    assert desk.hits() == [(later.id, first.id, "text")]
    assert first.verdict is Verdict.VALID


def test_a_file_unlike_all_others_has_nothing_to_say(desk: Desk) -> None:
    desk.hand_in(0, prose(1))
    _file, said = desk.hand_in(1, prose(2))
    assert (said, desk.hits()) == ([], [])
    (event, _other) = desk.session.scalars(
        select(AuditEvent).where(AuditEvent.deed == "evidence.compare").order_by(AuditEvent.id.desc())
    )
    assert event.data == '{"hits":0,"near":0}'


def test_keys_shared_by_chance_are_compared_and_found_different(desk: Desk) -> None:
    (mine,), (other,) = written(prose(1)), written(prose(2))
    first = desk.add(0, "a")
    desk.look(first, [mine])
    crossed = Print(CopyKind.TEXT, mine.keys[:5] + other.keys[5:], other.data)
    second = desk.add(1, "b")
    assert [one.evidence_id for one in copies.near(desk.session, evidence=second, prints=[crossed])] == [first.id]
    assert desk.look(second, [crossed]) == []
    one_key = Print(CopyKind.TEXT, (*mine.keys[:1], *other.keys[1:]), other.data)
    third = desk.add(2, "c")
    assert first.id not in {one.evidence_id for one in copies.near(desk.session, evidence=third, prints=[one_key])}


def test_who_is_checked_first_does_not_matter(desk: Desk) -> None:
    text = prose(1)
    first, later = desk.add(0, text + "甲"), desk.add(1, text)
    assert desk.look(later, written(text)) == []
    assert later.verdict is Verdict.VALID
    assert desk.look(first, written(text + "甲")) == []
    assert desk.hits() == [(later.id, first.id, "text")]
    assert (later.verdict, first.verdict) == (Verdict.HUMAN, Verdict.VALID)
    told = desk.session.scalars(select(Finding).where(Finding.evidence_id == later.id).order_by(Finding.position)).all()
    assert [(one.position, one.code, one.level) for one in told] == [(0, "said", "info"), (1, "copy_text", "human")]
    desk.look(first, written(text + "甲"))  # checked again: nothing is said twice
    assert desk.hits() == [(later.id, first.id, "text")]
    assert len(desk.session.scalars(select(Finding).where(Finding.evidence_id == later.id)).all()) == 2
    places = desk.session.scalars(select(CopyHit)).one().places
    assert (places["here"][0]["start"], places["there"][0]["end"]) == (0, len(text))


def test_a_later_file_that_was_refused_stays_so_and_one_without_findings_gets_its_first(desk: Desk) -> None:
    text = prose(1)
    first, later, last = desk.add(0, "一"), desk.add(1, "二"), desk.add(2, "三")
    desk.look(later, written(text), verdict="rejected")
    desk.look(last, written(text))
    desk.session.execute(delete(Finding).where(Finding.evidence_id == last.id))
    desk.look(first, written(text))
    assert (later.verdict, last.verdict) == (Verdict.REJECTED, Verdict.HUMAN)
    (told,) = desk.session.scalars(select(Finding).where(Finding.evidence_id == last.id)).all()
    assert (told.position, told.code) == (0, "copy_text")


def test_a_later_file_whose_check_is_still_to_come_is_told_then(desk: Desk) -> None:
    text = prose(1)
    first, later = desk.add(0, "一"), desk.add(1, "二")
    copies.record(desk.session, evidence=later, prints=written(text), compared={})  # cut off before its report
    desk.look(first, written(text))
    assert desk.session.scalars(select(Finding).where(Finding.evidence_id == later.id)).all() == []
    assert [one.code for one in desk.look(later, written(text))] == ["copy_text"]
    assert desk.hits() == [(later.id, first.id, "text")]


def test_who_came_in_between_is_compared_under_the_turn(desk: Desk) -> None:
    text = prose(1)
    first, second = desk.add(0, "一"), desk.add(1, "二")
    prints = written(text)
    before = copies.compare(prints, copies.near(desk.session, evidence=second, prints=prints))
    assert before == {}
    desk.look(first, prints)
    said = copies.record(desk.session, evidence=second, prints=prints, compared=before)
    assert [one.code for one in said] == ["copy_text"]


def test_what_was_compared_before_is_not_compared_again(desk: Desk) -> None:
    text = prose(1)
    first, second = desk.add(0, "一"), desk.add(1, "二")
    prints = written(text)
    desk.look(first, prints)
    (found,) = copies.near(desk.session, evidence=second, prints=prints)
    assert copies.record(desk.session, evidence=second, prints=prints, compared={found.id: None}) == []


def test_a_work_is_not_its_own_copy_nor_are_files_its_author_replaced(desk: Desk) -> None:
    text = prose(1)
    first, _said = desk.hand_in(0, text)
    _report, said = desk.hand_in(0, text + "补", slot="report")
    assert said == []
    again, said = desk.hand_in(0, text + "改", replaces=first)
    assert said == []
    assert (first.state, desk.hits()) == (EvidenceState.SUPERSEDED, [])
    _elsewhere, said = desk.hand_in(0, text + "别处", work=1, slot="notes")
    assert [one.code for one in said] == ["reuse_text"]  # of the report and the newer plan, in the same words
    assert said[0].text.startswith("有 1 段文字与作者本人在本轮的另一项成果（A1）的一份文档相同")
    assert first.id not in {earlier for _later, earlier, _kind in desk.hits()}
    assert again.id in {earlier for _later, earlier, _kind in desk.hits()}


def test_own_work_of_another_year_is_told_apart(desk: Desk) -> None:
    old, _said = desk.hand_in(0, prose(1))
    other = desk.school.setup_named("2025春")
    work = desk.session.get_one(Submission, old.submission_id)
    enrolment = rounds.enrol(desk.session, actor=desk.school.admin, round_=other, person=desk.school.teachers[0])
    desk.session.execute(
        update(Submission).where(Submission.id == work.id).values(round_id=other.id, enrolment_id=enrolment.id)
    )
    desk.session.refresh(work)
    _file, said = desk.hand_in(0, prose(1) + "新", work=1, slot="notes")
    assert [one.code for one in said] == ["reuse_text"]
    assert said[0].text.startswith("有 1 段文字与作者本人往年的成果（2025春 A1）的一份文档相同")


def another_school(desk: Desk, person: Person, *, tree: bool) -> None:
    """Move a teacher's works to a round of another school, under the same county or not."""
    session = desk.session
    county = Organization(kind=OrganizationKind.COUNTY, name="某县")
    session.add(county)
    session.flush()
    elsewhere = Organization(kind=OrganizationKind.SCHOOL, name="第二中学", parent_id=county.id if tree else None)
    session.add(elsewhere)
    session.flush()
    desk.school.organization.parent_id = county.id
    moved = desk.school.setup_named("另一校")
    session.flush()
    enrolment = rounds.enrol(session, actor=desk.school.admin, round_=moved, person=person)
    session.execute(update(Round).where(Round.id == moved.id).values(organization_id=elsewhere.id))
    session.execute(
        update(Submission)
        .where(Submission.author_id == person.id, Submission.ability == "A1")
        .values(round_id=moved.id, enrolment_id=enrolment.id)
    )
    session.expire_all()


def test_of_another_school_nothing_is_told_but_that_it_is_another(desk: Desk) -> None:
    text = prose(1)
    first = desk.add(0, text)
    another_school(desk, desk.school.teachers[0], tree=True)
    desk.look(first, written(text))
    later, said = desk.hand_in(1, text + "别")
    (finding,) = said
    assert finding.code == "copy_text"
    assert "与另一所学校的成果的一份文档相同" in finding.text
    (side,) = copies.side_by_side(desk.session, actor=desk.school.members[0], evidence=later)
    assert side["whose"] == "另一所学校的成果"
    assert list(side["there"]) == ["places"]
    twin = desk.add(2, text)
    assert evidence.known_hashes(desk.session, evidence=twin) == {twin.sha256: "另一所学校的成果"}
    assert "第二中学" not in str(side) + finding.text


def test_another_tree_is_never_looked_at(desk: Desk) -> None:
    text = prose(1)
    first = desk.add(0, text)
    another_school(desk, desk.school.teachers[0], tree=False)
    desk.look(first, written(text))
    later, said = desk.hand_in(1, text)
    assert (said, desk.hits()) == ([], [])
    assert evidence.known_hashes(desk.session, evidence=later) == {}


def test_the_same_file_is_an_exact_hit_and_no_other(desk: Desk) -> None:
    text = prose(1)
    first, _said = desk.hand_in(0, text)
    later, said = desk.hand_in(1, text)
    assert [(one.code, one.text) for one in said] == [
        ("duplicate", f"与已提交的文件完全相同（submission:{first.submission_id}），请人工确认。")
    ]
    assert desk.hits() == [(later.id, first.id, "exact")]


def test_at_most_five_others_are_named_and_all_are_kept(desk: Desk) -> None:
    text = prose(1)
    for teacher in range(4):
        for work, slot in ((0, "plan"), (0, "report")):
            desk.hand_in(teacher, text + f"{teacher}{slot}", work=work, slot=slot)
    last, said = desk.hand_in(4, text)
    assert [one.code for one in said] == ["copy_text"] * len(said)
    assert len(said) <= 5
    assert len([one for one in desk.hits() if one[0] == last.id]) == 8


@pytest.mark.parametrize(
    ("kind", "places", "text"),
    [
        (
            CopyKind.VIDEO,
            ({"from_s": 12.0, "to_s": 65.4}, {"from_s": 0.0, "to_s": 53.0}),
            "视频画面与本校另一位教师的成果的一个视频相同（占较短者的 86%）：本文件 0:12–1:05，对应对方 0:00–0:53。请人工核对。",
        ),
        (
            CopyKind.AUDIO,
            ({"from_s": 1.0, "to_s": 2.0}, {"from_s": 3.0, "to_s": 4.0}),
            "声音与本校另一位教师的成果的一段录音相同（占较短者的 86%）：本文件 0:01–0:02，对应对方 0:03–0:04。请人工核对。",
        ),
        (
            CopyKind.IMAGE,
            ({"box": [0, 0, 9, 9]}, {"box": [1, 1, 8, 8]}),
            "照片与本校另一位教师的成果的一张照片画面相同（占较小者的 86%）。请人工核对。",
        ),
    ],
)
def test_each_kind_has_its_sentence(desk: Desk, kind: CopyKind, places, text: str) -> None:
    first, later = desk.add(0, "一"), desk.add(1, "二")
    keys = keys_of(kind, np.arange(100, dtype=np.uint64))
    prints = [Print(kind, keys, packed(nothing=np.zeros(1)))]
    copies.keep(desk.session, prints=prints, evidence_id=first.id)
    (found,) = copies.near(desk.session, evidence=later, prints=prints)
    match = copies.Match(kind, 0.86, (places[0],), (places[1],))
    (said,) = copies.record(desk.session, evidence=later, prints=prints, compared={found.id: match})
    assert (said.code, said.text) == (f"copy_{kind.value}", text)


def test_the_panel_sees_both_sides_and_others_do_not(desk: Desk) -> None:
    text = prose(1)
    first, _said = desk.hand_in(0, text)
    later, _said = desk.hand_in(1, text[:200] + prose(3, 50))
    panel, admin = desk.school.members[0], desk.school.admin
    (side,) = copies.side_by_side(desk.session, actor=panel, evidence=later)
    assert (side["kind"], side["percent"], side["own"], side["came_later"]) == ("text", 80, False, True)
    assert (side["here"]["author"], side["there"]["author"]) == ("李伟", "王芳")
    assert (side["there"]["evidence"], side["there"]["slot"], side["there"]["file"]) == (
        first.id,
        "plan",
        "王芳的教案.docx",
    )
    assert side["here"]["places"][0]["quote"] == side["there"]["places"][0]["quote"]
    (turned,) = copies.side_by_side(desk.session, actor=admin, evidence=first)
    assert (turned["came_later"], turned["there"]["author"]) == (False, "李伟")
    assert turned["here"]["places"] == side["there"]["places"]
    for somebody in desk.school.teachers[:3]:
        with pytest.raises(NotAllowed):
            copies.side_by_side(desk.session, actor=somebody, evidence=later)


def test_who_has_to_keep_away_sees_neither_file_nor_name(desk: Desk) -> None:
    text = prose(1)
    first, _said = desk.hand_in(0, text)
    later, _said = desk.hand_in(1, text + "别")
    panel = desk.school.members[0]
    people.declare_conflict(
        desk.session, actor=desk.school.admin, one=panel, other=desk.school.teachers[0], reason="夫妻"
    )
    (side,) = copies.side_by_side(desk.session, actor=panel, evidence=later)
    assert list(side["there"]) == ["places"]
    with pytest.raises(NotAllowed) as no:
        copies.side_by_side(desk.session, actor=panel, evidence=first)
    assert str(no.value) == "您没有权限做这件事：应回避本人或有关联的教师。"


def test_a_key_that_too_many_hold_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MOST_HOLDERS", 2)
    (one,) = written(prose(1))
    files = [desk.add(teacher, f"{teacher}") for teacher in range(3)]
    for file in files:
        copies.keep(desk.session, prints=[one], evidence_id=file.id)
    held = desk.session.execute(
        select(Fingerprint.evidence_id, func.count(FINGERPRINT_KEY.c.value))
        .outerjoin(FINGERPRINT_KEY, FINGERPRINT_KEY.c.fingerprint_id == Fingerprint.id)
        .group_by(Fingerprint.evidence_id)
        .order_by(Fingerprint.evidence_id)
    ).all()
    assert [tuple(row) for row in held] == [(files[0].id, 128), (files[1].id, 128), (files[2].id, 0)]
    found = copies.near(desk.session, evidence=desk.add(3, "四"), prints=[one])
    assert [near.evidence_id for near in found] == [files[0].id, files[1].id]


def test_prints_of_another_format_are_never_compared(desk: Desk) -> None:
    text = prose(1)
    desk.hand_in(0, text)
    desk.session.execute(update(Fingerprint).values(format=0))
    _later, said = desk.hand_in(1, text + "别")
    assert said == []


def test_a_file_s_fingerprints_and_hits_go_with_it(desk: Desk) -> None:
    text = prose(1)
    first, _said = desk.hand_in(0, text)
    later, _said = desk.hand_in(1, text + "别")
    copies.forget(desk.session, evidence=first)
    assert desk.hits() == []
    assert set(desk.session.scalars(select(Fingerprint.evidence_id))) == {later.id}
    desk.session.execute(delete(Finding).where(Finding.evidence_id == later.id))
    desk.session.execute(delete(Evidence).where(Evidence.id == later.id))
    assert desk.session.scalars(select(func.count()).select_from(Fingerprint)).one() == 0
    assert desk.session.scalars(select(func.count()).select_from(FINGERPRINT_KEY)).one() == 0


def test_files_from_before_the_index_are_compared_when_they_are_fingerprinted(desk: Desk) -> None:
    text = prose(1)
    files = [desk.add(0, text), desk.add(1, text + "别")]
    for file in files:
        desk.school.check(file, verdict="valid")
    assert copies.without_prints(desk.session) == files
    assert copies.index(desk.session, evidence=files[0], prints=written(text)) == 0
    assert copies.without_prints(desk.session) == [files[1]]
    assert copies.index(desk.session, evidence=files[1], prints=written(text + "别")) == 1
    assert copies.index(desk.session, evidence=files[1], prints=written(text + "别")) == 0  # said already
    assert desk.hits() == [(files[1].id, files[0].id, "text")]
    assert [one.verdict for one in files] == [Verdict.VALID, Verdict.HUMAN]
    assert copies.without_prints(desk.session) == []


def whitelisted(desk: Desk, text: str, **names):
    names = {"actor": desk.school.admin, "reason": "学校统一模板", **names}
    return common_sources.whitelist(
        desk.session,
        organization=desk.school.organization,
        sha256=kept(text).sha256,
        name="教案模板.docx",
        prints=written(text),
        **names,
    )


def test_a_template_explains_what_two_copies_of_it_share(desk: Desk) -> None:
    template = prose(9)
    source = whitelisted(desk, template)
    assert (source.reason, source.added_by_id, source.ended_at) == ("学校统一模板", desk.school.admin.id, None)
    desk.hand_in(0, template + prose(1, 200))
    _file, said = desk.hand_in(1, template + prose(2, 200))
    assert (said, desk.hits()) == ([], [])
    _file, said = desk.hand_in(2, template[:390] + "，" + prose(1, 200) + template[:30])
    assert [one.code for one in said] == ["copy_text"]  # what is not the template's is still found
    common_sources.end_whitelist(desk.session, actor=desk.school.admin, source=source, reason="已停用")
    assert common_sources.standing(desk.session, organization=desk.school.organization) == []
    _file, said = desk.hand_in(3, template + prose(3, 200))
    assert {one.code for one in said} == {"copy_text"}
    deeds = desk.session.scalars(
        select(AuditEvent.deed).where(AuditEvent.deed.like("copies.%")).order_by(AuditEvent.id)
    )
    assert list(deeds) == ["copies.whitelist", "copies.unlist"]


def test_what_is_put_on_the_list_or_taken_off_is_checked_again_where_undecided(desk: Desk) -> None:
    text = prose(1)
    first, _said = desk.hand_in(0, text)
    same, _said = desk.hand_in(1, text)
    other, _said = desk.hand_in(2, prose(2))
    old, _said = desk.hand_in(3, text + "旧")
    desk.hand_in(3, prose(5), replaces=old)
    decided, _said = desk.hand_in(4, text + "定")
    desk.session.get_one(Submission, decided.submission_id).valid = True
    desk.session.execute(delete(DueWork))

    def due() -> list[int]:
        found = desk.session.scalars(
            select(DueWork.subject_id).where(DueWork.kind == WorkKind.CHECK_EVIDENCE).order_by(DueWork.subject_id)
        ).all()
        desk.session.execute(delete(DueWork))
        desk.session.expire_all()
        return list(found)

    source = common_sources.whitelist_evidence(
        desk.session, actor=desk.school.admin, evidence=first, reason="教研组共同备课"
    )
    assert due() == [first.id, same.id]
    assert other.id not in {first.id, same.id}
    assert evidence.known_hashes(desk.session, evidence=same) == {}
    assert desk.look(same, written(text)) == []
    common_sources.end_whitelist(desk.session, actor=desk.school.admin, source=source, reason="不再共用")
    assert due() == [first.id, same.id]
    assert [one.code for one in desk.look(same, written(text))] == ["duplicate"]


def test_the_list_asks_for_the_administrator_and_a_reason_and_holds_a_file_once(desk: Desk) -> None:
    text = prose(1)
    with pytest.raises(NotAllowed):
        whitelisted(desk, text, actor=desk.school.members[0])
    with pytest.raises(BadInput) as no:
        whitelisted(desk, text, reason=" ")
    assert str(no.value) == "理由：请写明为什么大家都可以用它。"
    source = whitelisted(desk, text)
    with pytest.raises(common_sources.AlreadyCommon) as no:
        whitelisted(desk, text)
    assert (no.value.status, str(no.value)) == (409, "“教案模板.docx”已在共用素材名单里。")
    with pytest.raises(NotAllowed):
        common_sources.end_whitelist(desk.session, actor=desk.school.members[0], source=source, reason="x")
    with pytest.raises(BadInput) as no:
        common_sources.end_whitelist(desk.session, actor=desk.school.admin, source=source, reason="")
    assert str(no.value) == "理由：请写明为什么不再列为共用素材。"
    common_sources.end_whitelist(desk.session, actor=desk.school.admin, source=source, reason="停用")
    with pytest.raises(common_sources.NotCommon) as no:
        common_sources.end_whitelist(desk.session, actor=desk.school.admin, source=source, reason="停用")
    assert (no.value.status, str(no.value)) == (409, "“教案模板.docx”已不在共用素材名单里。")
    whitelisted(desk, text)  # and back on it
    assert len(common_sources.standing(desk.session, organization=desk.school.organization)) == 1
