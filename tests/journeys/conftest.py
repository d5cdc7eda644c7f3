"""Every journey has an installation of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from review_flow.clock import hands_at
from review_flow.db import engine_for, settings, transaction
from review_flow.steps import invariants
from tests.journeys.browsers import CHROMIUM
from tests.journeys.installation import Installation, at


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    for name in [name for name in os.environ if name.startswith("REVIEW_FLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    from flows import installation as warm

    warm.close()
    with hands_at(at(3, 2)):
        yield Installation(tmp_path)
    warm.close()
    with transaction() as session:
        assert invariants.broken(session) == []
    engine_for(settings().database).dispose()
    settings.cache_clear()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, without a window; every page of a test belongs in a context of the test's own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()
