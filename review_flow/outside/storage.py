"""Where files lie: a local folder, an S3-compatible bucket, or memory; one interface by obstore.

A key is its content's SHA-256 (`ab/abcd…`), so the same file is kept once, and a half-written one that a power cut
left behind is overwritten by the next attempt. Nothing refers to a key before `put` has returned.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

import obstore
from obstore.store import LocalStore, MemoryStore, from_url

from review_flow.errors import NotFound
from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Buffer, Iterator  # type: ignore[attr-defined]  # Buffer: 3.12, for the checker only
    from contextlib import AbstractContextManager

    from obstore.store import ObjectStore

CHUNK = 1 << 20


class Storage(Protocol):
    """Files by key. Every method but `put` and `delete` raises NotFound for a key that is not there."""

    def put(self, key: str, content: bytes | Path | BinaryIO) -> None:
        """Write the whole content durably, or nothing."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Return the file for reading, seekable, read in pieces."""
        ...

    def path(self, key: str) -> AbstractContextManager[Path]:
        """Give a local path to read from while the block lasts; never write to it."""
        ...

    def delete(self, key: str) -> None:
        """Remove the file; one that is gone already is no error."""
        ...


@dataclass(frozen=True)
class Kept:
    """A stored file: its key, the SHA-256 as hex, the size."""

    key: str
    sha256: str
    size_bytes: int


def key_of(sha256: str) -> str:
    """Return the key of a content by its SHA-256 as hex."""
    return f"{sha256[:2]}/{sha256}"


def keep(storage: Storage, content: bytes | Path | BinaryIO) -> Kept:
    """Store a content under its own hash; a stream is spooled to disk first, never held in memory whole."""
    if isinstance(content, bytes):
        return _keep(storage, io.BytesIO(content))
    if isinstance(content, Path):
        with content.open("rb") as file:
            return _keep(storage, file)
    with tempfile.TemporaryFile() as spool:
        for piece in iter(lambda: content.read(CHUNK), b""):
            spool.write(piece)
        spool.seek(0)
        return _keep(storage, cast("BinaryIO", spool))


def _keep(storage: Storage, file: BinaryIO) -> Kept:
    digest = hashlib.file_digest(cast("io.BufferedReader", file), "sha256").hexdigest()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    storage.put(key_of(digest), file)
    return Kept(key_of(digest), digest, size)


def read(storage: Storage, key: str) -> bytes:
    """Return a small file whole."""
    with storage.open(key) as file:
        return file.read()


def storage_at(place: Path | str) -> Storage:
    """Return the storage at a folder, or at a URL (s3://bucket/prefix; keys and region from the environment)."""
    if isinstance(place, str) and "://" in place:
        return ObjectStorage(from_url(place))
    return LocalStorage(Path(place))


class ObjectStorage:
    """Files in any store that obstore speaks to."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def put(self, key: str, content: bytes | Path | BinaryIO) -> None:
        """Write atomically: an object store shows an object only when it is whole."""
        obstore.put(self.store, key, content)

    def open(self, key: str) -> BinaryIO:
        """Return a reader that fetches ranges as it goes."""
        with _missing(key):
            return cast("BinaryIO", io.BufferedReader(_Ranges(obstore.open_reader(self.store, key)), CHUNK))

    @contextmanager
    def path(self, key: str) -> Iterator[Path]:
        """Fetch into a temporary file, which goes with the block."""
        with self.open(key) as source, tempfile.NamedTemporaryFile(prefix="review-flow-") as copy:
            for piece in iter(lambda: source.read(CHUNK), b""):
                copy.write(piece)
            copy.flush()
            yield Path(copy.name)

    def delete(self, key: str) -> None:
        """Remove the object."""
        try:
            obstore.delete(self.store, key)
        except FileNotFoundError:  # a local store minds, S3 does not: the file is gone either way
            return


class LocalStorage(ObjectStorage):
    """Files under one folder, closed to other users of the machine (0700), on disk when `put` returns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        super().__init__(LocalStore(folder))
        self.folder = folder

    def put(self, key: str, content: bytes | Path | BinaryIO) -> None:
        """Write beside and rename, then force file and folders to the disk."""
        super().put(key, content)
        target = self.folder / key
        for path in (target, target.parent, self.folder):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    @contextmanager
    def path(self, key: str) -> Iterator[Path]:
        """Give the file itself: nothing is copied."""
        with self.open(key):
            yield self.folder / key


class MemoryStorage(ObjectStorage):
    """Files in memory, gone with the process: for tests and rehearsals."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())


class _Ranges(io.RawIOBase):
    """obstore's reader as Python's own kind of file, so that every library takes it."""

    def __init__(self, reader: obstore.ReadableFile) -> None:
        self.reader = reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        piece = self.reader.read(len(view))
        view[: len(piece)] = memoryview(piece)
        return len(piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return int(self.reader.seek(offset, whence))

    def tell(self) -> int:
        return int(self.reader.tell())


@contextmanager
def _missing(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(what=say(_("文件")), key=key) from error
