"""The panel: a board of what waits, marking beside the evidence, and whether a work is valid."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse

from models import Enrolment, Evidence, PanelMark, Person, Round, Submission
from review_flow.i18n import _, say
from review_flow.rules.consent import ALTERNATIVES
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.peer_marks.disagreement import REASONS
from review_flow.rules.quotas import judges_groups
from review_flow.rules.rubric import form_fields
from review_flow.rules.voices import ON_SITE, further
from review_flow.rules.words import AttestationKind, RoleKind, SeatKind
from review_flow.steps import (
    adjustments,
    attestations,
    copies,
    evidence,
    file_reports,
    hearers,
    panel,
    people,
    standing,
    validity,
)
from review_flow.steps.rounds import round_scheme
from review_flow.web import approving, drafts, files, mine, workshops
from review_flow.web.access import Db, Filled, Key, Signed
from review_flow.web.render import go, page

router = APIRouter()
AT_ONCE = 20
MANY_WORDS = 2000
NOTHING: dict[str, Any] = {
    **dict.fromkeys(("marks", "validity", "reports", "appeals", "heard", "adjustments"), ()),
    "visits": False,
    "approvals": None,
    "count": dict.fromkeys(("marks", "validity", "reports", "appeals", "adjustments", "results"), 0),
}
"""What waits for nobody, as in a round that is closed."""
COPY_KINDS = {
    "exact": _("完全相同"),
    "image": _("画面相同"),
    "video": _("影像相同"),
    "audio": _("声音相同"),
    "text": _("文字相同"),
}


@router.get("/panel")
def board(request: Request, session: Db, person: Signed, done: bool = False) -> HTMLResponse:  # noqa: FBT001, FBT002 - a word of the address
    """Show what waits for the person, round by round: where people differ first, then by what is due."""
    rounds = [_board(session, person, one) for one in panel.rounds_of(session, person=person)]
    return page(request, "panel/board.html", rounds=rounds, at_once=AT_ONCE, done=done)


def _board(session: Session, person: Person, round_: Round) -> dict[str, Any]:
    """Return what a round's board shows; each question is asked of those alone whose seat it is for."""
    seats = people.seats_of(session, person_id=person.id, round_id=round_.id)
    return {
        "round": round_,
        "seats": [say(people.SEAT_NAMES[kind]) for kind in seats],
        "member": SeatKind.MEMBER in seats,
        **(NOTHING if round_.phase is RoundPhase.CLOSED else _waiting(session, person, round_, set(seats))),
    }


def _waiting(session: Session, person: Person, round_: Round, seats: set[SeatKind]) -> dict[str, Any]:
    scheme, found = round_scheme(session, round_=round_), NOTHING.copy()
    whose: dict[str, Any] = {"person": person, "round_": round_}
    asked, marks = panel.most_urgent(session, **whose, most=AT_ONCE)
    found["marks"] = [
        {
            "work": work,
            "title": mine.title(scheme, work.ability),
            "until": mark.due_at,
            "begun": mark.draft is not None,
            "arbitration": mark.seat is SeatKind.ARBITER,
            "why": differing(work),
        }
        for work, mark in asked
    ]
    count = found["count"] = NOTHING["count"] | {"marks": marks}
    if seats & set(validity.VOTERS):
        judged, count["validity"] = validity.first_to_judge(session, **whose, most=AT_ONCE)
        names = _named(session, Person.id, [one.author_id for one in judged])
        found["validity"] = [
            {"work": one, "title": mine.title(scheme, one.ability), "name": names[one.author_id]} for one in judged
        ]
    if seats & set(file_reports.LOOKERS):
        reports, count["reports"] = file_reports.first_reports(session, **whose, most=AT_ONCE)
        found["reports"] = [{"report": one, "reason": say(file_reports.REASONS[one.reason])} for one in reports]
    if SeatKind.APPEAL in seats:
        found["appeals"], count["appeals"] = standing.first_to_hear(session, **whose, most=AT_ONCE)
        found["heard"] = hearers.heard_by(session, **whose)
    if SeatKind.MEMBER in seats:
        facts, count["adjustments"] = standing.first_to_decide(session, **whose, most=AT_ONCE)
        names = _named(session, Enrolment.id, [one.enrolment_id for one in facts])
        found["adjustments"] = [
            {"fact": one, "name": names[one.enrolment_id], "what": say(adjustments.NAMES[one.kind])} for one in facts
        ]
        found["visits"] = ON_SITE in further(scheme)
        found["approvals"] = approving.count_waiting(session, person, round_)
        if judges_groups(scheme):
            count["results"] = workshops.count_to_confirm(session, person, round_)
        else:
            count["results"] = standing.count_to_confirm(session, **whose)
    return found


def _named(session: Session, by: Any, ids: list[int]) -> dict[int, str]:
    """Return the names of teachers by their own ids, or by those of their enrolments."""
    asked = select(by, Person.name).where(by.in_(ids))
    if by is Enrolment.id:
        asked = asked.join(Person, Person.id == Enrolment.person_id)
    return dict(session.execute(asked).tuples().all())


def differing(work: Submission) -> list[str]:
    """Return, in words, in what a work's reviewers differ."""
    return [say(REASONS[name]) for name in (work.disagreement or "").split(",") if name]


@router.get("/panel/marks/{key}")
def mark_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show the evidence beside the rubric; an arbiter sees both marks."""
    work, own = mine.asked(session, person, key)
    scheme = round_scheme(session, round_=session.get_one(Round, work.round_id))
    shown = files.by_slot(request, session, person, work, scheme.slots(work.ability), empty=False)
    return page(
        request,
        "panel/mark.html",
        own=own,
        title=mine.title(scheme, work.ability),
        asked=form_fields(scheme, [slot["slot"] for slot in shown]),
        shown=shown,
        others=marks_beside(session, person, work),
        why=differing(work),
        address=f"/panel/marks/{key}",
        **drafts.opened(own),
    )


def marks_beside(session: Session, person: Person, work: Submission) -> list[PanelMark]:
    """Return the marks of a work that an arbiter sees beside their own; nobody else sees any."""
    standing_ = panel.standing_marks(session, submission=work)
    arbiter = any(one.marker_id == person.id and one.seat is SeatKind.ARBITER for one in standing_)
    return [one for one in standing_ if arbiter and one.mark is not None and one.marker_id != person.id]


@router.post("/panel/marks/{key}/draft")
def save_draft(request: Request, filled: Filled, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Keep what was filled in so far."""
    work, own = mine.asked(session, person, key)
    scheme = round_scheme(session, round_=session.get_one(Round, work.round_id))
    over, form = drafts.over_of(filled), drafts.form_of(filled)
    return drafts.answered(
        request,
        row=own,
        filled=filled,
        asked=form_fields(scheme, evidence.slots_filled(session, scheme=scheme, submission=work)),
        address=f"/panel/marks/{key}",
        keep=lambda: panel.save_draft(session, actor=person, submission=work, draft=form, over=over),
    )


@router.post("/panel/marks/{key}")
def mark(filled: Filled, session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Give the mark."""
    work, _own = mine.asked(session, person, key)
    over = drafts.over_of(filled)
    panel.mark(session, actor=person, submission=work, form=drafts.form_of(filled), over=over)
    return go("/panel?done=1")


@router.get("/panel/validity/{key}")
def validity_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show each file with what the check saw, its contact sheet, and what it has in common with others."""
    work = mine.judged(session, person, key)
    scheme = round_scheme(session, round_=session.get_one(Round, work.round_id))
    shown = files.by_slot(request, session, person, work, scheme.slots(work.ability), named=True)
    handed = [one["file"] for slot in shown for one in slot["files"]]
    found = evidence.findings_of(session, handed=handed)
    alike = {one.id: _alike(request, session, person, one) for one in handed}
    return page(
        request,
        "panel/validity.html",
        work=work,
        title=mine.title(scheme, work.ability),
        author=session.get_one(Person, work.author_id),
        shown=shown,
        found=found,
        alike=alike,
        said=len(validity.votes_of(session, submission=work)),
        needed=validity.ENOUGH,
        ways={kind: text for kind, text in ALTERNATIVES.items() if kind is not AttestationKind.TESTIMONY},
    )


def _alike(request: Request, session: Session, person: Person, one: Evidence) -> list[dict[str, Any]]:
    """Return what a file has in common with others, both sides with a link where the person may look."""
    sides = copies.side_by_side(session, actor=person, evidence=one)
    for side in sides:
        other = session.get(Evidence, side["there"].get("evidence", 0))
        kind = COPY_KINDS[side["kind"]]
        side["kind_zh"] = say(kind)
        side["shown"] = [
            {
                "where": [place(spot) for spot in half["places"]],
                "file": files.shown(request, person, file) if file else None,
            }
            for half, file in ((side["here"], one), (side["there"], other))
        ]
    return sides


def place(spot: dict[str, Any]) -> str:
    """Return a place of a hit as people name it: from when to when, or the words."""
    if "from_s" in spot:
        start, end = (f"{int(spot[name]) // 60}:{int(spot[name]) % 60:02}" for name in ("from_s", "to_s"))
        return f"{start}–{end}"
    return f"“{spot['quote']}”" if spot.get("quote") else ""


@router.post("/panel/validity/{key}")
def vote(
    session: Db,
    person: Signed,
    key: Key,
    teacher_visible: Annotated[bool, Form()],
    own_work: Annotated[bool, Form()],
    reason: Annotated[str, Form(max_length=MANY_WORDS)] = "",
) -> RedirectResponse:
    """Say whether the evidence is valid."""
    validity.vote(
        session,
        actor=person,
        submission=mine.judged(session, person, key),
        teacher_visible=teacher_visible,
        own_work=own_work,
        reason=reason,
    )
    return go("/panel?done=1")


@router.post("/panel/validity/{key}/attest")
def attest(
    session: Db,
    person: Signed,
    key: Key,
    kind: Annotated[AttestationKind, Form()],
    statement: Annotated[str, Form(max_length=MANY_WORDS)] = "",
) -> RedirectResponse:
    """Sign that the author is to be seen, in one of the ways that equal a face comparison."""
    work = mine.judged(session, person, key)
    attestations.attest(session, actor=person, submission=work, kind=kind, statement=statement)
    return go("/panel?done=1")


@router.get("/panel/reports/{key}")
def report_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show a file that somebody reported."""
    found = mine.report(session, person, key)
    file = session.get_one(Evidence, found.evidence_id)
    reason = say(file_reports.REASONS[found.reason])
    shown = files.shown(request, person, file)
    return page(request, "panel/report.html", report=found, reason=reason, file=shown)


@router.post("/panel/reports/{key}")
def close_report(
    session: Db,
    person: Signed,
    key: Key,
    doubtful: Annotated[bool, Form()],
    finding: Annotated[str, Form(max_length=MANY_WORDS)] = "",
) -> RedirectResponse:
    """Say what the file is."""
    found = mine.report(session, person, key)
    file_reports.close(session, actor=person, report=found, doubtful=doubtful, finding=finding)
    return go("/panel?done=1")


def is_admin(session: Session, person: Person, round_: Round) -> bool:
    """Whether the person administers the round's school."""
    return people.has_role(
        session, person_id=person.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN]
    )
