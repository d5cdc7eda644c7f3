"""Where numbers stand in a scheme's own file: in values, expressions, days and sentences."""

import re
from collections.abc import Iterator
from typing import Any

from review_flow.rules.paths import key_of

WORDS = {"sources", "unknowns", "schema", "id", "based_on", "inherits", "title_zh", "catalogue", "version", "edition"}
DIGIT = re.compile(r"[0-9]")


def numbers(written: dict[str, Any]) -> dict[str, str]:
    """Dotted path → the value as it is written, for every value with a digit in it."""
    return dict(_numbers("", {key: value for key, value in written.items() if key not in WORDS}))


def _numbers(path: str, node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key != "id":
                yield from _numbers(f"{path}.{key}" if path else key, value)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _numbers(f"{path}.{key_of(value, index)}", value)
    elif not isinstance(node, bool) and DIGIT.search(str(node)):
        yield path, str(node)
