"""Lists in parts: the part after a row, whatever came or went meanwhile.

A cursor is the id of the last row that was told. It needs no seal: one made up only begins elsewhere in a list of
what the person may see anyway. What is reckoned whole each time is cut by places instead (`numbered_part`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query

from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.web.api.shapes import Item, Page

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import InstrumentedAttribute, Session

MOST, USUAL = 100, 50
LARGEST = 2**63 - 1


class CursorUnknown(Refusal):
    """A cursor comes from an answer; none other is understood."""

    status, text = 422, _("这个 cursor 不是本接口给出的，请从第一页重新读取。")


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a list is asked for."""

    after: int | None
    limit: int


def _part(
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most.")] = USUAL,
    cursor: Annotated[str | None, Query(max_length=40, description="`next` of the part before.")] = None,
) -> Part:
    return Part(None if cursor is None else _opened(cursor), limit)


Asked = Annotated[Part, Depends(_part)]


def _cursor(row_id: int) -> str:
    return base64.urlsafe_b64encode(str(row_id).encode()).decode().rstrip("=")


def _opened(cursor: str) -> int:
    try:
        found = int(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except ValueError:
        raise CursorUnknown from None
    if not 0 <= found <= LARGEST:
        raise CursorUnknown
    return found


def listed_part(
    session: Session,
    rows: Select[Any],
    *,
    key: InstrumentedAttribute[int],
    part: Part,
    shown: Callable[[Sequence[Any]], list[Item]],
    newest_first: bool = False,
) -> Page[Item]:
    """Return a part of what a statement selects, by a unique key; `shown` makes all of its rows what is told."""
    if part.after is not None:
        rows = rows.where(key < part.after if newest_first else key > part.after)
    found = session.execute(rows.order_by(key.desc() if newest_first else key).limit(part.limit + 1)).all()
    some = found[: part.limit]
    more = len(found) > part.limit
    return Page(items=shown(some), next=_cursor(getattr(some[-1][0], key.key)) if more else None)


def numbered_part(items: Sequence[Item], *, part: Part) -> Page[Item]:
    """Return a part of a list that is reckoned whole, by its places."""
    begin = part.after or 0
    end = begin + part.limit
    return Page(items=list(items[begin:end]), next=_cursor(end) if end < len(items) else None)
