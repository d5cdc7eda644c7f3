"""Every "no" as a sentence and an exit status: the steps' refusals, wrong settings, files and databases that fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from review_flow.errors import Refusal
from review_flow.i18n import _, clauses, say
from review_flow.misread import reason, sentence
from review_flow.rules.lifecycle import IllegalMoveError
from review_flow.schemes.document import SchemeInvalid
from review_flow.settings import PREFIX
from review_flow.settings_lines import DATABASE_URL_LIKE

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED, MISUSE = 1, 2


class Misuse(Refusal):
    """The command was called wrongly: exit status 2."""

    status, text = 400, _("{why}。")


class BadFile(Misuse):
    """A file of the command's is not what it should be."""

    text = _("{path}：{problem}")


class FileThere(Misuse):
    """A blank is not written over what somebody may have filled in."""

    text = _("{path}已经存在，没有改动。请换一个文件名，或先把它移走。")


class NotMigrated(Refusal):
    """A database server's schema is changed only when the operator says so."""

    status, text = 409, _("数据库的结构不是这个版本的，请先备份，再运行 review-flow migrate。")


class StrangeSchema(Refusal):
    """The database's schema is none of this version's: it was made by a newer one."""

    status, text = 409, _("数据库的结构不属于这个版本（{why}），请改用建立它的版本。")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of an error: a stable code, a sentence, the exit status."""

    code: str
    text: str
    status: int = REFUSED


def explained(error: Exception) -> Answer | None:
    """Return what to say of an error; None for a fault of the program, which keeps its traceback."""
    return next((say_it(error) for kind, say_it in ANSWERS.items() if isinstance(error, kind)), None)


def _scheme(error: SchemeInvalid) -> Answer:
    return Answer(error.code, "\n".join(map(str, error.mistakes)))


def _refusal(error: Refusal) -> Answer:
    return Answer(error.code, str(error), MISUSE if isinstance(error, Misuse) else REFUSED)


def _settings(error: ValidationError) -> Answer:
    return _wrong_settings(*((one["loc"], sentence(one)) for one in error.errors() if one["loc"]))


def _wrong_settings(*wrong: tuple[tuple[int | str, ...], str]) -> Answer:
    """Name each setting by its variable, where in it the mistake is, and what to write."""
    named = (
        say(_("{name}（{why}）"), name=f"{PREFIX}{str(place[0]).upper()}", why=f"{_within(place[1:])}{why}")
        for place, why in wrong
    )
    return Answer("settings", say(_("设置有误：{names}"), names=clauses(named)), MISUSE)


def _within(place: tuple[int | str, ...]) -> str:
    """Return where in a list a mistake is: its entry, and the field of that, if it has any."""
    if not place:
        return ""
    field = f" {place[-1]}" if len(place) > 1 else ""
    return say(_("第{number}项{field}："), number=int(place[0]) + 1, field=field)


def _unreadable_setting(error: SettingsError) -> Answer:
    name = str(error).partition('"')[2].partition('"')[0]
    return _wrong_settings(((name,), say(_("不是可读的 JSON"))))


def _database_url(_error: ArgumentError) -> Answer:
    return _wrong_settings((("database_url",), say(DATABASE_URL_LIKE)))


def _twice(_error: IntegrityError) -> Answer:
    return Answer("conflict", say(_("与已有的记录冲突，没有保存。")))


def _database(error: DBAPIError) -> Answer:
    return Answer("database", say(_("数据库出错：{why}"), why=str(error.orig).strip().partition("\n")[0]))


def _move(error: IllegalMoveError) -> Answer:
    return Answer(
        "illegal-move",
        say(_("现在是“{now}”，不能变为“{then}”。"), now=say(error.source.label), then=say(error.target.label)),
    )


def _file(error: OSError) -> Answer:
    return Answer("file", say(_("文件读不到或写不进去：{path}（{why}）"), path=error.filename, why=reason(error)))


# From the narrowest kind to the widest: the first that fits answers.
ANSWERS: dict[type[Exception], Callable[..., Answer]] = {
    SchemeInvalid: _scheme,
    Refusal: _refusal,
    SettingsError: _unreadable_setting,
    ValidationError: _settings,
    ArgumentError: _database_url,
    NoSuchModuleError: _database_url,
    IntegrityError: _twice,
    DBAPIError: _database,
    IllegalMoveError: _move,
    OSError: _file,
}
