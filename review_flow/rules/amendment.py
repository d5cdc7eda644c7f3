"""May a scheme be amended now? 001-A-05: the method keeps still for a year. 001-A-06: the rest with a reason."""

from datetime import date

from review_flow.i18n import _, listed, say
from review_flow.rules.paths import is_under, leaves
from review_flow.rules.scheme import Scheme


def amendment_refusal(old: Scheme, new: Scheme, *, effective_from: date, on: date, reason: str) -> str | None:
    """Return why `new` cannot supersede `old` on that day, as a Chinese sentence, or None (X-46, N30)."""
    changed = changed_paths(old, new)
    until = _months_later(effective_from, old.lock.consistency_months)
    held = [path for path in changed if on < until and any(is_under(path, root) for root in old.lock.locked)]
    if held:
        return say(_("{paths}在{until}之前不能修改（考核方法至少保持{months}个月一致）。"),
                   paths=listed(held), until=until.isoformat(), months=old.lock.consistency_months)  # fmt: skip
    if changed and "reason" in old.lock.amend_needs and not reason.strip():
        return say(_("修改方案须写明理由。"))
    return None


def changed_paths(old: Scheme, new: Scheme) -> list[str]:
    """Return the dotted paths whose values differ, sorted."""
    before, after = dict(leaves(old.document)), dict(leaves(new.document))
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    try:
        return day.replace(year=day.year + years, month=month + 1)
    except ValueError:  # the 31st, or 29 February: the month has no such day, so the next one begins
        return date(day.year + years + (month + 1) // 12, (month + 1) % 12 + 1, 1)
