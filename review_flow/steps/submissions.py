"""成果提交: evidence in, checked, sealed, and submitted once the duty to review others is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models import (
    Enrolment,
    Evidence,
    Finding,
    Person,
    Round,
    Submission,
)
from review_flow.clock import days_after, now, shown
from review_flow.errors import Refusal
from review_flow.i18n import _, clauses, say
from review_flow.rules.duty import remaining
from review_flow.rules.grading import gates_at
from review_flow.rules.lifecycle import RoundPhase, SubmissionState, move
from review_flow.rules.scheme import DELIVERABLES
from review_flow.rules.words import (
    EvidenceState,
    Verdict,
    WorkKind,
)
from review_flow.steps import audit
from review_flow.steps.adjustments import note_late
from review_flow.steps.corrections import ask_correction, last_return
from review_flow.steps.duty import duty
from review_flow.steps.evidence import (
    NotEditable,
    findings_of,
    missing,
    require_author,
    require_editable,
    standing_evidence,
)
from review_flow.steps.faces import still_kept
from review_flow.steps.facts import record_of
from review_flow.steps.messages import tell
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn
from review_flow.steps.validity import settle
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.orm import Session


class Incomplete(Refusal):
    """Sealing needs every required slot filled by a file the check has not rejected (T7, T8)."""

    status, text = 409, _("还不能封存：{problems}")


class NothingChanged(Refusal):
    """A work that came back is not sealed by accident just as it was: its author says that this is meant."""

    status, text = 409, _("退回以后没有更换或补充过文件。请先按退回理由补正；如果不需要改动文件，请勾选确认后再封存。")


class NotSealed(Refusal):
    """What a scheme asks for besides abilities counts file by file, as it comes in."""

    status, text = 409, _("这些材料逐份计入，不需要封存。")


class GateClosed(Refusal):
    """A gate of the scheme that guards submitting is not passed, such as 001-A-17's hours (N25, N26)."""

    status, text = 409, _("还不能提交：{problems}")


class DutyOpen(Refusal):
    """001-A-24: others' works come first; says how many reviews are left."""

    status, text = 409, _("请先完成对他人成果的互评：还差{left}次（应完成{owed}次，已完成{given}次）。")


def record_check(
    session: Session,
    *,
    evidence: Evidence,
    report: dict[str, Any],
    sheet_key: str | None,
    faces_read: Collection[int] = (),
) -> bool:
    """Keep what a check saw. A rejected file is said to its author at once; nothing else is decided here.

    `faces_read`: the reference faces it compared with. Where one was destroyed meanwhile (a consent withdrawn at that
    very moment) nothing is kept, False is returned, and the file is looked at again without it.
    """
    submission = session.get_one(Submission, evidence.submission_id)
    round_ = session.get_one(Round, submission.round_id)
    take_turn(session, organization_id=round_.organization_id)  # the author may be sealing or withdrawing now
    if not still_kept(session, read=faces_read):
        enqueue(session, kind=WorkKind.CHECK_EVIDENCE, subject_id=evidence.id)
        return False
    findings: Sequence[dict[str, Any]] = report["findings"]
    for old in findings_of(session, handed=[evidence])[evidence.id]:
        session.delete(old)
    session.flush()
    for position, finding in enumerate(findings):
        session.add(
            Finding(evidence_id=evidence.id, position=position, **{k: finding[k] for k in ("code", "level", "text")})
        )
    evidence.verdict = Verdict(report["verdict"])
    evidence.teacher_present = report["present"]
    evidence.report = {key: value for key, value in report.items() if key not in {"findings", "verdict", "present"}}
    evidence.sheet_key, evidence.checked_at = sheet_key, now()
    if evidence.state is EvidenceState.WAITING:
        evidence.state = EvidenceState.CHECKED
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=None,
        deed="evidence.check",
        about=evidence,
        verdict=report["verdict"],
    )
    if evidence.state is EvidenceState.CHECKED and evidence.verdict is Verdict.REJECTED:
        why = " ".join(f["text"] for f in findings if f["level"] == "reject")
        tell(
            session,
            person_id=submission.author_id,
            round_id=round_.id,
            kind="evidence.rejected",
            sentence=_("您的文件“{file}”不能使用：{why}"),
            file=evidence.file_name,
            why=why,
        )
        if submission.state in {SubmissionState.SEALED, SubmissionState.SUBMITTED}:
            scheme = round_scheme(session, round_=round_)
            ask_correction(session, scheme=scheme, submission=submission, reasons=f"{evidence.file_name}：{why}")
    settle(session, submission=submission)
    return True


def seal(session: Session, *, actor: Person, submission: Submission, own_work: bool, unchanged: bool = True) -> None:
    """Seal the evidence: from here it counts as handed in and colleagues may review it (T7-T9).

    `own_work`: the author's statement that all of it is theirs (001-A-29, X-34). Files still waiting for their check
    don't hold the teacher up: a file that turns out broken comes back for correction. After the due time the clock
    itself notes a late hand-in (001-A-35); after the hard close nothing is taken. `unchanged`: a corrected work may be
    sealed with the very files it was returned with (its author answers the reasons otherwise, or holds them mistaken).
    Raises NotEditable, Incomplete, NothingChanged, WindowClosed.
    """
    round_ = require_author(session, actor=actor, submission=submission)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    require_editable(round_, submission)
    if submission.ability == DELIVERABLES:
        raise NotSealed
    scheme = round_scheme(session, round_=round_)
    if not own_work:
        raise Incomplete(problems=say(_("请确认全部证据由您本人制作")))
    problems = missing(scheme, submission=submission, evidence=standing_evidence(session, submission=submission))
    if problems:
        raise Incomplete(problems=clauses(problems))
    if not unchanged:
        returned = last_return(session, submission=submission)
        if returned and not returned.changed:
            raise NothingChanged
    submission.statement_at = now()
    corrected = submission.state is SubmissionState.CORRECTING
    submission.state = move(submission.state, SubmissionState.SEALED)
    if not corrected:
        submission.sealed_at = now()
        if submission.sealed_at > round_.submit_due_at:
            _note_late(session, round_=round_, submission=submission)
    enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=round_.id)
    audit.record(session, organization_id=round_.organization_id, actor=actor, deed="submission.seal", about=submission)
    if corrected and submission.submitted_at is not None:  # its duty was done: it goes straight back to the panel
        submission.state = move(submission.state, SubmissionState.SUBMITTED)
        settle(session, submission=submission)


def _note_late(session: Session, *, round_: Round, submission: Submission) -> None:
    note_late(
        session,
        enrolment_id=submission.enrolment_id,
        key=f"submission:{submission.id}",
        proof=say(
            _("系统记录：{ability}于{moment}封存，晚于截止时间"), ability=submission.ability, moment=shown(now())
        ),
    )
    tell(
        session,
        person_id=submission.author_id,
        round_id=round_.id,
        kind="adjustment.noted",
        sentence=_("您的“{ability}”晚于截止时间提交，按方案记迟交一次；如有异议请在公示前提出。"),
        ability=submission.ability,
    )


def closed_gates(session: Session, *, submission: Submission) -> list[str]:
    """Return, in the scheme's words, which of its gates keep a sealed work from going forward now."""
    scheme = round_scheme(session, round_=session.get_one(Round, submission.round_id))
    record = record_of(session, enrolment=session.get_one(Enrolment, submission.enrolment_id), weighed=False)
    return [gate.text for gate in gates_at(scheme, record, when="submit") if gate.passed is False]


def submit(session: Session, *, actor: Person | None, submission: Submission) -> None:
    """Send a sealed submission forward to the panel's validity check, once the duty is done (001-A-24, T9).

    By its author, or by the clock at the end (None). A work that came back for correction is still taken after the
    hand-in. Raises DutyOpen saying how many reviews are left, GateClosed naming the gate; the sealed work keeps its
    hand-in time meanwhile.
    """
    round_ = session.get_one(Round, submission.round_id)
    take_turn(session, organization_id=round_.organization_id)
    if actor is not None:
        require_author(session, actor=actor, submission=submission)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING)
    if submission.state is not SubmissionState.SEALED:
        raise NotEditable(state=say(submission.state.label))
    owed, done = duty(session, submission=submission)
    left = remaining(owed, given=done)
    if left:
        raise DutyOpen(left=left, owed=owed.total, given=done)
    closed = closed_gates(session, submission=submission)
    if closed:
        raise GateClosed(problems=clauses(closed))
    peer_days = round_scheme(session, round_=round_).calendar.peer
    submission.state = move(submission.state, SubmissionState.SUBMITTED)
    submission.submitted_at, submission.peer_owed = now(), owed.total
    submission.peer_due_at = days_after(now(), peer_days.days, working=peer_days.working_days)
    audit.record(
        session, organization_id=round_.organization_id, actor=actor, deed="submission.submit", about=submission
    )
    settle(session, submission=submission)
