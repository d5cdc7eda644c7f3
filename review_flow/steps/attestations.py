"""证明: what people sign instead of a face comparison; it counts as much, as long, and leaves no mark (domain 7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Attestation, Evidence, Person, Round, Submission
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.words import AttestationKind, RoleKind, SeatKind, WorkKind
from review_flow.steps import audit
from review_flow.steps.evidence import attested, standing_evidence
from review_flow.steps.people import conflicting_with, has_seat, require_role
from review_flow.steps.rounds import require_phase
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

STAFF_ROLES = (RoleKind.WORKSHOP_LEADER, RoleKind.SCHOOL_ADMIN)
STAFF_SEATS = (SeatKind.MEMBER, SeatKind.RESERVE, SeatKind.ARBITER)
UNDECIDED = (
    SubmissionState.DRAFT,
    SubmissionState.SEALED,
    SubmissionState.SUBMITTED,
    SubmissionState.CORRECTING,
)


class Decided(Refusal):
    """What a check could no longer settle nobody can attest any more."""

    status, text = 409, _("这项成果现在是“{state}”，不需要再证明本人出镜。")


class NothingToAttest(Refusal):
    """A signature is for files as they are: there are none, or the signatory has signed them all."""

    status, text = 409, _("没有需要您签名的文件：还没有提交，或者您已经签过名。")


def attest(
    session: Session, *, actor: Person, submission: Submission, kind: AttestationKind, statement: str
) -> list[Evidence]:
    """Sign that the author is to be seen in the files that stand now, in one of the ways that equal a face comparison.

    现场核验 needs two different signatories, the others one; never the author, nor anybody in conflict. Files that
    are signed for are looked at again without asking for the teacher. Returns those that still lack a signature.
    Raises NotAllowed, Decided, NothingToAttest; BadInput without a statement of what was seen.
    """
    round_ = session.get_one(Round, submission.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    _require_signatory(session, actor=actor, round_=round_, kind=kind)
    if actor.id in conflicting_with(session, person_id=submission.author_id):
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    if submission.state not in UNDECIDED:
        raise Decided(state=say(submission.state.label))
    if not statement.strip():
        raise BadInput(field=say(_("说明")), problem=say(_("请写明何时何地、怎样核对的。")))
    files = standing_evidence(session, submission=submission)
    mine = select(Attestation.evidence_id).where(
        Attestation.submission_id == submission.id, Attestation.signatory_id == actor.id, Attestation.kind == kind
    )
    signed, before = set(session.scalars(mine)), attested(session, submission=submission)
    unsigned = [one for one in files if one.id not in signed]
    if not unsigned:
        raise NothingToAttest
    session.add_all(
        Attestation(
            evidence_id=one.id,
            submission_id=submission.id,
            author_id=submission.author_id,
            signatory_id=actor.id,
            kind=kind,
            statement=statement,
            at=now(),
        )
        for one in unsigned
    )
    session.flush()
    audit.record_private(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="attestation.sign",
        about=submission,
        files=[one.id for one in unsigned],
        kind=kind.value,
    )
    after = attested(session, submission=submission)
    for evidence_id in sorted(after - before):
        enqueue(session, kind=WorkKind.CHECK_EVIDENCE, subject_id=evidence_id)
    return [one for one in files if one.id not in after]


def _require_signatory(session: Session, *, actor: Person, round_: Round, kind: AttestationKind) -> None:
    """Testimony is the workshop leader's (坊主、教研组长); the others are any staff's: a role, or a seat on the panel."""
    if kind is not AttestationKind.TESTIMONY and has_seat(
        session, person_id=actor.id, round_id=round_.id, kinds=STAFF_SEATS
    ):
        return
    roles = (RoleKind.WORKSHOP_LEADER,) if kind is AttestationKind.TESTIMONY else STAFF_ROLES
    require_role(session, actor=actor, organization_id=round_.organization_id, kinds=roles)
