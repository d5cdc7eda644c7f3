"""Whether there are judges enough: the scheme's number for every work, before a round opens and while it runs (T13).

Fewer decide nothing; nobody marks own work or a relative's (X-47), and who reviewed a work as a colleague marks it no
more. So a panel made of the round's own teachers runs short without anybody being late.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, func, or_, select

from models import Enrolment, PanelMark, PanelSeat, Person, Submission
from review_flow.i18n import _, listed, say
from review_flow.rules.lifecycle import EnrolmentState, SubmissionState
from review_flow.rules.words import SeatKind
from review_flow.steps.may_review import REVIEWS
from review_flow.steps.people import conflicts_of

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from models import Round
    from review_flow.rules.scheme import Scheme

MOST_NAMED = 5
MOST_SHOWN = 20
EVERYTHING = 1_000_000

_JUDGES = (
    select(PanelSeat.person_id)
    .join(Person, Person.id == PanelSeat.person_id)
    .where(
        PanelSeat.round_id == bindparam("round"),
        PanelSeat.kind.in_([SeatKind.MEMBER, SeatKind.RESERVE]),
        Person.active,
    )
)
_AUTHORS = (
    select(Person.id, Person.name)
    .join(Enrolment, Enrolment.person_id == Person.id)
    .where(Enrolment.round_id == bindparam("round"), Enrolment.state != EnrolmentState.EXEMPT)
    .order_by(Person.number)
)
_REVIEWING = _JUDGES.where(
    PanelSeat.person_id.in_(
        select(Enrolment.person_id)
        .join(Person, Person.id == Enrolment.person_id)
        .where(Enrolment.round_id == bindparam("round"), REVIEWS)
    )
)


def too_few(session: Session, *, round_: Round, scheme: Scheme) -> list[str]:
    """Return, in Chinese, whose works could never be decided: too few of the panel are free to mark them."""
    least = _wanted(scheme)
    authors = dict(session.execute(_AUTHORS, {"round": round_.id}).tuples().all())
    free = {one: len(judges) for one, judges in _free(session, round_=round_, authors=authors).items()}
    short = [one for one in authors if free[one] < least]
    if not short:
        return []
    names = listed(authors[one] for one in short[:MOST_NAMED])
    who = names if len(short) <= MOST_NAMED else say(_("{names}等{count}人"), names=names, count=len(short))
    sentence = _(
        "能给{who}的成果评分的考核组成员和候补不足{least}人（本人和须回避的不算），请再增加{count}名成员或候补"
    )
    return [say(sentence, who=who, least=least, count=least - min(free[one] for one in short))]


def taken_off(session: Session, *, round_: Round, scheme: Scheme) -> list[str]:
    """Return, in Chinese, that the panel runs short where its people review as colleagues; by the worst that can be.

    Each work takes as many reviewers as the scheme wants, and all of them may be of the panel.
    """
    least, reviewers = _wanted(scheme), scheme.review.peer.receive_target
    reviewing = set(session.scalars(_REVIEWING, {"round": round_.id}))
    authors = dict(session.execute(_AUTHORS, {"round": round_.id}).tuples().all())
    if not reviewing or not authors:
        return []
    free = _free(session, round_=round_, authors=authors).values()
    left = min(len(judges - reviewing) + max(0, len(judges & reviewing) - reviewers) for judges in free)
    if left >= least:
        return []
    sentence = _(
        "考核组成员和候补中有{count}人自己也参加互评，互评过的成果不再由他们评分；最少时一份成果只有{left}人可评，"
        "应有{least}人，请再增加{lack}名不参加本轮互评的候补"
    )
    return [say(sentence, count=len(reviewing), left=left, least=least, lack=least - left)]


def _wanted(scheme: Scheme) -> int:
    """Return how many judges a work wants; 0 where the scheme asks nobody for works that come to the panel."""
    tiers = [None, *(one.id for one in scheme.select.tiers)]
    return scheme.review.panel.size if any(scheme.teacher_selection(one).min for one in tiers) else 0


def _free(session: Session, *, round_: Round, authors: dict[int, str]) -> dict[int, set[int]]:
    """Return who of the panel may mark each author's works, before anybody has reviewed one."""
    judges = set(session.scalars(_JUDGES, {"round": round_.id}))
    away: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in conflicts_of(session, organization_id=round_.organization_id):
        away[one].add(other)
    return {one: judges - {one} - away[one] for one in authors}


@dataclass(frozen=True, slots=True)
class Short:
    """A work that stands still: which kind of judge it lacks, and how many."""

    submission_id: int
    ability: str
    author: str
    seat: SeatKind
    missing: int

    @property
    def text(self) -> str:
        """What is missing and what to do, in Chinese."""
        sentence = (
            _("{ability}（成果{id}）缺{count}名仲裁人，请增加席位")
            if self.seat is SeatKind.ARBITER
            else _("{ability}（成果{id}）缺{count}名考核组成员，请增加席位")
        )
        return say(sentence, ability=self.ability, id=self.submission_id, count=self.missing)


def short_of(session: Session, *, round_: Round, scheme: Scheme, most: int = EVERYTHING) -> tuple[list[Short], int]:
    """Return the first `most` works before the panel that lack a judge whom nobody can be asked for, and how many."""
    size = scheme.review.panel.size
    rows = session.execute(_short(), {"round": round_.id, "size": size, "most": most}).all()
    found = [
        Short(key, ability, author, SeatKind.ARBITER if asked >= size else SeatKind.MEMBER, max(size - asked, 1))
        for key, ability, author, asked, _count in rows
    ]
    return found, rows[0][-1] if rows else 0


@cache
def _short() -> Select[tuple[int, str, str, int, int]]:
    of_round = Submission.round_id == bindparam("round"), Submission.state == SubmissionState.IN_PANEL
    standing = (  # by the works' ids, not by a join: SQLite would look through the marks of all rounds
        select(PanelMark.submission_id, func.count().label("asked"), func.count(PanelMark.mark).label("marked"))
        .where(PanelMark.submission_id.in_(select(Submission.id).where(*of_round)), PanelMark.released_at.is_(None))
        .group_by(PanelMark.submission_id)
        .subquery()
    )
    asked: Any = func.coalesce(standing.c.asked, 0)
    return (
        select(Submission.id, Submission.ability, Person.name, asked, func.count().over())
        .join(Person, Person.id == Submission.author_id)
        .outerjoin(standing, standing.c.submission_id == Submission.id)
        .where(*of_round, or_(asked < bindparam("size", type_=BigInteger), asked == standing.c.marked))
        .order_by(Submission.id)
        .limit(bindparam("most", type_=BigInteger))
    )
