"""The facts a gate may ask for, drawn from a record, and the sentence that shows them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from review_flow.rules.abilities import Judged
from review_flow.rules.expressions import Expression, Value, kind_of, names
from review_flow.rules.marks import shown
from review_flow.rules.record import Record
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Gate, HourLedger


def facts_of(
    scheme: Scheme,
    teacher: Record,
    abilities: Sequence[Judged],
    *,
    hopeful: bool,
    more: Mapping[str, Value] | None = None,
) -> dict[str, Value]:
    """Return the facts; `hopeful` takes an ability nobody judged as excellent instead of failed."""
    rule = scheme.teacher_selection(teacher.tier)
    facts: dict[str, Value] = {
        "ack.scheme": teacher.ack,
        "self_test.done": teacher.self_test,
        "peer.given": _number(teacher.given),
        "peer.required": _number(teacher.required),
        "abilities.needed": Decimal(rule.min),
        "abilities.dimensions_needed": Decimal(rule.min_dimensions),
        **_hours(scheme, teacher),
        **(more or {}),
    }
    if teacher.abilities is not None:
        best = scheme.ability.levels[0]
        passed = [one for one in abilities if one.passed or (hopeful and one.passed is None)]
        excellent = [one for one in passed if one.level == best or (hopeful and one.level is None)]
        valid = sum(one.facts.valid for one in abilities)
        facts |= {
            "abilities.chosen": Decimal(len(abilities)),
            "abilities.passed": Decimal(len(passed)),
            "abilities.excellent": Decimal(len(excellent)),
            "abilities.dimensions": Decimal(len({one.facts.dimension for one in passed})),
            "evidence.valid": valid >= rule.min,
        }
    return facts


def hours_met(scheme: Scheme, ledger: HourLedger, hours: Mapping[str, Decimal]) -> bool | None:
    """Return whether a ledger is met (001-A-17/22, X-26); None when its hours are not recorded."""
    earned = hours.get(ledger.id)
    if earned is None:
        return None
    if earned < ledger.min or ledger.share is None:
        return earned >= ledger.min
    if ledger.of == "earned":
        base = hours.get(ledger.base)
    else:
        base = next((other.min for other in scheme.hours.ledgers if other.id == ledger.base), Decimal(0))
    return None if base is None else earned >= ledger.share * base


def describe(scheme: Scheme, gate: Gate, tree: Expression, facts: Mapping[str, Value], *, passed: bool | None) -> str:
    """Return a gate's sentence: what it asks, the facts it saw, and what came of it."""
    verdict = {True: "通过", False: "未通过", None: "缺少事实，未判定"}[passed]
    seen = [_said(scheme, name, facts) for name in names(tree)]
    return f"{gate.text_zh}（{'；'.join(seen)}）：{verdict}" if seen else f"{gate.text_zh}：{verdict}"


def _hours(scheme: Scheme, teacher: Record) -> dict[str, Value]:
    hours = teacher.hours or {}
    facts: dict[str, Value] = {f"hours.{key}": value for key, value in hours.items()}
    met = {ledger.id: hours_met(scheme, ledger, hours) for ledger in scheme.hours.ledgers}
    facts |= {f"hours.{key}.met": value for key, value in met.items()}
    facts["hours.met"] = False if False in met.values() else None if None in met.values() else True
    return facts


def _said(scheme: Scheme, name: str, facts: Mapping[str, Value]) -> str:
    if name == "hours.met":
        return "，".join(_ledger(ledger, facts) for ledger in scheme.hours.ledgers)
    known = kind_of(name)
    label = known[1] if known else name
    value = facts.get(name)
    if value is None:
        return f"{label}未记录"
    if isinstance(value, bool):
        return f"{label}：{'是' if value else '否'}"
    return f"{label}{shown(value)}" if isinstance(value, Decimal) else f"{label}{value}"


def _ledger(ledger: HourLedger, facts: Mapping[str, Value]) -> str:
    earned = facts.get(f"hours.{ledger.id}")
    has = f"{shown(earned)}学时" if isinstance(earned, Decimal) else "未记录"
    share = ""
    if ledger.share is not None:
        share = f"且不少于{'应修' if ledger.of == 'required' else '已修'}学时的{shown(ledger.share * 100)}%"
    return f"{ledger.name_zh}{has}，应不少于{shown(ledger.min)}学时{share}"


def _number(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)
