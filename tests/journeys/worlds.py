"""Schools at every moment that a page may show, with something in every place that a page may have something."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from PIL import Image, ImageDraw
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Evidence, GroupResult, Person, Submission
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.outside.storage import Storage
from review_flow.rules.second_factor import STEP_S, code_at
from review_flow.rules.webhooks import EVENTS
from review_flow.rules.words import AdjustmentKind, ExportKind, ReportReason, SheetKind
from review_flow.settings import Settings
from review_flow.steps import (
    adjustments,
    advance,
    appeals,
    certificates,
    certificates_valid,
    copies,
    county,
    door,
    errands,
    evidence,
    exports,
    faces,
    file_reports,
    gatherings,
    panel,
    people,
    results,
    reviews,
    rounds,
    schemes,
    second_factor,
    tokens,
    uploads,
    webhooks,
)
from tests.cast import START, Clock, School, certified, kept
from tests.due import do_errands
from tests.sheets import bring
from tests.stages import STAGES
from tests.steps import test_group_rounds
from tests.steps.test_approvals import _sealed, chained
from tests.steps.test_copies import prose, written
from tests.steps.test_county import above
from tests.steps.test_groups import Shop
from tests.steps.test_results import graded
from tests.steps.test_voices import weighed

ENDED = datetime(2026, 4, 13, 1, 0, tzinfo=UTC)


@dataclass
class World:
    """A school at its moment: who may be asked for a page, and the ids of what there is."""

    at: datetime
    people: dict[str, int] = field(default_factory=dict)
    ids: dict[str, int | str] = field(default_factory=dict)


class Worlds:
    """Schools in one installation: amid a round, after its end, with programmes of other kinds."""

    def __init__(self, session: Session, storage: Storage, settings: Settings, clock: Clock) -> None:
        self.session, self.storage, self.settings = session, storage, settings
        self.middle, self.programme = self.amid(), self.fuqing()
        self.chain, self.visits = self.approving(), self.visited()
        self.bare, self.setup = self.founded(), self.before()
        self.end = self.ended(clock)
        clock.to(START)
        self.workshops = self.judged(clock)
        self.files()
        clock.to(START)

    def amid(self) -> World:
        """Handing in, reviewing and marking at once: 王芳 reviews, 孙丽 collects, 周涛 has just come."""
        school = School(self.session).open()
        busy = school.teachers
        for person in busy:
            school.ready(person)
            doubt = person is school.teachers[4]
            school.seal(person, verdict="human" if doubt else "valid", present=not doubt)
        school.allocate()
        for person in busy[1:]:
            school.do_reviews(person)
            school.submit(person)
        collecting, new = (self.latecomer(school, *named) for named in (("T06", "孙丽"), ("T07", "周涛")))
        first, *_more = works = school.ready(collecting)
        school.fill(works[1])
        slot, other = school.scheme.slots(first.ability)[:2]
        for verdict in ("valid", "human", "rejected"):
            self.hand_in(school, first, slot.id, f"{slot.name_zh}-{verdict}.mp4", verdict)
        self.upload(collecting, first, other.id)
        report, fact = self.contested(school)
        self.admin_has(school)
        faces.give_consent(self.session, actor=busy[1])
        self.guarded(school.hearers[0], school.hearers[1])
        sheet, looked = self.sheet(school, ["T09", "", "语文"]), self.sheet(school, ["T10", "钱进", "语文"])
        member = min(
            school.members, key=lambda one: -len(panel.asked_of(self.session, person=one, round_=school.round))
        )
        doubtful = self.session.scalars(select(Submission.id).where(Submission.author_id == busy[4].id)).first()
        self.alike(busy[3], busy[4])
        asked = panel.asked_of(self.session, person=member, round_=school.round)
        task = reviews.tasks_of(self.session, person=busy[0], round_=school.round)[0]
        found = World(START)
        found.people |= {"admin": school.admin.id, "reviewer": busy[0].id, "done": busy[1].id, "member": member.id}
        found.people |= {"collecting": collecting.id, "new": new.id, "other": school.members[1].id}
        found.people |= {"half in": school.hearers[0].id, "pairing": school.hearers[1].id}
        found.people["whole"] = school.hearers[0].id
        found.ids |= {"round": school.round.id, "work": first.id, "task": task.id, "marks": asked[0].id}
        found.ids |= {"doubtful": doubtful or 0, "report": report, "fact": fact, "full": works[1].id}
        found.ids |= {"sealed": self.work_of(busy[0]), "webhook": self.webhook, "link": self.link(school, new)}
        found.ids |= {
            "scheme": school.version.id,
            "library": "fuqing-50",
            "enrolment": school.enrolment(collecting).id,
            "sheet": sheet,
            "looked": looked,
        }
        self.named(school, "第一中学")
        return found

    def latecomer(self, school: School, number: str, name: str) -> Person:
        person = school.person(number, name, "物理")
        rounds.enrol(self.session, actor=school.admin, round_=school.round, person=person)
        return person

    def work_of(self, person: Person) -> int:
        return self.session.scalars(select(Submission.id).where(Submission.author_id == person.id)).first() or 0

    def named(self, school: School, name: str) -> None:
        school.organization.name = name
        school.admin.number = f"A-{school.organization.id}"
        self.session.flush()

    def hand_in(self, school: School, work: Submission, slot: str, name: str, verdict: str) -> None:
        author = self.session.get_one(Person, work.author_id)
        stored = kept(f"{work.id}-{name}")
        added = evidence.add_evidence(
            self.session, actor=author, submission=work, slot=slot, file_name=name, stored=stored
        )
        school.check(added, verdict=verdict)

    def alike(self, *authors: Person) -> None:
        """The first file of each says the same: the later one is a copy of the earlier."""
        prints = written(prose(1))
        for author in authors:
            work = self.session.get_one(Submission, self.work_of(author))
            file = evidence.standing_evidence(self.session, submission=work)[0]
            compared = copies.compare(prints, copies.near(self.session, evidence=file, prints=prints))
            copies.record(self.session, evidence=file, prints=prints, compared=compared)

    def upload(self, person: Person, work: Submission, slot: str) -> None:
        uploads.begin(
            self.session,
            actor=person,
            submission=work,
            slot=slot,
            file_name="课堂实录（第二课时）.mp4",
            size_bytes=734_003_200,
            most_bytes=4_000_000_000,
            room_bytes=4_000_000_000,
        )

    def guarded(self, half: Person, pairing: Person) -> None:
        """One who has a second factor, so that coming in stops there; another who is just turning it on."""
        keys = self.settings.derived_keys("second factor")
        for person in (half, pairing):
            second_factor.begin(self.session, actor=person, keys=keys)
        secret = second_factor.waiting(self.session, actor=half, keys=keys)
        code = code_at(secret or b"", int(now().timestamp()) // STEP_S)
        second_factor.confirm(self.session, actor=half, code=code, keys=keys)

    def contested(self, school: School) -> tuple[int, int]:
        """A file that a reviewer reported, and a deduction that a teacher contests."""
        task = reviews.tasks_of(self.session, person=school.teachers[0], round_=school.round)[0]
        file = evidence.standing_evidence(
            self.session, submission=self.session.get_one(Submission, task.submission_id)
        )[0]
        file_reports.report(
            self.session,
            actor=school.teachers[0],
            assignment=task,
            evidence=file,
            reason=ReportReason.PRIVACY,
            note="黑板上写着全班学生的电话",
        )
        for teacher in school.teachers[:2]:
            told = adjustments.Told(AdjustmentKind.ABSENCE, date(2026, 3, 2), "签到表第3页", "k")
            made = adjustments.add(self.session, actor=school.admin, enrolment=school.enrolment(teacher), told=told)
        adjustments.contest(self.session, actor=teacher, adjustment=made, reason="那天在市里参加培训，有通知")
        [seen] = file_reports.open_reports(self.session, person=school.members[0], round_=school.round)
        return seen.id, made.id

    def admin_has(self, school: School) -> None:
        """An address told of news, with a telling under way, and a token."""
        made, _secret = webhooks.make(
            self.session,
            actor=school.admin,
            url="https://xiaoneng.example.edu.cn/hook",
            events=list(EVENTS)[:2],
            seal_keys=(bytes(32),),
        )
        webhooks.test(self.session, actor=school.admin, webhook=made)
        self.webhook = made.id
        tokens.make(self.session, actor=school.admin, name="成绩同步到教务系统", scopes=[*tokens.Scope][:2], days=90)

    def sheet(self, school: School, second: list[str]) -> int:
        """A roster that was looked through: somebody new, and a second row."""
        rows = [["T08", "吴霞", "美术"], second]
        header, name = ["工号", "姓名", "学科"], "教师名单.xlsx"
        brought = bring(
            school, SheetKind.ROSTER, header, *rows, storage=self.storage, file_name=name, to_round=False, look=True
        )
        return brought.id

    def link(self, school: School, person: Person) -> str:
        return door.make_link(self.session, actor=school.admin, person=person)

    def fuqing(self) -> World:
        """A programme with meetings to sign into and works that rise."""
        shop = Shop(self.session, scheme_files.load("fuqing-30"))
        shop.school.open()
        shop.work(shop.school.teachers[1], "浮力")
        meeting = gatherings.hold(
            self.session,
            actor=shop.school.admin,
            round_=shop.round,
            activity="off1",
            workshop=None,
            held_at=now() + timedelta(minutes=10),
            place="录播室",
        )
        code = gatherings.code_at(self.session, actor=shop.school.admin, gathering=meeting)
        found = World(START)
        found.people |= {"admin": shop.school.admin.id, "teacher": shop.school.teachers[1].id}
        found.ids |= {"round": shop.round.id, "meeting": meeting.id, "code": code, "workshop": shop.workshop.id}
        self.named(shop.school, "第二中学")
        return found

    def founded(self) -> World:
        """A school of one administrator, in which nothing was done yet but to take a scheme to look at."""
        made, admin = people.found_school(self.session, name="第七中学", admin_number="A-7", admin_name="吴静")
        draft = schemes.adopt(
            self.session,
            actor=admin,
            organization_id=made.id,
            scheme=scheme_files.load("fuqing-30"),
            effective_from=date(2026, 3, 1),
        )
        return World(START, {"admin": admin.id}, {"draft": draft.id})

    def before(self) -> World:
        """A round that is set up and not open; above it a county that has no schools."""
        school = School(self.session, teachers=3)
        officer = above(school)
        school.organization.parent_id = None
        self.named(school, "第八中学")
        known = {"admin": school.admin.id, "officer": officer.id, "teacher": school.teachers[0].id}
        return World(START, known, {"round": school.round.id})

    def approving(self) -> World:
        """Works that wait for their school's word before colleagues see them."""
        school = _sealed(self.session, chained())
        found = World(START, {"admin": school.admin.id}, {"round": school.round.id})
        found.ids["work"] = self.work_of(school.teachers[0])
        self.named(school, "第四中学")
        return found

    def visited(self) -> World:
        """A scheme in which teachers and visitors of a lesson give marks."""
        school = School(self.session, teachers=2, scheme=weighed()).open()
        known = {"member": school.members[0].id, "teacher": school.teachers[0].id}
        self.named(school, "第五中学")
        return World(START, known, {"round": school.round.id})

    def judged(self, clock: Clock) -> World:
        """A workshop's result, published."""
        school = STAGES[test_group_rounds.__name__, "composed"].build(self.session, clock)
        of_school = select(GroupResult).where(GroupResult.round_id == school.round.id, GroupResult.current)
        made = self.session.scalars(of_school).one()
        results.confirm(self.session, actor=school.members[0], result=made)
        results.publish(self.session, actor=school.admin, round_=school.round)
        known = {"member": school.members[0].id, "leader": school.teachers[0].id}
        self.named(school, "第六中学")
        return World(now(), known, {"round": school.round.id, "result": made.id})

    def ended(self, clock: Clock) -> World:
        """Marked, published, signed by one, appealed by another; and a round beside it that waits for its grades."""
        school = School(self.session, teachers=4, scheme=certified()).open().whole()
        told = adjustments.Told(AdjustmentKind.ABSENCE, date(2026, 3, 2), "签到表第3页", "k")
        adjustments.add(self.session, actor=school.admin, enrolment=school.enrolment(school.teachers[2]), told=told)
        waiting = School.__new__(School)
        waiting.__dict__ |= school.__dict__
        waiting.round = school.setup("2026春（二）")
        graded(waiting, "85")
        clock.day(4, 4)
        for one in (school, waiting):
            advance.advance(self.session, round_=one.round)
        made, proposed = school.compose(), waiting.compose()
        results.confirm_all(self.session, actor=school.members[0], round_=school.round)
        results.publish(self.session, actor=school.admin, round_=school.round)
        appeal = appeals.file(self.session, actor=school.teachers[0], result=made[0], reason="A1的录像应当评为优秀")
        clock.to(ENDED)
        advance.advance(self.session, round_=school.round)
        results.sign(self.session, actor=school.teachers[1], result=made[1])
        number = self.certify(school)
        errands.ask_agreement(self.session, actor=school.admin, round_=school.round)
        do_errands(self.session)
        officer = above(school)
        drawn = county.draw(self.session, actor=officer, round_=school.round, count=1, seed=7)
        exports.start(self.session, actor=school.admin, round_=school.round, kind=ExportKind.RESULTS)
        found = World(ENDED)
        found.people |= {"admin": school.admin.id, "member": school.members[0].id, "hearer": school.hearers[0].id}
        found.people |= {"appealing": school.teachers[0].id, "signed": school.teachers[1].id}
        found.people |= {"to sign": school.teachers[2].id}
        found.ids |= {"round": school.round.id, "appeal": appeal.id, "certificate": number}
        found.ids |= {"waiting": waiting.round.id, "proposed": proposed[0].id}
        found.people["officer"], found.ids["drawn"] = officer.id, drawn[0]
        self.named(school, "第三中学")
        return found

    def certify(self, school: School) -> str:
        key = self.settings.number_key()
        made = [
            certificates.issue(
                self.session, actor=None, enrolment=school.enrolment(school.teachers[1]), kind=kind, key=key
            )
            for kind in ("pass", "joint")
        ]
        certificates_valid.confirm(
            self.session,
            actor=school.admin,
            certificate=made[0],
            issuer=school.organization.name,
            proof="培函〔2026〕3号",
        )
        return made[0].number

    def files(self) -> None:
        """A picture behind every file, so that pages look as they do in life."""
        picture = lesson()
        for one in self.session.scalars(select(Evidence)):
            size = {"media": {"kind": "photo", "width": 960, "height": 540}, "sheet_px": [960, 540]}
            one.report, one.sheet_key = {**(one.report or {}), **size}, one.storage_key
            self.storage.put(one.storage_key, picture)


def lesson() -> bytes:
    """A drawn classroom: a board with a curve, and somebody before it."""
    image = Image.new("RGB", (960, 540), "#e9e4d8")
    draw = ImageDraw.Draw(image)
    draw.rectangle((90, 50, 700, 380), fill="#2f5d50", outline="#8a6d4a", width=12)
    draw.line((160, 330, 640, 330), fill="#f4f4ee", width=4)
    draw.line((180, 350, 180, 90), fill="#f4f4ee", width=4)
    draw.line([(180 + n * 8, 330 - n * n / 14) for n in range(56)], fill="#f6d55c", width=5)
    draw.ellipse((745, 150, 845, 250), fill="#c99a76")
    draw.rounded_rectangle((715, 250, 875, 540), 50, fill="#39597a")
    for left in (60, 260, 460):
        draw.rounded_rectangle((left, 430, left + 150, 540), 12, fill="#b58b5a")
    written = io.BytesIO()
    image.save(written, "JPEG", quality=80)
    return written.getvalue()
