"""作者的同意: that a work leaves the workshop, and, separately, that it is published (T24, domain 7.2 point 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from models import LibraryEntry, NominationConsent, Round
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.words import NominationState, WorkConsent
from review_flow.steps import audit
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from models import Nomination, Person


class ConsentMissing(Refusal):
    """A work leaves the workshop with its author's consent, and is published with a second one (T24, domain 7.2)."""

    status, text = 409, _("“{title}”缺少作者的同意：{what}。作品留在坊内，不公开。")


CONSENTS = {WorkConsent.AUTHOR: _("同意推送出坊"), WorkConsent.PUBLICATION: _("同意公开发布")}


def say_consent(
    session: Session,
    *,
    actor: Person,
    nomination: Nomination,
    about: WorkConsent,
    given: bool,
    show_name: bool = False,
    pupils: bool | None = None,
    pupils_note: str | None = None,
) -> NominationConsent:
    """The author agrees, or does not; each consent is asked for by itself, and the latest word counts.

    To publication they say whether pupils can be recognised, and if so where the guardians' consents are (domain 7.2).
    Refusing to let the work leave the workshop ends its rising; what is published is taken back by whoever withdraws.
    Raises NotAllowed for anybody but the author, BadInput.
    """
    round_ = session.get_one(Round, nomination.round_id)
    take_turn(session, organization_id=round_.organization_id)
    if actor.id != nomination.author_id:
        raise NotAllowed(why=say(_("只有作者本人可以表示同意或不同意")))
    if given and about is WorkConsent.PUBLICATION:
        if pupils is None:
            raise BadInput(field=say(_("学生")), problem=say(_("请说明作品中是否有可辨认的学生。")))
        if pupils and not (pupils_note or "").strip():
            raise BadInput(field=say(_("学生")), problem=say(_("请写明监护人同意书存于何处；没有同意书的，不能公开。")))
    consent = NominationConsent(
        nomination_id=nomination.id,
        author_id=actor.id,
        about=about,
        given=given,
        show_name=show_name,
        pupils=pupils,
        pupils_note=pupils_note,
        at=now(),
    )
    session.add(consent)
    if not given and about is WorkConsent.AUTHOR:
        nomination.state, nomination.step = NominationState.WITHDRAWN, None
    if not given:
        end_publication(session, actor=actor, nomination=nomination, reason=say(_("作者不同意或撤回了同意")))
    record(session, actor=actor, nomination=nomination, deed="nomination.consent", consent=about.value, given=given)
    return consent


def consent_of(session: Session, *, nomination: Nomination, about: WorkConsent) -> NominationConsent | None:
    """Return the author's latest word where it is a yes, else None."""
    return consents_of(session, nominations=[nomination]).get((nomination.id, about))


def consents_of(
    session: Session, *, nominations: Sequence[Nomination]
) -> dict[tuple[int, WorkConsent], NominationConsent]:
    """Return what authors agree to now, by nomination's id and what about: the latest words that are a yes."""
    said = select(NominationConsent).where(NominationConsent.nomination_id.in_([one.id for one in nominations]))
    latest = {(one.nomination_id, one.about): one for one in session.scalars(said.order_by(NominationConsent.id))}
    return {key: one for key, one in latest.items() if one.given}


def require_consent(session: Session, *, nomination: Nomination, about: WorkConsent) -> NominationConsent:
    """Return the author's standing consent; raises ConsentMissing."""
    found = consent_of(session, nomination=nomination, about=about)
    if found is None:
        raise ConsentMissing(title=nomination.title, what=say(CONSENTS[about]))
    return found


def end_publication(session: Session, *, actor: Person, nomination: Nomination, reason: str) -> bool:
    """Take a work out of the library where it is in it; the entry stays with the reason. Return whether it was."""
    entry = session.scalars(
        select(LibraryEntry).where(LibraryEntry.nomination_id == nomination.id, LibraryEntry.taken_back_at.is_(None))
    ).first()
    if entry is None:
        return False
    entry.taken_back_at, entry.taken_back_by_id, entry.taken_back_reason = now(), actor.id, reason
    record(session, actor=actor, nomination=nomination, deed="library.take_back", reason=reason)
    return True


def record(session: Session, *, actor: Person, nomination: Nomination, deed: str, **data: object) -> None:
    """Append a deed about a nomination to the school's audit chain."""
    organization_id = session.get_one(Round, nomination.round_id).organization_id
    audit.record(session, organization_id=organization_id, actor=actor, deed=deed, about=nomination, **data)
