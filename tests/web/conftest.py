"""A browser without a window: the whole application over the test's own database, asked over HTTP."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import Engine, inspect, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from models import Person, Submission
from review_flow import schemes as scheme_files
from review_flow.logs import configure
from review_flow.outside.storage import MemoryStorage
from review_flow.settings import Settings
from review_flow.steps import door, results
from review_flow.web.access import SESSION_COOKIE
from review_flow.web.app import create_app
from tests.cast import School
from tests.conftest import Templates
from tests.due import do_errands
from tests.stages import stage, stage_of
from tests.steps.test_certificates import played, result_of, to_sign
from tests.steps.test_voices import weighed

HERE = "http://school.test"


@stage
def fuqing(session, clock) -> School:
    return School(session, teachers=2, scheme=scheme_files.load("fuqing-30"), abilities=()).open()


@stage
def questioned(session, clock) -> School:
    return School(session, teachers=1, scheme=weighed()).open()


@stage
def signed(session, clock) -> School:
    """王芳 got 85 of the panel and has signed; the scheme grants certificates."""
    school = played(session, clock, "85")
    to_sign(school, clock)
    results.sign(session, actor=school.teachers[0], result=result_of(school))
    return school


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
def session(engine: Engine) -> Iterator[Session]:
    """The test's own session; it must be committed before anybody else is let at the database (`Web` does it)."""
    with Session(engine, expire_on_commit=False) as opened:
        yield opened
        opened.commit()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", person_requests=10**6)  # tests walk all routes in a second


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """As the process that serves has them; then as they were."""
    configure(as_json=True)
    yield
    structlog.reset_defaults()


@pytest.fixture
def app(engine: Engine, settings: Settings) -> FastAPI:
    return create_app(settings, engine=engine, storage=MemoryStorage())


@pytest.fixture
def anybody(app: FastAPI) -> Iterator[TestClient]:
    with browser(app) as client:
        yield client


class Web:
    """The application, and a browser for each of the cast."""

    def __init__(self, app: FastAPI, session: Session) -> None:
        self.app, self.session = app, session

    def release(self) -> None:
        """Commit, with everything loaded: a look at an expired row would take the one connection from the pages."""
        self.session.flush()
        for row in list(self.session):
            if inspect(row).expired:
                self.session.refresh(row)
        self.session.commit()

    def do_errands(self) -> None:
        """Do what was asked for in the background."""
        do_errands(self.session)
        self.release()

    def stranger(self) -> TestClient:
        self.release()
        return browser(self.app)

    def of(self, number: str) -> TestClient:
        """A browser in which a person is signed in, without the time that passwords take."""
        person = self.session.scalars(select(Person).where(Person.number == number).order_by(Person.id)).first()
        assert person is not None
        token = door.begin(self.session, person=person, user_agent=f"browser of {number}")
        client = self.stranger()
        client.cookies.set(SESSION_COOKIE, token)
        return client


@pytest.fixture
def web(app: FastAPI, session: Session) -> Web:
    return Web(app, session)


def filled(school: School, work: Submission | None, mark: str = "85") -> dict[str, object]:
    """The page's fields for a form that the rubric takes."""
    form = school.review_form(mark, submission=work)
    [(component, said)] = form["components"].items()
    levels = {f"level:{slot}": level for slot, level in form["evidence_levels"].items()}
    return {f"item:{component}": said["items"], f"mark:{component}": mark, "comment": form["comment"], **levels}
