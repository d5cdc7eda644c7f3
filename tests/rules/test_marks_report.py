from __future__ import annotations

import json
import random

import pytest
from typer.testing import CliRunner

from review_flow.cli import app

FOUR = {"甲": "56.12", "乙": "12.59", "丙": 10, "丁": 0}


def entries(work: str, marks: dict) -> list[dict]:
    return [{"reviewer": who, "submission": work, "mark": mark} for who, mark in marks.items()]


@pytest.fixture
def asked(tmp_path):
    def ask(data, method: str | None = None, *, as_json: bool = True):
        path = tmp_path / "marks.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        words = ["marks", "aggregate", str(path), *(["--method", method] if method else []), *["--json"] * as_json]
        done = CliRunner().invoke(app, words)
        if done.exit_code:
            return done.exit_code, done.output.replace(f"{path}：", "")
        return json.loads(done.output) if as_json else done.output.splitlines()

    return ask


def marks(answer: dict) -> dict[str, str | None]:
    return {one["submission"]: one["mark"] for one in answer["results"]}


def test_weighted_means(asked):
    table = {"marks": entries("S1", FOUR), "decimals": 5}
    assert marks(asked(table, "mean")) == {"S1": "19.67750"}
    equal = {**table, "weights": dict.fromkeys(FOUR, 1)}
    assert marks(asked(equal, "weighted")) == {"S1": "19.67750"}
    falling = asked({**table, "weights": dict(zip(FOUR, ["3", "2", 1, 0], strict=True))}, "weighted")
    assert marks(falling) == {"S1": "33.92333"}
    assert [one["weight"] for one in falling["reviewers"]] == ["0", "1", "2", "3"]  # 丁 丙 乙 甲


def test_medians_of_marks_alone(asked):
    answer = asked({"marks": {"S1": [5, 6], "S2": ["5", "6", "12", "16", "22", "53"], "S3": "70"}})
    assert marks(answer) == {"S1": "5.50", "S2": "14.00", "S3": "70.00"}
    assert [one["n"] for one in answer["results"]] == [2, 6, 1]
    assert answer["results"][2]["flags"] == ["alone"]
    assert answer["reviewers"][0]["reviewer"] == "S1#1"
    assert (answer["method"], answer["used"]) == ("median", "median")
    assert "leave_one_out" not in answer


def test_agreed_marks(asked):
    pairs = {"S1": [50, 55], "S2": [50, 58], "S3": [50, 75], "S4": ["59.999", "58.15"]}
    answer = asked({"marks": pairs, "bands": [60, 50, 70], "spread_max": 5}, "agreed")
    assert marks(answer) == {"S1": "52.50", "S2": None, "S3": None, "S4": "59.07"}
    assert [one["flags"] for one in answer["results"]] == [[], ["spread"], ["spread", "band"], []]
    assert answer["results"][1]["uncertainty"] is None
    # Without a limit only the classes count.
    assert marks(asked({"marks": pairs, "bands": [60, 50, 70]}, "agreed"))["S2"] == "54.00"


def test_a_table_without_overlap_says_what_it_does_not_know(asked):
    answer = asked({"marks": {"S1": [80]}}, "mean")
    assert answer["results"] == [{"submission": "S1", "mark": "80.00", "uncertainty": None, "n": 1, "flags": ["alone"]}]
    assert answer["reviewers"] == []
    assert answer["agreement"] == {"alpha": None}


def test_reliability_says_what_the_leave_one_out_found(asked):
    dice = random.Random(5)
    table = {"marks": [], "calibration": []}
    for work in range(15):
        true = dice.randint(60, 90)
        given = {who: true + dice.randint(-2, 2) + (-9 if who == "r1" else 0) for who in dice.sample(PEOPLE, 3)}
        table["marks"] += entries(f"S{work:02d}", given)
    table["calibration"] = [
        {"reviewer": who, "sample": "样例", "mark": 66 if who == "r1" else 75, "true": "75"} for who in PEOPLE
    ]
    answer = asked(table, "reliability")
    severe = next(one for one in answer["reviewers"] if one["reviewer"] == "r1")
    assert (answer["method"], answer["used"]) == ("reliability", "reliability")
    errors = answer["leave_one_out"]
    assert float(errors["reliability"]) < float(errors["median"])
    assert errors["marks"] == 45
    assert float(severe["bias_low"]) < -7 < -6 > float(severe["bias"])
    assert float(severe["bias_high"]) < 0
    assert all(float(one["uncertainty"]) < 3 for one in answer["results"])
    lines = asked(table, "reliability", as_json=False)
    assert lines[0] == f"逐一留出45个评分：可靠度加权误差{errors['reliability']}，中位数误差{errors['median']}。"
    assert lines[1] == "合成方法：reliability"


PEOPLE = ["r1", "r2", "r3", "r4", "r5"]


def test_for_people(asked):
    lines = asked({"marks": {"S1": [50, 75], "S2": [70]}, "bands": [60]}, "agreed", as_json=False)
    assert lines[:3] == ["合成方法：agreed", "S1  未达成一致  n=2  ! 等次不同", "S2  70.00 ±17.68  n=1  ! 只有一份"]
    assert lines[-1] == "一致性 α = 0.000"
    assert lines[3].startswith("S1#1：偏差")
    assert asked({"marks": {"S1": [80]}}, as_json=False)[-1] == "一致性 α = 无法计算"


ONE = entries("S1", {"甲": "80"})


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({}, "marks：至少要有一个评分。"),
        ({"marks": 3}, "marks：应为列表，每一项是一个对象。"),
        ({"marks": [{"submission": "S1", "mark": 80}]}, "marks[0].reviewer：应为文字。"),
        ({"marks": [{"reviewer": "甲", "submission": "", "mark": 80}]}, "marks[0].submission：应为文字。"),
        ({"marks": entries("S1", {"甲": True})}, 'marks[0].mark：数字请写成文字（如 "79.50"），以免失去精度。'),
        ({"marks": entries("S1", {"甲": "八十"})}, "marks[0].mark：“八十”不是数字。"),
        ({"marks": entries("S1", {"甲": "NaN"})}, "marks[0].mark：“NaN”不是数字。"),
        ({"marks": entries("S1", {"甲": "101"})}, "marks[0].mark：应在0到100之间。"),
        ({"marks": entries("S1", {"甲": "1.1234567"})}, "marks[0].mark：最多6位小数。"),
        ({"marks": {"S1": ["80", "x"]}}, "marks.S1[1]：“x”不是数字。"),
        ({"marks": [*ONE, *ONE]}, "marks[1]：评阅人“甲”对“S1”评了两次。"),
        ({"marks": ONE, "scale": [0]}, "scale：应为最低分和最高分两个数。"),
        ({"marks": ONE, "scale": [5, 5]}, "scale：下限应小于上限。"),
        ({"marks": ONE, "scale": [0, 10**15]}, "scale[1]：数太大，不能超过1000000000。"),
        ({"marks": ONE, "scale": ["-1e99", 1]}, "scale[0]：数太大，不能超过1000000000。"),
        ({"marks": ONE, "weights": {"甲": "1e99999"}}, "weights.甲：数太大，不能超过1000000000。"),
        ({"marks": {"S1": [80], "S2": []}}, "marks.S2：至少要有一个评分。"),
        ({"marks": ONE, "scale": "0-100"}, "scale：应为列表。"),
        ({"marks": ONE, "scale": [0, 5]}, "marks[0].mark：应在0到5之间。"),
        ({"marks": ONE, "bands": ["x"]}, "bands[0]：“x”不是数字。"),
        ({"marks": ONE, "decimals": 7}, "decimals：最多6位小数。"),
        ({"marks": ONE, "spread_max": -1}, "spread_max：不能小于0。"),
        ({"marks": ONE, "weights": {"乙": 1}}, "weights.乙：没有这位评阅人的评分。"),
        ({"marks": ONE, "weights": {"甲": -1}}, "weights.甲：不能小于0。"),
        ({"marks": ONE, "weights": {}}, "weights：没有写评阅人“甲”的权重。"),
        ({"marks": ONE, "weights": {"甲": 0}}, "weights：成果“S1”的评分权重之和为0。"),
        (
            {"marks": ONE, "calibration": [{"reviewer": "甲", "sample": "s", "mark": 5, "true": None}]},
            'calibration[0].true：数字请写成文字（如 "79.50"），以免失去精度。',
        ),
        (
            {"marks": ONE, "calibration": [{"reviewer": "甲", "sample": "s", "mark": 5, "true": 6}] * 2},
            "calibration[1]：评阅人“甲”对“s”评了两次。",
        ),
    ],
)
def test_what_is_wrong_is_named(asked, table, sentence):
    assert asked(table, "weighted") == (2, f"{sentence}\n")


@pytest.mark.parametrize("method", ["mean", "median", "reliability", "agreed"])
def test_the_widest_scale_there_is(asked, method):
    wide = {"marks": {"S1": [0, 10**9], "S2": [10**9, 0, 1]}, "scale": [-(10**9), 10**9]}
    assert [one["n"] for one in asked(wide, method)["results"]] == [2, 3]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"marks": {"S1": [' + "1" * 5000 + "]}}", "111111111111…：数太长，最多1000位。"),
        ('{"marks": {"S1": [1e9999999999999999999999]}}', "marks.S1[0]：“1e9999999999999999999999”不是数字。"),
        ("[" * 100_000, "文件：括号嵌套得太深。"),
        ('{"marks": {"S1": [1], "S1": [2]}}', "S1：在同一个对象里写了两次。"),
        ('{"marks": {"S\\ud800": [1]}}', "S\\ud800：含有半个字符，不是文字。"),
        ('{"marks": {"S1": [NaN]}}', "NaN：不是数。"),
    ],
)
def test_json_is_read_strictly(asked, content, sentence):
    assert asked(content) == (2, f"{sentence}\n")


def test_a_method_nobody_knows_and_a_file_that_is_none(asked):
    allowed = "mean、trimmed、median、weighted、reliability、agreed"
    assert asked({"marks": ONE}, "mode") == (2, f"method：应为以下之一：{allowed}。\n")
    status, text = asked("{")
    assert (status, text.endswith("第1行：不是正确的 JSON。\n")) == (2, True)
