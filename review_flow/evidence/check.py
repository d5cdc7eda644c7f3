"""One file checked: what it is, whether the slot takes it, whether the teacher is in it. Rules 001-A-29, X-34, X-35."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from review_flow.evidence import faces, film, playable, presence
from review_flow.evidence.contact_sheet import draw
from review_flow.evidence.likeness import Template, calibration
from review_flow.evidence.presence import Presence, Search
from review_flow.evidence.probe import Probe, probe
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Kind, Level, Slot, limits, verdict
from review_flow.rules.words import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from review_flow.evidence.faces import Encoding

CHECKER = "checks/3"  # frozen with every judgement: raise it when the same file could be judged otherwise


@dataclass(frozen=True, slots=True)
class Report:
    """A check's outcome. `present` None: nobody looked (no references, no need, or the check broke off)."""

    verdict: Verdict
    present: bool | None
    seen: tuple[Mapping[str, Any], ...]
    media: Mapping[str, Any]
    findings: tuple[Finding, ...]
    cost: Mapping[str, Any]
    probability: float | None = None
    presence: Mapping[str, Any] | None = None
    playable: Mapping[str, Any] | None = None
    checker: str = CHECKER
    sheet: bytes | None = field(default=None, repr=False)
    sheet_px: tuple[int, int] | None = None
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
            "probability": self.probability,
            "presence": None if self.presence is None else dict(self.presence),
            "playable": None if self.playable is None else dict(self.playable),
            "sha256": self.sha256,
            "checker": self.checker,
            "sheet_px": None if self.sheet_px is None else list(self.sheet_px),
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
            probability=data["probability"],
            presence=data["presence"],
            playable=data["playable"],
            checker=data["checker"],
            sheet=sheet,
            sheet_px=tuple(data["sheet_px"]) if data["sheet_px"] else None,
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
    return Search(**(wishes or {}))


def check(
    path: Path,
    *,
    references: Sequence[Encoding] = (),
    colleagues: Sequence[Sequence[Encoding]] = (),
    slot: Slot | Mapping[str, Any] | None = None,
    known_hashes: Mapping[str, str] | None = None,
    search: Search | None = None,
    name: str | None = None,
    sha256: str | None = None,
    sheet: bool = False,
    before_search: Callable[[], None] | None = None,
) -> Report:
    """Check a file against what its slot asks and whether it shows the person of the references.

    `colleagues` are the references of others who consented: whoever looks more like one of them is left to people.
    `known_hashes` maps SHA-256 to the words for where that very file was handed in before; `name` is the
    owner's file name, `sha256` the file's hash where it is known; `before_search` is called
    when the file is known and the search for faces begins.
    Decodes untrusted bytes: call it through `sandbox.Sandbox.check` outside of tests.
    """
    began = time.monotonic()
    search = search or Search()
    wanted = slot if isinstance(slot, Slot) else Slot.of(slot)
    looked = probe(path, name=name, sha256=sha256)
    findings = [*looked.findings, *_slot_limits(looked, wanted), *_duplicate(looked, known_hashes or {})]
    needed = wanted.wants_teacher(looked.media.kind)
    found: Presence | None = None
    rejected = any(finding.level is Level.REJECT for finding in findings)
    if needed and not rejected:
        if references:
            if before_search:
                before_search()
            found = _look(path, looked, Template(references, calibration(), colleagues), search)
            findings += found.findings if found else []
        else:
            # As where a match was tried in vain: who judges must not read from it what the teacher chose (privacy.md).
            text = _("没有自动认出教师本人，请人工确认是否出镜。")
            findings.append(Finding("no_reference", Level.HUMAN, say(text)))
    present = None if found is None else found.present
    outcome = verdict(findings, teacher_needed=needed, present=present)
    seen = [] if found is None else found.seen
    report = Report(
        verdict=outcome,
        present=present,
        seen=tuple(_moment(one) for one in seen),
        media=looked.media.as_json(),
        findings=tuple(findings),
        cost={
            "wall_s": round(time.monotonic() - began, 3),
            "frames_decoded": found.tally.decoded if found else 0,
            "faces_encoded": found.encoded if found else 0,
        },
        playable=_playable(looked),
        probability=None if found is None or found.probability is None else round(found.probability, 4),
        checker=f"{faces.recogniser().name} {CHECKER}",
        presence=found.timeline.as_json() if found and found.timeline else None,
    )
    drawn = draw(report, found, sure=1 - search.confidence, maybe=1 - presence.MAYBE)
    report = replace(report, alt_text=drawn.alt_text)
    return replace(report, sheet=drawn.png(), sheet_px=drawn.size_px) if sheet else report


def _moment(seen: presence.Moment) -> dict[str, Any]:
    return {
        "at_s": round(seen.at_s, 3),
        "distance": round(seen.distance, 4),
        "probability": round(seen.probability, 4),
        "box": list(seen.box),
    }


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


def _playable(looked: Probe) -> dict[str, Any] | None:
    """Say whether browsers show the file as it is; None where there is nothing to see."""
    if looked.survey is not None:
        return playable.as_json(playable.why_not(looked.survey))
    if looked.media.kind is Kind.PHOTO:
        return playable.as_json(playable.why_not_photo(looked.media.format))
    return None


def _look(path: Path, looked: Probe, teacher: Template, search: Search) -> Presence | None:
    if looked.survey is not None:
        return film.in_video(path, looked.survey, teacher, search)
    if looked.media.kind is Kind.PHOTO:
        return presence.in_photo(path, teacher, search)
    return None


def search_as_json(search: Search) -> dict[str, Any]:
    """Return the form `search_from` reads."""
    return asdict(search)
