"""One's own: the consent to face matching and its withdrawal, reference photos, everything that is kept about oneself."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models import Person
from review_flow.db import transaction
from review_flow.errors import BadInput
from review_flow.i18n import _, say
from review_flow.rules.consent import CURRENT, digest_of, text_of
from review_flow.rules.words import ConsentWay, FacePurpose
from review_flow.steps import faces, own_data
from review_flow.web.access import Db, Passing, Signed
from review_flow.web.render import go, page

if TYPE_CHECKING:
    from review_flow.evidence.references import Looked
    from review_flow.settings import Settings

router = APIRouter()
MOST_PHOTOS = 5
PURPOSES = {
    FacePurpose.BLUR: _("做遮挡人脸的副本"),
    FacePurpose.CHECK: _("核对证据"),
    FacePurpose.ENROL: _("登记参照照片"),
    FacePurpose.ROTATE: _("更换密钥"),
}
LAST_READINGS = 50
PHOTOS, LOOK_S = "photos-", 600


@router.get("/me/face")
def consent_page(request: Request, session: Db, person: Signed) -> HTMLResponse:
    """Show the text with its version, the equal answers, what was answered, and who read one's encodings."""
    return page(request, "door/face.html", **_consent(session, person), looked=None)


def _consent(session: Session, person: Person) -> dict[str, Any]:
    given = faces.standing_consent(session, person_id=person.id)
    text = text_of()
    return {
        "paragraphs": text.split("\n"),
        "version": CURRENT,
        "digest": digest_of(text),
        "given": given,
        "current": given is not None and given.text_version == CURRENT,
        "faces": faces.kept_of(session, person=person),
        "readings": [
            {"at": one.at, "purpose": say(PURPOSES[one.purpose]), "own": one.person_id == person.id}
            for one in reversed(faces.readings_of(session, actor=person)[-LAST_READINGS:])
        ],
    }


@router.post("/me/face/agree")
def agree(session: Db, person: Signed) -> RedirectResponse:
    """Give the separate consent to the present text."""
    faces.give_consent(session, actor=person, through=ConsentWay.WEB)
    return go("/me/face")


@router.post("/me/face/refuse")
def refuse(session: Db, person: Signed) -> RedirectResponse:
    """Say no, or take a yes back: what was kept is destroyed at once."""
    faces.withdraw_consent(session, actor=person)
    return go("/me/face")


@router.post("/me/face/photos")
async def photos(request: Request, person: Passing) -> HTMLResponse:
    """Look at reference photos and keep what they describe; the photos themselves are not kept."""
    await run_in_threadpool(_require_consent, request, person)  # before anybody's face is read
    async with request.form(max_files=MOST_PHOTOS, max_fields=MOST_PHOTOS) as filled:
        sent = [one for one in filled.getlist("photo") if isinstance(one, UploadFile) and one.size]
        if not sent:
            raise BadInput(field=say(_("照片")), problem=say(_("请选择本人的照片。")))
        looked = await run_in_threadpool(_enrol, request, person, sent)
    return await run_in_threadpool(_photos_page, request, person, [one.filename or "" for one in sent], looked)


def _require_consent(request: Request, person: Person) -> None:
    with transaction(request.app.state.engine) as session:
        faces.require_consent(session, person=person)


def _enrol(request: Request, person: Person, sent: list[UploadFile]) -> list[Looked]:
    """Look at the photos in a limited child, outside of any transaction, and keep what is good."""
    from review_flow.evidence.faces import from_bytes, to_bytes
    from review_flow.evidence.faces_opencv import calibrated_models
    from review_flow.evidence.references import look
    from review_flow.evidence.sandbox import Sandbox

    settings: Settings = request.app.state.settings
    engine = request.app.state.engine
    _forget(settings.folder("uploads"))
    with (
        tempfile.TemporaryDirectory(prefix=PHOTOS, dir=settings.folder("uploads")) as folder,
        Sandbox(models=calibrated_models(settings.face_models)) as box,
    ):
        paths = [Path(folder) / str(number) for number in range(len(sent))]
        for path, one in zip(paths, sent, strict=True):
            with path.open("wb") as file:
                shutil.copyfileobj(one.file, file)
        encoder = box.recogniser()
        with transaction(engine) as session:
            kept = faces.references_of(session, actor=person, encoder=encoder, keys=settings.face_keys)
        looked = look(box, paths, [from_bytes(one) for one in kept])
    with transaction(engine) as session:
        for found in looked:
            if found.encoding is not None:
                encoding = to_bytes(found.encoding)
                faces.add_reference(session, actor=person, encoding=encoding, encoder=encoder, keys=settings.face_keys)
    return looked


def _forget(folder: Path) -> None:
    """Remove photos that a power cut left behind: none of them is looked at for so long."""
    for left in folder.glob(f"{PHOTOS}*"):
        if left.stat().st_mtime < time.time() - LOOK_S:
            shutil.rmtree(left, ignore_errors=True)


def _photos_page(request: Request, person: Person, names: list[str], looked: list[Looked]) -> HTMLResponse:
    with transaction(request.app.state.engine) as session:
        rows = list(zip(names, looked, strict=True))
        return page(request, "door/face.html", **_consent(session, person), looked=rows)


@router.post("/me/data")
def data(session: Db, person: Signed) -> Response:
    """Hand out everything that is kept about oneself; that it was asked for is noted."""
    content = json.dumps(own_data.everything(session, actor=person), ensure_ascii=False, indent=1)
    headers = {"content-disposition": 'attachment; filename="my-data.json"'}
    return Response(content, headers=headers, media_type="application/json")
