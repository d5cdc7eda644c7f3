"""Sign in with an account of another service, and bind one's own: out to the service, and back with a proof.

What must come back is kept in a cookie of the browser that went out, so nobody is brought in by another's attempt.
A service is asked outside of any transaction.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from review_flow.db import transaction
from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.outside.identity import Attempt, NotProven, identity_of
from review_flow.steps import door, identities
from review_flow.web import cookies, watch
from review_flow.web.access import SESSION_COOKIE, Db, Proven, Signed, public
from review_flow.web.door import is_inside, remember, way_on
from review_flow.web.render import go, here

if TYPE_CHECKING:
    from review_flow.settings_identity import Provider

router = APIRouter()
COOKIE, PLACE, LASTS_S = "rf_attempt", "/enter/with", 600
BIND = "bind"


def _provider(request: Request, key: str) -> Provider:
    for one in request.app.state.settings.identity_providers:
        if one.id == key:
            found: Provider = one
            return found
    raise NotFound(what=say(_("登录方式")), key=key)


def _back(request: Request, provider: Provider) -> str:
    """Return our own address that the service sends the browser back to; the services know it beforehand."""
    return f"{here(request)}{PLACE}/{provider.id}/back"


def _sent_out(request: Request, key: str, purpose: str) -> RedirectResponse:
    provider, attempt = _provider(request, key), Attempt()
    agent = request.headers.get("user-agent", "")
    answer = go(identity_of(provider).way_out(back=_back(request, provider), attempt=attempt, user_agent=agent))
    kept = json.dumps([provider.id, purpose, asdict(attempt)]).encode()
    cookies.keep(request, answer, COOKIE, base64.urlsafe_b64encode(kept).decode(), seconds=LASTS_S)
    return answer


def _attempt(request: Request, provider: Provider) -> tuple[str, Attempt]:
    """Return what this browser went out for; raises NotProven for one that did not go, or went elsewhere."""
    try:
        kept = base64.urlsafe_b64decode(cookies.read(request, COOKIE))
        key, purpose, attempt = json.loads(kept)
        found = str(purpose), Attempt(**attempt)
    except (ValueError, TypeError) as error:
        raise NotProven(label=provider.label, why="cookie") from error
    if key != provider.id:
        raise NotProven(label=provider.label, why="cookie")
    return found


@router.get("/enter/with/{provider}")
@public
def sent_out(request: Request, provider: str, next: str = "/") -> RedirectResponse:  # noqa: A002 - the address's own word
    """Send the browser to a service that says who it is."""
    inside = next if is_inside(next) else "/"  # binding has a way of its own, for whoever is in
    return _sent_out(request, provider, inside)


@router.get("/me/identities/{provider}")
def sent_out_to_bind(request: Request, person: Signed, _sure: Proven, provider: str) -> RedirectResponse:  # noqa: ARG001 - the guard
    """Send the browser to a service, to bind the account there."""
    return _sent_out(request, provider, BIND)


@router.get("/enter/with/{provider}/back")
@public
def back(request: Request, provider: str) -> Response:
    """Take the browser back from a service, and let in, or bind, whom it proves."""
    service = _provider(request, provider)
    purpose, attempt = _attempt(request, service)
    proof = identity_of(service).proof(back=_back(request, service), attempt=attempt, query=request.query_params)
    engine, token = request.app.state.engine, cookies.read(request, SESSION_COOKIE)
    with transaction(engine) as session:
        if purpose == BIND:
            found = door.session_of(session, token=token)
            if found is None or found[2]:  # signed out meanwhile, or with a password somebody else knows
                raise NotProven(label=service.label, why="session")
            identities.bind(session, actor=found[1], provider=service.id, label=service.label, subject=proof.subject)
            answer, who = go("/me"), found[1].id
        else:
            person = identities.person_of(
                session,
                provider=service.id,
                label=service.label,
                subject=proof.subject,
                number=proof.number,
                school=service.school,
            )
            agent, who = request.headers.get("user-agent", ""), person.id
            begun = door.begin(session, person=person, user_agent=agent, instead_of=token)
            answer = go(way_on(session, begun, purpose))
            remember(request, answer, begun)
    watch.note(request, "account-bound" if purpose == BIND else "signed-in", person=who, way=service.id)
    cookies.forget(request, answer, COOKIE)
    return answer


@router.post("/me/identities/{provider}/unbind")
def unbind(request: Request, session: Db, person: Signed, _sure: Proven, provider: str) -> RedirectResponse:
    """End the binding of one's own account."""
    identities.unbind(session, actor=person, provider=_provider(request, provider).id)
    watch.note(request, "account-unbound", way=provider)
    return go("/me")
