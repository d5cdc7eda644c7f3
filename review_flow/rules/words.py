"""The closed word lists of the field that are no state machine: who, what kind, what was decided."""

from __future__ import annotations

from enum import Enum, StrEnum


class OrganizationKind(Enum):
    """单位 levels."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    SCHOOL = "school"


class RoleKind(Enum):
    """角色: what a person may do in an organization."""

    TEACHER = "teacher"
    WORKSHOP_LEADER = "workshop_leader"
    SCHOOL_ADMIN = "school_admin"
    SUBJECT_EXPERT = "subject_expert"
    COUNTY_ADMIN = "county_admin"


class SeatKind(Enum):
    """A place on a round's panel: marks, stands in, arbitrates, or hears appeals."""

    MEMBER = "member"
    RESERVE = "reserve"
    ARBITER = "arbiter"
    APPEAL = "appeal"


class EvidenceState(Enum):
    """证据: where one file stands."""

    WAITING = "waiting"
    CHECKED = "checked"
    SUPERSEDED = "superseded"


class Verdict(StrEnum):
    """结论: what the findings of one file add up to; a machine never says more (design rule 3)."""

    VALID = "valid"
    HUMAN = "human"
    REJECTED = "rejected"


class CopyKind(StrEnum):
    """雷同: what of two files is the same; a re-encoded film is no exact copy but has the same pictures."""

    EXACT = "exact"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    TEXT = "text"


class ConsentWay(Enum):
    """Where a consent was given."""

    COMMAND_LINE = "command_line"
    WEB = "web"


class FacePurpose(Enum):
    """What encodings were read for."""

    BLUR = "blur"
    CHECK = "check"
    ENROL = "enrol"
    ROTATE = "rotate"


class AttestationKind(Enum):
    """What stands in the place of a face comparison (domain 7.2): who or what says that the teacher is to be seen."""

    ON_SITE = "on_site"
    LIVE_RECORDING = "live_recording"
    TESTIMONY = "testimony"
    CREATION_TRACE = "creation_trace"


class AssignmentState(Enum):
    """互评任务."""

    ASSIGNED = "assigned"
    BEGUN = "begun"
    DONE = "done"
    LAPSED = "lapsed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class ReportReason(Enum):
    """What a reviewer finds wrong with a file."""

    BROKEN = "broken"
    WRONG_FILE = "wrong_file"
    NOT_OWN = "not_own"
    PRIVACY = "privacy"
    OTHER = "other"


UNDONE = (AssignmentState.ASSIGNED, AssignmentState.BEGUN)
LIVE = (*UNDONE, AssignmentState.DONE)
"""What counts as a reviewer of a work: one who still may do it, or did."""


class AdjustmentKind(Enum):
    """扣分/加分: the kinds a scheme may price (001-A-35..37)."""

    LATE_MATERIAL = "late_material"
    LATE_ARRIVAL = "late_arrival"
    ABSENCE = "absence"
    AWARD = "award"


class AdjustmentState(Enum):
    """A dated, proven, contestable fact (T16)."""

    NOTIFIED = "notified"
    CONTESTED = "contested"
    CONFIRMED = "confirmed"
    STRUCK = "struck"


class AppealState(Enum):
    """申诉."""

    FILED = "filed"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class WorkKind(Enum):
    """What may be due; one flow drains each kind."""

    OPEN_ROUND = "open_round"
    CHECK_EVIDENCE = "check_evidence"
    COPY_EVIDENCE = "copy_evidence"
    ALLOCATE_REVIEWS = "allocate_reviews"
    ADVANCE_ROUND = "advance_round"
    FINALISE_ROUND = "finalise_round"
    ISSUE_CERTIFICATES = "issue_certificates"
    DELIVER_MESSAGES = "deliver_messages"
    DELIVER_WEBHOOKS = "deliver_webhooks"
    IMPORT_SHEET = "import_sheet"
    EXPORT_ROUND = "export_round"
    RUN_ERRAND = "run_errand"
    PURGE_EVIDENCE = "purge_evidence"
    PURGE_FACES = "purge_faces"


class FactKind(Enum):
    """项目事实: what one tells of a teacher."""

    MINUTES = "minutes"
    PIECE = "piece"
    ATTENDANCE = "attendance"
    TEST = "test"
    THEME = "theme"
    MARK = "mark"
    PERIOD = "period"
    APPROVAL = "approval"
    VOICE = "voice"


class GroupLevel(Enum):
    """What a group is: a workshop, a class, the school, or the county's part of the round."""

    WORKSHOP = "workshop"
    CLASS = "class"
    SCHOOL = "school"
    COUNTY = "county"


class GroupFactKind(Enum):
    """集体事实: what is handed in or told for a group."""

    COUNT = "count"
    TASK = "task"
    TARGET = "target"
    REASON = "reason"
    COVERAGE = "coverage"


class ClassKind(Enum):
    """班: of one school, or joint across schools of a county (004-09)."""

    SINGLE = "single"
    JOINT = "joint"


class NominationKind(Enum):
    """推优: a work, or a learner."""

    WORK = "work"
    LEARNER = "learner"


class NominationState(Enum):
    """推优: rising, chosen at the last level, left behind at one, or kept private by its author."""

    RISING = "rising"
    CHOSEN = "chosen"
    LEFT = "left"
    WITHDRAWN = "withdrawn"


class WorkConsent(Enum):
    """What an author agrees to, each by itself: that the work leaves the workshop, that it is published."""

    AUTHOR = "author"
    PUBLICATION = "publication"


class SheetKind(Enum):
    """What an imported sheet brings."""

    ROSTER = "roster"
    HOURS = "hours"
    PROGRESS = "progress"
    ATTENDANCE = "attendance"
    AWARDS = "awards"
    SURVEY = "survey"


class ExportKind(Enum):
    """What a round is exported as."""

    RESULTS = "results"
    ARCHIVE = "archive"
    CERTIFICATES = "certificates"


class ErrandKind(Enum):
    """What somebody may have done in the background because it takes long, besides sheets and files."""

    AGREEMENT = "agreement"
    CHAIN = "chain"
    CONFIRM_GRADES = "confirm_grades"
    DRY_RUN = "dry_run"


class JobState(Enum):
    """An import or export as its owner sees it; an import may be looked through before, and taken back after."""

    LOOKING = "looking"
    LOOKED = "looked"
    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"
