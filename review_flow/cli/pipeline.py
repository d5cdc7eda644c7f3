"""`review-flow pipeline …`: works and learners put forward, consents, votes, marks, and level after level."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from models import Evidence, Nomination, Person
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk
from review_flow.cli.facts import decimal
from review_flow.cli.workshop import workshop_of
from review_flow.errors import NotFound
from review_flow.i18n import _, listed, say
from review_flow.rules.marks import shown
from review_flow.rules.words import NominationKind, NominationState, WorkConsent
from review_flow.steps import levels, nominations, work_consents
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from review_flow.rules.programme import PipelineStep

app = typer.Typer(help=cli.PARTS["pipeline"][1], no_args_is_help=True)
command = partial(common.command, app)
Key = Annotated[int, typer.Argument(help=_("推荐编号（见 pipeline list）"))]
STATES = {
    NominationState.RISING: _("评选中"),
    NominationState.CHOSEN: _("已选出"),
    NominationState.LEFT: _("未入选"),
    NominationState.WITHDRAWN: _("作者不同意"),
}


@command(_("推荐一件作品，或一位优秀学员（坊主或管理员）"))
def nominate(
    desk: Desk,
    number: Annotated[str, typer.Argument(help=_("作者或学员的工号"))],
    title: Annotated[str, typer.Option(help=_("作品名称，或推荐理由"))],
    *,
    learner: Annotated[bool, typer.Option("--learner", help=_("推荐的是学员"))] = False,
    video: Annotated[bool, typer.Option("--video", help=_("视频作品"))] = False,
    ability: Annotated[str | None, typer.Option(help=_("微能力"))] = None,
    category: Annotated[str | None, typer.Option(help=_("奖项类别（方案所列）"))] = None,
    evidence: Annotated[int | None, typer.Option(help=_("所交材料的编号"))] = None,
) -> None:
    """Put a work or learner forward."""
    file = None if evidence is None else desk.session.get(Evidence, evidence)
    if evidence is not None and file is None:
        raise NotFound(what=say(_("证据")), key=evidence)
    work = nominations.Work(
        NominationKind.LEARNER if learner else NominationKind.WORK, title, video, ability, category, file
    )
    made = nominations.nominate(
        desk.session, actor=desk.actor, round_=desk.round, author=desk.person(number), work=work
    )
    desk.done(_("已推荐，编号{id}。"), id=made.id)


@command(_("作者本人同意或不同意：出坊，与公开发布，分别表示"))
def consent(
    desk: Desk,
    nomination: Key,
    about: Annotated[WorkConsent, typer.Argument(help=_("author 推送出坊，publication 公开发布"))],
    *,
    given: Annotated[bool, typer.Option("--yes/--no", help=_("同意／不同意"))],
    show_name: Annotated[bool, typer.Option("--show-name", help=_("发布时署名"))] = False,
    pupils: Annotated[bool | None, typer.Option("--pupils/--no-pupils", help=_("作品中有／没有可辨认的学生"))] = None,
    pupils_note: Annotated[str | None, typer.Option(help=_("监护人同意书存于何处"))] = None,
) -> None:
    """Say yes or no to a work's way."""
    work_consents.say_consent(
        desk.session,
        actor=desk.actor,
        nomination=_nomination(desk, nomination),
        about=about,
        given=given,
        show_name=show_name,
        pupils=pupils,
        pupils_note=pupils_note,
    )
    desk.done(_("已记录：同意。") if given else _("已记录：不同意，作品留在坊内，不公开。"))


@command(_("投票"))
def vote(desk: Desk, nomination: Key) -> None:
    """Vote for a work."""
    nominations.vote(desk.session, actor=desk.actor, nomination=_nomination(desk, nomination))
    desk.done(_("已投票。"))


@command(_("评分（0到100）"))
def mark(desk: Desk, nomination: Key, mark: Annotated[str, typer.Argument(help=_("分数"))]) -> None:
    """Mark a work."""
    nominations.mark_work(desk.session, actor=desk.actor, nomination=_nomination(desk, nomination), mark=decimal(mark))
    desk.done(_("已评分。"))


@command(_("评定一级：选出的进入下一级，其余留下"))
def advance(
    desk: Desk,
    step: Annotated[str, typer.Argument(help=_("级别编号（见方案）"))],
    workshop: Annotated[str | None, typer.Option(help=_("工作坊（坊内评选时）"))] = None,
    pick: Annotated[list[int] | None, typer.Option(help=_("指定的推荐编号，可重复"))] = None,
    basis: Annotated[str, typer.Option(help=_("依据，如上级文件"))] = "",
) -> None:
    """Decide a level."""
    chosen = levels.advance_level(
        desk.session,
        actor=desk.actor,
        round_=desk.round,
        step=_step(desk, step),
        workshop=None if workshop is None else workshop_of(desk, workshop),
        named=[_nomination(desk, one) for one in pick or []],
        basis=basis,
    )
    titles = listed(one.title for one in chosen) or say(_("无"))
    desk.done(_("进入下一级{count}项：{titles}。"), count=len(chosen), titles=titles)


@command(_("列出推荐：给管理员与坊主；其他人只见本人的，与本坊评选中的"), name="list")
def list_(desk: Desk) -> None:
    """List what was put forward, as far as it is the actor's to see."""
    scheme = round_scheme(desk.session, round_=desk.round)
    steps = {one.id: one for one in scheme.pipeline}
    rows: list[dict[str, object]] = []
    found = nominations.visible(desk.session, actor=desk.actor, round_=desk.round)
    points, consents = levels.known_of(desk.session, actor=desk.actor, round_=desk.round, nominations=found)
    for one in found:
        step = steps.get(one.step or "")
        rows.append(
            {
                "id": one.id,
                "title": one.title,
                "author": desk.session.get_one(Person, one.author_id).name,
                "kind": one.kind.value,
                "video": one.video,
                "step": step.name_zh if step else None,
                "state": say(STATES[one.state]),
                "points": shown(points[one.id]) if one.id in points else None,
                "consents": [about.value for about in consents[one.id]] if one.id in consents else None,
            }
        )
    titles = {
        "id": _("编号"), "title": _("作品"), "author": _("作者"), "step": _("级别"), "state": _("状态"), "points": _("票数或均分"),
        "consents": _("已同意"),
    }  # fmt: skip
    desk.table(rows, titles, empty=_("还没有推荐。"))


def _nomination(desk: Desk, key: int) -> Nomination:
    return desk.of_the_round(Nomination, key, _("推荐"))


def _step(desk: Desk, name: str) -> PipelineStep:
    steps = round_scheme(desk.session, round_=desk.round).pipeline
    found = next((one for one in steps if one.id == name), None)
    if found is None:
        raise NotFound(what=say(_("级别")), key=name)
    return found
