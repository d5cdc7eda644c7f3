"""Dotted paths into a scheme document, and the source each value carries.

Items of lists are named by their id, grade or code: `adjust.deductions.absence.each`, `bands.list.优秀.min`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT = "default"
DESCRIPTIVE = {"id", "name_zh", "text_zh", "title_zh"}
META = {
    "schema", "id", "version", "title_zh", "edition", "based_on", "effective_from", "effective_to", "inherits",
    "principles", "applies_to", "catalogue", "roles", "unknowns", "confirmed", "sources",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Where a value comes from: a rule id (001-A-35), or `default` with a note saying whose and why."""

    rule: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.rule} ({self.note})" if self.note else self.rule

    @property
    def is_default(self) -> bool:
        """Return whether the source document leaves the value open, so that it is our proposal."""
        return self.rule == DEFAULT


def canonical_json(value: object) -> bytes:
    """Return the one way to write a value: equal values give equal bytes on every machine."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def source_of(sources: Mapping[str, str], path: str) -> Source:
    """Return the source for a path from a map of path → `rule` or `rule (note)`."""
    parts = path.split(".")
    known = next((above for n in range(len(parts), 0, -1) if (above := ".".join(parts[:n])) in sources), None)
    if known is None:
        known = min((below for below in sources if below.startswith(path + ".")), default=None)
    if known is None:
        return Source("")
    rule, _space, note = sources[known].partition(" ")
    return Source(rule, note.removeprefix("(").removesuffix(")"))


def key_of(item: object, index: int) -> str:
    """Return how a list item is named in a path: its id, grade or code, else its position."""
    if isinstance(item, Mapping):
        for key in ("id", "grade", "code"):
            if key in item:
                return str(item[key])
    return str(index)


def value_at(document: object, path: str) -> object:
    """Return the value at a dotted path, or None when there is none."""
    node = document
    for part in path.split("."):
        if isinstance(node, Mapping):
            node = node.get(part)
        elif isinstance(node, list | tuple):
            node = next((item for index, item in enumerate(node) if key_of(item, index) == part), None)
        else:
            return None
    return node


def is_under(path: str, root: str) -> bool:
    """Return whether a dotted path is `root` or below it."""
    return path == root or path.startswith(root + ".")


def leaves(document: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield (path, value) for every value of the rule sections: what must have a source and what can be amended."""
    for section, value in document.items():
        if section not in META:
            yield from _walk(section, value)


def _walk(path: str, node: object) -> Iterator[tuple[str, object]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key not in DESCRIPTIVE:
                yield from _walk(f"{path}.{key}", value)
    elif isinstance(node, list | tuple) and any(isinstance(item, Mapping) for item in node):
        for index, item in enumerate(node):
            yield from _walk(f"{path}.{key_of(item, index)}", item)
    else:
        yield path, node
