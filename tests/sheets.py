"""A sheet as the administrator brings it, and as the flow then looks through or takes it."""

from __future__ import annotations

from collections.abc import Sequence

from models import SheetImport
from review_flow.outside.storage import MemoryStorage, Storage
from review_flow.outside.workbooks import Page, write
from review_flow.rules.words import SheetKind
from review_flow.steps import imports
from tests.cast import School


def bring(
    school: School,
    kind: SheetKind,
    header: Sequence[str],
    *rows: Sequence[object],
    storage: Storage | None = None,
    file_name: str = "C:\\桌面\\表.xlsx",
    data: bytes | None = None,
    to_round: bool = True,
    look: bool = False,
    provider: str | None = None,
) -> SheetImport:
    """Bring rows, or the bytes of a file, to the school's round, or to the school alone."""
    kept = storage or MemoryStorage()
    brought = imports.start(
        school.session,
        actor=school.admin,
        organization=school.organization,
        round_=school.round if to_round else None,
        kind=kind,
        file_name=file_name,
        data=write([Page("表", header, rows)]) if data is None else data,
        storage=kept,
        provider=provider,
        look=look,
    )
    imports.run(school.session, sheet_import=brought, storage=kept)
    return brought
