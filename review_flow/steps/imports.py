"""Sheets in: a file is kept, read by a flow, and either every row of it is taken or none."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import Organization, Person, Provider, Round, SheetImport
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, NotFound, Refusal
from review_flow.i18n import _, listed, say
from review_flow.outside import spreadsheets, workbooks
from review_flow.outside.storage import keep
from review_flow.outside.storage import read as read_file
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import JobState, SheetKind, WorkKind
from review_flow.steps import audit, imports_facts, imports_progress, imports_roster, imports_survey
from review_flow.steps.imports_tables import TABLES, Bringing
from review_flow.steps.imports_written import Written, listening, preview
from review_flow.steps.people import require_admin
from review_flow.steps.rounds import require_phase
from review_flow.steps.turn import take_turn
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

    from review_flow.outside.storage import Storage

BRING = {
    SheetKind.ROSTER: imports_roster.bring,
    SheetKind.HOURS: imports_facts.bring_hours,
    SheetKind.PROGRESS: imports_progress.bring_progress,
    SheetKind.ATTENDANCE: imports_facts.bring_attendance,
    SheetKind.AWARDS: imports_facts.bring_awards,
    SheetKind.SURVEY: imports_survey.bring_survey,
}
STATES = {
    JobState.LOOKING: _("正在预览"),
    JobState.LOOKED: _("待确认"),
    JobState.WAITING: _("等待"),
    JobState.DONE: _("已导入"),
    JobState.REFUSED: _("未导入"),
    JobState.TAKEN_BACK: _("已撤销"),
}
EARLY = (RoundPhase.SETUP, RoundPhase.OPEN)
PHASES = {kind: EARLY if kind is SheetKind.ROSTER else (*EARLY, RoundPhase.SCORING) for kind in SheetKind}


class NothingToTake(Refusal):
    """Only a sheet that was looked through waits for a word."""

    status, text = 409, _("这张表现在是“{state}”，不能这样做。")


def template(kind: SheetKind) -> bytes:
    """Return an empty xlsx to fill, with its 填写说明."""
    return workbooks.template(TABLES[kind])


def start(
    session: Session,
    *,
    actor: Person,
    organization: Organization,
    round_: Round | None,
    kind: SheetKind,
    file_name: str,
    data: bytes,
    storage: Storage,
    provider: Provider | None = None,
    look: bool = False,
) -> SheetImport:
    """Keep a sheet that the school's administrator brings, and ask for its import; or, with `look`, for a preview.

    `provider`: the platform whose export it is, read by the columns kept for it.

    Raises NotAllowed, BadInput (a round is missing, the file is too large), WrongPhase, SheetUnreadable (a survey with names).
    """
    require_admin(session, actor=actor, organization_id=organization.id)
    if round_ is not None and round_.organization_id != organization.id:
        raise NotAllowed(why=say(_("这个考核轮次属于另一所学校")))
    if round_ is None and kind is not SheetKind.ROSTER:
        raise BadInput(field=say(_("考核轮次")), problem=say(_("这张表要导入到某个考核轮次。")))
    if round_ is not None:
        require_phase(round_, *PHASES[kind])
    if len(data) > spreadsheets.MOST_BYTES:
        raise BadInput(field=say(_("文件")), problem=say(_("超过{limit}兆字节。"), limit=spreadsheets.MOST_BYTES >> 20))
    table = _named_by(TABLES[kind], provider)
    if table.only_these:  # seen before it is kept: a sheet that names people is kept nowhere
        spreadsheets.read(table, data, problems=spreadsheets.Problems())
    sheet_import = SheetImport(
        organization_id=organization.id,
        round_id=round_.id if round_ else None,
        kind=kind,
        file_name=PurePath(file_name.replace("\\", "/")).name[:200],
        storage_key=keep(storage, data).key,
        provider_id=provider.id if provider else None,
        state=JobState.LOOKING if look else JobState.WAITING,
        brought_by_id=actor.id,
        brought_at=now(),
    )
    session.add(sheet_import)
    session.flush()
    audit.record(
        session, organization_id=organization.id, actor=actor, deed="sheet.bring", about=sheet_import, kind=kind.value
    )
    enqueue(session, kind=WorkKind.IMPORT_SHEET, subject_id=sheet_import.id)
    return sheet_import


def run(session: Session, *, sheet_import: SheetImport, storage: Storage) -> None:
    """Read the sheet and take all of its rows; or none, with every problem of every row and a sheet that shows them.

    One that is to be looked through first takes none, and says row by row what it would do. Run again after it is done, it changes nothing. One school's sheets follow each other.
    """
    school = sheet_import.organization_id
    session.execute(select(Organization.id).where(Organization.id == school).with_for_update()).one()
    session.refresh(sheet_import)
    if sheet_import.state not in {JobState.LOOKING, JobState.WAITING}:
        return
    actor = session.get_one(Person, sheet_import.brought_by_id)
    bringing = Bringing(
        session=session,
        actor=actor,
        organization_id=school,
        round=session.get_one(Round, sheet_import.round_id) if sheet_import.round_id else None,
        table=table_of(session, sheet_import=sheet_import),
        problems=spreadsheets.Problems(),
        written=Written(session),
    )
    counts: dict[str, int] = {}
    sheet = None
    try:
        sheet = spreadsheets.read(
            bringing.table, read_file(storage, sheet_import.storage_key), problems=bringing.problems
        )
        counts = _bring(bringing, sheet_import, sheet)
    except Refusal as refusal:
        bringing.problems.add(0, str(refusal))
    _finish(session, sheet_import, bringing, sheet, storage, counts)


def table_of(session: Session, *, sheet_import: SheetImport) -> spreadsheets.Table:
    """Return the declared table, its columns named as the platform names them where it is a platform's export."""
    known = sheet_import.provider_id
    return _named_by(TABLES[sheet_import.kind], None if known is None else session.get_one(Provider, known))


def _named_by(table: spreadsheets.Table, provider: Provider | None) -> spreadsheets.Table:
    if provider is None:
        return table
    return spreadsheets.as_named_by(table, columns=provider.columns, constants=provider.constants)


def keep_provider(
    session: Session,
    *,
    actor: Person,
    organization: Organization,
    name: str,
    kind: SheetKind,
    columns: Mapping[str, str],
    constants: Mapping[str, str],
) -> Provider:
    """Keep how a platform names the columns of its export; kept again, the new naming stands.

    Both maps go by column key. Raises NotAllowed, BadInput naming a key the sheet doesn't have, or one named in both.
    """
    require_admin(session, actor=actor, organization_id=organization.id)
    if not name.strip():
        raise BadInput(field=say(_("平台")), problem=say(_("请写明名称。")))
    keys = [column.key for column in TABLES[kind].columns]
    for key in (*columns, *constants):
        if key not in keys:
            raise BadInput(field=say(_("列")), problem=say(_("应为以下之一：{allowed}。"), allowed=listed(keys)))
    for key in columns.keys() & constants.keys():
        raise BadInput(field=key, problem=say(_("不能既有列名又有固定值。")))
    standing = session.scalars(
        select(Provider).where(
            Provider.organization_id == organization.id, Provider.name == name, Provider.sheet == kind.value
        )
    ).first()
    provider = standing or Provider(organization_id=organization.id, name=name, sheet=kind.value)
    provider.columns, provider.constants = dict(columns), dict(constants)
    provider.kept_by_id, provider.kept_at = actor.id, now()
    session.add(provider)
    session.flush()
    audit.record(session, organization_id=organization.id, actor=actor, deed="provider.keep", about=provider)
    return provider


def provider_named(session: Session, *, organization: Organization, name: str, kind: SheetKind) -> Provider:
    """Return a platform's naming for a sheet; NotFound names it."""
    found = session.scalars(
        select(Provider).where(
            Provider.organization_id == organization.id, Provider.name == name, Provider.sheet == kind.value
        )
    ).first()
    if found is None:
        raise NotFound(what=say(_("平台")), key=name)
    return found


def _bring(bringing: Bringing, sheet_import: SheetImport, sheet: spreadsheets.Sheet) -> dict[str, int]:
    """Take the rows inside a savepoint, which is taken back where anything is wrong, or nobody said yet to take them."""
    if bringing.round is not None:
        require_phase(bringing.round, *PHASES[sheet_import.kind])
    looking = sheet_import.state is JobState.LOOKING
    with bringing.session.begin_nested() as all_or_nothing:
        found = bringing.written
        with listening(found):
            counts = BRING[sheet_import.kind](bringing, found.each(sheet.rows))
        seen = preview(found, sheet, bringing.table) if looking and not bringing.problems else None
        made = found.as_json()
        if bringing.problems or looking:
            all_or_nothing.rollback()
    sheet_import.preview, sheet_import.made = seen or sheet_import.preview, None if looking else made
    return counts


def take(session: Session, *, actor: Person, sheet_import: SheetImport) -> None:
    """Say, after a look, that the sheet is to be taken; the flow takes it, or finds what has come between."""
    _settle(session, actor=actor, sheet_import=sheet_import, state=JobState.WAITING, deed="sheet.agree")
    enqueue(session, kind=WorkKind.IMPORT_SHEET, subject_id=sheet_import.id)


def leave(session: Session, *, actor: Person, sheet_import: SheetImport) -> None:
    """Say, after a look, that the sheet is not to be taken."""
    _settle(session, actor=actor, sheet_import=sheet_import, state=JobState.TAKEN_BACK, deed="sheet.leave")


def _settle(session: Session, *, actor: Person, sheet_import: SheetImport, state: JobState, deed: str) -> None:
    require_admin(session, actor=actor, organization_id=sheet_import.organization_id)
    take_turn(session, organization_id=sheet_import.organization_id)
    if sheet_import.state is not JobState.LOOKED:
        raise NothingToTake(state=say(STATES[sheet_import.state]))
    sheet_import.state = state
    audit.record(session, organization_id=sheet_import.organization_id, actor=actor, deed=deed, about=sheet_import)


def _finish(
    session: Session,
    sheet_import: SheetImport,
    bringing: Bringing,
    sheet: spreadsheets.Sheet | None,
    storage: Storage,
    counts: dict[str, int],
) -> None:
    problems = bringing.problems
    sheet_import.rows = len(sheet.rows) if sheet else None
    sheet_import.finished_at = now()
    if problems:
        deed, sheet_import.state, sheet_import.made = "sheet.refuse", JobState.REFUSED, None
        sheet_import.problems = {str(number): sentences for number, sentences in sorted(problems.rows.items())}
        counts = {"problems": len(problems.rows)}
        if sheet:
            shown = workbooks.problem_sheet(sheet, problems, title=say(bringing.table.title_zh))
            sheet_import.problems_key = keep(storage, shown).key
    else:
        looked = sheet_import.state is JobState.LOOKING
        sheet_import.state = JobState.LOOKED if looked else JobState.DONE
        deed = "sheet.look" if looked else "sheet.take"
    audit.record(
        session,
        organization_id=bringing.organization_id,
        actor=bringing.actor,
        deed=deed,
        about=sheet_import,
        **counts,
    )
