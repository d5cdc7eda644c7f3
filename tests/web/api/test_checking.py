"""The panel by programs: drafts, reported files, an arbiter, grades one by one and all at once, an appeal heard."""

from __future__ import annotations

from models import Evidence, FileReport
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.words import ReportReason, Verdict
from review_flow.steps import advance, claims, file_reports, panel, reviews, submissions
from tests.cast import Clock, School
from tests.stages import stage
from tests.web.api.conftest import Program
from tests.web.conftest import Web


@stage
def at_panel(session, _clock: Clock) -> School:
    """A teacher's works wait for the panel's marks."""
    school = School(session, teachers=1).open()
    [person] = school.teachers
    works = school.ready(person)
    school.seal(person)
    for work in works:
        submissions.submit(session, actor=person, submission=work)
        reviews.close_short(session, submission=work)
    return school


@stage
def reported(session, _clock: Clock) -> School:
    """王芳 reported the first file of the work that she had taken."""
    school = School(session, teachers=2).open()
    person, author = school.teachers
    school.ready(person)
    school.ready(author)
    school.seal(author)
    task = claims.claim(session, actor=person, round_=school.round)
    file = session.query(Evidence).filter_by(submission_id=task.submission_id).order_by(Evidence.id).first()
    told = {"reason": ReportReason.BROKEN, "note": "放到一半就停"}
    file_reports.report(session, actor=person, assignment=task, evidence=file, **told)
    return school


def test_a_reported_file_is_looked_at(web: Web, reported: School, program: Program) -> None:
    base = f"/rounds/{reported.round.id}/file-reports"
    with program("P1") as member, program("P2") as other, program("T01") as reporter:
        [found] = member.get(base).json()["items"]
        assert (found["why"], found["note"]) == ({"code": "broken", "text": "打不开或放不完"}, "放到一半就停")
        assert (reporter.get(base).status_code, "王芳" in member.get(base).text) == (404, False)
        address = f"/panel/file-reports/{found['id']}"
        assert (member.get(address).json(), reporter.get(address).status_code) == (found, 404)
        close = f"{address}/close"
        assert member.post(close, json={"doubtful": True, "finding": " "}).json()["code"] == "bad-input"
        assert reporter.post(close, json={"doubtful": True, "finding": "x"}).status_code == 404
        assert member.post(close, json={"doubtful": True, "finding": "只有一半"}).status_code == 204
        assert other.post(close, json={"doubtful": False, "finding": "x"}).status_code == 404
        assert member.get(base).json() == {"items": [], "next": None}
    [report] = web.session.query(FileReport)
    assert (report.finding, web.session.get_one(Evidence, report.evidence_id).verdict) == ("只有一半", Verdict.HUMAN)


def test_a_mark_is_drafted_from_what_was_read(web: Web, at_panel: School, program: Program) -> None:
    [first, *_others] = panel.asked_of(at_panel.session, person=at_panel.members[0], round_=at_panel.round)
    address, form = f"/panel/submissions/{first.id}", at_panel.review_form(submission=first)
    with program("P1") as member, program("T01") as teacher:
        read = member.get(f"{address}/draft")
        assert (read.json(), teacher.get(f"{address}/draft").status_code) == ({"form": None}, 404)
        half, version = {"comment": "写了一半"}, {"if-match": read.headers["etag"]}
        kept = member.put(f"{address}/draft", json=half, headers=version)
        assert kept.json()["form"]["comment"] == "写了一半"
        assert member.put(f"{address}/draft", json=half, headers=version).json()["code"] == "version-changed"
        with web.of("P1") as browser:
            assert "写了一半" in browser.get(f"/panel/marks/{first.id}").text
        assert (member.get(address).json()["others"], member.get(address).json()["author"]) == ([], None)
        files = member.get(f"{address}/evidence").json()["items"]
        assert [(one["file_name"], one["findings"]) for one in files] == [
            (f"{one['slot']}-{one['id']}.mp4", []) for one in files
        ]
        assert member.post(f"{address}/mark", json=form).status_code == 204
        assert member.put(f"{address}/draft", json=half, headers={"if-match": "*"}).status_code == 404


def test_an_arbiter_is_told_the_marks_that_differ(web: Web, at_panel: School, program: Program) -> None:
    work = panel.asked_of(at_panel.session, person=at_panel.members[0], round_=at_panel.round)[0]
    for person, mark in zip(at_panel.members, ("60", "95", "95"), strict=True):
        if work in panel.asked_of(at_panel.session, person=person, round_=at_panel.round):
            form = at_panel.review_form(mark, submission=work)
            panel.mark(at_panel.session, actor=person, submission=work, form=form)
    assert work.state is SubmissionState.IN_ARBITRATION
    with program("P5") as arbiter, program("P1") as member:
        assert arbiter.get(f"/rounds/{at_panel.round.id}/agenda").json()["marks"][0]["author"] is None
        others = arbiter.get(f"/panel/submissions/{work.id}").json()["others"]
        assert [one["mark"] for one in others] == ["60.00", "95.00", "95.00"]
        assert member.get(f"/panel/submissions/{work.id}").json()["others"] == []


def test_grades_are_confirmed_all_at_once_and_one_is_heard_again(
    web: Web, marked: School, program: Program, clock: Clock
) -> None:
    clock.day(4, 4)
    advance.advance(marked.session, round_=marked.round)
    marked.compose()
    base = f"/rounds/{marked.round.id}"
    with program("P1") as member, program("T01") as teacher:
        [first, *_others] = member.get(f"{base}/agenda").json()["results"]
        told = member.get(f"/panel/results/{first['id']}").json()
        assert (told["unready"], told["ledger"] != [], told["grade"]) == (None, True, None)
        assert teacher.get(f"/panel/results/{first['id']}").status_code == 404
        assert teacher.post(f"{base}/confirm-grades").status_code == 404
        asked = member.post(f"{base}/confirm-grades")
        waits = {"under_way": True, "stopped": None, "done_at": None, "confirmed": None, "left": None}
        assert (asked.status_code, asked.json()) == (202, waits)
        assert teacher.get(f"{base}/confirm-grades").status_code == 404
    web.do_errands()
    with program("P1") as member, program("A01") as admin, program("T01") as teacher, program("P6") as hearer:
        done = member.get(f"{base}/confirm-grades").json()
        assert done == {**waits, "under_way": False, "done_at": done["done_at"], "confirmed": 5, "left": 0}
        assert member.post(f"{base}/confirm-grades").json()["code"] == "nothing-to-confirm"
        assert member.get(f"/panel/results/{first['id']}").json()["unready"] == "现在是“已定等”"
        admin.post(f"{base}/publicity")
        appeal = teacher.post(f"{base}/result/appeal", json={"reason": "少算一份"}).json()["id"]
        heard = hearer.get(f"/panel/appeals/{appeal}").json()
        assert (heard["reason"], heard["needed"], len(heard["again"])) == ("少算一份", 2, 3)
        assert (told.keys() - heard["result"].keys(), {one["was"] for one in heard["again"]}) == (
            {"who", "flags", "unready", "lower_to", "outcome"},
            {"85.00"},
        )
        assert (heard["result"]["ledger"], member.get(f"/panel/appeals/{appeal}").status_code) == (told["ledger"], 404)
        again = {heard["again"][0]["code"]: "100"}
        said = {"uphold": True, "reason": "确实少算", "marks": again}
        assert hearer.post(f"/panel/appeals/{appeal}/vote", json=said).status_code == 204
        open_ = teacher.get(f"{base}/result").json()["appeal"]
        assert (open_["state"], open_["reasons"], open_["grade_before"]) == ("filed", [], None)
    with program("P7") as hearer, program("T01") as teacher:
        assert hearer.post(f"/panel/appeals/{appeal}/vote", json=said).status_code == 204
        answer = teacher.get(f"{base}/result").json()["appeal"]
        assert (answer["id"], answer["state"], answer["reasons"]) == (appeal, "upheld", ["确实少算"] * 2)
        assert (answer["grade_before"], answer["score_before"]) == ("优秀", "85.00")
