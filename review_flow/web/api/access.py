"""Who may call: a person's token within its scopes. Cookies open nothing here, so no page can make a browser ask."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from models import Person
from review_flow.db import transaction
from review_flow.errors import NotAllowed, Refusal
from review_flow.i18n import _, say
from review_flow.rules.tokens import Scope
from review_flow.rules.words import RoleKind
from review_flow.steps import county, people, tokens
from review_flow.web.access import Db, FactorWanted, MustChange, lacks_factor, who

bearer = HTTPBearer(
    scheme_name="bearer",
    auto_error=False,
    description="A token made on the page /me/tokens or by `review-flow token make`. The names after `bearer` are "
    "the scopes that the token must have.",
)


class TokenWanted(Refusal):
    """No token, or one that is unknown, expired or revoked: which of these is not said."""

    status, text = 401, _("请在 Authorization 中给出有效的令牌（Bearer）。")


class ScopeMissing(Refusal):
    """The token is valid, but was not made for this."""

    status, text = 403, _("这个令牌没有“{scope}”范围。")


def carried(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> tokens.Bearer:
    """Return whom the token acts for; the request is counted in a transaction of its own."""
    if credentials is None:
        raise TokenWanted
    with transaction(request.app.state.engine) as session:
        found = tokens.admit(session, token=credentials.credentials)
    if found is None:
        raise TokenWanted
    request.state.person_id = found.person_id  # for the log
    if found.must_change:
        raise MustChange
    request.state.scopes = found.scopes
    return found


@who
def scoped(
    request: Request, scopes: SecurityScopes, session: Db, found: Annotated[tokens.Bearer, Depends(carried)]
) -> Person:
    """Let in a person whose token has the scopes that the route asks for, and who has the second factor, if demanded."""
    for one in scopes.scopes:
        if Scope(one) not in found.scopes:
            raise ScopeMissing(scope=one)
    person = session.get_one(Person, found.person_id)
    if request.app.state.settings.second_factor:
        head = people.head(session, person=person)
        if lacks_factor(request, session, person, roles=head.roles, seated=head.seated):
            raise FactorWanted
    return person


Reader = Annotated[Person, Security(scoped, scopes=[Scope.READ.value])]
Teacher = Annotated[Person, Security(scoped, scopes=[Scope.TEACH.value])]
Reviewer = Annotated[Person, Security(scoped, scopes=[Scope.REVIEW.value])]
Panelist = Annotated[Person, Security(scoped, scopes=[Scope.PANEL.value])]


@who
def passing(request: Request, scopes: SecurityScopes, found: Annotated[tokens.Bearer, Depends(carried)]) -> Person:
    """Let in like `scoped`, in a transaction that is over before the handler begins: it holds nobody up for long."""
    with transaction(request.app.state.engine) as session:
        return scoped(request, scopes, session, found)


PassingTeacher = Annotated[Person, Security(passing, scopes=[Scope.TEACH.value])]


@who
def administrator(session: Db, person: Annotated[Person, Security(scoped, scopes=[Scope.ADMIN.value])]) -> Person:
    """Let in the administrators of the person's own school, by a token made for that."""
    people.require_role(session, actor=person, organization_id=person.organization_id, kinds=[RoleKind.SCHOOL_ADMIN])
    return person


Administrator = Annotated[Person, Depends(administrator)]


@who
def passing_administrator(
    request: Request, scopes: SecurityScopes, found: Annotated[tokens.Bearer, Depends(carried)]
) -> Person:
    """Let in like `administrator`, in a transaction that is over before the handler begins."""
    with transaction(request.app.state.engine) as session:
        return administrator(session, scoped(request, scopes, session, found))


PassingAdministrator = Annotated[Person, Security(passing_administrator, scopes=[Scope.ADMIN.value])]


@who
def county_administrator(
    session: Db, person: Annotated[Person, Security(scoped, scopes=[Scope.ADMIN.value])]
) -> Person:
    """Let in who administers an organization above schools, by a token made for administering."""
    if not county.offices(session, actor=person):
        raise NotAllowed(why=say(_("这需要上级（县级）管理员")))
    return person


CountyAdministrator = Annotated[Person, Depends(county_administrator)]
