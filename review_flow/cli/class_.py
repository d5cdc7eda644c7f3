"""`review-flow class …`: classes of a round."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from sqlalchemy import select

from models import Organization, Person, TrainingClass
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk
from review_flow.cli.workshop import class_of
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.words import ClassKind
from review_flow.steps import classes
from review_flow.steps.people import person_by_number

app = typer.Typer(help=cli.PARTS["class"][1], no_args_is_help=True)
command = partial(common.command, app)
Name = Annotated[str, typer.Argument(help=_("班名"))]
Number = Annotated[str, typer.Argument(help=_("工号"))]
From = Annotated[str | None, typer.Option("--from", help=_("所在学校（联片班的外校教师）"))]


@command(_("建班"))
def found(
    desk: Desk,
    name: Name,
    admin: Annotated[str, typer.Option(help=_("班级管理员工号"))],
    kind: Annotated[ClassKind, typer.Option(help=_("single 独立班，joint 联片班"))] = ClassKind.SINGLE,
) -> None:
    """Set up a class."""
    made = classes.found_class(
        desk.session, actor=desk.actor, round_=desk.round, name=name, kind=kind, admin=desk.person(admin)
    )
    desk.done(_("已建班“{name}”。"), name=made.name)


@command(_("进班；超过方案人数时写明理由"))
def join(
    desk: Desk,
    name: Name,
    number: Number,
    reason: Annotated[str | None, typer.Option(help=_("超出人数的理由"))] = None,
    from_school: From = None,
) -> None:
    """Put somebody into a class."""
    person = _person(desk, number, from_school)
    classes.join_class(desk.session, actor=desk.actor, class_=class_of(desk, name), person=person, reason=reason)
    desk.done(_("{number}已进“{name}”。"), number=number, name=name)


@command(_("离班"))
def leave(desk: Desk, name: Name, number: Number, from_school: From = None) -> None:
    """Take somebody out of a class."""
    classes.leave_class(
        desk.session, actor=desk.actor, class_=class_of(desk, name), person=_person(desk, number, from_school)
    )
    desk.done(_("{number}已离“{name}”。"), number=number, name=name)


@command(_("列出各班及人数"), name="list")
def list_(desk: Desk) -> None:
    """List the classes of the round."""
    found_ = desk.session.scalars(
        select(TrainingClass).where(TrainingClass.round_id == desk.round.id).order_by(TrainingClass.id)
    )
    rows: list[dict[str, object]] = [
        {
            "name": one.name,
            "kind": say(_("独立班") if one.kind is ClassKind.SINGLE else _("联片班")),
            "admin": desk.session.get_one(Person, one.admin_id).name,
            "members": len(classes.class_members(desk.session, class_=one)),
        }
        for one in found_
    ]
    titles = {"name": _("班"), "kind": _("类别"), "admin": _("管理员"), "members": _("人数")}
    desk.table(rows, titles, empty=_("还没有班。"))


def _person(desk: Desk, number: str, school: str | None) -> Person:
    if school is None:
        return desk.person(number)
    found_ = desk.session.scalars(
        select(Organization.id).where(
            Organization.name == school, Organization.parent_id == desk.organization.parent_id
        )
    ).first()
    if found_ is None:
        raise NotFound(what=say(_("学校")), key=school)
    return person_by_number(desk.session, organization_id=found_, number=number)
