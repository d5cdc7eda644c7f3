"""The articles of the printed plan that make a number and a grade."""

from collections.abc import Iterator

from review_flow.schemes.plan import Block, Listed, Table, Taking
from review_flow.schemes.wording import condition, listed, percent, said, word


def levels(take: Taking) -> Iterator[Block]:
    """X-07, X-08: how many ticked lines make a level, and the marks a level allows."""
    ticked, marks = take.fields("checklist_levels"), take.fields("level_marks")
    if not take.scheme.rated_components():
        take.moot("checklist_levels")
        take.moot("level_marks")
        return
    yield "逐条勾选的考核项目按达到的条数定级，评审人在该等级的分数段内评分："
    names = list(dict.fromkeys([*ticked, *marks]))
    yield Table(
        ("等级", "达到的条目", "分数段"),
        tuple((name, _ticked(ticked.get(name)), _span(marks.get(name))) for name in names),
        (1, 2, 2),
    )


def _ticked(value: object) -> str:
    text = str(value)
    if text == "all":
        return "全部"
    return f"不少于{text[2:]}条" if text.startswith(">=") else f"{text}条" if value is not None else "—"


def _span(value: object) -> str:
    return f"{value[0]}–{value[1]}分" if isinstance(value, list) and len(value) == len("ab") else said(value)


def approval(take: Taking) -> Iterator[Block]:
    """001-C-07."""
    take.fields("approval")
    rule = take.scheme.approval
    if rule.chain:
        yield f"每项微能力依次经{listed(rule.chain)}通过后，方为合格；前一步未通过的，不进行后一步。"
    before = () if rule.peers not in rule.chain else rule.chain[: rule.chain.index(rule.peers)]
    if before:
        late = "视为通过" if rule.overdue == "given" else "按未审核处理"
        yield (
            f"{listed(before)}通过后方可{rule.peers}；未通过的写明理由退回补正。{listed(before)}应在封存后{rule.days}日内作出，"
            f"逾期未作的，{late}，照常进行{rule.peers}。"
        )


def compose(take: Taking) -> Iterator[Block]:
    """001-A-41, X-05."""
    found = take.fields("compose")
    rule, sources = take.scheme.compose, take.scheme.compose.sources
    if not rule.numbered:
        take.moot("compose")
        yield "本方案不计算综合得分，等次按本章规定的条件评定。"
        return
    yield f"综合得分按{word(found['rule'])}计算。"
    if sources:
        yield Table(
            ("评分来源", "权重"), tuple((word(one), percent(weight)) for one, weight in sources.items()), (1, 1)
        )
        yield "互评不足规定份数的，其权重并入考核组评分。"
    if rule.min_answers:
        least = listed([f"{word(name)}{count}份" for name, count in rule.min_answers.items()])
        yield f"问卷不记名，至少回收{least}的方予计入；不足的不计，其权重由其余来源分担。"


def adjust(take: Taking) -> Iterator[Block]:
    """001-A-35..37, X-13."""
    found = take.fields("adjust")
    if not take.scheme.compose.numbered:
        take.moot("adjust")
        return
    rule = take.scheme.adjust
    if rule.deductions:
        yield "有下列情形的，从综合得分中扣分："
        yield Table(
            ("情形", "每次", "适用场合", "不扣分的情形"),
            tuple(
                (one.name_zh, f"{one.each}分", one.events or "—", listed(one.unless) or "—") for one in rule.deductions
            ),
            (4, 2, 4, 3),
        )
        yield "扣分应当有记录、有证明，先告知本人；本人提出申辩的，查清之前不计。"
    for one in rule.bonuses:
        cap = "不设封顶" if one.cap is None else f"最多加{one.cap}分"
        cross = "可以" if one.may_cross_pass else "不得"
        yield f"{one.name_zh}：分值依《{one.table}》，{cap}，{cross}因加分由不合格变为合格。"
    yield f"计算次序为{listed(found['order'])}，最后得分限于{_span(found['clamp'])}。"


def gates(take: Taking, section: str = "gates") -> Iterator[Block]:
    """Conditions apart from the number."""
    found = take.items(section)
    if not found:
        return
    yield "下列条件是评定的前提：" if section == "prerequisites" else "下列条件必须满足，不因得分高低而免除："
    yield Table(
        ("要求", "判定条件", "适用环节", "未满足的后果"),
        tuple(
            (
                str(one["text_zh"]),
                condition(take.scheme, one["expr"]),
                word(one.get("when", "final")),
                _on_fail(one.get("on_fail")),
            )
            for one in found
        ),
        (4, 6, 2, 4),
    )


def _on_fail(value: object) -> str:
    fail = value if isinstance(value, dict) else {}
    parts = [
        "在满足之前不得进入该环节" if fail.get("block") else "",
        f"评定时仍未满足的，等次为{fail['grade']}" if fail.get("grade") else "",
        f"退回{fail['return_for']}" if fail.get("return_for") else "",
    ]
    return "；".join(part for part in parts if part) or "提醒本人"


def bands(take: Taking) -> Iterator[Block]:
    """001-A-38..40, X-01, X-03, X-16."""
    found = take.scheme.bands
    take("bands.list")
    take("bands.boundary")
    take("bands.rounding")
    yield "考核等次由高到低评定，符合在先的不再看在后的："
    lines = []
    for one in found.list:
        span = "" if one.min is None else f"得分{one.min}–{one.max}分"
        when = (
            "" if one.when is None else "不符合以上各项的" if one.when == "true" else condition(take.scheme, one.when)
        )
        lines.append((one.grade, "；".join(part for part in (span, when) if part), f"{word(one.modal)}{one.grade}"))
    yield Table(("等次", "条件", "效力"), tuple(lines), (1, 4, 1))
    if any(one.min is not None for one in found.list):
        yield (
            f"得分恰为分界分的，{word(found.boundary)}。得分{word(found.rounding.mode)}取{found.rounding.scale}位小数，"
            f"以{word(found.rounding.band_on)}评定等次。"
        )
    else:
        take.moot("bands.boundary")
        take.moot("bands.rounding")
    if any(one.modal == "may" for one in found.list):
        yield Listed(("“可评为”的等次由考核组确认；考核组可以写明理由降低一个等次。", "“应评为”的等次按规定直接确定。"))
