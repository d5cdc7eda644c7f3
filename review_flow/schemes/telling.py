"""Differences between schemes in sentences, under the names of their sections."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from review_flow.i18n import _, clauses, language, listed, say
from review_flow.rules.outcome import cited
from review_flow.rules.paths import value_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review_flow.rules.scheme import Scheme
    from review_flow.schemes.differences import Difference

TIME = frozenset({"days", "working_days", "hours", "times"})
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
    return called(one.path, one.names)


def called(path: str, names: Iterable[str]) -> list[str]:
    """Return the parts of a path as they are called: in Chinese by their names, else by the words of the language."""
    if language.get() == "zh":
        return [*names]
    pairs = zip(path.split("."), names, strict=True)
    return [name if name.startswith("“") else part.replace("_", " ") for part, name in pairs]


def clauses_of(scheme: Scheme, values: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return (name, value) of values by path, as the plan would say them; what makes one stretch of time is said once."""
    whole = {_stretch(path) or path: value for path, value in values.items()}
    return [(_path_called(scheme, path), _clause(scheme, path, value)) for path, value in whole.items()]


def _stretch(path: str) -> str | None:
    above, _dot, last = path.rpartition(".")
    return above if path.startswith("calendar.") and last in TIME else None


def _path_called(scheme: Scheme, path: str) -> str:
    from review_flow.schemes.names import path_names

    names = called(path, path_names(scheme.document, path)[0])
    return say(_("：")).join(names[1:] or names)


def _clause(scheme: Scheme, path: str, value: object) -> str:
    from review_flow.schemes.wording import condition, duration

    said = value_at(scheme.document, path)
    if isinstance(value, list | tuple) and path.startswith("lock.") and path != "lock.amend_needs":
        return listed(_path_called(scheme, str(one)) for one in value)
    if language.get() != "zh":
        return worded(said if isinstance(said, Mapping) else value)
    if isinstance(said, Mapping) and path.startswith("calendar."):
        return duration(said)
    return condition(scheme, value) if path.endswith(".expr") else worded(value)


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
