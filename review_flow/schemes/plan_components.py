"""The article of the printed plan that lists what is assessed: the indicator tree with points, weights and needs."""

from collections.abc import Iterator, Sequence

from review_flow.rules.programme import Need
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Component, Scoring
from review_flow.schemes.plan import Block, Table, Taking
from review_flow.schemes.wording import fact_name, listed, percent, sign, word


def components(take: Taking) -> Iterator[Block]:
    """The indicator tree, parts below what they belong to."""
    take("components")
    scheme = take.scheme
    if not scheme.components:
        return
    yield "考核项目及要求如下："
    table = tuple(row for number, one in enumerate(scheme.components, 1) for row in _rows(scheme, one, str(number)))
    value = "权重" if any(one.weight is not None for one in scheme.nodes()) else "分值"
    yield Table(("序号", "考核项目", value, "要求与评定办法"), table, (2, 5, 2, 11))


def _rows(scheme: Scheme, node: Component, number: str) -> Iterator[tuple[str, str, str, str]]:
    worth = "；".join(
        part
        for part in (
            f"{node.points}分" if node.points is not None else "",
            percent(node.weight) if node.weight is not None else "",
        )
        if part
    )
    yield number, node.name_zh, worth or "—", "；".join(_asked(scheme, node)) or "—"
    for place, part in enumerate(node.components, 1):
        yield from _rows(scheme, part, f"{number}.{place}")


def _asked(scheme: Scheme, node: Component) -> Iterator[str]:
    if node.mandatory:
        yield "必做"
    if node.key:
        yield "关键项"
    if not node.scored:
        yield "不单独评定"
    if node.only is not None:
        yield f"仅限{scheme.roles.get(node.only, node.only)}"
    if node.needs:
        yield f"提交{_needs(scheme, node.needs)}"
    some = [(scheme.roles.get(role, role), needs) for role, needs in node.by_role.items()]
    some += [(_tier(scheme, tier), needs) for tier, needs in node.by_tier.items()]
    yield from (f"{who}提交{_needs(scheme, needs)}" for who, needs in some)
    if node.scoring is not None:
        yield _scoring(scheme, node.scoring)
    if node.items:
        yield "　".join(f"（{place}）{item.text_zh}" for place, item in enumerate(node.items, 1))
    if node.zero_parent:
        yield "未完成的，所属项目不得分"


def _needs(scheme: Scheme, needs: Sequence[Need]) -> str:
    return "、".join(_need(scheme, need) for need in needs)


def _need(scheme: Scheme, need: Need) -> str:
    instead = f"（可以{'、'.join(slot_name(scheme, one) for one in need.accept_also)}代替）" if need.accept_also else ""
    about = "" if need.on == "any" else f"（针对{word(need.on)}）"
    return f"{slot_name(scheme, need.slot)}{need.count}份{about}{instead}"


def slot_name(scheme: Scheme, slot: str) -> str:
    """Return what a deliverable is called."""
    return next((one.name_zh for one in scheme.deliverables if one.id == slot), word(slot))


def _tier(scheme: Scheme, tier: str) -> str:
    return next((one.name_zh for one in scheme.select.tiers if one.id == tier), tier)


def _scoring(scheme: Scheme, rule: Scoring) -> str:
    metric = "" if rule.metric is None else fact_name(scheme, rule.metric)
    tiers = "".join(f"（{_tier(scheme, tier)}{value}）" for tier, value in rule.by_tier.items())
    slot = "" if rule.slot is None else slot_name(scheme, rule.slot)
    cap = "" if rule.cap is None else f"，最高{rule.cap}分"
    match rule.type:
        case "threshold":
            return f"{metric}{sign(rule.op)}{rule.value}{tiers}"
        case "periodic":
            return f"每期{slot}不少于{rule.value}份{tiers}，缺少的可以在{rule.grace}期内补齐"
        case "per_unit":
            return f"每份{slot}计{rule.each}分{cap}"
        case "ratio":
            return f"按{metric}占{rule.of}的比例折算为百分制得分{cap}"
        case "score":
            return "由评审人按百分制评分"
        case other:
            return listed([other])
