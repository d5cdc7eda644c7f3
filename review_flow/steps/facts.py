"""One teacher's facts, gathered from the database into the record that `grade` takes (docs/record.md).

This is the only bridge from rows to grading: the record is stored with the result, so a grade can be replayed
without the database, to the byte.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, bindparam, false, or_, select

from models import Adjustment, Assignment, Enrolment, Hours, PanelMark, Person, Review, Round, Submission
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.rubric import agreed_levels
from review_flow.rules.scheme import DELIVERABLES
from review_flow.rules.words import AdjustmentKind, AdjustmentState, SeatKind
from review_flow.steps.approvals import approvals_of
from review_flow.steps.duty import duty, given
from review_flow.steps.peer_marks import peer_trust, weighing_of
from review_flow.steps.programme_record import programme_of
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from review_flow.rules.peer_marks import Weighing
    from review_flow.rules.scheme import Scheme

Record = dict[str, Any]
DAYS_A_YEAR = Decimal("365.25")
UNHEARD = (SubmissionState.DRAFT, SubmissionState.CLOSED)


CHOSEN = (
    select(Submission)
    .where(
        Submission.enrolment_id == bindparam("enrolment"),
        Submission.state != SubmissionState.REPLACED,
        Submission.ability != DELIVERABLES,
    )
    .order_by(Submission.id)
)
"""The submissions of an `enrolment` that were not replaced, in the order they were chosen."""


def record_of(session: Session, *, enrolment: Enrolment, weighed: bool = True) -> Record:
    """Return the enrolment's record: decimal strings, lists in a fixed order, ids of rows as event ids.

    Without `weighed`, what the round says of the reviewers (`reliability`) stays out: a look on the way needs it not.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    scheme = round_scheme(session, round_=round_)
    person = session.get_one(Person, enrolment.person_id)
    submissions = list(session.scalars(CHOSEN, {"enrolment": enrolment.id}))
    abilities = _abilities(
        session,
        scheme=scheme,
        submissions=submissions,
        weighing=weighing_of(session, round_=round_) if weighed and _weighs(scheme) else None,
    )
    if scheme.approval.chain:
        given_ = approvals_of(session, enrolment=enrolment, scheme=scheme, works=submissions)
        abilities = [{**one, "approvals": given_[one["code"]]} for one in abilities]
    return {
        "teacher": {"number": person.number, "name": person.name},
        "ack": enrolment.acknowledged_at is not None,
        "self_test": enrolment.self_tested_at is not None,
        "hours": _hours(session, enrolment=enrolment, scheme=scheme),
        "peer": _duty(session, enrolment=enrolment, submissions=submissions),
        "abilities": abilities,
        **_adjustments(session, enrolment=enrolment),
        **programme_of(session, enrolment=enrolment, scheme=scheme),
    }


def _hours(session: Session, *, enrolment: Enrolment, scheme: Scheme) -> dict[str, str]:
    """Return the hours by ledger: of this round, and of earlier ones where the scheme counts over years (X-30).

    What waits for a confirmation the scheme asks for does not count (X-59); the same credit told in two rounds counts once.
    """
    confirmed = [ledger.id for ledger in scheme.hours.ledgers if ledger.confirmed_by is not None]
    told = session.execute(
        select(Hours.ledger, Hours.key, Hours.hours)
        .join(Enrolment, Enrolment.id == Hours.enrolment_id)
        .where(
            or_(Hours.enrolment_id == enrolment.id, _earlier(session, enrolment, scheme.hours.window_years)),
            Hours.struck_at.is_(None),
            or_(Hours.ledger.not_in(confirmed), Hours.confirmed_at.is_not(None)),
        )
        .order_by(Hours.enrolment_id != enrolment.id, Hours.id)
    )
    counted: dict[tuple[str, str], Decimal] = {}
    for ledger, key, hours in told:
        counted.setdefault((ledger, key), hours)
    sums = {
        one.id: sum((hours for (at, _key), hours in counted.items() if at == one.id), Decimal(0))
        for one in scheme.hours.ledgers
    }
    return {ledger: str(total) for ledger, total in sums.items()}


def _earlier(session: Session, enrolment: Enrolment, years: int | None) -> ColumnElement[bool]:
    """Whether a credit is the same person's, of a round before this one, within so many years of its end."""
    if years is None:
        return false()
    round_ = session.get_one(Round, enrolment.round_id)
    before = select(Round.id).where(Round.opens_at < round_.opens_at)
    return and_(
        Enrolment.person_id == enrolment.person_id,
        Enrolment.round_id.in_(before),
        Hours.recorded_at >= round_.hard_close_at - timedelta(days=math.floor(years * DAYS_A_YEAR)),
    )


def _duty(session: Session, *, enrolment: Enrolment, submissions: list[Submission]) -> dict[str, int]:
    done = given(session, round_id=enrolment.round_id, person_id=enrolment.person_id)
    # What went forward had its duty done at that moment: it stays what it was then, whatever the pool is since.
    waiting = [one for one in submissions if one.state is SubmissionState.SEALED]
    if not waiting:
        owed_then = max((one.peer_owed or 0 for one in submissions), default=0)
        return {"given": done, "required": min(owed_then, done)}
    owed, _given = duty(session, submission=max(waiting, key=_sealed_at))  # the last one asks for the most
    return {"given": done, "required": owed.total}


def _sealed_at(submission: Submission) -> datetime:
    assert submission.sealed_at is not None
    return submission.sealed_at


def _weighs(scheme: Scheme) -> bool:
    return scheme.review.peer.aggregate == "reliability"


_WORKS = bindparam("works", expanding=True, type_=BigInteger)
_PEERS = (
    select(Assignment.submission_id, Assignment.reviewer_id, Review.mark)
    .join(Review, Review.assignment_id == Assignment.id)
    .where(Assignment.submission_id.in_(_WORKS))
    .order_by(Review.id)
)
_MARKS = (
    select(PanelMark)
    .where(PanelMark.submission_id.in_(_WORKS), PanelMark.mark.is_not(None), PanelMark.released_at.is_(None))
    .order_by(PanelMark.id)
    .execution_options(populate_existing=True)  # numbers as the database writes them, also those just added
)


def _abilities(
    session: Session, *, scheme: Scheme, submissions: list[Submission], weighing: Weighing | None
) -> list[Record]:
    works = {"works": [one.id for one in submissions]}
    peers: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for submission_id, reviewer_id, mark in session.execute(_PEERS, works).tuples():
        assert submission_id is not None
        peers[submission_id].append((reviewer_id, str(mark)))
    marks: dict[int, list[PanelMark]] = defaultdict(list)
    for one in session.scalars(_MARKS, works):
        marks[one.submission_id].append(one)
    return [
        _ability(scheme, one, [mark for _who, mark in peers[one.id]], marks[one.id])
        | (peer_trust(weighing, submission=one, reviewers=[who for who, _mark in peers[one.id]]) if weighing else {})
        for one in submissions
    ]


def _ability(scheme: Scheme, submission: Submission, peer: list[str], marks: list[PanelMark]) -> Record:
    """One ability; marks of the appeal's hearers, where there are any, stand in the first panel's place (N29).

    Hearers who give a mark alone leave the evidence levels as the first panel found them.
    """
    heard = [one for one in marks if one.seat is SeatKind.APPEAL]
    arbiters = [one for one in marks if one.seat is SeatKind.ARBITER]
    panel = heard or [one for one in marks if one.seat is SeatKind.MEMBER]
    levelled = [one for one in heard if one.form] or [one for one in marks if one.seat is not SeatKind.APPEAL]
    judged = [one.form["evidence_levels"] for one in levelled if one.form]
    facts: Record = {
        "code": submission.ability,
        "valid": submission.valid is True,
        "peer": peer,
        "panel": [str(one.mark) for one in panel],
        "peer_missing": submission.peer_missing,
    }
    if heard:
        facts["heard"] = True
    if arbiters and not heard:
        facts["arbiter"] = str(arbiters[0].mark)
    if judged and any(judged):
        facts["evidence_levels"] = agreed_levels(scheme, judged)
    elif submission.state in UNHEARD:
        facts |= {"evidence_levels": {}, "not_handed_in": True}
    return facts


_STANDING = (
    select(Adjustment)
    .where(Adjustment.enrolment_id == bindparam("enrolment"), Adjustment.state != AdjustmentState.STRUCK)
    .order_by(Adjustment.happened_on, Adjustment.id)
    .execution_options(populate_existing=True)
)


def _adjustments(session: Session, *, enrolment: Enrolment) -> Record:
    rows = list(session.scalars(_STANDING, {"enrolment": enrolment.id}))
    return {
        "events": [event_of(row) for row in rows if row.kind is not AdjustmentKind.AWARD],
        "awards": [
            str(row.points)
            for row in rows
            if row.kind is AdjustmentKind.AWARD and row.state is not AdjustmentState.CONTESTED
        ],
    }


def event_of(row: Adjustment) -> Record:
    """Return a deduction as the record names it."""
    return {
        "id": str(row.id),
        "kind": row.kind.value,
        "on": row.happened_on.isoformat(),
        "approved_leave": row.approved_leave,
        "contested": row.state is AdjustmentState.CONTESTED,
    }
