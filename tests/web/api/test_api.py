"""What holds for every route: problems, pages, versions, deeds done once; and a teacher's way by a program alone."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import select
from starlette.testclient import TestClient

from models import Assignment, AuditEvent, DueWork, FileReport, Person, SheetImport, Submission
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.rules.tokens import PER_MINUTE, Scope
from review_flow.rules.words import WorkKind
from review_flow.steps import advance, imports, reviews
from review_flow.web.api.document import description
from tests.cast import CHOICE, Clock, School, queries
from tests.web.api.conftest import Program, client_of
from tests.web.conftest import Web

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILES = {
    "getTemplate": [XLSX],
    "getProblemSheet": [XLSX],
    "getExportFile": ["application/octet-stream", "application/pdf"],
}


def test_the_description_is_open_api_3_1_and_complete(web: Web) -> None:
    with client_of(web.app, None) as nobody:
        found = nobody.get("/openapi.json").json()
    assert found == description()
    assert found["openapi"] == "3.1.0"
    operations = [one for methods in found["paths"].values() for one in methods.values()]
    bare = {
        one["operationId"] for methods in found["paths"].values() for kind, one in methods.items() if kind == "head"
    }
    ids = [one["operationId"] for one in operations]
    assert len(set(ids)) == len(ids) == 192
    assert all(one["security"] and one["description"] for one in operations)
    for one in operations:
        for status, answer in one["responses"].items():
            kinds = list(answer.get("content", {}))
            none = status == "204" or (status == "200" and one["operationId"] in bare)
            wanted = [] if none else FILES.get(one["operationId"], ["application/json"])
            wanted = ["application/problem+json"] if status >= "400" else wanted
            assert (one["operationId"], status, kinds) == (one["operationId"], status, wanted)


def test_a_refusal_is_a_problem_in_the_language_asked_for(web: Web, opened: School, program: Program) -> None:
    with program("T01") as client:
        url = f"/rounds/{opened.round.id}/choice"
        found = client.put(url, json={"abilities": ["A1"]}, headers={"if-match": "*"})
        said = found.json()
        assert (found.status_code, found.headers["content-type"]) == (409, "application/problem+json")
        assert said == {
            "type": "urn:review-flow:problem:not-yet",
            "title": "Conflict",
            "status": 409,
            "code": "not-yet",
            "detail": "请先完成前一步：您现在的状态是“已登记”。",
            "request": found.headers["x-request-id"],
            "errors": [],
        }
        english = client.get("/rounds/987654", headers={"accept-language": "en"})
        assert english.headers["content-language"] == "en"
        assert not re.search("[\u4e00-\u9fff]", english.json()["detail"])


def test_what_is_wrong_is_named_field_by_field(web: Web, opened: School, program: Program) -> None:
    with program("A01") as admin:
        rows = [{"number": "T77"}, {"number": "T78", "name": "a\x00", "nick": "x"}]
        found = admin.post("/roster", json={"rows": rows})
        assert (found.status_code, found.json()["code"]) == (422, "bad-input")
        assert [(one["field"], one["code"]) for one in found.json()["errors"]] == [
            ("body.rows.0.name", "missing"),
            ("body.rows.1.name", "string_pattern_mismatch"),
            ("body.rows.1.nick", "extra_forbidden"),
        ]
        for body in (b"{", b"\xff\xfe", b'{"rows": [{"number": "1", "name": "\\ud800"}]}', b"[" * 100_000):
            answer = admin.post("/roster", content=body, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["status"]) == (422, 422)
        large = admin.post("/roster", content=b"x" * 2_000_001, headers={"content-type": "application/json"})
        assert (large.status_code, large.json()["code"]) == (413, "body-too-large")
        lax = {"number": 1, "name": "x", "retires_on": 0, "roles": ["king"]}
        refused = admin.post("/roster", json={"rows": [lax], "round_id": "1"}).json()["errors"]
        assert [one["field"].removeprefix("body.") for one in refused] == [
            "rows.0.number",
            "rows.0.roles.0",
            "rows.0.retires_on",
            "round_id",
        ]
        told = [one["problem"] for one in refused]
        assert (told[0], told[2], told[3]) == ("应为文字。", "应为日期，如 2026-03-20。", "应为整数。")
        assert told[1].startswith("只能是 ")
        assert all(re.search("[\u4e00-\u9fff]", one["problem"]) for one in found.json()["errors"])
        assert admin.delete(f"/rounds/{opened.round.id}/publicity").headers["allow"] == "GET, POST"


def test_a_token_s_requests_are_counted_and_a_session_opens_nothing(web: Web, school: School, program: Program) -> None:
    with program("T01") as client, program("T01", Scope.TEACH) as narrow, web.of("T01") as browser:
        assert client.get("/me").json()["scopes"] == ["admin", "panel", "read", "review", "teach"]
        refused = narrow.get("/me")
        assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing")
        assert browser.get("http://school.test/api/v1/me").status_code == 401
        assert browser.get("http://school.test/api/v1/me").headers["www-authenticate"] == 'Bearer realm="review-flow"'
        answers = [client.get("/me").status_code for _time in range(PER_MINUTE)]
        assert answers == [200] * (PER_MINUTE - 1) + [429]
        assert 0 < int(client.get("/me").headers["retry-after"]) <= 60


def test_a_list_comes_in_parts(web: Web, school: School, program: Program) -> None:
    with program("A01") as admin:
        found, cursor, link = [], None, "/people?limit=5"
        while link:
            answer = admin.get(f"http://school.test{link}" if link.startswith("/api") else link)
            found += [one["number"] for one in answer.json()["items"]]
            cursor = answer.json()["next"]
            link = answer.links["next"]["url"] if cursor else ""
            assert ("next" in answer.links) == (cursor is not None)
        numbers = web.session.scalars(select(Person.number).order_by(Person.id)).all()
        web.session.commit()
        assert found == list(numbers)
        for wrong in ("cursor=-", "cursor=%E5%AD%97", "cursor=LTE", "limit=0", "limit=101", "limit=x"):
            assert (wrong, admin.get(f"/people?{wrong}").status_code) == (wrong, 422)


def test_a_list_costs_the_same_however_long_it_is(web: Web, school: School, program: Program) -> None:
    with program("A01") as admin:
        costs = []
        for limit in (1, 3, 10):
            with queries(web.session) as sent:
                assert len(admin.get(f"/people?limit={limit}").json()["items"]) == limit
            costs.append(len(sent))
        assert len(set(costs)) == 1


def test_an_edit_is_made_from_what_was_read(web: Web, opened: School, program: Program) -> None:
    opened.ready(opened.teachers[0])
    url = f"/rounds/{opened.round.id}/choice"
    with program("T01") as phone, program("T01") as desk:
        read = phone.get(url)
        assert read.json() == {"abilities": list(CHOICE)}
        other = {"abilities": ["A1", "A3", "A6"]}
        assert desk.put(url, json=other).json()["code"] == "version-missing"
        assert desk.put(url, json=other, headers={"if-match": '"none"'}).json()["code"] == "version-changed"
        done = desk.put(url, json=other, headers={"if-match": read.headers["etag"]})
        assert (done.status_code, done.json()) == (200, other)
        late = phone.put(url, json={"abilities": list(CHOICE)}, headers={"if-match": read.headers["etag"]})
        assert late.status_code == 412
        assert phone.get(url).headers["etag"] == done.headers["etag"]


def test_a_key_makes_a_request_one_deed(web: Web, opened: School, program: Program) -> None:
    with program("A01") as admin:
        body = {"url": "https://oa.school.test/hook", "events": ["result.published"]}
        headers = {"idempotency-key": "a-1"}
        first = admin.post("/webhooks", json=body, headers=headers)
        again = admin.post("/webhooks", json=body, headers=headers)
        assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
        assert [one.headers.get("idempotency-replayed") for one in (first, again)] == [None, "true"]
        assert again.headers["etag"] == first.headers["etag"]
        other = admin.post("/webhooks", json={**body, "events": ["round.opened"]}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "key-used-otherwise")
        assert admin.delete("/webhooks/1", headers={"idempotency-key": "a-2"}).status_code == 204
        assert admin.delete("/webhooks/1", headers={"idempotency-key": "a-2"}).status_code == 204
        assert admin.delete("/webhooks/1").status_code == 404
        assert admin.post("/webhooks", json=body, headers={"idempotency-key": "a b"}).status_code == 422


def test_two_at_once_with_one_key_do_it_once(web: Web, opened: School, program: Program) -> None:
    for person in opened.teachers[1:3]:
        opened.ready(person)
        opened.seal(person)
    start = Barrier(2)

    def claim(client: TestClient) -> tuple[int, int, str | None]:
        start.wait(30)
        answer = client.post(f"/rounds/{opened.round.id}/claim", headers={"idempotency-key": "k"})
        return answer.status_code, answer.json()["id"], answer.headers.get("idempotency-replayed")

    with program("T01") as one, program("T01") as other, ThreadPoolExecutor(2) as pool:
        found = sorted(pool.map(claim, [one, other]), key=str)
    assert [status for status, _id, _replayed in found] == [201, 201]
    assert sorted(str(replayed) for _status, _id, replayed in found) == ["None", "true"]
    assert len({task for _status, task, _replayed in found}) == 1
    assert len(web.session.scalars(select(Assignment)).all()) == 1
    web.session.commit()


def test_a_teacher_s_way(web: Web, opened: School, program: Program) -> None:
    school = opened
    one, other = school.teachers[:2]
    school.hours(one, total="50", practice="25")
    school.ready(other)
    school.seal(other)
    base = f"/rounds/{school.round.id}"
    with program("T01") as client:
        assert [item["name"] for item in client.get("/rounds").json()["items"]] == ["2026春"]
        assert client.get(f"{base}/enrolment").json()["next"] == "read"
        assert client.post(f"{base}/enrolment/acknowledge").json()["next"] == "self_test"
        assert client.post(f"{base}/enrolment/self-test").json()["next"] == "choose"
        plan = client.get(f"{base}/plan").json()
        assert (plan["min_abilities"], len(plan["abilities"])) == (3, 7)
        body = {"abilities": list(CHOICE)}
        assert client.put(f"{base}/choice", json=body, headers={"if-match": "*"}).json() == body
        works = client.get("/submissions").json()["items"]
        assert [item["ability"] for item in works] == list(CHOICE)
        key = works[0]["id"]
        assert client.get(f"/submissions/{key}").json()["missing"] != []
        refused = client.post(f"/submissions/{key}/seal", json={"own_work": True})
        assert (refused.status_code, refused.json()["code"]) == (409, "incomplete")
    for work in school.session.scalars(select(Submission).where(Submission.author_id == one.id)):
        school.fill(work)
    with program("T01") as client:
        [first, *_more] = client.get(f"/submissions/{key}/evidence").json()["items"]
        assert (first["verdict"], first["findings"][0]["text"]) == ("valid", "结论：valid")
        assert client.get(f"/evidence/{first['id']}").json() == first
        for work_ in works:
            sealed = client.post(f"/submissions/{work_['id']}/seal", json={"own_work": True}).json()
            assert sealed["state"]["code"] == "sealed"
        stays = client.delete(f"/evidence/{first['id']}")
        assert (stays.status_code, stays.json()["code"]) == (409, "not-editable")
        open_duty = client.post(f"/submissions/{key}/submit")
        assert (open_duty.status_code, open_duty.json()["code"]) == (409, "duty-open")
        assert client.get(f"{base}/result").status_code == 404
        assert client.get(f"{base}/adjustments").json() == {"items": [], "next": None}


def test_a_file_handed_in_by_mistake_is_taken_back(web: Web, opened: School, program: Program) -> None:
    work = opened.ready(opened.teachers[0])[0]
    opened.fill(work)
    with program("T01") as client, program("T02") as colleague:
        [wrong, *rest] = client.get(f"/submissions/{work.id}/evidence").json()["items"]
        assert colleague.delete(f"/evidence/{wrong['id']}").status_code == 404
        assert client.delete(f"/evidence/{wrong['id']}").status_code == 204
        assert client.get(f"/submissions/{work.id}/evidence").json()["items"] == rest
        assert client.delete(f"/evidence/{wrong['id']}").status_code == 404


def test_a_reviewer_s_way(web: Web, opened: School, program: Program) -> None:
    for person in opened.teachers:
        opened.ready(person)
        opened.seal(person)
    opened.allocate()
    task = reviews.tasks_of(opened.session, person=opened.teachers[0], round_=opened.round)[0]
    work = opened.session.get_one(Submission, task.submission_id)
    form = opened.review_form(submission=work)
    with program("T01") as client, program("T02") as colleague:
        listed = client.get("/tasks").json()["items"]
        assert task.id in [one["id"] for one in listed]
        seen = client.get(f"/tasks/{task.id}")
        assert seen.json()["files"] != []
        assert not [one.name for one in opened.teachers[1:] if one.name in seen.text]
        version = client.get(f"/tasks/{task.id}/draft").headers["etag"]
        half = {"comment": "写了一半", "components": dict.fromkeys(form["components"])}
        kept = client.put(f"/tasks/{task.id}/draft", json=half, headers={"if-match": version})
        assert kept.json()["form"]["comment"] == "写了一半"
        with web.of("T01") as browser:  # what a program leaves open is open on the page
            assert "写了一半" in browser.get(f"/reviews/{task.id}").text
        assert client.put(f"/tasks/{task.id}/draft", json=half, headers={"if-match": version}).status_code == 412
        assert colleague.get(f"/tasks/{task.id}").status_code == 404
        refused = client.post(f"/tasks/{task.id}/submit", json={"comment": "短"})
        assert (refused.status_code, refused.json()["code"]) == (422, "form-refused")
        assert "comment" in [one["field"] for one in refused.json()["errors"]]
        assert client.post(f"/tasks/{task.id}/submit", json=form).status_code == 204
        assert client.post(f"/tasks/{task.id}/submit", json=form).status_code == 409
        assert client.post(f"/tasks/{listed[-1]['id']}/decline", json={"reason": "打不开"}).status_code == 204


def test_a_file_is_reported_and_another_work_takes_its_place(web: Web, opened: School, program: Program) -> None:
    for person in opened.teachers:
        opened.ready(person)
    for person in opened.teachers:
        opened.seal(person)
    opened.allocate()
    with program("T02") as client:
        task = next(one for one in client.get("/tasks").json()["items"] if not one["sample"])
        file = client.get(f"/tasks/{task['id']}").json()["files"][0]["id"]
        said = {"evidence_id": file, "why": "broken", "note": "放到一半就停"}
        wrong = client.post(f"/tasks/{task['id']}/report", json={**said, "evidence_id": 987_654})
        assert (wrong.status_code, wrong.json()["code"]) == (404, "not-found")
        assert client.post(f"/tasks/{task['id']}/report", json=said).status_code == 204
        assert client.post(f"/tasks/{task['id']}/report", json=said).json()["code"] == "review-over"
    [kept] = web.session.scalars(select(FileReport)).all()
    web.session.commit()
    assert (kept.evidence_id, kept.note) == (file, "放到一半就停")


def test_the_author_says_what_helped_and_the_administrator_reminds(web: Web, marked: School, program: Program) -> None:
    base = f"/rounds/{marked.round.id}"
    with program("T01") as author, program("T02") as other, program("A01") as admin:
        told = author.get(f"{base}/received-reviews").json()["items"]
        assert {one["helped"] for one in told} == {None}
        first = f"/received-reviews/{told[0]['id']}/helped"
        assert other.post(first, json={"helped": True}).status_code == 404
        assert author.post(first, json={"helped": True}).status_code == 204
        assert author.post(first, json={"helped": False}).json()["code"] == "already-answered"
        assert author.get(f"{base}/received-reviews?limit=1").json()["items"] == [{**told[0], "helped": True}]
        assert admin.post(f"{base}/remind", json={}).json()["code"] == "nothing-to-remind"
        assert admin.post(f"{base}/remind", json={"stage": "nowhere"}).status_code == 422


def test_whose_turn_it_is_is_reminded_once_a_day(web: Web, opened: School, program: Program) -> None:
    with program("A01") as admin:
        again = f"/rounds/{opened.round.id}/remind"
        assert admin.post(again, json={}).json() == {"told": 5}
        assert admin.post(again, json={}).json()["code"] == "reminded-today"


def test_the_panel_s_way(web: Web, marked: School, program: Program, clock: Clock) -> None:
    clock.day(4, 4)
    advance.advance(marked.session, round_=marked.round)
    marked.compose()
    base = f"/rounds/{marked.round.id}"
    with program("P1") as member, program("T01") as teacher, program("A01") as admin:
        agenda = member.get(f"{base}/agenda").json()
        assert [len(agenda[part]) for part in ("marks", "validity", "results")] == [0, 0, 5]
        assert teacher.get(f"{base}/agenda").status_code == 404
        result = agenda["results"][0]
        refused = member.post(f"/panel/results/{result['id']}/confirm", json={"lower_to": "没有"})
        assert (refused.status_code, refused.json()["code"]) == (409, "cannot-confirm")
        for one in agenda["results"]:
            assert member.post(f"/panel/results/{one['id']}/confirm", json={}).status_code == 204
        assert teacher.post(f"/panel/results/{result['id']}/confirm", json={}).status_code == 404
        assert teacher.get(f"{base}/publicity").json()["lines"] == []
        assert [one["grade"] for one in admin.get(f"{base}/results").json()["items"]] != []
        assert admin.post(f"{base}/publicity").json()["phase"]["code"] == "publicity"
        assert len(teacher.get(f"{base}/publicity").json()["lines"]) == 5
        own = teacher.get(f"{base}/result").json()
        assert (own["ledger"] != [], own["outcome"]["ledger"]) == (True, own["ledger"])
        assert teacher.post(f"{base}/result/appeal", json={"reason": "少算一份"}).status_code == 201
        assert teacher.post(f"{base}/result/sign", json={}).json()["code"] == "not-to-sign"
        assert admin.get(f"{base}/progress").json()["results"] == {"published": 4, "appealed": 1}
        trail = admin.get("/audit?deed=appeal.file").json()["items"]
        assert [(one["actor"]["number"], one["about"]) for one in trail] == [("T01", "appeal:1")]


def test_people_are_brought_in_by_the_sheet_s_rules(web: Web, opened: School, program: Program) -> None:
    rows = [
        {
            "number": "T77",
            "name": "何平",
            "subject": "音乐",
            "roles": ["teacher", "workshop_leader"],
            "workshop": "艺术坊",
        },
        {"number": "T78", "name": '逗号,引号"'},
    ]
    with program("A01") as admin:
        asked = admin.post("/roster", json={"rows": rows, "round_id": opened.round.id})
        assert (asked.status_code, asked.json()["state"]) == (202, "waiting")
        key = asked.json()["id"]
    run(web, key)
    with program("A01") as admin, program("T77") as new:
        assert admin.get(f"/imports/{key}").json() == {
            **admin.get(f"/imports/{key}").json(),
            "state": "done",
            "rows": 2,
        }
        assert new.get("/me").json()["roles"] == ["teacher", "workshop_leader"]
        twice = admin.post("/roster", json={"rows": [rows[0], rows[0]]}).json()["id"]
    run(web, twice)
    with program("A01") as admin:
        told = admin.get(f"/imports/{twice}").json()
        assert (told["state"], [one["row"] for one in told["problems"]]) == ("refused", [1])
        assert admin.get(f"/rounds/{opened.round.id}/waits?limit=2").json()["next"] is not None


def test_a_scheme_is_looked_at_kept_and_read_back(web: Web, school: School, program: Program) -> None:
    text = scheme_files.available()[0].file.read_text(encoding="utf-8")
    with program("A01") as admin, program("T01") as teacher:
        found = admin.post("/scheme-checks", json={"text": text + "zzz: 1\n"}).json()
        assert (found["ok"], found["digest"], [one["field"] for one in found["mistakes"]]) == (False, None, ["zzz"])
        assert found["mistakes"][0]["line"] == len(text.splitlines()) + 1
        day = {"effective_from": "2026-03-01"}
        refused = admin.post("/schemes", json={"text": "a: *b", **day})
        assert (refused.status_code, refused.json()["code"]) == (422, "scheme-invalid")
        looked = admin.post("/scheme-checks", json={"text": text}).json()
        assert (looked["ok"], looked["origin"] is None, looked["differences"]) == (True, False, [])
        made = admin.post("/schemes", json={"text": text, **day})
        assert (made.status_code, made.json()["digest"], made.json()["state"]["code"]) == (
            201,
            looked["digest"],
            "draft",
        )
        key = made.json()["id"]
        assert admin.get(f"/schemes/{key}").json() == made.json()
        assert admin.post("/scheme-checks", json={"text": made.json()["text"]}).json()["digest"] == looked["digest"]
        assert [one["id"] for one in admin.get("/schemes").json()["items"]][-1] == key
        assert teacher.get(f"/schemes/{key}").status_code == 403


def run(web: Web, key: int) -> None:
    found = web.session.get_one(SheetImport, key)
    imports.run(web.session, sheet_import=found, storage=web.app.state.storage)
    for one in web.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.IMPORT_SHEET)):
        one.done_at = now()
    web.release()


def test_webhooks_are_set_up_listed_and_changed(web: Web, opened: School, program: Program) -> None:
    with program("A01") as admin:
        made = admin.post("/webhooks", json={"url": "https://oa.test/h", "events": ["round.opened"]})
        key, secret = made.json()["id"], made.json()["secret"]
        shown = admin.get(f"/webhooks/{key}")
        assert (secret[:6], "secret" in shown.json()) == ("whsec_", False)
        assert [one["id"] for one in admin.get("/webhooks").json()["items"]] == [key]
        off = {"events": ["result.published"], "on": False}
        assert admin.put(f"/webhooks/{key}", json=off, headers={"if-match": '"x"'}).status_code == 412
        done = admin.put(f"/webhooks/{key}", json=off, headers={"if-match": shown.headers["etag"]}).json()
        assert (done["on"], done["why_off"], done["events"]) == (False, "由管理员停用", ["result.published"])
        assert admin.post(f"/webhooks/{key}/test").json()["event"] == "webhook.test"
        assert [one["attempts"] for one in admin.get(f"/webhooks/{key}/deliveries").json()["items"]] == [0]
        inside = admin.post("/webhooks", json={"url": "http://10.0.0.1/", "events": ["round.opened"]})
        assert (inside.status_code, inside.json()["code"]) == (422, "not-for-outside")
        deeds = web.session.scalars(select(AuditEvent.deed).where(AuditEvent.deed.like("webhook.%"))).all()
        web.session.commit()
        assert deeds == ["webhook.make", "webhook.change"]


def test_one_s_tokens_have_a_page(web: Web, school: School) -> None:
    with web.of("T01") as browser, web.of("T02") as colleague:
        assert 'href="/me/tokens"' in browser.get("/me").text
        page = browser.post("/me/tokens", data={"name": "<b>表</b>", "scopes": ["read", "review"], "days": "7"}).text
        token = page.split('<p class="sheet"><code>')[1].split("<")[0]
        assert "&lt;b&gt;表&lt;/b&gt;" in page
        with client_of(web.app, token) as client:
            assert client.get("/me").json()["scopes"] == ["read", "review"]
            listed = browser.get("/me/tokens").text
            assert (token[:12] in listed, token in listed, "最近使用" in listed) == (True, False, True)
            assert colleague.post("/me/tokens/1/revoke").status_code == 404
            assert browser.post("/me/tokens/1/revoke").headers["location"] == "/me/tokens"
            assert client.get("/me").status_code == 401
        assert browser.post("/me/tokens", data={"name": "x", "days": "7"}).status_code == 422
        assert browser.post("/me/tokens", data={"name": "x", "days": "7", "scopes": "all"}).status_code == 422
        english = browser.get("/me/tokens", headers={"accept-language": "en"}).text
        assert "API tokens" in english


def test_the_administrator_has_a_page_of_webhooks(web: Web, opened: School) -> None:
    with web.of("A01") as admin, web.of("T01") as teacher:
        assert 'href="/school/webhooks"' in admin.get("/me").text
        filled = {"url": "https://oa.test/h", "events": ["round.opened", "result.published"]}
        made = admin.post("/school/webhooks", data=filled).text
        secret = made.split('<p class="sheet"><code>')[1].split("<")[0]
        assert secret.startswith("whsec_")
        assert "https://oa.test/h" in admin.get("/school/webhooks").text
        assert admin.post("/school/webhooks/1/test").headers["location"] == "/school/webhooks/1"
        shown = admin.get("/school/webhooks/1").text
        assert ("webhook.test" in shown, "等待发送" in shown, secret in shown) == (True, True, False)
        assert shown.count(" checked>") == 3
        assert admin.post("/school/webhooks/1", data={"events": ["round.opened"]}).status_code == 303
        assert "已停用：由管理员停用" in admin.get("/school/webhooks/1").text
        assert admin.post("/school/webhooks/1", data={"on": "true"}).status_code == 422
        inner = admin.post("/school/webhooks", data={**filled, "url": "http://127.0.0.1/"})
        assert (inner.status_code, "内部地址" in inner.text) == (422, True)
        assert teacher.get("/school/webhooks/1").status_code == 403
        assert admin.post("/school/webhooks/1/remove").headers["location"] == "/school/webhooks"
        assert admin.get("/school/webhooks/1").status_code == 404
