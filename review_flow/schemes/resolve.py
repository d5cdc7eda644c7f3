"""From what an author wrote to the complete document: inherited sections, defaults, the catalogue's abilities.

The result needs no other file to be understood, so its digest covers everything that judges a teacher.
"""

from collections.abc import Callable, Mapping
from typing import Any

from review_flow.rules.paths import META, is_under, leaves, source_of

EVERYTHING = "*"
Fetch = Callable[[str], Mapping[str, Any]]


def complete(
    written: Mapping[str, Any], *, scheme: Fetch, catalogue: Fetch, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the complete document. `inherits` maps a dotted section (or `*`) to the id of another scheme."""
    document = dict(written)
    for section, parent_id in written.get("inherits", {}).items():
        parent = scheme(str(parent_id))
        document = under(document, parent if section == EVERYTHING else _only(parent, section))
    document = under(document, _of_use(document, defaults))
    document["unknowns"] = [
        *(unknown for unknown in document["unknowns"] if unknown not in defaults["unknowns"]),
        *still_open(document, defaults["unknowns"]),
    ]
    if isinstance(document["catalogue"], str):
        document["catalogue"] = dict(catalogue(document["catalogue"]))
    return document


def _of_use(document: Mapping[str, Any], defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the defaults that mean something to a document: vacations only where a task has its day (X-50)."""
    dated = any(task.get("by") for phase in document.get("phases", []) for task in phase.get("tasks", []))
    return defaults if dated else {**defaults, "groups": {}}


def under(child: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the child with what it leaves out taken from the parent, each value with the parent's source.

    A list or value in the child replaces the parent's. A value taken over keeps the source it had there, leaf by
    leaf, so that a broad source in the child can never claim it.
    """
    merged = _merge(child, {key: value for key, value in parent.items() if key not in {"sources", "inherits"}})
    own = {path for path, _value in leaves(child)}
    taken = {
        path: str(source_of(parent.get("sources", {}), path)) for path, _value in leaves(merged) if path not in own
    }
    merged["sources"] = {**{path: text for path, text in taken.items() if text}, **child.get("sources", {})}
    return merged


def still_open(document: Mapping[str, Any], asked: list[Any]) -> list[Any]:
    """Return the questions about defaults that are in force and that no question of the scheme itself covers."""
    listed = [unknown["path"] for unknown in document["unknowns"] if unknown not in asked]
    defaults = [
        path
        for path, value in leaves(document)
        if value not in (None, [], {})
        and source_of(document["sources"], path).is_default
        and not any(is_under(path, one) for one in listed)
    ]
    return [unknown for unknown in asked if any(is_under(path, unknown["path"]) for path in defaults)]


def expand(catalogue: Mapping[str, Any]) -> dict[str, Any]:
    """Return a catalogue in which every ability carries its own slots instead of the name of a family."""
    families = catalogue.get("families", {})
    abilities = [
        {
            **{key: value for key, value in ability.items() if key != "family"},
            "slots": ability.get("slots", families.get(ability.get("family"), [])),
        }
        for ability in catalogue["abilities"]
    ]
    kept = {key: value for key, value in catalogue.items() if key not in {"schema", "families"}}
    return {**kept, "abilities": abilities}


def _merge(child: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(child)
    for key, value in parent.items():
        if key not in merged:
            merged[key] = value
        elif isinstance(merged[key], Mapping) and isinstance(value, Mapping) and key not in WHOLE:
            merged[key] = _merge(merged[key], value)
    return merged


WHOLE = {"sources", "checklist_levels", "level_marks", "catalogue"}  # maps that are one value: never mixed


def _only(document: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return just one dotted section of a document, with the sources."""
    head, _dot, rest = section.partition(".")
    if head not in document or head in META - {"catalogue"}:
        return {}
    value = document[head]
    if rest:
        value = {key: inner for key, inner in _only(value, rest).items() if key != "sources"}
    return {head: value, "sources": document.get("sources", {})}
