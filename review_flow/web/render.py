"""Pages: templates with the reader's words, refusals as the sentences they carry."""

from __future__ import annotations

import functools
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Query
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from review_flow.clock import SCHOOL_ZONE
from review_flow.errors import Refusal
from review_flow.i18n import LANGUAGES, _, language, listed, say
from review_flow.rules.outcome import NOT_DEDUCTED, cited
from review_flow.web.problems import is_api, problem
from review_flow.web.ways import way_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from starlette.requests import Request

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGE_NAMES = {"zh": "中文", "en": "English"}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PLACES = {"components": "mark", "evidence_levels": "level"}
DIGITS_TYPED = r"[\d０-９]*"
MARK_TYPED = r"\s*[\d０-９]{1,3}([.．。｡][\d０-９]{1,2})?\s*"
"""What browsers let somebody type as a number: all that `rules.codes.number` reads."""
HEADINGS = {
    HTTPStatus.FORBIDDEN: _("不能这样做"),
    HTTPStatus.NOT_FOUND: _("找不到"),
    HTTPStatus.UNPROCESSABLE_ENTITY: _("请改一下再提交"),
    HTTPStatus.TOO_MANY_REQUESTS: _("请稍等"),
    HTTPStatus.INTERNAL_SERVER_ERROR: _("系统出错"),
}


Paged = Annotated[int, Query(alias="page", ge=1, le=100_000)]
"""Which page of a list, from 1."""


def pages_of(count: int, each: int) -> int:
    """Return how many pages of so many rows a list has; an empty one has one."""
    return max(1, -(-count // each))


def moment(value: datetime | None) -> str:
    """Return a moment as the school's clock shows it, to the minute."""
    return f"{value.astimezone(SCHOOL_ZONE):%Y-%m-%d %H:%M}" if value else ""


def day(value: datetime | None) -> str:
    """Return the day of a moment at the school, as forms of browsers take it."""
    return f"{value.astimezone(SCHOOL_ZONE):%Y-%m-%d}" if value else ""


def size(count: int) -> str:
    """Return a number of bytes as people read it: 830 KB, 1.9 GB."""
    amount = float(count)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:  # noqa: PLR2004 - the step between units
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


BROWSERS = {
    "MicroMessenger": "WeChat",
    "DingTalk": "DingTalk",
    "Edg": "Edge",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = ("HarmonyOS", "Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")


def device(user_agent: str) -> str:
    """Return a browser and its system as people call them; what neither is known of stays as it is."""
    browser = next((name for word, name in BROWSERS.items() if word in user_agent), "")
    system = next((name for name in SYSTEMS if name in user_agent), "")
    return " · ".join(filter(None, (browser, system))) or user_agent


def initial(words: str) -> str:
    """Return words that stand alone with a capital first letter; the catalogue has them as inside a sentence."""
    return words[:1].upper() + words[1:]


def is_waived(line: Mapping[str, str]) -> bool:
    """Whether a line of a ledger says no more than that something took no points, since it was approved."""
    return line["text"].endswith(NOT_DEDUCTED)


def waived(ledger: Iterable[Mapping[str, str]]) -> str:
    """Return what took no points, each with its rule, as one enumeration."""
    return listed(
        say(_("{name}（{why}）"), name=line["text"].removesuffix(NOT_DEDUCTED), why=cited(line["rule"]))
        for line in ledger
        if is_waived(line)
    )


@functools.cache
def environment() -> Environment:
    """Return the templates' environment: everything escaped, an unknown name is a fault."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"_": say, "say": say, "listed": listed, "way_of": way_of}
    made.globals |= {"mark_typed": MARK_TYPED, "digits_typed": DIGITS_TYPED}
    made.tests["waived"] = is_waived
    made.filters |= {
        "waived": waived,
        "moment": moment,
        "day": day,
        "size": size,
        "device": device,
        "cited": cited,
        "initial": initial,
    }
    return made


def is_htmx(request: Request) -> bool:
    """Whether htmx asks, and takes a part of a page or a sentence."""
    return request.headers.get("hx-request") == "true"


def page(request: Request, template: str, /, *, status: int = 200, **names: Any) -> HTMLResponse:
    """Return a template as a page."""
    common = {
        "request": request,
        "asset": request.app.state.assets.url,
        "lang": language.get(),
        "languages": [(code, LANGUAGE_NAMES[code]) for code in LANGUAGES],
        "name": getattr(request.state, "name", None),
        "seated": getattr(request.state, "seated", False),
        "unread": getattr(request.state, "unread", 0),
        "to_review": getattr(request.state, "to_review", 0),
        "roles": {one.value for one in getattr(request.state, "roles", ())},
    }
    assert not common.keys() & names.keys()  # every page has these; one of its own would change the frame around it
    return HTMLResponse(environment().get_template(template).render(common | names), status)


def go(path: str) -> RedirectResponse:
    """Return a redirect after a deed that was done: the page that follows is fetched anew."""
    return RedirectResponse(path, 303)


def here(request: Request) -> str:
    """Return the address that people reach this application by, for what is shown or sent to be opened later."""
    return request.app.state.settings.web_url or f"{request.url.scheme}://{request.headers['host']}"


def only_here(request: Request) -> bool:
    """Whether that address opens on this machine alone: no other was set, and the page is open at the loopback."""
    return not request.app.state.settings.web_url and request.url.hostname in LOOPBACK


def download(content: bytes, *, name: str, kind: str) -> Response:
    """Return a file that browsers keep and never show."""
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}
    return Response(content, media_type=kind, headers=headers)


def refusal_page(request: Request, refusal: Refusal) -> Response:
    """Return a "no": its sentence beside the form for htmx, which keeps what was typed; else a page of its own."""
    if is_api(request.url.path):
        return problem(request, refusal)
    answer = _refusal_shown(request, refusal)
    if "seconds" in refusal.names:
        answer.headers["retry-after"] = str(refusal.names["seconds"])
    return answer


def _place(field: str) -> str:
    """Return the id of the element in which a form's field is filled in, as `parts/rubric.html` names it."""
    what, _dot, key = field.partition(".")
    key = key.removesuffix(".mark").removesuffix(".items")
    return f"{PLACES.get(what, what)}-{key}" if key else "rubric" if what == "components" else what


def _refusal_shown(request: Request, refusal: Refusal) -> Response:
    if is_htmx(request) and request.method != "GET":
        fields = [(_place(field), text) for field, text in refusal.fields]
        return _beside(page(request, "parts/refusal.html", status=refusal.status, text=str(refusal), fields=fields))
    if request.url.path.startswith("/uploads"):  # read by a script: by the code it goes on, or shows the sentence
        return PlainTextResponse(str(refusal), refusal.status, headers={"refusal": refusal.code})
    status = HTTPStatus(refusal.status)
    heading = say(HEADINGS.get(status, HEADINGS[HTTPStatus.FORBIDDEN]))
    return page(request, "refusal.html", status=status, heading=heading, text=str(refusal))


def _beside(answer: HTMLResponse) -> HTMLResponse:
    """Let htmx put an answer above the form, which stays as it was filled in."""
    answer.headers["HX-Retarget"], answer.headers["HX-Reswap"] = "#refusal", "innerHTML show:#refusal:top"
    answer.headers["HX-Push-Url"] = "false"  # the address stays that of the page one is on
    return answer


def signed_out(request: Request, refusal: Refusal) -> HTMLResponse:
    """Say beside a form that its person is no longer signed in; the door opens in a tab of its own, the form stays."""
    return _beside(page(request, "parts/signed_out.html", status=refusal.status, back=address_of(request)))


def address_of(request: Request) -> str:
    """Return the path and query of the page that a request is, or that one is on whose part htmx asks for."""
    on = request.headers.get("hx-current-url", "")
    asked = is_htmx(request) and (request.method != "GET" or request.headers.get("hx-boosted") != "true") and on
    split = urlsplit(on if asked else str(request.url))
    return split.path + (f"?{split.query}" if split.query else "")
