"""The findings on one page, in Chinese: what happened, where people got stuck, what was assumed."""

import statistics
from collections import Counter
from collections.abc import Iterator

from review_flow.i18n import _, say
from review_flow.simulation.charts import Drawing, bars
from review_flow.simulation.findings import Findings
from review_flow.simulation.people import SAID

MOST = 8  # rows of the table of who got stuck where


def charts(found: Findings) -> Drawing:
    """Return the bars of the page: grades, scores, where people got stuck, reviews for each person."""
    loads = Counter(found.loads)
    return bars(
        {
            say(_("等次（人次）")): found.grades,
            say(_("得分分布（人次）")): found.histogram(),
            say(_("卡住最多的地方（人次）")): {one.name_zh: one.failed for one in found.stuck[:MOST] if one.failed},
            say(_("每人要评几份（人次）")): {say(_("{count}份"), count=count): loads[count] for count in sorted(loads)},
        }
    )


def page(found: Findings, *, picture: str | None = None) -> str:
    """Return the report as Markdown; `picture` is the file of the charts."""
    return "\n".join([*_head(found), *_grades(found), *_stuck(found), *_reviewing(found), *_certificates(found),
                      *_impossible(found), *([f"![]({picture})", ""] if picture else []), *_assumed(found)])  # fmt: skip


def _head(found: Findings) -> Iterator[str]:
    yield "# " + say(_("考核方案模拟：{title}"), title=found.scheme.title_zh)
    yield ""
    who = say(_("个工作坊")) if found.of_groups else say(_("人次"))
    yield say(
        _("模拟{rounds}轮，每轮{teachers}名教师，共{records}{who}；随机种子{seed}，方案摘要{digest}。人是虚构的，结果只说明方案，不预测任何人。"),
        rounds=found.rounds, teachers=found.teachers, records=found.records, who=who, seed=found.seed, digest=found.scheme.digest[:12],
    )  # fmt: skip
    yield ""


def _grades(found: Findings) -> Iterator[str]:
    yield "## " + say(_("等次与分数"))
    yield ""
    yield say(_("| 等次 | 数量 | 比例 | 各轮最少—最多 |"))
    yield "|---|---|---|---|"
    for grade, count in found.grades.items():
        each = [one[grade] for one in found.grades_by_round]
        yield f"| {grade} | {count} | {found.share(count):.1f}% | {min(each)}—{max(each)} |"
    yield ""
    if found.scores:
        yield say(
            _("得分中位数{median}。恰为分界分的{on}（{on_share}%），离分界不超过1分的{near}（{near_share}%）。"),
            median=statistics.median(found.scores), on=found.on_boundary, on_share=f"{found.share(found.on_boundary):.1f}",
            near=found.near_boundary, near_share=f"{found.share(found.near_boundary):.1f}",
        )  # fmt: skip
        yield ""


def _stuck(found: Findings) -> Iterator[str]:
    yield "## " + say(_("在哪里卡住"))
    yield ""
    if not found.stuck:
        yield say(_("没有人卡住。"))
    else:
        yield say(_("| 要求 | 未达到 | 缺少事实 |"))
        yield "|---|---|---|"
        yield from (
            f"| {one.name_zh} | {one.failed}（{found.share(one.failed):.1f}%） | {one.open} |"
            for one in found.stuck[:MOST]
        )
    yield ""


def _reviewing(found: Findings) -> Iterator[str]:
    counts, loads = found.reviews, found.loads
    if not counts["works"]:
        return
    yield "## " + say(_("评审工作量"))
    yield ""
    if loads:
        yield say(
            _("互评需要{wanted}份，分派{assigned}份，做完{done}份；每人{least}—{most}份，中位数{median}份。没做完的这里不再改派，实际轮次会改派。"),
            wanted=counts["wanted"], assigned=counts["assigned"], done=counts["done"], least=min(loads), most=max(loads), median=f"{statistics.median(loads):g}",
        )  # fmt: skip
    if counts["panel_marks"]:
        marked = counts["panel_marks"] // found.scheme.review.panel.size
        yield say(
            _("考核组打分{marks}次；须仲裁的成果{arbitrated}份（{share}%）；互评相差超过{spread}分的{differing}份。"),
            marks=counts["panel_marks"], arbitrated=counts["arbitrated"], share=f"{100 * counts['arbitrated'] / marked:.1f}",
            spread=found.scheme.review.peer.disagreement.spread_max, differing=counts["differing"],
        )  # fmt: skip
    yield ""


def _certificates(found: Findings) -> Iterator[str]:
    if not found.certificates and not found.exempt:
        return
    yield "## " + say(_("证书与免训"))
    yield ""
    names = {one.id: one.name_zh for one in found.scheme.certificates}
    for name, counts in found.certificates.items():
        yield "- " + say(_("{name}：发{granted}，不发{refused}，待定{open}"), name=names[name], **counts)
    if found.exempt:
        yield "- " + say(_("可免训的{count}"), count=found.exempt)
    yield ""


def _impossible(found: Findings) -> Iterator[str]:
    yield "## " + say(_("做不到的规定"))
    yield ""
    yield from (f"- {one.text}（`{one.path}`）" for one in found.impossible)
    if not found.impossible:
        yield say(_("没有发现。"))
    yield ""


def _assumed(found: Findings) -> Iterator[str]:
    yield "## " + say(_("假设"))
    yield ""
    yield say(_("以下各值都是假设，没有调查依据；换一组假设，结果就会不同。"))
    yield ""
    yield say(_("| 假设 | 值 |"))
    yield "|---|---|"
    yield from (f"| {say(SAID[name])} | {value:g} |" for name, value in found.assumed.values().items())
    yield ""
