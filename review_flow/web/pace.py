"""How often one may ask: generous to people, a wall to machines. Each web process counts for itself, in memory.

A whole school may stand behind one address, so an address may ask far more often than a person. What is counted
elsewhere is not counted here: wrong passwords (`steps/door.py`), programs' tokens (`steps/tokens.py`), the pieces of
an upload (their bytes have an end), styles and scripts.
"""

from __future__ import annotations

import threading
import time
from math import ceil
from typing import TYPE_CHECKING

from review_flow.errors import Refusal
from review_flow.i18n import _

if TYPE_CHECKING:
    from starlette.requests import Request

WINDOW_S = 60.0
GUESSES, GUESSES_IN_S = 10, 900.0
"""Codes of a meeting that one may type: a slip now and then is no matter, six digits are not to be guessed through."""
MOST_KEYS = 100_000


class TooOften(Refusal):
    """More requests in a minute than anybody makes by hand; says when to go on."""

    status, text = 429, _("请求太频繁了，请{seconds}秒后再试。")


class Pace:
    """So many requests a minute, or other window, for each key, at once or spread (GCRA: one number for each key)."""

    def __init__(self, most: int, window_s: float = WINDOW_S) -> None:
        self._each_s, self._window_s = window_s / most, window_s
        self._full_at: dict[object, float] = {}
        self._lock = threading.Lock()

    def require(self, key: object) -> None:
        """Count a request; raises TooOften, and does not count it, where there were too many."""
        moment = time.monotonic()
        with self._lock:
            full = max(self._full_at.get(key, moment), moment) + self._each_s
            allowed = moment + self._window_s  # a sum: a difference, rounded, may refuse what is just allowed
            if full > allowed:
                raise TooOften(seconds=max(1, ceil(full - allowed)))
            if len(self._full_at) >= MOST_KEYS:
                self._full_at = {one: at for one, at in self._full_at.items() if at > moment}
            self._full_at[key] = full


def require_address(request: Request) -> None:
    """Count a request of an address; raises TooOften."""
    if not request.url.path.startswith(("/static/", "/uploads/", "/healthz", "/readyz")) and request.client:
        request.app.state.pace_of_addresses.require(request.client.host)


def require_person(request: Request, person_id: int) -> None:
    """Count a request of a signed-in person; raises TooOften."""
    if not request.url.path.startswith("/uploads/"):
        request.app.state.pace_of_people.require(person_id)


def require_guess(request: Request, person_id: int, gathering_id: int) -> None:
    """Count a code that a person typed to sign into a meeting; raises TooOften."""
    request.app.state.pace_of_guesses.require((person_id, gathering_id))
