"""Marks beside peers and panel: a teacher's own, and a member's from the classroom (002-1-07)."""

from __future__ import annotations

from decimal import Decimal

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse

from models import Person, Round
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.voices import ON_SITE, further
from review_flow.rules.words import SeatKind
from review_flow.steps import enrolments, voices
from review_flow.steps.programme import PHASES
from review_flow.steps.rounds import round_scheme
from review_flow.web import mine
from review_flow.web.access import Called, Db, Key, Mark, Signed
from review_flow.web.render import Paged, go, page, pages_of

router = APIRouter()
PAGE = 50


@router.post("/rounds/{key}/self-mark")
def give_own(session: Db, person: Signed, key: Key, mark: Mark) -> RedirectResponse:
    """Give the teacher's own mark."""
    enrolment = mine.enrolment(session, person, key)
    voices.give_self_mark(session, actor=person, enrolment=enrolment, mark=Decimal(mark))
    return go(f"/rounds/{key}")


def visited(session: Session, person: Person, key: int) -> Round:
    """Return a round whose members give marks in classrooms, to one of them."""
    round_ = mine.panel(session, person, key, SeatKind.MEMBER)
    if ON_SITE not in further(round_scheme(session, round_=round_)):
        raise NotFound(what=say(_("现场评价")), key=round_.name)
    return round_


@router.get("/panel/rounds/{key}/visits")
def visits(request: Request, session: Db, person: Signed, key: Key, number: Paged = 1) -> HTMLResponse:
    """Show the marks that the member gave in classrooms, and the form for another."""
    round_ = visited(session, person, key)
    given = voices.on_site_marks(session, person=person, round_=round_)
    marked = [one for one in mine.judgeable(session, person, key) if one.id in given] if given else []
    return page(
        request,
        "panel/visits.html",
        round=round_,
        marked=marked[(number - 1) * PAGE : number * PAGE],
        given=given,
        offered=mine.offered(session, person, key),
        open=round_.phase in PHASES,
        number=number,
        pages=pages_of(len(marked), PAGE),
    )


@router.post("/panel/rounds/{key}/visits")
def give_on_site(session: Db, person: Signed, key: Key, teacher: Called, mark: Mark) -> RedirectResponse:
    """Give the mark of a visit."""
    round_ = mine.panel(session, person, key, SeatKind.MEMBER)
    enrolment = enrolments.enrolment_called(session, round_id=round_.id, word=teacher)
    voices.give_on_site_mark(session, actor=person, enrolment=enrolment, mark=Decimal(mark))
    return go(f"/panel/rounds/{key}/visits")
