"""`review-flow facts …`: what is told of a teacher's way through a programme; confirmed, struck, listed."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Annotated

import typer

from models import Enrolment, Fact
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _, listed, say
from review_flow.rules.words import FactKind
from review_flow.steps import crediting, programme, voices
from review_flow.steps.rounds import round_scheme

app = typer.Typer(help=cli.PARTS["facts"][1], no_args_is_help=True)
command = partial(common.command, app)
Number = Annotated[str, typer.Argument(help=_("工号"))]
Ids = Annotated[list[int], typer.Argument(help=_("编号（见 facts list）"))]
DONE = {"added": _("已登记。"), "superseded": _("已更正，原来的登记保留备查。"), "unchanged": _("早已登记，没有变化。")}


@command(_("本方案可以登记什么：类别与项目"))
def kinds(desk: Desk) -> None:
    """List what the round's scheme lets one tell."""
    scheme = round_scheme(desk.session, round_=desk.round)
    rows: list[dict[str, object]] = [
        {"kind": kind.value, "kind_zh": say(programme.KIND_NAMES[kind]), "about": about, "name": name}
        for kind in programme.TOLD
        for about, name in programme.subjects(scheme, kind).items()
    ]
    titles = {"kind": _("类别"), "kind_zh": _("名称"), "about": _("项目"), "name": _("项目名称")}
    desk.table(rows, titles, empty=_("本方案没有可以登记的项目。"))


@command(_("登记一条：学习分钟、材料、到场、测评、主题、得分、周期记录或审核"))
def tell(
    desk: Desk,
    number: Number,
    kind: Annotated[FactKind, typer.Argument(help=_("类别（见 facts kinds）"))],
    about: Annotated[str, typer.Argument(help=_("项目（见 facts kinds）"))],
    *,
    key: Annotated[str, typer.Option(help=_("这件事的编号；同一编号再登记不会重复"))],
    source: Annotated[str, typer.Option(help=_("谁记的，凭什么"))],
    value: Annotated[str | None, typer.Option(help=_("数值：分钟、分数、份数"))] = None,
    word: Annotated[
        str | None, typer.Option(help=_("结果：合格、不合格、present、made_up、absent、given、refused"))
    ] = None,
    chars: Annotated[int | None, typer.Option(help=_("字数"))] = None,
    seconds: Annotated[str | None, typer.Option(help=_("秒数"))] = None,
    task: Annotated[str | None, typer.Option(help=_("主题中选做的任务"))] = None,
    reason: Annotated[str | None, typer.Option(help=_("审核不通过的理由"))] = None,
    of_others: Annotated[bool | None, typer.Option("--others/--own", help=_("评的是他人／本人"))] = None,
) -> None:
    """Tell a fact of a teacher."""
    on = None if of_others is None else programme.OTHERS if of_others else programme.OWN
    details = {"chars": chars, "seconds": seconds and str(decimal(seconds)), "on": on, "task": task, "reason": reason}
    telling = programme.Telling(
        kind=kind,
        about=about,
        key=key,
        source=source,
        number=None if value is None else decimal(value),
        word=word,
        details={name: one for name, one in details.items() if one is not None},
    )
    said = programme.tell_fact(desk.session, actor=desk.actor, enrolment=desk.enrolment(number), telling=telling)
    desk.done(DONE[said], state=said)


@command(_("列出一位教师登记过的事实"), name="list")
def list_(desk: Desk, number: Annotated[str | None, typer.Argument(help=_("工号；空白即本人"))] = None) -> None:
    """List what was told of a teacher: to them, to those who tell, and to the panel."""
    enrolment = desk.enrolment(number)
    scheme = round_scheme(desk.session, round_=desk.round)
    facts = voices.facts_read(desk.session, actor=desk.actor, enrolment=enrolment)
    rows: list[dict[str, object]] = [
        {
            "id": one.id,
            "kind": say(programme.KIND_NAMES[one.kind]),
            "about": programme.subjects(scheme, one.kind).get(one.about, one.about),
            "number": None if voices.hidden(scheme, one) else one.number,
            "word": one.word,
            "details": one.details or None,
            "source": source,
            "at": one.recorded_at,
            "confirmed": _confirmed(desk, one),
        }
        for one, source in facts
    ]
    titles = {
        "id": _("编号"), "kind": _("类别"), "about": _("项目"), "number": _("数值"), "word": _("结果"), "details": _("细节"),
        "source": _("来源"), "at": _("时间"), "confirmed": _("确认"),
    }  # fmt: skip
    desk.table(rows, titles, empty=_("还没有登记。"))


def _confirmed(desk: Desk, fact: Fact) -> str:
    wanted = programme.wants_confirming(round_scheme(desk.session, round_=desk.round), fact)
    if wanted is None:
        return say(_("无须"))
    return say(_("已确认")) if fact.confirmed_at else say(_("待{who}确认"), who=wanted)


@command(_("撤销登记错的一条（须写明理由）"))
def strike(
    desk: Desk,
    fact: Annotated[int, typer.Argument(help=_("编号（见 facts list）"))],
    reason: Annotated[str, typer.Option(help=_("理由"))],
) -> None:
    """Take a fact back."""
    programme.strike_fact(desk.session, actor=desk.actor, fact=_fact(desk, fact), reason=reason)
    desk.done(_("已撤销。"))


@command(_("上级确认学校登记的事实（方案要求时）"))
def confirm(desk: Desk, facts: Ids) -> None:
    """Confirm facts for the level above."""
    found = [_fact(desk, one) for one in facts]
    count = programme.confirm_facts(desk.session, actor=desk.actor, round_=desk.round, facts=found)
    desk.done(_("已确认{count}条。"), count=count)


@command(_("记学时：坊主为本坊教师，管理员为全校"))
def credit(
    desk: Desk,
    number: Number,
    ledger: Annotated[str, typer.Argument(help=_("方案中的学时账"))],
    hours: Annotated[str, typer.Argument(help=_("学时"))],
    key: Annotated[str, typer.Option(help=_("这件事的编号；同一编号再登记不会重复"))],
    source: Annotated[str, typer.Option(help=_("谁记的，凭什么"))],
) -> None:
    """Credit hours to a teacher."""
    said = crediting.credit_hours(
        desk.session,
        actor=desk.actor,
        enrolment=desk.enrolment(number),
        ledger=ledger,
        hours=decimal(hours),
        key=key,
        source=source,
    )
    desk.done(DONE[said], state=said)


@command(_("列出待上级确认的学时；给出 --all 则全部确认"))
def hours(desk: Desk, everything: Annotated[bool, typer.Option("--all", help=_("全部确认"))] = False) -> None:
    """List the hours that wait for the level above, or confirm them."""
    waiting = crediting.unconfirmed_hours(desk.session, round_=desk.round)
    if everything:
        count = crediting.confirm_hours(desk.session, actor=desk.actor, round_=desk.round, told=waiting)
        desk.done(_("已确认{count}条。"), count=count)
        return
    crediting.require_seeing(desk.session, actor=desk.actor, round_=desk.round)
    rows: list[dict[str, object]] = [
        {"id": one.id, "ledger": one.ledger, "hours": one.hours, "source": one.source, "at": one.recorded_at}
        for one in waiting
    ]
    titles = {"id": _("编号"), "ledger": _("账本"), "hours": _("学时"), "source": _("来源"), "at": _("时间")}
    desk.table(rows, titles, empty=_("没有待确认的学时。"))


@command(_("登记教师在方案中的层级与角色"))
def place(
    desk: Desk,
    number: Number,
    tier: Annotated[str | None, typer.Option(help=_("层级编号"))] = None,
    role: Annotated[list[str] | None, typer.Option(help=_("角色编号，可重复"))] = None,
) -> None:
    """Say to which tier a teacher belongs, and their roles."""
    enrolment = desk.enrolment(number)
    programme.place(desk.session, actor=desk.actor, enrolment=enrolment, tier=tier, roles=role or [])
    desk.done(
        _("{number}：层级{tier}，角色{roles}。"),
        number=number,
        tier=tier or say(_("无")),
        roles=listed(role or []) or say(_("无")),
    )


def _fact(desk: Desk, key: int) -> Fact:
    fact = desk.session.get(Fact, key)
    if fact is None or desk.session.get_one(Enrolment, fact.enrolment_id).round_id != desk.round.id:
        raise NotFound(what=say(_("登记")), key=key)
    return fact


def decimal(text: str) -> Decimal:
    """Read a number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadInput(field=text, problem=say(_("应为数字。"))) from None
