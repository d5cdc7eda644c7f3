"""Whether a file carries something harmful, as the operator's virus scanner says: ClamAV's clamd, or none.

The file is sent to clamd (INSTREAM) over a Unix socket or TCP, so that it may run as anybody and anywhere. What it
doesn't answer is never taken for a clean file.
"""

from __future__ import annotations

import io
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from review_flow.errors import Refusal
from review_flow.i18n import _

if TYPE_CHECKING:
    from collections.abc import Buffer, Iterator  # type: ignore[attr-defined]  # Buffer: 3.12, for the checker only

PIECE = 1 << 16
CONNECT_S, ANSWER_S = 5.0, 300.0  # clamd stops looking after two minutes by itself
LONGEST_ANSWER = 4096
LONGEST_NAME = 100
FOUND, CLEAN = " FOUND", "OK"
LIMITED = "Heuristics.Limits.Exceeded"
"""What clamd with AlertExceedsMax "finds" in a file that it did not look through: its own limits, nothing harmful."""


class ScannerAway(Refusal):
    """The scanner can't be reached, or answers neither yes nor no."""

    status, text = 502, _("查毒服务没有给出结论（{why}）；文件先等着，稍后再查。")


@dataclass(frozen=True, slots=True)
class Look:
    """What a scanner said of a file: the name of what it found, and whether it saw all of it."""

    malware: str | None
    whole: bool = True


class Scanner(Protocol):
    """Looks into files."""

    def look(self, file: BinaryIO) -> Look:
        """Look into an open file, from where it stands. Raises ScannerAway."""
        ...


class NoScanner:
    """Finds nothing: the operator has no scanner."""

    def look(self, file: BinaryIO) -> Look:  # noqa: ARG002 - the protocol's signature
        """Find nothing."""
        return Look(None)


class Clamd:
    """clamd at a socket's path, or at host:port; of a longer file it sees the first `most` bytes.

    `most` must not be more than clamd's StreamMaxLength, or such a file is never looked at.
    """

    def __init__(self, place: str, *, most: int) -> None:
        self._place, self._most = place, most

    def look(self, file: BinaryIO) -> Look:
        """Send the file and read the verdict."""
        try:
            with self._connected() as line:
                said = self._asked(line, _pieces(file, self._most))
        except (OSError, ValueError) as error:  # ValueError: a place that is none, such as a name too long for DNS
            raise ScannerAway(why=error) from error
        _stream, _colon, verdict = said.partition(": ")
        if verdict.startswith(LIMITED):
            return Look(None, whole=False)
        if verdict.endswith(FOUND):
            return Look(verdict.removesuffix(FOUND)[:LONGEST_NAME])
        if verdict != CLEAN:
            raise ScannerAway(why=said or "-")
        return Look(None, whole=not file.read(1))

    def _connected(self) -> socket.socket:
        if self._place.startswith("/"):
            line = socket.socket(socket.AF_UNIX)
            line.settimeout(CONNECT_S)
            try:
                line.connect(self._place)
            except OSError:
                line.close()
                raise
        else:
            host, _colon, port = self._place.rpartition(":")
            line = socket.create_connection((host.strip("[]"), int(port)), CONNECT_S)
        line.settimeout(ANSWER_S)
        return line

    @staticmethod
    def _asked(line: socket.socket, pieces: Iterator[bytes]) -> str:
        try:
            line.sendall(b"zINSTREAM\0")
            for piece in pieces:
                line.sendall(struct.pack("!I", len(piece)) + piece)
            line.sendall(struct.pack("!I", 0))
        except (BrokenPipeError, ConnectionResetError) as error:  # it has enough, and has mostly said why
            return _answer(line) or str(error)
        return _answer(line)


def _pieces(file: BinaryIO, most: int) -> Iterator[bytes]:
    left = most
    while left > 0 and (piece := file.read(min(PIECE, left))):
        left -= len(piece)
        yield piece


def _answer(line: socket.socket) -> str:
    """Return one answer without its end; what has no end is cut off."""
    said = b""
    while not said.endswith(b"\0") and len(said) < LONGEST_ANSWER and (more := line.recv(LONGEST_ANSWER)):
        said += more
    return said.rstrip(b"\0").decode("utf-8", "replace").strip()


class Zeros(io.RawIOBase):
    """So many zero bytes to read."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        """They can be read."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer as far as they go."""
        with memoryview(buffer) as room:
            size = min(len(room), self._left)
            room[:size] = bytes(size)
        self._left -= size
        return size


def tried(place: str, *, most: int) -> Look:
    """Return what the scanner at a place says of a harmless file as large as any that it is sent. Raises ScannerAway."""
    return Clamd(place, most=most).look(io.BufferedReader(Zeros(most)))


def scanner_at(place: str | None, *, most: int) -> Scanner:
    """Return the scanner at a place as the settings name it."""
    return NoScanner() if place is None else Clamd(place, most=most)
