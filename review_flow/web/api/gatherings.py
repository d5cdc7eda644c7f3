"""Meetings of the scheme's activities: held by an administrator or a workshop's leader, and signed into."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Request
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Gathering, Person, Workshop
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.i18n import _, say
from review_flow.rules.words import RoleKind
from review_flow.steps import gatherings
from review_flow.steps.people import has_role
from review_flow.steps.programme import leads
from review_flow.steps.rounds import WrongPhase
from review_flow.web import mine, pace
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Reader, Teacher
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.panel import who
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Code, In, Line, Moment, Out, Page, Prose, RowId, ToldOut, Who
from review_flow.web.programme import code_shown

routes = router("gatherings")
HOSTED = [NotAllowed, WrongPhase]
Numbers = Annotated[list[Code], Field(max_length=500, default_factory=list, description="Staff numbers (工号).")]


class WorkshopOut(Out):
    """A workshop (工作坊)."""

    id: int
    name: str


class GatheringOut(Out):
    """A meeting of an activity of the scheme; `workshop` null: for everybody of the round."""

    id: int
    round_id: int
    activity: str
    workshop: WorkshopOut | None
    held_at: datetime
    place: str
    sign_in_opens_at: datetime
    sign_in_closes_at: datetime


class HoldIn(In):
    """When and where; without a workshop it is for everybody of the round."""

    activity: Code
    workshop_id: RowId | None = None
    held_at: Moment
    place: Line


class CodeOut(Out):
    """The code of this minute; `scan` is what a QR code on the spot says, `address` where it is typed. `came`: how many."""

    code: str
    address: str
    scan: str
    came: int


class SignIn(In):
    """The code that is shown on the spot."""

    code: Annotated[Code, Field(max_length=20)]


class ListIn(In):
    """Who came and who did not, by the list on paper."""

    present: Numbers
    absent: Numbers


class CountsOut(Out):
    """Of how many people it was new, corrected, known already."""

    added: int
    superseded: int
    unchanged: int


class MakeUpIn(In):
    """Who made a missed meeting up, and what shows it."""

    number: Code
    proof: Prose


class AttendeeOut(Out):
    """Somebody of whom something was told: `present`, `made_up` or `absent`."""

    person: Who
    state: str


@reads(routes, "/rounds/{key}/gatherings")
def list_gatherings(session: Db, person: Reader, key: Key, part: Asked) -> Page[GatheringOut]:
    """List a round's meetings; to a workshop's leader who does not take part, those of the workshop."""
    return listed_part(
        session,
        mine.gatherings(session, person, seen.led_round(session, person, key)),
        key=Gathering.id,
        part=part,
        shown=lambda rows: _gatherings(session, [one for (one,) in rows]),
    )


def _gatherings(session: Session, found: Sequence[Gathering]) -> list[GatheringOut]:
    asked = select(Workshop).where(Workshop.id.in_({one.workshop_id for one in found}))
    workshops = {one.id: WorkshopOut(id=one.id, name=one.name) for one in session.scalars(asked)}
    return [
        GatheringOut(
            id=one.id,
            round_id=one.round_id,
            activity=one.activity,
            workshop=workshops.get(one.workshop_id or 0),
            held_at=one.held_at,
            place=one.place,
            sign_in_opens_at=one.sign_in_opens_at,
            sign_in_closes_at=one.sign_in_closes_at,
        )
        for one in found
    ]


@writes(routes, "POST", "/rounds/{key}/gatherings", status=201, refuses=[*HOSTED, BadInput])
def hold_gathering(session: Db, person: Teacher, key: Key, body: HoldIn) -> GatheringOut:
    """Set up a meeting, as the school's administrator or the leader of its workshop; the same one again is that one."""
    round_ = seen.led_round(session, person, key)
    workshop = None
    if body.workshop_id is not None:
        workshop = mine.of_school(session, person, Workshop, body.workshop_id, _("工作坊"))
    held = gatherings.hold(
        session,
        actor=person,
        round_=round_,
        activity=body.activity,
        workshop=workshop,
        held_at=body.held_at,
        place=body.place,
    )
    return _gatherings(session, [held])[0]


@reads(routes, "/gatherings/{key}")
def get_gathering(session: Db, person: Reader, key: Key) -> GatheringOut:
    """Tell of a meeting."""
    return _gatherings(session, [mine.gathering(session, person, key)])[0]


@reads(routes, "/gatherings/{key}/code", refuses=[gatherings.NotOpen, NotAllowed])
def get_gathering_code(request: Request, session: Db, person: Teacher, key: Key) -> CodeOut:
    """Tell whoever runs the meeting the code to show on the spot; another one each minute."""
    return CodeOut(**code_shown(request, session, person, mine.gathering(session, person, key)))


@writes(
    routes,
    "POST",
    "/gatherings/{key}/sign-in",
    refuses=[gatherings.NotOpen, gatherings.WrongCode, gatherings.NotInvited, pace.TooOften, *HOSTED],
)
def sign_in(request: Request, session: Db, person: Teacher, key: Key, body: SignIn) -> ToldOut:
    """Sign oneself in with the code that is shown on the spot; ten may be tried at once, then one each 90 seconds."""
    found = mine.gathering(session, person, key)
    pace.require_guess(request, person.id, key)
    return ToldOut(outcome=gatherings.sign_in(session, actor=person, gathering=found, code=body.code))


@reads(routes, "/gatherings/{key}/attendance", refuses=[NotAllowed])
def list_attendance(session: Db, person: Teacher, key: Key, part: Asked) -> Page[AttendeeOut]:
    """List who came and who did not, to whoever runs the meeting."""
    found = mine.gathering(session, person, key)
    gatherings.require_host(session, actor=person, gathering=found)
    told = gatherings.attendance(session, gathering=found)
    people = {one.id: who(one) for one in session.scalars(select(Person).where(Person.id.in_(told)))}
    return numbered_part([AttendeeOut(person=people[one], state=word) for one, word in told.items()], part=part)


@writes(routes, "POST", "/gatherings/{key}/sign-list", refuses=[*HOSTED, gatherings.NotInvited])
def record_sign_list(session: Db, person: Teacher, key: Key, body: ListIn) -> CountsOut:
    """Record who came by the list on paper: all of it, or nothing."""
    found = mine.gathering(session, person, key)
    gatherings.require_recorder(session, actor=person, gathering=found)  # or anybody learns whose number there is
    counts = gatherings.sign_list(
        session,
        actor=person,
        gathering=found,
        present=members(session, person, body.present),
        absent=members(session, person, body.absent),
    )
    return CountsOut(**counts)


@writes(routes, "POST", "/gatherings/{key}/make-up", refuses=[*HOSTED, gatherings.NotInvited, BadInput])
def make_up(session: Db, person: Teacher, key: Key, body: MakeUpIn) -> ToldOut:
    """Record that somebody made a missed meeting up."""
    found = mine.gathering(session, person, key)
    gatherings.require_recorder(session, actor=person, gathering=found)
    [guest] = members(session, person, [body.number])
    return ToldOut(outcome=gatherings.make_up(session, actor=person, gathering=found, person=guest, proof=body.proof))


def colleagues(session: Session, person: Person, numbers: Sequence[str]) -> list[Person]:
    """Return people of one's own school by their staff numbers; raises NotFound for the first that nobody has."""
    asked = select(Person).where(Person.organization_id == person.organization_id, Person.number.in_(numbers))
    found = {one.number: one for one in session.scalars(asked)}
    for one in numbers:
        if one not in found:
            raise NotFound(what=say(_("人员")), key=one)
    return [found[one] for one in dict.fromkeys(numbers)]


def members(session: Session, person: Person, numbers: Sequence[str]) -> list[Person]:
    """Return people of whom one tells, by their staff numbers: the administrator of all, a leader of the workshop's.

    Raises NotFound for the first of anybody else, as for a number that nobody has.
    """
    found = colleagues(session, person, numbers)
    school, admin = person.organization_id, [RoleKind.SCHOOL_ADMIN]
    if has_role(session, person_id=person.id, organization_id=school, kinds=admin):
        return found
    led = person.workshop_id if leads(session, actor=person, workshop_id=person.workshop_id) else None
    for one in found:
        if led is None or one.workshop_id != led:
            raise NotFound(what=say(_("人员")), key=one.number)
    return found
