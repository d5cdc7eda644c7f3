"""A reviewer's tasks: the evidence beside the rubric, a draft kept as one types, handed in or given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse

from models import Assignment, CalibrationSample, Evidence, Round, Submission
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.effort import told
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.rubric import form_fields
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import UNDONE, ReportReason
from review_flow.steps import claims, evidence, file_reports, path, reviews
from review_flow.steps.rounds import round_scheme
from review_flow.web import drafts, files, mine
from review_flow.web.access import Db, Filled, Key, Signed
from review_flow.web.render import go, page

router = APIRouter()
REVIEWED_IN = {RoundPhase.OPEN, RoundPhase.SCORING}


@router.get("/reviews")
def tasks(request: Request, session: Db, person: Signed, done: bool = False) -> HTMLResponse:  # noqa: FBT001, FBT002 - a word of the address
    """List what the person has still to review, round by round, the most urgent first; thank who has just handed in."""
    rounds = []
    for enrolment, round_ in path.enrolments_of(session, person=person):
        if round_.phase not in REVIEWED_IN:
            continue  # or the page asks for more with every year
        given = reviews.tasks_of(session, person=person, round_=round_)
        titles = _titles(session, round_, given)
        found = [{"task": one, "title": titles[one.id], "state": reviews.STATES[one.state]} for one in given]
        left = path.reviews_left(session, enrolment=enrolment)
        rounds.append({"round": round_, "tasks": found, "left": left})
    return page(request, "review/tasks.html", rounds=rounds, done=done)


def _titles(session: Session, round_: Round, tasks: Sequence[Assignment]) -> dict[int, str]:
    """Return task → what it is called: a work's ability, or a sample's own title."""
    scheme = round_scheme(session, round_=round_)
    rows = session.execute(
        select(Assignment.id, Submission.ability, CalibrationSample.title)
        .outerjoin(Submission, Submission.id == Assignment.submission_id)
        .outerjoin(CalibrationSample, CalibrationSample.id == Assignment.sample_id)
        .where(Assignment.id.in_([one.id for one in tasks]))
    )
    return {key: sample or mine.title(scheme, ability) for key, ability, sample in rows}


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
    scheme, work = _about(session, task)
    shown = files.by_slot(request, session, person, work, scheme.slots(work.ability), empty=False) if work else []
    return page(
        request,
        "review/task.html",
        task=task,
        title=mine.title(scheme, work.ability) if work else session.get_one(CalibrationSample, task.sample_id).title,
        told=told(scheme.review.peer.effort),
        declined=reviews.declined_before(session, assignment=task),
        asked=form_fields(scheme, [slot["slot"] for slot in shown]),
        shown=shown,
        files=[file for slot in shown for file in slot["files"]],
        reasons=file_reports.REASONS,
        address=f"/reviews/{key}",
        **drafts.opened(task),
    )


def _about(session: Session, task: Assignment) -> tuple[Scheme, Submission | None]:
    """Return the scheme and the work; None for a sample."""
    scheme = round_scheme(session, round_=session.get_one(Round, task.round_id))
    return scheme, session.get_one(Submission, task.submission_id) if task.submission_id else None


@router.post("/reviews/{key}/draft")
def save_draft(request: Request, filled: Filled, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Keep what was filled in so far; the task's time begins anew."""
    task = mine.task(session, person, key)
    scheme, work = _about(session, task)
    slots = evidence.slots_filled(session, scheme=scheme, submission=work) if work else []
    over, form = drafts.over_of(filled), drafts.form_of(filled)
    return drafts.answered(
        request,
        row=task,
        filled=filled,
        asked=form_fields(scheme, slots),
        address=f"/reviews/{key}",
        keep=lambda: reviews.save_draft(session, actor=person, assignment=task, draft=form, over=over),
    )


@router.post("/reviews/{key}/submit")
def submit(filled: Filled, session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Hand the review in."""
    task, over = mine.task(session, person, key), drafts.over_of(filled)
    reviews.submit(session, actor=person, assignment=task, form=drafts.form_of(filled), over=over)
    return go("/reviews?done=1")


@router.post("/reviews/{key}/report")
def report(
    session: Db,
    person: Signed,
    key: Key,
    file: Annotated[int, Form(alias="evidence", ge=1, lt=2**63)],
    why: Annotated[ReportReason, Form()],
    note: Annotated[str, Form(max_length=2000)] = "",
) -> RedirectResponse:
    """Report a file, and go on with another work at once."""
    task, found = mine.task(session, person, key), session.get(Evidence, file)
    if found is None:
        raise NotFound(what=say(_("文件")), key=file)
    taken = file_reports.report(session, actor=person, assignment=task, evidence=found, reason=why, note=note)
    return go(f"/reviews/{taken.id}" if taken else "/reviews")


@router.post("/reviews/{key}/decline")
def decline(filled: Filled, session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Give a task back, with a reason."""
    reason = str(filled.get("reason", ""))
    reviews.decline(session, actor=person, assignment=mine.task(session, person, key), reason=reason)
    return go("/reviews")
