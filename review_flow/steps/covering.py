"""遮挡: a copy of a file in which every face but the author's is covered, for works to be published (domain 7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Round, Submission
from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.rules.words import FacePurpose
from review_flow.steps import audit
from review_flow.steps.copies import require_looker
from review_flow.steps.faces import read_for, still_kept
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy.orm import Session

    from models import Evidence, Person
    from review_flow.steps.face_keys import Keys
    from review_flow.steps.faces import Known


class FaceWithdrawn(Refusal):
    """What came of an encoding that is destroyed meanwhile is not kept."""

    status, text = 409, _("做副本期间有教师撤回了人脸比对的同意，副本已作废，请重新做一份。")


def known_to_cover(session: Session, *, actor: Person, evidence: Evidence, encoder: str, keys: Keys) -> Known:
    """Return what tells the author from others in a copy; nothing without their consent: then everybody is covered.

    For the panel and the administrator of the file's school; raises NotAllowed. The reading is logged.
    """
    require_looker(session, actor=actor, evidence=evidence)
    return read_for(session, evidence=evidence, purpose=FacePurpose.BLUR, encoder=encoder, keys=keys)


def record_copy(session: Session, *, actor: Person, evidence: Evidence, read: Collection[int], pictures: int) -> None:
    """Note that the actor took such a copy, never whether the author is seen in it; FaceWithdrawn where that is void."""
    round_ = session.get_one(Round, session.get_one(Submission, evidence.submission_id).round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_looker(session, actor=actor, evidence=evidence)
    if not still_kept(session, read=read):
        raise FaceWithdrawn
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="evidence.cover",
        about=evidence,
        pictures=pictures,
    )
