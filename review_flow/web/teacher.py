"""A teacher's way: what is next, the plan, the choice, the evidence, the duty, the result."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models import Appeal, Enrolment, Person, Round, Submission, Upload
from review_flow.clock import now
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.certificates import CertificateState
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.path import Stage
from review_flow.rules.quotas import judges_groups
from review_flow.rules.scheme import DELIVERABLES, Scheme
from review_flow.rules.selection import selection_problems
from review_flow.rules.verdict import VERDICT_WORDS
from review_flow.rules.words import RoleKind, Verdict
from review_flow.steps import (
    appeals,
    certificates,
    enrolments,
    evidence,
    feedback,
    path,
    results,
    submissions,
    uploads,
    voices,
)
from review_flow.steps.facts import record_of
from review_flow.steps.rounds import round_scheme
from review_flow.web import files, mine, programme, workshops
from review_flow.web.access import Db, Key, Signed
from review_flow.web.render import go, page
from review_flow.web.upload import here

router = APIRouter()
Codes = Annotated[list[str], Form(max_length=100)]
VERDICTS = {
    None: (_("正在检查"), "warn"),
    Verdict.VALID: (VERDICT_WORDS[Verdict.VALID], "good"),
    Verdict.HUMAN: (VERDICT_WORDS[Verdict.HUMAN], "warn"),
    Verdict.REJECTED: (VERDICT_WORDS[Verdict.REJECTED], "no"),
}
EDITABLE = {SubmissionState.DRAFT, SubmissionState.CORRECTING}
ENDED = {SubmissionState.INVALID, SubmissionState.GRADED}
WHERE = {
    Stage.READ: "plan",
    Stage.SELF_TEST: "plan",
    Stage.CHOOSE: "choose",
    Stage.SIGN: "result",
    Stage.DONE: "result",
}


@router.get("/")
def home(request: Request, session: Db, person: Signed) -> Response:
    """Show where the person stands in their newest round; who only administers goes to their desk."""
    enrolled = path.enrolments_of(session, person=person)
    if not enrolled and RoleKind.SCHOOL_ADMIN in request.state.roles:
        return go("/school")
    if not enrolled:
        return page(request, "teacher/none.html")
    return _home(request, session, person, enrolled, enrolled[0][1].id)


@router.get("/rounds/{key}")
def round_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show where the person stands in a round."""
    return _home(request, session, person, path.enrolments_of(session, person=person), key)


def _home(
    request: Request, session: Session, person: Person, enrolled: list[tuple[Enrolment, Round]], round_id: int
) -> HTMLResponse:
    standing = path.standing_in(session, person=person, enrolments=enrolled, round_id=round_id)
    scheme = round_scheme(session, round_=standing.round)
    others = [one for _enrolment, one in enrolled if one.id != round_id]
    names = {one.id: mine.title(scheme, one.ability) for one in standing.works}
    step = _link(standing)
    more: dict[str, Any] = {
        "deliverables": bool(scheme.deliverables) and standing.round.phase is RoundPhase.OPEN,
        "rises": programme.rises(session, person=person, round_id=round_id),
        "own_mark": voices.self_mark(session, enrolment=standing.enrolment, scheme=scheme),
        "workshop": judges_groups(scheme) and workshops.has_result(session, person, round_id),
    }
    return page(request, "teacher/home.html", at=standing, names=names, others=others, step=step, **more)


def _link(at: path.Standing) -> str | None:
    """Return where the next thing is done."""
    base = f"/rounds/{at.round.id}"
    if at.way.stage in WHERE:
        return f"{base}/{WHERE[at.way.stage]}" if at.way.stage is not Stage.DONE or at.published else None
    if at.way.stage is Stage.REVIEW:
        return "/reviews"
    wanted = {Stage.EVIDENCE: EDITABLE, Stage.SUBMIT: {SubmissionState.SEALED}}.get(at.way.stage, set())
    found = next((one for one in at.works if one.state in wanted), None)
    return f"/works/{found.id}" if found else None


@router.get("/rounds/{key}/plan")
def plan(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show what the round asks for."""
    standing = mine.standing(session, person, key)
    scheme = round_scheme(session, round_=standing.round)
    rule = scheme.teacher_selection(standing.enrolment.tier)
    tested = standing.way.stage is Stage.SELF_TEST
    outcome = grade(scheme, record_of(session, enrolment=standing.enrolment, weighed=False)) if tested else None
    checks = outcome.gates if outcome else ()
    return page(request, "teacher/plan.html", at=standing, scheme=scheme, rule=rule, checks=checks)


@router.post("/rounds/{key}/acknowledge")
def acknowledge(session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Say that the plan was read."""
    enrolments.acknowledge(session, actor=person, enrolment=mine.enrolment(session, person, key))
    return go(f"/rounds/{key}/plan")


@router.post("/rounds/{key}/self-test")
def self_test(session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Say that the self-test was done."""
    enrolments.self_test(session, actor=person, enrolment=mine.enrolment(session, person, key))
    return go(f"/rounds/{key}")


@router.get("/rounds/{key}/choose")
def choice(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show the abilities to choose from, by dimension."""
    standing = mine.standing(session, person, key)
    scheme = round_scheme(session, round_=standing.round)
    rule = scheme.teacher_selection(standing.enrolment.tier)
    known = [
        one
        for one in scheme.catalogue.abilities
        if rule.within != "school_list" or one.code in standing.round.abilities
    ]
    order = scheme.catalogue.dimensions
    known.sort(key=lambda one: order.index(one.dimension))
    groups = [(name, list(found)) for name, found in groupby(known, key=lambda one: one.dimension)]
    chosen = [one.ability for one in standing.works]
    problems = _problems(session, standing, chosen)
    return page(request, "teacher/choose.html", at=standing, groups=groups, chosen=chosen, rule=rule, problems=problems)


def _problems(session: Session, standing: path.Standing, codes: list[str]) -> list[str]:
    scheme, tier = round_scheme(session, round_=standing.round), standing.enrolment.tier
    found = selection_problems(scheme, scheme.catalogue, standing.round.abilities, codes, tier=tier)
    return [one.text for one in found]


@router.post("/rounds/{key}/choose/check")
def check_choice(request: Request, session: Db, person: Signed, key: Key, abilities: Codes = []) -> HTMLResponse:  # noqa: B006 - FastAPI copies it
    """Say, as one taps, what the choice lacks."""
    problems = _problems(session, mine.standing(session, person, key), abilities)
    return page(request, "parts/choice.html", problems=problems, count=len(abilities))


@router.post("/rounds/{key}/choose")
def choose(session: Db, person: Signed, key: Key, abilities: Codes = []) -> RedirectResponse:  # noqa: B006 - FastAPI copies it
    """Choose the abilities."""
    enrolments.choose(session, actor=person, enrolment=mine.enrolment(session, person, key), abilities=abilities)
    return go(f"/rounds/{key}")


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
    slots = [
        {
            "slot": slot,
            "asked": asked(slot),
            "files": [
                {
                    **files.shown(request, person, one),
                    "findings": found[one.id],
                    "verdict": VERDICTS[one.verdict],
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
        "editable": work.state in EDITABLE,
        "sealable": work.ability != DELIVERABLES,
        "instead": _instead(session, standing, scheme, work),
        "missing": evidence.missing(scheme, submission=work, evidence=handed) if work.state in EDITABLE else [],
        "checking": any(one.verdict is None for one in handed),
        "left": max(standing.owed - standing.given, 0),
    }


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


def asked(slot: Any) -> list[str]:
    """Return what a slot asks for, in short sentences."""
    told = []
    if slot.count > 1:
        told.append(say(_("{count}个文件"), count=slot.count))
    if slot.formats:
        told.append(say(_("格式：{formats}"), formats=" ".join(slot.formats)))
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
def seal(session: Db, person: Signed, key: Key, own_work: Annotated[bool, Form()] = False) -> RedirectResponse:  # noqa: FBT002 - a box of the form
    """Seal the evidence."""
    submissions.seal(session, actor=person, submission=mine.work(session, person, key), own_work=own_work)
    return go(f"/works/{key}")


@router.post("/works/{key}/submit")
def submit(session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Send a sealed work forward."""
    submissions.submit(session, actor=person, submission=mine.work(session, person, key))
    return go(f"/works/{key}")


@router.get("/rounds/{key}/result")
def result_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show the result with every line that made it, what colleagues said, and what can be done about it."""
    standing = mine.standing(session, person, key)
    found = standing.published
    if found is None:
        raise NotFound(what=say(_("考核结果")), key=standing.round.name)
    appeal = session.scalars(select(Appeal).where(Appeal.result_id == found.id)).first()
    said = feedback.received_by(session, person=person, round_=standing.round)
    outcome = json.loads(found.outcome)
    issued = certificates.of_enrolment(session, enrolment_id=standing.enrolment.id)
    waiting = certificates.unconfirmed(session, ids=[one.id for one in issued])
    return page(
        request,
        "teacher/result.html",
        at=standing,
        result=found,
        outcome=outcome,
        appeal=appeal,
        said=said,
        certificates=[
            {"one": one, "revoked": one.state is CertificateState.REVOKED, "waiting": one.id in waiting}
            for one in issued
        ],
    )


@router.post("/rounds/{key}/result/sign")
def sign(
    session: Db, person: Signed, key: Key, comment: Annotated[str, Form(max_length=2000)] = ""
) -> RedirectResponse:
    """Sign the result."""
    results.sign(session, actor=person, result=_result(session, person, key), comment=comment.strip() or None)
    return go(f"/rounds/{key}/result")


@router.post("/rounds/{key}/result/appeal")
def appeal(
    session: Db, person: Signed, key: Key, reason: Annotated[str, Form(max_length=5000)] = ""
) -> RedirectResponse:
    """File an appeal."""
    appeals.file(session, actor=person, result=_result(session, person, key), reason=reason)
    return go(f"/rounds/{key}/result")


@router.post("/reviews/received/{key}/helped")
def helped(session: Db, person: Signed, key: Key, helpful: Annotated[bool, Form()]) -> RedirectResponse:
    """Say whether a review one received helped; its reviewer reads it when the grade is final."""
    found, round_id = mine.received(session, person, key)
    feedback.answer(session, actor=person, review=found, helped=helpful)
    return go(f"/rounds/{round_id}/result")


def _result(session: Session, person: Person, round_id: int) -> Any:
    found = results.current(session, enrolment=mine.enrolment(session, person, round_id))
    if found is None:
        raise NotFound(what=say(_("考核结果")), key=round_id)
    return found
