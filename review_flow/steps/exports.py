"""Files out: the results as the school files them, and an archive of the round that replays without us."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from models import Person, Round, RoundExport
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.outside.storage import keep
from review_flow.rules.words import ExportKind, JobState, WorkKind
from review_flow.steps import audit
from review_flow.steps.certificates_valid import pages, printable
from review_flow.steps.exports_archive import archive
from review_flow.steps.exports_results import results_workbook
from review_flow.steps.exports_verify import verify
from review_flow.steps.people import require_admin
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from review_flow.outside.certificates import Page
    from review_flow.outside.storage import Storage

__all__ = ["archive", "results_workbook", "run", "start", "verify"]

MAKERS = {ExportKind.RESULTS: results_workbook, ExportKind.ARCHIVE: archive}


class NothingToPrint(Refusal):
    """Certificates are printed once they are valid."""

    status, text = 409, _("本轮还没有有效的证书可以打印。")


def start(session: Session, *, actor: Person, round_: Round, kind: ExportKind) -> RoundExport:
    """Ask for a file of the round; the school's administrators may."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    if kind is ExportKind.CERTIFICATES and not printable(session, round_=round_):
        raise NothingToPrint
    export = RoundExport(round_id=round_.id, kind=kind, state=JobState.WAITING, asked_by_id=actor.id, asked_at=now())
    session.add(export)
    session.flush()
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="export.ask", about=export, kind=kind.value
    )
    enqueue(session, kind=WorkKind.EXPORT_ROUND, subject_id=export.id)
    return export


def certificate_pages(session: Session, *, export: RoundExport, public_url: str | None) -> list[Page] | None:
    """Return what is to be printed for an export of certificates, whoever asked for it; None for another kind.

    Printing takes long and needs no database: it is done between this and `run`.
    """
    if export.kind is not ExportKind.CERTIFICATES or export.state is not JobState.WAITING:
        return None
    round_, actor = session.get_one(Round, export.round_id), session.get_one(Person, export.asked_by_id)
    found = printable(session, round_=round_)
    return pages(session, actor=actor, round_=round_, certificates=found, public_url=public_url)


def run(session: Session, *, export: RoundExport, storage: Storage, printed: bytes | None = None) -> None:
    """Make the file, or take what was printed, and keep it; its SHA-256 goes into the audit chain.

    Run again, it changes nothing.
    """
    if export.state is not JobState.WAITING:
        return
    round_ = session.get_one(Round, export.round_id)
    made = MAKERS[export.kind](session, round_=round_) if printed is None else printed
    export.storage_key = keep(storage, made).key
    export.sha256 = hashlib.sha256(made).hexdigest()
    export.state, export.finished_at = JobState.DONE, now()
    actor = session.get_one(Person, export.asked_by_id)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="export.make",
        about=export,
        sha256=export.sha256,
    )
