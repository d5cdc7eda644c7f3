"""A whole round, played: every person does their part through the same steps as in the product, on a fast clock.

The flows run beside it in a real worker against a real Prefect server; `settle` waits until nothing is due.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select

from models import (
    Adjustment,
    Appeal,
    Assignment,
    Enrolment,
    Evidence,
    Person,
    RoundExport,
    Signature,
    Submission,
)
from review_flow import schemes as scheme_files
from review_flow.clock import hands_at, move_to
from review_flow.demo import media, people
from review_flow.demo.stage import Stage, Story, at, form, near
from review_flow.evidence.faces import to_bytes
from review_flow.i18n import _, say
from review_flow.outside.storage import read
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.words import ExportKind, SeatKind, SheetKind, Verdict
from review_flow.steps import (
    adjustments,
    advance,
    appeals,
    claims,
    enrolments,
    evidence,
    exports,
    faces,
    invariants,
    panel,
    results,
    reviews,
    rounds,
    schemes,
    submissions,
    validity,
)
from review_flow.steps import people as staff

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.orm import Session


SCHOOL, ROUND, SCHEME = "实验中学", "2026年春季校本应用考核", "xian-2022-appraisal"
SCHOOL_LIST = ("A1", "A2", "A3", "A5", "A6", "A9", "A11", "A12")
FILES = {ExportKind.RESULTS: "results.xlsx", ExportKind.ARCHIVE: "round.zip"}


@dataclass
class Play(Stage):
    """The director: every scene is one method."""

    # The scenes.

    def play(self) -> Story:
        """Play the round from the founding of the school to the archive; returns what happened."""
        with hands_at(at(3, 2)):
            for title, scene in (
                (_("制作照片、视频和文档"), self.film_all),
                (_("建校、导入名单与方案"), self.found),
                (_("开放考核，阅读方案，自测，选择微能力"), self.begin),
                (_("授权人脸比对，上传证据"), self.upload),
                (_("补充被退回的文件，封存"), self.seal),
                (_("互评，先互评后提交"), self.review),
                (_("一位教师中途退出，任务收回重派"), self.drop_out),
                (_("有效性认定，一次补正"), self.judge),
                (_("考核组评分，一次仲裁"), self.mark),
                (_("扣分异议，合成成绩，定等，公示"), self.compose),
                (_("签名，一次申诉成立"), self.sign),
                (_("归档与导出"), self.finish),
            ):
                self.tell(say(title))
                scene()
        return self.story

    def film_all(self) -> None:
        """Make the media; Prefect's server starts meanwhile."""
        self.shots = media.make_all(self.home / "media")

    def found(self) -> None:
        """Found the school, bring the roster in, adopt and publish the scheme, set the round up."""
        with self.deed() as session:
            school, admin = staff.found_school(session, name=SCHOOL, admin_number="A001", admin_name="陈静")
            scheme = scheme_files.load(SCHEME)
            version = schemes.adopt(
                session, actor=admin, organization_id=school.id, scheme=scheme, effective_from=date(2026, 3, 1)
            )
            for unknown in scheme.unknowns:
                schemes.confirm(session, actor=admin, version=version, unknown_id=unknown.id)
            schemes.publish(session, actor=admin, version=version)
            rounds.create(
                session,
                actor=admin,
                version=version,
                name=ROUND,
                abilities=SCHOOL_LIST,
                opens_on=date(2026, 3, 2),
                submit_due_on=date(2026, 3, 20),
                hard_close_on=date(2026, 4, 10),
            )
        self.bring(SheetKind.ROSTER, people.roster_rows(), to_round=True)
        self.bring(SheetKind.ROSTER, people.panel_rows(), to_round=False)
        with self.deed() as session:
            admin = self.someone(session, "A001")
            seats = [(number, kind) for number, _name, kind in people.PANEL]
            for number, kind in [*seats, (people.LEADER, "member")]:
                rounds.seat(
                    session,
                    actor=admin,
                    round_=self.the_round(session),
                    person=self.someone(session, number),
                    kind=SeatKind(kind),
                )

    def begin(self) -> None:
        """Open the round; everybody reads, tests themselves and chooses."""
        with self.deed() as session:
            admin, round_ = self.someone(session, "A001"), self.the_round(session)
            scheme = rounds.round_scheme(session, round_=round_)
            for title in ("范例一", "范例二", "范例三"):
                filled = form(scheme, [], Decimal(78), "合格")
                reviews.add_sample(session, actor=admin, round_=round_, ability="A2", title=title, form=filled)
            rounds.open_round(session, actor=admin, round_=round_)
        self.bring(SheetKind.HOURS, people.hours_rows(), to_round=True)
        for teacher in self.taking_part():
            with self.deed() as session:
                actor, enrolment = self.someone(session, teacher.number), self.enrolled(session, teacher.number)
                enrolments.acknowledge(session, actor=actor, enrolment=enrolment)
                enrolments.self_test(session, actor=actor, enrolment=enrolment)
                enrolments.choose(session, actor=actor, enrolment=enrolment, abilities=teacher.abilities)

    def taking_part(self) -> list[people.Teacher]:
        """Return the teachers who are not exempt."""
        return [one for one in people.teachers() if one.number != people.EXEMPT]

    def upload(self) -> None:
        """Enrol two faces; everybody uploads; the checks run beside it."""
        for number, face in ((people.GRACE, "grace"), (people.EILEEN, "eileen")):
            with self.deed() as session:
                actor = self.someone(session, number)
                faces.give_consent(session, actor=actor)
                encoder = self.sandbox.recogniser()
                for photo in self.shots.references[face]:
                    enrolled = self.sandbox.enrol(photo)
                    if enrolled.encoding is not None:
                        encoding = to_bytes(enrolled.encoding)
                        faces.add_reference(
                            session, actor=actor, encoding=encoding, encoder=encoder, keys=self.face_keys
                        )
        move_to(at(3, 9))
        self.film(people.GRACE, {"A1": self.shots.broken, "A3": self.shots.photo, "A5": self.shots.someone_else})
        self.film(
            people.EILEEN,
            {"A1": self.shots.lessons["eileen"], "A3": self.shots.lessons["eileen"], "A5": self.shots.nobody},
        )
        for teacher in self.taking_part():
            if teacher.number not in {people.GRACE, people.EILEEN}:
                self.write(teacher)
        self.settle()

    def film(self, number: str, clips: dict[str, Path]) -> None:
        """Upload a clip where the teacher is to be seen, and texts elsewhere."""
        with self.deed() as session:
            for work in self.works(session, number):
                for slot in self.slots(session, work):
                    for place in range(slot.count):
                        if slot.shows_teacher:
                            self.add(session, work, slot, clips[work.ability])
                        else:
                            self.add(session, work, slot, self.text(f"{number}-{work.ability}-{slot.id}-{place}"))

    def write(self, teacher: people.Teacher) -> None:
        """Upload texts for everything; one teacher hands in a colleague's file."""
        with self.deed() as session:
            for work in self.works(session, teacher.number):
                for slot in self.slots(session, work):
                    for place in range(slot.count):
                        owner = "T017" if teacher.number == people.COPYING and work.ability == "A2" else teacher.number
                        self.add(session, work, slot, self.text(f"{owner}-{work.ability}-{slot.id}-{place}"))

    def seal(self) -> None:
        """Replace what the check rejected; seal, two early birds first, one too late."""
        with self.deed() as session:
            rejected = session.scalars(select(Evidence).where(Evidence.verdict == Verdict.REJECTED)).all()
            self.story.facts["rejected_files"] = [one.file_name for one in rejected]
            for one in rejected:
                work = session.get_one(Submission, one.submission_id)
                slot = next(slot for slot in self.slots(session, work) if slot.id == one.slot)
                self.add(session, work, slot, self.shots.lessons["grace"], instead=one)
        self.settle()
        self.seal_all(people.GRACE)
        self.early_bird(people.GRACE)
        move_to(at(3, 12))
        for teacher in self.taking_part():
            if teacher.number not in {people.GRACE, people.LATE}:
                self.seal_all(teacher.number)
        move_to(at(3, 21))
        self.seal_all(people.LATE)
        self.settle()

    def seal_all(self, number: str) -> None:
        """Seal everything somebody has."""
        with self.deed() as session:
            for work in self.works(session, number):
                submissions.seal(session, actor=self.someone(session, number), submission=work, own_work=True)

    def early_bird(self, number: str) -> None:
        """Whoever is first has no colleague's work to review: calibration samples count (X-41, N16)."""
        with self.deed() as session:
            actor, round_ = self.someone(session, number), self.the_round(session)
            scheme = rounds.round_scheme(session, round_=round_)
            for _turn in range(3):
                task = claims.take_sample(session, actor=actor, round_=round_)
                reviews.submit(session, actor=actor, assignment=task, form=form(scheme, [], Decimal(76), "合格"))
            first = self.works(session, number)[0]
            submissions.submit(session, actor=actor, submission=first)

    def review(self) -> None:
        """The school brings in attendance and awards; everybody but the dropout reviews what is assigned to them."""
        move_to(at(3, 21, 15))
        self.bring(SheetKind.ATTENDANCE, people.attendance_rows(), to_round=True)
        self.bring(SheetKind.AWARDS, people.award_rows(), to_round=True)
        self.settle()
        self.review_all()

    def review_all(self) -> None:
        """Do every open task of those who do theirs."""
        worth = {one.number: one.worth for one in people.teachers()}
        for teacher in self.taking_part():
            if teacher.number == people.DROPOUT:
                continue
            with self.deed() as session:
                actor, round_ = self.someone(session, teacher.number), self.the_round(session)
                scheme = rounds.round_scheme(session, round_=round_)
                for task in reviews.tasks_of(session, person=actor, round_=round_):
                    if task.submission_id is None:
                        continue
                    work = session.get_one(Submission, task.submission_id)
                    author = session.get_one(Person, work.author_id).number
                    mark = Decimal(60) if author == people.APPEALING else near(worth[author], task.id)
                    filled = evidence.slots_filled(session, scheme=scheme, submission=work)
                    reviews.submit(session, actor=actor, assignment=task, form=form(scheme, filled, mark, "合格"))

    def drop_out(self) -> None:
        """Let the leases of the one who has left run out; colleagues take the tasks over; everybody submits."""
        move_to(at(3, 24))
        self.settle()
        with self.deed() as session:
            left = self.enrolled(session, people.DROPOUT)
            enrolments.leave_reviewing(session, actor=self.someone(session, "A001"), enrolment=left)
            lapsed = session.scalars(select(Assignment).where(Assignment.reviewer_id == left.person_id)).all()
            self.story.facts["lapsed_tasks"] = len(lapsed)
        self.settle()
        self.review_all()
        for teacher in self.taking_part():
            if teacher.number == people.DROPOUT:
                continue
            with self.deed() as session:
                for work in self.works(session, teacher.number):
                    if work.state is SubmissionState.SEALED:
                        submissions.submit(session, actor=self.someone(session, teacher.number), submission=work)
        self.settle()

    def judge(self) -> None:
        """Two of the panel look at what the check could not pass; one clip shows somebody else and is corrected."""
        self.vote_all()
        move_to(at(3, 26))
        with self.deed() as session:
            for work in self.works(session, people.GRACE):
                if work.state is SubmissionState.CORRECTING:
                    self.story.facts["corrected"] = work.ability
                    shown = next(slot for slot in self.slots(session, work) if slot.shows_teacher)
                    standing = evidence.standing_evidence(session, submission=work)
                    old = next(one for one in standing if one.slot == shown.id)
                    self.add(session, work, shown, self.shots.lessons["grace"], instead=old)
        self.settle()
        with self.deed() as session:
            for work in self.works(session, people.GRACE):
                if work.state is SubmissionState.CORRECTING:
                    actor = self.someone(session, people.GRACE)
                    submissions.seal(session, actor=actor, submission=work, own_work=True)
        self.settle()
        self.vote_all()
        self.settle()
        self.review_all()  # where reviewers differ, one more was asked
        self.settle()
        with self.deed() as session:
            asked = session.scalars(select(Submission.id).where(Submission.extra_reviews > 0)).all()
            self.story.facts["asked_one_more"] = len(asked)

    def vote_all(self) -> None:
        """Have two people (three where they differ) judge everything that waits."""
        with self.deed() as session:
            round_id = self.the_round(session).id
            waiting = session.scalars(
                select(Submission.id).where(
                    Submission.round_id == round_id, Submission.state == SubmissionState.SUBMITTED
                )
            ).all()
        for submission_id in waiting:
            for voter in ("P001", "P002", "P004"):
                with self.deed() as session:
                    work = session.get_one(Submission, submission_id)
                    if work.state is not SubmissionState.SUBMITTED:
                        break
                    author = session.get_one(Person, work.author_id).number
                    substitute = author == people.GRACE and work.ability == "A5" and work.corrections == 0
                    unsure = author == people.EILEEN and work.ability == "A5" and voter == "P001"
                    validity.vote(
                        session,
                        actor=self.someone(session, voter),
                        submission=work,
                        teacher_visible=not (substitute or unsure),
                        own_work=True,
                        reason="画面中不是教师本人" if substitute else "画面中看不到教师" if unsure else "",
                    )

    def mark(self) -> None:
        """The panel marks; one work divides it and goes to the arbiter."""
        move_to(at(3, 27))
        self.settle()
        for number in ("P001", "P002", people.LEADER, "P004", "P005"):
            self.mark_all(number)
        self.settle()

    def mark_all(self, number: str) -> None:
        """Mark everything somebody was asked for."""
        worth = {one.number: one.worth for one in people.teachers()}
        with self.deed() as session:
            actor, round_ = self.someone(session, number), self.the_round(session)
            waiting = [work.id for work in panel.asked_of(session, person=actor, round_=round_)]
        for submission_id in waiting:
            with self.deed() as session:
                actor, round_ = self.someone(session, number), self.the_round(session)
                scheme = rounds.round_scheme(session, round_=round_)
                work = session.get_one(Submission, submission_id)
                author = session.get_one(Person, work.author_id).number
                mark = self.panel_mark(author, work, number, worth[author])
                level = "不合格" if author == people.FAILING else "优秀" if mark >= 80 else "合格"  # noqa: PLR2004 - 001-A-38
                filled = evidence.slots_filled(session, scheme=scheme, submission=work)
                panel.mark(session, actor=actor, submission=work, form=form(scheme, filled, mark, level))

    def panel_mark(self, author: str, work: Submission, marker: str, worth: Decimal) -> Decimal:
        """Return what one member gives; the disagreement is N27's: 85, 84, 60, then 83."""
        if author == people.DISAGREED and work.ability == "A2":
            divided = {"P001": 85, "P002": 84, "P005": 83}
            return Decimal(divided.get(marker, 60))
        return worth if author == people.APPEALING else near(worth, work.id)

    def compose(self) -> None:
        """Strike a contested absence; after the hard close compose, confirm, publish."""
        with self.deed() as session:
            absence = session.scalars(
                select(Adjustment).where(Adjustment.enrolment_id == self.enrolled(session, people.CONTESTING).id)
            ).one()
            teacher = self.someone(session, people.CONTESTING)
            adjustments.contest(session, actor=teacher, adjustment=absence, reason="当天在县里参加教研，有通知为证")
            actor = self.someone(session, "P001")
            adjustments.decide(session, actor=actor, adjustment=absence, stands=False, reason="已核实通知")
        move_to(at(4, 11))
        self.settle()
        with self.deed() as session:
            round_ = self.the_round(session)
            for number in ("P001", "P002"):
                results.confirm_all(session, actor=self.someone(session, number), round_=round_)
            results.publish(session, actor=self.someone(session, "A001"), round_=round_)
        self.settle()

    def sign(self) -> None:
        """After publicity everybody signs but one; one appeals, and two people who did not score uphold it."""
        move_to(at(4, 20))
        self.settle()
        for teacher in self.taking_part():
            if teacher.number in {people.UNSIGNED, people.DROPOUT, people.APPEALING}:
                continue
            with self.deed() as session:
                result = results.current(session, enrolment=self.enrolled(session, teacher.number))
                assert result is not None
                results.sign(session, actor=self.someone(session, teacher.number), result=result)
        with self.deed() as session:
            result = results.current(session, enrolment=self.enrolled(session, people.APPEALING))
            assert result is not None
            appeals.file(
                session,
                actor=self.someone(session, people.APPEALING),
                result=result,
                reason="课堂实录中的互动环节没有计入，请复核。",
            )
        for number in ("P006", "P007"):
            with self.deed() as session:
                appeal = session.scalars(select(Appeal)).one()
                appeals.vote(
                    session,
                    actor=self.someone(session, number),
                    appeal=appeal,
                    uphold=True,
                    reason="复核后认定互动环节达标",
                    marks=dict.fromkeys(people.WRITTEN, "66"),
                )
        move_to(at(4, 28))
        self.settle()

    def finish(self) -> None:
        """Close the round, export it, verify the archive, destroy the faces, check every invariant."""
        move_to(at(5, 6))
        self.settle()
        with self.deed() as session:
            advance.close(session, actor=self.someone(session, "A001"), round_=self.the_round(session))
            for kind in FILES:
                exports.start(session, actor=self.someone(session, "A001"), round_=self.the_round(session), kind=kind)
        self.settle()
        out = self.home / "out"
        out.mkdir(exist_ok=True)
        with self.deed() as session:
            for one in session.scalars(select(RoundExport)):
                assert one.storage_key is not None
                self.keep_file(one.kind.value, out / FILES[one.kind], read(self.storage, one.storage_key))
            sheet = session.scalars(
                select(Evidence)
                .where(Evidence.teacher_present.is_(True), Evidence.sheet_key.is_not(None))
                .order_by(Evidence.file_name.like("%.mp4").desc(), Evidence.id)
            ).first()
            assert sheet is not None
            assert sheet.sheet_key is not None
            self.keep_file("contact_sheet", out / "contact-sheet.png", read(self.storage, sheet.sheet_key))
            # The picture itself names nobody: wherever it ends up, it must not say whose face was recognised.
            author = session.get_one(Person, session.get_one(Submission, sheet.submission_id).author_id)
            self.story.facts["contact_sheet_of"] = {"name": author.name, "file": sheet.file_name}
            self.tell_results(session)
            self.story.facts["broken_invariants"] = [str(one) for one in invariants.broken(session)]
            self.story.facts["phase"] = self.the_round(session).phase.value
            assert self.the_round(session).phase is RoundPhase.CLOSED
        self.story.facts["archive_problems"] = exports.verify(out / "round.zip")

    def tell_results(self, session: Session) -> None:
        """Gather the table of results, and the ledger of the teacher whose appeal was upheld."""
        for result in results.results_of(session, round_=self.the_round(session)):
            person = session.get_one(Person, session.get_one(Enrolment, result.enrolment_id).person_id)
            outcome = json.loads(result.outcome)
            signed = session.scalars(select(Signature.id).where(Signature.result_id == result.id)).first() is not None
            self.story.results.append(
                {
                    "number": person.number,
                    "name": person.name,
                    "score": str(result.score),
                    "grade": result.grade,
                    "version": result.version,
                    "state": result.state.label,
                    "signed": signed,
                    "flags": outcome["flags"],
                    "failed_gates": [gate["text"] for gate in outcome["gates"] if gate["passed"] is False],
                }
            )
            if person.number == people.OVER_CAP:
                self.story.ledger = {"name": person.name, "number": person.number, **outcome}
