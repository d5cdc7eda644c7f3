"""Every page in Chromium, on a phone and at a desk, in both languages and both colours: axe finds nothing.

Whoever adds a page adds a line to `PAGES`: who opens it, with which rows behind it.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from PIL import Image
from pypdf import PdfReader

from review_flow.db import transaction
from review_flow.web.door import LINK_COOKIE
from review_flow.web.envelope import LANGUAGE_COOKIE
from review_flow.web.pace import Pace
from tests.cast import Clock
from tests.conftest import Templates
from tests.journeys.browsers import DESK, IN_CHROMIUM, PATIENCE_MS, PHONE, Served, axe_script, keep
from tests.journeys.worlds import World, Worlds

pytestmark = [*IN_CHROMIUM, pytest.mark.timeout(600)]
NOBODY = "nobody"
INVITED = "invited"  # nobody yet, who has opened a one-time link
WHOLE = "whole"  # who is past the second step
# Route → world, who, and the rows that fill its braces, in their order; several where it shows different things.
PAGES: dict[str, list[tuple[str, ...]]] = {
    "/": [
        ("middle", "new"),
        ("middle", "collecting"),
        ("middle", "reviewer"),
        ("end", "to sign"),
        ("setup", "teacher"),
    ],
    "/activity/{key}": [("programme", "admin", "meeting")],
    "/enter": [("middle", NOBODY)],
    "/enter/code": [("middle", "half in")],
    "/link": [("middle", NOBODY)],
    "/link/password": [("middle", INVITED)],
    "/me": [("middle", "collecting"), ("middle", "admin")],
    "/me/face": [("middle", "reviewer"), ("middle", "done")],
    "/me/password": [("middle", "collecting")],
    "/me/proof": [("middle", "collecting")],
    "/me/second-factor": [("middle", "collecting"), ("middle", "pairing"), ("middle", WHOLE)],
    "/me/tokens": [("middle", "admin"), ("bare", "admin")],
    "/messages": [("middle", "reviewer"), ("bare", "admin")],
    "/panel": [("middle", "member"), ("end", "member"), ("end", "hearer"), ("middle", "new")],
    "/panel/adjustments/{key}": [("middle", "other", "fact")],
    "/panel/approvals/{key}": [("chain", "admin", "work")],
    "/panel/rounds/{key}/approvals": [("chain", "admin", "round")],
    "/panel/rounds/{key}/visits": [("visits", "member", "round")],
    "/panel/workshops/{key}": [("workshops", "member", "result")],
    "/rounds/{key}/workshop": [("workshops", "leader", "round")],
    "/panel/appeals/{key}": [("end", "hearer", "appeal")],
    "/panel/marks/{key}": [("middle", "member", "marks")],
    "/panel/reports/{key}": [("middle", "other", "report")],
    "/panel/results/{key}": [("end", "member", "proposed")],
    "/panel/rounds/{key}/adjustments": [("middle", "member", "round")],
    "/panel/rounds/{key}/grades": [("end", "member", "waiting"), ("end", "admin", "round")],
    "/panel/validity/{key}": [("middle", "other", "doubtful")],
    "/reviews": [("middle", "reviewer"), ("middle", "done"), ("bare", "admin")],
    "/reviews/{key}": [("middle", "reviewer", "task")],
    "/rounds/{key}": [("middle", "collecting", "round"), ("visits", "teacher", "round")],
    "/rounds/{key}/choose": [("middle", "collecting", "round")],
    "/rounds/{key}/nominations": [("programme", "teacher", "round")],
    "/rounds/{key}/plan": [("middle", "new", "round"), ("middle", "collecting", "round")],
    "/rounds/{key}/records": [("middle", "reviewer", "round"), ("programme", "teacher", "round")],
    "/rounds/{key}/result": [("end", "appealing", "round"), ("end", "signed", "round"), ("end", "to sign", "round")],
    "/county": [("end", "officer"), ("setup", "officer")],
    "/county/rounds/{key}": [("end", "officer", "round")],
    "/county/rounds/{key}/results/{result}": [("end", "officer", "round", "drawn")],
    "/school": [("middle", "admin"), ("bare", "admin")],
    "/school/audit": [("middle", "admin")],
    "/school/enrolments/{key}": [("middle", "admin", "enrolment")],
    "/school/imports/{key}": [("middle", "admin", "sheet"), ("middle", "admin", "looked")],
    "/school/library/{name}": [("middle", "admin", "library")],
    "/school/new-round": [("middle", "admin"), ("bare", "admin")],
    "/school/own-scheme": [("middle", "admin")],
    "/school/roles": [("middle", "admin")],
    "/school/rounds/{key}": [("middle", "admin", "round"), ("setup", "admin", "round")],
    "/school/rounds/{key}/agreement": [("end", "admin", "round"), ("setup", "admin", "round")],
    "/school/rounds/{key}/board": [("programme", "admin", "round"), ("setup", "admin", "round")],
    "/school/rounds/{key}/certificates": [("end", "admin", "round"), ("setup", "admin", "round")],
    "/school/rounds/{key}/charts": [
        ("end", "admin", "round"),
        ("middle", "admin", "round"),
        ("setup", "admin", "round"),
    ],
    "/school/rounds/{key}/dry-run": [("middle", "admin", "round")],
    "/school/rounds/{key}/finish": [("end", "admin", "round"), ("setup", "admin", "round")],
    "/school/rounds/{key}/progress": [("middle", "admin", "round"), ("setup", "admin", "round")],
    "/school/rounds/{key}/publicity": [("end", "admin", "round")],
    "/school/rounds/{key}/reviews": [("middle", "admin", "round"), ("setup", "admin", "round")],
    "/school/rounds/{key}/sheets": [("middle", "admin", "round")],
    "/school/schemes": [("middle", "admin")],
    "/school/schemes/{key}": [("middle", "admin", "scheme"), ("bare", "admin", "draft")],
    "/school/schemes/{key}/plan": [("middle", "admin", "scheme")],
    "/school/sheets": [("middle", "admin"), ("bare", "admin")],
    "/school/tasks/{key}": [("middle", "admin", "task")],
    "/school/people": [("middle", "admin")],
    "/school/webhooks": [("middle", "admin"), ("bare", "admin")],
    "/school/webhooks/{key}": [("middle", "admin", "webhook")],
    "/sign-in/{key}": [("programme", "teacher", "meeting")],
    "/sign-in/{key}/{code}": [("programme", "teacher", "meeting", "code")],
    "/verify": [("end", NOBODY)],
    "/verify/{number}": [("end", NOBODY, "certificate")],
    "/works/{key}": [
        ("middle", "collecting", "work"),
        ("middle", "collecting", "full"),
        ("middle", "reviewer", "sealed"),
    ],
}
# What else a page may say: name → world, who, address, status.
MOMENTS: dict[str, tuple[str, str, str, int]] = {
    "not-there": ("middle", "reviewer", "/works/987654", 404),
    "no-such-page": ("middle", NOBODY, "/nothing", 404),
    "not-for-teachers": ("middle", "reviewer", "/school", 403),
    "not-well-asked": ("middle", "admin", "/school/audit?key=x", 422),
    "certificate-unknown": ("end", NOBODY, "/verify/7K2M-90QF-3TXW-8A1B", 200),
    "audit-nothing": ("middle", "admin", "/school/audit?who=nobody", 200),
    "audit-one-thing": ("middle", "admin", "/school/audit?thing=round", 200),
    "people-nobody": ("middle", "admin", "/school/people?word=nobody", 200),
    "roles-nobody": ("middle", "admin", "/school/roles?word=nobody", 200),
    "too-busy": ("middle", "new", "/", 429),
}
# What answers a form: name → world, who, address, what is typed where, the button, and what is seen then.
ANSWERS: dict[str, tuple[str, str, str, dict[str, str], str, str]] = {
    "refused-sign-in": (
        "middle",
        NOBODY,
        "/enter",
        {"#number": "T01", "#password": "-"},
        "main button",
        "#refusal > *",
    ),
    "link-used-up": ("middle", NOBODY, "/link", {"#link-code": "nothing"}, "main form button", "#refusal > *"),
    "one-time-link": ("middle", "admin", "/school/people", {}, "[action$='/link'] button", "main code"),
    "token-made": (
        "middle",
        "admin",
        "/me/tokens",
        {"#name": "x", "#scope-read": ""},
        "[action='/me/tokens'] button",
        "p.sheet code",
    ),
    "recovery-codes": ("middle", WHOLE, "/me/second-factor", {}, "[action$='/codes'] button", "ol code"),
    "webhook-made": (
        "bare",
        "admin",
        "/school/webhooks",
        {"#url": "https://xiaoneng.example.edu.cn/hook", "#event-1": ""},
        "[action='/school/webhooks'] button",
        "p.sheet code",
    ),
    "own-scheme-wrong": ("middle", "admin", "/school/own-scheme", {"#text": "id: x"}, "main form button", ".tag-no"),
}
# What is no page of its own: for machines, files, parts of pages, ways out to other services.
NO_PAGES = {
    "/healthz",
    "/readyz",
    "/activity/{key}/code",
    "/enter/with/{provider}",
    "/enter/with/{provider}/back",
    "/files/{token}",
    "/me/identities/{provider}",
    "/works/{key}/slots",
    "/errands/{key}",
    "/school/exports/{key}/file",
    "/school/imports/{key}/part",
    "/school/imports/{key}/problems.xlsx",
    "/school/rounds/{key}/jobs",
    "/school/rounds/{key}/progress/part",
    "/school/library/{name}/yaml",
    "/school/schemes/{key}/plan.docx",
    "/school/schemes/{key}/yaml",
    "/school/templates/{kind}",
}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
ASK_AXE = "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']}).then(said => said.violations.map(one => [one.id, one.nodes.map(node => node.target.join(' ') + ' ' + node.failureSummary.replaceAll('\\n', ' '))]))"

# How far what one reads jumped while the page came (0 to 1), and how many bytes page, style and scripts are on the line.
SETTLED = """() => new Promise(done => {
  let moved = 0;
  new PerformanceObserver(list => { for (const one of list.getEntries()) moved += one.value; })
    .observe({type: 'layout-shift', buffered: true});
  const parts = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  const sent = parts.filter(one => ['navigation', 'link', 'script', 'css'].includes(one.initiatorType));
  const bytes = sent.reduce((sum, one) => sum + one.encodedBodySize, 0);
  setTimeout(() => done({moved, bytes}), 100);
})"""
MOST_BYTES = 100_000
MOST_MOVED = 0.02  # a fifth of what Web Vitals calls good: a foot that waits for slow lines above it
HEAVY = "school-rounds-key-charts"  # ECharts comes along


class Site(Served):
    """All worlds in one installation."""

    def prepare(self) -> None:
        self.clock = Clock()
        with transaction(self.engine) as session:
            self.worlds = Worlds(session, self.storage, self.settings, self.clock)

    def close(self) -> None:
        super().close()
        self.clock.stack.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("pages") / "home", templates.sqlite())
    yield made
    made.close()


class Reader:
    """A browser that is one person after another, in one language."""

    def __init__(self, chromium: Any, site: Site, language: str, scale: float = 1) -> None:
        self.site, self.language, self.said, self.problems = site, language, list[str](), list[str]()
        self.context = chromium.new_context(viewport=PHONE, reduced_motion="reduce", device_scale_factor=scale)
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(axe_script())
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self.said.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.cookies: dict[tuple[int, bool], Any] = {}

    def become(self, world: World, who: str) -> None:
        self.site.clock.to(world.at)
        self.context.clear_cookies()
        self.context.add_cookies(
            [{"name": LANGUAGE_COOKIE, "value": self.language, "url": self.site.address}, *self.proof(world, who)]
        )

    def proof(self, world: World, who: str) -> list[Any]:
        if who == NOBODY:
            return []
        if who == INVITED:
            return [{"name": LINK_COOKIE, "value": str(world.ids["link"]), "url": self.site.address}]
        person = world.people[who], who == WHOLE
        if person not in self.cookies:
            self.cookies[person] = self.site.cookie(person[0], whole=person[1])
        return [self.cookies[person]]

    def open(self, path: str, name: str, status: int = 200) -> None:
        answer = self.go(path)
        self.demand(name, answer.status == status, f"answered {answer.status}")
        settled = self.page.evaluate(SETTLED)
        self.demand(name, settled["moved"] <= MOST_MOVED, f"jumped by {settled['moved']}")
        self.demand(name, 0 < settled["bytes"] <= MOST_BYTES or name.startswith(HEAVY), f"is {settled['bytes']} bytes")
        self.judge(name)

    def go(self, path: str) -> Any:
        self.said.clear()
        self.page.set_viewport_size(PHONE)
        self.page.emulate_media(color_scheme="light")
        return self.page.goto(self.site.address + path)

    def answered(self, path: str, name: str, typed: dict[str, str], button: str, seen: str) -> None:
        self.go(path)
        for field, text in typed.items():
            self.page.locator(field).check() if not text else self.page.fill(field, text)
        self.page.locator(button).last.click()
        self.page.locator(seen).first.wait_for()
        self.judge(name)

    def judge(self, name: str) -> None:
        language = self.page.get_attribute("html", "lang")
        self.demand(name, language == {"zh": "zh-CN", "en": "en"}[self.language], f"lang is {language}")
        for size, colours in ((PHONE, "light"), (DESK, "dark")):
            self.page.set_viewport_size(size)
            self.page.emulate_media(color_scheme=colours)
            self.look(f"{name}-{self.language}-{size['width']}", size["width"])
        wrong = [one for one in self.said if not re.search(r"status of 4\d\d ", one)]
        self.demand(name, not wrong, f"console: {wrong}")

    def look(self, name: str, width: int) -> None:
        keep(self.page, name)
        self.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        self.demand(name, wide <= width, f"is {wide} wide")
        for rule, places in self.page.evaluate(ASK_AXE, TAGS):
            self.problems.extend(f"{name}: {rule}: {place}" for place in places)
        self.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = false")

    def demand(self, name: str, true: bool, text: str) -> None:  # noqa: FBT001 - what must hold
        if not true:
            self.problems.append(f"{name}: {text}")


def routes(site: Site) -> set[str]:
    pages = (one for one in site.app.routes if isinstance(one, APIRoute) and "GET" in one.methods)
    return {one.path for one in pages if not one.path.startswith("/api/")}


def named(path: str, number: int) -> str:
    return (re.sub(r"[^a-z]+", "-", path).strip("-") or "home") + (f"-{number}" if number else "")


def test_no_page_is_forgotten(site: Site) -> None:
    assert routes(site) - NO_PAGES - set(PAGES) == set()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_is_for_everybody(site: Site, chromium: Any, language: str) -> None:
    reader = Reader(chromium, site, language)
    for path, visits in PAGES.items():
        for number, (world_name, who, *rows) in enumerate(visits):
            world: World = getattr(site.worlds, world_name)
            reader.become(world, who)
            values = iter(str(world.ids[row]) for row in rows)
            reader.open(re.sub(r"{[^}]*}", lambda _found, left=values: next(left), path), named(path, number))
    if reader.problems:
        pytest.fail("\n".join(reader.problems))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_else_a_page_may_say_is_for_everybody(
    site: Site, chromium: Any, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(chromium, site, language)
    for name, (world_name, who, path, *rest) in ANSWERS.items():
        reader.become(getattr(site.worlds, world_name), who)
        reader.answered(path, name, *rest)
    for name, (world_name, who, path, status) in MOMENTS.items():
        reader.become(getattr(site.worlds, world_name), who)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            monkeypatch.setitem(site.app.state._state, "pace_of_people", Pace(1))  # of a State, setattr is not undone
            reader.go(path)
        reader.open(path, name, status)
    if reader.problems:
        pytest.fail("\n".join(reader.problems))


PRINTED = {
    "/school/rounds/{round}/charts": ("end", "admin", ["等级分布", "优秀", "80–85"], ["看数字", "每位评阅人的偏差"]),
    "/rounds/{round}/plan": ("middle", "collecting", ["第一章", "第二条"], ["考核方案全文", "返回"]),
}
"""What stands on paper, though it is folded up on the screen, and what does not, by page."""


def test_what_is_folded_up_on_the_screen_is_printed(site: Site, chromium: Any) -> None:
    reader = Reader(chromium, site, "zh")
    for path, (world_name, who, there, away) in PRINTED.items():
        world: World = getattr(site.worlds, world_name)
        reader.become(world, who)
        reader.go(path.format_map(world.ids))
        reader.page.evaluate("for (const one of document.querySelectorAll('details')) one.open = false")
        pages = PdfReader(io.BytesIO(reader.page.pdf(format="A4"))).pages
        text = re.sub(r"\s", "", "".join(page.extract_text() for page in pages))
        assert (path, [one for one in there if one not in text]) == (path, [])
        assert (path, [one for one in away if one in text]) == (path, [])


def test_a_phones_head_takes_two_rows_however_much_waits(site: Site, chromium: Any) -> None:
    reader = Reader(chromium, site, "zh")
    heights = []
    for who in ("new", "reviewer", "member"):  # nothing new; reviews and messages; a seat and messages
        reader.become(site.worlds.middle, who)
        reader.go("/me")
        heights.append(reader.page.locator(".top").bounding_box()["height"])
    assert max(heights) - min(heights) < 10, heights  # a row takes 35


# README's pictures: name → world, who, address and size. `REVIEW_FLOW_PICTURES=docs/pictures pytest … -k pictures`
PICTURES: dict[str, tuple[str, str, str, dict[str, int]]] = {
    "teacher-phone": ("middle", "collecting", "/", PHONE),
    "reviewing": ("middle", "reviewer", "/reviews/{task}", DESK),
    "panel": ("middle", "member", "/panel", DESK),
    "distribution": ("end", "admin", "/school/rounds/{round}/charts", DESK),
}


@pytest.mark.skipif("REVIEW_FLOW_PICTURES" not in os.environ, reason="REVIEW_FLOW_PICTURES names no folder for them")
def test_pictures_for_the_readme(site: Site, chromium: Any) -> None:
    folder = Path(os.environ["REVIEW_FLOW_PICTURES"])
    for name, (world_name, who, path, size) in PICTURES.items():
        world: World = getattr(site.worlds, world_name)
        reader = Reader(chromium, site, "zh", scale=2 if size is PHONE else 1.25)
        reader.become(world, who)
        reader.page.set_viewport_size(size)
        reader.page.goto(site.address + path.format_map(world.ids), wait_until="networkidle")
        for box in reader.page.locator("[data-keys] .pick input").all()[:3]:
            box.check()
        for mark in reader.page.locator(".mark").all()[:1]:
            mark.fill("86")
        drawn = Image.open(io.BytesIO(reader.page.screenshot())).convert("RGB")
        drawn.quantize(128, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)
        assert (name, (folder / f"{name}.png").stat().st_size < 150_000) == (name, True)
