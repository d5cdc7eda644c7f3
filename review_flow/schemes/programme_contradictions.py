"""What a scheme may get wrong about a programme: its indicator tree, its points, its themes, days and quotas."""

from collections.abc import Iterator
from decimal import Decimal

from review_flow.i18n import _, listed, say
from review_flow.rules.counted import COUNTS
from review_flow.rules.expressions import kind_of
from review_flow.rules.schedule import day_of
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Component


def _components(scheme: Scheme) -> Iterator[tuple[str, str]]:
    slots = {slot.id for slot in scheme.deliverables}
    names = [node.id for node in scheme.nodes()]
    for path, node in _nodes("components", scheme.components):
        if names.count(node.id) > 1:
            yield path, say(_("“{name}”写了两次。"), name=node.id)
        yield from ((path, text) for text in _component(scheme, node, slots))


def _nodes(path: str, components: tuple[Component, ...]) -> Iterator[tuple[str, Component]]:
    for one in components:
        yield f"{path}.{one.id}", one
        yield from _nodes(f"{path}.{one.id}.components", one.components)


def _component(scheme: Scheme, node: Component, slots: set[str]) -> Iterator[str]:
    rule = node.scoring
    kind = rule.type if rule else "completion"
    if node.components and kind not in {"sum", "completion"}:
        yield say(_("有下级考核项时，计分方式只能是 sum 或 completion。"))
    if not node.components and kind == "sum":
        yield say(_("计分方式为 sum，却没有下级考核项。"))
    if kind == "completion" and not (node.components or node.needs or node.by_role or node.by_tier) and node.scored:
        yield say(_("考核项没有写要交什么（needs），也没有下级。"))
    if kind == "checklist" and not node.items:
        yield say(_("勾选式考核项没有条目。"))
    needs = [*node.needs, *(need for part in (node.by_role, node.by_tier) for asked in part.values() for need in asked)]
    asked_slots = {one for need in needs for one in (need.slot, *need.accept_also)}
    asked_slots |= {rule.slot} if rule and rule.slot else set()
    if asked_slots - slots:
        yield say(_("deliverables 里没有“{name}”。"), name=listed(sorted(asked_slots - slots)))
    strangers = ({*node.by_role, *([node.only] if node.only else [])} - set(scheme.roles)) | (
        {*node.by_tier, *(rule.by_tier if rule else ())} - {tier.id for tier in scheme.select.tiers}
    )
    if strangers:
        yield say(_("方案里没有角色或层级“{name}”。"), name=listed(sorted(strangers)))
    lacking = [] if rule is None else [one for one in WANTS.get(kind, ()) if getattr(rule, one) is None]
    if lacking:
        yield say(_("计分方式 {kind} 缺少{fields}。"), kind=kind, fields=listed(lacking))
    yield from _numbers(node)
    if rule and rule.metric is not None and (kind_of(rule.metric) or ("", ""))[0] != "number":
        yield say(_("“{name}”不是可以比较的数。"), name=rule.metric)
    if scheme.compose.rule == "sum_points" and kind == "per_unit" and rule and rule.cap is not None:
        yield from _points_differ(node, rule.cap)


def _numbers(node: Component) -> Iterator[str]:
    """More that is done never earns less: no number of points, and no full mark at nothing."""
    rule = node.scoring
    if rule and rule.of is not None and rule.of <= 0:
        yield say(_("计满分的数（of）应大于0。"))
    written = {"points": node.points, "weight": node.weight}
    written |= {"each": rule.each, "cap": rule.cap} if rule else {}
    if negative := [name for name, value in written.items() if value is not None and value < 0]:
        yield say(_("{fields}不能为负。"), fields=listed(negative))


def _points_differ(node: Component, cap: Decimal) -> Iterator[str]:
    if node.points is not None and node.points != cap:
        yield say(_("points（{points}）与封顶（{cap}）不一致。"), points=node.points, cap=cap)


WANTS = {
    "per_unit": ("slot", "each"),
    "threshold": ("metric", "value"),
    "periodic": ("value",),
    "ratio": ("metric", "of"),
}


def _points(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """Points and weights agree with the scale and with each other."""
    roots = [root for root in scheme.components if root.scored]
    if scheme.compose.rule == "weighted_components":
        total = sum((root.weight or Decimal(0) for root in roots), Decimal(0))
        if total != 1:
            yield "components", say(_("权重之和应为1，现为{total}。"), total=total)
    if scheme.compose.rule == "sum_points":
        total = sum((root.points or Decimal(0) for root in roots), Decimal(0))
        if total != scheme.adjust.clamp[1]:
            yield (
                "components",
                say(_("各考核项满分之和应为{top}，现为{total}。"), top=scheme.adjust.clamp[1], total=total),
            )
        for path, node in _nodes("components", scheme.components):
            below = sum((part.points or Decimal(0) for part in node.components), Decimal(0))
            if node.scoring is not None and node.scoring.type == "sum" and node.points != below:
                text = say(_("满分{points}与下级之和{total}不一致。"), points=node.points, total=below)
                yield f"{path}.points", text


def _programme(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """Names that lead nowhere, days that are none, hours of themes that fall short of their ledger."""
    ledgers = {ledger.id for ledger in scheme.hours.ledgers}
    for theme in scheme.themes:
        if set(theme.hours) - ledgers:
            yield (
                f"themes.{theme.id}.hours",
                say(_("没有学时账“{name}”。"), name=listed(sorted(set(theme.hours) - ledgers))),
            )
    known = {theme.id for theme in scheme.themes}
    for stage in scheme.theme_stages:
        if set(stage.themes) - known:
            text = say(_("没有主题“{name}”。"), name=listed(sorted(set(stage.themes) - known)))
            yield f"theme_stages.{stage.id}.themes", text
    for one in scheme.certificates:
        if one.ledger is not None and one.ledger not in ledgers:
            yield f"certificates.{one.id}.ledger", say(_("没有学时账“{name}”。"), name=one.ledger)
    for phase in scheme.phases:
        days = [
            ("begins", phase.begins),
            ("ends", phase.ends),
            *((f"tasks.{task.id}.by", task.by) for task in phase.tasks),
        ]
        yield from _days(f"phases.{phase.id}", days)
    for target in scheme.targets:
        yield from _days(f"targets.{target.id}", [("by", target.by)])


def _approval(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """A chain never stops for ever: what peer review waits for has its days (001-C-07)."""
    rule = scheme.approval
    if rule.peers is not None and rule.peers not in rule.chain:
        yield "approval.peers", say(_("应为以下之一：{allowed}。"), allowed=listed(rule.chain) or say(_("无")))
    elif rule.peers is not None and rule.days is None:
        yield "approval.peers", say(_("互评之前有审核时，须写明几日内审核（days），逾期不停等。"))
    if len(set(rule.chain)) < len(rule.chain):
        yield (
            "approval.chain",
            say(_("“{name}”写了两次。"), name=next(x for x in rule.chain if rule.chain.count(x) > 1)),
        )


def _counts(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """What a quota counts is computed at its level or told of; what it is a share of is known by name."""
    computed = {one.id: one for one in COUNTS}
    told = {quota.of for quota in scheme.quotas} | set(scheme.groups.get("told", {}))
    for quota in scheme.quotas:
        for field, name in (("of", quota.of), ("share_of", quota.share_of)):
            if name in computed and quota.level not in computed[name].levels:
                text = say(_("“{name}”不在这一级计算（{how}）。"), name=name, how=computed[name].how_zh)
                yield f"quotas.{quota.id}.{field}", text
        if quota.share_of is not None and quota.share_of not in {*computed, *told}:
            text = say(_("没有“{name}”这个数：系统计算的有{known}；要登记的，请写在 groups.told 里。"),
                       name=quota.share_of, known=listed(computed))  # fmt: skip
            yield f"quotas.{quota.id}.share_of", text


def _days(path: str, days: list[tuple[str, str | None]]) -> Iterator[tuple[str, str]]:
    for field, written in days:
        try:
            day_of(written, None)
        except ValueError:
            yield f"{path}.{field}", say(_("没有“{day}”这一天。"), day=written)


PROGRAMME_LOOKS = (_components, _points, _programme, _approval, _counts)
