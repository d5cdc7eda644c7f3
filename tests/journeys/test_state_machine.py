"""Any interleaving of a small school's deeds: wrong ones are refused, nothing breaks, and nobody is ever stuck."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.base import NO_VALUE, PASSIVE_NO_RESULT

from models import (
    Adjustment,
    Appeal,
    Assignment,
    DueWork,
    Enrolment,
    Evidence,
    Message,
    Person,
    Result,
    Round,
    SchemeVersion,
    Submission,
)
from review_flow import schemes
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.db import make_engine
from review_flow.errors import Refusal
from review_flow.rules.lifecycle import (
    EnrolmentState,
    ResultState,
    RoundPhase,
    State,
    SubmissionState,
    allows,
)
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import AdjustmentKind, AdjustmentState, AppealState, SeatKind, WorkKind
from review_flow.steps import (
    adjustments,
    advance,
    allocation,
    appeals,
    claims,
    enrolments,
    evidence,
    invariants,
    panel,
    people,
    results,
    reviews,
    rounds,
    submissions,
    validity,
    work,
)
from tests.cast import ABILITIES, START, Clock, School, kept

Row = TypeVar("Row")
NUMBER, BOTH = range(1000), (False, True)
MARKS = ("0", "55", "60", "79.99", "80", "92.5", "100")
CLOCKED = [WorkKind.OPEN_ROUND, WorkKind.ALLOCATE_REVIEWS, WorkKind.ADVANCE_ROUND, WorkKind.FINALISE_ROUND]
SHORT = {"panel.short", "validity.late", "appeal.late"}
STAGES = ("", "hand_in_everything", "judge_everything", "publish_everything", "end_publicity")
LONGEST = 150  # days that a diligent school may need from anywhere
FULL = schemes.load("xian-2022-appraisal").document
TWO = {**FULL["select"], "teacher": {**FULL["select"]["teacher"], "min": 2, "min_dimensions": 2}}
SCHEME = Scheme.from_document({**FULL, "select": TWO})  # two works a teacher, so that more can happen in the time
CHOICE = ABILITIES[:2]
CHOICES = ([*CHOICE], ["A1", "A11"], ["A3", "B6", "A11"], ["A1", "A3", "A5", "B2"], ["A1", "C9"], ["A5", "A6"], [])
FATES: Counter[str] = Counter()


TRIED: dict[str, dict[str, Sequence[Any]]] = {}


def tried(**choices: Any) -> Callable[[Any], Any]:
    """A rule by the choices of its arguments, that a busy day may try as well."""

    def keep(method: Any) -> Any:
        TRIED[method.__name__] = {name: tuple(values) for name, values in choices.items()}
        return rule(**{name: st.sampled_from(values) for name, values in TRIED[method.__name__].items()})(method)

    return keep


@contextmanager
def lawful() -> Iterator[None]:
    """Watch every change of a state: it follows a row of TRANSITIONS, or it isn't made."""

    def watch(_row: object, value: State, old: object, _initiator: object) -> None:
        if isinstance(old, State) and old is not value:
            assert allows(old, value), (old, value)
        else:
            assert old is value or old in {NO_VALUE, PASSIVE_NO_RESULT, None}

    columns = (Submission.state, Result.state, Enrolment.state, Round.phase, SchemeVersion.state)
    for column in columns:
        event.listen(column, "set", watch, active_history=True)
    try:
        yield
    finally:
        for column in columns:
            event.remove(column, "set", watch)


class SmallSchool(RuleBasedStateMachine):
    """Some teachers, of whom one sits on the panel; everybody tries everything."""

    base: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="rf-state-"))
        shutil.copy(self.base, self.folder / "school.db")
        self.engine = make_engine(f"sqlite:///{self.folder / 'school.db'}")
        self.watching = lawful()
        self.watching.__enter__()
        self.clock = Clock(START)
        self.session = Session(self.engine, expire_on_commit=False)
        self.helped = self.steps = 0

    @initialize(
        teachers=st.integers(3, 5),
        samples=st.integers(0, 4),
        seated=st.booleans(),
        stage=st.integers(0, len(STAGES) - 1),
        verdict=st.sampled_from(["valid", "human"]),
    )
    def found(self, *, teachers: int, samples: int, seated: bool, stage: int, verdict: str) -> None:
        self.verdict = verdict
        self.school = School(self.session, teachers=teachers, scheme=SCHEME)
        if seated:
            self.seat(self.school.teachers[0], SeatKind.MEMBER)
            self.seat(self.school.teachers[1], SeatKind.APPEAL)
        rounds.enrol(self.session, actor=self.school.admin, round_=self.round, person=self.school.admin)
        for number in range(samples):
            reviews.add_sample(
                self.session,
                actor=self.school.admin,
                round_=self.round,
                ability="A1",
                title=f"样例{number}",
                form=self.school.review_form("85"),
            )
        self.school.open()
        for begin in STAGES[1 : stage + 1]:
            getattr(self, begin)()

    # Where the random deeds may begin: each stage brings the school a good way further.

    def hand_in_everything(self) -> None:
        for person in [*self.school.teachers, self.school.admin]:
            self.diligent(person)
        self.drain()

    def judge_everything(self) -> None:
        self.clock.to(self.round.hard_close_at + timedelta(seconds=1))
        for _day in range(LONGEST):
            self.panel_diligently()
            self.clock.to(now() + timedelta(days=1))
            self.drain()
            if all(one.state in results.ENDED for one in self.all(Submission)):
                break

    def publish_everything(self) -> None:
        for _day in range(LONGEST):
            self.diligent_day()
            if self.round.phase is not RoundPhase.SCORING:
                break
            self.clock.to(now() + timedelta(days=1))

    def end_publicity(self) -> None:
        self.clock.to(now() + timedelta(days=8))
        self.drain()

    # What everything below is made of.

    @property
    def round(self) -> Round:
        return self.school.round

    def deed(self, act: Callable[[], object]) -> bool:
        """Do it in a savepoint; a refusal is an answer, anything else is a fault."""
        name = getattr(act, "__name__", "")
        try:
            with self.session.begin_nested():
                act()
                self.session.flush()
        except Refusal as refusal:
            said = refusal
        else:
            FATES[f"{name}: done"] += 1
            return True
        assert str(said)
        FATES[f"{name}: {type(said).__name__}"] += 1
        return False

    def all(self, kind: type[Row]) -> list[Row]:
        return list(self.session.scalars(select(kind).order_by(kind.id)))  # type: ignore[attr-defined]  # rows have ids

    def everybody(self) -> list[Person]:
        return self.all(Person)

    def seat(self, person: Person, kind: SeatKind) -> None:
        rounds.seat(self.session, actor=self.school.admin, round_=self.round, person=person, kind=kind)

    def form(self, mark: str, submission_id: int | None, level: str = "合格") -> dict[str, Any]:
        work_ = self.session.get(Submission, submission_id) if submission_id else None
        return self.school.review_form(mark, submission=work_, level=level)

    # Time and the flows.

    @tried(hours=range(1, 200), looks=BOTH)
    def time_passes(self, *, hours: int, looks: bool) -> None:
        self.clock.to(now() + timedelta(hours=hours))
        if looks:
            self.drain()

    @rule()
    def drain(self) -> None:
        for _turn in range(50):
            item = work.claim(self.session, kinds=CLOCKED, worker="test", lease=timedelta(minutes=1))
            if item is None:
                return
            assert item.lease_token is not None
            again = self.perform(item)
            work.finish(self.session, work_id=item.id, token=item.lease_token, again_at=again)
        raise AssertionError("the flows never come to rest")

    def perform(self, item: DueWork) -> Any:
        """What the handlers of the flows do."""
        if item.kind is WorkKind.OPEN_ROUND:
            advance.invite(self.session, round_=self.round)
        elif item.kind is WorkKind.ALLOCATE_REVIEWS:
            allocation.allocate_reviews(self.session, round_=self.round)
        elif item.kind is WorkKind.FINALISE_ROUND:
            for enrolment in reviews.participants(self.session, round_=self.round):
                if not results.open_ends(self.session, enrolment=enrolment):
                    results.compose(self.session, enrolment=enrolment)
            work.enqueue(self.session, kind=WorkKind.ADVANCE_ROUND, subject_id=self.round.id)
        else:
            return advance.advance(self.session, round_=self.round)
        return None

    @tried(verdict=["valid", "valid", "human", "rejected"], present=[True, False, None])
    def files_are_checked(self, *, verdict: str, present: bool | None) -> None:
        waiting = [one for one in self.all(Evidence) if one.checked_at is None]
        for one in waiting:
            self.school.check(one, verdict=verdict, present=present)

    # The teachers.

    @tried(n=NUMBER, m=NUMBER, what=["acknowledge", "self_test", "opt_in"])
    def teacher_steps(self, n: int, m: int, what: str) -> None:
        enrolment = pick(self.all(Enrolment), m)
        actor = self.session.get_one(Person, enrolment.person_id) if n % 4 else pick(self.everybody(), n)
        self.deed(named(what, lambda: getattr(enrolments, what)(self.session, actor=actor, enrolment=enrolment)))

    @tried(n=NUMBER, abilities=CHOICES)
    def teacher_chooses(self, n: int, abilities: list[str]) -> None:
        enrolment = pick(self.all(Enrolment), n)
        actor = self.session.get_one(Person, enrolment.person_id)
        self.deed(
            named(
                "choose",
                lambda: enrolments.choose(self.session, actor=actor, enrolment=enrolment, abilities=abilities),
            )
        )

    @tried(n=NUMBER, old=ABILITIES, new=ABILITIES)
    def teacher_replaces(self, n: int, old: str, new: str) -> None:
        enrolment = pick(self.all(Enrolment), n)
        actor = self.session.get_one(Person, enrolment.person_id)
        self.deed(
            named(
                "replace",
                lambda: enrolments.replace(self.session, actor=actor, enrolment=enrolment, old=old, new=new),
            )
        )

    @tried(n=NUMBER, m=NUMBER, seals=BOTH)
    def teacher_hands_in(self, *, n: int, m: int, seals: bool) -> None:
        submission = pick(self.all(Submission), m)
        if submission is None:
            return
        author = self.session.get_one(Person, submission.author_id)
        actor = author if n % 5 else pick(self.everybody(), n)
        self.deed(named("add_evidence", lambda: self.hand_in(actor, submission)))
        if seals:
            self.deed(
                named(
                    "seal",
                    lambda: submissions.seal(self.session, actor=actor, submission=submission, own_work=n % 7 > 0),
                )
            )

    @tried(n=NUMBER, m=NUMBER)
    def teacher_submits(self, n: int, m: int) -> None:
        submission = pick(self.all(Submission), m)
        if submission is None:
            return
        author = self.session.get_one(Person, submission.author_id)
        actor = author if n % 5 else pick(self.everybody(), n)
        self.deed(named("submit", lambda: submissions.submit(self.session, actor=actor, submission=submission)))

    def hand_in(self, actor: Person, submission: Submission) -> None:
        """A file in every slot that lacks one, in the place of a rejected one."""
        standing = evidence.standing_evidence(self.session, submission=submission)
        bad = {one.slot: one for one in standing if one.verdict is not None and one.verdict.value == "rejected"}
        good = Counter(one.slot for one in standing if one.slot not in bad)
        for slot in SCHEME.slots(submission.ability):
            for _copy in range(max(slot.count - good[slot.id], 0) if slot.required else 0):
                evidence.add_evidence(
                    self.session,
                    actor=actor,
                    submission=submission,
                    slot=slot.id,
                    file_name="课堂.mp4",
                    stored=kept(f"{submission.id}-{now()}-{slot.id}-{_copy}"),
                    replaces=bad.pop(slot.id, None),
                )

    # The reviewers.

    @tried(n=NUMBER, sample=BOTH)
    def somebody_claims(self, *, n: int, sample: bool) -> None:
        actor = pick(self.everybody(), n)
        take = claims.take_sample if sample else claims.claim
        self.deed(named(take.__name__, lambda: take(self.session, actor=actor, round_=self.round)))

    @tried(n=NUMBER, m=NUMBER, mark=MARKS, what=["submit", "submit", "submit", "draft", "decline"])
    def somebody_reviews(self, n: int, m: int, mark: str, what: str) -> None:
        assignment = pick(self.all(Assignment), m)
        if assignment is None:
            return
        reviewer = self.session.get_one(Person, assignment.reviewer_id)
        actor = reviewer if n % 5 else pick(self.everybody(), n)
        form = {} if n % 11 == 0 else self.form(mark, assignment.submission_id)
        deeds: dict[str, Callable[[], object]] = {
            "submit": lambda: reviews.submit(self.session, actor=actor, assignment=assignment, form=form),
            "draft": lambda: reviews.save_draft(self.session, actor=actor, assignment=assignment, draft=form),
            "decline": lambda: reviews.decline(
                self.session, actor=actor, assignment=assignment, reason="不熟悉" if n % 3 else " "
            ),
        }
        self.deed(named(f"review.{what}", deeds[what]))

    # The panel.

    @tried(n=NUMBER, m=NUMBER, visible=BOTH, own=BOTH)
    def somebody_votes(self, *, n: int, m: int, visible: bool, own: bool) -> None:
        submission = pick([one for one in self.all(Submission) if n % 5 == 0 or one.state.value == "submitted"], m)
        if submission is None:
            return
        actor = pick(self.everybody(), n)
        self.deed(
            named(
                "validity.vote",
                lambda: validity.vote(
                    self.session,
                    actor=actor,
                    submission=submission,
                    teacher_visible=visible,
                    own_work=own,
                    reason="看不清" if n % 4 else "",
                ),
            )
        )

    @tried(n=NUMBER, m=NUMBER, mark=MARKS, level=["优秀", "合格", "不合格"])
    def somebody_marks(self, n: int, m: int, mark: str, level: str) -> None:
        actor = pick(self.everybody(), n)
        asked = panel.asked_of(self.session, person=actor, round_=self.round)
        submission = pick(asked if asked and m % 5 else self.all(Submission), m)
        if submission is None:
            return
        form = self.form(mark, submission.id, level) if m % 7 else {}
        self.deed(named("panel.mark", lambda: panel.mark(self.session, actor=actor, submission=submission, form=form)))

    @tried(n=NUMBER, m=NUMBER, k=NUMBER)
    def somebody_is_substituted(self, n: int, m: int, k: int) -> None:
        submission, missing = pick(self.all(Submission), m), pick(self.everybody(), n)
        actor = self.school.admin if k % 4 else pick(self.everybody(), k)
        if submission is not None:
            self.deed(
                named(
                    "substitute",
                    lambda: panel.substitute(self.session, actor=actor, submission=submission, missing=missing),
                )
            )

    # The administrator, and what happens to people.

    @tried(n=NUMBER, m=NUMBER)
    def a_conflict_is_declared(self, n: int, m: int) -> None:
        one, other = pick(self.everybody(), n), pick(self.everybody(), m)
        if one is not other and n % 3 == 0:
            people.declare_conflict(self.session, actor=self.school.admin, one=one, other=other, reason="亲属")

    @tried(n=NUMBER, what=["exempt", "leave", "hours"])
    def the_administrator_acts(self, n: int, what: str) -> None:
        enrolment = pick(self.all(Enrolment), n)
        admin = self.school.admin
        if what == "exempt":
            self.deed(
                named(
                    "exempt",
                    lambda: enrolments.exempt(
                        self.session, actor=admin, enrolment=enrolment, reason="临近退休" if n % 3 else ""
                    ),
                )
            )
        elif what == "leave":
            self.deed(
                named("leave", lambda: enrolments.leave_reviewing(self.session, actor=admin, enrolment=enrolment))
            )
        else:
            self.credit(self.session.get_one(Person, enrolment.person_id))

    def credit(self, person: Person) -> None:
        """Hours enough, unless they are there."""
        had = enrolments.hours_of(self.session, enrolment=self.school.enrolment(person))
        if not had:
            self.school.hours(person, total="50", practice="25")

    @tried(n=NUMBER, kind=AdjustmentKind)
    def a_fact_is_recorded(self, n: int, kind: AdjustmentKind) -> None:
        """As an import does: not once the grade is confirmed."""
        enrolment = pick(self.all(Enrolment), n)
        standing = results.current(self.session, enrolment=enrolment)
        if standing is not None and standing.state is not ResultState.COMPOSED:
            return
        self.session.add(
            Adjustment(
                enrolment_id=enrolment.id,
                kind=kind,
                happened_on=now().astimezone(SCHOOL_ZONE).date(),
                proof="签到表",
                key=f"{kind.value}-{now()}-{n}-{self.steps}",
                points=Decimal(3) if kind is AdjustmentKind.AWARD else None,
                state=AdjustmentState.NOTIFIED,
                recorded_by_id=self.school.admin.id,
                recorded_at=now(),
                notified_at=now(),
            )
        )
        self.session.flush()

    @tried(n=NUMBER, m=NUMBER, stands=BOTH, contest=BOTH)
    def a_fact_is_disputed(self, *, n: int, m: int, stands: bool, contest: bool) -> None:
        mine = AdjustmentState.NOTIFIED if contest else AdjustmentState.CONTESTED
        adjustment = pick([one for one in self.all(Adjustment) if one.state is mine or m % 5 == 0], m)
        if adjustment is None:
            return
        owner = self.session.get_one(Enrolment, adjustment.enrolment_id).person_id
        if contest:
            actor = self.session.get_one(Person, owner) if n % 4 else pick(self.everybody(), n)
            self.deed(
                named(
                    "contest",
                    lambda: adjustments.contest(self.session, actor=actor, adjustment=adjustment, reason="已请假"),
                )
            )
        else:
            actor = pick(self.everybody(), n)
            self.deed(
                named(
                    "decide",
                    lambda: adjustments.decide(
                        self.session, actor=actor, adjustment=adjustment, stands=stands, reason="核实"
                    ),
                )
            )

    # Results.

    @tried(n=NUMBER, m=NUMBER, lower=[None, None, "优秀", "合格", "不合格"])
    def somebody_confirms(self, n: int, m: int, lower: str | None) -> None:
        result = pick(self.all(Result), m)
        actor = pick([*self.school.members, *self.everybody()], n)
        if result is not None:
            self.deed(
                named(
                    "confirm",
                    lambda: results.confirm(
                        self.session, actor=actor, result=result, lower_to=lower, reason="课堂观察" if n % 3 else None
                    ),
                )
            )

    @tried(n=NUMBER, what=["confirm_all", "publish", "close"])
    def somebody_goes_on(self, n: int, what: str) -> None:
        actor = pick([self.school.admin, *self.school.members], n)
        act: Callable[..., object] = {
            "confirm_all": results.confirm_all,
            "publish": results.publish,
            "close": advance.close,
        }[what]
        self.deed(named(what, lambda: act(self.session, actor=actor, round_=self.round)))

    @tried(n=NUMBER, m=NUMBER, what=["sign", "file"], late=BOTH)
    def a_teacher_answers(self, *, n: int, m: int, what: str, late: bool) -> None:
        result = pick(self.all(Result), m)
        if result is None:
            return
        owner = self.session.get_one(Enrolment, result.enrolment_id).person_id
        actor = self.session.get_one(Person, owner) if n % 4 else pick(self.everybody(), n)
        if what == "sign":
            self.deed(named("sign", lambda: results.sign(self.session, actor=actor, result=result)))
        else:
            self.deed(
                named(
                    "appeals.file",
                    lambda: appeals.file(
                        self.session,
                        actor=actor,
                        result=result,
                        reason="评分偏低",
                        accepted_late_by=self.school.admin if late else None,
                        late_reason="出差" if late else None,
                    ),
                )
            )

    @tried(n=NUMBER, m=NUMBER, uphold=BOTH, ability=ABILITIES, mark=MARKS)
    def somebody_hears(self, *, n: int, m: int, uphold: bool, ability: str, mark: str) -> None:
        appeal = pick(self.all(Appeal), m)
        actor = pick([*self.school.hearers, *self.everybody()], n)
        if appeal is not None:
            self.deed(
                named(
                    "appeals.vote",
                    lambda: appeals.vote(
                        self.session,
                        actor=actor,
                        appeal=appeal,
                        uphold=uphold,
                        reason="复核",
                        marks={ability: mark if n % 5 else "NaN"},
                    ),
                )
            )

    # Diligence: what a school does that wants to get done.

    @rule(seed=st.integers(0, 2**32))
    def a_busy_day(self, seed: int) -> None:
        """Many deeds at once, evenly: hypothesis itself likes to do few things often."""
        dice = Random(seed)
        for _deed in range(25):
            name = dice.choice(sorted(TRIED))
            getattr(self, name)(**{key: dice.choice(values) for key, values in TRIED[name].items()})

    @rule(n=st.integers(0, 4))
    def a_teacher_is_diligent(self, n: int) -> None:
        self.diligent(pick([*self.school.teachers, self.school.admin], n))

    @rule()
    def the_school_is_diligent(self) -> None:
        self.diligent_day()

    def diligent(self, person: Person) -> None:
        """All of a teacher's own duties that can be done now."""
        enrolment = self.school.enrolment(person)
        session = self.session
        if self.round.phase is RoundPhase.OPEN and enrolment.state is not EnrolmentState.EXEMPT:
            self.credit(person)
            self.deed(named("acknowledge", lambda: enrolments.acknowledge(session, actor=person, enrolment=enrolment)))
            self.deed(named("self_test", lambda: enrolments.self_test(session, actor=person, enrolment=enrolment)))
            if enrolment.state is EnrolmentState.SELF_TESTED:
                enrolments.choose(session, actor=person, enrolment=enrolment, abilities=CHOICE)
        for submission in enrolments.submissions_of(session, enrolment=enrolment):
            if submission.state in {SubmissionState.DRAFT, SubmissionState.CORRECTING}:
                self.deed(named("add_evidence", lambda one=submission: self.hand_in(person, one)))
                self.check_valid()
                self.deed(
                    named(
                        "seal",
                        lambda one=submission: submissions.seal(session, actor=person, submission=one, own_work=True),
                    )
                )
        self.review_diligently(person)
        for submission in enrolments.submissions_of(session, enrolment=enrolment):
            if submission.state is SubmissionState.SEALED:
                self.deed(
                    named("submit", lambda one=submission: submissions.submit(session, actor=person, submission=one))
                )

    def check_valid(self) -> None:
        for one in self.all(Evidence):
            if one.checked_at is None:
                self.school.check(one, verdict=self.verdict)

    def review_diligently(self, person: Person) -> None:
        """Every task, and then as many more as there are."""
        for take in (None, claims.claim, claims.take_sample):
            while True:
                for task in reviews.tasks_of(self.session, person=person, round_=self.round):
                    form = self.form("85", task.submission_id)
                    self.deed(
                        named(
                            "review.submit",
                            lambda one=task, filled=form: reviews.submit(
                                self.session, actor=person, assignment=one, form=filled
                            ),
                        )
                    )
                if take is None or not self.owes(person):
                    break
                if not self.deed(
                    named(take.__name__, lambda act=take: act(self.session, actor=person, round_=self.round))
                ):
                    break

    def owes(self, person: Person) -> bool:
        from review_flow.steps.duty import duty

        mine = enrolments.submissions_of(self.session, enrolment=self.school.enrolment(person))
        sealed = [one for one in mine if one.state is SubmissionState.SEALED]
        return any(owed.total > given for owed, given in (duty(self.session, submission=one) for one in sealed))

    def diligent_day(self) -> None:
        """Everybody does what they can; the administrator finds people where the round says that they are lacking."""
        session, round_, admin = self.session, self.round, self.school.admin
        if round_.phase in {RoundPhase.OPEN, RoundPhase.SCORING}:
            for person in [*self.school.teachers, admin]:
                self.diligent(person)
            self.check_valid()
            self.drain()
            self.panel_diligently()
        self.judge_diligently()
        if round_.phase is RoundPhase.SCORING:
            self.deed(named("publish", lambda: results.publish(session, actor=admin, round_=round_)))
        elif round_.phase is RoundPhase.SIGNING:
            self.deed(named("close", lambda: advance.close(session, actor=admin, round_=round_)))
        self.find_people()
        self.drain()

    def panel_diligently(self) -> None:
        session, round_ = self.session, self.round
        for person in self.everybody():
            for submission in self.all(Submission):
                if submission.state is SubmissionState.SUBMITTED:
                    self.deed(
                        named(
                            "validity.vote",
                            lambda who=person, one=submission: validity.vote(
                                session, actor=who, submission=one, teacher_visible=True, own_work=True, reason=""
                            ),
                        )
                    )
            for submission in panel.asked_of(session, person=person, round_=round_):
                form = self.form("85", submission.id)
                self.deed(
                    named(
                        "panel.mark",
                        lambda who=person, one=submission, filled=form: panel.mark(
                            session, actor=who, submission=one, form=filled
                        ),
                    )
                )

    def judge_diligently(self) -> None:
        """Disputes are decided, grades confirmed, appeals heard, results signed."""
        session = self.session
        for person in self.everybody():
            for one in self.all(Adjustment):
                if one.state is AdjustmentState.CONTESTED:
                    self.deed(
                        named(
                            "decide",
                            lambda who=person, fact=one: adjustments.decide(
                                session, actor=who, adjustment=fact, stands=False, reason="核实"
                            ),
                        )
                    )
            if any(one.state is ResultState.COMPOSED for one in results.results_of(session, round_=self.round)):
                self.deed(
                    named("confirm_all", lambda who=person: results.confirm_all(session, actor=who, round_=self.round))
                )
            for appeal in self.all(Appeal):
                if appeal.state is AppealState.FILED:
                    self.deed(
                        named(
                            "appeals.vote",
                            lambda who=person, one=appeal: appeals.vote(
                                session, actor=who, appeal=one, uphold=False, reason="维持"
                            ),
                        )
                    )

    def find_people(self) -> None:
        """Answer every message that says somebody is lacking with a stranger to everybody."""
        cries = [one for one in self.all(Message) if one.kind in SHORT]
        if len(cries) > self.helped and self.round.phase is not RoundPhase.CLOSED:
            for kind in SeatKind:
                self.seat(self.school.person(f"X{len(cries)}{kind.value}", "外校专家"), kind)
                self.seat(self.school.person(f"Y{len(cries)}{kind.value}", "外校专家"), kind)
            self.helped = len(cries)

    # What must hold.

    @invariant()
    def nothing_is_broken(self) -> None:
        self.steps += 1
        if self.steps % 5 == 0:
            assert invariants.broken(self.session) == []

    def teardown(self) -> None:
        try:
            if hasattr(self, "school") and self.session.is_active:  # a broken session hides what broke it
                self.finish()
        finally:
            self.watching.__exit__(None, None, None)
            self.session.rollback()
            self.session.close()
            self.engine.dispose()
            self.clock.stack.close()
            shutil.rmtree(self.folder)

    def finish(self) -> None:
        """From wherever it was left, a diligent school comes to its end, and everybody has a final result."""
        for _day in range(LONGEST):
            if self.round.phase is RoundPhase.CLOSED:
                break
            self.diligent_day()
            self.clock.to(now() + timedelta(days=1))
            self.drain()
        states = [one.state for one in results.results_of(self.session, round_=self.round)]
        people_ = reviews.participants(self.session, round_=self.round)
        stuck = [(one.id, one.state, one.ability) for one in self.all(Submission)]
        assert self.round.phase is RoundPhase.CLOSED, (self.round.phase, states, stuck)
        assert states == [ResultState.FINAL] * len(people_)
        assert invariants.broken(self.session) == []


def pick(rows: Sequence[Row], number: int) -> Any:
    """The row at a number, whatever the number; None where there is none."""
    return rows[number % len(rows)] if rows else None


def named(name: str, act: Callable[[], object]) -> Callable[[], object]:
    act.__name__ = name
    return act


# Longer by hand, at random: REVIEW_FLOW_EXAMPLES=200 pytest tests/journeys/test_state_machine.py -o timeout=3600
WANTED = os.environ.get("REVIEW_FLOW_EXAMPLES")


@pytest.mark.slow
def test_any_interleaving_of_deeds_keeps_what_must_hold_and_leaves_nobody_stuck(templates: Any) -> None:
    SmallSchool.base = templates.sqlite()
    FATES.clear()
    run_state_machine_as_test(
        SmallSchool,
        settings=settings(
            max_examples=int(WANTED or 6),
            stateful_step_count=30,
            derandomize=WANTED is None,
            database=None,
            phases=[Phase.generate],  # a shrunk school says little more, and takes long
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert FATES["close: done"] >= int(WANTED or 6)
