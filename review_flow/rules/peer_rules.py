"""What a scheme says of peers (`review.peer` in docs/schemes.md): who reviews whom, whom to trust, when to ask more."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class AllocationWeights:
    """What a wish is worth when load is even either way; whole numbers ≥ 0, 0 switches it off. Origin: default.

    Paid by a review from another `subject` or school `stage`, by each couple of reviews that face each other
    (`reciprocal`), by one from the own `workshop`, by a pair of a `former` round. Each outweighs all after it.
    """

    subject: int = 16
    stage: int = 8
    reciprocal: int = 4
    workshop: int = 2
    former: int = 1


@dataclass(frozen=True)
class AllocationRules:
    """Who may review whose work, and what is wished for besides (001-A-24, X-41). Origin: default."""

    even_load: bool = True
    own_workshop: str = "avoid"  # avoid | forbid
    other_subject: str = "avoid"  # avoid | forbid
    weights: AllocationWeights = field(default_factory=AllocationWeights)


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
