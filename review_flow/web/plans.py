"""The printed plan on a page: for its school's administrators, and for the teachers who sign that they read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from review_flow.schemes.plan import Article, Listed, Table, plan_of

if TYPE_CHECKING:
    from review_flow.rules.scheme import Scheme


def shown(scheme: Scheme, *, confirmed: bool) -> dict[str, Any]:
    """Return what `parts/plan.html` shows of a scheme, whose open values its school has confirmed or not."""
    return {"plan": plan_of(scheme, confirmed=confirmed), "kind": _kind, "resting": _resting}


def _kind(block: object) -> str:
    return "table" if isinstance(block, Table) else "list" if isinstance(block, Listed) else "text"


def _resting(article: Article) -> str:
    """Return what an article rests on, as the plan says it: it is Chinese in every language."""
    return f"依据：{'、'.join(article.sources)}"
