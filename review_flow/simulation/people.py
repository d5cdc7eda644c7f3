"""Made-up people: what they can do, how diligent they are, and who falls away. All of it is assumed, none measured."""

import random
from dataclasses import dataclass, fields
from decimal import Decimal

from review_flow.i18n import _


@dataclass(frozen=True)
class Assumptions:
    """Shares of 0–1 and points; ours, from no survey. `SAID` names each in the report."""

    quality_mean: float = 78.0
    quality_spread: float = 9.0
    diligence_mean: float = 0.985
    severity_spread: float = 4.0
    marking_spread: float = 4.0
    pass_quality: float = 60.0
    good_quality: float = 85.0
    dropout: float = 0.02
    lateness: float = 0.06
    leave: float = 0.3
    invalid: float = 0.03
    near_retirement: float = 0.08
    awarded: float = 0.1
    further_role: float = 0.1
    group_size: int = 20
    periods: int = 16

    def values(self) -> dict[str, float]:
        """Return every assumption by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


SAID = {
    "quality_mean": _("成果水平的平均（分）"),
    "quality_spread": _("成果水平的标准差（分）"),
    "diligence_mean": _("每件该做的事做到的机会（平均，含催办和补交之后）"),
    "severity_spread": _("评审人宽严的标准差（分）"),
    "marking_spread": _("同一评审人打分的标准差（分）"),
    "pass_quality": _("一件证据达到合格所需的水平（分）"),
    "good_quality": _("一件证据达到优秀所需的水平（分）"),
    "dropout": _("中途退出的比例"),
    "lateness": _("每种扣分事项发生的机会，及任务逾期的机会"),
    "leave": _("扣分事项中已批准请假的比例"),
    "invalid": _("成果证据无效的机会"),
    "near_retirement": _("距退休不满五年的比例"),
    "awarded": _("获奖的比例"),
    "further_role": _("兼任其他角色的比例（互斥的角色各占一份）"),
    "group_size": _("每个工作坊的平均人数"),
    "periods": _("分期要求的期数"),
}


@dataclass(frozen=True)
class Person:
    """Somebody made up. `until`: how much of the round they stay for, 1 for all of it."""

    id: int
    quality: float
    diligence: float
    severity: float
    until: float
    near_retirement: bool

    def does(self, dice: random.Random, *, at: float = 0.5) -> bool:
        """Return whether something that falls due when `at` of the round is over gets done."""
        return at <= self.until and dice.random() < self.diligence


IDEAL = Person(0, quality=100.0, diligence=1.0, severity=0.0, until=1.0, near_retirement=False)


def draw_people(dice: random.Random, assumed: Assumptions, count: int) -> list[Person]:
    """Return so many people, numbered from 1."""
    spread = 12.0  # of the beta distribution that keeps diligence between 0 and 1
    return [
        Person(
            id=number,
            quality=min(100.0, max(0.0, dice.gauss(assumed.quality_mean, assumed.quality_spread))),
            diligence=1.0
            if assumed.diligence_mean == 1  # everybody does everything, without a rare one who does not
            else dice.betavariate(assumed.diligence_mean * spread, max(0.01, (1 - assumed.diligence_mean) * spread)),
            severity=dice.gauss(0, assumed.severity_spread),
            until=dice.random() if dice.random() < assumed.dropout else 1.0,
            near_retirement=dice.random() < assumed.near_retirement,
        )
        for number in range(1, count + 1)
    ]


def mark_of(dice: random.Random, quality: float, *, severity: float = 0.0, spread: float = 0.0) -> str:
    """Return a mark as people give them, in halves, as a decimal string."""
    given = quality + severity + (dice.gauss(0, spread) if spread else 0.0)
    return str(Decimal(round(min(100.0, max(0.0, given)) * 2)) / 2)
