"""`review-flow teacher …`: a teacher's way through a round."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select

from models import Adjustment, Enrolment, Evidence, Finding, Result, Review, Submission
from review_flow import cli
from review_flow.cli import common
from review_flow.cli.common import REFUSED, Desk
from review_flow.cli.facts import DONE, decimal
from review_flow.cli.round import codes
from review_flow.db import settings
from review_flow.errors import NotFound
from review_flow.i18n import _, listed, say
from review_flow.outside.storage import keep, storage_at
from review_flow.rules.consent import CURRENT, digest_of, text_of
from review_flow.rules.words import Verdict
from review_flow.steps import (
    adjustments,
    appeals,
    enrolments,
    evidence,
    faces,
    feedback,
    results,
    standing,
    submissions,
    voices,
)

app = typer.Typer(help=cli.PARTS["teacher"][1], no_args_is_help=True)
command = partial(common.command, app)
Ability = Annotated[str, typer.Argument(help=_("微能力，如 A1"))]
VERDICTS = {None: _("等待检查"), Verdict.VALID: _("通过"), Verdict.HUMAN: _("请人工查看"), Verdict.REJECTED: _("退回")}
SIGNS = {True: "✓", False: "✗", None: "?"}


@command(_("我现在到了哪一步、还要做什么"))
def status(desk: Desk) -> None:
    """Say where the teacher stands and what is left to do."""
    enrolment = desk.enrolment()
    works = [_work(desk, one) for one in enrolments.submissions_of(desk.session, enrolment=enrolment)]
    credited = {key: str(hours) for key, hours in enrolments.hours_of(desk.session, enrolment=enrolment).items()}
    facts = [_adjustment(one) for one in _adjustments(desk, enrolment)]
    result = results.published(desk.session, enrolment=enrolment)
    waits = standing.waits_for(desk.session, person=desk.actor, round_=desk.round)
    notices = _notices(desk)
    data = {
        "round": desk.round.name,
        "phase": desk.round.phase.value,
        "state": enrolment.state.value,
        "hours": credited,
        "abilities": works,
        "adjustments": facts,
        "result": result and {"state": result.state.value, "grade": result.grade},
        "todo": [one.why for one in waits],
        "notices": notices,
    }
    lines = [f"{desk.round.name}  {say(desk.round.phase.label)}  {desk.actor.name}：{say(enrolment.state.label)}"]
    lines += [say(_("学时：{hours}"), hours=listed(f"{key} {hours}" for key, hours in credited.items()))] * bool(
        credited
    )
    for work in works:
        lines.append(f"{work['ability']}  {work['state_zh']}")
        lines += [f"  {file['slot']}  {file['file']}  {file['verdict_zh']}" for file in work["files"]]
        lines += [f"    · {text}" for file in work["files"] for text in file["findings"]]
    lines += [say(_("记录{id}：{on} {kind}（{state}）{proof}"), **fact) for fact in facts]
    lines += [say(_("结果：{state}"), state=say(result.state.label))] if result else []
    lines += [say(_("要做：{why}"), why=one.why) for one in waits] or [say(_("现在没有要您做的事。"))]
    desk.show(data, [*lines, *notices])


def _notices(desk: Desk) -> list[str]:
    """Tell, nobody but the teacher, that a consent is to an earlier text: nothing has to be done about it."""
    standing = faces.standing_consent(desk.session, person_id=desk.actor.id)
    if standing is None or standing.text_version == CURRENT:
        return []
    return [str(faces.ConsentOutdated(version=standing.text_version, current=CURRENT))]


def _work(desk: Desk, work: Submission) -> dict[str, Any]:
    files = evidence.standing_evidence(desk.session, submission=work)
    return {
        "id": work.id,
        "ability": work.ability,
        "state": work.state.value,
        "state_zh": say(work.state.label),
        "files": [_file(desk, one) for one in files],
    }


def _file(desk: Desk, one: Evidence) -> dict[str, Any]:
    findings = select(Finding.text).where(Finding.evidence_id == one.id).order_by(Finding.position)
    return {
        "id": one.id,
        "slot": one.slot,
        "file": one.file_name,
        "verdict": one.verdict and one.verdict.value,
        "verdict_zh": say(VERDICTS[one.verdict]),
        "findings": list(desk.session.scalars(findings)),
    }


def _adjustments(desk: Desk, enrolment: Enrolment) -> list[Adjustment]:
    mine = select(Adjustment).where(Adjustment.enrolment_id == enrolment.id).order_by(Adjustment.id)
    return list(desk.session.scalars(mine))


def _adjustment(one: Adjustment) -> dict[str, object]:
    return {
        "id": one.id,
        "on": one.happened_on.isoformat(),
        "kind": say(adjustments.NAMES[one.kind]),
        "state": say(adjustments.STATES[one.state]),
        "proof": one.proof,
        "points": one.points,
    }


@command(_("我已阅读考核方案"))
def acknowledge(desk: Desk) -> None:
    """Record that the plan was read."""
    enrolments.acknowledge(desk.session, actor=desk.actor, enrolment=desk.enrolment())
    desk.done(_("已记录：您已阅读方案。"))


@command(_("愿意多评：别人没有评完的互评先转给我"))
def volunteer(desk: Desk, no: Annotated[bool, typer.Option("--no", help=_("不再多评"))] = False) -> None:
    """Offer to take what others did not get done."""
    enrolments.volunteer(desk.session, actor=desk.actor, enrolment=desk.enrolment(), willing=not no)
    desk.done(_("已登记：不再多评。") if no else _("已登记：愿意多评，谢谢您。"))


@command(_("我已完成自测"))
def self_test(desk: Desk) -> None:
    """Record that the self-test was done."""
    enrolments.self_test(desk.session, actor=desk.actor, enrolment=desk.enrolment())
    desk.done(_("已记录：您已完成自测。"))


@command(_("选择微能力"))
def choose(desk: Desk, abilities: Annotated[str, typer.Argument(help=_("如 A1,A3,A5"))]) -> None:
    """Choose the abilities."""
    chosen = codes(abilities)
    enrolments.choose(desk.session, actor=desk.actor, enrolment=desk.enrolment(), abilities=chosen)
    desk.done(_("已选择{abilities}。"), abilities=listed(chosen))


@command(_("用另一项微能力替换无效或未合格的一项"))
def replace(desk: Desk, old: Ability, new: Ability) -> None:
    """Take another ability in the place of an invalid one."""
    enrolments.replace(desk.session, actor=desk.actor, enrolment=desk.enrolment(), old=old, new=new)
    desk.done(_("已将{old}换成{new}。"), old=old, new=new)


@command(_("提交一个证据文件"))
def add(
    desk: Desk,
    ability: Ability,
    slot: Annotated[str, typer.Argument(help=_("证据项"))],
    file: Annotated[Path, typer.Argument(help=_("文件"))],
    replaces: Annotated[int | None, typer.Option(help=_("取代哪个文件（编号）"))] = None,
) -> None:
    """Hang a file on a slot."""
    _hang(desk, desk.own(ability), slot, file, replaces)


def _hang(desk: Desk, work: Submission, slot: str, file: Path, replaces: int | None) -> None:
    stored = keep(storage_at(settings().storage), file)
    older = next((one for one in evidence.standing_evidence(desk.session, submission=work) if one.id == replaces), None)
    if replaces is not None and older is None:
        raise NotFound(what=say(_("文件")), key=replaces)
    added = evidence.add_evidence(
        desk.session,
        actor=desk.actor,
        submission=work,
        slot=slot,
        file_name=file.name,
        stored=stored,
        replaces=older,
    )
    desk.done(_("已收下{file}，编号{id}，等待检查。"), file=file.name, id=added.id)


@command(_("删除一个交错的证据文件（封存前）"))
def remove(desk: Desk, file: Annotated[int, typer.Argument(help=_("文件编号"))]) -> None:
    """Take a file back that was handed in by mistake."""
    found = desk.session.get(Evidence, file)
    if found is None or desk.session.get_one(Submission, found.submission_id).author_id != desk.actor.id:
        raise NotFound(what=say(_("文件")), key=file)
    evidence.remove_evidence(desk.session, actor=desk.actor, evidence=found)
    desk.done(_("已删除{file}。"), file=found.file_name)


@command(_("交一份方案要求的其他材料（教学设计、感悟、总结等）"))
def hand_in(
    desk: Desk,
    slot: Annotated[str, typer.Argument(help=_("材料编号"))],
    file: Annotated[Path, typer.Argument(help=_("文件"))],
    replaces: Annotated[int | None, typer.Option(help=_("取代哪个文件（编号）"))] = None,
) -> None:
    """Hand in what the scheme asks for besides abilities."""
    work = enrolments.deliverables_of(desk.session, actor=desk.actor, enrolment=desk.enrolment())
    _hang(desk, work, slot, file, replaces)


@command(_("封存一项成果，此后同事可以评审"))
def seal(
    desk: Desk,
    ability: Ability,
    own_work: Annotated[bool, typer.Option("--own-work", help=_("我声明全部证据由本人制作"))] = False,
) -> None:
    """Seal the evidence of an ability."""
    submissions.seal(desk.session, actor=desk.actor, submission=desk.own(ability), own_work=own_work)
    desk.done(_("{ability}已封存。"), ability=ability)


@command(_("互评完成后，把封存的成果提交考核组"))
def submit(desk: Desk, ability: Ability) -> None:
    """Send a sealed work forward."""
    submissions.submit(desk.session, actor=desk.actor, submission=desk.own(ability))
    desk.done(_("{ability}已提交。"), ability=ability)


@command(_("同事对我的成果说了什么（互评结束后）"))
def reviews(desk: Desk) -> None:
    """List what colleagues said; not who they are."""
    found = feedback.received_by(desk.session, person=desk.actor, round_=desk.round)
    rows: list[dict[str, object]] = [
        {"id": one.review, "ability": one.ability, "comment": one.comment, "helped": one.helped} for one in found
    ]
    for row in rows:
        row["helped_zh"] = "" if row["helped"] is None else say(HELPED[bool(row["helped"])])
    titles = {"id": _("编号"), "ability": _("微能力"), "comment": _("评语"), "helped_zh": _("对我")}
    desk.table(rows, titles, empty=_("还没有结束的互评。"))


HELPED = {True: _("有帮助"), False: _("没有帮助")}


@command(_("评价一份收到的互评有没有帮助（等级生效后评阅人才看到）"))
def helped(
    desk: Desk,
    review: Annotated[int, typer.Argument(help=_("编号（见 teacher reviews）"))],
    yes: Annotated[bool, typer.Option("--yes/--no", help=_("有／没有帮助"))],
    comment: Annotated[str | None, typer.Option(help=_("想说的话"))] = None,
) -> None:
    """Say whether a review helped."""
    found = desk.session.get(Review, review)
    if found is None:
        raise NotFound(what=say(_("互评")), key=review)
    feedback.answer(desk.session, actor=desk.actor, review=found, helped=yes, comment=comment)
    desk.done(_("谢谢，已记下。"))


@command(_("我的考核结果，逐行说明依据"))
def result(desk: Desk) -> None:
    """Show the result with its whole ledger."""
    found = _result(desk)
    outcome = json.loads(found.outcome)
    grade = found.grade or say(_("{grade}（待考核组确认）"), grade=found.proposed_grade)
    lines = [f"{grade}  {found.score}  {say(found.state.label)}"]
    lines += [say(_("考核组降等理由：{reason}"), reason=found.lowered_reason)] if found.lowered_reason else []
    lines += ["", *(f"{SIGNS[gate['passed']]} {gate['text']}" for gate in outcome["gates"]), ""]
    lines += [
        f"{line['points']:>8} {line['running']:>8}  {line['text']}  [{line['rule']}]" for line in outcome["ledger"]
    ]
    facts = {"version": found.version, "state": found.state.value, "confirmed_grade": found.grade}
    desk.show({**outcome, **facts, "lowered_reason": found.lowered_reason}, lines)


def _result(desk: Desk) -> Result:
    found = results.published(desk.session, enrolment=desk.enrolment())
    if found is None:
        raise NotFound(what=say(_("已公示的考核结果")), key=desk.actor.number)
    return found


@command(_("签收考核结果（不影响申诉）"))
def sign(desk: Desk, comment: Annotated[str | None, typer.Option(help=_("意见"))] = None) -> None:
    """Sign the result."""
    results.sign(desk.session, actor=desk.actor, result=_result(desk), comment=comment)
    desk.done(_("已签收。"))


@command(_("对考核结果提出申诉"))
def appeal(
    desk: Desk,
    reason: Annotated[str, typer.Option(help=_("申诉理由"))],
    accepted_by: Annotated[str | None, typer.Option(help=_("逾期时，受理的管理员工号"))] = None,
    late_reason: Annotated[str | None, typer.Option(help=_("逾期受理的理由"))] = None,
) -> None:
    """File an appeal against the standing result."""
    filed = appeals.file(
        desk.session,
        actor=desk.actor,
        result=_result(desk),
        reason=reason,
        accepted_late_by=desk.person(accepted_by) if accepted_by else None,
        late_reason=late_reason,
    )
    desk.done(_("申诉已受理，编号{id}，{due}前答复。"), id=filed.id, due=common.local(filed.due_at))


@command(_("对一条扣分记录提出异议"))
def contest(
    desk: Desk,
    adjustment: Annotated[int, typer.Argument(help=_("记录编号（见 teacher status）"))],
    reason: Annotated[str, typer.Option(help=_("理由"))],
) -> None:
    """Say why a recorded fact is wrong."""
    mine = {one.id: one for one in _adjustments(desk, desk.enrolment())}
    if adjustment not in mine:
        raise NotFound(what=say(_("您的扣分记录")), key=adjustment)
    adjustments.contest(desk.session, actor=desk.actor, adjustment=mine[adjustment], reason=reason)
    desk.done(_("已记下异议，处理之前这条记录不计分。"))


@command(_("人脸比对：先看有哪些同等的方式和同意书全文；--agree 表示单独同意"), of_round=False)
def consent(
    desk: Desk,
    agree: Annotated[bool, typer.Option("--agree/--show", help=_("我已阅读并单独同意／只看全文和我的记录"))] = False,
) -> None:
    """Show the text, the equal alternatives first, and what was recorded; with --agree give the separate consent."""
    if agree:
        faces.give_consent(desk.session, actor=desk.actor)
    given = faces.consents_of(desk.session, person=desk.actor)
    rows = [
        {
            "version": one.text_version,
            "language": one.language,
            "sha256": one.text_sha256,
            "through": one.given_through.value,
            "given_at": one.given_at,
            "withdrawn_at": one.withdrawn_at,
        }
        for one in given
    ]
    text = text_of()
    data = {"version": CURRENT, "sha256": digest_of(text), "text": text, "agreed": agree, "records": rows}
    data["outdated"] = any(one.withdrawn_at is None and one.text_version != CURRENT for one in given)
    standing = next((one for one in given if one.withdrawn_at is None), None)
    lines = [text, "", say(_("同意书版本 {version}，校验值 {sha256}"), version=CURRENT, sha256=digest_of(text))]
    if standing is None:
        lines.append(
            say(
                _(
                    "您没有同意人脸比对。不需要做什么；愿意的话，再加 --agree 运行一次，以后可随时用 withdraw-consent 撤回。"
                )
            )
        )
    elif standing.text_version != CURRENT:
        lines.append(str(faces.ConsentOutdated(version=standing.text_version, current=CURRENT)))
    else:
        sentence = _("您于{moment}同意了版本 {version}；可随时用 withdraw-consent 撤回。")
        lines.append(say(sentence, moment=common.local(standing.given_at), version=standing.text_version))
    desk.show(data, lines)


@command(_("撤回同意：特征立即销毁，改由人工核对，不受任何影响"), of_round=False)
def withdraw_consent(desk: Desk) -> None:
    """Withdraw the consent; the encodings are destroyed."""
    faces.withdraw_consent(desk.session, actor=desk.actor)
    desk.done(_("已撤回，特征已销毁。"))


@command(_("登记参照照片（照片本身不保存）"), of_round=False)
def reference(desk: Desk, photos: Annotated[list[Path], typer.Argument(help=_("本人的照片"))]) -> None:
    """Enrol reference photos; says of each that can't be used why."""
    from review_flow.evidence.faces import from_bytes, to_bytes
    from review_flow.evidence.faces_opencv import calibrated_models
    from review_flow.evidence.references import look
    from review_flow.evidence.sandbox import Sandbox

    faces.require_consent(desk.session, person=desk.actor)  # before anybody's face is looked at
    for photo in photos:
        photo.open("rb").close()
    keys = settings().face_keys
    desk.pause()
    with Sandbox(models=calibrated_models(settings().face_models)) as box:
        encoder = box.recogniser()
        kept = faces.references_of(desk.session, actor=desk.actor, encoder=encoder, keys=keys)
        desk.pause()
        looked = look(box, photos, [from_bytes(one) for one in kept])
    for one in looked:
        if one.encoding is not None:
            faces.add_reference(
                desk.session, actor=desk.actor, encoding=to_bytes(one.encoding), encoder=encoder, keys=keys
            )
    rows: list[dict[str, object]] = [
        {
            "photo": str(photo),
            "ok": one.encoding is not None,
            "state": say(_("不能用")) if one.encoding is None else say(_("已登记")),
            "problems": [*one.problems, *one.notes],
        }
        for photo, one in zip(photos, looked, strict=True)
    ]
    desk.status = 0 if all(row["ok"] for row in rows) else REFUSED
    desk.table(rows, {"photo": _("照片"), "state": _("结果"), "problems": _("说明")}, empty=_("没有照片。"))


@command(_("自评：给自己打分（0–100，方案有自评时）"))
def self_mark(desk: Desk, mark: Annotated[str, typer.Argument(help=_("分数，0–100"))]) -> None:
    """Give the teacher's own mark."""
    said = voices.give_self_mark(desk.session, actor=desk.actor, enrolment=desk.enrolment(), mark=decimal(mark))
    desk.done(DONE[said], state=said)


@command(_("谁在什么时候为什么读取过我的人脸特征"), of_round=False)
def face_log(desk: Desk) -> None:
    """List every reading of the teacher's own encodings."""
    common.face_readings(desk, faces.readings_of(desk.session, actor=desk.actor))
