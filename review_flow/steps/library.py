"""资源库: what was published with both consents of its author, and only that (002-2-11, 003-25)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import LibraryEntry, Nomination, Person, Round
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.words import NominationKind, NominationState, RoleKind, WorkConsent
from review_flow.steps.people import has_role, require_admin
from review_flow.steps.rounds import round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work_consents import consents_of, end_publication, record, require_consent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from models import NominationConsent


class NotPublishable(Refusal):
    """Only a work that passed every level the scheme has is published, once."""

    status, text = 409, _("“{title}”不能发布：{why}")


class NotInLibrary(Refusal):
    """Only what stands in the library is taken back."""

    status, text = 409, _("“{title}”不在资源库中。")


def publish_work(session: Session, *, actor: Person, nomination: Nomination) -> LibraryEntry:
    """Put a chosen work into the school's library, with both consents of its author; by the administrator.

    Raises NotAllowed, NotPublishable, ConsentMissing.
    """
    round_ = session.get_one(Round, nomination.round_id)
    take_turn(session, organization_id=round_.organization_id)
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    levels = round_scheme(session, round_=round_).pipeline
    ready = nomination.state is (NominationState.CHOSEN if levels else NominationState.RISING)
    if nomination.kind is not NominationKind.WORK or not ready:
        raise NotPublishable(title=nomination.title, why=say(_("它不是逐级评选选出的作品")))
    if standing_entry(session, nomination=nomination) is not None:
        raise NotPublishable(title=nomination.title, why=say(_("已在资源库中")))
    for about in WorkConsent:
        require_consent(session, nomination=nomination, about=about)
    entry = LibraryEntry(nomination_id=nomination.id, published_by_id=actor.id, published_at=now())
    session.add(entry)
    session.flush()
    record(session, actor=actor, nomination=nomination, deed="library.publish")
    return entry


def standing_entry(session: Session, *, nomination: Nomination) -> LibraryEntry | None:
    """Return the entry of a work that is in the library."""
    return standing_entries(session, nominations=[nomination]).get(nomination.id)


def standing_entries(session: Session, *, nominations: Sequence[Nomination]) -> dict[int, LibraryEntry]:
    """Return nomination's id → its entry, of those that are in the library."""
    ids = [one.id for one in nominations]
    asked = select(LibraryEntry).where(LibraryEntry.nomination_id.in_(ids), LibraryEntry.taken_back_at.is_(None))
    return {one.nomination_id: one for one in session.scalars(asked)}


def take_back_work(session: Session, *, actor: Person, nomination: Nomination, reason: str) -> None:
    """Take a work out of the library, with a reason; by its author or the administrator.

    Raises NotAllowed, NotInLibrary, BadInput.
    """
    round_ = session.get_one(Round, nomination.round_id)
    take_turn(session, organization_id=round_.organization_id)
    admin = has_role(session, person_id=actor.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN])
    if actor.id != nomination.author_id and not admin:
        raise NotAllowed(why=say(_("这需要作者本人或校级管理员")))
    if not reason.strip():
        raise BadInput(field=say(_("理由")), problem=say(_("请写明原因。")))
    if not end_publication(session, actor=actor, nomination=nomination, reason=reason):
        raise NotInLibrary(title=nomination.title)


def library_of(session: Session, *, actor: Person) -> list[dict[str, Any]]:
    """Return what the actor's school published: title, subject, ability, the file's id; the author where they wish it."""
    rows = session.execute(
        select(LibraryEntry, Nomination, Person)
        .join(Nomination, Nomination.id == LibraryEntry.nomination_id)
        .join(Person, Person.id == Nomination.author_id)
        .where(LibraryEntry.taken_back_at.is_(None), Person.organization_id == actor.organization_id)
        .order_by(LibraryEntry.id)
    )
    found = rows.all()
    consents = consents_of(session, nominations=[one for _entry, one, _author in found])
    return [_shown(entry, one, author, consents.get((one.id, WorkConsent.PUBLICATION))) for entry, one, author in found]


def _shown(
    entry: LibraryEntry, nomination: Nomination, author: Person, consent: NominationConsent | None
) -> dict[str, Any]:
    return {
        "id": nomination.id,
        "title": nomination.title,
        "subject": author.subject,
        "ability": nomination.ability,
        "category": nomination.category,
        "author": author.name if consent is not None and consent.show_name else None,
        "evidence": nomination.evidence_id,
        "at": entry.published_at,
    }
