"""English is complete: what the source marks and what the catalogue translates are the same sentences."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from typer.testing import CliRunner

from review_flow import i18n
from review_flow.cli import app
from review_flow.web.render import initial

PACKAGES = ("review_flow", "flows", "models")
ROOT = Path(__file__).parent.parent
PO = ROOT / "review_flow" / "locale" / "en" / "LC_MESSAGES" / "review_flow.po"
CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")  # its signs, and its punctuation
QUOTED = re.compile("“[^“”]*”")
# What a sheet or command takes as it is, in every language: the sign between two roles, and a scheme's own words.
VALUES = frozenset(
    {
        "教师、坊主",
        "测评填合格或不合格；到场填到场、补课或缺席；审核填通过或不通过",
        "结果：合格、不合格、present、made_up、absent、given、refused",
        "列=平台的列名，如 number=账号，可重复",
        "列=固定值，如 kind=学习分钟，可重复",
    }
)


@pytest.fixture(scope="module")
def marked() -> frozenset[str]:
    """What `_` and `say` mark in code and in templates, as pybabel would extract it."""
    found = (
        message
        for package in PACKAGES
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT / package,
            method_map=[("**.py", "python"), ("**/templates/**.html", "jinja2")],
            keywords={"_": None, "say": None},
        )
    )
    return frozenset(message for message in found if isinstance(message, str))


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, abort_invalid=True)


@pytest.fixture(scope="module")
def english(catalogue: Catalog) -> dict[str, str]:
    return {str(one.id): str(one.string) for one in catalogue if one.id}


def names(sentence: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(sentence) if name is not None}


def test_every_marked_sentence_has_its_entry_and_no_entry_is_left_over(
    marked: frozenset[str], english: dict[str, str], catalogue: Catalog
) -> None:
    assert sorted(marked - english.keys()) == []
    assert sorted(english.keys() - marked) == []
    assert list(catalogue.obsolete) == []
    assert len(marked) > 900


def test_no_sentence_is_marked_inside_an_f_string_where_extraction_cannot_see_it() -> None:
    hidden = [
        (file.name, mark.lineno)
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        for text in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(text, ast.JoinedStr)
        for mark in ast.walk(text)
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "_"
    ]
    assert hidden == []


def test_no_template_has_a_sentence_that_nobody_marked() -> None:
    marks = re.compile(r"{{.*?}}|{%.*?%}|{#.*?#}", re.DOTALL)
    unmarked = {
        file.name: CHINESE.findall(marks.sub("", file.read_text(encoding="utf-8")))
        for file in (ROOT / "review_flow" / "web" / "templates").rglob("*.html")
    }
    assert {name: found for name, found in unmarked.items() if found} == {}


ALONE = re.compile(
    r"""(?:<(?:h[1-6]|label|th|option|summary|button|caption|legend|dt|title|p|li|td|dd)\b[^<>]*>"""
    r"""|<input\ class="form-check-input"[^<>]*><span>|(?:data-th|<optgroup\ label)=")\s*{{(.+?)}}""",
    re.VERBOSE,
)


def test_words_that_stand_alone_begin_with_a_capital(english: dict[str, str]) -> None:
    small = []
    for file in (ROOT / "review_flow" / "web" / "templates").rglob("*.html"):
        for shown in ALONE.findall(file.read_text(encoding="utf-8")):
            first = re.match(r"""\s*(?:_|say)\((?:"([^"]*)"|'([^']*)'|[^"'])""", shown)
            word = first and english.get(first[1] or first[2] or "")
            if first and "|initial" not in shown and (word is None or word[0].islower()):
                small.append((file.name, shown.strip()))
    assert small == []
    assert initial("xlsx file, JSON") == "Xlsx file, JSON"


def test_every_entry_is_translated(english: dict[str, str], catalogue: Catalog) -> None:
    assert [sentence for sentence, translation in english.items() if not translation.strip()] == []
    assert [one.id for one in catalogue if one.id and one.fuzzy] == []


def test_a_translation_fills_in_the_same_names(english: dict[str, str]) -> None:
    different = {one: other for one, other in english.items() if names(one) != names(other)}
    assert different == {}


def test_a_translation_is_english(english: dict[str, str]) -> None:
    chinese = {one: other for one, other in english.items() if CHINESE.search(QUOTED.sub("", other))}
    assert chinese.keys() == VALUES


def test_the_program_reads_this_catalogue(english: dict[str, str]) -> None:
    assert i18n.catalogue("en") == english


def spoken(*arguments: str) -> tuple[int, str]:
    """Exit status and everything printed by `review-flow --lang en …`, run as a command is; then Chinese again."""
    token = i18n.language.set("zh")
    try:
        done = CliRunner().invoke(app, ["--lang", "en", *arguments], prog_name="review-flow")
    finally:
        i18n.language.reset(token)
    return done.exit_code, done.output


def test_the_schemes_are_listed_in_english() -> None:
    status, text = spoken("scheme", "list")
    # Titles are data of the school, and Chinese; the words around them are the program's.
    assert status == 0
    assert text.splitlines()[-2:] == [
        "xian-2022-appraisal  学校2022教师信息技术应用能力提升工程2.0校本应用考核实施方案 (2.0)",
        "xx-process-100  XX学校教师信息技术提升2.0考核方案 (2.0)",
    ]


def test_a_refusal_is_in_english() -> None:
    assert spoken("scheme", "show", "nix") == (2, "There is no scheme “nix”.\n")


@pytest.mark.parametrize("arguments", [(), ("scheme",), ("evidence",), ("scheme", "check"), ("round", "create")])
def test_help_is_in_english(arguments: tuple[str, ...]) -> None:
    status, text = spoken(*arguments, "--help")
    assert status == 0
    assert CHINESE.findall(text) == []
