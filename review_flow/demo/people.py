"""The people of the demonstration: a roster as a school would fill it in, and what happens to some of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

TEACHERS = 24
NAMES = (
    "王芳", "李梅", "张敏", "刘洋", "陈杰", "杨丽", "赵磊", "黄娟", "周涛", "吴霞", "徐强", "孙静",
    "胡军", "朱红", "高明", "林燕", "何勇", "郭玲", "马超", "罗兰", "梁辉", "宋佳", "郑国", "谢建国",
)  # fmt: skip
SUBJECTS = ("物理", "语文", "数学", "英语")
PANEL = (
    ("P001", "校长周明", "member"),
    ("P002", "教研主任钱红", "member"),
    ("P004", "信息主任沈航", "reserve"),
    ("P005", "县学科专家蒋平", "arbiter"),
    ("P006", "复核人韩雪", "appeal"),
    ("P007", "复核人曹阳", "appeal"),
)
LEADER = "T024"
"""A workshop leader who sits on the panel and is assessed as well: steps aside for the own work (X-47)."""

# Whom something happens to, by number.
GRACE, EILEEN = "T001", "T002"
LATE, ABSENT, TWICE_LATE, ON_LEAVE, CONTESTING = "T005", "T006", "T007", "T008", "T009"
AWARDED, OVER_CAP, DISAGREED, UNSIGNED, APPEALING = "T010", "T011", "T012", "T013", "T014"
FAILING, COPYING, DROPOUT, EXEMPT = "T015", "T016", "T020", "T023"

FILMED = ("A1", "A3", "A5")
WRITTEN = ("A2", "A9", "A12")


@dataclass(frozen=True, slots=True)
class Teacher:
    """One row of the roster, and the mark that colleagues and panel will find the work worth."""

    number: str
    name: str
    subject: str
    worth: Decimal

    @property
    def abilities(self) -> tuple[str, ...]:
        """Return the abilities this teacher chooses: with video for the two whose faces we have."""
        return FILMED if self.number in {GRACE, EILEEN} else WRITTEN


def teachers() -> list[Teacher]:
    """Return the teachers, in order of their numbers; marks spread over all three grades."""
    worth = {APPEALING: Decimal(58), FAILING: Decimal(52), GRACE: Decimal(91), EILEEN: Decimal(88)}
    numbers = [f"T{n:03d}" for n in range(1, TEACHERS + 1)]
    return [
        Teacher(number, NAMES[n], SUBJECTS[n % len(SUBJECTS)], worth.get(number, Decimal(66 + n * 7 % 31)))
        for n, number in enumerate(numbers)
    ]


def roster_rows() -> list[list[str]]:
    """Return the roster with its header, as the school fills it in."""
    rows = [["工号", "姓名", "学科", "学段", "工作坊", "角色", "联系方式", "免训原因"]]
    for one in teachers():
        roles = "教师、坊主" if one.number == LEADER else "教师"
        exempt = "距退休不足五年" if one.number == EXEMPT else ""
        rows.append([one.number, one.name, one.subject, "初中", f"{one.subject}坊", roles, "", exempt])
    return rows


def panel_rows() -> list[list[str]]:
    """Return the panel's people, who take no part as teachers."""
    header = ["工号", "姓名", "角色"]
    return [header, *([number, name, "学科专家"] for number, name, _seat in PANEL)]


def hours_rows() -> list[list[str]]:
    """Return everybody's hours, enough for the gate."""
    rows = [["工号", "账本", "学时", "来源", "编号"]]
    for one in teachers():
        if one.number != EXEMPT:
            rows.append([one.number, "total", "50", "县教师进修学校", f"{one.number}-total"])
            rows.append([one.number, "practice", "25", "工作坊", f"{one.number}-practice"])
    return rows


def attendance_rows() -> list[list[str]]:
    """Return who was late, absent, on leave."""
    rows = [["工号", "日期", "情况", "证明", "编号"]]
    facts = [
        (ABSENT, "2026-03-05", "旷到"), (TWICE_LATE, "2026-03-05", "迟到"), (TWICE_LATE, "2026-03-12", "迟到"),
        (ON_LEAVE, "2026-03-05", "请假"), (CONTESTING, "2026-03-12", "旷到"),
    ]  # fmt: skip
    rows += [[number, day, what, "备课组培训签到表", f"{number}-{day}"] for number, day, what in facts]
    return rows


def award_rows() -> list[list[str]]:
    """Return who won something, with the points of the school's own table."""
    header = ["工号", "日期", "加分", "证明", "编号"]
    return [
        header,
        [AWARDED, "2026-03-10", "3", "市级微课比赛二等奖", "w-1"],
        [OVER_CAP, "2026-03-10", "6", "省级优质课一等奖", "w-2"],
    ]
