"""Deductions and awards as they are recorded, and signatures that stand in for a face comparison."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from models import Adjustment, Person
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.outcome import Outcome
from review_flow.rules.words import AdjustmentKind, AttestationKind, SeatKind
from review_flow.steps import adjustments, attestations
from review_flow.steps.rounds import WrongPhase
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Panelist
from review_flow.web.api.pages import Asked, listed_part
from review_flow.web.api.panel import who
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Code, Day, In, Out, Page, Prose, RowId, Who
from review_flow.web.api.teaching import AdjustmentOut, LedgerLine, shown_adjustment
from review_flow.web.panel_decide import recorded

routes = router("adjustments")
RECORDING = [adjustments.NotPriced, adjustments.TooLateToRecord, BadInput, NotAllowed, WrongPhase]


class RecordOut(AdjustmentOut):
    """A deduction or an award, and whose it is."""

    person: Who


class RecordIn(In):
    """A fact with its proof: `points` for an award alone, what costs points has the scheme's price.

    `key`: what makes it the same fact when it is told again; without one each telling is a fact of its own.
    """

    enrolment_id: RowId
    kind: Annotated[AdjustmentKind, Field(strict=False)]
    on: Day
    proof: Prose
    approved_leave: bool = False
    points: Annotated[str | None, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,2})?$")] = None
    key: Code | None = None

    def told(self) -> adjustments.Told:
        """Return it as the step takes it."""
        points = None if self.points is None else Decimal(self.points)
        once = self.key or secrets.token_hex(8)
        return adjustments.Told(self.kind, self.on, self.proof, once, approved_leave=self.approved_leave, points=points)


class Standing(Out):
    """What somebody's facts come to."""

    score: str | None
    grade: str


class EffectOut(Out):
    """What recording a fact would change, and the lines of the ledger that are new."""

    before: Standing
    after: Standing
    lines: list[LedgerLine]


class AttestIn(In):
    """In which way it was seen that the author is in the files, and what was seen: when, where, how."""

    kind: Annotated[AttestationKind, Field(strict=False)]
    statement: Prose


class AttestedOut(Out):
    """The files that still lack a signature: a visit on the spot wants two."""

    unsigned: list[int]


def _record(one: Adjustment, person: Person) -> RecordOut:
    return RecordOut(**shown_adjustment(one).model_dump(), person=who(person))


def _standing(one: Outcome) -> Standing:
    return Standing(score=None if one.score is None else str(one.score), grade=one.grade)


@reads(routes, "/panel/rounds/{key}/adjustments")
def list_records(session: Db, person: Panelist, key: Key, part: Asked) -> Page[RecordOut]:
    """List a round's deductions and awards with their proofs, the newest first, but of whom one keeps away from."""
    mine.panel(session, person, key, SeatKind.MEMBER, admin=True)
    return listed_part(
        session,
        recorded(session, person, key),
        key=Adjustment.id,
        part=part,
        shown=lambda rows: [_record(*row) for row in rows],
        newest_first=True,
    )


@writes(routes, "POST", "/panel/rounds/{key}/adjustments/preview", refuses=RECORDING)
def preview_record(session: Db, person: Panelist, key: Key, body: RecordIn) -> EffectOut:
    """Tell what a fact would change; nothing is recorded."""
    mine.panel(session, person, key, SeatKind.MEMBER, admin=True)
    found = mine.enrolled(session, key, body.enrolment_id)
    effect = adjustments.effect(session, actor=person, enrolment=found, told=body.told())
    return EffectOut(
        before=_standing(effect.before),
        after=_standing(effect.after),
        lines=[LedgerLine.model_validate(one.as_json()) for one in effect.lines],
    )


@writes(routes, "POST", "/panel/rounds/{key}/adjustments", status=201, refuses=RECORDING)
def add_record(session: Db, person: Panelist, key: Key, body: RecordIn) -> RecordOut:
    """Record a deduction or an award, as a member of the panel or the school's administrator; its teacher is told."""
    mine.panel(session, person, key, SeatKind.MEMBER, admin=True)
    found = mine.enrolled(session, key, body.enrolment_id)
    made = adjustments.add(session, actor=person, enrolment=found, told=body.told())
    return _record(made, session.get_one(Person, found.person_id))


@writes(
    routes,
    "POST",
    "/panel/submissions/{key}/attest",
    refuses=[attestations.Decided, attestations.NothingToAttest, BadInput, NotAllowed, WrongPhase],
)
def attest_identity(session: Db, person: Panelist, key: Key, body: AttestIn) -> AttestedOut:
    """Sign that a work's author is to be seen in its files, in a way that equals a face comparison.

    Who judges the work may, and the school's administrator; for testimony, the leader of the author's workshop.
    """
    left = attestations.attest(
        session,
        actor=person,
        submission=seen.attested_work(session, person, key),
        kind=body.kind,
        statement=body.statement,
    )
    return AttestedOut(unsigned=[one.id for one in left])
