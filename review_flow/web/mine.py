"""What of a school is one's own: by id, or not found. Whose a row is, nobody else learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Assignment, Enrolment, Round, Submission
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import SubmissionState
from review_flow.steps.enrolments import enrolment_of
from review_flow.steps.path import standing_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models import Person
    from review_flow.steps.path import Standing


def standing(session: Session, person: Person, round_id: int) -> Standing:
    """Return where the person stands in a round of theirs."""
    return standing_of(session, person=person, round_id=round_id)


def enrolment(session: Session, person: Person, round_id: int) -> Enrolment:
    """Return the person's enrolment in a round."""
    found = session.get(Round, round_id)
    if found is None or found.organization_id != person.organization_id:
        raise NotFound(what=say(_("考核轮次")), key=round_id)
    return enrolment_of(session, round_=found, person=person)


def work(session: Session, person: Person, key: int) -> Submission:
    """Return a work of the person's that was not replaced."""
    found = session.get(Submission, key)
    if found is None or found.author_id != person.id or found.state is SubmissionState.REPLACED:
        raise NotFound(what=say(_("成果")), key=key)
    return found


def task(session: Session, person: Person, key: int) -> Assignment:
    """Return a task that was given to the person."""
    found = session.get(Assignment, key)
    if found is None or found.reviewer_id != person.id:
        raise NotFound(what=say(_("互评任务")), key=key)
    return found
