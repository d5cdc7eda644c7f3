"""A teacher with a phone in a real Chromium: signs in, loses the line and the tab, goes on, seals."""

from __future__ import annotations

import os
import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import select

from models import Evidence, Submission
from review_flow.db import make_engine, transaction
from review_flow.outside.storage import LocalStorage, read
from review_flow.settings import Settings
from review_flow.steps import door
from review_flow.web.app import create_app
from tests.cast import START, Clock, School
from tests.conftest import Templates

CHROMIUM = shutil.which("chromium")
PHONE = {"width": 360, "height": 740}
FILM = b"\x00\x00\x00\x18ftypmp42" + random.Random(1).randbytes(9_000_000)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]


@pytest.fixture
def site(tmp_path: Path, templates: Templates) -> Iterator[tuple[str, Path, str]]:
    """The application on a port of its own: its address, its home, and 王芳's one-time link."""
    home = tmp_path / "home"
    settings = Settings(home=home)
    home.mkdir()
    shutil.copy(templates.sqlite(), home / "review-flow.db")
    engine = make_engine(settings.database)
    clock = Clock(START)
    with transaction(engine) as session:
        school = School(session).open()
        for person in school.teachers:
            school.ready(person)
        token = door.make_link(session, actor=school.admin, person=school.teachers[0])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(settings, engine=engine)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}", home, token
    server.should_exit = True
    thread.join(10)
    engine.dispose()
    clock.stack.close()


@pytest.fixture
def phone() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = opened.new_context(viewport=PHONE, device_scale_factor=2, locale="zh-CN", is_mobile=True)
        context.set_default_timeout(15_000)
        yield context
        opened.close()


def picture(page: Any, name: str) -> None:
    """Keep a screenshot where somebody asked for them; and never a page wider than the phone."""
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    if folder := os.environ.get("REVIEW_FLOW_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_sign_in_an_interrupted_upload_and_sealing(  # noqa: PLR0915 - one way from the door to the seal
    phone: Any, site: tuple[str, Path, str], tmp_path: Path
) -> None:
    address, home, token = site
    complaints: list[str] = []
    page = phone.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{address}/link/{token}")
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
        page.set_input_files(f"#{slot} input[data-slot]", film)
        files.nth(before).wait_for()
    page.check("input[name=own_work]")
    picture(page, "seal")
    page.click("#seal button")
    page.get_by_text("已封存待互评").first.wait_for()
    assert page.locator("header").count() == 1  # the page took the page's place, not the list's
    picture(page, "sealed")
    engine = make_engine(f"sqlite:///{home / 'review-flow.db'}")
    with transaction(engine) as session:
        assert session.get_one(Submission, int(work.rsplit("/", 1)[1])).sealed_at is not None
        first = session.scalars(select(Evidence).order_by(Evidence.id)).first()
        assert first is not None
        assert read(LocalStorage(home / "storage"), first.storage_key) == FILM
    engine.dispose()
