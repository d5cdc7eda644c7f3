from __future__ import annotations

from sqlalchemy import select

from models import Certificate, RoundExport
from review_flow.rules.certificates import CertificateState
from review_flow.rules.lifecycle import RoundPhase
from review_flow.steps import advance, certificates, exports, results
from tests.cast import Clock, School, certified
from tests.stages import stage
from tests.web.conftest import Web


@stage
def banded(session, clock: Clock) -> School:
    """Four teachers whose grades the panel confirmed, under a scheme that grants certificates."""
    school = School(session, teachers=4, scheme=certified()).open().whole()
    clock.day(4, 4)
    advance.advance(session, round_=school.round)
    school.compose()
    results.confirm_all(session, actor=school.members[0], round_=school.round)
    return school


def until_final(school: School, clock: Clock) -> None:
    for month in (5, 6):
        clock.day(month, 30)
        advance.advance(school.session, round_=school.round)


def test_a_round_is_published_certified_exported_and_closed(web: Web, banded: School, clock: Clock) -> None:
    school, place = banded, f"/school/rounds/{banded.round.id}"
    with web.of("A01") as admin:
        assert admin.post(f"{place}/publish", data={"yes": "yes"}).headers["location"] == f"{place}/publicity"
        shown = admin.get(f"{place}/publicity").text
        assert ([one.name in shown for one in school.teachers], "共4人" in shown) == ([True] * 4, True)
        assert admin.post(f"{place}/close", data={"yes": "yes"}).status_code == 409
    until_final(school, clock)
    with web.of("A01") as admin:
        assert admin.post(f"{place}/certificates/order").headers["location"] == f"{place}/finish#jobs"
        assert "排队中" in admin.get(f"{place}/jobs").text
        assert admin.post(f"{place}/exports", data={"kind": "certificates"}).status_code == 409
        admin.post(f"{place}/exports", data={"kind": "results"})
        asked = school.session.scalars(select(RoundExport)).one()
        web.release()
        assert admin.get(f"/school/exports/{asked.id}/file").status_code == 404
        assert f'hx-get="{place}/jobs"' in admin.get(f"{place}/finish").text
        exports.run(school.session, export=asked, storage=web.app.state.storage)
        web.release()
        file = admin.get(f"/school/exports/{asked.id}/file")
        assert (file.content[:2], file.headers["content-disposition"][:10]) == (b"PK", "attachment")
        assert admin.post(f"{place}/close", data={"yes": "yes"}).headers["location"] == f"{place}/finish#jobs"
    school.session.refresh(school.round)
    assert school.round.phase is RoundPhase.CLOSED


def test_where_the_scheme_grants_no_certificates_none_can_be_asked_for(web: Web, fuqing: School) -> None:
    place = f"/school/rounds/{fuqing.round.id}/finish"
    kept, fuqing.round.phase = fuqing.round.phase, RoundPhase.SIGNING
    with web.of("A01") as admin:
        shown = admin.get(place).text
    fuqing.round.phase = kept
    assert "没有规定证书" in shown
    assert ("certificates/order" in shown, 'value="certificates"' in shown) == (False, False)


def test_certificates_are_confirmed_revoked_and_issued_again(web: Web, banded: School, clock: Clock) -> None:
    school, place = banded, f"/school/rounds/{banded.round.id}/certificates"
    results.publish(school.session, actor=school.admin, round_=school.round)
    until_final(school, clock)
    key = web.app.state.settings.number_key()
    for one in certificates.due_certificates(school.session, round_=school.round):
        enrolment = next(row for row in map(school.enrolment, school.teachers) if row.id == one.enrolment_id)
        certificates.issue(school.session, actor=None, enrolment=enrolment, kind=one.kind, key=key)
    made = school.session.scalars(select(Certificate).order_by(Certificate.id)).all()
    assert len(made) == 8
    with web.of("A01") as admin:
        shown = admin.get(place).text
        assert ("待实验中学确认" in shown, made[0].number in shown) == (True, True)
        assert admin.post(f"{place}/confirm", data={"issuer": "实验中学", "yes": "yes"}).headers["location"] == place
        assert "有效" in admin.get(f"{place}?word={made[0].number}").text
        assert made[0].number not in admin.get(f"{place}?word={made[-1].number}").text
        one = f"/school/certificates/{made[0].id}"
        assert admin.post(f"{one}/revoke", data={"reason": "姓名有误", "yes": "yes"}).headers["location"] == place
        assert "撤销理由：姓名有误" in admin.get(place).text
        assert admin.post(f"{one}/again", data={"yes": "yes"}).headers["location"] == place
    rows = select(Certificate.state).where(
        Certificate.kind == made[0].kind, Certificate.enrolment_id == made[0].enrolment_id
    )
    assert set(school.session.scalars(rows)) == {CertificateState.REVOKED, CertificateState.ISSUED}
