import json
from copy import deepcopy
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from review_flow import schemes
from review_flow.cli.scheme import app
from review_flow.rules.scheme import Scheme
from review_flow.simulation import Assumptions, simulate
from review_flow.simulation.charts import NoFont, bars, png, svg
from review_flow.simulation.people import SAID
from review_flow.simulation.unsatisfiable import unsatisfiable

XIAN, OPS, FIFTY = (schemes.load(name) for name in ("xian-2022-appraisal", "fuqing-workshop-ops", "fuqing-50"))
FLAWLESS = Assumptions(
    quality_mean=95, quality_spread=0, diligence_mean=1, severity_spread=0, marking_spread=0, dropout=0, lateness=0,
    invalid=0, near_retirement=0, awarded=0,
)  # fmt: skip


def changed(scheme, **sections):
    return Scheme.from_document({**deepcopy(dict(scheme.document)), **sections})


def gate(expr):
    return {"id": "G", "text_zh": "新门槛", "expr": expr, "when": "final", "on_fail": {"grade": "不合格"}}


@pytest.mark.parametrize("name", [one.id for one in schemes.available()])
def test_every_scheme_is_played_and_every_record_has_a_grade(name):
    found = simulate(schemes.load(name), teachers=20, seed=3, rounds=2)
    assert sum(found.grades.values()) == found.records == sum(sum(one.values()) for one in found.grades_by_round)
    assert found.records == 40 or found.of_groups
    assert all(path.name_zh for path in found.stuck)


def test_the_seed_decides_everything():
    first, again, other = (simulate(XIAN, teachers=15, seed=seed).as_json() for seed in (5, 5, 6))
    assert json.dumps(first) == json.dumps(again)
    assert first["score"] != other["score"]


def test_flawless_people_are_all_excellent_and_nobody_is_stuck():
    found = simulate(XIAN, teachers=12, seed=1, assumptions=FLAWLESS)
    assert (found.grades, found.stuck) == ({"优秀": 12, "合格": 0, "不合格": 0}, ())
    assert {found.reviews[name] for name in ("wanted", "assigned", "done")} == {12 * 3 * 3}
    assert set(found.loads) == {9}
    assert found.reviews["arbitrated"] == 0
    assert found.reviews["panel_marks"] == 12 * 3 * 3


def test_people_who_all_leave_get_nowhere():
    gone = Assumptions(dropout=1.0)
    found = simulate(schemes.load("fuyu-2020-50"), teachers=30, seed=1, assumptions=gone)
    assert found.grades["合格"] < 5


def test_the_boundary_is_counted():
    found = simulate(FIFTY, teachers=40, seed=2, assumptions=FLAWLESS)
    assert (found.on_boundary, found.near_boundary, found.grades["优秀"]) == (40, 40, 40)


def test_workshops_are_played_where_the_scheme_is_about_them():
    found = simulate(OPS, teachers=100, seed=1, assumptions=FLAWLESS)
    assert found.of_groups
    assert found.grades == {"完成": found.records, "未完成": 0}
    assert 4 <= found.records <= 10
    late = simulate(OPS, teachers=100, seed=1, assumptions=Assumptions(lateness=1.0, diligence_mean=1.0))
    assert {one.failed for one in late.stuck if ".tasks." in one.path} == {late.records}


@pytest.mark.parametrize("name", [one.id for one in schemes.available()])
def test_no_built_in_scheme_asks_for_what_cannot_be_done(name):
    known = {"fuqing-workshop-ops": ["quotas.best_learners"]}
    assert [one.path for one in unsatisfiable(schemes.load(name))] == known.get(name, [])


@pytest.mark.parametrize(
    ("sections", "path"),
    [
        ({"gates": [gate("hours.total < 10 and hours.total >= 50")]}, "gates.G"),
        ({"gates": [gate("abilities.passed >= 31")]}, "gates.G"),
        ({"bands": {**XIAN.document["bands"], "list": [
            {"grade": "优秀", "when": "abilities.passed >= 40", "modal": "shall"}, {"grade": "不合格", "when": "true", "modal": "shall"},
        ]}, "compose": {"rule": "weighted_mean", "sources": {}}}, "bands.list.优秀"),
        ({"select": {**XIAN.document["select"], "school": {"exactly": None, "min": 3, "min_dimensions": 5, "environments": [], "reasons": False}}}, "select.school"),
    ],
)  # fmt: skip
def test_what_nobody_can_do_is_found(sections, path):
    assert path in [one.path for one in unsatisfiable(changed(XIAN, **sections))]


def test_a_gate_that_more_work_passes_is_not_called_impossible():
    more = changed(XIAN, gates=[gate("hours.total >= 90 and abilities.passed >= 5")])
    assert (
        unsatisfiable(
            changed(more, select={**XIAN.document["select"], "school": {**XIAN.document["select"]["school"], "min": 6}})
        )
        == []
    )


def test_quotas_that_leave_no_room():
    def quota(name, op, value):
        return {"id": name, "name_zh": name, "of": "works", "op": op, "value": value, "share_of": "members"}

    found = unsatisfiable(
        changed(OPS, quotas=[quota("low", ">=", "0.5"), quota("high", "<=", "0.4"), quota("much", ">", "1.0")])
    )
    assert {one.path for one in found} == {"quotas.low", "quotas.high", "quotas.much"}


def test_themes_that_do_not_fill_their_ledger():
    themes = schemes.load("quanzhou-2016-80")
    short = changed(themes, themes=themes.document["themes"][:11])
    paths = [one.path for one in unsatisfiable(short)]
    assert paths[:2] == ["hours.ledgers.network", "hours.ledgers.practice"]


def test_the_drawing_is_svg_and_png_and_says_so_without_a_font(tmp_path):
    drawing = bars({"等次": {"优秀": 3, "不合格<": 0}, "空": {}})
    root = ET.fromstring(svg(drawing))
    assert [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")] == ["等次", "优秀", "3", "不合格<", "0"]
    with pytest.raises(NoFont):
        png(drawing, font=tmp_path / "none.ttf")


def test_the_command_writes_report_charts_and_data(tmp_path):
    out = tmp_path / "out"
    words = ["simulate", XIAN.id, "--teachers", "10", "--seed", "4", "--out", str(out)]
    shown = CliRunner().invoke(app, [*words, "--font", str(tmp_path / "none.ttf")])
    assert shown.exit_code == 0
    assert "没有找到中文字体" in shown.stderr
    assert sorted(path.name for path in out.iterdir()) == ["simulation.json", "simulation.md", "simulation.svg"]
    page = (out / "simulation.md").read_text(encoding="utf-8")
    assert all(
        text in page for text in ("## 等次与分数", "## 在哪里卡住", "## 做不到的规定", "## 假设", *SAID.values())
    )
    assert len(page.splitlines()) < 80
    plain = CliRunner().invoke(app, [*words[:6], "--json"])
    assert json.loads(plain.stdout) == json.loads((out / "simulation.json").read_text(encoding="utf-8"))


def test_a_stranger_scheme_is_a_misuse():
    assert CliRunner().invoke(app, ["simulate", "none"]).exit_code == 2
