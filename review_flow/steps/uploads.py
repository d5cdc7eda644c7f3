"""上传: who may send a file for which slot, how large, and until when it may be gone on with."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from models import Evidence, Submission, Upload
from review_flow.clock import now
from review_flow.errors import NotFound, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import WorkKind
from review_flow.steps.evidence import (
    UnknownSlot,
    add_evidence,
    require_author,
    require_editable,
    standing_evidence,
)
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from models import Person
    from review_flow.outside.storage import Kept

LASTS = timedelta(days=7)
AT_ONCE, LONGEST_NAME = 20, 200
COPIES = 2
"""A file lies here twice for a moment: as it arrived, and in the storage."""
OF_NO_ROUND = 0
"""The subject of a purge that is not of a round's files, but of uploads whose time is over."""


class TooLarge(Refusal):
    """A file beyond what the operator lets in."""

    status, text = 413, _("文件有{size}GB，超过上限{most}GB，请压缩后再传。")


class EmptyFile(Refusal):
    """A file of no bytes."""

    status, text = 422, _("文件“{file}”是空的。")


class NoRoom(Refusal):
    """The disk is nearly full: said before the bytes are sent, and what is here already stays."""

    status, text = (
        507,
        _("服务器的磁盘空间不够了，这个文件暂时收不下；已经传到的部分都在，腾出空间后可以接着传。请告诉管理员。"),
    )


class TooManyUploads(Refusal):
    """Unfinished uploads take room: begin no more of them."""

    status, text = 429, _("没有传完的文件已有{count}个，请先传完或取消。")


class StrangeFile(Refusal):
    """By its content no film, picture, sound or document."""

    status, text = 415, _("“{file}”不是视频、图片、录音或文档，请检查是否选错了文件。")


def begin(
    session: Session,
    *,
    actor: Person,
    submission: Submission,
    slot: str,
    file_name: str,
    size_bytes: int,
    most_bytes: int,
    room_bytes: int,
    replaces_id: int | None = None,
) -> Upload:
    """Begin an upload by the author, for a slot that takes files now.

    `room_bytes`: how much the disk may still take. Everything that would refuse the finished file is said before its
    first byte. Raises NotAllowed, NotEditable, WindowClosed, UnknownSlot, TooLarge, EmptyFile, NoRoom, TooManyUploads,
    NotFound for a file to replace that doesn't stand.
    """
    round_ = require_author(session, actor=actor, submission=submission)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    require_editable(round_, submission)
    slots = [one.id for one in round_scheme(session, round_=round_).slots(submission.ability)]
    if slot not in slots:
        raise UnknownSlot(ability=submission.ability, slot=slot, slots=listed(slots))
    name = PurePath(file_name.replace("\\", "/")).name[-LONGEST_NAME:] or "file"
    if size_bytes > most_bytes:
        raise TooLarge(size=f"{size_bytes / 1e9:.1f}", most=f"{most_bytes / 1e9:.1f}")
    if size_bytes < 1:
        raise EmptyFile(file=name)
    if COPIES * size_bytes > room_bytes:
        raise NoRoom
    if replaces_id is not None:
        _standing(session, submission=submission, key=replaces_id)
    unfinished_ = select(func.count()).where(Upload.owner_id == actor.id, Upload.expires_at > now())
    count = session.scalar(unfinished_) or 0
    if count >= AT_ONCE:
        raise TooManyUploads(count=count)
    upload = Upload(
        token=secrets.token_urlsafe(24),
        owner_id=actor.id,
        submission_id=submission.id,
        slot=slot,
        replaces_id=replaces_id,
        file_name=name,
        size_bytes=size_bytes,
        begun_at=now(),
        expires_at=now() + LASTS,
    )
    session.add(upload)
    enqueue(session, kind=WorkKind.PURGE_EVIDENCE, subject_id=OF_NO_ROUND, due_at=upload.expires_at)
    session.flush()
    return upload


def _standing(session: Session, *, submission: Submission, key: int) -> Evidence:
    for one in standing_evidence(session, submission=submission):
        if one.id == key:
            return one
    raise NotFound(what=say(_("文件")), key=key)


def own(session: Session, *, actor: Person, token: str) -> Upload:
    """Return the actor's upload; raises NotFound for another's and for one whose time is over."""
    found = session.scalars(
        select(Upload).where(Upload.token == token, Upload.owner_id == actor.id, Upload.expires_at > now())
    ).first()
    if found is None:
        raise NotFound(what=say(_("上传")), key=token)
    return found


def unfinished(session: Session, *, submission: Submission) -> list[Upload]:
    """Return the uploads of a work that can be gone on with, the oldest first."""
    return list(session.scalars(going_on(submission).order_by(Upload.id)))


def going_on(submission: Submission) -> Select[tuple[Upload]]:
    """Select the uploads of a work that can be gone on with."""
    return select(Upload).where(Upload.submission_id == submission.id, Upload.expires_at > now())


def finish(session: Session, *, actor: Person, upload: Upload, stored: Kept) -> Evidence:
    """Hang the arrived file on its slot and forget the upload. Raises what `add_evidence` raises."""
    submission = session.get_one(Submission, upload.submission_id)
    older = None if upload.replaces_id is None else _standing(session, submission=submission, key=upload.replaces_id)
    added = add_evidence(
        session,
        actor=actor,
        submission=submission,
        slot=upload.slot,
        file_name=upload.file_name,
        stored=stored,
        replaces=older,
    )
    session.delete(upload)
    return added


def cancel(session: Session, *, upload: Upload) -> None:
    """Forget an upload."""
    session.delete(upload)
    session.flush()


def expire(session: Session) -> datetime | None:
    """Forget the uploads whose time is over; return when the next one's will be. Their bytes go with `strays`."""
    session.execute(delete(Upload).where(Upload.expires_at <= now()))
    return session.scalar(select(func.min(Upload.expires_at)))


def strays(session: Session, *, tokens: Iterable[str]) -> Sequence[str]:
    """Return those of the tokens that no upload has: whose row is gone, or never came."""
    here = sorted(tokens)
    known = set(session.scalars(select(Upload.token).where(Upload.token.in_(here))))
    return [one for one in here if one not in known]
