"""A round's peer marks as one table, and what it says of the reviewers: for results, and for the school to see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import Assignment, CalibrationSample, Review, Round, Submission
from review_flow.rules.peer_marks import Mark, Sample, weigh
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from review_flow.rules.peer_marks import Weighing


def marks_of(session: Session, *, round_: Round, ability: str | None = None) -> tuple[Mark, ...]:
    """Return every mark that a colleague gave a work in the round, or one of an ability; ids as texts."""
    rows = (
        select(Assignment.submission_id, Assignment.reviewer_id, Review.mark)
        .join(Review, Review.assignment_id == Assignment.id)
        .join(Submission, Submission.id == Assignment.submission_id)
        .where(Assignment.round_id == round_.id)
        .execution_options(populate_existing=True)
    )
    if ability is not None:
        rows = rows.where(Submission.ability == ability)
    return tuple(sorted(Mark(str(work), str(who), mark) for work, who, mark in session.execute(rows)))


def samples_of(session: Session, *, round_: Round) -> tuple[Sample, ...]:
    """Return every mark of a calibration sample, beside the panel's own."""
    rows = session.execute(
        select(CalibrationSample.id, Assignment.reviewer_id, Review.mark, CalibrationSample.mark)
        .join(Assignment, Assignment.sample_id == CalibrationSample.id)
        .join(Review, Review.assignment_id == Assignment.id)
        .where(CalibrationSample.round_id == round_.id)
    )
    return tuple(sorted(Sample(str(sample), str(who), mark, true) for sample, who, mark, true in rows))


def weighing_of(session: Session, *, round_: Round) -> Weighing:
    """Return what the round's marks and samples say of its reviewers; the same marks are not computed twice."""
    rules = round_scheme(session, round_=round_).review.peer.reliability
    return weigh(marks_of(session, round_=round_), samples_of(session, round_=round_), rules)


def peer_trust(weighing: Weighing, *, submission: Submission, reviewers: Sequence[int]) -> dict[str, Any]:
    """Return what a record holds of a work's reviewers (docs/record.md), in their order; nothing without overlaps."""
    if weighing.error is None or weighing.median_error is None or not reviewers:
        return {}
    trusts = [weighing.trust[str(submission.id), str(who)] for who in reviewers]
    return {
        "peer_trust": {
            "used": weighing.method,
            "error": str(weighing.error),
            "median_error": str(weighing.median_error),
            "compared": weighing.compared,
            "variance": str(weighing.variance),
            "biases": [str(one.bias) for one in trusts],
            "weights": [str(one.weight) for one in trusts],
        }
    }
