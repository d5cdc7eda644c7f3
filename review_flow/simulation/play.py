"""One round, played: people choose, hand in, review each other by the real allocation, are marked and graded."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from review_flow.rules.allocation import Groups, Pair, Reviewer, Work, allocate
from review_flow.rules.duty import k_eff
from review_flow.rules.expressions import names, parse
from review_flow.rules.grading import grade
from review_flow.rules.marks import panel_needs_arbiter
from review_flow.rules.outcome import Outcome
from review_flow.rules.quotas import MINIMUMS, needed
from review_flow.rules.schedule import end_of_day, task_days
from review_flow.rules.scheme import Scheme
from review_flow.simulation.people import Assumptions, Person, draw_people, mark_of
from review_flow.simulation.records import UNTIL, Made, Maker, tier_place

SUBJECTS = ("语文", "数学", "英语", "综合")
SCHOOL_YEAR = 2025
Submitted = tuple[Person, str]


@dataclass(frozen=True)
class Reviews:
    """What the peers were asked for: works, reviews wanted, given out and done, and how many each person got."""

    works: int = 0
    wanted: int = 0
    assigned: int = 0
    done: int = 0
    loads: tuple[int, ...] = ()
    differing: int = 0
    panel_marks: int = 0
    arbitrated: int = 0


@dataclass(frozen=True)
class Play:
    """One round: an outcome for each record (a person's, or a workshop's) and what reviewing cost."""

    outcomes: tuple[Outcome, ...]
    reviews: Reviews = Reviews()


def play(scheme: Scheme, *, teachers: int, seed: int, assumed: Assumptions, progress: Callable[[int], None]) -> Play:
    """Return a round of made-up people; all chance comes from the seed."""
    records, reviews = _made(scheme, teachers=teachers, seed=seed, assumed=assumed)
    return Play(tuple(_graded(scheme, records, progress)), reviews)


def records_of(scheme: Scheme, *, teachers: int, seed: int, assumed: Assumptions) -> list[Made]:
    """Return the records of a round as they come to be graded."""
    return _made(scheme, teachers=teachers, seed=seed, assumed=assumed)[0]


def _made(scheme: Scheme, *, teachers: int, seed: int, assumed: Assumptions) -> tuple[list[Made], Reviews]:
    dice = random.Random(f"{scheme.digest}:{seed}")  # noqa: S311 - people are made up, nothing is kept secret
    people = draw_people(dice, assumed, teachers)
    maker = Maker(scheme, dice, assumed)
    if is_of_groups(scheme):
        return [_group(maker, people[at : at + size]) for at, size in _sizes(dice, assumed, teachers)], Reviews()
    table = _Table(maker, people, seed)
    return [table.record(person) for person in people], table.reviews()


def is_of_groups(scheme: Scheme) -> bool:
    """Return whether the scheme grades workshops: what it asks for in the end is of quotas and tasks."""
    texts = [*(band.when or "true" for band in scheme.bands.list), *(gate.expr for gate in scheme.gates)]
    asked = {name for text in texts for name in names(parse(text))}
    return any(name == "tasks.met" or name.startswith("quota") for name in asked)


def _graded(scheme: Scheme, records: Sequence[Made], progress: Callable[[int], None]) -> list[Outcome]:
    outcomes = []
    for number, record in enumerate(records, start=1):
        outcomes.append(grade(scheme, record))
        progress(number)
    return outcomes


class _Table:
    """Who submitted what, who was given whose work, and what marks came of it."""

    def __init__(self, maker: Maker, people: Sequence[Person], seed: int) -> None:
        self.maker, self.scheme, self.dice = maker, maker.scheme, maker.dice
        self.people = {person.id: person for person in people}
        self.chosen = {person.id: chosen_codes(self.scheme, self.dice, person) for person in people}
        self.works: list[Submitted] = [
            (one, code) for one in people if one.until >= UNTIL["submit"] for code in self.chosen[one.id]
        ]
        self.quality = {
            (person.id, code): min(100.0, max(0.0, self.dice.gauss(person.quality, maker.assumed.quality_spread / 2)))
            for person in people
            for code in self.chosen[person.id]
        }
        self.assigned = self._allocated(seed)
        self.done = [pair for pair in self.assigned if self.people[pair[0]].does(self.dice, at=UNTIL["submit"])]
        self.given = Counter(reviewer for reviewer, _work in self.done)
        self.tally: Counter[str] = Counter()
        self.peers: dict[tuple[int, str], list[str]] = defaultdict(list)
        for reviewer, work in self.done:
            self.peers[self.works[work][0].id, self.works[work][1]].append(self._mark(work, self.people[reviewer]))

    def _allocated(self, seed: int) -> list[Pair]:
        rule = self.scheme.review.peer
        if not rule.give or not self.works:
            return []
        subject = {one: Groups(subject=SUBJECTS[one % len(SUBJECTS)]) for one in self.people}
        found = allocate(
            reviewers=[
                Reviewer(one, rule.give * len(codes), groups=subject[one]) for one, codes in self.chosen.items()
            ],
            works=[
                Work(at, frozenset({person.id}), rule.receive_target, subject[person.id])
                for at, (person, _code) in enumerate(self.works)
            ],
            rules=rule.allocation,
            seed=seed,
        )
        return list(found.pairs)

    def _mark(self, work: int, who: Person) -> str:
        person, code = self.works[work]
        spread = self.maker.assumed.marking_spread
        return mark_of(self.dice, self.quality[person.id, code], severity=who.severity, spread=spread)

    def record(self, person: Person) -> Made:
        """Return a person's record, their abilities marked by peers and panel."""
        codes = self.chosen[person.id] if person.until >= UNTIL["submit"] else []
        marked = [self._ability(person, code) for code in codes]
        others = sum(author.id != person.id for author, _code in self.works)
        owed = k_eff(self.scheme.review.peer.give * len(self.chosen[person.id]), others, 0).total
        made = self.maker.record(person, chosen=marked, given=self.given[person.id], required=owed)
        if not self.chosen[person.id]:
            made |= self._whole(person)
        return made

    def _ability(self, person: Person, code: str) -> Made:
        quality = self.quality[person.id, code]
        made = self.maker.ability(person, code, quality)
        if not self.scheme.compose.sources:
            return made
        peers = self.peers.get((person.id, code), [])
        return {**made, "peer": peers, **self._panel(quality, peers)}

    def _whole(self, person: Person) -> Made:
        """Where nobody chooses abilities, marks are of the person."""
        return {"marks": self._panel(person.quality, [])} if self.scheme.compose.sources else {}

    def _panel(self, quality: float, peers: Sequence[str]) -> Made:
        assumed = self.maker.assumed
        rule = self.scheme.review
        marks = [
            mark_of(
                self.dice, quality, severity=self.dice.gauss(0, assumed.severity_spread), spread=assumed.marking_spread
            )
            for _ in range(rule.panel.size)
        ]
        exact = [Decimal(mark) for mark in marks]
        seen = [Decimal(mark) for mark in peers]
        differ = panel_needs_arbiter(self.scheme, exact)
        self.tally["panel"] += len(marks)
        self.tally["arbitrated"] += differ
        self.tally["differing"] += bool(seen) and max(seen) - min(seen) > rule.peer.disagreement.spread_max
        asked = differ and rule.panel.on_spread == "arbiter"
        return {"panel": marks, **({"arbiter": mark_of(self.dice, quality)} if asked else {})}

    def reviews(self) -> Reviews:
        """Return what reviewing cost, once every record is made."""
        loads = Counter(reviewer for reviewer, _work in self.assigned)
        peer = self.scheme.review.peer
        return Reviews(
            works=len(self.works),
            wanted=len(self.works) * peer.receive_target if peer.give else 0,
            assigned=len(self.assigned),
            done=len(self.done),
            loads=tuple(sorted(loads[one] for one in self.people)) if peer.give and self.works else (),
            differing=self.tally["differing"],
            panel_marks=self.tally["panel"],
            arbitrated=self.tally["arbitrated"],
        )


def school_list(scheme: Scheme) -> list[str]:
    """Return a list a school might choose: as many as asked, its dimensions in turn, most useful to its teachers."""
    rule = scheme.select.school
    known = [one for one in scheme.catalogue.abilities if not rule.environments or one.environment in rule.environments]
    tiers = [scheme.teacher_selection(tier.id).min for tier in scheme.select.tiers]
    least = max([rule.min, scheme.teacher_selection().min, *tiers])
    size = least if rule.exactly is None else rule.exactly
    return in_turn(scheme, [one.code for one in known], size)


def in_turn(scheme: Scheme, codes: Sequence[str], size: int) -> list[str]:
    """Return so many codes, each time one of the dimension that has least of them."""
    dimension = {one.code: one.dimension for one in scheme.catalogue.abilities}
    rest, taken = list(codes), list[str]()
    while rest and len(taken) < size:
        held = Counter(dimension[code] for code in taken)
        best = min(rest, key=lambda code: (held[dimension[code]], codes.index(code)))
        rest.remove(best)
        taken.append(best)
    return taken


def chosen_codes(scheme: Scheme, dice: random.Random, person: Person, *, least: int = 0) -> list[str]:
    """Return the abilities a person takes: as many as asked, or `least`, over as many dimensions as can be."""
    tiers = scheme.select.tiers
    tier = tiers[tier_place(person, len(tiers))].id if tiers else None
    rule = scheme.teacher_selection(tier)
    offered = school_list(scheme) if rule.within == "school_list" else [one.code for one in scheme.catalogue.abilities]
    return in_turn(scheme, dice.sample(offered, len(offered)), min(max(rule.min, least), rule.max or len(offered)))


def _sizes(dice: random.Random, assumed: Assumptions, teachers: int) -> list[tuple[int, int]]:
    """Return where each workshop begins among the teachers, and how many it has."""
    found, at = list[tuple[int, int]](), 0
    while at < teachers:
        size = min(teachers - at, max(1, round(assumed.group_size * dice.uniform(0.5, 1.5))))
        found.append((at, size))
        at += size
    return found


def _group(maker: Maker, members: Sequence[Person]) -> Made:
    """A workshop's record: counts that reach what is asked or fall short, tasks in time, late or never."""
    dice, scheme = maker.dice, maker.scheme
    leader = replace(members[0], until=1.0)  # somebody else leads on
    counts: dict[str, Decimal] = {}
    quota: Made = {}
    for one in scheme.quotas:
        base = counts.setdefault(one.share_of, Decimal(len(members))) if one.share_of else None
        if base is not None:
            quota.setdefault(str(one.share_of), int(base))
        want = int(needed(one, base) or 0)
        reached = leader.does(dice)
        most = want + dice.randint(0, 1) if one.op in MINIMUMS else want - dice.randint(0, min(1, want))
        number = max(0, most if reached else most - 1 if one.op in MINIMUMS else want + 1)
        counts[one.of] = Decimal(number)
        pieces = [{name: leader.does(dice) for name in one.each_needs} for _ in range(number)]
        quota[one.of] = pieces if one.each_needs else number
    tasks = {}
    for task in (task for phase in scheme.phases for task in phase.tasks):
        day = task_days(task, SCHOOL_YEAR)
        if day is not None and leader.does(dice):
            late = dice.random() < maker.assumed.lateness
            tasks[task.id] = (end_of_day(day) + timedelta(days=dice.randint(1, 10) * (1 if late else -1))).isoformat()
    return {
        "school_year": SCHOOL_YEAR,
        "as_of": f"{SCHOOL_YEAR + 1}-08-31T23:59:59+08:00",
        "quota": quota,
        "tasks": tasks,
    }
