"""One-time links in a real Chromium: from a mail to the form in one go, with the code in no address that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from review_flow.db import transaction
from review_flow.steps import door
from tests.cast import START, Clock, School
from tests.conftest import Templates
from tests.journeys.browsers import IN_CHROMIUM, PATIENCE_MS, PHONE, Served

pytestmark = IN_CHROMIUM
MAIL = "http://mail.test/inbox"


class Site(Served):
    """A school, and 王芳's one-time link."""

    def prepare(self) -> None:
        with transaction(self.engine) as session:
            school = School(session).open()
            self.admin, self.invited = school.admin.id, school.teachers[0].id
            self.token = door.make_link(session, actor=school.admin, person=school.teachers[0])

    @property
    def link(self) -> str:
        return door.address_of(self.token, at=self.address)


@pytest.fixture
def site(tmp_path: Path, templates: Templates) -> Iterator[Site]:
    clock = Clock(START)
    made = Site(tmp_path / "home", templates.sqlite())
    yield made
    made.close()
    clock.stack.close()


@pytest.fixture
def context(chromium: Any) -> Iterator[Any]:
    made = chromium.new_context(viewport=PHONE, locale="zh-CN")
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


def history(page: Any) -> list[str]:
    """Where back and forward lead, from the tab's first page to the last."""
    return [one["url"] for one in page.context.new_cdp_session(page).send("Page.getNavigationHistory")["entries"]]


def test_a_link_in_a_mail_leads_to_the_form_at_once_and_its_code_stays_nowhere(context: Any, site: Site) -> None:
    form, sent = f"{site.address}/link/password", list[str]()
    context.route(MAIL, lambda route: route.fulfill(content_type="text/html", body=f'<a href="{site.link}">link</a>'))
    context.on("request", lambda one: sent.extend([one.url.partition("#")[0], one.headers.get("referer", "")]))
    page = context.new_page()
    page.goto(MAIL)
    page.click("a")
    page.wait_for_selector("#password")
    assert (page.url, page.locator("h1").inner_text()) == (form, "王芳老师，请设置密码")
    assert history(page) == ["about:blank", MAIL, form]
    page.click("footer button[lang=en]")
    page.get_by_role("heading", name="please set a password").wait_for()
    page.reload()
    page.fill("#password", "T01T01T01T01")
    page.click("main button")
    page.wait_for_selector("#refusal .say-no")
    page.fill("#password", "correct horse")
    page.click("main button")
    page.wait_for_selector(".way")
    assert [one for one in [*sent, *history(page)] if site.token in one] == []
    assert site.token not in {one["value"] for one in context.cookies()}


def test_a_dead_link_is_refused_and_the_next_one_opens_in_the_same_tab(context: Any, site: Site) -> None:
    page = context.new_page()
    page.goto(door.address_of("nothing", at=site.address))
    page.get_by_text("这个链接已经用过或过期").wait_for()
    assert (page.url, history(page)) == (f"{site.address}/link", ["about:blank", f"{site.address}/link"])
    page.goto(site.link)
    page.wait_for_selector("#password")
    assert [one for one in history(page) if "#" in one] == []


def test_without_script_the_link_is_pasted(chromium: Any, site: Site) -> None:
    context = chromium.new_context(viewport=PHONE, locale="zh-CN", java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(site.link)
    page.get_by_text("把它粘贴到这里").wait_for()
    page.fill("#link-code", site.link)
    page.click("main button")
    page.fill("#password", "correct horse")
    page.click("main button")
    page.wait_for_selector(".way")
    assert page.url == f"{site.address}/"
    context.close()
