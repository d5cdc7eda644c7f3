"""A teacher's way: what is next, the plan, the choice, the evidence, the duty, the result."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models import Enrolment, Message, Person, Round
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.certificates import CertificateState
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.path import Stage
from review_flow.rules.quotas import judges_groups
from review_flow.rules.selection import selection_problems
from review_flow.rules.words import RoleKind
from review_flow.steps import (
    appeal_answers,
    appeals,
    certificates,
    enrolments,
    feedback,
    messages,
    path,
    results,
    voices,
)
from review_flow.steps.facts import record_of
from review_flow.steps.rounds import round_scheme
from review_flow.web import mine, plans, programme, workshops
from review_flow.web.access import Db, Key, Signed
from review_flow.web.render import go, page
from review_flow.web.works import EDITABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review_flow.rules.outcome import GateResult

router = APIRouter()
NEWS = 3
Codes = Annotated[list[str], Form(max_length=100)]
WHERE = {
    Stage.READ: "plan",
    Stage.SELF_TEST: "plan",
    Stage.CHOOSE: "choose",
    Stage.SIGN: "result",
    Stage.DONE: "result",
}


@router.get("/")
def home(request: Request, session: Db, person: Signed) -> Response:
    """Show where the person stands in their newest round; who is assessed in none goes to their desk."""
    enrolled = path.enrolments_of(session, person=person)
    if not enrolled and (desk := _desk(request)):
        return go(desk)
    if not enrolled:
        return page(request, "teacher/none.html", news=_news(request, session, person))
    return _home(request, session, person, enrolled, enrolled[0][1].id)


def _desk(request: Request) -> str | None:
    """Return where somebody works who only administers, judges, or oversees schools."""
    if RoleKind.SCHOOL_ADMIN in request.state.roles:
        return "/school"
    if request.state.seated:
        return "/panel"
    return "/county" if RoleKind.COUNTY_ADMIN in request.state.roles else None


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
        "news": _news(request, session, person),
        "review_due_at": request.state.review_due_at,
    }
    return page(request, "teacher/home.html", at=standing, names=names, others=others, step=step, **more)


def _news(request: Request, session: Session, person: Person) -> Sequence[Message]:
    """Return the newest of what the person has not read; the page's head knows whether there is any."""
    return messages.unread(session, person=person, most=NEWS) if request.state.unread else ()


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
    """Show what the round asks for: in short, and the whole plan that the ledger cites."""
    standing = mine.standing(session, person, key)
    scheme = round_scheme(session, round_=standing.round)
    rule = scheme.teacher_selection(standing.enrolment.tier)
    tested = standing.way.stage is Stage.SELF_TEST
    outcome = grade(scheme, record_of(session, enrolment=standing.enrolment, weighed=False)) if tested else None
    checks = [(one.asks, _told(one), one.passed) for one in outcome.gates] if outcome else []
    whole = plans.shown(scheme, confirmed=True)  # else the round would not run
    return page(request, "teacher/plan.html", at=standing, scheme=scheme, rule=rule, checks=checks, **whole)


def _told(gate: GateResult) -> Sequence[str]:
    """Return the facts a gate looks at, but for one alone that its own words and its state beside them say already."""
    alone = len(gate.seen) == 1 and gate.seen[0].startswith(gate.asks)
    return () if alone else gate.seen


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


@router.get("/rounds/{key}/result")
def result_page(request: Request, session: Db, person: Signed, key: Key) -> Response:
    """Show the result with every line that made it, what colleagues said, and what can be done about it."""
    standing = mine.standing(session, person, key)
    found = standing.published
    if found is None:  # where workshops are graded their leaders are told of a result, too: it has its own page
        mine.led_result(session, person, key)
        return go(f"/rounds/{key}/workshop")
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
        answer=appeal_answers.answer_to(session, result=found),
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
