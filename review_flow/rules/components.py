"""The indicator tree, evaluated: what of it is done, what it earns, and the sentence that shows why.

| type | done | points |
|---|---|---|
| completion | its needs are met, or its parts are done | all or nothing |
| sum | its mandatory parts (or, where none is, all) are done | those of its parts; none when a `zero_parent` part is not done |
| per_unit | the cap is reached | `each` for a piece of `slot`, at most `cap` |
| threshold | `metric` `op` `value` (or the tier's own) | all or nothing |
| periodic | each period has `value` pieces, a short one made up within `grace` periods (X-56) | all or nothing |
| ratio | `metric` reaches `of` | by 100 × metric ÷ of, at most `cap` (100) |
| score, external | it was marked, and its needs are met where pieces are recorded | by its mark of 0–100 |
| checklist | one item or more is ticked | none: reviewers mark it |
| rubric | no piece is below the passing level (the weakest decides) | all or nothing |

`done` None: the facts were not recorded; such a component earns nothing yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from review_flow.rules.catalogue import Slot
from review_flow.rules.expressions import COMPARISONS, Value
from review_flow.rules.marks import shown
from review_flow.rules.programme import Need
from review_flow.rules.record import Record
from review_flow.rules.record_programme import Piece
from review_flow.rules.rubric import checklist_level, conjunctive
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Component

SIGNS = {">=": "不少于", "<=": "不多于", ">": "多于", "<": "少于", "==": "等于", "!=": "不等于"}
STATES = {True: "完成", False: "未完成", None: "缺少事实，未判定"}
FULL = Decimal(100)


@dataclass(frozen=True)
class ComponentResult:
    """One node: done (None: not recorded), points earned, a mark of 0–100 where it has one, and why in words."""

    id: str
    name_zh: str
    path: str
    done: bool | None
    points: Fraction
    mark: Fraction | None
    text: str
    mandatory: bool = False
    asked: bool = True
    parts: tuple["ComponentResult", ...] = ()
    zeroed: Fraction = Fraction(0)
    decisive: bool = False

    @property
    def settled(self) -> bool:
        """Return whether its points are final: no fact below it is missing."""
        return all(part.settled for part in self.parts) if self.parts else self.done is not None

    def as_json(self) -> dict[str, object]:
        """Return the node and what is below it as plain data."""
        return {
            "id": self.id, "name_zh": self.name_zh, "done": self.done, "points": shown(self.points),
            "mark": None if self.mark is None else shown(self.mark), "text": self.text,
            "parts": [part.as_json() for part in self.parts],
        }  # fmt: skip


def evaluated(scheme: Scheme, teacher: Record, facts: Mapping[str, Value]) -> tuple[ComponentResult, ...]:
    """Return the results of the roots, in printed order; `facts` are the numbers `metric` may name."""
    tree = _Tree(scheme, teacher, facts)
    return tuple(tree.node(root, f"components.{root.id}") for root in scheme.components if root.scored)


def flat(results: Sequence[ComponentResult]) -> list[ComponentResult]:
    """Return every node, parents before their parts."""
    return [one for result in results for one in (result, *flat(result.parts))]


def counted(slot: Slot | None, pieces: Sequence[Piece], *, on: str = "any") -> tuple[int, int]:
    """Return how many pieces count for a slot, and how many might but lack a recorded length or target."""
    certain = possible = 0
    for piece in pieces:
        verdicts = [_on(piece, on), *([] if piece.checked or slot is None else _lengths(slot, piece))]
        certain += False not in verdicts and None not in verdicts
        possible += False not in verdicts and None in verdicts
    return certain, possible


def _on(piece: Piece, on: str) -> bool | None:
    if on == "any" or (piece.checked and piece.on is None):
        return True
    return None if piece.on is None else piece.on == on


def _lengths(slot: Slot, piece: Piece) -> list[bool | None]:
    limits: list[tuple[Decimal | int | None, Decimal | int | None, Decimal | int | None]] = [
        (slot.min_chars, piece.chars, slot.max_chars),
        (slot.min_seconds, piece.seconds, slot.max_seconds),
    ]
    asked = [(low, value, high) for low, value, high in limits if (low, high) != (None, None)]
    return [
        None if value is None else (low is None or value >= low) and (high is None or value <= high)
        for low, value, high in asked
    ]


@dataclass(frozen=True)
class _Tree:
    scheme: Scheme
    teacher: Record
    facts: Mapping[str, Value]

    def node(self, component: Component, path: str) -> ComponentResult:
        roles = self.teacher.programme.roles
        bare = ComponentResult(
            component.id, component.name_zh, path, None, Fraction(0), None, "", component.mandatory,
            decisive=component.zero_parent,
        )  # fmt: skip
        if component.only is not None and component.only not in (roles or ()):
            who = self.scheme.roles.get(component.only, component.only)
            if roles is None:
                return replace(bare, text=f"只要求{who}；角色未记录")
            return replace(bare, done=True, text=f"只要求{who}", asked=False)
        if component.components:
            return self._inner(component, bare)
        kind = component.scoring.type if component.scoring else "completion"
        done, mark, text = getattr(self, f"_{kind}")(component)
        return replace(bare, done=done, mark=mark, text=text, points=self._points(component, kind, mark, done=done))

    def _inner(self, component: Component, bare: ComponentResult) -> ComponentResult:
        parts = tuple(self.node(part, f"{bare.path}.components.{part.id}") for part in component.components)
        asked = [part.done for part in parts if part.mandatory and part.asked] or [part.done for part in parts]
        done = False if False in asked else None if None in asked else True
        earned = sum((part.points for part in parts), Fraction(0))
        if component.scoring is not None and component.scoring.type == "completion":
            earned = Fraction(component.points or 0) if done else Fraction(0)
        ruined = any(not part.done for part in parts if part.decisive)
        text = "，".join(f"{part.name_zh}{STATES[part.done]}" for part in parts if part.asked)
        zeroed = earned if ruined else Fraction(0)
        return replace(bare, done=done, points=earned - zeroed, text=text, parts=parts, zeroed=zeroed)

    def _points(self, component: Component, kind: str, mark: Fraction | None, *, done: bool | None) -> Fraction:
        if kind == "per_unit":
            return mark or Fraction(0)
        if component.points is None:
            return Fraction(0)
        if kind in {"ratio", "score", "external"}:
            return Fraction(component.points) * (mark or 0) / 100
        return Fraction(component.points) if done else Fraction(0)

    def _completion(self, component: Component) -> tuple[bool | None, None, str]:
        needs, unknown = self._needs(component)
        met = [self._need(need) for need in needs]
        verdicts = [*(one for one, _text in met), *(None for _who in unknown)]
        done = False if False in verdicts else None if None in verdicts else True
        words = [*(text for _one, text in met), *(f"{who}未记录" for who in unknown)]
        return done, None, "，".join(words)

    def _needs(self, component: Component) -> tuple[list[Need], list[str]]:
        """Return what this person has to hand in, and whether that hangs on a role or tier nobody recorded."""
        needs = list(component.needs)
        roles, tier = self.teacher.programme.roles, self.teacher.tier
        for role in roles or ():
            needs += component.by_role.get(role, ())
        needs += component.by_tier.get(tier or "", ())
        unknown = ["承担的角色"] if component.by_role and not set(roles or ()) & set(component.by_role) else []
        return needs, [*unknown, *(["层级"] if component.by_tier and tier is None else [])]

    def _need(self, need: Need) -> tuple[bool | None, str]:
        slots = {slot.id: slot for slot in self.scheme.deliverables}
        pieces = self.teacher.programme.pieces
        names = "或".join(slots[one].name_zh for one in (need.slot, *need.accept_also))
        asked = f"{names}{need.count}份" + ("（评他人的）" if need.on == "others" else "")
        if pieces is None:
            return None, f"{asked}：未记录"
        counts = [counted(slots[one], pieces.get(one, ()), on=need.on) for one in (need.slot, *need.accept_also)]
        certain, possible = (sum(column) for column in zip(*counts, strict=True))
        done = True if certain >= need.count else None if certain + possible >= need.count else False
        return done, f"{asked}：{certain}份符合要求"

    def _per_unit(self, component: Component) -> tuple[bool | None, Fraction | None, str]:
        rule, pieces = component.scoring, self.teacher.programme.pieces
        assert rule is not None
        if pieces is None or rule.slot is None or rule.each is None:
            return None, None, "未记录"
        slot = next(one for one in self.scheme.deliverables if one.id == rule.slot)
        number, _possible = counted(slot, pieces.get(rule.slot, ()))
        earned = number * Fraction(rule.each)
        kept = earned if rule.cap is None else min(earned, Fraction(rule.cap))
        text = f"{slot.name_zh}{number}份，每份{shown(rule.each)}分" + (
            f"，封顶{shown(rule.cap)}分" if rule.cap is not None and kept < earned else ""
        )
        return rule.cap is None or kept == rule.cap, kept, text

    def _value(self, component: Component) -> Decimal:
        rule = component.scoring
        assert rule is not None
        return rule.by_tier.get(self.teacher.tier or "", rule.value or Decimal(0))

    def _threshold(self, component: Component) -> tuple[bool | None, None, str]:
        rule = component.scoring
        assert rule is not None
        wanted, has = self._value(component), self.facts.get(rule.metric or "")
        asked = f"应{SIGNS[rule.op]}{shown(wanted)}"
        if not isinstance(has, Decimal):
            return None, None, f"未记录，{asked}"
        return COMPARISONS[rule.op](has, wanted), None, f"{shown(has)}，{asked}"

    def _periodic(self, component: Component) -> tuple[bool | None, None, str]:
        rule = component.scoring
        assert rule is not None
        least, counts = self._value(component), (self.teacher.programme.periods or {}).get(component.id)
        asked = f"每期应不少于{shown(least)}"
        if counts is None:
            return None, None, f"未记录，{asked}"
        short = unmade(counts, least=least, grace=rule.grace)
        said = f"第{'、'.join(str(one + 1) for one in short)}期不足" if short else "各期达到"
        return not short, None, f"{said}（{'、'.join(map(str, counts))}），{asked}，可在其后{rule.grace}期内补"

    def _ratio(self, component: Component) -> tuple[bool | None, Fraction | None, str]:
        rule = component.scoring
        assert rule is not None
        has = self.facts.get(rule.metric or "")
        if not isinstance(has, Decimal) or rule.of is None:
            return None, None, "未记录"
        mark = min(Fraction(has) / Fraction(rule.of) * 100, Fraction(rule.cap or FULL))
        return has >= rule.of, mark, f"{shown(has)}÷{shown(rule.of)}，计{shown(mark)}分（百分制）"

    def _score(self, component: Component) -> tuple[bool | None, Fraction | None, str]:
        mark = self.teacher.programme.component_marks.get(component.id)
        handed, _none, words = (
            self._completion(component) if self.teacher.programme.pieces is not None else (True, None, "")
        )
        if mark is None:
            return None, None, "未评分"
        text = f"{shown(mark)}分（百分制）" + (f"；{words}" if words else "")
        return handed, Fraction(mark), text

    _external = _score

    def _checklist(self, component: Component) -> tuple[bool | None, None, str]:
        ticked = self.teacher.checklists.get(component.id)
        if ticked is None:
            return None, None, "未勾选"
        level = checklist_level(self.scheme, component, ticked)
        return bool(ticked), None, f"{len(ticked)}/{len(component.items)}条，{level}"

    def _rubric(self, component: Component) -> tuple[bool | None, None, str]:
        levels = self.teacher.programme.component_levels.get(component.id)
        if levels is None:
            return None, None, "未评等级"
        level, ladder = conjunctive(self.scheme, levels), self.scheme.ability.levels
        return ladder.index(level) <= ladder.index(self.scheme.ability.pass_level), None, level


def unmade(counts: Sequence[int], *, least: Decimal | int, grace: int) -> list[int]:
    """Return the periods (from 0) that were short and that no surplus within `grace` periods made up (X-56)."""
    open_: list[list[int | Decimal]] = []
    lost: list[int] = []
    for place, count in enumerate(counts):
        lost += [int(one[0]) for one in open_ if place - one[0] > grace]
        open_ = [one for one in open_ if place - one[0] <= grace]
        spare = count - least
        if spare < 0:
            open_.append([place, -spare])
            continue
        while open_ and spare > 0:
            paid = min(spare, open_[0][1])
            open_[0][1] -= paid
            spare -= paid
            if not open_[0][1]:
                open_.pop(0)
    return sorted([*lost, *(int(one[0]) for one in open_)])
