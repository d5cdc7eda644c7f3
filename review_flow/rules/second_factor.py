"""第二步验证: six digits that change every half minute (TOTP, RFC 6238), and codes for the day the phone is lost."""

import base64
import hmac
import secrets
import unicodedata
from urllib.parse import quote, urlencode

STEP_S, DIGITS, SECRET_BYTES = 30, 6, 20
DRIFT = 1
"""How many steps a phone's clock may be off."""
RECOVERY_CODES, RECOVERY_BYTES, GROUP = 10, 15, 4


def code_at(secret: bytes, step: int) -> str:
    """Return the digits of a step, as every authenticator computes them (HMAC-SHA-1, RFC 4226)."""
    mac = hmac.new(secret, step.to_bytes(8, "big"), "sha1").digest()
    place = mac[-1] & 0xF
    number = int.from_bytes(mac[place : place + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def step_of(secret: bytes, code: str, *, at_s: float, after: int) -> int | None:
    """Return the step whose digits these are, near `at_s` (seconds since 1970) and later than `after`; else None.

    A step is used once: whoever looked over a shoulder comes too late.
    """
    here = int(at_s) // STEP_S
    for step in range(here - DRIFT, here + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > after:
            return step
    return None


def address_of(secret: bytes, *, issuer: str, account: str) -> str:
    """Return what an authenticator reads from the QR code."""
    said = urlencode({"secret": as_text(secret), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{said}"


def as_text(secret: bytes) -> str:
    """Return the secret as authenticators take it by hand."""
    return base64.b32encode(secret).decode()


def new_recovery_code() -> str:
    """Return a code of 120 random bits, in groups that can be written down."""
    return grouped(base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode())


def grouped(text: str) -> str:
    """Return a text in groups of four."""
    return "-".join(text[place : place + GROUP] for place in range(0, len(text), GROUP))


def plain(code: str) -> str:
    """Return a code as it is compared: however it was grouped or written."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", code).upper() if sign.isalnum())
