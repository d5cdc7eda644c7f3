"""集体考核结果: what the scheme makes of a group's record, kept with record, outcome and ledger; superseded, never edited.

Nobody's own result: a scheme that judges groups gives its people no grade.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import GroupResult, Round, Workshop
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.rules.grading import grade
from review_flow.rules.lifecycle import ResultState, move
from review_flow.rules.paths import canonical_json
from review_flow.rules.quotas import judges_groups
from review_flow.rules.words import GroupLevel
from review_flow.steps import audit
from review_flow.steps.group_record import group_record_of
from review_flow.steps.groups import Group
from review_flow.steps.people import require_admin
from review_flow.steps.programme import PHASES
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from models import Person
    from review_flow.rules.outcome import Outcome


class GroupNotGraded(Refusal):
    """Only what the scheme judges has a grade."""

    status, text = 409, _("不能为{name}评等：{why}")


def group_outcome(session: Session, *, group: Group) -> Outcome:
    """Return what the scheme makes of the group's record as it is now; nothing is kept."""
    return grade(round_scheme(session, round_=group.round), group_record_of(session, group=group))


def current_group_result(session: Session, *, group: Group) -> GroupResult | None:
    """Return the version that stands, or None before the first."""
    return current_group_results(session, groups=[group]).get(group)


def current_group_results(session: Session, *, groups: Sequence[Group]) -> dict[Group, GroupResult]:
    """Return the versions that stand, of groups of one round."""
    rounds = {one.round.id for one in groups}
    asked = select(GroupResult).where(GroupResult.current, GroupResult.round_id.in_(rounds))
    found = {(one.level, one.workshop_id, one.class_id): one for one in session.scalars(asked)}
    named = ((one, (one.level, one.ids["workshop_id"], one.ids["class_id"])) for one in groups)
    return {group: found[key] for group, key in named if key in found}


def compose_group(session: Session, *, actor: Person, group: Group) -> GroupResult:
    """Grade a workshop and keep the result as a new version; the same facts give the version that stands (000-D, 000-E).

    So does a grade that was confirmed: from there only an appeal makes a new one.
    By the school's administrator. Raises NotAllowed, WrongPhase, GroupNotGraded.
    """
    round_ = group.round
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    require_phase(round_, *PHASES)
    scheme = round_scheme(session, round_=round_)
    if group.level is not GroupLevel.WORKSHOP or not judges_groups(scheme):
        raise GroupNotGraded(name=group.name, why=say(_("本方案不给它评等")))
    older = current_group_result(session, group=group)
    record = group_record_of(session, group=group)
    outcome = grade(scheme, record)
    if older is not None and (
        older.state is not ResultState.COMPOSED
        or _same(older, canonical_json(record).decode(), outcome.canonical().decode())
    ):
        return older
    return _keep(session, actor=actor, group=group, record=record)


def compose_heard(
    session: Session, *, actor: Person, result: GroupResult, counts: dict[str, int], reason: str
) -> GroupResult:
    """Grade a workshop anew with the counts that an appeal's hearers found in the place of the first ones (N29)."""
    record = json.loads(result.record)
    record["quota"] |= counts
    record["heard"] = sorted(counts)
    return _keep(session, actor=actor, group=group_of_result(session, result=result), record=record, reason=reason)


def _keep(
    session: Session, *, actor: Person, group: Group, record: dict[str, Any], reason: str | None = None
) -> GroupResult:
    round_, scheme = group.round, round_scheme(session, round_=group.round)
    outcome = grade(scheme, record)
    older = current_group_result(session, group=group)
    if older is not None:
        older.state, older.current = move(older.state, ResultState.SUPERSEDED), False
        session.flush()
    result = GroupResult(
        **group.ids,
        version=older.version + 1 if older else 1,
        scheme_digest=scheme.digest,
        record=canonical_json(record).decode(),
        outcome=outcome.canonical().decode(),
        state=ResultState.COMPOSED,
        proposed_grade=outcome.grade,
        composed_by_id=actor.id,
        composed_at=now(),
        supersedes_reason=reason,
    )
    session.add(result)
    session.flush()
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="group.compose",
        about=result,
        version=result.version,
        grade=result.proposed_grade,
        outcome=group_digest(result),
    )
    return result


def group_digest(result: GroupResult) -> str:
    """Return the SHA-256 of the outcome's bytes."""
    return hashlib.sha256(result.outcome.encode()).hexdigest()


def replay_group(session: Session, *, result: GroupResult) -> bool:
    """Whether the stored record still grades to the stored outcome, byte for byte."""
    scheme = round_scheme(session, round_=session.get_one(Round, result.round_id))
    return grade(scheme, json.loads(result.record)).canonical().decode() == result.outcome


def group_of_result(session: Session, *, result: GroupResult) -> Group:
    """Return the workshop a result is of."""
    round_ = session.get_one(Round, result.round_id)
    return Group(round_, result.level, workshop=session.get_one(Workshop, result.workshop_id))


def group_stale(session: Session, *, result: GroupResult) -> bool:
    """Whether the facts under a workshop's result have changed since it was composed."""
    record = group_record_of(session, group=group_of_result(session, result=result))
    return _timeless(canonical_json(record).decode()) != _timeless(result.record)


def _same(older: GroupResult, record: str, outcome: str) -> bool:
    return older.outcome == outcome and _timeless(older.record) == _timeless(record)


def _timeless(record: str) -> dict[str, object]:
    """Return a record without the moment it was gathered at; what that moment changes is in the outcome."""
    return {key: value for key, value in json.loads(record).items() if key != "as_of"}
