"""保存期限: files of evidence go when their round's results have been effective for long enough; so do old consents.

What was decided stays: the row with its name, hash, times and verdict, findings, marks, results, ledger and audit chain.
What could show or compare the work goes: the file, its copies and contact sheet, fingerprints, and the check's report
(domain 7.2, 6: films with minors at most 12 months).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select

from models import (
    Consent,
    Evidence,
    FaceReading,
    GroupFact,
    PrivateNote,
    ReferenceFace,
    Round,
    RoundExport,
    SheetImport,
    Submission,
)
from review_flow.clock import now
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import AppealState
from review_flow.steps import audit, copies, errands
from review_flow.steps.owners import appeals_in
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

LOOK_EVERY = timedelta(days=1)
STORED = (
    Evidence.storage_key,
    Evidence.sheet_key,
    Evidence.playable_key,
    Evidence.poster_key,
    RoundExport.storage_key,
    SheetImport.storage_key,
    GroupFact.storage_key,
)
"""Whatever names a stored content; two may name the same."""


@dataclass(frozen=True, slots=True)
class Going:
    """A file that is due to go, of a work or told for a group: its round, and since when."""

    evidence: Evidence | GroupFact
    round_: Round
    since: datetime

    @property
    def name(self) -> str:
        """Return the file's name; of a group's, what it shows and under which key."""
        return (
            self.evidence.file_name
            if isinstance(self.evidence, Evidence)
            else f"{self.evidence.about} {self.evidence.key}"
        )

    @property
    def size_bytes(self) -> int | None:
        """Return its size where that is kept."""
        return self.evidence.size_bytes if isinstance(self.evidence, Evidence) else None


def ends_at(session: Session, *, round_: Round, days: int) -> datetime | None:
    """Return when a round's files go: `days` days after its last appeal could be filed or was decided.

    None while it isn't closed, or an appeal is open.
    """
    filed = session.scalars(appeals_in(round_)).all()
    if round_.phase is not RoundPhase.CLOSED or any(one.state is AppealState.FILED for one in filed):
        return None
    moments = [round_.hard_close_at, round_.appeal_due_at, *(one.decided_at for one in filed)]
    return max(one for one in moments if one is not None) + timedelta(days=days)


def due(session: Session, *, days: int) -> list[Going]:
    """Return every file that is due to go now, oldest round first; nothing is changed."""
    found = []
    closed = select(Round).where(Round.phase == RoundPhase.CLOSED).order_by(Round.hard_close_at, Round.id)
    for round_ in session.scalars(closed).all():
        since = ends_at(session, round_=round_, days=days)
        if since is not None and since <= now():
            found += [Going(one, round_, since) for one in _files(session, round_)]
            found += [Going(one, round_, since) for one in _group_files(session, round_)]
    return found


def _files(session: Session, round_: Round) -> Sequence[Evidence]:
    return session.scalars(
        select(Evidence)
        .join(Submission, Submission.id == Evidence.submission_id)
        .where(Submission.round_id == round_.id, Evidence.removed_at.is_(None))
        .order_by(Evidence.id)
    ).all()


def _group_files(session: Session, round_: Round) -> Sequence[GroupFact]:
    return session.scalars(
        select(GroupFact)
        .where(GroupFact.round_id == round_.id, GroupFact.storage_key.is_not(None), GroupFact.removed_at.is_(None))
        .order_by(GroupFact.id)
    ).all()


def remove_files(session: Session, *, round_: Round, days: int) -> list[str]:
    """Note a round's files as gone, once they are due; return the storage keys that nothing names any more.

    The caller deletes those before it commits: killed in between, the next run does both again.
    """
    take_turn(session, organization_id=round_.organization_id)
    ends = ends_at(session, round_=round_, days=days)
    if ends is None or ends > now():
        return []
    keys = set[str]()
    files = _files(session, round_)
    for one in files:
        keys |= {key for key in (one.storage_key, one.sheet_key, one.playable_key, one.poster_key) if key}
        one.sheet_key = one.playable_key = one.poster_key = one.report = None
        one.removed_at = now()
        copies.forget(session, evidence=one)
    of_groups = _group_files(session, round_)
    for fact in of_groups:
        keys |= {fact.storage_key} if fact.storage_key else set()
        fact.removed_at = now()
    errands.forget(session, round_=round_)
    session.flush()
    if files or of_groups:
        audit.record(
            session,
            organization_id=round_.organization_id,
            actor=None,
            deed="evidence.purge",
            about=round_,
            files=len(files) + len(of_groups),
        )
    return unused(session, keys=keys)


def unused(session: Session, *, keys: Iterable[str]) -> list[str]:
    """Return those of the storage keys that no row names but of files that are gone."""
    wanted = sorted(keys)
    named = set[str | None]()
    for column in STORED:
        rows = select(column).where(column.in_(wanted))
        for kept in (Evidence, GroupFact):
            if column is kept.storage_key:
                rows = rows.where(kept.removed_at.is_(None))
        named |= set(session.scalars(rows))
    return [key for key in wanted if key not in named]


def purge_consents(session: Session, *, days: int) -> int:
    """Delete consents last used `days` days ago, with the empty rows of their faces and the private notes of both.

    Used: given, withdrawn, an encoding destroyed or read. One with an encoding that is kept stays.
    """
    before = now() - timedelta(days=days)
    kept = select(ReferenceFace.consent_id).where(
        or_(ReferenceFace.encrypted.is_not(None), ReferenceFace.purged_at >= before)
    )
    read = select(FaceReading.person_id).where(FaceReading.at >= before)
    old = session.scalars(
        select(Consent)
        .where(
            func.coalesce(Consent.withdrawn_at, Consent.given_at) < before,
            Consent.id.not_in(kept),
            Consent.person_id.not_in(read),
        )
        .order_by(Consent.id)
    ).all()
    for consent in old:
        faces = session.scalars(select(ReferenceFace.id).where(ReferenceFace.consent_id == consent.id)).all()
        about = [f"consent:{consent.id}", *(f"reference_face:{one}" for one in faces)]
        session.execute(delete(PrivateNote).where(PrivateNote.about.in_(about)))
        session.execute(delete(ReferenceFace).where(ReferenceFace.consent_id == consent.id))
        session.delete(consent)
    session.flush()
    return len(old)
