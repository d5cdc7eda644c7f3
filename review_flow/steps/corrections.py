"""补正: a work goes back to its author, with the reasons and the days to put it right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import AuditEvent, Evidence, Round
from review_flow.clock import days_after, now, shown
from review_flow.i18n import _
from review_flow.rules.lifecycle import SubmissionState, move
from review_flow.steps import audit
from review_flow.steps.messages import tell

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models import Person, Submission
    from review_flow.rules.scheme import Scheme


@dataclass(frozen=True, slots=True)
class Returned:
    """Why a work was sent back, and which of its files (ids) came or went since."""

    reasons: str
    changed: frozenset[int]


def last_return(session: Session, *, submission: Submission) -> Returned | None:
    """Return why a work that is being corrected came back, as its author was told; None for any other.

    What changed since is counted by the order of the audit, not by clocks.
    """
    if submission.state is not SubmissionState.CORRECTING:
        return None
    told = select(AuditEvent).where(AuditEvent.about == f"submission:{submission.id}")
    event = session.scalars(
        told.where(AuditEvent.deed == "submission.return").order_by(AuditEvent.number.desc()).limit(1)
    ).one()
    files = session.scalars(select(Evidence.id).where(Evidence.submission_id == submission.id))
    about = {f"evidence:{one}": one for one in files}
    since = select(AuditEvent.about).where(
        AuditEvent.organization_id == event.organization_id,
        AuditEvent.number > event.number,
        AuditEvent.about.in_(about),
        AuditEvent.deed.in_(["evidence.add", "evidence.remove"]),
    )
    changed = frozenset(about[one] for one in session.scalars(since))
    return Returned(json.loads(event.data)["reasons"], changed)


def ask_correction(
    session: Session, *, scheme: Scheme, submission: Submission, reasons: str, actor: Person | None = None
) -> None:
    """Hand the work back to its author for the scheme's days of correction (补正).

    After the hard close a file that is refused again buys no new days, or one author could hold up the round.
    """
    span = scheme.calendar.correction
    round_ = session.get_one(Round, submission.round_id)
    submission.state = move(submission.state, SubmissionState.CORRECTING)
    if submission.correction_due_at is None or now() <= round_.hard_close_at:
        submission.correction_due_at = days_after(now(), span.days, working=span.working_days)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="submission.return",
        about=submission,
        reasons=reasons,
    )
    tell(
        session,
        person_id=submission.author_id,
        round_id=round_.id,
        kind="submission.returned",
        sentence=_("您的“{ability}”需要补正：{reasons}。请在{due}前补正并重新封存。"),
        ability=submission.ability,
        reasons=reasons,
        due=shown(submission.correction_due_at),
    )
