"""docs/security.md answers for every number of OWASP ASVS 5.0.0, levels 1 and 2, and names only what exists."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "security.md"
# Per section of the standard the last requirement of levels 1 and 2; where a higher level stands between, all of them.
NUMBERS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2,
    "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2,
    "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
    "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
    "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
    "8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1,
    "9.1": 3, "9.2": 4,
    "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3,
    "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
    "12.1": 3, "12.2": 2, "12.3": 4,
    "13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
    "14.1": 2, "14.2": 4, "14.3": 3,
    "15.1": 3, "15.2": 3, "15.3": 7,
    "16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
    "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip
WANTED = [f"{section}.{number}" for section, last in NUMBERS.items() for number in range(1, last + 1)]
ROWS = re.findall(r"^\| (\d[\d., ]*) \| (.+) \| (.+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
FILE = re.compile(r"`([\w./-]+(?:\.\w+|/|\.lock))(?:::(\w+))?`")


@cache
def functions_in(path: Path) -> set[str]:
    return {one.name for one in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(one, ast.FunctionDef)}


def there(name: str) -> bool:
    return (ROOT / "review_flow" / name).exists() or (ROOT / name).exists()


def test_every_number_of_both_levels_is_answered_once() -> None:
    assert len(WANTED) == 253
    found = Counter(number for numbers, *_rest in ROWS for number in numbers.split(", "))
    assert found == Counter(WANTED)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].split(",")[0])
def test_what_a_row_names_exists(row: tuple[str, str, str, str]) -> None:
    numbers, _asked, how, shown = row
    open_ = how.startswith(("n/a: ", "**NOT MET**")) or "**NOT MET**" in how
    named = [name for name, _test in FILE.findall(how)]
    assert (numbers, [one for one in named if not there(one)]) == (numbers, [])
    assert (numbers, named != [] or open_) == (numbers, True)
    assert (numbers, shown == "–") == (numbers, open_ and shown == "–")
    tests = FILE.findall(shown)
    assert (numbers, tests != [] or shown in {"–", "read"}) == (numbers, True)
    for file, test in tests:
        path = ROOT / "tests" / file
        assert (file, path.exists()) == (file, True)
        assert (file, test, not test or test in functions_in(path)) == (file, test, True)


def test_modules_named_in_the_text_exist() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = {name for name, _test in FILE.findall(text) if name.endswith(".py") and "/" in name}
    assert [one for one in sorted(named) if not there(one) and not there(f"tests/{one}")] == []
