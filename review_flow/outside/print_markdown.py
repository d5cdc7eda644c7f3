"""A printed plan as Markdown."""

from collections.abc import Iterator

from review_flow.schemes.plan import Article, Block, Plan, Table


def markdown(plan: Plan) -> str:
    """Return the plan as Markdown: chapters as second headings, articles in bold, tables as pipe tables."""
    return "\n\n".join(_parts(plan)) + "\n"


def _parts(plan: Plan) -> Iterator[str]:
    yield f"# {plan.title}"
    yield plan.subtitle
    for chapter in plan.chapters:
        yield f"## {chapter.name}　{chapter.title}"
        for article in chapter.articles:
            yield from _article(article)
    yield "---"
    yield from (f"{place}：＿＿＿＿＿＿＿＿" for place in plan.signatures)
    for title, blocks in plan.appendices:
        yield f"## {title}"
        yield from map(_block, blocks)
    yield f"*{plan.footer}*"


def _article(article: Article) -> Iterator[str]:
    yield f"**{article.name}　{article.title}**"
    yield from map(_block, article.blocks)
    if article.sources:
        yield f"*依据：{'、'.join(article.sources)}*"


def _block(block: Block) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, Table):
        return "\n".join(f"{place}. {line}" for place, line in enumerate(block.lines, 1))
    lines = [block.head, ("---",) * len(block.head), *block.rows]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '｜') for cell in line)} |" for line in lines)
    return f"{block.caption}：\n\n{table}" if block.caption else table
