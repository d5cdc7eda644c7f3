"""推优: a work or a learner is put forward by a workshop and rises level by level (T24, 003-27, 004-06).

A work leaves its workshop with its author's consent alone, and is published with a second, separate one. Nobody votes
on or marks own work. How a level decides, and how many go on, is the scheme's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import (
    Enrolment,
    Evidence,
    Nomination,
    NominationVoice,
    Person,
    Round,
    Submission,
    Workshop,
)
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.lifecycle import EnrolmentState, RoundPhase
from review_flow.rules.marks import aggregate, rounded, shown
from review_flow.rules.quotas import MINIMUMS, judges_groups, needed
from review_flow.rules.words import (
    EvidenceState,
    GroupLevel,
    NominationKind,
    NominationState,
    RoleKind,
    SeatKind,
    Verdict,
    WorkConsent,
)
from review_flow.steps.group_record import group_record_of
from review_flow.steps.groups import Group, quotas_at, require_teller, workshop_group
from review_flow.steps.people import conflicting_with, has_role, has_seat
from review_flow.steps.programme import PHASES, leads, require_above
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work_consents import record, require_consent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from sqlalchemy.orm import Session

    from review_flow.rules.programme import PipelineStep
    from review_flow.rules.scheme import Scheme

MOST_MARK = 100
INSIDE, SCHOOL = "workshop", "school"
RISING = tuple(phase for phase in RoundPhase if phase is not RoundPhase.CLOSED)
"""Works rise until the round is archived with every voice and move; also after the grades (T24)."""
COUNTS = {NominationKind.WORK: "excellent_work", NominationKind.LEARNER: "recommended_learner"}


class NotNominable(Refusal):
    """What is put forward is somebody's of the workshop, in the round, and no more than the scheme allows."""

    status, text = 409, _("不能推荐：{why}")


class NotRising(Refusal):
    """Only what waits at a level is judged there."""

    status, text = 409, _("“{title}”现在不在评选中。")


class NotYourJudgement(Refusal):
    """Nobody votes on, marks or names own work, nor that of their household."""

    status, text = 403, _("不能给本人或有关联的教师的作品投票、评分，也不能指定其入选，请由他人办理。")


class OtherWay(Refusal):
    """The level decides in one way alone."""

    status, text = 409, _("这一级的办法是“{way}”。")


WAYS = {"named": _("指定"), "vote": _("投票"), "mark": _("评分")}


@dataclass(frozen=True)
class Work:
    """What is put forward: a title, and where it is a work, its file here or elsewhere."""

    kind: NominationKind
    title: str
    video: bool = False
    ability: str | None = None
    category: str | None = None
    evidence: Evidence | None = None


def nominate(session: Session, *, actor: Person, round_: Round, author: Person, work: Work) -> Nomination:
    """Put a work or learner of a workshop forward; by its leader or the school's administrator.

    Where workshops are judged what they put forward counts: then only until their results are published.
    Raises NotAllowed, WrongPhase, NotNominable: not in the round, an own wish not among the award categories, somebody
    else's or an unchecked file, twice the same, or more than a maximum of the scheme (000-E-16: ≤ 5 %).
    """
    take_turn(session, organization_id=round_.organization_id)
    workshop = None if author.workshop_id is None else session.get_one(Workshop, author.workshop_id)
    if workshop is None:
        raise NotNominable(why=say(_("{name}不在任何工作坊"), name=author.name))
    group = workshop_group(round_=round_, workshop=workshop)
    require_teller(session, actor=actor, group=group)
    scheme = round_scheme(session, round_=round_)
    require_phase(round_, *(PHASES if judges_groups(scheme) else RISING))
    why = _problem(session, round_=round_, scheme=scheme, author=author, work=work)
    if why is not None:
        raise NotNominable(why=why)
    _require_room(session, group=group, scheme=scheme, kind=work.kind)
    nomination = Nomination(
        round_id=round_.id,
        workshop_id=workshop.id,
        author_id=author.id,
        kind=work.kind,
        title=work.title.strip(),
        video=work.video,
        ability=work.ability,
        category=work.category,
        evidence_id=work.evidence.id if work.evidence else None,
        step=scheme.pipeline[0].id if scheme.pipeline and work.kind is NominationKind.WORK else None,
        state=NominationState.RISING,
        nominated_by_id=actor.id,
        nominated_at=now(),
    )
    session.add(nomination)
    session.flush()
    record(session, actor=actor, nomination=nomination, deed="nomination.add", kind=work.kind.value)
    return nomination


def _problem(session: Session, *, round_: Round, scheme: Scheme, author: Person, work: Work) -> str | None:
    if not work.title.strip():
        return say(_("请写明名称"))
    if work.kind is NominationKind.LEARNER and (work.video or work.evidence is not None):
        return say(_("推荐学员时不附作品"))
    categories = scheme.groups.get("awards", ())
    if work.category is not None and work.category not in categories:
        return say(_("没有“{word}”这一类，可填：{names}"), word=work.category, names=listed(categories) or say(_("无")))
    enrolled = select(Enrolment.id).where(
        Enrolment.round_id == round_.id, Enrolment.person_id == author.id, Enrolment.state != EnrolmentState.EXEMPT
    )
    if session.scalars(enrolled).first() is None:
        return say(_("“{number}”不在本轮考核的名单里"), number=author.number)
    same = select(Nomination.id).where(
        Nomination.round_id == round_.id,
        Nomination.author_id == author.id,
        Nomination.kind == work.kind,
        Nomination.title == work.title.strip(),
        Nomination.state != NominationState.WITHDRAWN,
    )
    if session.scalars(same).first() is not None:
        return say(_("已经推荐过"))
    return None if work.evidence is None else _file_problem(session, round_=round_, author=author, file=work.evidence)


def _file_problem(session: Session, *, round_: Round, author: Person, file: Evidence) -> str | None:
    submission = session.get_one(Submission, file.submission_id)
    if submission.author_id != author.id or submission.round_id != round_.id:
        return say(_("这不是该教师本轮的材料"))
    if file.state is not EvidenceState.CHECKED or file.verdict is Verdict.REJECTED or file.removed_at is not None:
        return say(_("这份材料没有通过检查，或已被替换、删除"))
    return None


def _require_room(session: Session, *, group: Group, scheme: Scheme, kind: NominationKind) -> None:
    """Raise NotNominable where one more passes a hard maximum of the workshop; a share rounds down (X-51)."""
    counts = group_record_of(session, group=group)["quota"]
    for quota in quotas_at(scheme, GroupLevel.WORKSHOP):
        if quota.of != COUNTS[kind] or quota.op in MINIMUMS or quota.strict != "must":
            continue
        most = needed(quota, counts.get(quota.share_of))
        if most is not None and counts[quota.of] >= most:
            raise NotNominable(why=say(_("{name}不超过{most}"), name=quota.name_zh, most=shown(most)))


def step_of(scheme: Scheme, nomination: Nomination) -> PipelineStep:
    """Return the level a nomination waits at; raises NotRising."""
    found = next((one for one in scheme.pipeline if one.id == nomination.step), None)
    if found is None or nomination.state is not NominationState.RISING:
        raise NotRising(title=nomination.title)
    return found


def vote(session: Session, *, actor: Person, nomination: Nomination) -> NominationVoice:
    """Vote for a work at a level that votes; again, nothing changes. Raises as `_require_judge`, WrongPhase."""
    return _voice(session, actor=actor, nomination=nomination, way="vote", deed="nomination.vote", mark=None)


def mark_work(session: Session, *, actor: Person, nomination: Nomination, mark: Decimal) -> NominationVoice:
    """Mark a work from 0 to 100 at a level that marks; another mark supersedes. Raises as `vote`, BadInput."""
    if not mark.is_finite() or not 0 <= mark <= MOST_MARK or mark != rounded(Fraction(mark)):
        raise BadInput(field=say(_("分数")), problem=say(_("应在0到100之间，最多两位小数。")))
    return _voice(session, actor=actor, nomination=nomination, way="mark", deed="nomination.mark", mark=mark)


def _voice(
    session: Session, *, actor: Person, nomination: Nomination, way: str, deed: str, mark: Decimal | None
) -> NominationVoice:
    round_ = session.get_one(Round, nomination.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, *RISING)
    step = step_of(round_scheme(session, round_=round_), nomination)
    if step.decide != way:
        raise OtherWay(way=say(WAYS[step.decide]))
    if actor.id in conflicting_with(session, person_id=nomination.author_id):
        raise NotYourJudgement
    _require_judge(session, actor=actor, round_=round_, nomination=nomination, step=step)
    if step.level != INSIDE:
        require_consent(session, nomination=nomination, about=WorkConsent.AUTHOR)
    old = next((one for one in voices(session, nomination=nomination, step=step) if one.judge_id == actor.id), None)
    if old is not None and old.mark == mark:
        return old
    if old is not None:
        old.struck_at = now()
        session.flush()
    voice = NominationVoice(
        nomination_id=nomination.id,
        author_id=nomination.author_id,
        step=step.id,
        judge_id=actor.id,
        mark=mark,
        at=now(),
    )
    session.add(voice)
    record(session, actor=actor, nomination=nomination, deed=deed, step=step.id)
    return voice


def voices(session: Session, *, nomination: Nomination, step: PipelineStep) -> list[NominationVoice]:
    """Return the standing votes or marks of a work at a level."""
    return list(
        session.scalars(
            select(NominationVoice)
            .where(
                NominationVoice.nomination_id == nomination.id,
                NominationVoice.step == step.id,
                NominationVoice.struck_at.is_(None),
            )
            .order_by(NominationVoice.id)
        )
    )


def _require_judge(
    session: Session, *, actor: Person, round_: Round, nomination: Nomination, step: PipelineStep
) -> None:
    """In the workshop its members judge; in the school its panel, experts and administrators; above it, the county's."""
    enrolled = select(Enrolment.id).where(
        Enrolment.round_id == round_.id, Enrolment.person_id == actor.id, Enrolment.state != EnrolmentState.EXEMPT
    )
    if step.level == INSIDE:
        if actor.workshop_id == nomination.workshop_id and session.scalars(enrolled).first() is not None:
            return
        raise NotAllowed(why=say(_("这一级由本坊坊员评选")))
    if step.level != SCHOOL:
        require_above(session, actor=actor, organization_id=round_.organization_id)
        return
    roles = [RoleKind.SCHOOL_ADMIN, RoleKind.SUBJECT_EXPERT]
    if has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=roles):
        return
    if not has_seat(session, person_id=actor.id, round_id=round_.id, kinds=[SeatKind.MEMBER]):
        raise NotAllowed(why=say(_("这一级由考核组、学科专家或管理员评选")))


def tally(session: Session, *, nomination: Nomination, step: PipelineStep) -> Fraction:
    """Return a work's votes, or the mean of its marks; 0 where there are none."""
    return _tallied(voices(session, nomination=nomination, step=step))


def _tallied(given: Sequence[NominationVoice]) -> Fraction:
    marks = [one.mark for one in given if one.mark is not None]
    return Fraction(aggregate("mean", marks)) if marks else Fraction(len(given))


def tallies(session: Session, *, nominations: Sequence[Nomination]) -> dict[int, Fraction]:
    """Return nomination's id → its tally at the level it waits at, of those that wait at one."""
    asked = (
        select(NominationVoice)
        .join(Nomination, Nomination.id == NominationVoice.nomination_id)
        .where(
            Nomination.id.in_([one.id for one in nominations]),
            NominationVoice.step == Nomination.step,
            NominationVoice.struck_at.is_(None),
        )
    )
    given: dict[int, list[NominationVoice]] = {one.id: [] for one in nominations if one.step is not None}
    for voice in session.scalars(asked):
        given[voice.nomination_id].append(voice)
    return {key: _tallied(found) for key, found in given.items()}


def visible(session: Session, *, actor: Person, round_: Round) -> list[Nomination]:
    """Return the nominations that are the actor's to see.

    Their own, what they may judge now, all of the workshop they lead; everything to the administrator.
    """
    steps = {one.id: one for one in round_scheme(session, round_=round_).pipeline}
    admin = has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN])
    leader = leads(session, actor=actor, workshop_id=actor.workshop_id)
    judges: dict[tuple[str | None, bool], bool] = {}

    def theirs(one: Nomination) -> bool:
        inside = one.workshop_id == actor.workshop_id
        if admin or one.author_id == actor.id or (leader and inside):
            return True
        if (one.step, inside) not in judges:  # asked once for each level, however many wait there
            step = steps.get(one.step or "")
            judged = step is not None and _judges(session, actor=actor, round_=round_, nomination=one, step=step)
            judges[one.step, inside] = judged
        return judges[one.step, inside]

    found = session.scalars(select(Nomination).where(Nomination.round_id == round_.id).order_by(Nomination.id))
    return [one for one in found if theirs(one)]


def _judges(session: Session, *, actor: Person, round_: Round, nomination: Nomination, step: PipelineStep) -> bool:
    try:
        _require_judge(session, actor=actor, round_=round_, nomination=nomination, step=step)
    except NotAllowed:
        return False
    return True
