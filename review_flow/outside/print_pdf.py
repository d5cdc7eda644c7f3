"""A printed plan as PDF (or PNG pages), by Typst with a Chinese font of the system."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from unicodedata import category

from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.schemes.plan import Block, Plan, Table

TEMPLATE = Path(__file__).with_name("plan.typ")
FONTS = (
    "Noto Serif CJK SC", "Source Han Serif SC", "FangSong", "SimSun", "STSong", "Noto Sans CJK SC",
    "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei",
)  # fmt: skip
"""Chinese fonts, the first one that is installed: those of print before those of screens."""

UNSEEN = {"Cc", "Cf", "Zs", "Zl", "Zp"}  # control, format and space signs: nothing of them is seen on paper
NOWHERE = "\U0010ffff"  # no character: a font shows what it has for a missing one


class NoChineseFont(Refusal):
    """Without one Typst prints boxes and succeeds."""

    status, text = (
        422,
        _(
            "这台电脑没有可用的中文字体，不能生成 PDF。请安装一种（如 Debian 的 fonts-wqy-microhei）后再试，或改用 docx。"
        ),
    )


class NoGlyph(Refusal):
    """No installed font has these signs; Typst would print boxes and say nothing."""

    status, text = 422, _("这台电脑的字体里没有这些字：{signs}。请安装字库更全的中文字体后再试，或改用 docx。")


class NotTypeset(Refusal):
    """Typst warned; a document to be signed has no doubtful page."""

    status, text = 422, _("PDF 排版有问题，没有生成：{problems}")


def pdf(plan: Plan) -> bytes:
    """Return the bytes of the PDF; NoChineseFont, NoGlyph or NotTypeset where it would not be right."""
    made = typeset(plan, "pdf")
    return made[0]


def typeset(plan: Plan, kind: Literal["pdf", "png"], *, fonts: Any = None) -> list[bytes]:
    """Return one PDF, or a PNG for each page; `fonts`: those of Typst to take, by default the system's."""
    import typst

    known = fonts or typst.Fonts(include_embedded_fonts=False)
    font = next((name for name in FONTS if name in known.families()), None)
    if font is None:
        raise NoChineseFont
    data = json.dumps(_data(plan), ensure_ascii=False)
    lacking = _lacking({sign for sign in data if category(sign) not in UNSEEN}, known.fonts(), font)
    if lacking:
        raise NoGlyph(signs="、".join(sorted(lacking)))
    inputs = {"plan": data, "font": font}
    made, warnings = typst.compile_with_warnings(
        TEMPLATE.read_bytes(), format=kind, sys_inputs=inputs, font_paths=known, ppi=80
    )
    if warnings:
        raise NotTypeset(problems="; ".join(dict.fromkeys(one.message for one in warnings)))
    return made if isinstance(made, list) else [made]


def _lacking(signs: set[str], fonts: Sequence[Any], first: str) -> set[str]:
    """Return the signs that no font has, the chosen one asked first: Typst falls back on the others."""
    from PIL import ImageFont

    for one in sorted(fonts, key=lambda font: font.family != first):
        if not signs:
            break
        face = ImageFont.truetype(one.path, 16, index=one.index)
        blank = bytes(face.getmask(NOWHERE))
        signs = {sign for sign in signs if bytes(face.getmask(sign)) == blank}
    return signs


def _data(plan: Plan) -> dict[str, object]:
    return {
        "title": plan.title,
        "subtitle": plan.subtitle,
        "footer": plan.footer,
        "signatures": plan.signatures,
        "chapters": [
            {
                "title": f"{chapter.name}　{chapter.title}",
                "articles": [
                    {
                        "title": f"{article.name}　{article.title}",
                        "blocks": [_block(block) for block in article.blocks],
                        "sources": f"依据：{'、'.join(article.sources)}" if article.sources else "",
                    }
                    for article in chapter.articles
                ],
            }
            for chapter in plan.chapters
        ],
        "appendices": [
            {"title": title, "blocks": [_block(block) for block in blocks]} for title, blocks in plan.appendices
        ],
    }


def _block(block: Block) -> dict[str, object]:
    if isinstance(block, str):
        return {"kind": "text", "text": block}
    if isinstance(block, Table):
        return {
            "kind": "table", "caption": block.caption, "head": block.head, "rows": block.rows, "widths": block.widths,
        }  # fmt: skip
    return {"kind": "lines", "lines": block.lines}
