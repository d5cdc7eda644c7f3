"""`review-flow`: parses, calls a step, prints.

The parts are imported when they are asked for, so `--help` and `scheme …` start at once and need no database.
"""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from review_flow.cli import words
from review_flow.i18n import LANGUAGES, _, language, listed, say

# Command → the module that has it, and its help. Where the module is named as the command, all of it is meant.
PARTS = {
    "scheme": ("scheme", _("考核方案：列出、查看、检查、试算（不需要数据库）")),
    "template": ("template", _("上报模板：空白表、检查、导出（不需要数据库）")),
    "allocate": ("allocation", _("互评分配：谁评谁，最优且可证明（不需要数据库）")),
    "marks": ("marks", _("评分表：合成、不确定度、评阅人的偏差与一致性（不需要数据库）")),
    "evidence": ("evidence", _("证据文件：自动检查（不需要数据库）")),
    "school": ("school", _("学校：建立、采用方案、人员、回避")),
    "sheet": ("sheet", _("表格：模板与导入（名单、学时、进度、考勤、加分）")),
    "facts": ("facts", _("项目事实：学习分钟、材料、测评、主题、得分、审核")),
    "activity": ("activity", _("活动：安排、签到、补课")),
    "workshop": ("workshop", _("工作坊：看板、上交材料、完成任务、评等")),
    "class": ("class_", _("班：建班、进班、离班")),
    "pipeline": ("pipeline", _("推优：推荐、作者同意、投票评分、逐级推送")),
    "library": ("library", _("资源库：发布、列出、撤下")),
    "round": ("round", _("考核轮次：建立、开放、进展、公示、归档")),
    "teacher": ("teacher", _("教师：自测、选学、交证据、查看与签收结果")),
    "review": ("review", _("互评：任务、评审表、提交")),
    "panel": ("panel", _("考核组：有效性、评分、定等、申诉复核")),
    "certificate": ("certificate", _("证书：签发、颁发单位确认、打印、撤销、核验")),
    "token": ("token", _("接口令牌：建立、列出、撤销")),
    "export": ("export", _("导出：考核结果表与归档")),
    "verify": ("operate", _("核验归档文件，逐份重算")),
    "check": ("operate", _("核对数据库里必须成立的每一条")),
    "doctor": ("operate", _("体检：设置、数据库、待办工作、字体、Prefect、人脸模型")),
    "resume": ("operate", _("重新尝试被搁置的工作")),
    "rotate-face-key": ("operate", _("更换人脸特征的密钥：全部重新加密，可中断后再运行")),
    "rotate-certificate-key": (
        "operate",
        _("更换证书编号的密钥，并用新密钥重新加密由它保护的内容；以前的编号仍可核验"),
    ),
    "index-copies": ("operate", _("给索引建立之前的文件补做雷同指纹，可中断后再运行")),
    "purge-evidence": ("operate", _("列出到了保存期限的证据文件；加 --delete 才删除，评分记录都保留")),
    "migrate": ("operate", _("建立或升级数据库")),
    "work": ("operate", _("处理到期的工作（常驻）")),
    "tls": ("tls", _("证书：本校局域网自用的 HTTPS 证书")),
    "serve": ("serving", _("一条命令启动网页、Prefect 服务和后台工作")),
    "demo": ("operate", _("演示：一所学校走完一轮考核")),
}


class Parts(TyperGroup):
    """Knows its commands by name and help, and loads the one that is called."""

    context_class = words.Spoken

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command to list: its name, and its help in the reader's language."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            found.help = say(PARTS[cmd_name][1])
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command itself."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and _loaded(str(name)), rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help in the language chosen before it."""
        _translated(self)
        super().format_help(ctx, formatter)

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read what all commands share; a mistake is said in the reader's language."""
        with words.in_words():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Call the command; a mistake is said in the reader's language."""
        with words.in_words():
            return super().invoke(ctx)


def _loaded(name: str) -> Any:
    module = PARTS[name][0]
    whole: Any = typer.main.get_group(importlib.import_module(f"review_flow.cli.{module}").app)
    return _translated(whole if module.rstrip("_") == name else whole.commands[name])


def _translated(command: Any) -> Any:
    """Say every help of a command and its parts in the reader's language."""
    command.context_class = words.Spoken
    for one in (command, *command.params):
        if getattr(one, "help", None):
            one.help = say(one.help)
    for part in getattr(command, "commands", {}).values():
        _translated(part)
    return command


def _choose_language(chosen: str | None) -> str | None:
    if chosen is not None:
        if chosen not in LANGUAGES:
            raise typer.BadParameter(say(_("可选 {languages}"), languages=listed(LANGUAGES)))
        language.set(chosen)
    return chosen


app = typer.Typer(
    cls=Parts,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(help=_("校本应用考核：互评与证据核验。"))
def root(
    lang: Annotated[
        str | None, typer.Option(help=_("语言：zh 或 en"), callback=_choose_language, is_eager=True)
    ] = None,
) -> None:
    """Stand for what all commands share."""


def _listed() -> None:
    """Nothing: `Parts` loads the command itself."""


for _name in PARTS:
    app.command(_name, cls=TyperCommand)(_listed)


def main() -> None:
    """Run the command line."""
    app(prog_name="review-flow")
