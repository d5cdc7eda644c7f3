"""Is this face that person's? A calibrated score against the person *and* against everybody it could be instead.

A bare distance is strict with some people and lenient with others: among some populations strangers lie half as far
apart as among others. So a face x is weighed by two stories, as in probabilistic linear discriminant analysis with
several populations (two covariances each: how people differ, how one person's pictures differ):

    score(x) = log p(x | the person of the references) − log p(x | somebody else)

"Somebody else" is a mixture of background populations, weighed by how well each explains the references; where the
school's colleagues consented, their odds are held against it as well. The background is means and covariances alone; nobody's face
can be had back from it. The weights live while a template lives; they are not kept, shown or logged.

Scores are in nats and far too sure of themselves (the Gaussian tails are too thin), so a `Curve` measured on people the
model was not made on turns them into log odds. Several moments of a film are judged by the mean of their log odds: they
are no independent witnesses, so they don't add up. All arrays are float64; d is the encoder's size.
"""

from __future__ import annotations

import functools
import io
import json
import math
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from review_flow.evidence.faces import CALIBRATION, MODELS, recogniser

Numbers = NDArray[np.float64]
BUILT_IN = Path(__file__).parent / "calibrations" / "hog-resnet.npz"
LEAST = 0.02  # of a population's weight, however badly it explains the references
CONFIDENCE = 0.99  # every calibration is made so that one stranger in a thousand gets as far
MOST_REFERENCES = 8  # more of one person's photos than that say no more: their errors go together


class Curve(NamedTuple):
    """A logistic curve: the log odds of "it is them", both stories being as likely before, are a line over the score."""

    slope: float
    offset: float

    @classmethod
    def through(cls, *points: tuple[float, float]) -> Curve:
        """Return the curve through two points (score, probability)."""
        (low, less), (high, more) = points
        slope = (log_odds(more) - log_odds(less)) / (high - low)
        return cls(slope, log_odds(less) - slope * low)

    def log_odds(self, score: float) -> float:
        """Return the natural logarithm of the odds."""
        return self.slope * score + self.offset

    def score(self, probability: float) -> float:
        """Return the score that has this probability (0 < probability < 1)."""
        return (log_odds(probability) - self.offset) / self.slope


def log_odds(probability: float) -> float:
    """Return the natural logarithm of the odds of a probability between 0 and 1."""
    return math.log(probability / (1 - probability))


def probability(log_odds: float) -> float:
    """Return the probability of log odds."""
    return 1 / (1 + math.exp(-max(-700.0, log_odds)))


@dataclass(frozen=True, slots=True)
class Population:
    """A background population: its mean (d) and how its people differ (d, d)."""

    mean: Numbers
    between: Numbers


@dataclass(frozen=True)
class Calibration:
    """What scores and probabilities come from, for one encoder.

    `within` (d, d) is how one person's pictures differ. `hopeless` are the log odds, by the face alone, below which
    its mirror image never makes it likelier than not; where nobody measured them, it's always looked at. `provenance` says what it was made on and with which measured
    error, for people to read.
    """

    encoder: str
    within: Numbers
    populations: tuple[Population, ...]
    curve: Curve
    provenance: Mapping[str, Any]
    hopeless: float = -math.inf

    @classmethod
    def read(cls, path: Path) -> Calibration:
        """Read what `as_bytes` wrote; ValueError when it is none."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:  # numpy leaves a broken file open
                about = json.loads(bytes(kept["about"]).decode())
                means, between = kept["means"].astype(np.float64), kept["between"].astype(np.float64)
                return cls(
                    encoder=about["encoder"],
                    within=kept["within"].astype(np.float64),
                    populations=tuple(Population(*each) for each in zip(means, between, strict=True)),
                    curve=Curve(*about["curve"]),
                    provenance=about["provenance"],
                    hopeless=-math.inf if about.get("hopeless") is None else float(about["hopeless"]),
                )
        except (OSError, EOFError, LookupError, TypeError, ValueError, BadZipFile, zlib.error) as wrong:
            raise ValueError(f"{path} is no calibration") from wrong

    def as_bytes(self) -> bytes:
        """Return the file: numpy's archive, numbers as float32."""
        about = {
            "encoder": self.encoder,
            "curve": list(self.curve),
            "provenance": dict(self.provenance),
            "hopeless": self.hopeless if math.isfinite(self.hopeless) else None,
        }
        file = io.BytesIO()
        np.savez_compressed(
            file,
            about=np.frombuffer(json.dumps(about, ensure_ascii=False, sort_keys=True).encode(), dtype=np.uint8),
            within=self.within.astype(np.float32),
            means=np.stack([one.mean for one in self.populations]).astype(np.float32),
            between=np.stack([one.between for one in self.populations]).astype(np.float32),
        )
        return file.getvalue()

    @functools.cached_property
    def strangers(self) -> list[_Normal]:
        """How a stranger's picture falls, for each population."""
        return [_Normal(one.between + self.within) for one in self.populations]

    @functools.cached_property
    def _by_count(self) -> dict[int, list[tuple[Numbers, _Normal, _Normal]]]:
        return {}

    def known_by(self, count: int) -> list[tuple[Numbers, _Normal, _Normal]]:
        """Return, for each population, what `count` references of a person say of the next picture.

        As (gain, how the next picture falls about what the gain expects, how the mean of the references falls).
        """
        if count not in self._by_count:
            found: list[tuple[Numbers, _Normal, _Normal]] = []
            for one in self.populations:
                spread = one.between + self.within / count
                gain = np.asarray(np.linalg.solve(spread, one.between).T, dtype=np.float64)
                found.append((gain, _Normal(one.between - gain @ one.between + self.within), _Normal(spread)))
            self._by_count[count] = found
        return self._by_count[count]


class _Normal:
    """A normal distribution about 0, ready to be asked often."""

    def __init__(self, covariance: Numbers) -> None:
        root = np.linalg.cholesky(covariance)
        self._whiten = np.linalg.inv(root)
        self._log_scale = float(np.log(np.diagonal(root)).sum())

    def log_density(self, away: Numbers) -> Numbers:
        """Return the log density (up to the same constant for all) of each row of (n, d)."""
        white = away @ self._whiten.T
        found: Numbers = -0.5 * np.einsum("ij,ij->i", white, white) - self._log_scale
        return found


class Template:
    """One person as their references show them; built once, asked for every face."""

    def __init__(
        self,
        references: Sequence[Numbers],
        calibration: Calibration,
        colleagues: Sequence[Sequence[Numbers]] = (),
    ) -> None:
        """Build it from at least one encoding; `colleagues` are the references of others, a sequence for each."""
        self.calibration = calibration
        self._references = np.stack(references[:MOST_REFERENCES])
        self._mean = self._references.mean(axis=0)
        self._known = calibration.known_by(len(self._references))
        log = np.array(
            [
                float(of_mean.log_density((self._mean - one.mean)[None])[0])
                for one, (_gain, _next, of_mean) in zip(calibration.populations, self._known, strict=True)
            ]
        )
        weights = np.exp(log - log.max())
        weights = (1 - LEAST) * weights / weights.sum() + LEAST / len(weights)
        self._log_weights = np.log(weights)
        self._colleagues = [Template(those, calibration) for those in colleagues if len(those)]

    def distance(self, face: Numbers) -> float:
        """Return how far a face lies from the mean of the references, as the encoder counts."""
        return float(np.linalg.norm(self._mean - face))

    def scores(self, faces: Numbers) -> Numbers:
        """Return the score of each face of (n, d) against the background, in nats: higher is likelier the person."""
        return self._log_same(faces) - self._log_other(faces)

    def log_odds(self, face: Numbers, *, among: int = 1) -> float:
        """Return the log odds that this face (d), one of `among` in its picture, is the person's.

        The odds are shared out: of several faces any could look alike by chance, and a colleague may fit as well.
        """
        curve = self.calibration.curve
        own, *fits = (curve.log_odds(float(one.scores(face[None])[0])) for one in (self, *self._colleagues))
        return own - float(np.logaddexp.reduce([0.0, *fits])) - math.log(max(1, among))

    def _log_same(self, faces: Numbers) -> Numbers:
        pairs = zip(self.calibration.populations, self._known, strict=True)
        return self._mixed(
            following.log_density(faces - one.mean - gain @ (self._mean - one.mean))
            for one, (gain, following, _of_mean) in pairs
        )

    def _log_other(self, faces: Numbers) -> Numbers:
        pairs = zip(self.calibration.populations, self.calibration.strangers, strict=True)
        return self._mixed(falls.log_density(faces - one.mean) for one, falls in pairs)

    def _mixed(self, logs: Iterable[Numbers]) -> Numbers:
        found: Numbers = np.logaddexp.reduce(self._log_weights[:, None] + np.stack([*logs]), axis=0)
        return found


@functools.cache
def built_in() -> Calibration:
    """Return the calibration that comes with the program, for the default encoder."""
    return Calibration.read(BUILT_IN)


@functools.cache
def calibration() -> Calibration:
    """Return the calibration of what this process sees faces with; ValueError where the school's models have none."""
    folder = os.environ.get(MODELS)
    found = Calibration.read(Path(folder) / CALIBRATION) if folder else built_in()
    if found.encoder != recogniser().name:
        raise ValueError(f"calibrated for {found.encoder}, not for {recogniser().name}")
    return found


def grounds(references: int) -> dict[str, Any]:
    """Return what a judgement by so many references rests on: encoder, origin, and the measured errors nearest to it."""
    about = calibration()
    measured = sorted({row["references"] for row in about.provenance["errors"]})
    nearest = max((count for count in measured if count <= references), default=measured[0])
    return {
        "encoder": about.encoder,
        "made_on": about.provenance["made_on"],
        "confidence": CONFIDENCE,
        "references": references,
        "errors": [row for row in about.provenance["errors"] if row["references"] == nearest],
    }
