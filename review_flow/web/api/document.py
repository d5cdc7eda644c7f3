"""The API's description: OpenAPI 3.1, complete with every answer and every problem."""

from __future__ import annotations

import functools
from importlib.metadata import version
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from review_flow.web.access import public
from review_flow.web.api import (
    adjustments,
    approvals,
    checking,
    county,
    enrolments,
    exports,
    facts,
    gatherings,
    grades,
    groups,
    nominations,
    office,
    panel,
    programme,
    reviewing,
    rounds,
    schemes,
    school,
    setup,
    sheets,
    teaching,
    uploads,
    voices,
    webhooks,
    workshops,
)
from review_flow.web.api.routes import router
from review_flow.web.problems import PROBLEM

routes = router("description")
ROUTERS = (
    routes,
    rounds.routes,
    teaching.routes,
    uploads.routes,
    uploads.pieces,
    reviewing.routes,
    panel.routes,
    checking.routes,
    grades.routes,
    voices.routes,
    programme.routes,
    facts.routes,
    gatherings.routes,
    groups.routes,
    workshops.routes,
    nominations.routes,
    school.routes,
    schemes.routes,
    webhooks.routes,
    setup.routes,
    enrolments.routes,
    adjustments.routes,
    approvals.routes,
    sheets.routes,
    sheets.files,
    exports.routes,
    office.routes,
    county.routes,
)
ALWAYS = {
    "401": "No valid token.",
    "403": "The token lacks the scope, or its person may not do this.",
    "413": "More than two megabytes; of a sheet (`POST /imports`), ten.",
    "422": "Something of the request can't be taken; `errors` says which fields.",
    "429": "The token has asked too often in this minute; Retry-After says how long to wait.",
}
SCHEMA = {
    "type": "object",
    "description": "Why not (RFC 9457): `code` is stable, `detail` is for people, in the language asked for.",
    "required": ["type", "title", "status", "code", "detail", "request", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request": {"type": "string", "description": "Leads to it in the logs."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {
                    "field": {"type": "string"},
                    "problem": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
    },
}


@routes.get("/openapi.json", include_in_schema=False)
@public
def describe() -> JSONResponse:
    """Give the description. To everybody: it is the same in every installation, and holds nobody's data."""
    return JSONResponse(description())


@functools.cache
def description() -> dict[str, Any]:
    """Return the OpenAPI document of all routes."""
    found = get_openapi(
        title="review-flow",
        version=version("review-flow"),
        openapi_version="3.1.0",
        description="Peer review and evidence verification for school-based teacher appraisal. See docs/api.md.",
        routes=[route for part in ROUTERS for route in part.routes if isinstance(route, APIRoute)],
    )
    schemas = found["components"]["schemas"]
    schemas["Problem"] = SCHEMA
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            operation["responses"] = _answers(path, method, operation)
    return found


def _answers(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Return an operation's answers with the problems that any of its kind may have."""
    said = {status: one["description"] for status, one in operation["responses"].items() if status >= "400"}
    said.pop("422", None) if said.get("422") == "Validation Error" else None
    common = dict(ALWAYS)
    if "{" in path:
        common["404"] = "It is not there, or not for this person."
    if method != "get":
        common["409"] = "Now it can't be done."
    if any(one["name"] == "If-Match" for one in operation.get("parameters", [])):
        common["412"] = "`version-changed`: it was changed since it was read."
        common["428"] = "`version-missing`: If-Match is missing."
    problems = {
        status: {
            "description": "\n\n".join(filter(None, (common.get(status), said.get(status)))),
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*common, *said})
    }
    return {**{status: one for status, one in operation["responses"].items() if status < "400"}, **problems}
