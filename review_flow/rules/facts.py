"""The facts a gate may ask for, drawn from a record, and the sentence that shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from review_flow.rules.abilities import Judged
from review_flow.rules.components import ComponentResult, counted, evaluated, flat
from review_flow.rules.expressions import Expression, Value, evaluate, kind_of, names, parse
from review_flow.rules.marks import rounded, shown
from review_flow.rules.programme import Test
from review_flow.rules.record import Record
from review_flow.rules.record_programme import FAIL, PASS
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Gate, HourLedger

SUFFIXES = {
    ("component", "done"): "完成", ("component", "points"): "得分", ("attendance", ""): "出席次数",
    ("minutes", ""): "分钟", ("hours", "met"): "达标", ("slots", ""): "份数", ("test", ""): "结果",
    ("quota", "met"): "达到",
}  # fmt: skip

NOTHING_HANDED_IN = "evidence.nothing_handed_in"
"""Beside the facts a gate may ask for: whatever is not valid was never handed in, which is no fault of evidence."""


class Named(Protocol):
    """Anything of a scheme with an id and a name."""

    @property
    def id(self) -> str:
        """Return its id."""

    @property
    def name_zh(self) -> str:
        """Return its name."""


@dataclass(frozen=True)
class Readings:
    """What a record says, in the worst and in the best reading of the abilities nobody judged."""

    worst: Mapping[str, Value]
    best: Mapping[str, Value]
    components: tuple[ComponentResult, ...] = ()

    def of(self, tree: Expression, more: Mapping[str, Value]) -> bool | None:
        """Return the truth of an expression, None where the two readings differ or a fact is missing."""
        low = evaluate(tree, {**self.worst, **more})
        return low if self.best is self.worst or low == evaluate(tree, {**self.best, **more}) else None


def readings_of(
    scheme: Scheme, teacher: Record, abilities: Sequence[Judged], more: Mapping[str, Value] | None = None
) -> Readings:
    """Return the facts of a record once for all that asks for them; `more` are those of a group."""
    worst, components = _facts(scheme, teacher, abilities, hopeful=False)
    worst |= {**(more or {}), "exempt": _exempt(scheme, worst)}
    if all(None not in (one.passed, one.level) for one in abilities):
        return Readings(worst, worst, components)
    best, _components = _facts(scheme, teacher, abilities, hopeful=True)
    return Readings(worst, {**best, **(more or {}), "exempt": _exempt(scheme, best)}, components)


def _exempt(scheme: Scheme, facts: Mapping[str, Value]) -> bool | None:
    """Return whether one of the scheme's exemptions holds."""
    held = [evaluate(parse(one.expr), facts) for one in scheme.applies_to.exemptions]
    return True if True in held else None if None in held else False


def _facts(
    scheme: Scheme, teacher: Record, abilities: Sequence[Judged], *, hopeful: bool
) -> tuple[dict[str, Value], tuple[ComponentResult, ...]]:
    """Return the facts and the indicator tree; `hopeful` takes an ability nobody judged as excellent, not as failed."""
    rule = scheme.teacher_selection(teacher.tier)
    facts: dict[str, Value] = {
        "ack.scheme": teacher.ack,
        "self_test.done": teacher.self_test,
        "peer.given": _number(teacher.given),
        "peer.required": _number(teacher.required),
        "abilities.needed": Decimal(rule.min),
        "abilities.dimensions_needed": Decimal(rule.min_dimensions),
        **_hours(scheme, teacher),
        **_programme(scheme, teacher),
    }
    if teacher.abilities is not None:
        best = scheme.ability.levels[0]
        passed = [one for one in abilities if one.passed or (hopeful and one.passed is None)]
        excellent = [one for one in passed if one.level == best or (hopeful and one.level is None)]
        valid = sum(one.facts.valid for one in abilities)
        lacking = [one.facts.not_handed_in for one in abilities if not one.facts.valid]
        facts |= {
            "abilities.chosen": Decimal(len(abilities)),
            "abilities.passed": Decimal(len(passed)),
            "abilities.excellent": Decimal(len(excellent)),
            "abilities.dimensions": Decimal(len({one.facts.dimension for one in passed})),
            "evidence.valid": valid >= rule.min,
        }
        if lacking and all(lacking):
            facts[NOTHING_HANDED_IN] = True
    components = evaluated(scheme, teacher, facts)
    for node in flat(components):
        facts[f"component.{node.id}.done"] = node.done
        facts[f"component.{node.id}.points"] = rounded(node.points) if node.settled else None
    return facts, components


def components_of(scheme: Scheme, readings: Readings) -> tuple[ComponentResult, ...]:
    """Return the indicator tree's results, what is not recorded taken as not there.

    The lists reviewers tick on each submission are left out: their levels stand in the outcome by themselves.
    """
    rated = {component.id for component in scheme.rated_components()}
    return tuple(one for one in readings.components if one.id not in rated)


def years_to_retirement(scheme: Scheme, teacher: Record) -> Decimal | None:
    """Return the years from the scheme's reference day to the retirement given, exact at whole years (X-53)."""
    last = teacher.programme.retires_on
    if last is None or scheme.effective_from is None:
        return None
    first = date.fromisoformat(scheme.effective_from)
    whole = last.year - first.year - ((last.month, last.day) < (first.month, first.day))
    birthday = _years_after(first, whole)
    return rounded(whole + Fraction((last - birthday).days, (_years_after(first, whole + 1) - birthday).days), scale=6)


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return date(day.year + years, 3, 1)


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


def seen_by(scheme: Scheme, tree: Expression, facts: Mapping[str, Value]) -> tuple[str, ...]:
    """Return the facts that a gate looks at, each with its value."""
    return tuple(_said(scheme, name, facts) for name in names(tree))


def describe(scheme: Scheme, gate: Gate, tree: Expression, facts: Mapping[str, Value], *, passed: bool | None) -> str:
    """Return a gate's sentence: what it asks, the facts it saw, and what came of it."""
    verdict = {True: "通过", False: "未通过", None: "缺少事实，未判定"}[passed]
    seen = seen_by(scheme, tree, facts)
    return f"{gate.text_zh}（{'；'.join(seen)}）：{verdict}" if seen else f"{gate.text_zh}：{verdict}"


def _programme(scheme: Scheme, teacher: Record) -> dict[str, Value]:
    """The facts of `programme`: minutes, pieces, attendance, themes, tests, roles, retirement."""
    known = teacher.programme
    slots = {slot.id: slot for slot in scheme.deliverables}
    facts: dict[str, Value] = {f"minutes.{key}": value for key, value in (known.minutes or {}).items()}
    if known.pieces is not None:
        pieces = known.pieces
        facts |= {f"slots.{key}": Decimal(counted(slot, pieces.get(key, ()))[0]) for key, slot in slots.items()}
    facts |= {f"attendance.{key}": value for key, value in (known.attendance or {}).items()}
    facts |= {f"test.{test.id}": _test(known.tests, test) for test in scheme.tests}
    if known.themes is not None:
        facts["themes.done"] = Decimal(len(known.themes))
    if known.roles is not None:
        facts |= {f"role.{role}": role in known.roles for role in scheme.roles}
    facts["years_to_retirement"] = years_to_retirement(scheme, teacher)
    facts["tier"] = teacher.tier
    return facts


def _test(tests: Mapping[str, Mapping[str, str]] | None, test: Test) -> str | None:
    """Return 合格, 不合格, or None while a part that matters was not judged (X-21)."""
    judged = [(tests or {}).get(test.id, {}).get(part) for part in [one.id for one in test.parts] or [test.id]]
    decisive, rest = (FAIL, PASS) if test.combine == "all" else (PASS, FAIL)
    return decisive if decisive in judged else None if None in judged else rest


def earned_hours(scheme: Scheme, teacher: Record) -> Mapping[str, Decimal]:
    """Return the hours by ledger: those recorded, and those of the themes done (003)."""
    hours = dict(teacher.hours or {})
    done = teacher.programme.themes
    for theme in scheme.themes if done is not None else ():
        for ledger, credit in theme.hours.items():
            hours[ledger] = hours.get(ledger, Decimal(0)) + (credit if theme.id in (done or ()) else 0)
    return hours


def _hours(scheme: Scheme, teacher: Record) -> dict[str, Value]:
    hours = earned_hours(scheme, teacher)
    facts: dict[str, Value] = {f"hours.{key}": value for key, value in hours.items()}
    met = {ledger.id: hours_met(scheme, ledger, hours) for ledger in scheme.hours.ledgers}
    facts |= {f"hours.{key}.met": value for key, value in met.items()}
    facts["hours.met"] = False if False in met.values() else None if None in met.values() else True
    return facts


def _said(scheme: Scheme, name: str, facts: Mapping[str, Value]) -> str:
    if name == "hours.met":
        return "，".join(_ledger(ledger, facts) for ledger in scheme.hours.ledgers)
    label = label_of(scheme, name)
    value = facts.get(name)
    if value is None:
        return f"{label}未记录"
    if name == "evidence.valid" and not value and facts.get(NOTHING_HANDED_IN):
        return f"{label}：未提交"
    if isinstance(value, bool):
        return f"{label}：{'是' if value else '否'}"
    return f"{label}{shown(value)}" if isinstance(value, Decimal) else f"{label}{value}"


def label_of(scheme: Scheme, name: str) -> str:
    """Return what a fact is called: by the scheme's own name of what it is about."""
    family, _dot, rest = name.partition(".")
    named: dict[str, Sequence[Named]] = {
        "component": scheme.nodes(),
        "attendance": scheme.activities,
        "minutes": scheme.hours.minutes,
        "hours": scheme.hours.ledgers,
        "slots": scheme.deliverables,
        "test": scheme.tests,
        "cert": scheme.certificates,
        "quota": scheme.quotas,
    }
    about = next((one.name_zh for one in named.get(family, ()) if one.id == rest.split(".")[0]), None)
    known = kind_of(name)
    if family == "role":
        return f"角色为{scheme.roles.get(rest, rest)}"
    if about is None:
        return known[1] if known else name
    return f"{about}{SUFFIXES.get((family, rest.partition('.')[2]), '')}"


def _ledger(ledger: HourLedger, facts: Mapping[str, Value]) -> str:
    earned = facts.get(f"hours.{ledger.id}")
    has = f"{shown(earned)}学时" if isinstance(earned, Decimal) else "未记录"
    share = ""
    if ledger.share is not None:
        share = f"且不少于{'应修' if ledger.of == 'required' else '已修'}学时的{shown(ledger.share * 100)}%"
    return f"{ledger.name_zh}{has}，应不少于{shown(ledger.min)}学时{share}"


def _number(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)
