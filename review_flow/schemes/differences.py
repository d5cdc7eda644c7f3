"""What differs between two schemes, in the order of their sections: added, removed, changed, or of another source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from review_flow import schemes
from review_flow.i18n import listed
from review_flow.rules.paths import DESCRIPTIVE, META, is_under, key_of
from review_flow.rules.scheme import Scheme
from review_flow.schemes.names import path_names
from review_flow.schemes.resolve import EVERYTHING

TOLD = (
    "title_zh",
    "edition",
    "based_on",
    "effective_from",
    "effective_to",
    "principles",
    "applies_to",
    "roles",
    "confirmed",
)
"""What of the head of a scheme is compared besides the rule sections; the catalogue by its title."""
NOTHING: tuple[object, ...] = (None, [], {}, "")


@dataclass(frozen=True)
class Difference:
    """One difference. `kind`: added | removed | changed | source (the same value of another rule).

    Values as they are written; a source may be ''. `names`: the path in Chinese; `fields`: the path without item ids.
    """

    kind: str
    path: str
    before: object
    after: object
    source_before: str
    source_after: str
    names: tuple[str, ...]
    fields: str

    @property
    def section(self) -> str:
        """Return the section it belongs to."""
        return self.path.partition(".")[0]

    def as_json(self) -> dict[str, object]:
        """Return the difference as plain data."""
        return {
            "kind": self.kind, "path": self.path, "names": list(self.names), "before": self.before,
            "after": self.after, "source_before": self.source_before, "source_after": self.source_after,
        }  # fmt: skip


def differences(before: Scheme, after: Scheme, *, within: str = EVERYTHING) -> list[Difference]:
    """Return what differs, in the order of the later document; `within`: only what is under this dotted section."""
    pairs = _walk("", _compared(before.document), _compared(after.document))
    found = (_difference(before, after, path, old, new) for path, old, new in pairs)
    return [one for one in found if one and (within == EVERYTHING or is_under(one.path, within))]


def overrides(scheme: Scheme) -> list[Difference]:
    """Return where a scheme departs from what it inherits, section by section; empty where it inherits nothing."""
    inherited = scheme.document.get("inherits", {})
    return [
        one
        for section, parent in inherited.items()
        for one in differences(schemes.load(str(parent)), scheme, within=section)
    ]


def departures(scheme: Scheme) -> tuple[str, list[Difference]] | None:
    """Return what a scheme derives from, and where it departs: the embedded one of its id, else what it inherits.

    None for one that derives from none that comes with the program.
    """
    if scheme.id in {one.id for one in schemes.available()}:
        embedded = schemes.load(scheme.id)
        return embedded.title_zh, differences(embedded, scheme)
    parents = scheme.document.get("inherits", {}).values()
    if not parents:
        return None
    return listed(dict.fromkeys(schemes.load(str(one)).title_zh for one in parents)), overrides(scheme)


def _difference(before: Scheme, after: Scheme, path: str, old: object, new: object) -> Difference | None:
    if old in NOTHING and new in NOTHING:
        return None
    sources = [scheme.source(path) for scheme in (before, after)]
    rules = {source.rule for source in sources}
    if old == new and (len(rules) == 1 or "" in rules or _last(path) in DESCRIPTIVE):
        return None
    kind = "source" if old == new else "added" if old in NOTHING else "removed" if new in NOTHING else "changed"
    names, fields = path_names(before.document if kind == "removed" else after.document, path)
    first, second = map(str, sources)
    return Difference(kind, path, old, new, first, second, tuple(names), fields)


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _compared(document: Mapping[str, Any]) -> dict[str, Any]:
    rules = {key: value for key, value in document.items() if key not in META}
    return {**{key: document.get(key) for key in TOLD}, "catalogue": document["catalogue"]["title_zh"], **rules}


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, before, after) of every value or whole item that differs or may have another source."""
    old_parts, new_parts = _parts(old), _parts(new)
    if old_parts is None or new_parts is None:
        yield path, old, new
        return
    for key in dict.fromkeys([*new_parts, *old_parts]):
        yield from _walk(f"{path}.{key}" if path else key, old_parts.get(key), new_parts.get(key))


def _parts(node: Any) -> dict[str, Any] | None:
    """Return the named parts of a node; None of a value, of a list of plain values, and of what is not there."""
    if isinstance(node, Mapping):
        return dict(node)
    if isinstance(node, list) and (not node or isinstance(node[0], Mapping)):
        return {key_of(item, index): item for index, item in enumerate(node)}
    return None
