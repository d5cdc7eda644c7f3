"""The school's office: roles given and taken, the audit chain read whole, a round in numbers, how reviewers agree."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Person, Round
from review_flow.errors import NotAllowed
from review_flow.i18n import language
from review_flow.rules.words import ErrandKind, RoleKind
from review_flow.steps import charts, errands, people
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api import seen
from review_flow.web.api.access import Administrator
from review_flow.web.api.pages import Asked, numbered_part
from review_flow.web.api.panel import who
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.school import PersonOut, shown_people
from review_flow.web.api.shapes import Out, Page, Who

routes = router("office")
Kind = Annotated[RoleKind, Path(description="Which role.")]


class ErrandAt(Out):
    """Something that is done in the background: whether it is under way, why it stopped, when it was done last."""

    under_way: bool
    stopped: str | None
    done_at: datetime | None


class ChainOut(ErrandAt):
    """How the audit chain was read last: how many links, and the numbers of those that don't fit; null: never."""

    count: int | None
    wrong: list[int]


class ReviewerOut(Out):
    """How a reviewer's marks lie beside the others': the mean difference, its 95 % interval, of how many marks."""

    person: Who
    bias: str
    low: str
    high: str
    marks: int


class AgreementOut(ErrandAt):
    """How a round's reviewers agree, as it was computed last: Krippendorff's alpha; null: not yet, or too few marks."""

    alpha: str | None


class Count(Out):
    """How many of the made-up teachers, at a grade or stuck at a demand."""

    name: str
    teachers: int


class DryRunOut(ErrandAt):
    """What would happen in a round, as it was tried out last: what stands in the way, in words, and in numbers."""

    problems: list[str]
    authors: int | None
    reviewers: int | None
    reviews: int | None
    most: int | None
    teachers: int | None
    grades: list[Count]
    stuck: list[Count]


class Series(Out):
    """One name's numbers, one at every place of the axis."""

    name: str
    values: list[int]


class ChartOut(Out):
    """What a chart of a round is drawn from: the places along its axis, and the numbers there."""

    id: str
    title: str
    axis: str
    labels: list[str]
    series: list[Series]
    note: str


def _person(session: Session, found: Person) -> PersonOut:
    session.flush()
    return shown_people(session, [(found,)])[0]


@writes(routes, "PUT", "/people/{key}/roles/{kind}", refuses=[NotAllowed])
def give_role(session: Db, person: Administrator, key: Key, kind: Kind) -> PersonOut:
    """Give somebody a role of the school; one they hold already stays."""
    found = mine.colleague(session, person, key)
    people.grant(session, actor=person, person=found, kind=kind)
    return _person(session, found)


@writes(routes, "DELETE", "/people/{key}/roles/{kind}", refuses=[people.LastAdmin])
def take_role(session: Db, person: Administrator, key: Key, kind: Kind) -> PersonOut:
    """Take a role of the school away; what was done in it stays."""
    found = mine.colleague(session, person, key)
    people.withdraw(session, actor=person, person=found, kind=kind)
    return _person(session, found)


@reads(routes, "/rounds/{key}/charts")
def list_charts(session: Db, person: Administrator, key: Key, part: Asked) -> Page[ChartOut]:
    """List a round in numbers: grades, progress day by day, reviews done, how far marks lie apart, abilities."""
    found = charts.of_round(session, actor=person, round_=seen.school_round(session, person, key))
    told = [
        ChartOut(
            id=one.id,
            title=one.title,
            axis=one.axis,
            labels=one.labels,
            series=[Series(name=name, values=values) for name, values in one.series.items()],
            note=one.note,
        )
        for one in found
    ]
    return numbered_part(told, part=part)


def _at(known: errands.Known) -> ErrandAt:
    return ErrandAt(under_way=known.under_way is not None, stopped=known.stopped, done_at=known.done_at)


@writes(routes, "POST", "/audit/chain", status=202)
def read_chain(session: Db, person: Administrator) -> ChainOut:
    """Have the school's whole audit chain read; the worker does it."""
    errands.ask_chain(session, actor=person)
    return _chain(session, person)


@reads(routes, "/audit/chain")
def get_chain(session: Db, person: Administrator) -> ChainOut:
    """Tell how the chain was read last."""
    return _chain(session, person)


def _chain(session: Session, person: Person) -> ChainOut:
    known = errands.known(session, kind=ErrandKind.CHAIN, organization_id=person.organization_id)
    answer = known.answer or {"count": None, "wrong": []}
    return ChainOut(**_at(known).model_dump(), count=answer["count"], wrong=answer["wrong"])


@writes(routes, "POST", "/rounds/{key}/dry-run", status=202)
def rehearse_round(session: Db, person: Administrator, key: Key) -> DryRunOut:
    """Have a round tried out before anybody is invited to it; the worker does it, and changes nothing."""
    round_ = seen.school_round(session, person, key)
    errands.ask_dry_run(session, actor=person, round_=round_)
    return _dry_run(session, round_)


@reads(routes, "/rounds/{key}/dry-run")
def get_dry_run(session: Db, person: Administrator, key: Key) -> DryRunOut:
    """Tell what would happen in a round, as it was tried out last."""
    return _dry_run(session, seen.school_round(session, person, key))


def _dry_run(session: Session, round_: Round) -> DryRunOut:
    known = errands.known(session, kind=ErrandKind.DRY_RUN, organization_id=round_.organization_id, round_=round_)
    told = (known.answer or {}).get(language.get(), {})
    numbers = {name: told.get(name) for name in ("authors", "reviewers", "reviews", "most", "teachers")}
    counts = {
        name: [{"name": one, "teachers": count} for one, count in told.get(name, [])] for name in ("grades", "stuck")
    }
    at = _at(known).model_dump()
    return DryRunOut.model_validate({**at, "problems": told.get("said", []), **numbers, **counts})


@writes(routes, "POST", "/rounds/{key}/agreement", status=202)
def compute_agreement(session: Db, person: Administrator, key: Key) -> AgreementOut:
    """Have it computed how a round's reviewers agree; the worker does it."""
    round_ = seen.school_round(session, person, key)
    errands.ask_agreement(session, actor=person, round_=round_)
    return _agreement(_known(session, round_))


@reads(routes, "/rounds/{key}/agreement")
def get_agreement(session: Db, person: Administrator, key: Key) -> AgreementOut:
    """Tell how a round's reviewers agree, as it was computed last."""
    return _agreement(_known(session, seen.school_round(session, person, key)))


def _known(session: Session, round_: Round) -> errands.Known:
    return errands.known(session, kind=ErrandKind.AGREEMENT, organization_id=round_.organization_id, round_=round_)


def _agreement(known: errands.Known) -> AgreementOut:
    return AgreementOut(**_at(known).model_dump(), alpha=(known.answer or {}).get("alpha"))


@reads(routes, "/rounds/{key}/agreement/reviewers")
def list_agreeing(session: Db, person: Administrator, key: Key, part: Asked) -> Page[ReviewerOut]:
    """List how each reviewer's marks lie beside the others', as it was computed last."""
    answer = _known(session, seen.school_round(session, person, key)).answer or {"reviewers": []}
    cut = numbered_part(answer["reviewers"], part=part)
    found = {one.id: one for one in session.scalars(select(Person).where(Person.id.in_([row[0] for row in cut.items])))}
    told = [
        ReviewerOut(person=who(found[key]), bias=bias, low=low, high=high, marks=marks)
        for key, bias, low, high, marks in cut.items
    ]
    return Page(items=told, next=cut.next)
