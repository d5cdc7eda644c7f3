"""A round of a scheme without abilities through the command line: facts, files, sign-in, results (000-A, 000-B)."""

from __future__ import annotations

import json
from pathlib import Path

from review_flow.clock import move_to
from review_flow.demo import media
from tests.journeys.installation import Installation, at

MEMBERS, HEARERS = ("P1", "P2", "P3"), ("P5", "P6")
DAYS = ("--opens", "2026-03-02", "--due", "2026-03-20", "--closes", "2026-04-03")


def found(it: Installation, scheme: str) -> None:
    """A school whose round of the scheme is open; T2 leads the workshop."""
    it.run("school", "found", "福清一中", "--admin-number", "A01", "--admin-name", "陈静")
    people = [(number, f"评委{number}", "", "") for number in (*MEMBERS, "P4", *HEARERS)]
    teachers = [("T1", "王芳", "语文坊", "教师"), ("T2", "李伟", "语文坊", "教师、坊主")]
    roster = it.sheet("名单.xlsx", ("工号", "姓名", "工作坊", "角色"), *teachers, *people)
    it.run("sheet", "import", "roster", roster, "--now", who="A01")
    it.run("school", "adopt", scheme, "--effective-from", "2026-03-01", who="A01")
    it.run("school", "confirm", scheme, "--all", who="A01")
    it.run("school", "publish", scheme, who="A01")
    it.run("round", "create", "2026春", "--scheme", scheme, *DAYS, who="A01")
    for kind, numbers in (("member", MEMBERS), ("arbiter", ["P4"]), ("appeal", HEARERS)):
        for number in numbers:
            it.run("round", "seat", number, kind, who="A01")
    it.run("round", "enrol", "T1", "T2", who="A01")
    it.run("round", "open", who="A01")
    it.due_work()


def essay(path: Path, chars: int) -> str:
    media.txt(path, media.essay(chars, topic=path.stem))
    return str(path)


def test_fuqing_50_from_the_roster_to_the_grade(installation: Installation) -> None:
    it = installation
    found(it, "fuqing-50")
    for number in ("T1", "T2"):
        it.run("teacher", "acknowledge", who=number)
    it.run("facts", "place", "T1", "--role", "observer", who="A01")
    it.run("facts", "place", "T2", "--role", "workshop_leader", who="A01")

    columns = ("--column", "number=学员账号", "--column", "amount=累计学习", "--column", "key=统计月份")
    constants = ("--constant", "kind=学习分钟", "--constant", "about=课程学习", "--constant", "source=研修网")
    it.run("sheet", "provider", "研修网", "progress", *columns, *constants, who="A01")
    export = it.sheet(
        "导出.xlsx", ("学员账号", "累计学习（分钟）", "统计月份"), ("T1", 1000, "3月"), ("T2", 999, "3月")
    )
    bring = ("sheet", "import", "progress", export, "--round", "2026春", "--provider", "研修网", "--now")
    assert it.read(*bring, who="A01")["text"] == "已导入2行。"
    assert it.read(*bring, who="A01")["text"] == "已导入2行。"

    texts = {"learning_reflection": 60, "lesson_design": 80, "forum_topic": 20, "shared_resource": 40}
    for number in ("T1", "T2"):
        own = {"T1": "observation_form", "T2": "activity_record"}[number]
        for slot, chars in {**texts, own: 50, "summary_text": 820}.items():
            it.run("teacher", "hand-in", slot, essay(it.folder / f"{number}-{slot}.txt", chars), who=number)
    second = essay(it.folder / "T1-第二篇.txt", 45)
    it.run("teacher", "hand-in", "shared_resource", second, who="T1")
    it.run("teacher", "hand-in", "learning_reflections", second, status=1, who="T1")
    it.due_work()
    facts = it.read("facts", "list", who="T1")
    assert [(one["kind"], one["number"]) for one in facts] == [("学习分钟", "1000.00")]
    assert it.run("facts", "list", "T2", status=1, who="T1").err.startswith("您没有权限做这件事")

    move_to(at(4, 4))
    it.due_work()
    assert it.run("panel", "confirm", "--all", who="P1").out == "已定等2人。\n"
    it.run("round", "publish", who="A01")
    first, other = (it.read("teacher", "result", who=number) for number in ("T1", "T2"))
    assert (first["score"], first["confirmed_grade"]) == ("100.00", "优秀")
    assert (other["score"], other["confirmed_grade"]) == ("45.00", "不合格")
    assert [one["granted"] for one in first["certificates"]] == [True]
    assert "学习任务不通过，记0分" in json.dumps(other["ledger"], ensure_ascii=False)


def test_three_meetings_of_fuqing_30(installation: Installation) -> None:
    it = installation
    found(it, "fuqing-30")
    for activity in ("off1", "off2", "off3"):
        it.run(
            "activity",
            "hold",
            activity,
            "--at",
            "2026-03-02T09:20",
            "--place",
            "录播室",
            "--workshop",
            "语文坊",
            who="T2",
        )
    code = it.run("activity", "code", "1", who="T2").out.strip()[-6:]
    picture = it.folder / "签到.svg"
    assert it.run("activity", "code", "1", "--svg", str(picture), who="T2").out == f"签到码：{code}\n"
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    assert it.run("activity", "sign-in", "1", code, who="T1").out == "已签到。\n"
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert it.run("activity", "sign-in", "1", wrong, status=1, who="T2").err.startswith("签到码不对")
    assert it.run("activity", "code", "1", status=1, who="T1").err.startswith("您没有权限做这件事")
    it.run("activity", "sign-list", "2", "--present", "T1", "--absent", "T2", who="T2")
    it.run("activity", "make-up", "3", "T1", "--proof", "补看录像", who="T2")
    came = {one["id"]: one["came"] for one in it.read("activity", "list", who="T1")}
    assert came == {1: 1, 2: 1, 3: 1}
    assert [one["state"] for one in it.read("activity", "list", "2", who="T2")] == ["到场", "缺席"]
    it.run("facts", "tell", "T1", "piece", "peer_comment", "--key", "1", "--source", "平台", "--others", who="T2")
    it.run("facts", "tell", "T1", "minutes", "course", "--key", "1", "--source", "平台", status=1, who="A01")
    credit = ("facts", "credit", "T1", "practice30", "12.5", "--key", "1", "--source", "磨课记录")
    assert it.run(*credit, who="T2").out == "已登记。\n"
    assert it.run(*credit, who="T2").out == "早已登记，没有变化。\n"
    assert it.read("teacher", "status", who="T1")["hours"]["practice30"] == "12.50"
    assert it.read("facts", "hours", who="A01") == []
    assert it.read("facts", "kinds", who="T1")[-1]["about"] == "off3"
    listed = it.read("facts", "list", "T1", who="T2")
    assert [one["word"] for one in listed if one["kind"] == "到场"] == ["present", "present", "made_up"]
    it.run("facts", "strike", str(listed[-1]["id"]), "--reason", "记错了", who="T2")
    assert len(it.read("facts", "list", "T1", who="T2")) == len(listed) - 1
