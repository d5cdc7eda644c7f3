from __future__ import annotations

import json
import re

from tests.cast import School
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
        assert "α" in admin.get(f"/school/rounds/{marked.round.id}/agreement").text
