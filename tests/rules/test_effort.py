from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from review_flow import schemes
from review_flow.rules.effort import Given, plain, signs, told

RULES = schemes.load("defaults").review.peer.effort
TEXT = "教学设计完整，技术使用恰当，课堂互动充分，学生参与度高，值得学习借鉴。"


def review(*marks: str, comment: str = TEXT, seconds: int | None = 600) -> Given:
    return Given(tuple(map(Decimal, marks)), comment, seconds)


def found(new: Given, *own: Given, others: tuple[Given, ...] = (), **rules) -> tuple[str, ...]:
    return signs(replace(RULES, **rules), new, own=own, others=others)


def test_a_careful_review_shows_nothing():
    earlier = review("70", "90", comment="导入部分可以再精简一些")
    other = review("80", comment="建议补充学生作品与课后反馈的材料，并说明分组依据")
    assert found(review("80", "85"), earlier, others=(other,)) == ()


def test_too_little_time():
    assert found(review("80", "85", seconds=59)) == ("hurried",)
    assert found(review("80", "85", seconds=60)) == ()
    assert found(review("80", "85", seconds=None)) == ()
    assert found(review("80", "85", seconds=0), min_seconds=0) == ()


def test_one_text_for_all():
    same = review("70", "75", comment="教学设计完整 技术使用恰当 课堂互动充分 学生参与度高 值得学习借鉴")
    assert plain(same.comment) == plain(TEXT)
    assert found(review("80", "85"), same) == ("same_text",)
    assert found(review("80", "85"), same, same_texts=3) == ()
    assert found(review("80", "85"), same, same, same_texts=3) == ("same_text",)
    assert found(review("80", "85"), same, same_texts=0) == ()


def test_straight_lines():
    one, two = (review("85", "85", comment=text) for text in ("导入自然", "板书清楚"))
    assert found(review("85", "85"), one, two) == ("straight",)
    assert found(review("85", "85"), one) == ()  # two in a row may well be so
    assert found(review("85", "86"), one, two) == ()
    assert found(review("85", "85"), one, review("84", comment="提问有层次")) == ()
    assert found(review("85", "85"), one, two, straight_reviews=0) == ()


@pytest.mark.parametrize(
    ("other", "copied"),
    [
        (TEXT, True),
        (TEXT.replace("课堂", "本课"), False),
        (TEXT.replace("值得", "很值得"), True),
        ("完全不同的另一段评语，谈的是课后作业的布置与反馈", False),
    ],
)
def test_copied_comments(other, copied):
    assert found(review("80", "85"), others=(review("70", comment=other),)) == (("copied",) if copied else ())


def test_short_texts_prove_no_copying():
    short = review("80", "85", comment="很好，值得学习，继续努力。")
    assert found(short, others=(short,)) == ()
    assert found(short, others=(short,), copied_chars=5) == ("copied",)
    assert found(review("80", "85"), others=(review("70"),), copied_share=Decimal(0)) == ()


def test_what_is_noted_is_told_beforehand_and_what_is_off_is_not():
    said = told(replace(RULES, min_seconds=60, same_texts=3, straight_reviews=4, copied_share=Decimal("0.9")))
    assert said == [
        "从拿到任务到提交少于60秒，会记为“用时很短”。",
        "3份互评用同一段评语，会记为“同一段评语”。",
        "连续4份互评的每一项都打同样的分，会记下来。",
        "评语与另一位老师的有90%相同，会记下来。",
    ]
    assert told(replace(RULES, min_seconds=0, same_texts=0, straight_reviews=0, copied_share=Decimal(0))) == []
