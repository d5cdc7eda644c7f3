"""`review-flow allocate`: a pool in, the optimum out, with the ids as they were given; no database."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from review_flow.cli import app
from review_flow.cli.allocation import answer_to
from review_flow.cli.allocation_input import read


def decide(data: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    return answer_to(read(json.dumps(data).encode()), seed)


def matching(rows: list[list[float]]) -> dict[str, Any]:
    """Who takes which, each one: `rows` are what submission u is worth to reviewer p."""
    return {
        "k": 1,
        "reviewers": [{"id": f"p{n}", "cap": 1} for n in range(len(rows))],
        "submissions": [{"id": f"u{n}"} for n in range(len(rows))],
        "affinity": {f"p{p}": {f"u{u}": row[p] for u, row in enumerate(rows)} for p in range(len(rows))},
    }


@pytest.mark.parametrize("seed", range(30))
def test_a_unique_optimum_is_reached_by_every_seed(seed: int) -> None:
    answer = decide(matching([[0.1, 0.9, 0.3], [0.2, 0.3, 0.8], [0.7, 0.6, 0.5]]), seed)
    assert answer["assignments"] == [["p1", "u0"], ["p2", "u1"], ["p0", "u2"]]
    assert (answer["objective"], answer["optimal"], answer["gap"]) == (Decimal("2.4"), True, 0)


def test_six_equally_good_matchings_are_all_reached_over_seeds() -> None:
    data = matching([[0.5] * 3] * 3)
    reached = Counter(tuple(who for who, _what in decide(data, seed)["assignments"]) for seed in range(240))
    assert set(reached) == set(permutations(["p0", "p1", "p2"]))
    assert min(reached.values()) > 15


def test_demands_one_one_two_are_met_at_cost_0() -> None:
    answer = decide(
        {
            "reviewers": [{"id": n} for n in range(3)],
            "submissions": [{"id": "a", "demand": 1}, {"id": "b", "demand": 1}, {"id": "c", "demand": 2}],
        }
    )
    assert Counter(what for _who, what in answer["assignments"]) == {"a": 1, "b": 1, "c": 2}
    assert (answer["objective"], answer["unmet"], answer["load"]) == (0, [], {"min": 1, "max": 2})


worths = st.integers(-(10**15), 10**15).map(lambda number: number / 10**15)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(worths, min_size=4, max_size=4), min_size=4, max_size=4), st.integers(0, 9))
def test_the_sum_of_affinities_is_the_exact_optimum(rows: list[list[float]], seed: int) -> None:
    answer = decide(matching(rows), seed)
    exact = [[Decimal(repr(one)) for one in row] for row in rows]
    best = max(sum(exact[u][p] for u, p in enumerate(order)) for order in permutations(range(4)))
    assert answer["objective"] == best
    assert answer["optimal"]


def test_affinities_alone_ask_for_no_even_load_unless_told() -> None:
    data = {
        "k": 1,
        "reviewers": [{"id": 1, "cap": 2}, {"id": 2, "cap": 2}],
        "submissions": [{"id": "a"}, {"id": "b"}],
        "affinity": {"1": {"a": 0.9, "b": 0.8}, "2": {"a": 0.2}},
    }
    assert decide(data)["load"] == {"min": 0, "max": 2}
    assert decide(data)["objective"] == Decimal("1.7")
    even = decide({**data, "balance": True})
    assert (even["assignments"], even["objective"]) == ([[2, "a"], [1, "b"]], 1)


def test_groups_weights_and_rules_count() -> None:
    data: dict[str, Any] = {
        "k": 1,
        "reviewers": [
            {"id": "物理甲", "groups": {"subject": "物理", "workshop": "甲"}},
            {"id": "语文乙", "groups": {"subject": "语文", "workshop": "乙"}},
        ],
        "submissions": [{"id": 1, "authors": ["外人"], "groups": {"subject": "物理", "workshop": "甲"}}],
    }
    assert (decide(data)["assignments"], decide(data)["objective"]) == ([["物理甲", 1]], 2)
    assert decide({**data, "weights": {"subject": 0}})["assignments"] == [["语文乙", 1]]
    assert decide({**data, "rules": {"own_workshop": "forbid"}})["assignments"] == [["语文乙", 1]]
    both = decide({**data, "rules": {"own_workshop": "forbid", "other_subject": "forbid"}})
    assert both["blocked_by"] == {
        "text": "物理组 1 份成果需要 1 次互评，能评的老师每份各评一次，共 0 次；"
        "还差 1 次：请开放跨学科、开放本教研组互评、增加评审人或增加标准样例。",
        "submissions": [1],
        "reviewers": [],
        "subject": "物理",
        "wanted": 1,
        "room": 0,
        "others": 0,
        "missing": 1,
        "remedies": ["subjects", "workshops", "reviewers"],
    }
    assert (both["unmet"], both["optimal"]) == ([{"submission": 1, "missing": 1}], True)
    liked = {**data, "affinity": {"语文乙": {"1": 0.5}}}
    assert (decide(liked)["assignments"], decide(liked)["objective"]) == ([["物理甲", 1]], -2)


def test_begun_and_done_never_move_and_assigned_may() -> None:
    data = {
        "k": 1,
        "reviewers": [{"id": "甲", "cap": 1}, {"id": "乙", "cap": 1}],
        "submissions": [{"id": 1}, {"id": 2, "authors": ["乙"]}],
        "existing": [{"reviewer": "甲", "submission": 1, "state": "assigned"}],
    }
    moved = decide(data)
    assert moved["assignments"] == [["乙", 1], ["甲", 2]]
    assert (moved["withdrawn"], moved["new"]) == ([["甲", 1]], [["乙", 1], ["甲", 2]])
    for state in ("begun", "done"):
        kept = decide({**data, "existing": [{"reviewer": "甲", "submission": 1, "state": state}]})
        assert (kept["assignments"], kept["new"], kept["withdrawn"]) == ([["甲", 1]], [], [])
        assert kept["unmet"] == [{"submission": 2, "missing": 1}]


def test_what_was_reviewed_before_is_rather_not_again() -> None:
    data = {"k": 1, "reviewers": [{"id": 1}, {"id": 2}], "submissions": [{"id": 7}], "former": [[1, 7]]}
    assert {decide(data, seed)["assignments"][0][0] for seed in range(10)} == {2}


POOL: dict[str, Any] = {
    "k": 1,
    "reviewers": [{"id": "甲"}, {"id": "乙"}],
    "submissions": [{"id": 1, "authors": ["甲"]}],
}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"reviewers": {}}, "reviewers：应是列表。"),
        ({"reviewers": [7]}, "reviewers[0]：应是 JSON 对象。"),
        ({"reviewers": [{"cap": 1}]}, "reviewers[0]：缺少 id。"),
        ({"reviewers": [{"id": 1.5}]}, "reviewers[0].id：编号应是文字或整数。"),
        ({"reviewers": [{"id": 1}, {"id": "1"}]}, "reviewers：编号“1”出现了 2 次。"),
        ({"reviewers": [{"id": "甲", "cap": -1}]}, "reviewers 甲 cap：应是不小于 0 的整数。"),
        ({"reviewers": [{"id": "甲", "caps": 1}]}, "reviewers[0]：没有“caps”这一项。"),
        ({"reviewers": [{"id": "甲", "groups": {"subject": 3}}]}, "reviewers 甲 groups.subject：应是文字。"),
        ({"submissions": [{"id": 1, "demand": "3"}]}, "submissions 1 demand：应是不小于 0 的整数。"),
        ({"submissions": [{"id": 1, "authors": "甲"}]}, "submissions 1 authors：应是列表。"),
        ({"submission": []}, "输入：没有“submission”这一项。"),
        ({"k": True}, "k：应是不小于 0 的整数。"),
        ({"conflicts": [["甲", 1], ["丙", 1]]}, "conflicts[1]：没有编号为“丙”的评审人。"),
        ({"conflicts": [["甲", 2]]}, "conflicts[0]：没有编号为“2”的成果。"),
        ({"conflicts": ["甲"]}, "conflicts[0]：应是 [评审人, 成果]。"),
        ({"existing": [{"reviewer": "甲", "submission": 1, "state": "idle"}]}, "existing[0].state：应是 begun、done 或 assigned。"),
        ({"existing": [{"reviewer": "乙", "submission": 1, "state": "done"}] * 2}, "existing[1]：同一评审人与成果写了两次。"),
        ({"affinity": {"甲": {"1": "高"}}}, "affinity.甲.1：应是数。"),
        ({"affinity": {"甲": {"9": 0.5}}}, "affinity.甲.9：没有编号为“9”的成果。"),
        ({"affinity": {"甲": {"1": 1e300}}}, "affinity.甲.1：数太大，或小数超过 60 位。"),
        ({"balance": "yes"}, "balance：应是 true 或 false。"),
        ({"rules": {"own_workshop": "never"}}, "rules.own_workshop：应是 avoid 或 forbid。"),
        ({"weights": {"subject": 0.5}}, "weights.subject：应是不小于 0 的整数。"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_field_and_entry(wrong: dict[str, Any], text: str, tmp_path: Path) -> None:
    file = tmp_path / "pool.json"
    file.write_text(json.dumps({**POOL, **wrong}), encoding="utf-8")
    done = CliRunner().invoke(app, ["allocate", str(file), "--json"])
    assert (done.exit_code, json.loads(done.stdout)) == (2, {"error": "bad-input", "text": f"{file}：{text}"})
    plain = CliRunner().invoke(app, ["allocate", str(file)])
    assert (plain.exit_code, plain.stderr) == (2, f"{file}：{text}\n")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"k": 1,\n', "第2行：不是正确的 JSON。"),
        (b"[]", "输入：应是 JSON 对象。"),
        (b'{"k": NaN}', "NaN：不是数。"),
        (b"\xff", "文件：不是 UTF-8 文字。"),
        (b'{"k": ' + b"1" * 5000 + b"}", "111111111111…：数太长，最多1000位。"),
        (b'{"k": 1e9999999999999999999999}', "1e9999999999999999999999：不是能算的数。"),
        (b'{"k": ' + b"[" * 100_000, "文件：括号嵌套得太深。"),
        (b'{"k": 1, "k": 0}', "k：在同一个对象里写了两次。"),
        (b'{"reviewers": [{"id": "a\\ud800"}]}', "a\\ud800：含有半个字符，不是文字。"),
        (b'{"reviewers": [{"id": 1, "\\udc00": 1, "\\udc00": 1}]}', "\\udc00：在同一个对象里写了两次。"),
        (None, "文件：读不到（没有这个文件或文件夹）。"),
        (b'{"reviewers": [], "submissions": [{"id": 1}]}', "k：缺少；或者给每份成果写明 demand。"),
    ],
)
def test_a_file_that_is_none(content: bytes | None, text: str, tmp_path: Path) -> None:
    file = tmp_path / "pool.json"
    if content is not None:
        file.write_bytes(content)
    done = CliRunner().invoke(app, ["allocate", str(file)])
    assert (done.exit_code, done.stderr) == (2, f"{file}：{text}\n")


def test_the_order_of_the_file_decides_nothing() -> None:
    data: dict[str, Any] = {
        "k": 2,
        "reviewers": [{"id": name, "groups": {"subject": "物理"}} for name in "甲乙丙丁"],
        "submissions": [
            {"id": n, "authors": authors, "groups": {"subject": "物理"}}
            for n, authors in enumerate([["甲"], ["外一", "乙"], ["外二"], ["外三", "外四"], ["外五"]])
        ],
        "existing": [{"reviewer": "丙", "submission": 0, "state": "begun"}],
    }
    chance = random.Random(4)
    for seed in range(40):
        found = decide(data, seed)
        for name in ("reviewers", "submissions"):
            chance.shuffle(data[name])
        for one in data["submissions"]:
            chance.shuffle(one["authors"])
        assert decide(data, seed) == found


def test_decimals_are_printed_to_the_last_digit(tmp_path: Path) -> None:
    file = tmp_path / "pool.json"
    long = "0.12345678901234567890123456789012345678901234567891"
    file.write_text(f"""{{"k": 1, "reviewers": [{{"id": 1}}, {{"id": 2}}], "submissions": [{{"id": "a"}}, {{"id": "b"}}],
        "existing": [{{"reviewer": 2, "submission": "b", "state": "done"}}],
        "affinity": {{"1": {{"a": {long}}}, "2": {{"b": 1000000000}}}}}}""")
    done = CliRunner().invoke(app, ["allocate", str(file), "--json"])
    assert f'"objective": 1000000000{long[1:]}, "gap": 0, ' in done.stdout
    assert json.loads(done.stdout)["optimal"] is True
    plain = CliRunner().invoke(app, ["allocate", str(file)])
    assert f"目标值 1000000000{long[1:]}，已证明最优" in plain.stdout


def test_the_answer_for_people(tmp_path: Path) -> None:
    file = tmp_path / "pool.json"
    data = {**POOL, "existing": [{"reviewer": "甲", "submission": 1, "state": "assigned"}], "k": 2}
    file.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    done = CliRunner().invoke(app, ["allocate", str(file), "--seed", "3"])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "1：乙",
        "撤回：甲 评 1",
        "1：还差 1 次",
        "1 份成果需要 2 次互评，能评的老师每份各评一次，共 1 次；还差 1 次：请增加评审人或增加标准样例。",
        "共 1 次互评，每人 0 到 1 次；目标值 0，已证明最优。",
    ]


def test_it_needs_no_database(tmp_path: Path) -> None:
    file = tmp_path / "pool.json"
    file.write_text(json.dumps(POOL), encoding="utf-8")
    code = f"""
import sys
from review_flow.cli import app
try:
    app(["allocate", {str(file)!r}, "--json"], prog_name="review-flow")
finally:
    print([name for name in ("sqlalchemy", "prefect", "cv2") if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1] == "[]"
    assert json.loads(done.stdout)["assignments"] == [["乙", 1]]
    assert json.loads(done.stdout).keys() == {
        "assignments", "new", "withdrawn", "optimal", "objective", "gap", "load", "unmet", "blocked_by",
    }  # fmt: skip
