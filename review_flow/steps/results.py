"""考核结果: composed from stored facts, confirmed, published, signed; superseded, never edited (T15-T22)."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select, update

from models import Adjustment, Enrolment, GroupResult, Person, Result, Round, Signature, Submission, Workshop
from review_flow.clock import days_after, now, shown
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, clauses, say
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import EnrolmentState, ResultState, RoundPhase, SubmissionState, move
from review_flow.rules.marks import band_of, has_scale
from review_flow.rules.outcome import FLAGS
from review_flow.rules.path import NOT_SHOWN
from review_flow.rules.paths import canonical_json
from review_flow.rules.quotas import judges_groups
from review_flow.rules.words import AdjustmentState, SeatKind
from review_flow.steps import audit
from review_flow.steps.facts import record_of
from review_flow.steps.group_results import group_stale
from review_flow.steps.messages import tell_many
from review_flow.steps.owners import (
    all_owners,
    concerned,
    judged_workshops,
    names,
    owners,
    round_of,
    standing_ids,
    standing_results,
    standing_states,
)
from review_flow.steps.people import require_admin, require_seat
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme
    from review_flow.steps.owners import Graded

ENDED = (SubmissionState.GRADED, SubmissionState.INVALID, SubmissionState.REPLACED, SubmissionState.CLOSED)


class NotComposed(Refusal):
    """Something of the round is still open; says what."""

    status, text = 409, _("还不能合成成绩：{why}")


class NotToPublish(Refusal):
    """Not everybody has a grade."""

    status, text = 409, _("还不能公示：{why}")


class CannotConfirm(Refusal):
    """A grade may be confirmed or lowered one band with a reason, never raised (X-03)."""

    status, text = 409, _("不能这样定等：{why}")


class NotYourResult(Refusal):
    """Only the teacher signs, and only what stands."""

    status, text = 403, _("只能签收本人当前有效的考核结果。")


class NotToSign(Refusal):
    """The result is not at the signing step."""

    status, text = 409, _("考核结果现在是“{state}”，不能签名。")


_CURRENT = select(Result).where(Result.enrolment_id == bindparam("enrolment"), Result.current)


def current(session: Session, *, enrolment: Enrolment) -> Result | None:
    """Return the version that stands, or None before the first."""
    return session.scalars(_CURRENT, {"enrolment": enrolment.id}).first()


def published(session: Session, *, enrolment: Enrolment) -> Result | None:
    """Return the result as its teacher may see it: none before it is published."""
    found = current(session, enrolment=enrolment)
    return None if found is None or found.state in NOT_SHOWN else found


def results_of(session: Session, *, round_: Round) -> list[Result]:
    """Return the standing results of a round, in order of enrolment."""
    return list(
        session.scalars(
            select(Result)
            .join(Enrolment, Enrolment.id == Result.enrolment_id)
            .where(Enrolment.round_id == round_.id, Result.current)
            .order_by(Enrolment.id)
        )
    )


def open_ends(session: Session, *, enrolment: Enrolment) -> list[str]:
    """Return, in Chinese, what must still happen before this teacher's result can be composed."""
    round_ = session.get_one(Round, enrolment.round_id)
    phase = round_.phase
    if judges_groups(round_scheme(session, round_=round_)):
        return [say(_("本方案考核的是工作坊，不给教师个人评等"))]
    if phase in {RoundPhase.SETUP, RoundPhase.OPEN}:
        return [say(_("本轮正处于“{phase}”阶段"), phase=say(phase.label))]
    waiting = session.execute(
        select(Submission.ability, Submission.state).where(
            Submission.enrolment_id == enrolment.id, Submission.state.not_in(ENDED)
        )
    )
    found = [say(_("{ability}为“{state}”"), ability=ability, state=say(state.label)) for ability, state in waiting]
    ripe = notice_over_at(session, enrolment=enrolment)
    if ripe is not None and ripe > now():
        found.append(say(_("扣分告知期至{moment}"), moment=shown(ripe)))
    return found


def notice_over_at(session: Session, *, enrolment: Enrolment) -> datetime | None:
    """Return when every adjustment has been known to the teacher for the scheme's notice days; None: there is none."""
    round_ = session.get_one(Round, enrolment.round_id)
    return next(iter(notices_over_at(session, round_=round_, enrolment=enrolment)), None)


def notices_over_at(session: Session, *, round_: Round, enrolment: Enrolment | None = None) -> list[datetime]:
    """Return `notice_over_at` of everybody who takes part in a round and was told of an adjustment; or of one."""
    latest = (
        select(func.max(Adjustment.notified_at))
        .join(Enrolment, Enrolment.id == Adjustment.enrolment_id)
        .where(Enrolment.round_id == round_.id, Enrolment.state != EnrolmentState.EXEMPT)
        .where(Adjustment.state == AdjustmentState.NOTIFIED)
        .group_by(Adjustment.enrolment_id)
    )
    if enrolment is not None:
        latest = latest.where(Enrolment.id == enrolment.id)
    notice = round_scheme(session, round_=round_).calendar.notice
    return [days_after(one, notice.days, working=notice.working_days) for one in session.scalars(latest)]


def compose(session: Session, *, enrolment: Enrolment, reason: str | None = None) -> Result:
    """Gather the facts, grade them, and keep record, outcome and ledger as a new version (T15).

    The same facts under the same scheme give the version that stands, and so does a grade that was confirmed: from
    there only an appeal, which gives its `reason`, makes a new one. Raises NotComposed naming what is open.
    """
    round_ = session.get_one(Round, enrolment.round_id)
    take_turn(session, organization_id=round_.organization_id)
    older = current(session, enrolment=enrolment)
    if older is not None and older.state is not ResultState.COMPOSED and reason is None:
        return older
    found = open_ends(session, enrolment=enrolment)
    if found:
        raise NotComposed(why=clauses(found))
    scheme = round_scheme(session, round_=round_)
    record = record_of(session, enrolment=enrolment)
    text = canonical_json(record).decode()
    if older is not None and older.record == text and reason is None:
        return older
    outcome = grade(scheme, record)
    if older is not None:
        older.state, older.current = move(older.state, ResultState.SUPERSEDED), False
        session.flush()
    result = Result(
        enrolment_id=enrolment.id,
        version=older.version + 1 if older else 1,
        state=ResultState.COMPOSED,
        scheme_digest=scheme.digest,
        record=text,
        outcome=outcome.canonical().decode(),
        on_boundary="on_boundary" in outcome.flags,
        score=outcome.score,
        proposed_grade=outcome.grade,
        composed_at=now(),
        supersedes_reason=reason,
    )
    session.add(result)
    enrolment.state = move(enrolment.state, EnrolmentState.ASSESSED)
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=None,
        deed="result.compose",
        about=result,
        version=result.version,
        score=result.score,
        grade=result.proposed_grade,
        outcome=outcome_digest(result),
    )
    return result


def stale(session: Session, *, result: Graded) -> bool:
    """Whether the facts under a result that nobody confirmed yet have changed since: it must be composed anew."""
    if isinstance(result, GroupResult):
        return result.state is ResultState.COMPOSED and group_stale(session, result=result)
    enrolment = session.get_one(Enrolment, result.enrolment_id)
    return (
        result.state is ResultState.COMPOSED
        and canonical_json(record_of(session, enrolment=enrolment)).decode() != result.record
    )


def outcome_digest(result: Graded) -> str:
    """Return the SHA-256 of the outcome's bytes."""
    return hashlib.sha256(result.outcome.encode()).hexdigest()


def flags_of(result: Graded) -> list[str]:
    """Return, in words, what a reader of a result must see."""
    return [say(FLAGS[name]) for name in json.loads(result.outcome)["flags"]]


def notable(result: Graded, scheme: Scheme) -> list[str]:
    """Return, in words, what the panel looks at before it confirms: the flags, and an unmet condition that decided."""
    rules = {one.id: one for one in (*scheme.prerequisites, *scheme.gates)}
    score = result.score if isinstance(result, Result) else None
    earned = band_of(scheme, score) if score is not None and has_scale(scheme) else None
    unmet = [
        say(_("{condition}：未满足"), condition=rules[one["id"]].text_zh)
        for one in json.loads(result.outcome)["gates"]
        if one["passed"] is False and rules[one["id"]].on_fail.grade == result.proposed_grade != earned
    ]
    return [*unmet[:1], *flags_of(result)]


def replay(session: Session, *, result: Result) -> bool:
    """Whether the stored record still grades to the stored outcome, byte for byte."""
    round_ = session.get_one(Round, session.get_one(Enrolment, result.enrolment_id).round_id)
    return grade(round_scheme(session, round_=round_), json.loads(result.record)).canonical().decode() == result.outcome


def confirm(
    session: Session, *, actor: Person, result: Graded, lower_to: str | None = None, reason: str | None = None
) -> None:
    """Confirm the proposed grade, or lower a grade that *may* be given by one band with a written reason (X-03, T17).

    Raises NotAllowed for one's own or a conflicting teacher's, CannotConfirm: never raised, never a grade that
    *shall* be, never while a deduction is contested or the facts have changed (T16).
    """
    round_ = round_of(session, result=result)
    take_turn(session, organization_id=round_.organization_id)
    require_seat(session, actor=actor, round_=round_, kinds=[SeatKind.MEMBER])
    if actor.id in concerned(session, result=result):
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    why = unready(session, result=result)
    if why is not None:
        raise CannotConfirm(why=why)
    if lower_to is not None and lower_to != result.proposed_grade:
        _require_lowerable(session, round_=round_, result=result, lower_to=lower_to, reason=reason)
        result.lowered_reason = reason
    _band(session, actor=actor, round_=round_, result=result, grade_=lower_to or result.proposed_grade)


def unready(session: Session, *, result: Graded) -> str | None:
    """Return, in Chinese, why a result can't be confirmed now; None: it can."""
    if result.state is not ResultState.COMPOSED:
        return say(_("现在是“{state}”"), state=say(result.state.label))
    if isinstance(result, Result) and _contested(session, result):
        return say(_("有扣分异议尚未处理"))
    if stale(session, result=result):
        return say(_("计分依据有变化，成绩正在重新合成"))
    return None


def _contested(session: Session, result: Result) -> bool:
    contested = select(Adjustment.id).where(
        Adjustment.enrolment_id == result.enrolment_id, Adjustment.state == AdjustmentState.CONTESTED
    )
    return session.scalars(contested).first() is not None


def lower_of(session: Session, *, result: Graded) -> str | None:
    """Return the grade one band lower, where the proposed one *may* be given and not *shall* (X-03)."""
    bands = round_scheme(session, round_=round_of(session, result=result)).bands.list
    place = [band.grade for band in bands].index(result.proposed_grade)
    return bands[place + 1].grade if bands[place].modal == "may" and place + 1 < len(bands) else None


def _require_lowerable(session: Session, *, round_: Round, result: Graded, lower_to: str, reason: str | None) -> None:
    bands = round_scheme(session, round_=round_).bands.list
    grades = [band.grade for band in bands]
    if lower_to not in grades:
        raise CannotConfirm(why=say(_("方案没有“{grade}”这个等级"), grade=lower_to))
    place = grades.index(result.proposed_grade)
    if bands[place].modal != "may":
        raise CannotConfirm(why=say(_("“{grade}”是“应为”，不能改动"), grade=result.proposed_grade))
    if grades.index(lower_to) != place + 1:
        raise CannotConfirm(why=say(_("只能降一等，不能升")))
    if not (reason or "").strip():
        raise BadInput(field=say(_("理由")), problem=say(_("降等须写明理由。")))


def _band(session: Session, *, actor: Person, round_: Round, result: Graded, grade_: str) -> None:
    result.grade, result.confirmed_by_id = grade_, actor.id
    result.state = move(result.state, ResultState.BANDED)
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="result.confirm", about=result, grade=grade_
    )


def confirm_all(session: Session, *, actor: Person, round_: Round) -> int:
    """Confirm every proposed grade that can be confirmed, but one's own and conflicting teachers'; return how many."""
    take_turn(session, organization_id=round_.organization_id)
    return sum(confirm_ready(session, actor=actor, result=one) for one in standing_results(session, round_=round_))


def confirm_ready(session: Session, *, actor: Person, result: Graded) -> bool:
    """Confirm a proposed grade where the actor may and nothing stands in the way; return whether they did."""
    round_ = round_of(session, result=result)
    take_turn(session, organization_id=round_.organization_id)
    require_seat(session, actor=actor, round_=round_, kinds=[SeatKind.MEMBER])
    if actor.id in concerned(session, result=result) or unready(session, result=result) is not None:
        return False
    _band(session, actor=actor, round_=round_, result=result, grade_=result.proposed_grade)
    return True


def publish(session: Session, *, actor: Person, round_: Round) -> None:
    """Publish names and grades for the scheme's days (T18, X-45). Raises NotToPublish while one is not confirmed."""
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.SCORING)
    scheme, standing = round_scheme(session, round_=round_), standing_states(session, round_=round_)
    total, done = to_be_graded(session, round_=round_), standing[ResultState.BANDED]
    if not total or done < total or done < standing.total():
        groups = judges_groups(scheme)
        why = _("{total}个工作坊中有{left}个尚未定等") if groups else _("{total}位教师中有{left}位尚未定等")
        raise NotToPublish(why=say(why, total=total, left=total - done))
    span = scheme.calendar.publicity
    round_.phase = move(round_.phase, RoundPhase.PUBLICITY)
    round_.publicity_ends_at = days_after(now(), span.days, working=span.working_days)
    model, ids = standing_ids(round_, scheme)
    published_ = move(ResultState.BANDED, ResultState.PUBLISHED)
    session.execute(update(model).where(model.id.in_(ids)).values(state=published_))
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="round.publish", about=round_)
    tell_many(
        session,
        people=all_owners(session, round_=round_),
        round_id=round_.id,
        kind="result.published",
        sentence=_("您的考核结果已公示，请查看计分明细；公示期满后请签名，有异议可在申诉期内申诉。"),
    )


def to_be_graded(session: Session, *, round_: Round) -> int:
    """Return how many results a round must have: of its teachers, or of its workshops where these are judged."""
    if judges_groups(round_scheme(session, round_=round_)):
        return len(judged_workshops(session, round_=round_))
    taking_part = select(func.count(Enrolment.id)).where(
        Enrolment.round_id == round_.id, Enrolment.state != EnrolmentState.EXEMPT
    )
    return session.scalar(taking_part) or 0


def published_list(session: Session, *, round_: Round) -> list[dict[str, str]]:
    """Return what is published of a round: the scheme's fields and no more (X-45); before publication, nothing."""
    if round_.phase not in {RoundPhase.PUBLICITY, RoundPhase.SIGNING, RoundPhase.CLOSED}:
        return []
    fields = round_scheme(session, round_=round_).result.publicity.fields
    of_people = (
        select(Person.name, Result.grade)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .join(Result, Result.enrolment_id == Enrolment.id)
        .where(Enrolment.round_id == round_.id, Result.current)
        .order_by(Enrolment.id)
    )
    of_groups = (
        select(Workshop.name, GroupResult.grade)
        .join(GroupResult, GroupResult.workshop_id == Workshop.id)
        .where(GroupResult.round_id == round_.id, GroupResult.current)
        .order_by(GroupResult.id)
    )
    rows = session.execute(of_groups if judges_groups(round_scheme(session, round_=round_)) else of_people)
    return [{k: v for k, v in (("name", name), ("grade", str(grade_))) if k in fields} for name, grade_ in rows]


def sign(session: Session, *, actor: Person, result: Graded, comment: str | None = None) -> Signature:
    """Sign a result, with a comment if there is one (001-A-10): the teacher, of a workshop's one of its leaders.

    Signing doesn't give up the right to appeal.
    """
    round_ = round_of(session, result=result)
    take_turn(session, organization_id=round_.organization_id)
    if actor.id not in owners(session, result=result) or not result.current:
        raise NotYourResult
    if result.state is not ResultState.TO_SIGN:
        raise NotToSign(state=say(result.state.label))
    signature = Signature(
        **names(result), person_id=actor.id, outcome_digest=outcome_digest(result), comment=comment, at=now()
    )
    session.add(signature)
    result.state = move(result.state, ResultState.SIGNED)
    session.flush()
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="result.sign", about=result)
    return signature
