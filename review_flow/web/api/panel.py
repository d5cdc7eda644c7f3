"""The panel's part: what waits for one, marks, validity, disputes, grades, appeals; never one's own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Appeal, Enrolment, GroupResult, Person, Result, Round, Submission, Workshop
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.rubric import form_fields
from review_flow.steps import adjustments, appeals, evidence, panel, results, standing, validity
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Panelist
from review_flow.web.api.pages import Asked
from review_flow.web.api.reviewing import FormIn, Mark
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Code, In, Out, Page, Prose, Who, Word
from review_flow.web.api.teaching import AdjustmentOut, EvidenceOut, evidence_of, shown_adjustment
from review_flow.web.panel import marks_beside

routes = router("panel")
SEATED = [NotAllowed, BadInput]


class PanelWork(Out):
    """A work before the panel. `disagreement`: why its peers' marks deserve a first look; null: they agree.

    `author` null: who marks is not told whose it is; who says whether it is valid has to know.
    """

    id: int
    round_id: int
    ability: str
    state: Word
    author: Who | None
    disagreement: str | None


class GivenMark(Out):
    """A mark that somebody else gave, to an arbiter."""

    mark: str
    ability_level: str | None
    comment: str


class PanelWorkMore(PanelWork):
    """A work, with the form that is asked for; an arbiter sees the marks that differ."""

    fields: dict[str, Any]
    others: list[GivenMark]


class PanelResult(Out):
    """A result that waits to be confirmed."""

    id: int
    person: Who
    score: str | None
    proposed_grade: str


class PanelAppeal(Out):
    """An appeal that waits to be heard."""

    id: int
    reason: str
    filed_at: datetime
    due_at: datetime


class PanelWorkshop(Out):
    """A workshop's result that waits to be confirmed."""

    id: int
    name: str
    proposed_grade: str


class AgendaOut(Out):
    """What waits for one on a round's panel, those whose peers differ first."""

    marks: list[PanelWork]
    validity: list[PanelWork]
    adjustments: list[AdjustmentOut]
    results: list[PanelResult]
    workshops: list[PanelWorkshop]
    appeals: list[PanelAppeal]


class ValidityIn(In):
    """What one says of a work; a doubt needs its reason."""

    teacher_visible: bool
    own_work: bool
    reason: Prose = ""


class ConfirmIn(In):
    """The grade as proposed; or, with a reason, the one below it where it may be lowered."""

    lower_to: Code | None = None
    reason: Prose | None = None


class DecideIn(In):
    """Whether a contested fact stands, and why."""

    stands: bool
    reason: Prose


class HearIn(In):
    """What one hearer finds; on upholding, the marks they give instead, by ability."""

    uphold: bool
    reason: Prose
    marks: Annotated[dict[Code, Mark], Field(max_length=100, default_factory=dict)]


@reads(routes, "/rounds/{key}/agenda")
def get_agenda(session: Db, person: Panelist, key: Key) -> AgendaOut:
    """Tell what waits for one on a round's panel."""
    found = standing.agenda(session, person=person, round_=seen.panel_round(session, person, key))
    authors = _people(session, {one.author_id for one in found.validity})
    graded = _graded(session, found.results)
    return AgendaOut(
        marks=[_work(one, None) for one in found.marks],
        validity=[_work(one, authors[one.author_id]) for one in found.validity],
        adjustments=[shown_adjustment(one) for one in found.adjustments],
        results=[_result(one, graded[one.enrolment_id]) for one in found.results],
        workshops=_workshops(session, found.workshops),
        appeals=[_appeal(one) for one in found.appeals],
    )


def _people(session: Session, keys: set[int]) -> dict[int, Who]:
    return {one.id: who(one) for one in session.scalars(select(Person).where(Person.id.in_(keys)))}


def _graded(session: Session, found: list[Result]) -> dict[int, Who]:
    rows = session.execute(
        select(Enrolment.id, Person)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.id.in_([one.enrolment_id for one in found]))
    )
    return {key: who(one) for key, one in rows}


def who(one: Person) -> Who:
    """Return a person as they are told of."""
    return Who(id=one.id, number=one.number, name=one.name)


def _facts(one: Submission, author: Who | None) -> dict[str, Any]:
    return {
        "id": one.id,
        "round_id": one.round_id,
        "ability": one.ability,
        "state": Word.of(one.state),
        "author": author,
        "disagreement": one.disagreement,
    }


def _work(one: Submission, author: Who | None) -> PanelWork:
    return PanelWork(**_facts(one, author))


def _result(one: Result, person: Who) -> PanelResult:
    score = None if one.score is None else str(one.score)
    return PanelResult(id=one.id, person=person, score=score, proposed_grade=one.proposed_grade)


def _workshops(session: Session, found: list[GroupResult]) -> list[PanelWorkshop]:
    asked = select(Workshop.id, Workshop.name).where(Workshop.id.in_([one.workshop_id for one in found]))
    names = dict(session.execute(asked).tuples().all())
    return [
        PanelWorkshop(id=one.id, name=names.get(one.workshop_id or 0, ""), proposed_grade=one.proposed_grade)
        for one in found
    ]


def _appeal(one: Appeal) -> PanelAppeal:
    return PanelAppeal(id=one.id, reason=one.reason, filed_at=one.filed_at, due_at=one.due_at)


@reads(routes, "/panel/submissions/{key}")
def get_panel_submission(session: Db, person: Panelist, key: Key) -> PanelWorkMore:
    """Tell of a work that one was asked to mark, or may say of whether it is valid."""
    work = seen.panel_work(session, person, key)
    scheme = round_scheme(session, round_=session.get_one(Round, work.round_id))
    fields = form_fields(scheme, evidence.slots_filled(session, scheme=scheme, submission=work))
    others = [
        GivenMark(mark=str(one.mark), ability_level=one.ability_level, comment=(one.form or {}).get("comment", ""))
        for one in marks_beside(session, person, work)
    ]
    judges = validity.may_judge(session, person=person, submission=work)
    author = who(session.get_one(Person, work.author_id)) if judges else None
    return PanelWorkMore(**_facts(work, author), fields=fields, others=others)


@reads(routes, "/panel/submissions/{key}/evidence")
def list_panel_evidence(session: Db, person: Panelist, key: Key, part: Asked) -> Page[EvidenceOut]:
    """List a work's files; under their own names, with what the automatic check saw, to who says whether it is valid."""
    work = seen.panel_work(session, person, key)
    return evidence_of(session, work, part, blind=not validity.may_judge(session, person=person, submission=work))


@writes(
    routes,
    "POST",
    "/panel/submissions/{key}/mark",
    status=204,
    refuses=[panel.NotAsked, panel.AlreadyMarked, panel.MarkRefused, NotAllowed, WrongPhase],
)
def mark_submission(session: Db, person: Panelist, key: Key, body: FormIn) -> None:
    """Give one's marks, once."""
    panel.mark(session, actor=person, submission=seen.panel_work(session, person, key), form=body.plain())


@writes(
    routes,
    "POST",
    "/panel/submissions/{key}/validity",
    status=204,
    refuses=[validity.NotWaiting, validity.StillChecking, validity.AlreadySaid, *SEATED],
)
def vote_validity(session: Db, person: Panelist, key: Key, body: ValidityIn) -> None:
    """Say whether the evidence shows the teacher, and is their own work."""
    validity.vote(
        session,
        actor=person,
        submission=seen.panel_work(session, person, key),
        teacher_visible=body.teacher_visible,
        own_work=body.own_work,
        reason=body.reason,
    )


@writes(routes, "POST", "/panel/results/{key}/confirm", status=204, refuses=[results.CannotConfirm, *SEATED])
def confirm_result(session: Db, person: Panelist, key: Key, body: ConfirmIn) -> None:
    """Confirm a proposed grade, or lower it by one with a reason."""
    found, _round = mine.result(session, person, key)
    results.confirm(session, actor=person, result=found, lower_to=body.lower_to, reason=body.reason)


@writes(routes, "POST", "/panel/adjustments/{key}/decide", refuses=[adjustments.AlreadyDecided, *SEATED])
def decide_adjustment(session: Db, person: Panelist, key: Key, body: DecideIn) -> AdjustmentOut:
    """Let a contested fact stand, or strike it."""
    found = mine.contested(session, person, key)
    adjustments.decide(session, actor=person, adjustment=found, stands=body.stands, reason=body.reason)
    return shown_adjustment(found)


@writes(routes, "POST", "/panel/appeals/{key}/vote", status=204, refuses=[appeals.NotAHearer, *SEATED])
def vote_appeal(session: Db, person: Panelist, key: Key, body: HearIn) -> None:
    """Say what one finds of an appeal."""
    appeal, _result = mine.appeal(session, person, key)
    appeals.vote(session, actor=person, appeal=appeal, uphold=body.uphold, reason=body.reason, marks=body.marks)
