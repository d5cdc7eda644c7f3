"""The tables, by the words of the field."""

from models.api import ApiToken, KeptAnswer
from models.base import Base
from models.certificates import Certificate, CertificateIssuer
from models.copies import FINGERPRINT_KEY, CommonSource, CopyHit, Fingerprint
from models.door import Credential, IdentityBinding, OneTimeLink, RecoveryCode, SecondFactor, SignInFailure, WebSession
from models.groups import ClassMember, GroupFact, GroupResult, TrainingClass
from models.people import Conflict, Organization, Person, Role, Workshop
from models.pipeline import LibraryEntry, Nomination, NominationConsent, NominationMove, NominationVoice
from models.privacy import Attestation, Consent, FaceReading, PrivateNote, ReferenceFace
from models.programme import Fact, Gathering, Provider
from models.records import AuditEvent, DueWork, Message, RoundExport, SheetImport
from models.results import Adjustment, Appeal, AppealVote, Result, Signature
from models.reviews import Assignment, CalibrationSample, FileReport, PanelMark, Review, ReviewAnswer, ReviewSign
from models.rounds import Enrolment, Hours, Notice, PanelSeat, Round, SchemeVersion
from models.submissions import Evidence, Finding, Submission, ValidityVote
from models.uploads import Upload
from models.webhooks import Webhook, WebhookDelivery

__all__ = [
    "FINGERPRINT_KEY",
    "Adjustment",
    "ApiToken",
    "Appeal",
    "AppealVote",
    "Assignment",
    "Attestation",
    "AuditEvent",
    "Base",
    "CalibrationSample",
    "Certificate",
    "CertificateIssuer",
    "ClassMember",
    "CommonSource",
    "Conflict",
    "Consent",
    "CopyHit",
    "Credential",
    "DueWork",
    "Enrolment",
    "Evidence",
    "FaceReading",
    "Fact",
    "FileReport",
    "Finding",
    "Fingerprint",
    "Gathering",
    "GroupFact",
    "GroupResult",
    "Hours",
    "IdentityBinding",
    "KeptAnswer",
    "LibraryEntry",
    "Message",
    "Nomination",
    "NominationConsent",
    "NominationMove",
    "NominationVoice",
    "Notice",
    "OneTimeLink",
    "Organization",
    "PanelMark",
    "PanelSeat",
    "Person",
    "PrivateNote",
    "Provider",
    "RecoveryCode",
    "ReferenceFace",
    "Result",
    "Review",
    "ReviewAnswer",
    "ReviewSign",
    "Role",
    "Round",
    "RoundExport",
    "SchemeVersion",
    "SecondFactor",
    "SheetImport",
    "SignInFailure",
    "Signature",
    "Submission",
    "TrainingClass",
    "Upload",
    "ValidityVote",
    "WebSession",
    "Webhook",
    "WebhookDelivery",
    "Workshop",
]
