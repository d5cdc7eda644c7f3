"""A child process that turns an Excel or ODS file into JSON cells, and may die of it.

A sheet with one cell in its farthest corner makes the reader ask for hundreds of gigabytes, and a crafted file can
make it abort; both end this process and not the one that asked. Start this file as a script, with
the sheet on standard input. It imports nothing of the project.
"""

from __future__ import annotations

import io
import itertools
import json
import resource
import sys
from datetime import date, datetime

import python_calamine

MEMORY_BYTES = 1 << 29
CPU_SECONDS = 30
MOST_SHEETS = 5
MOST_ROWS = 20_100
MOST_COLUMNS = 100


def cell(value: object) -> object:
    """Return a cell for JSON: text, number and truth as they are, a date as {"d": ISO}, a time as text."""
    if isinstance(value, datetime):
        return {"d": value.date().isoformat()}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    return value if isinstance(value, str | int | float) else str(value)


def sheets(data: bytes) -> list[list[tuple[int, list[object]]]]:
    """Return for each sheet its rows that hold anything, as (row number from 1, cells from column A)."""
    book = python_calamine.load_workbook(io.BytesIO(data))
    found = []
    for name in book.sheet_names[:MOST_SHEETS]:
        sheet = book.get_sheet_by_name(name)
        left = sheet.start[1] if sheet.start else 0  # rows come from the first one on, cells from the first used column
        rows = (
            (number, [*itertools.repeat("", min(left, MOST_COLUMNS)), *map(cell, row)][:MOST_COLUMNS])
            for number, row in enumerate(sheet.iter_rows(), start=1)
            if any(value != "" for value in row)
        )
        found.append(list(itertools.islice(rows, MOST_ROWS)))
    return found


def main() -> None:
    """Read standard input, write {"sheets": …} or {"refused": "password" | "unreadable"}."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer: dict[str, object] = {"sheets": sheets(sys.stdin.buffer.read())}
    except python_calamine.PasswordError:
        answer = {"refused": "password"}
    except python_calamine.CalamineError:
        answer = {"refused": "unreadable"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
