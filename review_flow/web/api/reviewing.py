"""A reviewer's tasks: the evidence by slot without its author's name, the form, a draft that is edited by version."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Assignment, CalibrationSample, Evidence, Round, Submission
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.i18n import _, say
from review_flow.rules.rubric import form_fields
from review_flow.rules.words import UNDONE, ReportReason
from review_flow.steps import claims, evidence, feedback, file_reports, reviews
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api.access import Reader, Reviewer, Teacher
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.routes import IfMatch, reads, router, writes
from review_flow.web.api.shapes import NO_NUL, Code, Edited, In, Out, Page, Prose, Word
from review_flow.web.api.teaching import ReasonIn
from review_flow.web.versions import require_version

routes = router("reviewing")
Mark = Annotated[
    str, Field(max_length=20, pattern=r"^[0-9.]*$", description="A decimal number as text, such as `72.5`.")
]
TASK = [reviews.ReviewOver, WrongPhase]


class ComponentIn(In):
    """What was ticked of one component, and its mark inside the level that follows from that."""

    items: Annotated[list[Code], Field(max_length=100, default_factory=list)]
    mark: Mark = ""


class FormIn(In):
    """A review form, whole or half filled; a component that is absent or null is 未涉及."""

    components: Annotated[dict[Code, ComponentIn | None], Field(max_length=100, default_factory=dict)]
    evidence_levels: Annotated[dict[Code, Code], Field(max_length=100, default_factory=dict)]
    comment: Prose = ""

    def plain(self) -> dict[str, Any]:
        """Return it as the rubric takes it."""
        return self.model_dump(mode="json")


class Draft(Edited):
    """The form as it was kept; null: nothing was filled in yet."""

    form: dict[str, Any] | None


class FileOut(Out):
    """A file to look at, under a name that does not say whose it is."""

    id: int
    slot: str
    kind: str | None
    seconds: float | None
    size_bytes: int


class TaskOut(Out):
    """A review to give, until its lease ends; a calibration sample has no work."""

    id: int
    round_id: int
    title: str
    sample: bool
    state: Word
    assigned_at: datetime
    lease_until: datetime


class FileReportIn(In):
    """Which file of the task is broken or suspicious, what is wrong with it, and a word of what was seen."""

    evidence_id: Annotated[int, Field(ge=1, lt=2**63)]
    why: Annotated[ReportReason, Field(strict=False)]
    note: Annotated[str, Field(min_length=1, max_length=2000, pattern=NO_NUL)]


class ReceivedOut(Out):
    """What a colleague said of one's own work, not who; `helped` null: one has not said whether it did."""

    id: int
    ability: str
    comment: str
    helped: bool | None


class HelpedIn(In):
    """Whether a review helped."""

    helped: bool


class TaskMore(TaskOut):
    """A task with the form that is asked for, and the files to look at."""

    fields: dict[str, Any]
    files: list[FileOut]


@reads(routes, "/tasks")
def list_tasks(session: Db, person: Reviewer, part: Asked) -> Page[TaskOut]:
    """List what one has still to review, in the order it was given."""
    own = select(Assignment).where(Assignment.reviewer_id == person.id, Assignment.state.in_(UNDONE))
    return listed_part(session, own, key=Assignment.id, part=part, shown=lambda rows: _tasks(session, rows))


def _tasks(session: Session, rows: Any) -> list[TaskOut]:
    found = [one for (one,) in rows]
    works = _by_id(session, Submission, {one.submission_id for one in found})
    samples = _by_id(session, CalibrationSample, {one.sample_id for one in found})
    rounds = _by_id(session, Round, {one.round_id for one in found})
    return [
        TaskOut(**_facts(session, one, works.get(one.submission_id), samples.get(one.sample_id), rounds[one.round_id]))
        for one in found
    ]


def _by_id(session: Session, model: Any, keys: set[int | None]) -> dict[int | None, Any]:
    return {one.id: one for one in session.scalars(select(model).where(model.id.in_(keys - {None})))}


def _facts(
    session: Session, one: Assignment, work: Submission | None, sample: CalibrationSample | None, round_: Round
) -> dict[str, Any]:
    code = work.ability if work else sample.ability if sample else ""
    known = round_scheme(session, round_=round_).catalogue.get(code)
    return {
        "id": one.id,
        "round_id": one.round_id,
        "title": sample.title if sample else f"{code} {known.name_zh}" if known else code,
        "sample": sample is not None,
        "state": Word(code=one.state.value, text=say(reviews.STATES[one.state])),
        "assigned_at": one.assigned_at,
        "lease_until": one.lease_until,
    }


@writes(
    routes,
    "POST",
    "/rounds/{key}/claim",
    status=201,
    refuses=[claims.NothingToReview, claims.CapReached, NotAllowed, WrongPhase],
)
def claim_task(session: Db, person: Reviewer, key: Key) -> TaskMore:
    """Take one more work to review: the one that wants it most."""
    standing = mine.standing(session, person, key)
    taken = claims.claim(session, actor=person, round_=standing.round)
    session.flush()
    return _more(session, taken)


@reads(routes, "/tasks/{key}", refuses=[reviews.ReviewOver])
def get_task(session: Db, person: Reviewer, key: Key) -> TaskMore:
    """Tell of a task: what is asked, and the files; one that is over shows neither."""
    task = mine.task(session, person, key)
    if task.state not in UNDONE:
        raise reviews.ReviewOver(state=say(reviews.STATES[task.state]))
    return _more(session, task)


def _more(session: Session, task: Assignment) -> TaskMore:
    round_ = session.get_one(Round, task.round_id)
    scheme = round_scheme(session, round_=round_)
    work = session.get_one(Submission, task.submission_id) if task.submission_id else None
    sample = session.get_one(CalibrationSample, task.sample_id) if task.sample_id else None
    handed = evidence.standing_evidence(session, submission=work) if work else []
    slots = evidence.slots_filled(session, scheme=scheme, submission=work) if work else []
    return TaskMore(
        **_facts(session, task, work, sample, round_),
        fields=form_fields(scheme, slots),
        files=[shown_file(one) for one in handed],
    )


def shown_file(one: Any) -> FileOut:
    """Return a file as a reviewer is told of it."""
    media = (one.report or {}).get("media", {})
    return FileOut(
        id=one.id,
        slot=one.slot,
        kind=media.get("kind"),
        seconds=media.get("duration_s"),
        size_bytes=one.size_bytes,
    )


@reads(routes, "/tasks/{key}/draft")
def get_draft(session: Db, person: Reviewer, key: Key) -> Draft:
    """Tell what was filled in so far, with the version that more is written from."""
    return Draft(form=mine.task(session, person, key).draft)


@writes(routes, "PUT", "/tasks/{key}/draft", refuses=TASK)
def put_draft(session: Db, person: Reviewer, key: Key, body: FormIn, if_match: IfMatch) -> Draft:
    """Keep what was filled in so far; the task's time begins anew."""
    take_turn(session, organization_id=person.organization_id)
    task = mine.task(session, person, key)
    require_version(Draft(form=task.draft).model_dump(mode="json"), if_match=if_match)
    reviews.save_draft(session, actor=person, assignment=task, draft=body.plain())
    return Draft(form=task.draft)


@writes(
    routes,
    "POST",
    "/tasks/{key}/submit",
    status=204,
    refuses=[*TASK, reviews.FormRefused, NotAllowed],
)
def submit_review(session: Db, person: Reviewer, key: Key, body: FormIn) -> None:
    """Hand the review in."""
    task = mine.task(session, person, key)
    reviews.submit(session, actor=person, assignment=task, form=body.plain())


@writes(routes, "POST", "/tasks/{key}/decline", status=204, refuses=[*TASK, BadInput])
def decline_task(session: Db, person: Reviewer, key: Key, body: ReasonIn) -> None:
    """Give a task back, with a reason: a broken or suspicious file is one."""
    reviews.decline(session, actor=person, assignment=mine.task(session, person, key), reason=body.reason)


@writes(routes, "POST", "/tasks/{key}/report", status=204, refuses=[*TASK, BadInput])
def report_file(session: Db, person: Reviewer, key: Key, body: FileReportIn) -> None:
    """Report a file; the task ends, and another work takes its place among the tasks where there is one."""
    task, found = mine.task(session, person, key), session.get(Evidence, body.evidence_id)
    if found is None:
        raise NotFound(what=say(_("文件")), key=body.evidence_id)
    file_reports.report(session, actor=person, assignment=task, evidence=found, reason=body.why, note=body.note)


@reads(routes, "/rounds/{key}/received-reviews")
def list_received_reviews(session: Db, person: Reader, key: Key, part: Asked) -> Page[ReceivedOut]:
    """List what colleagues said of one's own works, once they are done with them."""
    found = feedback.received_by(session, person=person, round_=mine.standing(session, person, key).round)
    told = [ReceivedOut(id=one.review, ability=one.ability, comment=one.comment, helped=one.helped) for one in found]
    return numbered_part(told, part=part)


@writes(
    routes,
    "POST",
    "/received-reviews/{key}/helped",
    status=204,
    refuses=[feedback.StillReviewed, feedback.AlreadyAnswered],
)
def answer_review(session: Db, person: Teacher, key: Key, body: HelpedIn) -> None:
    """Say whether a review helped, once; its reviewer reads it when the grade is final."""
    found, _round_id = mine.received(session, person, key)
    feedback.answer(session, actor=person, review=found, helped=body.helped)
