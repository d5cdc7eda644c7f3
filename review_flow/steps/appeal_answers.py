"""What comes back of an appeal to who filed it: the decision, the hearers' reasons, what it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Appeal, AppealVote
from review_flow.rules.words import AppealState
from review_flow.steps.owners import Graded, appeals_against, result_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Answer:
    """An appeal: once decided, the reasons the decision rests on, unsigned; upheld, the version it took the place of."""

    appeal: Appeal
    reasons: list[str]
    before: Graded | None


def answer_to(session: Session, *, result: Graded) -> Answer | None:
    """Return the appeal against any version of a result; None: there is none."""
    appeal = session.scalars(appeals_against(result)).first()
    if appeal is None or appeal.state is AppealState.FILED:
        return None if appeal is None else Answer(appeal, [], None)
    upheld = appeal.state is AppealState.UPHELD
    said = select(AppealVote.reason).where(AppealVote.appeal_id == appeal.id, AppealVote.uphold == upheld)
    reasons = list(session.scalars(said.order_by(AppealVote.id)))
    return Answer(appeal, reasons, result_of(session, appeal=appeal) if upheld else None)
