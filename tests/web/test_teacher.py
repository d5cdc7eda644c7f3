from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from models import Submission
from review_flow.rules.catalogue import Slot
from review_flow.rules.lifecycle import EnrolmentState, ResultState, SubmissionState
from review_flow.rules.words import AdjustmentKind
from review_flow.schemes.plan import plan_of
from review_flow.steps import adjustments, advance, appeals, enrolments, results, reviews, submissions
from review_flow.web import works as works_page
from review_flow.web.render import moment
from tests.cast import ABILITIES, CHOICE, Clock, School
from tests.web.conftest import Web


def works(school: School, number: int = 0) -> list[Submission]:
    mine = select(Submission).where(Submission.author_id == school.teachers[number].id).order_by(Submission.id)
    return list(school.session.scalars(mine))


def test_from_the_plan_to_the_choice(web: Web, opened: School) -> None:
    base = f"/rounds/{opened.round.id}"
    with web.of("T01") as client:
        assert f'href="{base}/plan"' in client.get("/").text
        plan = client.get(f"{base}/plan").text
        assert ("2026-03-20 23:59" in plan, "我已阅读" in plan) == (True, True)
        assert ("本校已经逐项确认" in plan, "修改后启用" in plan) == (True, False)
        printed = plan_of(opened.scheme)
        sources = {one for chapter in printed.chapters for article in chapter.articles for one in article.sources}
        assert sources
        assert [one for one in sources if one not in plan] == []
        titles = [article.title for chapter in printed.chapters for article in chapter.articles]
        assert [one for one in titles if one not in plan] == []
        assert plan.index(titles[-1]) < plan.index("/acknowledge")  # one signs below what one has read
        assert client.post(f"{base}/acknowledge").headers["location"] == f"{base}/plan"
        assert "我已完成自测" in client.get(f"{base}/plan").text
        assert client.post(f"{base}/self-test").headers["location"] == base
        page = client.get(f"{base}/choose").text
        assert sorted(re.findall(r'value="([AB]\d+)"', page)) == sorted(ABILITIES)
        lacking = client.post(f"{base}/choose/check", data={"abilities": ["A1", "A3"]}).text
        assert "已选2项" in lacking
        assert "还差" in lacking
        assert "符合要求" in client.post(f"{base}/choose/check", data={"abilities": CHOICE}).text
        refused = client.post(f"{base}/choose", data={"abilities": ["A1"]})
        assert (refused.status_code, "微能力选择不符合要求" in refused.text) == (422, True)
        assert client.post(f"{base}/choose").status_code == 422
        assert client.post(f"{base}/choose", data={"abilities": CHOICE}).headers["location"] == base
        home = client.get("/").text
    assert [one.ability for one in works(opened)] == list(CHOICE)
    assert [f"/works/{one.id}" in home for one in works(opened)] == [True] * 3
    assert opened.enrolment(opened.teachers[0]).state is EnrolmentState.SELECTED


def test_what_lacks_is_said_and_sealing_asks_for_the_statement(web: Web, opened: School) -> None:
    work = opened.ready(opened.teachers[0])[0]
    address = f"/works/{work.id}"
    with web.of("T01") as client:
        page = client.get(address).text
        assert "还差：" in page
        assert "/seal" not in page
        assert client.post(f"{address}/seal", data={"own_work": "true"}).status_code == 409
    opened.session.refresh(work)
    opened.fill(work)
    with web.of("T01") as client:
        page = client.get(address).text
        assert "结论：valid" in page
        assert "检查通过" in page
        assert "请确认全部证据由您本人制作" in client.post(f"{address}/seal").text
        assert client.post(f"{address}/seal", data={"own_work": "true"}).headers["location"] == address
        sealed = client.get(address).text
        assert [word for word in ("再完成", "上传文件", "data-replaces", "/remove") if word in sealed] == []
    opened.session.refresh(work)
    assert work.state is SubmissionState.SEALED


def test_every_standing_file_may_be_replaced_or_taken_back_before_sealing(web: Web, opened: School) -> None:
    work = opened.ready(opened.teachers[0])[0]
    opened.fill(work)
    with web.of("T01") as client, web.of("T02") as colleague:
        page = client.get(f"/works/{work.id}").text
        addresses = re.findall(r'action="(/evidence/[0-9]+/remove)"', page)
        assert len(addresses) == page.count("data-replaces=") == page.count("hx-confirm=") == 2
        assert colleague.post(addresses[0]).status_code == 404
        assert client.post(addresses[0]).headers["location"] == f"/works/{work.id}"
        page = client.get(f"/works/{work.id}").text
        assert re.findall(r'action="(/evidence/[0-9]+/remove)"', page) == addresses[1:]
        assert "还差1个文件" in page
        assert client.post(addresses[0]).status_code == 404


def test_a_work_sent_back_says_why_and_asks_before_the_same_files_are_sealed(web: Web, opened: School) -> None:
    author = opened.teachers[0]
    opened.ready(author)
    work = opened.seal(author, verdict="human", present=None)[0]
    submissions.submit(opened.session, actor=author, submission=work)
    opened.vote(work, valid=False)
    address, sealing = f"/works/{work.id}", {"own_work": "true"}
    with web.of("T01") as client:
        page = client.get(address).text
        assert [word for word in ("为什么退回", "画面中没有教师本人", 'name="unchanged"') if word not in page] == []
        assert page.count("退回后未更换") == page.count("data-replaces=") == 2
        assert [one.name for one in opened.members if one.name in page] == []
        assert "没有更换或补充过文件" in client.post(f"{address}/seal", data=sealing).text
        client.post(re.findall(r'action="(/evidence/[0-9]+/remove)"', page)[0])
    opened.session.refresh(work)
    assert work.state is SubmissionState.CORRECTING
    opened.fill(work)
    with web.of("T01") as client:
        page = client.get(address).text
        assert ("画面中没有教师本人" in page, 'name="unchanged"' in page) == (True, False)
        assert client.post(f"{address}/seal", data=sealing).headers["location"] == address
        assert "为什么退回" not in client.get(address).text


def test_another_s_works_and_rounds_are_not_there(web: Web, opened: School) -> None:
    work = opened.ready(opened.teachers[0])[0]
    with web.of("T02") as colleague, web.of("A01") as admin, web.of("P1") as member:
        for client in (colleague, admin, member):
            for method, path in (("GET", ""), ("GET", "/slots"), ("POST", "/seal"), ("POST", "/submit")):
                assert client.request(method, f"/works/{work.id}{path}").status_code == 404
        assert member.get(f"/rounds/{opened.round.id}").status_code == 404


def test_sealed_reviewed_submitted(web: Web, opened: School) -> None:
    for person in opened.teachers:
        opened.ready(person)
        opened.seal(person)
    opened.allocate()
    [first, *_others] = works(opened)
    with web.of("T01") as client:
        assert 'href="/reviews">' in client.get("/").text
        assert "请先完成对他人成果的互评" in client.post(f"/works/{first.id}/submit").text
    opened.session.expire_all()
    opened.do_reviews(opened.teachers[0])
    with web.of("T01") as client:
        assert f"/works/{first.id}/submit" in client.get(f"/works/{first.id}").text
        assert client.post(f"/works/{first.id}/submit").status_code == 303
    opened.session.refresh(first)
    assert first.submitted_at is not None


def test_the_first_to_seal_reads_why_no_review_is_asked_and_what_keeps_the_work(web: Web, opened: School) -> None:
    work = opened.ready(opened.teachers[0], total="49", practice="25")[0]
    opened.seal(opened.teachers[0])
    with web.of("T01") as client:
        page = client.get(f"/works/{work.id}").text
        assert "完成规定学时（总学时49学时" in page
        assert [word for word in ("/submit", "互评已完成", "可以提交") if word in page] == []
        assert "互评已完成" not in client.get("/").text
    opened.hours(opened.teachers[0], total="1")
    with web.of("T01") as client:
        page = client.get(f"/works/{work.id}").text
        assert ("现在没有您可评的成果，暂不要求互评" in page, "互评已完成" in page) == (True, False)
        assert client.post(f"/works/{work.id}/submit").status_code == 303


def test_a_slot_says_first_which_kind_of_file_it_wants() -> None:
    film = Slot("film", "课堂视频", "video", max_seconds=Decimal(300), shows_teacher=True)
    text = Slot("text", "反思", "document", ("docx", "pdf"), min_chars=300, count=2, required=False)
    assert works_page.asked(film) == ["视频", "不长于5分钟", "画面中有您本人"]
    assert works_page.asked(text) == ["选交", "文档", "格式：docx pdf", "2个文件", "不少于300字"]
    assert works_page.asked(Slot("plan", "教学设计", "document")) == ["文档", "如 docx、pdf、pptx"]
    assert works_page.asked(Slot("any", "其他")) == ["视频、照片或文档"]


def test_reviews_that_wait_stand_beside_the_next_step_and_at_the_tab(web: Web, opened: School) -> None:
    one, late = opened.teachers[0], opened.teachers[1]
    for person in opened.teachers[:2]:
        opened.ready(person)
    opened.seal(one)
    opened.allocate()
    [task, *others] = reviews.tasks_of(opened.session, person=late, round_=opened.round)
    count = 1 + len(others)
    with web.of("T02") as client:
        home = client.get("/").text
        assert "请上传证据并封存" in home
        assert f"有{count}份成果等您评审，最近的期限是{moment(task.lease_until)}。" in home
        assert f"{count}份待评" in client.get("/me").text
    with web.of("T01") as client:
        assert "待评" not in client.get("/").text


@pytest.mark.parametrize("state", [ResultState.TO_SIGN, ResultState.FINAL])
def test_a_round_that_is_over_asks_for_nothing_more(web: Web, marked: School, clock: Clock, state: ResultState) -> None:
    published(marked, clock)
    result = results.current(marked.session, enrolment=marked.enrolment(marked.teachers[0]))
    assert result is not None
    result.state = state
    over = state is ResultState.FINAL
    with web.of("T01") as client:
        home = client.get("/").text
    assert [word in home for word in ("✓ 本轮考核已完成。", "看考核结果", "下一步", "现在去做")] == [
        over,
        over,
        not over,
        not over,
    ]
    signs = re.findall(r'<span class="way-sign" aria-hidden="true">(.*?)</span>', home)
    assert signs == ["✓"] * 7 + (["✓", "✓"] if over else ["8", "9"])


def test_the_self_check_says_each_thing_once(web: Web, opened: School) -> None:
    opened.hours(opened.teachers[0], total="10", practice="5")
    enrolments.acknowledge(opened.session, actor=opened.teachers[0], enrolment=opened.enrolment(opened.teachers[0]))
    with web.of("T01") as client:
        page = client.get(f"/rounds/{opened.round.id}/plan").text
    checks = page.split("自查：本方案的条件")[1].split("</ul>")[0]
    assert ("总学时10学时" in checks, "还没有" in checks, "未通过" in checks) == (True, True, False)
    lines = re.findall(r"<span>(.*?)(?:<br>|</span>)", checks)
    told = re.findall(r'<span class="quiet">(.*?)</span>', checks)
    assert lines
    assert [one for one in told if one.split("：")[0] in lines] == []


def published(school: School, clock: Clock) -> None:
    clock.day(4, 4)
    advance.advance(school.session, round_=school.round)
    school.compose()
    results.confirm_all(school.session, actor=school.members[0], round_=school.round)
    results.publish(school.session, actor=school.admin, round_=school.round)


def test_what_took_no_points_is_one_sentence_under_the_ledger(web: Web, marked: School, clock: Clock) -> None:
    clock.day(3, 9)
    enrolment = marked.enrolment(marked.teachers[0])
    for day, leave in ((2, True), (3, False), (4, True)):
        told = adjustments.Told(AdjustmentKind.ABSENCE, date(2026, 3, day), "签到表", f"k{day}", approved_leave=leave)
        adjustments.add(marked.session, actor=marked.members[0], enrolment=enrolment, told=told)
    published(marked, clock)
    result = results.current(marked.session, enrolment=enrolment)
    assert result is not None
    ledger = json.loads(result.outcome)["ledger"]
    assert [line["points"] for line in ledger if "培训旷到" in line["text"]] == ["0.00", "-5.00", "0.00"]
    with web.of("T01") as client:
        page = client.get(f"/rounds/{marked.round.id}/result").text
    rows, rest = page.split("</table>", 1)
    assert rows.count("<tr ") == 1 + len(ledger) - 2
    assert re.findall(r"2026-03-0\d 培训旷到", rows) == ["2026-03-03 培训旷到"]
    days = "、".join(f"2026-03-0{day} 培训旷到（默认 (X-15)）" for day in (2, 4))
    assert f"登记在案、已获批准，没有扣分：{days}。" in rest


def test_the_result_line_by_line_signed_and_appealed(web: Web, marked: School, clock: Clock) -> None:
    base = f"/rounds/{marked.round.id}/result"
    with web.of("T01") as client:
        assert client.get(base).status_code == 404
    published(marked, clock)
    clock.day(4, 20)
    advance.advance(marked.session, round_=marked.round)
    result = results.current(marked.session, enrolment=marked.enrolment(marked.teachers[0]))
    assert result is not None
    assert result.state is ResultState.TO_SIGN
    with web.of("T01") as client:
        page = client.get(base).text
        assert page.count("<tr ") == 1 + len(json.loads(result.outcome)["ledger"])
        assert "教学设计完整" in page
        helped = re.search(r'action="(/reviews/received/\d+/helped)"', page)
        assert helped is not None
        assert client.post(helped[1], data={"helpful": "true"}).headers["location"] == base
        assert "您说：有帮助" in client.get(base).text
        assert client.post(helped[1], data={"helpful": "true"}).status_code == 409
        assert client.post(f"{base}/sign", data={"comment": "同意"}).headers["location"] == base
        assert client.post(f"{base}/sign").status_code == 409
        assert client.post(f"{base}/appeal", data={"reason": " "}).status_code == 422
        assert client.post(f"{base}/appeal", data={"reason": "第二项应为优秀"}).headers["location"] == base
        assert "第二项应为优秀" in client.get(base).text
        assert client.post(f"{base}/appeal", data={"reason": "again"}).status_code == 409


def test_the_teacher_reads_what_became_of_an_appeal(web: Web, marked: School, clock: Clock) -> None:
    published(marked, clock)
    made = {
        number: results.current(marked.session, enrolment=marked.enrolment(marked.teachers[number]))
        for number in (0, 1)
    }
    filed = {
        number: appeals.file(marked.session, actor=marked.teachers[number], result=result, reason="偏低")
        for number, result in made.items()
    }
    for hearer in marked.hearers[:2]:
        vote = {"session": marked.session, "actor": hearer, "reason": f"意见{hearer.number}"}
        appeals.vote(**vote, appeal=filed[0], uphold=True, marks=dict.fromkeys(("A1", "A3", "A5"), "99"))
        appeals.vote(**vote, appeal=filed[1], uphold=False)
    base, told = f"/rounds/{marked.round.id}/result", {}
    for number in filed:
        with web.of(f"T0{number + 1}") as client:
            page = client.get(base).text
        told[number] = " ".join(re.sub("<[^>]+>", " ", page[page.index("<h2>申诉</h2>") :]).split())
    assert [word in told[0] for word in ("改判", "意见P6", "意见P7", "现结果 优秀")] == [True] * 4
    assert f"原结果 {made[0].grade} {made[0].score}分" in told[0]
    assert [word in told[1] for word in ("维持原结果", "意见P6", "意见P7")] == [True] * 3
    assert ["前答复" in one for one in told.values()] == [False, False]
    assert "复核甲" not in "".join(told.values())


@pytest.mark.parametrize("part", ["", "/plan", "/choose"])
def test_the_teacher_s_pages_are_in_english(web: Web, opened: School, part: str) -> None:
    with web.of("T01") as client:
        page = client.get(f"/rounds/{opened.round.id}{part}", headers={"accept-language": "en"}).text
    page = re.sub('<article lang="zh-CN">.*</article>', "", page, flags=re.DOTALL)  # the plan is an official document
    known = {"中文", "王芳", opened.scheme.title_zh}
    known |= {one.name_zh for one in opened.scheme.catalogue.abilities} | set(opened.scheme.catalogue.dimensions)
    known |= {band.grade for band in opened.scheme.bands.list} | {opened.round.name}
    for word in sorted(known, key=len, reverse=True):
        page = page.replace(word, "")
    assert re.findall("[\u4e00-\u9fff]+", page) == []


def test_a_result_is_shown_once_it_is_published(web: Web, marked: School, clock: Clock) -> None:
    """Before that the panel may still lower it; it must not be learned from an address."""
    clock.day(4, 10)
    advance.advance(marked.session, round_=marked.round)
    result = marked.compose()[0]
    way = f"/rounds/{marked.round.id}/result"
    for state, status in (
        (ResultState.COMPOSED, 404),
        (ResultState.BANDED, 404),
        (ResultState.PUBLISHED, 200),
        (ResultState.FINAL, 200),
    ):
        result.state, result.grade = state, result.proposed_grade
        with web.of("T01") as client:
            assert (state, client.get(way).status_code) == (state, status)
            assert (way in client.get(f"/rounds/{marked.round.id}").text) is (status == 200)
