"""The door's arithmetic: how long to wait after wrong passwords, what a password must be, which device is known."""

import hashlib
import hmac

from review_flow.i18n import _, say

SHORTEST, LONGEST, FEWEST_SIGNS = 8, 200, 5
LONGEST_WAIT_S = 60
FREE_FOR_PAIR, FREE_FOR_ACCOUNT, FREE_FOR_ADDRESS = 5, 30, 200


def wait_s(failures: int, *, free: int) -> int:
    """Return how many seconds after the last wrong password the next is looked at: none for the first `free`.

    Then 1, 2, 4 … up to a minute and no more: it slows a guesser down to 1 440 a day and locks nobody out.
    """
    return 0 if failures < free else min(LONGEST_WAIT_S, 2 ** min(failures - free, 10))


def password_problems(password: str, *, number: str, name: str) -> list[str]:
    """Return, as sentences, why a password can't be taken; length counts more than kinds of signs."""
    problems = []
    if not SHORTEST <= len(password) <= LONGEST:
        problems.append(say(_("密码应有{least}到{most}个字符。"), least=SHORTEST, most=LONGEST))
    if len(set(password)) < FEWEST_SIGNS:
        problems.append(say(_("密码里不同的字符太少，至少{least}个。"), least=FEWEST_SIGNS))
    if any(len(own) > 1 and own.lower() in password.lower() for own in (number, name)):
        problems.append(say(_("密码里不要有自己的工号或姓名。")))
    if password.isdigit() and any(run in password for run in ("12345", "54321")):
        problems.append(say(_("密码太容易猜到。")))
    return problems


def digest(secret: str) -> str:
    """Return the SHA-256 of a token that was drawn at random, as it is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def device_cookie(key: bytes, *, person_id: int, nonce: str) -> str:
    """Return what a browser keeps after signing in, so that it is known the next time."""
    return f"{nonce}.{_seal(key, person_id, nonce)}"


def known_device(key: bytes, *, person_id: int, cookie: str | None) -> str | None:
    """Return the nonce of a device that signed in to this account before; None for any other cookie."""
    nonce, _dot, seal = (cookie or "").partition(".")
    return nonce if nonce and hmac.compare_digest(seal.encode(), _seal(key, person_id, nonce).encode()) else None


def _seal(key: bytes, person_id: int, nonce: str) -> str:
    return hmac.new(key, f"{person_id}.{nonce}".encode(), hashlib.sha256).hexdigest()
