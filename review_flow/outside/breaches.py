"""Passwords that were in a breach: a list as Have I Been Pwned gives it to download, looked up in its file.

One line per password, `SHA-1 in hex:count`, in the order of the hashes. The list has many gigabytes: it is bisected,
some 35 short reads for a password, and no password leaves this machine.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, BinaryIO

import structlog

from review_flow.errors import Refusal
from review_flow.i18n import _

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

log = structlog.get_logger()
LINE = re.compile(rb"[0-9A-F]{40}(:\d+)?\r?\n?")
HASH_SIGNS, PROBES = 40, 500


class BreachesUnreadable(Refusal):
    """The list was set, so nobody's password is taken without a look into it. Why is for the log and `doctor` alone."""

    status, text = 502, _("泄露密码库读不到或不是按 SHA-1 排序的，密码没有改。请告诉管理员。")


class Breaches:
    """What stands in a list; ask with `in`. Raises BreachesUnreadable."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __contains__(self, password: object) -> bool:
        wanted = hashlib.sha1(str(password).encode(), usedforsecurity=False).hexdigest().upper().encode()
        try:
            with self._path.open("rb") as file:
                return _first_from(file, wanted)[:HASH_SIGNS] == wanted
        except (OSError, ValueError) as error:
            unreadable = BreachesUnreadable()
            log.warning(str(unreadable), why=str(error))
            raise unreadable from error

    def problem(self) -> str | None:
        """Return why the list can't be used, looking at some of its lines; None where they are as they should be."""
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                probed = [_line_at(file, size * place // PROBES) for place in range(PROBES)]
        except (OSError, ValueError) as error:
            return str(error)
        hashes = [line[:HASH_SIGNS] for line in probed if line]
        return None if hashes and hashes == sorted(hashes) else "not sorted by hash"


def _first_from(file: BinaryIO, wanted: bytes) -> bytes:
    """Return the first line that is not before the wanted hash; empty where all are."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while low < high:  # the line looked for begins after `low` and at `high` at the latest
        middle = (low + high) // 2
        line = _line_at(file, middle)
        if line and line[:HASH_SIGNS] < wanted:
            low = file.tell()
        else:
            high = middle
    return _line_at(file, low)


def _line_at(file: BinaryIO, place: int) -> bytes:
    """Return the first line that begins at a place or behind it; raises ValueError where it is none of such a list."""
    file.seek(max(0, place - 1))
    if place > 0:
        file.readline(2 * HASH_SIGNS)  # the rest of the line before, or its end alone
    line = file.readline(2 * HASH_SIGNS)
    if line and not LINE.fullmatch(line.upper()):
        raise ValueError(f"not SHA-1:count behind byte {place}")  # its content may be somebody's password
    return line.upper()


def breaches_in(path: Path | None) -> Container[str]:
    """Return the list of a file as the settings name it; without one, nothing."""
    return frozenset[str]() if path is None else Breaches(path)
