"""`review-flow library …`: what was published, and taking it back."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from models import Nomination
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk
from review_flow.i18n import _
from review_flow.steps import library

app = typer.Typer(help=cli.PARTS["library"][1], no_args_is_help=True)
command = partial(common.command, app)
Key = Annotated[int, typer.Argument(help=_("推荐编号（见 pipeline list）"))]


@command(_("发布一件选出的作品（作者须两项都同意）"))
def publish(desk: Desk, nomination: Key) -> None:
    """Publish a chosen work."""
    library.publish_work(
        desk.session, actor=desk.actor, nomination=desk.of_the_round(Nomination, nomination, _("推荐"))
    )
    desk.done(_("已发布到资源库。"))


@command(_("撤下一件作品（作者本人或管理员，须写明理由）"))
def take_back(desk: Desk, nomination: Key, reason: Annotated[str, typer.Option(help=_("理由"))]) -> None:
    """Take a work out of the library."""
    found = desk.of_the_round(Nomination, nomination, _("推荐"))
    library.take_back_work(desk.session, actor=desk.actor, nomination=found, reason=reason)
    desk.done(_("已撤下。"))


@command(_("资源库里有什么"), name="list", of_round=False)
def list_(desk: Desk) -> None:
    """List what the school published."""
    titles = {
        "id": _("编号"), "title": _("作品"), "subject": _("学科"), "ability": _("微能力"), "category": _("类别"),
        "author": _("作者"), "evidence": _("文件"), "at": _("发布时间"),
    }  # fmt: skip
    desk.table(library.library_of(desk.session, actor=desk.actor), titles, empty=_("资源库是空的。"))
