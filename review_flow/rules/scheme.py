"""A scheme (考核方案) of the language `kaohe/1`: the declared rules of one assessment, as frozen data.

A document arrives complete: the loader has merged what it inherits and every default of `schemes/defaults.yaml`
into it, so nothing here falls back on a number written in code, and the digest covers all that judges a teacher.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Self

from review_flow.rules.build import build
from review_flow.rules.catalogue import Catalogue, Slot
from review_flow.rules.paths import Source, canonical_json, is_under, leaves, source_of, value_at
from review_flow.rules.programme import (
    Activity,
    Approval,
    Certificate,
    Consequence,
    Duty,
    Finance,
    Phase,
    PipelineStep,
    Quota,
    Report,
    Target,
    Test,
    Theme,
    ThemeRule,
    ThemeStage,
)
from review_flow.rules.sections import (
    AbilityRule,
    Adjust,
    AppliesTo,
    Bands,
    Calendar,
    Component,
    Compose,
    Duration,
    EvidenceRules,
    Gate,
    Hours,
    Lock,
    ResultRules,
    Review,
    Select,
    TeacherSelection,
    Unknown,
)
from review_flow.rules.template import Template

__all__ = ["DELIVERABLES", "Catalogue", "Duration", "Scheme", "Slot", "Source", "canonical_json"]

DELIVERABLES = "-"  # stands where an ability's code does, for what a scheme asks for besides abilities


@dataclass(frozen=True)
class Scheme:
    """One version of a scheme. Build it with `from_document`; `document` is what is stored and hashed."""

    id: str
    version: int
    title_zh: str
    edition: str
    based_on: tuple[str, ...]
    method: tuple[str, ...]
    lock: Lock
    applies_to: AppliesTo
    catalogue: Catalogue
    hours: Hours
    select: Select
    prerequisites: tuple[Gate, ...]
    evidence: EvidenceRules
    review: Review
    components: tuple[Component, ...]
    checklist_levels: Mapping[str, str]
    level_marks: Mapping[str, tuple[Decimal, Decimal]]
    ability: AbilityRule
    compose: Compose
    adjust: Adjust
    bands: Bands
    gates: tuple[Gate, ...]
    calendar: Calendar
    result: ResultRules
    roles: Mapping[str, str]
    deliverables: tuple[Slot, ...]
    activities: tuple[Activity, ...]
    themes: tuple[Theme, ...]
    theme_stages: tuple[ThemeStage, ...]
    theme_rule: ThemeRule
    tests: tuple[Test, ...]
    approval: Approval
    quotas: tuple[Quota, ...]
    duties: tuple[Duty, ...]
    phases: tuple[Phase, ...]
    pipeline: tuple[PipelineStep, ...]
    certificates: tuple[Certificate, ...]
    consequences: tuple[Consequence, ...]
    targets: tuple[Target, ...]
    reports: tuple[Report, ...]
    finance: Finance
    groups: Mapping[str, Any]
    template: Template
    unknowns: tuple[Unknown, ...]
    confirmed: tuple[str, ...]
    effective_from: str | None = None
    effective_to: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _slots: dict[str, tuple[Slot, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the scheme of a complete document (as `Scheme.document` gives it)."""
        return build(cls, {**document, "document": document})

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of the document as canonical JSON: sorted keys, UTF-8, no spaces."""
        return digest_of(self.document)

    def source(self, path: str) -> Source:
        """Return the source of a dotted path: its own, the nearest one above it, or else the first one below."""
        return source_of(self.document.get("sources", {}), path)

    def value(self, path: str) -> object:
        """Return the plain value at a dotted path (items of lists by id, grade or code), or None."""
        return value_at(self.document, path)

    def values(self) -> tuple[tuple[str, object], ...]:
        """Return path and value of every rule that is set, in document order."""
        return self._values

    @cached_property
    def _values(self) -> tuple[tuple[str, object], ...]:
        return tuple((path, value) for path, value in leaves(self.document) if value not in (None, [], {}))

    def unconfirmed(self) -> tuple[Unknown, ...]:
        """Return what the school still has to confirm (本校待确认): a value with a source of its own is settled."""
        return tuple(
            unknown for unknown in self.unknowns if unknown.id not in self.confirmed and self.in_force(unknown)
        )

    def in_force(self, unknown: Unknown) -> dict[str, object]:
        """Return path → value of the defaults a question is about; a nearer question takes its own away."""
        nearer = [one.path for one in self.unknowns if one != unknown and is_under(one.path, unknown.path)]
        return {
            path: value
            for path, value in self.values()
            if is_under(path, unknown.path)
            and self.source(path).is_default
            and not any(is_under(path, one) for one in nearer)
        }

    def teacher_selection(self, tier: str | None = None) -> TeacherSelection:
        """Return how many abilities a teacher of this tier chooses; an unknown tier is everybody's."""
        rule = self.select.teacher
        for own in self.select.tiers:
            if own.id == tier:
                return replace(
                    rule,
                    min=rule.min if own.min is None else own.min,
                    max=rule.max if own.max is None else own.max,
                    min_dimensions=rule.min_dimensions if own.min_dimensions is None else own.min_dimensions,
                )
        return rule

    def slots(self, code: str) -> tuple[Slot, ...]:
        """Return the slots of an ability: the catalogue's or the scheme's own, with the scheme's limits.

        Of `DELIVERABLES`: what the scheme asks for besides abilities.
        """
        if code == DELIVERABLES:
            return self.deliverables
        if code not in self._slots:
            ability = self.catalogue.get(code)
            slots = ability.slots if ability and ability.slots else self.evidence.slots
            limits = self.evidence.limits.get(code, {})
            self._slots[code] = tuple(build(Slot, {**asdict(slot), **limits.get(slot.id, {})}) for slot in slots)
        return self._slots[code]

    def leaves(self) -> tuple[Component, ...]:
        """Return the leaves of the indicator tree, in printed order."""
        return tuple(leaf for root in self.components for leaf in _leaves(root))

    def nodes(self) -> tuple[Component, ...]:
        """Return every node of the indicator tree, parents before their parts."""
        return tuple(node for root in self.components for node in _nodes(root))

    def rated_components(self) -> tuple[Component, ...]:
        """Return the leaves that reviewers tick and mark on the form of each submission, in printed order."""
        return tuple(
            leaf for leaf in self.leaves() if leaf.scored and leaf.scoring and leaf.scoring.type == "checklist"
        )


def digest_of(document: Mapping[str, Any]) -> str:
    """Return the digest that the scheme of a whole document has."""
    return hashlib.sha256(canonical_json(document)).hexdigest()


def _nodes(component: Component) -> Iterator[Component]:
    yield component
    for part in component.components:
        yield from _nodes(part)


def _leaves(component: Component) -> Iterator[Component]:
    if not component.components:
        yield component
    for part in component.components:
        yield from _leaves(part)
