"""名单: people, roles and workshops of a school; with a round, who takes part and who is exempt (T2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from models import Person, Role, Workshop
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.rules.words import RoleKind
from review_flow.steps import door, enrolments, rounds
from review_flow.steps.imports_tables import ROLES
from review_flow.steps.people import ROLE_NAMES, allocate_anew

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from review_flow.outside.spreadsheets import Row
    from review_flow.steps.imports_tables import Bringing

DECIDES_WHO_REVIEWS = {"household", "workshop_id", "subject", "active"}
Counts = dict[str, int]


def bring(bringing: Bringing, rows: Iterable[Row]) -> Counts:
    """Create and update the people of the rows; a blank cell keeps what is, roles are only added.

    Returns how many were added, changed and enrolled. What is wrong with a row goes to the problems; the caller
    rolls everything back then.
    """
    book = _Book(bringing)
    first: dict[str, int] = {}
    for row in rows:
        number = row.text("number")
        if number and first.setdefault(number, row.number) != row.number:
            bringing.refuse(row, "number", say(_("与第{first}行重复。"), first=first[number]))
        elif bringing.sound(row) and _is_clear(bringing, row):
            book.person(row)
    if book.moved:
        allocate_anew(bringing.session, organization_id=bringing.organization_id)
    return book.counts


def _is_clear(bringing: Bringing, row: Row) -> bool:
    if row.text("exempt") and bringing.round is None:
        bringing.refuse(row, "exempt", say(_("只能在导入某个考核轮次时填写。")))
    elif row.text("exempt") and RoleKind.TEACHER not in _roles(row):
        bringing.refuse(row, "exempt", say(_("只适用于教师。")))
    return bringing.sound(row)


def _roles(row: Row) -> set[RoleKind]:
    words = row.words("roles")
    return {kind for kind in ROLES if ROLE_NAMES[kind] in words} or {RoleKind.TEACHER}


class _Book:
    """The school's people and workshops, read once and kept in step with what the rows add."""

    def __init__(self, bringing: Bringing) -> None:
        self.bringing, self.session = bringing, bringing.session
        school = bringing.organization_id
        everybody = select(Person).where(Person.organization_id == school)
        self.people = {person.number: person for person in self.session.scalars(everybody)}
        self.workshops: dict[str, int] = {
            shop.name: shop.id
            for shop in self.session.scalars(select(Workshop).where(Workshop.organization_id == school))
        }
        held = self.session.execute(select(Role.person_id, Role.kind).where(Role.organization_id == school))
        self.roles: set[tuple[int, RoleKind]] = {(person_id, kind) for person_id, kind in held}
        self.moved = False  # somebody may no longer review whom they could
        self.counts: Counts = {"added": 0, "changed": 0, "enrolled": 0}

    def person(self, row: Row) -> None:
        facts = self._facts(row)
        person = self.people.get(row.text("number"))
        if person is None:
            person = Person(organization_id=self.bringing.organization_id, number=row.text("number"), **facts)
            self.session.add(person)
            self.session.flush()
            self.people[person.number] = person
            self.counts["added"] += 1
        elif self._update(person, {**facts, "active": True}):
            self.counts["changed"] += 1
        self._add_roles(person, _roles(row))
        if self.bringing.round is not None and RoleKind.TEACHER in _roles(row):
            self._enrol(row, person)

    def _facts(self, row: Row) -> dict[str, Any]:
        facts = {key: row.text(key) for key in ("name", "subject", "stage", "household", "contact")}
        found = {**facts, "retires_on": row.day("retires_on"), "workshop_id": self._workshop(row.text("workshop"))}
        return {key: value for key, value in found.items() if value}

    def _workshop(self, name: str) -> int | None:
        if name and name not in self.workshops:
            shop = Workshop(organization_id=self.bringing.organization_id, name=name)
            self.session.add(shop)
            self.session.flush()
            self.workshops[name] = shop.id
        return self.workshops.get(name)

    def _update(self, person: Person, facts: Mapping[str, Any]) -> bool:
        changes = {key: value for key, value in facts.items() if getattr(person, key) != value}
        self.moved = self.moved or bool(changes.keys() & DECIDES_WHO_REVIEWS)
        if "active" in changes:  # who comes back signs in anew, wherever they were signed in when they left
            door.end_sessions(self.session, person=person)
        for key, value in changes.items():
            setattr(person, key, value)
        return bool(changes)

    def _add_roles(self, person: Person, kinds: set[RoleKind]) -> None:
        for kind in sorted(kinds, key=ROLES.index):
            if (person.id, kind) not in self.roles:
                self.session.add(Role(person_id=person.id, organization_id=self.bringing.organization_id, kind=kind))
                self.roles.add((person.id, kind))

    def _enrol(self, row: Row, person: Person) -> None:
        actor, round_ = self.bringing.actor, self.bringing.the_round()
        enrolment = rounds.enrol(self.session, actor=actor, round_=round_, person=person)
        self.counts["enrolled"] += 1
        if row.text("exempt"):
            try:
                enrolments.exempt(self.session, actor=actor, enrolment=enrolment, reason=row.text("exempt"))
            except Refusal as refusal:
                self.bringing.refuse(row, "exempt", say(_("不能采用：{why}"), why=refusal))
