"""tus 1.0 (core, creation, termination, expiration): a file comes in pieces, over days if need be.

How much is here is the length of the file on the disk, so nothing can differ from it after a power cut. Who is asking
is known before the first byte is read.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import os
import shutil
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from models import Person, Upload
from review_flow.db import transaction
from review_flow.errors import BadInput, Refusal
from review_flow.evidence.heads import HEAD_BYTES, media_type
from review_flow.i18n import _, say
from review_flow.outside.storage import keep
from review_flow.steps import uploads
from review_flow.web import mine
from review_flow.web.access import Db, Passing, Signed

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

router = APIRouter()
VERSION = {"tus-resumable": "1.0.0"}
PIECE = 1 << 20
LONGEST_NUMBER = 18
FULL = {errno.ENOSPC, errno.EDQUOT}


class Elsewhere(Refusal):
    """The sender's place is not ours: it asks where we are, and goes on from there."""

    status, text = 409, _("续传的位置不对，请重新继续。")


class Busy(Refusal):
    """Another request is writing this very file."""

    status, text = 423, _("这个文件正在另一处上传。")


class NotTus(Refusal):
    """A request that no upload of ours sends."""

    status, text = 415, _("上传请求的格式不对。")


def _path(request: Request, upload: Upload) -> Path:
    folder: Path = request.app.state.settings.folder("uploads")
    return folder / upload.token


def _offset(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _room(request: Request) -> int:
    """Return how many bytes the disk may still take from uploads."""
    settings = request.app.state.settings
    return int(shutil.disk_usage(settings.folder("uploads")).free) - int(settings.spare_bytes)


def _headers(upload: Upload, offset: int) -> dict[str, str]:
    expires: datetime = upload.expires_at
    return {
        **VERSION,
        "upload-offset": str(offset),
        "upload-length": str(upload.size_bytes),
        "upload-expires": f"{expires:%a, %d %b %Y %H:%M:%S} GMT",
    }


def _facts(metadata: str) -> dict[str, str]:
    """Return the metadata of a creation: words and their values in base 64."""
    pairs = (part.strip().partition(" ") for part in metadata.split(",") if part.strip())
    try:
        facts = {word: base64.b64decode(value, validate=True).decode() for word, _space, value in pairs}
    except ValueError as error:
        raise NotTus from error
    if any("\0" in value for value in facts.values()):  # no database keeps it
        raise NotTus
    return facts


@router.options("/uploads")
def abilities(request: Request, person: Signed) -> Response:  # noqa: ARG001 - the guard is its point
    """Say what of tus is spoken here."""
    most = str(request.app.state.settings.upload_bytes)
    spoken = {"tus-version": "1.0.0", "tus-extension": "creation,termination,expiration", "tus-max-size": most}
    return Response(status_code=204, headers=VERSION | spoken)


@router.post("/uploads")
def create(
    request: Request,
    session: Db,
    person: Signed,
    upload_length: Annotated[int, Header(ge=0, lt=2**53)],
    upload_metadata: Annotated[str, Header(max_length=4000)],
) -> Response:
    """Begin an upload: `work`, `slot` and `filename` in its metadata, `replaces` where it takes a file's place."""
    upload = begun(request, session, person, upload_length, upload_metadata)
    return Response(status_code=201, headers={"location": f"/uploads/{upload.token}", **_headers(upload, 0)})


def begun(request: Request, session: Session, person: Person, upload_length: int, upload_metadata: str) -> Upload:
    """Begin the upload that a creation asks for; raises NotTus for metadata that say less, else as `uploads.begin`."""
    said = _facts(upload_metadata)
    if not {"work", "slot", "filename"} <= said.keys():
        raise NotTus
    work, replaces = _number(said["work"]), said.get("replaces", "")
    if work is None:
        raise NotTus
    if replaces and _number(replaces) is None:
        raise BadInput(field=say(_("取代哪个文件（编号）")), problem=replaces)
    upload = uploads.begin(
        session,
        actor=person,
        submission=mine.work(session, person, work),
        slot=said["slot"],
        file_name=said["filename"],
        size_bytes=upload_length,
        most_bytes=request.app.state.settings.upload_bytes,
        room_bytes=_room(request),
        replaces_id=_number(replaces),
    )
    _path(request, upload).touch(mode=0o600)
    return upload


def here(request: Request, upload: Upload) -> int:
    """Return how many bytes of an upload are here."""
    return _offset(_path(request, upload))


def _number(said: str) -> int | None:
    """Return an id as a row can have it."""
    return int(said) if said.isdecimal() and len(said) <= LONGEST_NUMBER else None


@router.head("/uploads/{token}")
def where(request: Request, person: Signed, session: Db, token: str) -> Response:
    """Say how much is here."""
    upload = uploads.own(session, actor=person, token=token)
    with _locked(_path(request, upload)) as file:
        offset = file.seek(0, os.SEEK_END)
        if offset == upload.size_bytes:  # all was here when the power went: with its last byte sent again it is hung
            offset -= 1
            file.truncate(offset)
    return Response(headers=_headers(upload, offset))


@router.delete("/uploads/{token}")
def cancel(request: Request, session: Db, person: Signed, token: str) -> Response:
    """Forget an upload and its bytes."""
    upload = uploads.own(session, actor=person, token=token)
    uploads.cancel(session, upload=upload)
    _path(request, upload).unlink(missing_ok=True)
    return Response(status_code=204, headers=VERSION)


def _mine(request: Request, person: Person, token: str) -> Upload:
    with transaction(request.app.state.engine) as session:
        return uploads.own(session, actor=person, token=token)


@router.patch("/uploads/{token}")
async def receive(
    request: Request,
    person: Passing,
    token: str,
    upload_offset: Annotated[int, Header(ge=0)],
    content_type: Annotated[str, Header()],
) -> Response:
    """Take a piece and write it where the file ends; the last one hangs the file on its slot."""
    if content_type != "application/offset+octet-stream":
        raise NotTus
    upload = await run_in_threadpool(_mine, request, person, token)
    path = _path(request, upload)
    file = await run_in_threadpool(_locked, path)
    try:
        if upload_offset != _offset(path):
            raise Elsewhere
        if min(PIECE, upload.size_bytes - upload_offset) > _room(request):
            raise uploads.NoRoom
        await _write(request, file, upload.size_bytes - upload_offset)
        offset = _offset(path)
        if offset == upload.size_bytes:
            await run_in_threadpool(_finish, request, person, token, path)
    finally:
        file.close()
    return Response(status_code=204, headers=_headers(upload, offset))


def _locked(path: Path) -> FileIO:
    file = FileIO(path, "ab")  # nothing waits in a buffer that a full disk refused
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Busy from None
    return file


async def _write(request: Request, file: FileIO, room: int) -> None:
    """Write what comes, no more than was said; what came before the line dropped or fell silent stays."""
    waiting = bytearray()
    try:
        async for chunk in request.stream():
            waiting += chunk
            if len(waiting) > room:
                raise NotTus
            if len(waiting) >= PIECE:
                room -= len(waiting)
                await run_in_threadpool(_append, file, bytes(waiting))
                waiting.clear()
    except ClientDisconnect:
        pass
    await run_in_threadpool(_flush, file, bytes(waiting))


def _append(file: FileIO, content: bytes) -> None:
    """Write all of it; raises NoRoom where the disk is full, and what it took stays."""
    left = memoryview(content)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise uploads.NoRoom from error


def _flush(file: FileIO, rest: bytes) -> None:
    _append(file, rest)
    os.fsync(file.fileno())


def _finish(request: Request, person: Person, token: str, path: Path) -> None:
    """Store a whole file and hang it on its slot; what can't be used is dropped at once, with the reason."""
    engine, storage = request.app.state.engine, request.app.state.storage
    if path.stat().st_size > _room(request):  # for its copy in the storage; it waits here until there is room
        raise uploads.NoRoom
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        with transaction(engine) as session:
            upload = uploads.own(session, actor=person, token=token)
        if media_type(head) is None:
            raise uploads.StrangeFile(file=upload.file_name)
        stored = keep(storage, path)
        with transaction(engine) as session:
            uploads.finish(session, actor=person, upload=uploads.own(session, actor=person, token=token), stored=stored)
    except Refusal:
        with transaction(engine) as session:
            uploads.cancel(session, upload=uploads.own(session, actor=person, token=token))
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)
