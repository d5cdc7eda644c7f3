"""A printed plan as PDF, by Typst with a Chinese font of the system."""

from datetime import UTC, datetime
from pathlib import Path

from review_flow.outside.typesetting import typeset
from review_flow.schemes.plan import Block, Plan, Table

TEMPLATE = Path(__file__).with_name("plan.typ")
UNDATED = datetime(2000, 1, 1, tzinfo=UTC)  # a plan has no moment of its own: the same scheme gives the same bytes


def pdf(plan: Plan) -> bytes:
    """Return the bytes of the PDF; raises MissingFont, MissingSign, NotTypeset where it would not be right."""
    return typeset(TEMPLATE.read_text(encoding="utf-8"), data_of(plan), made_at=UNDATED)


def data_of(plan: Plan) -> dict[str, object]:
    """Return the plan as the template reads it."""
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
