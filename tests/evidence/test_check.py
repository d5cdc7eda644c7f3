"""One file checked: who is in it, what it is, and what its slot asks; every outcome has its code."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from review_flow.demo import media
from review_flow.evidence.probe import probe
from review_flow.rules.verdict import Finding, Level, Slot
from review_flow.rules.words import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from review_flow.evidence.check import Report
    from review_flow.evidence.faces import Encoding
    from review_flow.evidence.sandbox import Sandbox


def codes(report: Report) -> list[tuple[str, str]]:
    """Return what was found, as (code, level)."""
    return [(finding.code, str(finding.level)) for finding in report.findings]


def test_the_teacher_in_a_film_is_seen_at_two_spaced_moments(
    box: Sandbox, films: dict[str, Path], grace: list[Encoding]
) -> None:
    report = box.check(films["grace"], references=grace)
    assert (report.verdict, report.present) == (Verdict.VALID, True)
    assert codes(report) == [("no_sound", "info")]
    times = [moment["at_s"] for moment in report.seen]
    assert times == sorted(times)
    assert times[-1] - times[0] >= 2
    assert all(1 <= time < 4 or 6 <= time < 9 for time in times)
    assert all(moment["distance"] <= 0.40 for moment in report.seen)


def test_a_film_s_facts_are_exact(box: Sandbox, films: dict[str, Path]) -> None:
    report = box.check(films["grace"])
    data = films["grace"].read_bytes()
    assert report.media == {
        "kind": "video",
        "format": "mp4",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "codec": "h264",
        "duration_s": "10",
        "readable_s": "10",
        "width": 640,
        "height": 360,
        "fps": "12.000",
        "rotation": 0,
        "audio": False,
    }
    assert report.sha256 == report.media["sha256"]


@pytest.mark.parametrize(("who", "code"), [("eileen", "not_recognised"), ("nobody", "no_faces")])
def test_a_film_without_the_teacher_is_for_people_to_judge(
    box: Sandbox, films: dict[str, Path], grace: list[Encoding], who: str, code: str
) -> None:
    report = box.check(films[who], references=grace)
    assert (report.verdict, report.present, report.seen) == (Verdict.HUMAN, False, ())
    assert codes(report) == [("no_sound", "info"), (code, "human")]


def test_without_references_nobody_looks_and_people_judge(box: Sandbox, films: dict[str, Path]) -> None:
    report = box.check(films["grace"])
    assert (report.verdict, report.present) == (Verdict.HUMAN, None)
    assert codes(report) == [("no_sound", "info"), ("no_reference", "human")]
    assert (report.cost["frames_decoded"], report.cost["faces_encoded"]) == (0, 0)


def test_a_slot_that_needs_no_teacher_passes_a_film_unseen(box: Sandbox, films: dict[str, Path]) -> None:
    report = box.check(films["nobody"], slot=Slot(teacher_visible=False))
    assert (report.verdict, report.present, codes(report)) == (Verdict.VALID, None, [("no_sound", "info")])


@pytest.mark.parametrize(
    ("person", "verdict", "present", "found"),
    [
        ("grace", Verdict.VALID, True, []),
        ("eileen", Verdict.HUMAN, False, [("not_recognised", "human")]),
        (None, Verdict.HUMAN, False, [("no_faces", "human")]),
    ],
)
def test_photos(
    box: Sandbox,
    grace: list[Encoding],
    tmp_path: Path,
    *,
    person: str | None,
    verdict: Verdict,
    present: bool,
    found: list[tuple[str, str]],
) -> None:
    report = box.check(media.lesson_photo(tmp_path / "photo.jpg", person=person), references=grace)
    assert (report.verdict, report.present, codes(report)) == (verdict, present, found)
    assert (report.cost["faces_encoded"] == 0) == (person is None)


def test_a_photo_lying_on_its_side_is_stood_up(box: Sandbox, grace: list[Encoding], tmp_path: Path) -> None:
    upright = Image.open(media.lesson_photo(tmp_path / "upright.jpg", person="grace"))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "phone.jpg", exif=exif)
    report = box.check(tmp_path / "phone.jpg", references=grace)
    assert (report.verdict, report.media["width"], report.media["height"]) == (Verdict.VALID, 1280, 720)


def test_a_copy_is_for_people_to_judge(box: Sandbox, films: dict[str, Path], grace: list[Encoding]) -> None:
    digest = hashlib.sha256(films["grace"].read_bytes()).hexdigest()
    report = box.check(films["grace"], references=grace, known_hashes={digest: "二组 李老师 A1", "0" * 64: "别处"})
    assert (report.verdict, report.present) == (Verdict.HUMAN, True)
    text = "与已提交的文件完全相同（二组 李老师 A1），请人工确认。"
    assert report.findings[-1] == Finding("duplicate", Level.HUMAN, text)


def test_a_film_that_broke_off_is_refused_with_its_remedy(box: Sandbox, films: dict[str, Path], tmp_path: Path) -> None:
    report = box.check(media.cut_off(films["grace"], tmp_path / "broken.mp4"))
    assert (report.verdict, report.present) == (Verdict.REJECTED, None)
    assert [finding.code for finding in report.findings] == ["incomplete"]
    assert report.findings[0].text.startswith("视频不完整：全长 0:10，只有前 ")


def test_j5_a_pdf_for_a_video_slot_is_refused(box: Sandbox, tmp_path: Path) -> None:
    report = box.check(media.pdf(tmp_path / "report.pdf", media.essay(50)), slot={"kind": "video"})
    assert report.verdict is Verdict.REJECTED
    text = "这一项要交视频，交来的却是文档（pdf）。请按要求的形式重新提交。"
    assert report.findings == (Finding("wrong_kind", Level.REJECT, text),)


@pytest.mark.parametrize(("seconds", "code"), [(10, []), (11, ["too_short"])])
def test_a_film_s_length_is_held_against_its_slot(
    box: Sandbox, films: dict[str, Path], seconds: int, code: list[str]
) -> None:
    slot = {"kind": "video", "min_seconds": seconds, "teacher_visible": False}
    report = box.check(films["nobody"], slot=slot)
    assert [finding.code for finding in report.findings] == ["no_sound", *code]


@pytest.mark.parametrize("make", [media.docx, media.pdf, media.txt])
def test_documents_are_counted_as_word_counts(box: Sandbox, tmp_path: Path, make: Any) -> None:
    path = make(tmp_path / f"text.{make.__name__}", media.essay(412, topic="教学反思。"))
    report = box.check(path, slot={"kind": "document", "min_chars": 412})
    assert (report.verdict, report.findings, report.present) == (Verdict.VALID, (), None)
    assert (report.media["kind"], report.media["format"], report.media["chars"]) == ("document", make.__name__, 412)
    short = box.check(path, slot={"kind": "document", "min_chars": 413})
    text = "共 412 字，少于要求的 413 字。请补充后再传。"
    assert (short.verdict, short.findings) == (Verdict.REJECTED, (Finding("too_few_chars", Level.REJECT, text),))


def test_words_in_latin_letters_count_one_each(box: Sandbox, tmp_path: Path) -> None:
    path = media.txt(tmp_path / "mixed.txt", "技术2.0支持 AI class\n（好）")
    assert box.check(path).media["chars"] == 10


def page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>" + "页面" * 900, encoding="utf-8")


def playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", encoding="ascii")


def concat(path: Path) -> None:
    path.write_text("ffconcat version 1.0\nfile /etc/passwd\n", encoding="ascii")


def nothing(path: Path) -> None:
    path.touch()


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(5).bytes(200_000))


def script(path: Path) -> None:
    path.write_text("#!/bin/sh\nrm -rf /\n", encoding="ascii")


def archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("lesson.mp4", b"0" * 100)


def office(path: Path) -> None:
    media.docx(path, media.essay(100))


def essay(path: Path) -> None:
    media.txt(path, media.essay(100))


def tall_picture(path: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(path, "PNG")


def swollen_office(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        packed.open("word/document.xml", "w") as entry,
    ):
        for _megabyte in range(410):
            entry.write(b" " * 1_000_000)


def billion_laughs(path: Path) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a0 "ha">{entities}]><d>&a11;</d>'
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("word/document.xml", text)


def photo_cut(path: Path) -> None:
    data = media.lesson_photo(path.with_name("whole.jpg")).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def photo_with_archive(path: Path) -> None:
    archive(path.with_name("behind.zip"))
    whole = media.lesson_photo(path.with_name("whole.jpg")).read_bytes()
    path.write_bytes(whole + path.with_name("behind.zip").read_bytes())


@pytest.mark.parametrize(
    ("make", "name", "kind", "found"),
    [
        (nothing, "a.mp4", "unknown", [("empty", "reject")]),
        (noise, "a.mp4", "unknown", [("unrecognised", "reject")]),
        (playlist, "a.mp4", "unknown", [("playlist", "reject")]),
        (concat, "a.mp4", "unknown", [("playlist", "reject")]),
        (page, "a.mp4", "unknown", [("web_page", "reject")]),
        (script, "a.mp4", "unknown", [("program", "reject")]),
        (archive, "a.mp4", "unknown", [("archive", "reject")]),
        (office, "a.mp4", "document", [("name_mismatch", "reject")]),
        (essay, "a.mp4", "document", [("name_mismatch", "reject")]),
        (essay, "a.docx", "document", [("name_mismatch", "reject")]),
        (essay, "a.pdf", "document", [("name_mismatch", "reject")]),
        (essay, "a.doc", "document", [("name_mismatch", "reject")]),
        (office, "a.pptx", "document", [("name_mismatch", "reject")]),
        (office, "a.txt", "document", [("name_mismatch", "reject")]),
        (tall_picture, "a.png", "photo", [("too_many_pixels", "reject")]),
        (swollen_office, "a.docx", "unknown", [("document_too_large", "reject")]),
        (billion_laughs, "a.docx", "document", [("broken_document", "reject")]),
        (photo_cut, "a.jpg", "photo", [("broken_picture", "reject")]),
        (photo_with_archive, "a.jpg", "photo", [("hidden_archive", "human"), ("no_reference", "human")]),
    ],
)
def test_broken_lying_and_hostile_files(
    box: Sandbox, tmp_path: Path, make: Any, name: str, kind: str, found: list[tuple[str, str]]
) -> None:
    make(tmp_path / name)
    report = box.check(tmp_path / name)
    assert (report.media["kind"], codes(report)) == (kind, found)
    refused = any(level == "reject" for _code, level in found)
    assert report.verdict is (Verdict.REJECTED if refused else Verdict.HUMAN)
    assert all(finding.text.endswith("。") for finding in report.findings)
    assert report.cost["wall_s"] < 5


@pytest.mark.parametrize(
    ("content", "name", "found"),
    [
        (b"not a docx", "教案.docx", ["name_mismatch"]),
        (b"not a docx", "教案.MD", []),
        (b"not a docx", "教案", []),
        (rb"{\rtf1 a}", "教案.doc", ["old_document"]),  # as Word itself saves it
        (rb"{\rtf1 a}", "教案.docx", ["old_document", "name_mismatch"]),
    ],
)
def test_a_document_s_name_is_one_by_which_a_program_opens_it(
    tmp_path: Path, content: bytes, name: str, found: list[str]
) -> None:
    path = tmp_path / "5f2c"
    path.write_bytes(content)
    seen = probe(path, name=name).findings
    assert [one.code for one in seen] == found
    if found and found[-1] == "name_mismatch":
        assert seen[-1].text.startswith("文件名以 .docx 结尾，内容却是 ")


def test_the_owner_s_name_counts_not_the_stored_one(box: Sandbox, tmp_path: Path) -> None:
    path = media.txt(tmp_path / "5f2c", media.essay(20))
    assert codes(box.check(path)) == []
    report = box.check(path, name="公开课.MP4")
    text = "文件名以 .mp4 结尾，内容却是文档（txt）。请提交真正的视频，或把扩展名改对后再传。"
    assert report.findings == (Finding("name_mismatch", Level.REJECT, text),)
