"""The sections of a scheme, as frozen data; docs/schemes.md explains every field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from review_flow.rules.catalogue import Slot
from review_flow.rules.peer_rules import AllocationRules, DisagreementRules, EffortRules, ReliabilityRules
from review_flow.rules.programme import Need


@dataclass(frozen=True)
class Lock:
    """001-A-05/06: paths that keep still for `consistency_months`, and what amending the others needs."""

    consistency_months: int
    locked: tuple[str, ...]
    amendable: tuple[str, ...]
    amend_needs: tuple[str, ...]


@dataclass(frozen=True)
class Exemption:
    """Who may be left out; `expr` over facts of the person."""

    id: str
    text_zh: str
    expr: str
    effect: str = "may_exempt"
    encourage: bool = False
    reference: str = "effective_from"


@dataclass(frozen=True)
class AppliesTo:
    """The population."""

    who: str
    exemptions: tuple[Exemption, ...] = ()


@dataclass(frozen=True)
class HourLedger:
    """One account of hours: at least `min`, and at least `share` of ledger `base` (its minimum, or as earned)."""

    id: str
    name_zh: str
    min: Decimal
    share: Decimal | None = None
    base: str = "total"
    of: str = "required"  # required | earned 
    issuer: str | None = None
    confirmed_by: str | None = None  # a level (county) that confirms what was credited


@dataclass(frozen=True)
class MinuteLedger:
    """One account of minutes learned; gates ask for `minutes.<id>`."""

    id: str
    name_zh: str


@dataclass(frozen=True)
class Hours:
    """The ledgers of learning. `unit_minutes` None: minutes are not converted into hours (X-28)."""

    unit_minutes: int | None
    window_years: int | None
    ledgers: tuple[HourLedger, ...]
    minutes: tuple[MinuteLedger, ...] = ()


@dataclass(frozen=True)
class SchoolSelection:
    """How many abilities a school puts on its list."""

    exactly: int | None
    min: int
    min_dimensions: int | None
    environments: tuple[str, ...] = ()  # empty: any environment
    reasons: bool = False  # each ability on the list needs a reason (002-T-10)


@dataclass(frozen=True)
class TeacherSelection:
    """How many abilities a teacher chooses, over how many dimensions."""

    min: int
    max: int | None
    min_dimensions: int
    within: str  # school_list | catalogue


@dataclass(frozen=True)
class Tier:
    """A group of teachers with its own numbers; None: as for everybody."""

    id: str
    name_zh: str
    min: int | None = None
    max: int | None = None
    min_dimensions: int | None = None
    alias: tuple[str, ...] = ()
    part_zh: str = ""  # what the document says they take part in


@dataclass(frozen=True)
class Select:
    """The choice of abilities."""

    school: SchoolSelection
    teacher: TeacherSelection
    tiers: tuple[Tier, ...]


@dataclass(frozen=True)
class OnFail:
    """What a failed gate does: blocks the step it guards, decides the grade, or hands the work back."""

    block: bool = False
    grade: str | None = None
    return_for: str | None = None


@dataclass(frozen=True)
class Gate:
    """A condition in the closed vocabulary; `when` names the step it guards."""

    id: str
    text_zh: str
    expr: str
    when: str = "final"  # select | submit | review | final
    on_fail: OnFail = field(default_factory=OnFail)


@dataclass(frozen=True)
class ValidityRule:
    """001-A-29, X-34."""

    scope: str  # submission | item
    invalid_if_any: tuple[str, ...]


@dataclass(frozen=True)
class EvidenceRules:
    """Validity, the slots of abilities that name none, limits the scheme tightens (ability → slot → field).

    `confidence` is the probability from which a machine says it saw the teacher; below it a human looks.
    """

    standard: str | None
    validity: ValidityRule
    slots: tuple[Slot, ...]
    confidence: Decimal
    limits: Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class SelfTest:
    """001-A-21: the self-test never counts for the score."""

    counts: bool


@dataclass(frozen=True)
class PeerRules:
    """Peer review (互评): the duty and how marks received become one."""

    before_submit: bool
    give: int
    receive_target: int
    receive_min: int
    aggregate: str  # mean | median | trimmed | reliability
    pool_fallback: str  # calibration | none
    remind_hours: tuple[int, ...]  # before a lease ends, the earliest first
    allocation: AllocationRules
    reliability: ReliabilityRules
    disagreement: DisagreementRules
    effort: EffortRules


@dataclass(frozen=True)
class PanelRules:
    """The school's panel (校考核组), and when an arbiter is asked."""

    body: str
    size: int
    aggregate: str  # median | mean | trimmed
    spread_max: Decimal
    grade_spread_max: int
    on_spread: str  # arbiter | flag


@dataclass(frozen=True)
class FormRules:
    """What a filled review form must hold."""

    min_comment_chars: int
    min_components: int


@dataclass(frozen=True)
class Review:
    """The three-part method: self-test, peers, panel."""

    self_test: SelfTest
    peer: PeerRules
    panel: PanelRules
    form: FormRules


@dataclass(frozen=True)
class Item:
    """One line of a checklist."""

    id: str
    text_zh: str


@dataclass(frozen=True)
class Scoring:
    """How a component is scored; rules/components.py says what each type means.

    `metric` is a number of the expressions' vocabulary, compared by `op` with `value` (or the tier's own);
    `each`, `cap`: points for each piece of deliverable `slot`; `of`: what makes 100 of a ratio; `grace`: periods in
    which a short one may be made up.
    """

    type: str  # completion | sum | per_unit | threshold | periodic | ratio | checklist | rubric | score | external
    metric: str | None = None
    op: str = ">="
    value: Decimal | None = None
    by_tier: Mapping[str, Decimal] = field(default_factory=dict)
    slot: str | None = None
    each: Decimal | None = None
    cap: Decimal | None = None
    of: Decimal | None = None
    grace: int = 0


@dataclass(frozen=True)
class Component:
    """A node of the indicator tree. `needs` are asked of everybody, those of `by_role` and `by_tier` besides.

    `only`: asked of people in that role alone. `zero_parent`: not done, its parent earns nothing.
    """

    id: str
    name_zh: str
    scoring: Scoring | None = None
    items: tuple[Item, ...] = ()
    components: tuple["Component", ...] = ()
    scored: bool = True
    mandatory: bool = False
    key: bool = False
    points: Decimal | None = None
    weight: Decimal | None = None
    needs: tuple[Need, ...] = ()
    by_role: Mapping[str, tuple[Need, ...]] = field(default_factory=dict)
    by_tier: Mapping[str, tuple[Need, ...]] = field(default_factory=dict)
    only: str | None = None
    zero_parent: bool = False


@dataclass(frozen=True)
class AbilityRule:
    """How evidence levels make an ability's level; `levels` best first."""

    rule: str  # official_conjunctive | average
    levels: tuple[str, ...]
    pass_level: str


@dataclass(frozen=True)
class Compose:
    """How one number is made: of marks by source, or of the components' points or weights.

    `weighted_mean` without sources: the scheme grades without a number.
    """

    rule: str  # weighted_mean | sum_points | weighted_components
    sources: Mapping[str, Decimal]
    min_answers: Mapping[str, int] = field(default_factory=dict)  # fewer answers of a survey don't count

    @property
    def numbered(self) -> bool:
        """Return whether there is a number at all."""
        return self.rule != "weighted_mean" or bool(self.sources)


@dataclass(frozen=True)
class Deduction:
    """Points (negative) for each event of the kind `id`, unless the event carries one of `unless`."""

    id: str
    name_zh: str
    each: Decimal
    unless: tuple[str, ...] = ()
    events: str | None = None


@dataclass(frozen=True)
class Bonus:
    """Awards, by an outside table; `cap` None: no cap."""

    id: str
    name_zh: str
    table: str
    cap: Decimal | None = None
    may_cross_pass: bool = True


@dataclass(frozen=True)
class Adjust:
    """X-13: the order of compose, deduct, bonus, clamp."""

    order: tuple[str, ...]
    clamp: tuple[Decimal, Decimal]
    deductions: tuple[Deduction, ...]
    bonuses: tuple[Bonus, ...]


@dataclass(frozen=True)
class Rounding:
    """X-16: mode half_up | half_even | down; the band is looked up with the rounded or the raw number."""

    mode: str
    scale: int
    band_on: str


@dataclass(frozen=True)
class Band:
    """A grade and its stretch of the scale, or the expression that gives it (`when`)."""

    grade: str
    modal: str = "shall"  # may: proposed, the panel confirms or lowers
    min: Decimal | None = None
    max: Decimal | None = None
    when: str | None = None


@dataclass(frozen=True)
class Bands:
    """The grades, best first; the last one fails."""

    boundary: str  # lower_inclusive | upper_inclusive
    rounding: Rounding
    list: tuple[Band, ...]

    @property
    def grades(self) -> tuple[str, ...]:
        """Return the grades, best first."""
        return tuple(band.grade for band in self.list)


@dataclass(frozen=True)
class Duration:
    """A stretch of the calendar: days (working days when said so) or hours; `times`: how often it is granted."""

    days: int = 0
    hours: int = 0
    working_days: bool = False
    times: int = 1


@dataclass(frozen=True)
class Calendar:
    """How long each step of the lifecycle lasts (domain rules T1–T24)."""

    peer: Duration
    lease: Duration
    lease_min: Duration
    peer_extension: Duration
    grace: Duration
    validity: Duration
    correction: Duration
    panel: Duration
    arbitration: Duration
    notice: Duration
    publicity: Duration
    sign: Duration
    appeal_window: Duration
    appeal_decision: Duration


@dataclass(frozen=True)
class SignatureRules:
    """001-A-10: unsigned is as valid."""

    required: bool
    unsigned_effective: bool


@dataclass(frozen=True)
class AppealRules:
    """X-44."""

    allowed: bool
    reviewers_min: int
    outside_first_panel: bool
    county_review: bool


@dataclass(frozen=True)
class PublicityRules:
    """X-45: what is published, and no more."""

    fields: tuple[str, ...]


@dataclass(frozen=True)
class ResultRules:
    """What happens to a result."""

    signature: SignatureRules
    appeal: AppealRules
    publicity: PublicityRules


@dataclass(frozen=True)
class Unknown:
    """A value the source leaves open; a default is in force until the school confirms or changes it."""

    id: str
    path: str
    text_zh: str
