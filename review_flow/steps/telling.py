"""登记: how facts of teachers and of groups are kept and struck alike. No row is edited but to strike it (design rule 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review_flow.clock import now
from review_flow.errors import BadInput
from review_flow.i18n import _, say
from review_flow.steps import audit

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models import Fact, GroupFact, Person

    Told = Fact | GroupFact


def keep(session: Session, *, actor: Person, organization_id: int, deed: str, fact: Told, old: Told | None) -> str:
    """Add a fact, in the place of an older one where there is one, which stays to be seen; return added or superseded."""
    if old is not None:
        old.struck_at, old.struck_by_id = now(), actor.id
        session.flush()
    fact.recorded_by_id, fact.recorded_at = actor.id, now()
    session.add(fact)
    session.flush()
    superseded = None if old is None else old.id
    audit.record(
        session,
        organization_id=organization_id,
        actor=actor,
        deed=deed,
        about=fact,
        kind=fact.kind.value,
        superseded=superseded,
    )
    return "added" if old is None else "superseded"


def strike(session: Session, *, actor: Person, organization_id: int, deed: str, fact: Told, reason: str) -> None:
    """Take a standing fact back; it stays to be seen. Raises BadInput without a reason."""
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明原因。")))
    fact.struck_at, fact.struck_by_id, fact.struck_reason = now(), actor.id, reason
    audit.record(session, organization_id=organization_id, actor=actor, deed=deed, about=fact, reason=reason)
