"""有效性认定: the check may pass a submission's evidence; 无效 is said by two people, a third when they differ (T10)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, select

from models import Evidence, Person, Round, Submission, ValidityVote
from review_flow.clock import now
from review_flow.db import counted, first_of
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, clauses, say
from review_flow.rules.lifecycle import SubmissionState, move
from review_flow.rules.validity import ItemFacts, validity
from review_flow.rules.words import EvidenceState, SeatKind, Verdict, WorkKind
from review_flow.steps import audit
from review_flow.steps.corrections import ask_correction
from review_flow.steps.evidence import attested, standing_evidence
from review_flow.steps.messages import tell
from review_flow.steps.people import conflicting_with, conflicts, has_seat, require_seat
from review_flow.steps.reviews import forward
from review_flow.steps.rounds import round_scheme
from review_flow.steps.taking_back import take_back
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme

ENOUGH = 2
VOTERS = (SeatKind.MEMBER, SeatKind.RESERVE, SeatKind.ARBITER)


class NotWaiting(Refusal):
    """Only a submitted work whose files are all checked can be judged."""

    status, text = 409, _("这项成果现在是“{state}”，不在等待有效性认定。")


class StillChecking(Refusal):
    """People judge what the checks have looked at: a file may yet be rejected and exchanged."""

    status, text = 409, _("还有文件在自动检查，请稍后再作有效性认定。")


class AlreadySaid(Refusal):
    """Each person says it once."""

    status, text = 409, _("您已对这项成果作过有效性认定。")


def vote(
    session: Session, *, actor: Person, submission: Submission, teacher_visible: bool, own_work: bool, reason: str
) -> None:
    """Say whether the evidence shows the teacher and is their own work; a doubt needs its reason (001-A-29).

    Raises NotAllowed for own or conflicting work, NotWaiting, AlreadySaid.
    """
    round_ = session.get_one(Round, submission.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_seat(session, actor=actor, round_=round_, kinds=VOTERS)
    if actor.id in conflicting_with(session, person_id=submission.author_id):
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    if submission.state is not SubmissionState.SUBMITTED:
        raise NotWaiting(state=say(submission.state.label))
    if not (teacher_visible and own_work) and not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("认为无效时请写明理由。")))
    files = standing_evidence(session, submission=submission)
    if any(one.state is EvidenceState.WAITING for one in files):
        raise StillChecking
    votes = votes_of(session, submission=submission)
    if actor.id in {one.voter_id for one in votes}:
        raise AlreadySaid
    session.add(
        ValidityVote(
            submission_id=submission.id,
            author_id=submission.author_id,
            voter_id=actor.id,
            attempt=submission.corrections,
            teacher_visible=teacher_visible,
            own_work=own_work,
            reason=reason,
            at=now(),
        )
    )
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="validity.vote",
        about=submission,
        visible=teacher_visible,
        own=own_work,
    )
    settle(session, submission=submission)


def to_judge(session: Session, *, person: Person, round_: Round) -> list[Submission]:
    """Return the works that wait for this person's word: checked, not of anybody they keep away from, not yet said."""
    if not has_seat(session, person_id=person.id, round_id=round_.id, kinds=VOTERS):
        return []
    return list(session.scalars(_to_judge(Submission), {"person": person.id, "round": round_.id}))


def first_to_judge(session: Session, *, person: Person, round_: Round, most: int) -> tuple[list[Submission], int]:
    """Return the first `most` of `to_judge`, and how many there are."""
    if not has_seat(session, person_id=person.id, round_id=round_.id, kinds=VOTERS):
        return [], 0
    return first_of(session, _first(), {"person": person.id, "round": round_.id, "most": most})


@cache
def _first() -> Select[tuple[Submission, int]]:
    return counted(_to_judge(Submission))


def may_judge(session: Session, *, person: Person, submission: Submission) -> bool:
    """Whether a work is one of `to_judge`."""
    round_ = session.get_one(Round, submission.round_id)
    if not has_seat(session, person_id=person.id, round_id=round_.id, kinds=VOTERS):
        return False
    asked = _to_judge(Submission.id).where(Submission.id == submission.id)
    return session.scalars(asked, {"person": person.id, "round": round_.id}).first() is not None


def _to_judge(*what: Any) -> Select[Any]:
    """Select of the works of a `round` that wait for the word of a `person`."""
    person = bindparam("person", type_=BigInteger)
    unchecked = select(Evidence.id).where(
        Evidence.submission_id == Submission.id, Evidence.state == EvidenceState.WAITING
    )
    said = select(ValidityVote.id).where(
        ValidityVote.submission_id == Submission.id,
        ValidityVote.voter_id == person,
        ValidityVote.attempt == Submission.corrections,
    )
    return (
        select(*what)
        .where(
            Submission.round_id == bindparam("round"),
            Submission.state == SubmissionState.SUBMITTED,
            Submission.author_id != person,
            Submission.author_id.not_in(conflicts(person)),
            ~unchecked.exists(),
            ~said.exists(),
        )
        .order_by(Submission.submitted_at, Submission.id)
    )


def settle(session: Session, *, submission: Submission) -> None:
    """Decide what can be decided now: by the check where it passes everything, by two agreeing people otherwise.

    Once people have refused a work, people look at its correction: no check sees whether a doubt was cleared.
    """
    if submission.state is not SubmissionState.SUBMITTED:
        return
    scheme = round_scheme(session, round_=session.get_one(Round, submission.round_id))
    files = standing_evidence(session, submission=submission)
    if any(one.state is EvidenceState.WAITING for one in files):
        return
    votes = votes_of(session, submission=submission)
    agree = [one for one in votes if _says_valid(scheme, one)]
    signed = attested(session, submission=submission)
    seen = any(one.teacher_present or one.id in signed for one in files)
    passed = seen and all(one.verdict is Verdict.VALID for one in files)
    if len(agree) >= ENOUGH or (passed and not votes and not submission.corrections):
        _accept(session, submission=submission, by="check" if len(agree) < ENOUGH else "people")
    elif len(votes) - len(agree) >= ENOUGH:
        reasons = clauses(dict.fromkeys(one.reason for one in votes if one not in agree))
        _refuse(session, scheme=scheme, submission=submission, reasons=reasons)


def votes_of(session: Session, *, submission: Submission) -> list[ValidityVote]:
    """Return what people said of a work as it stands now, since its last correction."""
    return list(
        session.scalars(
            select(ValidityVote)
            .where(ValidityVote.submission_id == submission.id, ValidityVote.attempt == submission.corrections)
            .order_by(ValidityVote.id)
        )
    )


def _says_valid(scheme: Scheme, one: ValidityVote) -> bool:
    return validity(scheme, [ItemFacts("", shows_teacher=one.teacher_visible, attributable=one.own_work)]).valid


def _accept(session: Session, *, submission: Submission, by: str) -> None:
    round_ = session.get_one(Round, submission.round_id)
    submission.valid = True
    submission.state = move(submission.state, SubmissionState.IN_PEER_REVIEW)
    audit.record(
        session, organization_id=round_.organization_id, actor=None, deed="validity.accept", about=submission, by=by
    )
    forward(session, submission=submission)


def _refuse(session: Session, *, scheme: Scheme, submission: Submission, reasons: str) -> None:
    """Ask for a correction, as often as the scheme grants one; then it is invalid (T11)."""
    if submission.corrections < scheme.calendar.correction.times:
        submission.corrections += 1
        submission.correction_due_at = None
        ask_correction(session, scheme=scheme, submission=submission, reasons=reasons)
    else:
        invalidate(session, submission=submission, reasons=reasons)


def invalidate(session: Session, *, submission: Submission, reasons: str) -> None:
    """The work counts no more; while the window is open another ability may take its place (T11)."""
    round_ = session.get_one(Round, submission.round_id)
    submission.state = move(submission.state, SubmissionState.INVALID)
    submission.valid = False
    take_back(session, submission=submission)
    enqueue(session, kind=WorkKind.ADVANCE_ROUND, subject_id=round_.id)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=None,
        deed="submission.invalidate",
        about=submission,
        reasons=reasons,
    )
    tell(
        session,
        person_id=submission.author_id,
        round_id=round_.id,
        kind="submission.invalid",
        sentence=_("您的“{ability}”被认定无效：{reasons}。提交期内可改选其他微能力。"),
        ability=submission.ability,
        reasons=reasons,
    )
