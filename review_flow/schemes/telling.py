"""Differences between schemes in sentences, under the names of their sections."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from review_flow.i18n import _, clauses, language, listed, say
from review_flow.rules.outcome import cited

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review_flow.schemes.differences import Difference

CHANGES = {
    "added": _("新增{what}：{after}{source}"),
    "removed": _("删去{what}：{before}{source}"),
    "changed": _("{what}由{before}改为{after}{source}"),
    "source": _("{what}仍为{after}{source}"),
}


def _told(one: Difference) -> str:
    rules = [cited(rule) for rule in (one.source_before, one.source_after) if rule]
    moved = (
        say(_("{before} → {after}"), before=rules[0], after=rules[-1]) if len(set(rules)) > 1 else "".join(rules[:1])
    )
    return say(
        CHANGES[one.kind],
        what=say(_("：")).join(_names(one)[1:]) or _names(one)[0],
        before=worded(one.before, one.fields),
        after=worded(one.after, one.fields),
        source=f"  [{moved}]" if moved else "",
    )


def _names(one: Difference) -> list[str]:
    """Return the parts of a path as they are called: in Chinese by their names, else by the words of the language."""
    if language.get() == "zh":
        return [*one.names]
    pairs = zip(one.path.split("."), one.names, strict=True)
    return [name if name.startswith("“") else part.replace("_", " ") for part, name in pairs]


def _as_written(value: object) -> str:
    """Return a value in the words of the scheme language."""
    if isinstance(value, dict):
        return clauses(f"{key.replace('_', ' ')}: {_as_written(inner)}" for key, inner in value.items() if key != "id")
    if isinstance(value, list | tuple):
        return listed(map(_as_written, value)) or say(_("无"))
    if isinstance(value, bool):
        return say(_("是")) if value else say(_("否"))
    return say(_("无")) if value in (None, "") else str(value)


def worded(value: object, fields: str | None = None) -> str:
    """Return a value in words; `fields`: the section whose fields a mapping has, to call them by their names."""
    from review_flow.schemes.names import shown_value
    from review_flow.schemes.wording import rows

    if language.get() != "zh":
        return _as_written(value)
    if fields is None or not isinstance(value, dict):
        return shown_value(value)
    return clauses(say(_("{path}：{value}"), path=name, value=inner) for name, inner in rows(value, fields))


def told(found: Iterable[Difference]) -> list[tuple[str, list[str]]]:
    """Return the sections that differ, by name, each with a sentence for each of its differences."""
    return [(_names(ones[0])[0], [*map(_told, ones)]) for ones in _by_section(found)]


def _by_section(found: Iterable[Difference]) -> list[list[Difference]]:
    return [list(ones) for _section, ones in groupby(found, key=lambda one: one.section)]
