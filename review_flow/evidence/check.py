"""One file checked: what it is, whether the slot takes it, whether the teacher is in it. Rules 001-A-29, X-34, X-35."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from review_flow.evidence import presence
from review_flow.evidence.contact_sheet import draw
from review_flow.evidence.faces import Encoding, Thresholds
from review_flow.evidence.presence import Presence, Search
from review_flow.evidence.probe import Probe, probe
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Kind, Level, Slot, limits, verdict
from review_flow.rules.words import Verdict

if TYPE_CHECKING:
    from pathlib import Path

CHECKER = "faces-hog-resnet/1"  # frozen with every judgement: raise it when the same file could be judged otherwise


@dataclass(frozen=True, slots=True)
class Report:
    """A check's outcome. `present` None: nobody looked (no references, no need, or the check broke off)."""

    verdict: Verdict
    present: bool | None
    seen: tuple[Mapping[str, Any], ...]
    media: Mapping[str, Any]
    findings: tuple[Finding, ...]
    cost: Mapping[str, Any]
    checker: str = CHECKER
    sheet: bytes | None = field(default=None, repr=False)
    alt_text: str = ""
    copies: tuple[Mapping[str, Any], ...] = ()

    @property
    def sha256(self) -> str | None:
        """The file's hash, None when the check broke off before it was known."""
        return self.media.get("sha256")

    def as_json(self) -> dict[str, Any]:
        """Return the published form; the sheet's bytes are not in it."""
        return {
            "verdict": str(self.verdict),
            "present": self.present,
            "seen": [dict(moment) for moment in self.seen],
            "media": dict(self.media),
            "findings": [{"code": f.code, "level": str(f.level), "text": f.text} for f in self.findings],
            "cost": dict(self.cost),
            "sha256": self.sha256,
            "checker": self.checker,
            "alt_text": self.alt_text,
            "copies": [dict(one) for one in self.copies],
        }

    def with_findings(self, more: Sequence[Finding], *, copies: Sequence[Mapping[str, Any]] = ()) -> Report:
        """Return the report with what was found after the check; a file that passed is for people to look at then."""
        told = [finding for finding in more if finding not in self.findings]
        asked = self.verdict is Verdict.VALID and any(finding.level is Level.HUMAN for finding in told)
        outcome = Verdict.HUMAN if asked else self.verdict
        return replace(self, verdict=outcome, findings=(*self.findings, *told), copies=(*self.copies, *copies))

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, sheet: bytes | None = None) -> Report:
        """Read what `as_json` wrote."""
        found = [Finding(f["code"], Level(f["level"]), f["text"]) for f in data["findings"]]
        return cls(
            verdict=Verdict(data["verdict"]),
            present=data["present"],
            seen=tuple(data["seen"]),
            media=data["media"],
            findings=tuple(found),
            cost=data["cost"],
            checker=data["checker"],
            sheet=sheet,
            alt_text=data["alt_text"],
            copies=tuple(data["copies"]),
        )


def broken_off(finding: Finding, *, wall_s: float, size: int | None = None) -> Report:
    """Return the report of a check that could not be finished: a human looks."""
    media: dict[str, Any] = {"kind": str(Kind.UNKNOWN), "format": "unknown"}
    if size is not None:
        media["size"] = size
    cost = {"wall_s": round(wall_s, 3), "frames_decoded": 0, "faces_encoded": 0}
    return Report(verdict([finding], teacher_needed=False, present=None), None, (), media, (finding,), cost)


def search_from(wishes: Mapping[str, Any] | None) -> Search:
    """Build a Search from its JSON form; an unknown key raises TypeError."""
    given = dict(wishes or {})
    return Search(thresholds=Thresholds(**given.pop("thresholds", {})), **given)


def check(
    path: Path,
    *,
    references: Sequence[Encoding] = (),
    slot: Slot | Mapping[str, Any] | None = None,
    known_hashes: Mapping[str, str] | None = None,
    search: Search | None = None,
    name: str | None = None,
    sheet: bool = False,
) -> Report:
    """Check a file against what its slot asks and whether it shows the person of the references.

    `known_hashes` maps SHA-256 to the words for where that very file was handed in before; `name` is the
    owner's file name. Decodes untrusted bytes: call it through `sandbox.Sandbox.check` outside of tests.
    """
    began = time.monotonic()
    search = search or Search()
    wanted = slot if isinstance(slot, Slot) else Slot.of(slot)
    looked = probe(path, name=name)
    findings = [*looked.findings, *_slot_limits(looked, wanted), *_duplicate(looked, known_hashes or {})]
    needed = wanted.wants_teacher(looked.media.kind)
    found: Presence | None = None
    rejected = any(finding.level is Level.REJECT for finding in findings)
    if needed and not rejected:
        if references:
            found = _look(path, looked, references, search)
            findings += found.findings if found else []
        else:
            text = _("没有可比对的参照照片（未同意人脸比对或尚未登记），请人工确认教师本人是否出镜。")
            findings.append(Finding("no_reference", Level.HUMAN, say(text)))
    present = None if found is None else found.present
    outcome = verdict(findings, teacher_needed=needed, present=present)
    seen = [] if found is None else found.seen
    report = Report(
        verdict=outcome,
        present=present,
        seen=tuple({"at_s": round(m.at_s, 3), "distance": round(m.distance, 4), "box": list(m.box)} for m in seen),
        media=looked.media.as_json(),
        findings=tuple(findings),
        cost={
            "wall_s": round(time.monotonic() - began, 3),
            "frames_decoded": found.tally.decoded if found else 0,
            "faces_encoded": found.encoded if found else 0,
        },
    )
    thresholds = search.thresholds
    sure = thresholds.photo if looked.media.kind is Kind.PHOTO else thresholds.video
    drawn = draw(report, found, sure=sure, maybe=thresholds.maybe)
    return replace(report, alt_text=drawn.alt_text, sheet=drawn.png() if sheet else None)


def _slot_limits(looked: Probe, slot: Slot) -> list[Finding]:
    """Hold a file that can be read against its slot; what can't be read has said so already."""
    if looked.media.kind is Kind.UNKNOWN:
        return []
    return limits(looked.media.facts, slot)


def _duplicate(looked: Probe, known: Mapping[str, str]) -> list[Finding]:
    where = known.get(looked.media.sha256)
    return [] if where is None else [duplicate(where)]


def duplicate(where: str) -> Finding:
    """Return the finding that the very same file was handed in before."""
    text = _("与已提交的文件完全相同（{where}），请人工确认。")
    return Finding("duplicate", Level.HUMAN, say(text, where=where))


def _look(path: Path, looked: Probe, references: Sequence[Encoding], search: Search) -> Presence | None:
    if looked.survey is not None:
        return presence.in_video(path, looked.survey, references, search)
    if looked.media.kind is Kind.PHOTO:
        return presence.in_photo(path, references, search)
    return None


def search_as_json(search: Search) -> dict[str, Any]:
    """Return the form `search_from` reads."""
    return asdict(search)
