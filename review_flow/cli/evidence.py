"""`review-flow evidence …`: check any file, without a database. Thin: parses, calls the sandbox, prints."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from review_flow.i18n import _, say
from review_flow.misread import reason
from review_flow.rules.verdict import KIND_WORDS, Finding, Kind, Level, Slot, clock
from review_flow.rules.words import CopyKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
CALIBRATION_TITLES = (
    _("组"),
    _("参照"),
    _("人数"),
    _("单张：误认"),
    _("单张：漏认"),
    _("视频：误认"),
    _("视频：漏认"),
)
SIGNS = {Level.INFO: "·", Level.HUMAN: "?", Level.REJECT: "✗"}

app = typer.Typer(no_args_is_help=True)


@app.callback(help=_("证据文件：自动检查（不需要数据库）"))
def evidence() -> None:
    """Keep `check` a command of its own name, though it is the only one."""


@app.command(help=_("检查一个文件：是什么、合不合要求、教师本人是否出镜。任何结论都返回 0，用法有误返回 2。"))
def check(
    file: Annotated[Path, typer.Argument(help=_("要检查的视频、照片或文档"))],
    reference: Annotated[list[Path] | None, typer.Option(help=_("教师本人的参照照片，可给多张"))] = None,
    cohort: Annotated[
        Path | None, typer.Option(help=_("同事的照片文件夹（每人一个子文件夹）：更像同事的不算本人"))
    ] = None,
    models: Annotated[Path | None, typer.Option(help=_("本校自备的人脸模型（YuNet、SFace）所在文件夹"))] = None,
    explain: Annotated[bool, typer.Option("--explain", help=_("说明判断的依据、把握和校准来源"))] = False,
    sheet: Annotated[Path | None, typer.Option(help=_("把画面一览图（PNG）写到这里"))] = None,
    slot_kind: Annotated[Kind | None, typer.Option(help=_("该项要求的形式"))] = None,
    min_seconds: Annotated[str | None, typer.Option(help=_("最短秒数（含）"))] = None,
    max_seconds: Annotated[str | None, typer.Option(help=_("最长秒数（含）"))] = None,
    min_chars: Annotated[int | None, typer.Option(help=_("最少字数（含）"))] = None,
    against: Annotated[list[Path] | None, typer.Option(help=_("与这些文件作雷同比对，可给多个"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("输出 JSON"))] = False,
) -> None:
    """Check one file: what it is, whether it qualifies, whether the teacher is seen."""
    from review_flow.evidence.faces_opencv import unusable
    from review_flow.evidence.sandbox import Sandbox

    if not file.is_file():
        raise _misuse(_("找不到文件：{path}"), path=file)
    limits = {"min_seconds": _seconds(min_seconds), "max_seconds": _seconds(max_seconds), "min_chars": min_chars}
    slot = Slot.of({"kind": slot_kind, **limits})
    if models is not None and (wrong := unusable(models)) is not None:
        raise _misuse(wrong)
    with Sandbox(models=models) as box:
        references = [_enrolled(box, photo) for photo in reference or []]
        colleagues = _cohort(box, cohort) if cohort else []
        report = box.check(file, references=references, colleagues=colleagues, slot=slot, sheet=sheet is not None)
        report = _compared(box, report, file, against or [])
        grounds = box.grounds(references) if explain else None
    if sheet is not None and report.sheet is not None:
        try:
            sheet.write_bytes(report.sheet)
        except OSError as error:
            raise _misuse(_("一览图写不进去：{path}（{why}）"), path=sheet, why=reason(error)) from error
    if as_json:
        told = {**report.as_json(), "sheet": str(sheet) if sheet is not None and report.sheet is not None else None}
        if grounds is not None:
            told["grounds"] = grounds
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        _show(report, file, sheet, grounds)


@app.command(help=_("给照片或视频做一份遮挡人脸的副本，只留出教师本人。公开之前仍须有人看一遍。"))
def blur(
    file: Annotated[Path, typer.Argument(help=_("要遮挡的视频或照片"))],
    out: Annotated[Path, typer.Argument(help=_("副本写到这里（.mp4、.jpg 或 .png）"))],
    reference: Annotated[list[Path] | None, typer.Option(help=_("教师本人的参照照片，可给多张"))] = None,
    cohort: Annotated[
        Path | None, typer.Option(help=_("同事的照片文件夹（每人一个子文件夹）：更像同事的不算本人"))
    ] = None,
    models: Annotated[Path | None, typer.Option(help=_("本校自备的人脸模型（YuNet、SFace）所在文件夹"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("输出 JSON"))] = False,
) -> None:
    """Write a copy in which every face is covered that isn't surely the teacher's."""
    from review_flow.evidence.faces_opencv import unusable
    from review_flow.evidence.limits import BLURRING
    from review_flow.evidence.sandbox import Sandbox

    if not file.is_file():
        raise _misuse(_("找不到文件：{path}"), path=file)
    if models is not None and (wrong := unusable(models)) is not None:
        raise _misuse(wrong)
    free = free_place(out)
    with Sandbox(limits=BLURRING, models=models) as box:
        references = [_enrolled(box, photo) for photo in reference or []]
        colleagues = _cohort(box, cohort) if cohort else []
        with progressing() as told:
            made = box.blur(file, free, references=references, colleagues=colleagues, told=told)
    if as_json:
        path = str(out) if made.made else None
        typer.echo(json.dumps({**made.as_json(), "sentences": made.sentences, "file": path}, ensure_ascii=False))
    else:
        typer.echo("\n".join(made.sentences), err=made.made is None)
    if made.made is None:
        raise typer.Exit(1)


def free_place(out: Path) -> Path:
    """Return where a copy may be written, or end: nothing is written over, and its folder must be there."""
    if out.exists():
        raise _misuse(_("{path} 已经存在，不覆盖。"), path=out)
    if not out.absolute().parent.is_dir():
        raise _misuse(_("找不到文件夹：{path}"), path=out.parent)
    return out.absolute()


@contextlib.contextmanager
def progressing() -> Iterator[Callable[[int], None]]:
    """Show on the error stream how far a copy is."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(say(_("遮挡人脸")), total=100)
        yield lambda percent: progress.update(task, completed=percent)


@app.command(help=_("用带标签的照片（组/人/照片 或 人/照片）校准人脸比对，打印误差表，写出校准文件。"))
def calibrate(
    folder: Annotated[Path, typer.Argument(help=_("照片文件夹：每人一个子文件夹，可再按组分"))],
    out: Annotated[Path, typer.Option(help=_("校准文件写到这里"))] = Path("calibration.npz"),
    models: Annotated[Path | None, typer.Option(help=_("本校自备的人脸模型（YuNet、SFace）所在文件夹"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("输出 JSON"))] = False,
) -> None:
    """Measure the recogniser on labelled photos, by group, and write what scores are turned into probabilities with."""
    from rich.console import Console
    from rich.progress import Progress

    from review_flow.evidence import calibration
    from review_flow.evidence.faces_opencv import unloadable
    from review_flow.evidence.labelled import encoded
    from review_flow.evidence.sandbox import Sandbox

    if not folder.is_dir():
        raise _misuse(_("找不到文件夹：{path}"), path=folder)
    if models is not None and (wrong := unloadable(models)) is not None:
        raise _misuse(wrong)
    with Progress(console=Console(stderr=True), transient=True) as progress, Sandbox(models=models) as box:
        task = progress.add_task(say(_("读取照片")), total=None)
        labelled = encoded(folder, box, told=lambda done, every: progress.update(task, completed=done, total=every))
        encoder = box.recogniser()
    try:
        made = calibration.measured(labelled.groups, encoder=encoder, made_on=folder.name, alone=labelled.alone)
    except calibration.TooFewError as few:
        text = _("照片太少：{people}人，其中{several}人有四张以上；至少要{least}人，其中{least_several}人有四张以上。")
        numbers = {"least": calibration.FEWEST_PEOPLE, "least_several": calibration.FEWEST_WITH_SEVERAL}
        raise _misuse(text, people=few.people, several=few.several, **numbers) from few
    out.write_bytes(made.as_bytes())
    if as_json:
        without = [str(path.relative_to(folder)) for path in labelled.without_face]
        typer.echo(json.dumps({"file": str(out), "without_face": without, **made.provenance}, ensure_ascii=False))
    else:
        _show_calibration(made.provenance, out, len(labelled.without_face))


def _show_calibration(provenance: Any, out: Path, without_face: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*(say(title) for title in CALIBRATION_TITLES))
    for row in provenance["errors"]:
        shares = (_share(row[key]) for key in ("photo_wrong", "photo_missed", "film_wrong", "film_missed"))
        table.add_row(row["group"], str(row["references"]), str(row["people"]), *shares)
    console = Console()
    console.print(table)
    text = _("校准文件：{path}；有{count}张照片没有找到人脸。各数都在没有用来建模的人身上测得。")
    console.print(say(text, path=out, count=without_face), markup=False)


def _share(share: float | None) -> str:
    return "—" if share is None else f"{100 * share:.2f} %"


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


def _cohort(box: Sandbox, folder: Path) -> list[list[Encoding]]:
    """Read colleagues' photos, a folder each; photos without a face are passed over."""
    from review_flow.evidence.labelled import encoded

    if not folder.is_dir():
        raise _misuse(_("找不到文件夹：{path}"), path=folder)
    return [[*photos] for people in encoded(folder, box).groups.values() for photos in people.values()]


def _compared(box: Sandbox, report: Report, file: Path, others: list[Path]) -> Report:
    """Add what the file has in common with others, the same to the byte or by its content."""
    from review_flow.evidence import copies
    from review_flow.evidence.check import duplicate
    from review_flow.evidence.limits import Broken
    from review_flow.evidence.probe import sha256_of

    mine: list[copies.Print] | None = None
    for other in others:
        if not other.is_file():
            raise _misuse(_("找不到文件：{path}"), path=other)
        if sha256_of(other) == report.sha256:
            same = copies.Match(CopyKind.EXACT, 1.0, (), ())
            report = report.with_findings([duplicate(str(other))], copies=[same.as_json(of=str(other))])
            continue
        try:
            mine = box.fingerprint(file) if mine is None else mine
            found = copies.compare(mine, box.fingerprint(other))
        except Broken as broken:
            report = report.with_findings([broken.finding])
            continue
        said = [Finding(f"copy_{one.kind}", Level.HUMAN, copies.sentence(one, whose=str(other))) for one in found]
        report = report.with_findings(said, copies=[one.as_json(of=str(other)) for one in found])
    return report


def _show(report: Report, file: Path, sheet: Path | None, grounds: Any) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.panel import Panel

    lines = [say(PRESENT_WORDS[report.present]), *_moments(report), _facts(report.media)]
    lines += [f"{SIGNS[finding.level]} {finding.text}" for finding in report.findings]
    if sheet is not None and report.sheet is not None:
        lines.append(say(_("一览图：{path}"), path=sheet))
    lines += _grounds(grounds) if grounds else []
    cost = _("用时 {wall} 秒，解码 {frames} 个画面，比对 {faces} 张人脸")
    names = {"wall": "wall_s", "frames": "frames_decoded", "faces": "faces_encoded"}
    lines.append(say(cost, **{name: report.cost[key] for name, key in names.items()}))
    colour = COLOURS[report.verdict]
    title = f"[bold {colour}]{say(WORDS[report.verdict])}[/] · {escape(file.name)}"
    Console().print(Panel(escape("\n".join(lines)), title=title, border_style=colour, title_align="left"))


def _moments(report: Report) -> list[str]:
    text = _("  {at}  把握 {percent}%，距离 {distance}")
    return [
        say(
            text,
            at=clock(int(moment["at_s"])),
            percent=f"{min(99.9, 100 * moment['probability']):.1f}",
            distance=moment["distance"],
        )
        for moment in report.seen
    ]


def _grounds(grounds: Any) -> list[str]:
    """Say in words what the answer rests on."""
    text = _("依据：{encoder}，在{made_on}上校准；把握到 {percent}% 才算本人，那时一千位旁人中约有一位会被误认。")
    percent = f"{100 * grounds['confidence']:g}"
    lines = [say(text, encoder=grounds["encoder"], made_on=grounds["made_on"], percent=percent)]
    if grounds["references"]:
        text = _("{count}张参照时，没有参与建模的人里：单张照片漏认 {photo}，视频漏认 {film}（{group}，{people}人）。")
        lines += [
            say(
                text,
                count=row["references"],
                photo=_share(row["photo_missed"]),
                film=_share(row["film_missed"]),
                group=row["group"],
                people=row["people"],
            )
            for row in grounds["errors"]
        ]
    return [*lines, *grounds["advice"]]


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
