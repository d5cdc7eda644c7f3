from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import DueWork, Evidence, Submission, Upload
from review_flow.clock import now
from review_flow.errors import NotAllowed, NotFound
from review_flow.rules.words import EvidenceState, WorkKind
from review_flow.steps import evidence, uploads
from tests.cast import Clock, School, kept


def begin(school: School, work: Submission, **other: object) -> Upload:
    slot = school.scheme.slots(work.ability)[0].id
    given = {
        "actor": school.teachers[0],
        "submission": work,
        "slot": slot,
        "file_name": "课.mp4",
        "size_bytes": 100,
        "most_bytes": 1000,
        "room_bytes": 10_000,
    }
    return uploads.begin(school.session, **{**given, **other})  # type: ignore[arg-type]  # named by each test


def test_a_file_that_has_arrived_hangs_on_its_slot_and_its_upload_is_gone(opened: School) -> None:
    person = opened.teachers[0]
    work = opened.ready(person)[0]
    upload = begin(opened, work, file_name="C:\\我的\\../课.mp4")
    assert upload.file_name == "课.mp4"
    assert uploads.unfinished(opened.session, submission=work) == [upload]
    assert uploads.own(opened.session, actor=person, token=upload.token) is upload
    added = uploads.finish(opened.session, actor=person, upload=upload, stored=kept("film"))
    opened.session.flush()
    assert (added.slot, added.file_name, added.state) == (upload.slot, "课.mp4", EvidenceState.WAITING)
    assert uploads.unfinished(opened.session, submission=work) == []
    again = begin(opened, work, replaces_id=added.id)
    newer = uploads.finish(opened.session, actor=person, upload=again, stored=kept("better"))
    assert evidence.standing_evidence(opened.session, submission=work) == [newer]
    assert opened.session.get_one(Evidence, added.id).state is EvidenceState.SUPERSEDED
    with pytest.raises(NotFound):
        begin(opened, work, replaces_id=added.id)


def test_what_would_be_refused_in_the_end_is_refused_at_the_start(opened: School) -> None:
    work = opened.ready(opened.teachers[0])[0]
    with pytest.raises(NotAllowed):
        begin(opened, work, actor=opened.teachers[1])
    with pytest.raises(evidence.UnknownSlot):
        begin(opened, work, slot="none")
    with pytest.raises(uploads.TooLarge, match=r"有2\.0GB，超过上限1\.5GB"):
        begin(opened, work, size_bytes=2_000_000_000, most_bytes=1_500_000_000)
    with pytest.raises(uploads.EmptyFile):
        begin(opened, work, size_bytes=0)
    with pytest.raises(uploads.NoRoom, match="磁盘空间不够"):
        begin(opened, work, size_bytes=100, room_bytes=199)
    opened.seal(opened.teachers[0])
    with pytest.raises(evidence.NotEditable):
        begin(opened, work)


def test_unfinished_uploads_are_so_many_and_no_more(opened: School) -> None:
    work = opened.ready(opened.teachers[0])[0]
    made = [begin(opened, work) for _number in range(uploads.AT_ONCE)]
    with pytest.raises(uploads.TooManyUploads, match="已有20个"):
        begin(opened, work)
    uploads.cancel(opened.session, upload=made[0])
    begin(opened, work)
    for one in made[1:]:
        one.expires_at = now()  # nobody can go on with it, nor cancel it
    begin(opened, work)


def test_an_upload_is_its_owner_s_alone_and_for_a_week(opened: School, clock: Clock) -> None:
    work = opened.ready(opened.teachers[0])[0]
    upload = begin(opened, work)
    with pytest.raises(NotFound):
        uploads.own(opened.session, actor=opened.teachers[1], token=upload.token)
    with pytest.raises(NotFound):
        uploads.own(opened.session, actor=opened.teachers[0], token="another")
    waiting = opened.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.PURGE_EVIDENCE)).one()
    assert (waiting.subject_id, waiting.due_at) == (uploads.OF_NO_ROUND, upload.expires_at)
    assert uploads.expire(opened.session) == upload.expires_at
    assert uploads.strays(opened.session, tokens=[upload.token, "nobody's"]) == ["nobody's"]
    clock.to(now() + timedelta(days=7))
    with pytest.raises(NotFound):
        uploads.own(opened.session, actor=opened.teachers[0], token=upload.token)
    assert uploads.unfinished(opened.session, submission=work) == []
    assert uploads.expire(opened.session) is None
    assert uploads.strays(opened.session, tokens=[upload.token]) == [upload.token]
