"""`review-flow scheme …`: list, show, check, grade, print, diff, simulate. No database; what is heavy is imported when asked for."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from review_flow import schemes
from review_flow.cli.json_input import parse
from review_flow.errors import BadInput, NotFound, Refusal
from review_flow.i18n import _, say
from review_flow.rules.grading import Outcome, RecordInvalid, grade
from review_flow.rules.outcome import FLAGS, cited
from review_flow.rules.scheme import Scheme

if TYPE_CHECKING:
    from review_flow.schemes.plan import Plan
    from review_flow.simulation import Findings

MISTAKES, MISUSE = 1, 2
MOST_TEACHERS, MOST_ROUNDS = 2000, 1000
SIGNS = {True: "✓", False: "✗", None: "?"}
TASK_STATES = {"done": _("按时完成"), "late": _("逾期完成"), "due": _("逾期未完成"), "open": _("未到期")}

app = typer.Typer(help=_("考核方案：列出、查看、检查、试算（不需要数据库）"), no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help=_("输出 JSON"))]
Name = Annotated[str, typer.Argument(help=_("方案编号，或 YAML 文件"))]


class PaperKind(Enum):
    """What a plan is written as."""

    DOCX = "docx"
    MARKDOWN = "md"
    PDF = "pdf"


@app.command("list", help=_("列出自带的考核方案。"))
def list_(as_json: AsJson = False) -> None:
    """List the schemes that come with the program."""
    found = schemes.available()
    if as_json:
        print_json([{"id": one.id, "title_zh": one.title_zh, "edition": one.edition} for one in found])
        return
    for one in found:
        typer.echo(say(_("{id}  {title}（{edition}）"), id=one.id, title=one.title_zh, edition=one.edition))


@app.command(help=_("显示一个方案的每个值及其出处，和本校待确认的事项。"))
def show(name: Name, as_json: AsJson = False) -> None:
    """Show every value of a scheme with its source, and what the school has to confirm."""
    scheme = load_scheme(name)
    if as_json:
        print_json({**scheme.document, "digest": scheme.digest})
        return
    names = {"title": scheme.title_zh, "id": scheme.id, "version": scheme.version}
    typer.echo(say(_("{title}（{id}，第{version}版）"), **names))
    typer.echo(f"{scheme.digest}\n")
    for path, value in scheme.values():
        typer.echo(f"{_line(path, value)}  [{cited(str(scheme.source(path)))}]")
    typer.echo("\n" + say(_("本校待确认：")))
    for unknown in scheme.unconfirmed():
        typer.echo(f"· {unknown.id}  {unknown.text_zh}")
        for path, value in scheme.in_force(unknown).items():
            typer.echo(f"    {_line(path, value)}")


@app.command(help=_("检查方案文件：指出每处错误的行号和字段。无错误返回 0，有错误返回 1，用法有误返回 2。"))
def check(
    file: Annotated[Path, typer.Argument(help=_("要检查的方案文件"))],
    ready: Annotated[bool, typer.Option(help=_("待确认事项也算错误：检查能否启用"))] = False,
    as_json: AsJson = False,
) -> None:
    """Name line and field of every mistake in a scheme file."""
    from review_flow.schemes.check import check as check_text

    mistakes = check_text(read_text(file), source=str(file), ready=ready)
    wrong = [mistake for mistake in mistakes if mistake.level == "error"]
    if as_json:
        rows = [
            {"file": one.file, "line": one.line, "field": one.field, "text": one.text, "level": one.level}
            for one in mistakes
        ]
        print_json({"ok": not wrong, "mistakes": rows})
    else:
        for one in mistakes:
            level = say(_("错误")) if one.level == "error" else say(_("提醒"))
            typer.echo(f"{level} {one}")
        count, notes = len(wrong), len(mistakes) - len(wrong)
        typer.echo(say(_("{count}处错误，{notes}处提醒。"), count=count, notes=notes))
    raise typer.Exit(MISTAKES if wrong else 0)


@app.command("grade", help=_("按方案为一位教师的事实计分，逐行说明依据。"))
def grade_(
    name: Name,
    record: Annotated[Path, typer.Argument(help=_("一位教师的事实（JSON，见 docs/record.md）"))],
    as_json: AsJson = False,
) -> None:
    """Grade one teacher's facts, with the reason for every line."""
    scheme = load_scheme(name)
    try:
        outcome = grade(scheme, read_facts(record))
    except RecordInvalid as refused:
        misuse(f"{record}：{refused}")
    from review_flow.schemes.plan import plan_of

    plan = plan_of(scheme)
    if as_json:
        lines = [{**line.as_json(), "article": plan.article_of(line.path)} for line in outcome.ledger]
        print_json({**outcome.as_json(), "ledger": lines})
    else:
        _print_outcome(outcome, plan)


@app.command(help=_("用虚构的教师把方案演练若干轮：等次、卡点、评审量、做不到的规定。方案生效前用。"))
def simulate(
    name: Name,
    teachers: Annotated[int, typer.Option(min=1, max=MOST_TEACHERS, help=_("每轮多少名教师"))] = 100,
    seed: Annotated[int, typer.Option(help=_("随机种子：相同则结果相同"))] = 1,
    rounds: Annotated[int, typer.Option(min=1, max=MOST_ROUNDS, help=_("演练几轮"))] = 1,
    out: Annotated[Path | None, typer.Option(help=_("把报告、图和数据写进这个目录"))] = None,
    font: Annotated[Path | None, typer.Option(help=_("画 PNG 用的中文字体文件"))] = None,
    as_json: AsJson = False,
) -> None:
    """Play rounds of made-up people against a scheme."""
    from rich.console import Console
    from rich.progress import Progress

    from review_flow.simulation import simulate as played
    from review_flow.simulation.report import page

    scheme = load_scheme(name)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(say(_("演练中")), total=teachers * rounds)
        found = played(scheme, teachers=teachers, seed=seed, rounds=rounds, progress=lambda _done: bar.advance(task))
    if out is not None:
        _write_simulation(found, out, font)
    if as_json:
        print_json(found.as_json())
    else:
        typer.echo(page(found))


def _write_simulation(found: Findings, out: Path, font: Path | None) -> None:
    from review_flow.simulation.charts import NoFont, png, svg
    from review_flow.simulation.report import charts, page

    out.mkdir(parents=True, exist_ok=True)
    drawing = charts(found)
    data = json.dumps(found.as_json(), ensure_ascii=False, indent=2) + "\n"
    (out / "simulation.json").write_text(data, encoding="utf-8")
    (out / "simulation.md").write_text(page(found, picture="simulation.svg"), encoding="utf-8")
    (out / "simulation.svg").write_text(svg(drawing), encoding="utf-8")
    try:
        (out / "simulation.png").write_bytes(png(drawing, font=font))
    except NoFont:
        typer.echo(say(_("没有找到中文字体，未画 PNG；可用 --font 指定字体文件。")), err=True)
    typer.echo(say(_("已写入：{path}"), path=out), err=True)


@app.command("print", help=_("打印考核方案：分章分条，可签字盖章。"))
def print_(
    name: Name,
    to: Annotated[PaperKind, typer.Option("--to", help=_("格式：docx、md 或 pdf"))] = PaperKind.DOCX,
    out: Annotated[Path | None, typer.Option("--out", help=_("写到哪个文件；省略时为“方案编号.格式”"))] = None,
) -> None:
    """Write the plan that a principal can sign."""
    from review_flow.schemes.plan import plan_of

    scheme = load_scheme(name)
    path = out or Path(f"{scheme.id}.{to.value}")
    try:
        path.write_bytes(_printed(plan_of(scheme), to))
    except Refusal as refused:
        misuse(str(refused))
    except OSError:
        misuse(say(_("不能写到 {path}。"), path=path))
    typer.echo(say(_("已写入 {path}"), path=path))


def _printed(plan: Plan, kind: PaperKind) -> bytes:
    if kind is PaperKind.MARKDOWN:
        from review_flow.outside.print_markdown import markdown

        return markdown(plan).encode()
    if kind is PaperKind.PDF:
        from review_flow.outside.print_pdf import pdf

        return pdf(plan)
    from review_flow.outside.print_docx import docx

    return docx(plan)


@app.command("diff", help=_("两个方案有何不同，逐项说明；加 --overrides 则说明一个方案改动了所继承的哪些规定。"))
def diff(
    name: Name,
    other: Annotated[str | None, typer.Argument(help=_("与之比较的方案编号，或 YAML 文件"))] = None,
    overrides: Annotated[bool, typer.Option("--overrides", help=_("与所继承的方案比较"))] = False,
    as_json: AsJson = False,
) -> None:
    """Say what differs between two schemes, or between one and what it inherits."""
    from review_flow.schemes import differences
    from review_flow.schemes.telling import told

    if overrides == (other is not None):
        misuse(say(_("请给出要比较的另一个方案，或用 --overrides 与所继承的方案比较。")))
    scheme = load_scheme(name)
    found = differences.overrides(scheme) if other is None else differences.differences(scheme, load_scheme(other))
    if as_json:
        print_json([one.as_json() for one in found])
        return
    for place, (section, sentences) in enumerate(told(found)):
        typer.echo(f"\n【{section}】" if place else f"【{section}】")
        for sentence in sentences:
            typer.echo(f"· {sentence}")
    if not found:
        typer.echo(say(_("没有不同。")))


def _print_outcome(outcome: Outcome, plan: Plan) -> None:
    score = say(_("无分数")) if outcome.score is None else say(_("{score}分"), score=outcome.score)
    state = say(_("（待考核组确认）")) if outcome.proposed else ""
    typer.echo(f"{outcome.grade}  {score}{state}")
    for flag in outcome.flags:
        typer.echo(f"! {say(FLAGS[flag])}")
    typer.echo("")
    for gate in outcome.gates:
        typer.echo(f"{SIGNS[gate.passed]} {gate.id}  {gate.text}")
    typer.echo("")
    for line in outcome.ledger:
        sources = " · ".join(part for part in (cited(line.rule), plan.article_of(line.path)) if part)
        typer.echo(f"{line.points:>8} {line.running:>8}  {line.text}  [{sources}]")
    for task in outcome.tasks:
        due = say(_("无期限")) if task.due is None else task.due.date().isoformat()
        typer.echo(say(_("{state}  {text}（{due}）"), state=say(TASK_STATES[task.state]), text=task.text, due=due))
    for target in outcome.targets:
        typer.echo(f"{SIGNS[target.met]} {target.id}  {target.text}")
    if outcome.exemption is not None:
        typer.echo(outcome.exemption.text)


def load_scheme(name: str) -> Scheme:
    """Return the scheme of a name or file; ends the command with a sentence where there is none."""
    try:
        return schemes.load(name)
    except NotFound as refused:
        misuse(str(refused))
    except schemes.SchemeInvalid as refused:
        misuse("\n".join(map(str, refused.mistakes)))


def read_facts(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file, its numbers exact; ends the command with a sentence where there is none."""
    try:
        facts = parse(path.read_bytes(), decimal=str)  # 79.50 stays 79.50: never a binary float
    except OSError:
        misuse(say(_("找不到文件：{path}"), path=path))
    except BadInput as refused:
        misuse(f"{path}：{refused}")
    if not isinstance(facts, dict):
        misuse(say(_("{file}应是一个 JSON 对象。"), file=path))
    return facts


def read_text(path: Path) -> str:
    """Return the text of a file; ends the command with a sentence where there is none."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError:
        misuse(say(_("找不到文件：{path}"), path=path))
    except UnicodeDecodeError:
        misuse(say(_("{path}不是 UTF-8 文字。"), path=path))


def _line(path: str, value: object) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return say(_("{path}：{value}"), path=path, value=shown)


def print_json(value: object) -> None:
    """Print data as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def misuse(text: str) -> NoReturn:
    """Print why, and end the command."""
    typer.echo(text, err=True)
    raise typer.Exit(MISUSE)
