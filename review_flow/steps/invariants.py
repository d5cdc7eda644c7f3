"""What must hold of the data, each statement with a name (`review-flow check`).

The database's own constraints hold most of it already; these are the statements that need more than one row,
and those that the constraints make true, said once more so that a restored or hand-edited database is found out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Integer, Select, and_, false, func, literal_column, or_, select, union_all
from sqlalchemy.orm import aliased

from models import (
    Appeal,
    AppealVote,
    Assignment,
    Certificate,
    CertificateIssuer,
    Consent,
    DueWork,
    Enrolment,
    Evidence,
    FileReport,
    GroupFact,
    GroupResult,
    LibraryEntry,
    Nomination,
    NominationConsent,
    NominationMove,
    NominationVoice,
    PanelMark,
    ReferenceFace,
    Result,
    Review,
    ReviewAnswer,
    Round,
    SchemeVersion,
    Signature,
    Submission,
    ValidityVote,
)
from review_flow.rules.certificates import CertificateState, rests_on
from review_flow.rules.lifecycle import EnrolmentState, ResultState, RoundPhase, SubmissionState
from review_flow.rules.scheme import digest_of
from review_flow.rules.words import (
    LIVE,
    UNDONE,
    AssignmentState,
    EvidenceState,
    NominationKind,
    NominationState,
    Verdict,
    WorkConsent,
)
from review_flow.steps.audit import altered_notes, breaks
from review_flow.steps.certificates import EFFECTIVE, granted
from review_flow.steps.group_results import replay_group
from review_flow.steps.owners import owners
from review_flow.steps.results import outcome_digest, replay
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Broken:
    """One statement that doesn't hold, and the row that shows it."""

    statement: str
    row: str


_A, _B = aliased(Assignment), aliased(Assignment)
_C, _D = aliased(Certificate), aliased(Certificate)
_G, _H = aliased(GroupFact), aliased(GroupFact)
_N = aliased(NominationConsent)


def _agreed(about: WorkConsent) -> ColumnElement[bool]:
    """Whether the author's latest word on a nomination is a yes."""
    latest = (
        select(_N.given)
        .where(_N.nomination_id == Nomination.id, _N.about == about)
        .order_by(_N.id.desc())
        .limit(1)
        .correlate(Nomination)
        .scalar_subquery()
    )
    return func.coalesce(latest, false()).is_(True)


_SETTLED = (
    SubmissionState.IN_PEER_REVIEW,
    SubmissionState.IN_PANEL,
    SubmissionState.IN_ARBITRATION,
    SubmissionState.GRADED,
)

# Each statement is a query for the rows that break it.
STATEMENTS: dict[str, Select[Any]] = {
    "nobody reviews their own work": select(Assignment.id)
    .join(Submission, Submission.id == Assignment.submission_id)
    .where(Submission.author_id == Assignment.reviewer_id),
    "an assignment knows its work's author": select(Assignment.id)
    .join(Submission, Submission.id == Assignment.submission_id)
    .where(Submission.author_id != Assignment.author_id),
    "nobody reviews a work twice": select(_A.id)
    .join(_B, and_(_A.submission_id == _B.submission_id, _A.reviewer_id == _B.reviewer_id, _A.id < _B.id))
    .where(_A.state.in_(LIVE), _B.state.in_(LIVE)),
    "a done assignment has its review": select(Assignment.id)
    .outerjoin(Review, Review.assignment_id == Assignment.id)
    .where((Assignment.state == AssignmentState.DONE) != Review.id.is_not(None)),
    "nobody marks their own work": select(PanelMark.id)
    .join(Submission, Submission.id == PanelMark.submission_id)
    .where(Submission.author_id == PanelMark.marker_id),
    "nobody judges the validity of their own work": select(ValidityVote.id)
    .join(Submission, Submission.id == ValidityVote.submission_id)
    .where(Submission.author_id == ValidityVote.voter_id),
    "nobody hears their own appeal": select(AppealVote.id)
    .join(Appeal, Appeal.id == AppealVote.appeal_id)
    .where(Appeal.appellant_id == AppealVote.voter_id),
    "nobody confirms their own grade": select(Result.id)
    .join(Enrolment, Enrolment.id == Result.enrolment_id)
    .where(Result.confirmed_by_id == Enrolment.person_id),
    "a result is signed by its teacher": select(Signature.id)
    .join(Result, Result.id == Signature.result_id)
    .join(Enrolment, Enrolment.id == Result.enrolment_id)
    .where(Signature.person_id != Enrolment.person_id),
    "an assessed teacher has one standing result": select(Enrolment.id)
    .outerjoin(Result, and_(Result.enrolment_id == Enrolment.id, Result.current))
    .where(or_(Enrolment.state == EnrolmentState.ASSESSED, Result.id.is_not(None)))
    .group_by(Enrolment.id)
    .having(func.count(Result.id) != 1),
    "a standing result is an assessed teacher's": select(Result.id)
    .join(Enrolment, Enrolment.id == Result.enrolment_id)
    .where(Result.current, Enrolment.state != EnrolmentState.ASSESSED),
    "a result stands unless it was superseded": select(Result.id).where(
        Result.current == (Result.state == ResultState.SUPERSEDED)
    ),
    "a published grade was confirmed": select(Result.id).where(
        Result.state.not_in([ResultState.COMPOSED, ResultState.SUPERSEDED]), Result.grade.is_(None)
    ),
    "a signed result has its signature": select(Result.id)
    .outerjoin(Signature, Signature.result_id == Result.id)
    .where(Result.state == ResultState.SIGNED, Signature.id.is_(None)),
    "a submission belongs to its enrolment's person and round": select(Submission.id)
    .join(Enrolment, Enrolment.id == Submission.enrolment_id)
    .where(or_(Submission.author_id != Enrolment.person_id, Submission.round_id != Enrolment.round_id)),
    "an exempt teacher hands nothing in": select(Submission.id)
    .join(Enrolment, Enrolment.id == Submission.enrolment_id)
    .where(Enrolment.state == EnrolmentState.EXEMPT, Submission.state != SubmissionState.REPLACED),
    "what is judged was found valid": select(Submission.id).where(
        Submission.state.in_(_SETTLED), or_(Submission.valid.is_(None), Submission.valid.is_(False))
    ),
    "an invalid work is marked so": select(Submission.id).where(
        Submission.state == SubmissionState.INVALID, or_(Submission.valid.is_(None), Submission.valid.is_(True))
    ),
    "what went forward has no rejected file": select(Evidence.id)
    .join(Submission, Submission.id == Evidence.submission_id)
    .where(
        Submission.state.in_(_SETTLED),
        Evidence.state == EvidenceState.CHECKED,
        Evidence.verdict == Verdict.REJECTED,
    ),
    "a graded work has no missing mark": select(PanelMark.id)
    .join(Submission, Submission.id == PanelMark.submission_id)
    .where(Submission.state == SubmissionState.GRADED, PanelMark.mark.is_(None), PanelMark.released_at.is_(None)),
    "a work whose judgement has ended waits for no review": select(Assignment.id)
    .join(Submission, Submission.id == Assignment.submission_id)
    .where(
        Submission.state.in_([SubmissionState.GRADED, SubmissionState.INVALID, SubmissionState.CLOSED]),
        Assignment.state.in_(UNDONE),
    ),
    "after the hand-in nothing is left a draft": select(Submission.id)
    .join(Round, Round.id == Submission.round_id)
    .where(
        Round.phase.in_([RoundPhase.PUBLICITY, RoundPhase.SIGNING, RoundPhase.CLOSED]),
        Submission.state.in_([SubmissionState.DRAFT, SubmissionState.SEALED, SubmissionState.SUBMITTED]),
    ),
    "a face is kept only under a standing consent of its own person": select(ReferenceFace.id)
    .join(Consent, Consent.id == ReferenceFace.consent_id)
    .where(
        ReferenceFace.encrypted.is_not(None),
        or_(Consent.withdrawn_at.is_not(None), Consent.person_id != ReferenceFace.person_id),
    ),
    "a review is answered by its work's author": select(ReviewAnswer.id)
    .join(Review, Review.id == ReviewAnswer.review_id)
    .join(Assignment, Assignment.id == Review.assignment_id)
    .where(or_(Assignment.author_id.is_(None), Assignment.author_id != ReviewAnswer.author_id)),
    "a file is reported by whoever was to review its work": select(FileReport.id)
    .join(Assignment, Assignment.id == FileReport.assignment_id)
    .join(Evidence, Evidence.id == FileReport.evidence_id)
    .where(
        or_(
            FileReport.reporter_id != Assignment.reviewer_id,
            Assignment.submission_id.is_(None),
            Assignment.submission_id != Evidence.submission_id,
        )
    ),
    "nobody closes a report about their own file": select(FileReport.id)
    .join(Assignment, Assignment.id == FileReport.assignment_id)
    .where(FileReport.closed_by_id == Assignment.author_id),
    "a running round keeps the scheme it froze": select(Round.id)
    .join(SchemeVersion, SchemeVersion.id == Round.scheme_version_id)
    .where(Round.scheme_digest.is_not(None), Round.scheme_digest != SchemeVersion.digest),
    "a standing certificate rests on its teacher's standing result": select(Certificate.id)
    .join(Result, Result.id == Certificate.result_id)
    .where(
        Certificate.state == CertificateState.ISSUED,
        or_(Result.current.is_(False), Result.enrolment_id != Certificate.enrolment_id),
    ),
    "a certificate's number is its own": select(_C.id)
    .join(_D, and_(_C.number == _D.number, _C.id != _D.id))
    .order_by(_C.id),
    "a certificate has issuers": select(Certificate.id)
    .outerjoin(CertificateIssuer, CertificateIssuer.certificate_id == Certificate.id)
    .where(CertificateIssuer.id.is_(None)),
    "nobody confirms their own certificate": select(CertificateIssuer.id)
    .join(Certificate, Certificate.id == CertificateIssuer.certificate_id)
    .join(Enrolment, Enrolment.id == Certificate.enrolment_id)
    .where(CertificateIssuer.confirmed_by_id == Enrolment.person_id),
    "nobody votes on or marks their own work": select(NominationVoice.id)
    .join(Nomination, Nomination.id == NominationVoice.nomination_id)
    .where(or_(Nomination.author_id == NominationVoice.judge_id, Nomination.author_id != NominationVoice.author_id)),
    "a work's consents are its author's": select(NominationConsent.id)
    .join(Nomination, Nomination.id == NominationConsent.nomination_id)
    .where(Nomination.author_id != NominationConsent.author_id),
    "nothing left its workshop without its author's consent": select(NominationMove.id)
    .join(Nomination, Nomination.id == NominationMove.nomination_id)
    .where(NominationMove.passed, Nomination.state != NominationState.WITHDRAWN, ~_agreed(WorkConsent.AUTHOR)),
    "nothing stands in the library without both consents": select(LibraryEntry.id)
    .join(Nomination, Nomination.id == LibraryEntry.nomination_id)
    .where(
        LibraryEntry.taken_back_at.is_(None),
        or_(~_agreed(WorkConsent.AUTHOR), ~_agreed(WorkConsent.PUBLICATION), Nomination.kind != NominationKind.WORK),
    ),
    "a group's fact stands once": select(_G.id)
    .join(
        _H,
        and_(
            _G.round_id == _H.round_id,
            _G.level == _H.level,
            func.coalesce(_G.workshop_id, 0) == func.coalesce(_H.workshop_id, 0),
            func.coalesce(_G.class_id, 0) == func.coalesce(_H.class_id, 0),
            _G.kind == _H.kind,
            _G.about == _H.about,
            _G.key == _H.key,
            _G.id < _H.id,
        ),
    )
    .where(_G.struck_at.is_(None), _H.struck_at.is_(None)),
    "work that is done is leased to nobody": select(DueWork.id).where(
        DueWork.done_at.is_not(None), DueWork.lease_token.is_not(None)
    ),
}

_NAMED = [(name, query.column_descriptions[0]["entity"].__tablename__) for name, query in STATEMENTS.items()]
# All of them asked at once: most of a small query's time is its way to the database and back.
_ROWS = union_all(
    *(
        query.order_by(None).with_only_columns(literal_column(str(number), Integer), *query.selected_columns)
        for number, query in enumerate(STATEMENTS.values())
    )
)


def _chains(session: Session) -> Iterator[Broken]:
    for organization_id, number, what in breaks(session):
        yield Broken("the audit chain is whole", f"organization:{organization_id} event {number} ({what})")


def _notes(session: Session) -> Iterator[Broken]:
    for note_id in altered_notes(session):
        yield Broken("a private note says what the audit chain has the digest of", f"private_note:{note_id}")


def _digests(session: Session) -> Iterator[Broken]:
    for version in session.scalars(select(SchemeVersion)):
        if digest_of(version.document) != version.digest:
            yield Broken("a scheme version is what its digest says", f"scheme_version:{version.id}")


def _replays(session: Session) -> Iterator[Broken]:
    for result in session.scalars(select(Result)):
        if not replay(session, result=result):
            yield Broken("every result replays to its ledger", f"result:{result.id}")


def _group_replays(session: Session) -> Iterator[Broken]:
    for result in session.scalars(select(GroupResult)):
        if not replay_group(session, result=result):
            yield Broken("every group's result replays to its ledger", f"group_result:{result.id}")


def _group_states(session: Session) -> Iterator[Broken]:
    for result in session.scalars(select(GroupResult)):
        superseded = result.state is ResultState.SUPERSEDED
        open_ = superseded or result.state is ResultState.COMPOSED
        if result.current is superseded or (result.grade is None and not open_):
            yield Broken("a group's result stands as its state says", f"group_result:{result.id}")


def _group_confirmers(session: Session) -> Iterator[Broken]:
    for result in session.scalars(select(GroupResult).where(GroupResult.confirmed_by_id.is_not(None))):
        if result.confirmed_by_id in owners(session, result=result):
            yield Broken("nobody confirms their own workshop's grade", f"group_result:{result.id}")


def _shown(session: Session) -> Iterator[Broken]:
    for result in session.scalars(select(Result)):
        outcome = json.loads(result.outcome)
        if (str(result.score), result.proposed_grade) != (outcome["score"], outcome["grade"]):
            yield Broken("a result shows what its ledger says", f"result:{result.id}")


def _signatures(session: Session) -> Iterator[Broken]:
    of_groups = select(Signature, GroupResult).join(GroupResult, GroupResult.id == Signature.group_result_id)
    of_people = select(Signature, Result).join(Result, Result.id == Signature.result_id)
    for signature, result in (*session.execute(of_people), *session.execute(of_groups)):
        if signature.outcome_digest != outcome_digest(result):
            yield Broken("a signature is of the outcome its result holds", f"signature:{signature.id}")


def _certificates(session: Session) -> Iterator[Broken]:
    """What a result grants, and every certificate it rests on, stands with it; an appeal does not take it away."""
    standing = list(
        session.scalars(
            select(Certificate).where(Certificate.state == CertificateState.ISSUED).order_by(Certificate.id)
        )
    )
    held = {(one.enrolment_id, one.kind) for one in standing}
    for one in standing:
        result = session.get_one(Result, one.result_id)
        round_ = session.get_one(Round, session.get_one(Enrolment, one.enrolment_id).round_id)
        scheme = round_scheme(session, round_=round_)
        basis = {kind for asked in scheme.certificates if asked.id == one.kind for kind in rests_on(asked)}
        grants = granted(scheme, result)
        if (
            result.state not in {*EFFECTIVE, ResultState.APPEALED}
            or one.outcome_digest != outcome_digest(result)
            or one.kind not in grants
            or any((one.enrolment_id, kind) not in held for kind in basis & grants)
        ):
            yield Broken("a standing certificate is granted by its result", f"certificate:{one.id}")


COMPUTED: dict[str, Callable[[Session], Iterator[Broken]]] = {
    "the audit chain is whole": _chains,
    "a private note says what the audit chain has the digest of": _notes,
    "a scheme version is what its digest says": _digests,
    "every result replays to its ledger": _replays,
    "every group's result replays to its ledger": _group_replays,
    "a group's result stands as its state says": _group_states,
    "nobody confirms their own workshop's grade": _group_confirmers,
    "a result shows what its ledger says": _shown,
    "a signature is of the outcome its result holds": _signatures,
    "a standing certificate is granted by its result": _certificates,
}


def broken(session: Session) -> list[Broken]:
    """Return every row that breaks a statement; empty when all hold."""
    rows = sorted(session.execute(_ROWS).tuples())
    found = [Broken(_NAMED[number][0], f"{_NAMED[number][1]}:{key}") for number, key in rows]
    for compute in COMPUTED.values():
        found += compute(session)
    return found
