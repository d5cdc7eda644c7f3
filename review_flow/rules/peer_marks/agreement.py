"""Whether reviewers mean the same by a mark: Krippendorff's alpha on the interval scale, 1 for full agreement."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from review_flow.rules.marks import rounded
from review_flow.rules.peer_marks.table import Mark, by_work

# The library holds works x values x values cells at once; 3 000 works with 1 001 values took all of a machine's memory.
LIBRARY_CELLS = 4_000_000


def alpha(marks: Iterable[Mark]) -> Decimal | None:
    """Return the alpha of a table to three places; None: no work has two marks, or all marks are the same."""
    works = [[one.mark for one in found] for found in by_work(marks).values() if len(found) > 1]
    values = sorted({mark for found in works for mark in found})
    if len(values) < 2:  # noqa: PLR2004 - without two different marks nothing can agree or differ
        return None
    if len(works) * len(values) ** 2 > LIBRARY_CELLS:
        return rounded(written_out(works), scale=3)
    import krippendorff  # brings numpy: only where an agreement is asked for

    counts = [[Counter(found)[value] for value in values] for found in works]
    found = krippendorff.alpha(
        value_counts=counts, value_domain=[float(value) for value in values], level_of_measurement="interval"
    )
    return rounded(Decimal(float(found)), scale=3)


def written_out(works: list[list[Decimal]]) -> Fraction:
    """Return the same alpha exactly, for tables that are too large for the library: two sums of squares.

    Pairs of one work, each work's by its marks less one, against pairs of all marks by all marks less one.
    """
    everything = [mark for found in works for mark in found]
    within = sum((_squares(found) / (len(found) - 1) for found in works), Fraction(0))
    return Fraction(1) - within / (_squares(everything) / (len(everything) - 1))


def _squares(marks: list[Decimal]) -> Fraction:
    """Return the sum of squared differences over all ordered pairs."""
    numbers = [Fraction(mark) for mark in marks]
    total, square = sum(numbers, Fraction(0)), sum((number * number for number in numbers), Fraction(0))
    return 2 * (len(numbers) * square - total * total)
