"""撤销导入: the last sheet is taken back, whole, as long as nothing rests on what it made.

People, roles, workshops and enrolments that it added are removed. Facts and numbers are struck and stay to be read;
what they superseded stands again. Whatever it changed is as it was before.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, select, tuple_

from models import Adjustment, Enrolment, Fact, Hours, Round, SheetImport
from models.base import Base, plain
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.rules.words import AdjustmentState, JobState, SheetKind
from review_flow.steps import audit
from review_flow.steps.imports import PHASES
from review_flow.steps.messages import tell
from review_flow.steps.people import allocate_anew, require_admin
from review_flow.steps.programme import banded
from review_flow.steps.rounds import require_phase
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from models import Person

MODELS: dict[str, type[Base]] = {one.class_.__tablename__: one.class_ for one in Base.registry.mappers}
STRUCK = (Hours, Fact, Adjustment)
WRONG = _("登记有误，导入已撤销")
Changes = list[tuple[Base, dict[str, list[Any]]]]


class NotTakenBack(Refusal):
    """Says what stands in the way of undoing an import."""

    status, text = 409, _("不能撤销这次导入：{why}。")


def take_back(session: Session, *, actor: Person, sheet_import: SheetImport) -> None:
    """Undo the school's last import. Raises NotTakenBack, WrongPhase, NotAllowed; then nothing has changed."""
    require_admin(session, actor=actor, organization_id=sheet_import.organization_id)
    take_turn(session, organization_id=sheet_import.organization_id)
    made = _made(session, sheet_import)
    added = [session.get_one(MODELS[table], key) for table, key in made["added"]]
    changed = [(session.get_one(MODELS[table], key), values) for table, key, values in made["changed"]]
    _require_untouched(changed)
    _require_ungraded(session, sheet_import, added)
    kept = [one for one in added if isinstance(one, STRUCK)]
    gone = [one for one in added if not isinstance(one, STRUCK)]
    with session.begin_nested():  # what it changed may be all that refers to what it added
        _restore(session, changed)
        _require_free(session, gone)
    for fact in reversed(kept):
        _strike(session, actor, fact, sheet_import)
    for one in reversed(gone):
        session.delete(one)
        session.flush()
    sheet_import.state = JobState.TAKEN_BACK
    sheet_import.taken_back_by_id, sheet_import.taken_back_at = actor.id, now()
    audit.record(
        session,
        organization_id=sheet_import.organization_id,
        actor=actor,
        deed="sheet.take_back",
        about=sheet_import,
        removed=[f"{one.__tablename__}:{one.id}" for one in gone],
        struck=[f"{one.__tablename__}:{one.id}" for one in kept],
        restored=[f"{row.__tablename__}:{row.id}" for row, _values in changed],
    )
    if sheet_import.kind is SheetKind.ROSTER:
        allocate_anew(session, organization_id=sheet_import.organization_id)


def why_not(session: Session, *, sheet_import: SheetImport) -> str | None:
    """Return, in Chinese, why an import is not the one that could be undone now; None: it is. Asks little."""
    if sheet_import.state is not JobState.DONE or sheet_import.made is None:
        return say(_("它没有导入任何内容"))
    later = select(SheetImport.id).where(
        SheetImport.organization_id == sheet_import.organization_id,
        SheetImport.state == JobState.DONE,
        tuple_(SheetImport.finished_at, SheetImport.id) > (sheet_import.finished_at, sheet_import.id),
    )
    if session.scalars(later).first() is not None:
        return say(_("之后又导入过别的表，请先撤销后来的"))
    return None


def _made(session: Session, sheet_import: SheetImport) -> dict[str, Any]:
    why = why_not(session, sheet_import=sheet_import)
    if why is not None or sheet_import.made is None:
        raise NotTakenBack(why=why)
    if sheet_import.round_id is not None:
        require_phase(session.get_one(Round, sheet_import.round_id), *PHASES[sheet_import.kind])
    return sheet_import.made


def _require_untouched(changed: Changes) -> None:
    """Refuse where somebody has changed since what the sheet changed: their word is the later one."""
    latest: dict[tuple[int, str], object] = {}
    for row, values in changed:
        latest |= {(id(row), key): now_ for key, (_was, now_) in values.items()}
    for row, values in changed:
        for key in values:
            if plain(getattr(row, key)) != latest[id(row), key]:
                raise NotTakenBack(why=say(_("它改过的内容后来又有改动")))


def _require_ungraded(session: Session, sheet_import: SheetImport, added: Sequence[Base]) -> None:
    """Refuse where a grade is confirmed that counts one of the facts, or a fact is contested or decided."""
    whose = {one.enrolment_id for one in added if isinstance(one, STRUCK)}
    if whose and whose & banded(session, round_=session.get_one(Round, sheet_import.round_id)):
        raise NotTakenBack(why=say(_("已有教师的等级确定，依据的就是它")))
    for one in added:
        if isinstance(one, Adjustment) and one.state is not AdjustmentState.NOTIFIED:
            raise NotTakenBack(why=say(_("已有教师对其中的登记提出异议，或已处理")))
        if isinstance(one, Hours | Fact) and one.struck_at is not None:
            raise NotTakenBack(why=say(_("其中的登记已被后来的取代")))


def _restore(session: Session, changed: Changes) -> None:
    for row, values in reversed(changed):
        for key, (was, _now) in values.items():
            setattr(row, key, _value(row, key, was))
    session.flush()


def _require_free(session: Session, gone: Sequence[Base]) -> None:
    """Refuse where a row that stays refers to one that would go: one question for each way to refer."""
    ids: defaultdict[str, list[int]] = defaultdict(list)
    for one in gone:
        ids[one.__tablename__].append(one.id)
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            target = key.column.table.name
            if target not in ids or key.column.name != "id":
                continue
            refers = select(table.c.id).where(key.parent.in_(ids[target]), table.c.id.not_in(ids.get(table.name, [])))
            if session.scalars(refers.limit(1)).first() is not None:
                raise NotTakenBack(why=say(_("导入的人员已有后续记录（{what}）"), what=table.name))


def _strike(session: Session, actor: Person, one: Hours | Fact | Adjustment, sheet_import: SheetImport) -> None:
    if isinstance(one, Adjustment):
        # The key goes with the sheet, so that a right one may bring the same fact again.
        one.state, one.key = AdjustmentState.STRUCK, f"{one.key}#{sheet_import.id}"
        one.decided_by_id, one.decision_reason = actor.id, say(WRONG)
        enrolment = session.get_one(Enrolment, one.enrolment_id)
        sentence = _("之前为您登记的（{day}，证明：{proof}）已撤销。")
        tell(
            session,
            person_id=enrolment.person_id,
            round_id=enrolment.round_id,
            kind="adjustment.taken_back",
            sentence=sentence,
            day=one.happened_on,
            proof=one.proof,
        )
        return
    one.struck_at = now()
    if isinstance(one, Fact):  # without a reason it would read as superseded
        one.struck_by_id, one.struck_reason = actor.id, say(WRONG)


def _value(row: Base, key: str, was: Any) -> Any:
    """Return a value as its column holds it, from what JSON kept of it."""
    if was is None:
        return None
    state: Any = inspect(row)
    kind = state.mapper.columns[key].type.python_type
    if issubclass(kind, Enum):
        return kind(was)
    return date.fromisoformat(was) if issubclass(kind, date) else was
