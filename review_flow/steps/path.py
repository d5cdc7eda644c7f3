"""What one teacher sees of a round: the way, what is due now, and until when. Reads, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from models import Enrolment, Result, Round, Submission
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.duty import remaining
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase, SubmissionState
from review_flow.rules.path import NOT_SHOWN, Stage, Way, way
from review_flow.steps.duty import duty
from review_flow.steps.enrolments import submissions_of
from review_flow.steps.results import current
from review_flow.steps.reviews import tasks_of
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from models import Person


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a teacher stands; `owed` and `given`: reviews, before the works that are sealed go forward."""

    round: Round
    enrolment: Enrolment
    works: list[Submission]
    result: Result | None
    way: Way
    owed: int
    given: int
    due_at: datetime | None

    @property
    def published(self) -> Result | None:
        """Return the result as its teacher may see it: none before it is published."""
        return None if self.result is None or self.result.state in NOT_SHOWN else self.result


_ENROLMENTS = (
    select(Enrolment, Round)
    .join(Round, Round.id == Enrolment.round_id)
    .where(
        Enrolment.person_id == bindparam("person"),
        Enrolment.state != EnrolmentState.EXEMPT,
        Round.phase != RoundPhase.SETUP,
    )
    .order_by(Round.id.desc())
)


def enrolments_of(session: Session, *, person: Person) -> list[tuple[Enrolment, Round]]:
    """Return the rounds a person takes part in that have been opened, the newest first."""
    return list(session.execute(_ENROLMENTS, {"person": person.id}).tuples())


def standing_of(session: Session, *, person: Person, round_id: int) -> Standing:
    """Return where the person stands in a round; raises NotFound where they take no part in it."""
    return standing_in(session, person=person, enrolments=enrolments_of(session, person=person), round_id=round_id)


def standing_in(
    session: Session, *, person: Person, enrolments: Sequence[tuple[Enrolment, Round]], round_id: int
) -> Standing:
    """Return what `standing_of` does, for whoever has asked for the person's enrolments already."""
    for enrolment, round_ in enrolments:
        if round_.id == round_id:
            return _standing(session, person, enrolment, round_)
    raise NotFound(what=say(_("考核轮次")), key=round_id)


def _standing(session: Session, person: Person, enrolment: Enrolment, round_: Round) -> Standing:
    works = submissions_of(session, enrolment=enrolment)
    result = current(session, enrolment=enrolment)
    owed, given, left = _duty(session, works)
    found = way(
        enrolment.state,
        [one.state for one in works],
        reviews_left=left,
        result=result.state if result else None,
        chooses=round_scheme(session, round_=round_).teacher_selection(enrolment.tier).min > 0,
    )
    due = _due(session, person, round_, works, found.stage)
    return Standing(round_, enrolment, works, result, found, owed, given, due)


def _duty(session: Session, works: list[Submission]) -> tuple[int, int, int]:
    """Return how many reviews are owed, given and left before the works that are sealed go forward."""
    sealed = [one for one in works if one.state is SubmissionState.SEALED]
    if not sealed:
        return 0, 0, 0
    asked, given = duty(session, submission=max(sealed, key=lambda one: (one.sealed_at, one.id)))
    return asked.total, given, remaining(asked, given=given)


def reviews_left(session: Session, *, enrolment: Enrolment) -> int:
    """Return how many reviews a teacher has still to do before their sealed works go forward."""
    return _duty(session, submissions_of(session, enrolment=enrolment))[2]


def _due(session: Session, person: Person, round_: Round, works: list[Submission], stage: Stage) -> datetime | None:
    """Return when the next stage has to be done: a task's lease and a correction's days come before the round's."""
    if stage in {Stage.WAIT, Stage.DONE}:
        return None
    if stage is Stage.SIGN:
        return round_.sign_due_at
    if stage is Stage.REVIEW:
        return min(
            [round_.hard_close_at, *(one.lease_until for one in tasks_of(session, person=person, round_=round_))]
        )
    corrections = [one.correction_due_at for one in works if one.state is SubmissionState.CORRECTING]
    return min([round_.submit_due_at, *(one for one in corrections if one is not None)])
