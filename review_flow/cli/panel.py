"""`review-flow panel …`: validity, marks, contested records, grades, appeals."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select

from models import Adjustment, Appeal, AppealVote, Enrolment, Evidence, Person, Result, Submission
from review_flow import cli
from review_flow.cli import common, forms
from review_flow.cli.common import REFUSED, Desk
from review_flow.cli.evidence import free_place, progressing
from review_flow.cli.facts import DONE, decimal
from review_flow.cli.refusals import Misuse
from review_flow.db import settings
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.outside.storage import storage_at
from review_flow.rules.peer_marks.disagreement import REASONS
from review_flow.rules.words import AttestationKind
from review_flow.steps import (
    adjustments,
    appeals,
    attestations,
    copies,
    covering,
    evidence,
    panel,
    results,
    standing,
    validity,
    voices,
)
from review_flow.steps.owners import name_of, result_of, round_of

app = typer.Typer(help=cli.PARTS["panel"][1], no_args_is_help=True)
command = partial(common.command, app)
Work = Annotated[int, typer.Argument(help=_("成果编号"))]
Number = Annotated[str, typer.Argument(help=_("工号"))]
Reason = Annotated[str, typer.Option(help=_("理由"))]


def _work(desk: Desk, key: int) -> Submission:
    return desk.of_the_round(Submission, key, _("成果"))


@command(_("列出等我处理的事"))
def tasks(desk: Desk) -> None:
    """List what waits for the actor on the panel."""
    found = standing.agenda(desk.session, person=desk.actor, round_=desk.round)
    rows: list[dict[str, object]] = []
    for kind, works in (("mark", found.marks), ("validity", found.validity)):
        rows += [{"kind": kind, "id": one.id, "what": _what(one)} for one in works]
    for fact in found.adjustments:
        what = say(_("{kind}，异议：{reason}"), kind=say(adjustments.NAMES[fact.kind]), reason=fact.contest_reason)
        rows.append({"kind": "decide", "id": fact.id, "what": what})
    for result in found.results:
        number = _person(desk, result.enrolment_id).number
        what = say(
            _("{number}：{score}分，拟定{grade}"), number=number, score=result.score, grade=result.proposed_grade
        )
        rows.append({"kind": "confirm", "id": result.id, "what": what})
    rows += [
        {
            "kind": "confirm",
            "id": one.id,
            "what": say(
                _("{name}：拟定{grade}（workshop confirm）"),
                name=name_of(desk.session, result=one),
                grade=one.proposed_grade,
            ),
        }
        for one in found.workshops
    ]
    rows += [{"kind": "hear", "id": one.id, "what": one.reason} for one in found.appeals]
    for row in rows:
        row["kind_zh"] = say(DEEDS[str(row["kind"])])
    desk.table(rows, {"kind_zh": _("事项"), "id": _("编号"), "what": _("内容")}, empty=_("现在没有等您处理的事。"))


DEEDS = {
    "mark": _("评分"),
    "validity": _("有效性认定"),
    "decide": _("处理异议"),
    "confirm": _("定等"),
    "hear": _("申诉复核"),
}


def _what(work: Submission) -> str:
    """Return a work's ability, with what its peers' marks differ in."""
    reasons = [say(REASONS[name]) for name in (work.disagreement or "").split(",") if name]
    return say(_("{ability}（{why}）"), ability=work.ability, why="；".join(reasons)) if reasons else work.ability


def _person(desk: Desk, enrolment_id: int) -> Person:
    return desk.session.get_one(Person, desk.session.get_one(Enrolment, enrolment_id).person_id)


@command(_("打印一张空评分表（JSON）"))
def form(desk: Desk, work: Work) -> None:
    """Print an empty form for a work that the actor was asked to mark."""
    blank = forms.empty(desk, _to_judge(desk, work, marks_only=True))
    desk.show(blank, [common.as_json_text(blank)])


@command(_("把要看的文件拷到一个文件夹"))
def files(desk: Desk, work: Work, folder: Annotated[Path, typer.Argument(help=_("文件夹"))]) -> None:
    """Copy the files of a work that waits for the actor."""
    made = forms.copied(desk, _to_judge(desk, work), folder)
    desk.show([str(path) for path in made], map(str, made))


def _to_judge(desk: Desk, key: int, *, marks_only: bool = False) -> Submission:
    """Return a work that waits for the actor; nobody sees others."""
    found = standing.agenda(desk.session, person=desk.actor, round_=desk.round)
    for one in found.marks if marks_only else [*found.marks, *found.validity]:
        if one.id == key:
            return one
    raise panel.NotAsked


@command(_("看一项成果与其他文件的雷同，两边并列"), name="copies")
def copies_(desk: Desk, work: Work) -> None:
    """Show both sides of every hit of a work's files."""
    sides = [
        side
        for file in evidence.standing_evidence(desk.session, submission=_work(desk, work))
        for side in copies.side_by_side(desk.session, actor=desk.actor, evidence=file)
    ]
    rows = [
        {
            "file": side["here"]["file"],
            "kind": side["kind"],
            "percent": side["percent"],
            "whose": side["whose"],
            "other": side["there"].get("file", ""),
            "author": side["there"].get("author", ""),
        }
        for side in sides
    ]
    titles = {
        "file": _("文件"),
        "kind": _("种类"),
        "percent": _("相同%"),
        "whose": _("对方"),
        "other": _("对方文件"),
        "author": _("对方作者"),
    }
    desk.show(sides, common.aligned(rows, titles) if rows else [say(_("没有雷同。"))])


@command(_("给一个证据文件做一份遮挡人脸的副本，只留出作者本人（须有其人脸比对同意）。公开之前仍须有人看一遍。"))
def blur(
    desk: Desk,
    file: Annotated[int, typer.Argument(help=_("证据编号"))],
    out: Annotated[Path, typer.Argument(help=_("副本写到这里（.mp4、.jpg 或 .png）"))],
) -> None:
    """Write a copy of an evidence in which every face is covered that isn't surely its author's."""
    from review_flow.evidence.faces import from_bytes
    from review_flow.evidence.faces_opencv import calibrated_models
    from review_flow.evidence.limits import BLURRING
    from review_flow.evidence.sandbox import Sandbox

    free, storage = free_place(out), storage_at(settings().storage)
    with Sandbox(limits=BLURRING, models=calibrated_models(settings().face_models)) as box:
        encoder = box.recogniser()
        row = evidence.require_open(_file(desk, file), scanned=settings().scanner is not None)
        known = covering.known_to_cover(
            desk.session, actor=desk.actor, evidence=row, encoder=encoder, keys=settings().face_keys
        )
        key = row.storage_key
        desk.pause()
        references = [from_bytes(one) for one in known.author]
        colleagues = [[from_bytes(one) for one in those] for those in known.colleagues]
        with storage.path(key) as path, progressing() as told:
            made = box.blur(path, free, references=references, colleagues=colleagues, told=told)
    if made.made:
        try:
            covering.record_copy(
                desk.session, actor=desk.actor, evidence=_file(desk, file), read=known.read, pictures=made.pictures
            )
        except BaseException:
            free.unlink(missing_ok=True)  # nobody took it by the record, so nobody has it
            raise
    desk.status = 0 if made.made else REFUSED
    desk.show({**made.as_json(), "sentences": made.sentences}, made.sentences)


def _file(desk: Desk, key: int) -> Evidence:
    """Return an evidence of the round."""
    found = desk.session.get(Evidence, key)
    if found is None or desk.session.get_one(Submission, found.submission_id).round_id != desk.round.id:
        raise NotFound(what=say(_("证据")), key=key)
    return found


@command(_("认定有效性：有没有教师本人影像，能不能确定为本人制作"), name="validity")
def validity_(
    desk: Desk,
    work: Work,
    visible: Annotated[bool, typer.Option("--visible/--hidden", help=_("有／没有教师本人影像"))],
    own: Annotated[bool, typer.Option("--own/--not-own", help=_("能／不能确定为本人制作"))],
    reason: Annotated[str, typer.Option(help=_("理由（认为无效时必填）"))] = "",
) -> None:
    """Say whether the evidence is valid."""
    found = _work(desk, work)
    validity.vote(
        desk.session, actor=desk.actor, submission=found, teacher_visible=visible, own_work=own, reason=reason
    )
    desk.done(_("已记下您的认定，成果{id}现在是“{state}”。"), id=work, state=say(found.state.label))


@command(_("签名证明出镜的是教师本人，与人脸比对同等有效（现场核验要两人各签一次）"))
def attest(
    desk: Desk,
    work: Work,
    kind: Annotated[
        AttestationKind,
        typer.Argument(
            help=_("方式：on_site 现场核验、live_recording 现场录制、testimony 书面证明、creation_trace 创作过程")
        ),
    ],
    statement: Annotated[str, typer.Option(help=_("何时何地、怎样核对的"))],
) -> None:
    """Sign instead of a face comparison."""
    left = attestations.attest(
        desk.session, actor=desk.actor, submission=_work(desk, work), kind=kind, statement=statement
    )
    if left:
        desk.done(_("已签名，还有{count}个文件需要另一位工作人员签名。"), count=len(left))
    else:
        desk.done(_("已签名，成果{id}的文件不再需要人脸比对。"), id=work)


@command(_("提交填好的评分表"))
def mark(desk: Desk, work: Work, form: Annotated[Path, typer.Argument(help=_("评分表 JSON"))]) -> None:
    """Mark a work."""
    given = panel.mark(desk.session, actor=desk.actor, submission=_work(desk, work), form=forms.filled(form))
    desk.done(_("已评分，{mark}分。"), mark=given.mark)


@command(_("现场评价：听课后为一位教师打分（0–100，方案有现场评价时）"))
def on_site(
    desk: Desk,
    number: Annotated[str, typer.Argument(help=_("工号"))],
    mark: Annotated[str, typer.Argument(help=_("分数，0–100"))],
) -> None:
    """Give the mark of a visit."""
    enrolment = desk.enrolment(number)
    said = voices.give_on_site_mark(desk.session, actor=desk.actor, enrolment=enrolment, mark=decimal(mark))
    desk.done(DONE[said], state=said)


@command(_("由候补接替不能评分的人（管理员）"))
def substitute(desk: Desk, work: Work, number: Number) -> None:
    """Let somebody from the reserve step in."""
    panel.substitute(desk.session, actor=desk.actor, submission=_work(desk, work), missing=desk.person(number))
    desk.done(_("已由候补接替{number}。"), number=number)


@command(_("处理对扣分记录的异议"))
def decide(
    desk: Desk,
    adjustment: Annotated[int, typer.Argument(help=_("记录编号"))],
    stands: Annotated[bool, typer.Option("--stands/--struck", help=_("维持／撤销"))],
    reason: Reason,
) -> None:
    """Decide a contested record."""
    fact = desk.session.get(Adjustment, adjustment)
    if fact is None or desk.session.get_one(Enrolment, fact.enrolment_id).round_id != desk.round.id:
        raise NotFound(what=say(_("扣分记录")), key=adjustment)
    adjustments.decide(desk.session, actor=desk.actor, adjustment=fact, stands=stands, reason=reason)
    desk.done(_("已维持。") if stands else _("已撤销。"))


@command(_("定等：逐人确认，或写明理由降一等"))
def confirm(
    desk: Desk,
    number: Annotated[str | None, typer.Argument(help=_("工号"))] = None,
    everybody: Annotated[bool, typer.Option("--all", help=_("确认全部拟定等级"))] = False,
    lower_to: Annotated[str | None, typer.Option(help=_("降为哪一等"))] = None,
    reason: Annotated[str | None, typer.Option(help=_("降等理由"))] = None,
) -> None:
    """Confirm grades."""
    if everybody == (number is not None):
        raise Misuse(why=say(_("请给出工号，或用 --all")))
    if number is None:
        count = results.confirm_all(desk.session, actor=desk.actor, round_=desk.round)
        desk.done(_("已定等{count}人。"), count=count)
        return
    found = results.current(desk.session, enrolment=desk.enrolment(number))
    if found is None:
        raise NotFound(what=say(_("考核结果")), key=number)
    results.confirm(desk.session, actor=desk.actor, result=found, lower_to=lower_to, reason=reason)
    desk.done(_("{number}定为{grade}。"), number=number, grade=found.grade)


@command(_("列出申诉"), name="appeals")
def appeals_(desk: Desk) -> None:
    """List the appeals that the actor may hear."""
    found = standing.agenda(desk.session, person=desk.actor, round_=desk.round).appeals
    rows = [_appeal(desk, one) for one in found]
    titles = {"id": _("编号"), "number": _("工号"), "reason": _("理由"), "due": _("答复期限"), "votes": _("已复核")}
    desk.table(rows, titles, empty=_("没有等您复核的申诉。"))


def _appeal(desk: Desk, one: Appeal) -> dict[str, Any]:
    said = desk.session.scalars(select(AppealVote.id).where(AppealVote.appeal_id == one.id)).all()
    result = result_of(desk.session, appeal=one)
    whose = (
        _person(desk, result.enrolment_id).number
        if isinstance(result, Result)
        else name_of(desk.session, result=result)
    )
    return {"id": one.id, "number": whose, "reason": one.reason, "due": one.due_at, "votes": len(said)}


@command(_("复核申诉：成立（给出新的评分），或维持"))
def hear(
    desk: Desk,
    appeal: Annotated[int, typer.Argument(help=_("申诉编号"))],
    uphold: Annotated[bool, typer.Option("--uphold/--dismiss", help=_("成立／维持原结果"))],
    reason: Reason,
    marks: Annotated[
        list[str] | None, typer.Option("--mark", help=_("复核分，如 A1=85；工作坊填复核数，如 bulletin=3；可给多项"))
    ] = None,
) -> None:
    """Hear an appeal."""
    found = desk.session.get(Appeal, appeal)
    if found is None or round_of(desk.session, result=result_of(desk.session, appeal=found)).id != desk.round.id:
        raise NotFound(what=say(_("申诉")), key=appeal)
    given = dict(_pair(text) for text in marks or [])
    appeals.vote(desk.session, actor=desk.actor, appeal=found, uphold=uphold, reason=reason, marks=given)
    desk.done(_("已记下您的复核意见。"))


def _pair(text: str) -> tuple[str, str]:
    ability, equals, mark_ = text.partition("=")
    if not equals:
        raise Misuse(why=say(_("--mark 应写成 A1=85")))
    return ability.strip(), mark_.strip()
