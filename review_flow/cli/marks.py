"""`review-flow marks …`: what any table of marks adds up to. No database, and nothing heavy is imported."""

from pathlib import Path
from typing import Annotated, Any

import typer

from review_flow import cli, schemes
from review_flow.cli.scheme import MISUSE, AsJson, print_json, read_facts
from review_flow.i18n import _, say
from review_flow.rules.peer_marks.report import METHODS, read_table, report
from review_flow.rules.reader import RecordInvalid

FLAGS = {"alone": _("只有一份"), "spread": _("相差过大"), "band": _("等次不同")}

app = typer.Typer(no_args_is_help=True)


@app.callback(help=cli.PARTS["marks"][1])
def marks() -> None:
    """Keep `aggregate` a command of its own name, though it is the only one."""


@app.command(help=_("把一张评分表合成为每份成果一个分数，附不确定度、评阅人的偏差与权重、一致性。"))
def aggregate(
    table: Annotated[Path, typer.Argument(help=_("评分表（JSON，见 docs/marks.md）"))],
    method: Annotated[str, typer.Option(help=_("mean、trimmed、median、weighted、reliability 或 agreed"))] = METHODS[2],
    as_json: AsJson = False,
) -> None:
    """Make one mark of each work's marks."""
    rules = schemes.load(schemes.DEFAULTS).review.peer.reliability
    try:
        answer = report(read_table(read_facts(table)), method, rules)
    except RecordInvalid as refused:
        typer.echo(f"{table}：{refused}", err=True)
        raise typer.Exit(MISUSE) from None
    if as_json:
        print_json(answer)
    else:
        for line in _lines(answer):
            typer.echo(line)


def _lines(answer: dict[str, Any]) -> list[str]:
    lines = []
    if "leave_one_out" in answer:
        errors = answer["leave_one_out"]
        lines.append(say(_("逐一留出{marks}个评分：可靠度加权误差{reliability}，中位数误差{median}。"), **errors))
    lines.append(say(_("合成方法：{method}"), method=answer["used"]))
    for one in answer["results"]:
        doubt = "" if one["uncertainty"] is None else f" ±{one['uncertainty']}"
        flags = "".join(f"  ! {say(FLAGS[flag])}" for flag in one["flags"])
        mark = one["mark"] or say(_("未达成一致"))
        lines.append(f"{one['submission']}  {mark}{doubt}  n={one['n']}{flags}")
    for one in answer["reviewers"]:
        sentence = _("{reviewer}：偏差{bias}（{bias_low}至{bias_high}），精度{precision}，权重{weight}，{n}份")
        lines.append(say(sentence, **one))
    lines.append(say(_("一致性 α = {alpha}"), alpha=answer["agreement"]["alpha"] or say(_("无法计算"))))
    return lines
