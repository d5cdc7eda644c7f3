"""Every statement is shown to be one that can be broken: a lived-in round, one wrong row, and it is named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session

from models import (
    Assignment,
    FileReport,
    GroupFact,
    GroupResult,
    NominationMove,
    NominationVoice,
    Person,
    Review,
    Role,
    Submission,
    Workshop,
)
from review_flow.clock import now
from review_flow.db import make_engine, transaction
from review_flow.rules.lifecycle import ResultState
from review_flow.rules.paths import canonical_json
from review_flow.rules.words import GroupFactKind, NominationKind, ReportReason, RoleKind, WorkConsent, WorkKind
from review_flow.steps import (
    advance,
    appeals,
    certificates,
    certificates_valid,
    evidence,
    faces,
    feedback,
    group_results,
    groups,
    invariants,
    library,
    nominations,
    results,
    work,
)
from review_flow.steps.group_record import group_record_of
from review_flow.steps.nominations import Work
from review_flow.steps.work_consents import say_consent
from tests.cast import Clock, School, certified


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A round with something of everything in it, and a database that takes any row."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("lived") / "review-flow.db"
        templates = request.getfixturevalue("templates")
        shutil.copy(templates.sqlite(), path)
        url = f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgres")
        url = server.url(server.database(request.getfixturevalue("templates").postgres(server)))
    strict = make_engine(url)
    with transaction(strict) as session:
        live(session)
    with transaction(strict) as session:
        assert invariants.broken(session) == []
    strict.dispose()
    loose = make_engine(url)
    if request.param == "sqlite":
        event.listen(loose, "connect", take_any_row)
    yield loose
    loose.dispose()


def take_any_row(connection, _entry) -> None:
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA ignore_check_constraints = ON")


def live(session: Session) -> None:
    clock = Clock()
    school = School(session, teachers=4, scheme=certified()).open()
    consenting = school.teachers[0]
    faces.give_consent(session, actor=consenting)
    faces.add_reference(session, actor=consenting, encoding=b"face", encoder="dlib", keys=lambda: (bytes(32),))
    for person in school.teachers:
        school.ready(person)
    for person in school.teachers:
        school.seal(person, verdict="human" if person is consenting else "valid")
    school.allocate()
    for person in school.teachers:
        school.do_reviews(person, mark="85")
    for person in school.teachers:
        school.submit(person)
    for submission in school.seal(consenting):
        school.vote(submission)
    school.panel_marks()
    advance.advance(session, round_=school.round)
    made = school.compose()
    results.confirm_all(session, actor=school.members[0], round_=school.round)
    results.publish(session, actor=school.admin, round_=school.round)
    clock.day(4, 20)
    advance.advance(session, round_=school.round)
    results.sign(session, actor=consenting, result=made[0])
    appeal = appeals.file(session, actor=school.teachers[1], result=made[1], reason="请复核")
    for hearer in school.hearers[:2]:
        appeals.vote(session, actor=hearer, appeal=appeal, uphold=True, reason="确应变更", marks={"A1": "90"})
    for kind in ("pass", "joint"):
        made_out = certificates.issue(
            session, actor=None, enrolment=school.enrolment(consenting), kind=kind, key=bytes(32)
        )
    certificates_valid.confirm(session, actor=school.admin, certificate=made_out, issuer="培训机构", proof="函1号")
    said = feedback.received_by(session, person=consenting, round_=school.round)[0]
    feedback.answer(session, actor=consenting, review=session.get_one(Review, said.review), helped=True)
    item = work.claim(session, kinds=list(WorkKind), worker="甲", lease=advance.LONGEST_PAUSE)
    assert item is not None
    assert item.lease_token is not None
    work.finish(session, work_id=item.id, token=item.lease_token)
    report(session, school)
    rise(session, school)
    clock.stack.close()


def report(session: Session, school: School) -> None:
    """A file that its reviewer reported and the panel looked at."""
    [task, *_others] = session.scalars(select(Assignment).where(Assignment.submission_id.is_not(None)))
    work = session.get_one(Submission, task.submission_id)
    session.add(
        FileReport(
            assignment_id=task.id,
            evidence_id=evidence.standing_evidence(session, submission=work)[0].id,
            reporter_id=task.reviewer_id,
            reason=ReportReason.BROKEN,
            note="放不完",
            reported_at=now(),
            closed_by_id=school.members[0].id,
            closed_at=now(),
            finding="能放完",
        )
    )


def rise(session: Session, school: School) -> None:
    """A work that was voted on, went up and was published; facts and a result of its workshop."""
    workshop = Workshop(organization_id=school.organization.id, name="物理坊")
    session.add(workshop)
    session.flush()
    author = school.teachers[0]
    author.workshop_id = workshop.id
    session.add(Role(person_id=author.id, organization_id=school.organization.id, kind=RoleKind.WORKSHOP_LEADER))
    work = Work(NominationKind.WORK, "浮力")
    up = nominations.nominate(session, actor=school.admin, round_=school.round, author=author, work=work)
    for about in WorkConsent:
        say_consent(session, actor=author, nomination=up, about=about, given=True, pupils=False)
    library.publish_work(session, actor=school.admin, nomination=up)
    ids = {"nomination_id": up.id, "step": "school", "at": now()}
    session.add(NominationVoice(**ids, author_id=author.id, judge_id=school.members[0].id))
    session.add(NominationMove(**ids, passed=True, basis="vote 1", by_id=school.admin.id))
    group = groups.workshop_group(round_=school.round, workshop=workshop)
    told = {"recorded_by_id": school.admin.id, "recorded_at": now(), "source": "坊主", "details": {}}
    for key in "ab":
        session.add(GroupFact(**group.ids, **told, kind=GroupFactKind.COUNT, about="bulletin", key=key))
    session.flush()
    outcome = group_results.group_outcome(session, group=group)
    session.add(
        GroupResult(
            **group.ids,
            version=1,
            scheme_digest=school.scheme.digest,
            record=canonical_json(group_record_of(session, group=group)).decode(),
            outcome=outcome.canonical().decode(),
            state=ResultState.COMPOSED,
            proposed_grade=outcome.grade,
            composed_by_id=school.admin.id,
            composed_at=now(),
        )
    )
    session.flush()


@dataclass(frozen=True)
class Plant:
    """The rows that will break the statement (a table, and a query of ids), and the wrong that is done to them."""

    table: str
    rows: str
    wrong: str


ANY = "SELECT min(id) FROM {}"
ADMIN = "(SELECT id FROM person WHERE number = 'A01')"
DONE = "SELECT min(id) FROM assignment WHERE submission_id IS NOT NULL AND state = 'done'"
CURRENT = "SELECT min(id) FROM result WHERE current"
GRADED = "SELECT min(id) FROM submission WHERE state = 'graded'"
PASS = "SELECT id FROM certificate WHERE kind = 'pass'"
SIGNED = "SELECT id FROM result WHERE state = 'signed'"

PLANTS: dict[str, list[Plant]] = {
    "nobody reviews their own work": [
        Plant("assignment", DONE, "UPDATE assignment SET reviewer_id = author_id WHERE id = :id"),
    ],
    "an assignment knows its work's author": [
        Plant("assignment", DONE, f"UPDATE assignment SET author_id = {ADMIN} WHERE id = :id"),
    ],
    "nobody reviews a work twice": [
        Plant(
            "assignment",
            DONE,
            "UPDATE assignment SET reviewer_id = (SELECT reviewer_id FROM assignment WHERE id = :id) WHERE id = "
            "(SELECT max(id) FROM assignment WHERE submission_id = (SELECT submission_id FROM assignment WHERE id = :id))",
        ),
    ],
    "a done assignment has its review": [
        Plant("assignment", DONE, "DELETE FROM review WHERE assignment_id = :id"),
        Plant("assignment", DONE, "UPDATE assignment SET state = 'lapsed' WHERE id = :id"),
    ],
    "a work whose judgement has ended waits for no review": [
        Plant(
            "assignment",
            f"SELECT min(id) FROM assignment WHERE submission_id = ({GRADED})",
            "UPDATE assignment SET state = 'begun' WHERE id = :id",
        ),
    ],
    "nobody marks their own work": [
        Plant("panel_mark", ANY.format("panel_mark"), "UPDATE panel_mark SET marker_id = author_id WHERE id = :id"),
    ],
    "nobody judges the validity of their own work": [
        Plant(
            "validity_vote", ANY.format("validity_vote"), "UPDATE validity_vote SET voter_id = author_id WHERE id = :id"
        ),
    ],
    "nobody hears their own appeal": [
        Plant(
            "appeal_vote",
            ANY.format("appeal_vote"),
            "UPDATE appeal_vote SET voter_id = (SELECT appellant_id FROM appeal WHERE id = appeal_id) WHERE id = :id",
        ),
    ],
    "nobody confirms their own grade": [
        Plant(
            "result",
            CURRENT,
            "UPDATE result SET confirmed_by_id = (SELECT person_id FROM enrolment WHERE id = enrolment_id) WHERE id = :id",
        ),
    ],
    "a result is signed by its teacher": [
        Plant("signature", ANY.format("signature"), f"UPDATE signature SET person_id = {ADMIN} WHERE id = :id"),
    ],
    "an assessed teacher has one standing result": [
        Plant("enrolment", ANY.format("enrolment"), "UPDATE result SET current = false WHERE enrolment_id = :id"),
        Plant(
            "enrolment",
            "SELECT enrolment_id FROM result WHERE NOT current",
            "UPDATE result SET current = true WHERE enrolment_id = :id",
        ),
    ],
    "a standing result is an assessed teacher's": [
        Plant(
            "result",
            CURRENT,
            "UPDATE enrolment SET state = 'selected' WHERE id = (SELECT enrolment_id FROM result WHERE id = :id)",
        ),
    ],
    "a result stands unless it was superseded": [
        Plant("result", CURRENT, "UPDATE result SET state = 'superseded' WHERE id = :id"),
        Plant("result", "SELECT id FROM result WHERE NOT current", "UPDATE result SET state = 'final' WHERE id = :id"),
    ],
    "a published grade was confirmed": [
        Plant("result", CURRENT, "UPDATE result SET grade = NULL WHERE id = :id"),
    ],
    "a signed result has its signature": [Plant("result", SIGNED, "DELETE FROM signature WHERE result_id = :id")],
    "a submission belongs to its enrolment's person and round": [
        Plant("submission", GRADED, f"UPDATE submission SET author_id = {ADMIN} WHERE id = :id"),
        Plant("submission", GRADED, "UPDATE submission SET round_id = 77 WHERE id = :id"),
    ],
    "an exempt teacher hands nothing in": [
        Plant(
            "submission",
            "SELECT id FROM submission WHERE enrolment_id = (SELECT min(id) FROM enrolment) ORDER BY id",
            "UPDATE enrolment SET state = 'exempt', exempt_reason = '病休' "
            "WHERE id = (SELECT enrolment_id FROM submission WHERE id = :id)",
        ),
    ],
    "what is judged was found valid": [
        Plant("submission", GRADED, "UPDATE submission SET valid = NULL WHERE id = :id"),
        Plant("submission", GRADED, "UPDATE submission SET valid = false WHERE id = :id"),
    ],
    "an invalid work is marked so": [
        Plant("submission", GRADED, "UPDATE submission SET state = 'invalid' WHERE id = :id"),
        Plant("submission", GRADED, "UPDATE submission SET state = 'invalid', valid = NULL WHERE id = :id"),
    ],
    "what went forward has no rejected file": [
        Plant("evidence", ANY.format("evidence"), "UPDATE evidence SET verdict = 'rejected' WHERE id = :id"),
    ],
    "a graded work has no missing mark": [
        Plant(
            "panel_mark", ANY.format("panel_mark"), "UPDATE panel_mark SET mark = NULL, marked_at = NULL WHERE id = :id"
        ),
    ],
    "after the hand-in nothing is left a draft": [
        Plant("submission", GRADED, "UPDATE submission SET state = 'draft' WHERE id = :id"),
        Plant("submission", GRADED, "UPDATE submission SET state = 'sealed' WHERE id = :id"),
    ],
    "a face is kept only under a standing consent of its own person": [
        Plant("reference_face", ANY.format("reference_face"), "UPDATE consent SET withdrawn_at = given_at"),
        Plant("reference_face", ANY.format("reference_face"), f"UPDATE consent SET person_id = {ADMIN}"),
    ],
    "a review is answered by its work's author": [
        Plant(
            "review_answer", ANY.format("review_answer"), f"UPDATE review_answer SET author_id = {ADMIN} WHERE id = :id"
        ),
    ],
    "a file is reported by whoever was to review its work": [
        Plant("file_report", ANY.format("file_report"), f"UPDATE file_report SET reporter_id = {ADMIN} WHERE id = :id"),
        Plant(
            "file_report",
            ANY.format("file_report"),
            "UPDATE file_report SET evidence_id = (SELECT e.id FROM evidence e WHERE e.submission_id != (SELECT submission_id FROM evidence WHERE id = file_report.evidence_id) ORDER BY e.id LIMIT 1) WHERE id = :id",
        ),
        Plant(
            "file_report",
            ANY.format("file_report"),
            "UPDATE assignment SET submission_id = NULL WHERE id = (SELECT assignment_id FROM file_report WHERE id = :id)",
        ),
    ],
    "nobody closes a report about their own file": [
        Plant(
            "file_report",
            ANY.format("file_report"),
            "UPDATE file_report SET closed_by_id = (SELECT author_id FROM assignment WHERE id = assignment_id) WHERE id = :id",
        ),
    ],
    "a running round keeps the scheme it froze": [
        Plant("round", ANY.format("round"), "UPDATE round SET scheme_digest = 'abc' WHERE id = :id"),
    ],
    "a standing certificate rests on its teacher's standing result": [
        Plant(
            "certificate",
            PASS,
            "UPDATE certificate SET result_id = (SELECT id FROM result WHERE NOT current) WHERE id = :id",
        ),
    ],
    "a certificate's number is its own": [
        Plant("certificate", "SELECT id FROM certificate ORDER BY id", "UPDATE certificate SET number = 'A'"),
    ],
    "a certificate has issuers": [
        Plant("certificate", PASS, "DELETE FROM certificate_issuer WHERE certificate_id = :id"),
    ],
    "nobody confirms their own certificate": [
        Plant(
            "certificate_issuer",
            "SELECT min(id) FROM certificate_issuer WHERE confirmed_by_id IS NOT NULL",
            "UPDATE certificate_issuer SET confirmed_by_id = (SELECT min(person_id) FROM enrolment) WHERE id = :id",
        ),
    ],
    "a standing certificate is granted by its result": [
        Plant("certificate", PASS, "UPDATE certificate SET outcome_digest = 'abc' WHERE id = :id"),
        Plant("certificate", PASS, "UPDATE certificate SET kind = 'other' WHERE id = :id"),
        Plant(
            "certificate",
            "SELECT id FROM certificate ORDER BY id",
            "UPDATE result SET state = 'published' WHERE state = 'signed'",
        ),
        Plant("certificate", PASS, "UPDATE certificate SET kind = 'top' WHERE id = :id"),
    ],
    "work that is done is leased to nobody": [
        Plant(
            "due_work",
            "SELECT id FROM due_work WHERE done_at IS NOT NULL",
            "UPDATE due_work SET lease_token = 'abc', lease_until = due_at WHERE id = :id",
        ),
    ],
    "a private note says what the audit chain has the digest of": [
        Plant("private_note", ANY.format("private_note"), "UPDATE private_note SET deed = 'other' WHERE id = :id"),
    ],
    "a scheme version is what its digest says": [
        Plant(
            "scheme_version", ANY.format("scheme_version"), "UPDATE scheme_version SET digest = 'abc' WHERE id = :id"
        ),
    ],
    "every result replays to its ledger": [
        Plant("result", CURRENT, "UPDATE result SET outcome = replace(outcome, '85.00', '86.00') WHERE id = :id"),
        Plant(
            "result",
            "SELECT id FROM result WHERE NOT current",
            "UPDATE result SET record = replace(record, '85.00', '86.00') WHERE id = :id",
        ),
    ],
    "a result shows what its ledger says": [
        Plant("result", CURRENT, "UPDATE result SET score = 860000 WHERE id = :id"),
        Plant("result", CURRENT, "UPDATE result SET proposed_grade = '合格' WHERE id = :id"),
    ],
    "nobody votes on or marks their own work": [
        Plant(
            "nomination_voice",
            ANY.format("nomination_voice"),
            "UPDATE nomination_voice SET judge_id = author_id WHERE id = :id",
        ),
        Plant(
            "nomination_voice",
            ANY.format("nomination_voice"),
            f"UPDATE nomination_voice SET author_id = {ADMIN} WHERE id = :id",
        ),
    ],
    "a work's consents are its author's": [
        Plant(
            "nomination_consent",
            ANY.format("nomination_consent"),
            f"UPDATE nomination_consent SET author_id = {ADMIN} WHERE id = :id",
        ),
    ],
    "nothing left its workshop without its author's consent": [
        Plant(
            "nomination_move",
            ANY.format("nomination_move"),
            "UPDATE nomination_consent SET given = false WHERE about = 'author'",
        ),
    ],
    "nothing stands in the library without both consents": [
        Plant(
            "library_entry",
            ANY.format("library_entry"),
            f"UPDATE nomination_consent SET given = false WHERE about = '{about}'",
        )
        for about in ("author", "publication")
    ]
    + [Plant("library_entry", ANY.format("library_entry"), "UPDATE nomination SET kind = 'learner'")],
    "a group's fact stands once": [
        Plant("group_fact", ANY.format("group_fact"), "UPDATE group_fact SET key = 'a'"),
    ],
    "every group's result replays to its ledger": [
        Plant("group_result", ANY.format("group_result"), "UPDATE group_result SET outcome = '{}' WHERE id = :id"),
    ],
    "a group's result stands as its state says": [
        Plant("group_result", ANY.format("group_result"), f"UPDATE group_result SET {change} WHERE id = :id")
        for change in ("state = 'superseded'", "state = 'final'")
    ],
    "nobody confirms their own workshop's grade": [
        Plant(
            "group_result",
            ANY.format("group_result"),
            "UPDATE group_result SET confirmed_by_id ="
            " (SELECT person_id FROM role WHERE kind = 'workshop_leader') WHERE id = :id",
        ),
    ],
    "a signature is of the outcome its result holds": [
        Plant("signature", ANY.format("signature"), "UPDATE signature SET outcome_digest = 'abc' WHERE id = :id"),
    ],
}
CHAIN = "the audit chain is whole"


def loosen(session: Session) -> None:
    """Take away what the database itself would refuse; the test's rollback brings it back."""
    for index in (
        "uq_assignment_live_submission",
        "uq_result_current",
        "uq_certificate_standing",
        "uq_certificate_number",
    ):
        session.execute(text(f"DROP INDEX {index}"))
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("DROP TRIGGER audit_event_no_update"))
        return
    session.execute(text("SET LOCAL session_replication_role = replica"))  # no foreign keys, no triggers
    checks = "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
    for table, name in session.execute(text(checks)).all():
        session.execute(text(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'))


@pytest.mark.parametrize(
    ("statement", "plant"),
    [(statement, plant) for statement, plants in PLANTS.items() for plant in plants],
    ids=[f"{statement} {n}" for statement, plants in PLANTS.items() for n in range(len(plants))],
)
def test_a_wrong_row_is_named(lived: Engine, statement: str, plant: Plant) -> None:
    with Session(lived) as session:
        ids = list(session.scalars(text(plant.rows)))
        assert ids, "there is such a row to spoil"
        loosen(session)
        session.execute(text(plant.wrong), {"id": ids[0]} if ":id" in plant.wrong else {})
        found = [one.row for one in invariants.broken(session) if one.statement == statement]
        session.rollback()
    assert found == [f"{plant.table}:{number}" for number in ids]


def test_a_wrong_event_is_named(lived: Engine) -> None:
    with Session(lived) as session:
        loosen(session)
        session.execute(text("UPDATE audit_event SET deed = 'x' WHERE number = 2"))
        school = session.scalars(text("SELECT id FROM organization")).one()
        found = invariants.broken(session)
        session.rollback()
    assert found == [invariants.Broken(CHAIN, f"organization:{school} event 2 (content)")]


def test_every_statement_is_shown_to_be_breakable() -> None:
    assert {*PLANTS, CHAIN} == {*invariants.STATEMENTS, *invariants.COMPUTED}
    assert not invariants.STATEMENTS.keys() & invariants.COMPUTED.keys()


def test_an_empty_database_breaks_nothing(session: Session) -> None:
    assert session.query(Person).count() == 0
    assert invariants.broken(session) == []
