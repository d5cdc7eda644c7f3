"""Making a calibration from labelled photos, and measuring it on people it was not made on.

A set is `{group: {person: (photos, d)}}`. Everything reported is measured on people kept out: they are parted at
random, the model is made on three quarters and asked about the last, each quarter in turn, several times. Every person counts the same, however many
photos there are of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from review_flow.evidence.likeness import CONFIDENCE, Calibration, Curve, Numbers, Population, Template, log_odds

People = Mapping[str, Numbers]
Groups = Mapping[str, People]

# How far the measured covariances are drawn to simpler ones: there are fewer people than numbers to a face.
WITHIN_TO_ROUND, BETWEEN_TO_ROUND, BETWEEN_TO_SHARED = 0.5, 0.85, 0.5
MOST_OF_ONE = 12  # photos of one person
MOST_ASKED = 6
PARTS = 4
REFERENCES = 3
MOMENTS, NEEDED = 3, 2
FALSE_ACCEPTS = 0.001
HOPE_TO_SPARE = 2.0  # nats below the least face that its mirror image lifted
FEWEST_PEOPLE, FEWEST_WITH_SEVERAL = 40, 20
FEWEST_OF_GROUP = 16  # people: four in each part, of whom everybody has strangers of their own group


class TooFewError(ValueError):
    """The set is too small to say anything: how many people there are, and how many of them with three photos."""

    def __init__(self, people: int, several: int) -> None:
        super().__init__(people, several)
        self.people, self.several = people, several


class Trial(NamedTuple):
    """One comparison: its score, and the person it is counted for."""

    score: float
    person: str


@dataclass(slots=True)
class Trials:
    """Comparisons of one group with so many references: single pictures, and the mean of the best two of three."""

    own: list[Trial] = field(default_factory=list)
    strange: list[Trial] = field(default_factory=list)
    own_film: list[Trial] = field(default_factory=list)
    strange_film: list[Trial] = field(default_factory=list)


def fit(groups: Groups, *, encoder: str) -> Calibration:
    """Return the model of the groups, its curve still missing: `measured` gives it."""
    everybody = [photos[:MOST_OF_ONE] for people in groups.values() for photos in people.values()]
    several = [photos for photos in everybody if len(photos) > 1]
    size = everybody[0].shape[1]
    spread = sum((_scatter(photos) for photos in several), np.zeros((size, size)))
    within = _rounded(spread / sum(len(photos) - 1 for photos in several), WITHIN_TO_ROUND)
    means, apart = [], []
    for people in groups.values():
        middles = np.stack([photos[:MOST_OF_ONE].mean(axis=0) for photos in people.values()])
        noise = np.mean([1 / min(MOST_OF_ONE, len(photos)) for photos in people.values()])
        means.append(middles.mean(axis=0))
        apart.append(np.cov(middles.T) - within * noise)
    shared = sum(apart, np.zeros((size, size))) / len(apart)
    populations = tuple(
        Population(mean, _rounded((1 - BETWEEN_TO_SHARED) * own + BETWEEN_TO_SHARED * shared, BETWEEN_TO_ROUND))
        for mean, own in zip(means, apart, strict=True)
    )
    return Calibration(encoder, within, populations, Curve(1.0, 0.0), {})


def _scatter(photos: Numbers) -> Numbers:
    away = photos - photos.mean(axis=0)
    scatter: Numbers = away.T @ away
    return scatter


def _rounded(covariance: Numbers, share: float) -> Numbers:
    """Draw a covariance to the round one of the same size; nothing of it is below a thousandth of that."""
    size = len(covariance)
    mean = np.trace(covariance) / size
    values, axes = np.linalg.eigh((1 - share) * covariance + share * mean * np.eye(size))
    found: Numbers = (axes * np.maximum(values, mean / 1000)) @ axes.T
    return found


def trials(
    groups: Groups, *, encoder: str, references: int = REFERENCES, rounds: int = 6, seed: int = 0
) -> Iterator[tuple[str, Trials]]:
    """Yield each group's comparisons among people the model was not made on, `rounds` times over."""
    chance = np.random.default_rng(seed)
    for _again in range(rounds):
        part = {
            group: dict(zip(chance.permutation(sorted(people)).tolist(), _in_turn(), strict=False))
            for group, people in groups.items()
        }
        for turn in range(PARTS):
            known = {g: {n: p for n, p in people.items() if part[g][n] != turn} for g, people in groups.items()}
            model = fit(known, encoder=encoder)
            for group, people in groups.items():
                asked = {name: photos for name, photos in people.items() if part[group][name] == turn}
                yield group, _compare(model, asked, references, chance)


def _in_turn() -> Iterator[int]:
    return itertools.cycle(range(PARTS))


def _compare(model: Calibration, people: People, references: int, chance: np.random.Generator) -> Trials:
    found = Trials()
    asked = [photos[:MOST_ASKED] for photos in people.values()]
    ends = np.cumsum([len(photos) for photos in asked])[:-1]
    for name, photos in people.items():
        if len(photos) <= references:
            continue
        for _draw in range(3):
            order = chance.permutation(len(photos))
            template = Template(list(photos[order[:references]]), model)
            own = template.scores(photos[order[references:]][:MOST_ASKED])
            _note(own.tolist(), name, found.own, found.own_film)
        everybody = np.split(template.scores(np.concatenate(asked)), ends)
        for other, scores in zip(people, everybody, strict=True):
            if other != name:
                _note(scores.tolist(), other, found.strange, found.strange_film)
    return found


def _note(scores: list[float], name: str, single: list[Trial], film: list[Trial]) -> None:
    single += [Trial(score, name) for score in scores]
    if len(scores) >= MOMENTS:
        film.append(Trial(sum(sorted(scores[:MOMENTS])[-NEEDED:]) / NEEDED, name))


def gathered(found: Iterator[tuple[str, Trials]]) -> dict[str, Trials]:
    """Return the comparisons of all parts together, by group."""
    all_of: dict[str, Trials] = {}
    for group, some in found:
        one = all_of.setdefault(group, Trials())
        one.own += some.own
        one.strange += some.strange
        one.own_film += some.own_film
        one.strange_film += some.strange_film
    return all_of


def _weighed(found: list[Trial]) -> tuple[Numbers, Numbers]:
    """Return scores and weights; everybody weighs the same, all together 1."""
    names, which, times = np.unique([one.person for one in found], return_inverse=True, return_counts=True)
    return np.array([one.score for one in found]), 1 / times[which] / len(names)


def passing(found: list[Trial], least: float) -> float:
    """Return the share of people's comparisons at or above a score."""
    scores, weights = _weighed(found)
    return round(float(weights[scores >= least].sum()), 9)


def score_at(strange: list[Trial], share: float) -> float:
    """Return the least score that at most this share of strangers' comparisons reach."""
    return float(np.quantile([one.score for one in strange], 1 - share, method="higher"))


def curve(by_group: Mapping[str, Trials]) -> Curve:
    """Return the curve of the group that is hardest to tell apart.

    It is 0.5 at the score where as many strangers pass as own pictures are missed, and CONFIDENCE where one stranger in a
    thousand passes; strangers of all other groups pass more seldom. Scores are too sure of themselves, so a probability is
    never higher than what the score itself claims, however well this set was told apart.
    """
    lines = []
    for found in by_group.values():
        if not found.own:
            continue
        sure = max(score_at(found.strange, FALSE_ACCEPTS), log_odds(CONFIDENCE))
        scores = np.sort([one.score for one in found.strange])[::-1]
        even = next(
            (score for place, score in enumerate(scores) if place / len(scores) >= 1 - passing(found.own, score)), sure
        )
        lines.append((sure, min(max(float(even), 0.0), sure - 1.0)))
    sure, even = max(lines)
    return Curve.through((even, 0.5), (sure, CONFIDENCE))


def measured(groups: Groups, *, encoder: str, made_on: str, alone: Groups | None = None) -> Calibration:
    """Fit on all, with curve, operating point and error table of people kept out. TooFewError for a small set.

    `alone` are the same faces without their mirror images: they tell from where on looking at those is worth it.
    """
    groups = joined(groups)
    people = [photos for one in groups.values() for photos in one.values()]
    several = sum(len(photos) > REFERENCES for photos in people)
    if len(people) < FEWEST_PEOPLE or several < FEWEST_WITH_SEVERAL:
        raise TooFewError(len(people), several)
    line = curve(gathered(trials(groups, encoder=encoder)))
    model = replace(fit(groups, encoder=encoder), curve=line)
    about = {
        "made_on": made_on,
        "groups": {group: _count(those) for group, those in groups.items()},
        "errors": error_table(groups, model),
    }
    worth = -math.inf if alone is None else hopeless(groups, joined(alone), model)
    return replace(model, provenance=about, hopeless=worth)


def hopeless(groups: Groups, alone: Groups, model: Calibration) -> float:
    """Return log odds, by a face alone, from which down no mirror image makes it likelier than not, and some to spare."""
    lifted = [0.0]
    for group, people in groups.items():
        for name, photos in people.items():
            if len(photos) > REFERENCES:
                teacher = Template([*photos[:REFERENCES]], model)
                pairs = zip(photos[REFERENCES:], alone[group][name][REFERENCES:], strict=True)
                lifted += [teacher.log_odds(one) for whole, one in pairs if teacher.log_odds(whole) >= 0]
    return min(lifted) - HOPE_TO_SPARE


def joined(groups: Groups) -> Groups:
    """Return the groups, those of too few people to be a population taken together with the largest one."""
    large = {group: dict(people) for group, people in groups.items() if len(people) >= FEWEST_OF_GROUP}
    largest = max(groups, key=lambda group: len(groups[group]), default="")
    for group, people in groups.items():
        if group not in large:
            taken = large.setdefault(largest, {})
            taken |= {f"{group}/{name}": photos for name, photos in people.items()}
    return large


def _count(people: People) -> dict[str, int]:
    return {"people": len(people), "photos": sum(map(len, people.values()))}


def error_table(groups: Groups, model: Calibration, *, references: tuple[int, ...] = (1, 3, 5)) -> list[dict[str, Any]]:
    """Return, for each group and number of references, what the model's operating point lets pass and misses.

    Shares of comparisons, measured on people kept out; no row of a group in which nobody has photos to spare, and
    None for films where nobody has three of them.
    """
    least = model.curve.score(CONFIDENCE)
    rows = []
    for count in references:
        found = gathered(trials(groups, encoder=model.encoder, references=count))
        rows += [
            {
                "group": group,
                "references": count,
                "people": len({one.person for one in some.own}),
                "photo_wrong": passing(some.strange, least),
                "photo_missed": round(1 - passing(some.own, least), 9),
                "film_wrong": passing(some.strange_film, least) if some.strange_film else None,
                "film_missed": round(1 - passing(some.own_film, least), 9) if some.own_film else None,
            }
            for group, some in found.items()
            if some.own
        ]
    return rows
