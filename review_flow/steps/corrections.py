"""补正: a work goes back to its author, with the reasons and the days to put it right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models import Round
from review_flow.clock import days_after, now, shown
from review_flow.i18n import _
from review_flow.rules.lifecycle import SubmissionState, move
from review_flow.steps import audit
from review_flow.steps.messages import tell

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models import Person, Submission
    from review_flow.rules.scheme import Scheme


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
