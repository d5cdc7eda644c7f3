"""The printed plan (考核方案) as one structured document: chapters, numbered articles, paragraphs and tables.

Each article knows the scheme paths it prints, so that a ledger line can cite it. Writers (Markdown, docx, PDF) stand in
`review_flow.outside.printed`. The plan is an official Chinese document: its sentences are Chinese in every language.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from review_flow.rules.paths import is_under
from review_flow.rules.scheme import Scheme

DIGITS = "零一二三四五六七八九"


@dataclass(frozen=True)
class Table:
    """A table with a head; `widths`: relative widths of the columns, one for each."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]
    caption: str = ""


@dataclass(frozen=True)
class Listed:
    """Lines one below the other, each with a short mark before it."""

    lines: tuple[str, ...]


Block = str | Table | Listed


@dataclass(frozen=True)
class Article:
    """第…条. `paths`: the roots it prints; `moot`: those of them that this scheme never uses, so that none is printed."""

    number: int
    title: str
    blocks: tuple[Block, ...]
    paths: tuple[str, ...]
    moot: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Return how others cite it."""
        return f"第{chinese_number(self.number)}条"


@dataclass(frozen=True)
class Chapter:
    """第…章."""

    number: int
    title: str
    articles: tuple[Article, ...]

    @property
    def name(self) -> str:
        """Return how it is headed."""
        return f"第{chinese_number(self.number)}章"


@dataclass(frozen=True)
class Plan:
    """The whole document; `appendices` come after the place for signatures and the seal.

    `unused`: scheme paths without an article, because the scheme never uses them.
    """

    title: str
    subtitle: str
    chapters: tuple[Chapter, ...]
    signatures: tuple[str, ...]
    appendices: tuple[tuple[str, tuple[Block, ...]], ...]
    footer: str
    unused: tuple[str, ...] = ()

    @property
    def articles(self) -> tuple[Article, ...]:
        """Return the articles of all chapters."""
        return tuple(article for chapter in self.chapters for article in chapter.articles)

    def article_of(self, path: str) -> str | None:
        """Return the article that prints a scheme path, or else the first that prints a part of it."""
        above = (one for one in self.articles if _any_under(path, one.paths))
        below = (one for one in self.articles if any(is_under(root, path) for root in one.paths))
        found = next(above, None) or next(below, None)
        return found.name if found else None


class Taking:
    """A scheme while an article is written from it: what is taken is what the article prints."""

    def __init__(self, scheme: Scheme, before: Sequence[Article] = (), *, confirmed: bool = False) -> None:
        self.scheme, self.before, self.confirmed = scheme, before, confirmed
        self.paths: list[str] = []
        self.unused: list[str] = []

    def __call__(self, path: str) -> object:
        """Return the value at a dotted path, and note that this article prints it."""
        self.paths.append(path)
        return self.scheme.value(path)

    def items(self, path: str) -> list[dict[str, object]]:
        """Return a list of mappings at a path, and note it."""
        found = self(path)
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    def fields(self, path: str) -> dict[str, object]:
        """Return a mapping at a path, and note it."""
        found = self(path)
        return found if isinstance(found, dict) else {}

    def cite(self, path: str) -> str:
        """Return the earlier articles that print a path or parts of it: 第五条、第六条."""
        found = [
            one.name for one in self.before if any(is_under(path, root) or is_under(root, path) for root in one.paths)
        ]
        return "、".join(found)

    def moot(self, path: str) -> None:
        """Note that the scheme never uses this part, so that the article answers for it without printing it."""
        self.paths.append(path)
        self.unused.append(path)


Writer = Callable[[Taking], Iterator[Block]]


def article_of(scheme: Scheme, path: str) -> str | None:
    """Return the article (第五条) of the printed plan that prints a scheme path; None for none.

    Who asks for many paths asks `plan_of(scheme).article_of` instead: a plan is assembled anew each time.
    """
    return plan_of(scheme).article_of(path)


def chinese_number(number: int) -> str:
    """Return 1–99 as 一, 十, 二十三."""
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else f"{DIGITS[tens]}十"
    return head + (DIGITS[ones] if ones or not tens else "")


def plan_of(scheme: Scheme, *, confirmed: bool = False) -> Plan:
    """Return the printed plan of a scheme; `confirmed`: the school has confirmed every value that the source leaves open."""
    from review_flow.schemes.plan_articles import CHAPTERS, appendices

    chapters: list[Chapter] = []
    written: list[Article] = []
    unused: list[str] = []
    values = [path for path, _value in scheme.values()]
    for title, writers in CHAPTERS:
        first = len(written)
        for heading, writer in writers:
            taking = Taking(scheme, written, confirmed=confirmed)
            blocks = tuple(writer(taking))
            paths, moot = tuple(dict.fromkeys(taking.paths)), tuple(taking.unused)
            if blocks:
                shown = [path for path in values if _any_under(path, paths) and not _any_under(path, moot)]
                sources = _sources(scheme, shown)
                written.append(Article(len(written) + 1, heading, blocks, paths, moot, sources))
            else:
                unused.extend(paths)
        if written[first:]:
            chapters.append(Chapter(len(chapters) + 1, title, tuple(written[first:])))
    return Plan(
        title=scheme.title_zh,
        subtitle=f"（第{scheme.version}版，能力提升工程{scheme.edition}）",
        chapters=tuple(chapters),
        signatures=("考核组组长（签字）", "校长（签字）", "单位（盖章）", "日期"),
        appendices=appendices(scheme),
        footer=f"方案校验码 {scheme.digest[:16]}",
        unused=tuple(unused),
    )


def _any_under(path: str, roots: Sequence[str]) -> bool:
    return any(is_under(path, root) for root in roots)


def _sources(scheme: Scheme, printed: Sequence[str]) -> tuple[str, ...]:
    """Return the rules that printed values rest on, each once; our defaults come last, under one word."""
    found = [scheme.source(path) for path in printed]
    rules = list(dict.fromkeys(source.rule for source in found if source.rule and not source.is_default))
    return (*rules, *(["通用默认值"] if any(source.is_default for source in found) else []))
