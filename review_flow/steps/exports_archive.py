"""The archive of a round: scheme, every result with its inputs, what led to them, and the audit chain (T23).

No face data and no evidence files: those are named by their SHA-256 only. The same data gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, or_, select

from models import (
    Adjustment,
    Appeal,
    AppealVote,
    Assignment,
    AuditEvent,
    CalibrationSample,
    Certificate,
    CertificateIssuer,
    ClassMember,
    Enrolment,
    Evidence,
    Fact,
    FileReport,
    GroupFact,
    GroupResult,
    Hours,
    LibraryEntry,
    Nomination,
    NominationConsent,
    NominationMove,
    NominationVoice,
    Organization,
    PanelMark,
    PanelSeat,
    Person,
    Result,
    Review,
    ReviewAnswer,
    ReviewSign,
    SchemeVersion,
    Signature,
    Submission,
    TrainingClass,
    ValidityVote,
    Workshop,
)
from models.base import plain
from review_flow.rules.paths import canonical_json
from review_flow.steps.exports_results import consequences

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from models import Base, Round

FORMAT = "review-flow-archive/1"
MANIFEST = "manifest.json"
MOMENT = (1980, 1, 1, 0, 0, 0)
NOT_ARCHIVED = {
    Result: {"record", "outcome"},  # each in a file of its own
    Evidence: {
        "storage_key",
        "sheet_key",
        "playable_key",
        "poster_key",
        "report",
        "teacher_present",
    },  # what was seen of faces stays in the house
    GroupFact: {"storage_key"},
    NominationConsent: {"pupils", "pupils_note"},  # where pupils' papers lie stays in the house
    Person: {"contact", "household"},
}


def archive(session: Session, *, round_: Round) -> bytes:
    """Return the round's zip."""
    files: dict[str, bytes] = {}
    version = session.get_one(SchemeVersion, round_.scheme_version_id)
    files["scheme.json"] = canonical_json(version.document)
    files["scheme_version.json"] = canonical_json(row_of(version, without={"document"}))
    school = session.get_one(Organization, round_.organization_id)
    files["round.json"] = canonical_json({**row_of(round_), "organization": school.name})
    for name, rows in _tables(round_).items():
        files[f"{name}.json"] = canonical_json([row_of(row) for row in session.scalars(rows)])
    files["consequences.json"] = canonical_json(consequences(session, round_=round_))
    enrolled = select(Enrolment.id).where(Enrolment.round_id == round_.id)
    for result in session.scalars(select(Result).where(Result.enrolment_id.in_(enrolled)).order_by(Result.id)):
        files[f"records/{result.id}-v{result.version}.json"] = result.record.encode()
        files[f"outcomes/{result.id}-v{result.version}.json"] = result.outcome.encode()
    events = session.scalars(
        select(AuditEvent).where(AuditEvent.organization_id == round_.organization_id).order_by(AuditEvent.number)
    )
    files["audit.jsonl"] = b"".join(canonical_json(row_of(event, without={"id"})) + b"\n" for event in events)
    return packed(files)


def packed(files: dict[str, bytes]) -> bytes:
    """Return a zip of the files and a manifest of their SHA-256: the same files give the same bytes."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    whole = {**files, MANIFEST: canonical_json({"format": FORMAT, "files": sums})}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bundle:
        for name in sorted(whole):
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            bundle.writestr(entry, whole[name])
    return buffer.getvalue()


def row_of(row: Base, *, without: Iterable[str] = ()) -> dict[str, Any]:
    """Return a row's columns as plain data: decimals as strings, moments and days as ISO, words as their values."""
    hidden = {*without, *NOT_ARCHIVED.get(type(row), ())}
    return {name: plain(getattr(row, name)) for name in inspect(type(row)).columns.keys() if name not in hidden}  # noqa: SIM118 - a collection of columns, iterated by name


def _tables(round_: Round) -> dict[str, Select[Any]]:
    """Return the rows of the round by the name of their file, each in the order of its ids."""
    enrolled = select(Enrolment.id).where(Enrolment.round_id == round_.id)
    handed_in = select(Submission.id).where(Submission.round_id == round_.id)
    results = select(Result.id).where(Result.enrolment_id.in_(enrolled))
    of_groups = select(GroupResult.id).where(GroupResult.round_id == round_.id)
    appeals = select(Appeal.id).where(or_(Appeal.result_id.in_(results), Appeal.group_result_id.in_(of_groups)))
    certificates = select(Certificate.id).where(Certificate.enrolment_id.in_(enrolled))
    assigned = select(Assignment.id).where(Assignment.round_id == round_.id)
    reviews = select(Review.id).where(Review.assignment_id.in_(assigned))
    classes = select(TrainingClass.id).where(TrainingClass.round_id == round_.id)
    nominated = select(Nomination.id).where(Nomination.round_id == round_.id)
    seated = select(PanelSeat.person_id).where(PanelSeat.round_id == round_.id)
    people = select(Enrolment.person_id).where(Enrolment.round_id == round_.id).union(seated)
    wheres: dict[str, tuple[type[Base], Any]] = {
        "people": (Person, Person.id.in_(people)),
        "panel": (PanelSeat, PanelSeat.round_id == round_.id),
        "enrolments": (Enrolment, Enrolment.round_id == round_.id),
        "facts": (Fact, Fact.enrolment_id.in_(enrolled)),
        "hours": (Hours, Hours.enrolment_id.in_(enrolled)),
        "submissions": (Submission, Submission.round_id == round_.id),
        "evidence": (Evidence, Evidence.submission_id.in_(handed_in)),
        "validity_votes": (ValidityVote, ValidityVote.submission_id.in_(handed_in)),
        "samples": (CalibrationSample, CalibrationSample.round_id == round_.id),
        "assignments": (Assignment, Assignment.round_id == round_.id),
        "marks/peers": (Review, Review.assignment_id.in_(assigned)),
        "marks/signs": (ReviewSign, ReviewSign.review_id.in_(reviews)),
        "marks/answers": (ReviewAnswer, ReviewAnswer.review_id.in_(reviews)),
        "marks/reports": (FileReport, FileReport.assignment_id.in_(assigned)),
        "marks/panel": (PanelMark, PanelMark.submission_id.in_(handed_in)),
        "adjustments": (Adjustment, Adjustment.enrolment_id.in_(enrolled)),
        "results": (Result, Result.enrolment_id.in_(enrolled)),
        "signatures": (
            Signature,
            or_(Signature.result_id.in_(results), Signature.group_result_id.in_(of_groups)),
        ),
        "appeals": (Appeal, Appeal.id.in_(appeals)),
        "certificates": (Certificate, Certificate.enrolment_id.in_(enrolled)),
        "certificate_issuers": (CertificateIssuer, CertificateIssuer.certificate_id.in_(certificates)),
        "groups/facts": (GroupFact, GroupFact.round_id == round_.id),
        "groups/results": (GroupResult, GroupResult.round_id == round_.id),
        "groups/workshops": (Workshop, Workshop.organization_id == round_.organization_id),
        "groups/classes": (TrainingClass, TrainingClass.round_id == round_.id),
        "groups/members": (ClassMember, ClassMember.class_id.in_(classes)),
        "pipeline/nominations": (Nomination, Nomination.round_id == round_.id),
        "pipeline/voices": (NominationVoice, NominationVoice.nomination_id.in_(nominated)),
        "pipeline/moves": (NominationMove, NominationMove.nomination_id.in_(nominated)),
        "pipeline/agreements": (NominationConsent, NominationConsent.nomination_id.in_(nominated)),
        "pipeline/library": (LibraryEntry, LibraryEntry.nomination_id.in_(nominated)),
        "appeal_votes": (AppealVote, AppealVote.appeal_id.in_(appeals)),
    }
    return {name: select(model).where(where).order_by(model.id) for name, (model, where) in wheres.items()}
