"""What a well-formed scheme may still get wrong: numbers that do not agree, names that lead nowhere, open questions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from decimal import Decimal
from itertools import pairwise
from typing import Any

from review_flow.i18n import _, listed, say
from review_flow.rules.build import exact
from review_flow.rules.catalogue import Slot
from review_flow.rules.expressions import VOCABULARY, ExpressionError, names, parse
from review_flow.rules.paths import leaves, value_at
from review_flow.rules.scheme import Scheme
from review_flow.schemes.programme_contradictions import PROGRAMME_LOOKS

Found = tuple[str, str, str]  # dotted path, Chinese sentence, error | warning
ERROR, WARNING = "error", "warning"
LEAST_CONFIDENCE, MOST_CONFIDENCE = Decimal("0.5"), Decimal("0.9999")  # of a machine that says it saw somebody


def contradictions(scheme: Scheme, written: Mapping[str, Any], *, ready: bool) -> Iterator[Found]:
    """Yield what contradicts itself in a scheme; `written` is the author's own part of it."""
    for look in LOOKS:
        for path, text in look(scheme):
            yield path, text, ERROR
    for advise in ADVICE:
        for path, text in advise(scheme):
            yield path, text, WARNING
    yield from ((path, text, ERROR) for path, text in _sources(scheme, written))
    for unknown in scheme.unconfirmed():
        values = list(scheme.in_force(unknown).values())
        value = _brief(values[0]) if len(values) == 1 else say(_("{count}处默认值"), count=len(values))
        text = say(_("本校待确认：{text}，现用{value}。"), text=unknown.text_zh, value=value)
        yield f"unknowns.{unknown.id}", text, ERROR if ready else WARNING


def _weights(scheme: Scheme) -> Iterator[tuple[str, str]]:
    sources = scheme.compose.sources
    total = sum(sources.values(), Decimal(0))
    if sources and total != 1:
        yield "compose.sources", say(_("权重之和应为1，现为{total}。"), total=total)
    if sources and scheme.compose.rule != "weighted_mean":
        yield "compose.sources", say(_("按考核项合成时不写评分来源。"))
    if sources and "panel" not in sources:
        yield "compose.sources", say(_("必须有考核组（panel）的权重。"))
    if any(weight < 0 for weight in sources.values()):
        yield "compose.sources", say(_("权重不能为负。"))
    if sources.get("peer") and scheme.review.peer.give == 0:
        yield "review.peer.give", say(_("互评计入成绩，却不要求互评。"))


def _bands(scheme: Scheme) -> Iterator[tuple[str, str]]:
    bands = scheme.bands.list
    stretches = [(band.min, band.max, band.grade) for band in bands if band.min is not None and band.max is not None]
    if any(band.when is not None for band in bands) != (not stretches) or len(stretches) not in (0, len(bands)):
        yield "bands.list", say(_("所有等次要么都写 min 和 max，要么都写 when。"))
    elif stretches:
        yield from _stretches(scheme, stretches)
    elif bands[-1].when != "true":
        yield "bands.list", say(_('最后一个等次应为 when: "true"，否则有人没有等次。'))


def _stretches(scheme: Scheme, bands: list[tuple[Decimal, Decimal, str]]) -> Iterator[tuple[str, str]]:
    """Bands on a scale: best first, touching each other, from the clamp's top to its bottom."""
    if not scheme.compose.numbered:
        yield "bands.list", say(_("等次按分数划分，但 compose.sources 没有分数来源。"))
    for low, high, grade in bands:
        if low > high:
            yield f"bands.list.{grade}", say(_("{grade}的下限{low}大于上限{high}。"), grade=grade, low=low, high=high)
    for (low, _high, upper), (_low, high, lower) in pairwise(bands):
        who = {"upper": upper, "lower": lower, "low": low, "high": high}
        if high < low:
            yield f"bands.list.{lower}.max", say(_("{high}到{low}之间没有等次（{lower}与{upper}之间有空档）。"), **who)
        if high > low:
            yield f"bands.list.{lower}.max", say(_("{low}到{high}之间有两个等次（{lower}与{upper}重叠）。"), **who)
    bottom, top = scheme.adjust.clamp
    if bands[0][1] != top or bands[-1][0] != bottom:
        yield "bands.list", say(_("等次应从{bottom}分到{top}分。"), bottom=bottom, top=top)


def _levels(scheme: Scheme) -> Iterator[tuple[str, str]]:
    ladder = list(scheme.checklist_levels)
    if set(ladder) != set(scheme.level_marks):
        yield "level_marks", say(_("等级应与 checklist_levels 相同：{levels}。"), levels=listed(ladder))
    bottom, top = scheme.adjust.clamp
    for level, (low, high) in scheme.level_marks.items():
        if not bottom <= low <= high <= top:
            yield f"level_marks.{level}", say(_("分数段{low}–{high}不对。"), low=low, high=high)
    if scheme.ability.pass_level not in scheme.ability.levels:
        yield "ability.pass_level", say(_("应为以下之一：{allowed}。"), allowed=listed(scheme.ability.levels))


def _adjust(scheme: Scheme) -> Iterator[tuple[str, str]]:
    if scheme.adjust.order[:1] != ("compose",):
        yield "adjust.order", say(_("第一步应为 compose。"))
    if scheme.adjust.clamp[0] >= scheme.adjust.clamp[1]:
        yield "adjust.clamp", say(_("下限应小于上限。"))
    for deduction in scheme.adjust.deductions:
        if deduction.each >= 0:
            yield f"adjust.deductions.{deduction.id}.each", say(_("扣分应写成负数。"))
    for bonus in scheme.adjust.bonuses:
        if bonus.cap is not None and bonus.cap < 0:
            yield f"adjust.bonuses.{bonus.id}.cap", say(_("封顶不能为负。"))
        if not bonus.may_cross_pass and any(band.min is None for band in scheme.bands.list):
            yield f"adjust.bonuses.{bonus.id}.may_cross_pass", say(_("等次不按分数划分，没有合格线。"))


def _expressions(scheme: Scheme) -> Iterator[tuple[str, str]]:
    known = {
        "hours": {"met", *(ledger.id for ledger in scheme.hours.ledgers)},
        "minutes": {ledger.id for ledger in scheme.hours.minutes},
        "component": {node.id for node in scheme.nodes()},
        "slots": {slot.id for slot in scheme.deliverables},
        "attendance": {name for one in scheme.activities for name in (one.id, one.series)},
        "test": {test.id for test in scheme.tests},
        "cert": {one.id for one in scheme.certificates},
        "quota": {quota.id for quota in scheme.quotas},
        "role": set(scheme.roles),
    }
    for path, text in _written_expressions(scheme):
        try:
            asked = names(parse(text))
        except ExpressionError as error:
            yield path, str(error)
            continue
        late = _later(scheme, path)
        for name in asked:
            family, _dot, rest = name.partition(".")
            if name in late or family in late:
                yield path, say(_("判定到这里时还没有“{name}”。"), name=name)
            if family in known and name not in VOCABULARY and rest.split(".")[0] not in known[family]:
                yield path, say(_("表达式中的“{name}”在方案里没有定义。"), name=name)


RESULT = {"score", "grade", "gates.passed", "cert"}  # what comes of a record, after its facts


def _later(scheme: Scheme, path: str) -> set[str]:
    """Return the facts, or families of them, that are not there yet when the expression at a path is judged."""
    section, _dot, rest = path.partition(".")
    if section == "consequences":
        return set()
    if section == "certificates":
        ids = [one.id for one in scheme.certificates]
        return {f"cert.{one}" for one in ids[ids.index(rest.split(".")[0]) :]}
    if section == "bands":
        return {"grade", "cert"}
    return RESULT | {"applies_to": {"exempt"}, "components": {"exempt", "component"}}.get(section, set())


def _written_expressions(scheme: Scheme) -> Iterator[tuple[str, str]]:
    for section, gates in (("prerequisites", scheme.prerequisites), ("gates", scheme.gates)):
        for gate in gates:
            yield f"{section}.{gate.id}.expr", gate.expr
    for band in scheme.bands.list:
        if band.when is not None:
            yield f"bands.list.{band.grade}.when", band.when
    for exemption in scheme.applies_to.exemptions:
        yield f"applies_to.exemptions.{exemption.id}.expr", exemption.expr
    for certificate in scheme.certificates:
        yield f"certificates.{certificate.id}.when", certificate.when
    for consequence in scheme.consequences:
        yield f"consequences.{consequence.id}.when", consequence.when
    for node in scheme.nodes():
        if node.scoring is not None and node.scoring.metric is not None:
            yield f"components.{node.id}.scoring.metric", f"{node.scoring.metric} >= 0"


def _gates(scheme: Scheme) -> Iterator[tuple[str, str]]:
    grades = scheme.bands.grades
    for section, gates in (("prerequisites", scheme.prerequisites), ("gates", scheme.gates)):
        for gate in gates:
            if gate.on_fail.grade is not None and gate.on_fail.grade not in grades:
                text = say(_("应为以下之一：{allowed}。"), allowed=listed(grades))
                yield f"{section}.{gate.id}.on_fail.grade", text


def _selection(scheme: Scheme) -> Iterator[tuple[str, str]]:
    school, dimensions = scheme.select.school, len(scheme.catalogue.dimensions)
    listed = school.min if school.exactly is None else school.exactly
    for tier in (None, *(tier.id for tier in scheme.select.tiers)):
        rule = scheme.teacher_selection(tier)
        path = "select.teacher" if tier is None else f"select.tiers.{tier}"
        if rule.max is not None and rule.max < rule.min:
            yield path, say(_("最多{max}项少于最少{min}项。"), max=rule.max, min=rule.min)
        if rule.min_dimensions > min(rule.min, dimensions):
            text = say(_("选{min}项、目录{dimensions}个维度，覆盖不了{wanted}个维度。"),
                       min=rule.min, dimensions=dimensions, wanted=rule.min_dimensions)  # fmt: skip
            yield f"{path}.min_dimensions", text
        if rule.within == "school_list" and listed < rule.min:
            text = say(_("学校清单{listed}项，教师却要从中选{min}项。"), listed=listed, min=rule.min)
            yield "select.school", text
        if rule.within == "school_list" and (school.min_dimensions or 0) < rule.min_dimensions:
            text = say(_("学校清单应至少覆盖{wanted}个维度，否则没有教师能选够。"), wanted=rule.min_dimensions)
            yield "select.school.min_dimensions", text


def _peers(scheme: Scheme) -> Iterator[tuple[str, str]]:
    peer = scheme.review.peer
    if peer.receive_min > peer.receive_target:
        yield "review.peer.receive_min", say(_("最少收到的份数大于目标份数。"))
    if peer.receive_target > peer.give:
        text = say(_("每人只评{give}份，不可能人人收到{target}份。"), give=peer.give, target=peer.receive_target)
        yield "review.peer.receive_target", text


def _peer_marks(scheme: Scheme) -> Iterator[tuple[str, str]]:
    peer = scheme.review.peer
    if not 0 < peer.reliability.weight_min <= 1 <= peer.reliability.weight_max:
        yield "review.peer.reliability", say(_("权重下限应大于0且不超过1，上限不小于1。"))
    shares = {
        "disagreement.straddle_probability": peer.disagreement.straddle_probability,
        "effort.copied_share": peer.effort.copied_share,
    }
    for path, share in shares.items():
        if not 0 <= share <= 1:
            yield f"review.peer.{path}", say(_("应在{low}到{high}之间。"), low=0, high=1)


def _slots(scheme: Scheme) -> Iterator[tuple[str, str]]:
    low, high = LEAST_CONFIDENCE, MOST_CONFIDENCE
    if not low <= scheme.evidence.confidence <= high:
        yield "evidence.confidence", say(_("应在{low}到{high}之间。"), low=low, high=high)
    for code, limits in scheme.evidence.limits.items():
        known = {slot.id for slot in scheme.slots(code)}
        if scheme.catalogue.get(code) is None:
            yield f"evidence.limits.{code}", say(_("微能力目录里没有“{code}”。"), code=code)
        for slot in limits.keys() - known:
            yield f"evidence.limits.{code}.{slot}", say(_("{code}没有证据项“{slot}”。"), code=code, slot=slot)
        for one in scheme.slots(code):
            yield from _upside_down(f"evidence.limits.{code}.{one.id}", one)
    for one in scheme.evidence.slots:
        yield from _upside_down(f"evidence.slots.{one.id}", one)


def _upside_down(path: str, slot: Slot) -> Iterator[tuple[str, str]]:
    for low, high in ((slot.min_seconds, slot.max_seconds), (slot.min_chars, slot.max_chars)):
        if low is not None and high is not None and low > high:
            yield path, say(_("“{slot}”的下限大于上限。"), slot=slot.name_zh)


def _unknowns(scheme: Scheme) -> Iterator[tuple[str, str]]:
    known = {unknown.id for unknown in scheme.unknowns}
    for unknown in scheme.unknowns:
        if not _exists(scheme.document, unknown.path):
            text = say(_("方案里没有“{path}”这个字段。"), path=unknown.path)
            yield f"unknowns.{unknown.id}.path", text
    for name in scheme.confirmed:
        if name not in known:
            yield "confirmed", say(_("待确认事项里没有“{name}”。"), name=name)
    for name in ("locked", "amendable"):
        for path in getattr(scheme.lock, name):
            if not _exists(scheme.document, path):
                yield f"lock.{name}", say(_("方案里没有“{path}”这个字段。"), path=path)


def _sources(scheme: Scheme, written: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every value of the rules says where it comes from, and every source is about something (design rule 1)."""
    own = written.get("sources", {})
    for path in own:
        if not _exists(scheme.document, path):
            yield f"sources.{path}", say(_("方案里没有“{path}”这个字段。"), path=path)
    for path, value in leaves(written):
        above = (path, *(path.rsplit(".", count)[0] for count in range(1, path.count(".") + 1)))
        if value not in (None, [], {}) and not any(known in own for known in above):
            yield path, say(_("没有出处：请在 sources 里写规则编号或 default。"))


def _loosened(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """X-35: a scheme may tighten what the ability's guide asks; loosening it deserves a look."""
    for code, limits in scheme.evidence.limits.items():
        ability = scheme.catalogue.get(code)
        guide = {slot.id: asdict(slot) for slot in ability.slots} if ability else {}
        for slot, changes in limits.items():
            for name, value in changes.items():
                old = guide.get(slot, {}).get(name)
                if old is not None and _looser(name, old, value):
                    text = say(_("比能力规范宽：规范为{old}，方案为{new}。"), old=_brief(old), new=_brief(value))
                    yield f"evidence.limits.{code}.{slot}.{name}", text


def _looser(name: str, old: Any, new: Any) -> bool:
    if name.startswith("max"):
        return new is None or exact(new) > old
    if name.startswith("min") or name == "count":
        return new is None or exact(new) < old
    return name in {"required", "shows_teacher"} and old and not new


def _unseen(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """001-A-29: where the teacher must be seen, some slot has to ask for it."""
    if "no_teacher_image" in scheme.evidence.validity.invalid_if_any:
        hidden = [
            ability.code
            for ability in scheme.catalogue.abilities
            if not any(slot.shows_teacher for slot in scheme.slots(ability.code))
        ]
        if hidden:
            text = say(_("这些微能力没有一项证据要求出现教师本人：{codes}。"), codes=listed(hidden))
            yield "evidence.validity", text


def _clamp_last(scheme: Scheme) -> Iterator[tuple[str, str]]:
    if scheme.adjust.order[-1:] != ("clamp",):
        yield "adjust.order", say(_("截断（clamp）通常只做一次，放在最后。"))


def _exists(document: Mapping[str, Any], path: str) -> bool:
    """Return whether a path leads somewhere, even to an empty value."""
    parent, _dot, last = path.rpartition(".")
    node = value_at(document, parent) if parent else document
    return last in node if isinstance(node, Mapping) else value_at(document, path) is not None


def _brief(value: object) -> str:
    if isinstance(value, list):
        return listed(value)
    if isinstance(value, bool):
        return say(_("是")) if value else say(_("否"))
    return say(_("无")) if value is None else str(value)


Look = Callable[[Scheme], Iterator[tuple[str, str]]]
LOOKS: tuple[Look, ...] = (
    _weights, _bands, _levels, *PROGRAMME_LOOKS, _adjust, _expressions, _gates, _selection, _peers, _peer_marks, _slots, _unknowns,
)  # fmt: skip
ADVICE: tuple[Look, ...] = (_loosened, _unseen, _clamp_last)
