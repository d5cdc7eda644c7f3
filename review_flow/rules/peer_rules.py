"""What a scheme says of peers' marks (`review.peer` in docs/schemes.md): whom to trust, when to ask one more, what to notice."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class ReliabilityRules:
    """Weights by reliability: caps beside a typical reviewer's 1, and the strengths of shrinking that are tried."""

    weight_min: Decimal
    weight_max: Decimal
    prior_marks: tuple[int, ...]


@dataclass(frozen=True)
class DisagreementRules:
    """When peers differ so much that up to `more` further markers are asked before the panel sees the work."""

    spread_max: Decimal
    grade_spread_max: int
    straddle_probability: Decimal
    honest_spread: Decimal  # points (standard deviation) of an honest mark, before the round shows it
    honest_marks: int  # how many marks' worth that counts beside the round's own
    more: int
    no_straddle: bool  # marks that differ have no agreed mark: the panel's counts alone


@dataclass(frozen=True)
class EffortRules:
    """Signs of low effort: shown to humans, never weighed. 0 turns a sign off."""

    min_seconds: int
    same_texts: int
    straight_reviews: int
    copied_share: Decimal
    copied_chars: int
    tell_first_hours: int  # how long only the reviewer knows
