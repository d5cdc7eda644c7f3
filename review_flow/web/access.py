"""Who may call what. A handler says it in its signature (`person: Signed`), or that everybody may (`@public`).

`create_app` refuses a route that says neither, so a forgotten declaration is found at the start and not by a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session

from review_flow.db import transaction

Function = TypeVar("Function", bound=Callable[..., Any])
_WHO: set[Callable[..., Any]] = set()
_PUBLIC: set[Callable[..., Any]] = set()


class UndeclaredError(RuntimeError):
    """A route that doesn't say who may call it: a fault of the program, found when it starts."""


def who(dependency: Function) -> Function:
    """Declare a dependency as one that says who may call: it refuses everybody else."""
    _WHO.add(dependency)
    return dependency


def public(handler: Function) -> Function:
    """Declare that everybody may call this handler, signed in or not."""
    _PUBLIC.add(handler)
    return handler


def require_declared(app: FastAPI) -> None:
    """Raise UndeclaredError for a route that says neither who may call it nor that everybody may."""
    for route in app.routes:
        if not isinstance(route, APIRoute) or (route.endpoint not in _PUBLIC and not _declared(route.dependant)):
            raise UndeclaredError(str(route))


def _declared(dependant: Dependant) -> bool:
    return any(one.call in _WHO or _declared(one) for one in dependant.dependencies)


def opened(request: Request) -> Iterator[Session]:
    """Give the request's one transaction; it is committed before the answer goes out, or the answer is a fault."""
    with transaction(request.app.state.engine) as session:
        yield session


Db = Annotated[Session, Depends(opened, scope="function")]
