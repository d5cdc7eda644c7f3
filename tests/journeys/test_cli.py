"""One whole round through the command line: real sheets, real files, real checks, due work done as the flows do it."""

from __future__ import annotations

import json
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from review_flow.clock import move_to
from review_flow.demo import media
from tests.journeys.installation import Installation, at

TEACHERS = {"T1": "王芳", "T2": "李伟", "T3": "张敏", "T4": "刘洋"}
MEMBERS, ARBITER, HEARERS = ("P1", "P2", "P3"), "P4", ("P5", "P6")
ABILITIES = ("A1", "A3", "A5")
SLOTS = {
    "A1": ("plan", "report"),
    "A3": ("notes", "work", "talk"),
    "A5": ("lesson_plan", "clip", "voices", "voices"),
}
FILMS = {"report", "clip"}
ROUND = "2026春"


def found(it: Installation) -> None:
    """A school, its people from a roster, a published scheme, an open round."""
    first = it.run("school", "found", "实验中学", "--admin-number", "A01", "--admin-name", "陈静")
    assert first.err == f"数据库已就绪：{it.home / 'review-flow.db'}\n"
    assert first.out == "已建立学校“实验中学”，管理员A01。\n"
    panel = [(number, f"评委{number}", "", "") for number in (*MEMBERS, ARBITER, *HEARERS)]
    teachers = [(number, name, "语文", "语文坊") for number, name in TEACHERS.items()]
    roster = it.sheet("名单.xlsx", ("工号", "姓名", "学科", "工作坊"), *teachers, *panel)
    assert it.read("sheet", "import", "roster", roster, "--now", who="A01")["text"] == "已导入10行。"
    people = it.read("school", "people", who="A01")
    assert [one["number"] for one in people] == sorted(["A01", *TEACHERS, *MEMBERS, ARBITER, *HEARERS])
    it.run("school", "adopt", "xian-2022-appraisal", "--effective-from", "2026-03-01", who="A01")
    refused = it.run("school", "publish", "xian-2022-appraisal", status=1, who="A01")
    assert refused.err.startswith("方案还有24项“本校待确认”：")
    asked = it.read("school", "confirm", "xian-2022-appraisal", who="A01")
    assert {one["confirmed"] for one in asked} == {"待确认"}
    assert it.read("school", "confirm", "xian-2022-appraisal", asked[0]["id"], who="A01")[0]["confirmed"] == "已确认"
    assert len(it.read("school", "confirm", "xian-2022-appraisal", "--all", who="A01")) == len(asked) - 1
    it.run("school", "publish", "xian-2022-appraisal", who="A01")
    days = ("--opens", "2026-03-02", "--due", "2026-03-20", "--closes", "2026-04-03")
    it.run("round", "create", ROUND, "--scheme", "xian-2022-appraisal", "--abilities", "A1,A3，A5", *days, who="A01")
    assert "考核组成员至少3人，现有0人" in it.run("round", "open", status=1, who="A01").err
    for kind, numbers in (("member", MEMBERS), ("arbiter", [ARBITER]), ("appeal", HEARERS)):
        for number in numbers:
            it.run("round", "seat", number, kind, who="A01")
    it.run("round", "enrol", *TEACHERS, who="A01")
    assert it.run("round", "cap", "T1", "9", who="A01").out == "T1同时最多承担9份互评。\n"
    assert it.run("round", "cap", "T1", who="A01").out == "T1的互评份数不限。\n"
    it.run("round", "open", who="A01")
    it.due_work()


def hand_in(it: Installation) -> None:
    """Everybody reads, tests, chooses, brings files and seals; the flows look at the files and allocate."""
    film = media.lesson_video(it.folder / "film.mp4", seconds=2, size=(320, 180)).read_bytes()
    ledgers = [(number, name, hours) for number in TEACHERS for name, hours in (("总学时", 50), ("实践学时", 25))]
    rows = [(number, name, hours, "县教师进修学校", f"{number}-{name}") for number, name, hours in ledgers]
    hours = it.sheet("学时.xlsx", ("工号", "账本", "学时", "来源", "编号"), *rows)
    it.run("sheet", "import", "hours", hours, who="A01")  # there is one round that runs
    assert [one["state"] for one in it.read("sheet", "list", who="A01")] == ["done", "waiting"]
    for number in TEACHERS:
        it.run("teacher", "acknowledge", who=number)
        it.run("teacher", "self-test", who=number)
        if number == "T1":
            assert "可从学法指导中选" in it.run("teacher", "choose", "A1,A3", status=1, who=number).err
        it.run("teacher", "choose", ",".join(ABILITIES), who=number)
        for ability in ABILITIES:
            for place, slot in enumerate(SLOTS[ability]):
                path = it.folder / f"{number}-{ability}-{slot}-{place}{'.mp4' if slot in FILMS else '.txt'}"
                if slot in FILMS:  # the same film with a comment box behind it: no two files are the same
                    note = path.name.encode()
                    path.write_bytes(film + (len(note) + 8).to_bytes(4, "big") + b"free" + note)
                else:
                    media.txt(path, media.essay(60, topic=path.stem))
                it.run("teacher", "add", ability, slot, str(path), who=number)
    assert "里已经有一个完全相同的文件" in it.run("teacher", "add", ability, slot, str(path), status=1, who=number).err
    newest = max(one["id"] for work in it.read("teacher", "status", who=number)["abilities"] for one in work["files"])
    assert it.run("teacher", "remove", str(newest), status=1, who="T1").err == f"找不到文件“{newest}”。\n"
    assert path.name in it.run("teacher", "remove", str(newest), who=number).out
    it.run("teacher", "add", ability, slot, str(path), who=number)
    it.due_work()
    stuck = it.read("round", "status", who="A01")["waiting"]
    assert {row["number"]: row["why"] for row in stuck if "A1" in row["why"]} == {
        number: f"A1（成果{1 + 3 * place}）还没有封存" for place, number in enumerate(TEACHERS)
    }
    assert it.run("teacher", "seal", "A1", status=1, who="T1").err == "还不能封存：请确认全部证据由您本人制作\n"
    for number in TEACHERS:
        for ability in ABILITIES:
            it.run("teacher", "seal", ability, "--own-work", who=number)
    it.due_work()


def review(it: Installation) -> None:
    """Nobody submits before the duty is done; then everybody reviews and submits."""
    refused = it.read("teacher", "submit", "A1", status=1, who="T1")
    assert refused == {"error": "duty-open", "text": "请先完成对他人成果的互评：还差9次（应完成9次，已完成0次）。"}
    for number in TEACHERS:
        tasks = it.read("review", "tasks", who=number)
        assert len(tasks) == 9
        copied = it.read("review", "files", str(tasks[0]["id"]), str(it.folder / f"for-{number}"), who=number)
        assert [Path(path).is_file() for path in copied] == [True] * len(SLOTS[tasks[0]["what"]])
        assert not any(other in Path(path).name for path in copied for other in TEACHERS)
        for task in tasks:
            form = filled(it.read("review", "form", str(task["id"]), who=number), mark="84.5")
            it.run("review", "submit", str(task["id"]), write(it, form), who=number)
        assert it.read("review", "tasks", who=number) == []
        assert it.run("review", "claim", status=1, who=number).err.startswith("目前没有可供您互评的成果")
    others = it.read("review", "form", "1", status=1, who="P1")
    assert others == {"error": "not-yours", "text": "这不是分配给您的互评任务。"}
    for number in TEACHERS:
        for ability in ABILITIES:
            it.run("teacher", "submit", ability, who=number)


def filled(form: dict[str, Any], *, mark: str) -> dict[str, Any]:
    """A form as a reviewer fills it: the first component with every item ticked, the rest left as it came."""
    first = form["asked"]["components"][0]
    form["components"][first["id"]] = {"items": [item["id"] for item in first["items"]], "mark": mark}
    form["evidence_levels"] = dict.fromkeys(form["evidence_levels"], "合格")
    form["comment"] = "教学设计完整，技术使用恰当，值得学习。"
    return form


def write(it: Installation, form: dict[str, Any]) -> str:
    path = it.folder / "form.json"
    path.write_text(json.dumps(form, ensure_ascii=False), encoding="utf-8")
    return str(path)


def judge(it: Installation) -> None:
    """Two people find each work valid, three mark it; one spread calls the arbiter."""
    for number in MEMBERS[:2]:
        todo = [one for one in it.read("panel", "tasks", who=number) if one["kind"] == "validity"]
        assert len(todo) == 12
        for one in todo:
            it.run("panel", "validity", str(one["id"]), "--visible", "--own", who=number)
    for number in MEMBERS:
        for one in it.read("panel", "tasks", who=number):
            apart = number == "P3" and one["id"] == 1
            form = filled(it.read("panel", "form", str(one["id"]), who=number), mark="100" if apart else "84.5")
            it.run("panel", "mark", str(one["id"]), write(it, form), who=number)
    assert it.run("panel", "mark", "1", write(it, form), status=1, who="P1").err == "您已对这项成果评分。\n"
    (last,) = it.read("panel", "tasks", who=ARBITER)
    assert (last["kind"], last["id"]) == ("mark", 1)
    form = filled(it.read("panel", "form", "1", who=ARBITER), mark="84.5")
    it.run("panel", "mark", "1", write(it, form), who=ARBITER)


def record_facts(it: Installation) -> None:
    """Two were late; one of them contests, and the panel strikes it. One sheet is refused whole."""
    head = ("工号", "日期", "情况", "证明", "编号")
    day = date(2026, 3, 1)
    wrong = it.sheet("考勤.xlsx", head, ("T1", day, "迟到", "签到表", "1"), ("T9", day, "旷课", "签到表", "2"))
    answer = it.read("sheet", "import", "attendance", wrong, "--round", ROUND, "--now", status=1, who="A01")
    assert list(answer["problems"]) == ["3"]
    assert Path(answer["sheet"]) == it.folder / "考勤-问题.xlsx"
    marked = CalamineWorkbook.from_path(answer["sheet"]).get_sheet_by_index(0).to_python()
    assert answer["problems"]["3"][0] in str(marked)
    assert it.read("teacher", "status", who="T1")["adjustments"] == []  # nothing half-imported
    right = it.sheet("考勤2.xlsx", head, ("T1", day, "迟到", "签到表", "1"), ("T2", day, "迟到", "签到表", "2"))
    it.run("sheet", "import", "attendance", right, "--round", ROUND, "--now", who="A01")
    (mine,) = it.read("teacher", "status", who="T2")["adjustments"]
    assert it.run("teacher", "contest", str(mine["id"]), "--reason", "在场", status=1, who="T1").err.startswith(
        "找不到"
    )
    it.run("teacher", "contest", str(mine["id"]), "--reason", "当天在校值班", who="T2")
    (asked,) = it.read("panel", "tasks", who="P1")
    assert (asked["kind"], asked["id"]) == ("decide", mine["id"])
    it.run("panel", "decide", str(mine["id"]), "--struck", "--reason", "值班表属实", who="P1")


def to_confirm(it: Installation) -> list[dict[str, Any]]:
    return [one for one in it.read("panel", "tasks", who="P1") if one["kind"] == "confirm"]


def finish(it: Installation) -> None:
    """Composed after the notice days, confirmed, published, signed, one appealed and upheld, closed."""
    it.due_work()
    assert [one["what"] for one in to_confirm(it)] == [f"{number}：84.50分，拟定优秀" for number in ("T2", "T3", "T4")]
    move_to(at(3, 10))
    it.due_work()
    assert next(one["what"] for one in to_confirm(it)) == "T1：83.50分，拟定优秀"
    assert it.run("round", "publish", status=1, who="A01").err == "还不能公示：4位教师中有4位尚未定等\n"
    it.run("panel", "confirm", "T3", "--lower-to", "合格", status=1, who="P1")
    it.run("panel", "confirm", "T3", "--lower-to", "合格", "--reason", "材料单薄", who="P1")
    assert it.run("panel", "confirm", "--all", who="P2").out == "已定等3人。\n"
    it.run("round", "publish", who="A01")
    grades = ["优秀", "优秀", "合格", "优秀"]
    rows = [{"name": name, "grade": grade} for name, grade in zip(TEACHERS.values(), grades, strict=True)]
    assert it.read("round", "published") == rows
    assert it.run("teacher", "sign", status=1, who="T1").err == "考核结果现在是“公示中”，不能签名。\n"
    move_to(at(3, 20))
    it.due_work()
    for number in ("T1", "T2", "T3"):
        it.run("teacher", "sign", who=number)
    it.run("teacher", "appeal", "--reason", "A1评分偏低", who="T4")
    (heard,) = it.read("panel", "appeals", who="P5")
    for number in HEARERS:
        marks = ("--mark", "A1=95")
        it.run("panel", "hear", str(heard["id"]), "--uphold", "--reason", "应为95分", *marks, who=number)
    move_to(at(3, 30))
    it.due_work()
    it.run("round", "close", who="A01")
    it.due_work()


def feedback(it: Installation) -> None:
    """What was said of one's works, whether it helped, own marks beside the final ones, how all agree."""
    said = it.read("teacher", "reviews", who="T1")
    assert [(one["ability"], one["helped"]) for one in said] == [
        (code, None) for code in ABILITIES for _turn in range(3)
    ]
    first = str(said[0]["id"])
    assert it.run("teacher", "helped", first, "--yes", "--comment", "很具体", who="T1").out == "谢谢，已记下。\n"
    assert it.run("teacher", "helped", first, "--no", status=1, who="T1").err == "您已评价过这份互评。\n"
    assert it.run("teacher", "helped", "999", "--no", status=1, who="T1").err == "找不到互评“999”。\n"
    assert "有帮助" in it.run("teacher", "reviews", who="T1").out
    seen = [one for number in TEACHERS for one in it.read("review", "beside", who=number)]
    assert len(seen) == 36
    assert [(one["mine"], one["comment"]) for one in seen if one["helped"]] == [("84.50", "很具体")]
    agreed = it.read("round", "agreement", who="A01")
    assert agreed["alpha"] is None  # everybody gave the same
    assert [(one["number"], one["bias"], one["n"]) for one in agreed["reviewers"]] == [
        (number, "0.00", 9) for number in TEACHERS
    ]
    assert it.run("round", "agreement", who="A01").out.startswith("一致性 α = 无法计算\n")
    shown = it.read("round", "effort", who="A01")
    assert {sign for one in shown for sign in one["signs"]} >= {"用时很短", "多份互评用了同一段评语"}
    assert it.run("round", "effort", status=1, who="T1").err.startswith("您没有权限做这件事")


@pytest.mark.slow
def test_a_round_through_the_command_line(installation: Installation) -> None:
    it = installation
    found(it)
    hand_in(it)
    review(it)
    judge(it)
    record_facts(it)
    finish(it)

    mine = it.read("teacher", "result", who="T1")
    assert (mine["score"], mine["confirmed_grade"], mine["state"]) == ("83.50", "优秀", "final")
    assert [(line["points"], line["rule"]) for line in mine["ledger"] if line["points"] == "-1.00"] == [
        ("-1.00", "001-A-36")
    ]
    assert it.read("teacher", "result", who="T2")["score"] == "84.50"
    again = it.read("teacher", "result", who="T4")
    assert (again["version"], again["state"]) == (2, "final")
    assert Decimal(again["score"]) > Decimal("84.50")

    feedback(it)

    it.run("export", "results", "--now", status=2, who="A01")
    nowhere = str(it.folder / "missing" / "x.xlsx")
    assert it.run("export", "results", "--now", "--out", nowhere, status=1, who="A01").out == ""
    assert it.read("export", "list", who="A01") == []  # what could not be written was taken back
    it.run("export", "results", "--now", "--out", str(it.folder / "结果.xlsx"), who="A01")
    book = CalamineWorkbook.from_path(it.folder / "结果.xlsx")
    assert [row[0] for row in book.get_sheet_by_name("考核结果").to_python()] == ["工号", *TEACHERS]
    assert it.read("export", "archive", who="A01")["id"] == 2
    it.run("export", "fetch", "2", "--out", str(it.folder / "归档.zip"), status=1, who="A01")
    it.due_work()
    it.run("export", "fetch", "2", "--out", str(it.folder / "归档.zip"), who="A01")
    archive = it.folder / "归档.zip"
    assert it.read("verify", str(archive)) == {"ok": True, "problems": []}
    assert it.read("check")["ok"] is True

    whole = it.subprocess("verify", str(archive))
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout == "归档完整：校验和、审计链和每一份结果的重算全部一致。\n"
    assert it.subprocess("round", "list", "--json").returncode == 0
    broken = flipped(archive, it.folder / "broken.zip")
    found_out = it.subprocess("verify", str(broken))
    assert (found_out.returncode, found_out.stderr) == (1, "")
    assert "scheme.json与清单中的校验和不符。" in found_out.stdout


def flipped(archive: Path, path: Path) -> Path:
    """A copy in which one byte of one file differs, zipped as if nothing had happened."""
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = bytearray(old.read(name))
            if name == "scheme.json":
                content[content.index(b"xian")] ^= 1
            new.writestr(name, bytes(content))
    return path
