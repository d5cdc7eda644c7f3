"""A form that is filled in: its fields read, its draft kept, and two drafts side by side where devices differ."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.datastructures import FormData
from starlette.responses import HTMLResponse

from models import PanelMark
from review_flow.i18n import _, listed, say
from review_flow.rules.codes import number
from review_flow.steps.drafts import DraftElsewhere, Over
from review_flow.web.render import page

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

    from models import Assignment

MOST_SHOWN = 5000  # a longer text is compared up to here


def form_of(filled: FormData) -> dict[str, Any]:
    """Return the review form of a page's fields; a component with neither tick nor mark is 未涉及."""
    form: dict[str, Any] = {"components": {}, "evidence_levels": {}, "comment": str(filled.get("comment", ""))}
    for field, value in filled.multi_items():
        what, _colon, key = field.partition(":")
        if what in {"item", "mark"} and value:
            one = form["components"].setdefault(key, {"items": [], "mark": ""})
            if what == "item":
                one["items"].append(str(value))
            else:
                one["mark"] = number(str(value))
        elif what == "level" and value:
            form["evidence_levels"][key] = str(value)
    return form


def over_of(filled: FormData) -> Over | None:
    """Return over which draft a page's form was filled in; None for a page that doesn't say."""
    version, sender = str(filled.get("version", "")), str(filled.get("page", ""))
    return Over(int(version), sender[:40]) if version.isascii() and version.isdigit() and len(version) < 10 else None  # noqa: PLR2004 - a number that no draft is counted to


def opened(row: Assignment | PanelMark) -> dict[str, Any]:
    """Return what a page's form says of the draft it is filled in over."""
    return {"draft": row.draft or {}, "version": row.draft_version, "sender": secrets.token_hex(8)}


def answered(
    request: Request,
    *,
    row: Assignment | PanelMark,
    filled: FormData,
    asked: dict[str, Any],
    address: str,
    keep: Callable[[], object],
) -> HTMLResponse:
    """Keep a draft and say so; where another device has kept one since, show both and let the person choose."""
    try:
        keep()
    except DraftElsewhere as refused:
        rows = differences(asked, row.draft or {}, form_of(filled))
        answer = page(
            request,
            "parts/conflict.html",
            status=refused.status,
            text=str(refused),
            rows=rows,
            address=address,
            version=row.draft_version,
        )
        answer.headers["HX-Retarget"], answer.headers["HX-Reswap"] = "#conflict", "innerHTML show:#conflict:top"
        return answer
    return page(request, "parts/saved.html", until=until_of(row), version=row.draft_version)


def until_of(row: Assignment | PanelMark) -> datetime:
    """Return when a task's lease ends, or a mark is due."""
    return row.due_at if isinstance(row, PanelMark) else row.lease_until


def differences(asked: dict[str, Any], kept: dict[str, Any], sent: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields in which two drafts differ: name, and both sides as pieces of text (changed or not)."""
    named: list[tuple[str, str, str]] = []
    for one in asked["components"]:
        texts = {item["id"]: item["text_zh"] for item in one["items"]}
        mine, theirs = (said.get("components", {}).get(one["id"], {}) for said in (sent, kept))
        here, there = (listed(texts.get(item, item) for item in said.get("items", [])) for said in (mine, theirs))
        named.append((one["name_zh"], here, there))
        named.append((say(_("{name}：分数"), name=one["name_zh"]), mine.get("mark", ""), theirs.get("mark", "")))
    for slot in asked["slots"]:
        here, there = (said.get("evidence_levels", {}).get(slot["id"], "") for said in (sent, kept))
        named.append((slot["name_zh"], here, there))
    here, there = (str(said.get("comment", ""))[:MOST_SHOWN] for said in (sent, kept))
    named.append((say(_("评语")), here, there))
    return [
        {"name": name, "here": _pieces(mine, theirs), "there": _pieces(theirs, mine)}
        for name, mine, theirs in named
        if mine != theirs
    ]


def _pieces(text: str, other: str) -> list[tuple[bool, str]]:
    """Return a text in pieces, each with whether the other has it not."""
    found = difflib.SequenceMatcher(None, other, text, autojunk=False).get_opcodes()
    return [(what != "equal", text[start:end]) for what, _from, _to, start, end in found if end > start]
