"""`review-flow demo`: plays a whole round in a fresh home, with the real worker, and shows how it ended."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import typer

from review_flow.i18n import _, listed, say

if TYPE_CHECKING:
    from review_flow.demo.stage import Story

LOOK_AGAIN_S = 0.1
LONGEST_WAIT_S = 240.0


def demo(
    keep: Annotated[Path | None, typer.Option(help=say(_("在这个（空的）文件夹里演示并保留")))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=say(_("以 JSON 输出")))] = False,
) -> None:
    """Play a whole round of a made-up school: roster, evidence, faces, reviews, panel, grades, appeal, archive."""
    home = keep or Path(tempfile.mkdtemp(prefix="review-flow-demo-"))
    if keep is not None and keep.exists() and any(keep.iterdir()):
        typer.echo(say(_("“{folder}”不是空文件夹；请换一个。"), folder=keep), err=True)
        raise typer.Exit(2)
    began = time.monotonic()
    story = _played(home.absolute(), quiet=as_json)
    story.facts["wall_s"] = round(time.monotonic() - began, 1)
    story.files["home"] = str(home.absolute())
    if as_json:
        typer.echo(json.dumps(story.__dict__, ensure_ascii=False, indent=2))
    else:
        _show(story)


def _played(home: Path, *, quiet: bool) -> Story:
    """Run worker and play on a home of their own."""
    for name in [name for name in os.environ if name.startswith("REVIEW_FLOW_")]:
        del os.environ[name]  # the demonstration is no installation: nothing of a real one may reach it
    os.environ["REVIEW_FLOW_HOME"] = str(home)
    os.environ["PREFECT_LOGGING_LEVEL"] = "WARNING"  # what the flows do is seen in the progress line
    from review_flow.db import engine_for, settings
    from review_flow.logs import configure
    from review_flow.migrate import upgrade

    settings.cache_clear()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgrade(engine_for(settings().database))

    configure(level=logging.ERROR)
    from flows.installation import sandbox, storage
    from flows.worker import work
    from review_flow.demo.play import Play

    stop = threading.Event()
    worker = threading.Thread(target=work, args=(settings(),), kwargs={"stop": stop}, name="worker", daemon=True)
    worker.start()
    with _Progress(quiet=quiet) as progress:
        try:
            return Play(
                home=home,
                storage=storage(),
                sandbox=sandbox(),
                face_keys=settings().face_keys,
                settle=lambda: _settle(worker, progress),
                tell=progress.scene,
            ).play()
        finally:
            stop.set()
            worker.join(30)
            sandbox().close()


def _settle(worker: threading.Thread, progress: _Progress) -> None:
    """Wait until the worker has done everything that is due."""
    from sqlalchemy import func, select

    from models import DueWork
    from review_flow.clock import now
    from review_flow.db import transaction

    until = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < until and worker.is_alive():
        with transaction() as session:
            waiting = select(func.count()).select_from(DueWork).where(DueWork.done_at.is_(None))
            parked = session.scalars(select(DueWork.parked_reason).where(DueWork.parked_at.is_not(None))).first()
            left = session.scalar(waiting.where(DueWork.due_at <= now())) or 0
        if parked is not None:
            raise RuntimeError(parked)
        if not left:
            return
        progress.waiting(left)
        time.sleep(LOOK_AGAIN_S)
    raise RuntimeError(say(_("等待后台工作超时。")))


class _Progress:
    """A line for each scene, with its time, and what the flows still have to do."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, quiet=quiet)
        self._status = self._console.status("")
        self._title, self._since = "", time.monotonic()

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()
        self._status.stop()

    def scene(self, title: str) -> None:
        """Begin a scene."""
        self._end()
        self._title, self._since = title, time.monotonic()
        self._status.update(title)

    def waiting(self, left: int) -> None:
        """Say how much the flows still have to do."""
        self._status.update(say(_("{title}（后台还有{left}项）"), title=self._title, left=left))

    def _end(self) -> None:
        if self._title:
            self._console.print(f"[green]✔[/] {self._title} [dim]{time.monotonic() - self._since:.1f}s[/]")


FILES = {
    "results": _("结果表"),
    "archive": _("归档"),
    "contact_sheet": _("{name}老师的“{file}”的核对图"),
    "home": _("全部数据"),
}
FOLD: Literal["fold"] = "fold"  # a Chinese sentence has no spaces to break at, and nothing of a ledger is left out


def _show(story: Story) -> None:
    """Print the table of results, one ledger in full, and where everything lies."""
    from rich.console import Console
    from rich.table import Table

    from review_flow.demo.people import EXEMPT
    from review_flow.rules.outcome import FLAGS

    console = Console()
    table = Table(title=say(_("考核结果")))
    for name in (_("工号"), _("姓名"), _("得分"), _("等级"), _("版本"), _("签名"), _("说明")):
        table.add_column(say(name), justify="right" if name in {"得分", "版本"} else "left", overflow=FOLD)
    for one in story.results:
        why = listed([*(say(FLAGS[flag]) for flag in one["flags"]), *one["failed_gates"]])
        signed = say(_("已签名")) if one["signed"] else say(_("未签名，同样有效"))
        table.add_row(one["number"], one["name"], one["score"], one["grade"], str(one["version"]), signed, why)
    console.print(table)
    _show_ledger(console, story.ledger)
    console.print(say(_("整轮用时{seconds}秒；数据不变量全部成立，归档可逐字节重算。"), seconds=story.facts["wall_s"]))
    for what, path in story.files.items():
        title = say(FILES[what], **story.facts.get(f"{what}_of", {}))
        console.print(f"  {title}：{path}", soft_wrap=True)
    console.print(say(_("免训的{name}不评分，不在表中。"), name=EXEMPT), soft_wrap=True)
    console.print(
        say(
            _(
                "在网页里看这一轮（图表、成果、结果、申诉）：REVIEW_FLOW_HOME={home} {program} serve，打开它给出的一次性链接。"
            ),
            home=story.files["home"],
            program=Path(sys.argv[0]),
        ),
        soft_wrap=True,
    )


def _show_ledger(console: Any, ledger: dict[str, Any]) -> None:
    from rich.table import Table

    from review_flow.rules.outcome import cited

    table = Table(title=say(_("{name}老师的计分明细"), name=ledger["name"]))
    for name in (_("依据"), _("说明"), _("分值"), _("累计")):
        table.add_column(say(name), overflow=FOLD)
    for line in ledger["ledger"]:
        table.add_row(cited(line["rule"]), line["text"], line["points"], line["running"])
    table.add_row("", say(_("得分{score}，等级{grade}"), score=ledger["score"], grade=ledger["grade"]), "", "")
    console.print(table)
