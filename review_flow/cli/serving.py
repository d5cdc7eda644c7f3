"""`review-flow serve`: the web and the worker, with Prefect's server under it, as one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk, ready_engine, run_deed
from review_flow.db import settings, transaction
from review_flow.i18n import _, say
from review_flow.logs import configure

app = typer.Typer()
AsJson = common.AsJson
NOBODY: dict[str, Any] = {"acting": None, "school": None}


@app.command(help=cli.PARTS["serve"][1])
def serve(
    host: Annotated[str, typer.Option(help=_("监听地址；0.0.0.0 让同一网络的人都能访问"))] = "127.0.0.1",
    port: Annotated[int, typer.Option(help=_("端口"), min=1, max=65535)] = 8000,
    as_json: AsJson = False,
) -> None:
    """Serve until stopped."""
    run_deed(_serve, {**NOBODY, "as_json": as_json}, {"host": host, "port": port})


def _serve(desk: Desk, *, host: str, port: int) -> None:
    from review_flow.cli.supervise import Child, supervise
    from review_flow.steps import door
    from review_flow.web.assets import Assets

    engine = ready_engine()
    Assets()  # refused here, by name, rather than by a child that dies again and again
    configure(as_json=settings().log_json)
    address = settings().web_url or f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - compared
    with transaction(engine) as session:
        token = door.first_link(session)
    engine.dispose()
    typer.echo(say(_("地址：{address}"), address=address))
    if token is not None:
        link = f"{address}/link/{token}"
        typer.echo(say(_("还没有能登录的管理员。请打开这个一次性链接（两天内有效）：{link}"), link=link))
    supervise(
        [
            Child(say(_("网页")), ["-m", "review_flow.web", "--host", host, "--port", str(port)]),
            Child(say(_("后台工作")), ["-c", "from review_flow.cli import main; main()", "work"]),
        ]
    )
    desk.done(_("已停止。"))
