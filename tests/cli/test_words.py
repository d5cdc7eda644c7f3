"""Typer's own words: Chinese unless English is chosen, in every help and for every way to call a command wrongly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer._click.exceptions import UsageError
from typer.testing import CliRunner

from review_flow import i18n
from review_flow.cli import PARTS, _loaded, app
from review_flow.cli.words import MISTAKES, PANELS, in_words, said

CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
TYPERS = re.compile(
    r"Usage|OPTIONS|ARGS|Arguments|Options|Commands|Error\b|Aborted|Show this|Try |Missing|Invalid|No such|Did you mean"
    r"|Possible|Choose|unexpected|requires|does not|default|env var|required|should be|<(str|int|bool|path|date|list)"
)
WRONG = {
    ("nope",): "没有命令 nope。",
    ("teacher", "review"): "没有命令 review；相近的有 reviews、remove。",
    ("--lang", "zh"): "请写明要做的命令。",
    ("round", "seat"): "缺少参数 number。",
    ("round", "seat", "A1"): "缺少参数 kind，可填 member、reserve、arbiter、appeal。",
    ("round", "create", "x"): "缺少选项 --scheme。",
    ("token", "make", "--name", "x", "--days", "1"): "缺少选项 --scope，可填 ",
    ("serve", "--nope"): "没有选项 --nope。",
    ("serve", "--porr", "1"): "没有选项 --porr；相近的有 --port、--proxy、--workers。",
    ("serve", "--plain-http=x"): "选项 --plain-http 后面不写值。",
    ("serve", "--port"): "选项 --port 后面要写值。",
    ("serve", "a", "b"): "多出了参数：a b",
    ("serve", "--port", "abc"): "--port 的值不对：应为整数",
    ("serve", "--port", "99999"): "--port 的值不对：应不大于 65535",
    ("round", "seat", "A1", "chair"): "kind 的值不对：只能是 member、reserve、arbiter、appeal",
    (
        "school",
        "adopt",
        "x",
        "--effective-from",
        "soon",
    ): "--effective-from 的值不对：“soon”不是日期，请写成 2026-03-20",
    ("--lang", "xx"): "--lang 的值不对：可选 zh、en",
}


def call(*words: str, lang: str = "zh") -> tuple[int, str]:
    """The exit status and everything said, on a screen wide enough that no sentence breaks."""
    with i18n.speaking(lang):
        done = CliRunner().invoke(app, list(words), prog_name="review-flow", terminal_width=200)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 200)


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_a_command_called_wrongly_is_told_in_chinese(words: tuple[str, ...]) -> None:
    status, text = call(*words)
    assert status == 2
    assert WRONG[words] in text
    assert TYPERS.findall(text) == []


@pytest.mark.parametrize("words", [words for words in WRONG if "--lang" not in words], ids=" ".join)
def test_and_in_english_where_english_is_chosen(words: tuple[str, ...]) -> None:
    status, text = call(*words, lang="en")
    assert status == 2
    assert CHINESE.findall(text) == []
    assert "Error" in text


def test_every_mistake_that_is_known_is_tried_or_said() -> None:
    patterns = {text: re.sub(r"\\{\w+\\}", ".+", re.escape(text)) for text in MISTAKES.values()}
    untried = {text for text, one in patterns.items() if not any(re.fullmatch(one, said) for said in WRONG.values())}
    assert untried == {"缺少选项 {name}，可填 {choices}。", "值不对：{why}"}  # no command of ours has such an option


def test_what_no_command_of_ours_meets_is_said_all_the_same() -> None:
    with i18n.speaking("zh"):
        assert said(typer.BadParameter("path 'x.json' is not readable.")) == "值不对：没有读“x.json”的权限"
        assert said(UsageError("Missing option '--kind'. Choose from:\n\ta,\n\tb")) == "缺少选项 --kind，可填 a、b。"


def every_help(command: Any, *path: str) -> list[tuple[str, ...]]:
    parts = getattr(command, "commands", {})
    return [path, *(found for name, part in parts.items() for found in every_help(part, *path, name))]


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
def test_every_help_is_wholly_in_the_chosen_language(lang: str) -> None:
    paths = [(), *(path for name in PARTS for path in every_help(_loaded(name), name))]
    assert len(paths) > 150
    foreign = TYPERS if lang == "zh" else CHINESE
    found = {path: foreign.findall(call(*path, "--help", lang=lang)[1]) for path in paths}
    values = {("facts", "tell"), ("sheet", "provider")} if lang == "en" else set()  # words that a command takes
    assert {path for path, signs in found.items() if signs} == values


def test_no_word_stays_in_the_other_language() -> None:
    assert "Usage" in call("serve", "--help", lang="en")[1]
    assert "用法" in call("serve", "--help")[1]


def test_whoever_ends_the_input_is_told_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    from typer import rich_utils

    with i18n.speaking("zh"), pytest.raises(typer.Abort), in_words():
        raise typer.Abort
    rich_utils.rich_abort_error()
    assert capsys.readouterr().err == "已中止。\n"


def test_the_panels_named_are_those_typer_has() -> None:
    from typer import rich_utils

    assert [name for name in PANELS if not isinstance(getattr(rich_utils, name, None), str)] == []
    assert (
        Path(rich_utils.__file__).read_text(encoding="utf-8").count(" = _(") == len(PANELS) + 1
    )  # (deprecated): none is
