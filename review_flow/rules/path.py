"""A teacher's way through a round as one line of stages: what is done, what is next."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from review_flow.i18n import _
from review_flow.rules.lifecycle import EnrolmentState, ResultState, SubmissionState


class Stage(Enum):
    """A stage, its name for the bar, and the one thing to do in it."""

    text: str
    todo: str

    def __new__(cls, value: str, text: str, todo: str) -> Self:
        """Keep the sentences beside the value."""
        member = object.__new__(cls)
        member._value_ = value
        member.text, member.todo = text, todo
        return member

    READ = "read", _("阅读方案"), _("请先阅读考核方案。")
    SELF_TEST = "self_test", _("自测"), _("请完成自测。")
    CHOOSE = "choose", _("选微能力"), _("请选择要参评的微能力。")
    EVIDENCE = "evidence", _("交证据"), _("请上传证据并封存。")
    REVIEW = "review", _("互评"), _("请完成对同事成果的互评。")
    SUBMIT = "submit", _("提交"), _("请提交已封存的成果。")
    WAIT = "wait", _("评审"), _("考核组正在评审，现在没有要您做的事。")
    SIGN = "sign", _("签收结果"), _("考核结果出来了，请查看并签收。")
    DONE = "done", _("完成"), _("本轮考核已完成。")


BEFORE_READ = {EnrolmentState.REGISTERED}
BEFORE_TEST = BEFORE_READ | {EnrolmentState.INFORMED}
BEFORE_CHOICE = BEFORE_TEST | {EnrolmentState.SELF_TESTED}
OPEN_WORK = {SubmissionState.DRAFT, SubmissionState.CORRECTING}
NOT_HANDED_IN = OPEN_WORK | {SubmissionState.SEALED}
NOT_SHOWN = {None, ResultState.COMPOSED, ResultState.BANDED}
TO_SIGN = {ResultState.PUBLISHED, ResultState.TO_SIGN, ResultState.APPEALED}


@dataclass(frozen=True)
class Way:
    """The stages in order, and the place of the one that is next."""

    stages: tuple[Stage, ...]
    at: int

    @property
    def stage(self) -> Stage:
        """Return the stage that is next."""
        return self.stages[self.at]


def way(
    enrolment: EnrolmentState,
    works: Sequence[SubmissionState],
    *,
    reviews_left: int,
    result: ResultState | None,
    chooses: bool = True,
) -> Way:
    """Return where a teacher stands; `chooses`: whether the scheme asks for abilities at all.

    Who need not choose and did so all the same has the same way to go with it.
    """
    waiting = {
        Stage.READ: enrolment in BEFORE_READ,
        Stage.SELF_TEST: enrolment in BEFORE_TEST,
        Stage.CHOOSE: chooses and enrolment in BEFORE_CHOICE,
        Stage.EVIDENCE: any(one in OPEN_WORK for one in works),
        Stage.REVIEW: reviews_left > 0,
        Stage.SUBMIT: any(one in NOT_HANDED_IN for one in works),
        Stage.WAIT: result in NOT_SHOWN,
        Stage.SIGN: result in TO_SIGN,
        Stage.DONE: True,
    }
    of_abilities = {Stage.CHOOSE, Stage.EVIDENCE, Stage.REVIEW, Stage.SUBMIT}
    stages = tuple(one for one in Stage if chooses or works or one not in of_abilities)
    over = result not in NOT_SHOWN  # a published result: what was not done by then is no longer asked
    passed = {one for one in Stage if over and one not in {Stage.SIGN, Stage.DONE}}
    return Way(stages, next(place for place, one in enumerate(stages) if waiting[one] and one not in passed))
