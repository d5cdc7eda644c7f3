"""The facts of a record that are not about abilities: minutes, pieces, attendance, tests, themes; and a group's counts.

As in `record`: what is absent was not recorded. A map that is there has counted, so a key it lacks is none of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from review_flow.i18n import _, say
from review_flow.rules.reader import YEARS, Reader, RecordInvalid, number, one_of, within
from review_flow.rules.scheme import Scheme

PASS, FAIL = "合格", "不合格"
MADE_UP = "made_up"
MOST_PIECES = 10_000  # of one kind by one person
ON = ("own", "others")


@dataclass(frozen=True)
class Piece:
    """One piece handed in. `checked`: counted by somebody already, so its lengths are not asked for again."""

    checked: bool = False
    on: str | None = None
    chars: int | None = None
    seconds: Decimal | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Coverage:
    """Which of a theme's tasks the members of a workshop took (003-22)."""

    theme: str
    options: int
    chosen: int


@dataclass(frozen=True)
class Counted:
    """One thing a group counts: how many, or each with what it has (`each_needs`)."""

    number: Decimal
    each: tuple[frozenset[str], ...] | None = None


@dataclass(frozen=True)
class Share:
    """A target's numerator and denominator, or its value alone."""

    have: Decimal | None
    of: Decimal | None
    value: Decimal | None


@dataclass(frozen=True)
class GroupFacts:
    """What is known of a workshop, class or school; None: the record is a person's."""

    counts: Mapping[str, Counted] | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    coverage: tuple[Coverage, ...] = ()
    school_year: int | None = None
    as_of: datetime | None = None
    tasks: Mapping[str, datetime] | None = None
    targets: Mapping[str, Share] | None = None


@dataclass(frozen=True)
class ProgrammeFacts:
    """One teacher's way through a programme."""

    minutes: Mapping[str, Decimal] | None
    pieces: Mapping[str, tuple[Piece, ...]] | None
    attendance: Mapping[str, Decimal] | None
    periods: Mapping[str, tuple[int, ...]] | None
    themes: tuple[str, ...] | None
    tests: Mapping[str, Mapping[str, str]] | None
    roles: tuple[str, ...] | None
    component_marks: Mapping[str, Decimal]
    component_levels: Mapping[str, tuple[str | None, ...]]
    retires_on: date | None
    joins: bool | None
    group: GroupFacts


def read_programme(scheme: Scheme, root: Reader) -> ProgrammeFacts:
    """Return the programme's facts; RecordInvalid names the field that cannot be taken."""
    marks, levels = _components(scheme, root)
    return ProgrammeFacts(
        minutes=_numbers(root, "minutes", [ledger.id for ledger in scheme.hours.minutes]),
        pieces=_pieces(scheme, root),
        attendance=_attendance(scheme, root),
        periods=_periods(scheme, root),
        themes=_themes(scheme, root),
        tests=_tests(scheme, root),
        roles=_roles(scheme, root),
        component_marks=marks,
        component_levels=levels,
        retires_on=root.day("retires_on"),
        joins=root.truth("joins"),
        group=_group(scheme, root),
    )


def _numbers(root: Reader, key: str, allowed: list[str]) -> Mapping[str, Decimal] | None:
    part = root.part(key)
    if part is None:
        return None
    return {one_of(part.at(name), name, allowed): number(part.at(name), value) for name, value in part.data.items()}


def _pieces(scheme: Scheme, root: Reader) -> Mapping[str, tuple[Piece, ...]] | None:
    part = root.part("slots")
    if part is None:
        return None
    known = [slot.id for slot in scheme.deliverables]
    found = {}
    for name in part.data:
        one_of(part.at(name), name, known)
        if isinstance(part.data[name], list):
            found[name] = tuple(_piece(one) for one in part.parts(name))
        else:
            found[name] = (Piece(checked=True),) * (part.count(name, most=MOST_PIECES) or 0)
    return found


def _piece(part: Reader) -> Piece:
    seconds = part.data.get("seconds")
    return Piece(
        checked=part.truth("checked") is True,
        on=None if part.data.get("on") is None else part.choice("on", ON),
        chars=part.count("chars"),
        seconds=None if seconds is None else number(part.at("seconds"), seconds, decimals=3),
        kind=part.text("kind"),
    )


def _attendance(scheme: Scheme, root: Reader) -> Mapping[str, Decimal] | None:
    """Return how often one came, by activity and by series; a series of activities is their sum."""
    part = root.part("attendance")
    if part is None:
        return None
    made_up = {one.id: one.makeup for one in scheme.activities}
    series = {one.id: one.series for one in scheme.activities}
    found: dict[str, Decimal] = {name: Decimal(0) for name in (*made_up, *series.values())}
    for name, value in part.data.items():
        one_of(part.at(name), name, [*made_up, *series.values()])
        if name not in made_up:
            found[name] = Decimal(part.count(name) or 0)
            continue
        if isinstance(value, str):
            one_of(part.at(name), value, [MADE_UP])
        came = made_up[name] if isinstance(value, str) else part.truth(name) is True
        found[name] = Decimal(came)
        found[series[name]] += found[name]
    return found


def _periods(scheme: Scheme, root: Reader) -> Mapping[str, tuple[int, ...]] | None:
    part = root.part("periods")
    if part is None:
        return None
    known = [leaf.id for leaf in scheme.leaves() if leaf.scoring and leaf.scoring.type == "periodic"]
    found = {}
    for name, value in part.data.items():
        one_of(part.at(name), name, known)
        if not isinstance(value, list):
            raise RecordInvalid(part.at(name), say(_("应为列表。")))
        counts = Reader({f"{name}[{place}]": one for place, one in enumerate(value)}, part.path)
        found[name] = tuple(counts.count(key) or 0 for key in counts.data)
    return found


def _themes(scheme: Scheme, root: Reader) -> tuple[str, ...] | None:
    value = root.data.get("themes")
    if value is None:
        return None
    if not isinstance(value, list):
        raise RecordInvalid("themes", say(_("应为列表。")))
    known = [theme.id for theme in scheme.themes]
    done = [one_of(f"themes[{place}]", one, known) for place, one in enumerate(value)]
    return tuple(theme for theme in known if theme in done)


def _tests(scheme: Scheme, root: Reader) -> Mapping[str, Mapping[str, str]] | None:
    """Return each test's parts that were judged; a test without parts is its own only part."""
    part = root.part("tests")
    if part is None:
        return None
    known = {test.id: [one.id for one in test.parts] for test in scheme.tests}
    found: dict[str, dict[str, str]] = {}
    for name, value in part.data.items():
        one_of(part.at(name), name, list(known))
        if isinstance(value, Mapping):
            below = Reader(value, part.at(name))
            found[name] = {
                one_of(below.at(key), key, known[name]): below.choice(key, (PASS, FAIL)) for key in below.data
            }
        else:
            found[name] = {one: part.choice(name, (PASS, FAIL)) for one in known[name] or [name]}
    return found


def _roles(scheme: Scheme, root: Reader) -> tuple[str, ...] | None:
    value = root.data.get("role")
    if value is None:
        return None
    given = value if isinstance(value, list) else [value]
    return tuple(one_of("role", one, list(scheme.roles)) for one in given)


def _components(scheme: Scheme, root: Reader) -> tuple[dict[str, Decimal], dict[str, tuple[str | None, ...]]]:
    part = root.part("components")
    marks: dict[str, Decimal] = {}
    levels: dict[str, tuple[str | None, ...]] = {}
    marked = {leaf.id: leaf.scoring.type for leaf in scheme.leaves() if leaf.scoring}
    allowed = [key for key, kind in marked.items() if kind in {"score", "external", "rubric"}]
    for name, value in part.data.items() if part else ():
        field_ = f"components.{name}"
        one_of(field_, name, allowed)
        if marked[name] != "rubric":
            marks[name] = number(field_, value, high=Decimal(100))
        elif isinstance(value, list):
            ladder = scheme.ability.levels
            levels[name] = tuple(
                None if one is None else one_of(f"{field_}[{at}]", one, ladder) for at, one in enumerate(value)
            )
        else:
            raise RecordInvalid(field_, say(_("应为列表。")))
    return marks, levels


def _group(scheme: Scheme, root: Reader) -> GroupFacts:
    reasons = root.part("reasons")
    tasks = root.part("tasks")
    return GroupFacts(
        counts=_counts(scheme, root),
        reasons=_reasons(scheme, reasons) if reasons else {},
        coverage=tuple(_coverage(scheme, part) for part in root.parts("coverage")),
        school_year=_school_year(root),
        as_of=root.moment("as_of"),
        tasks=None if tasks is None else {key: _done(scheme, tasks, key) for key in tasks.data},
        targets=_targets(scheme, root),
    )


def _reasons(scheme: Scheme, part: Reader) -> Mapping[str, str]:
    known = [quota.id for quota in scheme.quotas]
    return {one_of(part.at(key), key, known): (part.text(key) or "").strip() for key in part.data}


def _school_year(root: Reader) -> int | None:
    year = root.count("school_year")
    if year is not None:
        within("school_year", year, *YEARS)
    return year


def _counts(scheme: Scheme, root: Reader) -> Mapping[str, Counted] | None:
    part = root.part("quota")
    if part is None:
        return None
    known = list(dict.fromkeys(name for quota in scheme.quotas for name in (quota.of, quota.share_of) if name))
    found = {}
    for name, value in part.data.items():
        one_of(part.at(name), name, known)
        if isinstance(value, list):
            each = tuple(frozenset(key for key in one.data if one.truth(key)) for one in part.parts(name))
            found[name] = Counted(Decimal(len(each)), each)
        else:
            found[name] = Counted(Decimal(part.count(name) or 0))
    return found


def _coverage(scheme: Scheme, part: Reader) -> Coverage:
    theme = part.choice("theme", [theme.id for theme in scheme.themes])
    options, chosen = part.count("options") or 0, part.count("chosen") or 0
    if chosen > options:
        raise RecordInvalid(part.at("chosen"), say(_("应在{low}到{high}之间。"), low=0, high=options))
    return Coverage(theme, options, chosen)


def _done(scheme: Scheme, part: Reader, key: str) -> datetime:
    one_of(part.at(key), key, [task.id for phase in scheme.phases for task in phase.tasks])
    moment = part.moment(key)
    if moment is None:
        raise RecordInvalid(part.at(key), say(_("时间应写成 2026-04-01T23:59:00+08:00 的样子。")))
    return moment


def _targets(scheme: Scheme, root: Reader) -> Mapping[str, Share] | None:
    part = root.part("targets")
    if part is None:
        return None
    found = {}
    for name in part.data:
        one_of(part.at(name), name, [target.id for target in scheme.targets])
        one = part.part(name)
        if one is None:
            continue
        values = {
            key: None
            if one.data.get(key) is None
            else number(one.at(key), one.data[key], low=Decimal(-100), decimals=6)
            for key in ("have", "of", "value")
        }
        found[name] = Share(values["have"], values["of"], values["value"])
    return found
