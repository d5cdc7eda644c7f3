"""What is around every answer: its id in the logs, the reader's language, the headers, and who may have sent it."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request

from review_flow.errors import Refusal
from review_flow.i18n import LANGUAGES, _, language
from review_flow.web import cookies, pace, watch
from review_flow.web.problems import is_api

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger()

LANGUAGE_COOKIE = "rf_language"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

MOST_BYTES = 60_000_000
SLOWEST_S = 60.0
"""How long the next bytes of a form may take."""
SILENT_S = 20.0
"""How long those of a file: a phone that lost its line says so to nobody, and asks again whether it may go on."""
SECURE = {"strict-transport-security": "max-age=31536000; includeSubDomains"}
"""Only where TLS is: an intranet without it stays reachable."""


class FromElsewhere(Refusal):
    """A page of another site may not make a browser do something here."""

    status, text = 403, _("这个请求不是从本系统的页面发出的，已拒绝。请回到本系统的页面再试。")


class TooMuchSent(Refusal):
    """No form of ours is so long; files come in pieces."""

    status, text = 413, _("发送的内容太大（最多{most} MB）或中断太久，没有收下。文件请在证据页面上传。")


class ServerFault(Refusal):
    """A fault of the program: nothing was changed, the id leads to it in the logs."""

    status, text = 500, _("系统出错了，您的数据没有改变。请稍后再试；仍不行时把编号{id}告诉管理员。")


def from_here(headers: Headers) -> bool:
    """Whether our own page sent an unsafe request.

    Browsers say so by Sec-Fetch-Site, but not over plain HTTP, as most school intranets are; there Origin says it,
    and before that Referer. What says nothing of its origin is no page of ours.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    source = headers.get("origin") or headers.get("referer") or ""
    return bool(source) and urlsplit(source).netloc.lower() == headers.get("host", "").lower()


def is_upload(request: Request) -> bool:
    """Whether a piece of evidence is sent: its size is held by the upload itself, and it may take its time."""
    return request.method == "PATCH" and request.url.path.startswith(("/uploads/", "/api/v1/uploads/"))


def _refused(request: Request) -> Refusal | None:
    """Return why a request is not looked at: where it comes from, how much it brings, how many there were."""
    by_cookie = not is_api(request.url.path)  # there a token says who asks, and no browser adds that by itself
    if by_cookie and request.method not in SAFE_METHODS and not from_here(request.headers):
        return FromElsewhere()
    length = request.headers.get("content-length", "")
    if not is_upload(request) and length.isdecimal() and int(length[:20]) > MOST_BYTES:
        return TooMuchSent(most=MOST_BYTES // 1_000_000)
    try:
        pace.require_address(request)
    except pace.TooOften as refusal:
        return refusal
    return None


class _Body:
    """Reads what comes with a request: not without end, and not from whoever never says the rest."""

    def __init__(self, receive: Receive, *, most: float, slowest_s: float) -> None:
        self._receive, self._left, self._whole, self._slowest_s = receive, most, False, slowest_s

    async def __call__(self) -> Message:
        if self._whole:  # nothing is left to come but the line's end, which is waited for while the answer is made
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._slowest_s)
        except TimeoutError:
            return {"type": "http.disconnect"}
        self._left -= len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message if self._left >= 0 else {"type": "http.disconnect"}


def body_of(request: Request) -> Receive:
    """Return how the request's body is read: a form with its limits, a piece of a file with those of a line."""
    if is_upload(request):
        return _Body(request.receive, most=math.inf, slowest_s=SILENT_S)
    return _Body(request.receive, most=MOST_BYTES, slowest_s=SLOWEST_S)


def language_of(request: Request) -> str:
    """Return the chosen language, else the first one of the browser's that we have, else Chinese."""
    chosen = cookies.read(request, LANGUAGE_COOKIE)
    asked = [part.strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    return next((one for one in [chosen, *asked] if one in LANGUAGES), LANGUAGES[0])


class Envelope:
    """The outermost layer of the application; plain ASGI, so that what it sets is seen in every thread below."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens below."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        scope.setdefault("state", {})["id"] = key = secrets.token_hex(6)
        spoken = language.set(language_of(request))
        answer = _Answer(send, key, secure=scope["scheme"] == "https")
        with structlog.contextvars.bound_contextvars(request=key):
            try:
                await self._answer(request, answer)
            finally:
                language.reset(spoken)
                answer.note(scope)

    async def _answer(self, request: Request, answer: _Answer) -> None:
        from review_flow.web.render import refusal_page

        refused = _refused(request)
        receive = body_of(request)
        if refused is not None:
            watch.note(request, "refused", code=refused.code)
            await refusal_page(request, refused)(request.scope, request.receive, answer)
            return
        try:
            await self.app(request.scope, receive, answer)
        except ClientDisconnect:  # or who sends too much or too slowly, and is taken for gone
            log.info("gone")
            if not answer.begun:
                await refusal_page(request, TooMuchSent(most=MOST_BYTES // 1_000_000))(request.scope, receive, answer)
        except Exception:
            log.exception("fault")
            if answer.begun:
                raise
            fault = ServerFault(id=request.state.id)
            await refusal_page(request, fault)(request.scope, request.receive, answer)


class _Answer:
    """Sends an answer on with the headers that every answer has, and remembers its status."""

    def __init__(self, send: Send, key: str, *, secure: bool) -> None:
        self._send, self._key, self._secure = send, key, secure
        self._began = time.perf_counter()
        self.status: int | None = None

    @property
    def begun(self) -> bool:
        return self.status is not None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._key
            for name, value in (HEADERS | SECURE if self._secure else HEADERS).items():
                headers.setdefault(name, value)
        await self._send(message)

    def note(self, scope: Scope) -> None:
        """Log the request by its route: what stands in an address (names, links' tokens) is nobody's business."""
        route = (
            getattr(scope.get("route"), "path", None) or scope.get("root_path") or None
        )  # a folder of files has none
        took = round(1000 * (time.perf_counter() - self._began))
        log.info("request", method=scope["method"], route=route, status=self.status, ms=took)
