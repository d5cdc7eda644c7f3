"""What an operator does: check, doctor, resume, migrate, work, verify, and the demonstration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from models import DueWork, Evidence
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import REFUSED, Desk, ready_engine, run_deed
from review_flow.cli.demo import demo
from review_flow.db import engine_for, settings, transaction
from review_flow.errors import NotFound
from review_flow.i18n import _, listed, say
from review_flow.migrate import grant

app = typer.Typer()
AsJson = common.AsJson
NOBODY: dict[str, Any] = {"acting": None, "school": None}
"""These deeds are the operator's, who owns the machine: no person of a school acts."""


@app.command(help=cli.PARTS["check"][1])
def check(as_json: AsJson = False) -> None:
    """Check every invariant; status 1 and the rows where one doesn't hold."""
    run_deed(_check, {**NOBODY, "as_json": as_json}, {})


def _check(desk: Desk) -> None:
    from review_flow.steps import invariants

    found = invariants.broken(desk.session)
    desk.status = REFUSED if found else 0
    rows = [{"statement": one.statement, "row": one.row} for one in found]
    every = len(invariants.STATEMENTS) + len(invariants.COMPUTED)
    lines = common.aligned(rows, {"row": _("行"), "statement": _("不成立的陈述")}) if rows else []
    last = say(_("{count}行不符。"), count=len(rows)) if rows else say(_("{count}条陈述全部成立。"), count=every)
    desk.show({"ok": not rows, "statements": every, "broken": rows}, [*lines, last])


@app.command(help=cli.PARTS["doctor"][1])
def doctor(as_json: AsJson = False) -> None:
    """Look the installation over; status 1 where something has to be mended."""
    run_deed(_doctor, {**NOBODY, "as_json": as_json}, {})


def _doctor(desk: Desk) -> None:
    from review_flow.cli.doctor import SIGNS, Health, examined

    found = examined()
    desk.status = REFUSED if any(one.health is Health.BAD for one in found) else 0
    rows = [{"name": one.name, "health": one.health.value, "text": one.text} for one in found]
    desk.show(rows, [f"{SIGNS[one.health]} {say(one.title)}：{one.text}" for one in found])


@app.command(help=cli.PARTS["resume"][1])
def resume(
    ids: Annotated[list[int], typer.Argument(help=_("编号（见 doctor）"))],
    as_json: AsJson = False,
) -> None:
    """Let parked work be tried again."""
    run_deed(_resume, {**NOBODY, "as_json": as_json}, {"ids": ids})


def _resume(desk: Desk, ids: list[int]) -> None:
    from review_flow.steps import work

    for key in ids:
        item = desk.session.get(DueWork, key)
        if item is None or item.parked_at is None:
            raise NotFound(what=say(_("被搁置的工作")), key=key)
        work.resume(desk.session, work_id=key)
    desk.done(_("已重新排队：{ids}。"), ids=listed(ids))


@app.command(help=cli.PARTS["rotate-face-key"][1])
def rotate_face_key(as_json: AsJson = False) -> None:
    """Seal every face anew; killed at any point, the next run goes on."""
    run_deed(_rotate_face_key, {**NOBODY, "as_json": as_json}, {})


def _rotate_face_key(desk: Desk) -> None:
    """Seal with the new key batch by batch, each in a transaction of its own; old key files go when nothing uses them."""
    from review_flow.steps import face_keys

    chosen, engine = settings(), ready_engine()
    with transaction(engine) as session:
        face_keys.require_known(session, keys=chosen.face_keys())
    chosen.begin_new_face_key()
    count, damaged = 0, set[int]()
    while True:
        with transaction(engine) as session:
            done = face_keys.rotate(session, keys=chosen.face_keys, known=damaged)
        count, damaged = count + done.sealed, damaged | done.damaged
        if not done.sealed and not done.damaged:
            break
    removed: list[Path] = []
    with transaction(engine) as session:
        retired = face_keys.retire(
            session, keys=chosen.face_keys, remove=lambda: removed.extend(chosen.end_old_face_key())
        )
    told = [say(_("已用新密钥重新加密{count}份人脸特征。"), count=count)]
    told += [say(_("旧密钥文件已删除：{path}"), path=path) for path in removed]
    told += [str(face_keys.FaceDamaged(id=one)) for one in sorted(damaged)]
    if damaged:
        told.append(say(_("其余的都已换好；旧密钥暂时保留，处理完以上各条后请再运行一次。")))
    elif not retired:
        told.append(say(_("刚才又登记了用旧密钥加密的特征，请再运行一次。")))
    elif chosen.previous_encryption_key is not None:
        told.append(say(_("旧密钥已没有特征在用，可以去掉 REVIEW_FLOW_PREVIOUS_ENCRYPTION_KEY。")))
    desk.status = 0 if retired else REFUSED
    desk.show({"sealed": count, "retired": retired, "removed": removed, "damaged": sorted(damaged)}, told)


@app.command(help=cli.PARTS["rotate-certificate-key"][1])
def rotate_certificate_key(as_json: AsJson = False) -> None:
    """Number certificates by a new key from now on, and seal what the old one sealed anew."""
    run_deed(_rotate_certificate_key, {**NOBODY, "as_json": as_json}, {})


def _rotate_certificate_key(desk: Desk) -> None:
    from review_flow.steps import second_factor, webhooks

    chosen, engine = settings(), ready_engine()
    chosen.begin_new_number_key()
    with transaction(engine) as session:
        factors = second_factor.seal_anew(session, keys=chosen.derived_keys("second factor"))
        hooks = webhooks.seal_anew(session, seal_keys=chosen.derived_keys("webhooks"))
    keys, count, damaged = len(chosen.number_keys()), factors.count + hooks.count, factors.damaged + hooks.damaged
    told = [say(_("已用新密钥重新加密{count}份第二步验证和回调密钥。"), count=count)]
    told += [say(_("以前的证书编号仍可核验：共保留{count}个密钥，请一并备份。"), count=keys)]
    if damaged:
        told.append(say(_("这些用哪个密钥都打不开，请重新设置：{whose}"), whose=listed(damaged)))
    desk.status = REFUSED if damaged else 0
    desk.show({"sealed": count, "keys": keys, "damaged": damaged}, told)


@app.command(help=cli.PARTS["index-copies"][1])
def index_copies(as_json: AsJson = False) -> None:
    """Fingerprint what has none."""
    run_deed(_index_copies, {**NOBODY, "as_json": as_json}, {})


def _index_copies(desk: Desk) -> None:
    """Do file by file, each in a transaction of its own: killed at any point, the next run goes on."""
    from review_flow.evidence.limits import Broken
    from review_flow.evidence.sandbox import Sandbox
    from review_flow.outside.storage import storage_at
    from review_flow.steps import copies

    waiting = [(one.id, one.storage_key) for one in copies.without_prints(desk.session)]
    desk.pause()
    storage, done, found, broken = storage_at(settings().storage), 0, 0, list[int]()
    with Sandbox() as box:
        for key, stored in waiting:
            try:
                with storage.path(stored) as path:
                    prints = box.fingerprint(path)
            except (Broken, NotFound):
                broken.append(key)
                continue
            found += copies.index(desk.session, evidence=desk.session.get_one(Evidence, key), prints=prints)
            done += 1
            desk.pause()
    told = [say(_("补做了{count}个文件，新发现{found}处雷同。"), count=done, found=found)]
    if broken:
        told.append(say(_("没能做的：{ids}。"), ids=listed(broken)))
    desk.status = REFUSED if broken else 0
    desk.show({"indexed": done, "findings": found, "broken": broken}, told)


@app.command(help=cli.PARTS["purge-evidence"][1])
def purge_evidence(
    delete: Annotated[bool, typer.Option("--delete/--dry-run", help=_("删除／只列出"))] = False,
    as_json: AsJson = False,
) -> None:
    """List the files whose time is over; delete them when told to."""
    run_deed(_purge_evidence, {**NOBODY, "as_json": as_json}, {"delete": delete})


def _purge_evidence(desk: Desk, *, delete: bool) -> None:
    from review_flow.outside.storage import storage_at
    from review_flow.steps import retention

    days = settings().evidence_days
    going = retention.due(desk.session, days=days)
    rows: list[dict[str, object]] = [
        {
            "evidence": one.evidence.id,
            "round": one.round_.name,
            "file": one.name,
            "megabytes": None if one.size_bytes is None else f"{one.size_bytes / 1e6:.1f}",
            "since": one.since,
        }
        for one in going
    ]
    if delete:
        storage = storage_at(settings().storage)
        for round_ in {one.round_.id: one.round_ for one in going}.values():
            for key in retention.remove_files(desk.session, round_=round_, days=days):
                storage.delete(key)
    titles = {
        "evidence": _("编号"),
        "round": _("轮次"),
        "file": _("文件"),
        "megabytes": _("兆字节"),
        "since": _("到期"),
    }
    lines = common.aligned(rows, titles) if rows else [say(_("没有到了保存期限的文件。"))]
    if rows:
        done = (
            _("以上{count}个文件已删除，评分记录都保留。") if delete else _("以上{count}个文件到期；加 --delete 删除。")
        )
        lines.append(say(done, count=len(rows)))
    desk.show(rows, lines)


@app.command(help=cli.PARTS["migrate"][1])
def migrate(
    grant_to: Annotated[
        str | None, typer.Option(help=_("迁移后，让这个 PostgreSQL 账户只能读写数据，改不了表结构和审计记录"))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database to the schema of this version."""
    run_deed(_migrate, {**NOBODY, "as_json": as_json}, {"grant_to": grant_to})


def _migrate(desk: Desk, *, grant_to: str | None) -> None:
    engine = engine_for(settings().database)
    if settings().database_url is None:
        engine = ready_engine()
    common.migrate(engine)
    if grant_to is not None:
        grant(engine, role=grant_to)
    desk.done(_("数据库已是最新：{place}。"), place=engine.url.render_as_string(hide_password=True))


@app.command(help=cli.PARTS["work"][1])
def work(
    until_idle: Annotated[bool, typer.Option("--until-idle", help=_("做完到期的工作就结束"))] = False,
    as_json: AsJson = False,
) -> None:
    """Do what is due, until stopped."""
    run_deed(_work, {**NOBODY, "as_json": as_json}, {"until_idle": until_idle})


def _work(desk: Desk, *, until_idle: bool) -> None:
    ready_engine()
    chosen = settings()  # before flows: what is wrong with the settings is said by name
    from flows.worker import work as work_on
    from review_flow.lifeline import hold_on
    from review_flow.logs import configure

    hold_on()
    configure(as_json=chosen.log_json)

    work_on(chosen, until_idle=until_idle)
    desk.done(_("已停止。"))


@app.command(help=cli.PARTS["verify"][1])
def verify(
    archive: Annotated[Path, typer.Argument(help=_("归档 zip"))],
    as_json: AsJson = False,
) -> None:
    """Verify an archive without a database; status 1 and what doesn't hold."""
    run_deed(_verify, {**NOBODY, "as_json": as_json}, {"archive": archive})


def _verify(desk: Desk, archive: Path) -> None:
    from review_flow.steps.exports_verify import verify as verified

    problems = verified(archive)
    desk.status = REFUSED if problems else 0
    whole = say(_("归档完整：校验和、审计链和每一份结果的重算全部一致。"))
    desk.show({"ok": not problems, "problems": problems}, problems or [whole])


app.command(help=cli.PARTS["demo"][1])(demo)
