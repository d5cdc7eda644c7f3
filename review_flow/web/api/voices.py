"""Marks beside peers and panel, where the scheme has them: a teacher's own, and a member's from the classroom."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy.orm import Session

from models import Person
from review_flow.errors import NotAllowed, NotFound
from review_flow.i18n import _, say
from review_flow.steps import voices
from review_flow.steps.programme import NotTold
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api.access import Panelist, Reader, Teacher
from review_flow.web.api.pages import Asked, numbered_part
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import In, Out, Page, Percent, RowId, ToldOut
from review_flow.web.voices import visited

routes = router("voices")


class SelfMarkOut(Out):
    """One's own mark; null: none yet. `open`: it can be given, or given again, now."""

    mark: str | None
    open: bool


class SelfMarkIn(In):
    """One's own mark."""

    mark: Percent


class VisitOut(Out):
    """Somebody whose lesson one may mark, and one's own mark of it; null: none yet."""

    enrolment_id: int
    number: str
    name: str
    mark: str | None


class VisitIn(In):
    """Whose lesson was seen, and the mark of it."""

    enrolment_id: RowId
    mark: Percent


@reads(routes, "/rounds/{key}/self-mark")
def get_self_mark(session: Db, person: Reader, key: Key) -> SelfMarkOut:
    """Tell one's own mark of oneself; not found where the scheme asks for none."""
    return _own(session, person, key)


def _own(session: Session, person: Person, key: int) -> SelfMarkOut:
    at = mine.standing(session, person, key)
    found = voices.self_mark(session, enrolment=at.enrolment, scheme=round_scheme(session, round_=at.round))
    if found is None:
        raise NotFound(what=say(_("自评")), key=at.round.name)
    mark, open_ = found
    return SelfMarkOut(mark=None if mark is None else str(mark), open=open_)


@writes(routes, "POST", "/rounds/{key}/self-mark", refuses=[NotTold, WrongPhase])
def give_self_mark(session: Db, person: Teacher, key: Key, body: SelfMarkIn) -> SelfMarkOut:
    """Give one's own mark; until the grade is confirmed another supersedes it."""
    enrolment = mine.enrolment(session, person, key)
    voices.give_self_mark(session, actor=person, enrolment=enrolment, mark=Decimal(body.mark))
    return _own(session, person, key)


@reads(routes, "/rounds/{key}/visits")
def list_visits(session: Db, person: Panelist, key: Key, part: Asked) -> Page[VisitOut]:
    """List whose lessons one may mark as a member of the panel, with one's marks; not found where the scheme has none."""
    round_ = visited(session, person, key)
    given = voices.on_site_marks(session, person=person, round_=round_)
    told = [
        VisitOut(enrolment_id=one, number=number, name=name, mark=str(given[one]) if one in given else None)
        for one, number, name in mine.judgeable(session, person, key)
    ]
    return numbered_part(told, part=part)


@writes(routes, "POST", "/rounds/{key}/visits", refuses=[NotTold, NotAllowed, WrongPhase])
def give_visit_mark(session: Db, person: Panelist, key: Key, body: VisitIn) -> ToldOut:
    """Give the mark of a lesson that one saw; another one supersedes it, other members' stay."""
    round_ = visited(session, person, key)
    enrolment = mine.enrolled(session, round_.id, body.enrolment_id)
    return ToldOut(
        outcome=voices.give_on_site_mark(session, actor=person, enrolment=enrolment, mark=Decimal(body.mark))
    )
