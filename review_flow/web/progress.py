"""A running round: who is where, who is stuck; reminded, given more time, exempted, relieved."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models import Assignment, Enrolment, Person, Round, Submission
from review_flow.clock import now
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.path import Stage
from review_flow.rules.words import UNDONE
from review_flow.steps import enrolments, people, progress, reassign, reviews
from review_flow.web import approving, mine
from review_flow.web.access import Admin, Confirmed, Db, Key
from review_flow.web.render import Paged, go, page, pages_of
from review_flow.web.school import SchoolRound

router = APIRouter()
Reason = Annotated[str, Form(max_length=1000)]
Word = Annotated[str, Query(max_length=100)]
At = Annotated[Stage | None, Query()]
WAITING = {
    "validity": _("{count}份成果等待有效性认定"),
    "contested": _("{count}条扣分记录有异议待处理"),
    "unconfirmed": _("{count}份结果没有定等"),
    "appeals": _("{count}份申诉没有复核"),
}


def _board(
    session: Session, person: Person, round_: Round, stage: Stage | None, word: str, number: int
) -> dict[str, Any]:
    found = progress.board(session, actor=person, round_=round_, stage=stage, word=word.strip(), page=number)
    return {
        "round": round_,
        "at": found,
        "everybody": sum(found.stages.values()),
        "stage": stage,
        "word": word,
        "mine": progress.MINE,
        "waits": [say(WAITING[name], count=count) for name, count in found.waiting.items() if count],
        "number": number,
        "pages": pages_of(found.found, progress.PAGE),
        "now": now(),
    }


@router.get("/school/rounds/{key}/progress")
def progress_page(
    request: Request,
    session: Db,
    person: Admin,
    round_: SchoolRound,
    stage: At = None,
    word: Word = "",
    page_: Paged = 1,
) -> HTMLResponse:
    """Show how many are where, and a page of them."""
    told = _board(session, person, round_, stage, word, page_)
    approvals = approving.count_waiting(session, person, round_)
    return page(request, "school/progress.html", **told, seen=_mark(told), approvals=approvals)


@router.get("/school/rounds/{key}/progress/part")
def progress_part(
    request: Request,
    session: Db,
    person: Admin,
    round_: SchoolRound,
    stage: At = None,
    word: Word = "",
    page_: Paged = 1,
    seen: Word = "",
) -> Response:
    """Show the same again, asked for every ten seconds; what has not changed is not sent."""
    told = _board(session, person, round_, stage, word, page_)
    mark = _mark(told)
    return Response(status_code=204) if mark == seen else page(request, "school/progress_part.html", **told, seen=mark)


def _mark(told: dict[str, Any]) -> str:
    """Return what stands for all that a page shows: the facts, and which of its days have passed."""
    at, moment = told["at"], told["now"]
    lines = [
        (one.enrolment_id, *(getattr(one, name) for name in progress.NAMES), one.stage.value, told["round"].phase.value)
        for one in at.lines
    ]
    days = [*(one.lease_until for one in at.lines), *(one.correction_due_at for one in at.lines)]
    days += [one.due_at for one in (*at.judges, *at.appeals)]
    passed = [day is not None and day < moment for day in days]
    judges = [(one.person.id, one.count, one.due_at) for one in at.judges]
    counts = [(stage.value, count) for stage, count in at.stages.items()]
    shown = repr((counts, lines, judges, at.blocked, at.waiting, at.short, at.all_short, at.appeals, passed))
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


@router.post("/school/rounds/{key}/remind")
def remind(session: Db, person: Admin, round_: SchoolRound, stage: Annotated[Stage | None, Form()] = None) -> Response:
    """Remind everybody in a stage, or everybody whose turn it is."""
    progress.remind(session, actor=person, round_=round_, stage=stage)
    return go(f"/school/rounds/{round_.id}/progress{f'?stage={stage.value}' if stage else ''}")


def enrolment_of(session: Db, person: Admin, key: Key) -> Enrolment:
    """Return an enrolment in a round of the administrator's own school."""
    return mine.of_school(session, person, Enrolment, key, _("参评教师"))


OfSchool = Annotated[Enrolment, Depends(enrolment_of)]


@router.get("/school/enrolments/{key}")
def teacher_page(request: Request, session: Db, enrolment: OfSchool) -> HTMLResponse:
    """Show where one teacher stands, and what an administrator can do about it."""
    works = select(Submission).where(
        Submission.enrolment_id == enrolment.id, Submission.state != SubmissionState.REPLACED
    )
    held = select(Assignment).where(
        Assignment.round_id == enrolment.round_id,
        Assignment.reviewer_id == enrolment.person_id,
        Assignment.state.in_(UNDONE),
    )
    return page(
        request,
        "school/teacher.html",
        enrolment=enrolment,
        who=session.get_one(Person, enrolment.person_id),
        round=session.get_one(Round, enrolment.round_id),
        works=session.scalars(works.order_by(Submission.id)).all(),
        held=session.scalars(held.order_by(Assignment.lease_until)).all(),
        states=reviews.STATES,
    )


@router.post("/school/enrolments/{key}/remind")
def remind_one(session: Db, person: Admin, enrolment: OfSchool) -> RedirectResponse:
    """Remind one teacher of what is next."""
    round_ = session.get_one(Round, enrolment.round_id)
    progress.remind(session, actor=person, round_=round_, enrolment=enrolment)
    return go(f"/school/enrolments/{enrolment.id}")


@router.post("/school/enrolments/{key}/exempt")
def exempt(session: Db, person: Admin, enrolment: OfSchool, _sure: Confirmed, reason: Reason = "") -> RedirectResponse:
    """Leave a teacher out, with a reason."""
    enrolments.exempt(session, actor=person, enrolment=enrolment, reason=reason)
    return go(f"/school/enrolments/{enrolment.id}")


@router.post("/school/enrolments/{key}/deliver")
def deliver(session: Db, person: Admin, enrolment: OfSchool) -> RedirectResponse:
    """Record that the plan was handed over in person."""
    enrolments.deliver_in_person(session, actor=person, enrolment=enrolment)
    return go(f"/school/enrolments/{enrolment.id}")


@router.post("/school/enrolments/{key}/leave-reviewing")
def leave_reviewing(session: Db, person: Admin, enrolment: OfSchool, _sure: Confirmed) -> RedirectResponse:
    """Give a teacher who has left no new reviews."""
    enrolments.leave_reviewing(session, actor=person, enrolment=enrolment)
    return go(f"/school/enrolments/{enrolment.id}")


@router.post("/school/enrolments/{key}/cap")
def cap(
    session: Db, person: Admin, enrolment: OfSchool, most: Annotated[str, Form(pattern=r"^\d{0,4}$")] = ""
) -> RedirectResponse:
    """Let a teacher hold at most so many reviews at once; blank: as many as come."""
    enrolments.set_review_cap(session, actor=person, enrolment=enrolment, cap=int(most) if most else None)
    return go(f"/school/enrolments/{enrolment.id}")


@router.get("/school/rounds/{key}/reviews")
def tasks(request: Request, session: Db, person: Admin, round_: SchoolRound, page_: Paged = 1) -> HTMLResponse:
    """List the reviews that are not done, the most urgent first."""
    found, count = reassign.tasks(session, actor=person, round_=round_, page=page_)
    return page(
        request,
        "school/reviews.html",
        round=round_,
        tasks=found,
        states=reviews.STATES,
        now=now(),
        number=page_,
        pages=pages_of(count, reassign.MOST),
    )


def assignment_of(session: Db, person: Admin, key: Key) -> Assignment:
    """Return a task in a round of the administrator's own school."""
    return mine.of_school(session, person, Assignment, key, _("互评任务"))


Task = Annotated[Assignment, Depends(assignment_of)]


@router.get("/school/tasks/{key}")
def task_page(request: Request, session: Db, person: Admin, task: Task, word: Word = "") -> HTMLResponse:
    """Show who could do a task instead, and what giving it to them would do."""
    round_ = session.get_one(Round, task.round_id)  # held while the step below asks for it again
    found = reassign.candidates(session, actor=person, assignment=task, word=word.strip())
    held = select(Assignment.id).where(
        Assignment.round_id == task.round_id,
        Assignment.reviewer_id == task.reviewer_id,
        Assignment.state.in_(UNDONE),
    )
    return page(
        request,
        "school/task.html",
        task=task,
        round=round_,
        ability=session.get_one(Submission, task.submission_id).ability,
        reviewer=session.get_one(Person, task.reviewer_id),
        held=len(session.scalars(held).all()),
        state=reviews.STATES[task.state],
        found=found,
        word=word,
    )


@router.post("/school/tasks/{key}/move")
def move(
    session: Db,
    person: Admin,
    task: Task,
    _sure: Confirmed,
    to: Annotated[str, Form(max_length=100)],
    reason: Reason = "",
) -> RedirectResponse:
    """Give a task to another person."""
    chosen = people.person_by_number(session, organization_id=person.organization_id, number=to)
    made = reassign.move(session, actor=person, assignment=task, to=chosen, reason=reason)
    return go(f"/school/tasks/{made.id}")


@router.post("/school/tasks/{key}/prolong")
def prolong(
    session: Db, person: Admin, task: Task, until: Annotated[date, Form()], reason: Reason = ""
) -> RedirectResponse:
    """Give a reviewer more time."""
    reassign.prolong(session, actor=person, assignment=task, until=until, reason=reason)
    return go(f"/school/tasks/{task.id}")
