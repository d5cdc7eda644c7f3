"""A "no" to a program: application/problem+json (RFC 9457) with a stable code, the sentence, and the fields meant."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from review_flow.errors import BadInput, NotFound, Refusal
from review_flow.i18n import _, language, listed, say
from review_flow.misread import sentence
from review_flow.rules.rubric import FormInvalid
from review_flow.web.versions import VersionMissing

if TYPE_CHECKING:
    from fastapi.exceptions import RequestValidationError
    from starlette.requests import Request

PROBLEM = "application/problem+json"


class BodyUnreadable(Refusal):
    """A body that is no JSON in UTF-8, or goes deeper than anybody means."""

    status, text = 422, _("请求的内容不是可读的JSON（UTF-8）。")


def is_api(path: str) -> bool:
    """Whether a program asks, and not a browser."""
    return path.startswith("/api/")


def problem(request: Request, refusal: Refusal, errors: list[dict[str, str]] | None = None) -> Response:
    """Return a refusal for programs; `errors`: each field that is wrong, by its place in what was sent."""
    said: dict[str, Any] = {
        "type": f"urn:review-flow:problem:{refusal.code}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "code": refusal.code,
        "detail": str(refusal),
        "request": request.state.id,
        "errors": _of_form(refusal) if errors is None else errors,
    }
    headers = {"content-language": language.get(), "vary": "accept-language"}
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="review-flow"'
    if "seconds" in refusal.names:  # too many in this minute; of other things there may be too many for longer
        headers["retry-after"] = str(refusal.names["seconds"])
    return Response(json.dumps(said, ensure_ascii=False), refusal.status, headers, PROBLEM)


def _of_form(refusal: Refusal) -> list[dict[str, str]]:
    cause = refusal.__cause__
    if not isinstance(cause, FormInvalid):
        return []
    return [{"field": one.field, "problem": one.text} for one in cause.problems]


def misread(request: Request, error: RequestValidationError) -> Response:
    """Answer what can't be read: by its fields; an address that can't be read leads nowhere."""
    found = [(tuple(one["loc"]), str(one["type"]), sentence(one)) for one in error.errors()]
    if any(place[0] == "path" for place, *_rest in found):
        return problem(request, NotFound(what=say(_("网页")), key=request.url.path))
    if any(place == ("header", "If-Match") and kind == "missing" for place, kind, _why in found):
        return problem(request, VersionMissing())
    errors = [
        {"field": ".".join(map(str, place)), "problem": say(_("{why}。"), why=why), "code": kind}
        for place, kind, why in found
    ]
    names = listed(dict.fromkeys(str(place[-1]) for place, *_rest in found))
    return problem(request, BadInput(field=names, problem=say(_("没有填写，或填写得不对。"))), errors)
