from __future__ import annotations

import copy
import hashlib
import io
import json
import shutil
import zipfile
from datetime import date
from decimal import Decimal

import pytest
import python_calamine
from sqlalchemy import select

from models import Adjustment, AuditEvent, DueWork, Enrolment, Person, Result, Workshop
from review_flow.clock import now
from review_flow.db import make_engine, transaction
from review_flow.errors import NotAllowed
from review_flow.outside.storage import MemoryStorage, read
from review_flow.rules.lifecycle import EnrolmentState
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import AdjustmentKind, AdjustmentState, ExportKind, JobState, WorkKind
from review_flow.steps import advance, enrolments, exports, results
from review_flow.steps.exports_archive import packed
from review_flow.steps.exports_results import _mean, _sum
from tests.cast import Clock, School, xian
from tests.stages import stage


def adjust(school: School, person: Person, kind: AdjustmentKind, key: str, points: str | None = None) -> None:
    school.session.add(
        Adjustment(
            enrolment_id=school.enrolment(person).id,
            kind=kind,
            happened_on=date(2026, 3, 1),
            proof="签到表",
            key=key,
            points=Decimal(points) if points else None,
            state=AdjustmentState.NOTIFIED,
            recorded_by_id=school.admin.id,
            recorded_at=now(),
            notified_at=now(),
        )
    )
    school.session.flush()


@stage
def finished(session, clock) -> School:
    return finish(School(session), clock)


def finish(school: School, clock: Clock) -> School:
    """Four graded, one with deductions and an award and a signature; the fifth exempt."""
    exempt = school.teachers.pop()
    exempt.subject = None
    enrolments.exempt(school.session, actor=school.admin, enrolment=school.enrolment(exempt), reason="病休")
    workshop = Workshop(organization_id=school.organization.id, name="物理坊")
    school.session.add(workshop)
    school.session.flush()
    school.teachers[0].workshop_id = workshop.id
    adjust(school, school.teachers[0], AdjustmentKind.LATE_ARRIVAL, "a1")
    adjust(school, school.teachers[0], AdjustmentKind.ABSENCE, "a2")
    adjust(school, school.teachers[0], AdjustmentKind.AWARD, "w1", "3")
    school.open().whole(peer="80", panel_mark="85")
    clock.day(4, 6)
    advance.advance(school.session, round_=school.round)
    made = school.compose()
    results.confirm_all(school.session, actor=school.members[0], round_=school.round)
    results.publish(school.session, actor=school.admin, round_=school.round)
    clock.day(4, 20)
    advance.advance(school.session, round_=school.round)
    results.sign(school.session, actor=school.teachers[0], result=made[0])
    return school


def sheets(data: bytes) -> dict[str, list[list[object]]]:
    book = python_calamine.load_workbook(io.BytesIO(data))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def outcome(school: School, number: int) -> dict:
    enrolment = school.enrolment(school.teachers[number])
    result = school.session.scalars(select(Result).where(Result.enrolment_id == enrolment.id, Result.current)).one()
    return json.loads(result.outcome)


def test_results_workbook_has_a_line_for_every_teacher(finished):
    table = sheets(exports.results_workbook(finished.session, round_=finished.round))["考核结果"]
    said = outcome(finished, 0)
    assert table[0] == [
        "工号", "姓名", "学科", "工作坊",
        "微能力1", "微能力1等级", "微能力1得分", "微能力2", "微能力2等级", "微能力2得分", "微能力3", "微能力3等级", "微能力3得分",
        "互评", "考核组", "扣分", "加分", "总分", "等级", "签名状态", "门槛未过原因",
    ]  # fmt: skip
    assert table[1] == [
        "T01", "王芳", "物理", "物理坊",
        *[cell for one in said["abilities"] for cell in (one["code"], one["level"], float(one["score"]))],
        80.0, 85.0, -6.0, 3.0, float(said["score"]), said["grade"], "已签名", "",
    ]  # fmt: skip
    assert [one["code"] for one in said["abilities"]] == ["A1", "A3", "A5"]
    assert [row[0] for row in table[1:]] == ["T01", "T02", "T03", "T04", "T05"]
    assert table[2][15:17] == [0.0, 0.0]
    assert table[5] == ["T05", "赵磊", "", "", *[""] * 9, "", "", "", "", "", "免训", "", "病休"]


def test_results_workbook_has_every_ledger_line_and_the_scheme(finished):
    made = sheets(exports.results_workbook(finished.session, round_=finished.round))
    lines = [line for number in range(4) for line in outcome(finished, number)["ledger"]]
    assert made["计分明细"][0] == ["工号", "姓名", "结果版本", "序号", "依据", "说明", "分值", "累计"]
    assert [row[4:] for row in made["计分明细"][1:]] == [
        [line["rule"], line["text"], float(line["points"]), float(line["running"])] for line in lines
    ]
    assert made["计分明细"][1][:4] == ["T01", "王芳", 1.0, 1.0]
    about = dict(made["方案信息"])
    assert about["方案摘要（SHA-256）"] == finished.scheme.digest
    assert (about["考核轮次"], about["方案编号与版本"]) == ("2026春", "xian-2022-appraisal v1")


def test_what_follows_a_final_result_goes_out_as_events(session, clock):
    """X-22: kind, value, person, scheme path and rule; nothing of it before the result is final."""
    document = copy.deepcopy(xian().document)
    document["consequences"] = [
        {"id": "hours", "text_zh": "计继续教育学时", "when": "grade == 优秀", "kind": "cpd_hours", "value": 10},
        {"id": "never", "text_zh": "不会发生", "when": "score < 0", "kind": "note"},
    ]
    document["sources"]["consequences"] = "001-B-21"
    school = finish(School(session, scheme=Scheme.from_document(document)), clock)

    def page() -> list[list[str]]:
        return sheets(exports.results_workbook(session, round_=school.round))["结果运用"]

    assert page() == [["工号", "姓名", "种类", "内容", "数值", "方案条目", "依据"]]
    clock.day(6, 1)
    for _twice in range(2):  # unsigned, and then final
        advance.advance(session, round_=school.round)
    best = [one for number, one in enumerate(school.teachers) if outcome(school, number)["grade"] == "优秀"]
    assert best
    event = ["cpd_hours", "计继续教育学时", "10", "consequences.hours", "001-B-21"]
    assert page()[1:] == [[one.number, one.name, *event] for one in best]
    told = json.loads(bundle(exports.archive(session, round_=school.round))["consequences.json"])
    names = ("number", "name", "kind", "text", "value", "path", "rule")
    assert told == [dict(zip(names, [one.number, one.name, *event], strict=True)) for one in best]


def test_results_before_anything_is_composed(school):
    table = sheets(exports.results_workbook(school.session, round_=school.round))["考核结果"]
    assert table[0][4] == "互评"
    assert table[1] == ["T01", "王芳", "物理", "", "", "", "", "", "", "已登记", "", ""]


def test_a_failed_gate_and_an_unconfirmed_grade_are_said(school, clock):
    school.open().whole()
    school.hours(school.teachers[0], total="0")
    adrift = school.session.scalars(select(Enrolment).where(Enrolment.person_id == school.teachers[1].id)).one()
    adrift.self_tested_at = None
    clock.day(4, 6)
    advance.advance(school.session, round_=school.round)
    school.compose()
    table = sheets(exports.results_workbook(school.session, round_=school.round))["考核结果"]
    assert table[1][-3:] == [f"{outcome(school, 0)['grade']}（待考核组确认）", "已合成", ""]
    failed = [gate["text"] for gate in outcome(school, 1)["gates"] if gate["passed"] is False]
    assert len(failed) == 1
    assert table[2][-1] == failed[0]


class Line:
    """Only what the two columns ask of a line."""

    def __init__(self, record, outcome):
        self.record, self.outcome = record, outcome


def test_marks_given_for_the_whole_teacher_are_shown():
    def ability(code, peer, *, counts=True):
        return {"code": code, "peer": peer, "counts": counts}

    abilities = [
        ability("A1", "80.00"),
        ability("A3", "80.01"),
        ability("A5", None),
        ability("A6", "1.00", counts=False),
    ]
    assert _mean(Line({}, {"abilities": abilities}), "peer") == Decimal("80.01")
    assert _mean(Line({"marks": {"peer": "79.90"}}, {"abilities": abilities}), "peer") == Decimal("79.90")
    assert _mean(Line({"marks": {"peer": ["70", "71"]}}, {"abilities": []}), "peer") == Decimal("70.50")
    assert _mean(Line({"marks": {"panel": "70"}}, {"abilities": []}), "peer") is None


def test_sums_take_one_rule_and_one_sign():
    ledger = [{"rule": "r", "points": "-1.00"}, {"rule": "r", "points": "2.00"}, {"rule": "s", "points": "-5.00"}]
    assert _sum(Line({}, {"ledger": ledger}), {"r"}, sign=-1) == Decimal("-1.00")
    assert _sum(Line({}, {"ledger": ledger}), set(), sign=1) == 0


def bundle(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_archive_holds_the_round_and_replays(finished, tmp_path):
    made = exports.archive(finished.session, round_=finished.round)
    files = bundle(made)
    path = tmp_path / "a.zip"
    path.write_bytes(made)
    assert exports.verify(path) == []
    ids = finished.session.scalars(select(Result.id).order_by(Result.id)).all()
    assert sorted(files) == sorted(
        [
            "facts.json", "consequences.json", "groups/classes.json", "groups/facts.json", "groups/members.json", "groups/results.json", "groups/workshops.json",
            "pipeline/agreements.json", "pipeline/library.json", "pipeline/moves.json", "pipeline/nominations.json",
            "pipeline/voices.json", "adjustments.json", "appeal_votes.json", "appeals.json", "assignments.json", "audit.jsonl", "certificate_issuers.json", "certificates.json", "enrolments.json",
            "evidence.json", "hours.json", "manifest.json", "marks/answers.json", "marks/panel.json", "marks/peers.json", "marks/reports.json", "marks/signs.json", "panel.json",
            "people.json", "results.json", "round.json", "samples.json", "scheme.json", "scheme_version.json",
            "signatures.json", "submissions.json", "validity_votes.json",
            *[f"{folder}/{number}-v1.json" for folder in ("records", "outcomes") for number in ids],
        ]
    )  # fmt: skip
    assert hashlib.sha256(files["scheme.json"]).hexdigest() == finished.scheme.digest
    assert json.loads(files["round.json"])["organization"] == "实验中学"
    assert [row["key"] for row in json.loads(files["adjustments.json"])] == ["a1", "a2", "w1"]
    assert len(files["audit.jsonl"].splitlines()) == len(finished.session.scalars(select(AuditEvent.id)).all())


def test_archive_is_the_same_bytes_for_the_same_data(finished):
    made = exports.archive(finished.session, round_=finished.round)
    finished.session.expire_all()
    assert exports.archive(finished.session, round_=finished.round) == made


def test_archive_tells_nothing_of_faces_contacts_and_storage(finished):
    finished.teachers[0].contact = finished.teachers[0].household = "13811112222"
    finished.session.flush()
    files = bundle(exports.archive(finished.session, round_=finished.round))
    rows = json.loads(files["evidence.json"])
    assert rows
    assert set(rows[0]) == {
        "id", "submission_id", "slot", "file_name", "sha256", "size_bytes", "uploaded_at", "state", "verdict", "checked_at",
        "removed_at",
    }  # fmt: skip
    assert set(json.loads(files["people.json"])[0]) == {
        "id", "organization_id", "number", "name", "subject", "stage", "workshop_id", "retires_on", "active",
    }  # fmt: skip
    assert not any(b"13811112222" in content or b"storage_key" in content for content in files.values())


def test_archive_of_a_round_holds_that_round_alone(finished, tmp_path):
    other = finished.setup("2026秋")
    path = tmp_path / "a.zip"
    path.write_bytes(exports.archive(finished.session, round_=other))
    files = bundle(path.read_bytes())
    assert json.loads(files["results.json"]) == []
    assert {row["round_id"] for row in json.loads(files["enrolments.json"])} == {other.id}
    assert json.loads(files["submissions.json"]) == []
    assert exports.verify(path) == []


class Forger:
    """Takes an archive apart, changes it, and makes a fresh manifest that fits."""

    def __init__(self, archive: bytes, tmp_path) -> None:
        self.path = tmp_path / "forged.zip"
        self.files = bundle(archive)
        self.name = next(name for name in sorted(self.files) if name.startswith("records/")).partition("/")[2]

    def verify(self, changes: dict[str, bytes | None]) -> list[str]:
        files = {**self.files, **changes}
        del files["manifest.json"]
        self.path.write_bytes(packed({name: content for name, content in files.items() if content is not None}))
        return exports.verify(self.path)

    def raw(self, files: dict[str, bytes]) -> list[str]:
        with zipfile.ZipFile(self.path, "w") as made:
            for name, content in files.items():
                made.writestr(name, content)
        return exports.verify(self.path)

    def edited(self, name: str, old: str, new: str) -> dict[str, bytes]:
        assert old.encode() in self.files[name]
        return {name: self.files[name].replace(old.encode(), new.encode(), 1)}


@pytest.fixture(scope="module")
def archived(templates, tmp_path_factory) -> bytes:
    """One archive for all forgeries: checking it asks no database."""
    path = tmp_path_factory.mktemp("archived") / "review-flow.db"
    shutil.copy(templates.sqlite(), path)
    engine, clock = make_engine(f"sqlite:///{path}"), Clock()
    with transaction(engine) as session:
        school = finish(School(session), clock)
        made = exports.archive(session, round_=school.round)
    clock.stack.close()
    engine.dispose()
    return made


@pytest.fixture
def forger(archived, tmp_path) -> Forger:
    return Forger(archived, tmp_path)


def test_changed_missing_and_added_files_are_named(forger):
    files = {**forger.files, "added.json": b"1", "hours.json": b"[]"}
    del files["panel.json"]
    assert forger.raw(files) == [
        "added.json不在清单里。",
        "hours.json与清单中的校验和不符。",
        "清单中的panel.json不在归档里。",
    ]


def test_a_forged_record_or_outcome_does_not_replay(forger):
    record, shown = f"records/{forger.name}", f"outcomes/{forger.name}"
    said = json.loads(forger.files[shown])
    assert forger.verify(forger.edited(record, '"late_arrival"', '"absence"')) == [
        f"结果{forger.name}重算后与存档的明细不一致。",
        f"结果{forger.name}的得分或等级与明细不一致。",
    ]
    better = json.dumps({**said, "score": "100.00"}, ensure_ascii=False).encode()
    assert forger.verify({shown: better}) == [
        f"结果{forger.name}与教师签名时的不同。",
        f"结果{forger.name}重算后与存档的明细不一致。",
    ]
    assert forger.verify(forger.edited("results.json", f'"score":"{said["score"]}"', '"score":"99.00"')) == [
        f"结果{forger.name}的得分或等级与明细不一致。"
    ]


def test_what_cannot_be_graded_is_said(forger):
    record = f"records/{forger.name}"
    assert forger.verify({record: b'{"ack": 1}'}) == [f"结果{forger.name}无法重算：ack：应为 true 或 false。"]
    assert forger.verify({record: b"[]"})[0].startswith(f"结果{forger.name}无法重算：")
    assert forger.verify({record: b"{"}) == [f"{record}缺失或无法读取。"]
    assert forger.verify({record: b"[" * 100_000}) == [f"{record}缺失或无法读取。"]


def test_a_result_needs_all_its_parts(forger):
    line = f"结果{forger.name}的三份材料（结果表、依据、明细）不全。"
    assert forger.verify({f"records/{forger.name}": None}) == [line]
    assert forger.verify({f"outcomes/{forger.name}": None}) == [line]
    assert forger.verify({"records/99-v1.json": b"{}"}) == ["结果99-v1.json的三份材料（结果表、依据、明细）不全。"]


def test_another_scheme_is_found_out(forger):
    problems = forger.verify(forger.edited("scheme.json", '"version":1', '"version":2'))
    assert problems[0] == "方案与本轮考核锁定的方案不符。"
    assert problems[1] == f"结果{forger.name}所用的方案不是归档中的方案。"
    assert len(problems) == 5


def test_the_audit_chain_is_followed(forger):
    lines = forger.files["audit.jsonl"].splitlines(keepends=True)
    assert forger.verify({"audit.jsonl": b"".join(lines[1:])})[:2] == [
        "审计记录第1行：编号不连续。",
        "审计记录第1行：与前一条不相连。",
    ]
    changed = lines[2].replace(b'"actor_id":1', b'"actor_id":2')
    assert changed != lines[2]
    assert forger.verify({"audit.jsonl": b"".join([*lines[:2], changed, *lines[3:]])}) == [
        "审计记录第3行：内容与其校验和不符。"
    ]
    for junk in (
        b"x\n",
        b"[]\n",
        b'{"at":"2026-03-01T00:00:00+00:00"}\n',
        b'{"at":1}\n',
        b'{"at":"2026-03-01T00:00:00+00:00","x":1}\n',
    ):
        assert forger.verify({"audit.jsonl": junk}) == ["审计记录第1行无法读取。"]


@pytest.mark.parametrize("name", ["scheme.json", "round.json", "results.json", "signatures.json"])
def test_files_that_cannot_be_read_end_the_check(forger, name):
    assert forger.verify({name: b"1"}) == ["方案、轮次或结果表无法读取。"]
    assert forger.verify({name: None}) == [f"归档中缺少{name}。"]


def test_what_is_no_archive_is_said(forger, tmp_path):
    forger.path.write_bytes(b"PK\x03\x04")
    assert exports.verify(forger.path)[0].startswith("不是完整的归档文件：")
    assert exports.verify(tmp_path / "nowhere.zip")[0].startswith("不是完整的归档文件：")
    assert forger.raw({"a": b"1"}) == ["manifest.json缺失或无法读取。"]
    for manifest in (b"1", b"{}", b'{"format":"review-flow-archive/1","files":1}'):
        assert forger.raw({"manifest.json": manifest}) == ["清单 manifest.json 不是可识别的格式。"]
    with zipfile.ZipFile(forger.path, "w") as made:
        made.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("a", b"2")
    assert exports.verify(forger.path) == ["压缩包里有重名的文件。"]


def test_a_bomb_is_not_unpacked(forger):
    with zipfile.ZipFile(forger.path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for name in "abc":
            with made.open(name, "w") as entry:
                for _ in range(400):
                    entry.write(bytes(1 << 20))
    assert exports.verify(forger.path) == ["压缩包展开后过大。"]


@pytest.mark.parametrize("kind", [ExportKind.RESULTS, ExportKind.ARCHIVE])
def test_an_export_is_asked_for_made_and_kept(finished, kind):
    storage = MemoryStorage()
    export = exports.start(finished.session, actor=finished.admin, round_=finished.round, kind=kind)
    assert (export.state, export.asked_by_id) == (JobState.WAITING, finished.admin.id)
    due = finished.session.scalars(select(DueWork.subject_id).where(DueWork.kind == WorkKind.EXPORT_ROUND)).all()
    assert due == [export.id]
    exports.run(finished.session, export=export, storage=storage)
    assert (export.state, export.finished_at) == (JobState.DONE, now())
    made = read(storage, export.storage_key)
    assert hashlib.sha256(made).hexdigest() == export.sha256
    event = finished.session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
    assert (event.deed, json.loads(event.data)) == ("export.make", {"sha256": export.sha256})
    exports.run(finished.session, export=export, storage=MemoryStorage())
    assert export.storage_key == f"{export.sha256[:2]}/{export.sha256}"


def test_only_the_administrator_exports(school):
    with pytest.raises(NotAllowed):
        exports.start(school.session, actor=school.teachers[0], round_=school.round, kind=ExportKind.ARCHIVE)
    assert school.enrolment(school.teachers[0]).state is EnrolmentState.REGISTERED
