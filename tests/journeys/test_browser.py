"""A teacher with a phone in a real Chromium: signs in, loses the line and the tab, goes on, seals."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from models import Evidence, Person, Submission
from review_flow.db import transaction
from review_flow.outside.storage import LocalStorage, read
from review_flow.steps import door, submissions
from tests.cast import START, Clock, School
from tests.conftest import Templates
from tests.journeys.browsers import IN_CHROMIUM, PATIENCE_MS, PHONE, Served, keep

FILM = b"\x00\x00\x00\x18ftypmp42" + random.Random(1).randbytes(9_000_000)
pytestmark = IN_CHROMIUM


class Site(Served):
    """A school whose teachers have chosen, files on a real disk, and 王芳's one-time link."""

    def prepare(self) -> None:
        self.storage = LocalStorage(self.home / "storage")
        with transaction(self.engine) as session:
            school = School(session).open()
            for person in school.teachers:
                school.ready(person)
            self.token = door.make_link(session, actor=school.admin, person=school.teachers[0])


@pytest.fixture
def site(tmp_path: Path, templates: Templates) -> Iterator[Site]:
    clock = Clock(START)
    made = Site(tmp_path / "home", templates.sqlite())
    yield made
    made.close()
    clock.stack.close()


@pytest.fixture
def phone(chromium: Any) -> Any:
    context = chromium.new_context(viewport=PHONE, device_scale_factor=2, locale="zh-CN", is_mobile=True)
    context.set_default_timeout(PATIENCE_MS)
    return context


def picture(page: Any, name: str) -> None:
    """Keep a screenshot where somebody asked for them; and never a page wider than the phone."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    keep(page, name)


def test_sign_in_an_interrupted_upload_and_sealing(  # noqa: PLR0915 - one way from the door to the seal
    phone: Any, site: Site, tmp_path: Path
) -> None:
    address, home, token = site.address, site.home, site.token
    complaints: list[str] = []
    page = phone.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/link#{token}")
    picture(page, "link")
    page.fill("#password", "correct horse")
    page.click("main button")
    page.wait_for_selector(".way")
    picture(page, "home")
    page.goto(f"{address}/me")
    picture(page, "me")
    page.click("text=退出登录")
    page.wait_for_selector("#number")
    page.fill("#number", "T01")
    page.fill("#password", "wrong horse")
    page.click("main button")
    page.wait_for_selector("#refusal .say-no")
    assert page.input_value("#number") == "T01"
    picture(page, "enter")
    page.fill("#password", "correct horse")
    page.click("main button")
    page.wait_for_selector(".way")
    page.click("a[href*=choose]")
    page.wait_for_selector(".pick")
    page.locator(".pick input:checked").first.uncheck()
    page.wait_for_selector("#choice .tone-warn")
    picture(page, "choose")
    page.goto(address)
    assert complaints == ["Failed to load resource: the server responded with a status of 403 (Forbidden)"]

    page.click("text=现在去做")
    page.wait_for_selector(".slot")
    picture(page, "work")
    work = page.url
    film = tmp_path / "课堂实录.mp4"
    film.write_bytes(FILM)
    sent = 0

    def drop_the_second(route: Any) -> None:
        nonlocal sent
        sent += route.request.method == "PATCH"
        route.abort() if sent > 1 else route.continue_()

    page.route("**/uploads/*", drop_the_second)
    slots = page.locator("input[data-slot]").evaluate_all("all => all.map(one => one.dataset.slot)")
    page.set_input_files(f"#slot-{slots[0]} input[data-slot]", film)
    page.get_by_text("网络断了").wait_for()
    picture(page, "dropped")
    [half] = (home / "uploads").iterdir()
    assert half.stat().st_size == 4 * 1024 * 1024
    page.close()

    page = phone.new_page()
    asked: list[str] = []
    page.on(
        "request", lambda one: asked.append(one.headers.get("upload-offset", "")) if one.method == "PATCH" else None
    )
    page.goto(work)
    page.get_by_text("没有传完").wait_for()
    picture(page, "continue")
    page.set_input_files(f"#slot-{slots[0]} input[data-slot]", film)
    page.locator(f"#slot-{slots[0]} .files a").first.wait_for()
    assert asked[0] == str(4 * 1024 * 1024)
    for slot in slots[1:]:
        page.set_input_files(f"#slot-{slot} input[data-slot]", film)
        page.locator(f"#slot-{slot} .files a").first.wait_for()
    while page.get_by_text("还差：").count():
        [slot] = page.locator(".slot").evaluate_all(
            "(all) => all.filter(one => document.querySelector('#seal').innerText.includes(one.querySelector('h2').innerText)).map(one => one.id).slice(0, 1)"
        )
        files = page.locator(f"#{slot} .files > li")
        before = files.count()
        film.write_bytes(FILM + bytes(before))  # the very same file fills a slot once
        page.set_input_files(f"#{slot} input[data-slot]:not([data-replaces])", film)
        files.nth(before).wait_for()
    page.check("input[name=own_work]")
    picture(page, "seal")
    page.click("#seal button")
    page.get_by_text("已封存待互评").first.wait_for()
    assert page.locator("header").count() == 1  # the page took the page's place, not the list's
    picture(page, "sealed")
    with transaction(site.engine) as session:
        assert session.get_one(Submission, int(work.rsplit("/", 1)[1])).sealed_at is not None
        first = session.scalars(select(Evidence).order_by(Evidence.id)).first()
        assert first is not None
        assert read(site.storage, first.storage_key) == FILM


def test_a_file_for_a_work_that_was_sealed_in_another_tab_is_refused_at_once(
    phone: Any, site: Site, tmp_path: Path
) -> None:
    with transaction(site.engine) as session:
        school = School.again(session)
        author = school.teachers[0].id
        [work, *_others] = session.scalars(select(Submission).where(Submission.author_id == author)).all()
        school.fill(work)
        key = work.id
    phone.add_cookies([site.cookie(author)])
    page = phone.new_page()
    page.goto(f"{site.address}/works/{key}")
    with transaction(site.engine) as session:
        one, person = session.get_one(Submission, key), session.get_one(Person, author)
        submissions.seal(session, actor=person, submission=one, own_work=True)
    film = tmp_path / "另一份.mp4"
    film.write_bytes(FILM[:1000])
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if one.url.endswith("/uploads") else None)
    chosen = page.locator("input[data-replaces]").first
    chosen.set_input_files(film)
    page.locator(".slot .say-no:not([hidden])").wait_for()
    assert "已封存" in page.inner_text(".slot .say-no:not([hidden])")
    assert (len(asked), chosen.is_enabled(), page.locator("[data-sending]").count()) == (1, True, 0)
