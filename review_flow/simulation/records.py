"""From a made-up person to a record with the structure the scheme asks for (docs/record.md)."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from review_flow.rules.catalogue import Slot
from review_flow.rules.expressions import Comparison, Constant, Expression, Joined, Name, Negation, parse
from review_flow.rules.programme import Need
from review_flow.rules.record_programme import FAIL, MADE_UP, PASS
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Component
from review_flow.simulation.people import Assumptions, Person, mark_of

UNTIL = {"select": 0.1, "submit": 0.6, "final": 0.9}
Made = dict[str, Any]


@dataclass(frozen=True)
class Maker:
    """Makes records for one scheme; `dice` is the only source of chance."""

    scheme: Scheme
    dice: random.Random
    assumed: Assumptions
    wanted: Mapping[str, Decimal] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "wanted", wanted_numbers(self.scheme))

    def record(self, person: Person, *, chosen: list[Made], given: int, required: int) -> Made:
        """Return a person's record; `chosen` are the abilities with the marks they got."""
        scheme, dice = self.scheme, self.dice
        roles, tier = self._roles(), self._tier(person)
        made: Made = {
            "ack": person.does(dice, at=UNTIL["select"]),
            "self_test": person.does(dice, at=UNTIL["select"]),
            "peer": {"given": given, "required": required},
            "abilities": chosen,
            "hours": self._hours(person),
            "minutes": {one.id: self._amount(person, f"minutes.{one.id}", 1) for one in scheme.hours.minutes},
            "slots": self._slots(person, roles, tier),
            "attendance": {one.id: self._came(person, makeup=one.makeup) for one in scheme.activities},
            "periods": {one.id: self._periods(person, one, tier) for one in self._leaves("periodic")},
            "themes": [one.id for one in scheme.themes if person.does(dice)],
            "tests": {one.id: self._test(person, [part.id for part in one.parts]) for one in scheme.tests},
            "components": self._components(person),
            "events": [] if person.diligence == 1 else self._events(),
            "awards": [str(dice.randint(1, 4))] if dice.random() < self.assumed.awarded else [],
        }
        if roles:
            made["role"] = roles
        if tier is not None:
            made["tier"] = tier
        if scheme.applies_to.exemptions and scheme.effective_from is not None:
            years = dice.uniform(0, 5) if person.near_retirement else dice.uniform(5, 35)
            made["retires_on"] = (
                date.fromisoformat(scheme.effective_from) + timedelta(days=round(years * 365.25))
            ).isoformat()
            made["joins"] = person.does(dice, at=UNTIL["select"])
        return made

    def ability(self, person: Person, code: str, quality: float) -> Made:
        """Return one ability with the levels of its pieces; marks are added by whoever gave them."""
        levels = self.scheme.ability.levels
        slots = [one for one in self.scheme.slots(code) if one.required]
        pieces = [self._level(quality) if person.does(self.dice, at=UNTIL["submit"]) else levels[-1] for _slot in slots]
        valid = person.diligence == 1 or self.dice.random() >= self.assumed.invalid
        approvals = dict.fromkeys(self.scheme.approval.chain, valid and quality >= self.assumed.pass_quality)
        return {"code": code, "valid": valid, "evidence_levels": pieces, "approvals": approvals}

    def _level(self, quality: float) -> str:
        levels = self.scheme.ability.levels
        seen = quality + self.dice.gauss(0, self.assumed.marking_spread) if quality < 100 else quality  # noqa: PLR2004 - the ideal person's
        if seen >= self.assumed.good_quality:
            return levels[0]
        return self.scheme.ability.pass_level if seen >= self.assumed.pass_quality else levels[-1]

    def _roles(self) -> list[str]:
        """Those that components tell apart are held one at a time; some hold a further one besides."""
        apart = list(dict.fromkeys(role for node in self.scheme.nodes() for role in node.by_role))
        further = [role for role in self.scheme.roles if role not in apart]
        held = [self.dice.choice(apart)] if apart else []
        return held + [role for role in further if self.dice.random() < self.assumed.further_role]

    def _tier(self, person: Person) -> str | None:
        tiers = self.scheme.select.tiers
        return tiers[tier_place(person, len(tiers))].id if tiers else None

    def _leaves(self, *kinds: str) -> list[Component]:
        return [one for one in self.scheme.leaves() if one.scoring and one.scoring.type in kinds]

    def _amount(self, person: Person, name: str, least: Decimal | int) -> str:
        """Return a number that reaches what the scheme asks for, or falls short of it."""
        wanted = float(max(self.wanted.get(name, Decimal(0)), least))
        done = person.does(self.dice, at=UNTIL["submit"])
        share = self.dice.uniform(1, 1.2) if done else self.dice.uniform(0.6, 0.999)
        return str(Decimal(str(round(wanted * share, 1))))

    def _hours(self, person: Person) -> dict[str, str]:
        if self.scheme.themes:
            return {}  # they come of the themes
        own = {
            one.id: self._amount(person, f"hours.{one.id}", one.min)
            for one in self.scheme.hours.ledgers
            if one.id != "total"
        }
        whole = {one.id: one.min for one in self.scheme.hours.ledgers if one.id == "total"}
        for name, least in whole.items():
            rest = self._amount(person, f"hours.{name}", least)
            own[name] = str(max(Decimal(rest), sum(map(Decimal, own.values()), Decimal(0))))
        return own

    def _slots(self, person: Person, roles: list[str], tier: str | None) -> dict[str, Any]:
        asked: dict[str, int] = {}
        others: set[str] = set()
        for node in self.scheme.nodes():
            for need in _needs(node, roles, tier):
                asked[need.slot] = max(asked.get(need.slot, 0), need.count)
                others |= {need.slot} if need.on == "others" else set()
            rule = node.scoring
            if rule and rule.slot and rule.each:
                asked[rule.slot] = -(-int(rule.cap or 0) // max(1, int(rule.each))) or 1
        made: dict[str, Any] = {}
        for slot in self.scheme.deliverables:
            count = sum(person.does(self.dice, at=UNTIL["submit"]) for _ in range(asked.get(slot.id, 0)))
            on = "others" if slot.id in others else "own"
            made[slot.id] = [self._piece(person, slot, on) for _ in range(count)]
        return made

    def _piece(self, person: Person, slot: Slot, on: str) -> Made:
        """A piece is as long as asked, or now and then too short."""
        careful = person.does(self.dice, at=0)
        share = self.dice.uniform(1, 1.4) if careful else self.dice.uniform(0.8, 1)
        piece: Made = {"on": on}
        if slot.min_chars is not None:
            piece["chars"] = int(slot.min_chars * share)
        if slot.min_seconds is not None:
            piece["seconds"] = int(float(slot.min_seconds) * share)
        return piece

    def _came(self, person: Person, *, makeup: bool) -> bool | str:
        if person.does(self.dice):
            return True
        return MADE_UP if makeup and person.does(self.dice, at=UNTIL["final"]) else False

    def _periods(self, person: Person, leaf: Component, tier: str | None) -> list[int]:
        rule = leaf.scoring
        least = int(rule.by_tier.get(tier or "", rule.value or 0)) if rule else 0
        count = self.assumed.periods
        lapses = [self.dice.random() < 1 - person.diligence for _ in range(count)]
        return [
            least - (lapse or place / count > person.until) + (place > 0 and lapses[place - 1])
            for place, lapse in enumerate(lapses)
        ]

    def _test(self, person: Person, parts: list[str]) -> Any:
        def sat() -> str:
            came = person.does(self.dice, at=UNTIL["final"])
            return PASS if came and self._level(person.quality) != self.scheme.ability.levels[-1] else FAIL

        return {part: sat() for part in parts} if parts else sat()

    def _components(self, person: Person) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for leaf in self._leaves("score", "external", "rubric"):
            if person.does(self.dice, at=UNTIL["final"]):
                rubric = leaf.scoring is not None and leaf.scoring.type == "rubric"
                spread = self.assumed.marking_spread if person.diligence < 1 else 0.0
                made[leaf.id] = (
                    [self._level(person.quality)] if rubric else mark_of(self.dice, person.quality, spread=spread)
                )
        return made

    def _events(self) -> list[Made]:
        return [
            {
                "kind": one.id,
                "on": "2026-03-02",
                **{word: self.dice.random() < self.assumed.leave for word in one.unless},
            }
            for one in self.scheme.adjust.deductions
            if self.dice.random() < self.assumed.lateness
        ]


def tier_place(person: Person, count: int) -> int:
    """Each tier is about twice as large as the one named before it: 1, 2, 4 of 7."""
    place = person.id * 5 % ((1 << count) - 1) + 1
    return place.bit_length() - 1


def _needs(node: Component, roles: Iterable[str], tier: str | None) -> list[Need]:
    return [
        *node.needs,
        *(need for role in roles for need in node.by_role.get(role, ())),
        *node.by_tier.get(tier or "", ()),
    ]


def wanted_numbers(scheme: Scheme) -> dict[str, Decimal]:
    """Return for each fact the highest number that gates, bands, certificates and components compare it with."""
    texts = [gate.expr for gate in (*scheme.prerequisites, *scheme.gates)]
    texts += [band.when for band in scheme.bands.list if band.when] + [one.when for one in scheme.certificates]
    found = [pair for text in texts for pair in _compared(parse(text))]
    for node in scheme.nodes():
        rule = node.scoring
        if rule and rule.metric:
            found.append((rule.metric, max([rule.value or rule.of or Decimal(0), *rule.by_tier.values()])))
    return {name: max(number for one, number in found if one == name) for name, _number in found}


def _compared(tree: Expression) -> list[tuple[str, Decimal]]:
    match tree:
        case Joined(_op, parts):
            return [pair for part in parts for pair in _compared(part)]
        case Negation(part):
            return _compared(part)
        case Comparison(Name(name), _op, Constant(Decimal() as number)):
            return [(name, number)]
        case _:
            return []
