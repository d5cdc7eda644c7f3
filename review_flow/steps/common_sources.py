"""共用素材: templates, stock footage, shared recordings that the school lets everybody use, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models import FINGERPRINT_KEY, CommonSource, Evidence, Fingerprint, Organization, Person, Round, Submission
from review_flow.clock import now
from review_flow.errors import BadInput, Refusal
from review_flow.i18n import _, say
from review_flow.rules.words import EvidenceState, WorkKind
from review_flow.steps import audit, copies
from review_flow.steps.people import require_admin
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from review_flow.evidence.copies import Print


class AlreadyCommon(Refusal):
    """The school has this very file on its list."""

    status, text = 409, _("“{name}”已在共用素材名单里。")


class NotCommon(Refusal):
    """It was taken off the list before."""

    status, text = 409, _("“{name}”已不在共用素材名单里。")


def whitelist(
    session: Session,
    *,
    actor: Person,
    organization: Organization,
    sha256: str,
    name: str,
    reason: str,
    prints: Sequence[Print],
) -> CommonSource:
    """Put a file on the school's list: what it explains is no finding from now on. Needs a reason; can be undone.

    Files of undecided works that are like it are checked again. Raises NotAllowed, AlreadyCommon, BadInput.
    """
    take_turn(session, organization_id=organization.id)
    require_admin(session, actor=actor, organization_id=organization.id)
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明为什么大家都可以用它。")))
    if any(one.sha256 == sha256 for one in standing(session, organization=organization)):
        raise AlreadyCommon(name=name)
    source = CommonSource(
        organization_id=organization.id,
        sha256=sha256,
        name=name,
        reason=reason,
        added_by_id=actor.id,
        added_at=now(),
    )
    session.add(source)
    session.flush()
    copies.keep(session, prints=prints, source_id=source.id)
    _check_again(session, source=source)
    audit.record(
        session,
        organization_id=organization.id,
        actor=actor,
        deed="copies.whitelist",
        about=source,
        sha256=sha256,
        reason=reason,
    )
    return source


def whitelist_evidence(session: Session, *, actor: Person, evidence: Evidence, reason: str) -> CommonSource:
    """Put a file that somebody handed in on the school's list, as `whitelist`."""
    submission = session.get_one(Submission, evidence.submission_id)
    organization = session.get_one(Organization, session.get_one(Round, submission.round_id).organization_id)
    return whitelist(
        session,
        actor=actor,
        organization=organization,
        sha256=evidence.sha256,
        name=evidence.file_name,
        reason=reason,
        prints=copies.prints_of(session, evidence=evidence),
    )


def end_whitelist(session: Session, *, actor: Person, source: CommonSource, reason: str) -> None:
    """Take a file off the list; what is like it is checked again. Raises NotAllowed, NotCommon, BadInput."""
    take_turn(session, organization_id=source.organization_id)
    require_admin(session, actor=actor, organization_id=source.organization_id)
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明为什么不再列为共用素材。")))
    if source.ended_at is not None:
        raise NotCommon(name=source.name)
    source.ended_by_id, source.ended_at = actor.id, now()
    _check_again(session, source=source)
    audit.record(
        session,
        organization_id=source.organization_id,
        actor=actor,
        deed="copies.unlist",
        about=source,
        reason=reason,
    )


def standing(session: Session, *, organization: Organization) -> list[CommonSource]:
    """Return the school's list, in the order it was made."""
    return list(
        session.scalars(
            select(CommonSource)
            .where(CommonSource.organization_id == organization.id, CommonSource.ended_at.is_(None))
            .order_by(CommonSource.id)
        )
    )


def _check_again(session: Session, *, source: CommonSource) -> None:
    """Book a new check for files of undecided works that share keys, or every byte, with the source."""
    key = FINGERPRINT_KEY.c
    mine = (
        select(key.value)
        .join(Fingerprint, Fingerprint.id == key.fingerprint_id)
        .where(Fingerprint.source_id == source.id)
    )
    sharing = (
        select(Fingerprint.evidence_id)
        .join(FINGERPRINT_KEY, key.fingerprint_id == Fingerprint.id)
        .where(key.value.in_(mine), Fingerprint.evidence_id.is_not(None))
    )
    for evidence_id in session.scalars(
        select(Evidence.id)
        .join(Submission, Submission.id == Evidence.submission_id)
        .where(
            Evidence.id.in_(sharing) | (Evidence.sha256 == source.sha256),
            Evidence.state != EvidenceState.SUPERSEDED,
            Submission.valid.is_(None),
        )
        .order_by(Evidence.id)
    ):
        enqueue(session, kind=WorkKind.CHECK_EVIDENCE, subject_id=evidence_id)
