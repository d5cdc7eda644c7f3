"""The chain of approvals: what waits for the school's or an expert's word, approved or sent back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from models import Evidence, Round
from review_flow.errors import NotFound
from review_flow.rules.words import SeatKind
from review_flow.steps import approvals, programme
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.web import approving, mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Panelist
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.panel import who
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import In, Line, Out, Page, Prose, Who

routes = router("approvals")


class ApprovalOut(Out):
    """A work that waits for a link of the chain to be said; `until`: when colleagues review it all the same."""

    submission_id: int
    ability: str
    title: str
    author: Who
    link: str
    until: datetime | None


class ApprovalFile(Out):
    """A file of a work that waits for approval; what the check saw in it is for its author and the panel."""

    id: int
    slot: str
    file_name: str
    size_bytes: int
    sha256: str
    uploaded_at: datetime
    removed_at: datetime | None


class ApprovalIn(In):
    """A word on a link, the one that was read; a refusal needs its reason."""

    link: Annotated[Line, Field(min_length=1)]
    word: Literal["given", "refused"]
    reason: Prose = ""


@reads(routes, "/panel/rounds/{key}/approvals")
def list_approvals(session: Db, person: Panelist, key: Key, part: Asked) -> Page[ApprovalOut]:
    """List the works that wait for one's approval, as the school's administrator or a member of the panel."""
    round_ = mine.panel(session, person, key, SeatKind.MEMBER, admin=True)
    scheme = round_scheme(session, round_=round_)
    found = approvals.next_links(session, person=person, round_=round_, scheme=scheme)
    cut = numbered_part(found, part=part)
    return Page(items=[_shown(one) for one in approving.rows_of(session, scheme, cut.items)], next=cut.next)


def _shown(row: dict[str, Any]) -> ApprovalOut:
    return ApprovalOut(
        submission_id=row["work"].id,
        ability=row["work"].ability,
        title=row["title"],
        author=who(row["author"]),
        link=row["link"],
        until=row["until"],
    )


@reads(routes, "/panel/approvals/{key}")
def get_approval(session: Db, person: Panelist, key: Key) -> ApprovalOut:
    """Tell of a work that waits for one's approval."""
    work, link = mine.to_approve(session, person, key)
    scheme = round_scheme(session, round_=session.get_one(Round, work.round_id))
    return _shown(approving.rows_of(session, scheme, [(work.id, link)])[0])


@reads(routes, "/panel/approvals/{key}/evidence")
def list_approval_evidence(session: Db, person: Panelist, key: Key, part: Asked) -> Page[ApprovalFile]:
    """List the files of a work that waits for one's approval."""
    work, _link = mine.to_approve(session, person, key)
    return listed_part(
        session,
        seen.files(work),
        key=Evidence.id,
        part=part,
        shown=lambda rows: [ApprovalFile.model_validate(one, from_attributes=True) for (one,) in rows],
    )


@writes(routes, "POST", "/panel/approvals/{key}", status=204, refuses=[NotFound, programme.NotTold, WrongPhase])
def say_approval(session: Db, person: Panelist, key: Key, body: ApprovalIn) -> None:
    """Approve a work, or send it back; what somebody else has said meanwhile is not found, and not said again."""
    approving.said(session, person, key, link=body.link, word=body.word, reason=body.reason)
