"""The panel's decisions: deductions and awards, contested ones, grades, publishing, appeals."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from pydantic import BeforeValidator
from sqlalchemy import Select, and_, case, func, select
from sqlalchemy.orm import Session, defer
from starlette.responses import HTMLResponse, RedirectResponse

from models import Adjustment, Enrolment, GroupResult, Person, Result, Round, Submission
from review_flow.i18n import _, say
from review_flow.rules import codes
from review_flow.rules.lifecycle import EnrolmentState, ResultState, RoundPhase, SubmissionState
from review_flow.rules.quotas import judges_groups
from review_flow.rules.words import AdjustmentKind, ErrandKind, SeatKind
from review_flow.steps import adjustments, appeals, enrolments, errands, results
from review_flow.steps.people import conflicting_with, has_seat
from review_flow.steps.rounds import round_scheme
from review_flow.web import files, mine, workshops
from review_flow.web.access import Called, Db, Filled, Key, Signed
from review_flow.web.panel import MANY_WORDS, is_admin
from review_flow.web.render import Paged, go, page, pages_of

router = APIRouter()
PAGE = 50
Words = Annotated[str, Form(max_length=MANY_WORDS)]


def _told(
    kind: Annotated[AdjustmentKind, Form()],
    on: Annotated[date, Form()],
    proof: Words = "",
    once: Annotated[str, Form(max_length=40)] = "",
    points: Annotated[str, BeforeValidator(codes.number), Form(pattern=r"^([0-9]{1,3}(\.[0-9]{1,2})?)?$")] = "",
    leave: Annotated[bool, Form()] = False,  # noqa: FBT002 - a box of the form
) -> adjustments.Told:
    number = Decimal(points) if points else None
    return adjustments.Told(kind, on, proof, once or secrets.token_hex(8), approved_leave=leave, points=number)


Told = Annotated[adjustments.Told, Depends(_told)]


@router.get("/panel/rounds/{key}/adjustments")
def records(request: Request, session: Db, person: Signed, key: Key, number: Paged = 1) -> HTMLResponse:
    """List the round's deductions and awards with their proofs, the newest first, and the form for another."""
    round_ = mine.panel(session, person, key, SeatKind.MEMBER, admin=True)
    scheme = round_scheme(session, round_=round_)
    asked = recorded(session, person, key)
    count = _count(session, asked)
    rows = session.execute(asked.order_by(Adjustment.id.desc()).limit(PAGE).offset((number - 1) * PAGE)).all()
    return page(
        request,
        "panel/adjustments.html",
        round=round_,
        rows=rows,
        names=adjustments.NAMES,
        states=adjustments.STATES,
        kinds=adjustments.kinds_of(scheme),
        prices={one.id: one.each for one in scheme.adjust.deductions},
        offered=mine.offered(session, person, key),
        once=secrets.token_hex(8),
        open=round_.phase in {RoundPhase.OPEN, RoundPhase.SCORING},
        number=number,
        pages=pages_of(count, PAGE),
    )


def recorded(session: Session, person: Person, round_id: int) -> Select[tuple[Adjustment, Person]]:
    """Return a query of a round's deductions and awards, but those of whom the person has to keep away from."""
    away = conflicting_with(session, person_id=person.id)
    return (
        select(Adjustment, Person)
        .join(Enrolment, Enrolment.id == Adjustment.enrolment_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.round_id == round_id, Person.id.not_in(away))
    )


@router.post("/panel/rounds/{key}/adjustments/preview")
def preview(request: Request, session: Db, person: Signed, key: Key, teacher: Called, told: Told) -> HTMLResponse:
    """Show what a fact would change, before it is recorded."""
    mine.panel(session, person, key, SeatKind.MEMBER, admin=True)
    enrolment = enrolments.enrolment_called(session, round_id=key, word=teacher)
    return page(
        request,
        "panel/effect.html",
        effect=adjustments.effect(session, actor=person, enrolment=enrolment, told=told),
    )


@router.post("/panel/rounds/{key}/adjustments")
def add(session: Db, person: Signed, key: Key, teacher: Called, told: Told) -> RedirectResponse:
    """Record a deduction or an award."""
    mine.panel(session, person, key, SeatKind.MEMBER, admin=True)
    enrolment = enrolments.enrolment_called(session, round_id=key, word=teacher)
    adjustments.add(session, actor=person, enrolment=enrolment, told=told)
    return go(f"/panel/rounds/{key}/adjustments")


@router.get("/panel/adjustments/{key}")
def contested(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show a contested record: the fact, its proof, and what the teacher says."""
    found = mine.contested(session, person, key)
    enrolment = session.get_one(Enrolment, found.enrolment_id)
    teacher = session.get_one(Person, enrolment.person_id)
    return page(request, "panel/contested.html", fact=found, teacher=teacher, what=adjustments.NAMES[found.kind])


@router.post("/panel/adjustments/{key}")
def decide(
    session: Db, person: Signed, key: Key, stands: Annotated[bool, Form()], reason: Words = ""
) -> RedirectResponse:
    """Let a contested record stand, or strike it."""
    adjustments.decide(
        session, actor=person, adjustment=mine.contested(session, person, key), stands=stands, reason=reason
    )
    return go("/panel?done=1")


@router.get("/panel/rounds/{key}/grades")
def grades(request: Request, session: Db, person: Signed, key: Key, number: Paged = 1) -> HTMLResponse:
    """List the proposed grades, those at a boundary first; who has to keep away from somebody doesn't see them."""
    round_ = mine.panel(session, person, key, SeatKind.MEMBER, admin=True)
    scheme = round_scheme(session, round_=round_)
    if judges_groups(scheme):
        found = {**workshops.graded(session, person, round_, number), **_about(session, person, round_)}
        return page(request, "panel/grades.html", round=round_, **found)
    away = Person.id.not_in(conflicting_with(session, person_id=person.id))
    waiting = Result.state == ResultState.COMPOSED
    participants, graded, count, left = session.execute(
        select(
            func.count().filter(Enrolment.state != EnrolmentState.EXEMPT),
            func.count(Result.id),
            func.count(Result.id).filter(away),
            func.count().filter(away, waiting),
        )
        .select_from(Enrolment)
        .join(Person, Person.id == Enrolment.person_id)
        .outerjoin(Result, and_(Result.enrolment_id == Enrolment.id, Result.current))
        .where(Enrolment.round_id == key)
    ).one()
    rows = session.execute(
        select(Result, Person)
        .join(Enrolment, Enrolment.id == Result.enrolment_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.round_id == key, Result.current, away)
        .order_by(case((waiting & Result.on_boundary, 0), (waiting, 1), else_=2), Person.number)
        .options(defer(Result.record))
        .limit(PAGE)
        .offset((number - 1) * PAGE)
    )
    return page(
        request,
        "panel/grades.html",
        round=round_,
        rows=[
            {
                "result": result,
                "who": f"{teacher.number} {teacher.name}",
                "score": result.score,
                "address": f"/panel/results/{result.id}",
                "flags": results.notable(result, scheme),
            }
            for result, teacher in rows
        ],
        waiting=left,
        aside=graded - count,
        missing=participants - graded,
        number=number,
        pages=pages_of(count, PAGE),
        **_about(session, person, round_),
    )


def _about(session: Session, person: Person, round_: Round) -> dict[str, Any]:
    """Return what the person may do with the grades of a round."""
    return {
        "member": has_seat(session, person_id=person.id, round_id=round_.id, kinds=[SeatKind.MEMBER]),
        "admin": is_admin(session, person, round_),
        "publishable": round_.phase is RoundPhase.SCORING,
        "errand": errands.known(
            session,
            kind=ErrandKind.CONFIRM_GRADES,
            organization_id=round_.organization_id,
            round_=round_,
            asked_by=person,
        ),
    }


def _count(session: Session, asked: Select[Any]) -> int:
    return session.scalar(asked.with_only_columns(func.count(), maintain_column_froms=True).order_by(None)) or 0


@router.post("/panel/rounds/{key}/grades/confirm")
def confirm_all(session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Have every grade confirmed that can be."""
    round_ = mine.panel(session, person, key, SeatKind.MEMBER)
    errands.ask_confirm(session, actor=person, round_=round_)
    return go(f"/panel/rounds/{key}/grades")


@router.get("/panel/results/{key}")
def result_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show a result line by line, to confirm its grade or lower it."""
    found, round_ = mine.result(session, person, key)
    return page(
        request,
        "panel/result.html",
        result=found,
        round=round_,
        score=found.score,
        address=f"/panel/results/{key}/confirm",
        **workshops.to_confirm(session, found),
    )


@router.post("/panel/results/{key}/confirm")
def confirm(session: Db, person: Signed, key: Key, lower_to: Words = "", reason: Words = "") -> RedirectResponse:
    """Confirm a grade, or lower it with a reason."""
    found, round_ = mine.result(session, person, key)
    results.confirm(session, actor=person, result=found, lower_to=lower_to or None, reason=reason or None)
    return go(f"/panel/rounds/{round_.id}/grades")


@router.get("/panel/appeals/{key}")
def appeal_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show an appeal, the result it is against line by line, and the works with their files."""
    found, result = mine.appeal(session, person, key)
    if isinstance(result, GroupResult):
        return workshops.appeal_page(request, session, found, result)
    enrolment = session.get_one(Enrolment, result.enrolment_id)
    scheme = round_scheme(session, round_=session.get_one(Round, enrolment.round_id))
    works: list[dict[str, Any]] = [
        {
            "work": work,
            "title": mine.title(scheme, work.ability),
            "shown": files.by_slot(request, session, person, work, scheme.slots(work.ability)),
        }
        for work in graded_works(session, enrolment)
    ]
    outcome = json.loads(result.outcome)
    marks = {one["code"]: one for one in outcome["abilities"]}
    needed = scheme.result.appeal.reviewers_min
    return page(
        request,
        "panel/appeal.html",
        appeal=found,
        result=result,
        score=result.score,
        outcome=outcome,
        works=works,
        marks=marks,
        fields={one["work"].ability: say(_("{title}的复核分"), title=one["title"]) for one in works},
        needed=needed,
    )


def graded_works(session: Session, enrolment: Enrolment) -> Sequence[Submission]:
    """Return a teacher's works that have their marks."""
    graded = select(Submission).where(
        Submission.enrolment_id == enrolment.id, Submission.state == SubmissionState.GRADED
    )
    return session.scalars(graded.order_by(Submission.id)).all()


@router.post("/panel/appeals/{key}")
def hear(filled: Filled, session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Say what one finds: dismissed, or upheld with other marks."""
    found, _result = mine.appeal(session, person, key)
    marks = {
        field.removeprefix("mark:"): codes.number(str(value))
        for field, value in filled.multi_items()
        if field.startswith("mark:") and str(value).strip()
    }
    uphold = filled.get("uphold") == "true"
    reason = str(filled.get("reason", ""))[:MANY_WORDS]
    appeals.vote(session, actor=person, appeal=found, uphold=uphold, reason=reason, marks=marks)
    return go("/panel?done=1")
