from decimal import Decimal

import pytest

from review_flow.rules.expressions import ExpressionError, evaluate, kind_of, names, parse

FACTS = {
    "hours.total": Decimal(50), "hours.practice": Decimal(24), "self_test.done": True, "hours.met": False,
    "grade": "合格", "test.network": "pass",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hours.total >= 50", True),
        ("hours.total > 50", False),
        ("hours.total <= 50 and hours.practice < 25", True),
        ("hours.total != 50 or self_test.done", True),
        ("not self_test.done", False),
        ("not (hours.met or hours.total < 50.5)", False),
        ("hours.met == false", True),
        ("grade in [优秀, 合格]", True),
        ("grade in [优秀]", False),
        ("grade == 不合格", False),
        ('test.network == "pass"', True),
        ("true", True),
        ("peer.given >= peer.required", None),
        ("not peer.given >= 3", None),
        ("score in [1, 2]", None),
        ("peer.given >= 3 and hours.met", False),
        ("peer.given >= 3 or self_test.done", True),
        ("peer.given >= 3 and self_test.done", None),
        ("ack.scheme", None),
    ],
)
def test_what_an_expression_says(text, expected):
    assert evaluate(parse(text), FACTS) is expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("hours.total >=", "表达式“hours.total >=”没有写完。"),
        ("", "表达式“”没有写完。"),
        ("hours.total", "表达式“hours.total”没有写完。"),
        ("hours.total 50", "表达式“hours.total 50”中的“50”不能这样用。"),
        ("hours.total >= 50 50", "表达式“hours.total >= 50 50”中的“50”不能这样用。"),
        ("open('x') >= 1", "表达式“open('x') >= 1”中的“open”不能这样用。"),
        ("grade >= 合格", "表达式“grade >= 合格”中的“>=”不能这样用。"),
        ("grade == 3", "表达式“grade == 3”中的“==”不能这样用。"),
        ("(self_test.done", "表达式“(self_test.done”没有写完。"),
        ("(self_test.done]", "表达式“(self_test.done]”中的“]”不能这样用。"),
        ("grade in [3]", "表达式“grade in [3]”中的“]”不能这样用。"),
        ("grade in [score]", "表达式“grade in [score]”中的“]”不能这样用。"),
        ('grade == "', '表达式“grade == "”中的“"”不能这样用。'),
    ],
)
def test_what_is_no_expression(text, complaint):
    with pytest.raises(ExpressionError) as refused:
        parse(text)
    assert str(refused.value) == complaint


def test_the_names_an_expression_asks_for():
    tree = parse("hours.total >= 50 and not (grade in [合格] or hours.total < peer.given) and true")
    assert names(tree) == ("hours.total", "grade", "peer.given")


def test_the_vocabulary_is_closed():
    assert kind_of("hours.practice.met") == ("truth", "学时达标")
    assert kind_of("__import__") is None
