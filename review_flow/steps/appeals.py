"""申诉: filed in its days, heard by people who didn't score, upheld with new marks or dismissed (T20, T21, X-44)."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, bindparam, or_, select, union
from sqlalchemy.orm import aliased

from models import (
    Appeal,
    AppealVote,
    Assignment,
    Enrolment,
    GroupResult,
    PanelMark,
    PanelSeat,
    Person,
    Result,
    Round,
    Submission,
    ValidityVote,
)
from review_flow.clock import days_after, now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, clauses, listed, say
from review_flow.rules.lifecycle import ResultState, RoundPhase, SubmissionState, move
from review_flow.rules.words import AppealState, AssignmentState, SeatKind, WorkKind
from review_flow.steps import audit
from review_flow.steps.certificates import ask_for_certificates, withdraw_outdated
from review_flow.steps.group_results import compose_heard
from review_flow.steps.hearers import call
from review_flow.steps.messages import tell
from review_flow.steps.owners import appeals_against, appeals_of, names, owners, result_of, round_of, steps_aside
from review_flow.steps.panel import standing_marks
from review_flow.steps.people import require_admin, require_seat
from review_flow.steps.results import compose
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import BindParameter, CompoundSelect, Select
    from sqlalchemy.orm import Session

    from review_flow.steps.owners import Graded

MOST = Decimal(100)
MOST_DIGITS = 6


class NoAppeal(Refusal):
    """The result can't be appealed now; says why."""

    status, text = 409, _("现在不能申诉：{why}")


class NotAHearer(Refusal):
    """Who scored, who is concerned, or who said it already, does not hear the appeal."""

    status, text = 403, _("您不能复核这份申诉：{why}")


def file(
    session: Session,
    *,
    actor: Person,
    result: Graded,
    reason: str,
    accepted_late_by: Person | None = None,
    late_reason: str | None = None,
) -> Appeal:
    """File an appeal against the standing result, once in a round, in the scheme's days from publication (T20, X-44).

    After its days an administrator, never the appellant themselves, may still take it, with a reason. Raises
    NotAllowed, NoAppeal saying why, BadInput without a reason.
    """
    round_ = round_of(session, result=result)
    take_turn(session, organization_id=round_.organization_id)
    if actor.id not in owners(session, result=result) or not result.current:
        raise NotAllowed(why=say(_("只能对本人当前的考核结果申诉")))
    require_phase(round_, RoundPhase.PUBLICITY, RoundPhase.SIGNING)
    scheme = round_scheme(session, round_=round_)
    if not scheme.result.appeal.allowed:
        raise NoAppeal(why=say(_("方案没有申诉环节")))
    if not reason.strip():
        raise BadInput(field=say(_("申诉理由")), problem=say(_("请写明申诉的理由。")))
    if session.scalars(appeals_against(result)).first() is not None:
        raise NoAppeal(why=say(_("本轮已申诉过一次")))
    if result.state is ResultState.FINAL or (round_.appeal_due_at is not None and now() > round_.appeal_due_at):
        if accepted_late_by is None or not (late_reason or "").strip():
            raise NoAppeal(why=say(_("申诉期已过，须由管理员写明理由受理")))
        require_admin(session, actor=accepted_late_by, organization_id=round_.organization_id)
        if accepted_late_by.id == actor.id:
            raise NotAllowed(why=say(_("不能受理自己的申诉")))
    span = scheme.calendar.appeal_decision
    appeal = Appeal(
        **names(result),
        appellant_id=actor.id,
        reason=reason,
        late_reason=late_reason,
        filed_at=now(),
        due_at=days_after(now(), span.days, working=span.working_days),
        state=AppealState.FILED,
    )
    session.add(appeal)
    result.state = move(result.state, ResultState.APPEALED)
    session.flush()
    late_by = accepted_late_by.id if accepted_late_by and late_reason else None
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="appeal.file",
        about=appeal,
        accepted_late_by=late_by,
    )
    _call_hearers(session, appeal=appeal, round_=round_)
    return appeal


def _call_hearers(session: Session, *, appeal: Appeal, round_: Round) -> None:
    seats = select(PanelSeat.person_id).where(PanelSeat.round_id == round_.id, PanelSeat.kind == SeatKind.APPEAL)
    for person_id in session.scalars(seats.order_by(PanelSeat.id)).all():
        call(session, person_id=person_id, round_=round_, due_at=appeal.due_at)
    enqueue(session, kind=WorkKind.ADVANCE_ROUND, subject_id=round_.id)  # there may be too few


def vote(
    session: Session,
    *,
    actor: Person,
    appeal: Appeal,
    uphold: bool,
    reason: str,
    marks: Mapping[str, str] | None = None,
) -> None:
    """Say what one hearer finds: dismissed, or upheld with the panel marks they give instead (ability → mark).

    Of a workshop's result the marks are counts: what a quota counts → how many the hearer found.

    When enough hearers agree the appeal is decided; on upholding the result is composed anew and both versions stay.
    Raises NotAHearer for those who scored this teacher, BadInput for marks.
    """
    result = result_of(session, appeal=appeal)
    round_ = round_of(session, result=result)
    take_turn(session, organization_id=round_.organization_id)
    require_seat(session, actor=actor, round_=round_, kinds=[SeatKind.APPEAL])
    require_hearer(session, actor=actor, appeal=appeal)
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明复核的理由。")))
    given = _given(session, result=result, marks=marks or {}) if uphold else {}
    session.add(
        AppealVote(
            appeal_id=appeal.id,
            voter_id=actor.id,
            uphold=uphold,
            marks={k: str(v) for k, v in given.items()},
            reason=reason,
            at=now(),
        )
    )
    session.flush()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="appeal.vote", about=appeal, uphold=uphold
    )
    _decide(session, appeal=appeal, result=result, round_=round_)


def require_hearer(session: Session, *, actor: Person, appeal: Appeal) -> None:
    """Raise NotAHearer for one who is concerned, scored first, or said it already."""
    if appeal.state is not AppealState.FILED:
        raise NotAHearer(why=say(_("申诉已有决定")))
    round_ = round_of(session, result=result_of(session, appeal=appeal))
    why = why_not_hear(session, actor=actor, round_=round_, appeal=appeal)[appeal.id]
    if why is not None:
        raise NotAHearer(why=why)


def why_not_hear(
    session: Session, *, actor: Person, round_: Round, appeal: Appeal | None = None
) -> dict[int, str | None]:
    """Return, in Chinese, why the actor may not hear the undecided appeals of a round, or one; None: they may."""
    asked = _hearing() if appeal is None else _hearing().where(Appeal.id == appeal.id)
    rows = session.execute(asked, {"actor": actor.id, "round": round_.id}).all()
    outside = round_scheme(session, round_=round_).result.appeal.outside_first_panel
    aside = steps_aside(session, person=actor)
    why: dict[int, str | None] = {}
    for key, said, judged, owner, workshop in rows:
        why[key] = say(_("您已提交复核意见")) if said else None
        if judged and outside:
            why[key] = say(_("您参加过首次评分"))
        if owner in aside.people or workshop in aside.workshops:
            why[key] = say(_("应回避本人或有关联的教师"))
    return why


@cache
def _hearing() -> Select[tuple[int, bool, bool, int | None, int | None]]:
    """Select of the undecided appeals of a `round`: whether the `actor` has voted, had a part in it; whose it is."""
    actor = bindparam("actor", type_=BigInteger)
    version = aliased(Result)  # any of the result's
    voted = select(AppealVote.id).where(AppealVote.appeal_id == Appeal.id, AppealVote.voter_id == actor)
    confirmed = select(version.id).where(version.enrolment_id == Enrolment.id, version.confirmed_by_id == actor)
    of_group = GroupResult.confirmed_by_id == actor, GroupResult.composed_by_id == actor
    return (
        appeals_of(bindparam("round", type_=BigInteger))
        .where(Appeal.state == AppealState.FILED)
        .with_only_columns(
            Appeal.id,
            voted.exists(),
            or_(Enrolment.id.in_(_judged_by(actor)), confirmed.exists(), *of_group),
            Enrolment.person_id,
            GroupResult.workshop_id,
            maintain_column_froms=True,
        )
    )


def _judged_by(actor: BindParameter[int]) -> CompoundSelect[tuple[int]]:
    """Select the enrolments that the actor had a part in: as panel or peer, or on validity."""
    works = select(Submission.enrolment_id)
    return union(
        works.join(PanelMark, PanelMark.submission_id == Submission.id).where(
            PanelMark.marker_id == actor, PanelMark.mark.is_not(None)
        ),
        works.join(Assignment, Assignment.submission_id == Submission.id).where(
            Assignment.reviewer_id == actor, Assignment.state == AssignmentState.DONE
        ),
        works.join(ValidityVote, ValidityVote.submission_id == Submission.id).where(ValidityVote.voter_id == actor),
    )


def _given(session: Session, *, result: Graded, marks: Mapping[str, str]) -> dict[str, Decimal]:
    """Return what an upholding hearer found; BadInput names what can't be taken."""
    if isinstance(result, GroupResult):
        return _counts(result=result, counts=marks)
    return _marks(session, enrolment=session.get_one(Enrolment, result.enrolment_id), marks=marks)


def _counts(*, result: GroupResult, counts: Mapping[str, str]) -> dict[str, Decimal]:
    known = json.loads(result.record)["quota"]
    if not counts:
        raise BadInput(field=say(_("复核数")), problem=say(_("变更结果须给出至少一项指标的复核数。")))
    for name, text in counts.items():
        if name not in known:
            raise BadInput(field=name, problem=say(_("应为以下之一：{allowed}。"), allowed=listed(known)))
        if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
            raise BadInput(field=name, problem=say(_("应为不小于0的整数。")))
    return {name: Decimal(text) for name, text in counts.items()}


def _marks(session: Session, *, enrolment: Enrolment, marks: Mapping[str, str]) -> dict[str, Decimal]:
    graded = set(
        session.scalars(
            select(Submission.ability).where(
                Submission.enrolment_id == enrolment.id, Submission.state == SubmissionState.GRADED
            )
        )
    )
    if not marks:
        raise BadInput(field=say(_("复核分")), problem=say(_("变更结果须给出至少一项微能力的复核分。")))
    given = {}
    for ability, text in marks.items():
        if ability not in graded:
            raise BadInput(field=ability, problem=say(_("这位教师没有已评的这项微能力。")))
        try:
            mark = Decimal(text)
        except (InvalidOperation, TypeError, ValueError):
            raise BadInput(field=ability, problem=say(_("“{text}”不是分数。"), text=text)) from None
        if not (mark.is_finite() and 0 <= mark <= MOST and mark == mark.quantize(Decimal("0.01"))):
            raise BadInput(field=ability, problem=say(_("分数应在0–100之间，最多两位小数。")))
        given[ability] = mark
    return given


def _decide(session: Session, *, appeal: Appeal, result: Graded, round_: Round) -> None:
    votes = list(session.scalars(select(AppealVote).where(AppealVote.appeal_id == appeal.id).order_by(AppealVote.id)))
    enough = round_scheme(session, round_=round_).result.appeal.reviewers_min
    for_it = [one for one in votes if one.uphold]
    if len(for_it) >= enough:
        _uphold(session, appeal=appeal, result=result, votes=for_it)
    elif len(votes) - len(for_it) >= enough:
        appeal.state = AppealState.DISMISSED
        result.state = move(result.state, ResultState.FINAL)
    else:
        enqueue(session, kind=WorkKind.ADVANCE_ROUND, subject_id=round_.id)  # another hearer may be wanted
        return
    appeal.decided_at = now()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=None,
        deed="appeal.decide",
        about=appeal,
        state=appeal.state.value,
    )
    ask_for_certificates(session, round_=round_)
    upheld = appeal.state is AppealState.UPHELD
    for person_id in owners(session, result=result):
        tell(
            session,
            person_id=person_id,
            round_id=round_.id,
            kind="appeal.decided",
            sentence=_("您的申诉成立，考核结果已变更，请查看新的计分明细。")
            if upheld
            else _("您的申诉经复核维持原结果：{reason}"),
            reason=clauses(one.reason for one in votes if not one.uphold),
        )


def _release(session: Session, *, submission: Submission, marker_id: int) -> None:
    """Supersede what the hearer said in the first panel, where the scheme lets one of it hear."""
    for earlier in standing_marks(session, submission=submission):
        if earlier.marker_id == marker_id:
            earlier.released_at = now()
    session.flush()


def _uphold(session: Session, *, appeal: Appeal, result: Graded, votes: list[AppealVote]) -> None:
    """Compose a new version from what the hearers found, final at once; both versions stay (N29)."""
    appeal.state = AppealState.UPHELD
    session.flush()
    reason = say(_("申诉成立：{reason}"), reason=clauses(v.reason for v in votes))
    if isinstance(result, GroupResult):
        hearer = session.get_one(Person, votes[-1].voter_id)
        counts = _found(votes)
        fresh: Graded = compose_heard(session, actor=hearer, result=result, counts=counts, reason=reason)
    else:
        enrolment = session.get_one(Enrolment, result.enrolment_id)
        _replace_marks(session, appeal=appeal, enrolment=enrolment, votes=votes)
        fresh = compose(session, enrolment=enrolment, reason=reason)
    fresh.grade, fresh.confirmed_by_id = fresh.proposed_grade, votes[-1].voter_id
    fresh.state = move(move(fresh.state, ResultState.BANDED), ResultState.FINAL)
    session.flush()
    if isinstance(fresh, Result):
        withdraw_outdated(session, enrolment=session.get_one(Enrolment, fresh.enrolment_id), result=fresh)


def _found(votes: list[AppealVote]) -> dict[str, int]:
    """Return what the hearers counted; where they differ, the number that all of them found."""
    found: dict[str, int] = {}
    for one in votes:
        for name, count in one.marks.items():
            found[name] = min(int(count), found.get(name, int(count)))
    return found


def _replace_marks(session: Session, *, appeal: Appeal, enrolment: Enrolment, votes: list[AppealVote]) -> None:
    """Put the hearers' marks in the first panel's place."""
    works = {
        one.ability: one for one in session.scalars(select(Submission).where(Submission.enrolment_id == enrolment.id))
    }
    for one in votes:
        for ability, mark in one.marks.items():
            _release(session, submission=works[ability], marker_id=one.voter_id)
            session.add(
                PanelMark(
                    submission_id=works[ability].id,
                    author_id=works[ability].author_id,
                    marker_id=one.voter_id,
                    seat=SeatKind.APPEAL,
                    mark=Decimal(mark),
                    asked_at=appeal.filed_at,
                    due_at=appeal.due_at,
                    marked_at=one.at,
                )
            )
    session.flush()
