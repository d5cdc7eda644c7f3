"""What an operator sees of an item in Prefect: artifacts. Ids only, never a name: Prefect is no place for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from review_flow.i18n import _, say

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Markdown:
    """A text. `key` names the thing over all its versions: lower case, digits, dashes (``verdict-12``)."""

    key: str
    text: str

    def put(self) -> None:
        """Send it to Prefect."""
        create_markdown_artifact(self.text, key=self.key)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one shape."""

    key: str
    rows: Sequence[dict[str, Any]]

    def put(self) -> None:
        """Send it to Prefect."""
        create_table_artifact(list(self.rows), key=self.key)


@dataclass(frozen=True, slots=True)
class Link:
    """Where the thing itself is kept, behind our own door (a contact sheet shows faces)."""

    key: str
    url: str
    text: str

    def put(self) -> None:
        """Send it to Prefect."""
        create_link_artifact(self.url, link_text=self.text, key=self.key)


Shown = Markdown | Table | Link


def show(things: Sequence[Shown]) -> None:
    """Put artifacts on the current run. The work is done and recorded: a Prefect that is away costs the picture only."""
    for thing in things:
        try:
            thing.put()
        except Exception as error:  # noqa: BLE001 - see above
            log.warning(say(_("Prefect 服务不可用，少了一项展示。")), key=thing.key, error=type(error).__name__)
            return
