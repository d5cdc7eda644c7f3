from __future__ import annotations

import re

from models import Conflict, Fact, Submission
from review_flow.clock import now
from review_flow.rules.lifecycle import SubmissionState
from review_flow.web import approving
from tests.cast import School, queries
from tests.stages import stage
from tests.steps.test_approvals import _sealed, chained, work
from tests.web.conftest import Web

HTMX = {"hx-request": "true"}


@stage
def sealed(session, _clock) -> School:
    """Nine sealed works wait for the school."""
    return _sealed(session, chained())


def test_the_school_approves_and_sends_back(web: Web, sealed: School) -> None:
    first, second = work(sealed, "A1"), work(sealed, "A3")
    base = f"/panel/rounds/{sealed.round.id}/approvals"
    address = f"/panel/approvals/{first.id}"
    given = {"link": "学校审核", "word": "given"}
    with web.of("A01") as admin, web.of("P1") as member, web.of("T02") as teacher:
        assert "审核（9份待审）" in member.get("/panel").text
        for place in ("", "/progress"):
            shown = admin.get(f"/school/rounds/{sealed.round.id}{place}").text
            assert f'href="{base}">审核（9份待审）' in shown
        with queries(web.session) as sent:
            listed = admin.get(base).text
        assert len(re.findall(r'href="/panel/approvals/\d+"', listed)) == 9
        assert [teacher.get(one).status_code for one in (base, address)] == [404, 404]
        assert teacher.post(address, data=given).status_code == 404
        assert "王芳" in admin.get(address).text
        assert admin.post(address, data={**given, "link": "专家认证"}).status_code == 404
        assert admin.post(address, data=given).headers["location"] == base
        assert member.get(address).status_code == 404  # its colleagues have it now
        refused = {"link": "学校审核", "word": "refused"}
        back = f"/panel/approvals/{second.id}"
        assert member.post(back, data=refused, headers=HTMX).status_code == 422
        assert member.post(back, data={**refused, "reason": "教案缺反思"}).headers["location"] == base
        with queries(web.session) as fewer:
            assert len(re.findall(r'href="/panel/approvals/\d+"', admin.get(base).text)) == 7
    assert len(sent) == len(fewer)
    told = [(one.about, one.word, one.source) for one in sealed.session.query(Fact).order_by(Fact.id)]
    assert told == [("A1:学校审核", "given", "陈静"), ("A3:学校审核", "refused", "评委1")]
    sealed.session.expire_all()
    assert sealed.session.get_one(Submission, second.id).state is SubmissionState.CORRECTING


def test_many_works_are_listed_page_by_page(web: Web, sealed: School, monkeypatch) -> None:
    monkeypatch.setattr(approving, "PAGE", 5)
    base = f"/panel/rounds/{sealed.round.id}/approvals"
    with web.of("A01") as admin:
        pages = [admin.get(f"{base}?page={number}").text for number in (1, 2)]
    assert [len(re.findall(r'href="/panel/approvals/\d+"', one)) for one in pages] == [5, 4]
    assert ("第1页，共2页" in pages[0], 'href="?page=2"' in pages[0]) == (True, True)


def test_a_member_sees_nobody_they_keep_away_from(web: Web, sealed: School) -> None:
    address = f"/panel/approvals/{work(sealed).id}"
    teacher, member_ = sealed.teachers[0], sealed.members[0]
    sealed.session.add(
        Conflict(
            one_id=teacher.id,
            other_id=member_.id,
            reason="师徒",
            declared_by_id=sealed.admin.id,
            declared_at=now(),
        )
    )
    with web.of("P1") as member, web.of("P2") as other:
        assert "审核（6份待审）" in member.get("/panel").text
        assert member.get(address).status_code == 404
        assert "审核（9份待审）" in other.get("/panel").text
