"""The sections of a scheme that speak of a whole programme, as frozen data; docs/schemes.md explains every field.

What is handed in besides abilities, where one comes to, what groups owe, by when, and what follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Need:
    """So many pieces of a deliverable, or of those it takes instead; `on` others: about colleagues' work only."""

    slot: str
    count: int = 1
    accept_also: tuple[str, ...] = ()
    on: str = "any"  # any | others


@dataclass(frozen=True)
class Activity:
    """Something one comes to. `series` gathers several (attendance.<series>); `makeup`: a recorded make-up counts."""

    id: str
    name_zh: str
    series: str
    makeup: bool = True
    outputs: tuple[str, ...] = ()
    minutes: int | None = None


@dataclass(frozen=True)
class Theme:
    """A themed task of a programme: hours it credits by ledger, what it leads to, who leads it (003)."""

    id: str
    name_zh: str
    hours: Mapping[str, Decimal]
    output: str = ""
    lead: tuple[str, ...] = ()


@dataclass(frozen=True)
class ThemeStage:
    """A stretch of themes; `header` repeats what the document prints above them where it differs (X-29)."""

    id: str
    name_zh: str
    themes: tuple[str, ...]
    weeks: int
    header: Mapping[str, Decimal] = field(default_factory=dict)
    source_note: str = ""


@dataclass(frozen=True)
class ThemeRule:
    """How many topics of a theme one takes, whether one may set an own one, and whether a workshop takes them all."""

    choose: int = 1
    own_topic: bool = True
    workshop_covers_all: bool = False


@dataclass(frozen=True)
class TestPart:
    """One part of a test, and who holds and grades it."""

    id: str
    name_zh: str
    by: tuple[str, ...] = ()
    graded_by: str | None = None
    confirmed_by: str | None = None


@dataclass(frozen=True)
class Test:
    """A test (测评): 合格 or 不合格, of its parts all or any (X-21)."""

    id: str
    name_zh: str
    parts: tuple[TestPart, ...] = ()
    combine: str = "all"  # all | any


@dataclass(frozen=True)
class Quota:
    """How many a group must or may have: a number, or a share of another count (minimum → ceil, maximum → floor).

    `strict` must: no way past it; in_principle (原则上) and suggested (建议): with a reason one may.
    """

    id: str
    name_zh: str
    of: str
    op: str
    value: Decimal
    level: str = "workshop"  # workshop | class | school | county
    share_of: str | None = None
    min_one: bool = False
    soft_max: Decimal | None = None
    each_needs: tuple[str, ...] = ()
    strict: str = "must"


@dataclass(frozen=True)
class Duty:
    """What somebody in a role has to do, in the document's order."""

    id: str
    role: str
    text_zh: str


@dataclass(frozen=True)
class Task:
    """Something to be done in a phase; `by`: until the end of that day (X-49)."""

    id: str
    text_zh: str
    by: str | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Phase:
    """A stretch of the plan. Dates: `2021-09-01`, or `09-25` and `+1 04-01` of a school year (X-50)."""

    id: str
    name_zh: str
    begins: str | None = None
    ends: str | None = None
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True)
class PipelineStep:
    """One level a work rises by (推优): who puts forward, how it is decided, how many go on, what consent it needs."""

    id: str
    name_zh: str
    by: str
    level: str = "school"  # workshop | school | county | city | province | project
    decide: str = "named"  # named | vote | mark
    share: Decimal | None = None
    most: int | None = None
    consent: str = "author"  # author | publication


@dataclass(frozen=True)
class Certificate:
    """A certificate: when it is due, on which ledger, by which issuers together."""

    id: str
    name_zh: str
    when: str
    issuers: tuple[str, ...] = ()
    ledger: str | None = None


@dataclass(frozen=True)
class Consequence:
    """What a result leads to elsewhere: exported as an event, never applied here (X-22)."""

    id: str
    text_zh: str
    when: str = "true"
    kind: str = "note"
    value: Decimal | None = None


@dataclass(frozen=True)
class Target:
    """An indicator of the school: a share or a number against a goal; operators keep their word (X-23)."""

    id: str
    name_zh: str
    op: str
    value: Decimal
    scope: str = ""
    unit: str = "share"  # share | points | count
    by: str | None = None


@dataclass(frozen=True)
class Approval:
    """Further approvals an ability needs before it passes, in order (001-C-07).

    `peers`: the link that peer review is; those before it open a work to colleagues. They have `days` from its sealing;
    then the work is open all the same, and they count as given (`overdue` given) or as not said (missing).
    """

    chain: tuple[str, ...] = ()
    peers: str | None = None
    days: int | None = None
    overdue: str = "given"  # given | missing


@dataclass(frozen=True)
class Finance:
    """What a learner costs, and who pays: yuan for each hour of learning."""

    fee_yuan_per_hour: Decimal | None = None
    hours: Decimal | None = None
    payer: str | None = None


@dataclass(frozen=True)
class Report:
    """A report somebody owes to somebody."""

    id: str
    name_zh: str
    to: str
    when: str
