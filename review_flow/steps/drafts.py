"""草稿: a half-filled form, counted each time it is kept; a second device overwrites nothing unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from review_flow.errors import Refusal
from review_flow.i18n import _

if TYPE_CHECKING:
    from models import Assignment, PanelMark


class DraftElsewhere(Refusal):
    """The form was filled in over an older draft than the one that is kept: somebody chooses which of the two stays."""

    status, text = 409, _("这份草稿在另一处改过了。两份都还在，请选一份再继续。")


@dataclass(frozen=True, slots=True)
class Over:
    """Which draft a form was filled in over, and on which page: a page's own saves may overtake each other."""

    version: int
    page: str


def require_latest(row: Assignment | PanelMark, *, over: Over | None) -> None:
    """Raise DraftElsewhere where another page has kept a draft since; `over` None: nobody asks."""
    if over is not None and row.draft_version > over.version and row.draft_from != over.page:
        raise DraftElsewhere


def keep_draft(row: Assignment | PanelMark, *, draft: dict[str, Any], over: Over | None) -> None:
    """Keep a draft, without what it leaves open, and count it. Raises DraftElsewhere."""
    require_latest(row, over=over)
    if isinstance(given := draft.get("components"), dict):
        draft = {**draft, "components": {key: one for key, one in given.items() if one is not None}}
    row.draft, row.draft_version, row.draft_from = draft, row.draft_version + 1, over.page if over else None
