"""`review-flow template …`: an empty report form, its check, its export. No database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from review_flow.cli.refusals import FileThere
from review_flow.cli.scheme import MISTAKES, AsJson, Name, load_scheme, misuse, print_json, read_text
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.schemes.form import blank, check_form

if TYPE_CHECKING:
    from review_flow.rules.scheme import Scheme
    from review_flow.schemes import Mistake

app = typer.Typer(help=_("上报模板：空白表、检查、导出（不需要数据库）"), no_args_is_help=True)
Filled = Annotated[Path, typer.Argument(help=_("填好的表（YAML 或 JSON）"))]
Out = Annotated[Path, typer.Option("--out", help=_("写到哪个文件"))]


@app.command(help=_("写出一份空白表，按注释填写。"))
def new(name: Name, out: Annotated[Path, typer.Argument(help=_("写到哪个文件"))]) -> None:
    """Write an empty form."""
    try:
        text = blank(load_scheme(name))
    except Refusal as refused:
        misuse(str(refused))
    if out.exists():
        misuse(say(FileThere.text, path=out))
    _write(out, text.encode())


@app.command(help=_("检查填好的表：指出每处问题。无问题返回 0，有问题返回 1，用法有误返回 2。"))
def check(name: Name, file: Filled, as_json: AsJson = False) -> None:
    """Name every problem of a filled form."""
    _data, problems = _checked(load_scheme(name), file)
    if as_json:
        rows = [{"line": one.line, "field": one.field, "text": one.text} for one in problems]
        print_json({"ok": not problems, "problems": rows})
    else:
        _tell(problems)
    raise typer.Exit(MISTAKES if problems else 0)


@app.command(help=_("把填好的表按规定的次序和格式写成 docx；有问题的表不导出。"))
def export(
    name: Name,
    file: Filled,
    out: Out,
    to: Annotated[str, typer.Option("--to", help=_("格式：docx"))] = "docx",
) -> None:
    """Write the report in the prescribed order and layout."""
    if to != "docx":
        misuse(say(_("只能导出为 docx。")))
    scheme = load_scheme(name)
    data, problems = _checked(scheme, file)
    if problems:
        _tell(problems)
        raise typer.Exit(MISTAKES)
    from review_flow.outside.print_form import form_docx

    _write(out, form_docx(scheme.template, data))


def _checked(scheme: Scheme, file: Path) -> tuple[dict[str, Any], list[Mistake]]:
    try:
        return check_form(scheme, read_text(file), source=str(file))
    except Refusal as refused:
        misuse(str(refused))


def _tell(problems: list[Mistake]) -> None:
    for one in problems:
        typer.echo(f"{one.file}:{one.line} {one.text}")
    typer.echo(say(_("{count}处问题。"), count=len(problems)))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError:
        misuse(say(_("不能写到 {path}。"), path=path))
    typer.echo(say(_("已写入 {path}"), path=path))
