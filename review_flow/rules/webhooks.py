"""回调: what may be told, when a telling is tried again, and when an address is given up."""

from datetime import datetime, timedelta

EVENTS = (
    "adjustment.contested",
    "adjustment.decided",
    "adjustment.noted",
    "adjustment.notified",
    "adjustment.taken_back",
    "appeal.decided",
    "appeal.filed",
    "appeal.late",
    "approval.late",
    "approval.refused",
    "certificate.issued",
    "certificate.revoked",
    "certificate.valid",
    "duty.overdue",
    "evidence.rejected",
    "file.reported",
    "panel.asked",
    "panel.short",
    "progress.reminder",
    "result.published",
    "review.assigned",
    "review.effort",
    "review.prolonged",
    "review.reminder",
    "review.withdrawn",
    "reviews.blocked",
    "round.opened",
    "round.put_off",
    "submission.failed",
    "submission.invalid",
    "submission.returned",
    "task.due",
    "task.late",
    "validity.asked",
    "validity.late",
    "webhook.disabled",
)
"""The kinds of messages that people are told of, which a webhook may be told of, too."""
TEST = "webhook.test"
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
"""After the first try, the second … the tenth; then a telling is given up. Three days in all."""
LONGEST_FAILING = timedelta(days=5)
KEPT_FOR = timedelta(days=90)
"""What arrived, or was given up, can be looked at for so long."""


def next_try(attempts: int, *, at: datetime) -> datetime | None:
    """Return when a telling that failed `attempts` times is tried again; None: it is given up."""
    return at + PAUSES[attempts - 1] if attempts <= len(PAUSES) else None
