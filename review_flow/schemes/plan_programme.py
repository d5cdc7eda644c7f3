"""The articles of the printed plan that speak of a whole programme: materials, activities, duties, calendar, results."""

from collections.abc import Iterable, Iterator

from review_flow.rules.catalogue import Slot
from review_flow.rules.marks import shown
from review_flow.rules.programme import Quota, Target
from review_flow.rules.quotas import MINIMUMS
from review_flow.schemes.names import field_name, shown_value
from review_flow.schemes.plan import Block, Listed, Table, Taking
from review_flow.schemes.plan_components import slot_name
from review_flow.schemes.wording import condition, duration, listed, percent, rows, sign, word

PAIR = ("项目", "规定")


def slot_rows(slots: Iterable[Slot], *, counted: bool = True) -> Table:
    """Return what is to be handed in, with its limits; `counted`: how many, and whether it must be there."""
    table = []
    for one in slots:
        limits = [
            f"格式{listed(one.formats)}" if one.formats else "",
            _between(one.min_seconds, one.max_seconds, "秒"),
            _between(one.min_chars, one.max_chars, "字"),
            "须出现教师本人" if one.shows_teacher else "",
        ]
        number = f"{one.count}份（{'必交' if one.required else '选交'}）"
        row = (one.name_zh, word(one.kind), number, "；".join(filter(None, limits)) or "—")
        table.append(row if counted else (row[0], row[1], row[3]))
    if not counted:
        return Table(("名称", "类型", "要求"), tuple(table), (6, 2, 5))
    return Table(("名称", "类型", "份数", "要求"), tuple(table), (5, 2, 3, 5))


def _between(low: object, high: object, unit: str) -> str:
    least = "" if low is None else f"不少于{low}{unit}"
    most = "" if high is None else f"不超过{high}{unit}"
    return "、".join(filter(None, (least, most)))


def deliverables(take: Taking) -> Iterator[Block]:
    """What is handed in besides abilities."""
    take("deliverables")
    if take.scheme.deliverables:
        yield "除微能力证据外，考核涉及下列材料，各交几份见考核项目："
        yield slot_rows(take.scheme.deliverables, counted=False)


def activities(take: Taking) -> Iterator[Block]:
    """Where one comes to."""
    take("activities")
    if not take.scheme.activities:
        return
    yield "应当到场参加下列活动并签到："
    yield Table(
        ("活动", "归入", "时长", "缺席", "产出"),
        tuple(
            (
                one.name_zh,
                word(one.series),
                "—" if one.minutes is None else f"{one.minutes}分钟",
                "可以补课" if one.makeup else "不得补课",
                "；".join(one.outputs) or "—",
            )
            for one in take.scheme.activities
        ),
        (5, 2, 2, 2, 7),
    )


def themes(take: Taking) -> Iterator[Block]:
    """003-21/22."""
    take("themes")
    take("theme_stages")
    take("theme_rule")
    scheme = take.scheme
    if not scheme.themes:
        return
    ledgers = [one for one in scheme.hours.ledgers if any(one.id in theme.hours for theme in scheme.themes)]
    named = {one.id: one.name_zh for one in scheme.themes}
    yield "研修按下列主题任务进行，完成一个主题计入相应学时："
    yield Table(
        ("主题", *(one.name_zh for one in ledgers), "成果", "指导人"),
        tuple(
            (
                one.name_zh,
                *(str(one.hours.get(ledger.id, "—")) for ledger in ledgers),
                one.output or "—",
                listed(one.lead) or "—",
            )
            for one in scheme.themes
        ),
        (5, *([2] * len(ledgers)), 5, 4),
    )
    if scheme.theme_stages:
        yield Table(
            ("阶段", "主题", "周数", "原文表头学时", "说明"),
            tuple(
                (
                    one.name_zh,
                    listed([named.get(theme, theme) for theme in one.themes]),
                    f"{one.weeks}周",
                    "＋".join(str(value) for value in one.header.values()) or "—",
                    one.source_note or "—",
                )
                for one in scheme.theme_stages
            ),
            (2, 7, 1, 2, 4),
        )
    rule = scheme.theme_rule
    own = "可以自定选题" if rule.own_topic else "不得自定选题"
    whole = "工作坊应当合力完成每个主题的全部任务" if rule.workshop_covers_all else "工作坊不必完成每个主题的全部任务"
    yield f"每个主题选做{rule.choose}题，{own}；{whole}。"


def tests(take: Taking) -> Iterator[Block]:
    """X-21."""
    take("tests")
    if not take.scheme.tests:
        return
    yield "测评结果分为合格、不合格："
    combined = {"all": "各部分都合格为合格", "any": "任一部分合格为合格"}
    table = []
    for one in take.scheme.tests:
        table.append((one.name_zh, "—", "—", combined.get(one.combine, one.combine) if one.parts else "—"))
        for part in one.parts:
            bodies = [
                f"{part.graded_by}评定" if part.graded_by else "",
                f"{part.confirmed_by}确认" if part.confirmed_by else "",
            ]
            table.append((f"　{part.name_zh}", listed(part.by) or "—", "，".join(filter(None, bodies)) or "—", "—"))
    yield Table(("测评", "承担", "评定与确认", "合成"), tuple(table), (4, 4, 4, 4))


def duties(take: Taking) -> Iterator[Block]:
    """Duties by role, in the document's order."""
    take("duties")
    roles = dict.fromkeys(one.role for one in take.scheme.duties)
    for role in roles:
        yield f"{role}的职责："
        yield Listed(tuple(one.text_zh for one in take.scheme.duties if one.role == role))


def quotas(take: Taking) -> Iterator[Block]:
    """X-51: minimum → ceil, maximum → floor."""
    take("quotas")
    if not take.scheme.quotas:
        return
    yield "应当达到下列指标："
    table = tuple((one.name_zh, word(one.level), _quota(one), _counted(take, one)) for one in take.scheme.quotas)
    yield Table(("指标", "范围", "要求", "计数"), table, (5, 2, 5, 4))
    yield "按比例计算有小数的，最低数进一位，最高数舍去尾数。带有“原则上”“建议”的，超出时应当写明理由。"


def _quota(one: Quota) -> str:
    number = percent(one.value) if one.share_of else shown(one.value)
    base = f"{word(one.share_of)}的" if one.share_of else ""
    usual = "" if one.soft_max is None else f"，一般不超过{shown(one.soft_max)}"
    least = "，至少1个" if one.min_one else ""
    strict = word(one.strict) if one.strict != "must" or one.op in MINIMUMS else ""
    return f"{strict}{sign(one.op)}{base}{number}{usual}{least}"


def _counted(take: Taking, one: Quota) -> str:
    each = "、".join(slot_name(take.scheme, slot) for slot in one.each_needs)
    return f"{word(one.of)}{f'（每项须有{each}）' if each else ''}"


def pipeline(take: Taking) -> Iterator[Block]:
    """How works rise, level by level."""
    take("pipeline")
    if not take.scheme.pipeline:
        return
    yield "优秀成果逐级推选："
    yield Table(
        ("环节", "层级", "推荐人", "方式", "名额", "须取得"),
        tuple(
            (
                one.name_zh,
                word(one.level),
                one.by,
                word(one.decide),
                "、".join(
                    filter(
                        None,
                        (
                            "" if one.share is None else f"不超过{percent(one.share)}",
                            "" if one.most is None else f"最多{one.most}件",
                        ),
                    )
                )
                or "不限",
                word(one.consent),
            )
            for one in take.scheme.pipeline
        ),
        (5, 2, 3, 2, 2, 4),
    )


def targets(take: Taking) -> Iterator[Block]:
    """X-23: operators keep their word."""
    take("targets")
    if take.scheme.targets:
        yield "学校的绩效目标："
        table = tuple((one.name_zh, one.scope or "—", _goal(one), one.by or "—") for one in take.scheme.targets)
        yield Table(("目标", "范围", "要求", "完成期限"), table, (5, 4, 3, 3))


def _goal(one: Target) -> str:
    return f"{sign(one.op)}{percent(one.value) if one.unit == 'share' else shown(one.value)}{'' if one.unit == 'share' else word(one.unit)}"


def reports(take: Taking) -> Iterator[Block]:
    """What is filed with whom."""
    for one in take.items("reports"):
        yield f"{one['when']}，向{one['to']}报送{one['name_zh']}。"


def finance(take: Taking) -> Iterator[Block]:
    """003-23."""
    found = take.scheme.finance
    take("finance")
    if found.fee_yuan_per_hour is not None:
        total = f"，每人{found.hours}学时" if found.hours is not None else ""
        payer = f"，{found.payer}承担" if found.payer else ""
        yield f"培训经费按每人每学时{found.fee_yuan_per_hour}元核算{total}{payer}。"


def phases(take: Taking) -> Iterator[Block]:
    """X-49, X-50: the stretches of the plan and what is due in them."""
    take("phases")
    if not take.scheme.phases:
        return
    table = []
    for one in take.scheme.phases:
        stretch = f"{day(one.begins) or '—'} 至 {day(one.ends) or '—'}"
        table.append((one.name_zh, stretch, "—", "—"))
        table.extend((f"　{task.text_zh}", "", day(task.by) or "—", task.owner or "—") for task in one.tasks)
    yield "工作按下列阶段推进，期限计至当日结束："
    yield Table(("阶段与任务", "起止", "期限", "责任人"), tuple(table), (8, 5, 3, 2))


def day(written: str | None) -> str:
    """Return a day of the plan: 2021年9月1日, or 次年4月1日 of a school year."""
    if written is None:
        return ""
    after, parts = written.startswith("+1 "), written.removeprefix("+1 ").split("-")
    if not all(part.isdigit() for part in parts):
        return written
    units = ("月", "日") if len(parts[0]) == len("09") else ("年", "月", "日")
    dated = "".join(f"{int(part)}{unit}" for part, unit in zip(parts, units, strict=False))
    return f"次年{dated}" if after else dated


PEER_STEPS = {"peer", "lease", "lease_min", "peer_extension", "grace"}


def calendar(take: Taking) -> Iterator[Block]:
    """T1–T24."""
    found = {key: take(f"calendar.{key}") for key in take.scheme.document["calendar"]}
    if not take.scheme.review.peer.give:
        for key in PEER_STEPS & found.keys():
            take.moot(f"calendar.{key}")
            del found[key]
    yield "各环节自上一环节完成之日起计算："
    yield Table(
        ("环节", "时限"),
        tuple((field_name(f"calendar.{key}"), duration(value)) for key, value in found.items()),
        (2, 2),
    )


def certificates(take: Taking) -> Iterator[Block]:
    """When a certificate is due, and who issues it."""
    take("certificates")
    if not take.scheme.certificates:
        return
    ledgers = {one.id: one.name_zh for one in take.scheme.hours.ledgers}
    yield "符合条件的，颁发下列证书："
    yield Table(
        ("证书", "条件", "依据的学时", "颁发单位"),
        tuple(
            (
                one.name_zh,
                condition(take.scheme, one.when),
                ledgers.get(one.ledger, one.ledger) if one.ledger else "—",
                listed(one.issuers) or "—",
            )
            for one in take.scheme.certificates
        ),
        (5, 6, 3, 3),
    )


def consequences(take: Taking) -> Iterator[Block]:
    """X-22: told to others, applied by them."""
    take("consequences")
    if not take.scheme.consequences:
        return
    yield "考核结果由有关单位按下列规定运用，本方案只提供结果："
    yield Table(
        ("运用", "条件", "类别", "数值"),
        tuple(
            (
                one.text_zh,
                condition(take.scheme, one.when),
                word(one.kind),
                "—" if one.value is None else shown(one.value),
            )
            for one in take.scheme.consequences
        ),
        (6, 5, 4, 1),
    )


def result(take: Taking) -> Iterator[Block]:
    """001-A-10, X-43..45."""
    take("result")
    rule = take.scheme.result
    must = "应当" if rule.signature.required else "可以"
    unsigned = "不影响" if rule.signature.unsigned_effective else "影响"
    yield f"考核结果公示，公示内容限于{listed(rule.publicity.fields)}。教师{must}在结果上签名；未签名{unsigned}结果的效力。"
    if not rule.appeal.allowed:
        yield f"考核结果不设申诉（复核不少于{rule.appeal.reviewers_min}人）。"
        return
    outside = "不得由原评审人担任" if rule.appeal.outside_first_panel else "可以由原评审人担任"
    county = "对复核结果仍有异议的，可以请县级复核" if rule.appeal.county_review else "复核结果为最终结果"
    yield (
        f"教师对结果有异议的，可以在规定时限内申诉。申诉由不少于{rule.appeal.reviewers_min}人复核，复核人{outside}；{county}。"
    )


def groups(take: Taking) -> Iterator[Block]:
    """Bodies and other provisions, as the document lists them."""
    written = take.fields("groups")
    told = written.get("told")
    as_names = {"told": list(told.values())} if isinstance(told, dict) else {}
    found = tuple(rows({**written, **as_names}, "groups"))
    if found:
        yield Table(PAIR, found, (1, 3))


def template(take: Taking) -> Iterator[Block]:
    """002-T: the report a school fills in."""
    found = take.fields("template")
    if not found:
        return
    fixed = "格式不得改动" if found.get("strict_layout") else "格式可以调整"
    yield f"学校按模板编写活动方案，报{found.get('report_to')}；{fixed}。模板的栏目为："
    yield Table(PAIR, tuple(_template_rows(found.get("sections"))), (2, 5))


def _template_rows(sections: object) -> Iterator[tuple[str, str]]:
    for section in sections if isinstance(sections, list) else []:
        for group in ("fields", "tables", "after_fields"):
            for one in section.get(group, []):
                more = [
                    f"{field_name(f'template.{key}')}：{shown_value(value)}"
                    for key, value in one.items()
                    if key not in {"id", "name_zh"}
                ]
                yield f"{section['name_zh']}：{one['name_zh']}", "；".join(more) or "填写"


def open_questions(take: Taking) -> Iterator[Block]:
    """本校待确认: values the source leaves open, with the default in force."""
    found = take.scheme.unconfirmed()
    if not found:
        yield "本方案的各项规定均已由本校确认。"
        return
    if take.confirmed:
        yield "下列事项依据文件没有规定，本校已经逐项确认，按表中所列的规定执行："
    else:
        yield "下列事项依据文件没有规定，本方案暂按表中的默认值执行，由本校确认或者修改后启用："
    table = tuple((one.text_zh, take.cite(one.path) or "本方案不涉及") for one in found)
    yield Table(("事项", "现行规定见"), table, (5, 2))
