"""Tasks taken back from whoever has not done them: never without a word, and what is begun only when it can't count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Assignment, Submission
from review_flow.clock import now
from review_flow.i18n import _, say
from review_flow.rules.words import UNDONE, AssignmentState
from review_flow.steps.messages import tell

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

GIVEN_TO_OTHERS = _("您有{count}份尚未开始的互评已改由他人完成，不必再评。")


def take_back_unbegun(session: Session, *, submission: Submission) -> None:
    """Take back what nobody has begun of a work that goes to the panel.

    What is begun stays with its writer: it counts for the duty, and for the peers' mark, while its lease runs and the
    work is not graded.
    """
    for task in _undone(session, submission=submission):
        if task.state is AssignmentState.ASSIGNED:
            sentence = _("一份“{ability}”成果的互评已经结束，您不必再评。")
            withdraw(session, task=task, sentence=sentence, ability=submission.ability)


def take_back(session: Session, *, submission: Submission) -> None:
    """Take back every undone task of a work whose judgement has ended; who had begun may still read the draft."""
    for task in _undone(session, submission=submission):
        sentence = (
            _("一份“{ability}”成果{state}，您正在评的不必再提交；草稿仍可查看。")
            if task.state is AssignmentState.BEGUN
            else _("一份“{ability}”成果{state}，您不必再评。")
        )
        withdraw(session, task=task, sentence=sentence, ability=submission.ability, state=say(submission.state.label))


def _undone(session: Session, *, submission: Submission) -> list[Assignment]:
    undone = select(Assignment).where(Assignment.submission_id == submission.id, Assignment.state.in_(UNDONE))
    return list(session.scalars(undone.order_by(Assignment.id)))


def withdraw(session: Session, *, task: Assignment, sentence: str, **names: object) -> None:
    """Take one task back and tell whose it was why."""
    task.state, task.ended_at = AssignmentState.WITHDRAWN, now()
    tell(
        session,
        person_id=task.reviewer_id,
        round_id=task.round_id,
        kind="review.withdrawn",
        sentence=sentence,
        **names,
    )
