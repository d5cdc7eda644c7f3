"""One writer at a time in a school: whoever waited for the turn sees what the one before them did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from models import Organization

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, SessionTransaction

_TURN = "turn"
LOCKED = select(Organization.id).where(Organization.id == bindparam("organization")).with_for_update(key_share=True)
"""Locks an organization's row; built once, as all that is asked often: building takes longer than the answer."""


def take_turn(session: Session, *, organization_id: int) -> None:
    """Lock the organization's row until the transaction ends, and forget what was read before.

    Without it two last marks given at once would each miss the other, and a work would wait for ever; and two deeds
    that lock rows in another order would meet in a deadlock. It comes before anything a deed reads. SQLite's
    immediate transactions take turns by themselves. A school writes a few times a second at most.
    """
    if session.info.get(_TURN) == (innermost(session), organization_id):
        return
    session.flush()
    session.execute(LOCKED, {"organization": organization_id}).one()
    session.expire_all()
    session.info[_TURN] = (innermost(session), organization_id)


def innermost(session: Session) -> SessionTransaction | None:
    """Return the innermost transaction: what is remembered for it alone is forgotten with a savepoint taken back."""
    return session.get_nested_transaction() or session.get_transaction()
