"""What a guard of the house wants to know, as one log line each: who came in, who was refused, which key was made.

People are told by the id of their row, accounts and addresses by a mark that only this installation can make: the
same one each time, so that an attack is seen, but nobody's number or place in a log.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from starlette.requests import Request

log = structlog.get_logger()
KEY, SIGNS = "log.key", 12


def mark(request: Request, text: str) -> str:
    """Return what stands for an account or an address in the logs."""
    key = request.app.state.settings.secret(KEY)
    return hmac.new(key, text.encode(errors="replace"), hashlib.sha256).hexdigest()[:SIGNS]


def note(request: Request, what: str, *, person: int | None = None, **facts: str | int) -> None:
    """Log something that safety hangs on. `facts` never hold a name, a number, a password, a token or an address."""
    address = request.client.host if request.client else ""
    known = person if person is not None else getattr(request.state, "person_id", None)
    log.info("security", what=what, person=known, origin=mark(request, address), **facts)
