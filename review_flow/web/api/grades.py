"""Grades before the panel: a result line by line, a workshop's grade, all that can be confirmed at once, an appeal."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from models import Enrolment, GroupResult, Person, Round
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.words import ErrandKind, SeatKind
from review_flow.steps import errands, owners, results
from review_flow.steps.owners import Graded
from review_flow.steps.rounds import round_scheme
from review_flow.web import mine, workshops
from review_flow.web.access import Db, Key
from review_flow.web.api.access import Panelist
from review_flow.web.api.panel import ConfirmIn
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Out, Word
from review_flow.web.api.teaching import LedgerLine
from review_flow.web.panel_decide import graded_works

routes = router("grades")


class HeardOut(Out):
    """A teacher's or workshop's result as its hearers read it: how it came about, line by line, not whose it is."""

    id: int
    round_id: int
    version: int
    state: Word
    score: str | None
    proposed_grade: str
    grade: str | None
    ledger: list[LedgerLine]


class GradedOut(HeardOut):
    """A teacher's or workshop's result. `unready`: why it can't be confirmed now; `lower_to`: the one grade it may be lowered to."""

    who: str
    flags: list[str]
    unready: str | None
    lower_to: str | None
    outcome: dict[str, Any]


class ConfirmingOut(Out):
    """How it went: being done, stopped and why, or when it was done last; how many it confirmed, how many it left."""

    under_way: bool
    stopped: str | None
    done_at: datetime | None
    confirmed: int | None
    left: int | None


class AgainOut(Out):
    """What may be marked, or counted, anew: its `code` among the marks of a vote; `was`: the panel's mark, or the count."""

    code: str
    name: str
    was: str | None


class HearingOut(Out):
    """An appeal, the result it is against, and what its hearers may mark anew. `needed`: how many must agree."""

    id: int
    reason: str
    filed_at: datetime
    due_at: datetime
    needed: int
    again: list[AgainOut]
    result: HeardOut


@reads(routes, "/panel/results/{key}")
def get_panel_result(session: Db, person: Panelist, key: Key) -> GradedOut:
    """Tell a member of a teacher's result, line by line."""
    return _graded(session, mine.result(session, person, key)[0])


def _graded(session: Session, found: Graded) -> GradedOut:
    told = workshops.to_confirm(session, found)
    return GradedOut(
        **_heard(session, found, told["outcome"]),
        who=told["who"],
        flags=told["flags"],
        unready=told["why"],
        lower_to=told["lower"],
        outcome=told["outcome"],
    )


def _heard(session: Session, found: Graded, outcome: dict[str, Any]) -> dict[str, Any]:
    score = None if isinstance(found, GroupResult) else found.score
    return {
        "id": found.id,
        "round_id": owners.round_of(session, result=found).id,
        "version": found.version,
        "state": Word.of(found.state),
        "score": None if score is None else str(score),
        "proposed_grade": found.proposed_grade,
        "grade": found.grade,
        "ledger": outcome["ledger"],
    }


@reads(routes, "/panel/workshop-results/{key}")
def get_panel_workshop_result(session: Db, person: Panelist, key: Key) -> GradedOut:
    """Tell a member of a workshop's result, line by line; not of their own workshop's."""
    return _graded(session, mine.workshop_result(session, person, key)[0])


@writes(
    routes,
    "POST",
    "/panel/workshop-results/{key}/confirm",
    refuses=[results.CannotConfirm, NotAllowed, BadInput],
)
def confirm_workshop_result(session: Db, person: Panelist, key: Key, body: ConfirmIn) -> GradedOut:
    """Confirm a workshop's grade, or lower it by one with a reason."""
    found, _round = mine.workshop_result(session, person, key)
    results.confirm(session, actor=person, result=found, lower_to=body.lower_to, reason=body.reason)
    return _graded(session, found)


@writes(routes, "POST", "/rounds/{key}/confirm-grades", status=202, refuses=[errands.NothingToConfirm, NotAllowed])
def confirm_all_grades(session: Db, person: Panelist, key: Key) -> ConfirmingOut:
    """Have every grade confirmed that can be, but those one keeps away from; the worker does it, ask how it went."""
    round_ = mine.panel(session, person, key, SeatKind.MEMBER)
    errands.ask_confirm(session, actor=person, round_=round_)
    return _confirming(session, person, round_)


def _confirming(session: Session, person: Person, round_: Round) -> ConfirmingOut:
    known = errands.known(
        session,
        kind=ErrandKind.CONFIRM_GRADES,
        organization_id=round_.organization_id,
        round_=round_,
        asked_by=person,
    )
    answer = known.answer or {}
    return ConfirmingOut(
        under_way=known.under_way is not None,
        stopped=known.stopped,
        done_at=known.done_at,
        confirmed=answer.get("confirmed"),
        left=answer.get("left"),
    )


@reads(routes, "/rounds/{key}/confirm-grades")
def get_confirming(session: Db, person: Panelist, key: Key) -> ConfirmingOut:
    """Tell how the grades were confirmed that one asked for last."""
    return _confirming(session, person, mine.panel(session, person, key, SeatKind.MEMBER))


@reads(routes, "/panel/appeals/{key}")
def get_panel_appeal(session: Db, person: Panelist, key: Key) -> HearingOut:
    """Tell a hearer of an appeal and the result it is against, line by line; not whose it is."""
    appeal, result = mine.appeal(session, person, key)
    scheme = round_scheme(session, round_=owners.round_of(session, result=result))
    outcome = json.loads(result.outcome)
    if isinstance(result, GroupResult):
        again = [
            AgainOut(code=of, name=name, was=str(count) if isinstance(count, int | str) else None)
            for of, name, count in workshops.counted(session, result)
        ]
    else:
        marks = {one["code"]: one.get("panel") for one in outcome["abilities"]}
        again = [
            AgainOut(code=one.ability, name=mine.title(scheme, one.ability), was=marks.get(one.ability))
            for one in graded_works(session, session.get_one(Enrolment, result.enrolment_id))
        ]
    return HearingOut(
        id=appeal.id,
        reason=appeal.reason,
        filed_at=appeal.filed_at,
        due_at=appeal.due_at,
        needed=scheme.result.appeal.reviewers_min,
        again=again,
        result=HeardOut(**_heard(session, result, outcome)),
    )
