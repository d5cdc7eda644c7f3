"""Sound: the same recording, whatever the codec and the loudness, with its ends cut off or a little faster.

Sixteen times a second, 24 bits say in which of 25 bands of pitch the sound grew against its neighbour (the way of
Haitsma and Kalker). A re-encoded copy keeps some nine of ten bits. A changed pitch is another sound to it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

from review_flow.evidence.copies.prints import Match, Print, keys_of, packed, unpacked
from review_flow.evidence.video import open_container
from review_flow.rules.words import CopyKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

FULL = 32768  # the loudest 16-bit sample
RATE = 8000  # samples a second: speech and more
WINDOW, HOP = 4096, 512
LONGEST_S = 1200
BANDS = 25
LOWEST, HIGHEST = 250.0, 2500.0  # Hz
BEFORE = 4  # windows between the two that are compared
QUIET = 1e-3  # of the loudest window's energy: below it's silence, which every recording shares
LEAST_S = 5.0
LEAST_SHARE = 0.2
SPEEDS = tuple(1 + percent / 100 for percent in range(-6, 7))
ERRORS = 0.33  # share of bits that may differ; strangers differ in half
FEW = 8  # places of one code: one that is everywhere says nothing of where
BIN = 4  # windows, a quarter of a second: as exact as speeds are told apart
SMOOTHED = 31  # windows, two seconds


def fingerprint(path: Path) -> list[Print]:
    """Return the print of a file's first sound track; none where there is none or next to nothing to hear."""
    samples = _decoded(path)
    codes = sound_codes(samples)
    heard = codes[codes > 0]
    if len(heard) * HOP < LEAST_S * RATE:
        return []
    keys = keys_of(CopyKind.AUDIO, heard.astype(np.uint64))
    return [Print(CopyKind.AUDIO, keys, packed(codes=codes))]


def _decoded(path: Path) -> NDArray[np.float32]:
    """Return the sound as one channel at RATE, up to LONGEST_S; what can't be decoded is left out."""
    import av

    pieces: list[NDArray[np.int16]] = []
    left = LONGEST_S * RATE
    with open_container(path) as container, contextlib.suppress(av.FFmpegError, ValueError):
        tracks = [stream for stream in container.streams.audio if stream.codec_context]
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in container.decode(tracks[0]) if tracks else ():
            for piece in resampler.resample(frame):
                pieces.append(piece.to_ndarray().ravel().astype(np.int16))
                left -= len(pieces[-1])
            if left <= 0:
                break
    whole = np.concatenate(pieces or [np.zeros(0, np.int16)])[: LONGEST_S * RATE]
    return whole.astype(np.float32) / np.float32(FULL)


def sound_codes(samples: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return one code for each HOP of sound; 0 where it's silent."""
    if len(samples) < WINDOW * 2:
        return np.zeros(0, np.uint32)
    energy = np.concatenate(list(_energies(samples)))
    loud = energy.sum(axis=1)
    level = np.log(energy + 1e-12)
    slope = level[:, 1:] - level[:, :-1]
    bits = slope[BEFORE:] > slope[:-BEFORE]
    codes = bits @ (1 << np.arange(BANDS - 1, dtype=np.uint32))
    silent = np.minimum(loud[BEFORE:], loud[:-BEFORE]) < QUIET * np.percentile(loud, 95) + 1e-9
    return np.where(silent, 0, codes).astype(np.uint32)


def _energies(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
    """Yield the energy of each band, (windows, BANDS), a few hundred windows at a time."""
    edges = np.geomspace(LOWEST, HIGHEST, BANDS + 1) * WINDOW / RATE
    bins = np.unique(np.round(edges).astype(int))
    shape = np.hanning(WINDOW).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    for start in range(0, len(windows), 256):
        power = np.abs(np.fft.rfft(windows[start : start + 256] * shape, axis=1)) ** 2
        yield np.add.reduceat(power, bins, axis=1)[:, :BANDS]


def compare(one: bytes, other: bytes) -> Match | None:
    """Return the stretch of time in which two recordings sound the same, or None."""
    here, there = unpacked(one)["codes"], unpacked(other)["codes"]
    line = _line(here, there)
    if line is None:
        return None
    speed, offset = line
    at = np.round(np.arange(len(here)) * speed + offset).astype(int)
    met = (at >= 0) & (at < len(there)) & (here > 0)
    met[met] &= there[at[met]] > 0
    wrong = np.full(len(here), 0.5)
    wrong[met] = np.bitwise_count(here[met] ^ there[at[met]]) / (BANDS - 1)
    same = np.flatnonzero(met & (np.convolve(wrong, np.full(SMOOTHED, 1 / SMOOTHED), "same") < ERRORS))
    heard = min(int((here > 0).sum()), int((there > 0).sum()))
    if len(same) * HOP < LEAST_S * RATE or len(same) < LEAST_SHARE * heard:
        return None
    first, last = int(same[0]), int(same[-1])
    stretches = [_stretch(first, last), _stretch(int(at[first]), int(at[last]))]
    return Match(CopyKind.AUDIO, round(min(1.0, len(same) / heard), 2), (stretches[0],), (stretches[1],))


def _stretch(first: int, last: int) -> dict[str, float]:
    return {"from_s": round(first * HOP / RATE, 1), "to_s": round((last + BEFORE) * HOP / RATE, 1)}


def _line(here: NDArray[np.uint32], there: NDArray[np.uint32]) -> tuple[float, float] | None:
    """Return speed and offset of the line on which most equal codes lie, or None where hardly any do."""
    order = np.argsort(there, kind="stable")
    low, high = (np.searchsorted(there[order], here, side=side) for side in ("left", "right"))
    few = (here > 0) & (high > low) & (high - low <= FEW)
    mine = np.repeat(np.flatnonzero(few), (high - low)[few])
    if len(mine) < LEAST_S:
        return None
    theirs = np.concatenate([order[low[at] : high[at]] for at in np.flatnonzero(few)])
    best, found = 0, None
    for speed in SPEEDS:
        offsets = np.round((theirs - mine * speed) / BIN).astype(int)
        values, counts = np.unique(offsets, return_counts=True)
        if counts.max() > best:
            best, found = int(counts.max()), (speed, float(values[counts.argmax()] * BIN))
    if found is None or best < LEAST_S:
        return None
    speed, near = found
    on = np.abs(theirs - mine * speed - near) <= BIN
    return speed, float(np.median((theirs - mine * speed)[on]))
