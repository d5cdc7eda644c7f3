"""`review-flow review …`: a colleague's tasks, their forms, what they say."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from models import Assignment, CalibrationSample, Submission
from review_flow import cli
from review_flow.cli import common, forms
from review_flow.cli.common import Desk
from review_flow.i18n import _, say
from review_flow.rules.words import UNDONE
from review_flow.steps import claims, feedback, reviews

app = typer.Typer(help=cli.PARTS["review"][1], no_args_is_help=True)
command = partial(common.command, app)
Task = Annotated[int, typer.Argument(help=_("任务编号"))]
Form = Annotated[Path, typer.Argument(help=_("评审表 JSON"))]


@command(_("列出我要互评的成果"))
def tasks(desk: Desk) -> None:
    """List what the actor has to review."""
    rows = [_row(desk, one) for one in reviews.tasks_of(desk.session, person=desk.actor, round_=desk.round)]
    titles = {"id": _("任务"), "what": _("成果"), "state": _("状态"), "until": _("期限")}
    desk.table(rows, titles, empty=_("现在没有互评任务。"))


def _row(desk: Desk, task: Assignment) -> dict[str, object]:
    if task.submission_id is not None:
        what = desk.session.get_one(Submission, task.submission_id).ability
    else:
        what = say(_("标准样例：{title}"), title=desk.session.get_one(CalibrationSample, task.sample_id).title)
    state = task.state.value if desk.as_json else say(reviews.STATES[task.state])
    return {"id": task.id, "what": what, "state": state, "until": task.lease_until}


def _task(desk: Desk, key: int) -> Assignment:
    """Return the actor's task; another's is refused as the step refuses it."""
    task = desk.of_the_round(Assignment, key, _("互评任务"))
    if task.reviewer_id != desk.actor.id:
        raise reviews.NotYours
    return task


def _work(desk: Desk, task: Assignment) -> Submission | None:
    return desk.session.get_one(Submission, task.submission_id) if task.submission_id else None


@command(_("打印一张空评审表（JSON），或写好一半的草稿"))
def form(desk: Desk, task: Task) -> None:
    """Print an empty form, or the draft, with what is asked."""
    found = _task(desk, task)
    blank = forms.empty(desk, _work(desk, found))
    whole = {**blank, **(found.draft or {})}
    desk.show(whole, [common.as_json_text(whole)])


@command(_("把要评的文件拷到一个文件夹"))
def files(desk: Desk, task: Task, folder: Annotated[Path, typer.Argument(help=_("文件夹"))]) -> None:
    """Copy the files of a task that is still to do."""
    found = _task(desk, task)
    work = _work(desk, found)
    if work is None or found.state not in UNDONE:
        raise reviews.ReviewOver(state=say(reviews.STATES[found.state]))
    made = forms.copied(desk, work, folder)
    desk.show([str(path) for path in made], map(str, made))


@command(_("提交填好的评审表"))
def submit(desk: Desk, task: Task, form: Form) -> None:
    """Hand a filled form in."""
    review = reviews.submit(desk.session, actor=desk.actor, assignment=_task(desk, task), form=forms.filled(form))
    desk.done(_("已提交，{mark}分。"), mark=review.mark)


@command(_("保存没有填完的评审表"))
def draft(desk: Desk, task: Task, form: Form) -> None:
    """Keep a half-filled form."""
    found = _task(desk, task)
    reviews.save_draft(desk.session, actor=desk.actor, assignment=found, draft=forms.filled(form))
    desk.done(_("草稿已保存，期限延至{until}。"), until=common.local(found.lease_until))


@command(_("谢绝一个任务，转给其他老师"))
def decline(desk: Desk, task: Task, reason: Annotated[str, typer.Option(help=_("理由"))]) -> None:
    """Give a task back."""
    reviews.decline(desk.session, actor=desk.actor, assignment=_task(desk, task), reason=reason)
    desk.done(_("已谢绝任务{id}。"), id=task)


@command(_("再领一份成果来评"))
def claim(desk: Desk) -> None:
    """Take one more work to review."""
    taken = claims.claim(desk.session, actor=desk.actor, round_=desk.round)
    desk.done(_("已领任务{id}，{until}前完成。"), id=taken.id, until=common.local(taken.lease_until))


@command(_("领一份标准样例来评"))
def sample(desk: Desk) -> None:
    """Take a calibration sample."""
    taken = claims.take_sample(desk.session, actor=desk.actor, round_=desk.round)
    desk.done(_("已领任务{id}，{until}前完成。"), id=taken.id, until=common.local(taken.lease_until))


@command(_("我给的分与最终的分（作者的等级生效后）"))
def beside(desk: Desk) -> None:
    """Show the actor's marks beside the final ones, and what authors said."""
    rows = [
        {
            "id": one.review, "ability": one.ability, "mine": one.mine, "peers": one.peers, "panel": one.panel,
            "helped": one.helped, "comment": one.comment,
        }
        for one in feedback.beside(desk.session, person=desk.actor, round_=desk.round)
    ]  # fmt: skip
    titles = {
        "id": _("编号"), "ability": _("微能力"), "mine": _("我的分"), "peers": _("互评分"), "panel": _("考核组分"),
        "comment": _("作者的话"),
    }  # fmt: skip
    desk.table(rows, titles, empty=_("还没有生效的结果。"))
