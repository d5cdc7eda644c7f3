"""进度: a school's own sheet, and a platform's export read by its own column names."""

from __future__ import annotations

import pytest

from models import SheetImport
from review_flow import schemes as scheme_files
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.rules.words import JobState, SheetKind
from review_flow.steps import imports
from review_flow.steps.facts import record_of
from review_flow.steps.imports_progress import names_of
from tests.cast import Clock, School
from tests.sheets import bring

HEADER = ["工号", "类别", "项目", "数值", "结果", "字数", "秒数", "评谁", "来源", "编号"]
F50, F30, FUYU = (scheme_files.load(name) for name in ("fuqing-50", "fuqing-30", "fuyu-2020-50"))


@pytest.fixture
def fuqing(session, clock: Clock) -> School:
    return School(session, teachers=2, scheme=F50, abilities=())


def progress(school: School, header: list[str], *rows: list[str], provider: str | None = None) -> SheetImport:
    return bring(school, SheetKind.PROGRESS, header, *rows, provider=provider)


def record(school: School, number: int = 0) -> dict:
    return record_of(school.session, enrolment=school.enrolment(school.teachers[number]))


MINUTES = ["T01", "学习分钟", "课程学习", "1020", "", "", "", "", "研修平台", "2026-03"]


def test_a_sheet_of_every_kind(fuqing: School) -> None:
    brought = progress(
        fuqing,
        HEADER,
        MINUTES,
        ["T01", "材料", "培训总结或评价、反思材料", "", "", "812", "", "", "坊主", "1"],
        ["T01", "材料", "lesson_video", "", "", "", "245.5", "", "坊主", "1"],
        ["T02", "材料", "学习感悟", "", "", "", "", "", "坊主", "1"],
    )
    assert (brought.state, brought.problems, brought.rows) == (JobState.DONE, None, 4)
    assert record(fuqing)["minutes"] == {"course": "1020.00"}
    slots = record(fuqing)["slots"]
    assert (slots["summary_text"], slots["lesson_video"]) == ([{"chars": 812}], [{"seconds": "245.5"}])
    assert record(fuqing, 1)["slots"]["learning_reflection"] == [{"checked": True}]


def test_brought_twice_nothing_is_doubled_and_a_new_value_supersedes(fuqing: School) -> None:
    progress(fuqing, HEADER, MINUTES)
    progress(fuqing, HEADER, MINUTES)
    assert record(fuqing)["minutes"] == {"course": "1020.00"}
    progress(fuqing, HEADER, [*MINUTES[:3], "980", *MINUTES[4:]])
    assert record(fuqing)["minutes"] == {"course": "980.00"}


def test_every_wrong_row_is_named_and_none_is_taken(fuqing: School) -> None:
    brought = progress(
        fuqing,
        HEADER,
        MINUTES,
        ["T01", "学习分钟", "直播", "5", "", "", "", "", "平台", "2"],
        ["T01", "主题", "主题1", "", "", "", "", "", "平台", "3"],
        ["T01", "学习分钟", "课程学习", "", "", "", "", "", "平台", "4"],
        ["T99", "学习分钟", "课程学习", "5", "", "", "", "", "平台", "5"],
    )
    assert brought.state is JobState.REFUSED
    assert brought.problems == {
        "3": ["第3行“项目”没有“直播”，可填：课程学习"],
        "4": ["第4行“项目”方案里没有这一类"],
        "5": ["第5行“项目”请填写数值"],
        "6": ["第6行“工号”“T99”不在本轮考核的名单里。"],
    }
    assert record(fuqing)["minutes"] == {"course": "0"}


def test_words_of_a_sheet(session, clock: Clock) -> None:
    school = School(session, teachers=2, scheme=F30, abilities=())
    posts = [
        ["T01", "材料", "评议帖", "", "", "", "", whom, "平台", key] for key, whom in enumerate(("他人", "本人"), 1)
    ]
    brought = progress(school, HEADER, *posts, ["T01", "到场", "off1", "", "补课", "", "", "", "坊主", "1"])
    assert brought.problems is None
    assert record(school)["slots"]["peer_comment"] == [
        {"on": "others", "checked": True},
        {"on": "own", "checked": True},
    ]
    assert record(school)["attendance"]["off1"] == "made_up"
    assert names_of(F30)["到场"][0].startswith("第一次线下主题活动")
    assert list(names_of(F30)) == ["材料", "到场"]


def kept(school: School, columns: dict[str, str], constants: dict[str, str], name: str = "研修网"):
    return imports.keep_provider(
        school.session,
        actor=school.admin,
        organization=school.organization,
        name=name,
        kind=SheetKind.PROGRESS,
        columns=columns,
        constants=constants,
    )


CONSTANTS = {"kind": "学习分钟", "about": "课程学习", "source": "研修网"}


def test_a_platforms_export_by_its_own_columns(fuqing: School) -> None:
    provider = kept(fuqing, {"number": "学员账号", "amount": "累计学习", "key": "统计月份"}, CONSTANTS)
    header = ["序号", "学员账号", "姓名", "累计学习（分钟）", "统计月份"]
    brought = progress(
        fuqing, header, [1, "T01", "王芳", 640, "2026-03"], [2, "T02", "李伟", 30, "2026-03"], provider=provider
    )
    assert brought.problems is None
    assert record(fuqing)["minutes"] == {"course": "640.00"}


def test_a_naming_is_kept_anew(fuqing: School) -> None:
    first = kept(fuqing, {"number": "账号"}, CONSTANTS)
    again = kept(fuqing, {"number": "学员账号"}, CONSTANTS)
    assert (first.id, again.columns) == (again.id, {"number": "学员账号"})
    found = imports.provider_named(
        fuqing.session, organization=fuqing.organization, name="研修网", kind=SheetKind.PROGRESS
    )
    assert found.id == first.id
    with pytest.raises(NotFound):
        imports.provider_named(fuqing.session, organization=fuqing.organization, name="无", kind=SheetKind.PROGRESS)


@pytest.mark.parametrize(
    ("columns", "constants", "name"),
    [({"moon": "月"}, {}, "研修网"), ({"kind": "类"}, {"kind": "学习分钟"}, "研修网"), ({"number": "账号"}, {}, " ")],
)
def test_a_naming_that_fits_no_sheet(fuqing: School, columns, constants, name) -> None:
    with pytest.raises(BadInput):
        kept(fuqing, columns, constants, name)


def test_only_the_administrator_keeps_a_naming(fuqing: School) -> None:
    with pytest.raises(NotAllowed):
        imports.keep_provider(
            fuqing.session,
            actor=fuqing.teachers[0],
            organization=fuqing.organization,
            name="研修网",
            kind=SheetKind.PROGRESS,
            columns={"number": "账号"},
            constants={},
        )
