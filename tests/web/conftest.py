"""A browser without a window: the whole application over the test's own database, asked over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from review_flow.outside.storage import MemoryStorage
from review_flow.settings import Settings
from review_flow.web.app import create_app
from tests.conftest import Templates
from tests.stages import stage_of

HERE = "http://school.test"


def browser(app: FastAPI) -> TestClient:
    """A client as a browser on a plain-HTTP intranet is: it sends Origin, and follows no redirect by itself."""
    return TestClient(app, base_url=HERE, headers={"origin": HERE}, follow_redirects=False)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path, templates: Templates) -> str:
    """Pages decide nothing: one kind of database is enough for them, the steps are tested on both."""
    path = tmp_path / "review-flow.db"
    shutil.copy(templates.sqlite(stage_of(request)), path)
    return f"sqlite:///{path}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def app(engine: Engine, settings: Settings) -> FastAPI:
    return create_app(settings, engine=engine, storage=MemoryStorage())


@pytest.fixture
def anybody(app: FastAPI) -> Iterator[TestClient]:
    with browser(app) as client:
        yield client
