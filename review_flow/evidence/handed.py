"""A file that somebody else opened: its path is a name only, its bytes come through a descriptor."""

from __future__ import annotations

import io
import os
import socket
from pathlib import PosixPath
from typing import Any

HANDS_OVER = hasattr(socket, "send_fds")  # whether descriptors can be sent to another process: not on Windows


class Handed(PosixPath):
    """A path that opens nothing: `open("rb")`, `read_bytes` and `stat` use the descriptor it came with.

    Every `open` has a place of its own in the file. Give libraries the open file, never the path: by its name
    they would find nothing in a locked child. The descriptor belongs to who made this object.
    """

    descriptor: int

    @classmethod
    def of(cls, name: str, descriptor: int) -> Handed:
        """Return the path `name` for a file that is open as `descriptor`."""
        path = cls(name)
        path.descriptor = descriptor
        return path

    def open(self, mode: str = "r", *_layout: Any, **_more: Any) -> io.BufferedReader:  # type: ignore[override]  # of the many forms of Path.open this is the one there is
        """Open for reading bytes; ValueError for anything else."""
        if mode != "rb":
            raise ValueError(mode)
        return io.BufferedReader(_Reading(self.descriptor), 1 << 16)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:  # noqa: ARG002 - an open file is no link
        """Return the open file's facts."""
        return os.fstat(self.descriptor)

    def read_bytes(self) -> bytes:
        """Return all bytes."""
        with self.open("rb") as file:
            return file.read()


class _Reading(io.RawIOBase):
    """A reader with its own place in a descriptor shared with others."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.at = descriptor, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = os.pread(self.descriptor, len(view), self.at)
        view[: len(data)] = data
        self.at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: os.fstat(self.descriptor).st_size}[whence]
        if start + offset < 0:
            raise ValueError(offset)
        self.at = start + offset
        return self.at

    def tell(self) -> int:
        return self.at
