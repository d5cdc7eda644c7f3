"""What the database counts itself: the ids that a quota or an indicator may name, where, and how each is computed.

`scheme check` holds a scheme to this table; `steps/group_record` computes what it declares, and nobody tells it.
"""

from dataclasses import dataclass

EVERYWHERE = ("workshop", "class", "school", "county")


@dataclass(frozen=True)
class Computed:
    """One id: at which levels it is computed, and how, in words."""

    id: str
    how_zh: str
    levels: tuple[str, ...] = ("workshop", "school")


COUNTS = (
    Computed("members", "参评且未免训的人数；工作坊为本坊的", EVERYWHERE),
    Computed("teachers", "参评且未免训的教师人数；工作坊为本坊的", EVERYWHERE),
    Computed("class_members", "班里现有的人数", ("class",)),
    Computed("school_workshops", "本校的工作坊数", ("school",)),
    Computed("excellent_work", "推荐而未撤回的作品数"),
    Computed("excellent_video", "推荐而未撤回的作品中视频的数目"),
    Computed("recommended_learner", "推荐而未撤回的优秀学员数"),
)
INDICATORS = (
    Computed("appraisal_all", "有现行考核结果的人 ÷ 参评且未免训的人", ("school",)),
    Computed("training_all", "各学时账都达到最低学时（须确认的已确认）的人 ÷ 参评且未免训的人", ("school",)),
    Computed("trained", "同 training_all", ("school",)),
    Computed("participation", "已读方案、有学时或有登记的人 ÷ 参评且未免训的人", ("school",)),
)
