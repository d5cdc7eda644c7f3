from __future__ import annotations

import re
from decimal import Decimal

import pytest
from sqlalchemy import select

from models import (
    Adjustment,
    Appeal,
    Attestation,
    Evidence,
    FileReport,
    PanelMark,
    Person,
    Result,
    Submission,
)
from review_flow.rules.lifecycle import ResultState, RoundPhase, SubmissionState
from review_flow.rules.words import AdjustmentState, AppealState, Verdict
from review_flow.steps import adjustments, advance, appeals, panel, people, results, reviews, rounds
from review_flow.web import mine
from review_flow.web.render import moment
from tests.cast import School, queries, waiting_marks
from tests.stages import stage
from tests.web.conftest import Web, filled

HTMX = {"hx-request": "true"}


@stage
def submitted(session, clock) -> School:
    """五位教师的成果都已提交：机器看不准，等人认定。"""
    school = School(session).open()
    for person in school.teachers:
        school.ready(person)
        school.seal(person, verdict="human", present=None)
    school.allocate()
    for person in school.teachers:
        school.do_reviews(person)
        school.submit(person)
    return school


@stage
def at_panel(session, clock) -> School:
    """Everything waits for the panel's marks."""
    school = School(session).open()
    for person in school.teachers:
        school.ready(person)
        school.seal(person)
    school.allocate()
    for person in school.teachers:
        school.do_reviews(person)
    for person in school.teachers:
        school.submit(person)
    return school


def first_of(school: School, person: Person) -> Submission:
    return panel.asked_of(school.session, person=person, round_=school.round)[0]


def test_the_board_lists_what_differs_first_and_asks_the_database_no_more_for_more(web: Web, at_panel: School) -> None:
    member = at_panel.members[0]
    works = panel.asked_of(at_panel.session, person=member, round_=at_panel.round)
    works[-1].disagreement = "spread"
    with web.of("P1") as client:
        with queries(web.session) as sent:
            board = client.get("/panel").text
        first = re.search(r"/panel/marks/(\d+)", board)
        assert first is not None
        assert (first[1], "互评分相差超过方案的限度" in board) == (str(works[-1].id), True)
    many = len(sent)
    for work in works[1:]:
        for one in waiting_marks(at_panel.session, work):
            one.released_at = one.asked_at
    with web.of("P1") as client, queries(web.session) as fewer:
        assert client.get("/panel").text.count("/panel/marks/") == 1
    assert many == len(fewer)


def test_who_has_no_seat_has_no_board_and_no_pages(web: Web, at_panel: School) -> None:
    work = first_of(at_panel, at_panel.members[0])
    with web.of("T01") as client:
        assert "您没有考核组的席位" in client.get("/panel").text
        assert 'href="/panel"' not in client.get("/").text
        for path in (f"marks/{work.id}", f"validity/{work.id}", f"rounds/{at_panel.round.id}/grades"):
            assert client.get(f"/panel/{path}").status_code == 404
        assert client.post(f"/panel/rounds/{at_panel.round.id}/grades/confirm").status_code == 404


def test_a_mark_is_drafted_on_one_device_and_given_on_another(web: Web, at_panel: School) -> None:
    work = first_of(at_panel, at_panel.members[0])
    address, good = f"/panel/marks/{work.id}", filled(at_panel, work)
    with web.of("P1") as desk, web.of("P1") as phone:
        page = desk.get(address).text
        assert not [one.name for one in at_panel.teachers if one.name in page]
        draft = {"comment": "在电脑上写的", "version": "0", "page": "desk"}
        kept = desk.post(f"{address}/draft", data=draft, headers=HTMX)
        assert ("草稿已保存" in kept.text, 'value="1"' in kept.text) == (True, True)
        again = desk.post(f"{address}/draft", data={**draft, "comment": "又写了一句"}, headers=HTMX)
        assert again.status_code == 200  # its own earlier save overtook the answer
        stale = phone.post(f"{address}/draft", data={"comment": "手机", "version": "0", "page": "phone"}, headers=HTMX)
        assert (stale.status_code, "又写了一句" in stale.text, "手机" in stale.text) == (409, True, True)
        late = {**good, "version": "0", "page": "phone"}
        assert phone.post(address, data=late, headers=HTMX).status_code == 409
        refused = desk.post(address, data={"comment": "短", "version": "2", "page": "desk"}, headers=HTMX)
        assert (refused.status_code, "请改这几处" in refused.text) == (422, True)
        assert desk.post(address, data={**good, "version": "2"}).headers["location"] == "/panel?done=1"
        assert desk.get(address).status_code == 404
    mark = at_panel.session.scalars(select(PanelMark).where(PanelMark.mark.is_not(None))).one()
    assert (mark.mark, mark.draft) == (Decimal(85), None)


def test_an_arbiter_sees_both_marks(web: Web, at_panel: School) -> None:
    work = first_of(at_panel, at_panel.members[0])
    for person, mark in zip(at_panel.members, ("60", "95", "95"), strict=True):
        if work in panel.asked_of(at_panel.session, person=person, round_=at_panel.round):
            panel.mark(
                at_panel.session, actor=person, submission=work, form=at_panel.review_form(mark, submission=work)
            )
    assert work.state is SubmissionState.IN_ARBITRATION
    form = filled(at_panel, work, "80")
    with web.of("P5") as client:
        assert "仲裁" in client.get("/panel").text
        page = client.get(f"/panel/marks/{work.id}").text
        assert (' class="num">60' in page, ' class="num">95' in page) == (True, True)
        shown = page.count(' class="num">') - 1  # but the head of the column
        assert f"{shown}位成员的评分" in page
        assert client.post(f"/panel/marks/{work.id}", data=form).status_code == 303
    at_panel.session.refresh(work)
    assert work.state is SubmissionState.GRADED


def test_validity_is_said_by_two_with_the_finding_in_words(web: Web, submitted: School) -> None:
    work = submitted.session.scalars(select(Submission).where(Submission.state == SubmissionState.SUBMITTED)).first()
    assert work is not None
    address = f"/panel/validity/{work.id}"
    doubt = {"teacher_visible": "false", "own_work": "true"}
    with web.of("P1") as one, web.of("P2") as two:
        board = one.get("/panel").text
        assert (f'<a href="{address}">王芳 · A1' in board, "已提交。" in board) == (True, False)
        assert "✓ 已提交。" in one.get("/panel?done=1").text
        page = one.get(address).text
        assert ("结论：human" in page, "已有0人认定" in page) == (True, True)
        assert one.post(address, data=doubt, headers=HTMX).status_code == 422
        assert one.post(address, data={**doubt, "reason": "看不到教师"}).headers["location"] == "/panel?done=1"
        assert one.get(address).status_code == 404
        assert "已有1人认定" in two.get(address).text
        assert two.post(address, data={**doubt, "reason": "同意"}).status_code == 303
    submitted.session.refresh(work)
    assert work.state is SubmissionState.CORRECTING


def test_a_member_signs_instead_of_a_face_comparison(web: Web, submitted: School) -> None:
    work = submitted.session.scalars(select(Submission).where(Submission.state == SubmissionState.SUBMITTED)).first()
    assert work is not None
    address = f"/panel/validity/{work.id}/attest"
    with web.of("P1") as member, web.of("T02") as teacher:
        said = {"kind": "live_recording", "statement": "在录播室当面看着录的"}
        assert teacher.post(address, data=said).status_code == 404
        assert member.post(address, data={**said, "statement": " "}, headers=HTMX).status_code == 422
        assert member.post(address, data={**said, "kind": "testimony"}, headers=HTMX).status_code == 403
        assert member.post(address, data=said).headers["location"] == "/panel?done=1"
    signed = submitted.session.scalars(select(Attestation.signatory_id).where(Attestation.submission_id == work.id))
    assert set(signed) == {submitted.members[0].id}


def test_a_fact_is_recorded_with_a_look_at_its_effect(web: Web, marked: School) -> None:
    base = f"/panel/rounds/{marked.round.id}/adjustments"
    told = {"teacher": "王芳", "kind": "absence", "on": "2026-03-02", "proof": "签到表第3页", "once": "k1"}
    with web.of("P1") as client:
        assert "王芳" in client.get(base).text
        look = client.post(f"{base}/preview", data=told, headers=HTMX)
        assert (look.status_code, "→" in look.text) == (200, True)
        assert client.post(base, data={**told, "on": "2026-03-03"}, headers=HTMX).status_code == 422
        assert client.post(base, data={**told, "teacher": "没有这人"}).status_code == 404
        assert [client.post(base, data=told).status_code for _time in range(2)] == [303, 303]
        assert client.get(base).text.count("签到表第3页") == 1
    fact = marked.session.scalars(select(Adjustment)).one()
    assert (fact.state, fact.recorded_by_id) == (AdjustmentState.NOTIFIED, marked.members[0].id)
    adjustments.contest(marked.session, actor=marked.teachers[0], adjustment=fact, reason="那天在医院")
    with web.of("P1") as recorder, web.of("P2") as other:
        assert recorder.get(f"/panel/adjustments/{fact.id}").status_code == 404
        board = other.get("/panel").text
        assert f'<a href="/panel/adjustments/{fact.id}">王芳 · 2026-03-02 {adjustments.NAMES[fact.kind]}</a>' in board
        assert "那天在医院" in board
        assert "那天在医院" in other.get(f"/panel/adjustments/{fact.id}").text
        decided = other.post(f"/panel/adjustments/{fact.id}", data={"stands": "false", "reason": "有病历"})
        assert decided.headers["location"] == "/panel?done=1"
    marked.session.refresh(fact)
    assert fact.state is AdjustmentState.STRUCK


def test_a_teacher_is_chosen_by_name_or_number_however_many_there_are(
    web: Web, opened: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = f"/panel/rounds/{opened.round.id}/adjustments"
    told = {"kind": "absence", "on": "2026-03-02", "proof": "签到表第3页", "once": "k1"}
    with web.of("P1") as client, queries(web.session) as few:
        page = client.get(base).text
    assert ('<option value="T01">王芳</option>' in page, 'list="offered"' in page) == (True, True)
    namesake = opened.person("T77", "王芳", "物理")
    for number in range(20):
        opened.person(f"X{number:02d}", f"教师{number}", "物理")
    rounds.enrol_all(opened.session, actor=opened.admin, round_=opened.round)
    monkeypatch.setattr(mine, "MOST_OFFERED", 20)
    with web.of("P1") as client:
        with queries(web.session) as many:
            page = client.get(base).text
        assert len(many) == len(few)
        assert ("王芳" in page, "教师7" in page, 'list="offered"' in page) == (False, False, False)
        two = client.post(base, data={**told, "teacher": "王芳"}, headers=HTMX)
        assert (two.status_code, "叫“王芳”的不止一人，请写工号：T01、T77。" in two.text) == (422, True)
        none = client.post(f"{base}/preview", data={**told, "teacher": "Z99"}, headers=HTMX)
        assert (none.status_code, "找不到参评教师“Z99”。" in none.text) == (404, True)
        assert client.post(base, data={**told, "teacher": " T77 "}).headers["location"] == base
        assert client.get(base).text.count("王芳") == 1
    fact = opened.session.scalars(select(Adjustment)).one()
    assert fact.enrolment_id == opened.enrolment(namesake).id


def composed(school: School, clock) -> list[Result]:
    clock.day(4, 4)
    advance.advance(school.session, round_=school.round)
    return school.compose()


def test_nothing_waits_in_a_closed_round(web: Web, marked: School) -> None:
    before, marked.round.phase = marked.round.phase, RoundPhase.CLOSED
    with web.of("P1") as client:
        page = client.get("/panel").text
    assert ("现在没有等您处理的事。" in page, f"/panel/rounds/{marked.round.id}/grades" in page) == (True, True)
    marked.round.phase = before


def test_grades_are_seen_lowered_confirmed_and_published(web: Web, marked: School, clock) -> None:
    made = composed(marked, clock)
    made[1].outcome = made[1].outcome.replace('"flags":[', '"flags":["on_boundary"', 1)
    made[1].on_boundary = True
    before = made[1].outcome
    base = f"/panel/rounds/{marked.round.id}"
    with web.of("P1") as client:
        page = client.get(f"{base}/grades").text
        assert page.index("李伟") < page.index("王芳")  # the one at the boundary first
        assert "恰为分界分" in page
        shown = client.get(f"/panel/results/{made[0].id}").text
        assert made[0].proposed_grade in shown
        assert client.post(f"/panel/results/{made[0].id}/confirm").headers["location"] == f"{base}/grades"
        assert client.post(f"/panel/results/{made[0].id}/confirm", headers=HTMX).status_code == 409
        assert client.post(f"{base}/grades/confirm").headers["location"] == f"{base}/grades"
        assert "在后台进行" in client.get(f"{base}/grades").text
        web.do_errands()
        assert "已确认4份" in client.get(f"{base}/grades").text
        assert client.post(f"{base}/grades/confirm", headers=HTMX).status_code == 409
    made[1].outcome = before.replace('"flags":["on_boundary"', '"flags":[', 1)
    made[1].on_boundary = False
    with web.of("A01") as admin:
        assert "公示期按方案计" in admin.get(f"{base}/grades").text
        assert admin.get(f"/panel/results/{made[0].id}").status_code == 404
        finish = f"/school/rounds/{marked.round.id}"
        assert f'href="{finish}/finish"' in admin.get(f"{base}/grades").text
        assert admin.post(f"{finish}/publish", data={"yes": "yes"}).status_code == 303
    marked.session.refresh(made[0])
    assert made[0].state is ResultState.PUBLISHED


def test_an_appeal_is_heard(web: Web, marked: School, clock) -> None:
    made = composed(marked, clock)
    results.confirm_all(marked.session, actor=marked.members[0], round_=marked.round)
    results.publish(marked.session, actor=marked.admin, round_=marked.round)
    appeal = appeals.file(marked.session, actor=marked.teachers[0], result=made[0], reason="A1应为优秀")
    address = f"/panel/appeals/{appeal.id}"
    with web.of("P6") as one, web.of("P7") as two, web.of("P1") as member:
        assert member.get(address).status_code == 404
        assert address in one.get("/panel").text
        assert "A1应为优秀" in one.get(address).text
        upheld = {"uphold": "true", "reason": "设计新颖"}
        assert one.post(address, data=upheld, headers=HTMX).status_code == 422
        assert one.post(address, data={**upheld, "mark:A1": "95"}).headers["location"] == "/panel?done=1"
        assert one.get(address).status_code == 404
        assert two.post(address, data={**upheld, "mark:A1": "93"}).status_code == 303
    marked.session.expire_all()
    assert marked.session.get_one(Appeal, appeal.id).state is AppealState.UPHELD


def test_hearers_who_differ_and_the_school_read_that_a_third_is_wanted(web: Web, marked: School, clock) -> None:
    made = composed(marked, clock)
    results.confirm_all(marked.session, actor=marked.members[0], round_=marked.round)
    results.publish(marked.session, actor=marked.admin, round_=marked.round)
    appeal = appeals.file(marked.session, actor=marked.teachers[0], result=made[0], reason="A1应为优秀")
    one, two, three = marked.hearers
    people.declare_conflict(marked.session, actor=marked.admin, one=marked.teachers[0], other=three, reason="夫妻")
    place, waits = f"/school/rounds/{marked.round.id}/progress", f"申诉{appeal.id}没有复核"
    with web.of("A01") as admin:
        page = admin.get(place).text
        assert (waits in page, moment(appeal.due_at) in page) == (True, True)
        appeals.vote(marked.session, actor=one, appeal=appeal, uphold=True, reason="设计新颖", marks={"A1": "95"})
        appeals.vote(marked.session, actor=two, appeal=appeal, uphold=False, reason="评分有据")
        web.release()
        part = re.search(r'hx-get="([^"]*part[^"]*)"', page)
        assert part is not None
        page = admin.get(part[1].replace("&amp;", "&")).text
        assert (f"申诉{appeal.id}：2位复核人意见不一，还缺1名" in page, waits in page) == (True, False)
        assert f'href="/school/rounds/{marked.round.id}#panel"' in page
    with web.of("P6") as client:
        page = client.get("/panel").text
    assert ("2位复核人意见不一，等下一位复核人" in page, "A1应为优秀" in page) == (True, True)


def test_a_reported_file_is_swapped_at_once_and_looked_at(web: Web, opened: School) -> None:
    for person in opened.teachers[:3]:
        opened.ready(person)
        opened.seal(person)
    opened.allocate()
    task = reviews.tasks_of(opened.session, person=opened.teachers[0], round_=opened.round)[0]
    with web.of("T01") as client:
        page = client.get(f"/reviews/{task.id}").text
        file = re.search(r'<option value="(\d+)">', page.split('id="evidence"')[1])
        assert file is not None
        said = {"evidence": file[1], "why": "broken", "note": "放到一半就停"}
        assert client.post(f"/reviews/{task.id}/report", data={**said, "note": " "}).status_code == 422
        assert client.post(f"/reviews/{task.id}/report", data={**said, "evidence": 987_654}).status_code == 404
        swapped = client.post(f"/reviews/{task.id}/report", data=said).headers["location"]
        assert re.fullmatch(r"/reviews/\d+", swapped)
        assert swapped != f"/reviews/{task.id}"
        assert client.get(swapped).status_code == 200
    report = opened.session.scalars(select(FileReport)).one()
    address = f"/panel/reports/{report.id}"
    with web.of("P1") as member:
        assert address in member.get("/panel").text
        assert "放到一半就停" in member.get(address).text
        assert member.post(address, data={"doubtful": "true", "finding": "确实只有一半"}).status_code == 303
        assert member.get(address).status_code == 404
    opened.session.expire_all()
    assert opened.session.get_one(Evidence, report.evidence_id).verdict is Verdict.HUMAN
