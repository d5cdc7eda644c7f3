"""`review-flow activity …`: meetings of the scheme's activities, and signing in."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from models import Gathering, Person, Workshop
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk
from review_flow.clock import SCHOOL_ZONE, shown
from review_flow.db import settings
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.steps import gatherings, programme
from review_flow.steps.rounds import round_scheme

app = typer.Typer(help=cli.PARTS["activity"][1], no_args_is_help=True)
command = partial(common.command, app)
Key = Annotated[int, typer.Argument(help=_("场次编号（见 activity list）"))]
WORDS = {programme.PRESENT: _("到场"), programme.MADE_UP: _("补课"), programme.ABSENT: _("缺席")}


def moment(text: str | datetime) -> datetime:
    """Read 2026-03-05T14:30 as a moment in the school's zone."""
    if isinstance(text, datetime):
        return text
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(say(_("应写成 2026-03-05T14:30 的样子。"))) from None
    return found if found.tzinfo else found.replace(tzinfo=SCHOOL_ZONE)


@command(_("安排一场活动，此后可以签到"))
def hold(
    desk: Desk,
    activity: Annotated[str, typer.Argument(help=_("活动编号（见 facts kinds）"))],
    at: Annotated[datetime, typer.Option(parser=moment, help=_("时间，如 2026-03-05T14:30"))],
    place: Annotated[str, typer.Option(help=_("地点"))],
    workshop: Annotated[str | None, typer.Option(help=_("工作坊；空白即全体"))] = None,
) -> None:
    """Set up a meeting."""
    held = gatherings.hold(
        desk.session,
        actor=desk.actor,
        round_=desk.round,
        activity=activity,
        workshop=None if workshop is None else _workshop(desk, workshop),
        held_at=at,
        place=place,
    )
    opens, closes = shown(held.sign_in_opens_at), shown(held.sign_in_closes_at)
    desk.done(_("已安排，场次{id}；签到{opens}至{closes}。"), id=held.id, opens=opens, closes=closes)


@command(_("现场显示的签到码，每分钟更换"))
def code(
    desk: Desk,
    gathering: Key,
    svg: Annotated[Path | None, typer.Option(help=_("另把二维码写成 SVG 文件，供现场投屏"))] = None,
) -> None:
    """Show the code of this minute, and as a QR code to be projected."""
    found = gatherings.code_at(desk.session, actor=desk.actor, gathering=_gathering(desk, gathering))
    if svg is not None:
        from review_flow.outside.certificates import qr_svg

        svg.write_text(qr_svg(gatherings.link(settings().public_url, gathering, found)), encoding="utf-8")
    desk.done(_("签到码：{code}"), code=found)


@command(_("用现场的签到码签到"))
def sign_in(desk: Desk, gathering: Key, code: Annotated[str, typer.Argument(help=_("签到码"))]) -> None:
    """Sign oneself in."""
    said = gatherings.sign_in(desk.session, actor=desk.actor, gathering=_gathering(desk, gathering), code=code)
    desk.done(_("已签到。"), state=said)


@command(_("按签到表登记到场与缺席"))
def sign_list(
    desk: Desk,
    gathering: Key,
    present: Annotated[list[str] | None, typer.Option(help=_("到场者工号，可重复"))] = None,
    absent: Annotated[list[str] | None, typer.Option(help=_("缺席者工号，可重复"))] = None,
) -> None:
    """Record who came by a list."""
    counts = gatherings.sign_list(
        desk.session,
        actor=desk.actor,
        gathering=_gathering(desk, gathering),
        present=[desk.person(number) for number in present or []],
        absent=[desk.person(number) for number in absent or []],
    )
    sentence = _("新登记{added}人，更正{superseded}人，不变{unchanged}人。")
    desk.done(sentence, **counts)


@command(_("登记补课"))
def make_up(
    desk: Desk,
    gathering: Key,
    number: Annotated[str, typer.Argument(help=_("工号"))],
    proof: Annotated[str, typer.Option(help=_("怎样补的，有何证明"))],
) -> None:
    """Record that a missed meeting was made up."""
    found = _gathering(desk, gathering)
    said = gatherings.make_up(desk.session, actor=desk.actor, gathering=found, person=desk.person(number), proof=proof)
    desk.done(_("已登记补课。"), state=said)


@command(_("列出各场活动及到场人数；给出编号则列出到场情况"), name="list")
def list_(desk: Desk, gathering: Annotated[int | None, typer.Argument(help=_("场次编号"))] = None) -> None:
    """List the meetings, or who came to one."""
    if gathering is not None:
        _who_came(desk, _gathering(desk, gathering))
        return
    names = {one.id: one.name_zh for one in round_scheme(desk.session, round_=desk.round).activities}
    rows: list[dict[str, object]] = [
        {
            "id": one.id,
            "activity": names.get(one.activity, one.activity),
            "workshop": desk.session.get_one(Workshop, one.workshop_id).name if one.workshop_id else say(_("全体")),
            "at": one.held_at,
            "place": one.place,
            "came": sum(
                word != programme.ABSENT for word in gatherings.attendance(desk.session, gathering=one).values()
            ),
        }
        for one in desk.session.scalars(
            select(Gathering).where(Gathering.round_id == desk.round.id).order_by(Gathering.held_at, Gathering.id)
        )
    ]
    titles = {
        "id": _("编号"), "activity": _("活动"), "workshop": _("工作坊"), "at": _("时间"), "place": _("地点"), "came": _("到场"),
    }  # fmt: skip
    desk.table(rows, titles, empty=_("还没有安排活动。"))


def _who_came(desk: Desk, gathering: Gathering) -> None:
    gatherings.require_host(desk.session, actor=desk.actor, gathering=gathering)
    told = gatherings.attendance(desk.session, gathering=gathering)
    people = {person_id: desk.session.get_one(Person, person_id) for person_id in told}
    rows: list[dict[str, object]] = [
        {"number": people[person_id].number, "name": people[person_id].name, "state": say(WORDS[word])}
        for person_id, word in told.items()
    ]
    desk.table(rows, {"number": _("工号"), "name": _("姓名"), "state": _("情况")}, empty=_("还没有人签到。"))


def _gathering(desk: Desk, key: int) -> Gathering:
    return desk.of_the_round(Gathering, key, say(_("场次")))


def _workshop(desk: Desk, name: str) -> Workshop:
    found = desk.session.scalars(
        select(Workshop).where(Workshop.organization_id == desk.organization.id, Workshop.name == name)
    ).first()
    if found is None:
        raise NotFound(what=say(_("工作坊")), key=name)
    return found
