"""The programme's part of a teacher's record (docs/record.md): what `facts.record_of` adds where the scheme asks for it."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from models import Enrolment, Evidence, Fact, Person, Submission
from review_flow.rules.marks import aggregate, rounded
from review_flow.rules.scheme import DELIVERABLES
from review_flow.rules.words import EvidenceState, FactKind, Verdict
from review_flow.steps.programme import ABSENT, MADE_UP, facts_standing, wants_confirming
from review_flow.steps.voices import voices_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from review_flow.rules.scheme import Scheme


def programme_of(session: Session, *, enrolment: Enrolment, scheme: Scheme) -> dict[str, Any]:
    """Return minutes, slots, attendance, periods, themes, tests, component marks, tier and roles, as the scheme asks."""
    facts: dict[FactKind, list[Fact]] = defaultdict(list)
    for fact in facts_standing(session, enrolment=enrolment):
        if wants_confirming(scheme, fact) is None or fact.confirmed_at is not None:
            facts[fact.kind].append(fact)
    voices = voices_of(session, enrolment=enrolment, scheme=scheme)
    gathered: dict[str, tuple[bool, Any]] = {
        "minutes": (bool(scheme.hours.minutes), _minutes(scheme, facts[FactKind.MINUTES])),
        "slots": (bool(scheme.deliverables), _slots(session, enrolment, scheme, facts[FactKind.PIECE])),
        "attendance": (bool(scheme.activities), _attendance(scheme, facts[FactKind.ATTENDANCE])),
        "periods": (bool(facts[FactKind.PERIOD]), _periods(facts[FactKind.PERIOD])),
        "themes": (bool(scheme.themes), _themes(scheme, facts[FactKind.THEME])),
        "tests": (bool(scheme.tests), _tests(facts[FactKind.TEST])),
        "components": (bool(facts[FactKind.MARK]), _marks(facts[FactKind.MARK])),
        "sources": (bool(voices), voices),
        "tier": (bool(scheme.select.tiers), enrolment.tier),
        "role": (bool(scheme.roles), list(enrolment.roles)),
        **_leaving(session, enrolment, scheme),
    }
    return {key: value for key, (asked, value) in gathered.items() if asked}


def _minutes(scheme: Scheme, facts: Sequence[Fact]) -> dict[str, str]:
    sums = {ledger.id: Decimal(0) for ledger in scheme.hours.minutes}
    for fact in facts:
        sums[fact.about] += fact.number or 0
    return {ledger: str(total) for ledger, total in sums.items()}


_FILES = (
    select(Evidence)
    .join(Submission, Evidence.submission_id == Submission.id)
    .where(
        Submission.enrolment_id == bindparam("enrolment"),
        Submission.ability == DELIVERABLES,
        Evidence.state == EvidenceState.CHECKED,
        Evidence.verdict != Verdict.REJECTED,
    )
    .order_by(Evidence.id)
)


def _slots(session: Session, enrolment: Enrolment, scheme: Scheme, facts: Sequence[Fact]) -> dict[str, list[Any]]:
    """Return the pieces by deliverable: told ones, and files handed in that no check rejected."""
    found: dict[str, list[Any]] = {slot.id: [] for slot in scheme.deliverables}
    for fact in facts:
        measured = {"chars", "seconds"} & set(fact.details)
        found[fact.about].append(dict(fact.details) if measured else {**fact.details, "checked": True})
    for file in session.scalars(_FILES, {"enrolment": enrolment.id}):
        found[file.slot].append(_measured(file))
    return found


def _measured(file: Evidence) -> dict[str, Any]:
    """Return a file's lengths as its check measured them."""
    media = (file.report or {}).get("media", {})
    seconds = media.get("duration_s")
    lengths = {
        "chars": media.get("chars"),
        "seconds": None if seconds is None else str(round(Decimal(str(seconds)), 3)),
    }
    return {key: value for key, value in lengths.items() if value is not None}


def _attendance(scheme: Scheme, facts: Sequence[Fact]) -> dict[str, Any]:
    """Return each activity as attended, made up or missed: the best of what was told of its meetings."""
    words = defaultdict(set)
    for fact in facts:
        words[fact.about].add(fact.word)
    return {
        one.id: MADE_UP if words[one.id] - {ABSENT} == {MADE_UP} else bool(words[one.id] - {ABSENT})
        for one in scheme.activities
    }


def _periods(facts: Sequence[Fact]) -> dict[str, list[int]]:
    """Return the counts of each period in the order of its key (2020-W45 …)."""
    found = defaultdict(list)
    for fact in sorted(facts, key=lambda fact: (fact.about, fact.key)):
        found[fact.about].append(int(fact.number or 0))
    return dict(found)


def _themes(scheme: Scheme, facts: Sequence[Fact]) -> list[str]:
    told = {fact.about for fact in facts}
    return [theme.id for theme in scheme.themes if theme.id in told]


def _tests(facts: Sequence[Fact]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for fact in facts:
        test, dot, part = fact.about.partition(".")
        if dot:
            found.setdefault(test, {})[part] = fact.word
        else:
            found[test] = fact.word
    return dict(sorted(found.items()))


def _marks(facts: Sequence[Fact]) -> dict[str, str]:
    """Return each component's mark: the mean of those told of it, to two decimals, half up."""
    told = defaultdict(list)
    for fact in facts:
        told[fact.about].append(fact.number or Decimal(0))
    return {name: str(rounded(aggregate("mean", marks))) for name, marks in sorted(told.items())}


def _leaving(session: Session, enrolment: Enrolment, scheme: Scheme) -> dict[str, tuple[bool, Any]]:
    last = session.get_one(Person, enrolment.person_id).retires_on
    return {
        "retires_on": (
            bool(scheme.applies_to.exemptions) and last is not None,
            None if last is None else last.isoformat(),
        ),
        "joins": (bool(scheme.applies_to.exemptions), True),  # who stays away has no result at all
    }
