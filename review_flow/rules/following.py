"""What follows a grade: certificates, exported consequences, the school's targets, an exemption. Nothing is applied here."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from review_flow.rules.expressions import COMPARISONS, Value, parse
from review_flow.rules.facts import Readings, describe
from review_flow.rules.marks import shown
from review_flow.rules.programme import Target
from review_flow.rules.record import Record
from review_flow.rules.record_programme import Share
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Gate

SIGNS = {">=": "不低于", ">": "高于", "<=": "不高于", "<": "低于", "==": "等于"}
UNITS = {"share": "", "points": "个百分点", "count": ""}


@dataclass(frozen=True)
class CertificateResult:
    """A certificate: granted, refused, or None while facts are missing; and why."""

    id: str
    path: str
    granted: bool | None
    why: str

    def as_json(self) -> dict[str, object]:
        """Return the certificate as plain data."""
        return {"id": self.id, "granted": self.granted, "why": self.why}


@dataclass(frozen=True)
class ConsequenceResult:
    """Something that follows elsewhere; `value` is a decimal string or None."""

    id: str
    path: str
    text: str
    kind: str
    value: str | None

    def as_json(self) -> dict[str, object]:
        """Return the consequence as the event that is exported."""
        return {"id": self.id, "text": self.text, "kind": self.kind, "value": self.value}


@dataclass(frozen=True)
class TargetResult:
    """An indicator with its numerator and denominator; met None: not recorded."""

    id: str
    path: str
    have: str | None
    of: str | None
    value: str | None
    met: bool | None
    text: str

    def as_json(self) -> dict[str, object]:
        """Return the indicator as plain data."""
        return {
            "id": self.id, "have": self.have, "of": self.of, "value": self.value, "met": self.met, "text": self.text,
        }  # fmt: skip


@dataclass(frozen=True)
class Exemption:
    """Whether somebody may be left out (X-53), and whether they count for rates (X-54)."""

    may: bool | None
    counts: bool
    text: str

    def as_json(self) -> dict[str, object]:
        """Return the exemption as plain data."""
        return {"may": self.may, "counts": self.counts, "text": self.text}


def certificates_of(scheme: Scheme, readings: Readings, known: Mapping[str, Value]) -> list[CertificateResult]:
    """Return the certificates in the scheme's order; a later one may ask for an earlier one (`cert.<id>`)."""
    granted: dict[str, Value] = {}
    results = []
    for one in scheme.certificates:
        tree, more = parse(one.when), {**known, **granted}
        passed = readings.of(tree, more)
        granted[f"cert.{one.id}"] = passed
        gate = Gate(one.id, one.name_zh, one.when)
        why = describe(scheme, gate, tree, {**readings.worst, **more}, passed=passed)
        results.append(CertificateResult(one.id, f"certificates.{one.id}", passed, why))
    return results


def consequences_of(scheme: Scheme, readings: Readings, known: Mapping[str, Value]) -> list[ConsequenceResult]:
    """Return what surely follows from the grade, as events for others to act on."""
    return [
        ConsequenceResult(
            one.id,
            f"consequences.{one.id}",
            one.text_zh,
            one.kind,
            None if one.value is None else shown(one.value),
        )
        for one in scheme.consequences
        if readings.of(parse(one.when), known)
    ]


def targets_of(scheme: Scheme, teacher: Record) -> list[TargetResult]:
    """Return the indicators a school's record speaks of."""
    shares = teacher.programme.group.targets
    return [] if shares is None else [_target(one, shares[one.id]) for one in scheme.targets if one.id in shares]


def _target(target: Target, share: Share) -> TargetResult:
    value: Fraction | None = None if share.value is None else Fraction(share.value)
    if value is None and share.have is not None and share.of:
        value = Fraction(share.have) / Fraction(share.of)
    met = None if value is None else COMPARISONS[target.op](value, Fraction(target.value))
    counts = f"{shown(share.have)}/{shown(share.of)}=" if share.have is not None and share.of is not None else ""
    has = "未记录" if value is None else f"{counts}{_said(target, value)}"
    return TargetResult(
        id=target.id,
        path=f"targets.{target.id}",
        have=None if share.have is None else shown(share.have),
        of=None if share.of is None else shown(share.of),
        value=None if value is None else shown(value),
        met=met,
        text=f"{target.name_zh}：{has}，应{SIGNS[target.op]}{_said(target, Fraction(target.value))}",
    )


def _said(target: Target, value: Fraction) -> str:
    return f"{shown(value * 100)}%" if target.unit == "share" else f"{shown(value)}{UNITS[target.unit]}"


def exemption_of(scheme: Scheme, teacher: Record, readings: Readings) -> Exemption | None:
    """Return whether the scheme lets this person off; None where it exempts nobody.

    Who may stay away and does counts in neither part of a rate; who joins counts in both (X-54).
    """
    if not scheme.applies_to.exemptions:
        return None
    may: bool | None = False
    said = []
    for one in scheme.applies_to.exemptions:
        tree = parse(one.expr)
        passed = readings.of(tree, {})
        may = True if may or passed else None if passed is None else may
        said.append(describe(scheme, Gate(one.id, one.text_zh, one.expr), tree, readings.worst, passed=passed))
    return Exemption(may, may is not True or teacher.programme.joins is True, "；".join(said))


def fee_yuan(scheme: Scheme, *, people: int = 1) -> Decimal | None:
    """Return what so many learners cost in yuan (003-23); None where the scheme names no fee."""
    rule = scheme.finance
    if rule.fee_yuan_per_hour is None or rule.hours is None:
        return None
    return rule.fee_yuan_per_hour * rule.hours * people
