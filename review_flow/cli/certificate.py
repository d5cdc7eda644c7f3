"""`review-flow certificate …`: issue, confirm, print, revoke, verify."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models import Enrolment, Person
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import Desk
from review_flow.cli.refusals import REFUSED, Misuse
from review_flow.clock import now
from review_flow.db import settings
from review_flow.i18n import _, say
from review_flow.outside.certificates import TypstPrinter
from review_flow.rules.certificates import CertificateState, genuine
from review_flow.steps import certificates, certificates_valid
from review_flow.steps.certificates_valid import UNKNOWN, Standing, by_number
from review_flow.steps.people import require_admin
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models import Certificate
    from review_flow.outside.certificates import Page

app = typer.Typer(help=cli.PARTS["certificate"][1], no_args_is_help=True)
command = partial(common.command, app)
Number = Annotated[str, typer.Argument(help=_("证书编号"))]
STATES = {CertificateState.ISSUED: _("已签发"), CertificateState.REVOKED: _("已撤销")}


@command(_("列出本轮应发而未发的证书"))
def due(desk: Desk) -> None:
    """List what the standing results grant and nobody issued yet."""
    require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    titles = _titles(desk)
    rows = [
        {**_teacher(desk, one.enrolment_id), "kind": one.kind, "title": titles[one.kind]}
        for one in certificates.due_certificates(desk.session, round_=desk.round)
    ]
    shown = {"person": _("工号"), "name": _("姓名"), "kind": _("种类"), "title": _("证书")}
    desk.table(rows, shown, empty=_("没有应发而未发的证书。"))


def _titles(desk: Desk) -> dict[str, str]:
    return {one.id: one.name_zh for one in round_scheme(desk.session, round_=desk.round).certificates}


def _teacher(desk: Desk, enrolment_id: int) -> dict[str, str]:
    person = desk.session.get_one(Person, desk.session.get_one(Enrolment, enrolment_id).person_id)
    return {"person": person.number, "name": person.name}


@command(_("签发：全部应发的，或一位教师的一种"))
def issue(
    desk: Desk,
    person: Annotated[str | None, typer.Argument(help=_("教师工号；不写则签发全部应发的"))] = None,
    kind: Annotated[str | None, typer.Option(help=_("方案里的证书代号"))] = None,
) -> None:
    """Issue everything that is due, or one certificate of one teacher (also one that was revoked by hand)."""
    if (person is None) != (kind is None):
        raise Misuse(why=say(_("教师工号与 --kind 要一起写")))
    key = settings().number_key()
    if person is not None and kind is not None:
        wanted: list[tuple[Enrolment, str]] = [(desk.enrolment(person), kind)]
    else:
        found = certificates.due_certificates(desk.session, round_=desk.round)
        wanted = [(desk.session.get_one(Enrolment, one.enrolment_id), one.kind) for one in found]
        require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    made = [
        certificates.issue(desk.session, actor=desk.actor, enrolment=enrolment, kind=one, key=key)
        for enrolment, one in wanted
    ]
    _listed(desk, made, empty=_("没有应发而未发的证书。"))


@command(_("列出本轮的证书，旧版在内"), name="list")
def list_(desk: Desk) -> None:
    """List every version of every certificate of the round."""
    require_admin(desk.session, actor=desk.actor, organization_id=desk.organization.id)
    _listed(desk, certificates.of_round(desk.session, round_=desk.round), empty=_("本轮还没有证书。"))


def _listed(desk: Desk, found: Sequence[Certificate], *, empty: str) -> None:
    waiting = certificates.unconfirmed(desk.session, ids=[one.id for one in found])
    rows = [
        {
            **_teacher(desk, one.enrolment_id),
            "number": one.number,
            "kind": one.kind,
            "title": one.title,
            "version": one.version,
            "state": one.state.value,
            "state_zh": say(STATES[one.state]),
            "valid": one.state is CertificateState.ISSUED and one.id not in waiting,
            "waits_for": [
                row.name
                for row in (certificates.issuers_of(desk.session, certificate=one) if one.id in waiting else ())
                if row.confirmed_at is None
            ],
            "reason": one.revoked_reason,
        }
        for one in found
    ]
    titles = {
        "number": _("编号"), "person": _("工号"), "name": _("姓名"), "title": _("证书"), "version": _("版"),
        "state_zh": _("状态"), "waits_for": _("待确认单位"), "reason": _("撤销理由"),
    }  # fmt: skip
    desk.table(rows, titles, empty=empty)


@command(_("颁发单位确认：指定编号的，或全部待确认的"))
def confirm(
    desk: Desk,
    issuer: Annotated[str, typer.Option(help=_("颁发单位"))],
    numbers: Annotated[list[str] | None, typer.Argument(help=_("证书编号；不写则全部"))] = None,
    proof: Annotated[str | None, typer.Option(help=_("不在本系统内的单位：其确认的凭据（文号、函件）"))] = None,
) -> None:
    """Confirm for an issuer: its own administrators, or the school's with the issuer's paper."""
    if not numbers:
        count = certificates_valid.confirm_all(
            desk.session, actor=desk.actor, round_=desk.round, issuer=issuer, proof=proof
        )
    for number in numbers or ():
        one = by_number(desk.session, number=number, round_=desk.round)
        certificates_valid.confirm(desk.session, actor=desk.actor, certificate=one, issuer=issuer, proof=proof)
    desk.done(_("“{issuer}”已确认{count}份。"), issuer=issuer, count=len(numbers) if numbers else count)


@command(_("撤销一份证书（留档，以其为依据的一并撤销）"))
def revoke(desk: Desk, number: Number, reason: Annotated[str, typer.Option(help=_("理由，教师会看到"))]) -> None:
    """Revoke a certificate with a reason."""
    one = by_number(desk.session, number=number, round_=desk.round)
    certificates.revoke(desk.session, actor=desk.actor, certificate=one, reason=reason)
    desk.done(_("编号{number}的证书已撤销。"), number=one.number)


@command(_("打印有效的证书：一个 PDF；或每份一个文件（文件夹或 zip）"), name="print")
def print_(
    desk: Desk,
    out: Annotated[Path, typer.Option(help=_("写到哪里：.pdf 合为一册，.zip 或文件夹则每份一个文件"))],
    numbers: Annotated[list[str] | None, typer.Argument(help=_("证书编号；不写则全部有效的"))] = None,
) -> None:
    """Print certificates that are valid: all of the round, or those named; a teacher prints their own."""
    found = [by_number(desk.session, number=one, round_=desk.round) for one in numbers or ()]
    found = found or certificates_valid.printable(desk.session, round_=desk.round)
    if not found:
        desk.done(_("没有有效的证书可打印。"))
        return
    url = settings().public_url
    printed = certificates_valid.pages(
        desk.session, actor=desk.actor, round_=desk.round, certificates=found, public_url=url
    )
    _write(printed, out)
    desk.done(_("已打印{count}份：{path}"), count=len(printed), path=out)


def _write(pages: Sequence[Page], out: Path) -> None:
    printer, moment = TypstPrinter(), now()
    if out.suffix.lower() == ".pdf":
        out.write_bytes(printer.pdf(pages, made_at=moment))
        return
    files = ((f"{page.number}.pdf", printer.pdf([page], made_at=moment)) for page in pages)
    if out.suffix.lower() == ".zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, content in files:
                bundle.writestr(name, content)
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files:
        (out / name).write_bytes(content)


@command(_("核验一个编号：只答真伪与可公开的几项"), of_round=False)
def verify(desk: Desk, number: Number) -> None:
    """Say of a number what a stranger may know; a made-up one is told without the database. Status 1 unless valid."""
    known = genuine(number, keys=settings().number_keys())
    found = UNKNOWN if known is None else certificates_valid.verify(desk.session, number=known)
    desk.status = 0 if found.standing is Standing.VALID else REFUSED
    facts = found.as_json()
    names = {
        "text": _("结果"), "number": _("编号"), "title": _("证书"), "holder": _("姓名"), "school": _("学校"),
        "ledger": _("学时账"), "hours": _("学时"), "issued_on": _("签发日期"),
    }  # fmt: skip
    desk.show(facts, [f"{say(title)}：{facts[key]}" for key, title in names.items() if facts[key] is not None])
