"""What every scene of the demonstration needs: the house, the people in it, files, sheets and filled forms."""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xlsxwriter
from sqlalchemy import select

from models import Enrolment, Evidence, Organization, Person, Round, SheetImport, Submission
from review_flow.clock import SCHOOL_ZONE
from review_flow.db import transaction
from review_flow.demo import media
from review_flow.evidence.sandbox import Sandbox
from review_flow.outside.storage import Storage, keep
from review_flow.rules.words import JobState, SheetKind
from review_flow.steps import enrolments, evidence, imports, rounds
from review_flow.steps import people as staff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session

    from review_flow.rules.catalogue import Slot
    from review_flow.rules.scheme import Scheme

COMMENT = "教学设计完整，技术运用贴合学情，课堂组织有序，值得借鉴。"


@dataclass
class Story:
    """What happened, for the end of the demonstration."""

    results: list[dict[str, Any]] = field(default_factory=list)
    ledger: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Stage:
    """Knows the house and its people; a deed is done in a transaction of its own, by the person with that number."""

    home: Path
    storage: Storage
    sandbox: Sandbox
    face_keys: Callable[[], tuple[bytes, ...]]
    settle: Callable[[], None]
    tell: Callable[[str], None]
    story: Story = field(default_factory=Story)

    # How a deed is done: in a transaction of its own, by the person with that number.

    @contextmanager
    def deed(self) -> Iterator[Session]:
        """One person's deed or a few, committed together."""
        with transaction() as session:
            yield session

    def someone(self, session: Session, number: str) -> Person:
        """Return the person with this number."""
        school = session.scalars(select(Organization)).one()
        return staff.person_by_number(session, organization_id=school.id, number=number)

    def the_round(self, session: Session) -> Round:
        """Return the round."""
        return session.scalars(select(Round)).one()

    def enrolled(self, session: Session, number: str) -> Enrolment:
        """Return somebody's enrolment."""
        return enrolments.enrolment_of(session, round_=self.the_round(session), person=self.someone(session, number))

    def works(self, session: Session, number: str) -> list[Submission]:
        """Return somebody's submissions."""
        return enrolments.submissions_of(session, enrolment=self.enrolled(session, number))

    def bring(self, kind: SheetKind, rows: Sequence[Sequence[str]], *, to_round: bool) -> None:
        """Bring a sheet in as a school does: an xlsx file, imported by its flow."""
        with self.deed() as session:
            brought = imports.start(
                session,
                actor=self.someone(session, "A001"),
                organization=session.scalars(select(Organization)).one(),
                round_=self.the_round(session) if to_round else None,
                kind=kind,
                file_name=f"{kind.value}.xlsx",
                data=_xlsx(rows),
                storage=self.storage,
            )
            number = brought.id
        self.settle()
        with self.deed() as session:
            done = session.get_one(SheetImport, number)
            if done.state is not JobState.DONE:
                raise RuntimeError(json.dumps(done.problems, ensure_ascii=False))

    def text(self, key: str) -> Path:
        """Return a document of its own for each key, some in Word and most as plain text."""
        text = media.essay(820, topic=f"（{key}）")
        if zlib.crc32(key.encode()) % 6:
            return media.txt(self.home / "media" / f"{key}.txt", text)
        path = self.home / "media" / f"{key}.docx"
        return path if path.exists() else media.docx(path, text)

    def slots(self, session: Session, work: Submission) -> list[Slot]:
        """Return the slots that must be filled."""
        scheme = rounds.round_scheme(session, round_=self.the_round(session))
        return [slot for slot in scheme.slots(work.ability) if slot.required]

    def add(
        self, session: Session, work: Submission, slot: Slot, path: Path, *, instead: Evidence | None = None
    ) -> None:
        """Hang one file on a slot."""
        evidence.add_evidence(
            session,
            actor=session.get_one(Person, work.author_id),
            submission=work,
            slot=slot.id,
            file_name=path.name,
            stored=keep(self.storage, path),
            replaces=instead,
        )

    def keep_file(self, what: str, path: Path, data: bytes) -> None:
        """Put a file where a person finds it."""
        path.write_bytes(data)
        self.story.files[what] = str(path)
        self.story.facts[f"{what}_sha256"] = hashlib.sha256(data).hexdigest()


def at(month: int, day: int, hour: int = 9) -> datetime:
    """Return a moment of the school's day in 2026."""
    return datetime(2026, month, day, hour, tzinfo=SCHOOL_ZONE)


def near(worth: Decimal, seed: int) -> Decimal:
    """Return a mark within two points of what the work is worth, the same each time."""
    return min(Decimal(100), worth + Decimal(seed * 37 % 401 - 200) / 100)


def form(scheme: Scheme, slots: Sequence[Slot], mark: Decimal, level: str) -> dict[str, Any]:
    """Fill the review form: every component with the mark, and the ticks that its level asks for."""
    band = next(name for name, (low, high) in scheme.level_marks.items() if low <= mark <= high)
    ticked = {"优秀": None, "合格": 1, "不合格": 0}[band]
    return {
        "components": {
            one.id: {"items": [item.id for item in one.items[:ticked]], "mark": str(mark)}
            for one in scheme.rated_components()
        },
        "evidence_levels": {slot.id: level for slot in slots},
        "comment": COMMENT,
    }


def _xlsx(rows: Sequence[Sequence[str]]) -> bytes:
    """Write a sheet as a school's Excel would."""
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"in_memory": True})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return made.getvalue()
