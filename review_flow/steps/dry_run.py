"""试运行: what a round would lack, and what nobody could fulfil, before anybody is invited to it. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import Enrolment, Person
from review_flow.i18n import _, say
from review_flow.rules.allocation import Groups, Reviewer, Work, allocate
from review_flow.rules.scheme import Scheme
from review_flow.simulation import Findings, simulate
from review_flow.steps.hearers import too_few_hearers
from review_flow.steps.judges import taken_off
from review_flow.steps.may_review import REVIEWS
from review_flow.steps.people import conflicts_of, require_admin
from review_flow.steps.reviews import participants
from review_flow.steps.rounds import obstacles, round_scheme

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from models import Round

MOST_PLAYED = 60  # made-up people; more change the answer little
MOST_STUCK = 8
MOST_WORKS = 600  # of the real people; a larger school is tried with one work of each


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of a round, gathered in one transaction; `rehearse` needs no database."""

    scheme: Scheme
    lacking: list[str]
    teachers: int
    reviewers: list[Reviewer]
    authors: list[Reviewer]
    apart: set[tuple[int, int]]
    seed: int


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of it: what is missing now, who could not be reviewed, what the scheme makes impossible, what happens."""

    lacking: list[str]
    blocked: str | None
    reviews: int
    most: int
    findings: Findings


def gather(session: Session, *, actor: Person, round_: Round) -> Given:
    """Return what a rehearsal needs; the school's administrators may ask."""
    require_admin(session, actor=actor, organization_id=round_.organization_id)
    people = session.scalars(
        select(Person)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .where(Enrolment.round_id == round_.id, REVIEWS)
        .order_by(Person.id)
    )
    able = [Reviewer(id=one.id, cap=MOST_WORKS, groups=_groups(one)) for one in people]
    taking_part = {one.person_id for one in participants(session, round_=round_)}
    scheme = round_scheme(session, round_=round_)
    asked: dict[str, Any] = {"round_": round_, "scheme": scheme}
    lacking = obstacles(session, round_=round_)
    return Given(
        scheme=scheme,
        lacking=lacking or [*taken_off(session, **asked), *too_few_hearers(session, **asked)],
        teachers=len(taking_part),
        reviewers=able,
        authors=[one for one in able if one.id in taking_part],
        apart=conflicts_of(session, organization_id=round_.organization_id),
        seed=round_.id,
    )


def _groups(person: Person) -> Groups:
    return Groups(person.subject or None, person.stage or None, str(person.workshop_id or "") or None)


def rehearse(given: Given) -> Rehearsal:
    """Give everybody's works out to the real people, and play the scheme with made-up ones. Seconds, without a database."""
    scheme, each = given.scheme, max(1, given.scheme.teacher_selection().min)
    wanted = scheme.review.peer.receive_target
    each = each if each * len(given.authors) <= MOST_WORKS else 1
    works = [
        Work(id=author.id * each + number, authors=frozenset({author.id}), demand=wanted, groups=author.groups)
        for author in given.authors
        for number in range(each)
    ]
    apart = {(one, work.id) for one, other in given.apart for work in works if other in work.authors}
    found = allocate(
        reviewers=given.reviewers, works=works, conflicts=apart, rules=scheme.review.peer.allocation, seed=given.seed
    )
    loads: dict[int, int] = {}
    for reviewer, _work in found.pairs:
        loads[reviewer] = loads.get(reviewer, 0) + 1
    return Rehearsal(
        lacking=given.lacking,
        blocked=found.blocked_by.text if found.blocked_by else None,
        reviews=len(found.pairs),
        most=max(loads.values(), default=0),
        findings=simulate(scheme, teachers=min(max(given.teachers, 2), MOST_PLAYED), seed=given.seed),
    )


def told(given: Given, rehearsal: Rehearsal) -> dict[str, Any]:
    """Return what a page shows of it: sentences, counts, and the names a scheme gives its grades and gates, in order."""
    found = rehearsal.findings
    return {
        "said": said(rehearsal),
        "authors": len(given.authors),
        "reviewers": len(given.reviewers),
        "reviews": rehearsal.reviews,
        "most": rehearsal.most,
        "teachers": found.teachers,
        "grades": list(found.grades.items()),
        "stuck": [(one.name_zh, one.failed) for one in found.stuck[:MOST_STUCK] if one.failed],
    }


def said(rehearsal: Rehearsal) -> list[str]:
    """Return, in Chinese, everything that stands in the way, now or later."""
    found = [*rehearsal.lacking]
    if rehearsal.blocked:
        found.append(say(_("互评分不下去：{why}"), why=rehearsal.blocked))
    return [*found, *(one.text for one in rehearsal.findings.impossible)]
