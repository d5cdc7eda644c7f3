"""Do what somebody asked for and no request has the time for; the answer is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from prefect import flow
from sqlalchemy.orm import Session

from flows.drain import Item, Record, drain
from models import Errand, Person, Round
from review_flow.db import transaction
from review_flow.i18n import LANGUAGES, speaking
from review_flow.rules.words import ErrandKind, WorkKind
from review_flow.steps import audit, errands, feedback

if TYPE_CHECKING:
    from collections.abc import Sequence

Begin = Callable[[], AbstractContextManager[Session]]


def handle(item: Item) -> Record:
    """Do an errand in short transactions, so that pages and other work come between."""
    answer = answer_of(item.subject_id)

    def record(session: Session) -> None:
        errands.finish(session, errand=session.get_one(Errand, item.subject_id), answer=answer)

    return record


def answer_of(errand_id: int, begin: Begin = transaction) -> dict[str, Any]:
    """Return what comes of an errand; `begin` begins each of its transactions."""
    with begin() as session:
        kind = session.get_one(Errand, errand_id).kind
    return DEEDS[kind](errand_id, begin)


def _agreement(errand_id: int, begin: Begin) -> dict[str, Any]:
    with begin() as session:
        errand = session.get_one(Errand, errand_id)
        actor, round_ = session.get_one(Person, errand.asked_by_id), session.get_one(Round, errand.round_id)
        given = feedback.gather(session, actor=actor, round_=round_)
    return errands.agreed(feedback.agree(given))


def _dry_run(errand_id: int, begin: Begin) -> dict[str, Any]:
    """Say it in each language: who reads it chooses."""
    from review_flow.steps import dry_run  # the solver is loaded by whoever asks for it

    told = {}
    for one in LANGUAGES:
        with speaking(one):
            with begin() as session:
                errand = session.get_one(Errand, errand_id)
                actor, round_ = session.get_one(Person, errand.asked_by_id), session.get_one(Round, errand.round_id)
                given = dry_run.gather(session, actor=actor, round_=round_)
            told[one] = dry_run.told(given, dry_run.rehearse(given))
    return told


def _chain(errand_id: int, begin: Begin) -> dict[str, Any]:
    with begin() as session:
        organization_id = session.get_one(Errand, errand_id).organization_id
    read = audit.Reading()
    while True:
        with begin() as session:
            following = audit.read_on(session, organization_id=organization_id, read=read)
        if following is None:
            return errands.chained(read)
        read = following


def _confirm_grades(errand_id: int, begin: Begin) -> dict[str, Any]:
    """A cut costs nothing: what is confirmed already is passed over when it is done again."""
    with begin() as session:
        waiting = errands.to_confirm(session, errand=session.get_one(Errand, errand_id))
    confirmed = 0
    for of, key in waiting:
        with begin() as session:
            errand = session.get_one(Errand, errand_id)
            confirmed += errands.confirm_one(session, errand=errand, of=of, key=key)
    return {"confirmed": confirmed, "left": len(waiting) - confirmed}


DEEDS = {
    ErrandKind.AGREEMENT: _agreement,
    ErrandKind.CHAIN: _chain,
    ErrandKind.CONFIRM_GRADES: _confirm_grades,
    ErrandKind.DRY_RUN: _dry_run,
}


def tags_of(_session: Session, item: Item) -> Sequence[str]:
    """Return the tag by which an operator follows the errand."""
    return (f"errand:{item.subject_id}",)


@flow(name="run_errand", flow_run_name="run_errand")
def run_errand(patience: float = 0) -> dict[str, int]:
    """Do what somebody asked for. Drains what is due; stays `patience` seconds for more."""
    return asdict(drain(WorkKind.RUN_ERRAND, handle, tags_of=tags_of, patience=patience))
