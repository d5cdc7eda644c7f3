"""What peers' marks add up to: one mark for each work, how sure it is, and where people should look again.

Marks come in and go out as exact numbers. Estimates of reviewers (bias, precision, agreement) are floats inside,
from plain sums in a fixed order, and are rounded before anything that is kept hangs on them.
"""

from review_flow.rules.peer_marks.aggregate import Peers, aggregated, agreed, uncertainty, weighted
from review_flow.rules.peer_marks.agreement import alpha
from review_flow.rules.peer_marks.disagreement import disagreements, straddle
from review_flow.rules.peer_marks.reliability import Standing, Trust, Weighing, weigh
from review_flow.rules.peer_marks.table import Mark, Sample, by_work, spread_of

__all__ = [
    "Mark",
    "Peers",
    "Sample",
    "Standing",
    "Trust",
    "Weighing",
    "aggregated",
    "agreed",
    "alpha",
    "by_work",
    "disagreements",
    "spread_of",
    "straddle",
    "uncertainty",
    "weigh",
    "weighted",
]
