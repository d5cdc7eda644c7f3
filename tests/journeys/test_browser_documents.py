"""Documents as Chinese schools make them, printed by a browser, read where nothing can be loaded any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review_flow.evidence.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

PAGE = """<meta charset="utf-8"><h1>教学设计：浮力</h1><p>A1 技术支持的学情分析——“课前”①②③ fi ﬁ 😀</p>
<p style="break-before: page">第二页：<b>反思</b>与<i>改进</i></p>"""


def test_a_pdf_printed_from_a_chinese_page_is_sound(chromium: Any, tmp_path: Path) -> None:
    page = chromium.new_page()
    page.set_content(PAGE)
    file = tmp_path / "教学设计.pdf"
    page.pdf(path=file, format="A4")
    page.close()
    with Sandbox(workers=1) as sandbox:
        report = sandbox.check(file, name=file.name)
    assert (report.verdict.value, [one.text for one in report.findings]) == ("valid", [])
