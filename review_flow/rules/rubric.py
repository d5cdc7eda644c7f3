"""The review form, the same for peers and the panel: ticked items → level → a mark inside its band (X-07, X-08)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from review_flow.i18n import _, clauses, listed, say
from review_flow.rules.catalogue import Slot
from review_flow.rules.marks import rounded
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Component


@dataclass(frozen=True)
class FormProblem:
    """One field that is not right: its path in the form, and a Chinese sentence."""

    field: str
    text: str


class FormInvalid(ValueError):  # noqa: N818 - an answer about data, as Refusal is
    """A form that cannot be taken; `problems` names every field at once."""

    def __init__(self, problems: Sequence[FormProblem]) -> None:
        super().__init__(clauses(problem.text for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Marks:
    """What a form says: one mark (None when the scheme has no components), levels, and the ability's level."""

    mark: Decimal | None
    levels: Mapping[str, str]
    evidence_levels: Mapping[str, str]
    ability_level: str | None


def evaluate(scheme: Scheme, form: Mapping[str, object], slots: Sequence[Slot]) -> Marks:
    """Return the marks of a form over the filled slots; FormInvalid lists every problem.

    `form` is {"components": {id: {"items": [ids], "mark": "72.5"} | None}, "evidence_levels": {slot: level},
    "comment": "…"}; None or an absent component is 未涉及.
    """
    problems: list[FormProblem] = []
    levels, marks = _components(scheme, form.get("components"), problems)
    evidence = _evidence(scheme, form.get("evidence_levels"), slots, problems)
    comment = form.get("comment")
    least = scheme.review.form.min_comment_chars
    if not isinstance(comment, str) or len(re.sub(r"\s", "", comment)) < least:
        problems.append(FormProblem("comment", say(_("评语至少{least}字。"), least=least)))
    if problems:
        raise FormInvalid(problems)
    mean = rounded(Fraction(sum(marks)) / len(marks)) if marks else None
    return Marks(mean, levels, evidence, conjunctive(scheme, list(evidence.values())) if evidence else None)


def form_fields(scheme: Scheme, slots: Sequence[Slot]) -> dict[str, object]:
    """Return the form as plain data for a page or a command: components, levels with their marks, slots, comment."""
    return {
        "components": [
            {
                "id": component.id,
                "name_zh": component.name_zh,
                "items": [{"id": item.id, "text_zh": item.text_zh} for item in component.items],
            }
            for component in scheme.rated_components()
        ],
        "level_marks": {level: [str(low), str(high)] for level, (low, high) in scheme.level_marks.items()},
        "slots": [{"id": slot.id, "name_zh": slot.name_zh} for slot in slots],
        "evidence_levels": list(scheme.ability.levels),
        "min_components": scheme.review.form.min_components,
        "min_comment_chars": scheme.review.form.min_comment_chars,
    }


def checklist_level(scheme: Scheme, component: Component, ticked: Sequence[str]) -> str:
    """Return the level of a component from its ticked items, by the scheme's ladder (X-08, N31, N32)."""
    total = len(component.items)
    count = len({item.id for item in component.items} & set(ticked))
    ladder = list(scheme.checklist_levels.items())
    return next((level for level, rule in ladder if reaches(rule, count, total)), ladder[-1][0])


def reaches(rule: str, count: int, total: int) -> bool:
    """Return whether `count` of `total` satisfies a rung: `all`, `>=n`, or exactly `n`."""
    if rule == "all":
        return count == total
    return count >= int(rule[2:]) if rule.startswith(">=") else count == int(rule)


def conjunctive(scheme: Scheme, levels: Sequence[str | None]) -> str:
    """Return an ability's level from its evidence: the weakest piece decides; a missing one fails (J1–J5)."""
    ladder = scheme.ability.levels
    if not levels or None in levels:
        return ladder[-1]
    return max((level for level in levels if level is not None), key=ladder.index)


def agreed_levels(scheme: Scheme, judgements: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return for each slot the middle one of the panel members' levels; of two middle ones the better."""
    ladder = scheme.ability.levels
    slots = dict.fromkeys(slot for judgement in judgements for slot in judgement)
    agreed = {}
    for slot in slots:
        places = sorted(ladder.index(judgement[slot]) for judgement in judgements if slot in judgement)
        agreed[slot] = ladder[places[(len(places) - 1) // 2]]
    return agreed


def _components(scheme: Scheme, given: object, problems: list[FormProblem]) -> tuple[dict[str, str], list[Decimal]]:
    known = {component.id: component for component in scheme.rated_components()}
    filled = {key: value for key, value in given.items() if value is not None} if isinstance(given, Mapping) else {}
    levels: dict[str, str] = {}
    marks: list[Decimal] = []
    for key, value in filled.items():
        field = f"components.{key}"
        if key not in known or not isinstance(value, Mapping):
            problems.append(FormProblem(field, say(_("评审表里没有“{key}”这一项。"), key=key)))
            continue
        ticked = _ticked(known[key], value.get("items"), field, problems)
        levels[key] = checklist_level(scheme, known[key], ticked)
        mark = _mark(scheme, known[key], levels[key], value.get("mark"), problems)
        marks += [] if mark is None else [mark]
    least = scheme.review.form.min_components if known else 0
    if len(levels) < least:
        problems.append(FormProblem("components", say(_("至少评{least}个考核项。"), least=least)))
    return levels, marks


def _ticked(component: Component, items: object, field: str, problems: list[FormProblem]) -> list[str]:
    known = [item.id for item in component.items]
    ticked = items if isinstance(items, list) else []
    if items is not None and (not isinstance(items, list) or any(item not in known for item in ticked)):
        text = say(_("“{name}”勾选了评审表里没有的条目。"), name=component.name_zh)
        problems.append(FormProblem(f"{field}.items", text))
    return [item for item in known if item in ticked]


def _mark(
    scheme: Scheme, component: Component, level: str, value: object, problems: list[FormProblem]
) -> Decimal | None:
    low, high = scheme.level_marks[level]
    names = {"name": component.name_zh, "level": level, "low": low, "high": high}
    parsed = _decimal(value)
    if parsed is None:
        text = say(_("请给“{name}”打分：{level}，{low}–{high}分。"), **names)
    elif Decimal(rounded(parsed)) != parsed:
        text = say(_("“{name}”的分数最多两位小数。"), **names)
    elif not low <= parsed <= high:
        text = say(_("“{name}”按勾选为{level}，分数应在{low}–{high}之间。"), **names)
    else:
        return parsed
    problems.append(FormProblem(f"components.{component.id}.mark", text))
    return None


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None


def _evidence(scheme: Scheme, given: object, slots: Sequence[Slot], problems: list[FormProblem]) -> dict[str, str]:
    levels = given if isinstance(given, Mapping) else {}
    names = {slot.id: slot.name_zh for slot in slots}
    for key in levels:
        if key not in names:
            text = say(_("成果里没有“{key}”这项证据。"), key=key)
            problems.append(FormProblem(f"evidence_levels.{key}", text))
    for key, name in names.items():
        if levels.get(key) not in scheme.ability.levels:
            allowed = listed(scheme.ability.levels)
            text = say(_("请给证据“{name}”评等级：{allowed}。"), name=name, allowed=allowed)
            problems.append(FormProblem(f"evidence_levels.{key}", text))
    return {key: str(levels[key]) for key in names if key in levels}
