"""证据: files hung on the slots of a submission, and what is still missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from models import Attestation, Evidence, Finding, Person, Round, Submission
from review_flow.clock import now, shown
from review_flow.errors import NotAllowed, NotFound, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.verdict import PICTURED
from review_flow.rules.words import AttestationKind, EvidenceState, Verdict, WorkKind
from review_flow.steps import audit, copies
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from review_flow.outside.storage import Kept
    from review_flow.rules.catalogue import Slot
    from review_flow.rules.scheme import Scheme

MALWARE = "malware"
"""Under this a report names what the scanner found."""
SCANNED = "scanned"
"""Under this a report says whether the scanner found nothing, as long as that alone is known or the check was given up."""
SIGNATURES = {kind: 2 if kind is AttestationKind.ON_SITE else 1 for kind in AttestationKind}


class NotEditable(Refusal):
    """Evidence can be changed only before sealing, or while a correction is asked for."""

    status, text = 409, _("这项成果现在是“{state}”，不能再改动证据。")


class CorrectionOver(Refusal):
    """A correction is taken to the last second of its days and no later (T11)."""

    status, text = 409, _("补正期已于{moment}结束。")


class UnknownSlot(Refusal):
    """The ability has no such slot."""

    status, text = 422, _("“{ability}”没有“{slot}”这个证据项；应为：{slots}。")


class SameFile(Refusal):
    """The very same bytes fill one slot once."""

    status, text = 409, _("“{slot}”里已经有一个完全相同的文件“{file}”，不用再传一次；要换成别的内容，请选另一个文件。")


class FileRemoved(Refusal):
    """What was kept as long as the school keeps files can't be had any more; what was decided stays."""

    status, text = 410, _("文件“{file}”已于{moment}按保存期限删除。")


class FileInfected(Refusal):
    """What the scanner found harmful was deleted at once."""

    status, text = 410, _("文件“{file}”查出病毒，已于{moment}删除。")


class FileNotScanned(Refusal):
    """Where there is a scanner, nobody opens what it has not looked into."""

    status, text = 409, _("文件“{file}”还在查毒，查完才能打开，请稍后再试。")


def why_closed(evidence: Evidence, *, scanned: bool, named: bool = False) -> Refusal | None:
    """Return why a file can't be opened, None where it can. `scanned`: whether the operator has a scanner.

    It is told by its own name only to who may know whose it is (`named`).
    """
    name = evidence.file_name if named else neutral_name(evidence)
    if evidence.removed_at is not None:
        infected = MALWARE in (evidence.report or {})
        return (FileInfected if infected else FileRemoved)(file=name, moment=shown(evidence.removed_at))
    seen = evidence.checked_at is not None and (evidence.report or {}).get(SCANNED) is not False
    return None if seen or not scanned else FileNotScanned(file=name)


def require_open(evidence: Evidence, *, scanned: bool, named: bool = False) -> Evidence:
    """Return a file that may be opened; raises FileRemoved, FileInfected, FileNotScanned."""
    closed = why_closed(evidence, scanned=scanned, named=named)
    if closed is not None:
        raise closed
    return evidence


class WindowClosed(Refusal):
    """After the hard close nothing is handed in."""

    status, text = 409, _("本轮提交已于{moment}最终截止。")


def neutral_name(evidence: Evidence) -> str:
    """Return a file's name for whoever is not to know whose it is: its own may tell."""
    return f"{evidence.slot}-{evidence.id}{PurePath(evidence.file_name).suffix}"


def require_author(session: Session, *, actor: Person, submission: Submission) -> Round:
    """Return the round of the actor's own submission; raise NotAllowed for somebody else's."""
    if submission.author_id != actor.id:
        raise NotAllowed(why=say(_("这是另一位教师的成果")))
    return session.get_one(Round, submission.round_id)


_STANDING = (
    select(Evidence)
    .where(Evidence.submission_id == bindparam("submission"), Evidence.state != EvidenceState.SUPERSEDED)
    .order_by(Evidence.id)
)


def standing_evidence(session: Session, *, submission: Submission) -> list[Evidence]:
    """Return the files that stand (not superseded), in the order they came."""
    return list(session.scalars(_STANDING, {"submission": submission.id}))


_FINDINGS = (
    select(Finding)
    .where(Finding.evidence_id.in_(bindparam("files", expanding=True)))
    .order_by(Finding.evidence_id, Finding.position)
)


def findings_of(session: Session, *, handed: Sequence[Evidence]) -> dict[int, list[Finding]]:
    """Return what the checks saw in each of these files, by its id and in their order; of one not yet checked, nothing."""
    found: dict[int, list[Finding]] = {one.id: [] for one in handed}
    for one in session.scalars(_FINDINGS, {"files": list(found)}):
        found[one.evidence_id].append(one)
    return found


def attested(session: Session, *, submission: Submission) -> set[int]:
    """Return the ids of the submission's files for which as many people signed, in one way, as that way needs."""
    rows = session.execute(
        select(Attestation.evidence_id, Attestation.kind, func.count())
        .where(Attestation.submission_id == submission.id)
        .group_by(Attestation.evidence_id, Attestation.kind)
    )
    return {evidence_id for evidence_id, kind, count in rows if count >= SIGNATURES[kind]}


def add_evidence(
    session: Session,
    *,
    actor: Person,
    submission: Submission,
    slot: str,
    file_name: str,
    stored: Kept,
    replaces: Evidence | None = None,
) -> Evidence:
    """Hang a stored file on a slot and leave it to be checked; an older file may be superseded by it.

    Raises NotEditable, UnknownSlot, SameFile, WindowClosed.
    """
    round_ = _editable(session, actor=actor, submission=submission)
    slots = round_scheme(session, round_=round_).slots(submission.ability)
    names = {one.id: one.name_zh for one in slots}
    if slot not in names:
        raise UnknownSlot(ability=submission.ability, slot=slot, slots=listed(names))
    if replaces is not None:
        if replaces.submission_id != submission.id:
            raise NotAllowed(why=say(_("这是另一项成果的证据")))
        replaces.state = EvidenceState.SUPERSEDED
        session.flush()
    for other in standing_evidence(session, submission=submission):
        if (other.slot, other.sha256) == (slot, stored.sha256):
            raise SameFile(slot=names[slot], file=other.file_name)
    evidence = Evidence(
        submission_id=submission.id,
        slot=slot,
        file_name=file_name,
        storage_key=stored.key,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        uploaded_at=now(),
        state=EvidenceState.WAITING,
    )
    session.add(evidence)
    session.flush()
    enqueue(session, kind=WorkKind.CHECK_EVIDENCE, subject_id=evidence.id)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="evidence.add",
        about=evidence,
        sha256=stored.sha256,
        slot=slot,
    )
    return evidence


def remove_evidence(session: Session, *, actor: Person, evidence: Evidence) -> None:
    """Take a file back that was handed in by mistake: superseded by none, and kept as long as what is superseded.

    Raises NotEditable, CorrectionOver, WindowClosed; NotFound for one that no longer stands.
    """
    submission = session.get_one(Submission, evidence.submission_id)
    round_ = _editable(session, actor=actor, submission=submission)
    if evidence.state is EvidenceState.SUPERSEDED:
        raise NotFound(what=say(_("文件")), key=evidence.id)
    evidence.state = EvidenceState.SUPERSEDED
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="evidence.remove",
        about=evidence,
        slot=evidence.slot,
    )


def _editable(session: Session, *, actor: Person, submission: Submission) -> Round:
    """Return the round of the actor's own submission whose files may be changed now; it takes the school's turn."""
    round_ = require_author(session, actor=actor, submission=submission)
    take_turn(session, organization_id=round_.organization_id)  # no file slips in beside the sealing
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    require_editable(round_, submission)
    return round_


def require_editable(round_: Round, submission: Submission) -> None:
    """Raise NotEditable, WindowClosed or CorrectionOver where evidence can no longer be changed."""
    if submission.state not in {SubmissionState.DRAFT, SubmissionState.CORRECTING}:
        raise NotEditable(state=say(submission.state.label))
    if submission.state is SubmissionState.DRAFT and now() > round_.hard_close_at:
        raise WindowClosed(moment=shown(round_.hard_close_at))
    due = submission.correction_due_at
    if submission.state is SubmissionState.CORRECTING and due is not None and now() > due:
        raise CorrectionOver(moment=shown(due))


def known_hashes(session: Session, *, evidence: Evidence) -> dict[str, str]:
    """Return sha256 → where it stands, for a file handed in before with another work that is the same to the byte."""
    twins = copies.twins(session, evidence=evidence)
    earlier = [one for one in twins if copies.came_before(one, evidence)]
    return {evidence.sha256: copies.place(session, evidence=evidence, other=earlier[0])} if earlier else {}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a check needs to know of one file, so that it can run outside of any transaction."""

    storage_key: str
    sha256: str
    file_name: str
    author_id: int
    submission_id: int
    round_id: int
    slot: dict[str, Any]
    confidence: float
    known_hashes: dict[str, str]


def wanted(session: Session, *, evidence: Evidence) -> Wanted | None:
    """Return what to check of a file; None for one that was superseded meanwhile."""
    if evidence.state is EvidenceState.SUPERSEDED or evidence.removed_at is not None:
        return None
    submission = session.get_one(Submission, evidence.submission_id)
    scheme = round_scheme(session, round_=session.get_one(Round, submission.round_id))
    slot = next(one for one in scheme.slots(submission.ability) if one.id == evidence.slot)
    signed = attested(session, submission=submission)
    return Wanted(
        storage_key=evidence.storage_key,
        sha256=evidence.sha256,
        file_name=evidence.file_name,
        author_id=submission.author_id,
        submission_id=submission.id,
        round_id=submission.round_id,
        slot={
            "kind": None if slot.kind == "any" else slot.kind,
            "formats": list(slot.formats),
            "min_seconds": slot.min_seconds,
            "max_seconds": slot.max_seconds,
            "min_chars": slot.min_chars,
            # A slot that shows the teacher asks it of pictures and video; of a text in it nobody does, nor of
            # a file for which people signed that the teacher is in it.
            "teacher_visible": None if slot.shows_teacher and evidence.id not in signed else False,
        },
        confidence=float(scheme.evidence.confidence),
        known_hashes=known_hashes(session, evidence=evidence),
    )


def book_copy(session: Session, *, evidence: Evidence) -> None:
    """Leave due that a checked film or photo gets what reviewers see of it; what was refused nobody will look at."""
    kind = (evidence.report or {}).get("media", {}).get("kind")
    if kind in set(PICTURED) and evidence.verdict is not Verdict.REJECTED and evidence.poster_key is None:
        enqueue(session, kind=WorkKind.COPY_EVIDENCE, subject_id=evidence.id)


def to_copy(session: Session, *, evidence: Evidence) -> str | None:
    """Return the storage key of a file that wants its poster and copy; None for one superseded meanwhile."""
    session.refresh(evidence)
    gone = evidence.state is EvidenceState.SUPERSEDED or evidence.removed_at is not None
    return None if gone else evidence.storage_key


def record_copy(
    session: Session,
    *,
    evidence: Evidence,
    playable_key: str | None,
    poster_key: str | None,
    failed: bool,
    notes: Sequence[str] = (),
) -> None:
    """Keep what was made, with notes on what the copy leaves out; where nothing could be, reviewers are told to download.

    The verdict stays as it is.
    """
    submission = session.get_one(Submission, evidence.submission_id)
    round_ = session.get_one(Round, submission.round_id)
    take_turn(session, organization_id=round_.organization_id)
    evidence.playable_key, evidence.poster_key = playable_key, poster_key
    told = [("copy_note", text) for text in notes]
    if failed:
        told.append(("no_copy", say(_("没能做出可在浏览器里播放的副本，请下载原件查看。"))))
    last = session.scalar(select(func.max(Finding.position)).where(Finding.evidence_id == evidence.id))
    for position, (code, text) in enumerate(told, start=0 if last is None else last + 1):
        session.add(Finding(evidence_id=evidence.id, position=position, code=code, level="info", text=text))
    audit.record(
        session, organization_id=round_.organization_id, actor=None, deed="evidence.copy", about=evidence, failed=failed
    )


def missing(scheme: Scheme, *, submission: Submission, evidence: Sequence[Evidence]) -> list[str]:
    """Return, in Chinese, what a submission still lacks before it can be sealed."""
    problems = []
    for slot in scheme.slots(submission.ability):
        files = [one for one in evidence if one.slot == slot.id]
        good = [one for one in files if one.verdict is not Verdict.REJECTED]
        problems += [
            say(_("“{slot}”的文件“{file}”不合格，请更换"), slot=slot.name_zh, file=one.file_name)
            for one in files
            if one.verdict is Verdict.REJECTED
        ]
        if slot.required and len(good) < slot.count:
            problems.append(say(_("“{slot}”还差{left}个文件"), slot=slot.name_zh, left=slot.count - len(good)))
    return problems


def slots_filled(session: Session, *, scheme: Scheme, submission: Submission) -> list[Slot]:
    """Return the slots that a standing file fills: those a review form asks a level for."""
    filled = {one.slot for one in standing_evidence(session, submission=submission)}
    return [slot for slot in scheme.slots(submission.ability) if slot.id in filled]
