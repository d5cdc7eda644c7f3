"""自评, 现场评价, 学生与家长问卷: gathered, graded beside peers and panel, and replayed from the archive (002-1-07)."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from sqlalchemy import select

from models import Fact, Person, SheetImport
from review_flow import schemes as scheme_files
from review_flow.errors import NotAllowed
from review_flow.outside.spreadsheets import SheetUnreadable
from review_flow.rules.grading import RecordInvalid, grade
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import FactKind, JobState, RoleKind, SheetKind
from review_flow.steps import advance, exports, own_data, people, programme, results, standing, voices
from review_flow.steps.exports_archive import archive
from review_flow.steps.facts import record_of
from review_flow.steps.programme import NotTold, Telling
from review_flow.steps.voices import give_on_site_mark, give_self_mark
from tests.cast import Clock, School, certified, xian
from tests.sheets import bring
from tests.stages import stage
from tests.steps.test_groups import Shop

HEADER = ["工号", "问卷", "得分", "份数", "来源", "编号"]
WEIGHTS = {"peer": "0.30", "panel": "0.40", "self": "0.05", "on_site": "0.10", "students": "0.10", "parents": "0.05"}
SOURCES = {"compose.sources": "002-1-07", "compose.min_answers": "default (X-40)"}


def weighed() -> Scheme:
    """001-A with the further sources of 002-1."""
    document = xian().document
    compose = {"rule": "weighted_mean", "sources": WEIGHTS, "min_answers": {"students": 3, "parents": 3}}
    return Scheme.from_document({**document, "compose": compose, "sources": {**document["sources"], **SOURCES}})


@stage
def asked(session, clock: Clock) -> School:
    school = School(session, scheme=weighed()).open().whole(peer="85", panel_mark="90")
    clock.day(4, 4)
    advance.advance(session, round_=school.round)
    return school


@stage
def case1(session, _clock: Clock) -> School:
    return School(session, teachers=2, scheme=scheme_files.load("case1-tiers"))


def survey(school: School, *rows: list[str], header: list[str] = HEADER) -> SheetImport:
    return bring(school, SheetKind.SURVEY, header, *rows)


def answer(number: str, mark: str, answers: str = "", who: str = "学生问卷", key: str = "12月") -> list[str]:
    return [number, who, mark, answers, "匿名问卷", key]


def self_mark(school: School, mark: str, number: int = 0) -> str:
    person = school.teachers[number]
    return give_self_mark(school.session, actor=person, enrolment=school.enrolment(person), mark=Decimal(mark))


def on_site(school: School, mark: str, *, member: int = 0, teacher: int = 0) -> str:
    enrolment = school.enrolment(school.teachers[teacher])
    return give_on_site_mark(school.session, actor=school.members[member], enrolment=enrolment, mark=Decimal(mark))


def said(school: School, number: int = 0) -> dict:
    return record_of(school.session, enrolment=school.enrolment(school.teachers[number])).get("sources", {})


def test_every_source_counts_in_the_grade_and_the_archive_gives_it_again(asked: School, tmp_path) -> None:
    assert self_mark(asked, "100") == "added"
    assert (on_site(asked, "88"), on_site(asked, "90", member=1)) == ("added", "added")
    brought = survey(
        asked, *(answer("T01", mark) for mark in ("90", "95", "94")), answer("T01", "92.5", "40", who="家长问卷")
    )
    assert (brought.state, brought.problems) == (JobState.DONE, None)
    first = asked.compose()[0]
    lines = [(one["rule"], one["text"]) for one in json.loads(first.outcome)["ledger"]]
    assert lines[:4] == [
        ("002-1-07", "自评100；权重0.05"),
        ("002-1-07", "现场评价88、90的平均89；权重0.10"),
        ("002-1-07", "学生问卷3份的平均93；权重0.10"),
        ("002-1-07", "家长问卷40份的平均92.5；权重0.05"),
    ]
    assert lines[4][1].endswith(
        "自评100，现场评价88、90的平均89，学生问卷3份的平均93，家长问卷40份的平均92.5；"
        "85×0.30+90×0.40+100×0.05+89×0.10+93×0.10+92.5×0.05=89.325"
    )
    assert (str(first.score), first.proposed_grade) == ("89.33", "优秀")
    assert results.replay(asked.session, result=first)
    made = tmp_path / "archive.zip"
    made.write_bytes(archive(asked.session, round_=asked.round))
    assert exports.verify(made) == []


def test_a_survey_with_too_few_answers_is_shown_and_not_counted(asked: School) -> None:
    survey(asked, answer("T01", "20", "2"))
    first, second = asked.compose()[:2]
    texts = [one["text"] for one in json.loads(first.outcome)["ledger"]]
    assert texts[0] == "学生问卷只有2份，不足3份，不计；权重0.10"
    assert (first.score, "source_missing" in json.loads(first.outcome)["flags"]) == (second.score, True)


def test_own_and_on_site_marks_are_seen_by_who_gave_them(asked: School) -> None:
    session, enrolment = asked.session, asked.enrolment(asked.teachers[0])
    assert voices.self_mark(session, enrolment=enrolment, scheme=xian()) is None
    assert voices.self_mark(session, enrolment=enrolment, scheme=asked.scheme) == (None, True)
    self_mark(asked, "90")
    on_site(asked, "88")
    on_site(asked, "70", member=1)
    assert voices.on_site_marks(session, person=asked.members[0], round_=asked.round) == {enrolment.id: Decimal(88)}
    made = asked.compose()[0]
    assert (made.proposed_grade, results.lower_of(session, result=made)) == ("优秀", "合格")
    results.confirm_all(session, actor=asked.members[0], round_=asked.round)
    assert voices.self_mark(session, enrolment=enrolment, scheme=asked.scheme) == (Decimal(90), False)


def test_what_does_not_count_is_hidden(asked: School) -> None:
    self_mark(asked, "90")
    survey(
        asked, answer("T01", "20", "2"), answer("T01", "30", "2", key="6月"), answer("T01", "95", "3", who="家长问卷")
    )
    facts = programme.facts_standing(asked.session, enrolment=asked.enrolment(asked.teachers[0]))
    hidden = [(one.about, str(one.number)) for one in facts if voices.hidden(asked.scheme, one)]
    assert hidden == [("students", "20.00"), ("students", "30.00")]


def test_one_s_own_data_say_neither_what_few_pupils_answered_nor_who_marked_in_the_classroom(asked: School) -> None:
    survey(asked, answer("T01", "20", "1"))
    survey(asked, answer("T01", "21", "2"))
    survey(asked, answer("T01", "95", "3"))
    self_mark(asked, "90")
    on_site(asked, "88")
    [told] = own_data.everything(asked.session, actor=asked.teachers[0])["rounds"]
    assert [(one["about"], one["number"], one["details"], one["source"]) for one in told["facts"]] == [
        ("students", None, {"answers": 1}, "匿名问卷"),
        ("students", None, {"answers": 2}, "匿名问卷"),
        ("students", "95.00", {"answers": 3}, "匿名问卷"),
        ("self", "90.00", {}, "王芳"),
        ("on_site", "88.00", {}, ""),
    ]


def test_a_survey_brought_again_changes_nothing_and_a_corrected_one_supersedes(case1: School) -> None:
    rows = [answer("T01", "90"), answer("T01", "80"), answer("T02", "70", "12")]
    survey(case1, *rows)
    survey(case1, *rows)
    assert said(case1) == {"students": [{"mark": "85.00", "answers": 2}]}
    assert said(case1, 1) == {"students": [{"mark": "70.00", "answers": 12}]}
    survey(case1, *rows, answer("T01", "100"), answer("T01", "60", key="6月"))
    assert said(case1) == {"students": [{"mark": "90.00", "answers": 3}, {"mark": "60.00", "answers": 1}]}
    everything = case1.session.scalars(select(Fact).order_by(Fact.id)).all()
    assert [(one.number, one.details, one.struck_at is None) for one in everything] == [
        (Decimal(85), {"answers": 2}, False),
        (Decimal(70), {"answers": 12}, True),
        (Decimal(90), {"answers": 3}, True),
        (Decimal(60), {"answers": 1}, True),
    ]


def test_a_look_at_a_survey_says_of_each_answer_what_it_would_do(case1: School) -> None:
    def look(*rows: list[str]) -> list[str]:
        seen = bring(case1, SheetKind.SURVEY, HEADER, *rows, look=True)
        return [one["what"] for one in seen.preview["rows"]]

    rows = [answer("T01", "90"), answer("T02", "70", "12"), answer("T01", "80")]
    assert look(*rows) == ["new", "new", "new"]
    survey(case1, *rows)
    assert look(*rows) == ["same", "same", "same"]
    assert look(*rows, answer("T01", "100"), answer("T01", "60", key="6月")) == [
        "changed", "same", "changed", "changed", "new",
    ]  # fmt: skip


def test_every_wrong_row_of_a_survey_is_named(case1: School) -> None:
    brought = survey(
        case1,
        answer("T01", "101"),
        answer("T01", "90", "0"),
        answer("T99", "90"),
        answer("T01", "90", who="同学问卷"),
        answer("T01", "90"),
    )
    assert brought.state is JobState.REFUSED
    assert brought.problems == {
        "2": ["第2行“得分”不能登记：分数在0到100之间。"],
        "3": ["第3行“份数”应为不小于1的整数。"],
        "4": ["第4行“工号”“T99”不在本轮考核的名单里。"],
        "5": ["第5行“问卷”里没有“同学问卷”，可填：学生问卷、家长问卷。"],
    }
    assert said(case1) == {}


def test_a_survey_that_names_pupils_is_kept_nowhere(case1: School) -> None:
    with pytest.raises(SheetUnreadable, match="请删去这些列：学生姓名"):
        survey(case1, [*answer("T01", "90"), "小明"], header=[*HEADER, "学生姓名"])
    assert case1.session.scalars(select(SheetImport)).all() == []


def test_where_the_scheme_has_no_such_source_nothing_is_taken(session, clock: Clock) -> None:
    plain = School(session, teachers=1)
    assert survey(plain, answer("T01", "90")).problems == {
        "2": ["第2行“得分”不能登记：方案的评分来源里没有学生问卷，其他来源有：无。"]
    }
    with pytest.raises(NotTold, match="方案的评分来源里没有自评"):
        self_mark(plain, "90")


def test_each_gives_their_own_mark_alone(asked: School) -> None:
    fang, wei = asked.teachers[:2]
    with pytest.raises(NotAllowed, match="只能由教师本人"):
        give_self_mark(asked.session, actor=wei, enrolment=asked.enrolment(fang), mark=Decimal(90))
    with pytest.raises(NotAllowed):
        give_on_site_mark(asked.session, actor=wei, enrolment=asked.enrolment(fang), mark=Decimal(90))
    telling = Telling(FactKind.VOICE, "self", "T01", "自评", number=Decimal(100))
    with pytest.raises(NotTold, match="由本人登记"):
        programme.tell_fact(asked.session, actor=asked.admin, enrolment=asked.enrolment(fang), telling=telling)
    for wrong, why in (("101", "0到100"), ("-1", "不能小于0"), ("90.125", "最多两位")):
        with pytest.raises(NotTold, match=why):
            self_mark(asked, wrong)
    assert [self_mark(asked, mark) for mark in ("90", "90", "92")] == ["added", "unchanged", "superseded"]
    assert [on_site(asked, mark) for mark in ("80", "81")] == ["added", "superseded"]
    assert said(asked) == {"self": [{"mark": "92.00"}], "on_site": [{"mark": "81.00"}]}


def test_a_member_with_a_conflict_steps_aside(asked: School) -> None:
    people.declare_conflict(
        asked.session, actor=asked.admin, one=asked.members[0], other=asked.teachers[0], reason="夫妻"
    )
    with pytest.raises(NotAllowed, match="应回避"):
        on_site(asked, "90")


def test_facts_are_read_as_far_as_one_s_part_goes(session) -> None:
    shop = Shop(session, scheme_files.load("xx-process-100"))
    school, teacher = shop.school, shop.member
    (own, other, near), admin, county = school.members[:3], school.admin, shop.county()
    people.declare_conflict(session, actor=admin, one=near, other=teacher, reason="夫妻")
    enrolment = school.enrolment(teacher)

    def tell(actor: Person, kind: FactKind, about: str, key: str, number: Decimal | None = None) -> None:
        telling = Telling(kind, about, key, actor.name, number)
        programme.tell_fact(session, actor=actor, enrolment=enrolment, telling=telling)

    def read(actor: Person) -> list[tuple[str, str]]:
        return [(one.key, where) for one, where in voices.facts_read(session, actor=actor, enrolment=enrolment)]

    tell(own, FactKind.MARK, "face", "甲", Decimal(90))
    tell(other, FactKind.MARK, "face", "乙", Decimal(80))
    tell(shop.leader, FactKind.PIECE, "personal_plan", "方案")
    marks, plan = [("甲", own.name), ("乙", other.name)], [("方案", shop.leader.name)]
    assert [read(one) for one in (teacher, admin, county)] == [marks + plan] * 3
    assert (read(own), read(other), read(shop.leader)) == (marks[:1] + plan, marks[1:] + plan, plan)
    for one in (near, school.teachers[2]):
        with pytest.raises(NotAllowed):
            read(one)
    near.workshop_id = shop.workshop.id
    shop.role(near, RoleKind.WORKSHOP_LEADER)
    assert read(near) == plan  # who leads and keeps away reads what a leader tells, no more


def test_who_marked_in_the_classroom_is_told_to_the_administrator_alone(asked: School) -> None:
    on_site(asked, "88")
    enrolment = asked.enrolment(asked.teachers[0])

    def read(actor: Person) -> list[str]:
        return [where for _one, where in voices.facts_read(asked.session, actor=actor, enrolment=enrolment)]

    assert [read(one) for one in (asked.admin, asked.members[0], asked.members[1], asked.teachers[0])] == [
        [asked.members[0].name], [""], [], [""],
    ]  # fmt: skip


def test_after_the_grade_is_confirmed_no_source_speaks_any_more(asked: School) -> None:
    asked.compose()
    results.confirm_all(asked.session, actor=asked.members[0], round_=asked.round)
    with pytest.raises(NotTold, match="等级已经确定"):
        self_mark(asked, "90")
    assert survey(asked, answer("T01", "90")).problems == {"2": ["第2行“工号”“T01”的等级已经确定，不能再登记。"]}


def test_who_has_not_marked_themselves_is_waited_for_where_it_counts(asked: School) -> None:
    def silent() -> list[str]:
        return [one.who for one in standing.waits(asked.session, round_=asked.round) if one.why == "还没有自评"]

    assert silent() == [one.name for one in asked.teachers]
    self_mark(asked, "90", 1)
    assert silent() == [one.name for one in asked.teachers if one is not asked.teachers[1]]


def test_an_administrator_strikes_a_survey_but_not_of_their_own(case1: School) -> None:
    survey(case1, answer("T01", "90", "12"))
    (fact,) = case1.session.scalars(select(Fact))
    with pytest.raises(NotAllowed):
        programme.strike_fact(case1.session, actor=case1.members[0], fact=fact, reason="弄错")
    programme.strike_fact(case1.session, actor=case1.admin, fact=fact, reason="弄错")
    assert said(case1) == {}


@pytest.mark.parametrize("wrong", [{"students": [{"mark": "90", "answers": 0}]}, {"students": [{"answers": 3}]}])
def test_a_record_says_what_is_wrong_with_a_source(wrong: dict) -> None:
    with pytest.raises(RecordInvalid, match=r"sources\.students\[0\]"):
        grade(scheme_files.load("case1-tiers"), {"sources": wrong})


def test_what_a_record_says_of_a_source_the_scheme_lacks_is_left_aside() -> None:
    record = {"sources": {"students": "90"}}
    assert grade(certified(), record).canonical() == grade(certified(), {}).canonical()
    assert voices.further(certified()) == []
