"""A copy with faces covered of a work's file: the author is left out while their consent stands, and never on record."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from models import AuditEvent, FaceReading
from review_flow.db import settings, transaction
from review_flow.demo import media
from review_flow.evidence.enrolment import enrol
from review_flow.evidence.faces import recogniser, to_bytes
from review_flow.outside.storage import keep, storage_at
from review_flow.steps import evidence, faces
from tests.cast import Clock, School
from tests.cli.test_copies import house, read

__all__ = ["house"]


@pytest.mark.usefixtures("house")
def test_a_copy_of_a_works_file(tmp_path: Path) -> None:
    enrolled = enrol(media.reference_photos("grace", tmp_path)[0]).encoding
    assert enrolled is not None
    encoder = recogniser().name
    photo = media.lesson_photo(tmp_path / "lesson.jpg", person="grace", size=(800, 450))
    with Clock().stack, transaction() as session:
        school = School(session).open()
        author = school.teachers[0]
        faces.give_consent(session, actor=author)
        faces.add_reference(
            session, actor=author, encoding=to_bytes(enrolled), encoder=encoder, keys=settings().face_keys
        )
        stored = keep(storage_at(settings().storage), photo)
        work = school.ready(author)[0]
        number = evidence.add_evidence(
            session, actor=author, submission=work, slot="plan", file_name=photo.name, stored=stored
        ).id
    out = tmp_path / "public.jpg"
    assert read("panel", "blur", number, out, "--as", "T03", status=1)["error"] == "not-allowed"
    assert not out.exists()
    told = read("panel", "blur", number, out, "--as", "P1")
    assert (told["made"], told["teacher"], told["covered"], out.exists()) == ("photo", 1, 0, True)
    assert read("panel", "blur", 999, tmp_path / "other.jpg", "--as", "P1", status=1)["error"] == "not-found"
    assert [one["purpose_zh"] for one in read("teacher", "face-log", "--as", "T01")] == ["做遮挡人脸的副本"]
    with transaction() as session:
        [noted] = session.scalars(select(AuditEvent).where(AuditEvent.deed == "evidence.cover"))
        assert (noted.about, "teacher" in noted.data) == (f"evidence:{number}", False)
        assert session.scalars(select(FaceReading.evidence_id)).all() == [number]
