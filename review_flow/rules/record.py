"""One teacher's facts, as read from a record (docs/record.md) and as grading takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from review_flow.i18n import _, say
from review_flow.rules.reader import FULL_MARK, Reader, RecordInvalid, number, one_of
from review_flow.rules.record_programme import ProgrammeFacts, read_programme
from review_flow.rules.scheme import Scheme
from review_flow.rules.voices import Voice, read_voices

MISSING = {"", "缺", "缺失", "missing"}
OVERDUE = "overdue"


@dataclass(frozen=True)
class PeerTrust:
    """What the round said of the reviewers when the peers' mark was made, in the order of `peer`.

    `used` is reliability or median; the errors are those of leaving `compared` marks out (docs/marks.md).
    """

    used: str
    error: Decimal
    median_error: Decimal
    compared: int
    variance: Decimal
    biases: tuple[Decimal, ...]
    weights: tuple[Decimal, ...]


@dataclass(frozen=True)
class AbilityFacts:
    """What is known of one ability. Levels None: not judged; a None among the levels: that piece is missing."""

    code: str
    dimension: str
    name_zh: str
    valid: bool
    levels: tuple[str | None, ...] | None
    level: str | None
    peer: tuple[Decimal, ...]
    panel: tuple[Decimal, ...]
    arbiter: Decimal | None
    peer_missing: bool
    heard: bool = False  # `panel` holds the marks of an appeal's hearers (N29)
    not_handed_in: bool = False  # not valid since there is nothing to judge; results from before it was told replay so
    trust: "PeerTrust | None" = None
    approvals: Mapping[str, bool] = field(default_factory=dict)
    """Of the scheme's chain, those that were given or refused."""
    overdue: tuple[str, ...] = ()
    """Of the approvals, those that count as given because their days were over."""


@dataclass(frozen=True)
class WholeMarks:
    """Marks given for the whole teacher instead of ability by ability."""

    peer: tuple[Decimal, ...]
    panel: tuple[Decimal, ...]
    arbiter: Decimal | None
    peer_missing: bool


@dataclass(frozen=True)
class Event:
    """A lateness, an absence: `excuses` are the words a scheme may accept, such as approved_leave."""

    id: str
    kind: str
    on: str
    excuses: tuple[str, ...]
    contested: bool


@dataclass(frozen=True)
class BandDecision:
    """The panel confirmed the proposed grade, or lowered it with a reason."""

    grade: str
    reason: str


@dataclass(frozen=True)
class Record:
    """One teacher. None or an absent key: nobody recorded it, so what hangs on it is not judged."""

    ack: bool | None
    self_test: bool | None
    hours: Mapping[str, Decimal] | None
    given: int | None
    required: int | None
    tier: str | None
    abilities: tuple[AbilityFacts, ...] | None
    marks: WholeMarks | None
    voices: Mapping[str, tuple[Voice, ...]]
    events: tuple[Event, ...]
    awards: tuple[Decimal, ...]
    checklists: Mapping[str, tuple[str, ...]]
    band_decisions: tuple[BandDecision, ...]
    programme: ProgrammeFacts


def read_record(scheme: Scheme, data: Mapping[str, object]) -> Record:
    """Return a record's facts; RecordInvalid names the field that cannot be taken."""
    root = Reader(data, "")
    peer = root.part("peer")
    return Record(
        ack=root.truth("ack"),
        self_test=root.truth("self_test"),
        hours=_hours(scheme, root),
        given=peer.count("given") if peer else None,
        required=peer.count("required") if peer else None,
        tier=_tier(scheme, root),
        abilities=_abilities(scheme, root) if data.get("abilities") is not None else None,
        marks=_whole(root),
        voices=read_voices(scheme, root),
        events=tuple(_event(scheme, part, index) for index, part in enumerate(root.parts("events"))),
        awards=_awards(root),
        checklists=_checklists(scheme, root),
        band_decisions=tuple(_decision(scheme, part) for part in root.parts("band_decisions")),
        programme=read_programme(scheme, root),
    )


def _hours(scheme: Scheme, root: Reader) -> Mapping[str, Decimal] | None:
    part = root.part("hours")
    if part is None:
        return None
    kept = [ledger.id for ledger in scheme.hours.ledgers if part.data.get(ledger.id) is not None]
    return {key: number(part.at(key), part.data[key]) for key in kept}


def _tier(scheme: Scheme, root: Reader) -> str | None:
    """Return the tier's id; a document may call it otherwise (X-55). A scheme without tiers asks nobody's."""
    written, tiers = root.text("tier"), scheme.select.tiers
    if written is None or not tiers:
        return None
    known = {name: tier.id for tier in tiers for name in (*tier.alias, tier.name_zh, tier.id)}
    return known[one_of("tier", written, list(known))]


def _whole(root: Reader) -> WholeMarks | None:
    part = root.part("marks")
    if part is None:
        return None
    peer = part.marks("peer")
    missing = part.truth("peer_missing") or root.truth("peer_missing") or not peer
    return WholeMarks(peer, part.marks("panel"), part.mark("arbiter"), missing)


def _abilities(scheme: Scheme, root: Reader) -> tuple[AbilityFacts, ...]:
    found = tuple(_ability(scheme, part) for part in root.parts("abilities"))
    codes = [ability.code for ability in found]
    for index, code in enumerate(codes):
        if code in codes[:index]:
            raise RecordInvalid(f"abilities[{index}].code", say(_("微能力{code}出现了两次。"), code=code))
    return found


def _ability(scheme: Scheme, part: Reader) -> AbilityFacts:
    code = part.text("code") or ""
    known = scheme.catalogue.get(code)
    dimension = part.text("dimension") or (known.dimension if known else None)
    if dimension is None:
        raise RecordInvalid(part.at("code"), say(_("微能力目录里没有“{code}”。"), code=code))
    level = part.choice("level", scheme.ability.levels) if part.data.get("level") is not None else None
    return AbilityFacts(
        code=code,
        dimension=dimension,
        name_zh=known.name_zh if known else "",
        valid=part.truth("valid") is not False,
        levels=_levels(scheme, part),
        level=level,
        peer=part.marks("peer"),
        panel=part.marks("panel"),
        arbiter=part.mark("arbiter"),
        peer_missing=part.truth("peer_missing") or False,
        heard=part.truth("heard") or False,
        not_handed_in=part.truth("not_handed_in") or False,
        trust=_trust(part.part("peer_trust"), len(part.marks("peer"))),
        approvals=_approvals(scheme, part.part("approvals")),
        overdue=_overdue(scheme, part.part("approvals")),
    )


def _approvals(scheme: Scheme, part: Reader | None) -> Mapping[str, bool]:
    given = part.data if part else {}
    return {
        one_of(part.at(step), step, scheme.approval.chain): given[step] == OVERDUE or part.truth(step) is True
        for step in given
        if part
    }


def _overdue(scheme: Scheme, part: Reader | None) -> tuple[str, ...]:
    return tuple(step for step in scheme.approval.chain if part and part.data.get(step) == OVERDUE)


def _trust(part: Reader | None, peers: int) -> PeerTrust | None:
    if part is None:
        return None
    biases = _for_each(part, "biases", peers, low=-FULL_MARK)
    weights = _for_each(part, "weights", peers, low=Decimal(0))
    if peers and not any(weights):
        raise RecordInvalid(part.at("weights"), say(_("权重之和不能为0。")))
    return PeerTrust(
        used=part.choice("used", ("reliability", "median")),
        error=number(part.at("error"), part.data.get("error"), decimals=4),
        median_error=number(part.at("median_error"), part.data.get("median_error"), decimals=4),
        compared=part.count("compared") or 0,
        variance=number(part.at("variance"), part.data.get("variance")),
        biases=biases,
        weights=weights,
    )


def _for_each(part: Reader, key: str, count: int, *, low: Decimal) -> tuple[Decimal, ...]:
    value = part.data.get(key)
    if not isinstance(value, list) or len(value) != count:
        raise RecordInvalid(part.at(key), say(_("应为列表，每份互评一个数。")))
    return tuple(number(f"{part.at(key)}[{place}]", one, low=low) for place, one in enumerate(value))


def _levels(scheme: Scheme, part: Reader) -> tuple[str | None, ...] | None:
    value = part.data.get("evidence_levels")
    if value is None:
        return None
    field = part.at("evidence_levels")
    if isinstance(value, Mapping):
        demanded = [slot.id for slot in scheme.slots(str(part.data.get("code"))) if slot.required]
        items = [(f"{field}.{key}", value.get(key)) for key in dict.fromkeys([*demanded, *value])]
    elif isinstance(value, list):
        items = [(f"{field}[{index}]", item) for index, item in enumerate(value)]
    else:
        raise RecordInvalid(field, say(_("应为列表，或证据项到等级的对象。")))
    return tuple(_level(scheme, name, item) for name, item in items)


def _level(scheme: Scheme, field: str, value: object) -> str | None:
    missing = value is None or (isinstance(value, str) and value in MISSING)
    return None if missing else one_of(field, value, scheme.ability.levels)


def _event(scheme: Scheme, part: Reader, index: int) -> Event:
    kinds = [deduction.id for deduction in scheme.adjust.deductions]
    on = part.text("on") or ""
    if not _is_date(on):
        raise RecordInvalid(part.at("on"), say(_("日期应写成 2022-03-01 的样子。")))
    words = {word for deduction in scheme.adjust.deductions for word in deduction.unless}
    return Event(
        id=part.text("id") or str(index + 1),
        kind=part.choice("kind", kinds),
        on=on,
        excuses=tuple(sorted(word for word in words if part.truth(word))),
        contested=part.truth("contested") or False,
    )


def _is_date(text: str) -> bool:
    try:
        return text == "" or bool(date.fromisoformat(text))
    except ValueError:
        return False


def _awards(root: Reader) -> tuple[Decimal, ...]:
    value = root.data.get("awards")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise RecordInvalid("awards", say(_("应为列表。")))
    return tuple(number(f"awards[{index}]", item) for index, item in enumerate(value))


def _checklists(scheme: Scheme, root: Reader) -> Mapping[str, tuple[str, ...]]:
    part = root.part("checklists")
    found: dict[str, tuple[str, ...]] = {}
    for key, value in part.data.items() if part else ():
        component = next((known for known in scheme.rated_components() if known.id == key), None)
        field = f"checklists.{key}"
        if component is None:
            raise RecordInvalid(field, say(_("方案中没有这个考核项。")))
        if not isinstance(value, list):
            raise RecordInvalid(field, say(_("应为列表。")))
        ids = [item.id for item in component.items]
        ticked = {_ticked(f"{field}[{place}]", item, ids) for place, item in enumerate(value)}
        found[key] = tuple(item for item in ids if item in ticked)
    return found


def _ticked(field: str, value: object, ids: Sequence[str]) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(ids):
        return ids[value]
    return one_of(field, value, ids)


def _decision(scheme: Scheme, part: Reader) -> BandDecision:
    return BandDecision(part.choice("grade", scheme.bands.grades), (part.text("reason") or "").strip())
