"""A film that browsers don't play: the verdict first, then its poster and a copy, the original kept."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import av
import pytest
from PIL import Image

from flows import installation
from models import Evidence
from review_flow import db
from review_flow.demo import media
from review_flow.outside.storage import keep, read
from review_flow.rules.words import Verdict, WorkKind
from review_flow.steps import evidence
from tests.cast import Clock, School
from tests.due import do_due


def packed_as_mkv(folder: Path) -> Path:
    """Pack a short lesson as phones' apps do that browsers don't play."""
    source = media.lesson_video(folder / "lesson.mp4", seconds=3, size=(320, 180))
    path = folder / "lesson.mkv"
    with av.open(str(source)) as film, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return path


def handed_in(path: Path) -> int:
    """Have a teacher hand in a film where one is asked for; return the evidence's id."""
    stored = keep(installation.storage(), path)
    with closing(Clock().stack), db.transaction() as session:
        school = School(session, teachers=1).open()
        [person] = school.teachers
        works = school.ready(person)
        wanted = ((work, slot) for work in works for slot in school.scheme.slots(work.ability) if slot.kind == "video")
        work, slot = next(wanted)
        file = evidence.add_evidence(
            session, actor=person, submission=work, slot=slot.id, file_name="课堂.mkv", stored=stored
        )
        return file.id


def kept_of(evidence_id: int) -> Evidence:
    with db.transaction() as session:
        return session.get_one(Evidence, evidence_id)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_copy_is_made_after_the_verdict_and_the_original_stays(tmp_path: Path) -> None:
    number = handed_in(packed_as_mkv(tmp_path))
    original = kept_of(number).storage_key
    assert do_due(WorkKind.CHECK_EVIDENCE) == 1
    file = kept_of(number)
    assert (file.verdict, file.poster_key, file.playable_key) == (Verdict.HUMAN, None, None)
    assert do_due(WorkKind.COPY_EVIDENCE) == 1
    file = kept_of(number)
    assert (file.verdict, file.storage_key) == (Verdict.HUMAN, original)
    storage = installation.storage()
    with Image.open(io.BytesIO(read(storage, file.poster_key or ""))) as poster:
        assert poster.size == (320, 180)
    with av.open(io.BytesIO(read(storage, file.playable_key or ""))) as copy:
        assert copy.format.name.startswith("mov,mp4")
        assert sum(1 for _frame in copy.decode(video=0)) == 36
    assert do_due(WorkKind.COPY_EVIDENCE) == 0
