"""From one teacher's facts to score, grade and ledger: compose → deduct → bonus → clamp once, then bands and gates.

Pure and exact: the same scheme and record give the same bytes on any machine, in any year.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from review_flow.rules.abilities import Judged, choose_counting, composed, judge_all
from review_flow.rules.components import ComponentResult
from review_flow.rules.expressions import Value, parse
from review_flow.rules.facts import Readings, components_of, describe, readings_of, seen_by
from review_flow.rules.following import certificates_of, consequences_of, exemption_of, targets_of
from review_flow.rules.marks import (
    aggregate_panel,
    aggregate_peer,
    band_of,
    equals,
    has_scale,
    highest_failing,
    judged,
    on_boundary,
    panel_needs_arbiter,
    points,
    position_of,
    rounded,
    shown,
)
from review_flow.rules.outcome import NOT_DEDUCTED, GateResult, LedgerLine, Outcome
from review_flow.rules.quotas import QuotaResult, TaskResult, quotas_of, tasks_of
from review_flow.rules.reader import RecordInvalid
from review_flow.rules.record import Record, read_record
from review_flow.rules.rubric import checklist_level
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Bonus, Deduction, Gate
from review_flow.rules.voices import mean_of

__all__ = [
    "Outcome", "RecordInvalid", "aggregate_panel", "aggregate_peer", "band_of", "gates_at", "grade", "panel_needs_arbiter",
]  # fmt: skip


def grade(scheme: Scheme, record: Mapping[str, object]) -> Outcome:
    """Return the outcome of a record (docs/record.md); RecordInvalid names a field that cannot be taken."""
    teacher = read_record(scheme, record)
    abilities = choose_counting(scheme, judge_all(scheme, teacher), teacher.tier)
    quotas, tasks = quotas_of(scheme, teacher.programme.group), tasks_of(scheme, teacher.programme.group)
    readings = readings_of(scheme, teacher, abilities, _group_facts(quotas, tasks))
    book = Book(scheme, readings)
    for step in scheme.adjust.order if scheme.compose.numbered else ():
        STEPS[step](book, teacher, abilities)
    score = book.close() if scheme.compose.numbered else None
    gates = [_gate(scheme, gate, readings) for gate in (*scheme.prerequisites, *scheme.gates)]
    if any(gate.passed is None for gate in gates):
        book.flag("not_judged")
    for quota in quotas:
        book.add(quota.path, quota.text)
    earned, proposed = _graded(book, score, gates, teacher)
    known = _settled(book, score, earned, gates)
    certificates = certificates_of(scheme, readings, known)
    for one in certificates:
        book.add(one.path, one.why)
    known |= {f"cert.{one.id}": one.granted for one in certificates}
    consequences = consequences_of(scheme, readings, known)
    for event in consequences:
        book.add(event.path, event.text)
    return Outcome(
        score=score,
        grade=earned,
        proposed=proposed,
        flags=tuple(dict.fromkeys(book.flags)),
        gates=tuple(gates),
        ledger=tuple(book.lines),
        abilities=tuple(ability.outcome() for ability in abilities),
        levels=_levels(scheme, teacher),
        surplus=rounded(book.surplus),
        components=components_of(scheme, readings),
        certificates=tuple(certificates),
        consequences=tuple(consequences),
        quotas=tuple(quotas),
        tasks=tuple(tasks),
        targets=tuple(targets_of(scheme, teacher)),
        exemption=exemption_of(scheme, teacher, readings),
    )


def gates_at(scheme: Scheme, record: Mapping[str, object], *, when: str) -> list[GateResult]:
    """Return the gates that guard a step (`when`: select, submit, review, final), judged on a record."""
    teacher = read_record(scheme, record)
    readings = readings_of(scheme, teacher, judge_all(scheme, teacher))
    return [_gate(scheme, one, readings) for one in (*scheme.prerequisites, *scheme.gates) if one.when == when]


@dataclass
class Book:
    """The ledger while it is written: exact running number, lines, flags."""

    scheme: Scheme
    readings: Readings
    running: Fraction = Fraction(0)
    surplus: Fraction = Fraction(0)
    lines: list[LedgerLine] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    def add(self, path: str, text: str, change: Fraction | Decimal | int = 0) -> None:
        """Write a line that cites the rule of a scheme path and changes the running number."""
        self.running += Fraction(change)
        self.lines.append(LedgerLine(self.rule(path), text, points(change), points(self.running), path))

    def rule(self, path: str) -> str:
        """Return the rule a line cites."""
        return str(self.scheme.source(path))

    def flag(self, name: str) -> None:
        """Note something a reader must see."""
        self.flags.append(name)

    def close(self) -> Decimal:
        """Round once, as the scheme says (X-16), and return the score."""
        rounding = self.scheme.bands.rounding
        score = rounded(self.running, scale=rounding.scale, mode=rounding.mode)
        if score != self.running:
            text = f"取{rounding.scale}位小数：{shown(self.running)} → {score}"
            self.lines.append(LedgerLine(self.rule("bands.rounding"), text, "0.00", points(score), "bands.rounding"))
        return score


def _compose(book: Book, teacher: Record, abilities: list[Judged]) -> None:
    """001-A-41: peers' part and panel's part; or the components' points (000-A) or weighted marks (001-C)."""
    if book.scheme.compose.rule == "weighted_mean":
        _compose_marks(book, teacher, abilities)
        return
    for root in components_of(book.scheme, book.readings):
        if book.scheme.compose.rule == "sum_points":
            _write_points(book, root)
        else:
            _write_weighted(book, root)


def _write_points(book: Book, node: ComponentResult) -> None:
    """A line for each leaf with what it earns, and one that takes it back where a part of it decides over the whole."""
    for part in node.parts:
        _write_points(book, part)
    if not node.parts:
        book.add(node.path, f"{node.name_zh}：{node.text}；{shown(node.points)}分", node.points)
        if node.done is None:
            book.flag("not_judged")
    elif node.zeroed:
        failed = any(part.done is False for part in node.parts if part.decisive)
        book.add(node.path, f"{node.name_zh}{'不通过，记0分' if failed else '缺少事实，暂记0分'}", -node.zeroed)


def _write_weighted(book: Book, node: ComponentResult) -> None:
    weight = next(one.weight for one in book.scheme.components if one.id == node.id) or Decimal(0)
    if node.mark is None:
        book.flag("not_judged")
    mark = node.mark or Fraction(0)
    text = f"{node.name_zh}：{node.text}；{shown(mark)}×{weight}{equals(mark * Fraction(weight))}"
    book.add(f"{node.path}.weight", text, mark * Fraction(weight))


def _compose_marks(book: Book, teacher: Record, abilities: list[Judged]) -> None:
    for name, voices in teacher.voices.items():
        if text := mean_of(book.scheme, name, voices)[1]:
            book.add(f"compose.sources.{name}", f"{text}；权重{book.scheme.compose.sources[name]}")
    for ability in abilities:
        book.add("compose.rule", ability.explained())
        book.flags += ability.composition.flags
    if teacher.marks is not None:
        whole = composed(book.scheme, teacher.marks, teacher.voices)
        book.flags += whole.flags
        text, number = whole.arithmetic, whole.score
    else:
        text, number = _mean(abilities)
    if number is None:
        book.flag("no_marks")
        text = "没有可合成的评分，按0分计"
    book.add("compose.rule", text, number or 0)


def _mean(abilities: list[Judged]) -> tuple[str, Fraction | None]:
    scores = {one.facts.code: one.score for one in abilities if one.counts and one.score is not None}
    if not scores:
        return "", None
    mean = sum(scores.values(), Fraction(0)) / len(scores)
    terms = "+".join(f"{code} {shown(score)}" for code, score in scores.items())
    return f"计入的{len(scores)}项平均：({terms})÷{len(scores)}{equals(mean)}", mean


def _deduct(book: Book, teacher: Record, _abilities: list[Judged]) -> None:
    """001-A-35/36: each event once; approved leave and contested events are shown and not counted."""
    for deduction in book.scheme.adjust.deductions:
        for event in sorted(teacher.events, key=lambda event: (event.on, event.id)):
            if event.kind == deduction.id:
                _deduct_one(book, deduction, on=event.on, excuses=event.excuses, contested=event.contested)


def _deduct_one(book: Book, rule: Deduction, *, on: str, excuses: tuple[str, ...], contested: bool) -> None:
    path, what = f"adjust.deductions.{rule.id}", f"{on} {rule.name_zh}".strip()
    if set(excuses) & set(rule.unless):
        book.add(f"{path}.unless", f"{what}{NOT_DEDUCTED}")
    elif contested:
        book.flag("contested")
        book.add(path, f"{what}：教师申辩中，决定之前不扣分")
    else:
        book.add(f"{path}.each", f"{what}：{shown(rule.each)}分", rule.each)


def _bonus(book: Book, teacher: Record, _abilities: list[Judged]) -> None:
    """001-A-37: awards by the school's table, capped, and not over the pass line where the scheme forbids it."""
    for bonus in book.scheme.adjust.bonuses[:1] if teacher.awards else ():
        total = sum(teacher.awards, Decimal(0))
        granted = total if bonus.cap is None else min(total, bonus.cap)
        sums = "+".join(shown(award) for award in teacher.awards)
        text = f"{bonus.name_zh}：{sums}{equals(total)}分" if len(teacher.awards) > 1 else f"{bonus.name_zh}：{sums}分"
        if granted < total:
            book.flag("bonus_capped")
            text += f"，封顶{shown(granted)}分，多出{shown(total - granted)}分不计"
        kept = _held(book, bonus, Fraction(granted))
        if kept < granted:
            book.flag("bonus_held")
            text += f"，加分不得越过合格线，计{shown(kept)}分"
        book.add(f"adjust.bonuses.{bonus.id}", text, kept)


def _held(book: Book, bonus: Bonus, granted: Fraction) -> Fraction:
    top = Fraction(highest_failing(book.scheme)) if not bonus.may_cross_pass else None
    if top is None or book.running > top or book.running + granted <= top:
        return granted
    return top - book.running


def _clamp(book: Book, _teacher: Record, _abilities: list[Judged]) -> None:
    """X-13: keep the number on the scale, once, after everything else."""
    low, high = book.scheme.adjust.clamp
    before = book.running
    if before > high:
        book.surplus = before - Fraction(high)
        book.flag("bonus_surplus")
        book.add(
            "adjust.clamp", f"超过{high}分，记{high}分；超出的{shown(book.surplus)}分记录在案", Fraction(high) - before
        )
    elif before < low:
        book.add("adjust.clamp", f"低于{low}分，记{low}分", Fraction(low) - before)


STEPS = {"compose": _compose, "deduct": _deduct, "bonus": _bonus, "clamp": _clamp}


def _gate(scheme: Scheme, gate: Gate, readings: Readings) -> GateResult:
    """Judge a gate in the worst and in the best reading of what is not recorded; when they differ, it stays open."""
    tree = parse(gate.expr)
    passed = readings.of(tree, {})
    text = describe(scheme, gate, tree, readings.worst, passed=passed)
    return GateResult(gate.id, passed, text, gate.text_zh, seen_by(scheme, tree, readings.worst))


def _settled(book: Book, score: Decimal | None, earned: str, gates: list[GateResult]) -> dict[str, Value]:
    """The facts of the result for what follows from it: None while facts are missing that may still change them."""
    scheme = book.scheme
    last = scheme.bands.grades[-1]
    rules = (*scheme.prerequisites, *scheme.gates)
    lost = any(one.passed is False and rule.on_fail.grade == last for rule, one in zip(rules, gates, strict=True))
    final = "not_judged" not in book.flags
    return {
        "grade": earned if final or lost else None,
        "score": score if final else None,
        "gates.passed": _passed(gates),
    }


def _graded(book: Book, score: Decimal | None, gates: list[GateResult], teacher: Record) -> tuple[str, bool]:
    """Return the grade and whether the panel still has to confirm it."""
    bands = book.scheme.bands
    place = _place(book, score, gates)
    failed = _failed(book, gates)
    if failed:
        return bands.grades[max(place, *map(bands.grades.index, failed))], False
    band = bands.list[place]
    for decision in teacher.band_decisions:
        wanted = bands.grades.index(decision.grade)
        lowers = wanted == place + 1 and decision.reason != ""
        if band.modal == "may" and (wanted == place or lowers):
            said = f"考核组降为{decision.grade}：{decision.reason}" if lowers else f"考核组确认{decision.grade}"
            book.add(f"bands.list.{band.grade}.modal", said)
            return decision.grade, False
        book.flag("decision_refused")
    return band.grade, band.modal == "may"


def _failed(book: Book, gates: list[GateResult]) -> list[str]:
    """Write the failed gates that decide the grade, and return the grades they give."""
    scheme, grades = book.scheme, []
    rules = [*(("prerequisites", rule) for rule in scheme.prerequisites), *(("gates", rule) for rule in scheme.gates)]
    for (section, rule), gate in zip(rules, gates, strict=True):
        if gate.passed is False and rule.on_fail.grade is not None:
            grades.append(rule.on_fail.grade)
            book.add(f"{section}.{rule.id}", f"{gate.text}；等次为{rule.on_fail.grade}，分数照常显示")
    return grades


def _place(book: Book, score: Decimal | None, gates: list[GateResult]) -> int:
    scheme = book.scheme
    if score is not None and has_scale(scheme):
        number = judged(scheme, book.running)
        if on_boundary(scheme, number):
            book.flag("on_boundary")
        place = position_of(scheme, number)
        band = scheme.bands.list[place]
        verb = "可评为" if band.modal == "may" else "应为"
        book.add(f"bands.list.{band.grade}", f"{shown(number)}分在{band.min}–{band.max}分段，{verb}{band.grade}")
        return place
    more: dict[str, Value] = {"gates.passed": _passed(gates), "score": score}
    reached = [book.readings.of(parse(band.when or "true"), more) for band in scheme.bands.list]
    place = reached.index(True) if True in reached else len(reached) - 1
    if None in reached[:place]:
        book.flag("not_judged")
    book.add(f"bands.list.{scheme.bands.list[place].grade}", f"等次：{scheme.bands.list[place].grade}")
    return place


def _passed(gates: list[GateResult]) -> bool | None:
    """Return whether all gates are passed; None while one that nobody failed is open."""
    passed = [gate.passed for gate in gates]
    return False if False in passed else None if None in passed else True


def _group_facts(quotas: list[QuotaResult], tasks: list[TaskResult]) -> dict[str, Value]:
    """The facts of a group's record: every quota met or excused, every task done in time."""
    met = [one.met or (None if one.met is None else one.excused) for one in quotas]
    facts: dict[str, Value] = {f"quota.{one.id}.met": truth for one, truth in zip(quotas, met, strict=True)}
    if quotas:
        facts["quotas.met"] = False if False in met else None if None in met else True
    if tasks:
        facts["tasks.met"] = all(one.state == "done" for one in tasks)
    return facts


def _levels(scheme: Scheme, teacher: Record) -> tuple[tuple[str, str], ...]:
    known = {component.id: component for component in scheme.rated_components()}
    return tuple(
        (key, checklist_level(scheme, known[key], ticked)) for key, ticked in sorted(teacher.checklists.items())
    )
