"""The arithmetic of a mark made with reviewers' reliability, for a pocket calculator; reviewers stay nameless."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from review_flow.rules.marks import aggregate, equals, rounded, shown
from review_flow.rules.peer_marks.aggregate import Peers, weighted
from review_flow.rules.record import PeerTrust


def trusted(marks: Sequence[Decimal], trust: PeerTrust) -> tuple[Fraction, str]:
    """Return the peers' mark as the record's `peer_trust` says, and the sentence of how; Chinese, as ledgers are."""
    test = f"逐一留出{trust.compared}个评分，可靠度加权误差{shown(trust.error)}"
    if trust.used == "median":
        mark = aggregate("median", marks)
        listed = "、".join(shown(one) for one in marks)
        text = f"互评{listed}的中位数{shown(mark)}（{test}，不小于中位数的{shown(trust.median_error)}，用中位数）"
        return mark, text
    mark = weighted(Peers(tuple(marks), trust.biases, trust.weights))
    rows = list(zip(marks, trust.biases, trust.weights, strict=True))
    listed = "、".join(
        f"互评{place} {shown(one)}（偏差{shown(bias)}，权重{shown(weight)}）"
        for place, (one, bias, weight) in enumerate(rows, start=1)
    )
    terms = "+".join(f"{shown(one - bias)}×{shown(weight)}" for one, bias, weight in rows)
    total = sum(trust.weights, Decimal(0))
    exact = sum((Fraction(one - bias) * Fraction(weight) for one, bias, weight in rows), Fraction(0)) / Fraction(total)
    held = "" if exact == mark else f"，不出各评分的范围，取{shown(mark)}"
    doubt = shown(rounded((trust.variance / total).sqrt()))
    text = (
        f"{listed}；({terms})÷{shown(total)}{equals(exact)}{held}，标准误{doubt}"
        f"（{test}，小于中位数的{shown(trust.median_error)}）"
    )
    return mark, text
