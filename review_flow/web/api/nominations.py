"""Works and learners put forward: consents, votes and marks level by level, and the library of what was published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Nomination, Person, Round, Workshop
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.i18n import _, say
from review_flow.rules.marks import shown
from review_flow.rules.words import GroupLevel, NominationKind, WorkConsent
from review_flow.steps import groups, levels, library, nominations, work_consents
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Administrator, Reader, Reviewer, Teacher
from review_flow.web.api.gatherings import members
from review_flow.web.api.pages import Asked, numbered_part
from review_flow.web.api.panel import who
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Code, In, Line, Out, Page, Percent, Prose, RowId, Who, Word
from review_flow.web.api.teaching import ReasonIn
from review_flow.web.programme import NOMINATED

routes = router("nominations")
JUDGED = [nominations.NotRising, nominations.OtherWay, nominations.NotYourJudgement, NotAllowed, WrongPhase]
JUDGED_OUTSIDE = [*JUDGED, work_consents.ConsentMissing]


class NominationOut(Out):
    """A work or learner put forward, as far as it is one's to see.

    `step`: the level it waits at; `points`: its votes or mean mark there, to who decides it, of others' works alone;
    `consents`: what its author agrees to, to them and who leads their workshop or decides; null: not one's to know.
    """

    id: int
    round_id: int
    kind: str
    title: str
    video: bool
    ability: str | None
    category: str | None
    author: Who
    step: str | None
    state: Word
    points: str | None
    consents: list[str] | None
    published: bool


class NominateIn(In):
    """Whose work, or which learner; `evidence_id`: the file of the author's that it is, where it is one."""

    number: Code
    kind: Annotated[NominationKind, Field(strict=False)]
    title: Line
    video: bool = False
    ability: Code | None = None
    category: Code | None = None
    evidence_id: RowId | None = None


class ConsentIn(In):
    """To what one agrees or not; to be published one says whether pupils can be recognised, and where the consents are."""

    about: Annotated[WorkConsent, Field(strict=False)]
    given: bool
    show_name: bool = False
    pupils: bool | None = None
    pupils_note: Prose | None = None


class MarkIn(In):
    """A mark."""

    mark: Percent


class AdvanceIn(In):
    """Which level decides, of which workshop where it is inside one; who is named, and by which letter."""

    step: Code
    workshop_id: RowId | None = None
    named: Annotated[list[RowId], Field(max_length=500, default_factory=list)]
    basis: Prose = ""


class AdvancedOut(Out):
    """What goes on to the next level; the others that waited are left behind."""

    chosen: list[NominationOut]


class LibraryOut(Out):
    """A published work; its author where they wish to be named."""

    id: int
    title: str
    subject: str | None
    ability: str | None
    category: str | None
    author: str | None
    evidence: int | None
    at: datetime


@reads(routes, "/rounds/{key}/nominations")
def list_nominations(session: Db, person: Reader, key: Key, part: Asked) -> Page[NominationOut]:
    """List what was put forward: one's own, what one may judge now, all of the workshop one leads; or all, administering."""
    round_ = mine.of_school(session, person, Round, key, _("考核轮次"))
    found = nominations.visible(session, actor=person, round_=round_)
    if not found:
        seen.round_(session, person, key)  # who sees nothing of a round may not know of it
    return numbered_part(_nominations(session, person, round_, found), part=part)


def _nominations(session: Session, person: Person, round_: Round, found: Sequence[Nomination]) -> list[NominationOut]:
    authors = {
        one.id: who(one)
        for one in session.scalars(select(Person).where(Person.id.in_({one.author_id for one in found})))
    }
    points, consents = levels.known_of(session, actor=person, round_=round_, nominations=found)
    published = library.standing_entries(session, nominations=found)
    return [
        NominationOut(
            id=one.id,
            round_id=one.round_id,
            kind=one.kind.value,
            title=one.title,
            video=one.video,
            ability=one.ability,
            category=one.category,
            author=authors[one.author_id],
            step=one.step,
            state=Word(code=one.state.value, text=say(NOMINATED[one.state])),
            points=shown(points[one.id]) if one.id in points else None,
            consents=[about.value for about in consents[one.id]] if one.id in consents else None,
            published=one.id in published,
        )
        for one in found
    ]


def _nomination(session: Session, person: Person, key: int) -> Nomination:
    """Return a nomination that is the person's to see."""
    found = mine.of_school(session, person, Nomination, key, _("推荐"))
    round_ = session.get_one(Round, found.round_id)
    if found not in nominations.visible(session, actor=person, round_=round_):
        raise NotFound(what=say(_("推荐")), key=key)
    return found


@writes(
    routes, "POST", "/rounds/{key}/nominations", status=201, refuses=[nominations.NotNominable, NotAllowed, WrongPhase]
)
def nominate(session: Db, person: Teacher, key: Key, body: NominateIn) -> NominationOut:
    """Put a work or learner of a workshop forward, as its leader or the school's administrator."""
    round_ = seen.led_round(session, person, key)
    own = groups.Group(round_, GroupLevel.SCHOOL)
    if person.workshop_id is not None:
        own = groups.workshop_group(round_=round_, workshop=session.get_one(Workshop, person.workshop_id))
    groups.require_teller(session, actor=person, group=own)  # or anybody learns whose number there is
    [author] = members(session, person, [body.number])
    work = nominations.Work(
        kind=body.kind,
        title=body.title,
        video=body.video,
        ability=body.ability,
        category=body.category,
        evidence=None if body.evidence_id is None else seen.named_file(session, person, author, body.evidence_id),
    )
    made = nominations.nominate(session, actor=person, round_=round_, author=author, work=work)
    return _nominations(session, person, round_, [made])[0]


@writes(routes, "POST", "/nominations/{key}/consent", refuses=[NotAllowed, BadInput])
def give_work_consent(session: Db, person: Teacher, key: Key, body: ConsentIn) -> NominationOut:
    """Agree, or not, that one's own work leaves the workshop, or is published: each by itself, the latest word counts."""
    found = mine.nomination(session, person, key)
    work_consents.say_consent(session, actor=person, nomination=found, **dict(body))
    session.flush()
    return _nominations(session, person, session.get_one(Round, found.round_id), [found])[0]


@writes(routes, "POST", "/nominations/{key}/vote", status=204, refuses=JUDGED_OUTSIDE)
def vote_nomination(session: Db, person: Reviewer, key: Key) -> None:
    """Vote for a work, where its level votes; again nothing changes."""
    nominations.vote(session, actor=person, nomination=_nomination(session, person, key))


@writes(routes, "POST", "/nominations/{key}/mark", status=204, refuses=[*JUDGED_OUTSIDE, BadInput])
def mark_nomination(session: Db, person: Reviewer, key: Key, body: MarkIn) -> None:
    """Mark a work, where its level marks; another mark supersedes."""
    found = _nomination(session, person, key)
    nominations.mark_work(session, actor=person, nomination=found, mark=Decimal(body.mark))


@writes(
    routes,
    "POST",
    "/rounds/{key}/nominations/advance",
    refuses=[
        levels.TooManyGoOn,
        levels.Tied,
        nominations.NotRising,
        nominations.NotYourJudgement,
        work_consents.ConsentMissing,
        NotAllowed,
        BadInput,
        WrongPhase,
    ],
)
def advance_nominations(session: Db, person: Teacher, key: Key, body: AdvanceIn) -> AdvancedOut:
    """Decide a level: in the workshop as its leader, else as the school's administrator."""
    round_ = seen.led_round(session, person, key)
    step = next((one for one in round_scheme(session, round_=round_).pipeline if one.id == body.step), None)
    if step is None:
        raise NotFound(what=say(_("级别")), key=body.step)
    workshop = None
    if body.workshop_id is not None:
        workshop = mine.of_school(session, person, Workshop, body.workshop_id, _("工作坊"))
    known = {one.id: one for one in nominations.visible(session, actor=person, round_=round_)}
    for one in body.named:
        if one not in known:
            raise NotFound(what=say(_("推荐")), key=one)
    chosen = levels.advance_level(
        session,
        actor=person,
        round_=round_,
        step=step,
        workshop=workshop,
        named=[known[one] for one in body.named],
        basis=body.basis,
    )
    return AdvancedOut(chosen=_nominations(session, person, round_, chosen))


@reads(routes, "/library")
def list_library(session: Db, person: Reader, part: Asked) -> Page[LibraryOut]:
    """List what one's school published."""
    return numbered_part([LibraryOut(**one) for one in library.library_of(session, actor=person)], part=part)


@writes(
    routes,
    "POST",
    "/nominations/{key}/publish",
    status=204,
    refuses=[library.NotPublishable, work_consents.ConsentMissing],
)
def publish_nomination(session: Db, person: Administrator, key: Key) -> None:
    """Put a chosen work into the library, with both consents of its author."""
    library.publish_work(session, actor=person, nomination=_nomination(session, person, key))


@writes(
    routes, "POST", "/nominations/{key}/take-back", status=204, refuses=[library.NotInLibrary, NotAllowed, BadInput]
)
def take_back_nomination(session: Db, person: Teacher, key: Key, body: ReasonIn) -> None:
    """Take a work out of the library, with a reason, as its author or the administrator."""
    found = _nomination(session, person, key)
    library.take_back_work(session, actor=person, nomination=found, reason=body.reason)
