"""Everything about oneself, and nothing about others."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

from sqlalchemy import select

from models import AuditEvent, SecondFactor, Workshop
from models.base import Base, plain
from review_flow.clock import now
from review_flow.rules.door import digest
from review_flow.rules.tokens import Scope
from review_flow.rules.words import AdjustmentKind, ClassKind, ReportReason
from review_flow.steps import (
    adjustments,
    classes,
    evidence,
    faces,
    file_reports,
    identities,
    own_data,
    results,
    reviews,
    tokens,
)
from tests.cast import School, queries
from tests.steps.test_groups import Shop
from tests.steps.test_results import scoring

WITHHELD = {
    "Credential": "what a password is compared with",
    "KeptAnswer": "sealed, gone in a day",
    "OneTimeLink": "digests of links",
    "RecoveryCode": "digests of codes",
    "ReferenceFace": "encodings: counted only",
}


def told(school: School, number: int = 0) -> dict:
    return own_data.everything(school.session, actor=school.teachers[number])


def test_a_teacher_s_round_from_end_to_end(marked: School, clock) -> None:
    session, person = marked.session, marked.teachers[0]
    adjustments.add(
        session,
        actor=marked.members[0],
        enrolment=marked.enrolment(person),
        told=adjustments.Told(AdjustmentKind.AWARD, date(2026, 3, 2), "奖状", "k", points=Decimal(2)),
    )
    found = told(marked)
    [round_] = found["rounds"]
    assert (found["person"]["number"], found["person"]["workshop"], round_["round"]) == ("T01", None, "2026春")
    assert [len(work["files"]) for work in found["works"]] == [
        len(evidence.standing_evidence(session, submission=work)) for work in own_works(marked)
    ]
    assert found["works"][0]["files"][0]["findings"] == ["结论：valid"]
    assert {Decimal(one["review"]["mark"]) for one in found["reviews_given"]} == {Decimal(85)}
    assert (len(found["reviews_given"]), len(round_["reviews_received"]), round_["results"]) == (9, 9, [])
    assert [one["proof"] for one in round_["adjustments"]] == ["奖状"]
    text = json.dumps(found, ensure_ascii=False)
    assert not [one.name for one in (*marked.teachers[1:], *marked.members) if one.name in text]
    assert "author_id" not in text
    assert session.scalars(select(AuditEvent.deed).order_by(AuditEvent.number.desc())).first() == "person.export"


def own_works(school: School):
    from review_flow.steps.enrolments import submissions_of

    return submissions_of(school.session, enrolment=school.enrolment(school.teachers[0]))


def test_a_result_is_told_when_it_is_published(marked: School, clock) -> None:
    scoring(marked, clock)
    marked.compose()
    [hidden] = told(marked)["rounds"][0]["results"]
    assert hidden == {"version": 1, "state": "composed"}
    results.confirm_all(marked.session, actor=marked.members[0], round_=marked.round)
    results.publish(marked.session, actor=marked.admin, round_=marked.round)
    [shown] = told(marked)["rounds"][0]["results"]
    assert (shown["state"], shown["grade"], shown["outcome"]["grade"]) == ("published", "优秀", "优秀")


def test_accounts_elsewhere_tokens_and_classes_are_told_without_their_secrets(opened: School) -> None:
    session, person, other = opened.session, *opened.teachers[:2]
    for one in (person, other):
        identities.bind(session, actor=one, provider="sso", label="统一身份", subject=f"u-{one.number}")
    session.add(SecondFactor(person_id=person.id, sealed=b"secret", begun_at=now(), last_step=0))
    _row, token = tokens.make(session, actor=person, name="校务平台", scopes=[Scope.READ], days=30)
    class_ = classes.found_class(
        session, actor=opened.admin, round_=opened.round, name="1班", kind=ClassKind.SINGLE, admin=other
    )
    classes.join_class(session, actor=opened.admin, class_=class_, person=person)
    found, at = told(opened), now().isoformat()
    assert found["accounts_elsewhere"] == [{"provider": "sso", "subject": "u-T01", "bound_at": at}]
    assert found["second_factor"] == [{"begun_at": at, "confirmed_at": None}]
    assert [(one["name"], one["prefix"], one["scopes"]) for one in found["tokens"]] == [
        ("校务平台", token[:12], ["read"])
    ]
    assert found["person"]["classes"] == [{"name": "1班", "joined_at": at, "left_at": None}]
    assert digest(token) not in json.dumps(found)


def test_nothing_that_is_one_s_own_is_left_out_but_secrets() -> None:
    """A new table of people is told of, or stands here with its reason."""
    own = {one.class_ for one in Base.registry.mappers if "person_id" in one.columns}
    left_out = {one.__name__ for one in own if not hasattr(own_data, one.__name__)}
    assert left_out == set(WITHHELD)


def test_consents_are_told_and_encodings_counted_only(opened: School) -> None:
    faces.give_consent(opened.session, actor=opened.teachers[0])
    found = told(opened)["face_matching"]
    assert ([one["text_version"] for one in found["consents"]], found["encodings_kept"]) == (["2027-01"], 0)


def test_a_report_is_its_reporter_s(opened: School) -> None:
    for person in opened.teachers[:2]:
        opened.ready(person)
        opened.seal(person)
    opened.allocate()
    task = reviews.tasks_of(opened.session, person=opened.teachers[0], round_=opened.round)[0]
    from models import Submission

    file = evidence.standing_evidence(
        opened.session, submission=opened.session.get_one(Submission, task.submission_id)
    )[0]
    file_reports.report(
        opened.session,
        actor=opened.teachers[0],
        assignment=task,
        evidence=file,
        reason=ReportReason.OTHER,
        note="声音太小",
    )
    assert "声音太小" in json.dumps(told(opened), ensure_ascii=False)
    assert "声音太小" not in json.dumps(told(opened, 1), ensure_ascii=False)


def test_works_put_forward_and_what_was_said_of_them(session, clock) -> None:
    shop = Shop(session)
    work = shop.work(shop.member, "浮力")
    found = own_data.everything(session, actor=shop.member)
    assert [(one["title"], one["consents"], one["published"]) for one in found["nominations"]] == [(work.title, [], [])]
    assert found["person"]["workshop"] == session.get_one(Workshop, shop.member.workshop_id).name


def test_more_files_need_no_more_statements(opened: School) -> None:
    def statements() -> int:
        opened.session.expire_all()
        with queries(opened.session) as sent:
            told(opened)
        return len(sent)

    opened.ready(opened.teachers[0])
    few = statements()
    opened.seal(opened.teachers[0])
    assert statements() - few <= 2  # the findings, and the chain's tip
    assert plain(now()).endswith("+00:00")
