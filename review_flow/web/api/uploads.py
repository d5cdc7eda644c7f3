"""Evidence in: the resumable upload of the pages (tus 1.0) for a program with its person's token.

`web/upload.py` does the work of both; here stand the addresses, who may call, and what is told of it.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from models import Upload
from review_flow.errors import BadInput
from review_flow.steps import evidence, uploads
from review_flow.steps.rounds import WrongPhase
from review_flow.web import mine, upload
from review_flow.web.access import Db, Key
from review_flow.web.api.access import PassingTeacher, Reader, Teacher
from review_flow.web.api.pages import Asked, listed_part
from review_flow.web.api.routes import BASE, reads, refused, router, writes
from review_flow.web.api.shapes import Out, Page

routes = router("uploads")
pieces = router("uploads", of=APIRoute)  # a piece may be longer than any other request, and is never held whole
PIECE = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "Always `1.0.0`."}
PLACE = TUS | {
    "Upload-Offset": "How many bytes are here: the next piece begins there.",
    "Upload-Length": "How many it will be.",
    "Upload-Expires": "Until when it can be gone on with.",
}


class UploadOut(Out):
    """A file that is not here whole. `url` is its address, to which pieces are sent; `offset_bytes`: how much is here."""

    url: str
    submission_id: int
    slot: str
    replaces_id: int | None
    file_name: str
    size_bytes: int
    offset_bytes: int
    begun_at: datetime
    expires_at: datetime

    def headers(self) -> dict[str, str]:
        """Return what tus tells of a new upload."""
        return {"location": self.url, **upload.VERSION}


def _told(names: dict[str, str], status: int) -> dict[int | str, dict[str, Any]]:
    headers = {name: {"description": said, "schema": {"type": "string"}} for name, said in names.items()}
    return {status: {"description": HTTPStatus(status).phrase, "headers": headers}}


def _shown(request: Request, one: Upload) -> UploadOut:
    return UploadOut(
        url=f"{BASE}/uploads/{one.token}",
        submission_id=one.submission_id,
        slot=one.slot,
        replaces_id=one.replaces_id,
        file_name=one.file_name,
        size_bytes=one.size_bytes,
        offset_bytes=upload.here(request, one),
        begun_at=one.begun_at,
        expires_at=one.expires_at,
    )


@reads(routes, "/submissions/{key}/uploads")
def list_uploads(request: Request, session: Db, person: Reader, key: Key, part: Asked) -> Page[UploadOut]:
    """List the files of one's own work that are not here whole and can be gone on with."""
    return listed_part(
        session,
        uploads.going_on(mine.work(session, person, key)),
        key=Upload.id,
        part=part,
        shown=lambda rows: [_shown(request, one) for (one,) in rows],
    )


@writes(
    routes,
    "POST",
    "/uploads",
    status=201,
    refuses=[
        BadInput,
        upload.NotTus,
        uploads.TooLarge,
        uploads.EmptyFile,
        uploads.TooManyUploads,
        evidence.UnknownSlot,
        evidence.NotEditable,
        evidence.WindowClosed,
        evidence.CorrectionOver,
        WrongPhase,
    ],
)
def begin_upload(
    request: Request,
    session: Db,
    person: Teacher,
    upload_length: Annotated[int, Header(ge=0, lt=2**53, description="The file's size in bytes.")],
    upload_metadata: Annotated[
        str,
        Header(
            max_length=4000,
            description="`work <value>,slot <value>,filename <value>`, each value in base64 (UTF-8): the id of the "
            "submission, the slot that the file fills, its name; `replaces <value>` with the id of the evidence "
            "whose place it takes.",
        ),
    ],
) -> UploadOut:
    """Begin to hand in a file; its bytes go to the address in Location. What would refuse it is said before them."""
    return _shown(request, upload.begun(request, session, person, upload_length, upload_metadata))


@pieces.options("/uploads", status_code=204, responses=_told(TUS | {"Tus-Max-Size": "The most bytes of a file."}, 204))
def get_upload_abilities(request: Request, person: Teacher) -> Response:
    """Say what of tus 1.0 is spoken here."""
    return upload.abilities(request, person)


@pieces.head(
    "/uploads/{token}",
    response_class=Response,
    responses=_told(PLACE, 200) | refused([upload.Busy]),
)
def get_upload_offset(request: Request, session: Db, person: Teacher, token: str) -> Response:
    """Say how much is here, so that a program goes on from there; not found once the file is whole."""
    return upload.where(request, person, session, token)


@pieces.delete("/uploads/{token}", status_code=204, responses=_told(TUS, 204))
def cancel_upload(request: Request, session: Db, person: Teacher, token: str) -> Response:
    """Forget an upload and its bytes."""
    return upload.cancel(request, session, person, token)


@pieces.patch(
    "/uploads/{token}",
    status_code=204,
    responses=_told(PLACE, 204)
    | refused(
        [upload.Elsewhere, upload.NotTus, uploads.StrangeFile, upload.Busy, evidence.NotEditable, evidence.SameFile]
    ),
    openapi_extra={
        "requestBody": {"required": True, "content": {PIECE: {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def send_piece(
    request: Request,
    person: PassingTeacher,
    token: str,
    upload_offset: Annotated[int, Header(ge=0, description="Where the piece begins: how much is here.")],
) -> Response:
    """Send bytes on from where the file ends; with its last one the file stands in its slot, and its check is due."""
    return await upload.receive(request, person, token, upload_offset, request.headers.get("content-type", ""))
