"""A closed round's files wait for their time, then go from the storage as well."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import select

from flows import installation, purge_evidence
from flows.drain import Done, Item
from models import Evidence, Round, Submission, Upload
from review_flow import db
from review_flow.clock import now
from review_flow.errors import NotFound
from review_flow.outside.storage import keep, read
from review_flow.rules.lifecycle import RoundPhase, SubmissionState
from review_flow.rules.words import WorkKind
from review_flow.steps import evidence, uploads
from tests.cast import Clock, School


def test_files_go_from_the_storage_when_it_is_time(installed: None) -> None:
    stored = keep(installation.storage(), b"lesson")
    with closing(Clock().stack), db.transaction() as session:
        school = School(session, teachers=1).open()
        work = school.ready(school.teachers[0])[0]
        evidence.add_evidence(
            session, actor=school.teachers[0], submission=work, slot="plan", file_name="a.txt", stored=stored
        )
        number = school.round.id
    item = Item(id=1, kind=WorkKind.PURGE_EVIDENCE, subject_id=number, token="")
    with db.transaction() as session:
        assert purge_evidence.tags_of(session, item) == (f"round:{number}",)
        open_still = purge_evidence.handle(item)(session)
        assert open_still is not None
        assert open_still.again_at is not None
        assert open_still.again_at - now() <= timedelta(days=1)
        round_ = session.get_one(Round, number)
        round_.phase, round_.appeal_due_at = RoundPhase.CLOSED, now()
        for one in session.scalars(select(Submission)):
            one.state = SubmissionState.CLOSED
        ends = now() + timedelta(days=365)
        waits = purge_evidence.handle(item)(session)
        assert waits is not None
        assert waits.again_at is not None
        assert abs(waits.again_at - ends) < timedelta(minutes=1)
        assert read(installation.storage(), stored.key) == b"lesson"
        for name in ("opens_at", "submit_due_at", "hard_close_at", "appeal_due_at"):
            setattr(round_, name, getattr(round_, name) - timedelta(days=500))
        session.flush()
        assert purge_evidence.handle(item)(session) == Done()
        assert session.scalars(select(Evidence.removed_at)).one() is not None
    with pytest.raises(NotFound):
        read(installation.storage(), stored.key)


def test_bytes_of_uploads_that_nobody_finished_go_and_fresh_ones_wait(installed: None) -> None:
    folder = db.settings().folder("uploads")
    with closing(Clock().stack), db.transaction() as session:
        school = School(session, teachers=1).open()
        work = school.ready(school.teachers[0])[0]
        slot = school.scheme.slots(work.ability)[0].id
        given = {"submission": work, "slot": slot, "size_bytes": 9, "most_bytes": 9, "room_bytes": 99}
        old = uploads.begin(session, actor=school.teachers[0], file_name="a.mp4", **given)
        kept = uploads.begin(session, actor=school.teachers[0], file_name="b.mp4", **given)
        kept.expires_at = now() + timedelta(days=9000)
        for name in (old.token, kept.token, "fresh"):
            (folder / name).write_bytes(b"bytes")
        os.utime(folder / old.token, (0, 0))
    item = Item(id=1, kind=WorkKind.PURGE_EVIDENCE, subject_id=uploads.OF_NO_ROUND, token="")
    with db.transaction() as session:
        assert purge_evidence.tags_of(session, item) == ()
        again = purge_evidence.handle(item)(session)
        assert again is not None
        assert again.again_at is not None
        assert abs(again.again_at - now() - timedelta(days=1)) < timedelta(minutes=1)
        assert {path.name for path in folder.iterdir()} == {kept.token, "fresh"}
        os.utime(folder / "fresh", (0, 0))
        assert purge_evidence.handle(item)(session) == Done(again_at=kept.expires_at)
        assert [path.name for path in folder.iterdir()] == [kept.token]
        assert session.scalars(select(Upload.token)).all() == [kept.token]
