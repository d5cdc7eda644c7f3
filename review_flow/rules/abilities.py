"""One ability's level and number, and which abilities count (X-11, X-12, X-31)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import combinations

from review_flow.rules.marks import (
    Number,
    band_of,
    equals,
    has_scale,
    panel_needs_arbiter,
    plain_method,
    points,
    position_of,
    shown,
    with_arbiter,
)
from review_flow.rules.marks import aggregate as aggregated
from review_flow.rules.outcome import AbilityOutcome
from review_flow.rules.peer_marks import agreed
from review_flow.rules.peer_marks.ledger import trusted
from review_flow.rules.record import AbilityFacts, Record, WholeMarks
from review_flow.rules.rubric import conjunctive
from review_flow.rules.scheme import Scheme
from review_flow.rules.voices import NAMES, Voice, mean_of

Voices = Mapping[str, tuple[Voice, ...]]
METHODS = {"mean": "平均", "median": "中位数", "trimmed": "去掉最高最低后平均"}


@dataclass(frozen=True)
class Composition:
    """Peers' and panel's marks made one number; `arithmetic` shows how, for a pocket calculator."""

    peer: Fraction | None
    panel: Fraction | None
    score: Fraction | None
    flags: tuple[str, ...]
    arithmetic: str


@dataclass(frozen=True)
class Judged:
    """An ability with its level and number."""

    facts: AbilityFacts
    level: str | None
    passed: bool | None
    composition: Composition
    counts: bool = False

    @property
    def score(self) -> Fraction | None:
        """Return the ability's number, None without marks."""
        return self.composition.score

    def explained(self) -> str:
        """Return the ability's ledger line."""
        name = f"{self.facts.code} {self.facts.name_zh}".strip()
        state = "有效" if self.facts.valid else "未提交" if self.facts.not_handed_in else "证据无效"
        counted = "计入" if self.counts else "不计入"
        about = f"{name}（{state}，{self.level or '未评等级'}）"
        late = f"；{'、'.join(self.facts.overdue)}逾期未作，按方案视为通过" if self.facts.overdue else ""
        return about + late if self.score is None else f"{about}{counted}：{self.composition.arithmetic}{late}"

    def outcome(self) -> AbilityOutcome:
        """Return the ability for the outcome."""
        numbers = (self.composition.peer, self.composition.panel, self.composition.score)
        peer, panel, score = (None if number is None else points(number) for number in numbers)
        return AbilityOutcome(
            code=self.facts.code,
            dimension=self.facts.dimension,
            valid=self.facts.valid,
            level=self.level,
            passed=self.passed,
            peer=peer,
            panel=panel,
            score=score,
            counts=self.counts,
        )


def judge_all(scheme: Scheme, teacher: Record) -> list[Judged]:
    """Return a teacher's abilities with level and number; what further sources say counts in each (X-40)."""
    return [_judge(scheme, facts, teacher.voices) for facts in teacher.abilities or ()]


def _judge(scheme: Scheme, facts: AbilityFacts, voices: Voices) -> Judged:
    """Invalid evidence never passes (001-A-29, N18)."""
    composition = composed(scheme, facts, voices)
    level = _level(scheme, facts, composition)
    ladder = scheme.ability.levels
    passed: bool | None = None
    if not facts.valid:
        passed = False
    elif level is not None:
        passed = ladder.index(level) <= ladder.index(scheme.ability.pass_level)
    return Judged(facts, level, _approved(scheme, facts, passed=passed), composition)


def _approved(scheme: Scheme, facts: AbilityFacts, *, passed: bool | None) -> bool | None:
    """001-C-07: with a chain of approvals an ability passes only when all of them were given."""
    steps = [passed, *(facts.approvals.get(step) for step in scheme.approval.chain)]
    return False if False in steps else None if None in steps else True


def composed(scheme: Scheme, facts: AbilityFacts | WholeMarks, voices: Voices) -> Composition:
    """Return the weighted number; without enough peers the panel's weight becomes 1 (T12, N14)."""
    weights = {name: Fraction(weight) for name, weight in scheme.compose.sources.items()}
    flags: list[str] = []
    panel, panel_text = _panel(scheme, facts, flags)
    peer, peer_text = (None, "") if facts.peer_missing else _peer(scheme, facts, flags)
    if panel is None:
        return Composition(peer, None, None, tuple(flags), "没有考核组评分")
    if weights.keys() - {"peer", "panel"}:
        return _of_many(scheme, voices, {"peer": (peer, peer_text), "panel": (panel, panel_text)}, flags)
    if peer is None and weights.get("peer") and "peer_not_agreed" not in flags:
        flags.append("peer_missing")
    if peer is None or not weights.get("peer"):
        return Composition(peer, panel, panel, tuple(flags), f"{panel_text}，按考核组评分计")
    total = peer * weights["peer"] + panel * weights["panel"]
    written = scheme.compose.sources
    terms = f"{shown(peer)}×{written['peer']}+{shown(panel)}×{written['panel']}{equals(total)}"
    return Composition(peer, panel, total, tuple(flags), f"{peer_text}，{panel_text}；{terms}")


def _of_many(
    scheme: Scheme,
    voices: Voices,
    core: Mapping[str, tuple[Fraction | None, str]],
    flags: list[str],
) -> Composition:
    """X-40: further sources (self, pupils, parents) beside peers and panel; the weights of those that came make 1."""
    spoken = {**core, **{name: mean_of(scheme, name, said) for name, said in voices.items()}}
    came = {name: number for name, (number, _text) in spoken.items() if number is not None}
    written = scheme.compose.sources
    counting = {name: number for name, number in came.items() if written.get(name)}
    if set(counting) != {name for name, weight in written.items() if weight}:
        flags.append("peer_missing" if "peer" not in counting and written.get("peer") else "source_missing")
    whole = sum((Fraction(written[name]) for name in counting), Fraction(0))
    if not whole:  # nobody who counts has spoken: as without peers, the panel alone (T12)
        return Composition(
            core["peer"][0], core["panel"][0], core["panel"][0], tuple(flags), f"{core['panel'][1]}，按考核组评分计"
        )
    total = sum((number * Fraction(written[name]) for name, number in counting.items()), Fraction(0)) / whole
    terms = "+".join(f"{shown(number)}×{written[name]}" for name, number in counting.items())
    said = "，".join(
        text if written.get(name) or number is None else f"{text}（不计权重）"
        for name, (number, text) in spoken.items()
        if text
    )
    sums = f"({terms})÷{shown(whole)}" if whole != 1 else terms
    return Composition(core["peer"][0], core["panel"][0], total, tuple(flags), f"{said}；{sums}{equals(total)}")


def choose_counting(scheme: Scheme, abilities: Sequence[Judged], tier: str | None) -> list[Judged]:
    """Return the abilities with the best ones that still span the dimensions marked as counting (X-31).

    Passed abilities come first; only when there are too few of them do other valid ones count.
    """
    rule = scheme.teacher_selection(tier)
    marked = [ability for ability in abilities if ability.facts.valid and ability.score is not None]
    passed = [ability for ability in marked if ability.passed]
    pool = passed if len(passed) >= rule.min else marked
    best = _best(pool, min(rule.min, len(pool)), rule.min_dimensions)
    return [replace(ability, counts=ability in best) for ability in abilities]


def _best(pool: Sequence[Judged], size: int, dimensions: int) -> Sequence[Judged]:
    groups = list(combinations(pool, size))
    spanning = [group for group in groups if len({ability.facts.dimension for ability in group}) >= dimensions]
    return max(spanning or groups, key=lambda group: sum(ability.score or 0 for ability in group), default=())


def _level(scheme: Scheme, facts: AbilityFacts, composition: Composition) -> str | None:
    if facts.level is not None:
        return facts.level
    if scheme.ability.rule == "average":
        return None if composition.score is None or not has_scale(scheme) else _banded(scheme, composition.score)
    return None if facts.levels is None else conjunctive(scheme, facts.levels)


def _banded(scheme: Scheme, score: Fraction) -> str:
    """Return the level of the average rule: the number's band, or where levels go by other names, passed or failed."""
    grade, levels = band_of(scheme, score), scheme.ability.levels
    if grade in levels:
        return grade
    return levels[-1] if grade == scheme.bands.grades[-1] else scheme.ability.pass_level


def _panel(scheme: Scheme, facts: AbilityFacts | WholeMarks, flags: list[str]) -> tuple[Fraction | None, str]:
    rule = scheme.review.panel
    marks = with_arbiter(facts.panel, facts.arbiter)
    if not marks:
        return None, ""
    if isinstance(facts, AbilityFacts) and facts.heard:
        flags.append("heard")
    elif isinstance(facts, AbilityFacts) and len(marks) < rule.size:
        flags.append("panel_incomplete")
    if facts.arbiter is None and panel_needs_arbiter(scheme, facts.panel):
        flags.append("needs_arbiter")
    mark, text = _said(NAMES["panel"], rule.aggregate, marks)
    if facts.arbiter is not None:
        text += f"（仲裁{shown(facts.arbiter)}分替换与其相差最大的一个）"
    return mark, text


def _peer(scheme: Scheme, facts: AbilityFacts | WholeMarks, flags: list[str]) -> tuple[Fraction | None, str]:
    """Return the peers' mark and its arithmetic; None where too few came, or differ and the scheme wants agreement."""
    rule = scheme.review.peer
    if isinstance(facts, WholeMarks) and len(facts.peer) == 1:
        return _said(NAMES["peer"], "mean", facts.peer)  # its count was judged when it was made
    if len(facts.peer) < max(rule.receive_min, 1):
        return None, ""
    if rule.disagreement.no_straddle and has_scale(scheme):
        place = partial(position_of, scheme)
        if agreed(facts.peer, most_apart=rule.disagreement.spread_max, place=place) is None:
            flags.append("peer_not_agreed")
            return None, ""
    trust = facts.trust if isinstance(facts, AbilityFacts) else None
    if rule.aggregate == "reliability" and trust is not None:
        return trusted(facts.peer, trust)
    return _said(NAMES["peer"], plain_method(rule.aggregate), facts.peer)


def _said(who: str, method: str, marks: Sequence[Number]) -> tuple[Fraction, str]:
    """Return what marks come to, and the words for it."""
    mark = aggregated(method, marks)
    if len(marks) == 1:
        return mark, f"{who}{shown(mark)}"
    return mark, f"{who}{'、'.join(map(shown, marks))}的{METHODS[method]}{shown(mark)}"
