"""What commands share: who acts for which school in which round, one transaction, and how answers are printed."""

from __future__ import annotations

import inspect
import json
from contextlib import ExitStack
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.cells import cell_len
from sqlalchemy import select

from models import (
    Assignment,
    Enrolment,
    Gathering,
    GroupFact,
    Nomination,
    Organization,
    Person,
    Round,
    RoundExport,
    Submission,
)
from review_flow.cli.json_input import parse
from review_flow.cli.refusals import BadFile, FileThere, Misuse, NotMigrated, StrangeSchema, explained
from review_flow.clock import SCHOOL_ZONE
from review_flow.db import engine_for, settings, transaction
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _, clauses, listed, say
from review_flow.migrate import is_current, upgrade
from review_flow.rules.codes import plain
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.words import FacePurpose, OrganizationKind
from review_flow.steps import enrolments, people, rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from models import FaceReading

REFUSED = 1
OfRound = TypeVar("OfRound", Assignment, Gathering, GroupFact, Nomination, RoundExport, Submission)
As = Annotated[str | None, typer.Option("--as", envvar="REVIEW_FLOW_AS", help=_("以谁的身份（工号）"))]
SchoolName = Annotated[
    str | None, typer.Option("--school", envvar="REVIEW_FLOW_SCHOOL", help=_("学校名称；只有一所时可省略"))
]
RoundName = Annotated[
    str | None, typer.Option("--round", envvar="REVIEW_FLOW_ROUND", help=_("考核轮次名称；只有一轮在进行时可省略"))
]
AsJson = Annotated[bool, typer.Option("--json", help=_("输出 JSON"))]


def ready_engine() -> Engine:
    """Return the engine of a migrated database. The embedded one is made on first use; a server's is not touched."""
    chosen = settings()
    chosen.require_keys_moved()
    if chosen.database_url is None:
        chosen.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = engine_for(chosen.database)
    if not is_current(engine):
        if chosen.database_url is not None:
            raise NotMigrated
        migrate(engine)
        typer.echo(say(_("数据库已就绪：{place}"), place=chosen.home / "review-flow.db"), err=True)
    return engine


def migrate(engine: Engine) -> None:
    """Bring the database to the newest revision."""
    from alembic.util import CommandError

    try:
        upgrade(engine)
    except CommandError as error:
        raise StrangeSchema(why=error) from error


class Desk:
    """What one command has at hand. The transaction opens when the session is first asked for.

    What is printed comes out only after the commit: nobody reads of a deed that was rolled back.
    """

    def __init__(
        self,
        stack: ExitStack,
        *,
        acting: str | None = None,
        school: str | None = None,
        round_name: str | None = None,
        as_json: bool = False,
    ) -> None:
        self._stack, self._acting, self._school, self._round_name = stack, acting, school, round_name
        self.as_json, self.status = as_json, 0
        self._printed: list[str] = []

    @cached_property
    def session(self) -> Session:
        """Return the session of the command's one transaction."""
        return self._stack.enter_context(transaction(ready_engine()))

    @cached_property
    def organization(self) -> Organization:
        """Return the named school, or the only one."""
        schools = list(
            self.session.scalars(
                select(Organization).where(Organization.kind == OrganizationKind.SCHOOL).order_by(Organization.id)
            )
        )
        if not schools:
            raise Misuse(why=say(_("还没有学校，请先用 review-flow school found 建立")))
        named = [one for one in schools if self._school in (None, one.name)]
        if not named:
            raise NotFound(what=say(_("学校")), key=self._school)
        if len(named) > 1:
            raise Misuse(why=say(_("请用 --school 指明学校：{names}"), names=listed(one.name for one in named)))
        return named[0]

    @cached_property
    def actor(self) -> Person:
        """Return the acting person."""
        if self._acting is None:
            raise Misuse(why=say(_("请用 --as 工号 说明以谁的身份操作")))
        return self.person(self._acting)

    @cached_property
    def round(self) -> Round:
        """Return the named round, or the only one that is not closed, or the only one."""
        if self._round_name is not None:
            return rounds.round_by_name(self.session, organization_id=self.organization.id, name=self._round_name)
        found = list(
            self.session.scalars(select(Round).where(Round.organization_id == self.organization.id).order_by(Round.id))
        )
        running = [one for one in found if one.phase is not RoundPhase.CLOSED]
        if not found:
            raise Misuse(why=say(_("还没有考核轮次，请先用 review-flow round create 建立")))
        for candidates in (running, found):
            if len(candidates) == 1:
                return candidates[0]
        raise Misuse(why=say(_("请用 --round 指明考核轮次：{names}"), names=listed(one.name for one in found)))

    @property
    def names_round(self) -> bool:
        """Whether the command was told which round."""
        return self._round_name is not None

    def pause(self) -> None:
        """Commit and let the database go before something that takes long; the next use begins a new transaction."""
        self._stack.close()
        for name in ("session", "organization", "actor", "round"):
            self.__dict__.pop(name, None)

    def person(self, number: str) -> Person:
        """Return the school's person with this number."""
        return people.person_by_number(self.session, organization_id=self.organization.id, number=number)

    def enrolment(self, number: str | None = None) -> Enrolment:
        """Return the actor's, or the numbered person's, enrolment in the round."""
        person = self.actor if number is None else self.person(number)
        return enrolments.enrolment_of(self.session, round_=self.round, person=person)

    def own(self, ability: str) -> Submission:
        """Return the actor's submission of an ability."""
        mine = enrolments.submissions_of(self.session, enrolment=self.enrolment())
        for one in mine:
            if one.ability == ability:
                return one
        raise NotFound(what=say(_("您选的微能力")), key=ability)

    def of_the_round(self, model: type[OfRound], key: int, what: str) -> OfRound:
        """Return a row with a round by its id; one of another round is not there."""
        row = self.session.get(model, key)
        if row is None or row.round_id != self.round.id:
            raise NotFound(what=say(what), key=key)
        return row

    def done(self, sentence: str, /, **names: object) -> None:
        """Answer with one sentence; as JSON with its facts besides."""
        text = say(sentence, **names)
        self.show({"text": text, **names}, [text])

    def show(self, data: object, lines: Iterable[str]) -> None:
        """Answer with data as JSON, or with lines."""
        self._printed += [as_json_text(data)] if self.as_json else lines

    def table(self, rows: Sequence[Mapping[str, object]], titles: Mapping[str, str], *, empty: str) -> None:
        """Answer with rows: a JSON list of objects, or columns under their titles."""
        self.show(rows, aligned(rows, titles) if rows else [say(empty)])

    def print(self) -> None:
        """Print the answers."""
        for line in self._printed:
            typer.echo(line)


READ_FOR = {
    FacePurpose.BLUR: _("做遮挡人脸的副本"),
    FacePurpose.CHECK: _("核对文件"),
    FacePurpose.ENROL: _("登记照片"),
    FacePurpose.ROTATE: _("更换密钥"),
}


def face_readings(desk: Desk, found: Sequence[FaceReading]) -> None:
    """Answer with readings of faces: when, what for, how many; never the numbers."""
    rows = [
        {
            "at": one.at,
            "purpose": one.purpose.value,
            "purpose_zh": say(READ_FOR[one.purpose]),
            "number": desk.session.get_one(Person, one.person_id).number,
            "evidence": one.evidence_id,
            "encodings": one.encodings,
            "colleagues": one.colleagues,
        }
        for one in found
    ]
    titles = {
        "at": _("时间"),
        "purpose_zh": _("用途"),
        "number": _("谁的文件或照片"),
        "evidence": _("文件"),
        "encodings": _("读取特征数"),
        "colleagues": _("其中同事人数"),
    }
    desk.table(rows, titles, empty=_("没有读取过人脸特征。"))


def as_json_text(data: object) -> str:
    """Return data as JSON; moments in the school's zone, marks as decimal strings."""
    return json.dumps(data, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: object) -> str:
    return value.astimezone(SCHOOL_ZONE).isoformat() if isinstance(value, datetime) else str(value)


def aligned(rows: Sequence[Mapping[str, object]], titles: Mapping[str, str]) -> list[str]:
    """Return rows as lines, columns as wide as their widest cell: a Chinese sign takes two places."""
    cells = [[say(title) for title in titles.values()], *([_cell(row.get(key)) for key in titles] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    padded = ([cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)] for row in cells)
    return ["  ".join(row).rstrip() for row in padded]


def local(moment: datetime | None) -> str:
    """Return a moment as the school's clock shows it."""
    return f"{moment.astimezone(SCHOOL_ZONE):%Y-%m-%d %H:%M}" if moment else ""


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return local(value)
    if isinstance(value, list):
        return clauses(value)
    return "" if value is None else str(value)


def day(text: str | date) -> date:
    """Read a day."""
    try:
        return text if isinstance(text, date) else date(*map(int, plain(text).split("-", 2)))
    except (TypeError, ValueError, OverflowError):
        raise typer.BadParameter(say(_("“{text}”不是日期，请写成 2026-03-20"), text=text)) from None


def write_new(path: Path, content: bytes) -> None:
    """Write a blank to fill in; raises FileThere for what is there already: it may be filled."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise FileThere(path=path) from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file; its numbers stay decimal texts, never binary floats."""
    try:
        found = parse(path.read_bytes(), decimal=str)
    except BadInput as refused:
        raise BadFile(path=path, problem=refused) from None
    if not isinstance(found, dict):
        raise Misuse(why=say(_("{path}应是一个 JSON 对象"), path=path))
    return found


def command(
    app: typer.Typer, text: str, *, name: str | None = None, of_round: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register `deed(desk, …)` as a command with the shared options; what goes wrong is one sentence and a status.

    The function keeps its own parameters after the desk; Typer reads them from the signature made here.
    """

    def register(deed: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(deed, eval_str=True)
        shared: dict[str, Any] = {"acting": As, "school": SchoolName, "round_name": RoundName, "as_json": AsJson}
        if not of_round:
            del shared["round_name"]
        parameters = [one for one in own.parameters.values() if one.name != "desk"]
        parameters += [
            inspect.Parameter(
                key, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=False if key == "as_json" else None
            )
            for key, kind in shared.items()
        ]

        def run(**given: Any) -> None:
            run_deed(deed, {key: given.pop(key) for key in shared}, given)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        app.command(name or deed.__name__.rstrip("_").replace("_", "-"), help=text)(run)
        return deed

    return register


def run_deed(deed: Callable[..., None], shared: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Do a command's deed in its transaction, then print its answer; end with its status."""
    try:
        with ExitStack() as stack:
            desk = Desk(stack, **shared)
            deed(desk, **given)
    except Exception as error:
        answer = explained(error)
        if answer is None:
            raise
        if shared["as_json"]:
            typer.echo(as_json_text({"error": answer.code, "text": answer.text}))
        else:
            typer.echo(answer.text, err=True)
        raise typer.Exit(answer.status) from None
    desk.print()
    if desk.status:
        raise typer.Exit(desk.status)
