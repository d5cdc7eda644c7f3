import functools
import json
import re
from dataclasses import replace
from typing import get_type_hints

import pytest
from typer.testing import CliRunner

from review_flow import schemes
from review_flow.cli.scheme import app
from review_flow.rules.build import convert
from review_flow.rules.paths import is_under, key_of
from review_flow.rules.scheme import Scheme
from review_flow.schemes.names import shown_value
from review_flow.schemes.plan import Table, Taking, article_of, chinese_number, plan_of
from review_flow.schemes.plan_articles import CHAPTERS

ALL = [one.id for one in schemes.available()]
XIAN = "xian-2022-appraisal"


@functools.cache
def printed(name):
    return plan_of(schemes.load(name))


@pytest.mark.parametrize("name", ALL)
def test_every_value_stands_in_exactly_one_article_or_is_never_used(name):
    plan = printed(name)
    places = {
        path: [one.number for one in plan.articles if any(is_under(path, root) for root in one.paths)]
        + [0 for root in plan.unused if is_under(path, root)]
        for path, _value in schemes.load(name).values()
    }
    assert {path: found for path, found in places.items() if len(set(found)) != 1} == {}


def with_value(node, parts, value):
    """A copy of plain data with another value at a path; what lies beside the path is shared."""
    if not parts:
        return value
    first, *rest = parts
    if isinstance(node, dict):
        return {**node, first: with_value(node[first], rest, value)}
    return [with_value(x, rest, value) if key_of(x, at) == first else x for at, x in enumerate(node)]


def other(value):
    """A value of the same kind that prints as something else."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return [other(value[0]), *value[1:]]
    return f"{float(value) + 0.5}" if re.fullmatch(r"-?\d+(\.\d+)?", value) else f"{value}改"


def asked():
    """Scheme, path and value of every value that some scheme uses; a default once, where it is used first."""
    seen = set()
    for name in ALL:
        plan, scheme = printed(name), schemes.load(name)
        moot = [*plan.unused, *(path for one in plan.articles for path in one.moot)]
        for path, value in scheme.values():
            key = (path, str(value)) if scheme.source(path).is_default else (name, path)
            if key not in seen and not any(is_under(path, root) for root in moot):
                seen.add(key)
                yield name, path, value


WRITERS = {title: writer for _chapter, writers in CHAPTERS for title, writer in writers}
KINDS = get_type_hints(Scheme)


def changed_at(scheme, path, value):
    """The scheme with another value at a path; only its section is built anew."""
    document = with_value(scheme.document, path.split("."), value)
    section = path.partition(".")[0]
    return replace(scheme, document=document, **{section: convert(KINDS[section], document[section])})


def test_every_value_that_judges_is_to_be_read_in_its_article():
    """Change any value: its article reads differently. So none is merely claimed by an article."""
    silent = []
    for name, path, value in asked():
        changed = changed_at(schemes.load(name), path, other(value))
        article = next(one for one in printed(name).articles if any(is_under(path, root) for root in one.paths))
        if tuple(WRITERS[article.title](Taking(changed))) == article.blocks:
            silent.append((name, path))
    assert silent == []


@pytest.mark.parametrize("name", ALL)
def test_no_word_of_the_language_is_left_in_english(name):
    body = "".join(
        block if isinstance(block, str) else "".join(map("".join, block.rows)) if isinstance(block, Table) else "".join(block.lines)
        for article in printed(name).articles
        for block in article.blocks
    )  # fmt: skip
    assert set(re.findall(r"[a-z_]{3,}", body)) == set()


def test_articles_are_numbered_through_and_chapters_too():
    for name in ALL:
        plan = printed(name)
        assert [one.number for one in plan.articles] == list(range(1, len(plan.articles) + 1))
        assert [one.number for one in plan.chapters] == list(range(1, len(plan.chapters) + 1))
    assert [chinese_number(number) for number in (1, 9, 10, 11, 20, 23, 99)] == [
        "一", "九", "十", "十一", "二十", "二十三", "九十九",
    ]  # fmt: skip


def test_the_article_of_a_path():
    scheme = schemes.load(XIAN)
    plan = printed(XIAN)
    titles = {one.name: one.title for one in plan.articles}
    asked = {
        path: titles[article_of(scheme, path)]
        for path in (
            "adjust.deductions.absence.each",
            "compose.sources",
            "bands.list.优秀",
            "review",
            "components.teach",
        )
    }
    assert asked == {
        "adjust.deductions.absence.each": "扣分与加分",
        "compose.sources": "综合得分",
        "bands.list.优秀": "等次",
        "review": "自测与互评",
        "components.teach": "考核项目",
    }
    assert article_of(scheme, "nothing.at.all") is None


def test_the_plan_says_what_the_scheme_says():
    articles = {one.title: one for one in printed(XIAN).articles}
    assert articles["综合得分"].blocks == (
        "综合得分按加权平均计算。",
        Table(("评分来源", "权重"), (("互评", "40%"), ("考核组评分", "60%")), (1, 1)),
        "互评不足规定份数的，其权重并入考核组评分。",
    )
    assert articles["综合得分"].sources == ("001-A-41", "通用默认值")
    assert articles["扣分与加分"].blocks[1].rows[2] == ("培训旷到", "-5分", "各级培训（含备课组）", "已批准的请假")
    assert articles["必备条件"].blocks[1].rows[1] == (
        "提交前完成互评", "已完成互评不少于应完成互评", "提交成果", "在满足之前不得进入该环节；评定时仍未满足的，等次为不合格",
    )  # fmt: skip
    assert printed(XIAN).articles[-1].blocks[1].rows[2] == (
        "互评与考核组评分的权重（原文未给）",
        articles["综合得分"].name,
    )


def test_a_plan_without_peers_says_so():
    assert "本方案不设同伴互评。" in {one.title: one.blocks for one in printed("fuqing-50").articles}["自测与互评"]


def test_values_are_said_in_chinese():
    assert [shown_value(one) for one in (True, None, [], ["peer", "x"], {"id": "a", "cap": 5}, "")] == [
        "是", "无", "无", "互评、x", "封顶：5", "无",
    ]  # fmt: skip


def test_the_ledger_cites_the_article(tmp_path):
    record = "docs/examples/schemes/fuqing-50.json"
    lines = CliRunner().invoke(app, ["grade", "fuqing-50", record]).output
    article = article_of(schemes.load("fuqing-50"), "components.learn")
    assert f"[000-A-04 · {article}]" in lines
    ledger = json.loads(CliRunner().invoke(app, ["grade", "fuqing-50", record, "--json"]).output)["ledger"]
    assert ledger[0]["article"] == article
    assert None not in {line["article"] for line in ledger}
