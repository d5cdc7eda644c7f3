"""The coupled state machines of a round, as data (domain rules T1-T23).

A step moves a thing only along a row of TRANSITIONS; `move` refuses everything else. The same rows are drawn
in docs/lifecycle.md, so the picture cannot differ from what runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Self, TypeVar

from review_flow.i18n import _

if TYPE_CHECKING:
    from collections.abc import Iterator


class State(Enum):
    """A state: its value in the database, its label for people. Not a str: two machines may share a word."""

    label: str

    def __new__(cls, value: str, label: str) -> Self:
        """Keep the label beside the value."""
        member = object.__new__(cls)
        member._value_ = value
        member.label = label
        return member


class SchemeState(State):
    """考核方案."""

    DRAFT = "draft", _("草案")
    PUBLISHED = "published", _("已发布")
    RETIRED = "retired", _("已停用")


class RoundPhase(State):
    """考核轮次: what may be done in it now."""

    SETUP = "setup", _("筹备")
    OPEN = "open", _("提交与互评")
    SCORING = "scoring", _("评审")
    PUBLICITY = "publicity", _("公示")
    SIGNING = "signing", _("签名与申诉")
    CLOSED = "closed", _("已归档")


class EnrolmentState(State):
    """参评: one teacher's way through a round."""

    REGISTERED = "registered", _("已登记")
    EXEMPT = "exempt", _("免训")
    INFORMED = "informed", _("已告知")
    SELF_TESTED = "self_tested", _("已自测")
    SELECTED = "selected", _("已选学")
    ASSESSED = "assessed", _("已有结果")


class SubmissionState(State):
    """成果提交: one teacher's evidence for one ability."""

    DRAFT = "draft", _("草稿")
    SEALED = "sealed", _("已封存待互评")
    SUBMITTED = "submitted", _("有效性检查")
    CORRECTING = "correcting", _("待补正")
    IN_PEER_REVIEW = "in_peer_review", _("互评中")
    IN_PANEL = "in_panel", _("评审中")
    IN_ARBITRATION = "in_arbitration", _("仲裁")
    GRADED = "graded", _("已定等级")
    INVALID = "invalid", _("无效")
    REPLACED = "replaced", _("已替换")
    CLOSED = "closed", _("未提交")


class ResultState(State):
    """考核结果: one version of one teacher's grade."""

    COMPOSED = "composed", _("已合成")
    BANDED = "banded", _("已定等")
    PUBLISHED = "published", _("公示中")
    TO_SIGN = "to_sign", _("待签名")
    SIGNED = "signed", _("已签名")
    UNSIGNED_EFFECTIVE = "unsigned_effective", _("未签名已生效")
    APPEALED = "appealed", _("申诉中")
    FINAL = "final", _("已生效")
    SUPERSEDED = "superseded", _("已被新版取代")


Machine = TypeVar("Machine", bound=State)


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed move: the rule's number, from where to where, by whom, when it holds, and what follows a miss."""

    rule: str
    sources: tuple[State, ...]
    target: State
    actor: str
    guard: str
    miss: str = ""


_S, _R, _E, _P = SubmissionState, ResultState, EnrolmentState, RoundPhase

TRANSITIONS: tuple[Transition, ...] = (
    Transition("T1", (SchemeState.DRAFT,), SchemeState.PUBLISHED, "领导小组", "待确认事项已全部确认", "不能开放参评"),
    Transition("T1", (SchemeState.PUBLISHED,), SchemeState.RETIRED, "领导小组", "有修订版"),
    Transition("T1", (_P.SETUP,), _P.OPEN, "校级管理员", "方案已锁定，微能力、日程、考核组齐备", "不能开放"),
    Transition(
        "T2",
        (_E.REGISTERED, _E.INFORMED, _E.SELF_TESTED, _E.SELECTED),
        _E.EXEMPT,
        "校级管理员",
        "方案有免训条件，写明理由",
        "按普通教师参评",
    ),
    Transition("T2", (_E.EXEMPT,), _E.REGISTERED, "教师", "自愿参加"),
    Transition("T3", (_E.REGISTERED,), _E.INFORMED, "教师", "已阅读方案", "提醒；管理员当面送达并记录"),
    Transition("T4", (_E.INFORMED,), _E.SELF_TESTED, "教师", "已完成自测", "不能选择微能力"),
    Transition(
        "T5",
        (_E.SELF_TESTED, _E.SELECTED),
        _E.SELECTED,
        "教师",
        "数量与维度达标，在学校清单内",
        "指出缺少的维度",
    ),
    Transition("T5", (_S.REPLACED,), _S.DRAFT, "教师", "从未封存，重新选择"),
    Transition("T6", (_S.DRAFT,), _S.SEALED, "教师", "学时达标", "不能提交；列出所缺学时"),
    Transition("T7", (_S.DRAFT, _S.CORRECTING), _S.SEALED, "教师", "证据项齐备", "迟交每次扣1分；截止后为未提交"),
    Transition("T8", (_S.DRAFT, _S.CORRECTING), _S.SEALED, "系统", "格式、时长、字数、数量合格", "退回并说明原因"),
    Transition("T8", (_S.SEALED, _S.SUBMITTED), _S.CORRECTING, "系统", "封存后才查出文件不合格", "逾期未更换即无效"),
    Transition(
        "T8",
        (_S.SEALED, _S.SUBMITTED, _S.IN_PEER_REVIEW),
        _S.CORRECTING,
        "学校",
        "方案在互评之前设有审核而未通过",
        "写明理由退回；逾期未补正即无效",
    ),
    Transition("T9", (_S.SEALED,), _S.SUBMITTED, "教师", "应完成的互评已完成", "宽限后扣1分并通知管理员"),
    Transition(
        "T10",
        (_S.SUBMITTED,),
        _S.IN_PEER_REVIEW,
        "考核组二人",
        "有教师本人影像，且能确定为本人制作",
        "一人不同意由第三人决定",
    ),
    Transition("T11", (_S.SUBMITTED,), _S.CORRECTING, "系统", "首次被认定无效", "未补正即无效"),
    Transition(
        "T11",
        (_S.SUBMITTED, _S.CORRECTING),
        _S.INVALID,
        "系统",
        "补正后仍无效，或逾期未补正",
        "可改选其他微能力",
    ),
    Transition(
        "T11", (_S.INVALID, _S.DRAFT, _S.GRADED), _S.REPLACED, "教师", "提交期内改选其他微能力；已定等级的须未合格"
    ),
    Transition("T9", (_S.DRAFT, _S.SEALED), _S.CLOSED, "系统", "最终截止已过", "该能力不计"),
    Transition(
        "T12",
        (_S.IN_PEER_REVIEW,),
        _S.IN_PANEL,
        "系统",
        "收到足够互评，或互评期满",
        "补派、延期；仍不足则考核组权重为1并标记",
    ),
    Transition("T13", (_S.IN_PANEL,), _S.GRADED, "考核组", "评分齐备，分差在限度内", "缺席者由候补接替"),
    Transition("T13", (_S.IN_PANEL,), _S.IN_ARBITRATION, "系统", "分差或等级差超过限度"),
    Transition("T14", (_S.IN_ARBITRATION,), _S.GRADED, "仲裁人", "仲裁分取代相距最远的一个"),
    Transition("T13", (_P.OPEN,), _P.SCORING, "系统", "提交最终截止已过，或全部已提交"),
    Transition(
        "T15",
        (_E.SELECTED, _E.REGISTERED, _E.INFORMED, _E.SELF_TESTED, _E.ASSESSED),
        _E.ASSESSED,
        "系统",
        "各条件已逐项判定，说明已保存",
    ),
    Transition(
        "T16",
        (_R.COMPOSED,),
        _R.COMPOSED,
        "校级管理员、考核组",
        "扣分加分有日期、证明、告知",
        "有异议者待决定后再计",
    ),
    Transition("T17", (_R.COMPOSED,), _R.BANDED, "考核组", "按“可评为”“应为”确认；只可写明理由降一等"),
    Transition("T18", (_R.BANDED,), _R.PUBLISHED, "校级管理员", "只公示姓名与等级", "有异议者单独停钟"),
    Transition("T18", (_P.SCORING,), _P.PUBLICITY, "校级管理员", "全部结果已定等"),
    Transition("T19", (_R.PUBLISHED,), _R.TO_SIGN, "系统", "公示期满，已通知"),
    Transition("T19", (_P.PUBLICITY,), _P.SIGNING, "系统", "公示期满"),
    Transition("T19", (_R.TO_SIGN,), _R.SIGNED, "教师", "本人签名"),
    Transition("T19", (_R.TO_SIGN,), _R.UNSIGNED_EFFECTIVE, "系统", "签名期满", "无签名同样有效"),
    Transition(
        "T20",
        (_R.PUBLISHED, _R.TO_SIGN, _R.SIGNED, _R.UNSIGNED_EFFECTIVE, _R.FINAL),
        _R.APPEALED,
        "教师",
        "在申诉期内",
        "逾期须写明理由由管理员受理",
    ),
    Transition("T21", (_R.APPEALED,), _R.FINAL, "未参与首评的二人", "维持，写明理由"),
    Transition(
        "T21",
        (_R.APPEALED, _R.COMPOSED, _R.BANDED),
        _R.SUPERSEDED,
        "未参与首评的二人",
        "变更：新版结果取代，两版并存",
    ),
    Transition("T21", (_R.BANDED,), _R.FINAL, "未参与首评的二人", "变更后的新版结果"),
    Transition("T22", (_R.SIGNED, _R.UNSIGNED_EFFECTIVE), _R.FINAL, "系统", "申诉期满"),
    Transition("T23", (_P.SIGNING,), _P.CLOSED, "校级管理员", "全部结果已生效，已导出归档", "县级抽查可退回"),
)


class IllegalMoveError(ValueError):
    """A move that no transition allows: a fault of the program, or of a page left open too long."""

    def __init__(self, source: State, target: State) -> None:
        super().__init__(f"{source.label} → {target.label}")
        self.source, self.target = source, target


def allows(source: State, target: State) -> bool:
    """Whether some transition leads from source to target."""
    return any(source in t.sources and t.target is target for t in TRANSITIONS)


def move(source: Machine, target: Machine) -> Machine:
    """Return the target state; raise IllegalMoveError where no transition leads there."""
    if not allows(source, target):
        raise IllegalMoveError(source, target)
    return target


def diagrams() -> Iterator[tuple[str, str]]:
    """Yield (title, mermaid state diagram) for each machine, drawn from TRANSITIONS."""
    titles = {
        SchemeState: "Scheme 考核方案",
        RoundPhase: "Round 考核轮次",
        EnrolmentState: "Enrolment 参评",
        SubmissionState: "Submission 成果提交",
        ResultState: "Result 考核结果",
    }
    for kind, title in titles.items():
        rows = [t for t in TRANSITIONS if isinstance(t.target, kind)]
        lines = ["stateDiagram-v2"]
        lines += [f"    {s.value}: {s.label}" for s in kind]
        lines += [f"    {source.value} --> {t.target.value}: {t.rule} {t.actor}" for t in rows for source in t.sources]
        yield title, "\n".join(lines)


def document() -> str:
    """Return docs/lifecycle.md whole: a diagram and a table for each machine."""
    parts = [
        "# Lifecycle",
        "",
        "Drawn from `review_flow/rules/lifecycle.py`; a test keeps the two the same.",
        "",
    ]
    parts += ["Write it anew with `python -m review_flow.rules.lifecycle > docs/lifecycle.md`.", ""]
    for title, diagram in diagrams():
        parts += [f"## {title}", "", "```mermaid", diagram, "```", ""]
    parts += [
        "## Transitions",
        "",
        "| rule | from | to | who | when | otherwise |",
        "|---|---|---|---|---|---|",
    ]
    parts += [
        f"| {t.rule} | {'、'.join(s.label for s in t.sources)} | {t.target.label} | {t.actor} | {t.guard} | {t.miss} |"
        for t in TRANSITIONS
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    print(document(), end="")  # noqa: T201 - that is what the module does when run
