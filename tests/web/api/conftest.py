"""A program of one of the cast: a token with every scope, or with those that are named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from models import Person
from review_flow.rules.tokens import Scope
from review_flow.steps import tokens
from tests.web.conftest import Web

Program = Callable[..., TestClient]
BASE = "http://school.test/api/v1"


def client_of(app: FastAPI, token: str | None) -> TestClient:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return TestClient(app, base_url=BASE, headers=headers)


@pytest.fixture
def program(web: Web) -> Program:
    def made(number: str, *scopes: Scope) -> TestClient:
        person = web.session.scalars(select(Person).where(Person.number == number).order_by(Person.id)).one()
        _row, token = tokens.make(web.session, actor=person, name="test", scopes=scopes or tuple(Scope), days=1)
        web.release()
        return client_of(web.app, token)

    return made
