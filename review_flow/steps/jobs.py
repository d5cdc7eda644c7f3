"""后台工作: what is under way for a round, for a page that survives being closed. Reads, changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import DueWork, RoundExport
from review_flow.clock import now
from review_flow.i18n import _
from review_flow.rules.words import ExportKind, JobState, WorkKind
from review_flow.steps.people import require_admin

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models import Person, Round

LAST = 20  # files shown: the newest
OF_ROUND = {
    WorkKind.FINALISE_ROUND: _("合成成绩"),
    WorkKind.ISSUE_CERTIFICATES: _("签发证书"),
    WorkKind.PURGE_FACES: _("销毁人脸特征"),
    WorkKind.PURGE_EVIDENCE: _("删除到期文件"),
}
EXPORT_NAMES = {
    ExportKind.RESULTS: _("考核结果表"),
    ExportKind.ARCHIVE: _("归档"),
    ExportKind.CERTIFICATES: _("证书合册"),
}


class JobAt(Enum):
    """Where a piece of work stands for whoever waits for it."""

    BOOKED = "booked"
    WAITING = "waiting"
    RUNNING = "running"
    PARKED = "parked"
    DONE = "done"


AT_NAMES = {
    JobAt.BOOKED: _("已安排"),
    JobAt.WAITING: _("排队中"),
    JobAt.RUNNING: _("进行中"),
    JobAt.PARKED: _("停下了，请联系系统管理员"),
    JobAt.DONE: _("已完成"),
}


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: its name, where it stands, since or until when, why it stopped; the file it makes."""

    name: str
    at: JobAt
    moment: datetime | None
    why: str | None = None
    export: RoundExport | None = None


def of_round(session: Session, *, actor: Person, round_: Round) -> list[Job]:
    """Return the round's work, the latest of each kind, and its newest files; the school's administrators may ask."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    newest = (
        select(func.max(DueWork.id))
        .where(DueWork.kind.in_(OF_ROUND), DueWork.subject_id == round_.id)
        .group_by(DueWork.kind)
    )
    works = session.scalars(select(DueWork).where(DueWork.id.in_(newest)).order_by(DueWork.id))
    found = [Job(OF_ROUND[one.kind], *_at(one)) for one in works]
    rows = session.execute(
        select(RoundExport, DueWork)
        .outerjoin(DueWork, (DueWork.kind == WorkKind.EXPORT_ROUND) & (DueWork.subject_id == RoundExport.id))
        .where(RoundExport.round_id == round_.id)
        .order_by(RoundExport.id.desc())
        .limit(LAST)
    )
    for export, work in rows:
        done = export.state is JobState.DONE
        at, moment, why = (JobAt.DONE, export.finished_at, None) if done else _at(work)
        found.append(Job(EXPORT_NAMES[export.kind], at, moment, why, export))
    return found


def _at(work: DueWork) -> tuple[JobAt, datetime | None, str | None]:
    if work.done_at is not None:
        return JobAt.DONE, work.done_at, None
    if work.parked_at is not None:
        return JobAt.PARKED, work.parked_at, work.parked_reason
    if work.lease_until is not None and work.lease_until > now():
        return JobAt.RUNNING, None, None
    return (JobAt.WAITING if work.due_at <= now() else JobAt.BOOKED), work.due_at, None
