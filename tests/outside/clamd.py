"""A stand-in for ClamAV's clamd: INSTREAM over a Unix socket or TCP, one signature, a limit of its own."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HALVES = (rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-", b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")
EICAR = HALVES[0] + HALVES[1]  # whole only in memory: a scanner of this machine would take the file away
MOST, LIMIT = 1_000_000, 1_000_000  # its StreamMaxLength, its MaxFileSize with AlertExceedsMax


class Line(socketserver.StreamRequestHandler):
    """One connection, one command."""

    def handle(self) -> None:
        command = b""
        while not command.endswith(b"\0"):
            command += self.rfile.read(1)
        assert command == b"zINSTREAM\0"
        self.wfile.write(self.looked() + b"\0")

    def looked(self) -> bytes:
        seen = b""
        while size := struct.unpack("!I", self.rfile.read(4))[0]:
            seen += self.rfile.read(size)
            if len(seen) > MOST:
                return b"INSTREAM size limit exceeded. ERROR"
        if len(seen) > LIMIT:
            return b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND"
        return b"stream: Eicar-Signature FOUND" if EICAR in seen else b"stream: OK"


class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True


class Unix(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def clamd(place: Path | None = None) -> Iterator[str]:
    """Run one at a socket's path, or at a free port of the loopback; give where, as the setting names it."""
    with Tcp(("127.0.0.1", 0), Line) if place is None else Unix(str(place), Line) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}" if place is None else str(place)
        server.shutdown()
