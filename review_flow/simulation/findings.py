"""What came of the rounds, counted: plain numbers for a report and for programs."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from review_flow.rules.components import flat
from review_flow.rules.marks import has_scale
from review_flow.rules.outcome import Outcome
from review_flow.rules.scheme import Scheme
from review_flow.simulation.people import Assumptions
from review_flow.simulation.play import Play, is_of_groups
from review_flow.simulation.unsatisfiable import Impossible

NEAR = Decimal(1)  # points from a boundary
BIN = 10  # points of a column of the histogram


@dataclass(frozen=True)
class Stuck:
    """A gate or a part somebody failed, or that could not be judged."""

    path: str
    name_zh: str
    failed: int
    open: int

    def as_json(self) -> dict[str, object]:
        """Return it as plain data."""
        return {"path": self.path, "name_zh": self.name_zh, "failed": self.failed, "open": self.open}


@dataclass(frozen=True)
class Findings:
    """Counts over all rounds together; `grades_by_round` lets a reader see how much chance does."""

    scheme: Scheme
    teachers: int
    seed: int
    rounds: int
    assumed: Assumptions
    of_groups: bool
    records: int
    grades: dict[str, int]
    grades_by_round: tuple[dict[str, int], ...]
    scores: tuple[Decimal, ...]
    on_boundary: int
    near_boundary: int
    stuck: tuple[Stuck, ...]
    reviews: dict[str, int]
    loads: tuple[int, ...]
    certificates: dict[str, dict[str, int]]
    flags: dict[str, int]
    exempt: int
    impossible: tuple[Impossible, ...]

    def share(self, count: int) -> float:
        """Return a count as a share of all records, in per cent."""
        return 100 * count / self.records if self.records else 0.0

    def histogram(self) -> dict[str, int]:
        """Return how many scores lie in each stretch of ten points; 100 belongs to the last."""
        bins = Counter(min(int(score) // BIN, 100 // BIN - 1) for score in self.scores)
        return {f"{low * BIN}–{low * BIN + BIN}": bins[low] for low in range(100 // BIN)} if self.scores else {}

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data; the same seed gives the same bytes."""
        scores, loads = [float(one) for one in self.scores], self.loads
        return {
            "scheme": self.scheme.id, "digest": self.scheme.digest, "teachers": self.teachers, "seed": self.seed,
            "rounds": self.rounds, "assumptions": self.assumed.values(), "of_groups": self.of_groups,
            "records": self.records, "grades": self.grades, "grades_by_round": list(self.grades_by_round),
            "score": {"mean": round(statistics.fmean(scores), 2), "median": round(statistics.median(scores), 2),
                      "histogram": self.histogram()} if scores else None,
            "boundary": {"on": self.on_boundary, "within_one_point": self.near_boundary},
            "stuck": [one.as_json() for one in self.stuck],
            "reviews": {**self.reviews, "per_person": {"least": min(loads), "median": statistics.median(loads), "most": max(loads)} if loads else None},
            "certificates": self.certificates, "flags": self.flags, "exempt": self.exempt,
            "impossible": [one.as_json() for one in self.impossible],
        }  # fmt: skip


def summed_up(
    scheme: Scheme,
    plays: Sequence[Play],
    *,
    teachers: int,
    seed: int,
    assumed: Assumptions,
    impossible: Sequence[Impossible],
) -> Findings:
    """Return the findings of some rounds."""
    outcomes = [outcome for one in plays for outcome in one.outcomes]
    reviews = {
        name: sum(getattr(one.reviews, name) for one in plays)
        for name in ("works", "wanted", "assigned", "done", "differing", "panel_marks", "arbitrated")
    }
    scores = [outcome.score for outcome in outcomes if outcome.score is not None]
    return Findings(
        scheme=scheme,
        teachers=teachers,
        seed=seed,
        rounds=len(plays),
        assumed=assumed,
        of_groups=is_of_groups(scheme),
        records=len(outcomes),
        grades=_grades(scheme, outcomes),
        grades_by_round=tuple(_grades(scheme, one.outcomes) for one in plays),
        scores=tuple(scores),
        on_boundary=sum("on_boundary" in outcome.flags for outcome in outcomes),
        near_boundary=sum(_near(scheme, score) for score in scores),
        stuck=tuple(_stuck(scheme, outcomes)),
        reviews=reviews,
        loads=tuple(sorted(load for one in plays for load in one.reviews.loads)),
        certificates={one.id: _truths(outcomes, one.id) for one in scheme.certificates},
        flags=dict(sorted(Counter(flag for outcome in outcomes for flag in outcome.flags).items())),
        exempt=sum(outcome.exemption is not None and outcome.exemption.may is True for outcome in outcomes),
        impossible=tuple(impossible),
    )


def _grades(scheme: Scheme, outcomes: Sequence[Outcome]) -> dict[str, int]:
    counts = Counter(outcome.grade for outcome in outcomes)
    return {grade: counts[grade] for grade in scheme.bands.grades}


def _near(scheme: Scheme, score: Decimal) -> bool:
    edges = [band.min for band in scheme.bands.list[:-1] if band.min is not None] if has_scale(scheme) else []
    return any(abs(score - edge) <= NEAR for edge in edges)


def _truths(outcomes: Sequence[Outcome], name: str) -> dict[str, int]:
    found = Counter(one.granted for outcome in outcomes for one in outcome.certificates if one.id == name)
    return {"granted": found[True], "refused": found[False], "open": found[None]}


def _stuck(scheme: Scheme, outcomes: Sequence[Outcome]) -> list[Stuck]:
    """Return what people failed, the most frequent first: gates, then the parts of the tree, quotas and tasks."""
    sections = (("prerequisites", scheme.prerequisites), ("gates", scheme.gates))
    places = {one.id: f"{section}.{one.id}" for section, gates in sections for one in gates}
    named = {places[one.id]: one.text_zh for _section, gates in sections for one in gates}
    failed: Counter[str] = Counter()
    unjudged: Counter[str] = Counter()
    for outcome in outcomes:
        truths = [(places[one.id], one.passed) for one in outcome.gates]
        for node in flat(outcome.components):
            named[node.path] = node.name_zh
            truths.append((node.path, node.done))
        for quota in outcome.quotas:
            named[quota.path] = next((one.name_zh for one in scheme.quotas if one.id == quota.id), quota.id)
            truths.append((quota.path, quota.met or quota.excused if quota.met is not None else None))
        for task in outcome.tasks:
            named[task.path] = task.text
            truths.append((task.path, task.state not in {"late", "due"}))
        failed.update(path for path, truth in truths if truth is False)
        unjudged.update(path for path, truth in truths if truth is None)
    order = sorted({*failed, *unjudged}, key=lambda path: (-failed[path], -unjudged[path], path))
    return [Stuck(path, named[path], failed[path], unjudged[path]) for path in order]
