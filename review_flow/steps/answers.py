"""已答请求: the same request sent twice under one Idempotency-Key is done once, and answered the same.

The note stands in the deed's own transaction: of two that race, the second waits at the note's unique key until the
first is done. A refused deed leaves no note, since nothing was done; sent again, it is judged again.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from models import KeptAnswer
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.steps.sealing import Keys, sealed, unsealed

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models import Person

KEPT_FOR = timedelta(hours=24)


class KeyUsedOtherwise(Refusal):
    """One key stands for one request."""

    status, text = 422, _("这个 Idempotency-Key 已用于另一个请求，请换一个新的。")


def begin(session: Session, *, actor: Person, key: str, request_digest: str) -> KeptAnswer:
    """Return the note of a request: fresh, to be given its answer by `keep`; or with the answer it got before.

    Raises KeyUsedOtherwise where the key stands for another request.
    """
    session.execute(delete(KeptAnswer).where(KeptAnswer.at < now() - KEPT_FOR))
    note = KeptAnswer(person_id=actor.id, key=key, request_digest=request_digest, at=now())
    try:
        with session.begin_nested():
            session.add(note)
    except IntegrityError:
        same = select(KeptAnswer).where(KeptAnswer.person_id == actor.id, KeptAnswer.key == key)
        note = session.scalars(same).one()
        if note.request_digest != request_digest:
            raise KeyUsedOtherwise from None
    return note


def keep(note: KeptAnswer, *, answer: dict[str, Any], seal_keys: Keys) -> None:
    """Keep what a request was answered, encrypted: an answer may hold a secret that is shown once."""
    note.sealed = sealed(seal_keys[0], json.dumps(answer, ensure_ascii=False).encode(), bound_to=_request(note))


def kept(note: KeptAnswer, *, seal_keys: Keys) -> dict[str, Any] | None:
    """Return what a request was answered before; None for a fresh note."""
    if note.sealed is None:
        return None
    found: dict[str, Any] = json.loads(unsealed(seal_keys, note.sealed, bound_to=_request(note)))
    return found


def _request(note: KeptAnswer) -> str:
    return f"answer:{note.person_id}:{note.key}"
