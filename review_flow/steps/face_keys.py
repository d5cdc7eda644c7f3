"""人脸特征的密钥: encodings are sealed with a key outside the database; each row names its key, so keys can change."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidTag
from sqlalchemy import func, select

from models import FaceReading, Organization, Person, ReferenceFace
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _, listed
from review_flow.rules.words import FacePurpose
from review_flow.steps import sealing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy.orm import Session

    Keys = Callable[[], tuple[bytes, ...]]
    """Gives the keys of the moment: the first one seals, each of them opens."""

BATCH = 200


class KeyMissing(Refusal):
    """An encoding was sealed with a key that is not at hand."""

    status, text = (
        409,
        _(
            "有人脸特征是用另一把密钥加密的（密钥编号 {ids}），现在的密钥打不开。请把原来的密钥设为 REVIEW_FLOW_PREVIOUS_ENCRYPTION_KEY，或把原来的密钥文件放回 secrets 文件夹；密钥找不回时，请有关教师撤回同意后重新登记。"
        ),
    )


class FaceDamaged(Refusal):
    """The key is right, but the row was changed or belongs to somebody else."""

    status, text = 409, _("编号{id}的人脸特征已损坏或被人调换，不能使用；请有关教师撤回同意后重新登记。")


def key_id(key: bytes) -> str:
    """Return a key's name: 16 hex digits that tell nothing about it."""
    return hashlib.sha256(b"review-flow face key" + key).hexdigest()[:16]


def sealed(key: bytes, encoding: bytes, *, person_id: int) -> bytes:
    """Return an encoding encrypted, bound to its person; never the same bytes twice."""
    return sealing.sealed(key, encoding, bound_to=_owner(person_id))


def opened(face: ReferenceFace, *, keys: Collection[bytes]) -> bytes:
    """Return a kept face's encoding; raises KeyMissing, FaceDamaged."""
    assert face.encrypted is not None
    key = {key_id(one): one for one in keys}.get(face.key_id)
    if key is None:
        raise KeyMissing(ids=face.key_id)
    try:
        return sealing.unsealed((key,), face.encrypted, bound_to=_owner(face.person_id))
    except InvalidTag:
        raise FaceDamaged(id=face.id) from None


def _owner(person_id: int) -> str:
    return f"person:{person_id}"


class Rotated(NamedTuple):
    """How many faces a batch sealed anew, and the ids of those that are damaged and stay as they are."""

    sealed: int
    damaged: frozenset[int]


def rotate(session: Session, *, keys: Keys, size: int = BATCH, known: Collection[int] = ()) -> Rotated:
    """Seal up to `size` faces anew with the first key, but those `known` to be damaged. (0, none): nothing is left.

    One call is one transaction of the caller: killed between two, the next run goes on where this one stopped.
    """
    present, *before = keys()
    faces = session.scalars(
        select(ReferenceFace)
        .where(
            ReferenceFace.encrypted.is_not(None),
            ReferenceFace.key_id.in_([key_id(one) for one in before]),
            ReferenceFace.id.not_in(known),
        )
        .order_by(ReferenceFace.id)
        .limit(size)
        .with_for_update()
    ).all()
    damaged = set[int]()
    for face in faces:
        try:
            encoding = opened(face, keys=before)
        except FaceDamaged:
            damaged.add(face.id)
            continue
        face.encrypted, face.key_id = sealed(present, encoding, person_id=face.person_id), key_id(present)
    whole = [face for face in faces if face.id not in damaged]
    for (person_id, encoder), count in Counter((face.person_id, face.encoder) for face in whole).items():
        reading = FaceReading(
            organization_id=session.get_one(Person, person_id).organization_id,
            person_id=person_id,
            purpose=FacePurpose.ROTATE,
            encoder=encoder,
            encodings=count,
            colleagues=0,
            at=now(),
        )
        session.add(reading)
    session.flush()
    return Rotated(len(whole), frozenset(damaged))


def in_use(session: Session) -> dict[str, int]:
    """Return how many kept faces each key sealed, by its id."""
    kept = select(ReferenceFace.key_id, func.count()).where(ReferenceFace.encrypted.is_not(None))
    return dict(session.execute(kept.group_by(ReferenceFace.key_id)).tuples().all())


def require_known(session: Session, *, keys: Collection[bytes]) -> None:
    """Raise KeyMissing, naming them, where faces are sealed with other keys than these."""
    unknown = in_use(session).keys() - {key_id(one) for one in keys}
    if unknown:
        raise KeyMissing(ids=listed(sorted(unknown)))


def retire(session: Session, *, keys: Keys, remove: Callable[[], None]) -> bool:
    """Call `remove` when the first key alone is in use, and say whether it was.

    Every school's turn is held meanwhile: who enrols a face reads the keys within theirs, so none is sealed with a
    key that is going.
    """
    session.execute(select(Organization.id).order_by(Organization.id).with_for_update(key_share=True)).all()
    if in_use(session).keys() - {key_id(keys()[0])}:
        return False
    remove()
    return True
