"""Photos: the same picture, re-encoded, resized, cropped, with a logo or other light.

A global hash doesn't survive a crop. Here 150 small details (SIFT keypoints) each give 64 bits; a copy keeps most of
them, and keeps them in the same arrangement: one shift, turn and scale must map those of one picture onto the other's.
The bits say nothing of who is in the picture, and no picture can be made of them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from review_flow.evidence.copies.prints import Match, Print, keys_of, packed, unpacked
from review_flow.evidence.pictures import read_picture
from review_flow.rules.words import CopyKind

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 320  # px: details smaller than that don't survive a chat group's compression anyway
DETAILS = 150
BANDS = (0, 20, 40)  # three overlapping windows of 24 of the 64 bits: any one that survives whole is enough
NEAR = 14  # bits of 64 that may differ for two details to be the same; strangers differ in about 32
LEAST = 14  # details in the same arrangement; strangers reached 10 of 150, the hardest copies 17
LEAST_SHARE = 0.15  # of the smaller picture they must span, or it's a logo, a watermark, a stamp
REACH = 6.0  # px at SIDE a detail may lie off the common arrangement
SMALLEST = 0.3  # scale between the pictures, or its inverse, beyond which an arrangement is chance


@functools.cache
def _sift() -> Any:
    import cv2

    return cv2.SIFT_create(nfeatures=DETAILS, contrastThreshold=0.02)  # type: ignore[attr-defined]  # cv2's stubs lack it


@functools.cache
def _projection() -> NDArray[np.float32]:
    # RandomState's stream is frozen for ever, a Generator's is not: stored prints must stay comparable.
    return np.random.RandomState(20260301).standard_normal((64, 64)).astype(np.float32)


def details(grey: NDArray[np.uint8], *, most: int = DETAILS) -> tuple[NDArray[np.float32], NDArray[np.uint64]]:
    """Return places (n, 2) in px and 64-bit codes (n) of the strongest details of a grey picture."""
    found, descriptors = _sift().detectAndCompute(grey, None)
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.uint64)
    order = np.argsort([-point.response for point in found], kind="stable")[:most]
    rooted = np.sqrt(descriptors[order] / np.maximum(descriptors[order].sum(axis=1, keepdims=True), 1))
    cells = rooted.reshape(-1, 16, 8)
    # Opposite cells of a detail have the same mean over all pictures: their difference needs none subtracted.
    signs = (cells[:, :8] - cells[:, :7:-1]).reshape(-1, 64) @ _projection() > 0
    places = np.array([found[index].pt for index in order], np.float32)
    return places, np.packbits(signs, axis=1).view(">u8").ravel().astype(np.uint64)


def features(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the set of windows of the codes, which copies share."""
    window = np.uint64((1 << 24) - 1)
    return np.concatenate([(codes >> np.uint64(at)) & window | np.uint64((at + 1) << 32) for at in BANDS])


def fingerprint(path: Path) -> list[Print]:
    """Return a photo's print; none where it shows too little to tell it from others."""
    import cv2

    picture = read_picture(path, longest=SIDE)
    grey = np.asarray(cv2.cvtColor(picture.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    places, codes = details(grey)
    if len(codes) < LEAST:
        return []
    size = np.array([picture.facts.width, picture.facts.height], np.float32)
    data = packed(places=(places / picture.scale).astype(np.float32), codes=codes, size=size)
    return [Print(CopyKind.IMAGE, keys_of(CopyKind.IMAGE, features(codes)), data)]


def differences(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the number of bits in which each code differs from each other one, (n, m)."""
    return np.asarray(np.bitwise_count(one[:, None] ^ other[None, :]), np.uint8)


def compare(one: bytes, other: bytes) -> Match | None:
    """Return where two photos show the same, or None."""
    import cv2

    here, there = unpacked(one), unpacked(other)
    apart = differences(here["codes"], there["codes"])
    nearest, rows = apart.argmin(axis=1), np.arange(len(apart))
    paired = (apart.argmin(axis=0)[nearest] == rows) & (apart[rows, nearest] <= NEAR)
    if paired.sum() < LEAST:
        return None
    mine, theirs = here["places"][paired], there["places"][nearest[paired]]
    reach = REACH * float(there["size"].max()) / SIDE
    cv2.setRNGSeed(1)  # the same two files always give the same answer
    change, fits = cv2.estimateAffinePartial2D(mine, theirs, method=cv2.RANSAC, ransacReprojThreshold=reach)
    if change is None or fits.sum() < LEAST:
        return None
    scale = float(np.hypot(change[0, 0], change[1, 0])) * float(here["size"].max() / there["size"].max())
    kept = fits.ravel().astype(bool)
    shares = [_spanned(mine[kept], here["size"]), _spanned(theirs[kept], there["size"])]
    if not SMALLEST <= scale <= 1 / SMALLEST or max(shares) < LEAST_SHARE:
        return None
    boxes = [{"box": _box(places[kept])} for places in (mine, theirs)]
    return Match(CopyKind.IMAGE, round(max(shares), 2), (boxes[0],), (boxes[1],))


def _spanned(places: NDArray[np.float32], size: NDArray[np.float32]) -> float:
    import cv2

    return float(cv2.contourArea(cv2.convexHull(places))) / float(size.prod())


def _box(places: NDArray[np.float32]) -> list[int]:
    """Return left, top, right, bottom in px of the original."""
    return [round(float(edge)) for edge in (*places.min(axis=0), *places.max(axis=0))]
