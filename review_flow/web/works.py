"""A work's page: its slots with what is asked, what is there and what the check saw; sealing and handing it in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse

from models import Enrolment, Person, Submission, Upload
from review_flow.clock import now
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.scheme import DELIVERABLES, Scheme
from review_flow.rules.selection import selection_problems
from review_flow.rules.verdict import KIND_WORDS, VERDICT_WORDS, Kind
from review_flow.rules.words import Verdict
from review_flow.steps import corrections, enrolments, evidence, path, submissions, uploads
from review_flow.steps.rounds import round_scheme
from review_flow.web import files, mine
from review_flow.web.access import Db, Key, Signed
from review_flow.web.render import go, page
from review_flow.web.upload import here

if TYPE_CHECKING:
    from review_flow.rules.catalogue import Slot

router = APIRouter()
VERDICTS = {
    None: (_("正在检查"), "warn"),
    Verdict.VALID: (VERDICT_WORDS[Verdict.VALID], "good"),
    Verdict.HUMAN: (VERDICT_WORDS[Verdict.HUMAN], "warn"),
    Verdict.REJECTED: (VERDICT_WORDS[Verdict.REJECTED], "no"),
}
EDITABLE = {SubmissionState.DRAFT, SubmissionState.CORRECTING}
ASKED = {
    "video": KIND_WORDS[Kind.VIDEO],
    "photo": KIND_WORDS[Kind.PHOTO],
    "document": KIND_WORDS[Kind.DOCUMENT],
    "any": _("视频、照片或文档"),
}
ENDED = {SubmissionState.INVALID, SubmissionState.GRADED}


@router.get("/works/{key}")
def work_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show a work: its slots with what is asked, what is there and what the check saw."""
    work = mine.work(session, person, key)
    return page(request, "teacher/work.html", **_work(request, session, person, work))


@router.get("/works/{key}/slots")
def slots_part(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show the slots alone, asked for again while a check is under way."""
    work = mine.work(session, person, key)
    return page(request, "parts/slots.html", **_work(request, session, person, work))


def _work(request: Request, session: Session, person: Person, work: Submission) -> dict[str, Any]:
    standing = mine.standing(session, person, work.round_id)
    scheme = round_scheme(session, round_=standing.round)
    handed = evidence.standing_evidence(session, submission=work)
    under_way = uploads.unfinished(session, submission=work)
    found = evidence.findings_of(session, handed=handed)
    returned = corrections.last_return(session, submission=work)
    slots = [
        {
            "slot": slot,
            "asked": asked(slot),
            "files": [
                {
                    **files.shown(request, person, one),
                    "findings": found[one.id],
                    "verdict": VERDICTS[one.verdict],
                    "as_returned": returned is not None and one.id not in returned.changed,
                }
                for one in handed
                if one.slot == slot.id
            ],
            "uploads": [_under_way(request, one) for one in under_way if one.slot == slot.id],
        }
        for slot in scheme.slots(work.ability)
    ]
    return {
        "at": standing,
        "work": work,
        "title": mine.title(scheme, work.ability),
        "slots": slots,
        "returned": returned,
        "editable": work.state in EDITABLE,
        "sealable": work.ability != DELIVERABLES,
        "instead": _instead(session, standing, scheme, work),
        "missing": evidence.missing(scheme, submission=work, evidence=handed) if work.state in EDITABLE else [],
        "checking": any(one.verdict is None for one in handed),
        **_forward(session, standing, scheme, work),
    }


def _forward(session: Session, at: path.Standing, scheme: Scheme, work: Submission) -> dict[str, Any]:
    """Return what a sealed work still waits for: reviews that are owed (or why none are), then gates of the scheme."""
    left = max(at.owed - at.given, 0)
    sealed = work.state is SubmissionState.SEALED
    return {
        "left": left,
        "closed": submissions.closed_gates(session, submission=work) if sealed and not left else [],
        "none_to_review": scheme.review.peer.before_submit and scheme.review.peer.give > 0 and not at.owed,
    }


@router.post("/evidence/{key}/remove")
def remove_file(session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Take a file back that was handed in by mistake."""
    found = mine.file(session, person, key)
    evidence.remove_evidence(session, actor=person, evidence=found)
    return go(f"/works/{found.submission_id}")


def _instead(session: Session, at: path.Standing, scheme: Scheme, work: Submission) -> list[tuple[str, str]]:
    """Return the abilities that may take the place of one that did not pass, while the window is open."""
    if work.state not in ENDED or at.round.phase is not RoundPhase.OPEN or now() > at.round.hard_close_at:
        return []
    if work.ability not in enrolments.failed_abilities(session, enrolment=at.enrolment):
        return []
    chosen = [one.ability for one in at.works]
    wanted = [
        [code, *(one for one in chosen if one != work.ability)] for code in at.round.abilities if code not in chosen
    ]
    return [
        (codes[0], mine.title(scheme, codes[0]))
        for codes in wanted
        if not selection_problems(scheme, scheme.catalogue, at.round.abilities, codes, tier=at.enrolment.tier)
    ]


@router.post("/works/{key}/replace")
def replace(
    session: Db, person: Signed, key: Key, ability: Annotated[str, Form(max_length=100)] = ""
) -> RedirectResponse:
    """Take another ability in the place of one that did not pass."""
    work = mine.work(session, person, key)
    enrolment = session.get_one(Enrolment, work.enrolment_id)
    made = enrolments.replace(session, actor=person, enrolment=enrolment, old=work.ability, new=ability)
    session.flush()
    return go(f"/works/{made.id}")


def asked(slot: Slot) -> list[str]:
    """Return what a slot asks for in short sentences, the kind of file first."""
    told = [say(ASKED[slot.kind])]
    if slot.formats:
        told.append(say(_("格式：{formats}"), formats=" ".join(slot.formats)))
    elif slot.kind == "document":
        told.append(say(_("如 docx、pdf、pptx")))
    if slot.count > 1:
        told.append(say(_("{count}个文件"), count=slot.count))
    if slot.min_seconds is not None:
        told.append(say(_("不短于{seconds}秒"), seconds=slot.min_seconds))
    if slot.max_seconds is not None:
        told.append(say(_("不长于{minutes}分钟"), minutes=format((slot.max_seconds / 60).normalize(), "f")))
    if slot.min_chars is not None:
        told.append(say(_("不少于{count}字"), count=slot.min_chars))
    if slot.shows_teacher:
        told.append(say(_("画面中有您本人")))
    return told if slot.required else [say(_("选交")), *told]


def _under_way(request: Request, one: Upload) -> dict[str, Any]:
    return {"upload": one, "here": here(request, one)}


@router.post("/works/{key}/seal")
def seal(
    session: Db,
    person: Signed,
    key: Key,
    own_work: Annotated[bool, Form()] = False,  # noqa: FBT002 - a box of the form
    unchanged: Annotated[bool, Form()] = False,  # noqa: FBT002 - a box of the form
) -> RedirectResponse:
    """Seal the evidence."""
    work = mine.work(session, person, key)
    submissions.seal(session, actor=person, submission=work, own_work=own_work, unchanged=unchanged)
    return go(f"/works/{key}")


@router.post("/works/{key}/submit")
def submit(session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Send a sealed work forward."""
    submissions.submit(session, actor=person, submission=mine.work(session, person, key))
    return go(f"/works/{key}")
