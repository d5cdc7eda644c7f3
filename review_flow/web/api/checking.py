"""Files that somebody reported, to be looked at by the panel; and a mark that is half given."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Evidence, FileReport
from review_flow.errors import BadInput, NotAllowed
from review_flow.i18n import say
from review_flow.steps import file_reports, panel
from review_flow.steps.rounds import WrongPhase
from review_flow.steps.turn import take_turn
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api.access import Panelist
from review_flow.web.api.pages import Asked, numbered_part
from review_flow.web.api.reviewing import Draft, FileOut, FormIn, shown_file
from review_flow.web.api.routes import IfMatch, reads, router, writes
from review_flow.web.api.shapes import In, Out, Page, Prose, Word
from review_flow.web.versions import require_version

routes = router("checking")


class FileReportOut(Out):
    """A file that a reviewer reported, and what they say of it; not who says it."""

    id: int
    submission_id: int
    why: Word
    note: str
    reported_at: datetime
    file: FileOut


class LookedIn(In):
    """Whether the file is doubtful, and what one saw: a doubt has two people judge a work that the check had passed."""

    doubtful: bool
    finding: Prose


@reads(routes, "/rounds/{key}/file-reports")
def list_file_reports(session: Db, person: Panelist, key: Key, part: Asked) -> Page[FileReportOut]:
    """List the reported files of a round at which nobody has looked, but those one keeps away from."""
    round_ = mine.panel(session, person, key, *file_reports.LOOKERS)
    found = file_reports.open_reports(session, person=person, round_=round_)
    return numbered_part(_reports(session, found), part=part)


def _reports(session: Session, found: list[FileReport]) -> list[FileReportOut]:
    reported = select(Evidence).where(Evidence.id.in_([one.evidence_id for one in found]))
    files = {one.id: one for one in session.scalars(reported)}
    return [
        FileReportOut(
            id=one.id,
            submission_id=files[one.evidence_id].submission_id,
            why=Word(code=one.reason.value, text=say(file_reports.REASONS[one.reason])),
            note=one.note,
            reported_at=one.reported_at,
            file=shown_file(files[one.evidence_id]),
        )
        for one in found
    ]


@reads(routes, "/panel/file-reports/{key}")
def get_file_report(session: Db, person: Panelist, key: Key) -> FileReportOut:
    """Tell of a reported file that waits for somebody to look."""
    return _reports(session, [mine.report(session, person, key)])[0]


@writes(
    routes,
    "POST",
    "/panel/file-reports/{key}/close",
    status=204,
    refuses=[file_reports.ReportClosed, NotAllowed, BadInput],
)
def close_file_report(session: Db, person: Panelist, key: Key, body: LookedIn) -> None:
    """Say what a reported file is."""
    found = mine.report(session, person, key)
    file_reports.close(session, actor=person, report=found, doubtful=body.doubtful, finding=body.finding)


@reads(routes, "/panel/submissions/{key}/draft")
def get_panel_draft(session: Db, person: Panelist, key: Key) -> Draft:
    """Tell what one filled in so far of a mark that one was asked for, with its version."""
    return Draft(form=mine.asked(session, person, key)[1].draft)


@writes(routes, "PUT", "/panel/submissions/{key}/draft", refuses=[panel.NotAsked, panel.AlreadyMarked, WrongPhase])
def put_panel_draft(session: Db, person: Panelist, key: Key, body: FormIn, if_match: IfMatch) -> Draft:
    """Keep what was filled in so far of a mark."""
    take_turn(session, organization_id=person.organization_id)
    work, own = mine.asked(session, person, key)
    require_version(Draft(form=own.draft).model_dump(mode="json"), if_match=if_match)
    return Draft(form=panel.save_draft(session, actor=person, submission=work, draft=body.plain()).draft)
