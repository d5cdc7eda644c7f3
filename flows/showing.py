"""What an operator sees of an item in Prefect: artifacts and tags. Ids only, never a name: Prefect is no place for people.

All of it comes after the work is recorded: a Prefect that is away costs the picture, never the work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from prefect import get_client
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext

from review_flow.i18n import _, say

log = structlog.get_logger()

TELL_EVERY_S = 5.0


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
    """Put artifacts on the current run."""
    for thing in things:
        try:
            thing.put()
        except Exception as error:  # noqa: BLE001 - the picture alone is lost
            log.warning(say(_("Prefect 服务不可用，少了一项展示。")), key=thing.key, error=type(error).__name__)
            return


class RunTags:
    """The tags of the current flow run, growing with what it did: ``evidence:12`` finds the drain that did it.

    On the task runs they would cost a request each before the work begins (Prefect asks whether the tag is limited),
    and hold the work up while Prefect is away. So they go on the flow run, now and then.
    """

    def __init__(self) -> None:
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        self._run_id, self._tags = context.flow_run.id, set(context.flow_run.tags)
        self._sent, self._sent_at = len(self._tags), time.monotonic()
        self._lock = threading.Lock()

    def add(self, labels: Sequence[str]) -> None:
        """Take note of an item's tags; tell Prefect when the last time is some seconds ago."""
        with self._lock:
            self._tags.update(labels)
        if time.monotonic() - self._sent_at > TELL_EVERY_S:
            self.send()

    def send(self) -> None:
        """Tell Prefect, when there is something new."""
        with self._lock:
            known, self._sent_at = sorted(self._tags), time.monotonic()
            if len(known) == self._sent:
                return
            self._sent = len(known)
        try:
            with get_client(sync_client=True) as client:
                client.update_flow_run(self._run_id, tags=known)
        except Exception as error:  # noqa: BLE001 - the picture alone is lost
            log.warning(say(_("Prefect 服务不可用，少了一项展示。")), key="tags", error=type(error).__name__)
