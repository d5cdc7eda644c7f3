"""What people do on pages, programs do by a route; or it is said here, and in docs/api.md, that a page alone does it."""

from __future__ import annotations

from fastapi import FastAPI

from review_flow.web.api.document import description
from tests.web.test_roles import office
from tests.web.test_roles import routes as pages

BY_ROUTE = {
    "/rounds/{key}/acknowledge": "acknowledgePlan",
    "/rounds/{key}/self-test": "recordSelfTest",
    "/rounds/{key}/choose": "putChoice",
    "/works/{key}/replace": "replaceAbility",
    "/works/{key}/seal": "sealSubmission",
    "/works/{key}/submit": "submitSubmission",
    "/uploads": "beginUpload",
    "/rounds/{key}/claim": "claimTask",
    "/reviews/{key}/draft": "putDraft",
    "/reviews/{key}/submit": "submitReview",
    "/reviews/{key}/report": "reportFile",
    "/reviews/{key}/decline": "declineTask",
    "/reviews/received/{key}/helped": "answerReview",
    "/rounds/{key}/result/sign": "signResult",
    "/rounds/{key}/result/appeal": "fileAppeal",
    "/rounds/{key}/self-mark": "giveSelfMark",
    "/rounds/{key}/deliverables": "openDeliverables",
    "/adjustments/{key}/contest": "contestAdjustment",
    "/sign-in/{key}": "signIn",
    "/nominations/{key}/consent": "giveWorkConsent",
    "/rounds/{key}/workshop/sign": "signWorkshopResult",
    "/rounds/{key}/workshop/appeal": "fileWorkshopAppeal",
    "/panel/marks/{key}": "markSubmission",
    "/panel/marks/{key}/draft": "putPanelDraft",
    "/panel/validity/{key}": "voteValidity",
    "/panel/reports/{key}": "closeFileReport",
    "/panel/rounds/{key}/visits": "giveVisitMark",
    "/panel/adjustments/{key}": "decideAdjustment",
    "/panel/results/{key}/confirm": "confirmResult",
    "/panel/workshops/{key}/confirm": "confirmWorkshopResult",
    "/panel/rounds/{key}/grades/confirm": "confirmAllGrades",
    "/panel/appeals/{key}": "voteAppeal",
}
BY_PAGE_ALONE = {
    "/language/{code}": "Accept-Language says it",
    "/enter": "a person signs in",
    "/enter/code": "a person signs in",
    "/link/{token}": "a person signs in",
    "/leave": "a person signs out",
    "/me/sessions/{key}/revoke": "a person signs out",
    "/me/password": "a person's own",
    "/me/proof": "a person's own",
    "/me/second-factor": "a person's own",
    "/me/second-factor/confirm": "a person's own",
    "/me/second-factor/codes": "a person's own",
    "/me/second-factor/end": "a person's own",
    "/me/identities/{provider}/unbind": "a person's own",
    "/me/tokens": "no token makes another",
    "/me/tokens/{key}/revoke": "no token ends another",
    "/me/face/agree": "a consent that is read first",
    "/me/face/refuse": "a consent that is read first",
    "/me/face/photos": "a consent that is read first",
    "/me/data": "more than any scope was given for",
    "/certificates/{key}": "a print to look at",
    "/rounds/{key}/choose/check": "the choice itself is refused in the same words",
}
OFFICE_TOO = {
    "/panel/validity/{key}/attest",
    "/panel/approvals/{key}",
    "/panel/rounds/{key}/adjustments",
    "/panel/rounds/{key}/adjustments/preview",
}
"""What an administrator says as well as a member."""


def test_every_deed_of_a_page_has_its_route_or_its_reason(app: FastAPI) -> None:
    posts = {path for method, path, _route in pages(app) if method == "POST" and office(path) is None}
    assert posts == {*BY_ROUTE, *BY_PAGE_ALONE, *OFFICE_TOO}
    known = {one["operationId"] for methods in description()["paths"].values() for one in methods.values()}
    assert {*BY_ROUTE.values()} - known == set()
