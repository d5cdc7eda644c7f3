"""Files by links of one person's, good for some hours: a page that may show a file makes its links.

A link says which file, for whom and until when, sealed with a key of this installation; it opens only in that
person's own session. Parts of a file are given by ranges, so a film can be sought in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from models import Evidence
from review_flow.clock import now
from review_flow.errors import NotFound
from review_flow.evidence.heads import HEAD_BYTES, SHOWN, media_type
from review_flow.i18n import _, say
from review_flow.outside.storage import CHUNK
from review_flow.steps.evidence import neutral_name, require_open, standing_evidence, why_closed
from review_flow.web.access import Db, Signed

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models import Person, Submission
    from review_flow.rules.catalogue import Slot

router = APIRouter()
LASTS = timedelta(hours=4)
KEY = "link.key"
WHICH = {"file": "storage_key", "playable": "playable_key", "poster": "poster_key", "sheet": "sheet_key"}
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
UNTIL_STEP_S = 3600  # links of one hour are the same, so that a page drawn again doesn't load its pictures anew


def link(request: Request, person: Person, evidence: Evidence, which: str = "file", *, named: bool = True) -> str:
    """Return the address of a file for this person; without its own name for who may not know whose it is."""
    until = (int((now() + LASTS).timestamp()) // UNTIL_STEP_S + 1) * UNTIL_STEP_S
    said = json.dumps([evidence.id, which, person.id, until, named], separators=(",", ":")).encode()
    return f"/files/{_text(said)}.{_seal(request, said)}"


def _scanned(request: Request) -> bool:
    return request.app.state.settings.scanner is not None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _seal(request: Request, said: bytes) -> str:
    return _text(hmac.new(request.app.state.settings.secret(KEY), said, hashlib.sha256).digest())


def _opened(request: Request, token: str) -> tuple[int, str, int, int, bool] | None:
    """Return what a link says; None for one that we did not make."""
    text, _dot, seal = token.partition(".")
    try:
        said = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    if not hmac.compare_digest(seal.encode(), _seal(request, said).encode()):
        return None
    key, which, person_id, until, named = json.loads(said)
    return key, which, person_id, until, named


@router.get("/files/{token}")
def file(request: Request, session: Db, person: Signed, token: str) -> Response:
    """Give a file, or the asked part of it."""
    said = _opened(request, token)
    if said is None or said[2] != person.id or said[3] < now().timestamp():
        raise NotFound(what=say(_("文件")), key=token[:8])
    evidence = require_open(session.get_one(Evidence, said[0]), scanned=_scanned(request), named=said[4])
    key = getattr(evidence, WHICH[said[1]])
    if key is None:
        raise NotFound(what=say(_("文件")), key=said[0])
    name = evidence.file_name if said[4] else neutral_name(evidence)
    return served(request, request.app.state.storage.open(key), name)


def served(request: Request, source: BinaryIO, name: str) -> Response:
    """Answer with a file, or the asked part of it; only what can carry no script is shown."""
    head = source.read(HEAD_BYTES)
    size = source.seek(0, 2)
    kind = media_type(head)
    how = "inline" if kind in SHOWN else "attachment"
    headers = {
        "content-disposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
        "x-frame-options": "SAMEORIGIN",
        "accept-ranges": "bytes",
    }
    kind = kind if kind in SHOWN else "application/octet-stream"
    wanted = _range(request.headers.get("range"), size)
    if wanted is None:
        source.close()
        return Response(status_code=416, headers={"content-range": f"bytes */{size}"})
    first, last, part = wanted
    headers["content-length"] = str(last - first + 1)
    if part:
        headers["content-range"] = f"bytes {first}-{last}/{size}"
    return StreamingResponse(_pieces(source, first, last), 206 if part else 200, headers, kind)


def _range(asked: str | None, size: int) -> tuple[int, int, bool] | None:
    """Return first and last byte, and whether that is a part; None where nothing of the file is meant."""
    found = RANGE.fullmatch(asked or "")
    if found is None or found.groups() == ("", ""):  # several ranges at once: the whole file is an allowed answer
        return 0, size - 1, False
    start, end = found.groups()
    first = int(start) if start else max(0, size - int(end))
    last = min(int(end), size - 1) if start and end else size - 1
    return (first, last, True) if first <= last else None


def _pieces(source: BinaryIO, first: int, last: int) -> Iterator[bytes]:
    with source:
        source.seek(first)
        left = last - first + 1
        while left > 0 and (piece := source.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece


def shown(request: Request, person: Person, one: Evidence, *, named: bool = True) -> dict[str, Any]:
    """Return what a page shows of a file: how, and its links."""
    report = one.report or {}
    media = report.get("media", {})
    kind = media.get("kind")
    has = {which: getattr(one, field) is not None for which, field in WHICH.items()}
    links = {which: link(request, person, one, which, named=named) for which in WHICH if has[which]}
    return {
        "file": one,
        "name": one.file_name if named else neutral_name(one),
        "kind": kind,
        "px": (media["width"], media["height"]) if "width" in media else None,
        "seconds": media.get("duration_s"),
        "closed": why_closed(one, scanned=_scanned(request), named=named),
        "download": links["file"],
        "play": links.get("playable", links["file"]),
        "poster": links.get("poster"),
        "sheet": links.get("sheet"),
        "sheet_px": report.get("sheet_px"),
        "sheet_says": report.get("alt_text"),
    }


def by_slot(
    request: Request,
    session: Session,
    person: Person,
    work: Submission,
    slots: Iterable[Slot],
    *,
    named: bool = False,
    empty: bool = True,
) -> list[dict[str, Any]]:
    """Return a work's standing files by slot, those without a file too unless `empty` is false.

    Under names that don't tell whose they are, unless `named`.
    """
    handed = standing_evidence(session, submission=work)
    found = [
        {"slot": slot, "files": [shown(request, person, one, named=named) for one in handed if one.slot == slot.id]}
        for slot in slots
    ]
    return [one for one in found if empty or one["files"]]
