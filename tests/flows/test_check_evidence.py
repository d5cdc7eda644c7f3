"""The check asks the scanner before anything of ours opens a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from flows import check_evidence, installation
from flows.drain import Done, Item
from models import AuditEvent, DueWork, Evidence, Finding
from review_flow import db
from review_flow.clock import now
from review_flow.outside.storage import keep
from review_flow.rules.words import Verdict, WorkKind
from review_flow.steps import audit, evidence
from tests.cast import Clock, School
from tests.outside.clamd import EICAR, clamd

# What the scanner says is the same over both databases; the steps behind it are tested on both.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def scanned(installed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with clamd() as place:
        monkeypatch.setenv("REVIEW_FLOW_SCANNER", place)
        db.settings.cache_clear()
        yield


def handed_in(content: bytes) -> Item:
    stored = keep(installation.storage(), content)
    with closing(Clock().stack), db.transaction() as session:
        school = School(session, teachers=1).open()
        [person] = school.teachers
        work = school.ready(person)[0]
        slot = school.scheme.slots(work.ability)[0].id
        added = evidence.add_evidence(
            session, actor=person, submission=work, slot=slot, file_name="课.mp4", stored=stored
        )
        due = session.scalars(select(DueWork).where(DueWork.kind == WorkKind.CHECK_EVIDENCE)).one()
        return Item(id=due.id, kind=WorkKind.CHECK_EVIDENCE, subject_id=added.id, token="")


def test_an_infected_file_is_refused_told_deleted_and_never_opened(scanned: None) -> None:
    item = handed_in(b"lesson" + EICAR)
    with db.transaction() as session:
        check_evidence.handle(item)(session)
    with db.transaction() as session:
        row = session.get_one(Evidence, item.subject_id)
        [found] = session.scalars(select(Finding).where(Finding.evidence_id == row.id))
        assert (row.verdict, found.code, found.text) == (
            Verdict.REJECTED,
            "infected",
            "文件里查出病毒（Eicar-Signature），已删除。请先给您的设备查毒，再交一份干净的文件。",
        )
        [noted] = session.scalars(select(AuditEvent).where(AuditEvent.deed == "evidence.infected"))
        assert '"malware":"Eicar-Signature"' in noted.data
        assert list(audit.breaks(session)) == []
        assert [one for one in db.settings().storage.rglob("*") if one.is_file()] == []
    assert installation.sandbox.cache_info().currsize == 0  # no child met it


def test_killed_before_an_infected_file_is_refused_the_next_look_refuses_it(scanned: None) -> None:
    item = handed_in(b"lesson" + EICAR)

    def die(session: Session) -> None:
        if session.scalars(select(AuditEvent).where(AuditEvent.deed == "evidence.infected")).first():
            raise ConnectionError("killed")

    event.listen(Session, "before_commit", die)
    try:
        with pytest.raises(ConnectionError), db.transaction() as session:
            check_evidence.handle(item)(session)
    finally:
        event.remove(Session, "before_commit", die)
    look_again(item)


def test_killed_before_an_infected_file_is_deleted_the_next_look_deletes_it(
    scanned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = handed_in(b"lesson" + EICAR)

    def die(_storage: object, _key: str) -> None:
        raise ConnectionError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(type(installation.storage()), "delete", die)
        with pytest.raises(ConnectionError), db.transaction() as session:
            check_evidence.handle(item)(session)
    look_again(item)


def look_again(item: Item) -> None:
    """Look a second time: it is refused, noted once, and gone."""
    with db.transaction() as session:
        check_evidence.handle(item)(session)
    with db.transaction() as session:
        noted = session.scalars(select(AuditEvent.id).where(AuditEvent.deed == "evidence.infected")).all()
        assert (session.get_one(Evidence, item.subject_id).verdict, len(noted)) == (Verdict.REJECTED, 1)
        assert [one for one in db.settings().storage.rglob("*") if one.is_file()] == []


def test_where_the_scanner_is_away_a_file_waits_as_long_as_it_takes(scanned: None) -> None:
    item = handed_in(b"lesson" + EICAR)
    gone = db.settings().model_copy(update={"scanner": "127.0.0.1:9"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "settings", lambda: gone)
        with db.transaction() as session:
            done = check_evidence.handle(item)(session)
            assert isinstance(done, Done)
            assert done.again_at is not None
            assert timedelta(0) < done.again_at - now() <= check_evidence.SCANNER_PAUSE
            row = session.get_one(Evidence, item.subject_id)
            assert (row.verdict, row.checked_at) == (None, None)
    installation.scanner.cache_clear()
    with db.transaction() as session:
        check_evidence.handle(item)(session)
        assert session.get_one(Evidence, item.subject_id).verdict is Verdict.REJECTED


def test_what_the_scanner_passed_is_kept_though_the_check_then_fails(
    scanned: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = handed_in(b"lesson")

    def broken() -> None:
        raise MemoryError

    monkeypatch.setattr(check_evidence, "sandbox", broken)
    with pytest.raises(MemoryError):
        check_evidence.handle(item)
    with db.transaction() as session:
        row = session.get_one(Evidence, item.subject_id)
        assert (row.report, row.checked_at) == ({"scanned": True}, None)
