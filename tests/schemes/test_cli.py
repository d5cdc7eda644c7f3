import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from review_flow import schemes
from review_flow.cli.scheme import app

FACTS = {
    "ack": True, "self_test": True, "hours": {"total": 50, "practice": 25}, "peer": {"given": 3, "required": 3},
    "abilities": [{"code": code, "valid": True, "level": "合格"} for code in ("A1", "A5", "A11")],
    "marks": {"peer": "79.90", "panel": "79.98"},
}  # fmt: skip
XIAN = "xian-2022-appraisal"


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def record(tmp_path):
    def write(facts):
        path = tmp_path / "record.json"
        path.write_text(facts if isinstance(facts, str) else json.dumps(facts), encoding="utf-8")
        return path

    return write


def test_list():
    listed = json.loads(run("list", "--json").output)
    assert [one["id"] for one in listed] == [one.id for one in schemes.available()]
    titles = dict(line.split("  ", 1) for line in run("list").output.splitlines())
    assert titles[XIAN].startswith("学校2022教师")


def test_show():
    scheme = schemes.load(XIAN)
    shown = json.loads(run("show", XIAN, "--json").output)
    assert shown.pop("digest") == scheme.digest
    assert shown == scheme.document
    text = run("show", XIAN).output
    assert "adjust.deductions.absence.each：-5  [001-A-36]" in text
    assert "compose.sources.peer：0.40  [默认 (X-05)]" in text
    assert "· weights  互评与考核组评分的权重（原文未给）" in text
    assert 'lock.locked：["method", "review", "compose.rule"]  [001-A-05]' in text


def test_grade(record):
    outcome = json.loads(run("grade", XIAN, record(FACTS), "--json").output)
    assert (outcome["score"], outcome["grade"], outcome["proposed"]) == ("79.95", "合格", True)
    lines = run("grade", XIAN, record(FACTS)).output.splitlines()
    assert lines[0] == "合格  79.95分（待考核组确认）"
    assert "   79.95    79.95  互评79.9，考核组79.98；79.9×0.40+79.98×0.60=79.948  [001-A-41 · 第十六条]" in lines
    assert "✓ G_HOURS" in "\n".join(lines)


def test_grade_shows_flags_and_schemes_without_a_number(record):
    eighty = {**FACTS, "marks": {"peer": "80", "panel": 80}}
    assert "! 恰为分界分" in run("grade", XIAN, record(eighty)).output
    assert run("grade", "official-conjunctive", record(FACTS)).output.splitlines()[0] == "合格  无分数（待考核组确认）"


def test_decimals_in_json_are_read_exactly(record):
    text = json.dumps(FACTS).replace('"79.90"', "79.90").replace('"79.98"', "79.98")
    assert json.loads(run("grade", XIAN, record(text), "--json").output)["score"] == "79.95"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"events": [{"kind": "nap"}]}, "events[0].kind：应为以下之一：late_material、late_arrival、absence。"),
        ("{", "record.json：第1行：不是正确的 JSON。"),
        ("[]", "record.json应是一个 JSON 对象。"),
    ],
)
def test_a_record_that_cannot_be_taken(record, facts, said):
    result = run("grade", XIAN, record(facts))
    assert result.exit_code == 2
    assert said in result.stderr


def test_misuse(record, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("schema: kaohe/1\nid: x\n", encoding="utf-8")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\xff")
    asked = [
        (("show", "nowhere"), "找不到考核方案“nowhere”。"),
        (("grade", broken, record(FACTS)), f"{broken}:1 缺少title_zh。"),
        (("grade", XIAN, tmp_path / "none.json"), f"找不到文件：{tmp_path / 'none.json'}"),
        (("check", tmp_path / "none.yaml"), f"找不到文件：{tmp_path / 'none.yaml'}"),
        (("check", binary), f"{binary}不是 UTF-8 文字。"),
    ]
    for words, said in asked:
        result = run(*words)
        assert (result.exit_code, result.stderr.strip()) == (2, said)


def test_check(tmp_path):
    source = next(one.file for one in schemes.available() if one.id == XIAN)
    fine = run("check", source)
    assert (fine.exit_code, fine.output.splitlines()[-1][:5]) == (0, "0处错误，")
    assert run("check", source, "--ready").exit_code == 1
    wrong = tmp_path / "mine.yaml"
    wrong.write_text(source.read_text(encoding="utf-8").replace("panel: 0.60}}", "panel: 0.50}}"), encoding="utf-8")
    result = run("check", wrong, "--json")
    errors = [one for one in json.loads(result.output)["mistakes"] if one["level"] == "error"]
    assert result.exit_code == 1
    assert [(one["field"], one["text"]) for one in errors] == [("compose.sources", "权重之和应为1，现为0.90。")]
    assert f"错误 {wrong}:{errors[0]['line']} compose.sources：权重之和应为1，现为0.90。" in run("check", wrong).output


def test_grading_starts_light(record):
    code = (
        "import sys\nfrom review_flow.cli.scheme import app\n"
        f"try:\n    app(['grade', '{XIAN}', r'{record(FACTS)}', '--json'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'sqlalchemy', 'prefect', 'cv2', 'jsonschema'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
