from __future__ import annotations

import re

from models import Workshop
from review_flow.rules.words import RoleKind
from review_flow.steps import people
from tests.cast import School
from tests.web.conftest import Web


def test_roles_are_given_and_taken(web: Web, school: School) -> None:
    teacher = school.teachers[0]
    web.release()
    place = f"/school/people/{teacher.id}/roles"
    with web.of("A01") as admin:
        assert teacher.name in admin.get("/school/roles?word=T01").text
        assert admin.get("/school/roles?word=T01").text.count("<details>") == 1
        assert admin.post(place, data={"kind": "workshop_leader"}).headers["location"] == "/school/roles"
        assert people.roles_of(school.session, person=teacher) == {RoleKind.TEACHER, RoleKind.WORKSHOP_LEADER}
        web.release()
        assert admin.post(f"{place}/withdraw", data={"kind": "workshop_leader", "yes": "yes"}).status_code == 303
        mine = f"/school/people/{school.admin.id}/roles/withdraw"
        assert admin.post(mine, data={"kind": "school_admin", "yes": "yes"}).status_code == 409


def test_the_trail_is_searched_and_its_chain_shown_to_be_whole(web: Web, school: School) -> None:
    with web.of("A01") as admin:
        newest = admin.get("/school/audit").text
        assert ("before=" in newest, "round.create" in newest) == (False, True)
        assert f'<a href="/school/audit?thing=round&amp;key={school.round.id}">考核轮次 {school.round.id}</a>' in newest
        whose = "who=%E9%99%88%E9%9D%99&since=2026-03-02&until=2026-03-02"
        found = admin.get(f"/school/audit?deed=panel.seat&{whose}").text
        assert ("安排考核组席位</th>" in found, "新建考核轮次</th>" in found) == (True, False)
        assert '<option value="panel.seat" selected>安排考核组席位</option>' in found
        assert "新建考核轮次</th>" in admin.get("/school/audit?thing=round").text
        assert "没有这样的记录" in admin.get("/school/audit?thing=round&key=999").text
        assert "consent.give" not in newest
        assert "Seated somebody on the panel</th>" in admin.get("/school/audit", headers={"accept-language": "en"}).text
        assert admin.get("/school/audit?key=x").status_code == 422
        assert admin.get("/school/audit?since=2026-99-99").status_code == 200
        assert admin.get("/school/audit?since=x").status_code == 422
        assert admin.post("/school/audit/chain").headers["location"] == "/school/audit"
        asked = re.search(r'hx-get="(/errands/\d+)"', admin.get("/school/audit").text)
        assert asked is not None
        assert "在后台进行" in admin.get(asked[1]).text
        assert web.do_errands() is None
        done = admin.get(asked[1])
        assert (done.status_code, done.headers["hx-refresh"]) == (204, "true")
        assert "✓" in admin.get("/school/audit").text
        with web.of("T01") as teacher:
            assert teacher.get(asked[1]).status_code == 404


def test_the_board_shows_workshops_beside_each_other(web: Web, school: School) -> None:
    school.session.add(Workshop(organization_id=school.organization.id, name="语文坊"))
    school.session.flush()
    with web.of("A01") as admin:
        assert "语文坊" in admin.get(f"/school/rounds/{school.round.id}/board").text
