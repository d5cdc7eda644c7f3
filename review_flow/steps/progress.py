"""进展: who stands where in a running round and who is stuck, page by page, in a handful of questions; and reminders.

What one teacher still has to do exactly, `steps/path.py` says; here a whole school is counted by the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Text, and_, bindparam, case, func, literal, or_, select

from models import (
    Adjustment,
    Assignment,
    Enrolment,
    Message,
    Notice,
    PanelMark,
    Person,
    Result,
    Round,
    Submission,
)
from review_flow.clock import now
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.rules.codes import plain
from review_flow.rules.lifecycle import EnrolmentState, ResultState, RoundPhase, SubmissionState
from review_flow.rules.path import NOT_SHOWN, TO_SIGN, Stage
from review_flow.rules.words import UNDONE, AdjustmentState
from review_flow.steps import audit
from review_flow.steps.hearers import Undecided, undecided
from review_flow.steps.judges import MOST_SHOWN, Short, short_of
from review_flow.steps.messages import tell_many
from review_flow.steps.owners import standing_ids
from review_flow.steps.people import numbered, require_admin
from review_flow.steps.rounds import require_phase, round_scheme
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme

REMINDER, ONCE_IN = "progress.reminder", timedelta(days=1)
PAGE = 50
BY_VALUE = {one.value: one for one in Stage}
MINE = (Stage.READ, Stage.SELF_TEST, Stage.CHOOSE, Stage.EVIDENCE, Stage.REVIEW, Stage.SUBMIT, Stage.SIGN)
"""The stages in which it is the teacher's turn: who is there can be reminded."""
UNFINISHED = (SubmissionState.DRAFT, SubmissionState.CORRECTING)
NAMES = ("drafts", "sealed", "works", "held", "lease_until", "correction_due_at", "reminded_at")
"""What a line shows of a teacher besides the stage."""


class RemindedToday(Refusal):
    """Once a day is enough."""

    status, text = 429, _("一天之内已经提醒过了，明天再提醒。")


class NothingToRemind(Refusal):
    """It is somebody else's turn."""

    status, text = 409, _("现在没有轮到他们做的事，不必提醒。")


@dataclass(frozen=True, slots=True)
class Line:
    """One teacher: the stage, how many works are in which state, reviews held, the nearest day, the last reminder."""

    enrolment_id: int
    stage: Stage
    name: str
    number: str
    drafts: int
    sealed: int
    works: int
    held: int
    lease_until: datetime | None
    correction_due_at: datetime | None
    reminded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Judge:
    """Somebody on the panel who was asked for marks and has not given them yet."""

    person: Person
    count: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything a page of progress shows; `found`: how many there are on all pages; `short`: works without judges."""

    stages: dict[Stage, int]
    lines: list[Line]
    found: int
    judges: list[Judge]
    blocked: str | None
    waiting: dict[str, int]
    short: list[Short]
    all_short: int
    appeals: list[Undecided]


def board(
    session: Session, *, actor: Person, round_: Round, stage: Stage | None = None, word: str = "", page: int = 1
) -> Progress:
    """Return one page of teachers (of one stage; whose name or number holds the word), and what else waits."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    known = session.scalars(select(Notice.note).where(Notice.round_id == round_.id, Notice.key == "reviews-blocked"))
    scheme = round_scheme(session, round_=round_)
    asks = _asks(scheme)
    short, all_short = short_of(session, round_=round_, scheme=scheme, most=MOST_SHOWN)
    named = {"round": round_.id, "word": plain(word), "like": _escaped(word)}
    rows = session.execute(_counts(asks), named)
    appeals = undecided(session, round_=round_)
    counts = {BY_VALUE[value]: (everybody, fitting) for value, everybody, fitting in rows}
    shown = {"stage": stage.value, **named} if stage else named
    ids = session.execute(_page(asks, of_stage=stage is not None), {"from": (page - 1) * PAGE, **shown}).tuples().all()
    return Progress(
        stages={one: counts[one][0] for one in Stage if one in counts},
        lines=lines(session, round_=round_, people=dict(ids)),
        found=sum(fitting for one, (_everybody, fitting) in counts.items() if stage in (None, one)),
        judges=_judges(session, round_),
        blocked=known.first() or None,
        waiting={**_waiting(session, round_), "appeals": len(appeals)},
        short=short,
        all_short=all_short,
        appeals=appeals[:MOST_SHOWN],
    )


Asks = tuple[bool, tuple[tuple[str, bool], ...]]
"""Whether a scheme asks a teacher for abilities at all: in general, and in each of its tiers."""
ROUND = bindparam("round", type_=BigInteger)


def _asks(scheme: Scheme) -> Asks:
    tiers = tuple((one.id, scheme.teacher_selection(one.id).min > 0) for one in scheme.select.tiers)
    return scheme.teacher_selection().min > 0, tiers


def _escaped(word: str) -> str:
    return word.replace("/", "//").replace("%", "/%").replace("_", "/_")


def _everybody(*columns: Any) -> Select[Any]:
    """Select of everybody who takes part in ROUND.

    The statements of this module are built once and asked with values: to build one takes as long as its answer.
    """
    return (
        select(*columns)
        .select_from(Enrolment)
        .join(Person, Person.id == Enrolment.person_id)
        .outerjoin(Result, and_(Result.enrolment_id == Enrolment.id, Result.current))
        .where(Enrolment.round_id == ROUND, Enrolment.state != EnrolmentState.EXEMPT)
    )


def _stage(asks: Asks) -> ColumnElement[str]:
    """Return the stage as `rules/path.py` would say it, but for REVIEW: there, who holds reviews that are not done.

    A published result comes first: what was not done by then is no longer asked. Each condition looks whether there is
    such a row, and counts none: for a thousand teachers half the time of counting.
    """
    everybody, tiers = asks
    of_tier = [(Enrolment.tier == one, literal(chooses)) for one, chooses in tiers]
    chooses = case(*of_tier, else_=literal(everybody)) if of_tier else literal(everybody)
    shown = Result.state.not_in([one for one in NOT_SHOWN if one is not None])
    work = select(Submission.id).where(Submission.enrolment_id == Enrolment.id)
    held = select(Assignment.id).where(
        Assignment.round_id == ROUND, Assignment.reviewer_id == Enrolment.person_id, Assignment.state.in_(UNDONE)
    )
    ways: list[tuple[ColumnElement[bool], Stage]] = [
        (and_(shown, Result.state.in_(TO_SIGN)), Stage.SIGN),
        (shown, Stage.DONE),
        (Enrolment.state == EnrolmentState.REGISTERED, Stage.READ),
        (Enrolment.state == EnrolmentState.INFORMED, Stage.SELF_TEST),
        (and_(chooses, Enrolment.state == EnrolmentState.SELF_TESTED), Stage.CHOOSE),
        (work.where(Submission.state.in_(UNFINISHED)).exists(), Stage.EVIDENCE),
        (and_(held.exists(), work.where(Submission.state != SubmissionState.REPLACED).exists()), Stage.REVIEW),
        (work.where(Submission.state == SubmissionState.SEALED).exists(), Stage.SUBMIT),
    ]
    return case(*((when, stage.value) for when, stage in ways), else_=Stage.WAIT.value)


def _fits() -> ColumnElement[bool]:
    """Return whether a name holds the word, or a number is it; the empty word fits everybody."""
    return or_(Person.name.like("%" + bindparam("like", type_=Text) + "%", escape="/"), numbered(bindparam("word")))


@cache
def _counts(asks: Asks) -> Select[tuple[str, int, int]]:
    """Select of how many are in each stage, and of how many of them the word fits."""
    stands = _everybody(_stage(asks).label("reached"), _fits().label("fits")).cte("stands").prefix_with("MATERIALIZED")
    fitting = func.count().filter(stands.c.fits)  # looked at once: SQLite would else ask for each stage twice
    return select(stands.c.reached, func.count(), fitting).group_by(stands.c.reached)


@cache
def _page(asks: Asks, *, of_stage: bool) -> Select[tuple[int, int]]:
    """Select of a page of enrolments and their people whom the word fits, by number."""
    wanted = _everybody(Enrolment.id, Enrolment.person_id).where(_fits())
    wanted = wanted.where(_stage(asks) == bindparam("stage")) if of_stage else wanted
    return wanted.order_by(Person.number, Person.id).limit(PAGE).offset(bindparam("from", type_=BigInteger))


@cache
def _facts(asks: Asks) -> Select[Any]:
    """Select of what lines show of the enrolments `ids`, who are the `people`."""
    ids, people = (bindparam(name, expanding=True, type_=BigInteger) for name in ("ids", "people"))
    works = (
        select(
            Submission.enrolment_id,
            func.count().filter(Submission.state.in_(UNFINISHED)).label("drafts"),
            func.count().filter(Submission.state == SubmissionState.SEALED).label("sealed"),
            func.count().label("works"),
            func.min(Submission.correction_due_at)
            .filter(Submission.state == SubmissionState.CORRECTING)
            .label("correction_due_at"),
        )
        .where(Submission.enrolment_id.in_(ids), Submission.state != SubmissionState.REPLACED)
        .group_by(Submission.enrolment_id)
        .subquery()
    )
    held = (
        select(Assignment.reviewer_id, func.count().label("held"), func.min(Assignment.lease_until).label("until"))
        .where(Assignment.round_id == ROUND, Assignment.state.in_(UNDONE), Assignment.reviewer_id.in_(people))
        .group_by(Assignment.reviewer_id)
        .subquery()
    )
    return (
        _everybody(
            Enrolment.id,
            _stage(asks),
            Person.name,
            Person.number,
            func.coalesce(works.c.drafts, 0),
            func.coalesce(works.c.sealed, 0),
            func.coalesce(works.c.works, 0),
            func.coalesce(held.c.held, 0),
            held.c.until,
            works.c.correction_due_at,
            REMINDED_AT,
        )
        .outerjoin(works, works.c.enrolment_id == Enrolment.id)
        .outerjoin(held, held.c.reviewer_id == Enrolment.person_id)
        .where(Enrolment.id.in_(ids))
        .order_by(Person.number, Person.id)
    )


def lines(session: Session, *, round_: Round, people: Mapping[int, int]) -> list[Line]:
    """Return these enrolments, each given with its person's id, as lines, by number; who is exempt has none."""
    asked = {"round": round_.id, "ids": list(people), "people": list(people.values())}
    rows = session.execute(_facts(_asks(round_scheme(session, round_=round_))), asked)
    return [Line(row[0], BY_VALUE[row[1]], *row[2:]) for row in rows]


def listing(
    session: Session, *, actor: Person, round_: Round, stage: Stage | None = None
) -> Select[tuple[Enrolment, Person]]:
    """Return a query of everybody in a round, or in one of its stages; who is exempt is in none.

    For the school's administrators. Raises NotAllowed.
    """
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    found = select(Enrolment, Person).join(Person, Person.id == Enrolment.person_id)
    found = found.where(Enrolment.round_id == round_.id)
    if stage is None:
        return found
    at = _stage(_asks(round_scheme(session, round_=round_)))
    of_stage = _everybody(Enrolment.id).where(at == stage.value).params(round=round_.id)
    return found.where(Enrolment.id.in_(of_stage))


REMINDED_AT = (
    select(func.max(Message.created_at))
    .where(Message.round_id == ROUND, Message.kind == REMINDER, Message.person_id == Enrolment.person_id)
    .scalar_subquery()
)
"""When somebody was reminded last."""


def _judges(session: Session, round_: Round) -> list[Judge]:
    return [Judge(*row) for row in session.execute(_asked(), {"round": round_.id})]


@cache
def _asked() -> Select[tuple[Person, int, datetime | None]]:
    """Select of who was asked for marks and has not given all of them."""
    of_round = select(Submission.id).where(Submission.round_id == ROUND)
    asked = (  # by the works' ids, not by a join: SQLite would look through the marks of all rounds
        select(PanelMark.marker_id, func.count().label("count"), func.min(PanelMark.due_at).label("due_at"))
        .where(PanelMark.submission_id.in_(of_round), PanelMark.mark.is_(None), PanelMark.released_at.is_(None))
        .group_by(PanelMark.marker_id)
        .subquery()
    )
    rows = select(Person, asked.c.count, asked.c.due_at).join(asked, asked.c.marker_id == Person.id)
    return rows.order_by(Person.number)


def _waiting(session: Session, round_: Round) -> dict[str, int]:
    """Return how much waits for the panel, all in one question."""
    of_round = select(Enrolment.id).where(Enrolment.round_id == round_.id).scalar_subquery()
    model, standing = standing_ids(round_, round_scheme(session, round_=round_))
    asked = {
        "validity": select(func.count()).where(
            Submission.round_id == round_.id, Submission.state == SubmissionState.SUBMITTED
        ),
        "contested": select(func.count()).where(
            Adjustment.enrolment_id.in_(of_round), Adjustment.state == AdjustmentState.CONTESTED
        ),
        "unconfirmed": select(func.count()).where(model.id.in_(standing), model.state == ResultState.COMPOSED),
    }
    row = session.execute(select(*(one.scalar_subquery().label(name) for name, one in asked.items()))).one()
    return dict(row._mapping)  # noqa: SLF001 - the public name of a row's columns


def remind(
    session: Session, *, actor: Person, round_: Round, stage: Stage | None = None, enrolment: Enrolment | None = None
) -> int:
    """Tell everybody in a stage, or one teacher, what is next; nobody twice in a day. Return how many were told.

    Raises NothingToRemind where it is not the teacher's turn, RemindedToday where all of them were told already.
    """
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    take_turn(session, organization_id=round_.organization_id)
    require_phase(round_, RoundPhase.OPEN, RoundPhase.SCORING, RoundPhase.SIGNING)
    at = _stage(_asks(round_scheme(session, round_=round_)))
    found = _everybody(Enrolment.person_id, at, REMINDED_AT)
    found = found.where(at.in_([one.value for one in MINE if stage in (None, one)]))
    if enrolment is not None:
        found = found.where(Enrolment.id == enrolment.id)
    rows = session.execute(found, {"round": round_.id}).all()
    if not rows:
        raise NothingToRemind
    due = [(person_id, BY_VALUE[value]) for person_id, value, at in rows if at is None or at <= now() - ONCE_IN]
    if not due:
        raise RemindedToday
    _tell(session, round_, due)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=actor,
        deed="round.remind",
        about=round_,
        people=[person_id for person_id, _stage in due],
    )
    return len(due)


def _tell(session: Session, round_: Round, due: Sequence[tuple[int, Stage]]) -> None:
    for stage in MINE:
        people = [person_id for person_id, at in due if at is stage]
        if people:
            sentence = _("“{name}”提醒：{todo}")
            tell_many(
                session,
                people=people,
                round_id=round_.id,
                kind=REMINDER,
                sentence=sentence,
                name=round_.name,
                todo=say(stage.todo),
            )
