"""`review-flow evidence …`: check any file, without a database. Thin: parses, calls the sandbox, prints."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from review_flow.i18n import _, say
from review_flow.rules.verdict import KIND_WORDS, Finding, Kind, Level, Slot, clock
from review_flow.rules.words import CopyKind, Verdict

if TYPE_CHECKING:
    from review_flow.evidence.check import Report
    from review_flow.evidence.faces import Encoding
    from review_flow.evidence.sandbox import Sandbox

MISUSE = 2
COLOURS = {Verdict.VALID: "green", Verdict.HUMAN: "yellow", Verdict.REJECTED: "red"}
WORDS = {
    Verdict.VALID: _("通过"),
    Verdict.HUMAN: _("请人工查看"),
    Verdict.REJECTED: _("退回：文件不符合要求"),
}
PRESENT_WORDS = {
    True: _("已认出教师本人"),
    False: _("未能自动认出教师本人（不等于没有出镜）"),
    None: _("未作人脸比对"),
}
SIGNS = {Level.INFO: "·", Level.HUMAN: "?", Level.REJECT: "✗"}

app = typer.Typer(no_args_is_help=True)


@app.callback(help=_("证据文件：自动检查（不需要数据库）"))
def evidence() -> None:
    """Keep `check` a command of its own name, though it is the only one."""


@app.command(help=_("检查一个文件：是什么、合不合要求、教师本人是否出镜。任何结论都返回 0，用法有误返回 2。"))
def check(
    file: Annotated[Path, typer.Argument(help=_("要检查的视频、照片或文档"))],
    reference: Annotated[list[Path] | None, typer.Option(help=_("教师本人的参照照片，可给多张"))] = None,
    sheet: Annotated[Path | None, typer.Option(help=_("把画面一览图（PNG）写到这里"))] = None,
    slot_kind: Annotated[Kind | None, typer.Option(help=_("该项要求的形式"))] = None,
    min_seconds: Annotated[str | None, typer.Option(help=_("最短秒数（含）"))] = None,
    max_seconds: Annotated[str | None, typer.Option(help=_("最长秒数（含）"))] = None,
    min_chars: Annotated[int | None, typer.Option(help=_("最少字数（含）"))] = None,
    against: Annotated[list[Path] | None, typer.Option(help=_("与这些文件作雷同比对，可给多个"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("输出 JSON"))] = False,
) -> None:
    """Check one file: what it is, whether it qualifies, whether the teacher is seen."""
    from review_flow.evidence.sandbox import Sandbox

    if not file.is_file():
        raise _misuse(_("找不到文件：{path}"), path=file)
    limits = {"min_seconds": _seconds(min_seconds), "max_seconds": _seconds(max_seconds), "min_chars": min_chars}
    slot = Slot.of({"kind": slot_kind, **limits})
    with Sandbox() as box:
        references = [_enrolled(box, photo) for photo in reference or []]
        report = box.check(file, references=references, slot=slot, sheet=sheet is not None)
        report = _compared(box, report, file, against or [])
    if sheet is not None and report.sheet is not None:
        try:
            sheet.write_bytes(report.sheet)
        except OSError as error:
            raise _misuse(_("一览图写不进去：{path}（{why}）"), path=sheet, why=error.strerror) from error
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        _show(report, file, sheet)


def _misuse(sentence: str, **names: object) -> typer.Exit:
    typer.echo(say(sentence, **names), err=True)
    return typer.Exit(MISUSE)


def _seconds(text: str | None) -> Decimal | None:
    """Read a number of seconds exactly; "300" or "5:00"."""
    if text is None:
        return None
    minutes, _colon, seconds = text.rpartition(":")
    try:
        value = Decimal(seconds) + 60 * Decimal(minutes or "0")
    except ArithmeticError as wrong:
        raise _misuse(_("“{text}”不是秒数，请写 300 或 5:00"), text=text) from wrong
    if not value.is_finite() or value < 0:
        raise _misuse(_("“{text}”不是秒数，请写 300 或 5:00"), text=text)
    return value


def _enrolled(box: Sandbox, photo: Path) -> Encoding:
    """Read a reference, or end with the reason why it is none."""
    if not photo.is_file():
        raise _misuse(_("找不到参照照片：{path}"), path=photo)
    outcome = box.enrol(photo)
    if outcome.encoding is None:
        why = " ".join(problem.text for problem in outcome.problems)
        raise _misuse(_("参照照片 {path} 不能用：{why}"), path=photo, why=why)
    return outcome.encoding


def _compared(box: Sandbox, report: Report, file: Path, others: list[Path]) -> Report:
    """Add what the file has in common with others, the same to the byte or by its content."""
    from review_flow.evidence import copies
    from review_flow.evidence.check import duplicate
    from review_flow.evidence.probe import sha256_of
    from review_flow.evidence.sandbox import Broken

    for other in others:
        if not other.is_file():
            raise _misuse(_("找不到文件：{path}"), path=other)
        if sha256_of(other) == report.sha256:
            same = copies.Match(CopyKind.EXACT, 1.0, (), ())
            report = report.with_findings([duplicate(str(other))], copies=[same.as_json(of=str(other))])
            continue
        try:
            found = copies.compare(box.fingerprint(file), box.fingerprint(other))
        except Broken as broken:
            report = report.with_findings([broken.finding])
            continue
        said = [Finding(f"copy_{one.kind}", Level.HUMAN, copies.sentence(one, whose=str(other))) for one in found]
        report = report.with_findings(said, copies=[one.as_json(of=str(other)) for one in found])
    return report


def _show(report: Report, file: Path, sheet: Path | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel

    lines = [say(PRESENT_WORDS[report.present]), *_moments(report), _facts(report.media)]
    lines += [f"{SIGNS[finding.level]} {finding.text}" for finding in report.findings]
    if sheet is not None and report.sheet is not None:
        lines.append(say(_("一览图：{path}"), path=sheet))
    cost = _("用时 {wall} 秒，解码 {frames} 个画面，比对 {faces} 张人脸")
    names = {"wall": "wall_s", "frames": "frames_decoded", "faces": "faces_encoded"}
    lines.append(say(cost, **{name: report.cost[key] for name, key in names.items()}))
    colour = COLOURS[report.verdict]
    title = f"[bold {colour}]{say(WORDS[report.verdict])}[/] · {escape(file.name)}"
    Console().print(Panel(escape("\n".join(lines)), title=title, border_style=colour, title_align="left"))


def _moments(report: Report) -> list[str]:
    text = _("  {at}  距离 {distance}")
    return [say(text, at=clock(int(moment["at_s"])), distance=moment["distance"]) for moment in report.seen]


def _facts(media: Any) -> str:
    parts = [say(KIND_WORDS[Kind(media["kind"])]), str(media["format"])]
    if "width" in media:
        parts.append(f"{media['width']}×{media['height']}")
    if "duration_s" in media:
        parts.append(clock(Decimal(media["duration_s"])))
    if "chars" in media:
        parts.append(say(_("{chars} 字"), chars=media["chars"]))
    if "author" in media.get("properties", {}):
        parts.append(say(_("文档作者：{author}"), author=media["properties"]["author"]))
    return " · ".join(parts)
