"""A child process that turns an Excel or ODS file into JSON cells, and may die of it.

A sheet with one cell in its farthest corner makes the reader ask for hundreds of gigabytes, and a crafted file can
make it abort; both end this process and not the one that asked. Start this file as a script, with
the sheet on standard input. It imports nothing of the project.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import resource
import sys
import zipfile
from datetime import date, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import python_calamine

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY_BYTES = 1 << 29
CPU_SECONDS = 30
MOST_SHEETS = 5
MOST_ROWS = 20_100
MOST_COLUMNS = 100
MERGED = {"x": "merged"}
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
KIND = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}value-type"
Places = dict[tuple[int, int], str]
"""Cells, as (row from 1, column from 0), and what is odd about each."""


def cell(value: object) -> object:
    """Return a cell for JSON: text, number and truth as they are, a date as {"d": ISO}, a time as text."""
    if isinstance(value, datetime):
        return {"d": value.date().isoformat()}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    return value if isinstance(value, str | int | float) else str(value)


def sheets(data: bytes) -> list[tuple[str, list[tuple[int, list[object]]]]]:
    """Return each sheet that is to be seen: its name, and its rows that hold anything as (row from 1, cells from A).

    A cell that is under a merged one is {"x": "merged"}, one whose formula failed {"x": "error"}.
    """
    book = python_calamine.load_workbook(io.BytesIO(data))
    seen = [one.name for one in book.sheets_metadata if one.visible is python_calamine.SheetVisibleEnum.Visible]
    odd = oddities(data)
    found = []
    for name in seen[:MOST_SHEETS]:
        sheet = book.get_sheet_by_name(name)
        strange = {**covered(sheet.merged_cell_ranges or []), **odd.get(name, {})}
        left = sheet.start[1] if sheet.start else 0  # rows come from the first one on, cells from the first used column
        rows = (
            (number, marked(number, [*itertools.repeat("", min(left, MOST_COLUMNS)), *map(cell, row)], strange))
            for number, row in enumerate(sheet.iter_rows(), start=1)
        )
        held = ((number, cells) for number, cells in rows if any(one not in ("", MERGED) for one in cells))
        found.append((name, list(itertools.islice(held, MOST_ROWS))))
    return found


def covered(ranges: list[tuple[tuple[int, int], tuple[int, int]]]) -> Places:
    """Return the cells under merged ones, as (row from 1, column from 0)."""
    places = (
        (row, column, first)
        for first, (last_row, last_column) in ranges
        for row in range(first[0], min(last_row, MOST_ROWS) + 1)
        for column in range(first[1], min(last_column, MOST_COLUMNS) + 1)
    )
    return {(row + 1, column): "merged" for row, column, first in places if (row, column) != first}


def marked(number: int, cells: list[object], strange: Places) -> list[object]:
    """Return the cells of a row, those that hold no value of their own marked."""
    return [
        {"x": strange[number, place]} if one == "" and (number, place) in strange else one
        for place, one in enumerate(cells[:MOST_COLUMNS])
    ]


def oddities(data: bytes) -> dict[str, Places]:
    """Return by sheet what its reader passes over: failed formulas ("error"), in ODS also cells under merged ones.

    A part that is missing or can't be parsed tells nothing: whether the file can be read at all, its reader says.
    """
    if data[:2] != b"PK":
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            if "content.xml" in bundle.namelist():
                return of_open_document(bundle.read("content.xml"))
            return {name: of_excel(bundle.read(path)) for name, path in excel_sheets(bundle)}
    except (KeyError, ValueError, zipfile.BadZipFile, ET.ParseError):
        return {}


def excel_sheets(bundle: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Yield the name of each sheet of an xlsx, and where in the file it is."""
    links = ET.fromstring(bundle.read("xl/_rels/workbook.xml.rels"))  # noqa: S314 - in a child that may die of it
    targets = {one.get("Id"): one.get("Target", "") for one in links}
    book = ET.fromstring(bundle.read("xl/workbook.xml"))  # noqa: S314 - as above
    for one in book.iter(f"{SHEET}sheet"):
        target = targets.get(one.get(RELATION), "")
        yield one.get("name", ""), target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def of_excel(xml: bytes) -> Places:
    """Return the cells of an xlsx sheet whose value is an error."""
    found: Places = {}
    if b't="e"' not in xml:
        return found
    for _event, one in ET.iterparse(io.BytesIO(xml)):  # noqa: S314 - as above
        if one.tag == f"{SHEET}c" and one.get("t") == "e":
            place = re.fullmatch(r"([A-Z]{1,3})([0-9]{1,7})", one.get("r", ""))
            if place:
                found[int(place[2]), column_of(place[1])] = "error"
        elif one.tag == f"{SHEET}row":
            one.clear()
    return found


def column_of(letters: str) -> int:
    """Return a column's number, from 0: A, B … Z, AA."""
    number = 0
    for one in letters:
        number = number * 26 + ord(one) - ord("A") + 1
    return number - 1


def of_open_document(xml: bytes) -> dict[str, Places]:
    """Return by sheet the cells of an ods that are errors, or under merged ones."""
    if b"covered-table-cell" not in xml and b'value-type="error"' not in xml:
        return {}
    found: dict[str, Places] = {}
    for table in ET.fromstring(xml).iter(f"{TABLE}table"):  # noqa: S314 - as above
        places = found.setdefault(table.get(f"{TABLE}name", ""), {})
        number = 1
        for row in table.iter(f"{TABLE}table-row"):
            times = int(row.get(f"{TABLE}number-rows-repeated", "1"))
            odd = list(odd_cells(row))
            for again in range(min(times, MOST_ROWS) if odd else 0):
                places.update({(number + again, column): what for column, what in odd})
            number += times
    return found


def odd_cells(row: ET.Element) -> Iterator[tuple[int, str]]:
    """Yield (column from 0, what) of the odd cells of a row."""
    column = 0
    for one in row:
        times = int(one.get(f"{TABLE}number-columns-repeated", "1"))
        what = "merged" if one.tag == f"{TABLE}covered-table-cell" else "error" if one.get(KIND) == "error" else ""
        for place in range(column, min(column + times, MOST_COLUMNS) if what else column):
            yield place, what
        column += times


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
