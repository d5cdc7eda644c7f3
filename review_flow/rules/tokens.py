"""接口令牌: what a program may be let do for its person, how long and how often."""

from enum import StrEnum
from typing import Self

from review_flow.i18n import _

LONGEST_DAYS, USUAL_DAYS = 365, 90
PER_MINUTE = 120


class Scope(StrEnum):
    """What a token opens, each by itself: a program that only reads can be given no more."""

    text: str

    def __new__(cls, value: str, text: str) -> Self:
        """Keep the name for people beside the value."""
        member = str.__new__(cls, value)
        member._value_, member.text = value, text
        return member

    READ = "read", _("查看本人的轮次、成果和结果")
    TEACH = "teach", _("以教师身份办理：选微能力、封存、提交、签名、申诉")
    REVIEW = "review", _("互评：领取、评审、谢绝")
    PANEL = "panel", _("考核组：评分、有效性、定等、申诉复核")
    ADMIN = "admin", _("校级管理：人员、进展、结果、公示、回调、审计")
