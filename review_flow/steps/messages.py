"""The outbox: a sentence for one person, kept in the same transaction as what it tells of; a flow delivers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, insert, select, update

from models import Message, Person, Role
from review_flow.clock import now
from review_flow.i18n import say
from review_flow.rules.words import RoleKind, WorkKind
from review_flow.steps import webhook_news
from review_flow.steps.work import enqueue, enqueue_all

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.orm import Session

    from models import Round
    from review_flow.outside.messages import Messenger


def tell(
    session: Session, *, person_id: int, round_id: int | None, kind: str, sentence: str, **names: object
) -> Message:
    """Leave a message for a person and ask for its delivery. `kind` is stable; the sentence is what they read."""
    message = Message(person_id=person_id, round_id=round_id, kind=kind, text=say(sentence, **names), created_at=now())
    session.add(message)
    session.flush()
    enqueue(session, kind=WorkKind.DELIVER_MESSAGES, subject_id=person_id)
    webhook_news.book(session, messages=[message])
    return message


def tell_many(
    session: Session, *, people: Collection[int], round_id: int | None, kind: str, sentence: str, **names: object
) -> None:
    """Leave the same message for many people, in a few statements however many they are."""
    text, moment = say(sentence, **names), now()
    common = {"round_id": round_id, "kind": kind, "text": text, "created_at": moment}
    if not people:
        return
    left = session.scalars(insert(Message).returning(Message), [{"person_id": one, **common} for one in people])
    webhook_news.book(session, messages=left.all())
    enqueue_all(session, kind=WorkKind.DELIVER_MESSAGES, subject_ids=people)


def tell_admins(session: Session, *, round_: Round, kind: str, sentence: str) -> None:
    """Leave a message for every administrator of the round's school."""
    tell_administrators(
        session, organization_id=round_.organization_id, round_id=round_.id, kind=kind, sentence=sentence
    )


def tell_administrators(
    session: Session, *, organization_id: int, round_id: int | None, kind: str, sentence: str, **names: object
) -> None:
    """Leave a message for every administrator of an organization."""
    admins = select(Role.person_id).where(Role.organization_id == organization_id, Role.kind == RoleKind.SCHOOL_ADMIN)
    for person_id in session.scalars(admins.order_by(Role.id)).all():
        tell(session, person_id=person_id, round_id=round_id, kind=kind, sentence=sentence, **names)


def deliver(session: Session, *, person_id: int, messenger: Messenger) -> None:
    """Hand everything that waits for a person to the outside as one message. A messenger that fails raises."""
    waiting = list(
        session.scalars(
            select(Message).where(Message.person_id == person_id, Message.delivered_at.is_(None)).order_by(Message.id)
        )
    )
    if not waiting:
        return
    taken_by = messenger.send(
        to=session.get_one(Person, person_id).contact, text="\n".join(dict.fromkeys(one.text for one in waiting))
    )
    for message in waiting:
        message.delivered_by, message.delivered_at = taken_by, now()


_OWN = (
    select(Message)
    .where(Message.person_id == bindparam("person"))
    .order_by(Message.id.desc())
    .limit(bindparam("most"))
    .offset(bindparam("skipped"))
)
_COUNT = select(func.count()).where(Message.person_id == bindparam("person"))
_UNREAD = _OWN.where(Message.read_at.is_(None))


def inbox(session: Session, *, person: Person, number: int, each: int) -> tuple[Sequence[Message], int]:
    """Return one page (`number` from 1) of what a person was told, the newest first, and how many there are in all."""
    asked = {"person": person.id, "most": each, "skipped": (number - 1) * each}
    return session.scalars(_OWN, asked).all(), session.scalar(_COUNT, {"person": person.id}) or 0


def unread(session: Session, *, person: Person, most: int) -> Sequence[Message]:
    """Return the newest of what a person has not read."""
    return session.scalars(_UNREAD, {"person": person.id, "most": most, "skipped": 0}).all()


def mark_read(session: Session, *, actor: Person, newest_id: int) -> None:
    """Keep that the actor had their messages up to this one before them.

    What came while they looked stays unread. It decides nothing, so it is no event of the school's chain.
    """
    session.execute(
        update(Message)
        .where(Message.person_id == actor.id, Message.id <= newest_id, Message.read_at.is_(None))
        .values(read_at=now())
    )
