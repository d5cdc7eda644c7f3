"""本人数据导出: everything the house keeps about one person, for that person alone (domain 7.2, point 6).

What it says of others stays out: whose work one reviewed, who reviewed one's own, who marked it. So do secrets and
their digests. Encodings of faces are counted, never given out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import (
    Adjustment,
    ApiToken,
    Appeal,
    Assignment,
    AuditEvent,
    Base,
    Certificate,
    ClassMember,
    Consent,
    Enrolment,
    Evidence,
    FaceReading,
    Fact,
    FileReport,
    Finding,
    Hours,
    IdentityBinding,
    LibraryEntry,
    Message,
    Nomination,
    NominationConsent,
    Organization,
    PanelMark,
    PanelSeat,
    Person,
    Result,
    Review,
    ReviewAnswer,
    Role,
    Round,
    SecondFactor,
    Signature,
    Submission,
    TrainingClass,
    Upload,
    ValidityVote,
    WebSession,
    Workshop,
)
from models.base import plain
from review_flow.clock import now
from review_flow.rules.path import NOT_SHOWN
from review_flow.steps import audit, faces, feedback, voices
from review_flow.steps.rounds import round_scheme
from review_flow.steps.trail import words

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme

Rows = list[dict[str, Any]]
WITHIN = 500
"""Ids asked for in one statement: databases take no endless list."""


def everything(session: Session, *, actor: Person) -> dict[str, Any]:
    """Return what is kept about the actor as plain data: moments in UTC, marks as decimal strings. It is audited."""
    enrolments = list(session.scalars(select(Enrolment).where(Enrolment.person_id == actor.id).order_by(Enrolment.id)))
    audit.record(session, organization_id=actor.organization_id, actor=actor, deed="person.export", about=actor)
    return {
        "made_at": plain(now()),
        "person": _person(session, actor),
        "sign_ins": _own(session, WebSession, "created_at", "seen_at", "user_agent", "revoked_at", of=actor),
        "accounts_elsewhere": _own(session, IdentityBinding, "provider", "subject", "bound_at", of=actor),
        "second_factor": _own(session, SecondFactor, "begun_at", "confirmed_at", of=actor),
        "tokens": _own(
            session, ApiToken, "name", "prefix", "scopes", "created_at", "expires_at", "used_at", "revoked_at", of=actor
        ),
        "messages": _own(session, Message, "created_at", "kind", "text", "delivered_at", "read_at", of=actor),
        "face_matching": _faces(session, actor),
        "rounds": [_round(session, actor, one) for one in enrolments],
        "works": _works(session, actor),
        "reviews_given": _reviews(session, actor),
        "panel": _panel(session, actor),
        "nominations": _nominations(session, actor),
        "uploads_under_way": _rows(
            session, Upload, "file_name", "size_bytes", "slot", "begun_at", where=Upload.owner_id == actor.id
        ),
        "deeds": [
            {**one, "words": words(one["deed"])}
            for one in _rows(session, AuditEvent, "at", "deed", "about", where=AuditEvent.actor_id == actor.id)
        ],
    }


def _rows(session: Session, table: type[Base], *names: str, where: ColumnElement[bool]) -> Rows:
    return [
        {name: plain(getattr(row, name)) for name in names}
        for row in session.scalars(select(table).where(where).order_by(table.id))
    ]


def _own(session: Session, table: Any, *names: str, of: Person) -> Rows:
    return _rows(session, table, *names, where=table.person_id == of.id)


def _person(session: Session, person: Person) -> dict[str, Any]:
    workshop = session.get(Workshop, person.workshop_id) if person.workshop_id else None
    names = ("number", "name", "subject", "stage", "household", "contact", "retires_on", "active")
    return {
        **{name: plain(getattr(person, name)) for name in names},
        "school": session.get_one(Organization, person.organization_id).name,
        "workshop": workshop.name if workshop else None,
        "roles": _own(session, Role, "organization_id", "kind", of=person),
        "seats": _own(session, PanelSeat, "round_id", "kind", of=person),
        "classes": _classes(session, person),
    }


def _classes(session: Session, person: Person) -> Rows:
    found = session.execute(
        select(TrainingClass.name, ClassMember.joined_at, ClassMember.left_at)
        .join(TrainingClass, TrainingClass.id == ClassMember.class_id)
        .where(ClassMember.person_id == person.id)
        .order_by(ClassMember.id)
    )
    return [{"name": name, "joined_at": plain(joined), "left_at": plain(left)} for name, joined, left in found]


def _faces(session: Session, person: Person) -> dict[str, Any]:
    return {
        "consents": _own(
            session, Consent, "text_version", "language", "text_sha256", "given_through", "given_at", "withdrawn_at",
            of=person,
        ),
        "encodings_kept": faces.kept_of(session, person=person),
        "readings_for_own_files": _own(session, FaceReading, "at", "purpose", "evidence_id", "encodings", of=person),
    }  # fmt: skip


def _round(session: Session, person: Person, enrolment: Enrolment) -> dict[str, Any]:
    round_ = session.get_one(Round, enrolment.round_id)

    def mine(table: Any, *names: str) -> Rows:
        return _rows(session, table, *names, where=table.enrolment_id == enrolment.id)

    versions = select(Result).where(Result.enrolment_id == enrolment.id).order_by(Result.version)
    return {
        "round": round_.name,
        "state": plain(enrolment.state),
        "exempt_reason": enrolment.exempt_reason,
        "acknowledged_at": plain(enrolment.acknowledged_at),
        "self_tested_at": plain(enrolment.self_tested_at),
        "tier": enrolment.tier,
        "roles": enrolment.roles,
        "volunteer": enrolment.volunteer,
        "hours": mine(Hours, "ledger", "hours", "source", "recorded_at", "confirmed_at", "struck_at"),
        "facts": _facts(session, enrolment, round_scheme(session, round_=round_)),
        "adjustments": mine(
            Adjustment, "kind", "happened_on", "proof", "approved_leave", "points", "state", "recorded_at",
            "contest_reason", "decision_reason",
        ),
        "results": [_result(session, one) for one in session.scalars(versions)],
        "certificates": mine(
            Certificate, "number", "title", "version", "state", "hours", "issued_at", "revoked_at", "revoked_reason"
        ),
        "reviews_received": [
            {"ability": one.ability, "comment": one.comment, "helped": one.helped}
            for one in feedback.received_by(session, person=person, round_=round_)
        ],
    }  # fmt: skip


def _facts(session: Session, enrolment: Enrolment, scheme: Scheme) -> Rows:
    """Facts as their teacher may see them, the struck ones as well."""
    names = ("kind", "about", "word", "details", "recorded_at", "confirmed_at", "struck_at", "struck_reason")
    found = session.scalars(select(Fact).where(Fact.enrolment_id == enrolment.id).order_by(Fact.id))
    return [
        {
            **{name: plain(getattr(one, name)) for name in names},
            "number": None if voices.hidden(scheme, one) else plain(one.number),
            "source": voices.source_shown(one),
        }
        for one in found
    ]


def _result(session: Session, result: Result) -> dict[str, Any]:
    """A result as its teacher may see it: nothing of one that is not published yet."""
    if result.state in NOT_SHOWN:
        return {"version": result.version, "state": plain(result.state)}
    names = ("version", "state", "score", "grade", "lowered_reason", "supersedes_reason", "composed_at")
    return {
        **{name: plain(getattr(result, name)) for name in names},
        "outcome": json.loads(result.outcome),
        "signatures": _rows(session, Signature, "comment", "at", where=Signature.result_id == result.id),
        "appeals": _rows(
            session, Appeal, "reason", "filed_at", "state", "decided_at", where=Appeal.result_id == result.id
        ),
    }


def _works(session: Session, person: Person) -> Rows:
    works = session.scalars(select(Submission).where(Submission.author_id == person.id).order_by(Submission.id)).all()
    files = session.scalars(
        select(Evidence)
        .join(Submission, Submission.id == Evidence.submission_id)
        .where(Submission.author_id == person.id)
        .order_by(Evidence.id)
    ).all()
    said: dict[int, list[str]] = {}
    for place in range(0, len(files), WITHIN):
        ids = [one.id for one in files[place : place + WITHIN]]
        rows = select(Finding.evidence_id, Finding.text).where(Finding.evidence_id.in_(ids))
        for key, text in session.execute(rows.order_by(Finding.evidence_id, Finding.position)):
            said.setdefault(key, []).append(text)
    work_names = ("id", "ability", "state", "statement_at", "sealed_at", "submitted_at", "valid")
    file_names = ("id", "slot", "file_name", "sha256", "size_bytes", "uploaded_at", "state", "verdict", "removed_at")
    return [
        {
            **{name: plain(getattr(work, name)) for name in work_names},
            "files": [
                {**{name: plain(getattr(one, name)) for name in file_names}, "findings": said.get(one.id, [])}
                for one in files
                if one.submission_id == work.id
            ],
        }
        for work in works
    ]


def _reviews(session: Session, person: Person) -> Rows:
    """What the person said of others' works: by the task's number and the ability, never whose work it was."""
    rows = session.execute(
        select(Assignment, Submission.ability, Review, FileReport)
        .outerjoin(Submission, Submission.id == Assignment.submission_id)
        .outerjoin(Review, Review.assignment_id == Assignment.id)
        .outerjoin(FileReport, FileReport.assignment_id == Assignment.id)
        .where(Assignment.reviewer_id == person.id)
        .order_by(Assignment.id)
    )
    names = ("id", "state", "assigned_at", "begun_at", "ended_at", "draft", "declined_reason")
    return [
        {
            **{name: plain(getattr(task, name)) for name in names},
            "ability": ability,
            "review": review and {"form": review.form, "mark": plain(review.mark), "at": plain(review.submitted_at)},
            "report": report and {"reason": plain(report.reason), "note": report.note, "at": plain(report.reported_at)},
        }
        for task, ability, review, report in rows
    ]


def _panel(session: Session, person: Person) -> dict[str, Rows]:
    return {
        "marks": _rows(
            session, PanelMark, "submission_id", "seat", "form", "draft", "mark", "asked_at", "marked_at",
            where=PanelMark.marker_id == person.id,
        ),
        "validity": _rows(
            session, ValidityVote, "submission_id", "teacher_visible", "own_work", "reason", "at",
            where=ValidityVote.voter_id == person.id,
        ),
        "answers_to_reviewers": _rows(
            session, ReviewAnswer, "helped", "comment", "at", where=ReviewAnswer.author_id == person.id
        ),
    }  # fmt: skip


def _nominations(session: Session, person: Person) -> Rows:
    found = session.scalars(select(Nomination).where(Nomination.author_id == person.id).order_by(Nomination.id)).all()
    names = ("id", "kind", "title", "ability", "category", "step", "state", "nominated_at")
    return [
        {
            **{name: plain(getattr(one, name)) for name in names},
            "consents": _rows(
                session, NominationConsent, "about", "given", "show_name", "pupils", "pupils_note", "at",
                where=NominationConsent.nomination_id == one.id,
            ),
            "published": _rows(
                session, LibraryEntry, "published_at", "taken_back_at", where=LibraryEntry.nomination_id == one.id
            ),
        }
        for one in found
    ]  # fmt: skip
