"""接口令牌: what a program may be let do for its person, how long and how often."""

from enum import StrEnum

from review_flow.i18n import _

LONGEST_DAYS, USUAL_DAYS = 365, 90
PER_MINUTE = 120


class Scope(StrEnum):
    """What a token opens, each by itself: a program that only reads is given no more."""

    READ = "read"
    TEACH = "teach"
    REVIEW = "review"
    PANEL = "panel"
    ADMIN = "admin"


SCOPE_NAMES = {
    Scope.READ: _("查看本人的轮次、成果、结果和消息；坊主查看本坊；考核组查看本轮教师的登记"),
    Scope.TEACH: _("以教师身份办理：选微能力、封存、提交、签名、申诉、自评、签到；坊主管理本坊"),
    Scope.REVIEW: _("互评：领取、评审、谢绝；推优投票、评分"),
    Scope.PANEL: _("考核组：评分、有效性、现场评价、查看有问题的文件、审核、扣分加分、定等、申诉复核"),
    Scope.ADMIN: _("管理（本校，或上级对下属学校）：方案、轮次、人员、进展、导入导出、结果、证书、回调、审计"),
}
