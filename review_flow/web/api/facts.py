"""Single facts of a programme: told of a teacher by the leader of the workshop or by the panel, and taken back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field
from sqlalchemy.orm import Session

from models import Enrolment, Fact, Person, Round
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.i18n import _, say
from review_flow.rules.words import FactKind
from review_flow.steps import programme, voices
from review_flow.steps.enrolments import enrolment_of
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Panelist, Reader, Teacher
from review_flow.web.api.gatherings import colleagues
from review_flow.web.api.groups import SubjectOut
from review_flow.web.api.pages import Asked, numbered_part
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Code, Exact, In, Out, Page, Prose, ToldOut
from review_flow.web.api.teaching import ReasonIn

routes = router("facts")
TOLD = [programme.NotTold, NotAllowed, BadInput, WrongPhase]
STRUCK = [programme.NotStrikable, NotAllowed, BadInput, WrongPhase]
BY_PANEL = {FactKind.MARK, FactKind.TEST}  # an approval has its own way


class ToldFactOut(Out):
    """A fact that stands. `number` null: it has none, or too few answered to show it; `waits`: to be confirmed."""

    id: int
    kind: str
    about: str
    key: str | None
    number: str | None
    word: str | None
    details: dict[str, Any]
    source: str
    recorded_at: datetime
    waits: bool


class Besides(In):
    """What else is known of a thing handed in: characters, seconds, of whose work it speaks, the task of a theme."""

    chars: Annotated[int | None, Field(ge=0, lt=10**9)] = None
    seconds: Exact | None = None
    on: Literal["others", "own"] | None = None
    task: Code | None = None


class ToldIn(In):
    """Of whom, what (`…/fact-subjects`), under which key it is the same when told again, and who says so by what."""

    number: Annotated[Code, Field(description="A staff number (工号).")]
    about: Code
    key: Code
    source: Annotated[Prose, Field(min_length=1)]
    value: Exact | None = None
    word: Code | None = None


class LeaderFactIn(ToldIn):
    """What the leader of the teacher's workshop tells."""

    kind: Literal["piece", "attendance", "theme", "period"]
    details: Annotated[Besides, Field(default_factory=Besides)]


class PanelFactIn(ToldIn):
    """What a member of the panel tells of others."""

    kind: Literal["mark", "test"]


@reads(routes, "/rounds/{key}/fact-subjects")
def list_fact_subjects(session: Db, person: Reader, key: Key, part: Asked) -> Page[SubjectOut]:
    """List what a round's scheme lets one tell of a teacher by `/rounds/{key}/facts` and `/panel/rounds/{key}/facts`."""
    scheme = round_scheme(session, round_=seen.led_round(session, person, key))
    found = [
        SubjectOut(kind=kind.value, about=about, name=name)
        for kind in FactKind
        if kind in programme.LEADERS_TELL or kind in BY_PANEL
        for about, name in programme.subjects(scheme, kind).items()
    ]
    return numbered_part(found, part=part)


@reads(routes, "/rounds/{key}/facts")
def list_facts(
    session: Db,
    person: Reader,
    key: Key,
    part: Asked,
    number: Annotated[Code | None, Query(description="Whose, by staff number; one's own where it is absent.")] = None,
) -> Page[ToldFactOut]:
    """List what was told of a teacher: to them and the administrator; to their leader what leaders tell; to the panel.

    A member of the panel reads no marks but their own, and nothing of whom they must keep away from.
    """
    round_ = seen.led_round(session, person, key)
    enrolment = _enrolment(session, person, round_, number or person.number)
    scheme = round_scheme(session, round_=round_)
    try:
        found = voices.facts_read(session, actor=person, enrolment=enrolment)
    except NotAllowed:
        raise NotFound(what=say(_("人员")), key=number) from None
    told = [
        ToldFactOut(
            id=one.id,
            kind=one.kind.value,
            about=one.about,
            key=None if one.kind is FactKind.VOICE else one.key,
            number=None if one.number is None or voices.hidden(scheme, one) else str(one.number),
            word=one.word,
            details=one.details,
            source=source,
            recorded_at=one.recorded_at,
            waits=one.confirmed_at is None and programme.wants_confirming(scheme, one) is not None,
        )
        for one, source in found
    ]
    return numbered_part(told, part=part)


def _enrolment(session: Session, person: Person, round_: Round, number: str) -> Enrolment:
    """Return a teacher's enrolment to those who may read of it; to everybody else nobody has this number."""
    [teacher] = colleagues(session, person, [number])
    try:
        found = enrolment_of(session, round_=round_, person=teacher)
        programme.require_reader(session, actor=person, enrolment=found)
    except (NotAllowed, NotFound):
        raise NotFound(what=say(_("人员")), key=number) from None
    return found


@writes(routes, "POST", "/rounds/{key}/facts", refuses=TOLD)
def tell_fact(session: Db, person: Teacher, key: Key, body: LeaderFactIn) -> ToldOut:
    """Tell a fact of a teacher as the leader of their workshop, or as the school's administrator."""
    return _tell(session, person, key, body, body.details.model_dump(exclude_none=True))


def _tell(
    session: Session, person: Person, key: int, body: LeaderFactIn | PanelFactIn, details: dict[str, Any]
) -> ToldOut:
    enrolment = _enrolment(session, person, seen.led_round(session, person, key), body.number)
    telling = programme.Telling(
        kind=FactKind(body.kind),
        about=body.about,
        key=body.key,
        source=body.source,
        number=None if body.value is None else Decimal(body.value),
        word=body.word,
        details=details,
    )
    return ToldOut(outcome=programme.tell_fact(session, actor=person, enrolment=enrolment, telling=telling))


@writes(routes, "POST", "/panel/rounds/{key}/facts", refuses=TOLD)
def tell_panel_fact(session: Db, person: Panelist, key: Key, body: PanelFactIn) -> ToldOut:
    """Tell a mark of an item, or how a test ended, as a member of the panel."""
    return _tell(session, person, key, body, {})


@writes(routes, "POST", "/facts/{key}/strike", status=204, refuses=STRUCK)
def strike_fact(session: Db, person: Teacher, key: Key, body: ReasonIn) -> None:
    """Take back what a leader tells, with a reason; it stays to be seen."""
    _strike(session, person, key, body.reason, programme.LEADERS_TELL)


@writes(routes, "POST", "/panel/facts/{key}/strike", status=204, refuses=STRUCK)
def strike_panel_fact(session: Db, person: Panelist, key: Key, body: ReasonIn) -> None:
    """Take back what the panel tells, with a reason."""
    _strike(session, person, key, body.reason, BY_PANEL)


def _strike(session: Session, person: Person, key: int, reason: str, kinds: Collection[FactKind]) -> None:
    fact = session.get(Fact, key)
    if fact is None or fact.kind not in kinds:
        raise NotFound(what=say(_("事实")), key=key)
    enrolment = session.get_one(Enrolment, fact.enrolment_id)
    try:
        programme.require_reader(session, actor=person, enrolment=enrolment)
    except NotAllowed:
        raise NotFound(what=say(_("事实")), key=key) from None
    programme.strike_fact(session, actor=person, fact=fact, reason=reason)
