"""The panel and the teachers' other pages in a real Chromium: by keyboard at a desk, by thumb on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models import Assignment, Evidence, PanelMark, Person, Submission, WebSession
from review_flow.db import transaction
from review_flow.rules.words import AdjustmentKind, ReportReason
from review_flow.steps import adjustments, door, evidence, file_reports, panel, reviews
from tests.cast import START, Clock, School
from tests.conftest import Templates
from tests.journeys.browsers import DESK, IN_CHROMIUM, PATIENCE_MS, PHONE, Served, keep

PASSWORD = "correct horse"
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(1000)
pytestmark = IN_CHROMIUM


class Site(Served):
    """A school in the middle of its round."""

    def prepare(self) -> None:
        with transaction(self.engine) as session:
            self.play(School(session).open())
            self.keep_files(session)

    def play(self, school: School) -> None:
        session = school.session
        for person in school.teachers:
            school.ready(person)
        for person in school.teachers:
            school.seal(
                person,
                verdict="human" if person is school.teachers[4] else "valid",
                present=person is not school.teachers[4],
            )
        school.allocate()
        for person in school.teachers[1:]:
            school.do_reviews(person)
            school.submit(person)
        task = reviews.tasks_of(session, person=school.teachers[0], round_=school.round)[0]
        work = session.get_one(Submission, task.submission_id)
        file = evidence.standing_evidence(session, submission=work)[0]
        file_reports.report(
            session,
            actor=school.teachers[0],
            assignment=task,
            evidence=file,
            reason=ReportReason.PRIVACY,
            note="黑板上写着全班学生的电话",
        )
        for teacher in school.teachers[:2]:
            told = adjustments.Told(AdjustmentKind.ABSENCE, date(2026, 3, 2), "签到表第3页", "k")
            made = adjustments.add(session, actor=school.admin, enrolment=school.enrolment(teacher), told=told)
            if teacher is school.teachers[1]:
                adjustments.contest(session, actor=teacher, adjustment=made, reason="那天在市里参加培训，有通知")
        self.round = school.round.id
        self.marker = min(
            school.members, key=lambda one: -len(panel.asked_of(session, person=one, round_=school.round))
        ).number

    def keep_files(self, session: Session) -> None:
        """Something where every file should be."""
        for one in session.scalars(select(Evidence)):
            self.storage.put(one.storage_key, FILM)

    def cookie_of(self, number: str) -> Any:
        with transaction(self.engine) as session:
            person = session.scalars(select(Person).where(Person.number == number)).one()
        return self.cookie(person.id)


@pytest.fixture
def site(tmp_path: Path, templates: Templates) -> Iterator[Site]:
    clock = Clock(START)
    made = Site(tmp_path / "home", templates.sqlite())
    yield made
    made.close()
    clock.stack.close()


class Screen:
    """A browser window of one person; what its console complains of is kept."""

    def __init__(self, chromium: Any, site: Site, number: str, size: dict[str, int]) -> None:
        self.size, self.site, self.complaints = size, site, list[str]()
        context = chromium.new_context(viewport=size, locale="zh-CN", is_mobile=size is PHONE)
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies([site.cookie_of(number)])
        self.page = context.new_page()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def go(self, path: str, name: str | None = None) -> Any:
        self.page.goto(self.site.address + path)
        self.picture(name or path.strip("/").replace("/", "-") or "home")
        return self.page

    def picture(self, name: str) -> None:
        """Never wider than the screen; kept where somebody asked for pictures."""
        assert (name, self.page.evaluate("document.documentElement.scrollWidth") <= self.size["width"]) == (name, True)
        keep(self.page, f"{name}-{'phone' if self.size is PHONE else 'desk'}")


def test_a_work_is_marked_by_keyboard_and_two_devices_don_t_overwrite_each_other(site: Site, chromium: Any) -> None:
    desk, phone = (Screen(chromium, site, site.marker, size) for size in (DESK, PHONE))
    page = desk.go("/panel")
    path = page.get_attribute("a[href^='/panel/marks/']", "href")
    desk.go(path, "mark")
    phone.go(path, "mark")
    keys = page.keyboard
    keys.press("1")
    assert page.locator("[data-keys] input[type=checkbox]").first.is_checked()
    keys.press("Enter")
    page.wait_for_function("document.activeElement.matches('.mark')")
    keys.type("69")
    keys.press("ArrowUp")
    assert page.locator(".mark").first.input_value() == "70"
    page.get_by_text("草稿已保存").wait_for()
    page.wait_for_function("Number(document.querySelector('#version').value) > 0")

    other = phone.page
    other.fill("#comment", "在手机上写的评语，另一份")
    other.locator(".two-drafts").wait_for()
    phone.picture("conflict")
    other.click("text=用这里的")
    other.get_by_text("草稿已保存").wait_for()
    page.fill("#comment", "教学设计完整，技术使用恰当，值得学习。")
    page.locator(".two-drafts").wait_for()
    page.click("text=用这里的")
    page.get_by_text("草稿已保存").wait_for()
    page.focus("#comment")
    keys.press("Control+Enter")
    lacking = page.locator("#refusal li a")
    lacking.first.wait_for()
    fields = [one.get_attribute("href") for one in lacking.all()]
    assert page.locator("[aria-invalid=true]").count() == len(fields) > 0
    lacking.last.click()  # leads to the field
    assert page.evaluate("'#' + document.activeElement.id") == fields[-1]
    for select_ in page.locator("select").all():
        select_.select_option("合格")
    assert page.locator("[aria-invalid=true]").count() == 0
    keys.press("Control+Enter")  # what was changed last is not sent as a draft after it
    page.get_by_text("✓ 已提交。").wait_for()
    page.wait_for_timeout(600)
    assert page.inner_text("#refusal") == ""
    with transaction(site.engine) as session:
        given = session.scalars(select(PanelMark).where(PanelMark.mark.is_not(None))).one()
        assert str(given.mark) == "70.00"
    conflict, refused = (
        f"Failed to load resource: the server responded with a status of {one.value} ({one.phrase})"
        for one in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
    )
    aborted = {f"htmx:{one}, [object HTMLSpanElement]" for one in ("sendAbort", "afterRequest")}  # a draft under way
    assert (set(desk.complaints) - aborted, set(phone.complaints)) == ({conflict, refused}, {conflict})


def test_every_page_fits_a_phone(site: Site, chromium: Any) -> None:
    member = Screen(chromium, site, "P1", PHONE)
    board = member.go("/panel")
    paths = board.locator("main a[href^='/panel/']").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    kinds = {path.split("/")[2]: path for path in paths}
    assert set(kinds) == {"marks", "validity", "reports", "adjustments", "rounds"}
    for kind, path in kinds.items():
        member.go(path, f"panel-{kind}")
    page = member.go(f"/panel/rounds/{site.round}/grades", "panel-grades")
    page = member.go(f"/panel/rounds/{site.round}/adjustments", "panel-adjustments-all")
    page.click("summary")
    page.fill("#teacher", "T03")
    page.fill("#on", "2026-03-02")
    page.fill("#proof", "签到表")
    for typed, taken in (("１２．５", True), ("12.5", True), ("十二", False)):
        page.fill("#points", typed)
        assert page.locator("#points").evaluate("one => one.checkValidity()") is taken
    page.fill("#points", "")
    page.click("text=看看影响")
    page.locator("#effect .say").wait_for()
    member.picture("panel-effect")
    teacher = Screen(chromium, site, "T01", PHONE)
    for path in ("/", f"/rounds/{site.round}/plan", f"/rounds/{site.round}/records", "/reviews", "/me", "/me/face"):
        teacher.go(path)
    task = teacher.go("/reviews").get_attribute("a[href^='/reviews/']", "href")
    page = teacher.go(task, "review")
    page.get_by_text("提交互评").click()
    page.locator("#refusal .say-no").wait_for()
    assert page.url == site.address + task  # reloading leads to the page, not to where it was sent
    for summary in page.locator("summary").all():
        summary.click()
    teacher.picture("review-open")
    unprocessable = "Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"
    assert (member.complaints, teacher.complaints) == ([], [unprocessable])


def test_who_was_signed_out_while_writing_loses_nothing(site: Site, chromium: Any) -> None:
    with transaction(site.engine) as session:
        school = School.again(session)
        link = door.make_link(session, actor=school.admin, person=school.teachers[0])
        door.use_link(session, token=link, password=PASSWORD)
    screen = Screen(chromium, site, "T01", PHONE)
    page = screen.go("/reviews")
    task = page.get_attribute("a[href^='/reviews/']", "href")
    screen.go(task, "review")
    page.fill("#comment", "写在前面的评语")
    page.get_by_text("草稿已保存").wait_for()
    with transaction(site.engine) as session:
        session.execute(delete(WebSession))
    page.fill("#comment", "写在前面的评语，登录过期以后又写了很多")
    page.locator("#signed-out").wait_for()
    screen.picture("signed-out")
    assert page.url == site.address + task
    assert page.input_value("#comment") == "写在前面的评语，登录过期以后又写了很多"
    with page.expect_popup() as opened:
        page.click("#signed-out a")
    door_page = opened.value
    door_page.fill("#number", "T01")
    door_page.fill("#password", PASSWORD)
    door_page.click("main button.btn-primary")
    door_page.wait_for_url(site.address + task)
    door_page.close()
    page.fill("#comment", "写在前面的评语，登录过期以后又写了很多，回来写完了")
    page.locator("#signed-out").wait_for(state="detached")
    page.get_by_text("草稿已保存").wait_for()
    with transaction(site.engine) as session:
        kept = session.get_one(Assignment, int(task.rpartition("/")[2]))
        assert (kept.draft or {})["comment"].endswith("回来写完了")
    unauthorized = "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
    assert set(screen.complaints) == {unauthorized}
