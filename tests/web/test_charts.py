from __future__ import annotations

import json
import re

from sqlalchemy import select

from models import Errand
from tests.cast import School, queries
from tests.web.conftest import Web


def test_each_chart_has_its_data_and_the_same_as_a_table(web: Web, marked: School) -> None:
    with web.of("A01") as admin:
        shown = admin.get(f"/school/rounds/{marked.round.id}/charts").text
        blocks = re.findall(r'<script type="application/json" id="data-(\w+)">(.*?)</script>', shown)
        found = {name: json.loads(text) for name, text in blocks}
        assert list(found) == ["progress", "loads", "agreement", "abilities"]
        assert found["abilities"]["series"] == [{"name": "合格", "values": [15, 15, 15]}]
        assert shown.count("<table") == shown.count('data-chart="') == 4
        assert ("vendor/echarts.js" in shown, "charts.js" in shown) == (True, True)
        assert "vendor/echarts.js" not in admin.get("/school").text


def test_the_agreement_is_computed_when_somebody_asks_and_kept(web: Web, marked: School) -> None:
    place = f"/school/rounds/{marked.round.id}/agreement"
    with web.of("A01") as admin:
        assert "α" not in admin.get(place).text
        assert [admin.post(place).headers["location"] for _time in range(2)] == [place, place]
        assert ("在后台进行" in admin.get(place).text, "<button" in admin.get(place).text) == (True, True)
        web.do_errands()
        with queries(web.session) as sent:
            shown = admin.get(place).text
        assert ("α" in shown, "王芳" in shown, "重新计算" in shown, "2026-" in shown) == (True,) * 4
        assert len(marked.session.scalars(select(Errand)).all()) == 1
        kept = marked.session.scalars(select(Errand)).one()
        kept.answer = {**kept.answer, "reviewers": kept.answer["reviewers"][:1]}
        web.release()
        with queries(web.session) as fewer:
            admin.get(place)
    assert len(sent) == len(fewer)
