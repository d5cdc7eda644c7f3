"""Besides abilities: what is recorded of a teacher, other deliverables, meetings signed into, works that rise, certificates."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Form, Request
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse, RedirectResponse, Response

from models import Adjustment, Enrolment, Fact, Gathering, Nomination, Person, Round
from review_flow.clock import now
from review_flow.db import transaction
from review_flow.i18n import _, say
from review_flow.outside.certificates import TypstPrinter
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import AdjustmentState, FactKind, NominationKind, NominationState, WorkConsent
from review_flow.steps import (
    adjustments,
    approvals,
    certificates_valid,
    enrolments,
    gatherings,
    programme,
    voices,
    work_consents,
)
from review_flow.steps.library import standing_entries
from review_flow.steps.rounds import round_scheme
from review_flow.web import mine, pace
from review_flow.web.access import Db, Key, Passing, Signed
from review_flow.web.render import download, go, here, page

router = APIRouter()
NOMINATED = {
    NominationState.RISING: _("评选中"),
    NominationState.CHOSEN: _("已入选"),
    NominationState.LEFT: _("未继续推送"),
    NominationState.WITHDRAWN: _("不推送"),
}
FACT_WORDS = {
    programme.PRESENT: _("到场"),
    programme.MADE_UP: _("已补"),
    programme.ABSENT: _("缺席"),
    approvals.GIVEN: _("通过"),
    approvals.REFUSED: _("不通过"),
}


@router.get("/rounds/{key}/records")
def records(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show what is recorded of the person in a round: hours, facts of the programme, deductions and awards."""
    standing = mine.standing(session, person, key)
    scheme = round_scheme(session, round_=standing.round)
    told = select(Adjustment).where(Adjustment.enrolment_id == standing.enrolment.id).order_by(Adjustment.id)
    return page(
        request,
        "teacher/records.html",
        at=standing,
        facts=facts_shown(session, standing.enrolment, scheme),
        hours=hours_shown(session, standing.enrolment, scheme),
        adjustments=session.scalars(told).all(),
        names=adjustments.NAMES,
        states=adjustments.STATES,
        contestable=AdjustmentState.NOTIFIED,
        deliverables=bool(scheme.deliverables),
    )


def facts_shown(session: Session, enrolment: Enrolment, scheme: Scheme) -> list[dict[str, Any]]:
    """Return what is told of a teacher, as they may read it: in words, without who marked them in the classroom."""
    facts = programme.facts_standing(session, enrolment=enrolment)
    names = {kind: programme.subjects(scheme, kind) for kind in {one.kind for one in facts}}
    return [
        {
            "kind": say(programme.KIND_NAMES[one.kind]),
            "about": names[one.kind].get(one.about, one.about),
            "value": _value(scheme, one),
            "source": voices.source_shown(one),
            "waits": one.confirmed_at is None and programme.wants_confirming(scheme, one) is not None,
        }
        for one in facts
    ]


def hours_shown(session: Session, enrolment: Enrolment, scheme: Scheme) -> list[tuple[str, Decimal, str]]:
    """Return the hours of a teacher by the scheme's ledgers: name, hours, id."""
    hours = enrolments.hours_of(session, enrolment=enrolment)
    return [(one.name_zh, hours.get(one.id, Decimal(0)), one.id) for one in scheme.hours.ledgers]


def _value(scheme: Scheme, fact: Fact) -> str:
    if voices.hidden(scheme, fact):
        return say(_("只有{count}份，份数不足，不显示"), count=fact.details["answers"])
    return say(FACT_WORDS.get(fact.word or "", fact.word or "")) if fact.number is None else str(fact.number)


@router.post("/adjustments/{key}/contest")
def contest(
    session: Db, person: Signed, key: Key, reason: Annotated[str, Form(max_length=2000)] = ""
) -> RedirectResponse:
    """Say why a record is wrong."""
    found = mine.record(session, person, key)
    adjustments.contest(session, actor=person, adjustment=found, reason=reason)
    round_id = session.get_one(Enrolment, found.enrolment_id).round_id
    return go(f"/rounds/{round_id}/records")


@router.post("/rounds/{key}/deliverables")
def deliverables(session: Db, person: Signed, key: Key) -> RedirectResponse:
    """Open the work that gathers what the scheme asks for besides abilities."""
    work = enrolments.deliverables_of(session, actor=person, enrolment=mine.enrolment(session, person, key))
    return go(f"/works/{work.id}")


@router.get("/sign-in/{key}")
@router.get("/sign-in/{key}/{code}")
def sign_in_page(request: Request, session: Db, person: Signed, key: Key, code: str = "") -> HTMLResponse:
    """Show the meeting one is about to sign into: where the QR code on the spot leads."""
    gathering = mine.gathering(session, person, key)
    return page(
        request, "teacher/sign_in.html", gathering=gathering, what=_what(session, gathering), code=code, done=False
    )


@router.post("/sign-in/{key}")
def sign_in(
    request: Request, session: Db, person: Signed, key: Key, code: Annotated[str, Form(max_length=20)] = ""
) -> HTMLResponse:
    """Sign in with the code shown on the spot."""
    gathering = mine.gathering(session, person, key)
    pace.require_guess(request, person.id, key)
    gatherings.sign_in(session, actor=person, gathering=gathering, code=code)
    return page(
        request, "teacher/sign_in.html", gathering=gathering, what=_what(session, gathering), code="", done=True
    )


def _what(session: Session, gathering: Gathering) -> str:
    scheme = round_scheme(session, round_=session.get_one(Round, gathering.round_id))
    known = programme.subjects(scheme, FactKind.ATTENDANCE)
    return known.get(gathering.activity, gathering.activity)


@router.get("/activity/{key}")
def host_page(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show, to whoever runs a meeting, the code of this minute for everybody in the room."""
    gathering = mine.gathering(session, person, key)
    return page(request, "teacher/host.html", **_host(request, session, person, gathering))


@router.get("/activity/{key}/code")
def code_part(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show the code alone, asked for again before it changes."""
    return page(request, "parts/code.html", **_host(request, session, person, mine.gathering(session, person, key)))


def _host(request: Request, session: Session, person: Person, gathering: Gathering) -> dict[str, Any]:
    shown = code_shown(request, session, person, gathering)
    made = segno.make(shown["scan"], error="m").svg_inline(scale=6, border=2, omitsize=True)
    qr = Markup(made)  # noqa: S704 - drawn by segno from our own address: the one thing on a page that is not escaped
    return {"gathering": gathering, "what": _what(session, gathering), "qr": qr, **shown}


def code_shown(request: Request, session: Session, person: Person, gathering: Gathering) -> dict[str, Any]:
    """Return what whoever runs a meeting shows: the code of this minute, where it is typed or scanned, and who came."""
    code = gatherings.code_at(session, actor=person, gathering=gathering)
    told = gatherings.attendance(session, gathering=gathering).values()
    return {
        "code": code,
        "address": gatherings.link(here(request), gathering.id),
        "scan": gatherings.link(here(request), gathering.id, code),
        "came": sum(word != programme.ABSENT for word in told),
    }


def rises(session: Session, *, person: Person, round_id: int) -> bool:
    """Whether a work of the person's was put forward in a round."""
    mine_ = select(Nomination.id).where(Nomination.round_id == round_id, Nomination.author_id == person.id)
    return session.scalars(mine_.limit(1)).first() is not None


@router.get("/rounds/{key}/nominations")
def nominations(request: Request, session: Db, person: Signed, key: Key) -> HTMLResponse:
    """Show the person's works that were put forward, and ask for each consent by itself."""
    standing = mine.standing(session, person, key)
    levels = {one.id: one.name_zh for one in round_scheme(session, round_=standing.round).pipeline}
    own = select(Nomination).where(Nomination.round_id == key, Nomination.author_id == person.id)
    found = session.scalars(own.order_by(Nomination.id)).all()
    consents = work_consents.consents_of(session, nominations=found)
    published = standing_entries(session, nominations=found)
    rows = [
        {
            "one": one,
            "state": say(NOMINATED[one.state]),
            "level": levels.get(one.step or ""),
            "is_work": one.kind is NominationKind.WORK,
            "published": one.id in published,
            "consents": {about.value: (one.id, about) in consents for about in WorkConsent},
            "open": one.state is not NominationState.WITHDRAWN,
        }
        for one in found
    ]
    return page(request, "teacher/nominations.html", at=standing, rows=rows)


@router.post("/nominations/{key}/consent")
def say_consent(
    session: Db,
    person: Signed,
    key: Key,
    about: Annotated[WorkConsent, Form()],
    given: Annotated[bool, Form()],
    show_name: Annotated[bool, Form()] = False,  # noqa: FBT002 - a box of the form
    pupils: Annotated[str, Form(pattern="^(|true|false)$")] = "",
    pupils_note: Annotated[str, Form(max_length=2000)] = "",
) -> RedirectResponse:
    """Agree, or not, that a work leaves the workshop, or is published."""
    found = mine.nomination(session, person, key)
    work_consents.say_consent(
        session,
        actor=person,
        nomination=found,
        about=about,
        given=given,
        show_name=show_name,
        pupils=pupils == "true" if pupils else None,
        pupils_note=pupils_note or None,
    )
    return go(f"/rounds/{found.round_id}/nominations")


@router.post("/certificates/{key}")
def certificate(request: Request, person: Passing, key: Key) -> Response:
    """Hand out a valid certificate of one's own as a PDF, set outside of any transaction; that it was printed is noted."""
    with transaction(request.app.state.engine) as session:
        found = mine.certificate(session, person, key)
        round_ = session.get_one(Round, session.get_one(Enrolment, found.enrolment_id).round_id)
        url = request.app.state.settings.public_url
        pages = certificates_valid.pages(session, actor=person, round_=round_, certificates=[found], public_url=url)
        name = f"{found.number}.pdf"
    return download(TypstPrinter().pdf(pages, made_at=now()), name=name, kind="application/pdf")
