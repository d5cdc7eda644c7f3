"""第二步验证: the step after the password, one's own page for it, and the password asked for again."""

from __future__ import annotations

from typing import Annotated

import segno
from fastapi import APIRouter, Form, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from review_flow.i18n import _, say
from review_flow.rules import second_factor as rules
from review_flow.steps import door, second_factor
from review_flow.web import cookies, mine, watch
from review_flow.web.access import (
    SESSION_COOKIE,
    Admin,
    Confirmed,
    Db,
    Here,
    Key,
    Proven,
    Settled,
    Signed,
    public,
)
from review_flow.web.door import CODE_PAGE, DEVICE_COOKIE, DEVICE_KEY, Text, is_inside, keep_device, remember
from review_flow.web.render import go, page, refusal_page

router = APIRouter()
Code = Annotated[str, Form(max_length=100)]
PAGE = "/me/second-factor"


def _keys(request: Request) -> tuple[bytes, ...]:
    keys: tuple[bytes, ...] = request.app.state.settings.derived_keys("second factor")
    return keys


@router.get(CODE_PAGE)
@public
def code_page(request: Request, session: Db, next: str = "/") -> Response:  # noqa: A002 - the address's own word
    """Ask whoever gave the right password for the second step; nobody else sees this page."""
    if second_factor.halfway(session, token=cookies.read(request, SESSION_COOKIE)) is None:
        return go("/")
    return page(request, "door/code.html", next=next)


@router.post(CODE_PAGE)
@public
def enter_code(request: Request, session: Db, code: Code, next: Annotated[str, Form()] = "/") -> Response:  # noqa: A002 - the form's own word
    """Go the second step. A wrong code is answered, not raised: it is counted."""
    brought, device_key = cookies.read(request, SESSION_COOKIE), request.app.state.settings.secret(DEVICE_KEY)
    half = second_factor.halfway(session, token=brought)
    if half is None:  # ten minutes are over, or it was done in another tab
        return go("/")
    person, devices = half[1], cookies.named(request, DEVICE_COOKIE)
    token = second_factor.enter(
        session,
        person=person,
        code=code,
        token=brought,
        user_agent=request.headers.get("user-agent", ""),
        address=request.client.host if request.client else "",
        devices=devices,
        device_key=device_key,
        keys=_keys(request),
    )
    if token is None:
        watch.note(request, "sign-in-failed", person=person.id, way="code")
        return refusal_page(request, second_factor.WrongFactorCode())
    watch.note(request, "signed-in", person=person.id, way="code")
    answer, label = go(next if is_inside(next) else "/"), door.account_of(person)[: door.LABEL]
    remember(request, answer, token)
    if label not in devices:
        keep_device(request, answer, label, person_id=person.id, known=None)
    return answer


@router.get("/me/proof")
def proof_page(request: Request, person: Settled, next: str = "/me") -> HTMLResponse:  # noqa: A002 - the address's own word
    """Ask for the password again."""
    return page(request, "door/proof.html", next=next, person=person)


@router.post("/me/proof")
def prove(
    request: Request,
    session: Db,
    person: Settled,
    here: Here,
    password: Text,
    next: Annotated[str, Form()] = "/me",  # noqa: A002 - the form's own word
) -> Response:
    """Take the password again. A wrong one is answered, not raised: it is counted."""
    if not second_factor.prove(session, actor=person, here=here, password=password):
        watch.note(request, "proof-failed")
        return refusal_page(request, door.WrongPassword())
    return go(next if is_inside(next) else "/me")


@router.get(PAGE)
def factor_page(request: Request, session: Db, person: Settled) -> HTMLResponse:
    """Show whether it is on; while it is being turned on, what the phone reads."""
    secret = second_factor.waiting(session, actor=person, keys=_keys(request))
    drawn = None
    if secret is not None:
        address = rules.address_of(secret, issuer=say(_("校本应用考核")), account=person.number)
        drawn = segno.make(address, error="m").svg_inline(scale=5, border=4, light="#fff", omitsize=True)
    return page(
        request,
        "door/second_factor.html",
        stands=door.has_second_factor(session, person_id=person.id),
        left=second_factor.codes_left(session, actor=person),
        # Drawn by segno from the key and the account, which are dots in it: not escaped.
        drawn=None if drawn is None else Markup(drawn),  # noqa: S704 - see above
        secret=None if secret is None else rules.grouped(rules.as_text(secret)),
        demanded=request.state.factor_wanted,
    )


@router.post(PAGE)
def begin(request: Request, session: Db, person: Proven) -> RedirectResponse:
    """Draw a secret for the phone."""
    second_factor.begin(session, actor=person, keys=_keys(request))
    return go(PAGE)


@router.post(f"{PAGE}/confirm")
def confirm(request: Request, session: Db, person: Proven, code: Code) -> HTMLResponse:
    """Turn it on, and show the recovery codes, once."""
    codes = second_factor.confirm(session, actor=person, code=code, keys=_keys(request))
    watch.note(request, "second-factor-on")
    return page(request, "door/recovery_codes.html", codes=codes)


@router.post(f"{PAGE}/codes")
def new_codes(request: Request, session: Db, person: Signed, _sure: Proven) -> HTMLResponse:
    """Show new recovery codes, once."""
    codes = second_factor.new_codes(session, actor=person)
    watch.note(request, "recovery-codes-made")
    return page(request, "door/recovery_codes.html", codes=codes)


@router.post(f"{PAGE}/end")
def end(request: Request, session: Db, person: Signed, _here: Proven, _sure: Confirmed) -> RedirectResponse:
    """Turn it off."""
    second_factor.end(session, actor=person)
    watch.note(request, "second-factor-off", about=person.id)
    return go(PAGE)


@router.post("/school/people/{key}/second-factor/end")
def reset(request: Request, session: Db, person: Admin, key: Key, _sure: Confirmed) -> RedirectResponse:
    """Turn off that of somebody who lost their phone."""
    whose = mine.colleague(session, person, key)
    second_factor.reset(session, actor=person, person=whose)
    watch.note(request, "second-factor-off", about=whose.id)
    return go("/school/people")
