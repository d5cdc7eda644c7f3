"""A round of made-up people played against a scheme before anyone is bound by it.

findings = simulate(schemes.load("xian-2022-appraisal"), teachers=60, seed=1)

Everything is drawn from the seed: the same scheme, number and seed give the same findings on any machine. What people
are like is assumed (`people.Assumptions`), and the report says so; what becomes of them is the scheme's own doing:
records are graded by `rules.grading`, reviews are given out by `rules.allocation`, as in a real round.
"""

from collections.abc import Callable

from review_flow.rules.scheme import Scheme
from review_flow.simulation.findings import Findings, summed_up
from review_flow.simulation.people import Assumptions
from review_flow.simulation.play import play
from review_flow.simulation.unsatisfiable import unsatisfiable

__all__ = ["Assumptions", "Findings", "simulate"]


def simulate(
    scheme: Scheme,
    *,
    teachers: int,
    seed: int,
    rounds: int = 1,
    assumptions: Assumptions | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> Findings:
    """Return what came of `rounds` rounds with so many teachers; `progress` hears of each record that was graded."""
    assumed = assumptions or Assumptions()
    plays = [
        play(scheme, teachers=teachers, seed=seed + number, assumed=assumed, progress=progress)
        for number in range(rounds)
    ]
    return summed_up(scheme, plays, teachers=teachers, seed=seed, assumed=assumed, impossible=unsatisfiable(scheme))
