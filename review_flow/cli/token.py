"""`review-flow token …`: what a person's own programs ask the API with."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk
from review_flow.i18n import _, listed
from review_flow.rules.tokens import USUAL_DAYS, Scope
from review_flow.steps import tokens

app = typer.Typer(help=cli.PARTS["token"][1], no_args_is_help=True)
command = partial(common.command, app, of_round=False)


@command(_("建立令牌；只显示这一次"))
def make(
    desk: Desk,
    name: Annotated[str, typer.Option(help=_("用途"))],
    scope: Annotated[list[Scope], typer.Option(help=_("可以做什么；可写多次"))],
    days: Annotated[int, typer.Option(help=_("有效天数"))] = USUAL_DAYS,
) -> None:
    """Make a token for the acting person."""
    row, token = tokens.make(desk.session, actor=desk.actor, name=name, scopes=scope, days=days)
    desk.show({"id": row.id, "token": token, "expires_at": row.expires_at}, [token])


@command(_("列出自己的令牌"), name="list")
def list_(desk: Desk) -> None:
    """List the acting person's tokens."""
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "prefix": one.prefix,
            "scopes": listed(one.scopes),
            "expires_at": one.expires_at,
            "used_at": one.used_at,
        }
        for one in tokens.tokens_of(desk.session, person=desk.actor)
    ]
    titles = {
        "id": _("编号"), "name": _("用途"), "prefix": _("开头"), "scopes": _("范围"),
        "expires_at": _("有效至"), "used_at": _("最近使用"),
    }  # fmt: skip
    desk.table(rows, titles, empty=_("还没有令牌。"))


@command(_("撤销自己的一个令牌"))
def revoke(desk: Desk, key: Annotated[int, typer.Argument(help=_("编号（见 token list）"))]) -> None:
    """End one of the acting person's tokens."""
    tokens.revoke(desk.session, actor=desk.actor, token_id=key)
    desk.done(_("已撤销。"))
