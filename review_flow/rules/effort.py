"""Signs that a review may have cost little effort: told to the reviewer first, then shown to humans who judge.

A sign never changes a mark or a weight (design rule 3); what counts as one are numbers of the scheme.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from review_flow.i18n import _, say
from review_flow.rules.peer_rules import EffortRules

SIGNS = {
    "hurried": _("用时很短"),
    "same_text": _("多份互评用了同一段评语"),
    "straight": _("每份互评的每一项都打同样的分"),
    "copied": _("评语与另一位老师的几乎相同"),
}


@dataclass(frozen=True)
class Given:
    """A review as handed in: the marks of its criteria, its comment, and the most seconds it can have taken.

    `seconds` None: nobody knows. The moments of drafts and hand-ins bound the time; nobody is watched.
    """

    marks: tuple[Decimal, ...]
    comment: str
    seconds: int | None = None


def signs(rules: EffortRules, new: Given, *, own: Sequence[Given], others: Sequence[Given]) -> tuple[str, ...]:
    """Return the signs of a new review: hurried, same_text, straight, copied; empty where there is none.

    `own` are the reviewer's earlier reviews, `others` those of other reviewers. A number of 0 turns its sign off.
    """
    found = {
        "hurried": new.seconds is not None and new.seconds < rules.min_seconds,
        "same_text": 0 < rules.same_texts <= 1 + [plain(one.comment) for one in own].count(plain(new.comment)),
        "straight": 0 < rules.straight_reviews <= 1 + len(own) and _straight([*own, new]),
        "copied": rules.copied_share > 0 and any(_copied(rules, new.comment, one.comment) for one in others),
    }
    return tuple(name for name, holds in found.items() if holds)


def told(rules: EffortRules) -> list[str]:
    """Return, in words, what will be noted as a sign, for reviewers to know beforehand."""
    sentences = {
        _("从拿到任务到提交少于{count}秒，会记为“用时很短”。"): rules.min_seconds,
        _("{count}份互评用同一段评语，会记为“同一段评语”。"): rules.same_texts,
        _("连续{count}份互评的每一项都打同样的分，会记下来。"): rules.straight_reviews,
        _("评语与另一位老师的有{count}%相同，会记下来。"): int(rules.copied_share * 100),
    }
    return [say(sentence, count=count) for sentence, count in sentences.items() if count > 0]


def plain(text: str) -> str:
    """Return a text without spaces and punctuation, so that a comma more makes no other text."""
    return "".join(sign for sign in text.lower() if sign.isalnum())


def _straight(reviews: Sequence[Given]) -> bool:
    """Return whether one and the same mark was given to every criterion of every review."""
    return len({mark for one in reviews for mark in one.marks}) == 1


def _copied(rules: EffortRules, text: str, other: str) -> bool:
    """Return whether two texts share so many of their pairs of neighbouring characters; short ones prove nothing."""
    one, two = plain(text), plain(other)
    if min(len(one), len(two)) < max(rules.copied_chars, 2):
        return False
    pairs, others = (Counter(pairwise(words)) for words in (one, two))
    shared = 2 * (pairs & others).total()
    return Decimal(shared) >= rules.copied_share * (pairs.total() + others.total())
