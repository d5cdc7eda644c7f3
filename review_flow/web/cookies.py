"""Cookies out of scripts' reach: over TLS under names that only this very host can set, and only over TLS.

A browser takes `__Host-…` from no neighbouring host and from no plain-HTTP page, so nobody can plant a session there.
Plain HTTP, as on many intranets, has no such names; there the cookie bears its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

PREFIX = "__Host-"


def _name(request: Request, name: str) -> str:
    return PREFIX + name if request.url.scheme == "https" else name


def read(request: Request, name: str) -> str:
    """Return a cookie's value; empty where there is none."""
    return request.cookies.get(_name(request, name), "")


def named(request: Request, beginning: str) -> dict[str, str]:
    """Return the cookies whose names begin so, by the rest of the name."""
    full = _name(request, beginning)
    return {name.removeprefix(full): value for name, value in request.cookies.items() if name.startswith(full)}


def keep(
    request: Request,
    answer: Response,
    name: str,
    value: str,
    *,
    seconds: int,
    same_site: Literal["lax", "strict"] = "lax",
) -> None:
    """Let the browser keep a value for so long."""
    secure = request.url.scheme == "https"
    answer.set_cookie(
        _name(request, name), value, max_age=seconds, path="/", httponly=True, secure=secure, samesite=same_site
    )


def forget(request: Request, answer: Response, name: str) -> None:
    """Take a cookie back."""
    keep(request, answer, name, "", seconds=0)
