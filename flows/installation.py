"""What this process keeps warm for its flows: the storage, and the pool of checking children."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from review_flow.db import settings
from review_flow.evidence.faces_opencv import calibrated_models
from review_flow.evidence.limits import COPYING
from review_flow.evidence.sandbox import Sandbox
from review_flow.outside.scanner import scanner_at
from review_flow.outside.storage import storage_at

if TYPE_CHECKING:
    from review_flow.outside.scanner import Scanner
    from review_flow.outside.storage import Storage


@functools.cache
def storage() -> Storage:
    """Return this installation's storage."""
    return storage_at(settings().storage)


@functools.cache
def sandbox() -> Sandbox:
    """Return this process's pool of checking children, each warm after its first file."""
    return Sandbox(workers=settings().evidence_workers, models=calibrated_models(settings().face_models))


@functools.cache
def copier() -> Sandbox:
    """Return the one child that makes copies, for as long as that takes: verdicts never wait for it."""
    return Sandbox(workers=1, limits=COPYING)


@functools.cache
def scanner() -> Scanner:
    """Return the operator's virus scanner, or the one that finds nothing."""
    return scanner_at(settings().scanner, most=settings().scanner_bytes)


def close() -> None:
    """End the children and forget everything: whoever asks next gets what the settings say then."""
    for pool in (sandbox, copier):
        if pool.cache_info().currsize:
            pool().close()
        pool.cache_clear()
    storage.cache_clear()
    scanner.cache_clear()
