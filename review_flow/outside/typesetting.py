"""Typst with a Chinese font of this machine, or a refusal that says how to install one: never a page of boxes.

Without a font Typst prints boxes and says nothing. So the font is chosen here by name, its warnings refuse, and the
PDF is made as PDF/A-2u (kept for years, text to be read out again), which also refuses a sign the font lacks.
"""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Literal

import typst

from review_flow.errors import Refusal
from review_flow.i18n import _

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# The most dignified first: a document that is signed reads best in 宋体.
CHINESE = (
    "Noto Serif CJK SC", "Source Han Serif SC", "Songti SC", "STSong", "SimSun", "Noto Sans CJK SC",
    "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "AR PL UMing CN", "AR PL SungtiL GB",
)  # fmt: skip
UNSHOWN = re.compile(r'the text `?"(?P<sign>.+?)"`? could not be displayed')


class MissingFont(Refusal):
    """This machine has no Chinese font that Typst can use."""

    status, text = 502, _("这台机器没有中文字体，无法排版。Debian、Ubuntu：apt-get install fonts-noto-cjk，然后再试。")


class MissingSign(Refusal):
    """The font has no picture of a sign: a rare character of a name."""

    status, text = 422, _("字体“{font}”里没有“{sign}”这个字，请安装收字更全的中文字体（如 fonts-noto-cjk）后再试。")


class NotTypeset(Refusal):
    """Typst could not make the document; says what it said."""

    status, text = 502, _("排版没有成功：{why}")


@functools.cache
def fonts() -> typst.Fonts:
    """Return the fonts of this machine, looked for once: that takes longer than a page."""
    return typst.Fonts()


def chinese_family(found: typst.Fonts | None = None) -> str:
    """Return the best Chinese font family there is; raises MissingFont."""
    there = set((found or fonts()).families())
    family = next((one for one in CHINESE if one in there), None)
    if family is None:
        raise MissingFont
    return family


def typeset(
    source: str,
    data: Mapping[str, object],
    *,
    made_at: datetime,
    to: Literal["pdf", "png"] = "pdf",
    found: typst.Fonts | None = None,
) -> bytes:
    """Return the document that Typst makes of `source`; a PNG is of a document of one page.

    The source reads `data` by `json(bytes(sys.inputs.data))` and the font family by `sys.inputs.font`: what people
    wrote is never read as Typst. The same arguments give the same bytes. Raises MissingFont, MissingSign, NotTypeset.
    """
    family = chinese_family(found)
    try:
        made, warnings = typst.compile_with_warnings(
            source.encode(),
            format=to,
            font_paths=found or fonts(),
            sys_inputs={"data": json.dumps(data, ensure_ascii=False), "font": family},
            pdf_standards=["a-2u"] if to == "pdf" else [],
            timestamp=int(made_at.timestamp()),
        )
    except typst.TypstError as error:
        unshown = UNSHOWN.search(error.message)
        if unshown is not None:
            raise MissingSign(font=family, sign=_sign(unshown["sign"])) from error
        raise NotTypeset(why=error.message) from error
    said = list(dict.fromkeys(warning.message for warning in warnings))
    if any("unknown font family" in one for one in said):
        raise MissingFont
    if said:  # a document to be signed has no doubtful page
        raise NotTypeset(why="; ".join(said))
    return made


def _sign(written: str) -> str:
    """Return the sign that Typst names: one that is not to be shown it writes by its number."""
    return chr(int(written[3:-1], 16)) if written.startswith("\\u{") else written
