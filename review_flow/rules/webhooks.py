"""回调: what may be told, when a telling is tried again, and when an address is given up."""

from datetime import datetime, timedelta

from review_flow.i18n import _

EVENTS = {
    "adjustment.contested": _("加减分被提出异议"),
    "adjustment.decided": _("加减分异议已处理"),
    "adjustment.noted": _("迟交已记录"),
    "adjustment.notified": _("登记了加减分"),
    "adjustment.taken_back": _("加减分已撤销"),
    "appeal.decided": _("申诉已作决定"),
    "appeal.filed": _("有申诉待复核"),
    "appeal.late": _("申诉逾期未决定"),
    "approval.late": _("成果逾期未审核"),
    "approval.refused": _("成果未通过审核"),
    "certificate.issued": _("证书已签发"),
    "certificate.revoked": _("证书已撤销"),
    "certificate.valid": _("证书已生效"),
    "duty.overdue": _("互评任务逾期未完成"),
    "evidence.rejected": _("文件不能使用"),
    "file.reported": _("有人报告文件问题"),
    "panel.asked": _("请考核组成员评分"),
    "panel.short": _("考核组人手不足"),
    "progress.reminder": _("管理员催办"),
    "result.published": _("考核结果已公示"),
    "review.assigned": _("分配了互评任务"),
    "review.effort": _("互评有可疑迹象"),
    "review.prolonged": _("互评任务已延期"),
    "review.reminder": _("互评任务快到期"),
    "review.withdrawn": _("互评任务已转给别人"),
    "reviews.blocked": _("互评任务分配不足"),
    "round.opened": _("考核轮次已启动"),
    "round.put_off": _("轮次期限已推迟"),
    "submission.failed": _("成果未达到合格要求"),
    "submission.invalid": _("成果被认定无效"),
    "submission.returned": _("成果需要补正"),
    "task.due": _("工作坊任务快到期"),
    "task.late": _("工作坊任务已逾期"),
    "validity.asked": _("有成果待认定有效性"),
    "validity.late": _("成果逾期未认定有效性"),
    "webhook.disabled": _("回调地址已停用"),
}
"""The kinds of messages that people are told of, which a webhook may be told of, too, in words."""
TEST = "webhook.test"
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
"""After the first try, the second … the tenth; then a telling is given up. Three days in all."""
LONGEST_FAILING = timedelta(days=5)
KEPT_FOR = timedelta(days=90)
"""What arrived, or was given up, can be looked at for so long."""


def next_try(attempts: int, *, at: datetime) -> datetime | None:
    """Return when a telling that failed `attempts` times is tried again; None: it is given up."""
    return at + PAUSES[attempts - 1] if attempts <= len(PAUSES) else None
