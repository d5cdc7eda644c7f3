"""Requests that nobody thought of, made from the description itself: right ones, wrong ones, at rows that are there.

Each role asks what its scopes are for, a little. `REVIEW_FLOW_FUZZ_EXAMPLES=100 pytest …` lets each ask everything.
"""

from __future__ import annotations

import os
import random

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from models import Evidence, Role, Workshop
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import FactKind, GroupFactKind, NominationKind, ReportReason, RoleKind
from review_flow.steps import claims, file_reports, gatherings, groups, nominations, programme, tokens
from tests.cast import Clock, School
from tests.stages import stage
from tests.steps.test_county import above
from tests.steps.test_voices import weighed
from tests.web.api.conftest import Program
from tests.web.conftest import Web

LEADER = RoleKind.WORKSHOP_LEADER
LONG = "REVIEW_FLOW_FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("REVIEW_FLOW_FUZZ_EXAMPLES", "2"))
ROLES = {"T01": {"read", "teach", "review"}, "P1": {"panel"}, "A01": {"admin"}, "C01": {"admin"}}
COUNTY = "/api/v1/county/"
CHECKS = {
    # What has the right shape may still be refused for what it says: a form by its rubric, a cursor that no answer
    # gave, a version that is no longer the one, an upload of no work.
    "positive_data_acceptance": {
        "expected-statuses": ["2xx", "401", "403", "404", "409", "410", "412", "415", "422", "429"]
    },
    "missing_required_header": {"expected-statuses": ["401", "403", "422", "428"]},
}
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")


@stage
def under_way(session, _clock: Clock) -> School:
    """Everybody chose; two works are sealed and being reviewed, the others lack their evidence."""
    school = School(session, scheme=with_all()).open()
    for person in school.teachers:
        school.ready(person)
    for person in school.teachers[:4]:
        school.seal(person)
    school.allocate()
    besides(school)
    return school


def with_all() -> Scheme:
    """A scheme that has of everything that routes speak of."""
    persons, groups_ = (scheme_files.load(name).document for name in ("fuqing-30", "fuqing-workshop-ops"))
    borrowed = {part: persons[part] for part in ("activities", "pipeline", "deliverables")}
    return Scheme.from_document({**weighed().document, **borrowed, "quotas": groups_["quotas"]})


def besides(school: School) -> None:
    """T01 leads a workshop that tells, meets and puts a work forward; and has reported a file."""
    session, (leader, author) = school.session, school.teachers[:2]
    workshop = Workshop(organization_id=school.organization.id, name="物理坊")
    session.add_all([workshop, Role(person_id=leader.id, organization_id=leader.organization_id, kind=LEADER)])
    session.flush()
    leader.workshop_id = author.workshop_id = workshop.id
    group = groups.workshop_group(round_=school.round, workshop=workshop)
    bulletin = groups.GroupTelling(GroupFactKind.COUNT, "bulletin", "1", "坊主登记")
    groups.tell_group(session, actor=leader, group=group, telling=bulletin)
    piece = programme.Telling(FactKind.PIECE, "lesson_design", "1", "坊主收齐")
    programme.tell_fact(session, actor=leader, enrolment=school.enrolment(author), telling=piece)
    put = nominations.Work(NominationKind.WORK, "浮力")
    nominations.nominate(session, actor=leader, round_=school.round, author=author, work=put)
    meeting = {"activity": "off1", "workshop": workshop, "held_at": now(), "place": "录播室"}
    gatherings.hold(session, actor=leader, round_=school.round, **meeting)
    task = claims.claim(session, actor=leader, round_=school.round)
    file = session.query(Evidence).filter_by(submission_id=task.submission_id).order_by(Evidence.id).first()
    told = {"reason": ReportReason.BROKEN, "note": "放到一半就停"}
    file_reports.report(session, actor=leader, assignment=task, evidence=file, **told)


@pytest.mark.slow
@pytest.mark.timeout(3600 if LONG else 300)
@pytest.mark.parametrize("number", list(ROLES))
def test_nothing_is_found(
    web: Web, under_way: School, program: Program, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    above(under_way)
    monkeypatch.setattr(tokens, "PER_MINUTE", 10**9)
    found = run(web, program(number).headers["authorization"], number, random.Random(number))
    assert not found, "\n\n".join(found)


def asks(number: str, scopes: list[str], path: str) -> bool:
    """Whether somebody asks this: what their scopes are for, and the county's desk from the county alone."""
    return LONG or (ROLES[number].issuperset(scopes) and path.startswith(COUNTY) == (number == "C01"))


def run(web: Web, authorization: str, number: str, chance: random.Random) -> list[str]:
    auth = {"openapi": {"bearer": {"bearer": authorization.removeprefix("Bearer ")}}}
    config = SchemathesisConfig.from_dict({"checks": CHECKS, "auth": auth})
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", web.app, config=config)
    failures: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if not asks(number, operation.definition.raw["security"][0]["bearer"], operation.full_path):
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            there = {"path_parameters": {"key": chance.randint(1, 3)}}
            at_rows = mode is GenerationMode.POSITIVE and "{key}" in operation.path
            kinds = [operation.as_strategy(mode, **there)] if at_rows else []
            kinds += [operation.as_strategy(mode)] if LONG or not at_rows else []

            @seed(20260302)
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=st.one_of(kinds))
            def ask(case: schemathesis.Case) -> None:
                case.call_and_validate()

            try:
                ask()
            except BaseException as error:  # noqa: BLE001 - all that is found is told at once
                failures.append(f"{operation.label} {mode}: {error}"[:3000])
    return failures
