"""What every command keeps: one sentence and a status for a mistake, JSON that programs can read, a quick start."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import select
from typer.testing import CliRunner, Result

from models import Consent, DueWork, Person, ReferenceFace
from review_flow.cli import PARTS, _loaded, app
from review_flow.cli.common import day
from review_flow.cli.doctor import Health, to_file
from review_flow.clock import hands_at, now
from review_flow.db import engine_for, settings, transaction
from review_flow.demo import media
from review_flow.migrate import config, newest
from review_flow.outside import authority
from review_flow.rules.certificates import genuine, number_of
from review_flow.rules.words import WorkKind
from review_flow.steps import faces
from tests.outside import clamd as stand_in
from tests.outside.clamd import clamd

HEAVY = ("sqlalchemy", "prefect", "cv2", "numpy", "alembic")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in [name for name in os.environ if name.startswith("REVIEW_FLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "家"))
    settings.cache_clear()
    yield tmp_path / "家"
    if (tmp_path / "家" / "review-flow.db").exists():
        engine_for(f"sqlite:///{tmp_path / '家' / 'review-flow.db'}").dispose()
    settings.cache_clear()


def run(*words: str, status: int = 0) -> Result:
    settings.cache_clear()
    done = CliRunner().invoke(app, list(words), prog_name="review-flow")
    assert done.exit_code == status, (words, done.output, done.exception)
    return done


def read(*words: str, status: int = 0) -> Any:
    return json.loads(run(*words, "--json", status=status).stdout)


def found(name: str = "一中") -> None:
    run("school", "found", name, "--admin-number", "A1", "--admin-name", "陈静")


@pytest.mark.parametrize(
    "words", [("--help",), ("scheme", "list"), ("evidence", "--help"), ("allocate", "--help"), ("nonsense",)]
)
def test_starting_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    code = f"""
import sys
from review_flow.cli import app
try:
    app({list(words)!r}, prog_name="review-flow")
finally:
    print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("part", PARTS)
def test_every_command_and_option_has_chinese_help(part: str, home: Path) -> None:
    assert "一" <= run(part, "--help").stdout.strip().split("\n")[2].strip()[0] <= "鿿"
    unsaid = [one for one in helps(_loaded(part)) if one is None or not any("一" <= sign <= "鿿" for sign in one)]
    assert unsaid == []
    assert home.exists() is False  # help makes nothing


def helps(command: Any) -> list[str | None]:
    parts = getattr(command, "commands", {}).values()
    return [command.help, *(one.help for one in command.params), *(text for one in parts for text in helps(one))]


def test_the_first_use_makes_a_closed_home_and_says_where(home: Path) -> None:
    first = CliRunner().invoke(app, ["school", "found", "一中", "--admin-number", "A1", "--admin-name", "陈静"])
    assert first.stderr == f"数据库已就绪：{home / 'review-flow.db'}\n"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert run("round", "list").stderr == ""


def test_a_refusal_is_one_sentence_on_stderr_and_status_1(home: Path) -> None:
    found()
    again = run("school", "found", "一中", "--admin-number", "A1", "--admin-name", "陈静", status=1)
    assert (again.stdout, again.stderr) == ("", "学校“一中”已经建立，不必再建。\n")
    words = ("school", "found", "一中", "--admin-number", "A1", "--admin-name", "陈静")
    told = read(*words, status=1)
    assert told == {"error": "school-founded", "text": "学校“一中”已经建立，不必再建。"}


def test_who_acts_and_for_whom_has_to_be_said(home: Path) -> None:
    assert (
        run("round", "list", status=2).stderr.splitlines()[-1] == "还没有学校，请先用 review-flow school found 建立。"
    )
    found()
    assert run("school", "people", status=2).stderr == "请用 --as 工号 说明以谁的身份操作。\n"
    assert run("school", "people", "--as", "B2", status=1).stderr == "找不到人员“B2”。\n"
    assert (
        run("round", "status", "--as", "A1", status=2).stderr
        == "还没有考核轮次，请先用 review-flow round create 建立。\n"
    )
    found("二中")
    assert run("round", "list", status=2).stderr == "请用 --school 指明学校：一中、二中。\n"
    assert run("round", "list", "--school", "三中", status=1).stderr == "找不到学校“三中”。\n"
    assert read("school", "people", "--school", "二中", "--as", "A1")[0]["name"] == "陈静"


def test_the_variables_stand_in_for_the_options(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found()
    monkeypatch.setenv("REVIEW_FLOW_AS", "A1")
    assert [one["number"] for one in read("school", "people")] == ["A1"]


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("REVIEW_FLOW_LEASE_SECONDS", "0", "REVIEW_FLOW_LEASE_SECONDS"),
        ("REVIEW_FLOW_EVIDENCE_WORKERS", "many", "REVIEW_FLOW_EVIDENCE_WORKERS"),
        ("REVIEW_FLOW_MESSAGE_URLS", "not json", "REVIEW_FLOW_MESSAGE_URLS"),
        ("REVIEW_FLOW_DATABASE_URL", "nothing", "REVIEW_FLOW_DATABASE_URL"),
        ("REVIEW_FLOW_DATABASE_URL", "oracel://x/y", "REVIEW_FLOW_DATABASE_URL"),
    ],
)
def test_a_wrong_setting_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, name: str
) -> None:
    monkeypatch.setenv(variable, value)
    told = read("round", "list", status=2)
    assert told["error"] == "settings"
    assert told["text"].startswith(f"设置有误：{name}")


def test_a_wrong_key_is_not_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEW_FLOW_ENCRYPTION_KEY", "5ecret")
    assert "5ecret" not in run("round", "list", status=2).output


def test_a_servers_database_is_not_migrated_unasked(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEW_FLOW_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    assert read("round", "list", status=1)["error"] == "not-migrated"
    run("migrate")
    found()
    assert read("round", "list") == []


def test_a_database_that_is_away_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEW_FLOW_DATABASE_URL", "postgresql+psycopg://127.0.0.1:1/none")
    away = run("round", "list", status=1)
    assert away.stderr.startswith("数据库出错：")
    assert away.stderr.count("\n") == 1


def test_a_file_that_is_not_there_or_no_json(home: Path, tmp_path: Path) -> None:
    found()
    missing = run("sheet", "import", "roster", str(tmp_path / "no.xlsx"), "--as", "A1", status=1)
    assert missing.stderr == f"文件读不到或写不进去：{tmp_path / 'no.xlsx'}（没有这个文件或文件夹）\n"
    assert read("sheet", "list", "--as", "A1") == []


def test_a_scheme_file_with_mistakes_lists_them(home: Path, tmp_path: Path) -> None:
    found()
    (tmp_path / "ours.yaml").write_text("schema: kaohe/1\nid: ours\n", encoding="utf-8")
    words = ("school", "adopt", str(tmp_path / "ours.yaml"), "--effective-from", "2026-03-01", "--as", "A1")
    assert str(tmp_path / "ours.yaml") in run(*words, status=1).stderr
    assert read(*words, status=1)["error"] == "scheme-invalid"


def test_misuse_has_status_2() -> None:
    run("scheme", "show", status=2)
    run("nonsense", status=2)
    run("--lang", "fr", "scheme", "list", status=2)
    words = ("school", "adopt", "xian-2022-appraisal", "--effective-from", "tomorrow", "--as", "A1")
    assert "“tomorrow”不是日期" in run(*words, status=2).output


def test_templates_need_no_database(home: Path, tmp_path: Path) -> None:
    for kind in ("roster", "hours", "attendance", "awards"):
        run("sheet", "template", kind, str(tmp_path / f"{kind}.xlsx"))
    assert sorted(path.name for path in tmp_path.glob("*.xlsx")) == [
        "attendance.xlsx", "awards.xlsx", "hours.xlsx", "roster.xlsx",
    ]  # fmt: skip
    assert home.exists() is False
    before = (tmp_path / "roster.xlsx").read_bytes()
    again = run("sheet", "template", "roster", str(tmp_path / "roster.xlsx"), status=2)
    assert again.stderr == f"{tmp_path / 'roster.xlsx'}已经存在，没有改动。请换一个文件名，或先把它移走。\n"
    assert (tmp_path / "roster.xlsx").read_bytes() == before


def test_each_problem_of_a_sheet_names_its_row_once(home: Path, tmp_path: Path) -> None:
    found()
    (tmp_path / "名单.csv").write_text("工号,姓名,学段\nT1,,小学\n,张三,小学\n", encoding="utf-8")
    told = run("sheet", "import", "roster", str(tmp_path / "名单.csv"), "--now", "--as", "A1", status=1).stdout
    assert told.splitlines() == [
        "没有导入任何一行。",
        "第2行“姓名”不能为空。",
        "第3行“工号”不能为空。",
        f"问题已标在{tmp_path / '名单-问题.xlsx'}，改好后重新导入。",
    ]


@pytest.mark.parametrize("written", ["2026-3-1", "2026-03-01", "２０２６-03-1"])
def test_a_day_is_read_as_people_write_it(written: str) -> None:
    assert day(written) == date(2026, 3, 1)


def test_check_names_the_statement_and_the_row(home: Path) -> None:
    found()
    assert read("check") == {"ok": True, "statements": read("check")["statements"], "broken": []}
    with transaction() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO due_work (kind, subject_id, due_at, priority, attempts, lease_token, lease_until, done_at)"
            " VALUES ('open_round', 1, '2026-01-01', 0, 0, 'x', '2026-01-01', '2026-01-01')"
        )
    told = read("check", status=1)
    assert told["broken"] == [{"statement": "work that is done is leased to nobody", "row": "due_work:1"}]
    assert run("check", status=1).stdout.splitlines()[-1] == "1行不符。"


def test_doctor_tells_parked_work_and_resume_takes_it_up(home: Path) -> None:
    found()
    before = {one["name"]: one["health"] for one in read("doctor")}
    assert (before["home"], before["database"], before["due"], before["parked"]) == ("good",) * 4
    with transaction() as session:
        parked = DueWork(
            kind=WorkKind.OPEN_ROUND, subject_id=7, due_at=now(), parked_at=now(), parked_reason="磁盘已满", attempts=5
        )
        session.add(parked)
    sick = {one["name"]: one for one in read("doctor", status=1)}
    assert sick["parked"]["text"] == "open_round 7 已搁置：磁盘已满。排除后运行 review-flow resume 1"
    assert run("resume", "1").stdout == "已重新排队：1。\n"
    assert run("resume", "1", status=1).stderr == "找不到被搁置的工作“1”。\n"
    after = {one["name"]: one for one in read("doctor")}
    assert after["due"]["health"] == "note"
    assert after["due"]["text"].startswith("到期未做：open_round 1（最早 ")


def test_doctor_looks_at_what_keeps_strangers_and_malware_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found()
    asked = ("certificate", "breaches", "scanner")
    seen = {one["name"]: one for one in read("doctor")}
    assert [seen[name]["health"] for name in (*asked, "messages")] == ["note"] * 4
    assert seen["messages"]["text"].startswith("没有配置消息通道：通知只在网页的“消息”里。")
    authority.make(settings(), names=["school.lan"])
    stolen = home / "pwned.txt"
    stolen.write_text("\n".join(sorted(hashlib.sha1(word).hexdigest() for word in (b"a", b"b", b"c"))))
    monkeypatch.setenv("REVIEW_FLOW_BREACHED_PASSWORDS", str(stolen))
    with clamd() as place:
        monkeypatch.setenv("REVIEW_FLOW_SCANNER", place)
        [small] = [one for one in read("doctor", status=1) if one["name"] == "scanner"]  # it answers, but takes 1 MB
        assert (small["health"], "没有给出结论" in small["text"]) == ("bad", True)
        monkeypatch.setenv("REVIEW_FLOW_SCANNER_BYTES", "1000000")
        monkeypatch.setenv("REVIEW_FLOW_MESSAGE_URLS", '["json://localhost"]')
        assert [one["text"] for one in read("doctor") if one["name"] == "messages"] == ["1个通道"]
        assert [one["health"] for one in read("doctor") if one["name"] in asked] == ["good"] * 3
        monkeypatch.setattr(stand_in, "LIMIT", 999_999)
        [limited] = [one for one in read("doctor", status=1) if one["name"] == "scanner"]
        assert (limited["health"], "MaxFileSize" in limited["text"]) == ("bad", True)
    stolen.write_text("password\n")
    with hands_at(now() + timedelta(days=750)):
        sick = [one for one in read("doctor", status=1) if one["name"] in asked]
    assert [one["health"] for one in sick] == ["bad"] * 3
    assert [
        "review-flow tls make" in sick[0]["text"],
        "谁都改不了密码" in sick[1]["text"],
        "没有给出结论" in sick[2]["text"],
    ] == [True] * 3


def test_nothing_starts_as_long_as_a_key_was_left_behind(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found()
    settings().number_key()
    monkeypatch.setenv("REVIEW_FLOW_SECRETS_FOLDER", str(tmp_path / "vault"))
    told = f"请先把 {home / 'secrets' / 'certificate.key'} 移到 {tmp_path / 'vault'}"
    for words in (["work", "--until-idle"], ["serve"], ["round", "list"]):
        assert run(*words, status=1).stderr.startswith(told)
    assert {one["name"]: one["text"] for one in read("doctor", status=1)}["home"].startswith(told)
    alone = [sys.executable, "-m", "review_flow.web"]
    refused = subprocess.run(alone, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, told in refused.stderr) == (2, True)
    assert not (tmp_path / "vault").exists()


def test_doctor_sees_a_home_that_is_open_to_others(home: Path) -> None:
    found()
    home.chmod(0o755)
    sick = {one["name"]: one for one in read("doctor", status=1)}
    assert sick["home"]["health"] == "bad"
    assert sick["home"]["text"].startswith(f"{home}的权限是 755")


def test_doctor_on_an_installation_that_is_not_yet(home: Path) -> None:
    told = {one["name"]: one["health"] for one in read("doctor", status=1)}
    assert (told["settings"], told["home"], told["database"]) == ("good", "note", "bad")
    assert "due" not in told


def test_verify_of_what_is_no_archive(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no zip")
    told = read("verify", str(tmp_path / "x.zip"), status=1)
    assert told["ok"] is False
    assert len(told["problems"]) == 1


def test_a_reference_needs_consent_and_a_face(home: Path, tmp_path: Path) -> None:
    found()
    photo = media.lesson_photo(tmp_path / "教室.jpg", size=(640, 360))
    assert read("teacher", "reference", str(photo), "--as", "A1", status=1)["error"] == "no-consent"
    run("teacher", "consent", "--agree", "--as", "A1")
    (told,) = read("teacher", "reference", str(photo), "--as", "A1", status=1)
    assert (told["photo"], told["ok"], len(told["problems"])) == (str(photo), False, 1)
    with transaction() as session:
        actor = session.scalars(select(Person).where(Person.number == "A1")).one()
        older = np.linspace(-0.1, 0.1, 128).tobytes()
        faces.add_reference(session, actor=actor, encoding=older, encoder="hog-resnet/1", keys=settings().face_keys)
    (told,) = read("teacher", "reference", str(photo), "--as", "A1", status=1)
    assert told["problems"][1].startswith("现有1张参照照片")
    run("teacher", "withdraw-consent", "--as", "A1")
    assert {one["name"]: one["text"] for one in read("doctor")}["consents"] == "0人同意，保存着0份加密特征"


def test_consent_shows_the_alternatives_first_and_records_nothing_unless_agreed(home: Path) -> None:
    found()
    shown = read("teacher", "consent", "--show", "--as", "A1")
    assert shown["text"].startswith("不作人脸比对也可以。")
    assert (shown["version"], shown["agreed"], shown["records"]) == ("2027-01", False, [])
    assert read("teacher", "consent", "--as", "A1")["records"] == []
    (record,) = read("teacher", "consent", "--agree", "--as", "A1")["records"]
    assert (record["version"], record["sha256"], record["language"], record["through"], record["withdrawn_at"]) == (
        "2027-01",
        shown["sha256"],
        "zh",
        "command_line",
        None,
    )
    with transaction() as session:
        session.scalars(select(Consent)).one().text_version = "2026-11"
    shown = read("teacher", "consent", "--show", "--as", "A1")
    assert shown["outdated"] is True
    assert "您同意的是旧版本 2026-11" in run("teacher", "consent", "--show", "--as", "A1").output
    with transaction() as session:
        session.scalars(select(Consent)).one().text_version = "2027-01"
    run("teacher", "withdraw-consent", "--as", "A1")
    (record,) = read("teacher", "consent", "--show", "--as", "A1")["records"]
    assert record["withdrawn_at"] is not None


def keep_a_face(number: str, keys: Callable[[], tuple[bytes, ...]]) -> int:
    with transaction() as session:
        actor = session.scalars(select(Person).where(Person.number == number)).one()
        faces.give_consent(session, actor=actor)
        return faces.add_reference(session, actor=actor, encoding=b"face", encoder="dlib", keys=keys).id


def face_of(number: str) -> list[bytes]:
    with transaction() as session:
        actor = session.scalars(select(Person).where(Person.number == number)).one()
        return faces.references_of(session, actor=actor, encoder="dlib", keys=settings().face_keys)


def test_the_face_key_is_changed_and_readings_are_listed(home: Path) -> None:
    found()
    keep_a_face("A1", settings().face_keys)
    before = settings().face_keys()
    told = read("rotate-face-key")
    assert (told["sealed"], told["retired"], len(told["removed"])) == (1, True, 1)
    assert len(settings().face_keys()) == 1
    assert settings().face_keys() != before
    assert face_of("A1") == [b"face"]
    for log in (read("teacher", "face-log", "--as", "A1"), read("school", "face-log", "--as", "A1")):
        rows = [(one["purpose"], one["number"], one["evidence"], one["encodings"], one["colleagues"]) for one in log]
        assert rows == [("rotate", "A1", None, 1, 0), ("enrol", "A1", None, 1, 0)]
    assert read("rotate-face-key")["sealed"] == 1  # the next change


def test_the_key_of_certificate_numbers_is_changed_and_old_numbers_are_known(home: Path) -> None:
    found()
    old = number_of(b"12345678", key=settings().number_key())
    assert read("rotate-certificate-key") == {"sealed": 0, "keys": 2, "damaged": []}
    assert genuine(old, keys=settings().number_keys()[:1]) is None
    assert genuine(old, keys=settings().number_keys()) == old


def test_a_damaged_face_is_named_and_the_others_get_their_new_key(home: Path) -> None:
    found()
    broken, _whole = keep_a_face("A1", settings().face_keys), keep_a_face("A1", settings().face_keys)
    with transaction() as session:
        session.get_one(ReferenceFace, broken).encrypted = bytes(40)
    told = read("rotate-face-key", status=1)
    assert (told["sealed"], told["damaged"], told["retired"]) == (1, [broken], False)
    done = run("rotate-face-key", status=1)
    assert f"编号{broken}的人脸特征已损坏或被人调换" in done.output


def test_a_key_that_is_not_at_hand_is_said_in_a_sentence(home: Path) -> None:
    found()
    keep_a_face("A1", lambda: (b"k" * 32,))
    told = read("rotate-face-key", status=1)
    assert told["error"] == "key-missing"
    assert "REVIEW_FLOW_PREVIOUS_ENCRYPTION_KEY" in told["text"]
    assert len(settings().face_keys()) <= 1  # no new key was begun
    seen = [(one["health"], one["text"]) for one in read("doctor", status=1) if one["name"] == "consents"]
    assert seen == [("good", "1人同意，保存着1份加密特征"), ("bad", told["text"])]


def test_the_doctor_speaks_of_filing_from_80_percent_of_the_laws_number_on() -> None:
    assert list(to_file(79_999)) == []
    near = "存有人脸特征的已有80000人；达到100000人时，须在30个工作日内向省级网信部门备案，请提前准备或清理"
    assert list(to_file(80_000)) == [(Health.NOTE, near)]
    due = "存有人脸特征的已有100000人，达到100000人：须在30个工作日内向省级网信部门备案（《人脸识别技术应用安全管理办法》第十五条）"
    assert list(to_file(100_000)) == [(Health.BAD, due)]


def test_the_newest_revision_is_alembics(home: Path) -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [newest()]


def test_a_database_of_another_version_is_left_alone(home: Path) -> None:
    found()
    with transaction() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert read("round", "list", status=1)["error"] == "strange-schema"
    assert {one["name"]: one["health"] for one in read("doctor", status=1)}["database"] == "bad"
    with transaction() as session:
        session.connection().exec_driver_sql(f"UPDATE alembic_version SET version_num = '{newest()}'")
    assert read("round", "list") == []
