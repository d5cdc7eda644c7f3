"""A teacher's way: what is due, the works and their evidence, the result, and what may be said against it."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Adjustment, Evidence, Finding, Person, Result, Round, Submission
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _, say
from review_flow.steps import adjustments, appeals, enrolments, evidence, results, submissions
from review_flow.steps.appeal_answers import Answer, answer_to
from review_flow.steps.path import Standing
from review_flow.steps.rounds import WrongPhase, round_scheme
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Reader, Teacher
from review_flow.web.api.pages import Asked, listed_part
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import Code, In, Out, Page, Prose, Word

routes = router("teaching")
BEGINNING = [enrolments.NotYet, enrolments.NotBegun, WrongPhase]


class WorkOut(Out):
    """A work: one ability's evidence."""

    id: int
    round_id: int
    ability: str
    state: Word
    sealed_at: datetime | None
    submitted_at: datetime | None
    correction_due_at: datetime | None


class WorkMore(WorkOut):
    """A work, and what it still lacks before it can be sealed."""

    missing: list[str]


class StandingOut(Out):
    """Where somebody stands in a round. `next` is the one thing to do now, `todo` the sentence for it."""

    round_id: int
    state: Word
    stages: list[str]
    next: str
    todo: str
    due_at: datetime | None
    reviews_owed: int
    reviews_given: int
    works: list[WorkOut]


class FindingOut(Out):
    """What the automatic check saw, in a sentence."""

    code: str
    level: str
    text: str


class EvidenceOut(Out):
    """A file. `verdict` is null as long as it is being checked."""

    id: int
    slot: str
    file_name: str
    size_bytes: int
    sha256: str
    uploaded_at: datetime
    verdict: str | None
    removed_at: datetime | None
    findings: list[FindingOut]


class ReplaceIn(In):
    """An ability that failed, and the one that takes its place."""

    old: Code
    new: Code


class SealIn(In):
    """The author's word that all of it is their own work."""

    own_work: bool


class SignIn(In):
    """A remark beside the signature, if there is one."""

    comment: Annotated[Prose | None, Field()] = None


class ReasonIn(In):
    """A reason, in words."""

    reason: Prose


class LedgerLine(Out):
    """One line of the reckoning: the rule it cites, what it adds, the number after it."""

    rule: str
    text: str
    points: str
    running: str


class AppealOut(Out):
    """An appeal against a result: once decided, the hearers' reasons; upheld, the grade and score it changed."""

    id: int
    state: str
    filed_at: datetime
    due_at: datetime
    decided_at: datetime | None
    reasons: list[str]
    grade_before: str | None
    score_before: str | None


class ResultOut(Out):
    """A result with every line that made it. `outcome` holds all that grading said, marks as decimal strings."""

    id: int
    version: int
    state: Word
    score: str | None
    grade: str | None
    composed_at: datetime
    ledger: list[LedgerLine]
    outcome: dict[str, Any]
    appeal: AppealOut | None


class AdjustmentOut(Out):
    """A dated, proven fact that costs or brings points, and what was said about it."""

    id: int
    kind: str
    happened_on: date
    proof: str
    state: str
    points: str | None
    contest_reason: str | None
    decision_reason: str | None


@reads(routes, "/rounds/{key}/enrolment")
def get_enrolment(session: Db, person: Reader, key: Key) -> StandingOut:
    """Tell where one stands in a round, and what is due now."""
    return _standing(mine.standing(session, person, key))


def _standing(at: Standing) -> StandingOut:
    return StandingOut(
        round_id=at.round.id,
        state=Word.of(at.enrolment.state),
        stages=[one.value for one in at.way.stages],
        next=at.way.stage.value,
        todo=say(at.way.stage.todo),
        due_at=at.due_at,
        reviews_owed=at.owed,
        reviews_given=at.given,
        works=[shown_work(one) for one in at.works],
    )


def shown_work(one: Submission) -> WorkOut:
    """Return a work as it is told."""
    return WorkOut(**_facts(one))


def _facts(one: Submission) -> dict[str, Any]:
    return {
        "id": one.id,
        "round_id": one.round_id,
        "ability": one.ability,
        "state": Word.of(one.state),
        "sealed_at": one.sealed_at,
        "submitted_at": one.submitted_at,
        "correction_due_at": one.correction_due_at,
    }


@writes(routes, "POST", "/rounds/{key}/enrolment/acknowledge", refuses=[enrolments.NotBegun, WrongPhase])
def acknowledge_plan(session: Db, person: Teacher, key: Key) -> StandingOut:
    """Say that the plan was read."""
    enrolments.acknowledge(session, actor=person, enrolment=mine.enrolment(session, person, key))
    return _standing(mine.standing(session, person, key))


@writes(routes, "POST", "/rounds/{key}/enrolment/self-test", refuses=BEGINNING)
def record_self_test(session: Db, person: Teacher, key: Key) -> StandingOut:
    """Say that the self-test was done."""
    enrolments.self_test(session, actor=person, enrolment=mine.enrolment(session, person, key))
    return _standing(mine.standing(session, person, key))


@writes(
    routes,
    "POST",
    "/rounds/{key}/choice/replace",
    refuses=[*BEGINNING, enrolments.CannotReplace, enrolments.Selection],
)
def replace_ability(session: Db, person: Teacher, key: Key, body: ReplaceIn) -> WorkOut:
    """Take another ability in the place of one that failed."""
    found = mine.enrolment(session, person, key)
    made = enrolments.replace(session, actor=person, enrolment=found, old=body.old, new=body.new)
    session.flush()
    return shown_work(made)


@reads(routes, "/submissions")
def list_submissions(session: Db, person: Reader, part: Asked) -> Page[WorkOut]:
    """List one's own works of all rounds."""
    return listed_part(
        session,
        seen.works(person),
        key=Submission.id,
        part=part,
        shown=lambda rows: [shown_work(one) for (one,) in rows],
    )


@reads(routes, "/submissions/{key}")
def get_submission(session: Db, person: Reader, key: Key) -> WorkMore:
    """Tell of one's own work, and what it still lacks."""
    return _more(session, mine.work(session, person, key))


def _more(session: Session, work: Submission) -> WorkMore:
    scheme = round_scheme(session, round_=session.get_one(Round, work.round_id))
    files = evidence.standing_evidence(session, submission=work)
    lacks = evidence.missing(scheme, submission=work, evidence=files) if work.sealed_at is None else []
    return WorkMore(**_facts(work), missing=lacks)


@reads(routes, "/submissions/{key}/evidence")
def list_evidence(session: Db, person: Reader, key: Key, part: Asked) -> Page[EvidenceOut]:
    """List the files of one's own work that stand, with what the automatic check saw."""
    return evidence_of(session, mine.work(session, person, key), part)


def evidence_of(session: Session, work: Submission, part: Asked, *, blind: bool = False) -> Page[EvidenceOut]:
    """Return the standing files of a work, findings included, in two queries.

    `blind`: for whoever is not to know whose it is, without their own names and what the check saw of the author.
    """
    return listed_part(
        session,
        seen.files(work),
        key=Evidence.id,
        part=part,
        shown=lambda rows: _with_findings(session, [one for (one,) in rows], blind=blind),
    )


def _with_findings(session: Session, files: list[Evidence], *, blind: bool = False) -> list[EvidenceOut]:
    if blind:
        return [_file(one, evidence.neutral_name(one), []) for one in files]
    found = evidence.findings_of(session, handed=files)
    return [_file(one, one.file_name, found[one.id]) for one in files]


def _file(one: Evidence, name: str, found: list[Finding]) -> EvidenceOut:
    return EvidenceOut(
        id=one.id,
        slot=one.slot,
        file_name=name,
        size_bytes=one.size_bytes,
        sha256=one.sha256,
        uploaded_at=one.uploaded_at,
        verdict=one.verdict and one.verdict.value,
        removed_at=one.removed_at,
        findings=[FindingOut(code=f.code, level=f.level, text=f.text) for f in found],
    )


@reads(routes, "/evidence/{key}")
def get_evidence(session: Db, person: Reader, key: Key) -> EvidenceOut:
    """Tell of one file of one's own, with what the automatic check saw."""
    return _with_findings(session, [mine.file(session, person, key)])[0]


@writes(
    routes,
    "DELETE",
    "/evidence/{key}",
    status=204,
    refuses=[evidence.NotEditable, evidence.WindowClosed, evidence.CorrectionOver, WrongPhase],
)
def remove_evidence(session: Db, person: Teacher, key: Key) -> None:
    """Take a file back that was handed in by mistake, as long as the work may be edited."""
    evidence.remove_evidence(session, actor=person, evidence=mine.file(session, person, key))


@writes(
    routes,
    "POST",
    "/submissions/{key}/seal",
    refuses=[
        evidence.NotEditable,
        evidence.WindowClosed,
        evidence.CorrectionOver,
        submissions.Incomplete,
        submissions.NotSealed,
        WrongPhase,
    ],
)
def seal_submission(session: Db, person: Teacher, key: Key, body: SealIn) -> WorkOut:
    """Seal the evidence: from here it counts as handed in."""
    work = mine.work(session, person, key)
    submissions.seal(session, actor=person, submission=work, own_work=body.own_work)
    session.flush()
    return shown_work(work)


@writes(
    routes,
    "POST",
    "/submissions/{key}/submit",
    refuses=[evidence.NotEditable, submissions.DutyOpen, submissions.GateClosed, WrongPhase],
)
def submit_submission(session: Db, person: Teacher, key: Key) -> WorkOut:
    """Send a sealed work forward, once the duty to review others is done."""
    work = mine.work(session, person, key)
    submissions.submit(session, actor=person, submission=work)
    session.flush()
    return shown_work(work)


@reads(routes, "/rounds/{key}/result")
def get_result(session: Db, person: Reader, key: Key) -> ResultOut:
    """Tell one's own result with its ledger; not found before it is published."""
    return _result_out(session, _result(session, person, key))


def _result(session: Session, person: Person, round_id: int) -> Result:
    found = results.published(session, enrolment=mine.enrolment(session, person, round_id))
    if found is None:
        raise NotFound(what=say(_("考核结果")), key=round_id)
    return found


def _result_out(session: Session, found: Result) -> ResultOut:
    answer = answer_to(session, result=found)
    outcome = json.loads(found.outcome)
    return ResultOut(
        id=found.id,
        version=found.version,
        state=Word.of(found.state),
        score=None if found.score is None else str(found.score),
        grade=found.grade,
        composed_at=found.composed_at,
        ledger=outcome["ledger"],
        outcome=outcome,
        appeal=shown_appeal(answer) if answer else None,
    )


def shown_appeal(answer: Answer) -> AppealOut:
    """Return an appeal as it is told to who filed it."""
    one, before = answer.appeal, answer.before
    score = before.score if isinstance(before, Result) else None
    return AppealOut(
        id=one.id,
        state=one.state.value,
        filed_at=one.filed_at,
        due_at=one.due_at,
        decided_at=one.decided_at,
        reasons=answer.reasons,
        grade_before=before.grade if before else None,
        score_before=None if score is None else str(score),
    )


@writes(routes, "POST", "/rounds/{key}/result/sign", refuses=[results.NotToSign, results.NotYourResult])
def sign_result(session: Db, person: Teacher, key: Key, body: SignIn) -> ResultOut:
    """Sign the result; the right to appeal stays."""
    found = _result(session, person, key)
    results.sign(session, actor=person, result=found, comment=(body.comment or "").strip() or None)
    return _result_out(session, found)


@writes(routes, "POST", "/rounds/{key}/result/appeal", status=201, refuses=[appeals.NoAppeal, BadInput, WrongPhase])
def file_appeal(session: Db, person: Teacher, key: Key, body: ReasonIn) -> AppealOut:
    """Appeal against the result, once in a round and in its days."""
    filed = appeals.file(session, actor=person, result=_result(session, person, key), reason=body.reason)
    return shown_appeal(Answer(filed, [], None))


@reads(routes, "/rounds/{key}/adjustments")
def list_adjustments(session: Db, person: Reader, key: Key, part: Asked) -> Page[AdjustmentOut]:
    """List what was recorded of oneself that costs or brings points."""
    own = select(Adjustment).where(Adjustment.enrolment_id == mine.enrolment(session, person, key).id)
    return listed_part(
        session,
        own,
        key=Adjustment.id,
        part=part,
        shown=lambda rows: [shown_adjustment(one) for (one,) in rows],
    )


def shown_adjustment(one: Adjustment) -> AdjustmentOut:
    """Return an adjustment as it is told."""
    return AdjustmentOut(
        id=one.id,
        kind=one.kind.value,
        happened_on=one.happened_on,
        proof=one.proof,
        state=one.state.value,
        points=None if one.points is None else str(one.points),
        contest_reason=one.contest_reason,
        decision_reason=one.decision_reason,
    )


@writes(
    routes,
    "POST",
    "/adjustments/{key}/contest",
    refuses=[adjustments.AlreadyDecided, adjustments.TooLateToContest, BadInput],
)
def contest_adjustment(session: Db, person: Teacher, key: Key, body: ReasonIn) -> AdjustmentOut:
    """Say why a recorded fact is wrong: it does not count until somebody decided."""
    found = mine.record(session, person, key)
    adjustments.contest(session, actor=person, adjustment=found, reason=body.reason)
    return shown_adjustment(found)
