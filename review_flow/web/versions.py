"""Versions of what is edited: an edit says which version it was made from, so that nobody's work is lost unseen."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from review_flow.errors import Refusal
from review_flow.i18n import _


class VersionMissing(Refusal):
    """An edit that does not say what it was made from could undo somebody else's."""

    status, text = 428, _("请在 If-Match 中给出您读到的版本（ETag）。")


class VersionChanged(Refusal):
    """What was edited is no longer what was read."""

    status, text = 412, _("内容已在别处改动，请重新读取后再改。")


def version_of(content: Any) -> str:
    """Return the ETag of a content: a quoted digest, the same for the same content."""
    said = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'


def require_version(content: Any, *, if_match: str) -> None:
    """Raise VersionChanged unless the content's version is among those asked for; `*` is any."""
    asked = {one.strip() for one in if_match.split(",")}
    if "*" not in asked and version_of(content) not in asked:
        raise VersionChanged
