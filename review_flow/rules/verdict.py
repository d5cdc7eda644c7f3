"""From what a check saw to what follows. Rules 001-A-29, X-34, X-35, J5, J6, C8.

A machine never fails a teacher: it may pass a file, reject one that is broken or outside the slot's limits,
or ask a human. That somebody was *not* seen is never more than a question to a human.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from review_flow.i18n import _, listed, say
from review_flow.rules.words import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Level(StrEnum):
    """What a finding asks for: nothing, a human's eyes, or another file."""

    INFO = "info"
    HUMAN = "human"
    REJECT = "reject"


class Kind(StrEnum):
    """What a file is by its content."""

    VIDEO = "video"
    PHOTO = "photo"
    DOCUMENT = "document"
    AUDIO = "audio"
    UNKNOWN = "unknown"


KIND_WORDS = {
    Kind.VIDEO: _("视频"),
    Kind.PHOTO: _("照片"),
    Kind.DOCUMENT: _("文档"),
    Kind.AUDIO: _("录音"),
    Kind.UNKNOWN: _("无法识别的文件"),
}
VERDICT_WORDS = {
    Verdict.VALID: _("检查通过"),
    Verdict.HUMAN: _("请人工查看"),
    Verdict.REJECTED: _("退回，请更换"),
}
PICTURED = frozenset({Kind.VIDEO, Kind.PHOTO})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw: a stable code for programs, a sentence for the teacher or the panel."""

    code: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Slot:
    """What a scheme's evidence slot asks of a file; None or empty asks nothing.

    `formats` are names as `probe` gives them (mp4, mov, docx, pdf, jpg …). `teacher_visible` None means:
    pictures and video must show the teacher (001-A-29), documents need not (X-34).
    """

    kinds: frozenset[Kind] = frozenset()
    formats: frozenset[str] = frozenset()
    min_seconds: Decimal | None = None
    max_seconds: Decimal | None = None
    min_chars: int | None = None
    teacher_visible: bool | None = None

    @classmethod
    def of(cls, wishes: Mapping[str, Any] | None) -> Slot:
        """Build from a scheme's mapping (`kind` or `kinds`); an unknown key raises TypeError, not silence."""
        given = dict(wishes or {})
        kinds = given.pop("kinds", None) or [kind for kind in [given.pop("kind", None)] if kind]
        formats = given.pop("formats", None) or ()
        for limit in ("min_seconds", "max_seconds"):
            if given.get(limit) is not None:
                given[limit] = Decimal(str(given[limit]))
        return cls(
            kinds=frozenset(Kind(kind) for kind in kinds),
            formats=frozenset(str(name).lower().lstrip(".") for name in formats),
            **given,
        )

    def as_mapping(self) -> dict[str, Any]:
        """Return the JSON form that `of` reads back."""
        return {
            "kinds": sorted(self.kinds),
            "formats": sorted(self.formats),
            "min_seconds": None if self.min_seconds is None else str(self.min_seconds),
            "max_seconds": None if self.max_seconds is None else str(self.max_seconds),
            "min_chars": self.min_chars,
            "teacher_visible": self.teacher_visible,
        }

    def wants_teacher(self, kind: Kind) -> bool:
        """Say whether this file must show the teacher for a machine to pass it (001-A-29)."""
        return kind in PICTURED if self.teacher_visible is None else self.teacher_visible


@dataclass(frozen=True, slots=True)
class Facts:
    """The few facts of a file that limits are about; `seconds` exact as the container states them."""

    kind: Kind
    format: str
    seconds: Decimal | None = None
    chars: int | None = None


def shown_seconds(seconds: Decimal) -> int:
    """Return the whole seconds a player shows: the fraction is dropped.

    A recording stopped at 5:00 is 300.04 s in its container, and every player shows 5:00; 5:01 is one second
    more. So limits compare whole seconds, inclusive, with no tolerance besides (X-35): 300.99 s passes a
    limit of 5:00, 301 s does not; 179.98 s is 2:59 and short of 3:00.
    """
    return int(seconds // 1)


def clock(seconds: int | Decimal) -> str:
    """Return m:ss as players write it."""
    whole = int(seconds // 1)
    return f"{whole // 60}:{whole % 60:02d}"


def limits(facts: Facts, slot: Slot) -> list[Finding]:
    """Compare a readable file with what its slot asks; every finding is a rejection with its remedy."""
    wrong_kind = _wrong_kind(facts, slot)
    return [wrong_kind] if wrong_kind else [*_length(facts, slot), *_characters(facts, slot)]


def _reject(code: str, sentence: str, **names: object) -> Finding:
    return Finding(code, Level.REJECT, say(sentence, **names))


def _wrong_kind(facts: Facts, slot: Slot) -> Finding | None:
    if slot.kinds and facts.kind not in slot.kinds:
        wanted = listed(say(KIND_WORDS[kind]) for kind in sorted(slot.kinds))
        text = _("这一项要交{wanted}，交来的却是{got}（{format}）。请按要求的形式重新提交。")
        return _reject("wrong_kind", text, wanted=wanted, got=say(KIND_WORDS[facts.kind]), format=facts.format)
    if slot.formats and facts.format not in slot.formats:
        wanted = listed(sorted(slot.formats))
        text = _("这一项只收 {wanted} 格式，交来的是 {got}。请另存为或导出为要求的格式后再传。")
        return _reject("wrong_format", text, wanted=wanted, got=facts.format)
    return None


def _length(facts: Facts, slot: Slot) -> Iterable[Finding]:
    if facts.seconds is None:
        return
    shown = shown_seconds(facts.seconds)
    if slot.min_seconds is not None and shown < slot.min_seconds:
        text = _("时长 {shown}，短于要求的 {limit}。请提交不短于 {limit} 的视频。")
        yield _reject("too_short", text, shown=clock(shown), limit=clock(slot.min_seconds))
    if slot.max_seconds is not None and shown > slot.max_seconds:
        text = _("时长 {shown}，超过上限 {limit}。请剪到 {limit} 以内再传。")
        yield _reject("too_long", text, shown=clock(shown), limit=clock(slot.max_seconds))


def _characters(facts: Facts, slot: Slot) -> Iterable[Finding]:
    if facts.chars is not None and slot.min_chars is not None and facts.chars < slot.min_chars:
        text = _("共 {chars} 字，少于要求的 {limit} 字。请补充后再传。")
        yield _reject("too_few_chars", text, chars=facts.chars, limit=slot.min_chars)


def verdict(findings: Sequence[Finding], *, teacher_needed: bool, present: bool | None) -> Verdict:
    """Return the verdict on one file; `present` None means nobody could look.

    Rejected only by a rejecting finding; valid only when nothing asks for a human and a teacher who must be
    seen was seen. Everything else goes to people (design: a machine never fails a teacher).
    """
    levels = {finding.level for finding in findings}
    if Level.REJECT in levels:
        return Verdict.REJECTED
    if Level.HUMAN in levels or (teacher_needed and present is not True):
        return Verdict.HUMAN
    return Verdict.VALID
