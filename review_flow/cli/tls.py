"""`review-flow tls …`: a certificate of the school's own, for an intranet."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk, run_deed
from review_flow.clock import shown
from review_flow.db import settings
from review_flow.errors import BadInput
from review_flow.i18n import _, listed, say
from review_flow.outside import authority

app = typer.Typer(help=cli.PARTS["tls"][1], no_args_is_help=True)
NOBODY: dict[str, Any] = {"acting": None, "school": None}


@app.callback()
def tls() -> None:
    """Stand for what its commands share, so that `make` keeps its name."""


@app.command(help=_("建立本校的证书颁发机构和服务器证书；快到期时再运行一次，serve 会自己使用"))
def make(
    name: Annotated[
        list[str] | None, typer.Option(help=_("别人打开网页用的主机名或 IP 地址，可重复；续期时可不写"))
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Make the authority where there is none, and a server's certificate."""
    run_deed(_make, {**NOBODY, "as_json": as_json}, {"names": name or []})


def _make(desk: Desk, *, names: list[str]) -> None:
    chosen = settings()
    kept = authority.Pair(chosen)
    wanted = names or (kept.names() if kept.complete() else [])
    if all(name.lower().rstrip(".") in authority.HERE for name in wanted):
        raise BadInput(field="--name", problem=say(_("请写出别人打开网页用的主机名，如 review.school.lan")))
    known = kept.trusted()
    made = authority.make(chosen, names=wanted)
    told = {"names": made.names(), "ends_at": made.ends_at(), "authority": made.authority, "server": made.server}
    desk.show(
        told,
        [
            say(_("已为{names}签发证书，到{moment}有效。"), names=listed(made.names()), moment=shown(made.ends_at())),
            *(
                []
                if known
                else [say(_("请把颁发机构证书装到各台电脑和手机上，浏览器才信任：{path}"), path=made.authority)]
            ),
            say(_("重新启动 review-flow serve 后生效。")),
        ],
    )
