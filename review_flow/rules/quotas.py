"""What a group owes: quotas of a number or a share (minimum → ceil, maximum → floor, X-51) and tasks by their day.

A theme's tasks are taken by a workshop together (003-22).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from review_flow.rules.expressions import COMPARISONS
from review_flow.rules.marks import shown
from review_flow.rules.programme import Quota
from review_flow.rules.record_programme import Counted, GroupFacts
from review_flow.rules.schedule import end_of_day, task_days
from review_flow.rules.scheme import Scheme

STRICT = {"must": "应", "in_principle": "原则上", "suggested": "建议"}
SIGNS = {">=": "不少于", "<=": "不超过", ">": "多于", "<": "少于", "==": "等于"}
MINIMUMS = {">=", ">"}
GROUPED = re.compile(r"\b(quotas|tasks)\.met\b|\bquota\.")


@dataclass(frozen=True)
class QuotaResult:
    """One quota: how many are needed (or allowed), how many there are, whether that meets it; None: not recorded.

    `excused`: over a soft cap with a reason given. `warning`: a share that leaves nobody, or more than is usual.
    """

    id: str
    path: str
    needed: Decimal | None
    have: Decimal | None
    met: bool | None
    text: str
    excused: bool = False
    warning: str | None = None

    @property
    def short(self) -> Decimal:
        """Return how many are missing from a minimum, 0 where none is."""
        return max(Decimal(0), (self.needed or Decimal(0)) - (self.have or Decimal(0))) if not self.met else Decimal(0)

    def as_json(self) -> dict[str, object]:
        """Return the quota as plain data."""
        return {
            "id": self.id,
            "needed": None if self.needed is None else shown(self.needed),
            "have": None if self.have is None else shown(self.have),
            "met": self.met,
            "text": self.text,
            "excused": self.excused,
            "warning": self.warning,
        }


@dataclass(frozen=True)
class TaskResult:
    """One task of the plan: when it is due and was done (None: not yet). State: done, late, due (overdue), open."""

    id: str
    path: str
    text: str
    due: datetime | None
    done_at: datetime | None
    state: str

    def as_json(self) -> dict[str, object]:
        """Return the task as plain data."""
        return {
            "id": self.id, "text": self.text, "due": None if self.due is None else self.due.isoformat(),
            "done_at": None if self.done_at is None else self.done_at.isoformat(), "state": self.state,
        }  # fmt: skip


def needed(quota: Quota, base: Decimal | None) -> Decimal | None:
    """Return the number a quota asks for: a share of `base` is rounded towards what may be counted (W1–W4)."""
    if quota.share_of is None:
        return quota.value
    if base is None:
        return None
    share = Fraction(quota.value) * Fraction(base)
    whole = math.ceil(share) if quota.op in MINIMUMS else math.floor(share)
    return Decimal(max(1, whole) if quota.min_one else whole)


def quotas_of(scheme: Scheme, group: GroupFacts) -> list[QuotaResult]:
    """Return the scheme's quotas judged on a group's counts, those first that its facts speak of; none for a person."""
    if group.counts is None and not group.coverage:
        return []
    counts = group.counts or {}
    judged = [
        _judge(quota, counts, group.reasons.get(quota.id, ""))
        for quota in scheme.quotas
        if group.counts is not None and (quota.of in counts or quota.share_of in counts)
    ]
    return judged + [_covered(scheme, one.theme, one.options, one.chosen) for one in group.coverage]


def judges_groups(scheme: Scheme) -> bool:
    """Whether the scheme's grades hang on what a group owes: it judges workshops then, and no people (000-D/E)."""
    return any(GROUPED.search(band.when or "") for band in scheme.bands.list)


def tasks_of(scheme: Scheme, group: GroupFacts) -> list[TaskResult]:
    """Return the plan's dated tasks; a deadline day counts to its last second in Asia/Shanghai (X-49)."""
    if group.tasks is None:
        return []
    results = []
    for phase in scheme.phases:
        for task in phase.tasks:
            day = task_days(task, group.school_year)
            due = None if day is None else end_of_day(day)
            done = group.tasks.get(task.id)
            results.append(
                TaskResult(
                    id=task.id,
                    path=f"phases.{phase.id}.tasks.{task.id}",
                    text=task.text_zh,
                    due=due,
                    done_at=done,
                    state=_state(due, done, group.as_of),
                )
            )
    return results


def _state(due: datetime | None, done: datetime | None, as_of: datetime | None) -> str:
    if done is not None:
        return "late" if due is not None and done > due else "done"
    return "due" if due is not None and as_of is not None and as_of > due else "open"


def _judge(quota: Quota, counts: Mapping[str, Counted], reason: str) -> QuotaResult:
    counted = counts.get(quota.of)
    base = counts.get(quota.share_of) if quota.share_of else None
    want = needed(quota, base.number if base else None)
    have = None if counted is None else _having(quota, counted)
    met = None if want is None or have is None else COMPARISONS[quota.op](have, want)
    asked = f"{STRICT[quota.strict]}{SIGNS[quota.op]}{'?' if want is None else shown(want)}"
    if quota.share_of is not None and base is not None:
        asked += f"（{shown(base.number)}的{shown(quota.value * 100)}%）"
    has = "未记录" if have is None else f"有{shown(have)}"
    excused = met is False and quota.strict != "must" and bool(reason)
    text = f"{quota.name_zh}：{has}，{asked}" + (f"；理由：{reason}" if excused else "")
    return QuotaResult(
        id=quota.id,
        path=f"quotas.{quota.id}",
        needed=want,
        have=have,
        met=met,
        text=text,
        excused=excused,
        warning=_warning(quota, want, have, met=met, excused=excused),
    )


def _having(quota: Quota, counted: Counted) -> Decimal:
    """Return how many count: where each needs something, only those that have all of it."""
    if counted.each is None or not quota.each_needs:
        return counted.number
    return Decimal(sum(set(quota.each_needs) <= one for one in counted.each))


def _warning(
    quota: Quota, want: Decimal | None, have: Decimal | None, *, met: bool | None, excused: bool
) -> str | None:
    if quota.op not in MINIMUMS and quota.share_of is not None and want == 0:
        return "按比例向下取整为0"
    if met is False and quota.strict != "must" and not excused:
        return "超出须写明理由"
    if quota.soft_max is not None and have is not None and have > quota.soft_max:
        return f"一般不多于{shown(quota.soft_max)}"
    return None


def _covered(scheme: Scheme, theme: str, options: int, chosen: int) -> QuotaResult:
    name = next(one.name_zh for one in scheme.themes if one.id == theme)
    short = "" if chosen >= options else f"，坊主须协调补齐{options - chosen}项"
    return QuotaResult(
        id=f"coverage.{theme}",
        path=f"themes.{theme}",
        needed=Decimal(options),
        have=Decimal(chosen),
        met=chosen >= options,
        text=f"{name}：本坊合力完成{options}项任务中的{chosen}项{short}",
    )
