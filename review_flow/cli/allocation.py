"""`review-flow allocate`: who reviews whose work, for a pool in a JSON file. No database."""

import json
from collections import Counter
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from review_flow.errors import BadInput
from review_flow.i18n import _, say
from review_flow.misread import reason

MISUSE = 2

app = typer.Typer()


@app.command(
    help=_(
        "互评分配：按 JSON 文件里的评审人与成果算出最优分配（不需要数据库）。\n\n"
        "均衡优先：先满足每份成果的份数，再让各人份数最多相差一份，再看学科、学段、不互评、他坊、不重复往轮。"
        "只给 affinity（评审人没有 groups）时，没有其他软规则，求 affinity 之和的最大值，不求均衡；"
        '可用 "balance": true 改为先求均衡。'
        "objective：有 affinity 时是其和减去违背软规则的权重，越大越好；否则是违背软规则的权重，越小越好。"
    )
)
def allocate(
    file: Annotated[Path, typer.Argument(help=_("评审人、成果、回避、已有任务（JSON，见 docs/allocation.md）"))],
    seed: Annotated[int, typer.Option(help=_("同样好的分配由它抽签决定"))] = 0,
    as_json: Annotated[bool, typer.Option("--json", help=_("输出 JSON"))] = False,
) -> None:
    """Allocate reviews for a pool in a file."""
    from review_flow.cli.allocation_input import read

    try:
        given = read(_content(file))
    except BadInput as refused:
        _misuse(say(_("{file}：{problem}"), file=file, problem=refused), as_json=as_json)
    answer = answer_to(given, seed)
    if as_json:
        typer.echo(as_json_text(answer))
    else:
        for line in lines(answer):
            typer.echo(line)


def answer_to(given: Any, seed: int) -> dict[str, Any]:
    """Return the allocation as data, with the ids as they were given."""
    from review_flow.rules.allocation import allocate as decide
    from review_flow.rules.allocation.pool import EXACT

    facts = given.facts
    found = decide(**{name: getattr(facts, name) for name in facts.__dataclass_fields__}, seed=seed)
    kept = {*facts.standing} - {*found.withdrawn}
    pairs = sorted({*found.pairs, *kept, *given.fixed}, key=lambda pair: (pair[1], pair[0]))

    def named(some: Any) -> list[list[Any]]:
        return [[given.reviewers[reviewer], given.submissions[work]] for reviewer, work in some]

    loads = Counter({one.id: 0 for one in facts.reviewers})
    loads.update(reviewer for reviewer, _work in pairs)
    with localcontext(EXACT):
        fixed = sum((facts.affinity.get(pair, Decimal(0)) for pair in given.fixed), Decimal(0))
        objective = fixed - found.cost if facts.affinity else found.cost
    cut = found.blocked_by
    return {
        "assignments": named(pairs),
        "new": named(found.pairs),
        "withdrawn": named(found.withdrawn),
        "optimal": found.optimal,
        "objective": objective,
        "gap": found.gap,
        "load": {"min": min(loads.values(), default=0), "max": max(loads.values(), default=0)},
        "unmet": [{"submission": given.submissions[work], "missing": gap} for work, gap in found.unmet.items()],
        "blocked_by": None
        if cut is None
        else {
            "text": cut.text,
            "submissions": [given.submissions[work] for work in cut.works],
            "reviewers": [given.reviewers[reviewer] for reviewer in cut.reviewers],
            "subject": cut.subject,
            "wanted": cut.wanted,
            "room": cut.room,
            "others": cut.apart,
            "missing": cut.missing,
            "remedies": [*cut.remedies],
        },
    }


def lines(answer: dict[str, Any]) -> list[str]:
    """Return the allocation for people: a line for each submission, then what holds of the whole."""
    reviewers: dict[Any, list[str]] = {}
    for reviewer, work in answer["assignments"]:
        reviewers.setdefault(work, []).append(str(reviewer))
    found = [
        say(_("{submission}：{reviewers}"), submission=work, reviewers="、".join(them))
        for work, them in reviewers.items()
    ]
    found += [
        say(_("撤回：{reviewer} 评 {submission}"), reviewer=one, submission=work) for one, work in answer["withdrawn"]
    ]
    found += [say(_("{submission}：还差 {missing} 次"), **short) for short in answer["unmet"]]
    if answer["blocked_by"]:
        found.append(answer["blocked_by"]["text"])
    state = say(_("已证明最优")) if answer["optimal"] else say(_("距最优至多 {gap}"), gap=_digits(answer["gap"]))
    found.append(
        say(
            _("共 {count} 次互评，每人 {min} 到 {max} 次；目标值 {objective}，{state}。"),
            count=len(answer["assignments"]),
            objective=_digits(answer["objective"]),
            state=state,
            **answer["load"],
        )
    )
    return found


def _digits(number: Decimal) -> str:
    """Return every digit of an exact number, as JSON has numbers."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def as_json_text(answer: dict[str, Any]) -> str:
    """Return the answer as JSON; Python's own writer would print exact decimals through a float."""
    parts = (
        f"{json.dumps(name)}: {_digits(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)}"
        for name, value in answer.items()
    )
    return f"{{{', '.join(parts)}}}"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(field=say(_("文件")), problem=say(_("读不到（{why}）。"), why=reason(error))) from None


def _misuse(text: str, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"error": "bad-input", "text": text}, ensure_ascii=False))
    else:
        typer.echo(text, err=True)
    raise typer.Exit(MISUSE)
