"""A consent withdrawn while the check of that teacher's film runs: its outcome is dropped, the next look is without faces."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import func, select

from flows import check_evidence, installation, purge_faces
from flows.drain import Done, Item
from models import DueWork, Evidence, FaceReading, Person, ReferenceFace, Submission
from review_flow import db
from review_flow.clock import now
from review_flow.demo import media
from review_flow.evidence.faces import to_bytes
from review_flow.outside.storage import keep
from review_flow.rules.words import EvidenceState, Verdict, WorkKind
from review_flow.steps import evidence, faces
from tests.cast import Clock, School


def handed_in(path: Path) -> Item:
    """Have a teacher with a reference hand in a photo where one is asked for; return its check."""
    stored = keep(installation.storage(), path)
    with closing(Clock().stack), db.transaction() as session:
        school = School(session, teachers=1).open()
        [person] = school.teachers
        faces.give_consent(session, actor=person)
        encoding = to_bytes(np.linspace(-0.1, 0.1, 128))
        encoder = installation.sandbox().recogniser()
        faces.add_reference(session, actor=person, encoding=encoding, encoder=encoder, keys=db.settings().face_keys)
        work, slot = next(
            (work, slot)
            for work in school.ready(person)
            for slot in school.scheme.slots(work.ability)
            if slot.shows_teacher and slot.kind != "video"
        )
        added = evidence.add_evidence(
            session, actor=person, submission=work, slot=slot.id, file_name=path.name, stored=stored
        )
        due = session.scalars(select(DueWork).where(DueWork.subject_id == added.id)).first()
        assert due is not None
        return Item(id=due.id, kind=WorkKind.CHECK_EVIDENCE, subject_id=added.id, token="")


def files_kept() -> list[Path]:
    """Return every file in the storage folder."""
    return sorted(one for one in db.settings().storage.rglob("*") if one.is_file())


def test_its_outcome_is_dropped_and_people_look(installed: None, tmp_path: Path) -> None:
    item = handed_in(media.lesson_photo(tmp_path / "课堂.jpg", size=(640, 360)))
    before = files_kept()
    record = check_evidence.handle(item)
    assert len(files_kept()) == len(before) + 1  # the contact sheet
    with db.transaction() as session:
        row = session.get_one(Evidence, item.subject_id)
        author = session.get_one(Person, session.get_one(Submission, row.submission_id).author_id)
        faces.withdraw_consent(session, actor=author)
    with db.transaction() as session:
        assert record(session) == Done()
    with db.transaction() as session:
        row = session.get_one(Evidence, item.subject_id)
        assert (row.state, row.verdict, row.report, row.sheet_key) == (EvidenceState.WAITING, None, None, None)
        assert session.scalar(select(func.count()).select_from(FaceReading)) == 1
    assert files_kept() == before  # nor does it stay in the storage
    record = check_evidence.handle(item)
    with db.transaction() as session:
        record(session)
    with db.transaction() as session:
        row = session.get_one(Evidence, item.subject_id)
        assert (row.state, row.verdict, row.teacher_present) == (EvidenceState.CHECKED, Verdict.HUMAN, None)
        assert session.scalar(select(func.count()).select_from(FaceReading)) == 1  # nothing was read any more


def test_the_daily_purge_comes_back_tomorrow(installed: None) -> None:
    with closing(Clock().stack), db.transaction() as session:
        school = School(session, teachers=1)
        outsider = school.person("T77", "局外")
        faces.give_consent(session, actor=outsider)
        faces.add_reference(session, actor=outsider, encoding=b"face", encoder="dlib", keys=db.settings().face_keys)
    item = Item(id=1, kind=WorkKind.PURGE_FACES, subject_id=faces.IN_NO_ROUND, token="")
    with db.transaction() as session:  # the real clock: half a year and more after the test's
        assert purge_faces.tags_of(session, item) == ()
        done = purge_faces.handle(item)(session)
        assert done is not None
        assert done.again_at is not None
        assert timedelta(hours=23) < done.again_at - now() <= timedelta(days=1)
    with db.transaction() as session:
        assert list(session.scalars(select(ReferenceFace.encrypted))) == [None]
