"""The sheets a school brings, as declared tables, and what bringing one in has at hand."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from models import Person, Round
from review_flow.i18n import _
from review_flow.outside.cells import Column, Kind
from review_flow.outside.spreadsheets import Problems, Row, Table
from review_flow.rules.record_programme import FAIL, PASS
from review_flow.rules.voices import NAMES, SURVEYS
from review_flow.rules.words import FactKind, RoleKind, SheetKind
from review_flow.steps.imports_written import Written
from review_flow.steps.people import ROLE_NAMES
from review_flow.steps.programme import KIND_NAMES, TOLD

ROLES = (RoleKind.TEACHER, RoleKind.WORKSHOP_LEADER, RoleKind.SCHOOL_ADMIN, RoleKind.SUBJECT_EXPERT)
LATE, ABSENT, LATE_MATERIAL, LEAVE = _("迟到"), _("旷到"), _("迟交"), _("请假")

NUMBER = Column("number", _("工号"), Kind.CODE, required=True, note=_("本校唯一，前面的0要保留"), example="007")
KEY = Column(
    "key",
    _("编号"),
    Kind.CODE,
    required=True,
    note=_("这件事的编号；同一编号再次导入不会重复登记"),
    example="2022-03-01-01",
)
DAY = Column("on", _("日期"), Kind.DATE, required=True, example="2022-03-01")
PROOF = Column("proof", _("证明"), required=True, note=_("凭什么认定，例如签到表、获奖证书"), example=_("3月1日签到表"))

STAGES = ("幼儿园", "小学", "初中", "高中", "中职", "特教")

ROSTER = Table(
    _("教师名单"),
    (
        NUMBER,
        Column("name", _("姓名"), Kind.NAME, required=True, example=_("王芳")),
        Column("subject", _("学科"), example=_("语文")),
        Column(
            "stage", _("学段"), note=_("常用：幼儿园、小学、初中、高中、中职、特教"), example=_("初中"), usual=STAGES
        ),
        Column("workshop", _("工作坊"), note=_("没有的工作坊会新建"), example=_("语文坊")),
        Column(
            "roles",
            _("角色"),
            Kind.CHOICES,
            choices=tuple(ROLE_NAMES[kind] for kind in ROLES),
            note=_("空白即教师；导入只增加角色，不取消角色"),
            example=_("教师、坊主"),
        ),
        Column("contact", _("联系方式"), Kind.CODE, note=_("邮箱或手机号"), example="13800000000"),
        Column("retires_on", _("退休日期"), Kind.DATE, example="2026-08-31"),
        Column("exempt", _("免训原因"), note=_("只在导入某个考核轮次时填写；空白即参评")),
        Column(
            "household",
            _("家庭户号"),
            Kind.CODE,
            note=_("同一户号的教师互相回避；只用于回避，不向他人显示"),
            example="12",
        ),
    ),
    (_("再次导入时，空白的格子保留原来的内容。"), _("有一行不合要求，整张表都不导入；请改好后重新导入。")),
)
HOURS = Table(
    _("学时"),
    (
        NUMBER,
        Column("ledger", _("账本"), required=True, note=_("方案中的学时类别"), example=_("实践学时")),
        Column("hours", _("学时"), Kind.DECIMAL, required=True, example="12.5"),
        Column("source", _("来源"), required=True, note=_("谁记的学时"), example=_("县教师进修学校")),
        KEY,
    ),
    (_("同一教师、同一账本、同一编号再次导入：学时相同则不变，不同则以新的为准，旧的保留备查。"),),
)
PRESENT_WORD, MADE_UP_WORD, ABSENT_WORD = _("到场"), _("补课"), _("缺席")
GIVEN_WORD, REFUSED_WORD = _("通过"), _("不通过")
OTHERS_WORD, OWN_WORD = _("他人"), _("本人")
PROGRESS = Table(
    _("进度"),
    (
        NUMBER,
        Column(
            "kind",
            _("类别"),
            Kind.CHOICE,
            required=True,
            choices=tuple(KIND_NAMES[kind] for kind in TOLD),
            example=KIND_NAMES[FactKind.MINUTES],
        ),
        Column("about", _("项目"), required=True, note=_("方案中的名称或编号"), example=_("课程学习")),
        Column("amount", _("数值"), Kind.DECIMAL, note=_("分钟数、分数或份数"), example="1020"),
        Column(
            "word",
            _("结果"),
            Kind.CHOICE,
            choices=(PASS, FAIL, PRESENT_WORD, MADE_UP_WORD, ABSENT_WORD, GIVEN_WORD, REFUSED_WORD),
            note=_("测评填合格或不合格；到场填到场、补课或缺席；审核填通过或不通过"),
        ),
        Column("reason", _("理由"), note=_("审核不通过的，写明理由")),
        Column("chars", _("字数"), Kind.INTEGER, note=_("材料的字数")),
        Column("seconds", _("秒数"), Kind.DECIMAL, note=_("视频的长度")),
        Column("on", _("评谁"), Kind.CHOICE, choices=(OTHERS_WORD, OWN_WORD), note=_("评议帖评的是他人还是本人")),
        Column("source", _("来源"), required=True, note=_("谁记的，例如研修平台"), example=_("研修平台")),
        KEY,
    ),
    (
        _("同一教师、同一项目、同一编号再次导入：相同则不变，不同则以新的为准，旧的保留备查。"),
        _("平台导出的表不必改表头：先用“sheet provider”记下平台的列名。"),
    ),
)
ATTENDANCE = Table(
    _("考勤"),
    (
        NUMBER,
        DAY,
        Column(
            "what", _("情况"), Kind.CHOICE, required=True, choices=(LATE, ABSENT, LATE_MATERIAL, LEAVE), example=LATE
        ),
        PROOF,
        KEY,
    ),
    (_("请假指已批准的请假，如实登记，是否扣分由方案决定。"), _("登记后系统会通知教师本人，教师可以申辩。")),
)
AWARDS = Table(
    _("加分"),
    (
        NUMBER,
        DAY,
        Column("points", _("加分"), Kind.DECIMAL, required=True, note=_("按学校绩效考核方案"), example="3"),
        PROOF,
        KEY,
    ),
)
SURVEY = Table(
    _("问卷"),
    (
        NUMBER,
        Column(
            "who",
            _("问卷"),
            Kind.CHOICE,
            required=True,
            choices=tuple(NAMES[name] for name in SURVEYS),
            example=NAMES[SURVEYS[0]],
        ),
        Column(
            "mark", _("得分"), Kind.DECIMAL, required=True, note=_("0–100；一份的得分，或多份的平均分"), example="92"
        ),
        Column("answers", _("份数"), Kind.INTEGER, note=_("得分是多少份的平均；空白即1份"), example="41"),
        Column("source", _("来源"), required=True, note=_("谁收的，怎样收的"), example=_("12月匿名问卷")),
        Column("key", _("编号"), Kind.CODE, required=True, note=_("这次问卷的编号，每行相同"), example="2020-12"),
    ),
    (
        _("问卷不记名：不要有学生、家长的姓名或学号，也不要有其他列；有多余的列时不收这张表。"),
        _("可以每份一行，也可以每位教师一行并填份数；系统只保存每位教师的份数与平均分。"),
        _("同一教师、同一问卷、同一编号再次导入：以新表的全部各行为准，旧的保留备查。"),
    ),
    only_these=True,
)
TABLES = {
    SheetKind.ROSTER: ROSTER,
    SheetKind.HOURS: HOURS,
    SheetKind.PROGRESS: PROGRESS,
    SheetKind.ATTENDANCE: ATTENDANCE,
    SheetKind.AWARDS: AWARDS,
    SheetKind.SURVEY: SURVEY,
}


@dataclass(frozen=True)
class Bringing:
    """One sheet on its way in: by whom, where to, what has been found wrong and what was written so far."""

    session: Session
    actor: Person
    organization_id: int
    round: Round | None
    table: Table
    problems: Problems
    written: Written

    def refuse(self, row: Row, key: str, problem: str) -> None:
        """Note what is wrong with a row's cell."""
        column = next(column for column in self.table.columns if column.key == key)
        self.problems.at(row, column, problem)

    def sound(self, row: Row) -> bool:
        """Whether nothing is wrong with the row yet."""
        return row.number not in self.problems.rows

    def the_round(self) -> Round:
        """Return the round the sheet is for: `imports.start` lets no sheet of facts in without one."""
        assert self.round is not None
        return self.round
