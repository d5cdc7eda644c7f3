"""The chain of approvals: what waits for the school's or an expert's word, approved or sent back (001-C-07)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse

from models import Enrolment, Person, Round, Submission
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import FactKind, SeatKind
from review_flow.steps import approvals, programme
from review_flow.steps.rounds import round_scheme
from review_flow.web import files, mine
from review_flow.web.access import Db, Key, Signed
from review_flow.web.render import Paged, go, page, pages_of

router = APIRouter()
PAGE = 50


def count_waiting(session: Session, person: Person, round_: Round) -> int | None:
    """Return how many works wait for this person's approval; None where the scheme has no chain of them."""
    scheme = round_scheme(session, round_=round_)
    if round_.phase is RoundPhase.SETUP or not scheme.approval.chain:
        return None
    return len(approvals.next_links(session, person=person, round_=round_, scheme=scheme))


@router.get("/panel/rounds/{key}/approvals")
def waiting(request: Request, session: Db, person: Signed, key: Key, page_: Paged = 1) -> HTMLResponse:
    """List the works that wait for an approval, for the school's administrator and the panel's members."""
    round_ = mine.panel(session, person, key, SeatKind.MEMBER, admin=True)
    scheme = round_scheme(session, round_=round_)
    found = approvals.next_links(session, person=person, round_=round_, scheme=scheme)
    rows = rows_of(session, scheme, found[(page_ - 1) * PAGE : page_ * PAGE])
    pages = pages_of(len(found), PAGE)
    return page(request, "panel/approvals.html", round=round_, rows=rows, number=page_, pages=pages)


def rows_of(session: Session, scheme: Scheme, found: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    """Return what is told of works that wait for a link: the work, its title and author, the link, and until when."""
    links, before = dict(found), approvals.links_before_peers(scheme)
    here = session.execute(
        select(Submission, Person)
        .join(Person, Person.id == Submission.author_id)
        .where(Submission.id.in_(links))
        .order_by(Submission.id)
    )
    return [
        {
            "work": work,
            "title": mine.title(scheme, work.ability),
            "link": links[work.id],
            "author": author,
            "until": approvals.ends_at(scheme, work) if links[work.id] in before else None,
        }
        for work, author in here
    ]


@router.get("/panel/approvals/{key}")
def work_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show a work with its files, to approve it or send it back."""
    work, link = mine.to_approve(session, person, key)
    scheme = round_scheme(session, round_=session.get_one(Round, work.round_id))
    return page(
        request,
        "panel/approval.html",
        work=work,
        link=link,
        goes_back=link in approvals.links_before_peers(scheme),
        title=mine.title(scheme, work.ability),
        author=session.get_one(Person, work.author_id),
        shown=files.by_slot(request, session, person, work, scheme.slots(work.ability), named=True),
    )


@router.post("/panel/approvals/{key}")
def say_so(
    session: Db,
    person: Signed,
    key: Key,
    link: Annotated[str, Form(max_length=200)],
    word: Annotated[Literal["given", "refused"], Form()],
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> RedirectResponse:
    """Approve a work, or send it back with a reason."""
    work = said(session, person, key, link=link, word=word, reason=reason)
    return go(f"/panel/rounds/{work.round_id}/approvals")


def said(session: Session, person: Person, key: int, *, link: str, word: str, reason: str) -> Submission:
    """Say a link of a work, for a page or a program; what somebody else has said meanwhile is not said again."""
    work, now_asked = mine.to_approve(session, person, key)
    if link != now_asked:
        raise NotFound(what=say(_("等您审核的成果")), key=key)
    telling = programme.Telling(
        FactKind.APPROVAL,
        f"{work.ability}:{link}",
        key="",
        source=person.name,
        word=word,
        details={"reason": reason.strip()} if word == approvals.REFUSED else {},
    )
    enrolment = session.get_one(Enrolment, work.enrolment_id)
    programme.tell_fact(session, actor=person, enrolment=enrolment, telling=telling)
    return work
