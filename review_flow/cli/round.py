"""`review-flow round …`: set a round up, open it, see where it stands, publish, close."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from models import Person, Role, Round
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk, day, read_json
from review_flow.cli.refusals import Misuse
from review_flow.i18n import _, listed, say
from review_flow.rules.effort import SIGNS
from review_flow.rules.words import RoleKind, SeatKind
from review_flow.steps import advance, enrolments, feedback, people, results, reviews, rounds, schemes, standing
from review_flow.steps import effort as effort_

app = typer.Typer(help=cli.PARTS["round"][1], no_args_is_help=True)
command = partial(common.command, app)
Number = Annotated[str, typer.Argument(help=_("工号"))]
Reason = Annotated[str, typer.Option(help=_("理由"))]


def codes(text: str) -> list[str]:
    """Read "A1,A3" (also with Chinese commas) as a list of codes."""
    return [code.strip() for code in text.replace("，", ",").replace("、", ",").split(",") if code.strip()]


@command(_("建立考核轮次"), of_round=False)
def create(
    desk: Desk,
    name: Annotated[str, typer.Argument(help=_("名称，如 2026春"))],
    scheme: Annotated[str, typer.Option(help=_("方案编号（用最新版，须已发布）"))],
    opens: Annotated[date, typer.Option(parser=day, help=_("开放日"))],
    due: Annotated[date, typer.Option(parser=day, help=_("提交截止日"))],
    closes: Annotated[date, typer.Option(parser=day, help=_("最终截止日"))],
    abilities: Annotated[str, typer.Option(help=_("本校选定的微能力，如 A1,A3,A5；方案不选微能力时空白"))] = "",
) -> None:
    """Set up a round of the newest version of a scheme."""
    version = schemes.newest(desk.session, organization_id=desk.organization.id, scheme_id=scheme)
    rounds.create(
        desk.session,
        actor=desk.actor,
        version=version,
        name=name,
        abilities=codes(abilities),
        opens_on=opens,
        submit_due_on=due,
        hard_close_on=closes,
    )
    desk.done(_("已建立考核轮次“{name}”。"), name=name)


@command(_("指定席位：member 考核组成员、reserve 候补、arbiter 仲裁人、appeal 申诉复核人"))
def seat(desk: Desk, number: Number, kind: Annotated[SeatKind, typer.Argument(help=_("席位"))]) -> None:
    """Give a person a place on the panel."""
    rounds.seat(desk.session, actor=desk.actor, round_=desk.round, person=desk.person(number), kind=kind)
    desk.done(_("{number}已列为{seat}。"), number=number, seat=say(people.SEAT_NAMES[kind]))


@command(_("登记参评教师（导入名单时用 --round 也会登记）"))
def enrol(
    desk: Desk,
    numbers: Annotated[list[str] | None, typer.Argument(help=_("工号"))] = None,
    everybody: Annotated[bool, typer.Option("--all", help=_("本校全部在职教师"))] = False,
) -> None:
    """Put teachers into the round."""
    if everybody:
        of_school = (Role.organization_id == desk.organization.id, Role.kind == RoleKind.TEACHER, Person.active)
        teachers = select(Person).join(Role, Role.person_id == Person.id).where(*of_school).order_by(Person.number)
        chosen = list(desk.session.scalars(teachers))
    else:
        chosen = [desk.person(number) for number in numbers or []]
    if not chosen:
        raise Misuse(why=say(_("请给出工号，或用 --all")))
    for person in chosen:
        rounds.enrol(desk.session, actor=desk.actor, round_=desk.round, person=person)
    desk.done(_("已登记{count}位教师。"), count=len(chosen))


@command(_("设为免训"))
def exempt(desk: Desk, number: Number, reason: Reason) -> None:
    """Leave a teacher out, with a reason."""
    enrolments.exempt(desk.session, actor=desk.actor, enrolment=desk.enrolment(number), reason=reason)
    desk.done(_("{number}已设为免训。"), number=number)


@command(_("登记方案已当面送达某位教师"))
def deliver(desk: Desk, number: Number) -> None:
    """Record that the plan was handed over in person."""
    enrolments.deliver_in_person(desk.session, actor=desk.actor, enrolment=desk.enrolment(number))
    desk.done(_("已登记当面送达{number}。"), number=number)


@command(_("某位教师离岗：不再分配新的互评"))
def leave(desk: Desk, number: Number) -> None:
    """Give a teacher no new reviews."""
    enrolments.leave_reviewing(desk.session, actor=desk.actor, enrolment=desk.enrolment(number))
    desk.done(_("不再给{number}分配互评。"), number=number)


@command(_("设定某位教师同时最多承担几份互评"))
def cap(
    desk: Desk,
    number: Number,
    most: Annotated[int | None, typer.Argument(help=_("份数；0为不承担，不写为不限"))] = None,
) -> None:
    """Say how many reviews a teacher takes at once."""
    enrolments.set_review_cap(desk.session, actor=desk.actor, enrolment=desk.enrolment(number), cap=most)
    if most is None:
        desk.done(_("{number}的互评份数不限。"), number=number)
    else:
        desk.done(_("{number}同时最多承担{most}份互评。"), number=number, most=most)


@command(_("加一份标准样例及其评分（评审表 JSON）"))
def sample(
    desk: Desk,
    ability: Annotated[str, typer.Argument(help=_("微能力"))],
    title: Annotated[str, typer.Argument(help=_("样例名称"))],
    form: Annotated[Path, typer.Argument(help=_("评审表 JSON"))],
) -> None:
    """Add a calibration sample."""
    added = reviews.add_sample(
        desk.session, actor=desk.actor, round_=desk.round, ability=ability, title=title, form=read_json(form)
    )
    desk.done(_("已加入标准样例“{title}”，{mark}分。"), title=title, mark=added.mark)


@command(_("开放考核轮次；缺什么会逐条说明"), name="open")
def open_(desk: Desk) -> None:
    """Open the round."""
    rounds.open_round(desk.session, actor=desk.actor, round_=desk.round)
    desk.done(_("“{name}”已开放。"), name=desk.round.name)


@command(_("列出考核轮次"), name="list", of_round=False)
def list_(desk: Desk) -> None:
    """List the school's rounds."""
    found = desk.session.scalars(select(Round).where(Round.organization_id == desk.organization.id).order_by(Round.id))
    rows = [
        {
            "name": one.name,
            "phase": one.phase.value if desk.as_json else say(one.phase.label),
            "opens_at": one.opens_at,
            "submit_due_at": one.submit_due_at,
            "hard_close_at": one.hard_close_at,
        }
        for one in found
    ]
    titles = {"name": _("名称"), "phase": _("阶段"), "opens_at": _("开放"), "submit_due_at": _("截止")}
    desk.table(rows, {**titles, "hard_close_at": _("最终截止")}, empty=_("还没有考核轮次。"))


@command(_("进展：各状态有多少，谁在等什么、为什么"))
def status(desk: Desk) -> None:
    """Say where the round stands, and who is stuck and why."""
    people.require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    counts = standing.counts(desk.session, round_=desk.round)
    waits = standing.waits(desk.session, round_=desk.round)
    rows = [
        {"number": one.person and one.person.number, "who": one.who, "why": one.why, "until": one.until}
        for one in waits
    ]
    titles = {"number": _("工号"), "who": _("谁"), "why": _("等什么"), "until": _("期限")}
    lines = [f"{desk.round.name}  {say(desk.round.phase.label)}"]
    lines += [
        f"{say(TITLES[kind])}：" + listed(f"{say(state.label)} {count}" for state, count in found.items())
        for kind, found in counts.items()
        if found
    ]
    data = {
        "name": desk.round.name,
        "phase": desk.round.phase.value,
        **{kind: {state.value: count for state, count in found.items()} for kind, found in counts.items()},
        "waiting": rows,
    }
    desk.show(data, [*lines, "", *(common.aligned(rows, titles) if rows else [say(_("没有人在等。"))])])


TITLES = {"enrolments": _("教师"), "submissions": _("成果"), "results": _("结果")}


@command(_("公示：只公布姓名与等级"))
def publish(desk: Desk) -> None:
    """Publish the results."""
    results.publish(desk.session, actor=desk.actor, round_=desk.round)
    desk.done(_("已公示，至{until}。"), until=common.local(desk.round.publicity_ends_at))


@command(_("列出公示内容"))
def published(desk: Desk) -> None:
    """List what is published."""
    rows = results.published_list(desk.session, round_=desk.round)
    desk.table(rows, {"name": _("姓名"), "grade": _("等级")}, empty=_("还没有公示。"))


@command(_("归档：结果全部生效之后"))
def close(desk: Desk) -> None:
    """Close the round."""
    advance.close(desk.session, actor=desk.actor, round_=desk.round)
    desk.done(_("“{name}”已归档。"), name=desk.round.name)


@command(_("互评的一致性（Krippendorff α）与每位评阅人的偏差"))
def agreement(desk: Desk) -> None:
    """Show how the reviewers agree."""
    found = feedback.agreement(desk.session, actor=desk.actor, round_=desk.round)
    rows = [
        {
            "number": person.number, "name": person.name, "bias": one.bias, "low": one.low, "high": one.high,
            "precision": one.precision, "weight": one.weight, "n": one.marks,
        }
        for person, one in found.reviewers
    ]  # fmt: skip
    titles = {
        "number": _("工号"), "name": _("姓名"), "bias": _("偏差"), "low": _("区间下限"), "high": _("区间上限"),
        "precision": _("精度"), "weight": _("权重"), "n": _("份数"),
    }  # fmt: skip
    text = say(_("一致性 α = {alpha}"), alpha=found.alpha if found.alpha is not None else say(_("无法计算")))
    desk.show({"alpha": found.alpha, "reviewers": rows}, [text, *common.aligned(rows, titles)])


@command(_("互评中可能敷衍的迹象：供人判断，不影响分数"))
def effort(desk: Desk) -> None:
    """Show the signs of low effort that their reviewers know of."""
    rows = [
        {"number": person.number, "name": person.name, "review": review.id, "signs": [say(SIGNS[one]) for one in signs]}
        for person, review, signs in effort_.signs_of(desk.session, actor=desk.actor, round_=desk.round)
    ]
    titles = {"number": _("工号"), "name": _("姓名"), "review": _("互评"), "signs": _("迹象")}
    desk.table(rows, titles, empty=_("没有这样的迹象。"))
