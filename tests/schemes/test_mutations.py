"""A number of a built-in scheme that is changed is either refused by `check` or changes what grading says of a record.

The records lie on the edges of what each scheme asks. What is listed in SHOWN is printed or kept, and nothing computes
with it: there the golden table alone holds the number (docs/not-automated.md).
"""

import json
import re
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from review_flow import schemes
from review_flow.rules.following import fee_yuan
from review_flow.rules.grading import grade
from review_flow.rules.scheme import Scheme
from review_flow.rules.selection import school_list_problems
from review_flow.simulation import Assumptions
from review_flow.simulation.play import records_of, school_list
from tests.rules.generated import accepted
from tests.schemes.golden_numbers import numbers
from tests.schemes.test_golden import put

EXAMPLES = Path(schemes.__file__).parents[2] / "docs" / "examples" / "schemes"
WORDS = re.compile(r"(text_zh|name_zh|who|scope|hint_zh|output|outputs\.\d+|source_note|themes\.\d+)$")
LAST = re.compile(r"[0-9](?=[^0-9]*$)")


SHOWN: dict[
    str, set[str]
] = {  # printed days and headers; hours that a gate's own number decides; and three the records do not reach
    "case1-tiers": {
        "phases.closing.begins",
        "phases.closing.ends",
        "phases.prepare.ends",
        "phases.run.begins",
        "phases.run.ends",
    },
    "case2-microcert": {"hours.ledgers.online.min", "hours.ledgers.practice.min"},
    "fuqing-30": {"hours.ledgers.practice30.min"},
    "fuqing-50": {"hours.ledgers.network50.min"},
    "fuqing-workshop-ops": {
        "phases.p1.begins",
        "phases.p1.ends",
        "phases.p2a.begins",
        "phases.p2a.ends",
        "phases.p2b.begins",
        "phases.p2b.ends",
        "phases.p2b.tasks.bulletin2.by",
        "phases.p3.begins",
    },
    "fuyu-2020-50": {"effective_from"},
    "lishu-2022-implementation": {
        "effective_from",
        "effective_to",
        "phases.closing.begins",
        "phases.run.begins",
        "phases.start.begins",
    },
    "quanzhou-2016-80": {
        "effective_to",
        "phases.selection.begins",
        "phases.y2016.begins",
        "phases.y2016.tasks.backbone_middle.by",
        "phases.y2016.tasks.backbone_primary.by",
        "phases.y2016.tasks.first_batch.by",
        "phases.y2016.tasks.registration.by",
        "phases.y2017.begins",
        "theme_stages.s1.header.network",
        "theme_stages.s1.header.practice",
        "theme_stages.s2.header.network",
        "theme_stages.s2.header.practice",
        "theme_stages.s3.header.network",
        "theme_stages.s3.header.practice",
    },
    "region-template": {"hours.ledgers.practice.min", "hours.ledgers.practice.share", "hours.ledgers.total.min"},
    "xian-2022-appraisal": {"checklist_levels.不合格"},
    "xx-process-100": {
        "deliverables.lesson_clip.max_seconds",
        "hours.ledgers.online.min",
        "hours.ledgers.total.min",
    },
}


def edges(scheme: Scheme) -> list[dict[str, Any]]:
    """The example, made-up people, and for each number a person just there and just short of it."""
    example = json.loads((EXAMPLES / f"{scheme.id}.json").read_text(encoding="utf-8"), parse_float=str)
    made = records_of(scheme, teachers=12, seed=7, assumed=Assumptions(diligence_mean=0.9))
    exact = deepcopy(example)
    for ledger in scheme.hours.ledgers:
        exact.setdefault("hours", {})[ledger.id] = str(ledger.min)
    short = deepcopy(exact)
    for name, value in short.get("hours", {}).items():
        short["hours"][name] = str(max(Decimal(0), Decimal(value) - Decimal("0.5")))
    return [example, exact, short, _exactly(scheme), *made]


def _exactly(scheme: Scheme) -> dict[str, Any]:
    """Quotas and targets just met, every kind of event, more awards than count, pieces just long and short enough."""
    quota = {name: 20 for one in scheme.quotas for name in (one.share_of,) if name}
    quota |= {one.of: int(one.value * 20 if one.share_of else one.value) for one in scheme.quotas}
    lengths = [one for one in scheme.deliverables if one.min_seconds is not None or one.min_chars is not None]
    kinds = [one.id for one in scheme.adjust.deductions]
    return {
        "quota": quota,
        "targets": {one.id: {"value": str(one.value)} for one in scheme.targets},
        "events": [{"kind": kind, "on": "2022-03-01"} for kind in kinds],
        "awards": ["9"],
        "marks": {"peer": ["90", "90"], "panel": ["90", "74"]},
        "components": {one.id: "80" for one in scheme.leaves() if one.scoring and one.scoring.type == "score"},
        "checklists": {one.id: [0] for one in scheme.rated_components()},
        "minutes": {one.id: "1000" for one in scheme.hours.minutes},
        "slots": {one.id: [_piece(one.min_chars, one.min_seconds), _piece(one.min_chars, one.max_seconds)] for one in lengths},
        "retires_on": "2021-10-05",
    }  # fmt: skip


def _piece(chars: int | None, seconds: Decimal | None) -> dict[str, Any]:
    given = {"chars": chars, "seconds": None if seconds is None else str(seconds)}
    return {key: value for key, value in given.items() if value is not None}


def behaviour(scheme: Scheme, records: list[dict[str, Any]]) -> list[object]:
    listed = school_list(scheme)
    return [
        *(grade(scheme, record).canonical() for record in records),
        *([one.text for one in school_list_problems(scheme, scheme.catalogue, listed[:size])] for size in range(1, 10)),
        str(fee_yuan(scheme)),
    ]


def survivors(name: str) -> set[str]:
    """The paths of the numbers that may be changed without anybody noticing."""
    written = schemes.page(name).data
    original = schemes.load(name)
    records = edges(original)
    before = behaviour(original, records)
    same = set()
    for path, value in numbers(written).items():
        if WORDS.search(path):
            continue
        other = deepcopy(written)
        put(other, path, LAST.sub(lambda digit: str((int(digit[0]) + 1) % 10), value))
        changed = accepted(other)
        if changed is not None and behaviour(changed, records) == before:
            same.add(path)
    return same


@pytest.mark.parametrize("name", [one.id for one in schemes.available()])
def test_each_number_that_is_computed_with_changes_something(name):
    assert survivors(name) == SHOWN.get(name, set())
