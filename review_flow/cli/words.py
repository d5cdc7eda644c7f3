"""Typer's own words in the reader's language: what help is made of, and what is said of a command called wrongly.

Typer keeps no catalogue: some of its words are constants of a module, most stand in its code. So whatever it shows
passes here, by the public seams of its commands, and a mistake is known by its English sentence.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import typer
from typer._click.exceptions import NoArgsIsHelpError, UsageError
from typer._click.formatting import HelpFormatter
from typer.core import TyperGroup

from review_flow.i18n import _, listed, say
from review_flow.misread import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

PANELS = {
    "ARGUMENTS_PANEL_TITLE": _("参数"),
    "OPTIONS_PANEL_TITLE": _("选项"),
    "COMMANDS_PANEL_TITLE": _("命令"),
    "ERRORS_PANEL_TITLE": _("有误"),
    "DEFAULT_STRING": _("[默认：{}]"),
    "ENVVAR_STRING": _("[环境变量：{}]"),
    "REQUIRED_LONG_STRING": _("[必填]"),
    "ABORTED_TEXT": _("已中止。"),
    "RICH_HELP": _("用法说明：[blue]{command_path} {help_option}[/]"),
}
TYPES = {
    "<str>": _("<文字>"),
    "<int>": _("<整数>"),
    "<int range>": _("<整数>"),
    "<bool>": _("<开关>"),
    "<path>": _("<路径>"),
    "<date>": _("<日期>"),
    "<datetime>": _("<时间>"),
    "<Path>": _("<路径>"),
}
REPEATED = re.compile(r"<list\[(.+)\]>")
MISTAKES = {
    r"No such command ['\"](?P<name>.*)['\"]\.": _("没有命令 {name}。"),
    r"No such command ['\"](?P<name>.*)['\"]\. Did you mean (?P<near>.*)\?": _("没有命令 {name}；相近的有 {near}。"),
    r"Missing command\.": _("请写明要做的命令。"),
    r"Missing argument '(?P<name>.*)'\.": _("缺少参数 {name}。"),
    r"Missing argument '(?P<name>.*)'\. Choose from:(?P<choices>.*)": _("缺少参数 {name}，可填 {choices}。"),
    r"Missing option '(?P<name>.*)'\.": _("缺少选项 {name}。"),
    r"Missing option '(?P<name>.*)'\. Choose from:(?P<choices>.*)": _("缺少选项 {name}，可填 {choices}。"),
    r"No such option: (?P<name>\S+)": _("没有选项 {name}。"),
    r"No such option: (?P<name>\S+) \(Possible options: (?P<near>.*)\)": _("没有选项 {name}；相近的有 {near}。"),
    r"Option '(?P<name>.*)' does not take a value\.": _("选项 {name} 后面不写值。"),
    r"Option '(?P<name>.*)' requires an argument\.": _("选项 {name} 后面要写值。"),
    r"Got unexpected extra argument\(s\) \((?P<given>.*)\)": _("多出了参数：{given}"),
    r"Invalid value for '(?P<name>.*?)': (?P<why>.*)": _("{name} 的值不对：{why}"),
    r"Invalid value: (?P<why>.*)": _("值不对：{why}"),
}
VALUES = {
    r"['\"](?P<given>.*)['\"] is not one of (?P<choices>.*)\.": _("只能是 {choices}"),
    r"\w+ '(?P<given>.*)' is not readable\.": _("没有读“{given}”的权限"),
}
SEVERAL = {"near", "choices"}


class Mistake(typer.BadParameter):
    """A command called wrongly, said as a whole sentence."""

    def format_message(self) -> str:
        """Return the sentence alone."""
        return self.message


class Formatter(HelpFormatter):
    """Writes usage after our own word for it."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line."""
        super().write_usage(prog, args, prefix or say(_("用法：")))


class Spoken(typer.Context):
    """A command's context, whose help and mistakes are said in the reader's language."""

    def make_formatter(self) -> HelpFormatter:
        """Return a formatter; whatever Typer shows, a usage line comes first, so this is where the words are set."""
        name_panels()
        command: Any = self.command
        command.options_metavar = say(_("[选项]"))
        if isinstance(command, TyperGroup):
            command.subcommand_metavar = say(_("命令 [参数]..."))
        for one in command.get_params(self):
            one.display_type = partial(_type, one.display_type(self))
        command.get_help_option(self).help = say(_("显示这份说明"))
        return Formatter(width=self.terminal_width, max_width=self.max_content_width)


def _type(shown: str, _context: typer.Context) -> str:
    repeated = REPEATED.fullmatch(shown)
    one = f"<{repeated[1]}>" if repeated else shown
    said = say(TYPES.get(one, one))
    return say(_("<{one}，可重复>"), one=said[1:-1]) if repeated else said


def name_panels() -> None:
    """Give the constants of Typer's pages their words."""
    from typer import rich_utils  # starts Rich, which a command that only works doesn't need

    for name, word in PANELS.items():
        setattr(rich_utils, name, say(word))


@contextmanager
def in_words() -> Iterator[None]:
    """Say every mistake of a command's call in the reader's language."""
    try:
        yield
    except (NoArgsIsHelpError, Mistake):  # the help itself; what was already said
        raise
    except UsageError as error:
        name_panels()
        raise Mistake(said(error), ctx=error.ctx) from error
    except (EOFError, typer.Abort):
        name_panels()
        raise


def said(error: UsageError) -> str:
    """Return what was wrong, in one sentence."""
    from pydantic import ValidationError

    if isinstance(error.__cause__, ValidationError):
        error.message = sentence(error.__cause__.errors()[0])
    error.message = _matched(VALUES, error.message)
    return _matched(MISTAKES, error.format_message())


def _matched(sentences: dict[str, str], text: str) -> str:
    found = ((re.fullmatch(pattern, text, re.DOTALL), ours) for pattern, ours in sentences.items())
    return next((say(ours, **_names(match)) for match, ours in found if match), text)


def _names(match: re.Match[str]) -> dict[str, str]:
    """Return the names of a mistake; lists as the language of the moment enumerates."""
    return {
        name: listed(re.findall(r"[^\s,'\"]+", text)) if name in SEVERAL else text.replace("' / '", " / ")
        for name, text in match.groupdict().items()
    }
