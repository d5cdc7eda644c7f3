"""An installation with a home of its own, worked through its command line, its due work done as the flows do it."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import xlsxwriter
from typer.testing import CliRunner

from review_flow.cli import app
from review_flow.clock import SCHOOL_ZONE
from review_flow.db import transaction
from review_flow.rules.words import WorkKind
from review_flow.steps import work


def at(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=SCHOOL_ZONE)


class Installation:
    """A home of its own, its command line, and somebody who does the due work."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.runner = CliRunner()

    def run(self, *words: str, status: int = 0, who: str | None = None) -> SimpleNamespace:
        """Call a command; its streams, after its status was as expected."""
        arguments = [*words, *(["--as", who] if who else [])]
        done = self.runner.invoke(app, arguments, prog_name="review-flow")
        assert done.exit_code == status, (arguments, done.output, done.exception)
        return SimpleNamespace(out=done.stdout, err=done.stderr)

    def read(self, *words: str, status: int = 0, who: str | None = None) -> Any:
        """Call a command with --json; what it answers."""
        return json.loads(self.run(*words, "--json", status=status, who=who).out)

    def subprocess(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call the installed command as an operator does."""
        command = [Path(sys.executable).with_name("review-flow"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))

    def due_work(self) -> None:
        """Do everything that is due with the handlers of the flows: claim, do, record, as a drain does."""
        from flows.drain import Done, Item

        handlers = {kind: importlib.import_module(f"flows.{kind.value}").handle for kind in WorkKind}
        while True:
            with transaction() as session:
                taken = work.claim(session, kinds=list(handlers), worker="journey", lease=timedelta(minutes=5))
                if taken is None:
                    return
                item = Item(id=taken.id, kind=taken.kind, subject_id=taken.subject_id, token=str(taken.lease_token))
            record = handlers[item.kind](item)
            with transaction() as session:
                done = record(session) or Done()
                work.finish(session, work_id=item.id, token=item.token, again_at=done.again_at)

    def sheet(self, name: str, *rows: tuple[object, ...]) -> str:
        """A sheet as a school makes it in Excel."""
        path = self.folder / name
        with xlsxwriter.Workbook(path) as book:
            day = book.add_format({"num_format": "yyyy-mm-dd"})
            page = book.add_worksheet()
            for number, row in enumerate(rows):
                for place, cell in enumerate(row):
                    page.write(number, place, cell, *([day] if isinstance(cell, date) else []))
        return str(path)
