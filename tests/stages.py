"""Where tests start from: a school played up to a moment, built once by each test process and copied for every test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from review_flow.clock import now
from review_flow.db import transaction
from tests.cast import Clock, School

Build = Callable[[Session, Clock], object]
STAGES: dict[tuple[str, str], Stage] = {}


class Stage:
    """How a school comes to its moment; `ended_at` is where the clock stood then."""

    def __init__(self, build: Build) -> None:
        self.build, self.key = build, f"{build.__module__}.{build.__name__}".replace(".", "_").lower()
        self.ended_at: datetime | None = None

    def play(self, engine: Engine) -> None:
        clock = Clock()
        with clock.stack, transaction(engine) as session:
            self.build(session, clock)
            self.ended_at = now()


def stage(build: Build) -> Any:
    """Make a fixture of a function that plays a school up to a moment: the tests get a copy of that school."""
    made = STAGES[build.__module__, build.__name__] = Stage(build)

    @pytest.fixture(name=build.__name__)
    def copied(session: Session, clock: Clock) -> School:
        assert made.ended_at is not None
        clock.to(made.ended_at)
        return School.again(session)

    return copied


def stage_of(request: pytest.FixtureRequest) -> Stage | None:
    """Return the stage that a test asks for by the name of its fixture: its module's own, else its folder's."""
    module = request.module.__name__
    folders = module.split(".")[:-1]
    homes = [module, *(".".join([*folders[:depth], "conftest"]) for depth in range(len(folders), 0, -1))]
    named = [[STAGES[home, name] for home in homes if (home, name) in STAGES] for name in request.fixturenames]
    found = [nearest for nearest, *_others in filter(None, named)]
    assert len(found) <= 1, f"a test starts from one moment, not from {[one.key for one in found]}"
    return found[0] if found else None
