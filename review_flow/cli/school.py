"""`review-flow school …`: found it, adopt and publish a scheme, see its people, declare conflicts."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import select

from models import CommonSource, Evidence, Person, Role, Round, Submission, Workshop
from review_flow import cli
from review_flow import schemes as scheme_files
from review_flow.cli import common
from review_flow.cli.common import Desk, day
from review_flow.cli.workshop import board_lines
from review_flow.db import settings
from review_flow.errors import BadInput, NotFound
from review_flow.i18n import _, say
from review_flow.steps import boards, common_sources, door, faces, people, schemes, second_factor

if TYPE_CHECKING:
    from models import SchemeVersion

app = typer.Typer(help=cli.PARTS["school"][1], no_args_is_help=True)
command = partial(common.command, app, of_round=False)
SchemeId = Annotated[str, typer.Argument(help=_("方案编号"))]
Number = Annotated[str, typer.Argument(help=_("工号"))]


@command(_("建立学校和第一位管理员"))
def found(
    desk: Desk,
    name: Annotated[str, typer.Argument(help=_("学校名称"))],
    admin_number: Annotated[str, typer.Option(help=_("管理员工号"))],
    admin_name: Annotated[str, typer.Option(help=_("管理员姓名"))],
) -> None:
    """Make a school and its first administrator."""
    people.found_school(desk.session, name=name, admin_number=admin_number, admin_name=admin_name)
    desk.done(_("已建立学校“{name}”，管理员{admin}。"), name=name, admin=admin_number)


@command(_("给一位教师一个设置密码的一次性链接（--first：一个登录后必须修改的初始密码）"))
def password(
    desk: Desk,
    number: Number,
    first: Annotated[bool, typer.Option("--first", help=_("初始密码"))] = False,
) -> None:
    """Print a one-time link, or a first password."""
    person = desk.person(number)
    if first:
        given = door.give_password(desk.session, actor=desk.actor, person=person)
        desk.done(_("{name}的初始密码：{password}"), name=person.name, password=given)
        return
    token = door.make_link(desk.session, actor=desk.actor, person=person)
    desk.done(
        _("{name}的一次性链接（两天内有效）：{link}"),
        name=person.name,
        link=door.address_of(token, at=settings().web_url or "http://127.0.0.1:8000"),
    )


@command(_("重置一个人的第二步验证（手机和备用码都不在了）"))
def reset_second_factor(desk: Desk, number: Number) -> None:
    """Turn it off; one's own as well: who runs this holds the machine."""
    person = desk.person(number)
    if person.id == desk.actor.id:
        second_factor.end(desk.session, actor=person)
    else:
        second_factor.reset(desk.session, actor=desk.actor, person=person)
    desk.done(_("{name}的第二步验证已关闭。"), name=person.name)


@command(_("采用一个方案（自带的编号或自己的 YAML 文件），成为本校草案"))
def adopt(
    desk: Desk,
    scheme: Annotated[str, typer.Argument(help=_("方案编号，或 YAML 文件"))],
    effective_from: Annotated[date, typer.Option(parser=day, help=_("启用日期，如 2026-03-01"))],
    reason: Annotated[str | None, typer.Option(help=_("修订理由（修订已有方案时必填）"))] = None,
) -> None:
    """Adopt a scheme as the school's draft."""
    version = schemes.adopt(
        desk.session,
        actor=desk.actor,
        organization_id=desk.organization.id,
        scheme=scheme_files.load(scheme),
        effective_from=effective_from,
        reason=reason,
    )
    left = len(_open(version))
    sentence = _("已采用{scheme}第{version}版，还有{left}项本校待确认。")
    desk.done(sentence, scheme=version.scheme_id, version=version.version, left=left)


@command(_("列出“本校待确认”，并确认其中几项或全部"))
def confirm(
    desk: Desk,
    scheme: SchemeId,
    unknowns: Annotated[list[str] | None, typer.Argument(help=_("要确认的事项编号"))] = None,
    everything: Annotated[bool, typer.Option("--all", help=_("全部确认"))] = False,
) -> None:
    """List what the school has to confirm, and tick it."""
    version = schemes.newest(desk.session, organization_id=desk.organization.id, scheme_id=scheme)
    rows = _open(version)
    ticked = [str(row["id"]) for row in rows] if everything else unknowns or []
    for unknown in ticked:
        schemes.confirm(desk.session, actor=desk.actor, version=version, unknown_id=unknown)
    for row in rows:
        row["confirmed"] = say(_("已确认")) if row["id"] in ticked else say(_("待确认"))
    titles = {"id": _("编号"), "text": _("事项"), "values": _("现行默认值"), "confirmed": _("状态")}
    desk.table(rows, titles, empty=_("没有待确认的事项。"))


def _open(version: SchemeVersion) -> list[dict[str, object]]:
    scheme = schemes.scheme_of(version)
    return [
        {
            "id": unknown.id,
            "text": unknown.text_zh,
            "values": [f"{path}={value}" for path, value in scheme.in_force(unknown).items()],
        }
        for unknown in scheme.unconfirmed()
        if unknown.id not in version.confirmed
    ]


@command(_("发布方案：此后不再改动，可用于考核轮次"))
def publish(desk: Desk, scheme: SchemeId) -> None:
    """Publish the newest version of a scheme."""
    version = schemes.newest(desk.session, organization_id=desk.organization.id, scheme_id=scheme)
    schemes.publish(desk.session, actor=desk.actor, version=version)
    desk.done(_("已发布{scheme}第{version}版。"), scheme=scheme, version=version.version)


@command(_("列出本校人员、角色和工作坊"), name="people")
def people_(desk: Desk) -> None:
    """List the school's people; only the administrator."""
    people.require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    roles: dict[int, list[str]] = {}
    for role in desk.session.scalars(
        select(Role).where(Role.organization_id == desk.organization.id).order_by(Role.id)
    ):
        roles.setdefault(role.person_id, []).append(say(people.ROLE_NAMES[role.kind]))
    found = desk.session.execute(
        select(Person, Workshop.name)
        .outerjoin(Workshop, Workshop.id == Person.workshop_id)
        .where(Person.organization_id == desk.organization.id)
        .order_by(Person.number)
    )
    rows = [
        {
            "number": person.number,
            "name": person.name,
            "subject": person.subject,
            "stage": person.stage,
            "workshop": workshop,
            "roles": roles.get(person.id, []),
            "active": person.active,
        }
        for person, workshop in found
    ]
    titles = {"number": _("工号"), "name": _("姓名"), "subject": _("学科"), "workshop": _("工作坊"), "roles": _("角色")}
    desk.table(rows, titles, empty=_("还没有人员。"))


@command(_("登记回避：两人互不评审"))
def conflict(desk: Desk, one: Number, other: Number, reason: Annotated[str, typer.Option(help=_("理由"))]) -> None:
    """Declare that two people may not judge each other."""
    people.declare_conflict(
        desk.session, actor=desk.actor, one=desk.person(one), other=desk.person(other), reason=reason
    )
    desk.done(_("已登记回避：{one}与{other}。"), one=one, other=other)


@command(_("把一个文件（模板、共用素材）列为共用：与它相同的内容不再报雷同；写明理由，可撤销"))
def whitelist(
    desk: Desk,
    file: Annotated[str, typer.Argument(help=_("文件，或已提交证据的编号"))],
    reason: Annotated[str, typer.Option(help=_("理由"))],
) -> None:
    """Put a file, or a piece of evidence by its number, on the school's list of common sources."""
    if file.isdecimal():
        evidence = _evidence(desk, int(file))
        source = common_sources.whitelist_evidence(desk.session, actor=desk.actor, evidence=evidence, reason=reason)
    else:
        source = _whitelisted(desk, Path(file), reason)
    desk.done(_("已列为共用素材{id}：{name}。"), id=source.id, name=source.name)


def _evidence(desk: Desk, key: int) -> Evidence:
    found = desk.session.scalars(
        select(Evidence)
        .join(Submission, Submission.id == Evidence.submission_id)
        .join(Round, Round.id == Submission.round_id)
        .where(Evidence.id == key, Round.organization_id == desk.organization.id)
    ).first()
    if found is None:
        raise NotFound(what=say(_("证据")), key=key)
    return found


def _whitelisted(desk: Desk, path: Path, reason: str) -> CommonSource:
    from review_flow.evidence.limits import Broken
    from review_flow.evidence.probe import sha256_of
    from review_flow.evidence.sandbox import Sandbox

    if not path.is_file():
        raise NotFound(what=say(_("文件")), key=path)
    people.require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    desk.pause()  # the database waits for nobody's file
    try:
        with Sandbox() as box:
            prints = box.fingerprint(path)
    except Broken as broken:
        raise BadInput(field=path.name, problem=broken.finding.text) from None
    return common_sources.whitelist(
        desk.session,
        actor=desk.actor,
        organization=desk.organization,
        sha256=sha256_of(path),
        name=path.name,
        reason=reason,
        prints=prints,
    )


@command(_("列出共用素材"))
def whitelisted(desk: Desk) -> None:
    """List the common sources; only the administrator."""
    people.require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    rows = [
        {"id": one.id, "name": one.name, "reason": one.reason, "at": one.added_at}
        for one in common_sources.standing(desk.session, organization=desk.organization)
    ]
    titles = {"id": _("编号"), "name": _("文件"), "reason": _("理由"), "at": _("时间")}
    desk.table(rows, titles, empty=_("没有共用素材。"))


@command(_("撤销一项共用素材"))
def unlist(
    desk: Desk,
    source: Annotated[int, typer.Argument(help=_("编号"))],
    reason: Annotated[str, typer.Option(help=_("理由"))],
) -> None:
    """Take a file off the list."""
    found = desk.session.get(CommonSource, source)
    if found is None or found.organization_id != desk.organization.id:
        raise NotFound(what=say(_("共用素材")), key=source)
    common_sources.end_whitelist(desk.session, actor=desk.actor, source=found, reason=reason)
    desk.done(_("已撤销共用素材{id}。"), id=source)


@command(_("全校读取人脸特征的记录：谁的、何时、为何、多少份"))
def face_log(desk: Desk) -> None:
    """List every reading of encodings in the school."""
    found = faces.readings(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    common.face_readings(desk, found)


@command(_("学校看板：本校的指标与任务，各工作坊并列"), of_round=True)
def board(desk: Desk) -> None:
    """Show the school's board."""
    found = boards.school_board(desk.session, actor=desk.actor, round_=desk.round)
    titles = {
        "name": _("工作坊"), "members": _("坊员"), "quotas_met": _("达到指标"), "quotas": _("指标数"), "done": _("按时完成"),
        "late": _("逾期完成"), "due": _("已逾期"), "open": _("未到期"), "grade": _("等级"), "short": _("未达到"),
    }  # fmt: skip
    beside = ["", *common.aligned(found["workshops"], titles)] if found["workshops"] else []
    desk.show(found, [*board_lines(found), *beside])


@command(_("学校指标：分子、分母、目标与达成"), of_round=True)
def indicators(desk: Desk) -> None:
    """List the school's indicators."""
    rows = boards.indicators(desk.session, actor=desk.actor, round_=desk.round)
    shown = [
        {**one, "met": None if one["met"] is None else say(_("达到") if one["met"] else _("未达到"))} for one in rows
    ]
    titles = {"id": _("编号"), "have": _("分子"), "of": _("分母"), "met": _("情况"), "text": _("指标")}
    desk.show(rows, common.aligned(shown, titles) if rows else [say(_("本方案没有指标。"))])
