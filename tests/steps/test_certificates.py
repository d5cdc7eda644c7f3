from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from models import (
    AuditEvent,
    Certificate,
    CertificateIssuer,
    DueWork,
    Enrolment,
    Message,
    Organization,
    Person,
    Result,
    Role,
    RoundExport,
)
from review_flow import db
from review_flow.db import transaction
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.outside.certificates import NoPrinter, NullPrinter
from review_flow.outside.storage import MemoryStorage, read
from review_flow.rules.certificates import CertificateState, genuine
from review_flow.rules.lifecycle import ResultState, RoundPhase
from review_flow.rules.words import ExportKind, JobState, OrganizationKind, RoleKind, WorkKind
from review_flow.steps import advance, certificates, certificates_valid, exports, results
from review_flow.steps.certificates_valid import Standing
from review_flow.steps.rounds import WrongPhase
from tests.cast import School, certified, queries
from tests.due import do_due
from tests.stages import stage
from tests.steps.test_appeals import file, hear, result_of, to_sign
from tests.steps.test_concurrency import at_once
from tests.steps.test_results import graded, published, scoring
from tests.steps.test_reviews import deeds, refused

# 王芳 got 85 of the panel and may sign; 李伟 handed nothing in. The scheme grants a certificate of the school, a joint
# one, and the provincial one on top of both.

KEY = bytes(range(32))


def played(session, clock, mark: str) -> School:
    school = School(session, teachers=2, scheme=certified())
    graded(school, mark)
    scoring(school, clock)
    published(school)
    return school


@stage
def to_be_signed(session, clock) -> School:
    school = played(session, clock, "85")
    to_sign(school, clock)
    return school


@stage
def signed(session, clock) -> School:
    school = played(session, clock, "85")
    to_sign(school, clock)
    results.sign(session, actor=school.teachers[0], result=result_of(school))
    return school


@stage
def just_failed(session, clock) -> School:
    school = played(session, clock, "58")
    to_sign(school, clock)
    return school


@stage
def just_passed(session, clock) -> School:
    """62 of the panel: 合格, signed."""
    school = played(session, clock, "62")
    to_sign(school, clock)
    results.sign(session, actor=school.teachers[0], result=result_of(school))
    return school


def issue(school: School, kind: str = "pass", *, actor: Person | None = None, teacher: int = 0) -> Certificate:
    enrolment = school.enrolment(school.teachers[teacher])
    return certificates.issue(school.session, actor=actor, enrolment=enrolment, kind=kind, key=KEY)


def due(school: School) -> list[str]:
    return [one.kind for one in certificates.due_certificates(school.session, round_=school.round)]


def confirm(school: School, certificate: Certificate, *issuers: str) -> None:
    for issuer in issuers:
        certificates_valid.confirm(
            school.session, actor=school.admin, certificate=certificate, issuer=issuer, proof="培函〔2026〕3号"
        )


def valid(school: School) -> list[Certificate]:
    """The school's certificate and the joint one, confirmed by all."""
    made = [issue(school), issue(school, "joint")]
    confirm(school, made[0], "实验中学")
    confirm(school, made[1], "培训机构", "教师进修学校")
    return made


def told(school: School, kind: str) -> list[str]:
    return list(school.session.scalars(select(Message.text).where(Message.kind == kind).order_by(Message.id)))


def test_a_certificate_is_due_when_the_result_is_effective(to_be_signed: School, clock) -> None:
    school = to_be_signed
    assert due(school) == []
    refused(certificates.ResultNotEffective, "考核结果还没有生效，不能发证。", lambda: issue(school))
    results.sign(school.session, actor=school.teachers[0], result=result_of(school))
    assert due(school) == ["pass", "joint"]


def test_an_unsigned_result_grants_as_well(to_be_signed: School, clock) -> None:
    """N28: no signature, and valid."""
    clock.day(5, 20)
    advance.advance(to_be_signed.session, round_=to_be_signed.round)
    assert result_of(to_be_signed).state is ResultState.FINAL
    assert due(to_be_signed) == ["pass", "joint"]


def test_what_a_certificate_keeps(signed: School) -> None:
    one = issue(signed)
    result = result_of(signed)
    assert (one.kind, one.version, one.state, one.supersedes_id) == ("pass", 1, CertificateState.ISSUED, None)
    assert (one.title, one.holder, one.school, one.round_name) == ("校本应用考核合格证书", "王芳", "实验中学", "2026春")
    assert (one.ledger, str(one.hours), one.result_id) == ("总学时", "50.00", result.id)
    assert one.outcome_digest == results.outcome_digest(result)
    assert genuine(one.number, keys=[KEY]) == one.number
    assert deeds(signed, one) == ["certificate.issue"]
    assert [row.name for row in certificates.issuers_of(signed.session, certificate=one)] == ["实验中学"]
    assert told(signed, "certificate.issued") == [
        f"您的“校本应用考核合格证书”已签发，编号{one.number}；颁发单位全部确认后生效。"
    ]
    assert issue(signed) is one
    assert due(signed) == ["joint"]


def test_only_what_the_result_grants_is_issued_by_those_who_may(signed: School, clock) -> None:
    refused(certificates.UnknownCertificate, "本轮的方案没有证书“x”。", lambda: issue(signed, "x"))
    refused(NotAllowed, "您没有权限做这件事：这需要校级管理员的角色。", lambda: issue(signed, actor=signed.members[0]))
    results.sign(signed.session, actor=signed.teachers[1], result=result_of(signed, signed.teachers[1]))
    refused(
        certificates.NotGranted,
        "现在的考核结果达不到“校本应用考核合格证书”的条件，不能发证。",
        lambda: issue(signed, teacher=1),
    )
    assert issue(signed, actor=signed.admin).issued_by_id == signed.admin.id


def test_a_round_without_certificates_has_none_due(opened: School) -> None:
    assert due(opened) == []


def test_without_any_result_nothing_is_issued(session, clock) -> None:
    school = School(session, teachers=1, scheme=certified()).open()
    refused(certificates.ResultNotEffective, "考核结果还没有生效，不能发证。", lambda: issue(school))


def test_a_lowered_grade_grants_what_it_grants(session, clock) -> None:
    """62 may be 合格; the panel says 不合格 with a reason, and there is no certificate (T17)."""
    school = School(session, teachers=1, scheme=certified())
    graded(school, "62")
    scoring(school, clock)
    result = school.compose()[0]
    assert [one["granted"] for one in json.loads(result.outcome)["certificates"]] == [True, True, True]
    member = school.members[0]
    results.confirm(session, actor=member, result=result, lower_to="不合格", reason="课堂中未使用")
    results.publish(session, actor=school.admin, round_=school.round)
    to_sign(school, clock)
    results.sign(session, actor=school.teachers[0], result=result)
    assert due(school) == []


def test_joint_issuers_confirm_each_and_the_last_makes_it_valid(signed: School) -> None:
    """003-17."""
    one = issue(signed, "joint")
    confirm(signed, one, "培训机构")
    assert certificates_valid.verify(signed.session, number=one.number).standing is Standing.PENDING
    assert told(signed, "certificate.valid") == []
    confirm(signed, one, "教师进修学校")
    assert certificates_valid.verify(signed.session, number=one.number).standing is Standing.VALID
    assert told(signed, "certificate.valid") == [f"您的“教学实践合格证明”（编号{one.number}）已生效。"]
    rows = certificates.issuers_of(signed.session, certificate=one)
    assert [(row.place, row.name, row.confirmed_by_id, row.proof) for row in rows] == [
        (0, "培训机构", signed.admin.id, "培函〔2026〕3号"),
        (1, "教师进修学校", signed.admin.id, "培函〔2026〕3号"),
    ]
    confirm(signed, one, "培训机构")
    assert deeds(signed, one) == ["certificate.issue", "certificate.confirm", "certificate.confirm"]


def test_the_provincial_one_waits_for_those_it_rests_on(signed: School) -> None:
    """003-18."""
    joint = issue(signed, "joint")
    school_own = issue(signed)
    confirm(signed, joint, "培训机构", "教师进修学校")
    assert due(signed) == []
    refused(
        certificates.BasisMissing,
        "“培训结业证书”以“校本应用考核合格证书”为依据，须等其颁发单位全部确认后才能发证。",
        lambda: issue(signed, "top"),
    )
    confirm(signed, school_own, "实验中学")
    assert due(signed) == ["top"]
    asked = select(DueWork.subject_id).where(DueWork.kind == WorkKind.ISSUE_CERTIFICATES, DueWork.done_at.is_(None))
    assert signed.session.scalars(asked).all() == [signed.round.id]
    top = issue(signed, "top")
    assert (top.ledger, top.hours) == (None, None)


def test_who_confirms_for_an_issuer(signed: School, clock) -> None:
    one = issue(signed, "joint")
    session, admin, member = signed.session, signed.admin, signed.members[0]

    def by(actor: Person, issuer: str = "培训机构", proof: str | None = "函") -> None:
        certificates_valid.confirm(session, actor=actor, certificate=one, issuer=issuer, proof=proof)

    refused(NotAllowed, "您没有权限做这件事：这需要校级管理员的角色。", lambda: by(member))
    for nothing in (None, " "):
        refused(
            BadInput,
            "凭据：“培训机构”不在本系统内，请写明其确认的凭据（文号、函件）。",
            lambda proof=nothing: by(admin, proof=proof),
        )
    refused(NotFound, "找不到颁发单位“县教育局”。", lambda: by(admin, "县教育局"))
    county = Organization(kind=OrganizationKind.COUNTY, name="教师进修学校")
    session.add(county)
    session.flush()
    signed.organization.parent_id = county.id
    by(admin, "教师进修学校")
    session.execute(CertificateIssuer.__table__.update().values(confirmed_at=None, confirmed_by_id=None))
    session.expire_all()
    session.add(Role(person_id=member.id, organization_id=county.id, kind=RoleKind.COUNTY_ADMIN))
    session.flush()
    own = "您没有权限做这件事：“教师进修学校”由其自己的管理员确认。"
    refused(NotAllowed, own, lambda: by(admin, "教师进修学校"))
    by(member, "教师进修学校", None)
    row = certificates.issuers_of(session, certificate=one)[1]
    assert (row.name, row.confirmed_by_id, row.proof) == ("教师进修学校", member.id, None)


def test_nobody_confirms_their_own_certificate(signed: School) -> None:
    teacher = signed.teachers[0]
    signed.session.add(Role(person_id=teacher.id, organization_id=signed.organization.id, kind=RoleKind.SCHOOL_ADMIN))
    one = issue(signed)
    own = "您没有权限做这件事：不能确认自己的证书。"
    refused(
        NotAllowed,
        own,
        lambda: certificates_valid.confirm(signed.session, actor=teacher, certificate=one, issuer="实验中学"),
    )
    alone: dict[str, Any] = {"round_": signed.round, "issuer": "实验中学"}
    assert certificates_valid.confirm_all(signed.session, actor=teacher, **alone) == 0
    assert certificates_valid.confirm_all(signed.session, actor=signed.admin, **alone) == 1
    assert certificates_valid.confirm_all(signed.session, actor=signed.admin, **alone) == 0


def test_revoked_with_a_reason_what_rests_on_it_too_and_kept(signed: School) -> None:
    school_own, joint = valid(signed)
    top = issue(signed, "top")

    def revoke(actor: Person, reason: str) -> None:
        certificates.revoke(signed.session, actor=actor, certificate=joint, reason=reason)

    refused(NotAllowed, "您没有权限做这件事：这需要校级管理员的角色。", lambda: revoke(signed.teachers[0], "错"))
    refused(BadInput, "理由：撤销证书须写明理由。", lambda: revoke(signed.admin, " "))
    revoke(signed.admin, "姓名有误")
    refused(certificates.AlreadyRevoked, f"编号{joint.number}的证书已经撤销。", lambda: revoke(signed.admin, "错"))
    refused(
        certificates.AlreadyRevoked, f"编号{joint.number}的证书已经撤销。", lambda: confirm(signed, joint, "培训机构")
    )
    assert [one.state.value for one in (school_own, joint, top)] == ["issued", "revoked", "revoked"]
    assert (joint.revoked_by_id, joint.revoked_reason) == (signed.admin.id, "姓名有误")
    assert told(signed, "certificate.revoked") == [
        f"您的“教学实践合格证明”（编号{joint.number}）已撤销：姓名有误。",
        f"您的“培训结业证书”（编号{top.number}）已撤销：所依据的“教学实践合格证明”已撤销。",
    ]
    assert due(signed) == []  # what somebody took back does not come back by itself
    again = issue(signed, "joint", actor=signed.admin)
    assert (again.version, again.supersedes_id, again.number != joint.number) == (2, joint.id, True)
    assert len(certificates.of_round(signed.session, round_=signed.round)) == 4


def test_an_upheld_appeal_replaces_the_certificate_and_both_are_kept(just_passed: School) -> None:
    """N29, T21: issued on 62, appealed, 66 of the hearers: the old one revoked at once, the new one issued."""
    school = just_passed
    old, joint = valid(school)
    appeal = file(school)
    refused(certificates.AppealOpen, "申诉正在复核，有决定之后才能发证。", lambda: issue(school))
    assert due(school) == []
    assert certificates_valid.verify(school.session, number=old.number).standing is Standing.VALID
    for hearer in school.hearers[:2]:
        hear(school, appeal, hearer, marks=dict.fromkeys(("A1", "A3", "A5"), "66"))
    assert [one.revoked_reason for one in (old, joint)] == ["考核结果已变更（第2版）"] * 2
    assert due(school) == ["pass", "joint"]
    fresh = issue(school)
    assert (fresh.version, fresh.supersedes_id, fresh.result_id) == (2, old.id, result_of(school).id)
    assert told(school, "certificate.issued")[-1] == (
        f"您的“校本应用考核合格证书”已换发，新编号{fresh.number}；颁发单位全部确认后生效，原证书留档备查。"
    )
    assert certificates_valid.verify(school.session, number=old.number).standing is Standing.REVOKED
    kinds = [one.state.value for one in certificates.of_enrolment(school.session, enrolment_id=fresh.enrolment_id)]
    assert kinds == ["revoked", "revoked", "issued"]
    enrolment = school.enrolment(school.teachers[0])
    certificates.withdraw_outdated(school.session, enrolment=enrolment, result=result_of(school))
    assert fresh.state is CertificateState.ISSUED


def test_N29_who_failed_gets_the_first_one_after_the_appeal(just_failed: School) -> None:
    school = just_failed
    appeal = file(school)
    for hearer in school.hearers[:2]:
        hear(school, appeal, hearer, marks=dict.fromkeys(("A1", "A3", "A5"), "66"))
    assert result_of(school).grade == "合格"
    assert due(school) == ["pass", "joint"]


def test_a_dismissed_appeal_changes_no_certificate(just_passed: School) -> None:
    old = issue(just_passed)
    appeal = file(just_passed)
    for hearer in just_passed.hearers[:2]:
        hear(just_passed, appeal, hearer)
    assert (old.state, due(just_passed), issue(just_passed)) == (CertificateState.ISSUED, ["joint"], old)


def test_a_stranger_learns_the_least(signed: School) -> None:
    one = valid(signed)[1]
    signed.session.get_one(Person, signed.teachers[0].id).name = "王方"
    assert certificates_valid.verify(signed.session, number=one.number).as_json() == {
        "standing": "valid",
        "text": "有效",
        "number": one.number,
        "title": "教学实践合格证明",
        "holder": "王*",
        "school": "实验中学",
        "ledger": "实践应用学时",
        "hours": "25",
        "issued_on": "2026年4月11日",
    }
    nothing = certificates_valid.verify(signed.session, number="0000-0000-0000-0000")
    assert {name for name, value in nothing.as_json().items() if value is not None} == {"standing", "text"}
    assert nothing.standing is Standing.UNKNOWN


def pages(school: School, found: list[Certificate], *, actor: Person | None = None, url: str | None = None):
    return certificates_valid.pages(
        school.session, actor=actor or school.admin, round_=school.round, certificates=found, public_url=url
    )


def test_printed_is_what_is_valid_by_the_school_or_its_teacher(signed: School) -> None:
    found = valid(signed)
    issue(signed, "top")
    assert certificates_valid.printable(signed.session, round_=signed.round) == found
    assert pages(signed, found, actor=signed.teachers[0]) == pages(signed, found)
    one = pages(signed, found, url="https://a.cn")[1]
    assert (one.issuers, one.hours, one.url) == (
        ("培训机构", "教师进修学校"), "25", f"https://a.cn/verify/{found[1].number}"
    )  # fmt: skip
    event = signed.session.scalars(select(AuditEvent).where(AuditEvent.deed == "certificate.print")).first()
    assert event is not None
    assert json.loads(event.data) == {"numbers": [one.number for one in found]}
    refused(
        NotAllowed,
        "您没有权限做这件事：这需要校级管理员的角色。",
        lambda: pages(signed, found, actor=signed.teachers[1]),
    )
    refused(NoPrinter, str(NoPrinter()), lambda: NullPrinter().pdf([one], made_at=found[0].issued_at))


def test_what_is_not_valid_is_not_printed(signed: School) -> None:
    one = issue(signed)
    refused(
        certificates_valid.NotYetValid,
        f"编号{one.number}的证书还没有由颁发单位全部确认，不能打印。",
        lambda: pages(signed, [one]),
    )
    certificates.revoke(signed.session, actor=signed.admin, certificate=one, reason="错")
    refused(certificates.AlreadyRevoked, f"编号{one.number}的证书已经撤销。", lambda: pages(signed, [one]))


def test_a_certificate_is_found_by_its_number_in_its_round(signed: School) -> None:
    one = issue(signed)
    assert certificates_valid.by_number(signed.session, number=one.number.lower(), round_=signed.round) is one
    other = signed.setup_named("2026秋")
    refused(
        NotFound,
        f"找不到证书“{one.number}”。",
        lambda: certificates_valid.by_number(signed.session, number=one.number, round_=other),
    )


def test_what_is_due_costs_the_same_at_one_teacher_and_three(session, clock) -> None:
    school = School(session, teachers=3, scheme=certified())
    graded(school, "85")
    scoring(school, clock)
    published(school)
    to_sign(school, clock)
    sent = []
    for person in school.teachers:
        results.sign(session, actor=person, result=result_of(school, person))
        with queries(session) as asked:
            assert due(school) == ["pass", "joint"]
        sent.append(len(asked))
    assert len(set(sent[1:])) == 1


def test_two_who_issue_at_once_issue_one(engine: Engine, signed: School) -> None:
    enrolment_id = signed.enrolment(signed.teachers[0]).id
    signed.session.commit()

    def once(session: Session) -> object:
        enrolment = session.get_one(Enrolment, enrolment_id)
        return certificates.issue(session, actor=None, enrolment=enrolment, kind="pass", key=KEY)

    deeds_: list[Callable[[Session], object]] = [once] * 4
    assert at_once(engine, deeds_) == ["done"] * 4
    with transaction(engine) as session:
        assert len(session.scalars(select(Certificate)).all()) == 1


def test_the_flow_issues_what_is_due_once(
    engine: Engine, database_url: str, signed: School, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REVIEW_FLOW_HOME", str(tmp_path))
    monkeypatch.setenv("REVIEW_FLOW_DATABASE_URL", database_url)
    db.settings.cache_clear()
    advance.advance(signed.session, round_=signed.round)
    round_id = signed.round.id
    signed.session.commit()
    assert do_due(WorkKind.ISSUE_CERTIFICATES) == 1
    with transaction(engine) as session:
        kinds = session.scalars(select(Certificate.kind).order_by(Certificate.id)).all()
        assert kinds == ["pass", "joint"]
        round_ = session.get_one(type(signed.round), round_id)
        assert certificates.due_certificates(session, round_=round_) == []
        certificates.ask_for_certificates(session, round_=round_)
    assert do_due(WorkKind.ISSUE_CERTIFICATES) == 0
    db.engine_for(database_url).dispose()
    db.settings.cache_clear()


def test_the_last_word_of_a_round_asks_for_its_certificates(signed: School, clock) -> None:
    clock.day(5, 20)
    advance.advance(signed.session, round_=signed.round)
    advance.close(signed.session, actor=signed.admin, round_=signed.round)
    assert signed.round.phase is RoundPhase.CLOSED
    asked = select(DueWork.subject_id).where(DueWork.kind == WorkKind.ISSUE_CERTIFICATES)
    assert signed.session.scalars(asked).all() == [signed.round.id]
    assert signed.session.scalars(select(Result).where(Result.state != ResultState.FINAL)).all() == []


def test_the_administrator_has_everything_due_issued_and_printed(signed: School) -> None:
    session, round_ = signed.session, signed.round

    def ask(kind: ExportKind = ExportKind.CERTIFICATES) -> RoundExport:
        return exports.start(session, actor=signed.admin, round_=round_, kind=kind)

    with pytest.raises(NotAllowed):
        certificates.order(session, actor=signed.teachers[0], round_=round_)
    certificates.order(session, actor=signed.admin, round_=round_)
    waiting = session.scalars(select(DueWork.subject_id).where(DueWork.kind == WorkKind.ISSUE_CERTIFICATES)).all()
    assert waiting == [round_.id]
    refused(exports.NothingToPrint, "本轮还没有有效的证书可以打印。", ask)
    made = valid(signed)
    asked, other = ask(), ask(ExportKind.RESULTS)
    pages = exports.certificate_pages(session, export=asked, public_url="https://a.test")
    assert pages is not None
    assert [one.number for one in pages] == [one.number for one in made]
    assert exports.certificate_pages(session, export=other, public_url=None) is None
    storage = MemoryStorage()
    exports.run(session, export=asked, storage=storage, printed=b"%PDF")
    assert (asked.state, read(storage, asked.storage_key)) == (JobState.DONE, b"%PDF")
    assert exports.certificate_pages(session, export=asked, public_url=None) is None


def test_nothing_is_issued_on_order_before_results_count(session, clock) -> None:
    school = School(session, teachers=1, scheme=certified()).open()
    with pytest.raises(WrongPhase):
        certificates.order(session, actor=school.admin, round_=school.round)
