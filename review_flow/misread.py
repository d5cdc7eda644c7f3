"""What can't be read, said to the reader: settings, options of commands, what programs send to the API; files.

pydantic's and the system's own messages are English; here each kind of mistake says what to write instead, or why not.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Any

from review_flow.i18n import _, listed, say

if TYPE_CHECKING:
    from collections.abc import Mapping

SAID = "Value error, "
"""What pydantic puts before a sentence of a validator of our own."""
WHOLE, NUMBER, DAY, MOMENT = (
    _("应为整数"),
    _("应为数字"),
    _("应为日期，如 2026-03-20"),
    _("应为时间，如 2026-03-05T14:30"),
)
SENTENCES = {
    "missing": _("不能缺少"),
    "extra_forbidden": _("没有这一项，请删去"),
    "json_invalid": _("不是可读的 JSON"),
    "int": WHOLE,
    "float": NUMBER,
    "decimal": NUMBER,
    "finite_number": NUMBER,
    "bool": _("应为 true 或 false"),
    "string": _("应为文字"),
    "string_too_short": _("至少要有 {min_length} 个字"),
    "string_too_long": _("最多 {max_length} 个字"),
    "string_pattern_mismatch": _("应符合 {pattern}"),
    "greater_than_equal": _("应不小于 {ge}"),
    "greater_than": _("应大于 {gt}"),
    "less_than_equal": _("应不大于 {le}"),
    "less_than": _("应小于 {lt}"),
    "too_short": _("至少要有 {min_length} 项"),
    "too_long": _("最多 {max_length} 项"),
    "literal_error": _("只能是 {expected}"),
    "enum": _("只能是 {expected}"),
    "union_tag_invalid": _("{discriminator} 只能是 {expected_tags}"),
    "union_tag_not_found": _("缺少 {discriminator}"),
    "tuple": _("应为方括号括起的列表"),
    "list": _("应为方括号括起的列表"),
    "dict": _("应为花括号括起的对象"),
    "model": _("应为花括号括起的对象"),
    "path": _("应为文件或文件夹的路径"),
    "date": DAY,
    "datetime": MOMENT,
    "ip_any_network": _("应为 10.0.0.0/8 这样的网段"),
}
REASONS = {
    errno.ENOENT: _("没有这个文件或文件夹"),
    errno.EACCES: _("没有权限"),
    errno.EPERM: _("没有权限"),
    errno.EISDIR: _("这是文件夹，不是文件"),
    errno.ENOTDIR: _("路径中有一段不是文件夹"),
    errno.EEXIST: _("已经有这个名称的文件"),
    errno.EROFS: _("这里只能读"),
    errno.ENOSPC: _("磁盘已满"),
    errno.EDQUOT: _("磁盘已满"),
    errno.ENAMETOOLONG: _("名称太长"),
    errno.EADDRINUSE: _("已被别的程序占用"),
    errno.EADDRNOTAVAIL: _("本机没有这个地址"),
}
QUOTED = re.compile("'([^']*)'")


def sentence(error: Mapping[str, Any]) -> str:
    """Return what is wrong in one of `ValidationError.errors()`, and what it should be; without a full stop."""
    kind = str(error["type"])
    if kind in {"value_error", "assertion_error"}:
        return str(error["msg"]).removeprefix(SAID)
    found = SENTENCES.get(kind) or SENTENCES.get(kind.partition("_")[0])  # int_parsing, int_type, int_from_float …
    return say(found or _("格式不对"), **{name: _plain(given) for name, given in error.get("ctx", {}).items()})


def _plain(given: object) -> object:
    """Return pydantic's own enumeration ("'a', 'b' or 'c'") as the language of the moment enumerates."""
    quoted = QUOTED.findall(given) if isinstance(given, str) else []
    return listed(quoted) if quoted else given


def reason(error: OSError) -> str:
    """Return why the system refused a file or an address; in its own words where we have none."""
    known = REASONS.get(error.errno or 0)
    return say(known) if known else error.strerror or str(error)
