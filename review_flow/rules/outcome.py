"""What grading hands back: a score, a grade, and the ledger that explains it line by line."""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from review_flow.i18n import _, say
from review_flow.rules.paths import canonical_json

if TYPE_CHECKING:
    from review_flow.rules.components import ComponentResult
    from review_flow.rules.following import CertificateResult, ConsequenceResult, Exemption, TargetResult
    from review_flow.rules.quotas import QuotaResult, TaskResult

FLAGS = {
    "on_boundary": _("恰为分界分"),
    "peer_missing": _("互评份数不足，按考核组评分计"),
    "peer_not_agreed": _("互评未达成一致，按考核组评分计"),
    "panel_incomplete": _("考核组评分人数不足"),
    "heard": _("申诉复核评分"),
    "needs_arbiter": _("考核组分歧过大，待仲裁"),
    "no_marks": _("没有可合成的评分"),
    "bonus_surplus": _("加分后超过满分，超出部分不计"),
    "bonus_capped": _("加分封顶"),
    "bonus_held": _("加分不得越过合格线"),
    "contested": _("有申辩中的扣分，暂不计"),
    "not_judged": _("有门槛缺少事实，未判定"),
    "source_missing": _("有评分来源缺失，按其余来源计"),
    "decision_refused": _("考核组的等次决定不合规则，未采纳"),
}


NOT_DEDUCTED = "：已批准，不扣分"
"""How a line ends of what was recorded and took nothing, since it was approved."""


def cited(rule: str) -> str:
    """Return a rule as people read it: its number, or in words that it is a default."""
    return rule.replace("default", say(_("默认")), 1)


@dataclass(frozen=True)
class LedgerLine:
    """One line of 计分明细: the rule it cites, the sentence, the points it adds, the number after it.

    `path`: the place in the scheme, which leads to the article of the printed plan; it is no part of what is kept.
    """

    rule: str
    text: str
    points: str
    running: str
    path: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the line as plain data."""
        return {"rule": self.rule, "text": self.text, "points": self.points, "running": self.running}


@dataclass(frozen=True)
class GateResult:
    """A gate: passed, failed, or None when the record lacks the facts to judge it.

    `text`: all in one sentence; `asks` and `seen`: what it asks and the facts it saw, for where its state stands beside.
    """

    id: str
    passed: bool | None
    text: str
    asks: str
    seen: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the gate as plain data."""
        return {"id": self.id, "passed": self.passed, "text": self.text}


@dataclass(frozen=True)
class AbilityOutcome:
    """One ability as judged. Level None: not judged. Score None: no marks. `counts`: it is in the composed number."""

    code: str
    dimension: str
    valid: bool
    level: str | None
    passed: bool | None
    peer: str | None
    panel: str | None
    score: str | None
    counts: bool

    def as_json(self) -> dict[str, object]:
        """Return the ability as plain data."""
        return {
            "code": self.code, "dimension": self.dimension, "valid": self.valid, "level": self.level,
            "passed": self.passed, "peer": self.peer, "panel": self.panel, "score": self.score, "counts": self.counts,
        }  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """A result before anybody confirmed it. `score` None: the scheme grades without a number.

    `proposed`: the grade is one that *may* be given, so the panel still confirms or lowers it (X-03). The texts are
    Chinese in every language, because a replay must give the same bytes.
    """

    score: Decimal | None
    grade: str
    proposed: bool
    flags: tuple[str, ...]
    gates: tuple[GateResult, ...]
    ledger: tuple[LedgerLine, ...]
    abilities: tuple[AbilityOutcome, ...]
    levels: tuple[tuple[str, str], ...]
    surplus: Decimal
    components: "tuple[ComponentResult, ...]" = ()
    certificates: "tuple[CertificateResult, ...]" = ()
    consequences: "tuple[ConsequenceResult, ...]" = ()
    quotas: "tuple[QuotaResult, ...]" = ()
    tasks: "tuple[TaskResult, ...]" = ()
    targets: "tuple[TargetResult, ...]" = ()
    exemption: "Exemption | None" = None

    def as_json(self) -> dict[str, object]:
        """Return the outcome as plain data; every number is a decimal string. What a scheme has nothing of is left out."""
        more: dict[str, object] = {
            name: [one.as_json() for one in getattr(self, name)]
            for name in ("components", "certificates", "consequences", "quotas", "tasks", "targets")
            if getattr(self, name)
        }
        if self.exemption is not None:
            more["exemption"] = self.exemption.as_json()
        return {
            "score": None if self.score is None else str(self.score),
            "grade": self.grade,
            "proposed": self.proposed,
            "flags": list(self.flags),
            "gates": [gate.as_json() for gate in self.gates],
            "ledger": [line.as_json() for line in self.ledger],
            "abilities": [ability.as_json() for ability in self.abilities],
            "levels": dict(self.levels),
            "surplus": str(self.surplus),
            **more,
        }

    def canonical(self) -> bytes:
        """Return the bytes that a replay compares."""
        return canonical_json(self.as_json())
