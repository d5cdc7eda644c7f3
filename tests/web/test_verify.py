"""What a stranger learns of a certificate's number: whether it stands, and what is printed on it, the name masked."""

from __future__ import annotations

from models import Certificate
from review_flow.rules.certificates import number_of
from review_flow.steps import certificates, certificates_valid, results
from tests.cast import School
from tests.stages import stage
from tests.steps.test_appeals import result_of, to_sign
from tests.steps.test_certificates import played
from tests.web.conftest import Web


@stage
def passed(session, clock) -> School:
    """王芳 passed and signed: the school may issue a certificate."""
    school = played(session, clock, "85")
    to_sign(school, clock)
    results.sign(session, actor=school.teachers[0], result=result_of(school))
    return school


def issued(web: Web, school: School) -> Certificate:
    return certificates.issue(
        school.session,
        actor=school.admin,
        enrolment=school.enrolment(school.teachers[0]),
        kind="pass",
        key=web.app.state.settings.number_key(),
    )


def shown(web: Web, number: str) -> str:
    with web.stranger() as client:
        answer = client.get(f"/verify/{number}")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.text


def test_a_number_nobody_issued(web: Web) -> None:
    never_issued = number_of(b"12345678", key=web.app.state.settings.number_key())
    for number in ("0000-0000-0000-0000", never_issued, "%3Cb%3E"):
        assert "查无此证" in shown(web, number)
    assert "<b>" not in shown(web, "%3Cb%3E")


def test_a_certificate_from_its_first_day_to_its_last(web: Web, passed: School) -> None:
    one = issued(web, passed)
    assert "待颁发单位确认，尚未生效" in shown(web, one.number)
    certificates_valid.confirm(passed.session, actor=passed.admin, certificate=one, issuer="实验中学", proof=None)
    page = shown(web, one.number.lower().replace("-", ""))
    for text in ("<h1>有效</h1>", one.number, one.title, "王*", "实验中学"):
        assert text in page
    told = page[page.index("<main") :].replace(one.number, "")  # addresses and numbers are any letters at all
    for secret in ("王芳", "T01", "85", "优秀"):
        assert secret not in told
    certificates.revoke(passed.session, actor=passed.admin, certificate=one, reason="发错了人")
    page = shown(web, one.number)
    assert "<h1>已撤销</h1>" in page
    assert "发错了人" not in page


def test_whoever_has_only_the_paper_types_the_number(web: Web, passed: School) -> None:
    number = issued(web, passed).number
    with web.stranger() as client:
        assert client.get("/verify").status_code == 200
        assert client.get("/verify", params={"number": f" {number} "}).headers["location"] == f"/verify/{number}"
        wrong = client.get("/verify", params={"number": "<b>x</b>"})
    assert (wrong.status_code, "&lt;b&gt;x&lt;/b&gt;" in wrong.text) == (200, True)
