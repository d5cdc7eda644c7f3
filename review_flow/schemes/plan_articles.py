"""The articles of the printed plan that say whom, what and how an appraisal judges; the order of all chapters.

Every writer takes what it prints (`take("hours")`), so no value stands here a second time.
"""

from collections.abc import Iterator

from review_flow.rules.scheme import Scheme
from review_flow.schemes.plan import Block, Table, Taking, Writer
from review_flow.schemes.plan_components import components
from review_flow.schemes.plan_marks import adjust, approval, bands, compose, gates, levels
from review_flow.schemes.plan_programme import (
    activities,
    calendar,
    certificates,
    consequences,
    deliverables,
    duties,
    finance,
    groups,
    open_questions,
    phases,
    pipeline,
    quotas,
    reports,
    result,
    slot_rows,
    targets,
    template,
    tests,
    themes,
)
from review_flow.schemes.wording import condition, listed, percent, rows, said, word

PAIR = ("项目", "规定")


def purpose(take: Taking) -> Iterator[Block]:
    """001-A-01 ff.: what the plan rests on and its principles."""
    scheme = take.scheme
    based_on = f"依据{listed(scheme.based_on)}，" if scheme.based_on else ""
    yield f"为推进中小学教师信息技术应用能力提升工程{scheme.edition}的实施，规范考核工作，{based_on}制定本方案。"
    principles = scheme.document.get("principles") or []
    if principles:
        yield f"考核工作坚持{listed(principles)}的原则。"
    begins, ends = scheme.effective_from, scheme.effective_to
    if begins or ends:
        since = f"自{begins}起施行" if begins else "自公布之日起施行"
        yield f"本方案{since}{f'，至{ends}止' if ends else ''}。"


def scope(take: Taking) -> Iterator[Block]:
    """Who is assessed, who may stay away, and what the roles are called."""
    take("applies_to")
    yield f"本方案适用于{take.scheme.applies_to.who}。"
    for one in take.scheme.applies_to.exemptions:
        more = "，鼓励参加" if one.encourage else ""
        when = condition(take.scheme, one.expr)
        yield f"{one.text_zh}（{when}，以{word(one.reference)}计算）的，{word(one.effect)}{more}。"
    roles = take("roles")
    if roles:
        yield f"参与考核的人员按承担的任务分为：{listed(list(take.scheme.roles.values()))}。"


def method(take: Taking) -> Iterator[Block]:
    """001-A-20."""
    found = take("method")
    if found:
        yield f"考核采取{listed(found)}相结合的方式进行。"


def lock(take: Taking) -> Iterator[Block]:
    """001-A-05/06."""
    found = take.fields("lock")
    names = {"locked": found["locked"], "amendable": found["amendable"]}
    keep, amend = (_sections(value) for value in names.values())
    yield f"本方案启用后{found['consistency_months']}个月内，{keep}保持不变；{amend}可以修订。"
    yield f"修订应当{listed(found['amend_needs'])}，修订前已经开始的考核仍按原版本执行。"


def _sections(paths: object) -> str:
    from review_flow.schemes.names import path_names

    return (
        "、".join("的".join(path_names({}, str(path))[0]) for path in paths) if isinstance(paths, list) else said(paths)
    )


def hours(take: Taking) -> Iterator[Block]:
    """The ledgers of hours and minutes."""
    found = take.fields("hours")
    ledgers, minutes = take.scheme.hours.ledgers, take.scheme.hours.minutes
    if ledgers:
        yield "参训教师应当完成下列学时："
        names = {one.id: one.name_zh for one in ledgers}
        of = {"required": "应修", "earned": "已修"}
        table = []
        for one in ledgers:
            share = (
                ""
                if one.share is None
                else f"不少于{names.get(one.base, word(one.base))}（{of.get(one.of, one.of)}）的{percent(one.share)}"
            )
            bodies = "；".join(
                part
                for part in (
                    f"由{one.issuer}核发" if one.issuer else "",
                    f"由{word(one.confirmed_by)}确认" if one.confirmed_by else "",
                )
                if part
            )
            table.append((one.name_zh, f"不少于{one.min}学时", share or "—", bodies or "—"))
        yield Table(("学时", "最低要求", "占比要求", "核发与确认"), tuple(table), (3, 2, 4, 3))
    if minutes:
        yield f"学习时长按分钟记录：{listed([one.name_zh for one in minutes])}。"
    if found.get("window_years"):
        yield f"学时在{found['window_years']}年内核算。"
    if ledgers or minutes:
        unit = found.get("unit_minutes")
        yield f"1学时合{unit}分钟。" if unit else "分钟与学时不作换算。"


def select(take: Taking) -> Iterator[Block]:
    """001-A-19, 002-T-10: the choice of abilities."""
    rule = take.scheme.select
    school, teacher = take.fields("select.school"), take.fields("select.teacher")
    if not rule.teacher.min and not rule.school.min:
        take.moot("select")
        yield "本方案不要求选择微能力。"
        return
    exactly = f"恰好{rule.school.exactly}项" if rule.school.exactly is not None else f"不少于{rule.school.min}项"
    least = f"（至少{rule.school.min}项）" if rule.school.exactly is not None else ""
    where = f"，限于环境{listed(rule.school.environments)}" if school.get("environments") else ""
    over = f"，至少覆盖{rule.school.min_dimensions}个维度" if school.get("min_dimensions") is not None else ""
    reasons = "；每一项应当写明选择理由" if rule.school.reasons else "；选择理由可以从略"
    yield (
        f"学校从《{take.scheme.catalogue.title_zh}》中选定{exactly}{least}微能力作为本校清单{over}{where}{reasons}。"
    )
    most = f"、不多于{teacher['max']}项" if teacher.get("max") is not None else ""
    yield (
        f"教师从{word(rule.teacher.within)}中选择不少于{rule.teacher.min}项{most}，至少覆盖"
        f"{rule.teacher.min_dimensions}个维度。"
    )
    if take("select.tiers"):
        yield Table(
            ("层级", "又称", "至少项数", "至多项数", "至少维度", "参与方式"),
            tuple(
                (one.name_zh, listed(one.alias) or "—", *map(_or_same, (one.min, one.max, one.min_dimensions)), one.part_zh or "—")
                for one in rule.tiers
            ),
            (3, 3, 2, 2, 2, 4),
        )  # fmt: skip


def _or_same(number: int | None) -> str:
    return "同上" if number is None else str(number)


def ability(take: Taking) -> Iterator[Block]:
    """J1–J5, X-11."""
    found = take.fields("ability")
    if not take.scheme.select.teacher.min:
        take.moot("ability")
        return
    yield (
        f"单项微能力的等级由高到低为{listed(found['levels'])}，{found['pass_level']}及以上为通过。"
        f"评定办法：{word(found['rule'])}。"
    )


def evidence(take: Taking) -> Iterator[Block]:
    """001-A-28/29."""
    found = take.fields("evidence")
    if found.get("standard"):
        yield f"证据应当符合《{found['standard']}》。"
    validity = take.scheme.evidence.validity
    yield (
        f"有下列情形之一的，经两人认定（意见不一的，由第三人认定），{word(validity.scope)}无效："
        f"{listed(validity.invalid_if_any)}。"
    )
    yield (
        f"系统自动比对认出教师本人的把握达到{percent(found['confidence'])}的，不再人工核对；达不到的由人工核对，"
        "系统不单独作出不合格的结论。"
    )
    if take.scheme.select.teacher.min:
        yield "微能力目录对证据项另有规定的从其规定；没有规定的，应当提交："
        yield slot_rows(take.scheme.evidence.slots)
    else:
        take.moot("evidence.slots")
    limits = tuple(rows(found.get("limits") or {}, "evidence.limits"))
    if limits:
        yield Table(PAIR, limits, (2, 1), caption="本校对证据项的收紧规定")


def prerequisites(take: Taking) -> Iterator[Block]:
    """Gates before the start."""
    yield from gates(take, "prerequisites")


def peers(take: Taking) -> Iterator[Block]:
    """001-A-21, 001-A-24, X-42."""
    self_test = take.fields("review.self_test")
    yield f"校本自测{'计入得分' if self_test['counts'] else '由教师自行完成，结果不计入得分'}。"
    peer = take.scheme.review.peer
    for field in (
        "before_submit",
        "give",
        "receive_target",
        "receive_min",
        "aggregate",
        "pool_fallback",
        "remind_hours",
    ):
        take(f"review.peer.{field}")
        if not peer.give and field != "give":
            take.moot(f"review.peer.{field}")
    if not peer.give:
        yield "本方案不设同伴互评。"
        return
    when = "提交本人成果前，应当" if peer.before_submit else "应当（不作为提交本人成果的前提）"
    yield (
        f"每位教师{when}评阅同伴成果{peer.give}份。每份成果应得互评{peer.receive_target}份；收到不足"
        f"{peer.receive_min}份的，互评不计入得分。互评得分取各份评分的{word(peer.aggregate)}。"
    )
    hours_before = "、".join(f"{hour}小时" for hour in peer.remind_hours)
    yield f"可供评阅的成果不足时，{word(peer.pool_fallback)}。互评任务到期前{hours_before}各提醒一次。"


def peer_quality(take: Taking) -> Iterator[Block]:
    """X-41, 001-A-07: who reviews what, and how disagreement and carelessness are met."""
    parts = ("allocation", "disagreement", "effort", "reliability")
    found = {part: take.fields(f"review.peer.{part}") for part in parts}
    if not take.scheme.review.peer.give:
        return
    yield "互评任务由系统分配，任何人不得评阅本人成果。分配、分歧与质量按下表执行："
    named = {
        "allocation": "任务分配",
        "disagreement": "分歧处理",
        "effort": "敷衍提示（不影响得分）",
        "reliability": "可靠度加权",
    }
    if take.scheme.review.peer.aggregate != "reliability":
        named.pop("reliability")
        take.moot("review.peer.reliability")
    for part, caption in named.items():
        yield Table(PAIR, tuple(rows(found[part], f"review.peer.{part}")), (3, 1), caption=caption)


def panel(take: Taking) -> Iterator[Block]:
    """001-A-25, X-42."""
    found, form = take.fields("review.panel"), take.fields("review.form")
    if not _judged(take.scheme):
        take.moot("review.panel")
        take.moot("review.form")
        return
    yield (
        f"{found['body']}负责评审。每份成果由{found['size']}名成员独立评分，取{word(found['aggregate'])}；成员之间相差超过"
        f"{found['spread_max']}分，或者相差超过{found['grade_spread_max']}个等次的，{word(found['on_spread'])}。"
    )
    yield (
        f"评审表应当写明理由，评语不少于{form['min_comment_chars']}字，至少评定{form['min_components']}个考核项目。"
        "评审人应当回避本人成果。"
    )


def _judged(scheme: Scheme) -> bool:
    """Return whether anything is marked by people at all."""
    scored = {leaf.scoring.type for leaf in scheme.leaves() if leaf.scoring}
    return bool(scheme.select.teacher.min or scheme.compose.sources or scored & {"score", "checklist", "rubric"})


CHAPTERS: tuple[tuple[str, tuple[tuple[str, Writer], ...]], ...] = (
    ("总则", (("目的与依据", purpose), ("适用范围", scope), ("考核方式", method), ("组织与其他规定", groups), ("稳定与修订", lock))),
    ("学习与提交", (
        ("学时要求", hours), ("微能力的选择", select), ("参评前提", prerequisites), ("须到场的活动", activities),
        ("须提交的材料", deliverables), ("证据要求", evidence), ("主题任务", themes), ("测评", tests),
    )),
    ("考核项目与评审", (
        ("考核项目", components), ("勾选定级与分数段", levels), ("单项能力评定", ability), ("自测与互评", peers),
        ("互评的分配与质量", peer_quality), ("考核组评审", panel), ("逐级审核", approval),
    )),
    ("计分与等次", (("综合得分", compose), ("扣分与加分", adjust), ("必备条件", gates), ("等次", bands))),
    ("职责与指标", (
        ("职责分工", duties), ("指标", quotas), ("逐级推优", pipeline), ("绩效目标", targets), ("上报材料", reports),
        ("经费", finance),
    )),
    ("进度安排", (("实施阶段", phases), ("各环节时限", calendar))),
    ("结果", (("证书", certificates), ("结果运用", consequences), ("签名、公示与申诉", result))),
    ("附则", (("上报模板", template), ("本校待确认的事项", open_questions))),
)  # fmt: skip


def appendices(scheme: Scheme) -> tuple[tuple[str, tuple[Block, ...]], ...]:
    """Return the catalogue teachers choose from, where they choose."""
    if not scheme.select.teacher.min:
        return ()
    table = tuple(
        (
            one.code,
            one.name_zh,
            one.dimension,
            one.environment,
            listed([slot.name_zh for slot in scheme.slots(one.code)]),
        )
        for one in scheme.catalogue.abilities
    )
    title = f"附件　{scheme.catalogue.title_zh}"
    return ((title, (Table(("编号", "微能力", "维度", "环境", "须提交的证据"), table, (1, 4, 2, 1, 5)),)),)
