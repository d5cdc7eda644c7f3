"""`review-flow workshop …`: what a workshop, class or the school owes, hands in and is judged by."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from sqlalchemy import select

from models import GroupFact, GroupResult, TrainingClass, Workshop
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.activity import moment
from review_flow.cli.common import Desk
from review_flow.cli.facts import DONE, decimal
from review_flow.cli.refusals import Misuse
from review_flow.clock import now
from review_flow.db import settings
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.outside.storage import keep, storage_at
from review_flow.rules.words import GroupFactKind, GroupLevel
from review_flow.steps import appeals, boards, group_results, groups, results
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from decimal import Decimal

app = typer.Typer(help=cli.PARTS["workshop"][1], no_args_is_help=True)
command = partial(common.command, app)
Name = Annotated[str | None, typer.Argument(help=_("工作坊；空白即本人的坊"))]
Of = Annotated[str | None, typer.Option("--workshop", help=_("工作坊；空白即本人的坊"))]
OfClass = Annotated[str | None, typer.Option("--class", help=_("班；给出时登记的是这个班"))]
Level = Annotated[GroupLevel, typer.Option(help=_("登记给哪一级：workshop、class、school、county"))]


@command(_("工作坊看板：职责、指标、按日期排列的任务"))
def board(desk: Desk, name: Name = None) -> None:
    """Show a workshop's board."""
    found = boards.workshop_board(desk.session, actor=desk.actor, round_=desk.round, workshop=workshop_of(desk, name))
    desk.show(found, board_lines(found))


def board_lines(found: dict[str, Any]) -> list[str]:
    """Return a board as lines: what it is of, quotas, tasks, duties."""
    head = say(_("{name}（{year}学年）"), name=found["name"], year=found["school_year"])
    quotas = [
        {
            "text": one["text"],
            "met": say(_("未登记") if one["met"] is None else _("达到") if one["met"] else _("未达到")),
            "short": one["short"],
            "warning": one["warning"],
        }
        for one in found["quotas"]
    ]
    tasks = [{**one, "state": say(word)} for one in found["tasks"] for word in [boards.STATES[one["state"]]]]
    quota_titles = {"text": _("指标"), "met": _("情况"), "short": _("还差"), "warning": _("提醒")}
    task_titles = {"day": _("截止日"), "state": _("状态"), "text": _("任务"), "id": _("编号"), "holiday": _("假日提示")}
    return [
        head,
        *(["", *common.aligned(quotas, quota_titles)] if quotas else []),
        *(["", *common.aligned(tasks, task_titles)] if tasks else []),
        *([""] + [f"{one['role']}  {one['text']}" for one in found["duties"]] if found["duties"] else []),
    ]


@command(_("可以登记什么：数量、任务、指标、理由、主题任务数"))
def kinds(desk: Desk, level: Level = GroupLevel.WORKSHOP) -> None:
    """List what may be told of a group."""
    scheme = round_scheme(desk.session, round_=desk.round)
    rows: list[dict[str, object]] = [
        {"kind": kind.value, "kind_zh": say(groups.KIND_NAMES[kind]), "about": about, "name": name}
        for kind in GroupFactKind
        for about, name in groups.group_subjects(scheme, kind, level).items()
    ]
    titles = {"kind": _("类别"), "kind_zh": _("名称"), "about": _("项目"), "name": _("项目名称")}
    desk.table(rows, titles, empty=_("本方案没有可以登记的项目。"))


@command(_("登记一条：做完的任务、上交的材料、超出的理由、指标"))
def tell(
    desk: Desk,
    kind: Annotated[GroupFactKind, typer.Argument(help=_("类别（见 workshop kinds）"))],
    about: Annotated[str, typer.Argument(help=_("项目（见 workshop kinds）"))],
    *,
    source: Annotated[str, typer.Option(help=_("谁记的，凭什么"))],
    key: Annotated[str, typer.Option(help=_("这件事的编号；同一编号再登记不会重复"))] = "1",
    number: Annotated[str | None, typer.Option(help=_("数量，或指标的分子"))] = None,
    of: Annotated[str | None, typer.Option(help=_("指标的分母"))] = None,
    value: Annotated[str | None, typer.Option(help=_("指标值"))] = None,
    at: Annotated[datetime | None, typer.Option(parser=moment, help=_("任务完成的时间；空白即现在"))] = None,
    has: Annotated[list[str] | None, typer.Option(help=_("有哪些材料，如 photos，可重复"))] = None,
    reason: Annotated[str | None, typer.Option(help=_("理由"))] = None,
    file: Annotated[Path | None, typer.Option(help=_("证明材料（文件）"))] = None,
    workshop: Of = None,
    class_: OfClass = None,
    level: Level = GroupLevel.WORKSHOP,
) -> None:
    """Tell a fact of a group."""
    group = _group(desk, level, workshop, class_)
    groups.require_teller(desk.session, actor=desk.actor, group=group)  # nobody else's file is kept
    details = groups.details_of(has=has or [], of=_text(of), value=_text(value), reason=reason)
    told = None if file is None else keep(storage_at(settings().storage), _existing(file))
    telling = groups.GroupTelling(
        kind=kind,
        about=about,
        key=key,
        source=source,
        number=_number(number),
        happened_at=(at or now()) if kind is GroupFactKind.TASK else None,
        details=details,
        storage_key=told.key if told else None,
        sha256=told.sha256 if told else None,
    )
    said = groups.tell_group(desk.session, actor=desk.actor, group=group, telling=telling)
    desk.done(DONE[said], state=said)


@command(_("列出登记过的集体事实"), name="list")
def list_(desk: Desk, workshop: Of = None, class_: OfClass = None, level: Level = GroupLevel.WORKSHOP) -> None:
    """List what was told of a group."""
    group = _group(desk, level, workshop, class_)
    groups.require_group_reader(desk.session, actor=desk.actor, group=group)
    rows: list[dict[str, object]] = [
        {
            "id": one.id,
            "kind": say(groups.KIND_NAMES[one.kind]),
            "about": one.about,
            "number": one.number,
            "at": one.happened_at,
            "details": json.dumps(one.details, ensure_ascii=False) if one.details else None,
            "file": one.sha256,
            "source": one.source,
        }
        for one in groups.group_facts(desk.session, group=group)
    ]
    titles = {
        "id": _("编号"), "kind": _("类别"), "about": _("项目"), "number": _("数值"), "at": _("完成时间"), "details": _("细节"),
        "source": _("来源"),
    }  # fmt: skip
    desk.table(rows, titles, empty=_("还没有登记。"))


@command(_("撤销登记错的一条（须写明理由）"))
def strike(
    desk: Desk,
    fact: Annotated[int, typer.Argument(help=_("编号（见 workshop list）"))],
    reason: Annotated[str, typer.Option(help=_("理由"))],
) -> None:
    """Take a fact back."""
    groups.strike_group_fact(
        desk.session, actor=desk.actor, fact=desk.of_the_round(GroupFact, fact, _("登记")), reason=reason
    )
    desk.done(_("已撤销。"))


@command(_("为工作坊评等并保存结果与明细（方案考核工作坊时）"))
def result(desk: Desk, name: Name = None) -> None:
    """Compose a workshop's result."""
    group = groups.workshop_group(round_=desk.round, workshop=workshop_of(desk, name))
    made = group_results.compose_group(desk.session, actor=desk.actor, group=group)
    outcome = json.loads(made.outcome)
    head = say(
        _("{name}：{grade}（第{version}版，SHA-256 {digest}）"),
        name=group.name,
        grade=made.grade or made.proposed_grade,
        version=made.version,
        digest=group_results.group_digest(made),
    )
    lines = [f"{one['rule']}  {one['text']}" for one in outcome["ledger"]]
    desk.show(
        {"name": group.name, "version": made.version, "sha256": group_results.group_digest(made), "outcome": outcome},
        [head, *lines],
    )


@command(_("确认工作坊的等次（考核组成员，须回避本坊）"))
def confirm(
    desk: Desk,
    name: Name = None,
    lower: Annotated[str | None, typer.Option(help=_("降为哪一等（只可降一等）"))] = None,
    reason: Annotated[str | None, typer.Option(help=_("理由"))] = None,
) -> None:
    """Confirm a workshop's grade, or lower it by one with a reason."""
    found = _result(desk, name)
    results.confirm(desk.session, actor=desk.actor, result=found, lower_to=lower, reason=reason)
    desk.done(_("已确认：{grade}。"), grade=found.grade)


@command(_("坊主签收工作坊的考核结果"))
def sign(desk: Desk, comment: Annotated[str | None, typer.Option(help=_("意见"))] = None) -> None:
    """Sign the own workshop's result."""
    results.sign(desk.session, actor=desk.actor, result=_result(desk, None), comment=comment)
    desk.done(_("已签收。"))


@command(_("坊主对工作坊的考核结果申诉"))
def appeal(desk: Desk, reason: Annotated[str, typer.Option(help=_("理由"))]) -> None:
    """Appeal against the own workshop's result."""
    filed = appeals.file(desk.session, actor=desk.actor, result=_result(desk, None), reason=reason)
    desk.done(_("申诉已提交，编号{id}。"), id=filed.id)


def _result(desk: Desk, name: str | None) -> GroupResult:
    group = groups.workshop_group(round_=desk.round, workshop=workshop_of(desk, name))
    found = group_results.current_group_result(desk.session, group=group)
    if found is None:
        raise NotFound(what=say(_("考核结果")), key=group.name)
    return found


def workshop_of(desk: Desk, name: str | None) -> Workshop:
    """Return the named workshop of the school, or the actor's own."""
    if name is None:
        if desk.actor.workshop_id is None:
            raise Misuse(why=say(_("请指明工作坊")))
        return desk.session.get_one(Workshop, desk.actor.workshop_id)
    found = desk.session.scalars(
        select(Workshop).where(Workshop.organization_id == desk.organization.id, Workshop.name == name)
    ).first()
    if found is None:
        raise NotFound(what=say(_("工作坊")), key=name)
    return found


def class_of(desk: Desk, name: str) -> TrainingClass:
    """Return the round's class of this name."""
    found = desk.session.scalars(
        select(TrainingClass).where(TrainingClass.round_id == desk.round.id, TrainingClass.name == name)
    ).first()
    if found is None:
        raise NotFound(what=say(_("班")), key=name)
    return found


def _group(desk: Desk, level: GroupLevel, workshop: str | None, class_: str | None) -> groups.Group:
    if class_ is not None:
        return groups.Group(desk.round, GroupLevel.CLASS, class_=class_of(desk, class_))
    if level is GroupLevel.WORKSHOP:
        return groups.workshop_group(round_=desk.round, workshop=workshop_of(desk, workshop))
    if level is GroupLevel.CLASS:
        raise Misuse(why=say(_("请用 --class 指明班")))
    return groups.Group(desk.round, level)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise NotFound(what=say(_("文件")), key=path)
    return path


def _number(text: str | None) -> Decimal | None:
    return None if text is None else decimal(text)


def _text(text: str | None) -> str | None:
    return None if text is None else str(decimal(text))
