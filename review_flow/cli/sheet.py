"""`review-flow sheet …`: templates to fill, and bringing them in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import select

from models import SheetImport
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import REFUSED, Desk
from review_flow.db import settings
from review_flow.errors import BadInput
from review_flow.i18n import _, say
from review_flow.outside.storage import read as read_file
from review_flow.outside.storage import storage_at
from review_flow.rules.words import JobState, SheetKind
from review_flow.steps import imports
from review_flow.steps.people import require_admin

if TYPE_CHECKING:
    from review_flow.outside.storage import Storage

app = typer.Typer(help=cli.PARTS["sheet"][1], no_args_is_help=True)
command = partial(common.command, app, of_round=False)
Which = Annotated[
    SheetKind,
    typer.Argument(help=_("roster 名单、hours 学时、progress 进度、attendance 考勤、awards 加分、survey 问卷")),
]


@command(_("写出一张空白模板（含填写说明）"))
def template(desk: Desk, kind: Which, out: Annotated[Path, typer.Argument(help=_("xlsx 文件"))]) -> None:
    """Write an empty sheet to fill."""
    common.write_new(out, imports.template(kind))
    desk.done(_("模板已写入{path}。"), path=out)


@command(_("导入一张表：全部采用，或指出每一行的问题"), name="import", of_round=True)
def import_(
    desk: Desk,
    kind: Which,
    file: Annotated[Path, typer.Argument(help=_("xlsx、xls、ods 或 csv 文件"))],
    provider: Annotated[str | None, typer.Option(help=_("哪个平台导出的表（见 sheet provider）"))] = None,
    now: Annotated[bool, typer.Option("--now", help=_("立即导入，不等后台流程"))] = False,
) -> None:
    """Bring a sheet in; by the flow, or at once. A roster may belong to no round, all others belong to one."""
    data, storage = file.read_bytes(), storage_at(settings().storage)
    school = desk.organization
    of_round = desk.names_round or kind is not SheetKind.ROSTER
    brought = imports.start(
        desk.session,
        actor=desk.actor,
        organization=school,
        round_=desk.round if of_round else None,
        kind=kind,
        file_name=file.name,
        data=data,
        storage=storage,
        provider=imports.provider_named(desk.session, organization=school, name=provider, kind=kind)
        if provider
        else None,
    )
    if now:
        imports.run(desk.session, sheet_import=brought, storage=storage)
    if brought.state is JobState.REFUSED:
        _show_problems(desk, brought, storage, file)
    elif brought.state is JobState.DONE:
        desk.done(_("已导入{rows}行。"), rows=brought.rows, id=brought.id, state=brought.state.value)
    else:
        desk.done(_("已收下，编号{id}，由后台流程导入。"), id=brought.id, state=brought.state.value)


@command(_("记下一个平台导出的表怎样命名各列"))
def provider(
    desk: Desk,
    name: Annotated[str, typer.Argument(help=_("平台名称"))],
    kind: Which,
    column: Annotated[list[str] | None, typer.Option(help=_("列=平台的列名，如 number=账号，可重复"))] = None,
    constant: Annotated[list[str] | None, typer.Option(help=_("列=固定值，如 kind=学习分钟，可重复"))] = None,
) -> None:
    """Keep how a platform names its columns."""
    imports.keep_provider(
        desk.session,
        actor=desk.actor,
        organization=desk.organization,
        name=name,
        kind=kind,
        columns=_pairs(column),
        constants=_pairs(constant),
    )
    desk.done(_("已记下“{name}”的列名。"), name=name)


def _pairs(given: list[str] | None) -> dict[str, str]:
    pairs = [one.partition("=") for one in given or []]
    for key, sign, value in pairs:
        if not (key and sign and value):
            raise BadInput(field=key or say(_("列")), problem=say(_("应写成“列=名称”的样子。")))
    return {key: value for key, _sign, value in pairs}


def _show_problems(desk: Desk, brought: SheetImport, storage: Storage, file: Path) -> None:
    """Say what is wrong in each row, and leave a copy of the sheet beside it that shows it."""
    desk.status = REFUSED
    shown = None
    if brought.problems_key is not None:
        shown = file.with_name(say(_("{name}-问题.xlsx"), name=file.stem))
        shown.write_bytes(read_file(storage, brought.problems_key))
    problems = brought.problems or {}
    lines = [say(_("没有导入任何一行。")), *(sentence for told in problems.values() for sentence in told)]
    lines += [say(_("问题已标在{path}，改好后重新导入。"), path=shown)] if shown else []
    desk.show({"error": "sheet-refused", "text": lines[0], "problems": problems, "sheet": shown and str(shown)}, lines)


@command(_("列出导入过的表"), name="list")
def list_(desk: Desk) -> None:
    """List what was brought in, the newest last."""
    require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    found = desk.session.scalars(
        select(SheetImport).where(SheetImport.organization_id == desk.organization.id).order_by(SheetImport.id)
    )
    rows: list[dict[str, object]] = [
        {
            "id": one.id,
            "kind": one.kind.value,
            "file": one.file_name,
            "at": one.brought_at,
            "state": one.state.value if desk.as_json else say(imports.STATES[one.state]),
            "rows": one.rows,
            "problems": one.problems if desk.as_json else _sentences(one),
        }
        for one in found
    ]
    titles = {"id": _("编号"), "kind": _("种类"), "file": _("文件"), "at": _("时间"), "state": _("状态")}
    desk.table(rows, {**titles, "rows": _("行数"), "problems": _("问题")}, empty=_("还没有导入过表格。"))


def _sentences(brought: SheetImport) -> list[str]:
    return [sentence for sentences in (brought.problems or {}).values() for sentence in sentences]
