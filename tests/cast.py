"""The named cast: a school, its people, and the deeds of a round in one line each.

王芳 teaches physics, 李伟 Chinese, 张敏 mathematics; 校长周 and two colleagues sit on the panel; 陈静 administers.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from models import (
    Assignment,
    Enrolment,
    Hours,
    Organization,
    PanelMark,
    Person,
    Result,
    Role,
    Round,
    SchemeVersion,
    Submission,
)
from review_flow import schemes as scheme_files
from review_flow.clock import hands_at, move_to, now
from review_flow.outside.storage import Kept
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import RoleKind, SeatKind
from review_flow.steps import (
    allocation,
    enrolments,
    evidence,
    panel,
    people,
    results,
    reviews,
    rounds,
    schemes,
    submissions,
    validity,
)

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # Monday 09:00 in the school's zone
NAMES = ("王芳", "李伟", "张敏", "刘洋", "赵磊", "孙丽", "周涛", "吴霞", "郑凯", "冯雪")
SUBJECTS = ("物理", "语文", "数学")
ABILITIES = ("A1", "A3", "A5", "A6", "A11", "B2", "B6")
CHOICE = ("A1", "A3", "A5")


@functools.cache
def xian() -> Scheme:
    """001-A, read once."""
    return scheme_files.load("xian-2022-appraisal")


CERTIFICATES = (
    {"id": "pass", "name_zh": "校本应用考核合格证书", "when": "grade in [优秀, 合格]", "ledger": "total"},
    {
        "id": "joint",
        "name_zh": "教学实践合格证明",
        "when": "hours.practice >= 25 and grade in [优秀, 合格]",
        "ledger": "practice",
        "issuers": ["培训机构", "教师进修学校"],
    },
    {"id": "top", "name_zh": "培训结业证书", "when": "cert.pass and cert.joint", "issuers": ["省教育厅"]},
)


@functools.cache
def certified() -> Scheme:
    """001-A with certificates as 003-17/18 has them: the school's own, a joint one, and the provincial one on top."""
    sources = {f"certificates.{one['id']}": "003-17" for one in CERTIFICATES}
    document = xian().document
    return Scheme.from_document(
        {**document, "certificates": [*CERTIFICATES], "sources": {**document["sources"], **sources}}
    )


class School:
    """A school with one round of 001-A; everything through the product's steps."""

    def __init__(
        self, session: Session, *, teachers: int = 5, scheme: Scheme | None = None, abilities: Sequence[str] = ABILITIES
    ) -> None:
        self.session = session
        self.organization, self.admin = people.found_school(
            session, name="实验中学", admin_number="A01", admin_name="陈静"
        )
        self.teachers = [self.person(f"T{n + 1:02d}", NAMES[n % len(NAMES)], SUBJECTS[n % 3]) for n in range(teachers)]
        self.members = [self.person(f"P{n}", f"评委{n}") for n in range(1, 4)]
        self.reserve = self.person("P4", "候补")
        self.arbiter = self.person("P5", "仲裁")
        self.hearers = [self.person("P6", "复核甲"), self.person("P7", "复核乙"), self.person("P8", "复核丙")]
        self.scheme = scheme or xian()
        self.version = self.publish(self.scheme)
        self.round = self.setup(abilities=abilities)

    @classmethod
    def again(cls, session: Session) -> School:
        """The same school in a copy of its database; who is exempt is no teacher of the round."""
        school = cls.__new__(cls)
        school.session = session
        by_number = {one.number: one for one in session.scalars(select(Person).order_by(Person.id))}
        school.organization = session.scalars(select(Organization)).one()
        school.admin = by_number["A01"]
        school.version = session.scalars(select(SchemeVersion)).one()
        school.scheme = schemes.scheme_of(school.version)
        school.round = session.scalars(select(Round)).one()
        taking_part = {one.person_id for one in reviews.participants(session, round_=school.round)}
        school.teachers = [one for number, one in by_number.items() if number.startswith("T") and one.id in taking_part]
        school.members = [by_number[f"P{n}"] for n in range(1, 4)]
        school.reserve, school.arbiter = by_number["P4"], by_number["P5"]
        school.hearers = [by_number[f"P{n}"] for n in range(6, 9)]
        return school

    def person(
        self, number: str, name: str, subject: str | None = None, *, role: RoleKind = RoleKind.TEACHER
    ) -> Person:
        person = Person(organization_id=self.organization.id, number=number, name=name, subject=subject)
        self.session.add(person)
        self.session.flush()
        self.session.add(Role(person_id=person.id, organization_id=self.organization.id, kind=role))
        self.session.flush()
        return person

    def publish(self, scheme: Scheme, *, reason: str | None = None) -> SchemeVersion:
        version = schemes.adopt(
            self.session,
            actor=self.admin,
            organization_id=self.organization.id,
            scheme=scheme,
            effective_from=date(2026, 3, 1),
            reason=reason,
        )
        for unknown in scheme.unknowns:
            schemes.confirm(self.session, actor=self.admin, version=version, unknown_id=unknown.id)
        schemes.publish(self.session, actor=self.admin, version=version)
        return version

    def days(self) -> tuple[date, date, date]:
        """When a round opens, its works are due, and it closes for good."""
        return date(2026, 3, 2), date(2026, 3, 20), date(2026, 4, 3)

    def setup_named(self, name: str, *, abilities: Sequence[str] = ABILITIES) -> Round:
        """A round with nobody in it."""
        opens_on, submit_due_on, hard_close_on = self.days()
        return rounds.create(
            self.session,
            actor=self.admin,
            version=self.version,
            name=name,
            abilities=abilities,
            opens_on=opens_on,
            submit_due_on=submit_due_on,
            hard_close_on=hard_close_on,
        )

    def setup(self, name: str = "2026春", *, abilities: Sequence[str] = ABILITIES) -> Round:
        round_ = self.setup_named(name, abilities=abilities)
        for person in self.teachers:
            rounds.enrol(self.session, actor=self.admin, round_=round_, person=person)
        seats = [(one, SeatKind.MEMBER) for one in self.members]
        seats += [(self.reserve, SeatKind.RESERVE), (self.arbiter, SeatKind.ARBITER)]
        for person, kind in [*seats, *((one, SeatKind.APPEAL) for one in self.hearers)]:
            rounds.seat(self.session, actor=self.admin, round_=round_, person=person, kind=kind)
        return round_

    # The round, step by step.

    def open(self) -> School:
        rounds.open_round(self.session, actor=self.admin, round_=self.round)
        return self

    def enrolment(self, person: Person) -> Enrolment:
        return enrolments.enrolment_of(self.session, round_=self.round, person=person)

    def ready(
        self, person: Person, *, abilities: Sequence[str] = CHOICE, total: str = "50", practice: str = "25"
    ) -> list[Submission]:
        """Read, self-tested, with hours, abilities chosen."""
        enrolment = self.enrolment(person)
        enrolments.acknowledge(self.session, actor=person, enrolment=enrolment)
        enrolments.self_test(self.session, actor=person, enrolment=enrolment)
        self.hours(person, total=total, practice=practice)
        return enrolments.choose(self.session, actor=person, enrolment=enrolment, abilities=abilities)

    def hours(self, person: Person, **ledgers: str) -> None:
        enrolment = self.enrolment(person)
        for ledger, hours in ledgers.items():
            self.session.add(
                Hours(
                    enrolment_id=enrolment.id,
                    ledger=ledger,
                    hours=Decimal(hours),
                    source="平台",
                    key=f"{ledger}-{hours}",
                    recorded_by_id=self.admin.id,
                    recorded_at=now(),
                )
            )
        self.session.flush()

    def fill(self, submission: Submission, *, verdict: str = "valid", present: bool | None = True) -> None:
        """A file in every required slot, checked."""
        author = self.session.get_one(Person, submission.author_id)
        for slot in self.scheme.slots(submission.ability):
            for number in range(slot.count if slot.required else 0):
                content = f"{submission.id}-{submission.corrections}-{slot.id}-{number}"
                added = evidence.add_evidence(
                    self.session,
                    actor=author,
                    submission=submission,
                    slot=slot.id,
                    file_name=f"{slot.name_zh}{number}.mp4",
                    stored=kept(content),
                )
                self.check(added, verdict=verdict, present=present)

    def check(self, added: Any, *, verdict: str = "valid", present: bool | None = True) -> None:
        """What the evidence flow records after looking at a file."""
        level = {"valid": "info", "human": "human", "rejected": "reject"}[verdict]
        findings = [{"code": "said", "level": level, "text": f"结论：{verdict}"}]
        report = {"verdict": verdict, "present": present, "findings": findings, "media": {"kind": "video"}}
        submissions.record_check(self.session, evidence=added, report=report, sheet_key=None)

    def seal(self, person: Person, *, verdict: str = "valid", present: bool | None = True) -> list[Submission]:
        """Everything chosen, filled and sealed."""
        mine = enrolments.submissions_of(self.session, enrolment=self.enrolment(person))
        for submission in mine:
            if submission.state is SubmissionState.DRAFT:
                self.fill(submission, verdict=verdict, present=present)
                submissions.seal(self.session, actor=person, submission=submission, own_work=True)
        return mine

    def allocate(self) -> Any:
        return allocation.allocate_reviews(self.session, round_=self.round)

    def review_form(
        self, mark: str = "85", *, submission: Submission | None = None, level: str = "合格"
    ) -> dict[str, Any]:
        """A form that the rubric takes, for any mark from 0 to 100."""
        return form(self.session, self.scheme, submission, mark=mark, level=level)

    def do_reviews(self, person: Person, *, mark: str = "85") -> int:
        """Everything assigned to a person, done."""
        done = 0
        for task in reviews.tasks_of(self.session, person=person, round_=self.round):
            work = self.session.get(Submission, task.submission_id) if task.submission_id else None
            reviews.submit(self.session, actor=person, assignment=task, form=self.review_form(mark, submission=work))
            done += 1
        return done

    def submit(self, person: Person) -> None:
        for one in enrolments.submissions_of(self.session, enrolment=self.enrolment(person)):
            if one.state is SubmissionState.SEALED:
                submissions.submit(self.session, actor=person, submission=one)

    def vote(self, submission: Submission, *, valid: bool = True, by: Sequence[Person] | None = None) -> None:
        for voter in by or self.members[:2]:
            validity.vote(
                self.session,
                actor=voter,
                submission=submission,
                teacher_visible=valid,
                own_work=True,
                reason="" if valid else "画面中没有教师本人",
            )

    def panel_marks(self, *, mark: str = "85", level: str = "合格") -> None:
        """Everybody who was asked marks everything with the same mark."""
        for person in [*self.members, self.reserve, self.arbiter]:
            for submission in panel.asked_of(self.session, person=person, round_=self.round):
                filled = self.review_form(mark, submission=submission, level=level)
                panel.mark(self.session, actor=person, submission=submission, form=filled)

    def whole(self, *, peer: str = "85", panel_mark: str = "85", level: str = "合格") -> School:
        """From an opened round to all works graded, everybody in time."""
        for person in self.teachers:
            self.ready(person)
        for person in self.teachers:
            self.seal(person)
        self.allocate()
        for person in self.teachers:
            self.do_reviews(person, mark=peer)
        for person in self.teachers:
            self.submit(person)
        self.panel_marks(mark=panel_mark, level=level)
        return self

    def compose(self) -> list[Result]:
        return [results.compose(self.session, enrolment=self.enrolment(person)) for person in self.teachers]


def kept(content: str) -> Kept:
    data = content.encode()
    digest = hashlib.sha256(data).hexdigest()
    return Kept(key=f"{digest[:2]}/{digest}", sha256=digest, size_bytes=len(data))


def form(
    session: Session, scheme: Scheme, submission: Submission | None, *, mark: str, level: str = "合格"
) -> dict[str, Any]:
    """A review form whose every rated component carries the mark, with ticks that allow it."""
    number = Decimal(mark)
    wanted = next(name for name, (low, high) in scheme.level_marks.items() if low <= number <= high)
    component = scheme.rated_components()[0]
    ticks = {"优秀": [item.id for item in component.items], "合格": [component.items[0].id], "不合格": []}[wanted]
    slots = evidence.slots_filled(session, scheme=scheme, submission=submission) if submission else []
    return {
        "components": {component.id: {"items": ticks, "mark": mark}},
        "evidence_levels": {slot.id: level for slot in slots},
        "comment": "教学设计完整，技术使用恰当，值得学习。",
    }


def waiting_marks(session: Session, submission: Submission) -> list[PanelMark]:
    return list(
        session.scalars(
            select(PanelMark).where(PanelMark.submission_id == submission.id, PanelMark.released_at.is_(None))
        )
    )


def tasks(session: Session, round_: Round) -> list[Assignment]:
    return list(session.scalars(select(Assignment).where(Assignment.round_id == round_.id)))


class Clock:
    """Hands that a test turns."""

    def __init__(self, at: datetime = START) -> None:
        self.stack = ExitStack()
        self.stack.enter_context(hands_at(at))

    def to(self, moment: datetime) -> None:
        move_to(moment)

    def day(self, month: int, day: int, hour: int = 9, minute: int = 0) -> None:
        """Turn to a moment of the school's day in 2026."""
        from review_flow.clock import SCHOOL_ZONE

        move_to(datetime(2026, month, day, hour, minute, tzinfo=SCHOOL_ZONE))


@contextmanager
def queries(session: Session) -> Iterator[list[str]]:
    """Collect the statements that the block sends, so that a test can count them."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(session.get_bind(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(session.get_bind(), "before_cursor_execute", note)
