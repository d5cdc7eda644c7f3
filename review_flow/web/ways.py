"""Where a message leads: to the page on which one acts on it, or sees what it tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from models import Message

ROUND, RECORDS, RESULT = "/rounds/{round}", "/rounds/{round}/records", "/rounds/{round}/result"
REVIEWS, PANEL = "/reviews", "/panel"
RUN, PROGRESS = "/school/rounds/{round}", "/school/rounds/{round}/progress"
WAYS = {
    "adjustment.contested": PANEL,
    "adjustment.decided": RECORDS,
    "adjustment.noted": RECORDS,
    "adjustment.notified": RECORDS,
    "adjustment.taken_back": RECORDS,
    "appeal.decided": RESULT,
    "appeal.filed": PANEL,
    "appeal.late": RUN,
    "approval.late": PROGRESS,
    "approval.refused": ROUND,
    "certificate.issued": RESULT,
    "certificate.revoked": RESULT,
    "certificate.valid": RESULT,
    "duty.overdue": REVIEWS,
    "evidence.rejected": ROUND,
    "file.reported": PANEL,
    "panel.asked": PANEL,
    "panel.short": RUN,
    "progress.reminder": ROUND,
    "result.published": RESULT,
    "review.assigned": REVIEWS,
    "review.effort": REVIEWS,
    "review.prolonged": REVIEWS,
    "review.reminder": REVIEWS,
    "review.withdrawn": REVIEWS,
    "reviews.blocked": PROGRESS,
    "round.opened": ROUND,
    "round.put_off": ROUND,
    "submission.failed": ROUND,
    "submission.invalid": ROUND,
    "submission.returned": ROUND,
    "task.due": "/",
    "task.late": "/",
    "validity.asked": PANEL,
    "validity.late": PROGRESS,
    "webhook.disabled": "/school/webhooks",
}
"""By the kind of message; `{round}` is its round."""
OF_ADMINISTRATORS = {
    "duty.overdue": PROGRESS,
    "task.due": "/school/rounds/{round}/board",
    "task.late": "/school/rounds/{round}/board",
}
"""Where who administers the school is told the same as those whom it concerns."""


def way_of(message: Message, roles: Collection[str]) -> str | None:
    """Return the page for a message, for somebody with these roles; None where there is none."""
    kinds = {**WAYS, **OF_ADMINISTRATORS} if "school_admin" in roles else WAYS
    way = kinds.get(message.kind)
    if way is None or (message.round_id is None and "{round}" in way):
        return None
    return way.format(round=message.round_id)
