"""A whole round by six people in one Chromium: three teachers on phones, a panel member, an administrator and a hearer.

The server is a process of its own, so that killing it is real. What the worker would do is done here between the pages.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from models import Appeal, Evidence, PanelMark, Person, Result, Round, Signature, Submission
from review_flow.clock import hands_at, now
from review_flow.db import make_engine, transaction
from review_flow.outside.storage import LocalStorage, read
from review_flow.rules.lifecycle import ResultState, RoundPhase, SubmissionState
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import AppealState
from review_flow.steps import advance, appeals, door, invariants
from review_flow.web.access import SESSION_COOKIE
from tests.cast import School, xian
from tests.conftest import Templates
from tests.due import do_errands
from tests.journeys.browsers import DESK, IN_CHROMIUM, PATIENCE_MS, PHONE, free_port, keep

pytestmark = IN_CHROMIUM
FILM = b"\x00\x00\x00\x18ftypmp42" + random.Random(2).randbytes(9_000_000)
PLAN = b"%PDF-1.7\n" + random.Random(3).randbytes(1000)
SIX = {"T01": PHONE, "T02": PHONE, "T03": PHONE, "P1": DESK, "A01": DESK, "P6": DESK}


def small() -> Scheme:
    """001-A where one ability, one reviewer and one panel member do."""
    document = xian().document
    one = {"min": 1, "min_dimensions": 1}
    select_ = {kind: {**document["select"][kind], **one} for kind in ("school", "teacher")}
    peer = {**document["review"]["peer"], "give": 1, "receive_target": 1, "receive_min": 1}
    review = {**document["review"], "peer": peer, "panel": {**document["review"]["panel"], "size": 1}}
    return Scheme.from_document({**document, "select": {**document["select"], **select_}, "review": review})


class Now(School):
    """A school whose round is open today: the server has no other clock."""

    def days(self) -> tuple[date, date, date]:
        today = date.today()  # noqa: DTZ011 - any day near the round's will do
        return today - timedelta(days=1), today + timedelta(days=18), today + timedelta(days=30)


class Server:
    """`python -m review_flow.web`, which can be killed and started again where it was."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        told = {name: value for name, value in os.environ.items() if not name.startswith("REVIEW_FLOW_")}
        command = [sys.executable, "-m", "review_flow.web", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command,
            env={**told, "REVIEW_FLOW_HOME": str(self.home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + PATIENCE_MS / 1000
        while not self.ready():
            assert (self.process.poll(), time.monotonic() < until) == (None, True)
            time.sleep(0.1)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


class Play:
    """The server, its database, and a window for each of the six."""

    def __init__(self, home: Path, chromium: Any) -> None:
        self.home, self.engine = home, make_engine(f"sqlite:///{home / 'review-flow.db'}")
        self.do(lambda school: [school.ready(one, abilities=["A1"]) for one in school.teachers], begin=True)
        self.server = Server(home)
        self.pages = {number: self.window(chromium, number, size) for number, size in SIX.items()}

    def do(self, deed: Callable[[School], object], *, begin: bool = False) -> None:
        """What is done beside the pages: other people's deeds, and the worker's."""
        with transaction(self.engine) as session:
            school = Now(session, teachers=3, scheme=small()).open() if begin else School.again(session)
            deed(school)

    def window(self, chromium: Any, number: str, size: dict[str, int]) -> Any:
        context = chromium.new_context(viewport=size, locale="zh-CN", is_mobile=size is PHONE)
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies([self.proof(number)])
        page = context.new_page()
        page.on("dialog", lambda asked: asked.accept())
        return page

    def proof(self, number: str) -> Any:
        with transaction(self.engine) as session:
            person = session.scalars(select(Person).where(Person.number == number)).one()
            token = door.begin(session, person=person, user_agent="Chromium")
        return {"name": SESSION_COOKIE, "value": token, "url": self.server.address}

    def work_of(self, number: str) -> str:
        with transaction(self.engine) as session:
            found = select(Submission.id).join(Person, Person.id == Submission.author_id).where(Person.number == number)
            return f"{self.server.address}/works/{session.scalars(found).one()}"

    def close(self) -> None:
        self.server.kill()
        self.engine.dispose()


@pytest.fixture
def play(tmp_path: Path, templates: Templates, chromium: Any) -> Iterator[Play]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "review-flow.db").write_bytes(templates.sqlite().read_bytes())
    made = Play(home, chromium)
    yield made
    made.close()


def choose(page: Any, slot: str, file: Path) -> None:
    """Choose a file as a person does: from the press on, the list is not drawn anew under it."""
    with page.expect_file_chooser() as chooser:
        page.locator(f"#slot-{slot} .pick-file").last.click()
    chooser.value.set_files(file)


def here(page: Any, slot: str) -> None:
    page.locator(f"#slot-{slot} .files a").first.wait_for()


def at_second_piece(page: Any, happens: Callable[[], object]) -> None:
    """The first piece arrives; before the second something happens, once."""
    sent = 0

    def watch(route: Any) -> None:
        nonlocal sent
        sent += route.request.method == "PATCH"
        if sent == 2:
            sent += 1
            happens()
            route.abort()
        else:
            route.continue_()

    page.route("**/uploads/*", watch)


def later_piece(request: Any) -> bool:
    return request.method == "PATCH" and request.headers["upload-offset"] != "0"


def upload_while_the_server_is_killed(play: Play, page: Any, film: Path) -> None:
    at_second_piece(page, play.server.kill)
    choose(page, "report", film)
    page.get_by_text("网络断了").wait_for()
    keep(page, "round-server-killed")
    play.server.start()
    here(page, "report")


def upload_while_the_tab_is_closed(play: Play, page: Any, film: Path) -> Any:
    page.route("**/uploads/*", lambda route: None if later_piece(route.request) else route.continue_())
    with page.expect_request(later_piece):
        choose(page, "report", film)
    again = page.context.new_page()
    page.close()
    again.goto(play.work_of("T02"))
    again.get_by_text("没有传完").wait_for()
    choose(again, "report", film)
    here(again, "report")
    return again


def upload_while_the_line_is_dropped(page: Any, film: Path) -> None:
    at_second_piece(page, lambda: page.context.set_offline(True))
    choose(page, "report", film)
    page.get_by_text("网络断了").wait_for()
    page.context.set_offline(False)
    here(page, "report")


def fill_rubric(page: Any, mark: str) -> None:
    page.locator("[data-rubric]").wait_for()
    for box in page.locator("[data-keys] .pick input").all():
        box.check()
    for field in page.locator(".mark").all():
        field.fill(mark)
    for level in page.locator("[data-rubric] select").all():
        level.select_option("优秀")
    page.fill("#comment", "教学设计完整，技术使用恰当，值得学习。")
    page.get_by_text("草稿已保存").wait_for()
    page.locator("[data-rubric] button.btn-primary").click()


def checked(school: School) -> None:
    for one in school.session.scalars(select(Evidence).where(Evidence.verdict.is_(None))):
        school.check(one)


def hand_in(play: Play, folder: Path) -> None:
    """Each film is interrupted in its own way, and is whole in the end."""
    film, plan = folder / "课堂实录.mp4", folder / "学情分析方案.pdf"
    film.write_bytes(FILM)
    plan.write_bytes(PLAN)
    for number in ("T01", "T02", "T03"):
        play.pages[number].goto(play.work_of(number))
    upload_while_the_server_is_killed(play, play.pages["T01"], film)
    play.pages["T02"] = upload_while_the_tab_is_closed(play, play.pages["T02"], film)
    upload_while_the_line_is_dropped(play.pages["T03"], film)
    for number in ("T01", "T02", "T03"):
        choose(play.pages[number], "plan", plan)
        here(play.pages[number], "plan")
    with transaction(play.engine) as session:
        handed = session.scalars(select(Evidence).where(Evidence.slot == "report")).all()
        storage = LocalStorage(play.home / "storage")
        assert [read(storage, one.storage_key) == FILM for one in handed] == [True] * 3
    play.do(checked)
    for number in ("T01", "T02", "T03"):
        page = play.pages[number]
        page.reload()
        page.check("input[name=own_work]")
        page.click("#seal button")
        page.get_by_text("已封存待互评").first.wait_for()


def review_and_submit(play: Play) -> None:
    play.do(lambda school: school.allocate())
    for number in ("T01", "T02", "T03"):
        page = play.pages[number]
        page.goto(f"{play.server.address}/reviews")
        page.locator("main a[href^='/reviews/']").first.click()
        fill_rubric(page, "85")
        page.get_by_text("谢谢您认真评审").wait_for()
        page.goto(play.work_of(number))
        page.get_by_role("button", name="提交").click()
        page.get_by_role("button", name="提交").wait_for(state="detached")


def mark_and_publish(play: Play) -> None:
    """One member marks all the works in the browser; grades are confirmed at a desk, and published at another."""
    page = play.pages["P1"]
    play.do(all_to_the_first)
    for _work in range(3):
        page.goto(f"{play.server.address}/panel")
        page.locator("main a[href^='/panel/marks/']").first.click()
        fill_rubric(page, "85")
        page.wait_for_url("**/panel?done=1")
    play.do(lambda school: advance.advance(school.session, round_=school.round))
    play.do(later_composed)
    page.goto(grades := f"{play.server.address}/panel/rounds/1/grades")
    page.get_by_role("button", name="确认全部拟定等级").click()
    page.get_by_text("在后台进行").wait_for()
    play.do(lambda school: do_errands(school.session))
    page.get_by_text("已确认3份").wait_for()
    office = play.pages["A01"]
    office.goto(grades)
    office.get_by_role("link", name="公示", exact=True).click()
    office.check("form[action$='/publish'] input[name=yes]")
    office.get_by_role("button", name="公示").click()
    office.get_by_role("heading", name="考核结果公示").wait_for()


def all_to_the_first(school: School) -> None:
    """Whoever of the panel was drawn, the one at the desk is it."""
    for one in school.session.scalars(select(PanelMark)):
        one.marker_id = school.members[0].id


def later_composed(school: School) -> None:
    with hands_at(now() + timedelta(days=4)):
        school.compose()


def sign_and_appeal(play: Play) -> None:
    appealing, signing, hearing = (play.pages[number] for number in ("T02", "T01", "P6"))
    appealing.goto(f"{play.server.address}/rounds/1/result")
    appealing.locator("summary", has_text="提出申诉").click()
    appealing.fill("#reason", "A1的课堂实录应当评得更高。")
    appealing.get_by_role("button", name="提出申诉").click()
    appealing.get_by_text("前答复").wait_for()
    play.do(publicity_over)
    signing.goto(f"{play.server.address}/rounds/1/result")
    signing.get_by_role("button", name="签收").click()
    signing.get_by_text("已签名").wait_for()
    keep(signing, "round-signed")
    hearing.goto(f"{play.server.address}/panel")
    hearing.locator("main a[href^='/panel/appeals/']").first.click()
    hearing.locator("input[name=uphold][value=false]").check()
    hearing.fill("#reason", "复看了课堂实录，评分恰当。")
    hearing.get_by_role("button", name="提交意见").click()
    hearing.wait_for_url("**/panel?done=1")
    play.do(second_hearer_agrees)


def publicity_over(school: School) -> None:
    with hands_at(now() + timedelta(days=12)):
        advance.advance(school.session, round_=school.round)


def second_hearer_agrees(school: School) -> None:
    appeal = school.session.scalars(select(Appeal)).one()
    appeals.vote(school.session, actor=school.hearers[1], appeal=appeal, uphold=False, reason="同意维持", marks=None)


def outcome(session: Session) -> dict[str, object]:
    return {
        "phase": session.scalars(select(Round.phase)).one(),
        "works": set(session.scalars(select(Submission.state))),
        "results": sorted(one.value for one in session.scalars(select(Result.state).where(Result.current))),
        "signed": len(session.scalars(select(Signature)).all()),
        "appeal": session.scalars(select(Appeal.state)).one(),
    }


def test_a_whole_round_by_six_people(play: Play, tmp_path: Path) -> None:
    hand_in(play, tmp_path)
    review_and_submit(play)
    mark_and_publish(play)
    sign_and_appeal(play)
    engine: Engine = play.engine
    with transaction(engine) as session:
        assert outcome(session) == {
            "phase": RoundPhase.SIGNING,
            "works": {SubmissionState.GRADED},
            "results": sorted([ResultState.SIGNED.value, ResultState.TO_SIGN.value, ResultState.FINAL.value]),
            "signed": 1,
            "appeal": AppealState.DISMISSED,
        }
        assert invariants.broken(session) == []
