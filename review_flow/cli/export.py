"""`review-flow export …`: the results as the school files them, and the archive."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from models import RoundExport
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk
from review_flow.cli.refusals import Misuse
from review_flow.db import settings
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.outside.storage import read, storage_at
from review_flow.rules.words import ExportKind, JobState
from review_flow.steps import exports
from review_flow.steps.people import require_admin

app = typer.Typer(help=cli.PARTS["export"][1], no_args_is_help=True)
command = partial(common.command, app)
Out = Annotated[Path | None, typer.Option(help=_("写到哪个文件"))]
Now = Annotated[bool, typer.Option("--now", help=_("立即制作，不等后台流程"))]


@command(_("考核结果表（xlsx）"), name="results")
def results_(desk: Desk, out: Out = None, now: Now = False) -> None:
    """Export the results as the school files them."""
    _export(desk, ExportKind.RESULTS, out, now=now)


@command(_("归档（zip）：可用 review-flow verify 逐份重算"))
def archive(desk: Desk, out: Out = None, now: Now = False) -> None:
    """Export the archive of the round."""
    _export(desk, ExportKind.ARCHIVE, out, now=now)


def _export(desk: Desk, kind: ExportKind, out: Path | None, *, now: bool) -> None:
    if now != (out is not None):
        raise Misuse(why=say(_("--now 与 --out 要一起用；不用 --now 时，稍后用 export fetch 取文件")))
    asked = exports.start(desk.session, actor=desk.actor, round_=desk.round, kind=kind)
    if out is None:
        desk.done(_("已登记，编号{id}，由后台流程制作。"), id=asked.id)
        return
    exports.run(desk.session, export=asked, storage=storage_at(settings().storage))
    _write(desk, asked, out)


def _write(desk: Desk, made: RoundExport, out: Path) -> None:
    assert made.storage_key is not None
    out.write_bytes(read(storage_at(settings().storage), made.storage_key))
    desk.done(_("已写入{path}（SHA-256 {sha256}）。"), path=out, sha256=made.sha256)


@command(_("取后台流程做好的文件"))
def fetch(
    desk: Desk,
    export: Annotated[int, typer.Argument(help=_("编号"))],
    out: Annotated[Path, typer.Option(help=_("写到哪个文件"))],
) -> None:
    """Write a finished export to a file."""
    require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    found = desk.of_the_round(RoundExport, export, _("导出"))
    if found.state is not JobState.DONE:
        raise NotFound(what=say(_("做好的导出")), key=export)
    _write(desk, found, out)


@command(_("列出本轮的导出"), name="list")
def list_(desk: Desk) -> None:
    """List the exports of the round."""
    require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    found = desk.session.scalars(
        select(RoundExport).where(RoundExport.round_id == desk.round.id).order_by(RoundExport.id)
    )
    rows = [
        {"id": one.id, "kind": one.kind.value, "state": one.state.value, "at": one.asked_at, "sha256": one.sha256}
        for one in found
    ]
    titles = {"id": _("编号"), "kind": _("种类"), "state": _("状态"), "at": _("时间"), "sha256": _("SHA-256")}
    desk.table(rows, titles, empty=_("还没有导出。"))
