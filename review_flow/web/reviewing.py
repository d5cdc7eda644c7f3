"""A reviewer's tasks: the evidence beside the rubric, a draft kept as one types, handed in or given back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, RedirectResponse

from models import Assignment, CalibrationSample, Person, Round, Submission
from review_flow.i18n import say
from review_flow.rules.rubric import form_fields
from review_flow.rules.words import UNDONE
from review_flow.steps import claims, evidence, path, reviews
from review_flow.steps.rounds import round_scheme
from review_flow.web import files, mine
from review_flow.web.access import Db, Filled, Key, Signed
from review_flow.web.render import go, page

router = APIRouter()


@router.get("/reviews")
def tasks(request: Request, session: Db, person: Signed) -> HTMLResponse:
    """List what the person has still to review, round by round, the most urgent first."""
    rounds = [
        {
            "round": round_,
            "tasks": [_row(session, one) for one in reviews.tasks_of(session, person=person, round_=round_)],
        }
        for _enrolment, round_ in path.enrolments_of(session, person=person)
    ]
    return page(request, "review/tasks.html", rounds=rounds)


def _row(session: Session, task: Assignment) -> dict[str, Any]:
    return {"task": task, "title": _title(session, task), "state": reviews.STATES[task.state]}


def _title(session: Session, task: Assignment) -> str:
    if task.sample_id is not None:
        return session.get_one(CalibrationSample, task.sample_id).title
    ability = session.get_one(Submission, task.submission_id).ability
    scheme = round_scheme(session, round_=session.get_one(Round, task.round_id))
    known = scheme.catalogue.get(ability)
    return f"{ability} {known.name_zh}" if known else ability


@router.post("/rounds/{key}/claim")
def claim(session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Take one more work to review."""
    standing = mine.standing(session, person, key)
    taken = claims.claim(session, actor=person, round_=standing.round)
    return go(f"/reviews/{taken.id}")


@router.get("/reviews/{key}")
def task_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show the evidence beside the form; a task that is over shows that it is, and no files."""
    task = mine.task(session, person, key)
    if task.state not in UNDONE:
        raise reviews.ReviewOver(state=say(reviews.STATES[task.state]))
    scheme = round_scheme(session, round_=session.get_one(Round, task.round_id))
    work = session.get_one(Submission, task.submission_id) if task.submission_id else None
    slots = evidence.slots_filled(session, scheme=scheme, submission=work) if work else []
    return page(
        request,
        "review/task.html",
        task=task,
        title=_title(session, task),
        asked=form_fields(scheme, slots),
        shown=_shown(request, session, person, work, slots),
        draft=task.draft or {},
    )


def _shown(
    request: Request, session: Session, person: Person, work: Submission | None, slots: list[Any]
) -> list[dict[str, Any]]:
    """Return the files by slot, under names that don't tell whose they are."""
    handed = evidence.standing_evidence(session, submission=work) if work else []
    return [
        {
            "slot": slot,
            "files": [files.shown(request, person, one, named=False) for one in handed if one.slot == slot.id],
        }
        for slot in slots
    ]


def form_of(filled: FormData) -> dict[str, Any]:
    """Return the review form of a page's fields; a component with neither tick nor mark is 未涉及."""
    form: dict[str, Any] = {"components": {}, "evidence_levels": {}, "comment": str(filled.get("comment", ""))}
    for field, value in filled.multi_items():
        what, _colon, key = field.partition(":")
        if what in {"item", "mark"} and value:
            one = form["components"].setdefault(key, {"items": [], "mark": ""})
            if what == "item":
                one["items"].append(str(value))
            else:
                one["mark"] = str(value).strip()
        elif what == "level" and value:
            form["evidence_levels"][key] = str(value)
    return form


@router.post("/reviews/{key}/draft")
def save_draft(request: Request, session: Db, person: Signed, key: Key, filled: Filled) -> HTMLResponse:
    """Keep what was filled in so far; the task's time begins anew."""
    task = mine.task(session, person, key)
    reviews.save_draft(session, actor=person, assignment=task, draft=form_of(filled))
    return page(request, "parts/saved.html", until=task.lease_until)


@router.post("/reviews/{key}/submit")
def submit(session: Db, person: Signed, key: Key, filled: Filled) -> RedirectResponse:
    """Hand the review in."""
    reviews.submit(session, actor=person, assignment=mine.task(session, person, key), form=form_of(filled))
    return go("/reviews")


@router.post("/reviews/{key}/decline")
def decline(session: Db, person: Signed, key: Key, filled: Filled) -> RedirectResponse:
    """Give a task back, with a reason: a broken or suspicious file is one."""
    reason = str(filled.get("reason", ""))
    reviews.decline(session, actor=person, assignment=mine.task(session, person, key), reason=reason)
    return go("/reviews")
